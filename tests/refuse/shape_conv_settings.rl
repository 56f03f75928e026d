// expect 12:56: a stride of [2, 2, 2]
// expect 13:56: a stride must come out as an integer, but is 1.5
// expect 14:56: unknown padding "SAME"
// expect 15:56: a padding of -1
// expect 16:63: `conv2d` has no parameter `padding`
// expect 17:56: a dilation of 0
// expect 18:56: `conv2d` of 16 outputs in 3 groups
// expect 19:56: `conv2d` of 15 outputs in 2 groups
// expect 20:64: a stride must be known when compiling, but this is a run-time value (i32)
// expect 21:51: a stride of [2, 2]
// Stride, padding, dilation and groups of a convolution.
fn f1(x: f32[2, 8, 8, 3], w: f32[3, 3, 3, 16]) = conv2d(x, w, stride = [2, 2, 2])
fn f2(x: f32[2, 8, 8, 3], w: f32[3, 3, 3, 16]) = conv2d(x, w, stride = 1.5)
fn f3(x: f32[2, 8, 8, 3], w: f32[3, 3, 3, 16]) = conv2d(x, w, pad = "SAME")
fn f4(x: f32[2, 8, 8, 3], w: f32[3, 3, 3, 16]) = conv2d(x, w, pad = -1)
fn f5(x: f32[2, 8, 8, 3], w: f32[3, 3, 3, 16]) = conv2d(x, w, padding = 1)
fn f6(x: f32[2, 8, 8, 3], w: f32[3, 3, 3, 16]) = conv2d(x, w, dilation = 0)
fn f7(x: f32[2, 8, 8, 3], w: f32[3, 3, 3, 16]) = conv2d(x, w, groups = 3)
fn f8(x: f32[2, 8, 8, 4], w: f32[3, 3, 2, 15]) = conv2d(x, w, groups = 2)
fn f9(x: f32[2, 8, 8, 3], w: f32[3, 3, 3, 16], s: i32) = conv2d(x, w, stride = s)
fn f10(x: f32[2, 8, 3], w: f32[3, 3, 16]) = conv1d(x, w, stride = [2, 2])
