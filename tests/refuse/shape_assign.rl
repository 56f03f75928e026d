// expect 10:4: the place and what is assigned to it do not fit together: f32[3] and f32[2] (3 against 2)
// expect 11:4: the place and what is assigned to it do not fit together: f32[4] and f32[4, 3] (4 against 3)
// expect 12:5: the index 7 is outside of an axis of 4
// expect 13:5: a new axis cannot be assigned
// expect 14:4: expected f32, found bool
// expect 19:4: an index array in an assignment must stand on the first axis
// What is assigned must fit its place.
fn f(x: f32[4, 3]) {
  var y = x
  y[0] = [1.0, 2.0]
  y[:, 0] = x
  y[7] = 0.0
  y[_] = x
  y[0, 0] = true
  y
}
fn g(x: f32[4, 3], i: i32[2]) {
  var y = x
  y[:, i] = 0.0
  y
}
