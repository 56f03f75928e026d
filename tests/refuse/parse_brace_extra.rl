// expect 3:1: `}` without a `{` before it
fn f(x) { x }
}
fn g(x) = x
