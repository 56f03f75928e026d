// expect 5:16: `J` is not known here
use nn
model a(x) = nn.dense(x, 3)
model b(x: f32[B, I]) {
  param w: f32[J, I] = zeros
  x @ w
}
