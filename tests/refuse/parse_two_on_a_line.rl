// expect 5:13: expected the end of the line after a statement, found the reserved word `let`
// expect 6:5: expected the end of the line after a statement, found `z`
// expect 8:8: expected the end of the line after a declaration, found the reserved word `fn`
fn f(x) {
  let y = 1 let z = 2
  y z
}
use nn fn g(x) = x
