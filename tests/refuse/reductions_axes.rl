// expect 15:26: axis 2 of an array of 2 axes
// expect 16:26: axis 5 of an array of 2 axes
// expect 17:27: an axis must be an integer, not "rows"
// expect 18:30: `sum` has no parameter `dim`
// expect 19:26: `max` takes at most 3 arguments, found 4
// expect 20:26: `max` needs the argument `x`
// expect 21:26: `keep` must be true or false, known when compiling; this is 1
// expect 22:34: an axis must be known when compiling, but this is a run-time value (i32)
// expect 23:29: an axis must be an integer, not [0, 1]
// expect 24:30: `argmax` over an empty axis
// expect 25:27: expected an array or a number, found the function `sin`
// expect 26:28: an axis must come out as an integer, but is 1.5
// expect 27:31: `y` is not known here
// Axes of reductions.
fn f1(x: f32[3, 4]) = sum(x, axis = 2)
fn f2(x: f32[3, 4]) = sum(x, axis = [0, 5])
fn f3(x: f32[3, 4]) = mean(x, axis = "rows")
fn f4(x: f32[3, 4]) = sum(x, dim = 1)
fn f5(x: f32[3, 4]) = max(x, 0, 1, 2)
fn f6(x: f32[3, 4]) = max()
fn f7(x: f32[3, 4]) = sum(x, keep = 1)
fn f8(x: f32[3, 4], i: i32) = sum(x, axis = i)
fn f9(x: f32[3, 4]) = argmax(x, axis = [0, 1])
fn f10(x: f32[3, 0]) = argmax(x)
fn f11(x: f32[3, 4]) = sum(sin)
fn f12(x: f32[3, 4]) = mean(x, axis = 1.5)
fn f13(x: f32[3, 4]) = sum(x, y)
