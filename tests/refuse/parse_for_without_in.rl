// expect 5:9: expected `in`, found `x`
// expect 6:9: expected `in`, found `=`
// expect 7:15: expected `in`, found `of`
fn f(x) {
  for y x { y }
  for y = 1 { y }
  each (y, z) of x { y }
}
