// expect 9:19: `m` is not known here
// expect 10:26: the state `q` must be f32[3], not f32[4]
// expect 11:13: the state `r` must be arrays, not the function `sin`
// expect 12:13: the state `s` must be arrays, not "x"
// expect 13:21: the state `u` must be arrays, not ["a"]
// States as they are declared.
train t(lr = 0.1) {
  let n = 3
  state p: f32[n, m] = zeros
  state q: f32[n] = zeros([4])
  state r = sin
  state s = "x"
  state u: f32[n] = ["a"]
  step { }
  stop when iter > 3
}
