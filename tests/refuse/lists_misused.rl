// expect 15:20: an empty list has no element type: it cannot become an array
// expect 16:27: the index 5 is outside of a list of 3
// expect 17:24: an index must be an integer, not f32
// expect 18:28: what a list of functions, types or texts is indexed by must be known when compiling, not i32
// expect 19:20: `len` of a scalar
// expect 20:24: the operands of `+` do not fit together: i32[2] and i32[3] (2 against 3)
// expect 21:22: the operands of `+` do not fit together: f32[3] and f32[2] (3 against 2)
// expect 22:30: expected an array, found the record (1, 2)
// expect 23:21: expected an array or a number, found "a"
// expect 24:22: expected an array or a number, found "a"
// expect 25:27: `ends_with` takes two texts
// expect 26:23: `error` takes a text
// expect 27:26: `contains` takes two texts
// Lists are values of the compiler.
fn f1(x: f32) = [] + x
fn f2(x: f32) = [1, 2, 3][5]
fn f3(x: f32) = [1, 2][x]
fn f4(i: i32) = [sin, cos][i](1.0)
fn f5(x: f32) = len(x)
fn f6(x: f32) = [1, 2] + [1, 2, 3]
fn f7(x: f32[3]) = x + [1.0, 2.0]
fn f8(x: f32) = [(1, 2), (3, 4)]
fn f9(x: f32) = "a" + x
fn f10(x: f32) = "a" < "b"
fn f11(x: f32) = ends_with(x, "w")
fn f12(x: f32) = error(x)
fn f13(x: f32) = contains("abc", 3)
