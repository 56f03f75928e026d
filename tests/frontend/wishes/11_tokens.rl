const V = 12, D = 128, H = 4, L = 4

model lm[S = T](tok: i32[B, T], &mem: nn.kv[B, S, H, D / H][L] = zeros) -> f32[B, T, V] {
  param emb: f32[V, D] = nn.lecun
  var x = emb[tok]
  for l in layers(L) { x = x |> nn.block(H, &mem[l]) }
  nn.layer_norm(x) @ emb.T
}

fn digits(a, b) = ([div(a, 10), a % 10, 10, div(b, 10), b % 10, 11].T, [a, b].T)

train reason(prompts = 32, group = 16, epochs = 2) {
  state ref = warm.run().p
  state p   = ref
  step {
    let q    = each s in sums(prompts, key) { each _ in 0..group { s } } |> flatten(2)
    let said = answer(p, q.prompt, key)
    let b    = (prompt = q.prompt, said, old = log_prob(p, q.prompt, said))
    for _ in 0..epochs { p -= grad(grpo)(p, b) }
    log solved = mean(b.old[:, 3 - 1:-1])
  }
  stop when solved >= 0.98 or iter >= 500
}
