// CartPole with REINFORCE: whole episodes, returns to go, a learned baseline. Williams 1992.
use nn, rl, optim, dist, classic

const E = classic.cartpole

model agent(s: f32[..., 4]) -> (pi: dist.categorical[..., 2], v: f32[...]) {
  let pi = s |> nn.mlp([64], tanh) |> nn.dense(2, init = nn.orthogonal(0.01))
  let v = s |> nn.mlp([64], tanh) |> nn.dense(1)
  (dist.categorical(pi), v[..., 0])
}

// Steps after the end of an episode count for nothing.
loss reinforce(p: agent.params, roll, returns, counts) -> f32 {
  let (pi, v) = agent(p, roll.obs)
  let n = sum(counts)
  let advantage = stop_grad(returns - v)
  let centred = advantage - sum(counts * advantage) / n
  let scale = sqrt(sum(counts * centred^2) / n) + 1e-8
  let policy = -sum(counts * pi.log_prob(roll.action) * centred / scale) / n
  let baseline = sum(counts * (v - returns)^2) / n
  policy + 0.5 * baseline
}

train pg(envs = 16, gamma = 0.99, lr = 5e-3, max_steps = 5_000_000) {
  state p = agent.init(key)
  state opt = optim.adam.init(p)
  state env = rl.vec(E, envs, key)

  step {
    rl.restart(&env, key)
    let roll = rl.rollout(&env, 500, |s, key| (action = agent(p, s).pi.sample(key)), key)
    let (l, g) = value_and_grad(reinforce)(p, roll, rl.returns_to_go(roll, gamma), f32(rl.first_episode(roll)))
    p -= lr * optim.adam(&opt, g)
    log loss = l
    every 5 { log score = rl.evaluate(E, |s| agent(p, s).pi.mode(), key, episodes = 100) }
  }
  stop when score >= 475 or env.steps >= max_steps
}
