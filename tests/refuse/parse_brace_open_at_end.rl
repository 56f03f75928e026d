// expect 3:15: this `{` is not closed
fn f(x) {
  each y in x {
    y
