// expect 5:52: `conv2d` of f32[8, 8, 3] by f32[3, 3, 3, 16]
// expect 6:55: `conv2d`: x has 3 channels, and w takes 4 in 1 group
// expect 7:55: a stride of 0
// expect 8:55: unknown padding "valid"
fn f(x: f32[8, 8, 3], w: f32[3, 3, 3, 16]) = conv2d(x, w)
fn g(x: f32[2, 8, 8, 3], w: f32[3, 3, 4, 16]) = conv2d(x, w)
fn h(x: f32[2, 8, 8, 3], w: f32[3, 3, 3, 16]) = conv2d(x, w, stride = 0)
fn i(x: f32[2, 8, 8, 3], w: f32[3, 3, 3, 16]) = conv2d(x, w, pad = "valid")
fn j(x: f32[2, 2, 2, 3], w: f32[3, 3, 3, 16]) = conv2d(x, w)
