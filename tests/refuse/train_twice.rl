// expect 8:3: a trainer has one `step`
// expect 11:11: the setting `lr` has no value
// expect 18:10: expected an array or a number, found "fast"
// Two steps, and a setting without a value.
train one(lr = 0.1) {
  state x = 0.0
  step { x += lr }
  step { x -= lr }
  stop when iter > 3
}
train two(lr) {
  state x = 0.0
  step { x += 1 }
  stop when iter > 3
}
train three(lr = "fast") {
  state x = 0.0
  step { x += lr }
  stop when iter > 3
}
