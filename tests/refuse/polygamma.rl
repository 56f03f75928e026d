// expect 9:30: the order of `polygamma` is within 1 to 170, not 0
// help 9:30: digamma(x)
// expect 10:30: the order of `polygamma` is within 1 to 170, not 171
// expect 11:30: the order of `polygamma` must be known when compiling
// expect 12:30: the order of `polygamma` must come out as an integer
// expect 13:29: `polygamma` of i32[4]: expected floats
// expect 14:29: `polygamma` needs the argument `x`
// expect 15:35: `polygamma` of order 170, the greatest there is, cannot be differentiated
fn f1(x: f32[4]) = polygamma(0, x)
fn f2(x: f32[4]) = polygamma(171, x)
fn f3(x: f32[4]) = polygamma(x, 2)
fn f4(x: f32[4]) = polygamma(1.5, x)
fn f5(x: i32[4]) = polygamma(2, x)
fn f6(x: f32[4]) = polygamma(x)
fn f7(x: f32) = grad(|x| polygamma(170, x))(x)
