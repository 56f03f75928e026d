// expect 11:13: the condition of `stop when` must be true or false, not f32
// expect 16:13: the condition of `stop when` must be true or false, not i64
// expect 21:15: the condition of `stop when` must be one bool, not bool[3]
// expect 26:22: the condition of `stop when` must be true or false, not 1
// expect 31:20: `limit` is not known here
// expect 36:13: the condition of `stop when` must be true or false, not "done"
// The condition of stop.
train one() {
  state x = 0.0
  step { log loss = x }
  stop when loss
}
train two() {
  state x = 0.0
  step { x += 1 }
  stop when iter
}
train three() {
  state x = zeros([3])
  step { x += 1 }
  stop when x > 3
}
train four() {
  state x = 0.0
  step { x += 1 }
  stop when x > 3 or 1
}
train five() {
  state x = 0.0
  step { x += 1 }
  stop when iter > limit
}
train six() {
  state x = 0.0
  step { x += 1 }
  stop when "done"
}
