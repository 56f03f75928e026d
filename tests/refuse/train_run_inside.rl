// expect 9:17: a trainer cannot be run from inside of another program yet: `one.run`
// expect 13:13: a trainer is no function: `one`
train one(lr = 0.1) {
  state p = 1.0
  step { p -= lr; log l = p }
  stop when iter >= 3
}
train two() {
  state p = one.run().p
  step { log l = p }
  stop when iter >= 3
}
fn f() = one(lr = 0.2)
