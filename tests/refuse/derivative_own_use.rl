// expect 9:16: the derivative by `x` must be f32[3], not (f32[3], f32[3])
// expect 14:16: `backward` of `keyed` must give a record by the parameters' names, not f32[3]
// expect 17:14: a function with a derivative of its own cannot update `x`
// expect 25:16: a function with a derivative of its own gives arrays, not nothing
// expect 30:16: the derivative by `n` must be i32, not "n"
// A derivative of one's own that does not fit.
fn pair(x: f32[3], y: f32[3]) {
  (x, y)
} backward(dx) {
  (x = dx, y = dx)
}
fn keyed(x: f32[3]) {
  x
} backward(dy) {
  dy
}
fn changing(&x: f32[3]) {
  x = 2 * x
  x
} backward(dy) {
  (x = 2 * dy)
}
fn quiet(x: f32[3]) {
  let y = x
} backward(dy) {
  (x = dy)
}
fn scaled(x: f32[3], n: i32) {
  x * f32(n)
} backward(dy) {
  (x = dy, n = "n")
}
fn f(x: f32[3]) = grad(|v| sum(pair(v, v).0))(x)
fn g(x: f32[3]) = grad(|v| sum(keyed(v)))(x)
fn h(x: f32[3]) {
  var y = x
  changing(&y)
}
fn i(x: f32[3]) = quiet(x)
fn j(x: f32[3]) = grad(|v| sum(scaled(v, 2)))(x)
