// expect 10:25: this is not the state of `cartpole`: the type cartpole(x: f32, dx: f32, th: f32, dth: f32, t: i32)
// expect 14:25: `reset` updates the environment's state: it comes first, with `&`
// expect 15:25: this is not the state of `pendulum`: cartpole
// expect 16:24: `cartpole.step` needs the argument `a`
// expect 17:37: `cartpole.step` takes 3 arguments, found 4
// expect 19:32: `cartpole` has no setting `speed`
use classic
fn f(key) {
  var s = classic.cartpole.state
  classic.cartpole.reset(&s, key)
}
fn g(key) {
  var s = zeros(classic.cartpole.state)
  classic.cartpole.reset(s, key)
  classic.pendulum.reset(&s, key)
  classic.cartpole.step(&s)
  classic.cartpole.step(&s, 1, key, 3)
}
const quick = classic.cartpole(speed = 3)
