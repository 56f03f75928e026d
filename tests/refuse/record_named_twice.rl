// expect 6:3: the record names `x` twice
// A bare name stands for `x = x`. A field named outright wins over one spread; of two named outright neither does.
fn f() {
  let x = 1.0
  let r = (y = 2.0)
  (...r, x, x = 2.0)
}
