// expect 7:5: the environment `one` has no `reset`
// expect 13:5: the environment `two` has no `step`
// expect 19:5: the environment `three` has no `obs`
// expect 25:5: the environment `four` has no `action`
// expect 32:3: the field `x` has neither type nor value
// What every environment has.
env one {
  state x: f32
  action = discrete(2)
  obs = [x]
  fn step(a) { (reward = 0.0, terminated = false) }
}
env two {
  state x: f32
  action = discrete(2)
  obs = [x]
  fn reset(key) { x = 0 }
}
env three {
  state x: f32
  action = discrete(2)
  fn reset(key) { x = 0 }
  fn step(a) { (reward = 0.0, terminated = false) }
}
env four {
  state x: f32
  obs = [x]
  fn reset(key) { x = 0 }
  fn step(a) { (reward = 0.0, terminated = false) }
}
env five {
  state x
  action = discrete(2)
  obs = [x]
  fn reset(key) { x = 0 }
  fn step(a) { (reward = 0.0, terminated = false) }
}
