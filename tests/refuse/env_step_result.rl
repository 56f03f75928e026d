// expect 14:6: `one.step` must give a reward and whether the episode terminated
// expect 21:6: `reward` of `two.step` is one f32, not f32[1]
// expect 28:6: `terminated` of `three.step` is one bool, not f32
// expect 35:6: `four.step` must give a reward and whether the episode terminated
// expect 42:6: `five.step` must give a reward and whether the episode terminated
// expect 49:6: `truncated` of `six.step` is one bool, not i32
// expect 56:6: `terminated` of `seven.step` is one bool, not bool[2]
// What a step gives.
env one {
  state x: f32
  action = discrete(2)
  obs = [x]
  fn reset(key) { x = 0 }
  fn step(a) { (rew = 0.0, terminated = false) }
}
env two {
  state x: f32
  action = discrete(2)
  obs = [x]
  fn reset(key) { x = 0 }
  fn step(a) { (reward = [0.0], terminated = false) }
}
env three {
  state x: f32
  action = discrete(2)
  obs = [x]
  fn reset(key) { x = 0 }
  fn step(a) { (reward = 0.0, terminated = x) }
}
env four {
  state x: f32
  action = discrete(2)
  obs = [x]
  fn reset(key) { x = 0 }
  fn step(a) { 0.0 }
}
env five {
  state x: f32
  action = discrete(2)
  obs = [x]
  fn reset(key) { x = 0 }
  fn step(a) { x += 1 }
}
env six {
  state x: f32
  action = discrete(2)
  obs = [x]
  fn reset(key) { x = 0 }
  fn step(a) { (reward = 0.0, terminated = false, truncated = 1) }
}
env seven {
  state x: f32[2]
  action = discrete(2)
  obs = x
  fn reset(key) { x = [0.0, 1.0] }
  fn step(a) { (reward = 0.0, terminated = x > 0) }
}
