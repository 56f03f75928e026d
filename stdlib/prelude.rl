// Names that every program has. What the compiler itself knows (sum, where, reshape, grad, …)
// is listed by `rlc ops --builtins`; all else that needs no import is here.

const pi = 3.141592653589793

// x limited to [low, high], elementwise; the derivative is 0 outside.
fn clamp(x, low, high) = min(max(x, low), high)

// max(x, 0)
fn relu(x) = max(x, 0)

// x * sigmoid(x). Elfwing, Uchibe, Doya 2017.
fn silu(x) = x * sigmoid(x)

// x * P(N(0, 1) <= x), by erf. Hendrycks, Gimpel 2016.
fn gelu(x) = 0.5 * x * (1 + erf(x / sqrt(2)))

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

// e^x / sum(e^x) over the last axis: [..., A] -> [..., A]
fn softmax(x) {
  let y = exp(x - stop_grad(max(x, axis = -1, keep = true)))
  y / sum(y, axis = -1, keep = true)
}

// Mean square deviation from the mean (divided by n, not n - 1).
fn variance(x) = mean((x - mean(x))^2)

fn std(x) = sqrt(variance(x))

// (x - mean) / (std + 1e-8) over all of x
fn standardize(x) {
  let c = x - mean(x)
  c / (sqrt(mean(c^2)) + 1e-8)
}

// (1 - t) * a + t * b
fn mix(a, b, t) = a + t * (b - a)

// 1 where i equals the position, else 0: i32[...] -> f32[..., n]
fn one_hot(i, n) = f32(i[..., _] == iota(n))

// Share of rows whose greatest logit is at the label: f32[..., A], i32[...] -> f32
fn accuracy(logits, label) = mean(f32(argmax(logits) == i32(label)))

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
