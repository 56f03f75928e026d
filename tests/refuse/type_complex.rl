// expect 12:29: `erf` of complex64[4]: expected floats
// expect 13:28: complex numbers have no order
// expect 14:28: the operands of `%` are complex64: expected integers or floats
// expect 15:32: `argmax` of complex64[4]: expected integers or floats
// expect 16:32: `cummax` of complex64[4]: expected integers or floats
// expect 17:30: `argsort` of complex64[4]: expected integers or floats
// expect 18:30: the operands of `max` are complex64: expected integers or floats
// expect 19:31: the operands of `atan2` must be floats, not complex64
// expect 20:36: the result of `f9` must be f32[4], not complex64[4]
// expect 21:31: a complex number cannot be logged
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
