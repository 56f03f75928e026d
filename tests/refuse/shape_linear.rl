// expect 5:24: `qr` does not take f32[3, 5]
// expect 6:30: `cholesky` does not take f32[3, 5]
// expect 7:52: `triangular_solve` does not take f32[3, 3] and f32[4, 2]
// expect 8:30: `cholesky` of i32[3, 3]: expected f32 or f64
fn f(x: f32[3, 5]) = qr(x)
fn g(x: f32[3, 5]) = cholesky(x)
fn h(x: f32[3, 3], y: f32[4, 2]) = triangular_solve(x, y)
fn i(x: i32[3, 3]) = cholesky(x)
