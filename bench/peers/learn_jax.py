"""learn_jax.py JOB: the training steps of examples/ in JAX, same model and sizes, float32; many steps under one jit.

    maml       maml_sinusoid.rl: 25 tasks, a gradient step inside, second order
    s5 N       s5_recall.rl with N rows by jax.lax.associative_scan
    s5_turns N the same by jax.lax.scan
    gcn        gcn_karate.rl
    evolve     evolve_cartpole.rl: thirty generations; `samples` are environment steps a second
    lanes N    lanes.rl: N lanes of a while loop, one of them long, by vmap of while_loop
    deep N     deep.rl: a transformer of N blocks as one scan over stacked parameters; `compile_s` alone
"""
import sys
import time
from functools import partial
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax import nn, random

from nets import blocks, report

ROOT = Path(__file__).resolve().parents[2]
JOB, SIZE = sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 0
lecun = nn.initializers.lecun_normal()


def dense(key, i, o):
    return lecun(key, (i, o)), jnp.zeros(o)


def mlp(key, sizes):
    return [dense(k, i, o) for k, i, o in zip(random.split(key, len(sizes)), sizes, sizes[1:])]


def run_mlp(layers, x, act):
    for w, b in layers[:-1]:
        x = act(x @ w + b)
    w, b = layers[-1]
    return x @ w + b


def time_steps(step, held, turns):
    """Seconds a step of `turns` under one jit; carry and result are one tree, donated."""
    def run(held):
        return jax.lax.scan(lambda h, _: (step(h), None), held, None, turns)[0]

    start = time.perf_counter()
    compiled = jax.jit(run, donate_argnums=0).lower(held).compile()
    compile_s = time.perf_counter() - start

    def turn():
        nonlocal held
        held = jax.block_until_ready(compiled(held))

    report(samples=[t / turns for t in blocks(turn)], compile_s=compile_s)


def trainer(loss, optimizer, params, turns):
    """loss(params, key) by an optimizer, from a stream of keys."""
    def step(held):
        params, state, key = held
        key, now = random.split(key)
        update, state = optimizer.update(jax.grad(loss)(params, now), state, params)
        return optax.apply_updates(params, update), state, key

    time_steps(step, (params, optimizer.init(params), random.PRNGKey(1)), turns)


def maml():
    def points(task, n, key):
        x = random.uniform(key, (n, 1), minval=-5.0, maxval=5.0)
        return x, task[0] * jnp.sin(x - task[1])

    def mse(p, d):
        return ((run_mlp(p, d[0], nn.relu) - d[1]) ** 2).mean()

    def one(p, task, key):
        a, b = random.split(key)
        gradient = jax.grad(mse)(p, points(task, 5, a))
        return mse(jax.tree.map(lambda q, g: q - 0.01 * g, p, gradient), points(task, 10, b))

    def loss(p, key):
        a, b, c = random.split(key, 3)
        tasks = random.uniform(a, (25,), minval=0.1, maxval=5.0), random.uniform(b, (25,), maxval=jnp.pi)
        return jax.vmap(one, (None, 0, 0))(p, tasks, random.split(c, 25)).mean()

    trainer(loss, optax.adam(1e-3), mlp(random.PRNGKey(0), [1, 40, 40, 1]), 500)


def s5(rows, parallel):
    T, D, N, SYMBOLS = 1024, 32, 32, 8
    keys = iter(random.split(random.PRNGKey(0), 100))

    def block():
        return dict(
            decay=jnp.full(N, jnp.log(0.5)), freq=jnp.pi * jnp.arange(N, dtype=jnp.float32),
            step=random.uniform(next(keys), (N,), minval=jnp.log(1e-3), maxval=jnp.log(1e-1)),
            b_re=lecun(next(keys), (D, N)), b_im=lecun(next(keys), (D, N)),
            c_re=lecun(next(keys), (N, D)), c_im=lecun(next(keys), (N, D)), skip=jnp.zeros(D),
            gate=dense(next(keys), D, D), scale=jnp.ones(D), shift=jnp.zeros(D))

    def scanned(a, u):
        def combine(x, y):
            return x[0] * y[0], y[0] * x[1] + y[1]
        return jax.lax.associative_scan(combine, (jnp.broadcast_to(a, (T, 1, N)), u))[1]

    def in_turn(a, u):
        def turn(h, v):
            h = a * h + v
            return h, h
        return jax.lax.scan(turn, jnp.zeros_like(u[0]), u)[1]

    def run_block(p, x):
        rate = jax.lax.complex(-jnp.exp(p["decay"]), p["freq"])
        a = jnp.exp(rate * jnp.exp(p["step"]))
        v = jax.lax.complex(x @ p["b_re"], x @ p["b_im"]) * ((a - 1) / rate)
        h = scanned(a, v) if parallel else in_turn(a, v)
        h = nn.gelu(h.real @ p["c_re"] - h.imag @ p["c_im"] + x * p["skip"], approximate=False)
        y = x + h * nn.sigmoid(h @ p["gate"][0] + p["gate"][1])
        c = y - y.mean(-1, keepdims=True)
        return c * jax.lax.rsqrt((c * c).mean(-1, keepdims=True) + 1e-5) * p["scale"] + p["shift"]

    def loss(p, key):
        a, b = random.split(key)
        y = random.randint(a, (rows,), 0, SYMBOLS)
        x = jnp.concatenate([nn.one_hot(y, SYMBOLS)[None], 0.02 * random.normal(b, (T - 1, rows, SYMBOLS))])
        w, c = p["in"]
        h = run_block(p["two"], run_block(p["one"], nn.gelu(x @ w + c, approximate=False)))
        w, c = p["out"]
        return optax.softmax_cross_entropy_with_integer_labels(h[-1] @ w + c, y).mean()

    params = {"in": dense(next(keys), SYMBOLS, D), "one": block(), "two": block(), "out": dense(next(keys), D, SYMBOLS)}
    rate = optax.warmup_cosine_decay_schedule(0, 4e-3, 20, 1000)
    trainer(loss, optax.chain(optax.clip_by_global_norm(1.0), optax.adam(rate)), params, 4 if rows > 4 else 50)


