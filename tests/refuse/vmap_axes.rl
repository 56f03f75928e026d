// expect 11:48: `vmap` over axes of 5 and 3
// expect 12:51: `vmap` over axes of 5 and 4
// expect 13:64: `vmap` over axes of 5 and 3
// expect 14:67: an axis of `vmap` must be an integer, not "a"
// expect 15:49: `vmap` has no parameter `in_axes`
// expect 16:44: `vmap` over axis 0 of f32
// expect 17:62: `vmap` over axis 0 of key
// expect 18:47: `axes` must be a list of 2
// The axes that vmap goes over.
fn distance(a: f32[3], b: f32[3]) = sum((a - b)^2)
fn f1(a: f32[5, 3], b: f32[3]) = vmap(distance)(a, b)
fn f2(a: f32[5, 3], b: f32[4, 3]) = vmap(distance)(a, b)
fn f3(a: f32[5, 3], b: f32[3]) = vmap(distance, axes = [0, -1])(a, b)
fn f4(a: f32[5, 3], b: f32[3]) = vmap(distance, axes = ["a", "b"])(a, b)
fn f5(a: f32[5, 3], b: f32[3]) = vmap(distance, in_axes = [0, -1])(a, b)
fn f6(a: f32[5, 3]) = vmap(vmap(vmap(sin)))(a)
fn f7(a: f32[5, 3], k: key) = vmap(|x, q| normal(q, [3]) + x)(a, k)
fn f8(a: f32[5, 3]) = vmap(distance, axes = 0)(a, a)
