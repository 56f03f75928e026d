// expect 4:3: `log` inside a `while`
fn f(x: f32) {
  var y = x
  while y > 0 {
    y -= 1
    log left = y
  }
  y
}
