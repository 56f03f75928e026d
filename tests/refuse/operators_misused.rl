// expect 15:22: `and` of f32[3], which is no bool
// expect 16:33: the operands of `==` do not fit together: f32[3] and f32[4] (3 against 4)
// expect 17:22: `@` needs at least one axis on both sides: f32[3] and f32
// expect 18:22: expected an array or a number, found "2"
// expect 19:24: expected an array or a number, found the function `sin`
// expect 20:20: expected an array or a number, found "a"
// expect 21:24: expected an array or a number, found the function `f32`
// expect 22:23: `sin` takes at most 1 argument, found 2
// expect 23:22: the operands of `%` have different element types: f32 and bool
// expect 24:22: the operands of `^` have different element types: f32 and bool
// expect 25:22: the operands of `^` must be floats, not i32
// expect 26:21: `not` of 3, which is no bool
// expect 27:29: axis 1 of an array of 1 axis
// Operators on what they do not take.
fn f1(x: f32[3]) = x and x
fn f2(x: f32[3], y: f32[4]) = x == y
fn f3(x: f32[3]) = x @ 2
fn f4(x: f32[3]) = x ^ "2"
fn f5(x: f32[3]) = sin + x
fn f6(x: f32[3]) = -"a"
fn f7(x: f32[3]) = f32 * x
fn f8(x: f32[3]) = sin(x, x)
fn f9(x: f32[3]) = x % true
fn f10(x: f32[3]) = x^true
fn f11(x: i32[3]) = x^-1
fn f12(x: f32[3]) = not 3
fn f13(x: f32[3]) = x |> sum(axis = 1)
