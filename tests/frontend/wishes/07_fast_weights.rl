fn delta(xs: f32[T, D], &w: f32[O + 2 * D + 4, D], O: dim) -> f32[T, O] =
  scan x in xs {
    let (y, q, k, b) = parts(w @ softmax(x), [O, D, D, 4])
    w += outer(sigmoid(b) * (w @ q - w @ k), k)
    y
  }

layer self_ref(xs: f32[B, T, D], O: dim) -> f32[B, T, O] {
  param w0: f32[O + 2 * D + 4, D] = nn.lecun
  each x in xs {
    var w = w0
    remat(delta)(x, &w, O)
  }
}

model net[Core](x: f32[B, T, F + K]) -> f32[B, K] {
  let h = x |> nn.dense(D) |> Core(D) |> nn.layer_norm
  h[:, -1]
}

train fewshot(core = self_ref, batch = 64) {
  state p = net[core].init(key)
  step {
    let e = each _ in 0..batch { episode(key) }
    p -= grad(xent)(p, e.x, e.y)
  }
  stop when iter >= 10
}

fn gap(key) -> f32 {
  let w0 = 0.1 * normal(key, [68, 16])
  var (a, b) = (w0, w0)
  max(abs(delta(a, &a, 16) - delta(b, &b, 16)))
}
