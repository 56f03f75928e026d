// expect 6:5: the environment `nothing` has no `action`
// expect 9:5: the environment `odd` has no such action
// expect 13:6: `reset` of an environment takes one parameter
// expect 14:6: `step` of an environment takes an action, and perhaps a key
// expect 18:20: an environment needs at least one action
env nothing {
  state x: f32
}
env odd(limit = 10) {
  state x: f32
  action = 3
  obs = x
  fn reset() { x = 0.0 }
  fn step(a, b, c) { x = a }
}
env even {
  state x: f32
  action = discrete(0)
  obs = [x]
  fn reset(key) { x = 0.0 }
  fn step(a) { x += 1.0 }
}
