// expect 20:19: `fit.run` has no setting `rate`
// expect 21:29: `fit.run` takes 2 settings, found 3
// expect 22:24: the setting `lr` is 0.1 by default, found "x"
// expect 23:15: the trainer `fit` has no member `train`
// expect 24:14: a trainer is no function: `fit`
// expect 25:24: the index 5 is outside of an axis of 2
// expect 26:18: `key` cannot be updated: it is the experiment's own
// expect 28:16: the number of seeds must come out as an integer, but is 1.5
// expect 31:18: the number of seeds must be an integer, not "a"
// Runs of an experiment.
train fit(lr = 0.1) {
  state x = 0.0
  step {
    x += lr
    log loss = x
  }
  stop when iter > 3
}
experiment one(seeds = 2) {
  let r = fit.run(rate = 3)
  let s = fit.run(0.1, 0.2, 0.3)
  let t = fit.run(lr = "x")
  let u = fit.train()
  let v = fit()
  claim fit.run().loss[5] < 1
  claim fit.run(&key).loss[0] < 1
}
experiment two(seeds = 1.5) {
  claim true
}
experiment three(seeds = "a") {
  claim true
}
