// expect 9:56: the operands of `+` have different element types: i32 and f32
// expect 10:39: `h` is bool before the loop and f32 after a turn
// expect 11:37: `h` is f32 before the loop and bool after a turn
// expect 12:35: `h` is i32 before the loop and bool after a turn
// expect 13:37: `h` is "a": a loop cannot carry it
// expect 14:28: `y` is f32 before the loop and i32 after a turn
// expect 15:32: `n` is bool before the loop and f32 after a turn
// What a loop carries keeps its element type.
fn f1(xs: f32[6, 3]) { var h = 0; scan x in xs { h = h + sum(x); h } }
fn f2(xs: f32[6, 3]) { var h = false; scan x in xs { h = sum(x); 1 } }
fn f3(xs: f32[6, 3]) { var h = 0.0; scan x in xs { h = sum(x) > 0; 1 } }
fn f4(xs: f32[6, 3]) { var h = 0; scan x in xs { h = sum(x) > 0; 1 } }
fn f5(xs: f32[6, 3]) { var h = "a"; for x in xs { h = "b" }; 1 }
fn f6(x: f32) { var y = x; while y > 0 { y = i32(y) }; y }
fn f7(x: f32) { var n = false; while not n { n = x }; n }
