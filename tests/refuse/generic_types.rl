// expect 15:38: argument `y` of `both` must be float[N = 4] (f32, as before), not f64[4]
// expect 16:21: argument `x` of `both` must be float[N] (any float type), not i32[4]
// expect 17:44: argument `y` of `any_number` must be num[N = 4] (i32, as before), not f32[4]
// expect 18:16: argument `x` of `pair`, its item 1, must be i32[N = 3], not f32[3]
// expect 19:16: argument `x` of `pair`, its item 1, must be i32[N = 3], not i32[4]
// expect 20:21: argument `x` of `pair` must be a tuple of 2, not f32[3]
// expect 21:16: argument `x` of `pair` must be a tuple of 2, not (f32[3], i32[3], 1)
// expect 22:17: argument `x` of `named` lacks the field `b`
// expect 23:26: the result of `f9` must be int (any int type), not f32
// Element types that contradict one another.
fn both(x: float[N], y: float[N]) = x + y
fn any_number(x: num[N], y: num[N]) -> num[N] = x + y
fn pair(x: (f32[N], i32[N])) = x.0
fn named(x: (a: f32[N], b: i32[N])) = x.a
fn f1() = both(zeros([4], f32), zeros([4], f64))
fn f2() = both(zeros([4], i32), zeros([4], i32))
fn f3() = any_number(zeros([4], i32), zeros([4], f32))
fn f4() = pair((zeros([3]), zeros([3])))
fn f5() = pair((zeros([3]), zeros([4], i32)))
fn f6() = pair(zeros([3]))
fn f7() = pair((zeros([3]), zeros([3], i32), 1))
fn f8() = named((a = zeros([3]), c = zeros([3], i32)))
fn f9(x: float) -> int = x
