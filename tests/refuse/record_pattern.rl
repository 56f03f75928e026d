// expect 7:7: 2 names for f32[3]
// expect 11:7: 3 names for 2 values: (f32, f32)
// expect 15:7: 2 names for f32
// expect 18:17: `...` needs a record with named fields, found f32
// expect 19:29: in a record every item has a name
fn f(x: f32[3]) {
  let (a, b) = x
  a + b
}
fn g(p: (f32, f32)) {
  let (a, b, c) = p
  a
}
fn h(x: f32) {
  let [a, b] = x
  a
}
fn i(x: f32) = (...x, y = x)
fn j(x: f32[4]) = (a = x, x + 1)
