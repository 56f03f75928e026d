// A world for one walker; `each` makes it many.
env line(N = 9, limit = 1_000, wind = 0.5) {
  state x, v: f32
  state t: i32 = 0
  state seen: bool[N, N]
  action = discrete(3)                    // left, stay, right
  obs    = [here(x, v), here(v, x), seen] |> transpose([1, 2, 0])

  fn here(a, b) -> bool[N, N] = iota(N)[:, _] == a and iota(N) == b

  fn reset(key) {
    [x, v] = uniform(key, [2], -0.05, 0.05)
    (x, v) = if bernoulli(key) { (0, 1) } else { (N - 1, -1) }
  }

  fn step(a, key) {
    x = clamp(x + f32(a == 2) - f32(a == 0), 0, N - 1)
    if x == v { v = -v }
    seen[0, 1] = false
    if not any(seen) { seen = here(0, 0) } else { (x, v) = (v, x) }
    t += 1
    (reward = 1.0, terminated = abs(x) > 2.4 or v^2 > 12 * pi / 180, truncated = t >= limit)
  }
}
