// expect 4:9: the parameter `w` is f32[8] here, but was made as f32[1]
// Parameters do not depend on a batch.
model net(x: f32[B, 4]) -> f32[B] {
  param w: f32[B] = zeros
  w * sum(x, axis = -1)
}
fn f(key, x: f32[8, 4]) = net(net.init(key), x)
