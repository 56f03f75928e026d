// expect 8:20: the condition of an `if` must be true or false, not "a"
// expect 9:20: the condition of an `if` must be true or false, not 1
// expect 10:27: axis 1 of an array of 1 axis
// expect 11:22: the condition of an `if` must be true or false, not (bool, bool)
// expect 12:31: expected an array or a number, found the function `sin`
// expect 13:22: the condition of `where` must be bool, not f32
// Conditions are one bool.
fn f1(x: f32) = if "a" { 1 } else { 2 }
fn f2(x: f32) = if 1 { 1 } else { 2 }
fn f3(x: bool[3]) = if all(x, axis = 1) { 1 } else { 2 }
fn f4(x: f32) = if x == (1, 2) { 1 } else { 2 }
fn f5(x: f32, c: bool) = where(c, sin, cos)(x)
fn f6(x: f32) = where(x, x, 0)
