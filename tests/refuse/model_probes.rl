// expect 13:55: no `let` here has the path "h2"
// expect 14:50: `hidden` is not known here
// expect 15:42: `patch` replaces a value by a function of it, found 0.0
// expect 16:42: `patch` takes a function and the path of a `let`, and what replaces it
// expect 17:42: `patch` replaces a value by a function of it alone, not of 2
// expect 18:44: `capture` takes a function, found net
// Looking into a model, and changing what is there.
use nn
model net(x: f32[B, 3]) -> f32[B, 2] {
  let hidden = nn.dense(x, 4)
  nn.dense(tanh(hidden), 2)
}
fn f1(key) { let p = net.init(key); capture(net, "h2")(p, ones([2, 3])) }
fn f2(key) { let p = net.init(key); capture(net, hidden)(p, ones([2, 3])) }
fn f3(key) { let p = net.init(key); patch(net, "hidden", 0.0)(p, ones([2, 3])) }
fn f4(key) { let p = net.init(key); patch(net, "hidden")(p, ones([2, 3])) }
fn f5(key) { let p = net.init(key); patch(net, "hidden", |a, b| a)(p, ones([2, 3])) }
fn f6(key) { let p = net.init(key); capture(p, "hidden")(ones([2, 3])) }
