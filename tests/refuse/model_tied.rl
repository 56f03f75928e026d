// expect 6:28: the parameter `shared.dense.w` is f32[4, 4] here, and f32[3, 4] before
// expect 11:21: the operands of `+` do not fit together: f32[1, 3] and f32[1, 2] (3 against 2)
// One layer at two places of unequal shapes.
use nn
model tied(x: f32[B, 3]) {
  let shared = |v| nn.dense(v, 4)
  shared(x) + shared(shared(x))
}
model fitting(x: f32[B, 3]) {
  let shared = |v| nn.dense(v, 3)
  shared(shared(x)) + nn.dense(x, 2)
}
