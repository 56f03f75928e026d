// expect 6:14: `x` cannot be updated: it is a parameter
// expect 10:19: `zip` is not known here
// expect 15:16: this cannot be assigned
// An element marked & goes back to a place.
fn f(x: f32[4]) {
  each &v in x { v += 1 }
}
fn g(x: f32[4]) {
  var y = x
  each (&v, w) in zip(y, x) { v += w }
  y
}
fn h(x: f32[4]) {
  var y = x
  each &v in y + 1 { v = 0.0 }
  y
}
