// expect 14:33: argument `x` of `identity` must be float[N = 4, N = 4], not f32[4, 3]
// expect 15:46: argument `b` of `solve_columns` must be float[N = 4, M], not f32[3, 1]
// expect 16:33: `lu` takes square matrices, not f32[4, 3]
// expect 17:46: `triangular_solve` does not take f32[3, 3] and f32[4, 1]
// expect 18:32: argument `x` of `diagonal` must be float[..., N, N], not f32[4]
// expect 19:50: `triangular_solve` does not take f32[3, 3] and f32[3]
// expect 20:53: `triangular_solve` does not take f32[3, 3] and f64[3, 1]
// expect 21:46: `triangular_solve` has no parameter `transposed`
// expect 22:31: this record has no field `values`
// expect 23:28: 2 names for 3 values: (u: f32[3, 3], s: f32[3], v: f32[3, 3])
// expect 24:26: `qr` of i32[4, 4]: expected f32 or f64
// Linear algebra of what is not square, or does not fit.
use linalg
fn f1(x: f32[4, 3]) = linalg.inv(x)
fn f2(x: f32[4, 4], b: f32[3]) = linalg.solve(x, b)
fn f3(x: f32[4, 3]) = linalg.det(x)
fn f4(x: f32[3, 4], b: f32[4]) = linalg.lstsq(x, b)
fn f5(x: f32[4]) = linalg.trace(x)
fn f6(x: f32[3, 3], y: f32[3]) = triangular_solve(x, y)
fn f7(x: f32[3, 3], y: f64[3, 1]) = triangular_solve(x, y)
fn f8(x: f32[3, 3]) = triangular_solve(x, x, transposed = true)
fn f9(x: f32[3, 3]) = eigh(x).values
fn f10(x: f32[3, 3]) { let (u, s) = svd(x); u }
fn f11(x: i32[4, 4]) = qr(x)
