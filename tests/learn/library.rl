// What the library promises, each as a function that is true; the suite `learn` verifies them.
use nn, rl, optim, dist, batches, classic, memory

fn near(a, b, by = 1e-5) = max(abs(a - b)) < by

// ---- layers

model heads[S = T](x: f32[B, T, 16], &mem: nn.kv[B, S, 4, 4] = zeros) -> f32[B, T, 16] = x |> nn.attention(4, &mem)
model recur(xs: f32[T, B, 3], first: bool[T, B], &h: f32[B, 5]) -> f32[T, B, 5] = xs |> nn.gru_over(first, &h)
model cells(x: f32[B, 3], s: nn.lstm_state[B, 5]) -> nn.lstm_state[B, 5] = x |> nn.lstm(s)
model lone(x: f32[3], s: nn.lstm_state[5]) -> nn.lstm_state[5] = x |> nn.lstm(s)
model batch(x: f32[B, 3], &run: nn.running[3], training = true) -> f32[B, 3] = x |> nn.batch_norm(&run, training)
model root(x: f32[B, 8]) -> f32[B, 8] = x |> nn.rms_norm
model rows(i: i32[B]) -> f32[B, 4] = i |> nn.embedding(7, 4, scale = 1.0)
model tower[S = T](x: f32[B, T, 8], &mem: nn.kv[B, S, 2, 4][3] = zeros) -> f32[B, T, 8] {
  var h = x
  for l in layers(3) { h = h |> nn.block(2, &mem[l]) }
  h
}

// Decoding in three pieces with a cache is attention over the whole.
fn attention_cached(key) {
  let p = heads.init(key)
  let x = normal(key, [2, 8, 16])
  var mem = zeros(nn.kv[2, 8, 4, 4])
  let a = heads(p, x[:, 0:3], &mem)
  let b = heads(p, x[:, 3:4], &mem)
  let c = heads(p, x[:, 4:8], &mem)
  near(heads(p, x), concat([a, b, c], axis = 1)) and mem.len == 8
}

// So is a stack of blocks, with a cache for each.
fn blocks_cached(key) {
  let p = tower.init(key)
  let x = normal(key, [2, 6, 8])
  var mem = zeros(nn.kv[2, 6, 2, 4][3])
  let a = tower(p, x[:, :4], &mem)
  let b = tower(p, x[:, 4:], &mem)
  near(tower(p, x), concat([a, b], axis = 1)) and all(mem.len == 6)
}

// What comes later changes nothing before it.
fn attention_causal(key) {
  let p = heads.init(key)
  let x = normal(key, [1, 8, 16])
  var y = x
  y[:, 5] = 9
  near(heads(p, x)[:, :5], heads(p, y)[:, :5], 1e-6)
}

// Rotated products depend on the distance alone, and lengths stay.
fn rotary(key) {
  let (q, k) = (normal(key, [1, 1, 1, 8]), normal(key, [1, 1, 1, 8]))
  let a = sum(nn.rope(q, full([1], 3)) * nn.rope(k, full([1], 1)))
  let b = sum(nn.rope(q, full([1], 12)) * nn.rope(k, full([1], 10)))
  near(a, b, 1e-4) and near(sum(nn.rope(q, full([1], 7))^2), sum(q^2), 1e-4)
}

fn gru_forgets(key) {
  let p = recur.init(key)
  let xs = normal(key, [4, 2, 3])
  let never = full([4, 2], false)
  var h = zeros([2, 5])
  let whole = recur(p, xs, iota(4)[:, _] == 2 and iota(2) >= 0, &h)
  var g = zeros([2, 5])
  let tail = recur(p, xs[2:], never[2:], &g)
  near(whole[2:], tail, 1e-6) and near(h, g, 1e-6)
}

// By the four gates written out.
fn lstm_gates(key) {
  let p = cells.init(key)
  let (x, h, c) = (normal(key, [2, 3]), normal(key, [2, 5]), normal(key, [2, 5]))
  let s = cells(p, x, nn.lstm_state(h, c))
  let z = x @ p.lstm.wx + h @ p.lstm.wh + p.lstm.b
  let cell = sigmoid(z[:, 5:10]) * c + sigmoid(z[:, 0:5]) * tanh(z[:, 10:15])
  near(s.c, cell) and near(s.h, sigmoid(z[:, 15:20]) * tanh(cell)) and near(p.lstm.b[5:10], 1)
}

// A cell of one state, mapped over a batch of them.
fn lstm_alone(key) {
  let p = lone.init(key)
  let x = normal(key, [4, 3])
  let s = nn.lstm_state(normal(key, [4, 5]), normal(key, [4, 5]))
  let all = each (x, s) in (x, s) { lone(p, x, s) }
  near(all.h[2], lone(p, x[2], s[2]).h) and near(all.c[1], lone(p, x[1], s[1]).c)
}

