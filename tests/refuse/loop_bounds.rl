// expect 9:13: the end of a range must be known when compiling, or have a bound
// expect 14:12: f32 has no axis to loop over
// expect 19:17: a loop in step over 4 and 3 items
// expect 24:12: the function `sin` cannot be looped over
// expect 27:27: the end of a range must be known when compiling, or have a bound
// expect 28:21: the end of a range must come out as an integer, but is 0.5
fn f(n: i32) {
  var y = 0.0
  for i in 0..n { y += 1 }
  y
}
fn g(x: f32) {
  var y = 0.0
  for v in x { y += v }
  y
}
fn h(x: f32[4], z: f32[3]) {
  var y = 0.0
  for (a, b) in (x, z) { y += a * b }
  y
}
fn i(x: f32[4]) {
  var y = 0.0
  for f in sin { y += 1 }
  y
}
fn j(n: i32) = each k in 0..n { k }
fn k() = scan i in 0..0.5 { i }
