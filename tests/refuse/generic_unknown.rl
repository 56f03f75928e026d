// expect 7:18: `2 * H` does not tell what `H` is
// expect 8:21: `2 * H + 1` does not tell what `H` is
// expect 9:21: `H * W` does not tell what `H` is
// expect 14:18: `repeated` needs a value for `R` in brackets
// expect 15:18: `repeated` takes 1 value in brackets, found 2
// Sizes that no argument tells.
fn half(x: f32[2 * H]) -> f32[H] = x[:H]
fn odd(x: f32[2 * H + 1]) = x + H
fn product(x: f32[H * W], y: f32[W]) = x
fn repeated[R](x: f32[N]) -> f32[R, N] = broadcast(x, [R, N])
fn f() = half(zeros([5]))
fn g() = odd(zeros([4]))
fn h() = product(zeros([6]), zeros([2]))
fn i() = repeated(zeros([3]))
fn j() = repeated[2, 3](zeros([3]))
