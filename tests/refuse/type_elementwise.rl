// expect 10:23: `tanh` of i32[4]: expected floats
// expect 11:23: `exp` of bool[4]: expected floats or complex numbers
// expect 12:28: the operands of `max` are complex64: expected integers or floats
// expect 13:28: complex numbers have no order
// expect 14:23: `sum` does not take bool[4]
// expect 15:22: `any` does not take f32[4]
// expect 16:23: `mean` takes floats, not i32[4]
// expect 17:27: `bit_and` goes by the bits of integers, not of f32[4]
// expect 18:28: complex numbers have no order
fn f(i: i32[4]) = tanh(i)
fn g(b: bool[4]) = exp(b)
fn h(c: complex64[4]) = max(c, 0)
fn ii(c: complex64[4]) = c < c
fn j(b: bool[4]) = sum(b)
fn k(x: f32[4]) = any(x)
fn l(i: i32[4]) = mean(i)
fn m(x: f32[4]) = bit_and(x, 1)
fn n(c: complex64[4]) = max(c)
