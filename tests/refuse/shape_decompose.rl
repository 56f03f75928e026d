// expect 17:24: `lu` takes square matrices, not f32[3, 5]
// expect 18:26: `eigh` takes square matrices, not f32[3, 5]
// expect 19:25: `svd` takes f32 or f64, not i32[3, 5]
// expect 20:26: `eigvals` of f32[3]
// expect 21:23: `fft` takes floats or complex numbers, not bool[3]
// expect 22:19: `fft` of a scalar
// expect 23:45: argument `b` of `solve_columns` must be float[N = 3, M], not f32[4, 1]
// expect 24:32: `lu` takes square matrices, not f32[3, 5]
// expect 25:48: `conv1d`: x has 3 channels, and w takes 4 in 1 group
// expect 26:64: `conv2d_transpose`: x has 3 channels, and w has 8 outputs
// expect 27:54: a stride of 0
// expect 28:39: nn: a pooling window is larger than its image
// expect 29:48: `conv2d` of f32[2, 5, 3] by f32[3, 3, 8]
// expect 30:48: unknown padding "valid"
// expect 31:23: the bound 5 is outside of an axis of 4
use linalg, signal, nn
fn a(x: f32[3, 5]) = lu(x)
fn b(x: f32[3, 5]) = eigh(x)
fn c(x: i32[3, 5]) = svd(x)
fn d(x: f32[3]) = eigvals(x)
fn e(x: bool[3]) = fft(x)
fn f(x: f32) = fft(x)
fn g(x: f32[3, 3], y: f32[4]) = linalg.solve(x, y)
fn h(x: f32[3, 5]) = linalg.det(x)
fn i(x: f32[2, 5, 3], w: f32[3, 4, 8]) = conv1d(x, w)
fn j(x: f32[2, 5, 5, 3], w: f32[3, 3, 3, 8]) = conv2d_transpose(x, w)
fn k(x: f32[2, 5, 5, 3], w: f32[3, 3, 3, 8]) = conv2d(x, w, stride = 0)
fn l(x: f32[2, 5, 5, 3]) = nn.max_pool(x, 7)
fn m(x: f32[2, 5, 3], w: f32[3, 3, 8]) = conv2d(x, w)
fn n(x: f32[2, 5, 3], w: f32[3, 3, 8]) = conv1d(x, w, pad = "valid")
fn o(x: f32[4]) = topk(x, 5)
