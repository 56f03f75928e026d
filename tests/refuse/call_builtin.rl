// expect 8:29: `sum` has no parameter `axes`
// expect 9:26: `tanh` takes at most 1 argument, found 2
// expect 10:29: `reshape` needs the argument `shape`
// expect 11:27: `where` takes three arguments, found 2
// expect 12:33: `f31` is not known here
// expect 13:25: `div` takes two integers
// The compiler's own functions check their arguments too.
fn f(x: f32[4, 3]) = sum(x, axes = 0)
fn g(x: f32[4, 3]) = tanh(x, x)
fn h(x: f32[4, 3]) = reshape(x)
fn i(x: f32[4, 3]) = where(x > 0, x)
fn j(x: f32[4, 3]) = zeros([4], f31)
fn k(x: f32[4, 3]) = div(x)
