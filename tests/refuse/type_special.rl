// expect 12:26: `lgamma` of i32[4]: expected floats
// expect 13:26: `erfinv` of i32[4]: expected floats
// expect 14:27: `digamma` of i32[4]: expected floats
// expect 15:25: `sqrt` of bool[4]: expected floats or complex numbers
// expect 16:27: `sigmoid` of i32[4]: expected floats
// expect 17:21: `sqrt` of i32[4]: expected floats or complex numbers
// expect 18:25: the operands of `atan2` must be floats, not i32
// expect 19:28: `isfinite` of i32[4]: expected floats or complex numbers
// expect 20:25: `floor` of i32[4]: expected floats
// expect 21:23: `erf` of u8[4]: expected floats
// Functions of reals, called with integers and bools.
fn f1(x: i32[4]) = lgamma(x)
fn f2(x: i32[4]) = erfinv(x)
fn f3(x: i32[4]) = digamma(x)
fn f4(x: bool[4]) = sqrt(x)
fn f5(x: i32[4]) = sigmoid(x)
fn f6(x: i32[4]) = x^0.5
fn f7(x: i32[4]) = atan2(x, x)
fn f8(x: i32[4]) = isfinite(x)
fn f9(x: i32[4]) = floor(x)
fn f10(x: u8[4]) = erf(x)
