// expect 13:23: `jvp` needs a direction
// expect 14:43: the tangent must be f32[4], not i32[4]
// expect 15:23: `jvp` does not take a second argument
// expect 16:23: `vjp` needs a direction
// expect 17:32: the cotangent must be f32, not f32[4]
// expect 18:43: the cotangent must be (f32[4], f32), not f32[4]
// expect 19:37: the tangent must be f32[4], not (f32[4], f32[4])
// expect 20:34: the tangent must be f32[4], not "x"
// expect 21:32: `jvp` of a function without arguments
// expect 22:52: `vjp` of a function that gives (f32[4], i32): only floats have derivatives
// jvp and vjp take a function and a direction.
fn loss(x: f32[4]) = sum(x^2)
fn f1(x: f32[4]) = jvp(loss)(x)
fn f2(x: f32[4], i: i32[4]) = jvp(loss, i)(x)
fn f3(x: f32[4]) = jvp(loss, x, x)(x)
fn f4(x: f32[4]) = vjp(loss)(x)
fn f5(x: f32[4]) = vjp(loss, x)(x)
fn f6(x: f32[4]) = vjp(|v| (v, sum(v)), x)(x)
fn f7(x: f32[4]) = jvp(loss, (x, x))(x)
fn f8(x: f32[4]) = jvp(loss, "x")(x)
fn f9(x: f32[4]) = jvp(loss, x)()
fn f10(x: f32[4]) = vjp(|v| (v, argmax(v)), (x, 1))(x)
