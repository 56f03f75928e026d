// expect 9:21: an index must come out as an integer, but is 1.5
// expect 10:12: division by zero
// expect 11:12: remainder of a division by zero
// expect 12:21: 1.5 is not an integer, and the other side is i32
// expect 13:19: expected a bool, found the number 1
// expect 14:17: `@` needs at least one axis on both sides: i32[2] and i32
// expect 15:23: expected an array or a number, found "a"
// What numbers cannot do.
fn f(x: f32[4]) = x[1.5]
fn g() = 1 / 0
fn h() = 5 % 0
fn i(x: i32[4]) = x + 1.5
fn j(b: bool) = b == 1
fn k() = [1, 2] @ 3
fn l(x: f32[4]) = "a" + x
