// expect 20:43: the result of `f1` must be f32[4], not f64[4]
// help 20:43: convert it: f32(…)
// expect 21:23: the result of `f2` must be i8, not i32
// help 21:23: convert it: i8(…)
// expect 22:24: the result of `f3` must be f32, not f64
// help 22:24: convert it: f32(…)
// expect 23:24: the result of `f4` must be i32, not f32
// help 23:24: convert it: i32(…)
// expect 24:27: the operands of `+` have different element types: u64 and i64
// help 24:27: convert one of them: u64(…)
// expect 25:34: the operands of `*` have different element types: bf16 and i32
// help 25:34: convert the integers: bf16(…); a variable that begins as 0 is one, as 0.0 it is real
// expect 26:36: the two sides of `where` have different element types: i64 and f32
// help 26:36: convert the integers: f32(…); a variable that begins as 0 is one, as 0.0 it is real
// expect 27:30: the operands of `*` have different element types: f32 and i64
// help 27:30: convert the integers: f32(…); a variable that begins as 0 is one, as 0.0 it is real
// expect 28:19: 0.5 is not an integer, and the other side is i32
// help 28:19: write an integer, or convert the other side: f32(…)
// Conversions that would lose something are written out.
fn f1(x: f32[4], y: f64[4]) -> f32[4] = x + y
fn f2(i: i32) -> i8 = i
fn f3(x: f64) -> f32 = x
fn f4(x: f32) -> i32 = x
fn f5(x: u64, y: i64) = x + y
fn f6(x: bf16[4], y: i32[4]) = x * y
fn f7(x: i64[4], y: f32[4]) = where(x > 0, x, y)
fn f8(x: f32[4], n: i64) = x * n
fn f9(x: i32) = x == 0.5
