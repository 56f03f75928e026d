// expect 5:38: `@`: inner sizes differ, f32[8, 4] @ f32[3, 2] (4 against 3)
// expect 6:24: `@` needs at least one axis on both sides: f32[8, 4] and f32
// expect 7:44: the leading axes of `@` do not fit together: f32[5] and f32[6] (5 against 6)
// expect 8:39: the operands of `@` have different element types: f32 and bool
fn f(x: f32[8, 4], w: f32[3, 2]) = x @ w
fn g(x: f32[8, 4]) = x @ 2.0
fn h(x: f32[5, 8, 4], w: f32[6, 4, 2]) = x @ w
fn i(x: f32[8, 4], b: bool[4, 2]) = x @ b
