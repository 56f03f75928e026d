// Tasks that need memory: what counts was seen earlier. Morad et al. 2023 (POPGym).

// A deck of suits is shown card by card; the action names the suit shown `back` steps ago. A right answer earns
// 1 / (limit - back), a wrong one costs as much, and the first `back` answers count for nothing: returns lie between
// -1 and 1. obs: the suit as a one-hot f32[suits].
env repeat_previous(suits = 4, back = 4, limit = 51) {
  state deck: i32[limit + 1]
  state t: i32 = 0
  action = discrete(suits)
  obs = one_hot(deck[t], suits)

  fn reset(key) {
    deck = permutation(key, iota(limit + 1) % suits)
  }

  fn step(a) {
    let due = t >= back
    let right = a == deck[max(t - back, 0)]
    t += 1
    (reward = where(due, where(right, 1.0, -1.0), 0) / (limit - back), terminated = t >= limit)
  }
}
