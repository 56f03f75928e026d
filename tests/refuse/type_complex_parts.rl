// expect 9:24: `real` of i32[4]: expected complex numbers
// expect 10:38: the parts of `complex` have different element types: f32 and i32
// expect 11:27: `complex` takes a real and an imaginary part
// expect 12:41: the parts of `complex` are real, but one is complex64
// expect 13:62: the result of `f5` must be complex64[4], not complex128[4]
// expect 14:37: `cholesky` of complex64[4, 4]: expected f32 or f64
// expect 15:32: `svd` takes f32 or f64, not complex64[4, 4]
// Making complex numbers, and taking them apart.
fn f1(x: i32[4]) = real(x)
fn f2(x: f32[4], y: i32[4]) = complex(x, y)
fn f3(x: f32[4]) = complex(x)
fn f4(x: complex64[4], y: f32) = complex(x, y)
fn f5(x: complex128[4], y: complex64[4]) -> complex64[4] = x * y
fn f6(x: complex64[4, 4]) = cholesky(x)
fn f7(x: complex64[4, 4]) = svd(x)
