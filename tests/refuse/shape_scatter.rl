// expect 7:44: the rows and their place do not fit together: f32[2, 2] and f32[2, 3] (2 against 3)
// expect 8:44: `scatter_add` by f32[2]: an index is an integer
// expect 9:38: `scatter_max` into a scalar
// expect 10:26: the bound 5 is outside of an axis of 3
// expect 11:34: a bound must be known when compiling, but this is a run-time value (i32)
// expect 12:28: `split` takes a key first, found f32[4, 3]
fn f(x: f32[4, 3], i: i32[2]) = scatter_add(x, i, zeros([2, 2]))
fn g(x: f32[4, 3], i: f32[2]) = scatter_add(x, i, x[:2])
fn h(x: f32, i: i32[2]) = scatter_max(x, i, x)
fn i(x: f32[4, 3]) = topk(x, 5)
fn j(x: f32[4, 3], n: i32) = roll(x, n)
fn k(x: f32[4, 3]) = split(x, 3)
