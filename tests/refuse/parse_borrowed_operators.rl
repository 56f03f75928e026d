// expect 7:5: expected the end of the line after a statement, found `&`
// expect 8:5: expected the end of the line after a statement, found `|`
// expect 9:6: expected a value, found `*`
// expect 10:5: expected a value, found `+`
// expect 11:5: expected the end of the line after a statement, found `=>`
fn f(x, y) {
  x && y
  x || y
  x ** y
  x++
  x => y
}
