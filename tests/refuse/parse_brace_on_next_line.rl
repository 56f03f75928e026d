// expect 3:8: expected a block, `{ … }`, found the end of the line
// expect 8:7: expected a block, `{ … }`, found the end of the line
fn f(x)
{
  x
}
fn g(x) {
  if x
  { 1 } else { 2 }
}
