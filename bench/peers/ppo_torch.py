"""ppo_torch.py ENVS STEPS SEED: PPO on CartPole-v1 as a PyTorch loop over Gymnasium's environments, as CleanRL
has it, with its setting: rollouts of 128 steps, 4 minibatches, 4 epochs."""
import sys
import time

import gymnasium
import numpy as np
import torch
from torch import nn
from torch.distributions import Categorical

from nets import report

HORIZON, MINIBATCHES, EPOCHS, RATE, GAMMA, LAMBDA, CLIP = 128, 4, 4, 2.5e-4, 0.99, 0.95, 0.2
ENVS, STEPS, SEED = map(int, sys.argv[1:4])
UPDATES = STEPS // (ENVS * HORIZON)


def layer(i, o, gain=2**0.5):
    made = nn.Linear(i, o)
    nn.init.orthogonal_(made.weight, gain)
    nn.init.zeros_(made.bias)
    return made


def tower(outputs, gain):
    return nn.Sequential(layer(4, 64), nn.Tanh(), layer(64, 64), nn.Tanh(), layer(64, outputs, gain))


def rollout(env, actor, critic, obs, done):
    keep = {name: [] for name in ("obs", "action", "logp", "v", "reward", "done")}
    for _ in range(HORIZON):
        with torch.no_grad():
            pi, v = Categorical(logits=actor(obs), validate_args=False), critic(obs)[:, 0]
            action = pi.sample()
        after, reward, terminated, truncated, _ = env.step(action.numpy())
        for name, value in zip(keep, (obs, action, pi.log_prob(action), v, torch.as_tensor(reward, dtype=torch.float32), done)):
            keep[name].append(value)
        obs, done = torch.as_tensor(after), torch.as_tensor(terminated | truncated).float()
    return {name: torch.stack(values) for name, values in keep.items()}, obs, done


def advantages(roll, last, done):
    adv, out = torch.zeros(ENVS), torch.zeros(HORIZON, ENVS)
    for t in reversed(range(HORIZON)):
        going = 1 - done
        adv = roll["reward"][t] + GAMMA * last * going - roll["v"][t] + GAMMA * LAMBDA * going * adv
        out[t], last, done = adv, roll["v"][t], roll["done"][t]
    return out


def loss(actor, critic, b):
    pi, v = Categorical(logits=actor(b["obs"]), validate_args=False), critic(b["obs"])[:, 0]
    ratio = (pi.log_prob(b["action"]) - b["logp"]).exp()
    adv = (b["adv"] - b["adv"].mean()) / (b["adv"].std() + 1e-8)
    policy = -torch.min(ratio * adv, ratio.clamp(1 - CLIP, 1 + CLIP) * adv).mean()
    near = b["v"] + (v - b["v"]).clamp(-CLIP, CLIP)
    value = 0.5 * torch.max((v - b["ret"]) ** 2, (near - b["ret"]) ** 2).mean()
    return policy + 0.5 * value - 0.01 * pi.entropy().mean()


def main():
    torch.manual_seed(SEED)
    torch.set_num_threads(1)  # faster than two at these sizes
    actor, critic = tower(2, 0.01), tower(1, 1.0)
    params = [*actor.parameters(), *critic.parameters()]
    optimizer = torch.optim.Adam(params, RATE, eps=1e-5)
    env = gymnasium.vector.SyncVectorEnv([lambda: gymnasium.make("CartPole-v1")] * ENVS)
    obs, done = torch.as_tensor(env.reset(seed=SEED)[0]), torch.zeros(ENVS)
    start = time.perf_counter()
    for turn in range(UPDATES):
        optimizer.param_groups[0]["lr"] = RATE * (1 - turn / UPDATES)
        roll, obs, done = rollout(env, actor, critic, obs, done)
        with torch.no_grad():
            roll["adv"] = advantages(roll, critic(obs)[:, 0], done)
        roll["ret"] = roll["adv"] + roll["v"]
        flat = {name: a.flatten(0, 1) for name, a in roll.items()}
        for _ in range(EPOCHS):
            for rows in torch.randperm(ENVS * HORIZON).chunk(MINIBATCHES):
                optimizer.zero_grad()
                loss(actor, critic, {name: a[rows] for name, a in flat.items()}).backward()
                nn.utils.clip_grad_norm_(params, 0.5)
                optimizer.step()
    report(samples=[UPDATES * ENVS * HORIZON / (time.perf_counter() - start)])


main()
