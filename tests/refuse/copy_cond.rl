// expect 13:13: this update copies `buffer`, 1.6 MB, in each step
// note 15:22: the old value is read here, behind the update
// expect 17:50: this update copies `counts`, 3.2 MB, in each step
// note 18:34: the old value is read here, behind the update
// In a branch; and rows at indices, added to.
train keep(n = 400_000) {
  state buffer = zeros([n])
  state counts = zeros([n, 2], i32)
  state total = 0.0
  step {
    let old = buffer
    if iter % 2 == 0 {
      buffer[3] += 1.0
    }
    total += sum(old * buffer)
    let before = counts
    if iter % 3 == 0 { total += 1 } else { counts[randint(key, [64], 0, n)] += 1 }
    let changed = sum(i32(counts != before))
    log changed = f32(changed)
    log total = total
  }
  stop when iter >= 10
}
