// expect 3:18: expected the end of the line after a statement, found `)`
fn f(x) {
  let y = g(x, 1))
  y
}
