// expect 7:29: an index must be an integer, not f32
// expect 8:36: an index must be an integer, not bool[4]
// expect 9:29: a bound must be known when compiling, but this is a run-time value (i32)
// expect 10:44: index arrays must stand on neighbouring axes
// expect 11:21: expected an array or a number, found "a"
// expect 12:29: the length of a window must be known when compiling, but this is a run-time value (i32)
fn f(x: f32[4], i: f32) = x[i]
fn g(x: f32[4], mask: bool[4]) = x[mask]
fn h(x: f32[4], i: i32) = x[i:3]
fn i(x: f32[4, 3, 2], a: i32[5]) = x[a, :, a]
fn j(x: f32[4]) = x["a"]
fn k(x: f32[4], n: i32) = x[0 +: n]
