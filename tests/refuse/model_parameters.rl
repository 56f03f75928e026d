// expect 10:25: `net` needs the argument `x`
// expect 11:43: the model `net` takes its parameters first, found other
// expect 12:44: argument `x` of `net` must be f32[B = 8, 4], not f32[8, 5]
// expect 13:21: `net.init` takes one key
// expect 14:40: `net` needs the argument `x`
// expect 15:39: argument `p` of `h` must be the parameters of `net`, not other
use nn
model net(x: f32[B, 4]) -> f32[B, 2] = nn.dense(x, 2)
model other(x: f32[B, 4]) -> f32[B, 2] = nn.dense(x, 2)
fn f(x: f32[8, 4]) = net(x)
fn g(p: other.params, x: f32[8, 4]) = net(p, x)
fn h(p: net.params, x: f32[8, 5]) = net(p, x)
fn i(key) = net.init(3)
fn j(p: net.params, x: f32[8, 4]) = net(p)
fn k(key, x: f32[8, 4]) = h(other.init(key), x)
