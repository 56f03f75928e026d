// Names that every program has. What the compiler itself knows (sum, where, reshape, grad, …)
// is listed by `rlc ops --builtins`; all else that needs no import is here.

const pi = 3.141592653589793

// x limited to [low, high], elementwise; the derivative is 0 outside.
fn clamp(x, low, high) = min(max(x, low), high)

// max(x, 0), whose derivative at 0 is 0.
fn relu(x) = where(x <= 0, 0, x)

// tan(x), radians
fn tan(x) = sin(x) / cos(x)

// The angles in (-pi / 2, pi / 2), [-pi / 2, pi / 2] and [0, pi] whose tangent, sine and cosine are x
fn atan(x) = atan2(x, 1.0)
fn asin(x) = atan2(x, sqrt((1 - x) * (1 + x)))
fn acos(x) = atan2(sqrt((1 - x) * (1 + x)), x)

// (e^x - e^-x) / 2 and (e^x + e^-x) / 2
fn sinh(x) = (expm1(x) - expm1(-x)) / 2
fn cosh(x) = (exp(x) + exp(-x)) / 2

// Logarithms with bases 2 and 10
fn log2(x) = log(x) / log(2)
fn log10(x) = log(x) / log(10)

// Whether x is no number
fn isnan(x) = x + 0.0 != x

// x * sigmoid(x). Elfwing, Uchibe, Doya 2017.
fn silu(x) = x * sigmoid(x)

// x * P(N(0, 1) <= x), by erf. Hendrycks, Gimpel 2016.
fn gelu(x) = 0.5 * x * (1 + erf(sqrt(0.5) * x))

// log(1 + e^x), without overflow
fn softplus(x) = max(x, 0) + log1p(exp(-abs(x)))

// log(sum(e^x)) over the last axis, without overflow: [..., A] -> [...]
fn logsumexp(x) {
  let m = stop_grad(max(x, axis = -1, keep = true))
  log(sum(exp(x - m), axis = -1)) + m[..., 0]
}

// x - log(sum(e^x)) over the last axis: [..., A] -> [..., A]
fn log_softmax(x) {
  let m = stop_grad(max(x, axis = -1, keep = true))
  let y = x - m
  y - log(sum(exp(y), axis = -1, keep = true))
}

// log(e^a + e^b), without overflow
fn logaddexp(a, b) {
  let m = max(a, b)
  where(isfinite(m), m + log1p(exp(-abs(a - b))), m)
}

// log of the running sum of e^x along the last axis, without overflow: [..., A] -> [..., A]
fn cumlogsumexp(x) = if len(x.shape) == 1 { associative_scan(logaddexp, x) } else { each r in x { cumlogsumexp(r) } }

// e^x / sum(e^x) over the last axis: [..., A] -> [..., A]
fn softmax(x) {
  let y = exp(x - stop_grad(max(x, axis = -1, keep = true)))
  y * (1 / sum(y, axis = -1, keep = true))
}

// Mean square deviation from the mean (divided by n, not n - 1).
fn variance(x) = mean((x - mean(x))^2)

fn std(x) = sqrt(variance(x))

// (x - mean) / (std + 1e-8) over all of x, or over one axis
fn standardize(x, axis = all) = if axis == all {
  let c = x - mean(x)
  c / (sqrt(mean(c^2)) + 1e-8)
} else {
  let d = x - mean(x, axis = axis, keep = true)
  d / (sqrt(mean(d^2, axis = axis, keep = true)) + 1e-8)
}

// Ranks of the elements, from -0.5 to 0.5: f32[N] -> f32[N]. Wierstra et al. 2014.
fn centered_rank(x) = f32(argsort(argsort(x))) / (len(x) - 1) - 0.5

// (1 - t) * a + t * b
fn mix(a, b, t) = a + t * (b - a)

// 1 where i equals the position, else 0: i32[...] -> f32[..., n]
fn one_hot(i, n: dim) = f32(i32(i)[..., _] == iota(n))

// Share of rows whose greatest logit is at the label: f32[..., A], i32[...] -> f32
fn accuracy(logits: float[..., A], label: int[...]) = mean(f32(argmax(logits) == i32(label)))

// f32[n, n] with ones on the diagonal
fn eye(n) = f32(iota(n)[:, _] == iota(n))

// a[i] * b[j]: f32[M], f32[N] -> f32[M, N]
fn outer(a, b) = a[:, _] * b[_]

// Bit i of the integer x, 0 or 1.
fn bit(x, i) = bit_and(shift_right(x, i), 1)

// The last axis in ascending order.
fn sort(x) = take_rows(x, argsort(x))

fn take_rows(x, order) = if len(x.shape) == 1 { x[order] } else { each (r, o) in (x, order) { take_rows(r, o) } }

// The k greatest of the last axis, descending, and where they stand; of equal ones the first: [..., A] -> [..., k]
fn topk(x, k: dim) {
  let index = argsort(-x)[..., :k]
  (values = take_rows(x, index), index)
}

// Running least along the last axis.
fn cummin(x) = -cummax(-x)

// The least row of each segment, infinity where it has none: x [M, ...], segment i32[M] -> [n, ...]
fn segment_min(x, segment, n: dim) = -segment_max(-x, segment, n)

