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
    let chosen = policy(obs, key)
    let out = each (&s, a) in (w.s, chosen.action) { E.step(&s, a, key) }
    let next_obs = each s in w.s { E.obs(s) }
    let ended = out.terminated or out.truncated
    w.ret += out.reward
    log_episodes(w.ret, ended)
    w.ret = where(ended, 0, w.ret)
    each (&s, end) in (w.s, ended) { if end { E.reset(&s, key) } }
    (obs, next_obs, ...chosen, ...out)
  }
}

fn log_episodes(ret, ended) {
  log_mean("episode_return", sum(where(ended, ret, 0)), sum(f32(ended)))
}

// All worlds begin a new episode; what was earned in the running ones is forgotten.
fn restart(&w: worlds[E, N], key) {
  w.ret = zeros(w.ret)
  each &s in w.s { E.reset(&s, key) }
}

// An action drawn from the policy head, with its log-probability and the value: what PPO records.
fn act(out, key) {
  let action = out.pi.sample(key)
  (action, log_prob = out.pi.log_prob(action), value = out.v)
}

// Generalised advantage estimation over [T, N]. Schulman et al. 2016. No value is bootstrapped across a
// termination; a truncated episode is bootstrapped from its last observation. Where an episode goes on, what is seen
// next is the next row's observation.
fn gae(r, value, gamma, lambda) {
  let v = value(r.obs)
  let last = value(map(r.next_obs, |x| x[-1]))
  let next = scan (v, s, cut) in (concat([v[1:], [last]]), r.next_obs, r.truncated) {
    if any(cut) { where(cut, value(s), v) } else { v }
  }
  let delta = r.reward + gamma * where(r.terminated, 0, next) - v
  var acc = zeros(delta[0])
  let advantage = scan (d, end) in (delta, r.terminated or r.truncated) reversed {
    acc = d + gamma * lambda * where(end, 0, acc)
    acc
  }
  (advantage, returns = advantage + v, ...r)
}

// N steps as gae leaves them, or a minibatch of them: what the loss of PPO reads.
record batch[E, N] {
  obs, next_obs: E.obs[N]
  action: E.action[N]
  log_prob, value: f32[N]
  reward: f32[N]
  terminated, truncated: bool[N]
  advantage, returns: f32[N]
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

// A step that replay keeps: no value is bootstrapped where it terminated.
record transition[E] {
  obs, next_obs: E.obs
  action: E.action
  reward: f32
  terminated: bool
}

// A rollout [T, N, ...] as T * N transitions.
fn transitions(r) =
  flatten((obs = r.obs, next_obs = r.next_obs, action = r.action, reward = r.reward, terminated = r.terminated), 2)

// The last N items of a stream: ring[N, T] holds items of type T, the oldest are written over.
record ring[N, T] {
  items: T[N]
  next, count: i32
}

// Appends M items; M is at most N.
fn push(&r: ring[N, T], x: T[M]) {
  r.items[(r.next + iota(M)) % N] = x
  r.next = (r.next + M) % N
  r.count = min(r.count + M, N)
}

// M items, each drawn uniformly from those held, with replacement. There must be one at least.
fn draw(r: ring[N, T], M: dim, key) -> T[M] = r.items[randint(key, [M], 0, r.count)]

// The greatest of q [..., A], or with probability eps any action.
fn epsilon_greedy(q: f32[..., A], eps, key) -> i32[...] =
  where(bernoulli(key, q.shape[:-1], eps), randint(key, q.shape[:-1], 0, A), argmax(q))

// The sum of discounted rewards from each step [T, ...] to the end of its episode, or of the rollout.
fn returns_to_go(r, gamma) {
  var g = zeros(r.reward[0])
  scan (reward, end) in (r.reward, r.terminated or r.truncated) reversed {
    g = reward + gamma * where(end, 0, g)
    g
  }
}

// True up to and with the step [T, ...] at which the first episode ended.
fn first_episode(r) {
  var alive = full(r.reward.shape[1:], true)
  scan end in r.terminated or r.truncated {
    let now = alive
    alive = alive and not end
    now
  }
}

// Running mean and variance of vectors of D. Chan, Golub, LeVeque 1979.
record moments[D] {
  n: f32
  mean, square: f32[D]  // square: sum of squared deviations
}

// Takes in x [..., D].
fn track(&m: moments[D], x: f32[..., D]) {
  let flat = reshape(x, [-1, D])
  let k = f32(len(flat))
  let mu = mean(flat, axis = 0)
  let d = mu - m.mean
  let total = m.n + k
  m.square += sum((flat - mu)^2, axis = 0) + d^2 * m.n * k / total
  m.mean += d * k / total
  m.n = total
}

// x [..., D] shifted and scaled to mean 0 and variance 1; unchanged before anything was tracked.
fn whiten(m: moments[D], x: f32[..., D]) =
  where(m.n > 0, (x - m.mean) / sqrt(m.square / max(m.n, 1) + 1e-8), x)
