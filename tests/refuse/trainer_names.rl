// expect 7:19: `lr` stands twice in one list
// expect 9:9: `p` is named twice in one block
// expect 10:19: `unknown_rate` is not known here
// expect 12:9: `p` hides a name of an outer block
// expect 13:5: `undefined_step` is not known here
use nn
train t(lr = 0.1, lr = 0.2) {
  state p = zeros([3])
  state p = ones([3])
  let rate = lr * unknown_rate
  step {
    let p = p + 1
    undefined_step(p)
  }
  stop when iter >= 3
}
