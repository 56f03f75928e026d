// expect 8:18: `x` is not known here
// expect 9:19: `x` must be f32, not f32[2]
env walk {
  state x: f32
  state n: i32 = 0
  action = discrete(2)
  obs = [x]
  fn far() = abs(x) > 3.0
  fn reset(key) { x = uniform(key, [2]) }
  fn step(a) {
    n += 0.5
    (reward = x, terminated = x)
  }
}
