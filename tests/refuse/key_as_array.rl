// expect 6:5: `*` of a key
// expect 8:17: a key is no number
// expect 9:16: the condition of an `if` must be true or false, not key
fn f(key) {
  let k = split(key, 4)
  k * 2
}
fn g(key) = mean(key)
fn h(key) = if key { 1.0 } else { 2.0 }
