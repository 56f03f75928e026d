// expect 9:7: what replaces `wide` must be f32[3, 2], not f32[2]
// expect 10:32: `s.inside` is computed inside of a loop or branch: there is no single value to capture
// expect 13:59: no `let` here has the path "hidden"
// expect 15:44: `capture` takes a function and the path of a `let`
// expect 17:44: `capture` takes a function, found net
// expect 19:29: `s.unused` is computed inside of a loop or branch: there is no single value to capture
model net(x: f32[B, 2]) {
  param w: f32[2] = ones
  let wide = x * w
  let s = scan v in wide { let inside = sum(v); inside }
  sum(s)
}
fn f(p: net.params, x: f32[3, 2]) = capture(net, "hidden")(p, x)
fn g(p: net.params, x: f32[3, 2]) = capture(net, "s.inside")(p, x)
fn h(p: net.params, x: f32[3, 2]) = capture(net)(p, x)
fn i(p: net.params, x: f32[3, 2]) = patch(net, "wide", |v| zeros([2]))(p, x)
fn j(p: net.params, x: f32[3, 2]) = capture(p, "h")(x)
model idle(x: f32[3, 2]) {
  let s = scan v in x { let unused = sum(v); v }
  sum(s)
}
fn k(p: idle.params, x: f32[3, 2]) = capture(idle, "s.unused")(p, x)
