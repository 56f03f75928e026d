// expect 6:9: an initial value must not depend on run-time values
// expect 10:9: this lambda takes 1 argument, but is called with 2
// expect 14:9: the initial value of `w` must be f32[4], not f32[3]
use nn
model a(x: f32[B, 4]) {
  param w: f32[4] = x[0]
  x @ w
}
model b(x: f32[B, 4]) {
  param w: f32[4] = |key| normal(key, [4])
  x @ w
}
model c(x: f32[B, 4]) {
  param w: f32[4] = |key, shape| zeros([3])
  x @ w
}
