// expect 13:18: argument `E` of `of_env` must be an environment, not 3
// expect 14:23: argument `xs` of `listed` must be a list, not f32[3]
// expect 15:25: argument `x` of `sized` must be f32[n = 4], not f32[3]
// expect 16:22: argument `n` of `sized` must be known when compiling, but this is a run-time value (f32[3])
// expect 17:17: argument `n` of `sized` must come out as an integer, but is 4.5
// expect 18:31: argument `n` of `cut` is a size, and -1 is none
// expect 19:23: argument `n` of `sized` must be known when compiling, but this is a run-time value (i32)
// Sizes, lists and environments as arguments.
fn of_env(E: env, n: dim) = n
fn listed(xs: list) = len(xs)
fn sized(n: dim, x: f32[n]) = x
fn cut(x: f32[N], n: dim = N) = x
fn f1() = of_env(3, 4)
fn f2() = listed(zeros([3]))
fn f3() = sized(4, zeros([3]))
fn f4() = sized(zeros([3]), zeros([3]))
fn f5() = sized(4.5, zeros([3]))
fn f6() = cut(zeros([3]), n = -1)
fn f7(n: i32) = sized(n, zeros([3]))
