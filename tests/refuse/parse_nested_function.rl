// expect 3:3: a function cannot be declared inside a block
fn f(x) {
  fn g(y) = y
  g(x)
}
