// expect 9:38: `backward` of `f` must give a record by the parameters' names, not f32[3]
// expect 10:38: `backward` of `g` names `z`, which is no parameter
// expect 11:38: the derivative by `x` must be f32[3], not f32[2]
// expect 12:42: `backward` of `i` names 2 cotangents, but its result is f32[3]
// expect 13:41: a function with a derivative of its own gives floats only, not i32[3]
// expect 14:55: `log` inside a function with a derivative of its own
// expect 15:43: `dz` is not known here
// A derivative of one's own: what it must give, and for what.
fn f(x: f32[3]) { x^2 } backward(dy) { 2 * x * dy }
fn g(x: f32[3]) { x^2 } backward(dy) { (x = 1.0, z = dy) }
fn h(x: f32[3]) { x^2 } backward(dy) { (x = zeros([2])) }
fn i(x: f32[3]) { x^2 } backward(da, db) { (x = da) }
fn j(x: f32[3]) { i32(x) } backward(dy) { (x = 1.0) }
fn k(x: f32[3]) { log seen = sum(x); x } backward(dy) { (x = dy) }
fn l(x: f32[3]) { x } backward(dy) { (x = dz) }
