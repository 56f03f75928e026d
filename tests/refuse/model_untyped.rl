// expect 4:38: the parameter `dense.w` depends on an argument of the model that has no type
// What parameters' shapes depend on must be known without the call's arguments.
use nn
model net(x: f32[B, 2], f) = nn.dense(f(x), 2)
fn g(key) = net(net.init(key), ones([3, 2]), |x| x)
