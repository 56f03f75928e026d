// expect 7:37: argument `b` of `dot` must be f32[N = 4], not f32[5]
// expect 8:37: argument `a` of `dot` must be f32[N], not f32[4, 2]
// expect 10:26: argument `x` of `halves`: a size of 7 where 6 was expected
// expect 12:41: argument `y` of `rows` must be f32[... = [3]], not f32[2]
// Dimensions unify by name throughout a signature.
fn dot(a: f32[N], b: f32[N]) = sum(a * b)
fn f(x: f32[4], y: f32[5]) = dot(x, y)
fn g(x: f32[4, 2], y: f32[2]) = dot(x, y)
fn halves(x: f32[2 * K], K: dim) = x[:K] + x[K:]
fn h(x: f32[7]) = halves(x, 3)
fn rows(x: f32[..., 4], y: f32[...]) = x
fn i(x: f32[3, 4], y: f32[2]) = rows(x, y)
