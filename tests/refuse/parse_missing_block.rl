// expect 7:12: expected a block, `{ … }`, found the end of the line
// expect 8:14: expected a block, `{ … }`, found the end of the line
// expect 9:13: expected a block, `{ … }`, found the end of the line
// expect 10:12: expected a block, `{ … }`, found `log`
// expect 12:15: expected a body, found the end of the file
fn f(x) {
  if x == 1
  while x > 2
  for y in x
  every 10 log a = 1
}
fn g(x) -> f32
