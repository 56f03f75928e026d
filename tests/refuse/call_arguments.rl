// expect 8:33: `scale` takes 2 arguments, found 3
// expect 9:24: `scale` needs the argument `x`
// expect 10:28: `scale` has no parameter `factor`
// expect 11:38: the argument `by` is given twice
// expect 12:35: `scale` takes 2 arguments, found 3
// Too many, too few, unknown, twice, in the wrong order.
fn scale(x: f32[4], by = 2.0) = x * by
fn f(x: f32[4]) = scale(x, 3.0, 4.0)
fn g(x: f32[4]) = scale()
fn h(x: f32[4]) = scale(x, factor = 3.0)
fn i(x: f32[4]) = scale(x, by = 3.0, by = 4.0)
fn j(x: f32[4]) = x |> scale(1.0, 2.0)
