// expect 9:32: the operands of `+` have different element types: f32 and i32
// expect 10:32: the operands of `*` have different element types: f32 and i64
// expect 11:21: `/` of integers at run time
// expect 12:22: 0.5 is not an integer, and the other side is i32
// expect 13:21: `and` of f32[4], which is no bool
// expect 14:22: the operands of `+` are bools, but must be numbers
// expect 15:19: `not` of f32[4], which is no bool
// expect 16:30: the operands of `+` have different element types: u8 and i8
fn f(x: f32[4], i: i32[4]) = x + i
fn g(x: f32[4], i: i64[4]) = x * i
fn h(i: i32[4]) = i / 2
fn ii(i: i32[4]) = i + 0.5
fn j(x: f32[4]) = x and true
fn k(b: bool[4]) = b + 1
fn l(x: f32[4]) = not x
fn m(u: u8[4], i: i8[4]) = u + i
