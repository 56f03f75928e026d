// Layers and initialisers.

// ---- initialisers: functions of (key, shape); shape[:-1] are the inputs, shape[-1] the outputs

// Normal with variance 1 / inputs. LeCun et al. 1998.
fn lecun(key, shape) = normal(key, shape) / sqrt(prod(shape[:-1]))

// Normal with variance 2 / inputs, for relu. He et al. 2015.
fn he(key, shape) = normal(key, shape) * sqrt(2 / prod(shape[:-1]))

// Uniform with variance 2 / (inputs + outputs). Glorot, Bengio 2010.
fn glorot(key, shape) {
  let a = sqrt(6 / (prod(shape[:-1]) + shape[-1]))
  uniform(key, shape, -a, a)
}

// gain times a matrix with orthonormal rows or columns. Saxe, McClelland, Ganguli 2014.
fn orthogonal(gain = 1.0) = |key, shape| {
  let q = qr(normal(key, [max(shape), min(shape)])).q
  gain * if shape[0] < shape[1] { q.T } else { q }
}

// ---- losses

// x^2 / 2 where |x| <= delta, else delta * (|x| - delta / 2), elementwise. Huber 1964.
fn huber(x, delta = 1.0) {
  let a = abs(x)
  let near = min(a, delta)
  near * (a - 0.5 * near)
}

// Mean of -log softmax at the labels: logits [..., A], labels [...] of any integer type -> scalar, in nats.
fn cross_entropy(logits: float[..., A], label: int[...]) = -mean(take(log_softmax(logits), i32(label)))

// ---- layers

// x @ w + b: [..., I] -> [..., O]
layer dense(x: float[..., I], O: dim, bias = true, init = lecun) -> float[..., O] {
  param w: float[I, O] = init
  if bias {
    param b: float[O] = zeros
    x @ w + b
  } else { x @ w }
}

// Dense layers of these widths, each followed by act: [..., I] -> [..., widths[-1]]
layer mlp(x: float[..., I], widths: list, act = relu, init = lecun) -> float[..., widths[-1]] {
  var h = x
  unroll n in widths { h = act(dense(h, n, init = init)) }
  h
}

// 2-D convolution, channels last: [B, H, W, C] -> [B, H', W', O]; kernel k x k, pad may be "same".
layer conv(x: float[B, H, W, C], O: dim, k: dim, stride = 1, pad = "same", init = he) -> float[B, _, _, O] {
  param w: float[k, k, C, O] = init
  param b: float[O] = zeros
  conv2d(x, w, stride = stride, pad = pad) + b
}

// f over every window of n rows, `stride` apart, of x [B, L, R] with `pad` rows of `fill` before and behind: [B, L', R].
fn slide(x: float[B, L, R], n, stride, pad_by, fill, f) {
  if stride < 1 { error("nn: the windows of a pooling are 1 or more apart") }
  let rest = L + 2 * pad_by - n
  if rest < 0 { error("nn: a pooling window is larger than its image") }
  let count = (rest - rest % stride) / stride + 1
  let y = pad(x, [0, pad_by, 0], [0, n - 1 + count * stride - L - pad_by, 0])
  let at = iota(y.shape[1])[:, _]
  let z = if fill == 0 { y } else { where(at >= pad_by and at < pad_by + L, y, fill) }
  let row = |u| reshape(z[:, u:u + count * stride], [B, count, stride, R])[:, :, 0]
  var all = row(0)
  unroll u in 1..n { all = f(all, row(u)) }
  all
}

// Along both axes of an image one after the other: [B, H, W, C] -> [B, H', W', C], H' = (H + 2 pad - n) / stride + 1.
fn pool(x: float[B, H, W, C], n, stride, pad_by, fill, f) {
  let y = slide(reshape(x, [B, H, W * C]), n, stride, pad_by, fill, f)
  let rows = y.shape[1]
  let z = slide(reshape(y, [B * rows, W, C]), n, stride, pad_by, fill, f)
  reshape(z, [B, rows, z.shape[1], C])
}

// The greatest of each n x n window: [B, H, W, C] -> [B, H', W', C], H' = (H + 2 pad - n) / stride + 1, rounded down;
// windows are `stride` apart, and what they hold of the padding does not count.
fn max_pool(x: float[B, H, W, C], n: dim = 2, stride: dim = n, pad: dim = 0) =
  if stride == n and pad == 0 and H % n == 0 and W % n == 0 {
    max(reshape(x, [B, H / n, n, W / n, n, C]), axis = [2, 4])
  } else {
    pool(x, n, stride, pad, -inf, |a, b| max(a, b))
  }

// The sum of each window, sizes as of max_pool; the padding counts as 0.
fn sum_pool(x: float[B, H, W, C], n: dim = 2, stride: dim = n, pad: dim = 0) = pool(x, n, stride, pad, 0, |a, b| a + b)

// The mean of each window, sizes as of max_pool; the padding counts as zeros.
fn mean_pool(x: float[B, H, W, C], n: dim = 2, stride: dim = n, pad: dim = 0) = sum_pool(x, n, stride, pad) / n^2

