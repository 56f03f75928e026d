// expect 16:24: argument `p` of `norm` must be a `point`, not f32[2]
// expect 17:22: argument `i` of `whole` must be i32, not f32
// expect 18:24: argument `xs` of `pick` must be a list, not f32[2]
// expect 19:21: argument `n` of `size` must be known when compiling, but this is a run-time value (i32)
// expect 20:20: argument `b` of `yes` must be bool, not f32
// expect 21:21: argument `p` of `norm` must be a `point`, not (f32, f32, f32)
// expect 22:21: argument `p` of `norm` must be a `point`, but (x: f32, z: f32) has no field `y`
// expect 23:19: argument `i` of `whole` must be i32, not key
// Arguments against the types of parameters.
record point { x, y: f32 }
fn norm(p: point) = sqrt(p.x^2 + p.y^2)
fn whole(i: i32) = i + 1
fn pick(xs: list) = xs[0]
fn size(n: dim) = zeros([n])
fn yes(b: bool) = b
fn f(x: f32[2]) = norm(x)
fn g(x: f32) = whole(x)
fn h(x: f32[2]) = pick(x)
fn i(n: i32) = size(n)
fn j(x: f32) = yes(x)
fn k(x: f32) = norm((x, x, x))
fn l(x: f32) = norm((x, z = x))
fn m(key) = whole(key)
