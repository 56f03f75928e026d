// expect 12:55: argument `x` of `net` must be f32[B = 2, 3], not f32[2, 4]
// expect 16:3: a `while` cannot be differentiated in reverse
// expect 20:19: `value_and_grad` needs a function that gives one real number, not f32[3]
// expect 22:19: `check_grad` takes a function and what to call it with
// expect 24:19: `value_and_grad` needs a function that gives one real number, not i32
// expect 25:19: `check_grad` of a function without arguments
// expect 26:14: `bench` takes a function and what to call it with
// expect 27:14: `raw` needs the argument `x`
// What check_grad and bench take.
use nn
model net(x: f32[B, 3]) -> f32[B, 1] = nn.dense(x, 1)
loss error(p: net.params, x, y) -> f32 = mean((net(p, x) - y)^2)
fn raw(x: f32[3]) = x
fn halved(x: f32) {
  var y = x
  while y > 1.0 { y = y / 2 }
  y
}
experiment one(seeds = 1) {
  claim check_grad(raw, ones([3])) < 1
  claim check_grad(halved, 3.0) < 1
  claim check_grad(3, 3.0) < 1
  claim check_grad(error, net.init(key), ones([2, 4]), ones([2, 1])) < 1
  claim check_grad(argmax, ones([3])) < 1
  claim check_grad(error) < 1
  claim bench(3) < 1
  claim bench(raw) < 1
}
