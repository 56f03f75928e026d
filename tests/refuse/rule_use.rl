// expect 8:29: the rule `adam` updates its state: it comes first, with `&`
// expect 11:15: `s` cannot be updated: it is a `let`
// expect 15:15: this is not the state of `adam`: momentum
// expect 19:13: the rule `adam` updates its state: it comes first, with `&`
// expect 21:25: `adam.init` needs an argument
// expect 23:3: the state `m` has neither type nor initial value
use optim
fn f(g: f32[4]) = optim.adam(g)
fn h(g: f32[4]) {
  let s = optim.adam.init(g)
  optim.adam(&s, g)
}
fn i(g: f32[4]) {
  var s = optim.momentum.init(g)
  optim.adam(&s, g)
}
fn j(g: f32[4]) {
  var s = optim.adam.init(g)
  optim.adam(s, g)
}
fn k() = optim.adam.init()
rule empty(g: P) -> P {
  state m
  g
}
fn l(g: f32[4]) = empty.init(g)
