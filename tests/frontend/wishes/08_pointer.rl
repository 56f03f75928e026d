fn corners(p: f32[N, 2], real: bool[N]) -> i32[N] {
  let d    = p - p[:, _]
  let turn = d[:, :, _, 0] * d[:, _, :, 1] - d[:, :, _, 1] * d[:, _, :, 0]
  let edge = all(turn >= 0 or not real, axis = 2) and real and iota(N)[:, _] != iota(N)
  var (at, ended) = (argmin(edge), false)
  scan _ in 0..N {
    let now = if ended { N } else { at }
    ended = ended or at == now
    now
  }
}

fn clouds(B: dim, key) -> (p: f32[B, 20, 2], real: bool[B, 20], path: i32[B, 20]) {
  let p    = uniform(key, [B, 20, 2])
  let real = iota(20) < randint(key, [B], 5, 21)[:, _]
  (p, real, each (q, r) in (p, real) { corners(q, r) })
}

loss xent(w: pointer.params, b) -> f32 = mean(each c in b {
  let u = pointer(w, c.p, c.real, |u, t| c.path[t]).logits     // the teacher chooses
  -sum(where(c.real, take(log_softmax(u), c.path), 0)) / sum(f32(c.real))
})
