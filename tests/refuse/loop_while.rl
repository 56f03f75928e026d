// expect 10:34: the condition of a `while` must be one bool, not f32
// expect 11:39: the condition of a `while` must be one bool, not bool[3]
// expect 12:48: the operands of `+` have different element types: i32 and f32
// expect 13:31: `x` cannot be assigned: it is a parameter
// expect 14:41: the condition of a `while` must be one bool, not (bool, bool)
// expect 15:34: the condition of a `while` must be one bool, not "go"
// expect 16:40: `and` of 1, which is no bool
// expect 17:28: `log` inside a `while`
// The condition of a while, and what it changes.
fn f1(x: f32) { var y = x; while y { y = y - 1 }; y }
fn f2(x: f32[3]) { var y = x; while y > 0 { y = y - 1 }; y }
fn f3(x: f32) { var y = 0; while y < 3 { y = y + x }; y }
fn f4(x: f32) { while x > 0 { x = x - 1 }; x }
fn f5(x: f32) { var y = (x, x); while y > 0 { y -= 1 }; y }
fn f6(x: f32) { var y = x; while "go" { y -= 1 }; y }
fn f7(x: f32) { var y = x; while y > 0 and 1 { y -= 1 }; y }
fn f8(x: f32) { var n = 0; while n < 3 { n += 1; log seen = n }; n }
