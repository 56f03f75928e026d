// expect 4:8: expected a block, `{ … }`, found `=`
// expect 5:11: expected a block, `{ … }`, found `=`
fn f(x) {
  if x = 1 { 2 }
  while x = 3 { 4 }
}
