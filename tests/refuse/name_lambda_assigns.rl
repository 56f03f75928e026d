// expect 6:19: a lambda cannot change `total`, which is outside of it
// expect 8:17: `each` cannot change `total`, which is outside of it
// A lambda is a value: it changes nothing around it, and neither does a lane of `each`.
fn f(x: f32[4]) {
  var total = 0.0
  let add = |v| { total += v; v }
  add(x[0])
  each v in x { total += v }
  total
}
