// expect 11:3: `y` cannot be assigned: it is a `let`
// expect 12:3: `x` cannot be assigned: it is a parameter
// expect 13:19: `i` cannot be assigned: it is a loop's variable
// expect 14:3: `limit` cannot be assigned: it is a declaration of the file
// expect 15:3: `sum` cannot be assigned: it is a function that every program has
// expect 16:3: `yy` is not known here
// What cannot be assigned: a `let`, a parameter, a loop's variable, a declaration, a builtin.
const limit = 3
fn f(x: f32[4], n) {
  let y = 1.0
  y = 2.0
  x[0] = 1.0
  for i in 0..3 { i = 2 }
  limit = 4
  sum = 3
  yy = 2.0
}
