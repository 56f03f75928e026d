// expect 7:24: the condition of an `if` must be one bool, not bool[4]
// expect 8:23: the condition of an `if` must be true or false, not f32
// expect 9:19: the condition of an `if` must be true or false, not i32
// expect 12:11: the condition of a `while` must be one bool, not bool[4]
// expect 17:9: the condition of a `while` must be one bool, not 1
// expect 20:22: `keep` must be true or false, known when compiling; this is bool
fn f(x: f32[4]) = if x > 0 { x } else { -x }
fn g(x: f32[4]) = if x[0] { x } else { -x }
fn h(n: i32) = if n { 1.0 } else { 2.0 }
fn i(x: f32[4]) {
  var y = x
  while y > 0 { y -= 1 }
  y
}
fn j(x: f32[4]) {
  var y = x
  while 1 { y -= 1 }
  y
}
fn k(x: f32[4]) = sum(x, keep = x[0] > 0)
