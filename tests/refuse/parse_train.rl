// expect 8:9: expected `(` and the parameters, found `{`
// expect 12:3: expected a part of the trainer, found `stete`
// expect 13:3: expected a part of the trainer, found the reserved word `var`
// expect 14:8: expected a block, `{ … }`, found `1`
// expect 15:8: expected `when`, found the reserved word `if`
// expect 16:3: expected a part of the trainer, found the reserved word `every`
// expect 17:10: an exported function states its result type
train t {
  step { 1 }
}
train u(lr = 1) {
  stete p = 1
  var q = 2
  step 1
  stop if q
  every 10 { log a = 1 }
  export f(x) = x
}
