// expect 3:15: expected a value, found `|`
// expect 4:21: expected `,` or `|`, found `y`
fn f(x) = x + |y| y
fn g(x) = map(x, |y y)
