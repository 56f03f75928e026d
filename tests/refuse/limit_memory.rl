// expect 6:19: an array of this shape would hold more than 2^40 elements
// expect 7:16: `repeat` to more than 10 million elements
// expect 8:14: `tile` 2000000000 times of f32[2]
// expect 9:24: 1000000000 equal parts of an axis of 4
// What would not fit is refused, not tried.
const big = zeros([1_000_000_000, 1_000_000])
fn f() = repeat([1.0, 2.0], 1_000_000_000)
fn g() = tile([1.0, 2.0], 2_000_000_000)
fn i(x: f32[4]) = parts(x, 1_000_000_000)
