// expect 7:9: a logged value must be one number, not f32[3]
// expect 8:9: a logged value must be one number, not "text"
// expect 9:9: a logged value must be one number, not the function `sin`
train t() {
  state x = zeros([3])
  step {
    log a = x, b = sum(x)
    log c = "text"
    log d = sin
  }
  stop when iter >= 3
}
