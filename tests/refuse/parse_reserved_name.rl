// expect 8:7: expected a name, found the reserved word `state`
// expect 9:7: expected a name, found the reserved word `in`
// expect 10:11: expected a name, found the reserved word `match`
// expect 12:4: expected the function's name, found the reserved word `each`
// expect 13:12: expected a field's name, found the reserved word `param`
// expect 14:7: expected the constant's name, found the reserved word `let`
fn f(x) {
  let state = 3
  for in in x { 1 }
  var (a, match) = x
}
fn each(x) = x
record r { param: f32 }
const let = 1
