// expect 11:47: `each` cannot change `s`, which is outside of it
// expect 12:46: `v` must be f32, not f32[2]
// expect 13:46: `v` must be f32, not bool
// expect 14:47: a loop in step over 4 and 3 items
// expect 15:34: `v` cannot be assigned: it is a loop's variable
// expect 16:31: `x` cannot be updated: it is a parameter
// expect 17:36: only `each` writes its elements back
// expect 18:45: `each` cannot change `y`, which is outside of it
// expect 19:25: 2 names for f32
// What the lanes of an each may change, and what comes back.
fn f1(x: f32[4]) { var s = 0.0; each v in x { s += v }; s }
fn f2(x: f32[4]) { var y = x; each &v in y { v = [v, v] }; y }
fn f3(x: f32[4]) { var y = x; each &v in y { v = v > 0 }; y }
fn f4(x: f32[4]) { var y = x; each (&v, w) in (y, x[:3]) { v = w }; y }
fn f5(x: f32[4]) { each v in x { v = 2 * v; v } }
fn f6(x: f32[4]) { each &v in x[1:] { v = 1 } }
fn f7(x: f32[4]) { var y = x; for &v in y { v = 1 }; y }
fn f8(x: f32[4]) { var y = x; each v in y { y[0] = v }; y }
fn f9(x: f32[4]) { each (a, b) in x { a } }
