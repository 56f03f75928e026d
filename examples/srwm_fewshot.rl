// Few-shot learning by a matrix that rewrites itself: five random directions are five new classes, seen twice each
// under a noise, then one is shown without its label. Irie, Schlag, Csordás, Schmidhuber 2022. Nothing is trained
// within an episode but the self-referential weight matrix, whose own output says how it changes.
use nn, optim

const WAYS = 5, SHOTS = 2, F = 16, D = 32

// x of length 1: keys and queries that can point anywhere, where the paper's softmax keeps them positive.
fn unit(x) = x * rsqrt(sum(x^2) + 1e-6)

// y, the key, the query and the rates come from the matrix; the row under the key moves to what the query finds.
fn turn(w: f32[R, D], x: f32[D], O: dim) -> (y: f32[O], v: f32[R], k: f32[D]) {
  let z = w @ unit(x)
  let (q, k) = (unit(z[O:O + D]), unit(z[O + D:O + 2 * D]))
  let rate = sigmoid(z[O + 2 * D:])
  let rates = concat([broadcast(rate[0], [O]), broadcast(rate[1], [D]), broadcast(rate[2], [D]), broadcast(rate[3], [4])])
  (z[:O], rates * (w @ q - w @ k), k)
}

// One write a step: xs [T, D] -> [T, O].
fn sequential(xs: f32[T, D], w0: f32[R, D], O: dim) -> f32[T, O] {
  var w = w0
  scan x in xs {
    let (y, v, k) = turn(w, x, O)
    w += outer(v, k)
    y
  }
}

// A write every `size` steps: within a chunk the matrix is w plus the sum of the writes v k since, which are
// applied as products with vectors; xs [T, D] -> [T, O], T a multiple of size.
fn chunked(xs: f32[T, D], w0: f32[R, D], O: dim, size: dim) -> f32[T, O] {
  var w = w0
  let y = scan c in reshape(xs, [T / size, size, D]) {
    var vs = zeros([size, R])
    var ks = zeros([size, D])
    let out = scan (x, i) in (c, 0..size) {
      let at = |a| w @ a + (ks @ a) @ vs
      let z = at(unit(x))
      let (q, k) = (unit(z[O:O + D]), unit(z[O + D:O + 2 * D]))
      let rate = sigmoid(z[O + 2 * D:])
      let rates = concat([broadcast(rate[0], [O]), broadcast(rate[1], [D]), broadcast(rate[2], [D]), broadcast(rate[3], [4])])
      let v = rates * (at(q) - at(k))
      vs[i] = v
      ks[i] = k
      z[:O]
    }
    w += vs.T @ ks
    out
  }
  reshape(y, [T, O])
}

layer self_ref(xs: f32[B, T, D], O: dim, size) -> f32[B, T, O] {
  param w0: f32[O + 2 * D + 4, D] = |key, shape| normal(key, shape) / sqrt(D)
  each x in xs { if size == 1 { sequential(x, w0, O) } else { chunked(x, w0, O, size) } }
}

layer block(x: f32[B, T, D], size) -> f32[B, T, D] {
  let h = x + (x |> nn.layer_norm |> self_ref(D, size) |> nn.dense(D))
  h + (h |> nn.layer_norm |> nn.mlp([2 * D], gelu) |> nn.dense(D))
}

model net(x: f32[B, T, F + WAYS], size = 1) -> f32[B, WAYS] {
  let h = x |> nn.dense(D) |> block(size) |> block(size) |> nn.layer_norm |> nn.dense(WAYS)
  h[:, -1]
}

// WAYS * SHOTS labelled points in random order and one without its label; T is that and one.
fn episode(key) {
  let T = WAYS * SHOTS + 1
  let centre = normal(key, [WAYS, F])
  let label = concat([permutation(key, WAYS * SHOTS) % WAYS, randint(key, [1], 0, WAYS)])
  let point = centre[label] + 0.3 * normal(key, [T, F])
  let told = one_hot(label, WAYS) * f32(iota(T) < T - 1)[:, _]
  (x = concat([point, told], axis = -1), y = label[-1])
}

loss xent(p: net.params, x: f32[B, T, F + WAYS], y: i32[B], size) -> f32 = nn.cross_entropy(net(p, x, size), y)

train fewshot(batch = 64, size = 1, lr = 3e-3, max_steps = 4_000) {
  state p = net.init(key)
  state opt = optim.adam.init(p)

  step {
    let e = each _ in 0..batch { episode(key) }
    let (l, g) = value_and_grad(xent)(p, e.x, e.y, size)
    p -= lr * optim.warmup_cosine(f32(iter + 1), 100, max_steps) * optim.adam(&opt, optim.clip_norm(g, 1.0))
    log loss = l
    every 200 {
      let t = each _ in 0..1_000 { episode(key) }
      log score = accuracy(net(p, t.x, size), t.y)
    }
  }
  stop when score >= 0.95 or iter >= max_steps
}

// The two forms agree, and so do their derivatives.
fn forms_agree(key) -> bool {
  let w = normal(key, [2 * D + D + 4, D])
  let xs = normal(key, [64, D])
  let by = |f| value_and_grad(|w| sum(sin(f(w))))(w)
  let (a, g) = by(|w| sequential(xs, w, D))
  let (b, h) = by(|w| chunked(xs, w, D, 16))
  max(abs(sequential(xs, w, D) - chunked(xs, w, D, 16))) < 1e-5 and max(abs(g - h)) < 1e-4 * max(abs(g))
}

experiment learns(seeds = 3) {
  claim forms_agree(key)
  claim min(fewshot.run().score) >= 0.95
}
