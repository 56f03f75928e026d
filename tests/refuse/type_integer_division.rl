// expect 8:22: `/` of integers at run time
// expect 9:23: 2.0 is not an integer, and the other side is i32
// expect 10:23: `div` takes integers, not f32[4]
// expect 11:31: `/` of integers at run time
// expect 12:26: division by zero
// expect 13:27: division by zero
// Division of integers, and by nothing.
fn f1(x: i32[4]) = x / 2
fn f2(x: i32[4]) = div(x, 2.0)
fn f3(x: f32[4]) = div(x, 2)
fn f4(x: i32[4]) { var y = x; y[0] /= 2; y }
fn f5(x: f32[4]) = x[:div(4, 0)]
fn f6(x: f32[4]) = x * (1 / 0)
