// expect 3:13: a dimension with a bound is not possible yet
// expect 4:21: the length of a window must be an integer, not true
fn f(x: f32[T <= 64]) = sum(x)
fn g(x: f32[4]) = x[0 +: 2 <= 3]
