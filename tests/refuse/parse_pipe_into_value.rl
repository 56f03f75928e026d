// expect 4:16: the right side of `|>` must be a function, or a call that lacks its first argument
// expect 5:16: the right side of `|>` must be a function, or a call that lacks its first argument
// expect 6:16: expected a value, found `|`
fn f(x) = x |> 3
fn g(x) = x |> [1, 2]
fn h(x) = x |> |y| y
