// expect 12:28: `argsort` of bool[4]: expected integers or floats
// expect 13:30: axis 2 of an array of 2 axes
// expect 14:27: the bound 5 is outside of an axis of 3
// expect 15:27: `topk` needs the argument `k`
// expect 16:39: argument `k` of `topk` must be known when compiling, but this is a run-time value (i32)
// expect 17:21: `argsort` of a scalar
// expect 18:31: `sort` has no parameter `axis`
// expect 19:29: axis 3 of an array of 2 axes
// expect 20:23: `cumsum` of a scalar
// expect 21:35: `cumprod` has no parameter `reverse`
// Sorting and running values.
fn f1(x: bool[4]) = argsort(x)
fn f2(x: f32[4, 3]) = argsort(x, axis = 2)
fn f3(x: f32[4, 3]) = topk(x, 5)
fn f4(x: f32[4, 3]) = topk(x)
fn f5(x: f32[4, 3], k: i32) = topk(x, k)
fn f6(x: f32) = sort(x)
fn f7(x: f32[4, 3]) = sort(x, axis = 0)
fn f8(x: f32[4, 3]) = cumsum(x, axis = 3)
fn f9(x: f32) = cumsum(x)
fn f10(x: f32[4, 3]) = cumprod(x, reverse = true)
