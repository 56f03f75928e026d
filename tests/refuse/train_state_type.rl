// expect 5:13: the state `f` must be arrays, not the function `sin`
// expect 6:26: the state `k` must be f32[3], not f32[4]
// expect 7:13: an empty list has no element type: it cannot become an array
train t() {
  state f = sin
  state k: f32[3] = zeros([4])
  state e = []
  step { log l = 1.0 }
  stop when iter >= 3
}
