// expect 8:3: this cannot be assigned to
// expect 9:3: this cannot be assigned to
// expect 10:3: this cannot be assigned to
// expect 11:3: this cannot be assigned to
// expect 12:3: this cannot be assigned to
// expect 13:3: this cannot be assigned to
fn f(x) {
  f(x) = 1
  x + 1 = 2
  3 = x
  (x, 2) = x
  f(x).y += 1
  (x) = 1
}
