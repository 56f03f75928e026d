// expect 6:9: the state of a layer must be floats, not i32
// expect 12:9: the state `m` of a layer is assigned inside of a loop or branch
// expect 26:3: the state of a layer needs a type
layer norm(x: float[B, C]) {
  state m: float[C] = zeros
  state n: i32 = 0
  m = mean(x, axis = 0)
  x - m
}
model a(x: f32[B, 2]) = norm(x)
layer mean_of(x: float[B, C]) {
  state m: float[C] = zeros
  m = mean(x, axis = 0)
  x - m
}
model b(x: f32[B, 2]) {
  var h = x
  for i in 0..3 { h = mean_of(h) }
  h
}
fn f(p: b.params, x: f32[4, 2]) {
  var q = p
  b(&q, x)
}
layer untyped(x) {
  state m = zeros
  x
}
model c(x: f32[B, 2]) = untyped(x)
