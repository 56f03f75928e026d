// expect 10:10: this update copies `seen.items`, 4 MB, in each step
// note 25:30: the old value is read here, behind the update
// Through calls that update what they are given.
record ring[N] {
  items: f32[N]
  next: i32
}

fn push(&r: ring[N], x) {
  r.items[r.next % N] = x
  r.next += 1
}

fn twice(&r: ring[N], x) {
  push(&r, x)
  push(&r, 2 * x)
}

train keep(n = 1_000_000) {
  state seen = zeros(ring[n])
  state total = 0.0
  step {
    let old = seen
    twice(&seen, total)
    total += mean(seen.items * old.items)
    log total = total
  }
  stop when iter >= 10
}