def gcn():
    edges = np.loadtxt(ROOT / "examples/data/karate_edges.csv", delimiter=",", dtype=np.int32, skiprows=header("karate_edges.csv"))
    club = column("karate_club.csv", "club")
    n = len(club)
    src = np.concatenate([edges[:, 0], edges[:, 1], np.arange(n)])
    dst = np.concatenate([edges[:, 1], edges[:, 0], np.arange(n)])
    degree = np.bincount(dst, minlength=n)
    weight = jnp.asarray(1 / np.sqrt(degree[src] * degree[dst]), jnp.float32)[:, None]
    ends, label = jnp.array([0, n - 1]), jnp.asarray(club[[0, n - 1]])

    def layer(p, x):
        return jax.ops.segment_sum((x @ p[0])[src] * weight, dst, n) + p[1]

    def loss(p, key):
        x = jnp.eye(n)
        for q in p[:-1]:
            x = jnp.tanh(layer(q, x))
        logits = layer(p[-1], x)
        return optax.softmax_cross_entropy_with_integer_labels(logits[ends], label).mean()

    trainer(loss, optax.adam(1e-2), mlp(random.PRNGKey(0), [n, 16, 16, 2]), 2000)


def header(name):
    first = (ROOT / "examples/data" / name).read_text(encoding="utf-8").splitlines()[0]
    return 0 if first.replace(",", "").replace(" ", "").lstrip("-").isdigit() else 1


def column(name, field):
    lines = (ROOT / "examples/data" / name).read_text(encoding="utf-8").split()
    at = lines[0].split(",").index(field)
    return np.array([int(line.split(",")[at]) for line in lines[1:]], np.int32)


def evolve():
    PAIRS, SIGMA, RATE, GENERATIONS = 32, 0.2, 0.1, 30

    def advance(s, action):
        x, dx, th, dth = s
        push = jnp.where(action == 1, 10.0, -10.0)
        lean = (push + 0.05 * dth**2 * jnp.sin(th)) / 1.1
        ddth = (9.8 * jnp.sin(th) - jnp.cos(th) * lean) / (0.5 * (4 / 3 - 0.1 * jnp.cos(th) ** 2 / 1.1))
        ddx = lean - 0.05 * ddth * jnp.cos(th) / 1.1
        return jnp.stack([x + 0.02 * dx, dx + 0.02 * ddx, th + 0.02 * dth, dth + 0.02 * ddth])

    def episode(p, key):
        def alive(c):
            return c[2]

        def turn(c):
            s, t, _ = c
            s = advance(s, jnp.argmax(run_mlp(p, s, jnp.tanh)))
            fell = (jnp.abs(s[0]) > 2.4) | (jnp.abs(s[2]) > 12 * jnp.pi / 180)
            return s, t + 1, ~fell & (t + 1 < 500)

        start = random.uniform(key, (4,), minval=-0.05, maxval=0.05), 0, True
        return jax.lax.while_loop(alive, turn, start)[1].astype(jnp.float32)

    optimizer = optax.adam(RATE)

    def generation(held, key):
        p, state = held
        a, b, c = random.split(key, 3)
        leaves, tree = jax.tree.flatten(p)
        noise = tree.unflatten([random.normal(k, (PAIRS, *x.shape)) for k, x in zip(random.split(a, len(leaves)), leaves)])

        def pair(e, k):
            return tuple(episode(jax.tree.map(lambda x, d: x + s * SIGMA * d, p, e), k) for s in (1, -1))

        up, down = jax.vmap(pair)(noise, random.split(b, PAIRS))
        weight = jnp.argsort(jnp.argsort(up - down)) / (PAIRS - 1) - 0.5
        gradient = jax.tree.map(lambda e: -jnp.tensordot(weight, e, 1) / PAIRS / SIGMA, noise)
        update, state = optimizer.update(gradient, state, p)
        p = optax.apply_updates(p, update)
        score = jax.vmap(episode, (None, 0))(p, random.split(c, 100))
        return (p, state), up.sum() + down.sum() + score.sum()

    def train(seed):
        key, k = random.split(random.PRNGKey(seed))
        p = mlp(k, [4, 16, 2])
        return jax.lax.scan(generation, (p, optimizer.init(p)), random.split(key, GENERATIONS))[1].sum()

    start = time.perf_counter()
    compiled = jax.jit(train).lower(0).compile()
    compile_s = time.perf_counter() - start
    compiled(0).block_until_ready()
    samples = []
    for seed in range(1, 6):
        start = time.perf_counter()
        steps = float(compiled(seed))
        samples.append(steps / (time.perf_counter() - start))
    report(samples=samples, compile_s=compile_s)


