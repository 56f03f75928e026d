// expect 6:16: `J` is not known here
// expect 10:26: `none` has no field `w`
use nn
model a(x) = nn.dense(x, 3)
model b(x: f32[B, I]) {
  param w: f32[J, I] = zeros
  x @ w
}
model none(x: f32[2]) = 2 * x
fn f(p: none.params) = p.w
