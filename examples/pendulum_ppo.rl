// Pendulum with PPO: a Gaussian policy, normalised observations. Schulman et al. 2017. The setting is
// that of rl-tools' benchmark: 75 rollouts of 4 x 1,024 steps.
// Takes under a second, and returns about -170.
use nn, rl, optim, dist, classic

const E = classic.pendulum, A = E.action.n

model agent(s: f32[..., 3], std = 2.0) -> (pi: dist.gaussian[..., A], v: f32[...]) {
  param log_std: f32[A] = log(std)
  let mean = s |> nn.mlp([64, 64], relu) |> nn.dense(A)
  let v = s |> nn.mlp([64, 64], relu) |> nn.dense(1)
  (dist.gaussian(mean, exp(log_std) + 0 * mean), v[..., 0])
}

loss clipped(p: agent.params, b, clip = 0.2) -> f32 {
  let (pi, v) = agent(p, b.obs)
  let ratio = exp(pi.log_prob(b.action) - b.log_prob)
  let adv = standardize(b.advantage)
  let policy = -mean(min(ratio * adv, clamp(ratio, 1 - clip, 1 + clip) * adv))
  policy + 0.5 * mean((v - b.returns)^2)
}

train ppo(envs = 4, horizon = 1024, size = 256, epochs = 2, lr = 1e-3, gamma = 0.9, eval_every = 25, max_steps = 307_200) {
  state p = agent.init(key)
  state opt = optim.adam.init(p)
  state env = rl.vec(E, envs, key)
  state seen = zeros(rl.moments[3])

  step {
    let roll = rl.rollout(&env, horizon, |s, key| agent(p, rl.whiten(seen, s)) |> rl.act(key), key)
    let seen_as = (...roll, obs = rl.whiten(seen, roll.obs), next_obs = rl.whiten(seen, roll.next_obs))
    let batch = rl.gae(seen_as, |s| agent(p, s).v, gamma = gamma, lambda = 0.95)
    rl.track(&seen, roll.obs)
    for b in rl.minibatches(batch, key, epochs = epochs, size = size) {
      let (l, g) = value_and_grad(clipped)(p, b)
      p -= lr * optim.adam(&opt, optim.clip_norm(g, 0.5))
      log loss = l
    }
    every eval_every { log score = rl.evaluate(E, |s| agent(p, rl.whiten(seen, s)).pi.mode(), key, episodes = 100) }
  }
  stop when env.steps >= max_steps
}
