// expect 10:28: `bit_and` goes by the bits of integers, not of f32[4]
// expect 11:26: 1.5 is not an integer, and the other side is i32
// expect 12:31: `shift_left` goes by the bits of integers, not of f32[4]
// expect 13:43: `shift_right` goes by the bits of integers, not of f32
// expect 14:23: `shift_right` goes by the bits of integers, not of f32[4]
// expect 15:32: `shift_left` goes by the bits of integers, not of bool[4]
// expect 16:38: the operands of `xor` have different element types: u32 and i32
// expect 17:27: `bit_and` takes two arguments, found 1
// The operations on bits take integers.
fn f1(x: f32[4]) = bit_and(x, 3)
fn f2(x: i32[4]) = bit_or(x, 1.5)
fn f3(x: f32[4]) = shift_left(x, 2)
fn f4(x: i32[4], n: f32) = shift_right(x, n)
fn f5(x: f32[4]) = bit(x, 2)
fn f6(x: bool[4]) = shift_left(x, 1)
fn f7(x: u32[4], y: i32[4]) = bit_xor(x, y)
fn f8(x: i32[4]) = bit_and(x)
