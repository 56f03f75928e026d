// expect 6:6: this lambda takes 2 arguments, but is called with 1
// expect 9:16: 2 names for f32[4]
// A lambda's arguments are counted where it is called.
fn f(x: f32[4]) {
  let add = |a, b| a + b
  add(x)
}
fn g(x: f32[4]) {
  let first = |(a, b)| a
  first(x)
}
