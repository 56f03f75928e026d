// CartPole with PPO, on one page: rollouts, advantages, minibatches, Adam, and the environment itself are
// compiled into one step. Schulman et al. 2017. Solved in well under a second.
//
// The usual setting of 4 environments is --set envs=4 --set minibatches=4 --set epochs=4 --set lr=2.5e-4
// --set anneal=true --set clip_value=true --set vf=0.25.
use nn, rl, optim, dist, classic

model agent(obs: f32[..., 4]) -> (pi: dist.categorical[..., 2], v: f32[...]) {
  let pi = obs |> nn.mlp([64, 64], tanh, nn.orthogonal(1.414)) |> nn.dense(2, init = nn.orthogonal(0.01))
  let v = obs |> nn.mlp([64, 64], tanh, nn.orthogonal(1.414)) |> nn.dense(1, init = nn.orthogonal(1.0))
  (dist.categorical(pi), v[..., 0])
}

loss clipped(p: agent.params, b: rl.batch[classic.cartpole], clip_value, vf, clip = 0.2, ent = 0.01) -> f32 {
  let (pi, v) = agent(p, b.obs)
  let ratio = exp(pi.log_prob(b.action) - b.log_prob)
  let adv = standardize(b.advantage)
  let policy = -mean(min(ratio * adv, clamp(ratio, 1 - clip, 1 + clip) * adv))
  let near = b.value + clamp(v - b.value, -clip, clip)
  let error = if clip_value { max((v - b.returns)^2, (near - b.returns)^2) } else { (v - b.returns)^2 }
  let entropy = mean(pi.entropy())
  log entropy = entropy
  policy + vf * mean(error) - ent * entropy
}

train ppo(
  envs = 8, horizon = 128, minibatches = 8, epochs = 6, lr = 3e-3, anneal = false, clip_value = false, vf = 0.5,
  eval_every = 5, max_steps = 500_000
) {
  state p = agent.init(key)
  state opt = optim.adam.init(p)
  state env = rl.vec(classic.cartpole, envs, key)

  step {
    let rate = lr * if anneal { optim.linear_decay(env.steps, max_steps) } else { 1 }
    let roll = rl.rollout(&env, horizon, |s, key| agent(p, s) |> rl.act(key), key)
    let batch = rl.gae(roll, |s| agent(p, s).v, gamma = 0.99, lambda = 0.95)
    for b in rl.minibatches(batch, key, epochs = epochs, size = envs * horizon / minibatches) {
      let (l, g) = value_and_grad(clipped)(p, b, clip_value, vf)
      p -= rate * optim.adam(&opt, optim.clip_norm(g, 0.5), eps = 1e-5)
      log loss = l
    }
    every eval_every { log score = rl.evaluate(classic.cartpole, |s| agent(p, s).pi.mode(), key, episodes = 100) }
  }
  stop when score >= 475 or env.steps >= max_steps
  export act(obs: f32[4]) -> i32 = agent(p, obs).pi.mode()
}
