// expect 8:4: 3 cannot be called
// expect 10:20: f32[4] cannot be called
// expect 11:26: [4] cannot be called
// expect 12:25: a type cannot be called
// Only functions are called.
fn f(x: f32[4]) {
  let y = 3
  y(x)
}
fn g(x: f32[4]) = x(0)
fn h(x: f32[4]) = x.shape(0)
fn i(x: f32[4]) = f32[4](x)
