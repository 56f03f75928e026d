// expect 21:11: a claim is true or false, not f32[2]
// expect 22:11: this record has no field `los`
// expect 23:13: a claim is true or false, not f32
// expect 24:9: a claim is true or false, not 3
// expect 25:16: a claim must be one bool, not bool[2]
// expect 26:30: a claim is true or false, not 3
// expect 27:9: `not` of 3, which is no bool
// expect 28:12: an empty list has no element type: it cannot become an array
// expect 29:11: a claim must be true or false, not (x: bool[2], iter: bool[2], loss: bool[2], wall_s: bool[2], compile_s: bool[2], step_bytes: bool[2])
// What a claim is.
train fit(lr = 0.1) {
  state x = 0.0
  step {
    x += lr
    log loss = x
  }
  stop when iter > 3
}
experiment one(seeds = 2) {
  let r = fit.run()
  claim r.loss
  claim r.los < 1
  claim mean(r.loss)
  claim 3
  claim r.loss < 1
  claim mean(r.loss) < 1 and 3
  claim not 3
  claim all([])
  claim r < 3
}