// The mean of the rows of each segment, 0 where it has none: x [M, ...], segment i32[M] -> [n, ...]
fn segment_mean(x, segment, n: dim) = segment_sum(x, segment, n) / max(segment_sum(ones(x + 0.0), segment, n), 1)

// x moved n places on along an axis; what leaves at the end comes in at the start.
fn roll(x, n, axis = 0) = if axis % len(x.shape) == 0 {
  let cut = len(x) - n % len(x)
  concat([x[cut:], x[:cut]])
} else { each r in x { roll(r, n, axis % len(x.shape) - 1) } }

// ---- draws: f32 of the shape unless said, the parameters broadcast to it

// Normal, of mean 0 and variance 1 before it is cut to [low, high].
fn truncated_normal(key, shape, low = -2.0, high = 2.0) {
  let x = sqrt(2) * erfinv(uniform(key, shape, erf(low / sqrt(2)), erf(high / sqrt(2))))
  clamp(x, low, high)
}

// Density e^-x for x >= 0.
fn exponential(key, shape) = -log1p(-uniform(key, shape))

// Density x^(a - 1) e^-x / gamma(a) for x > 0, a > 0. Marsaglia, Tsang 2000; 16 rounds leave less than
// 1e-20 of the draws without an accepted one. The derivative by a is that of the quantile.
fn gamma(key, shape, a) {
  let b = broadcast(f32(a), shape)
  let boost = where(b < 1, log1p(-uniform(key, shape)) / b, 0)
  let d = where(b < 1, b + 1, b) - 1 / 3
  var x = d
  var done = full(shape, false)
  for _ in 0..16 {
    let z = normal(key, shape)
    let v = (1 + z / sqrt(9 * d))^3
    let log_v = log(max(v, 1e-30))
    let good = v > 0 and log1p(-uniform(key, shape)) < 0.5 * z^2 + d - d * v + d * log_v
    x = where(good and not done, d * v, x)
    done = done or good
  }
  at_quantile(stop_grad(max(x * exp(boost), 1e-38)), b)
}

// x, whose derivative by a is -(dP / da) / (dP / dx) for the gamma distribution's P(x; a).
fn at_quantile(x: f32[...], a: f32[...]) -> f32[...] {
  x + 0 * a
} backward(dy) {
  (a = dy * gamma_slope(x, a))
}

// dx / da at a constant P(x; a). Below a = 20 by the series P = x^a e^-x sum over k of x^k / gamma(a + k + 1),
// else with Wilson's and Hilferty's cube root: x = a (1 - 1 / (9 a) + z / (3 sqrt(a)))^3 at a constant z.
fn gamma_slope(x, a) {
  let small = min(a, 20)
  let y = min(x, 80)
  var term = exp(-lgamma(small + 1))
  var psi = digamma(small + 1)
  var total = zeros(y)
  var slope = zeros(y)
  for k in 0..200 {
    total += term
    slope += term * psi
    psi += 1 / (small + f32(k) + 1)
    term *= y / (small + f32(k) + 1)
  }
  let series = y * exp(lgamma(small)) * (slope - log(y) * total)
  let r = exp(log(x / a) / 3)
  let large = r^2 * (r + 1.5 * (1 - r) + 1 / (6 * a))
  where(a < 20, series, large)
}

// On (0, 1), density proportional to x^(a - 1) (1 - x)^(b - 1).
fn beta(key, shape, a, b) {
  let x = gamma(key, shape, a)
  x / (x + gamma(key, shape, b))
}

// i32: k with probability rate^k e^-rate / k!. Below 10 by counting arrivals, else Hoermann 1993 (PTRS);
// the fixed numbers of rounds leave less than 1e-11 of the draws short.
fn poisson(key, shape, rate) {
  let r = broadcast(f32(rate), shape)
  var left = min(r, 10)
  var count = zeros(shape, i32)
  for _ in 0..48 {
    left -= exponential(key, shape)
    count += i32(left > 0)
  }
  let many = max(r, 10)
  let b = 0.931 + 2.53 * sqrt(many)
  let a = -0.059 + 0.02483 * b
  let inverse = 1.1239 + 1.1328 / (b - 3.4)
  let fit = 0.9277 - 3.6224 / (b - 2)
  var k = many
  var done = full(shape, false)
  for _ in 0..24 {
    let u = uniform(key, shape) - 0.5
    let v = 1 - uniform(key, shape)
    let us = 0.5 - abs(u)
    let guess = floor((2 * a / us + b) * u + many + 0.43)
    let sure = us >= 0.07 and v <= fit
    let out = guess < 0 or us < 0.013 and v > us
    let fine = log(v * inverse / (a / us^2 + b)) <= guess * log(many) - many - lgamma(max(guess, 0) + 1)
    let good = sure or not out and fine
    k = where(good and not done, guess, k)
    done = done or good
  }
  where(r < 10, count, i32(k))
}

// k different ones of 0 .. n - 1, all equally likely or with weights proportional to e^logits: i32[k].
fn choice(key, n, k, logits = 0.0) = topk(broadcast(f32(logits), [n]) + gumbel(key, [n]), k).index
