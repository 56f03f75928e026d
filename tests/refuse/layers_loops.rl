// expect 11:18: the number of layers must be known when compiling, but this is a run-time value (i32)
// expect 15:3: `layers` belongs in a `for`
// expect 19:18: the number of layers must be an integer, not "3"
// expect 24:42: argument `O` of `dense` must be known when compiling, but this is a run-time value (i32)
// expect 29:3: `layers` belongs in a `for`
// expect 34:18: the number of layers must come out as an integer, but is 2.5
// Loops over layers.
use nn
model one(x: f32[B, 4], n: i32) {
  var h = x
  for l in layers(n) { h = nn.dense(h, 4) }
  h
}
model two(x: f32[B, 4]) {
  scan l in layers(3) { nn.dense(x, 4) }
}
model three(x: f32[B, 4]) {
  var h = x
  for l in layers("3") { h = nn.dense(h, 4) }
  h
}
model four(x: f32[B, 4]) {
  var h = x
  for l in layers(3) { h = nn.dense(h, 4 + l) }
  h
}
model five(x: f32[B, 4]) {
  var h = x
  each l in layers(3) { nn.dense(h, 4) }
  h
}
model six(x: f32[B, 4]) {
  var h = x
  for l in layers(2.5) { h = nn.dense(h, 4) }
  h
}
