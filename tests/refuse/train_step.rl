// expect 18:17: `net` has no field `weights`
// expect 19:5: 0.5 is not an integer, and the other side is i32
// expect 20:5: `p` must be net(w: f32[4]), not 3
// expect 21:9: a logged value must be one number, not f32[8]
// expect 22:11: `every` needs a count of at least 1
// expect 23:5: `lr` cannot be assigned: it is a setting
use optim
model net(x: f32[B, 4]) -> f32[B] {
  param w: f32[4] = zeros
  x @ w
}
loss mse(p: net.params, x: f32[8, 4]) -> f32 = mean(net(p, x)^2)
train t(lr = 0.1, steps = 100) {
  state p = net.init(key)
  state n: i32 = 0
  step {
    let (l, g) = value_and_grad(mse)(p, zeros([8, 4]))
    p -= lr * g.weights
    n += 0.5
    p = 3.0
    log loss = net(p, zeros([8, 4]))
    every 0 { log x = l }
    lr = 0.2
  }
  stop when losss < 0.1 or iter >= steps
}