fn sinusoids() = near(nn.sinusoid([0.0, 2.0], 4), [[0, 0, 1, 1], [sin(2.0), sin(0.02), cos(2.0), cos(0.02)]])

fn batch_norm_runs(key) {
  let p = batch.init(key)
  var run = nn.running[3]()
  let x = 5 + 2 * normal(key, [4_000, 3])
  let y = batch(p, x, &run)
  for _ in 0..200 { batch(p, x, &run) }
  let moved = run
  let z = batch(p, x, &run, training = false)
  near(mean(y, axis = 0), 0) and near(mean(y^2, axis = 0), 1, 1e-4) and near(y, z, 1e-3) and near(run.mean, moved.mean)
}

fn rms(key) = near(mean(root(root.init(key), normal(key, [6, 8]))^2, axis = -1), 1, 1e-4)

fn embedded(key) {
  let p = rows.init(key)
  let g = grad(|p| sum(rows(p, [2, 2, 5])))(p)
  near(rows(p, [3])[0], p.embedding.table[3]) and near(sum(g.embedding.table, axis = 1), [0, 0, 8, 0, 0, 4, 0])
}

fn dropout_scales(key) {
  let y = nn.dropout(ones([20_000]), 0.3, key)
  near(mean(y), 1, 0.02) and near(mean(f32(y == 0)), 0.3, 0.02)
}

fn huber_joins() = near(nn.huber([-3.0, -0.5, 0.5, 1.0, 3.0]), [2.5, 0.125, 0.125, 0.5, 2.5])

fn ranks() = near(optim.centered_rank([3.0, -1.0, 2.0, 7.0, 2.5]), [0.25, -0.5, -0.25, 0.5, 0.0])

// What optimizers keep of a gradient that has become 0 ends at 0, not among the denormal numbers.
fn means_settle() {
  var (heavy, adam, rooted) = (optim.momentum.init([1.0]), optim.adam.init([1.0]), optim.rmsprop.init([1.0]))
  for i in 0..1_000 {
    let g = [where(i == 0, 1.0, 0.0)]
    optim.momentum(&heavy, g)
    optim.adam(&adam, g, b2 = 0.9)
    optim.rmsprop(&rooted, g)
  }
  all([heavy.m[0], adam.m[0], adam.v[0], rooted.v[0]] == 0)
}

// The density of a squashed normal integrates to 1 over the box.
fn tanh_normal_density(key) {
  let d = dist.tanh_normal(full([1], 0.3), full([1], 0.7), low = -2.0, high = 2.0)
  let many = dist.tanh_normal(broadcast(d.mean, [20_000, 1]), broadcast(d.std, [20_000, 1]), low = -2.0, high = 2.0)
  let (a, log_prob) = many.sample_log_prob(key)
  max(abs(a)) <= 2 and near(mean(where(abs(a[:, 0]) < 1.5, exp(-log_prob), 0)), 3.0, 0.1)
}

// The mean of log p - log q over draws from p.
fn kl_is_mean(key) {
  let (p, q) = (dist.categorical([0.5, -1.0, 0.2]), dist.categorical([-0.3, 0.1, 0.4]))
  let a = each k in split(key, 20_000) { p.sample(k) }
  let (g, h) = (dist.gaussian([0.5, 1.0], [0.7, 0.4]), dist.gaussian([0.0, 1.2], [1.0, 0.5]))
  let x = each k in split(key, 20_000) { g.sample(k) }
  let discrete = mean(each i in a { p.log_prob(i) - q.log_prob(i) })
  let real = mean(each v in x { g.log_prob(v) - h.log_prob(v) })
  near(dist.kl(p, q), discrete, 0.02) and near(dist.kl(g, h), real, 0.02)
}

// Draws are one-hot; their gradient is that of the probabilities.
fn one_hot_passes(key) {
  let l = [0.3, -0.2, 0.9]
  let k = split(key, 1)[0]
  let x = dist.one_hot(l).sample(k)
  let g = grad(|l| sum(dist.one_hot(l).sample(k) * [1.0, 2.0, 4.0]))(l)
  near(sort(x), [0, 0, 1]) and near(g, grad(|l| sum(softmax(l) * [1.0, 2.0, 4.0]))(l))
}

// ---- environments

// Who remembers earns 1 in all, who always names the suit shown now earns less.
fn memory_pays(key) {
  var w = rl.vec(memory.repeat_previous, 8, key)
  let roll = rl.rollout(&w, 51, |obs, key| (action = argmax(obs)), key)
  let shown = argmax(roll.obs)
  let right = concat([zeros([4, 8], i32), shown[:-4]])
  var again = rl.vec(memory.repeat_previous, 8, seed_key(3))
  var start = again
  let seen = rl.rollout(&again, 51, |obs, key| (action = argmax(obs)), seed_key(0))
  let answer = concat([zeros([4, 8], i32), argmax(seen.obs)[:-4]])
  var total = zeros([8])
  for a in answer {
    let out = each (&s, x) in (start.s, a) { memory.repeat_previous.step(&s, x, key) }
    total += out.reward
  }
  near(total, 1, 1e-4) and all(roll.terminated[50]) and max(sum(roll.reward, axis = 0)) < 0.5
}

