// expect 11:5: `iter` cannot be assigned: it is the trainer's own
// expect 12:5: `seed` cannot be assigned: it is the trainer's own
// expect 13:5: `lr` cannot be assigned: it is a setting
// expect 14:5: `n` cannot be assigned: it is a `let`
// expect 15:5: `key` cannot be assigned: it is the trainer's own
// What belongs to the trainer.
train t(lr = 0.1) {
  let n = 3
  state x: f32 = 0.0
  step {
    iter = 3
    seed = 1
    lr = 0.5
    n = 4
    key = 5
    x += 1
  }
  stop when iter > 3
}
