// expect 12:18: `2 * H` does not tell what `H` is
// help 12:18: let a parameter have `H` as a size of its own, or give it in brackets behind the function's name
// expect 13:21: `2 * H + 1` does not tell what `H` is
// help 13:21: let a parameter have `H` as a size of its own, or give it in brackets behind the function's name
// expect 14:21: `H * W` does not tell what `H` is
// help 14:21: let a parameter have `H` as a size of its own, or give it in brackets behind the function's name
// expect 19:18: `repeated` needs a value for `R` in brackets
// help 19:18: write repeated[…](…)
// expect 20:18: `repeated` takes 1 value in brackets, found 2
// help 20:18: they stand in its declaration, in brackets behind the name
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