// Where the n samples of a new axis lie on one of `size`: pixels are areas, their centres count.
fn sample_points(n, size) = (f32(iota(n)) + 0.5) * (size / n) - 0.5

// Nearest neighbour: [B, H, W, C] -> [B, h, w, C]
fn resize_nearest(x: float[B, H, W, C], h: dim, w: dim) {
  let rows = i32(floor(sample_points(h, H) + 0.5))
  let cols = i32(floor(sample_points(w, W) + 0.5))
  transpose(transpose(x, [1, 2, 0, 3])[rows][:, cols], [2, 0, 1, 3])
}

// Each row of [n, size]: what share of the old pixels makes a new one. At the edge the nearest is repeated.
fn hat(n, size) {
  let at = clamp(sample_points(n, size), 0, size - 1)
  max(1 - abs(at[:, _] - f32(iota(size))), 0)
}

// Bilinear, without a filter for smaller sizes: [B, H, W, C] -> [B, h, w, C]
fn resize_bilinear(x: f32[B, H, W, C], h: dim, w: dim) {
  let rows = einsum("i h, b h w c -> b i w c", hat(h, H), x)
  einsum("j w, b i w c -> b i j c", hat(w, W), rows)
}

// 2-D convolution that makes images larger, the adjoint of conv: [B, H, W, C] -> [B, H', W', O]; with pad "same"
// H' = stride H, else stride (H - 1) + k - 2 pad.
layer conv_transpose(x: float[B, H, W, C], O: dim, k: dim, stride = 2, pad = "same", init = he) -> float[B, _, _, O] {
  param w: float[k, k, O, C] = init
  param b: float[O] = zeros
  conv2d_transpose(x, w, stride = stride, pad = pad) + b
}

// (x - mean) / sqrt(variance + eps) * scale + shift over the last axis. Ba, Kiros, Hinton 2016.
layer layer_norm(x: float[..., D], eps = 1e-5) -> float[..., D] {
  param scale: float[D] = ones
  param shift: float[D] = zeros
  let c = x - mean(x, axis = -1, keep = true)
  c * rsqrt(mean(c^2, axis = -1, keep = true) + eps) * scale + shift
}

// x / sqrt(mean(x^2) + eps) * scale over the last axis. Zhang, Sennrich 2019.
layer rms_norm(x: float[..., D], eps = 1e-6) -> float[..., D] {
  param scale: float[D] = ones
  x * rsqrt(mean(x^2, axis = -1, keep = true) + eps) * scale
}

// Running statistics of a batch_norm of D channels; they live in the trainer's state: state bn = nn.running[32]().
record running[D] {
  mean: f32[D] = zeros([D])
  variance: f32[D] = ones([D])
}

// Each of the D channels shifted and scaled to mean 0 and variance 1 over all other axes. In training by the batch's
// own statistics, which also move the running ones by 1 - momentum; otherwise by the running ones. The variance is
// divided by n in both. Ioffe, Szegedy 2015.
layer batch_norm(x: f32[..., D], &run: running[D], training = true, momentum = 0.9, eps = 1e-5) -> f32[..., D] {
  param scale: f32[D] = ones
  param shift: f32[D] = zeros
  let flat = reshape(x, [-1, D])
  let m = if training { mean(flat, axis = 0) } else { run.mean }
  let v = if training { mean((flat - m)^2, axis = 0) } else { run.variance }
  if training {
    run.mean = mix(stop_grad(m), run.mean, momentum)
    run.variance = mix(stop_grad(v), run.variance, momentum)
  }
  (x - m) * rsqrt(v + eps) * scale + shift
}

// Zero with probability `rate`, all else divided by 1 - rate; x itself where rate is 0. Srivastava et al. 2014.
fn dropout(x, rate, key) = where(bernoulli(key, x.shape, 1 - rate), x / (1 - rate), 0)

// Rows of a table of `count` vectors of O: i32[...] -> f32[..., O]. An index outside of 0 .. count - 1 is the nearest
// one inside.
layer embedding(i: i32[...], count: dim, O: dim, scale = 0.02) -> f32[..., O] {
  param table: f32[count, O] = |key, shape| scale * normal(key, shape)
  table[i]
}

// tanh(x wx + h wh + b), one step: x [..., I], h [..., H] -> new h [..., H]. Elman 1990.
layer rnn(x: float[..., I], h: float[..., H]) -> float[..., H] {
  param wx: float[I, H] = lecun
  param wh: float[H, H] = orthogonal()
  param b: float[H] = zeros
  tanh(x @ wx + h @ wh + b)
}

// What an lstm carries from step to step: output h and cell c of H units.
record lstm_state[H] { h, c: f32[H] }

