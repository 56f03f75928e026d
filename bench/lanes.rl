// 1,024 lanes of a loop that each ends on its own: lane 0 takes `most` turns, the others up to 16. What it costs is the sum of all
// turns; a machine that runs all lanes until the longest is done pays 1,024 times `most`.
fn lane(n: i32, x: f32) -> f32 {
  var left = n
  var y = x
  while left > 0 {
    y = 3.7 * y * (1 - y)
    left -= 1
  }
  y
}

train lanes(most = 1_000, turns = 1_000_000_000) {
  state x: f32[1024] = 0.1 + 0.8 * f32(iota(1024)) / 1023
  step {
    let i = iota(1024)
    x = vmap(lane)(where(i == 0, most, 1 + i % 16), x)
  }
  stop when iter >= turns
}
