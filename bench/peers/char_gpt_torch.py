"""char_gpt_torch.py RLC [--seed N] [--steps N]: examples/char_gpt.rl in PyTorch, from the same weights over the same batches.

The weights are those of a checkpoint of rlc after a step of rate 0; the places of the batches are what rlc's own
`randint` draws from the keys of the steps. Both losses are printed every ten steps, and how far apart they get at most;
the exit status is 1 if that is more than 1e-3.
"""
import argparse
import json
import math
import re
import struct
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy
import torch
from torch.nn import functional as F

ROOT = Path(__file__).resolve().parents[2]
EXAMPLE = ROOT / "examples" / "char_gpt.rl"
D, H, LAYERS, BATCH, T, RATE, WARM, TOTAL, DECAY, TEST = 96, 4, 4, 16, 96, 2e-3, 50, 600, 0.01, 20_000   # as in EXAMPLE
DTYPES = {3: "<i4", 4: "<i8", 9: "<f4"}    # IrDtype of ir/ir.h


def run(*command):
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def read_checkpoint(path):
    """The arrays of a checkpoint by name; the layout is that of runtime/checkpoint.c."""
    data = path.read_bytes()
    at = 8 + 8 + 8 + 8 + 8

    def take(form):
        nonlocal at
        v = struct.unpack_from("<" + form, data, at)
        at += struct.calcsize("<" + form)
        return v if len(v) > 1 else v[0]

    def text():
        return take(f"{take('I')}s").decode()

    text()                                  # the trainer's name
    for _ in range(take("I")):              # settings
        text(), take("Q")
    heads = []
    for _ in range(take("I")):
        name, (dtype, rank) = text(), take("ii")
        heads.append((name, DTYPES[dtype], [take("q") for _ in range(rank)]))
    arrays = {}
    for name, dtype, shape in heads:
        n = math.prod(shape)
        arrays[name] = numpy.frombuffer(data, dtype, n, at).reshape(shape)
        at += n * numpy.dtype(dtype).itemsize
    return arrays


def initial(rlc, seed, folder):
    path = folder / "start.ckpt"
    run(rlc, "run", EXAMPLE, "--seed", str(seed), "--set", "lr=0", "--steps", "1", "--checkpoint", path, "--quiet")
    return {name[2:]: torch.tensor(x, requires_grad=True) for name, x in read_checkpoint(path).items() if name.startswith("p.")}


def places(rlc, seed, steps):
    """Where the batches begin, [steps, BATCH]: the step's key is folded once where it is given, once where it is used."""
    said = run(rlc, "eval", f"each i in 0..{steps} {{ let k = fold_in(fold_in(fold_in(fold_in(seed_key({seed}), 1), i), 0), 0); "
               f"randint(k, [{BATCH}], 0, N - TEST - {T} - 1) }}", EXAMPLE)
    return numpy.array([int(n) for n in re.findall(r"\d+", said.split("=", 1)[1])]).reshape(steps, BATCH)


def losses_of_rlc(rlc, seed, steps, folder):
    path = folder / "run.jsonl"
    run(rlc, "run", EXAMPLE, "--seed", str(seed), "--steps", str(steps), "--log", path, "--quiet")
    return [json.loads(line)["metrics"]["loss"] for line in path.read_text().splitlines() if '"metrics"' in line]


def rotated(x):
    """x [B, T, H, K], each pair of the last axis turned by its position."""
    k = x.shape[-1]
    angle = torch.arange(x.shape[1])[:, None] * torch.exp(-math.log(10_000) * 2 / k * torch.arange(k // 2))
    c, s = angle.cos()[:, None], angle.sin()[:, None]
    a, b = x[..., 0::2], x[..., 1::2]
    return torch.stack([a * c - b * s, a * s + b * c], -1).flatten(-2)


def logits(p, i):
    def norm(x, name):
        return F.layer_norm(x, [D], p[name + ".scale"], p[name + ".shift"])

    def dense(x, name):
        return x @ p[name + ".w"] + p.get(name + ".b", 0)

    h = p["h.embedding.table"][i]
    for l in range(LAYERS):
        x = norm(h, f"{l}.layer_norm")
        q, k, v = (dense(x, f"{l}.attention.{n}.dense").unflatten(-1, (H, D // H)) for n in "qkv")
        y = F.scaled_dot_product_attention(*(a.transpose(1, 2) for a in (rotated(q), rotated(k), v)), is_causal=True)
        h = h + dense(y.transpose(1, 2).flatten(-2), f"{l}.attention.dense")
        h = h + dense(F.gelu(dense(norm(h, f"{l}.layer_norm_2"), f"{l}.dense")), f"{l}.dense_2")
    return dense(norm(h, "layer_norm"), "dense")


def train(p, text, at):
    matrices = [x for name, x in p.items() if name.endswith("w")]
    others = [x for name, x in p.items() if not name.endswith("w")]
    opt = torch.optim.AdamW([dict(params=matrices, weight_decay=DECAY), dict(params=others, weight_decay=0.0)], lr=RATE)
    for step, starts in enumerate(at, 1):
        for group in opt.param_groups:
            group["lr"] = RATE * min(step / WARM, 0.5 + 0.5 * math.cos(math.pi * min(step / TOTAL, 1)))
        window = torch.stack([text[s:s + T + 1] for s in starts])
        loss = F.cross_entropy(logits(p, window[:, :-1]).flatten(0, 1), window[:, 1:].flatten())
        opt.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(p.values(), 1.0)
        opt.step()
        yield loss.item()


def main():
    args = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    args.add_argument("rlc")
    args.add_argument("--seed", type=int, default=1)
    args.add_argument("--steps", type=int, default=100)
    a = args.parse_args()
    text = torch.tensor(list((ROOT / "examples/data/genesis_exodus.txt").read_bytes()))
    with tempfile.TemporaryDirectory() as folder:
        ours = losses_of_rlc(a.rlc, a.seed, a.steps, Path(folder))
        p = initial(a.rlc, a.seed, Path(folder))
    theirs = list(train(p, text, places(a.rlc, a.seed, a.steps)))
    if len(ours) != a.steps:
        sys.exit(f"rlc logged {len(ours)} steps of {a.steps}")
    print("step     rlc  PyTorch  difference")
    for k, (x, y) in enumerate(zip(ours, theirs), 1):
        if k == 1 or k % 10 == 0:
            print(f"{k:4} {x:7.5f}  {y:7.5f}  {abs(x - y):.1e}")
    worst = max(range(a.steps), key=lambda k: abs(ours[k] - theirs[k]))
    most = abs(ours[worst] - theirs[worst])
    print(f"greatest difference {most:.1e}, at step {worst + 1}")
    sys.exit(most > 1e-3)


if __name__ == "__main__":
    main()
