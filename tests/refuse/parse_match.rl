// expect 5:14: expected `=>`, found `:`
// expect 6:13: expected a case's label, found `-`
// expect 7:10: expected `{` and the cases, found the end of the line
fn f(x) {
  match x { 0: 1 }
  match x { -1 => 2 }
  match x
}
