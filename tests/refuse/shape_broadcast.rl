// expect 4:35: the operands of `+` do not fit together: f32[4, 3] and f32[5] (3 against 5)
// expect 5:38: the two sides of `where` do not fit together: f32[4, 3] and f32[4] (3 against 4)
// Shapes that do not fit together.
fn f(x: f32[4, 3], y: f32[5]) = x + y
fn g(x: f32[4, 3], y: f32[4]) = where(x > 0, x, y)
