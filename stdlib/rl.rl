// What a trainer needs of an environment: many worlds, rollouts, advantages, minibatches, evaluation.

// N worlds of E side by side. ret and len: return and length of the running episode.
record worlds[E, N] {
  s: E.state[N]
  ret: f32[N]
  steps: i64
}

fn vec(E: env, N: dim, key) -> worlds[E, N] {
  var w = zeros(worlds[E, N])
  each &s in w.s { E.reset(&s, key) }
  w
}

// T steps of N worlds under policy(obs [N, ...], key) -> (action, ...): every field [T, N, ...]:
// obs, next_obs (the one before a reset), what the policy gave, reward, terminated, truncated.
// Logs episode_return, the mean over episodes that ended.
fn rollout(&w: worlds[E, N], T: dim, policy, key) {
  w.steps += T * N
  scan _ in 0..T {
    let obs = each s in w.s { E.obs(s) }
    let act = policy(obs, key)
    let out = each (&s, a) in (w.s, act.action) { E.step(&s, a, key) }
    let next_obs = each s in w.s { E.obs(s) }
    let ended = out.terminated or out.truncated
    w.ret += out.reward
    log_episodes(w.ret, ended)
    w.ret = where(ended, 0, w.ret)
    each (&s, end) in (w.s, ended) { if end { E.reset(&s, key) } }
    (obs, next_obs, ...act, ...out)
  }
}

fn log_episodes(ret, ended) {
  log_mean("episode_return", sum(where(ended, ret, 0)), sum(f32(ended)))
}

// An action drawn from the policy head, with its log-probability and the value: what PPO records.
fn act(out, key) {
  let action = out.pi.sample(key)
  (action, log_prob = out.pi.log_prob(action), value = out.v)
}

// Generalised advantage estimation over [T, N]. Schulman et al. 2016. No value is bootstrapped across a
// termination; a truncated episode is bootstrapped from its last observation.
fn gae(r, value, gamma, lambda) {
  let (v, next) = (value(r.obs), value(r.next_obs))
  let delta = r.reward + gamma * where(r.terminated, 0, next) - v
  var acc = zeros(delta[0])
  let advantage = scan (d, end) in (delta, r.terminated or r.truncated) reversed {
    acc = d + gamma * lambda * where(end, 0, acc)
    acc
  }
  (advantage, returns = advantage + v, ...r)
}

// [T, N, ...] -> [epochs * T * N / size, size, ...], each epoch in an order of its own.
fn minibatches(batch, key, epochs, size) {
  let flat = flatten(batch, 2)
  let n = len(flat.reward)
  let order = each _ in 0..epochs { permutation(key, n) }
  flat[reshape(order, [epochs * n / size, size])]
}

// Mean return of `episodes` episodes under policy(obs [episodes, ...]) -> actions.
fn evaluate(E: env, policy, key, episodes: dim) -> f32 {
  var w = vec(E, episodes, key)
  var alive = full([episodes], true)
  var total = zeros([episodes])
  while any(alive) {
    let action = policy(each s in w.s { E.obs(s) })
    let out = each (&s, a) in (w.s, action) { E.step(&s, a, key) }
    total += where(alive, out.reward, 0)
    alive = alive and not (out.terminated or out.truncated)
  }
  mean(total)
}
