// expect 5:11: expected `:` and a type, found `=`
// expect 6:18: expected `=` and an initialiser, found the end of the line
// expect 7:8: expected the parameter's name, found `:`
layer a(x) {
  param w = zeros
  param v: f32[3]
  param: f32 = 1
}
