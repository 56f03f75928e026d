// expect 9:8: `push` updates `s`: the call must say so
// expect 13:9: `x` cannot be updated: it is a parameter
// expect 18:8: `sum` does not update its arguments
// expect 23:13: one call updates the same place twice
// `&` stands at both ends, on something that can be updated.
fn push(&s: f32[4], v) { s[0] = v }
fn f(x: f32[4]) {
  var y = x
  push(y, 1.0)
  y
}
fn g(x: f32[4]) {
  push(&x, 1.0)
  x
}
fn h(x: f32[4]) {
  var y = x
  sum(&y)
}
fn both(&a: f32[4], &b: f32[4]) { a = b }
fn i(x: f32[4]) {
  var y = x
  both(&y, &y)
  y
}
