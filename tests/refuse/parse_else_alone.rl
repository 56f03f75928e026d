// expect 5:3: `else` without an `if` before it
// expect 8:14: expected the end of the line after a statement, found `elif`
fn f(x) {
  let y = 1
  else { 2 }
}
fn g(x) {
  if x { 1 } elif x { 2 }
}
