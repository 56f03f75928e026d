// expect 9:30: `loss` needs the argument `n`
// expect 10:40: `loss` takes 3 arguments, found 4
// expect 11:35: argument `x` of `loss` must be f32[4], not f32[3]
// expect 12:34: `loss` has no parameter `y`
// expect 13:26: `loss` cannot be updated: it is a declaration of the file
// expect 14:32: `p` cannot be updated: it is a parameter
// The arguments of a gradient are those of its function.
fn loss(p: f32[4], x: f32[4], n: i32) = sum((p - x)^2) / f32(n)
fn f1(p: f32[4]) = grad(loss)(p, p)
fn f2(p: f32[4]) = grad(loss)(p, p, 3, 4)
fn f3(p: f32[4]) = grad(loss)(p, p[:3], 3)
fn f4(p: f32[4]) = grad(loss)(p, y = p, n = 3)
fn f5(p: f32[4]) = grad(&loss)(p, p, 3)
fn f6(p: f32[4]) = grad(loss)(&p, p, 3)
