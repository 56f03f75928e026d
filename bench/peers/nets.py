"""The nets of bench/nets.rl: sizes, and the work of one training step in floating point operations.

Counted are the multiply-adds of the matrix products and convolutions of the forward pass, two operations
each, times three: the backward pass has two products for each of the forward pass.
"""

MLP = {"mlp64": (256, [4, 64, 64, 2]), "mlp256": (256, [17, 256, 256, 6]), "mnist": (128, [784, 512, 512, 10])}
GRID = dict(batch=64, size=10, channels=4, filters=(16, 32), hidden=128, classes=10)
GRU = dict(batch=32, length=64, inputs=32, hidden=128, classes=10)
GPT = dict(batch=8, length=128, width=128, blocks=4, heads=4, tokens=96)
NAMES = [*MLP, "minatar", "gru", "gpt"]


def chain(sizes):
    return sum(i * o for i, o in zip(sizes, sizes[1:]))


def flops(name):
    if name in MLP:
        batch, sizes = MLP[name]
        adds = batch * chain(sizes)
    elif name == "minatar":
        g = GRID
        a, b = g["size"] - 2, g["size"] - 4
        one, two = g["filters"]
        adds = g["batch"] * (a * a * 9 * g["channels"] * one + b * b * 9 * one * two
                             + chain([b * b * two, g["hidden"], g["classes"]]))
    elif name == "gru":
        g = GRU
        adds = g["batch"] * g["length"] * (3 * g["hidden"] * (g["inputs"] + g["hidden"]) + g["hidden"] * g["classes"])
    else:
        g = GPT
        d, t = g["width"], g["length"]
        adds = g["batch"] * t * (g["blocks"] * (12 * d * d + 2 * t * d) + g["tokens"] * d)
    return 6 * adds


def blocks(step, seconds=1.0, count=5):
    """Seconds a step, for `count` blocks of steps that take about `seconds` together."""
    import time

    step()
    start = time.perf_counter()
    step()
    turns = max(1, int(seconds / count / (time.perf_counter() - start)))
    took = []
    for _ in range(count):
        start = time.perf_counter()
        for _ in range(turns):
            step()
        took.append((time.perf_counter() - start) / turns)
    return took


def report(**values):
    import json
    import resource

    values["rss_mb"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps(values), flush=True)
