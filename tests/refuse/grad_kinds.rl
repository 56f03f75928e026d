// expect 11:35: `vjp` of a function that gives i32: only floats have derivatives
// expect 14:15: `grad` of a function that updates its argument
// expect 16:35: the tangent must be f32[4], not f32[3]
// expect 17:29: `vmap` over axis 0 of f32
// expect 18:48: `vmap` over axes of 4 and 3
// expect 19:40: `axes` must be a list of 1
// expect 20:42: `vmap` over axis 3 of f32[4]
fn where_is(x: f32[4]) = argmax(x)
fn update(&s: f32[4]) { s = 2 * s; sum(s) }
fn loss(x: f32[4]) = sum(x^2)
fn f(x: f32[4]) = vjp(where_is, 1)(x)
fn g(x: f32[4]) {
  var y = x
  grad(update)(&y)
}
fn h(x: f32[4]) = jvp(loss, x[:3])(x)
fn i(x: f32[4]) = vmap(loss)(x[0])
fn j(x: f32[4], y: f32[3]) = vmap(|a, b| a + b)(x, y)
fn k(x: f32[4]) = vmap(|a| a, axes = 0)(x)
fn l(x: f32[4]) = vmap(|a| a, axes = [3])(x)
