// expect 4:14: `reversed` belongs to `scan`, not to `for`
// expect 5:24: expected a block, `{ … }`, found `reversed`
fn f(x) {
  for y in x reversed { y }
  scan y in x reversed reversed { y }
}
