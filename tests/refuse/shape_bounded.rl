// expect 4:21: the length of a window must be an integer, not true
// expect 5:18: a bound must come out as an integer, but is 2.5
// expect 6:18: `n` is not known here
fn g(x: f32[4]) = x[0 +: 2 <= 3]
fn h(x: f32[T <= 2.5]) = sum(x)
fn i(x: f32[T <= n]) = sum(x)
