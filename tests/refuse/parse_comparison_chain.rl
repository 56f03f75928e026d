// expect 4:23: comparisons do not chain
// expect 6:18: comparisons do not chain
// expect 7:7: a range has two ends
fn f(a, b, c) = a < b < c
fn g(a, b, c) {
  let d = a == b == c
  0..a..b
}
