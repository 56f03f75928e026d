// expect 11:11: this update copies `buffer`, 4 MB, in each step
// note 12:25: the old value is read here, behind the update
// help 11:11: let old = copy(…)
// A state whose old value is read whole behind the update.
train keep(n = 1_000_000) {
  state buffer = zeros([n])
  state total = 0.0
  step {
    let old = buffer
    let i = i32(iter % 1000)
    buffer[i] = 1.0 + total
    total += sum(buffer - old)
    log total = total
  }
  stop when iter >= 10
}
