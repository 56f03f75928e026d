// expect 10:19: `N` is not known here
// expect 15:3: `w` cannot be assigned: it is a parameter of the model
// expect 19:9: the initial value of `w` is [1.0, 2.0], neither a number nor a function
// expect 23:9: the initial value of `w` is "he", neither a number nor a function
// expect 28:9: `w` is named twice in one block
// expect 33:5: the operands of `*` do not fit together: f32[1, 3] and f32[4] (3 against 4)
// Parameters of a model, as they are declared.
use nn
model one(x: f32[B, 3]) {
  param w: f32[3, N] = nn.lecun
  x @ w
}
model two(x: f32[B, 3]) {
  param w: f32[3] = ones
  w = x
  x * w
}
model three(x: f32[B, 3]) {
  param w: f32[3] = [1.0, 2.0]
  x * w
}
model four(x: f32[B, 3]) {
  param w: f32[3] = "he"
  x * w
}
model five(x: f32[B, 3]) {
  param w: f32[3] = ones
  param w: f32[3] = zeros
  x * w
}
model six(x: f32[B, 3]) {
  param w: f32[4] = ones
  x * w
}