def lanes(most):
    """As in lanes.rl: lane 0 takes `most` turns, the others up to 16."""
    def lane(n, x):
        def turn(c):
            return c[0] - 1, 3.7 * c[1] * (1 - c[1])
        return jax.lax.while_loop(lambda c: c[0] > 0, turn, (n, x))[1]

    count = jnp.where(jnp.arange(1024) == 0, most, 1 + jnp.arange(1024) % 16)
    time_steps(lambda x: jax.vmap(lane)(count, x), jnp.linspace(0.1, 0.9, 1024), 20)


def deep(layers):
    B, T, D, H, CHARS = 16, 96, 96, 4, 128
    keys = iter(random.split(random.PRNGKey(0), 100))

    def stack(*shape):
        return lecun(next(keys), (layers, *shape))

    p = dict(embed=0.02 * random.normal(next(keys), (CHARS, D)), out=dense(next(keys), D, CHARS), end=(jnp.ones(D), jnp.zeros(D)),
             block=dict(q=stack(D, D), k=stack(D, D), v=stack(D, D), o=stack(D, D), up=stack(D, 4 * D), down=stack(4 * D, D),
                        up_b=jnp.zeros((layers, 4 * D)), down_b=jnp.zeros((layers, D)),
                        one=(jnp.ones((layers, D)), jnp.zeros((layers, D))), two=(jnp.ones((layers, D)), jnp.zeros((layers, D)))))
    x, y = random.randint(next(keys), (2, B, T), 0, CHARS)
    seen = jnp.tril(jnp.ones((T, T), bool))

    def norm(x, q):
        c = x - x.mean(-1, keepdims=True)
        return c * jax.lax.rsqrt((c * c).mean(-1, keepdims=True) + 1e-5) * q[0] + q[1]

    def rotate(x):
        angle = jnp.arange(T)[:, None] * 10000.0 ** (-jnp.arange(D // H // 2) / (D // H // 2))
        a, b = jnp.split(x, 2, -1)
        c, s = jnp.cos(angle)[:, None], jnp.sin(angle)[:, None]
        return jnp.concatenate([a * c - b * s, a * s + b * c], -1)

    def run_block(h, q):
        z = norm(h, q["one"])
        a, b, v = ((z @ q[n]).reshape(B, T, H, D // H) for n in "qkv")
        score = jnp.einsum("bthk,bshk->bhts", rotate(a), rotate(b)) / (D // H) ** 0.5
        h = h + jnp.einsum("bhts,bshk->bthk", nn.softmax(jnp.where(seen, score, -1e9)), v).reshape(B, T, D) @ q["o"]
        return h + nn.gelu(norm(h, q["two"]) @ q["up"] + q["up_b"], approximate=False) @ q["down"] + q["down_b"], None

    def loss(p, key):
        h = norm(jax.lax.scan(run_block, p["embed"][x], p["block"])[0], p["end"])
        w, b = p["out"]
        return optax.softmax_cross_entropy_with_integer_labels(h @ w + b, y).mean()

    trainer(loss, optax.adamw(2e-3), p, 1)


{"maml": maml, "s5": partial(s5, SIZE, True), "s5_turns": partial(s5, SIZE, False), "gcn": gcn, "evolve": evolve,
 "lanes": partial(lanes, SIZE), "deep": partial(deep, SIZE)}[JOB]()
