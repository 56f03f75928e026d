// expect 6:22: 3 cannot be called
// expect 7:22: `map` needs a function that gives an array, not "a"
// expect 8:23: `fold` needs the argument `f`
// expect 9:22: expected an array or a number, found "text"
// expect 10:26: `+` of records that differ: (f32[4], f32[4]) and (f32[4], f32[4], f32[4])
fn f(x: f32[4]) = map(x, 3)
fn g(x: f32[4]) = map((x, x), |v| "a")
fn h(x: f32[4]) = fold(x, 0.0)
fn i(x: f32[4]) = sum((a = x, b = "text"))
fn j(x: f32[4]) = (x, x) + (x, x, x)
