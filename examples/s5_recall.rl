// Recall over 1,024 steps with a state-space model: a symbol is shown at the first step, small
// noise at all others, and after the last the symbol must be told. The state is complex and diagonal, so its recurrence is an
// associative scan. Smith, Warrington, Linderman 2023 (S5). --set parallel=false runs the same recurrence step by step.
use nn, optim

const SYMBOLS = 8

// h[t] = a h[t-1] + u[t] along the first axis from h[-1] = 0, for constant a: [T, B, N] complex.
fn scanned(a: complex64[N], u: complex64[T, B, N]) -> complex64[T, B, N] =
  associative_scan(|(a1, h1), (a2, h2)| (a1 * a2, a2 * h1 + h2), (broadcast(a, [T, 1, N]), u)).1

fn in_turn(a: complex64[N], u: complex64[T, B, N]) -> complex64[T, B, N] {
  var h = zeros(u[0])
  scan v in u {
    h = a * h + v
    h
  }
}

layer s5(u: f32[T, B, D], N: dim, parallel) -> f32[T, B, D] {
  param decay: f32[N] = |key, shape| full(shape, log(0.5))
  param freq: f32[N] = |key, shape| pi * f32(iota(N))
  param step: f32[N] = |key, shape| uniform(key, shape, log(1e-3), log(1e-1))
  param b_re: f32[D, N] = nn.lecun
  param b_im: f32[D, N] = nn.lecun
  param c_re: f32[N, D] = nn.lecun
  param c_im: f32[N, D] = nn.lecun
  param skip: f32[D] = zeros
  let rate = complex(-exp(decay), freq)
  let a = exp(rate * exp(step))
  let v = complex(u @ b_re, u @ b_im) * ((a - 1) / rate)
  let h = if parallel { scanned(a, v) } else { in_turn(a, v) }
  real(h) @ c_re - imag(h) @ c_im + u * skip
}

layer block(x: f32[T, B, D], N: dim, parallel) -> f32[T, B, D] {
  let h = x |> s5(N, parallel) |> gelu
  nn.layer_norm(x + h * sigmoid(h |> nn.dense(D)))
}

model net(x: f32[T, B, SYMBOLS], parallel = true) -> f32[B, SYMBOLS] {
  let h = x |> nn.mlp([32], gelu) |> block(32, parallel) |> block(32, parallel)
  h[-1] |> nn.dense(SYMBOLS)
}

// A symbol and T - 1 steps of noise: [T, B, SYMBOLS], and which symbol it was.
fn episodes(T: dim, B: dim, key) {
  let y = randint(key, [B], 0, SYMBOLS)
  (x = concat([one_hot(y, SYMBOLS)[_], 0.02 * normal(key, [T - 1, B, SYMBOLS])]), y)
}

loss xent(p: net.params, x: f32[T, B, SYMBOLS], y: i32[B], parallel) -> f32 = nn.cross_entropy(net(p, x, parallel), y)

train recall(T = 1_024, batch = 16, lr = 4e-3, parallel = true, eval_every = 25, max_steps = 1_000) {
  state p = net.init(key)
  state opt = optim.adam.init(p)

  step {
    let e = episodes(T, batch, key)
    let (l, g) = value_and_grad(xent)(p, e.x, e.y, parallel)
    p -= lr * optim.warmup_cosine(f32(iter + 1), 20, max_steps) * optim.adam(&opt, optim.clip_norm(g, 1.0))
    log loss = l
    every eval_every {
      let t = episodes(T, 128, key)
      log score = accuracy(net(p, t.x, parallel), t.y)
    }
  }
  stop when score >= 0.99 or iter >= max_steps
}

// Both forms of the recurrence agree in value and derivative.
fn forms_agree(key) -> bool {
  let p = net.init(key)
  let e = episodes(1_024, 2, key)
  let (l, g) = value_and_grad(xent)(p, e.x, e.y, true)
  let (m, h) = value_and_grad(xent)(p, e.x, e.y, false)
  abs(l - m) < 1e-5 and optim.norm(g - h) < 1e-3 * optim.norm(h)
}

experiment recalls(seeds = 3) {
  claim forms_agree(key)
  claim min(recall.run().score) >= 0.99
}
