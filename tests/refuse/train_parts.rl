// expect 5:7: the trainer `a` has no step
// expect 10:3: a trainer has one `step`
// expect 12:9: the setting `lr` has no value
// expect 16:3: the state `x` has neither type nor value
train a(lr = 0.1) {
  state x = 1.0
}
train b(lr = 0.1) {
  step { log l = lr }
  step { log l = lr }
}
train c(lr) {
  step { log l = lr }
}
train d() {
  state x
  step { log l = 1.0 }
}
