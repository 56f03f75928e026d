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
fn cross_entropy(logits: float[..., A], label) = -mean(take(log_softmax(logits), i32(label)))

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

// The greatest of each n x n square: [B, H, W, C] -> [B, H / n, W / n, C]; n divides H and W.
fn max_pool(x: float[B, H, W, C], n = 2) = max(reshape(x, [B, H / n, n, W / n, n, C]), axis = [2, 4])

// (x - mean) / sqrt(variance + eps) * scale + shift over the last axis. Ba, Kiros, Hinton 2016.
layer layer_norm(x: float[..., D], eps = 1e-5) -> float[..., D] {
  param scale: float[D] = ones
  param shift: float[D] = zeros
  let c = x - mean(x, axis = -1, keep = true)
  c * rsqrt(mean(c^2, axis = -1, keep = true) + eps) * scale + shift
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
