// expect 5:15: the condition of `stop when` must be one bool, not bool[3]
train t(steps = 100) {
  state x = zeros([3])
  step { x += 1; log l = sum(x) }
  stop when x >= 3
}
