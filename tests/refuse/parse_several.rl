// expect 10:10: expected a value, found the end of the line
// expect 12:3: expected `,` or `)`, found the reserved word `let`
// expect 12:16: expected a value, found `)`
// expect 15:1: expected a declaration, found `modle`
// expect 17:3: expected a part of the trainer, found `stete`
// expect 18:12: expected the end of the line after a statement, found `b`
// expect 19:8: expected `when`, found `iter`
use nn
fn f(x) {
  let y =
  let z = g(x, y
  let w = (1 + ) * 3
  let ok = 1
}
modle m(x) { x }
train t() {
  stete x = 1
  step { a b }
  stop iter
}
fn g(x) { x }
