// expect 4:9: an assignment has no value, so assignments do not chain
fn f(x) {
  var a = 1
  x = a = 2
}
