"""step_jax.py NET: a training step (forward, backward, Adam) of a net of nets.py in JAX, jitted whole."""
import sys
import time

import jax
import jax.numpy as jnp
import optax
from jax import nn, random

from nets import GPT, GRID, GRU, MLP, blocks, report

keys = iter(random.split(random.PRNGKey(0), 100))


def matrix(*shape, init=nn.initializers.lecun_normal()):
    return init(next(keys), shape)


def dense(i, o):
    return matrix(i, o), jnp.zeros(o)


def perceptron(sizes):
    return [dense(i, o) for i, o in zip(sizes, sizes[1:])]


def run_perceptron(layers, x):
    for w, b in layers[:-1]:
        x = jnp.tanh(x @ w + b)
    w, b = layers[-1]
    return x @ w + b


def cross_entropy(logits, labels):
    return optax.softmax_cross_entropy_with_integer_labels(logits, labels).mean()


def labels(shape, n):
    return random.randint(next(keys), shape, 0, n)


def mlp(name):
    batch, sizes = MLP[name]
    x, y = random.normal(next(keys), (batch, sizes[0])), labels((batch,), sizes[-1])
    return perceptron(sizes), lambda p: cross_entropy(run_perceptron(p, x), y)


def grid():
    g, (one, two) = GRID, GRID["filters"]
    side = g["size"] - 4
    params = dict(a=matrix(3, 3, g["channels"], one), b=matrix(3, 3, one, two),
                  top=perceptron([side * side * two, g["hidden"], g["classes"]]))
    x = random.uniform(next(keys), (g["batch"], g["size"], g["size"], g["channels"]))
    y = labels((g["batch"],), g["classes"])

    def conv(x, w):
        return nn.relu(jax.lax.conv_general_dilated(x, w, (1, 1), "VALID", dimension_numbers=("NHWC", "HWIO", "NHWC")))

    return params, lambda p: cross_entropy(run_perceptron(p["top"], conv(conv(x, p["a"]), p["b"]).reshape(g["batch"], -1)), y)


def gru():
    g, h = GRU, GRU["hidden"]
    params = dict(x=dense(g["inputs"], 3 * h), h=matrix(h, 3 * h), out=matrix(h, g["classes"]))
    xs = random.normal(next(keys), (g["length"], g["batch"], g["inputs"]))
    y = labels((g["length"], g["batch"]), g["classes"])

    def loss(p):
        def cell(state, x):
            xr, xz, xn = jnp.split(x @ p["x"][0] + p["x"][1], 3, -1)
            hr, hz, hn = jnp.split(state @ p["h"], 3, -1)
            z = nn.sigmoid(xz + hz)
            state = z * state + (1 - z) * jnp.tanh(xn + nn.sigmoid(xr + hr) * hn)
            return state, state

        _, hs = jax.lax.scan(cell, jnp.zeros((g["batch"], h)), xs)
        return cross_entropy(hs @ p["out"], y)

    return params, loss


def gpt():
    g, d = GPT, GPT["width"]
    small = nn.initializers.normal(0.02)
    params = dict(
        embed=matrix(g["tokens"], d, init=small), at=matrix(g["length"], d, init=small), scale=jnp.ones(d),
        blocks=[dict(qkv=matrix(d, 3 * d), out=matrix(d, d), up=matrix(d, 4 * d), down=matrix(4 * d, d),
                     one=jnp.ones(d), two=jnp.ones(d)) for _ in range(g["blocks"])])
    shape = g["batch"], g["length"]
    x, y = labels(shape, g["tokens"]), labels(shape, g["tokens"])
    seen = jnp.tril(jnp.ones((g["length"], g["length"]), bool))

    def rms(x, scale):
        return x * jax.lax.rsqrt((x * x).mean(-1, keepdims=True) + 1e-5) * scale

    def attend(b, x):
        q, k, v = (a.reshape(*shape, g["heads"], d // g["heads"]) for a in jnp.split(x @ b["qkv"], 3, -1))
        score = jnp.einsum("bthk,bshk->bhts", q, k) / (d // g["heads"]) ** 0.5
        weight = nn.softmax(jnp.where(seen, score, -1e9))
        return jnp.einsum("bhts,bshk->bthk", weight, v).reshape(*shape, d) @ b["out"]

    def loss(p):
        h = p["embed"][x] + p["at"]
        for b in p["blocks"]:
            h = h + attend(b, rms(h, b["one"]))
            h = h + nn.gelu(rms(h, b["two"]) @ b["up"]) @ b["down"]
        return cross_entropy(rms(h, p["scale"]) @ p["embed"].T, y)

    return params, loss


def main(name):
    params, loss = mlp(name) if name in MLP else dict(minatar=grid, gru=gru, gpt=gpt)[name]()
    optimizer = optax.adam(1e-3)
    held = params, optimizer.init(params)

    def step(params, state):
        value, gradient = jax.value_and_grad(loss)(params)
        update, state = optimizer.update(gradient, state, params)
        return optax.apply_updates(params, update), state, value

    start = time.perf_counter()
    compiled = jax.jit(step, donate_argnums=(0, 1)).lower(*held).compile()
    compile_s = time.perf_counter() - start

    def turn():
        nonlocal held
        *held, value = compiled(*held)
        value.block_until_ready()

    report(samples=blocks(turn), compile_s=compile_s)


main(sys.argv[1])
