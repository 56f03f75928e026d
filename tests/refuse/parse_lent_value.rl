// expect 7:6: `&` needs a place, whose value it lends
// expect 8:6: `&` needs a place, whose value it lends
// expect 9:8: `&` in a pattern marks an element that a loop writes back; `let` has none
// expect 10:11: expected a value, found `&`
// expect 11:4: expected a value, found `&`
fn f(x) {
  g(&f(x))
  g(&3)
  let &y = x
  let z = &x
  (&x, 1)
}
