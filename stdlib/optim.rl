// Optimizers and gradient transformations. A rule gives a direction; `p -= lr * rule(&s, g)` takes the step.

// A running mean without what is too small to show in any step. The mean of a gradient that has become 0 would fall into the
// denormal numbers and stay there, and on many CPUs an operation on those takes a hundred cycles.
fn settled(x: P) -> P = map(x, |x| where(abs(x) < 1e-30, 0, x))

// Momentum, Polyak's or Nesterov's.
rule momentum(g: P, mu = 0.9, nesterov = false) -> P {
  state m = zeros(g)
  m = settled(mu * m + g)
  if nesterov { g + mu * m } else { m }
}

// Kingma, Ba 2015.
rule adam(g: P, b1 = 0.9, b2 = 0.999, eps = 1e-8) -> P {
  state m = zeros(g)
  state v = zeros(g)
  state t = 0
  t += 1
  m = settled(b1 * m + (1 - b1) * g)
  v = settled(b2 * v + (1 - b2) * g^2)
  let (of_m, of_v) = (1 / (1 - b1^t), 1 / (1 - b2^t))  // one division an element instead of three
  of_m * m / (sqrt(of_v * v) + eps)
}

// Adam with decoupled decay of weight matrices. Loshchilov, Hutter 2019.
rule adamw(g: P, p: P, decay = 0.01) -> P {
  state s = adam.init(g)
  adam(&s, g) + decay * matrices(p)
}

// g divided by a running root mean square. Tieleman, Hinton 2012.
rule rmsprop(g: P, decay = 0.9, eps = 1e-8) -> P {
  state v = zeros(g)
  v = settled(decay * v + (1 - decay) * g^2)
  g / (sqrt(v) + eps)
}

// The Euclidean norm of a whole tree.
fn norm(g: P) -> f32 = sqrt(fold(g, 0.0, |s, x| s + sum(x^2)))

// g scaled down to at most this norm.
fn clip_norm(g: P, limit) -> P = g * min(1, limit / (norm(g) + 1e-6))

// Leaves named w; zeros in place of the others.
fn matrices(p: P) -> P = map(p, |x, path| if ends_with(path, "w") { x } else { zeros(x) })

// From 1 to 0 over `total` steps.
fn linear_decay(t, total) = max(0, 1 - f32(t) / f32(total))

// Up to 1 over `warm` steps, then down a half cosine until `total`.
fn warmup_cosine(t, warm, total) = min(t / warm, 0.5 + 0.5 * cos(pi * min(t / total, 1)))

// Ranks of x [N] from -0.5 for the least to 0.5 for the greatest; equal values rank by place. Salimans et al. 2017.
fn centered_rank(x: f32[N]) -> f32[N] {
  var rank = zeros([N])
  rank[argsort(x)] = f32(iota(N))
  rank / (N - 1) - 0.5
}
