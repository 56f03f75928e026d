// expect 9:23: 3 indices into f32[4, 3]
// expect 10:21: `.T` swaps the last two axes, but f32[4] has fewer
// expect 11:17: 1 index into f32
// expect 12:27: the index 1 is outside of a list of 1
// expect 13:25: axis 2 of an array of 2 axes
// expect 14:31: `transpose` names axis 0 twice
// expect 15:31: `transpose` of f32[4, 3] needs a list of 2 axes
// expect 16:41: an array of more than 8 axes
fn f(x: f32[4, 3]) = x[0, 1, 2]
fn g(x: f32[4]) = x.T
fn h(x: f32) = x[0]
fn i(x: f32[4]) = x.shape[1]
fn j(x: f32[4, 3]) = sum(x, axis = 2)
fn k(x: f32[4, 3]) = transpose(x, [0, 0])
fn l(x: f32[4, 3]) = transpose(x, [1, 0, 2])
fn m(x: f32[2, 2, 2, 2, 2, 2, 2, 2]) = x[_]
