// expect 12:43: the place and what is assigned to it do not fit together: f32[2, 3] and f32[2] (3 against 2)
// expect 13:42: the operands of `+` have different element types: f32 and bool
// expect 14:36: the index 4 is outside of an axis of 4
// expect 15:36: f32[4, 3] has no field `z`
// expect 16:23: `x` cannot be assigned: it is a parameter
// expect 17:35: the place and what is assigned to it do not fit together: f32[2, 3] and f32[3, 3] (2 against 3)
// expect 18:35: 0.5 is not an integer, and the other side is i32
// expect 19:32: the place and what is assigned to it do not fit together: f32[2] and f32[3] (2 against 3)
// expect 20:41: f32[4] does not fit into a place of f32
// expect 21:32: the operands of `+` do not fit together: f32[4] and f32[2] (4 against 2)
// Assigning parts of arrays.
fn f1(x: f32[4, 3], i: i32) { var y = x; y[i +: 2] = [1.0, 2.0]; y }
fn f2(x: f32[4, 3], i: i32) { var y = x; y[i, 0] += true; y }
fn f3(x: f32[4, 3]) { var y = x; y[4] = 0; y }
fn f4(x: f32[4, 3]) { var y = x; y.z = 0; y }
fn f5(x: f32[4, 3]) { x[0] = 1; x }
fn f6(x: f32[4, 3]) { var y = x; y[1:3] = zeros([3, 3]); y }
fn f7(x: i32[4, 3]) { var y = x; y[0] = 0.5; y }
fn f8(x: f32[4]) { var y = x; y[[0, 1]] = [1.0, 2.0, 3.0]; y }
fn f9(x: f32[4]) { var y = [1.0, 2.0]; y[0] = x; y }
fn f10(x: f32[4]) { var y = x; y += [1.0, 2.0]; y }
