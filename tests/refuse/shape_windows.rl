// expect 11:33: a bound must be known when compiling, but this is a run-time value (i32)
// expect 12:33: a bound must be known when compiling, but this is a run-time value (i32)
// expect 13:33: a window of 5 in an axis of 4
// expect 14:41: the length of a window must be known when compiling, but this is a run-time value (i32)
// expect 15:33: an index must be an integer, not f32
// expect 16:25: an index must be an integer, not bool[4, 3]
// expect 17:22: an index must be an integer, not bool
// expect 18:22: expected an array or a number, found "a"
// expect 19:21: 2 indices into f32[4]
// Slices whose bounds are known at run time only.
fn f1(x: f32[4, 3], i: i32) = x[i:]
fn f2(x: f32[4, 3], i: i32) = x[i:i + 2]
fn f3(x: f32[4, 3], i: i32) = x[i +: 5]
fn f4(x: f32[4, 3], i: i32, n: i32) = x[i +: n]
fn f5(x: f32[4, 3], i: f32) = x[i +: 2]
fn f6(x: f32[4, 3]) = x[x > 0]
fn f7(x: f32[4]) = x[true]
fn f8(x: f32[4]) = x["a"]
fn f9(x: f32[4]) = x[1, 2]
