"""ppo_jax.py ENVS STEPS SEED [--until-solved]: PPO on CartPole-v1 with the whole of training under one jit, as
PureJaxRL has it. The setting is CleanRL's: rollouts of 128 steps, 4 minibatches, 4 epochs."""
import sys
import time

began = time.perf_counter()
import jax
import jax.numpy as jnp
import optax
from jax import random

from nets import report

HORIZON, MINIBATCHES, EPOCHS, RATE, GAMMA, LAMBDA, CLIP = 128, 4, 4, 2.5e-4, 0.99, 0.95, 0.2
ENVS, STEPS, SEED = map(int, sys.argv[1:4])
UPDATES = STEPS // (ENVS * HORIZON)


def layer(key, i, o, gain):
    return jax.nn.initializers.orthogonal(gain)(key, (i, o)), jnp.zeros(o)


def tower(key, outputs, gain):
    a, b, c = random.split(key, 3)
    return [layer(a, 4, 64, 2**0.5), layer(b, 64, 64, 2**0.5), layer(c, 64, outputs, gain)]


def apply(layers, x):
    for w, b in layers[:-1]:
        x = jnp.tanh(x @ w + b)
    return x @ layers[-1][0] + layers[-1][1]


def agent(p, obs):
    return jax.nn.log_softmax(apply(p["pi"], obs)), apply(p["v"], obs)[..., 0]


def pick(logp, action):
    return jnp.take_along_axis(logp, action[..., None], -1)[..., 0]


def reset(key):
    return random.uniform(key, (4,), minval=-0.05, maxval=0.05), 0


def advance(state, t, action):
    x, dx, th, dth = state
    push = jnp.where(action == 1, 10.0, -10.0)
    lean = (push + 0.05 * dth**2 * jnp.sin(th)) / 1.1
    ddth = (9.8 * jnp.sin(th) - jnp.cos(th) * lean) / (0.5 * (4 / 3 - 0.1 * jnp.cos(th) ** 2 / 1.1))
    ddx = lean - 0.05 * ddth * jnp.cos(th) / 1.1
    state = jnp.stack([x + 0.02 * dx, dx + 0.02 * ddx, th + 0.02 * dth, dth + 0.02 * ddth])
    fell = (jnp.abs(state[0]) > 2.4) | (jnp.abs(state[2]) > 12 * jnp.pi / 180)
    return state, t + 1, fell | (t + 1 >= 500)


def environment(key, state, t, action):
    state, t, done = advance(state, t, action)
    fresh, zero = reset(key)
    return jnp.where(done, fresh, state), jnp.where(done, zero, t), done


optimizer = optax.chain(optax.clip_by_global_norm(0.5),
                        optax.adam(optax.linear_schedule(RATE, 0, UPDATES * EPOCHS * MINIBATCHES), eps=1e-5))


def loss(p, b):
    logp, v = agent(p, b["obs"])
    ratio = jnp.exp(pick(logp, b["action"]) - b["logp"])
    adv = (b["adv"] - b["adv"].mean()) / (b["adv"].std() + 1e-8)
    policy = -jnp.minimum(ratio * adv, jnp.clip(ratio, 1 - CLIP, 1 + CLIP) * adv).mean()
    near = b["v"] + jnp.clip(v - b["v"], -CLIP, CLIP)
    value = 0.5 * jnp.maximum((v - b["ret"]) ** 2, (near - b["ret"]) ** 2).mean()
    entropy = -(jnp.exp(logp) * logp).sum(-1).mean()
    return policy + 0.5 * value - 0.01 * entropy


def update(carry, _):
    p, opt, state, t, key = carry

    def interact(carry, key):
        state, t = carry
        draw, start = random.split(key)
        logp, v = agent(p, state)
        action = random.categorical(draw, logp)
        state2, t2, done = jax.vmap(environment)(random.split(start, ENVS), state, t, action)
        return (state2, t2), dict(obs=state, action=action, logp=pick(logp, action), v=v, done=done)

    key, roll_key, *shuffles = random.split(key, 2 + EPOCHS)
    (state, t), roll = jax.lax.scan(interact, (state, t), random.split(roll_key, HORIZON))

    def back(carry, r):
        adv, after = carry
        going = 1.0 - r["done"]
        adv = 1.0 + GAMMA * after * going - r["v"] + GAMMA * LAMBDA * going * adv
        return (adv, r["v"]), adv

    _, roll["adv"] = jax.lax.scan(back, (jnp.zeros(ENVS), agent(p, state)[1]), roll, reverse=True)
    roll["ret"] = roll["adv"] + roll["v"]
    flat = jax.tree.map(lambda a: a.reshape(ENVS * HORIZON, *a.shape[2:]), roll)
    order = jnp.concatenate([random.permutation(k, ENVS * HORIZON) for k in shuffles]).reshape(EPOCHS * MINIBATCHES, -1)

    def learn(carry, rows):
        p, opt = carry
        gradient = jax.grad(loss)(p, jax.tree.map(lambda a: a[rows], flat))
        step, opt = optimizer.update(gradient, opt, p)
        return (optax.apply_updates(p, step), opt), None

    (p, opt), _ = jax.lax.scan(learn, (p, opt), order)
    return (p, opt, state, t, key), None


def evaluate(p, key):
    state, t = jax.vmap(reset)(random.split(key, 100))

    def one(carry, _):
        state, t, alive, total = carry
        state, t, done = jax.vmap(advance)(state, t, agent(p, state)[0].argmax(-1))
        return (state, t, alive & ~done, total + alive), None

    (*_, total), _ = jax.lax.scan(one, (state, t, jnp.ones(100, bool), jnp.zeros(100)), None, 500)
    return total.mean()


def main():
    until = "--until-solved" in sys.argv
    chunk = 10 if until else UPDATES
    a, b, key = random.split(random.PRNGKey(SEED), 3)
    p = dict(pi=tower(a, 2, 0.01), v=tower(b, 1, 1.0))
    state, t = jax.vmap(reset)(random.split(key, ENVS))
    carry = p, optimizer.init(p), state, t, key
    start = time.perf_counter()
    train = jax.jit(lambda c: jax.lax.scan(update, c, None, chunk)[0]).lower(carry).compile()
    score = jax.jit(evaluate).lower(p, key).compile() if until else None
    compile_s = time.perf_counter() - start
    start, done, best = time.perf_counter(), 0, None
    while done < UPDATES:
        carry = jax.block_until_ready(train(carry))
        done += chunk
        if until:
            best = float(score(carry[0], carry[-1]))
            if best >= 475:
                break
    end = time.perf_counter()
    report(samples=[done * ENVS * HORIZON / (end - start)], compile_s=compile_s, solved=until and best >= 475,
           wall_s=end - began, env_steps=done * ENVS * HORIZON)


main()
