// expect 10:24: the index 4 is outside of an axis of 4
// expect 11:24: the index -5 is outside of an axis of 4
// expect 12:29: the bound 5 is outside of an axis of 3
// expect 13:24: the slice 3:1 ends before it begins
// expect 14:24: the window 2 +: 3 leaves an axis of 4
// expect 15:32: a window of 5 in an axis of 4
// expect 16:32: more than one `...` in an index
// expect 17:20: the index 3 is outside of a list of 3
// Indices known while compiling are checked while compiling.
fn f(x: f32[4, 3]) = x[4]
fn g(x: f32[4, 3]) = x[-5]
fn h(x: f32[4, 3]) = x[:, 1:5]
fn i(x: f32[4, 3]) = x[3:1]
fn j(x: f32[4, 3]) = x[2 +: 3]
fn k(x: f32[4, 3], n: i32) = x[n +: 5]
fn l(x: f32[4, 3]) = x[..., 0, ...]
fn m() = [1, 2, 3][3]
