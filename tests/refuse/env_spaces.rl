// expect 9:20: the number of actions must come out as an integer, but is 0.5
// expect 20:5: `x` must be f32, not f32[2]
// expect 27:3: expected an array or a number, found "x"
// expect 31:5: the environment `four` has no such action
// expect 42:19: `y` is not known here
// Actions and observations.
env one {
  state x: f32
  action = discrete(0.5)
  obs = [x]
  fn reset(key) { x = 0 }
  fn step(a) { (reward = 0.0, terminated = false) }
}
env two {
  state x: f32
  action = box(2, -1.0, 1.0)
  obs = [x]
  fn reset(key) { x = 0 }
  fn step(a) {
    x += a
    (reward = 0.0, terminated = false)
  }
}
env three {
  state x: f32
  action = discrete(2)
  obs = "x"
  fn reset(key) { x = 0 }
  fn step(a) { (reward = 0.0, terminated = false) }
}
env four {
  state x: f32
  action = 2
  obs = [x]
  fn reset(key) { x = 0 }
  fn step(a) { (reward = 0.0, terminated = false) }
}
env five {
  state x: f32
  action = discrete(2)
  obs = [x]
  fn reset(key) { y = 0 }
  fn step(a) { (reward = 0.0, terminated = false) }
}
