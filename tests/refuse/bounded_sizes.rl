// expect 12:36: the parameter `wide.w0` is f32[T <= 8] here, but was made as f32[1]
// expect 14:25: argument `x` of `total`: a size of 8 is outside of the bound 4
// expect 15:34: argument `x` of `total`: a size of 8 is outside of the bound 4
// expect 16:49: `y`: a size of 8 is outside of the bound 4
// expect 17:18: a bound of 0
// expect 19:37: the end of a range must be known when compiling, or have a bound
// expect 20:37: the start of a range must be known when compiling
// expect 21:34: the result of `p` must be f32[4], not f32[T <= 4]
// A bound is a constant; parameters do not depend on a length.
use nn
fn total(x: f32[T <= 4]) = sum(x)
layer wide(x: f32[T <= 8]) { param w0: f32[T] = zeros; sum(x * w0) }
model net(x: f32[T <= 8]) = wide(x)
fn a(x: f32[8]) = total(x)
fn b(x: f32[8], n: i32) = total(x[:n])
fn t(x: f32[8], n: i32) { let y: f32[T <= 4] = x[:n]; y }
fn q(x: f32[T <= 0]) = x
fn f(x: f32[8], n: i32, key) = net(net.init(key), x[:n])
fn k(n: i32) { var y = 0; for i in 0..n { y += i }; y }
fn l(n: i32) { var y = 0; for i in n..min(n, 4) { y += i }; y }
fn p(x: f32[T <= 4]) -> f32[4] = x
