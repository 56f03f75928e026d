// expect 15:17: the model `net` has no member `initialise`
// expect 16:24: the rule `slow` has no member `start`
// expect 17:30: the environment `cartpole` has no member `observation`
// expect 19:16: the function `twice` has no member `params`
// Members that declarations do not have.
use classic
model net(x: f32[B, 4]) -> f32[B] {
  param w: f32[4] = zeros
  x @ w
}
rule slow(g: P) -> P {
  state m = zeros(g)
  m
}
fn f(key) = net.initialise(key)
fn g(x: f32[4]) = slow.start(x)
fn h(key) = classic.cartpole.observation
fn twice(x) = 2 * x
fn i() = twice.params
