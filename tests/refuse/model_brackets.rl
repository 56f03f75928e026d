// expect 6:21: the model `net` needs a value for `H` in brackets
// expect 7:16: `net` takes 1 value in brackets, found 2
// expect 9:40: argument `p` of `h` was made for 4, but 8 is expected
use nn
model net[H](x: f32[B, 4]) = nn.dense(x, H)
fn f(key) = net.init(key)
fn g(key) = net[3, 4].init(key)
fn h(p: net[8].params, x: f32[2, 4]) = net(p, x)
fn i(key, x: f32[2, 4]) = h(net[4].init(key), x)
