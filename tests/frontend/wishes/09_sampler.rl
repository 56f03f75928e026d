const D = 64, S = 50                      // pixels, steps
data digits: (pixel: u8[M, D], label: u8[M]) from csv("optdigits.tra")

model net(x: f32[B, D], t: f32[B]) -> f32[B, D] =         // the noise in x at time t
  concat([x, nn.sinusoid(t, 32)], axis = -1) |> nn.mlp([256, 256], silu) |> nn.dense(D)

fn keep(t: f32[B]) -> f32[B, 1] = cos(0.49 * pi * t)[:, _]^2
fn sample(p: net.params, noise: f32[B, D], K: dim) -> f32[B, D] {
  var x = noise
  for i in 0..S - K { x = back(stop_grad(p), x, S - i) }
  for i in S - K..S { x = remat(back)(p, x, S - i) }
  x
}
const mirror = flip(reshape(iota(D), [8, 8]), axis = 1) |> flatten(2)

train base(epochs = 60) {
  state p = net.init(key)
  step { for b in batches.shuffled(digits, 64, key) { p -= grad(denoise)(p, f32(b.pixel) / 8 - 1, key) } }
  stop when iter >= epochs
}

train tune(how = |p, B, key| draft(p, B, S, key), batch = 32) {
  state p = base.run().p
  step { p -= grad(how)(p, batch, key) }
  stop when iter * batch >= 6_400
}
