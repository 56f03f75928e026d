// A run-time value cannot say how many keys there are; a key is no loop bound.
fn f(key, n: i32) = each k in split(key, n) { normal(k) }
fn g(key) {
  var s = 0.0
  for i in key { s += 1 }
  s
}
