// expect 7:45: the rows and their place do not fit together: f32[4, 3] and f32[2, 3] (4 against 2)
// expect 8:45: expected f32, found i32[2, 3]
// expect 9:45: `scatter_max` needs the argument `rows`
// expect 10:46: `scatter_add` of bool[4, 3]: expected numbers to add
// expect 11:45: `scatter_add` by f32[3]: an index is an integer
// Rows that are scattered.
fn f1(x: f32[4, 3], i: i32[2]) = scatter_add(x, i, x)
fn f2(x: f32[4, 3], i: i32[2]) = scatter_add(x, i, i32(x[:2]))
fn f3(x: f32[4, 3], i: i32[2]) = scatter_max(x, i)
fn f4(x: bool[4, 3], i: i32[2]) = scatter_add(x, i, x[:2])
fn f5(x: f32[4, 3], i: i32[2]) = scatter_add(x, x[0], x[:2])
