// CartPole with PPO, on one page
use nn, rl, optim, dist, classic

model agent(obs: f32[..., 4]) -> (pi: dist.categorical[..., 2], v: f32[...]) {
  let pi = obs |> nn.mlp([64, 64], tanh, nn.orthogonal(1.414)) |> nn.dense(2, init = nn.orthogonal(0.01))
  let v = obs |> nn.mlp([64, 64], tanh, nn.orthogonal(1.414)) |> nn.dense(1, init = nn.orthogonal(1.0))
  (dist.categorical(pi), v[..., 0])
}

loss clipped(p: agent.params, b, clip = 0.2, ent = 0.01) -> f32 {
  let (pi, v) = agent(p, b.obs)
  let ratio = exp(pi.log_prob(b.action) - b.log_prob)
  let adv = standardize(b.advantage)
  let policy = -mean(min(ratio * adv, clamp(ratio, 1 - clip, 1 + clip) * adv))
  log entropy = mean(pi.entropy())
  policy + 0.5 * mean((v - b.returns)^2) - ent * mean(pi.entropy())
}

train ppo(envs = 8, horizon = 128, minibatches = 4, epochs = 4, lr = 2.5e-3, max_steps = 500_000) {
  state p = agent.init(key)
  state opt = optim.adam.init(p)
  state env = rl.vec(classic.cartpole, envs, key)

  step {
    let roll = rl.rollout(&env, horizon, |s, key| agent(p, s) |> rl.act(key), key)
    let batch = rl.gae(roll, |s| agent(p, s).v, gamma = 0.99, lambda = 0.95)
    for b in rl.minibatches(batch, key, epochs = epochs, size = envs * horizon / minibatches) {
      let (l, g) = value_and_grad(clipped)(p, b)
      p -= lr * optim.adam(&opt, optim.clip_norm(g, 0.5))
      log loss = l
    }
    every 10 { log score = rl.evaluate(classic.cartpole, |s| agent(p, s).pi.mode(), key, episodes = 100) }
  }
  stop when score >= 475 or env.steps >= max_steps
}
