// expect 18:34: the condition of a `while` must be one bool, not f32
// help 18:34: compare: x > 0
// expect 19:39: the condition of a `while` must be one bool, not bool[3]
// help 19:39: any(c) and all(c) make one bool of many
// expect 20:48: the operands of `+` have different element types: i32 and f32
// help 20:48: convert the integers: f32(…); a variable that begins as 0 is one, as 0.0 it is real
// expect 21:31: `x` cannot be assigned: it is a parameter
// help 21:31: mark the parameter with `&`, or copy it: `var y = x`
// expect 22:41: the condition of a `while` must be one bool, not (bool, bool)
// help 22:41: compare: x > 0
// expect 23:34: the condition of a `while` must be one bool, not "go"
// help 23:34: compare: x > 0
// expect 24:40: `and` of 1, which is no bool
// help 24:40: compare first: x > 0; bit_and, bit_or and bit_xor work on the bits of integers
// expect 25:28: `log` inside a `while`
// help 25:28: log behind the loop
// The condition of a while, and what it changes.
fn f1(x: f32) { var y = x; while y { y = y - 1 }; y }
fn f2(x: f32[3]) { var y = x; while y > 0 { y = y - 1 }; y }
fn f3(x: f32) { var y = 0; while y < 3 { y = y + x }; y }
fn f4(x: f32) { while x > 0 { x = x - 1 }; x }
fn f5(x: f32) { var y = (x, x); while y > 0 { y -= 1 }; y }
fn f6(x: f32) { var y = x; while "go" { y -= 1 }; y }
fn f7(x: f32) { var y = x; while y > 0 and 1 { y -= 1 }; y }
fn f8(x: f32) { var n = 0; while n < 3 { n += 1; log seen = n }; n }
