// Pendulum with soft actor-critic: replay, two critics and their slow copies, a temperature that holds the entropy.
// Haarnoja et al. 2018. One update of everything at every step of one environment; the replay has room for a million
// steps and is written in place. Returns about -140 after 10,000 steps, in two seconds.
use nn, rl, optim, dist, classic

const E = classic.pendulum, A = E.action.n

model actor(s: E.obs[B]) -> dist.tanh_normal[B, A] {
  let h = s |> nn.mlp([64, 64], relu)
  let mean = h |> nn.dense(A)
  let std = h |> nn.dense(A) |> clamp(-5, 2) |> exp
  dist.tanh_normal(mean, std, E.action.low, E.action.high)
}

model critic(s: E.obs[B], a: f32[B, A]) -> f32[B] {
  let q = concat([s, a], axis = -1) |> nn.mlp([64, 64], relu) |> nn.dense(1)
  q[:, 0]
}

// Two of everything, side by side: threads take one each.
record pair {
  one, two: critic.params
}

fn twin(q: pair, s: E.obs[B], a: f32[B, A]) -> f32[2, B] = [critic(q.one, s, a), critic(q.two, s, a)]
fn low(q: pair, s: E.obs[B], a: f32[B, A]) -> f32[B] = min(twin(q, s, a), axis = 0)

loss bellman(q: pair, b: rl.transition[E][B], y: f32[B]) -> f32 =
  2 * mean((twin(q, b.obs, b.action) - y)^2)

loss improve(p: actor.params, q: pair, s: E.obs[B], alpha, key) -> (f32, f32[B]) {
  let (a, log_prob) = actor(p, s).sample_log_prob(key)
  (mean(alpha * log_prob - low(q, s, a)), log_prob)
}

loss temper(log_alpha: f32, log_prob: f32[B]) -> f32 = -exp(log_alpha) * mean(log_prob - A)

train sac(capacity = 1_000_000, batch = 100, gamma = 0.98, tau = 0.005, lr = 1e-3, eval_every = 1_000, max_steps = 10_000) {
  state env = rl.vec(E, 1, key)
  state seen = zeros(rl.ring[capacity, rl.transition[E]])
  state p = actor.init(key)
  state q = pair(critic.init(key), critic.init(key))
  state target = q
  state log_alpha = 0.0
  state opt = (p = optim.adam.init(p), q = optim.adam.init(q), alpha = optim.adam.init(log_alpha))

  step {
    rl.push(&seen, rl.transitions(rl.rollout(&env, 1, |s, key| (action = actor(p, s).sample(key)), key)))
    let b = rl.draw(seen, batch, key)
    let alpha = exp(log_alpha)
    let (a, log_prob) = actor(p, b.next_obs).sample_log_prob(key)
    let y = b.reward + gamma * where(b.terminated, 0, low(target, b.next_obs, a) - alpha * log_prob)
    let (l, g) = value_and_grad(bellman)(q, b, y)
    q -= lr * optim.adam(&opt.q, g)
    let (ga, now) = grad(improve)(p, q, b.obs, alpha, key)
    p -= lr * optim.adam(&opt.p, ga)
    log_alpha -= lr * optim.adam(&opt.alpha, grad(temper)(log_alpha, now))
    target += tau * (q - target)
    log loss = l, entropy = -mean(now), temperature = alpha
    every eval_every { log score = rl.evaluate(E, |s| actor(p, s).mode(), key, episodes = 100) }
  }
  stop when env.steps >= max_steps
}

// 10,000 steps of the environment are enough.
experiment swings_up(seeds = 3) {
  let r = sac.run()
  claim mean(r.score) > -200 and max(r.iter) <= 10_000
}
