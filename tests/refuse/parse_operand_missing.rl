// expect 7:14: expected a value, found the end of the line
// expect 9:11: expected a value, found `*`
// expect 10:16: a slice has two bounds
// expect 11:15: expected a value, found `,`
// expect 12:16: expected a value, found the reserved word `not`
fn f(x) {
  let a = x +
}
fn g(x) = * x
fn h(x) = x[1:2:3]
fn i(x) = (x, , 2)
fn j(x) = x == not x
