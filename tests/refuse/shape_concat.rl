// expect 8:42: `concat` along axis 0: f32[4, 3] and f32[4, 2] do not fit
// expect 9:39: `concat` along axis 0: f32[4, 3] and f32[3] do not fit
// expect 10:28: axis 2 of an array of 2 axes
// expect 11:28: `concat` takes a list of arrays
// expect 12:30: `concat` of scalars
// expect 13:36: the parts of `concat` have different element types: f32 and i32
// expect 14:37: the elements of a list do not fit together: f32[4] and f32[3] (4 against 3)
fn f(x: f32[4, 3], y: f32[4, 2]) = concat([x, y])
fn g(x: f32[4, 3], y: f32[3]) = concat([x, y])
fn h(x: f32[4, 3]) = concat([x, x], axis = 2)
fn i(x: f32[4, 3]) = concat([])
fn j(a: f32, b: f32) = concat([a, b])
fn k(x: f32[4], i: i32[4]) = concat([x, i])
fn l(x: f32[4], y: f32[3]) = [x, y] + 1
