// expect 8:66: `conv2d_transpose`: x has 16 channels, and w has 8 outputs
// expect 9:67: unknown padding "full"
// expect 10:61: `conv1d_transpose` of 16 outputs in 5 groups
// expect 11:58: `conv1d_transpose` of f32[2, 8, 16] by f32[3, 16]
// expect 12:61: a stride of 0
// expect 13:68: `conv1d_transpose` has no parameter `output_padding`
// The adjoint of a convolution takes its result and its kernel.
fn f1(x: f32[2, 8, 8, 16], w: f32[3, 3, 3, 8]) = conv2d_transpose(x, w)
fn f2(x: f32[2, 8, 8, 16], w: f32[3, 3, 3, 16]) = conv2d_transpose(x, w, pad = "full")
fn f3(x: f32[2, 8, 16], w: f32[3, 3, 16]) = conv1d_transpose(x, w, groups = 5)
fn f4(x: f32[2, 8, 16], w: f32[3, 16]) = conv1d_transpose(x, w)
fn f5(x: f32[2, 8, 16], w: f32[3, 3, 16]) = conv1d_transpose(x, w, stride = 0)
fn f6(x: f32[2, 8, 16], w: f32[3, 3, 16]) = conv1d_transpose(x, w, output_padding = 1)
