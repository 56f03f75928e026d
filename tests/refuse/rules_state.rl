// expect 10:14: the operands of `+` do not fit together: f32[2] and f32[3] (2 against 3)
// expect 15:3: 0.5 is not an integer, and the other side is i32
// expect 24:41: `momentum` takes 3 arguments, found 4
// expect 28:11: `momentum` needs the argument `g`
// expect 38:29: `warmup_cosine` needs the argument `warm`
// Rules, and the state that they keep.
use optim
rule momentum(g: P, mu = 0.9) -> P {
  state m = zeros(g)
  m = mu * m + g
  m
}
rule counting(g: P) -> P {
  state n: i32 = 0
  n += 0.5
  g
}
fn f() {
  var s = momentum.init((a = 1.0, b = 1.0))
  momentum(&s, (a = 1.0, c = 1.0))
}
fn g() {
  var s = momentum.init((a = 1.0, b = 1.0))
  momentum(&s, (a = 1.0, b = 1.0), 0.5, 0.5)
}
fn h() {
  var s = momentum.init((a = 1.0, b = 1.0))
  momentum(&s)
}
fn i() {
  var s = counting.init(1.0)
  counting(&s, 1.0)
}
fn j() {
  var s = momentum.init([1.0, 1.0])
  momentum(&s, [1.0, 1.0, 1.0])
}
fn k() = optim.warmup_cosine(3)
