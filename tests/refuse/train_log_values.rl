// expect 13:9: a logged value must be one number, not net
// expect 14:9: a logged value must be one number, not (1, 2)
// expect 15:9: a logged value must be one number, not f32[3]
// expect 16:9: a complex number cannot be logged
// expect 17:9: a logged value must be one number, not "x"
// expect 18:9: a logged value must be one number, not key
// What can be logged.
use nn
model net(x: f32[B, 3]) -> f32[B, 1] = nn.dense(x, 1)
train t(lr = 0.1) {
  state p = net.init(key)
  step {
    log weights = p
    log pair = (1, 2)
    log row = ones([3])
    log wave = complex(1.0, 2.0)
    log word = "x"
    log draw = key
  }
  stop when iter > 3
}
