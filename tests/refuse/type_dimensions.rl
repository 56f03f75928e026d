// expect 10:14: this type: `0 - 1` comes out as -1, which is no size
// expect 11:14: a dimension must come out as an integer, but is 2.5
// expect 12:14: a dimension must be an integer, not "a"
// expect 13:14: `n` is not known here
// expect 14:14: this type: `3 - 5` comes out as -2, which is no size
// expect 15:14: this type: `7 / 2` comes out as 3.5, which is no size
// expect 16:16: division by zero
// expect 17:27: a dimension must be known when compiling, but this is a run-time value (i32)
// Dimensions that are none.
fn f1(x: f32[0 - 1]) = x
fn f2(x: f32[2.5]) = x
fn f3(x: f32["a"]) = x
fn f4(x: f32[n]) = x
fn f5(x: f32[3 - 5]) = x
fn f6(x: f32[7 / 2]) = x
fn f7(x: f32[4 / 0]) = x
fn f8(x: i32) = zeros(f32[x])
