// expect 11:16: a size of -1: sizes are not negative
// expect 12:16: a size must come out as an integer, but is 2.5
// expect 13:14: `iota`'s size is -3
// expect 14:16: an array of this shape would hold more than 2^40 elements
// expect 15:16: an array of this shape would hold more than 2^40 elements
// expect 16:13: this type: `3 - 5` comes out as -2, which is no size
// expect 17:16: a shape of 9 axes: at most 8 are possible
// expect 18:33: `/` of integers at run time
// expect 19:35: an array of type f32[1000000, 1000000, 100]: more than 2^44 elements
// Sizes are counts.
fn f() = zeros([-1, 4])
fn g() = zeros([2.5])
fn h() = iota(-3)
fn i() = zeros([1_000_000, 1_000_000, 1_000_000])
fn j() = zeros([2_147_483_647, 2_147_483_647, 2_147_483_647])
fn k(x: f32[3 - 5]) = x
fn l() = zeros([1, 1, 1, 1, 1, 1, 1, 1, 1])
fn m(x: f32[4]) = zeros(x.shape / 3)
fn n(x: f32[1_000_000, 1_000_000, 100]) = x
