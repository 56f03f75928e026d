// expect 3:51: a size must be an integer, not "a"
// Values in brackets are sizes where the body takes them as such.
fn repeated[R](x: f32[N]) -> f32[R, N] = broadcast(x, [R, N])
fn f() = repeated["a"](zeros([3]))
