// Training steps of any size, for bench/growth: a stack of dense layers and a causal transformer.
use nn, optim

const TOKENS = 64

model stack[L, W](x: f32[B, W]) -> f32[B, 8] {
  var h = x
  for _ in layers(L) { h = h |> nn.dense(W) |> tanh }
  nn.dense(h, 8)
}

train dense(width = 128, depth = 2, batch = 128) {
  state p = stack[depth, width].init(key)
  state opt = optim.adam.init(p)
  state x = normal(key, [batch, width])
  state y = randint(key, [batch], 0, 8)
  step {
    let (l, g) = value_and_grad(|p| nn.cross_entropy(stack[depth, width](p, x), y))(p)
    p -= 1e-3 * optim.adam(&opt, g)
    log loss = l
  }
  stop when iter >= 1_000_000_000
}

model causal[L, D](t: i32[B, T]) -> f32[B, T, TOKENS] {
  var h = t |> nn.embedding(TOKENS, D)
  for _ in layers(L) {
    h += h |> nn.layer_norm |> nn.attention(4)
    h += h |> nn.layer_norm |> nn.dense(4 * D) |> gelu |> nn.dense(D)
  }
  h |> nn.layer_norm |> nn.dense(TOKENS)
}

train transformer(width = 64, depth = 2, batch = 8, length = 64) {
  state p = causal[depth, width].init(key)
  state opt = optim.adam.init(p)
  state x = randint(key, [batch, length], 0, TOKENS)
  step {
    let (l, g) = value_and_grad(|p| nn.cross_entropy(causal[depth, width](p, x), x))(p)
    p -= 1e-3 * optim.adam(&opt, g)
    log loss = l
  }
  stop when iter >= 1_000_000_000
}
