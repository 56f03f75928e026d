// expect 8:11: this has no value
// expect 11:19: the body of a `scan` must end in a value
// expect 12:19: a `scan` cannot stack the function `sin`
// expect 14:8: only `each` writes its elements back
// expect 17:3: `unroll` goes over lists and ranges known while compiling, not f32[4]
// expect 20:3: `unroll` of 1000000 turns
fn f(x: f32[4]) {
  let y = for v in x { v }
  y
}
fn g(x: f32[4]) = scan v in x { log a = v }
fn h(x: f32[4]) = scan v in x { sin }
fn i(x: f32[4]) {
  for &v in x { v = 0.0 }
}
fn j(x: f32[4]) {
  unroll v in x { log b = v }
}
fn k() {
  unroll i in 0..1_000_000 { log c = i }
}
