// expect 4:10: there is no `return`
// expect 5:3: there is no `return`
fn f(x) {
  if x { return 1 }
  return x
}
