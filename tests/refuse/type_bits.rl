// expect 18:28: `bit_and` goes by the bits of integers, not of f32[4]
// help 18:28: convert it: i32(…)
// expect 19:26: 1.5 is not an integer, and the other side is i32
// help 19:26: write an integer, or convert the other side: f32(…)
// expect 20:31: `shift_left` goes by the bits of integers, not of f32[4]
// help 20:31: convert it: i32(…)
// expect 21:43: `shift_right` goes by the bits of integers, not of f32
// help 21:43: convert it: i32(…)
// expect 22:23: `shift_right` goes by the bits of integers, not of f32[4]
// help 22:23: convert it: i32(…)
// expect 23:32: `shift_left` goes by the bits of integers, not of bool[4]
// help 23:32: convert it: i32(…)
// expect 24:38: the operands of `xor` have different element types: u32 and i32
// help 24:38: convert one of them: u32(…)
// expect 25:27: `bit_and` takes two arguments, found 1
// help 25:27: bit_and(a, b)
// The operations on bits take integers.
fn f1(x: f32[4]) = bit_and(x, 3)
fn f2(x: i32[4]) = bit_or(x, 1.5)
fn f3(x: f32[4]) = shift_left(x, 2)
fn f4(x: i32[4], n: f32) = shift_right(x, n)
fn f5(x: f32[4]) = bit(x, 2)
fn f6(x: bool[4]) = shift_left(x, 1)
fn f7(x: u32[4], y: i32[4]) = bit_xor(x, y)
fn f8(x: i32[4]) = bit_and(x)
