// expect 6:3: `layers` outside of a model
// expect 10:18: the number of layers is -1
// expect 15:3: `h` after a turn must be f32[1, 4], not f32[1, 5]
use nn
fn f() {
  for l in layers(3) { log a = l }
}
model net(x: f32[B, 4]) {
  var h = x
  for l in layers(-1) { h = nn.dense(h, 4) }
  h
}
model tower(x: f32[B, 4]) {
  var h = x
  for l in layers(3) { h = nn.dense(h, 5) }
  h
}
