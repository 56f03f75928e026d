// Large states that are updated in part: what is read before, or of a copy, is right, and the programs are not refused.
// With a few elements, states are copied as it suits; the elements that the updates reach are the same.

record ring[N] {
  items: f32[N]
  next: i32
}

fn push(&r: ring[N], x) {
  let was = r.items[r.next]
  r.items[r.next] = x
  r.next = (r.next + 1) % 50
  was
}

// Elements read before the update, in the step, in a loop, in a branch and through a call, and used behind it.
train reads(n = 1_000_000) {
  state x = zeros([n])
  state seen = zeros(ring[n])
  state total = 0.0
  step {
    let i = i32(iter % 40)
    let was = x[i +: 3]
    x[i + 1] = total + 1
    total = sum(was) + x[i + 1]
    for t in 0..5 {
      let before = x[t]
      let head = sum(x[0:10])
      x[t] = before + f32(i)
      total = total + x[t + 1] - before + head % 7
    }
    let rest = x[i]
    if i % 2 == 0 { x[i] += 3 } else { x[i + 1] -= 1 }
    total = (total + x[i] * 2 - rest + push(&seen, total)) % 1000
    log total = total
  }
  stop when iter >= 100
}

// Whole old values, of copies.
train copies(n = 1_000_000) {
  state x = zeros([n])
  state seen = zeros(ring[n])
  state total = 0.0
  step {
    let i = i32(iter % 40)
    let old = copy(x)
    x[i] = total + 1
    total = (total + sum((x - old) * f32(i + 1))) % 1000
    for t in 0..3 {
      let before = copy(x)
      if t != 1 { x[t] += total % 5 }
      total = (total + sum(x * 2 - before)) % 1000
    }
    var y = copy(x)
    for t in 0..3 { y[t] = y[t + 1] + x[t + 2] }
    let full = copy(seen)
    push(&seen, sum(y))
    total = (total + sum(y - x) + sum(seen.items * 2 - full.items)) % 1000
    log total = total
  }
  stop when iter >= 100
}

// One state assigned to another: two arrays from then on.
train pairs(n = 1_000_000) {
  state x = zeros([n])
  state before = zeros([n])
  state target = zeros([n])
  state total = 0.0
  step {
    let i = i32(iter % 40)
    before = x
    x[i] = total + 1
    if i % 7 == 0 { target = x }
    x[i + 1] = 3
    every 9 { (x, target) = (target, x) }
    total = (total + sum(x * 2 - before) + sum(target)) % 1000
    log total = total
  }
  stop when iter >= 100
}

// Lanes that take different branches.
train lanes(n = 5_000) {
  state x = zeros([64, n])
  state total = 0.0
  step {
    let i = i32(iter % 40)
    each (&row, lane) in (x, 0..64) {
      if (lane + i) % 3 == 0 {
        row[i] = 2
        row[(i + lane) % 40] += 1
      } else {
        row[(i * lane) % 40] = row[i] + 1
      }
    }
    total = (total + sum(x)) % 1000
    log total = total
  }
  stop when iter >= 100
}

fn equal(a, b) = max(abs(a - b)) == 0

experiment same(seeds = 1) {
  let (r, c, p, l) = (reads.run(), copies.run(), pairs.run(), lanes.run())
  let (r2, c2, p2, l2) = (reads.run(n = 100), copies.run(n = 100), pairs.run(n = 100), lanes.run(n = 100))
  claim equal(r.total, r2.total) and equal(r.x[:, 0:100], r2.x) and equal(r.seen.items[:, 0:100], r2.seen.items)
  claim equal(c.total, c2.total) and equal(c.x[:, 0:100], c2.x) and equal(c.seen.items[:, 0:100], c2.seen.items)
  claim equal(p.total, p2.total) and equal(p.x[:, 0:100], p2.x) and equal(p.target[:, 0:100], p2.target)
  claim equal(l.total, l2.total) and equal(l.x[:, :, 0:100], l2.x)
}
