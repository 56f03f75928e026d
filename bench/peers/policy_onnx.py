"""policy_onnx.py: seconds a call of a 4-64-64-2 tanh policy at batch 1 in ONNX Runtime, one thread, through its C API."""
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

rng = np.random.default_rng(0)
sizes, nodes, weights, at = [4, 64, 64, 2], [], [], "x"
for k, (i, o) in enumerate(zip(sizes, sizes[1:])):
    weights.append(numpy_helper.from_array(rng.normal(0, 0.3, (i, o)).astype(np.float32), f"w{k}"))
    weights.append(numpy_helper.from_array(np.zeros(o, np.float32), f"b{k}"))
    nodes.append(helper.make_node("Gemm", [at, f"w{k}", f"b{k}"], [f"y{k}"]))
    at = f"y{k}"
    if k < 2:
        nodes.append(helper.make_node("Tanh", [at], [f"h{k}"]))
        at = f"h{k}"
graph = helper.make_graph(nodes, "policy", [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 4])],
                          [helper.make_tensor_value_info(at, TensorProto.FLOAT, [1, 2])], weights)
model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
model.ir_version = 9
library = next((Path(onnxruntime.__file__).parent / "capi").glob("libonnxruntime.so*"))
with tempfile.TemporaryDirectory() as folder:
    file, program = Path(folder) / "policy.onnx", Path(folder) / "policy"
    file.write_bytes(model.SerializeToString())
    subprocess.run(["cc", "-O2", "-o", program, Path(__file__).with_suffix(".c"), "-ldl"], check=True)
    sys.exit(subprocess.run([program, library, file]).returncode)
