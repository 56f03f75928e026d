// expect 9:23: expected an array or a number, found "3"
// expect 10:20: `f16` is not known here
// expect 11:20: `int` is not known here
// expect 12:23: `f32` takes at most 1 argument, found 2
// expect 13:20: a key is no number
// expect 14:23: expected an array or a number, found the function `sin`
// expect 15:31: `float` is not known here
// What a cast takes.
fn f1(x: f32[4]) = i32("3")
fn f2(x: f32[4]) = f16(x)
fn f3(x: f32[4]) = int(x)
fn f4(x: f32[4]) = f32(x, i32)
fn f5(k: key) = f32(k)
fn f6(x: f32[4]) = i32(x = sin)
fn f7(x: f32[4]) = zeros([4], float)
