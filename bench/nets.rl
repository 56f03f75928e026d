// The training steps that bench/run times beside JAX and PyTorch (bench/peers/nets.py): forward, backward and
// Adam on one batch of fixed random data, which is state that no step writes.
use nn, optim

fn fit(&opt, &p, loss, x, y) {
  let (l, g) = value_and_grad(loss)(p, x, y)
  p -= 1e-3 * optim.adam(&opt, g)
  log loss = l
}

// ---- one call of a policy, batch 1, through its C function

model policy_net(x: f32[4]) -> f32[2] = x |> nn.mlp([64, 64], tanh) |> nn.dense(2)

train policy() {
  state p = policy_net.init(key)
  step { log size = 0 }
  stop when iter >= 1
  export act(x: f32[4]) -> f32[2] = policy_net(p, x)
}

// ---- multilayer perceptrons

model small(x: f32[B, 4]) -> f32[B, 2] = x |> nn.mlp([64, 64], tanh) |> nn.dense(2)
model medium(x: f32[B, 17]) -> f32[B, 6] = x |> nn.mlp([256, 256], tanh) |> nn.dense(6)
model large(x: f32[B, 784]) -> f32[B, 10] = x |> nn.mlp([512, 512], tanh) |> nn.dense(10)

loss small_loss(p: small.params, x, y) -> f32 = nn.cross_entropy(small(p, x), y)
loss medium_loss(p: medium.params, x, y) -> f32 = nn.cross_entropy(medium(p, x), y)
loss large_loss(p: large.params, x, y) -> f32 = nn.cross_entropy(large(p, x), y)

train mlp64(batch = 256, turns = 1_000) {
  state p = small.init(key)
  state opt = optim.adam.init(p)
  state x = normal(key, [batch, 4])
  state y = randint(key, [batch], 0, 2)
  step { fit(&opt, &p, small_loss, x, y) }
  stop when iter >= turns
}

train mlp256(batch = 256, turns = 1_000) {
  state p = medium.init(key)
  state opt = optim.adam.init(p)
  state x = normal(key, [batch, 17])
  state y = randint(key, [batch], 0, 6)
  step { fit(&opt, &p, medium_loss, x, y) }
  stop when iter >= turns
}

train mnist(batch = 128, turns = 1_000) {
  state p = large.init(key)
  state opt = optim.adam.init(p)
  state x = normal(key, [batch, 784])
  state y = randint(key, [batch], 0, 10)
  step { fit(&opt, &p, large_loss, x, y) }
  stop when iter >= turns
}

// ---- convolution: two layers of 3 x 3 on a 10 x 10 grid

model grid(x: f32[B, 10, 10, 4]) -> f32[B, 10] =
  x |> nn.conv(16, 3, pad = 0) |> relu |> nn.conv(32, 3, pad = 0) |> relu |> reshape([B, 1152])
  |> nn.mlp([128], tanh) |> nn.dense(10)
loss grid_loss(p: grid.params, x, y) -> f32 = nn.cross_entropy(grid(p, x), y)

train minatar(batch = 64, turns = 1_000) {
  state p = grid.init(key)
  state opt = optim.adam.init(p)
  state x = uniform(key, [batch, 10, 10, 4])
  state y = randint(key, [batch], 0, 10)
  step { fit(&opt, &p, grid_loss, x, y) }
  stop when iter >= turns
}

// ---- recurrence: 64 steps of 128 units

model recurrent(xs: f32[T, B, 32]) -> f32[T, B, 10] {
  var h = zeros([B, 128])
  let hs = scan x in xs {
    h = nn.gru(x, h)
    h
  }
  nn.dense(hs, 10, bias = false)
}
loss recurrent_loss(p: recurrent.params, x, y) -> f32 = nn.cross_entropy(recurrent(p, x), y)

train gru(batch = 32, length = 64, turns = 1_000) {
  state p = recurrent.init(key)
  state opt = optim.adam.init(p)
  state x = normal(key, [length, batch, 32])
  state y = randint(key, [length, batch], 0, 10)
  step { fit(&opt, &p, recurrent_loss, x, y) }
  stop when iter >= turns
}

// ---- attention: 4 blocks of width 128, 4 heads, 128 tokens of 96

const D = 128, HEADS = 4, TOKENS = 96, LENGTH = 128

fn gelu_tanh(x) = 0.5 * x * (1 + tanh(0.7978845608028654 * (x + 0.044715 * x^3)))
fn table(key, shape) = 0.02 * normal(key, shape)

layer rms(x: f32[..., N]) -> f32[..., N] {
  param scale: f32[N] = ones
  x * rsqrt(mean(x^2, axis = -1, keep = true) + 1e-5) * scale
}

layer heads(x: f32[B, T, D]) -> f32[B, T, D] {
  let (q, k, v) = parts(nn.dense(x, 3 * D, bias = false, init = nn.glorot), 3)
  let split = |u| reshape(u, [B, T, HEADS, D / HEADS])
  let score = einsum("b t h k, b s h k -> b h t s", split(q) / sqrt(D / HEADS), split(k))
  let seen = softmax(where(iota(T) <= iota(T)[:, _], score, -1e9))
  einsum("b h t s, b s h k -> b t h k", seen, split(v)) |> reshape([B, T, D]) |> nn.dense(D, bias = false, init = nn.glorot)
}

model language(t: i32[B, LENGTH]) -> f32[B, LENGTH, TOKENS] {
  param e: f32[TOKENS, D] = table
  param at: f32[LENGTH, D] = table
  var x = e[t] + at
  for _ in layers(4) {
    x += heads(rms(x))
    x += rms(x) |> nn.dense(4 * D, bias = false, init = nn.glorot) |> gelu_tanh |> nn.dense(D, bias = false, init = nn.glorot)
  }
  rms(x) @ e.T
}
loss language_loss(p: language.params, x, y) -> f32 = nn.cross_entropy(language(p, x), y)

train gpt(batch = 8, turns = 1_000) {
  state p = language.init(key)
  state opt = optim.adam.init(p)
  state x = randint(key, [batch, LENGTH], 0, TOKENS)
  state y = randint(key, [batch, LENGTH], 0, TOKENS)
  step { fit(&opt, &p, language_loss, x, y) }
  stop when iter >= turns
}
