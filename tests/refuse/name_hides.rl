// expect 6:7: `width` hides a name of the file
// expect 10:9: `y` hides a name of an outer block
// `let` and `var` may hide the prelude and nothing else.
const width = 3
fn area(x: f32[4]) {
  let width = 4
  let sum = 2.0
  var y = x
  if sum > 1.0 {
    let y = 3.0
    log inner = y
  }
  y * width
}
