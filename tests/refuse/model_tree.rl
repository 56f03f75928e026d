// expect 15:39: `net` has no field `w`
// expect 16:45: this record has no field `weight`
// expect 17:58: `error` needs the argument `y`
// expect 18:37: `-` of records that differ: the second has no `w`
// expect 19:39: `q.h` must be (dense: (w: f32[3, 4], b: f32[4])), not 3
// expect 20:45: `q.dense.w` must be f32[4, 2], not f32[3]
// expect 21:34: argument `p` of `error` must be the parameters of `net`, not (w: f32[4, 2], b: f32[2])
// Reading and changing a model's parameters.
use nn
model net(x: f32[B, 3]) -> f32[B, 2] {
  let h = nn.dense(x, 4)
  nn.dense(tanh(h), 2)
}
loss error(p: net.params, x: f32[B, 3], y: f32[B, 2]) -> f32 = mean((net(p, x) - y)^2)
fn f1(key) { let p = net.init(key); p.w }
fn f2(key) { let p = net.init(key); p.dense.weight }
fn f3(key) { let p = net.init(key); p - 0.1 * grad(error)(p, ones([2, 3])) }
fn f4(key) { var p = net.init(key); p -= 0.1 * value_and_grad(error)(p, ones([2, 3]), ones([2, 2])); p }
fn f5(key) { var q = net.init(key); q.h = 3; q }
fn f6(key) { var q = net.init(key); q.dense.w = zeros([3]); q }
fn f7(key) = error(net.init(key).dense, ones([2, 3]), ones([2, 2]))
