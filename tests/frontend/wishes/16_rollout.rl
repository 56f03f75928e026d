record worlds[E, N] {
  s: E.state[N]
  steps: i64
}

fn vec(E: env, N: dim, key) -> worlds[E, N] {
  var w = zeros(worlds[E, N])
  each &s in w.s { E.reset(&s, key) }
  w
}

fn rollout(&w: worlds[E, N], T: dim, policy, key) {
  w.steps += T * N
  scan _ in 0..T {
    let obs = each s in w.s { E.obs(s) }
    let act = policy(obs, key)
    let out = each (&s, a) in (w.s, act.action) { E.step(&s, a, key) }
    each (&s, end) in (w.s, out.terminated or out.truncated) { if end { E.reset(&s, key) } }
    (obs, ...act, ...out)
  }
}

fn gae(r, value, gamma, lambda) {
  let delta = r.reward + gamma * where(r.terminated, 0, value(r.next_obs)) - value(r.obs)
  var acc   = zeros(delta[0])
  let advantage = scan (d, end) in (delta, r.terminated or r.truncated) reversed {
    acc = d + gamma * lambda * where(end, 0, acc)
    acc
  }
  match delta.shape[0] {
    1 => (advantage, ...r)
    _ => (advantage, returns = advantage, ...r)
  }
}

fn converge(x) {
  var y = x
  while max(abs(y)) > 1e-3 { y /= 2; y *= 0.9 }
  y
}
