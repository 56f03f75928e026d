// expect 10:17: `t.run` has no setting `rate`
// expect 11:13: the trainer `t` has no member `start`
// expect 12:26: `c` is not known here
train t(lr = 0.1) {
  state x = 1.0
  step { log l = x }
  stop when iter >= 10
}
experiment e(seeds = 3) {
  let a = t.run(rate = 0.2)
  let b = t.start()
  claim mean(a.l) < mean(c.l)
}
