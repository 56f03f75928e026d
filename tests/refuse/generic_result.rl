// expect 4:37: the result of `grown` must be f32[N + 1 = 4], not f32[3]
// expect 5:39: the result of `shorter`: `N - 5` comes out as -2, which is no size
// A result of another size than its signature says.
fn grown(x: f32[N]) -> f32[N + 1] = x
fn shorter(x: f32[N]) -> f32[N - 5] = x
fn f() = grown(zeros([3]))
fn g() = shorter(zeros([3]))
