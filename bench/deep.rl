// A causal transformer as in examples/char_gpt.rl of any depth: its blocks are one loop over stacked parameters, so
// that compiling takes about as long for 24 as for 4.
use nn, optim

const D = 96, H = 4, CHARS = 128

model gpt[L](i: i32[B, T]) -> f32[B, T, CHARS] {
  var h = i |> nn.embedding(CHARS, D, scale = 0.02)
  for _ in layers(L) {
    h += h |> nn.layer_norm |> nn.attention(H)
    h += h |> nn.layer_norm |> nn.dense(4 * D) |> gelu |> nn.dense(D)
  }
  h |> nn.layer_norm |> nn.dense(CHARS)
}

train learn(depth = 4, batch = 16, T = 96, lr = 2e-3) {
  state p = gpt[depth].init(key)
  state opt = optim.adamw.init(p)

  step {
    let x = randint(key, [batch, T], 0, CHARS)
    let (l, g) = value_and_grad(|p| nn.cross_entropy(gpt[depth](p, x), x))(p)
    p -= lr * optim.adamw(&opt, optim.clip_norm(g, 1.0), p)
    log loss = l
  }
  stop when iter >= 100
}
