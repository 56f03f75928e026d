// expect 6:10: `e` returns f32[T <= 4], whose length is known at run time only
train fit() {
  state x = ones([8])
  step { x = x }
  stop when iter > 3
  export e(y: f32[T <= 4]) -> f32[T] = y * 2
}
