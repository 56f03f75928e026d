// expect 3:8: this `{` is not closed
fn f(x) {
  if x {
    1
}

fn g(x) = x
