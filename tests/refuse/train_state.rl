// expect 17:5: `hidden` must be f32[4], not f32[5]
// expect 18:20: `error` needs the argument `y`
// expect 19:13: `p.dense.w` must be f32[3, 1], not f32[3]
// expect 20:5: 1.5 is not an integer, and the other side is i32
// expect 21:5: the operands of `+` have different element types: f32 and bool
// expect 22:5: `p` must be net(dense: (w: f32[3, 1], b: f32[1])), not (f32, net)
// expect 23:5: `hiden` is not known here
// What a step assigns to a state.
use nn, optim
model net(x: f32[B, 3]) -> f32[B, 1] = nn.dense(x, 1)
loss error(p: net.params, x, y) -> f32 = mean((net(p, x) - y)^2)
train t(lr = 0.1) {
  state p = net.init(key)
  state hidden = zeros([4])
  state count: i32 = 0
  step {
    hidden = zeros([5])
    p = grad(error)(p, ones([2, 3]))
    p.dense.w = zeros([3])
    count += 1.5
    p += 1 > 0
    p = value_and_grad(error)(p, ones([2, 3]), ones([2, 1]))
    hiden = zeros([4])
  }
  stop when iter > 3
}
