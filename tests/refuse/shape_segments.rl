// expect 11:36: an index must be an integer, not f32[2]
// expect 12:45: `segment_sum` needs the argument `n`
// expect 13:45: `segment_sum` by f32[4]: a segment is an integer
// expect 14:53: the number of segments must be known when compiling, but this is a run-time value (i32)
// expect 15:45: the number of segments is -1
// expect 16:38: `take` of f32[4, 3] by i32[3]
// expect 17:27: `one_hot` needs the argument `n`
// expect 18:39: argument `n` of `one_hot` must be known when compiling, but this is a run-time value (i32)
// expect 19:31: argument `n` of `one_hot` is a size, and -3 is none
// Segments, one-hot codes and gathers by what is no index.
fn f1(x: f32[4, 3], i: f32[2]) = x[i]
fn f2(x: f32[4, 3], i: i32[4]) = segment_sum(x, i)
fn f3(x: f32[4, 3], i: i32[4]) = segment_sum(x, f32(i), 2)
fn f4(x: f32[4, 3], i: i32[4], n: i32) = segment_max(x, i, n)
fn f5(x: f32[4, 3], i: i32[4]) = segment_max(x, i, -1)
fn f6(x: f32[4, 3], i: i32[4]) = take(x, i[:3])
fn f7(x: i32[4]) = one_hot(x)
fn f8(x: i32[4], n: i32) = one_hot(x, n)
fn f9(x: i32[4]) = one_hot(x, -3)
