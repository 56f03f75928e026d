// expect 16:56: the operands of `+` have different element types: i32 and f32
// help 16:56: convert the integers: f32(…); a variable that begins as 0 is one, as 0.0 it is real
// expect 17:39: `h` is bool before the loop and f32 after a turn
// help 17:39: let it begin as what a turn makes of it, or give it back as it was: bool(…)
// expect 18:37: `h` is f32 before the loop and bool after a turn
// help 18:37: let it begin as what a turn makes of it, or give it back as it was: f32(…)
// expect 19:35: `h` is i32 before the loop and bool after a turn
// help 19:35: let it begin as what a turn makes of it, or give it back as it was: i32(…)
// expect 20:37: `h` is "a": a loop cannot carry it
// help 20:37: use `unroll` for what is known while compiling
// expect 21:28: `y` is f32 before the loop and i32 after a turn
// help 21:28: let it begin as what a turn makes of it, or give it back as it was: f32(…)
// expect 22:32: `n` is bool before the loop and f32 after a turn
// help 22:32: let it begin as what a turn makes of it, or give it back as it was: bool(…)
// What a loop carries keeps its element type.
fn f1(xs: f32[6, 3]) { var h = 0; scan x in xs { h = h + sum(x); h } }
fn f2(xs: f32[6, 3]) { var h = false; scan x in xs { h = sum(x); 1 } }
fn f3(xs: f32[6, 3]) { var h = 0.0; scan x in xs { h = sum(x) > 0; 1 } }
fn f4(xs: f32[6, 3]) { var h = 0; scan x in xs { h = sum(x) > 0; 1 } }
fn f5(xs: f32[6, 3]) { var h = "a"; for x in xs { h = "b" }; 1 }
fn f6(x: f32) { var y = x; while y > 0 { y = i32(y) }; y }
fn f7(x: f32) { var n = false; while not n { n = x }; n }
