// expect 5:3: a `while` cannot be differentiated in reverse
// A `while` has no reverse; where its result is not differentiated it does no harm.
fn halve(x: f32) {
  var y = x
  while y > 1 { y /= 2 }
  y
}
fn inside(x: f32[4]) = sum(each v in x { halve(v) })
fn in_scan(x: f32[4]) {
  var s = 0.0
  for v in x { s += halve(v) }
  s
}
fn harmless(x: f32) = x * stop_grad(halve(x)) + f32(i32(halve(x)))
fn beside(x: f32) = (x^2, halve(x))
fn f(x: f32) = grad(halve)(x)
fn g(x: f32[4]) = grad(in_scan)(x)
fn h(x: f32) = (grad(harmless)(x), grad(beside)(x), jvp(halve, 1.0)(x))
