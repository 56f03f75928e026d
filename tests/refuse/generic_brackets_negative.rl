// expect 3:51: a size of -2: sizes are not negative
// A negative size in brackets.
fn repeated[R](x: f32[N]) -> f32[R, N] = broadcast(x, [R, N])
fn f() = repeated[-2](zeros([3]))
