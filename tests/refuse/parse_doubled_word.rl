// expect 6:7: expected a name, found the reserved word `let`
// expect 7:7: expected a name, found the reserved word `for`
// expect 8:16: expected a block, `{ … }`, found the end of the line
// expect 10:4: expected the function's name, found the reserved word `fn`
fn f(x) {
  let let y = 1
  for for y in x { y }
  if if x { 1 }
}
fn fn g(x) = x
