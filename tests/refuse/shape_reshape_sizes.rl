// expect 8:30: `reshape` of f32[4, 3] (12 elements) to a shape of 5 elements
// expect 9:30: `reshape` of f32[4, 3] to a shape of more than 2^63 elements
// expect 10:24: `reshape` of f32 (1 element) to a shape of 2 elements
// expect 11:28: the parts are longer than the axis of 3
// expect 12:30: `flatten` of 0 axes of f32[4, 3]
// expect 13:27: the shape and the value of `full` do not fit together: f32[2] and f32[4, 3] (2 against 3)
// Sizes of a reshape.
fn f1(x: f32[4, 3]) = reshape(x, [5, -1])
fn f2(x: f32[4, 3]) = reshape(x, [3_000_000_000, 3_000_000_000, 3_000_000_000])
fn f3(x: f32) = reshape(x, [2])
fn f4(x: f32[4, 3]) = parts(x, [2, 9_223_372_036_854_775_807])
fn f5(x: f32[4, 3]) = flatten(x, 0)
fn f6(x: f32[4, 3]) = full([2], x)
