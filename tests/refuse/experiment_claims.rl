// expect 20:11: a claim is true or false, not f32[3]
// expect 21:13: a claim must be one bool, not bool[3]
// expect 22:13: a claim is true or false, not f32[3]
// expect 23:9: a claim is true or false, not "yes"
// expect 24:33: `t.run` stands where nothing has been computed yet
// expect 25:16: `bench` takes a function and what to call it with
// expect 26:21: `check_grad` of a function without arguments
// expect 27:21: `value_and_grad` needs a function that gives one real number, not f32[2]
// expect 28:12: 2 indices into f32[3]
// expect 30:21: an experiment over 0 seeds
// expect 33:20: the number of seeds must be an integer, not [1, 2]
// What experiments may hold.
train t(lr = 0.1) {
  state x = 1.0
  step { log l = x }
  stop when iter >= 10
}
experiment kinds(seeds = 3) {
  let a = t.run()
  claim a.l
  claim a.l < 1
  claim a.l + 1
  claim "yes"
  let b = each i in 0..2 { t.run() }
  let c = bench(3)
  let d = check_grad(|x| x)
  let e = check_grad(|x| x, [1.0, 2.0])
  claim a.x[3, 3] > 0
}
experiment seedless(seeds = 0) {
  claim true
}
experiment several(seeds = [1, 2]) {
  claim true
}
