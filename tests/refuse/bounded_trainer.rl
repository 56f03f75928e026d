// expect 3:22: this does not take f32[n <= 8], whose length is known at run time only
train fit() {
  state x = ones([8])[:i32(sum(ones([2])))]
  step { x = x }
  stop when iter > 3
}
