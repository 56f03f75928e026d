// expect 17:20: `one.run` stands where no trainer can be run
// expect 23:19: the trainer `me` runs itself
// expect 29:29: the setting `lr` must be known when compiling, but is f32
// expect 34:23: this record has no field `q`
// expect 39:37: `one.run` stands where no trainer can be run
// expect 43:13: a trainer is no function: `one`
// expect 44:17: `one.run` stands where no trainer can be run
// expect 45:29: `check_grad` stands where nothing has been computed yet
// Trainers are run where others begin.
train one(lr = 0.1) {
  state p = 1.0
  step { p -= lr; log l = p }
  stop when iter >= 3
}
train two() {
  step {
    let p = one.run().p
    log l = p
  }
  stop when iter >= 3
}
train me() {
  state p = me.run().p
  step { log l = p }
  stop when iter >= 3
}
train three() {
  state x = 1.0
  state p = one.run(lr = sin(x)).p
  step { log l = p }
  stop when iter >= 3
}
train four() {
  state q = one.run().q
  step { log l = q }
  stop when iter >= 3
}
train five() {
  state p = each i in 0..3 { one.run().p }
  step { log l = p }
  stop when iter >= 3
}
fn f() = one(lr = 0.2)
fn g() = one.run().p
fn h(x: f32[3]) = check_grad(|x| sum(x), x)
