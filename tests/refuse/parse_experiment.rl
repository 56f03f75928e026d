// expect 5:3: expected `let` or `claim`, found the reserved word `var`
// expect 6:8: expected a value, found the end of the line
// expect 7:3: expected `let` or `claim`, found `log`
experiment e(seeds = 3) {
  var a = t.run()
  claim
  log a = 1
}