// Long short-term memory, one step: x [..., I] and the state -> the new state, whose h is the output. Hochreiter,
// Schmidhuber 1997, with the forget gate of Gers et al. 2000, whose bias begins at 1.
layer lstm(x: f32[..., I], s: lstm_state[..., H]) -> lstm_state[..., H] {
  param wx: f32[I, 4 * H] = lecun
  param wh: f32[H, 4 * H] = orthogonal()
  param b: f32[4 * H] = |key, shape| concat([zeros([H]), ones([H]), zeros([2 * H])])
  let (i, f, g, o) = parts(x @ wx + s.h @ wh + b, 4)
  let c = sigmoid(f) * s.c + sigmoid(i) * tanh(g)
  lstm_state(sigmoid(o) * tanh(c), c)
}

// An lstm over xs [T, B, I] from zero -> [T, B, H].
layer lstm_over(xs: f32[T, B, I], H: dim) -> f32[T, B, H] {
  var s = zeros(lstm_state[B, H])
  scan x in xs {
    s = lstm(x, s)
    s.h
  }
}

// Gated recurrent unit, one step: x [..., I], h [..., H] -> new h [..., H]. Cho et al. 2014.
layer gru(x: float[..., I], h: float[..., H]) -> float[..., H] {
  param wx: float[I, 3 * H] = lecun
  param wh: float[H, 3 * H] = orthogonal()
  param b: float[3 * H] = zeros
  let (xr, xz, xn) = parts(x @ wx + b, 3)
  let (hr, hz, hn) = parts(h @ wh, 3)
  let (r, z) = (sigmoid(xr + hr), sigmoid(xz + hz))
  z * h + (1 - z) * tanh(xn + r * hn)
}

// A gru over xs [T, B, I] from h [B, H], which is the last output afterwards -> [T, B, H]. Where first [T, B] is
// true an episode begins, and what came before is forgotten.
layer gru_over(xs: float[T, B, I], first: bool[T, B], &h: float[B, H]) -> float[T, B, H] =
  scan (x, f) in (xs, first) {
    h = gru(x, where(f[:, _], 0, h))
    h
  }

// ---- attention

// Rotary positions: each pair (2 k, 2 k + 1) of the last axis of x [B, T, H, K] turned by the angle
// at / base^(2 k / K), at [T] being the positions. K is even. Su et al. 2021.
fn rope(x: f32[B, T, H, K], at: i32[T], base = 10_000.0) -> f32[B, T, H, K] {
  let angle = f32(at)[:, _] * exp(-log(base) * 2 / K * f32(iota(K / 2)))  // [T, K / 2]
  let (c, s) = (cos(angle)[:, _], sin(angle)[:, _])
  let pair = reshape(x, [B, T, H, K / 2, 2])
  let (a, b) = (pair[..., 0], pair[..., 1])
  reshape(concat([(a * c - b * s)[..., _], (a * s + b * c)[..., _]], axis = -1), [B, T, H, K])
}

// Keys and values of the tokens seen so far, with room for S.
record kv[B, S, H, K] {
  k, v: f32[B, S, H, K]
  len: i32
}

// Causal attention of H heads with rotary positions: [B, T, D] -> [B, T, D]; H divides D. Called with &mem, the T
// tokens follow those in the cache, which must have room for them; without, they are all there is. Vaswani et al. 2017.
layer attention[S = T](x: f32[B, T, D], H: dim, &mem: kv[B, S, H, D / H] = zeros) -> f32[B, T, D] {
  let q = x |> dense(D, bias = false) |> reshape([B, T, H, D / H])
  let k = x |> dense(D, bias = false) |> reshape([B, T, H, D / H])
  let v = x |> dense(D, bias = false) |> reshape([B, T, H, D / H])
  let at = mem.len + iota(T)
  mem.k[:, mem.len +: T] = rope(k, at)
  mem.v[:, mem.len +: T] = v
  mem.len += T
  let see = iota(S) <= at[:, _]  // bool[T, S]
  let score = einsum("b t h k, b s h k -> b h t s", rope(q, at) / sqrt(D / H), mem.k)
  let y = einsum("b h t s, b s h k -> b t h k", softmax(where(see, score, -inf)), mem.v)
  y |> reshape([B, T, D]) |> dense(D, bias = false)
}

// A block of a transformer: attention and two dense layers of width 4 D with gelu between, each added to what it
// reads through a layer_norm: [B, T, D] -> [B, T, D]; &mem as of attention. Radford et al. 2019.
layer block[S = T](x: f32[B, T, D], H: dim, &mem: kv[B, S, H, D / H] = zeros) -> f32[B, T, D] {
  let h = x + (x |> layer_norm |> attention(H, &mem))
  h + (h |> layer_norm |> dense(4 * D) |> gelu |> dense(D))
}

// Sines and cosines of t at O / 2 wavelengths from 2 pi to 2 pi 10,000, as times and positions are shown to a network
// that cannot tell them from their size: f32[...] -> f32[..., O], t in units of its finest step. O is even. Vaswani et
// al. 2017.
fn sinusoid(t: f32[...], O: dim) -> f32[..., O] {
  let angle = t[..., _] * exp(-log(10_000) * 2 / O * f32(iota(O / 2)))
  concat([sin(angle), cos(angle)], axis = -1)
}
