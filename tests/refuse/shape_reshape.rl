// expect 8:29: `reshape` of f32[4, 3] (12 elements) to a shape of 10 elements
// expect 9:29: `reshape` of f32[4, 3] (12 elements) to a shape of 5 elements
// expect 10:29: a size of -1
// expect 11:29: `reshape` takes a list of sizes, not 12
// expect 12:29: `flatten` of 3 axes of f32[4, 3]
// expect 13:24: 2 equal parts of an axis of 7
// expect 14:24: the parts make 6 of an axis of 7
fn f(x: f32[4, 3]) = reshape(x, [5, 2])
fn g(x: f32[4, 3]) = reshape(x, [-1, 5])
fn h(x: f32[4, 3]) = reshape(x, [-1, -1])
fn i(x: f32[4, 3]) = reshape(x, 12)
fn j(x: f32[4, 3]) = flatten(x, 3)
fn k(x: f32[7]) = parts(x, 2)
fn l(x: f32[7]) = parts(x, [3, 3])
