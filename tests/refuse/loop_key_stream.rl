// expect 4:36: the number of keys must be known when compiling, but this is a run-time value (i32)
// expect 7:12: key has no axis to loop over
// A run-time value cannot say how many keys there are; a key is no loop bound.
fn f(key, n: i32) = each k in split(key, n) { normal(k) }
fn g(key) {
  var s = 0.0
  for i in key { s += 1 }
  s
}
