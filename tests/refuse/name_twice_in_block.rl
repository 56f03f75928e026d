// expect 4:7: `y` is named twice in one block
fn f(x: f32[4]) {
  let y = x + 1
  let y = y * 2
  y
}
