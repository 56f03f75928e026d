// expect 5:11: expected `=` and the value to log, found the end of the line
// expect 6:24: expected `=` and the value to log, found the end of the line
// expect 7:11: expected `=` and the value to log, found `:`
fn f(x) {
  log loss
  log loss = x, entropy
  log loss: x
}
