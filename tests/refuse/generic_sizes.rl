// expect 13:33: argument `y` of `same` must be f32[N = 3], not f32[4]
// expect 14:39: argument `y` of `product` must be f32[K = 2, N], not f32[3, 2]
// expect 15:39: argument `y` of `leading` must be f32[... = [2], A = 3], not f32[3]
// expect 16:21: argument `x` of `late`: a size of 7 where 6 was expected
// expect 17:35: argument `y` of `halves`: `N / 2` comes out as 2.5, which is no size
// expect 18:35: argument `y` of `halves` must be f32[N / 2 = 3], not f32[2]
// Sizes that contradict one another.
fn same(x: f32[N], y: f32[N]) = x + y
fn product(x: f32[M, K], y: f32[K, N]) -> f32[M, N] = x @ y
fn leading(x: f32[..., A], y: f32[..., A]) = x + y
fn late(x: f32[H * W], y: f32[H], z: f32[W]) = x
fn halves(x: f32[N], y: f32[N / 2]) = x
fn f1() = same(zeros([3]), zeros([4]))
fn f2() = product(zeros([3, 2]), zeros([3, 2]))
fn f3() = leading(zeros([2, 3]), zeros([3]))
fn f4() = late(zeros([7]), zeros([2]), zeros([3]))
fn f5() = halves(zeros([5]), zeros([2]))
fn f6() = halves(zeros([6]), zeros([2]))
