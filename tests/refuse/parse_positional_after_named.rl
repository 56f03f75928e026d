// expect 2:20: a positional argument behind a named one
fn f(x) = g(a = 1, x)
