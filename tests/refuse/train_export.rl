// expect 8:40: the result of `act` must be f32[2], not f32[1, 2]
// expect 9:44: argument `x` of `net` must be f32[B = 1, 3], not f32[1, 4]
// What a trainer exports.
use nn
model net(x: f32[B, 3]) -> f32[B, 2] = nn.dense(x, 2)
train t(lr = 0.1) {
  state p = net.init(key)
  export act(x: f32[3]) -> f32[2] = net(p, x[_])
  export value(x: f32[4]) -> f32 = net(p, x[_])[0, 0]
  step { p -= lr * p }
  stop when iter > 3
}
