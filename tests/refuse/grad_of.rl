// expect 15:31: `grad` needs a function that gives one real number, not f32[4]
// expect 16:30: `grad` by i32[4], which holds no floats
// expect 17:23: `grad` of a function without arguments
// expect 18:23: `grad` takes a function, found f32
// expect 19:40: there is no argument `y` to differentiate by
// expect 20:29: `grad` needs a function that gives one real number, not f32[4]
// expect 21:23: `grad` does not take a second argument
// expect 22:23: `grad` takes a function
// What has no derivative.
fn square(x: f32[4]) = x^2
fn loss(x: f32[4]) = sum(x^2)
fn count(i: i32[4]) = sum(f32(i))
fn nothing() = 1.0
fn pair(x: f32[4]) = (x, sum(x))
fn f(x: f32[4]) = grad(square)(x)
fn g(i: i32[4]) = grad(count)(i)
fn h() = grad(nothing)()
fn i(x: f32[4]) = grad(loss(x))
fn j(x: f32[4]) = grad(loss, wrt = "y")(x)
fn k(x: f32[4]) = grad(pair)(x)
fn l(x: f32[4]) = grad(loss, x)
fn m(x: f32[4]) = grad()(x)
