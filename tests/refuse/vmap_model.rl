// expect 7:46: `vmap` over axes of 3 and 2
// expect 8:58: `axes` must be a list of 2
// expect 9:46: `grad` needs a function that gives one real number, not f32[2, 2]
// A model's parameters are shared by all lanes, which has to be said.
use nn
model net(x: f32[B, 3]) -> f32[B, 2] = nn.dense(x, 2)
fn f1(key) { let p = net.init(key); vmap(net)(p, ones([5, 2, 3])) }
fn f2(key) { let p = net.init(key); vmap(net, axes = [0])(p, ones([5, 2, 3])) }
fn f3(key) { let p = net.init(key); grad(net)(p, ones([2, 3])) }
