// expect 9:56: the operands of `conv2d` have different element types: f32 and i32
// expect 10:56: `conv2d`: x has 8 channels, and w takes 3 in 1 group
// expect 11:53: `conv1d` of f32[2, 8, 3] by f32[3, 3, 3, 16]
// expect 12:50: `conv1d`: x has 3 channels, and w takes 4 in 1 group
// expect 13:58: `conv2d` multiplies and adds numbers, not bools
// expect 14:56: `conv2d` by an empty kernel, f32[0, 3, 3, 16]
// expect 15:35: `conv2d` needs the argument `w`
// What a convolution is of.
fn f1(x: f32[2, 8, 8, 3], w: i32[3, 3, 3, 16]) = conv2d(x, w)
fn f2(x: f32[2, 3, 8, 8], w: f32[16, 3, 3, 3]) = conv2d(x, w)
fn f3(x: f32[2, 8, 3], w: f32[3, 3, 3, 16]) = conv1d(x, w)
fn f4(x: f32[2, 8, 3], w: f32[3, 4, 16]) = conv1d(x, w)
fn f5(x: bool[2, 8, 8, 3], w: bool[3, 3, 3, 16]) = conv2d(x, w)
fn f6(x: f32[2, 8, 8, 3], w: f32[0, 3, 3, 16]) = conv2d(x, w)
fn f7(x: f32[2, 8, 8, 3]) = conv2d(x)
