// expect 6:10: 99999999999 does not fit into i32
// expect 11:10: -1 does not fit into u8
// A setting must be one of the type that it meets.
train one(n = 99_999_999_999) {
  state x: i32 = 0
  step { x += n }
  stop when iter > 3
}
train two(n = -1) {
  state x: u8 = 0
  step { x += n }
  stop when iter > 3
}
