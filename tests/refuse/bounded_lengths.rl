// expect 12:48: argument `y` of `both` must be f32[T], not f32[n <= 8]
// expect 13:33: the operands of `+` do not fit together: an axis of f32[8] has another length
// expect 14:33: the operands of `@` do not fit together: an axis of f32[8] has another length
// expect 15:33: the arrays of `einsum` do not fit together: an axis of f32[8] has another length
// expect 16:53: a loop in step over arrays with different lengths
// expect 17:42: `y` after a turn must be f32[n <= 8], not f32[8]
// expect 18:27: the value of this `if`: one branch gives f32[n <= 8], the other f32[3]
// expect 19:44: `y` must be f32[8], not f32[n <= 8]
// expect 20:36: the array and the shape of `broadcast` do not fit together: an axis of f32[2, 8] has another length
// Lengths known at run time are equal if they are the same number in the text.
fn both(x: f32[T], y: f32[T]) = sum(x * y)
fn b(x: f32[8], n: i32, m: i32) = both(x[:n], x[:m])
fn c(x: f32[8], n: i32) = x[:n] + x
fn m(x: f32[8], n: i32) = x[:n] @ x
fn v(x: f32[8], n: i32) = einsum("i, i -> ", x[:n], x)
fn o(x: f32[8], y: f32[8], n: i32) = each (p, q) in (x[:n], y) { p * q }
fn s(x: f32[8], n: i32) { var y = x[:n]; for k in 0..3 { y = x }; sum(y) }
fn j(x: f32[8], n: i32) = if n > 3 { x[:n] } else { x[:3] }
fn u(x: f32[8], n: i32) { let y: f32[8] = x[:n]; y }
fn z(x: f32[8], n: i32) = broadcast(x[:n], [2, 8])
