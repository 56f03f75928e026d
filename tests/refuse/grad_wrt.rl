// expect 8:24: `wrt` is the name of a parameter, not 1
// expect 9:24: `wrt` is the name of a parameter, not ["p", "x"]
// expect 10:41: `grad` by `n`, which is i32
// expect 11:24: `grad` does not take a second argument
// expect 12:31: `grad` has no parameter `by`
// By what a function is differentiated.
fn loss(p: f32[4], x: f32[4], n: i32) = sum((p - x)^2) / f32(n)
fn f1(p: f32[4]) = grad(loss, wrt = 1)(p, p, 3)
fn f2(p: f32[4]) = grad(loss, wrt = ["p", "x"])(p, p, 3)
fn f3(p: f32[4]) = grad(loss, wrt = "n")(p, p, 3)
fn f4(p: f32[4]) = grad(loss, "x")(p, p, 3)
fn f5(p: f32[4]) = grad(loss, by = "x")(p, p, 3)