// ---- replay, returns, advantages

fn ring_wraps() {
  var r = zeros(rl.ring[5, f32])
  rl.push(&r, [1.0, 2.0, 3.0])
  rl.push(&r, [4.0, 5.0, 6.0])
  near(r.items, [6, 2, 3, 4, 5]) and r.next == 1 and r.count == 5
}

record pair { a, b: f32 }

// Fields of a drawn row belong together.
fn draw_keeps_rows(key) {
  var r = zeros(rl.ring[64, pair])
  rl.push(&r, (a = f32(iota(40)), b = 2 * f32(iota(40))))
  let d = rl.draw(r, 1_000, key)
  near(d.b, 2 * d.a) and max(d.a) == 39 and min(d.a) == 0
}

fn steps(end) = (reward = [[1.0], [1.0], [1.0], [1.0]], terminated = end, truncated = full([4, 1], false))

fn returns_stop_at_ends() {
  let r = steps(iota(4)[:, _] == 1)
  near(rl.returns_to_go(r, 0.5), [[1.5], [1.0], [1.5], [1.0]]) and all(rl.first_episode(r) == (iota(4)[:, _] <= 1))
}

// By hand: values 1, gamma 0.5, lambda 0.5, so each delta is 0.5, and 0 at the termination.
fn gae_by_hand() {
  let r = (...steps(iota(4)[:, _] == 1), obs = ones([4, 1]), next_obs = ones([4, 1]))
  near(rl.gae(r, |s| s, gamma = 0.5, lambda = 0.5).advantage, [[0.5], [0.0], [0.625], [0.5]])
}

// Episodes that end in both ways, against the values of all that was seen next; and the derivative by the value's weights.
fn gae_at_ends(key) {
  let seen = normal(key, [21, 3, 4])
  let (terminated, truncated) = (uniform(key, [20, 3]) < 0.2, uniform(key, [20, 3]) < 0.2)
  let next_obs = where((terminated or truncated)[:, :, _], normal(key, [20, 3, 4]), seen[1:])
  let r = (obs = seen[:20], next_obs, reward = normal(key, [20, 3]), terminated, truncated)
  let here = |w| rl.gae(r, |s| tanh(s @ w), gamma = 0.9, lambda = 0.8).advantage
  let whole = |w| {
    let (v, next) = (tanh(r.obs @ w), tanh(r.next_obs @ w))
    var acc = zeros([3])
    scan (d, end) in (r.reward + 0.9 * where(terminated, 0, next) - v, terminated or truncated) reversed {
      acc = d + 0.72 * where(end, 0, acc)
      acc
    }
  }
  let w = normal(key, [4])
  near(here(w), whole(w)) and near(grad(|w| mean(here(w)^2))(w), grad(|w| mean(whole(w)^2))(w)) and any(truncated[:19])
}

fn moments_track(key) {
  let x = 3 + 2 * normal(key, [10, 100, 2])
  var m = zeros(rl.moments[2])
  for part in x { rl.track(&m, part) }
  let flat = reshape(x, [1_000, 2])
  near(m.mean, mean(flat, axis = 0), 1e-4) and near(mean(rl.whiten(m, flat)^2, axis = 0), 1, 1e-3)
}

fn shuffled_covers(key) {
  let b = batches.shuffled((x = iota(10), y = 2 * iota(10)), 3, key)
  all(b.y == 2 * b.x) and len(b) == 3 and sum(i32(flatten(b.x)[:, _] == flatten(b.x))) == 9
}

experiment library(seeds = 1) {
  claim attention_cached(key)
  claim blocks_cached(key)
  claim attention_causal(key)
  claim rotary(key)
  claim gru_forgets(key)
  claim lstm_gates(key)
  claim lstm_alone(key)
  claim sinusoids()
  claim batch_norm_runs(key)
  claim rms(key)
  claim embedded(key)
  claim dropout_scales(key)
  claim huber_joins()
  claim ranks()
  claim means_settle()
  claim tanh_normal_density(key)
  claim kl_is_mean(key)
  claim one_hot_passes(key)
  claim memory_pays(key)
  claim ring_wraps()
  claim draw_keeps_rows(key)
  claim returns_stop_at_ends()
  claim gae_by_hand()
  claim gae_at_ends(key)
  claim moments_track(key)
  claim shuffled_covers(key)
}
