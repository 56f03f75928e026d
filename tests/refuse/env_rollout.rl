// expect 11:13: 0 has no member `action`
// expect 15:13: the action of `cartpole` must be i32, not f32
// expect 19:13: a loop in step over 4 and 3 items
// expect 23:15: `w` cannot be updated: it is a `let`
// expect 26:17: `vec` needs the argument `key`
// expect 29:24: the action of `cartpole` must be i32, not f32[4]
// A policy that does not fit its environment.
use rl, classic
fn f(key) {
  var w = rl.vec(classic.cartpole, 4, key)
  rl.rollout(&w, 3, |obs, k| 0, key)
}
fn g(key) {
  var w = rl.vec(classic.cartpole, 4, key)
  rl.rollout(&w, 3, |obs, k| (action = ones([4])), key)
}
fn h(key) {
  var w = rl.vec(classic.cartpole, 4, key)
  rl.rollout(&w, 3, |obs, k| (action = ones([3], i32)), key)
}
fn i(key) {
  let w = rl.vec(classic.cartpole, 4, key)
  rl.rollout(&w, 3, |obs, k| (action = ones([4], i32)), key)
}
fn j(key) {
  var w = rl.vec(classic.cartpole(), key)
  w
}
fn k(key) = rl.evaluate(classic.cartpole, |obs| obs, key, episodes = 8)
