// expect 14:22: `base.run` has no setting `rate`
// expect 18:27: the setting `lr` is 0.1 by default, found "fast"
// expect 22:26: the setting `n` is an integer, found 2.5
// expect 26:24: this record has no field `y`
// expect 30:18: the trainer `base` has no member `train`
// expect 34:17: a trainer is no function: `base`
// Trainers that are run by others, with settings that they do not have.
train base(lr = 0.1, n = 4) {
  state x = 0.0
  step { x += lr }
  stop when iter > 3
}
train one() {
  state x = base.run(rate = 0.2).x
  step { x += 1 }
}
train two() {
  state x = base.run(lr = "fast").x
  step { x += 1 }
}
train three() {
  state x = base.run(n = 2.5).x
  step { x += 1 }
}
train four() {
  state x = base.run().y
  step { x += 1 }
}
train five() {
  state x = base.train().x
  step { x += 1 }
}
train six() {
  state x = base().x
  step { x += 1 }
}
