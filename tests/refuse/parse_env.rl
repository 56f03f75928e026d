// expect 8:3: expected a member of the environment, found the reserved word `var`
// expect 9:6: expected `=` and what is observed, found the end of the line
// expect 10:10: expected `=` and the kind of action, found `discrete`
// expect 11:3: expected a member of the environment, found `step`
// expect 12:8: expected the state's name, found the end of the line
// expect 14:4: expected the environment's name, found the end of the file
env e(n = 1) {
  var x = 1
  obs
  action discrete(2)
  step(a) { a }
  state
}
env
