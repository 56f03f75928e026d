// Actor and twin critics over a ring of transitions
use nn, rl, dist, classic

const E = classic.pendulum, A = E.action.n

model actor(s: E.obs[B]) -> dist.normal[B, A] {
  let std = s |> nn.dense(A) |> clamp(-5, 2) |> exp
  dist.normal(s, std, E.action)
}
model critic(s: E.obs[B], a: f32[B, A]) -> f32[B] = concat([s, a], axis = -1)[:, 0]

fn twin(q: critic.params[2], s: E.obs[B], a: f32[B, A]) -> f32[2, B] = each w in q { critic(w, s, a) }

record ring[N, T] {
  items: T[N]
  next, count: i32
}
fn push(&r: ring[N, T], x: T[M]) {
  r.items[(r.next + iota(M)) % N] = x
  r.next = (r.next + M) % N
}

loss improve(p: actor.params, q: critic.params[2], s: E.obs[B], key) -> (f32, f32[B]) {
  let (a, log_prob) = actor(p, s).sample_log_prob(key)
  (mean(log_prob - min(twin(q, s, a), axis = 0)), log_prob)
}

train soft(envs = 1, capacity = 100_000, tau = 0.005) {
  state env       = rl.vec(E, envs, key)
  state buf       = zeros(ring[capacity, rl.transition[E]])
  state p         = actor.init(key)
  state q         = each _ in 0..2 { critic.init(key) }
  state target    = q
  state log_alpha = 0.0
  state opt       = (p = p, q = q, alpha = log_alpha)

  step {
    push(&buf, rl.transitions(rl.rollout(&env, 1, |s, key| (action = actor(p, s).sample(key)), key)))
    q -= 0.1 * momentum(&opt.q, grad(improve)(p, q, buf.items[0], key))
    target += tau * (q - target)
    log entropy = -mean(q), temperature = exp(log_alpha)
    every 1_000 { log score = rl.evaluate(E, |s| actor(p, s).mode(), key, episodes = 10) }
  }
  stop when score >= -150 or env.steps >= 20_000
}
