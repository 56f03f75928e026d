// CartPole with REINFORCE: whole episodes, returns to go, a learned baseline. Williams 1992. Solved in a quarter
// of a second.
use nn, rl, optim, dist, classic

const E = classic.cartpole

model agent(s: f32[..., 4]) -> (pi: dist.categorical[..., 2], v: f32[...]) {
  let pi = s |> nn.mlp([64], tanh) |> nn.dense(2, init = nn.orthogonal(0.01))
  let v = s |> nn.mlp([64], tanh) |> nn.dense(1)
  (dist.categorical(pi), v[..., 0])
}

// counts: 1 for the steps of an episode, 0 for what follows its end.
loss reinforce(p: agent.params, roll, returns, counts) -> f32 {
  let (pi, v) = agent(p, roll.obs)
  let n = sum(counts)
  let advantage = stop_grad(returns - v)
  let scale = sqrt(sum(counts * advantage^2) / n)
  let policy = -sum(counts * pi.log_prob(roll.action) * advantage) / (n * scale)
  let baseline = sum(counts * (v - returns)^2) / n
  policy + 0.5 * baseline
}

train pg(envs = 8, gamma = 0.99, lr = 1e-2, max_steps = 2_000_000) {
  state p = agent.init(key)
  state opt = optim.adam.init(p)
  state env = rl.vec(E, envs, key)

  step {
    rl.restart(&env, key)
    let roll = rl.rollout(&env, 500, |s, key| (action = agent(p, s).pi.sample(key)), key)
    let returns = rl.returns_to_go(roll, gamma)
    let (l, g) = value_and_grad(reinforce)(p, roll, returns, f32(rl.first_episode(roll)))
    p -= lr * optim.adam(&opt, g)
    log loss = l
    every 5 { log score = rl.evaluate(E, |s| agent(p, s).pi.mode(), key, episodes = 100) }
  }
  stop when score >= 475 or env.steps >= max_steps
}
