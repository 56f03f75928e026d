record life { h: f32[H]; trace, hebb: f32[H, H] }

model brain(x: f32[I], &s: life) -> f32 {
  param alpha: f32[H, H] = nn.lecun
  let before = s.h
  s.h    = tanh(x + before @ (alpha * s.hebb))
  s.hebb = clamp(s.hebb + s.h[1] * s.trace, -2, 2)
  s.h[0]
}

fn lifetime(p: brain.params, truth: i32, trials: dim, key) -> f32[trials] {
  var s = zeros(life)
  var (response, reward) = (0.0, 0.0)
  scan _ in 0..trials {
    for _ in 0..3 { response = sign(brain(p, [1.0, response, reward], &s)) }
    reward = if (response > 0) == (truth == 1) { 1.0 } else { -1.0 }
    reward
  }
}

train evolve(pairs = 128, sigma = 0.05) {
  state p = brain.init(key)
  step {
    let noise = each _ in 0..pairs { normal(key, p) }
    let k     = split(key, 8)
    let score = each e in noise {
      mean(each (t, k) in (iota(8), k) { late(p + sigma * e, t, k) - late(p - sigma * e, t, k) })
    }
    p += mean(each (f, e) in (centered_rank(score), noise) { f * e }, axis = 0) / sigma
  }
  stop when iter >= 1_500
}
