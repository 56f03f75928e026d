// expect 11:25: the value of this `if`: one branch gives f32, the other i32
// expect 12:28: the value of this `if`: one branch gives f32, the other f32[3]
// expect 13:28: `y`: one branch gives [f32, f32], the other f32
// expect 14:28: `y`: one branch gives 1, the other "a"
// expect 15:17: the value of this `if`: one branch gives (f32, 1), the other (f32, 1.5, 2)
// expect 16:17: the value of this `if`: one branch gives (a: f32), the other f32
// expect 17:17: expected a bool, found the number 0
// expect 18:25: the value of this `if`: one branch gives key, the other f32
// expect 19:41: `y` is not known here
// Both branches of an if give one type.
fn f1(x: f32, y: i32) = if x > 0 { x } else { y }
fn f2(x: f32, y: f32[3]) = if x > 0 { x } else { y }
fn f3(x: f32) { var y = x; if x > 0 { y = [x, x] }; y }
fn f4(x: f32) { var y = x; if x > 0 { y = 1 } else { y = "a" }; y }
fn f5(x: f32) = if x > 0 { (x, 1) } else { (x, 1.5, 2) }
fn f6(x: f32) = if x > 0 { (a = x) } else { x }
fn f7(x: f32) = if x > 0 { true } else { 0 }
fn f8(x: f32, k: key) = if x > 0 { k } else { x }
fn f9(x: f32) { if x > 0 { let y = x }; y }
