// expect 17:31: the layer `dense` is called outside of a model: nobody owns its parameters
// expect 18:29: the layer `scaled` is called outside of a model: nobody owns its parameters
// expect 19:14: `layers` outside of a model
// expect 20:37: `adam.init` needs an argument
// expect 21:60: the rule `adam` updates its state: it comes first, with `&`
// expect 22:60: the operands of `+` do not fit together: f32[3] and f32[4] (3 against 4)
// expect 23:76: `adam` has no parameter `lr`
// expect 24:24: the rule `adam` updates its state: it comes first, with `&`
// expect 25:29: argument `g` of `adam.init` must be an array or a record of arrays, not "a"
// expect 26:30: `clip_norm` needs the argument `limit`
// Layers and rules that are called wrongly.
use nn, optim
layer scaled(x: f32[B, I], O: dim) -> f32[B, O] {
  param w: f32[I, O] = nn.lecun
  x @ w
}
fn f1(x: f32[2, 3]) = nn.dense(x, 4)
fn f2(x: f32[2, 3]) = scaled(x, 4)
fn f3(key) { for l in layers(2) { log a = l } }
fn f4(key) { let s = optim.adam.init(); s }
fn f5(key) { var s = optim.adam.init(ones([3])); optim.adam(s, ones([3])) }
fn f6(key) { var s = optim.adam.init(ones([3])); optim.adam(&s, ones([4])) }
fn f7(key) { var s = optim.adam.init(ones([3])); optim.adam(&s, ones([3]), lr = 0.1) }
fn f8(key) { optim.adam(ones([3])) }
fn f9(key) = optim.adam.init("a")
fn f10(key) = optim.clip_norm(ones([3]))
