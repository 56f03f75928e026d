// expect 9:8: this update copies `best`, 4 MB, in each step
// note 11:5: the old value is read here, behind the update
// A variable that begins as a state, is updated, and may not be taken.
train climb(n = 1_000_000) {
  state best = zeros([n])
  state score = 0.0
  step {
    var new = best
    new[randint(key, [], 0, n)] = uniform(key, [])
    let s = sum(new)
    if s > score {
      best = new
      score = s
    }
    log score = score
  }
  stop when iter >= 1000
}
