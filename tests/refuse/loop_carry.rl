// expect 9:16: the operands of `+` have different element types: i32 and f32
// expect 14:3: `y` after a turn must be f32[4], not f32[8]
// expect 19:3: `y` after a turn must be f32, not (f32, f32)
// expect 23:7: `f` hides a name of the file
// expect 24:3: `f` is the function `sin`: a loop cannot carry it
// A variable that a loop carries keeps its type.
fn f(x: f32[4]) {
  var y = 0
  for v in x { y += v }
  y
}
fn g(x: f32[4]) {
  var y = x
  for i in 0..3 { y = concat([y, x]) }
  y
}
fn h(x: f32[4]) {
  var y = 0.0
  for v in x { y = (v, v) }
  y
}
fn i(x: f32[4]) {
  var f = sin
  for v in x { f = cos }
  f(x)
}
