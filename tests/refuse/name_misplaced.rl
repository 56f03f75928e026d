// expect 7:9: `param` outside of a layer
// expect 8:3: `state` outside of a rule
// expect 9:3: `every` outside of a trainer's `step`
// expect 13:13: `state` outside of a rule
// Words that belong elsewhere.
fn f(x: f32[4]) {
  param w: f32[4] = zeros
  state n = 0
  every 10 { log a = sum(x) }
  x
}
rule r(g: P) -> P {
  if true { state m = zeros(g) }
  g
}
