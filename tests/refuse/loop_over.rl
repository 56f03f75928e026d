// expect 11:29: 2 names for f32[3]
// expect 12:37: 6 cannot be looped over
// expect 13:34: 5 cannot be looped over
// expect 14:34: a loop in step over 6 and 7 items
// expect 15:45: a bound must be known when compiling, but this is a run-time value (i32)
// expect 16:27: f32 has no axis to loop over
// expect 17:30: "abc" cannot be looped over
// expect 18:39: the end of a range must be known when compiling, or have a bound
// expect 19:46: a loop of more than 2^31 turns
// What loops go over.
fn f1(xs: f32[6, 3]) { scan (x, y) in xs { x } }
fn f2(xs: f32[6, 3]) { scan i in len(xs) { xs[i] } }
fn f3(xs: f32[6, 3]) { scan x in (xs, 5) { x } }
fn f4(xs: f32[6, 3]) { scan x in (a = xs, b = 0..7) { x.a } }
fn f5(xs: f32[6, 3], n: i32) { scan x in xs[n:] { x } }
fn f6(x: f32) { each v in x { v } }
fn f7(x: f32[4]) { each v in "abc" { v } }
fn f8(x: f32[4], n: i32) { each i in 0..n { i } }
fn f9() { for i in -9_000_000_000_000_000_000..9_000_000_000_000_000_000 { log a = i } }
