// expect 22:29: `erf` of complex64[4]: expected floats
// help 22:29: use abs(…), real(…) or imag(…)
// expect 23:28: complex numbers have no order
// help 23:28: compare abs(…) or real(…)
// expect 24:28: the operands of `%` are complex64: expected integers or floats
// help 24:28: use abs(…), real(…) or imag(…)
// expect 25:32: `argmax` of complex64[4]: expected integers or floats
// help 25:32: use abs(…), real(…) or imag(…)
// expect 26:32: `cummax` of complex64[4]: expected integers or floats
// help 26:32: use abs(…), real(…) or imag(…)
// expect 27:30: `argsort` of complex64[4]: expected integers or floats
// help 27:30: use abs(…), real(…) or imag(…)
// expect 28:30: complex numbers have no order [in relu
// help 28:30: compare abs(…) or real(…)
// expect 29:31: the operands of `atan2` must be floats, not complex64
// help 29:31: use abs(…), real(…) or imag(…)
// expect 30:36: the result of `f9` must be f32[4], not complex64[4]
// help 30:36: real(…), imag(…) and abs(…) make reals of complex numbers
// expect 31:31: a complex number cannot be logged
// help 31:31: log abs(…), real(…) or imag(…)
// Complex numbers where only reals are allowed.
fn f1(x: complex64[4]) = erf(x)
fn f2(x: complex64[4]) = x > 0
fn f3(x: complex64[4]) = x % 2
fn f4(x: complex64[4]) = argmax(x)
fn f5(x: complex64[4]) = cummax(x)
fn f6(x: complex64[4]) = sort(x)
fn f7(x: complex64[4]) = relu(x)
fn f8(x: complex64[4]) = atan2(x, x)
fn f9(x: complex64[4]) -> f32[4] = x
fn f10(x: complex64[4]) { log loss = sum(x); 1 }
