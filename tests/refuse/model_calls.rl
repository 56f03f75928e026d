// expect 16:40: `net` needs the argument `x`
// expect 17:48: argument `x` of `net` must be f32[B = 2, 3], not f32[2, 4]
// expect 18:48: argument `x` of `net` must be f32[B, 3], not f32[3]
// expect 19:30: `net.init` needs the argument `key`
// expect 20:36: `net.init` takes 1 argument, found 2
// expect 21:18: the model `net` takes its parameters first, found key
// expect 22:42: `q` cannot be updated: it is a `let`
// expect 23:18: the model `net` has no member `parameters`
// expect 24:24: a type cannot be called
// Calling a model.
use nn
model net(x: f32[B, 3]) -> f32[B, 2] {
  let h = nn.dense(x, 4)
  nn.dense(tanh(h), 2)
}
fn f1(key) { let p = net.init(key); net(ones([2, 3])) }
fn f2(key) { let p = net.init(key); net(p, ones([2, 4])) }
fn f3(key) { let p = net.init(key); net(p, ones([3])) }
fn f4(key) { let p = net.init(); net(p, ones([2, 3])) }
fn f5(key) { let p = net.init(key, 3); p }
fn f6(key) = net(key, ones([2, 3]))
fn f7(key) { let q = net.init(key); net(&q, ones([2, 3])) }
fn f8(key) = net.parameters
fn f9(key) = net.params(key)
