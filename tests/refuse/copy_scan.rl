// expect 13:13: this update copies `buffer`, 1.2 MB, in each turn of a loop
// note 14:23: the old value is read here, behind the update
// expect 18:26: this update copies `scores`, 1.2 MB, in each step
// note 19:23: the old value is read here, behind the update
// In each turn of a scan; and a variable that begins as a state and is updated in a loop.
train keep(n = 300_000) {
  state buffer = zeros([n])
  state scores = ones([n])
  state total = 0.0
  step {
    let sums = scan t in 0..10 {
      let old = buffer
      buffer[t] = 1.0 + total
      total = sum(old * buffer)
      total
    }
    var best = scores
    for t in 0..10 { best[t] = 2 * best[t + 1] + sums[t] }
    total += sum(best * scores)
    log total = total
  }
  stop when iter >= 10
}
