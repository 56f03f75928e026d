// expect 9:37: `take` of f32[4, 3] by i32[5]
// expect 10:37: `take` by f32[4]: an index is an integer
// expect 11:44: `segment_sum` of f32[4, 3] by i32[5]: one segment number for each row
// expect 12:28: `repeat` of 3 elements by 2 counts
// expect 13:26: `tile` 0 times
// expect 14:25: `pad` of f32[4, 3] needs 2 counts before and behind
// expect 15:22: `argmax` of a scalar
// expect 16:31: the array and the shape of `broadcast` do not fit together: f32[4, 3] and f32[4] (3 against 4)
fn f(x: f32[4, 3], i: i32[5]) = take(x, i)
fn g(x: f32[4, 3], i: f32[4]) = take(x, i)
fn h(x: f32[4, 3], i: i32[5]) = segment_sum(x, i, 3)
fn i(x: f32[4, 3]) = repeat(x, [1, 2])
fn j(x: f32[4, 3]) = tile(x, 0)
fn k(x: f32[4, 3]) = pad(x, [1])
fn l(x: f32) = argmax(x)
fn m(x: f32[4, 3]) = broadcast(x, [4])
