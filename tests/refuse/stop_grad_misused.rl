// expect 6:20: expected an array or a number, found the function `sin`
// expect 7:20: expected an array or a number, found "a"
// expect 8:26: `stop_grad` takes at most 1 argument, found 2
// expect 9:26: `stop_grad` needs the argument `x`
// What stop_grad takes.
fn f1() = stop_grad(sin)
fn f2() = stop_grad("a")
fn f3(x: f32) = stop_grad(x, x)
fn f4(x: f32) = stop_grad()
