// expect 19:48: `vmap` over axes of 5 and 3
// help 19:48: the axes that it goes over are equally long; axes = [false, 0] shares the first argument
// expect 20:51: `vmap` over axes of 5 and 4
// help 20:51: the axes that it goes over are equally long; axes = [false, 0] shares the first argument
// expect 21:64: `vmap` over axes of 5 and 3
// help 21:64: the axes that it goes over are equally long; axes = [false, 0] shares the first argument
// expect 22:67: an axis of `vmap` must be an integer, not "a"
// help 22:67: write an integer, or what is computed from integers while compiling
// expect 23:49: `vmap` has no parameter `in_axes`
// help 23:49: vmap(f, axes = 0 of each)(…)
// expect 24:44: `vmap` over axis 0 of f32
// help 24:44: axes = [0, false] names an axis for each argument, false for what all lanes share
// expect 25:62: `vmap` over axis 0 of key
// help 25:62: split(key, n) gives a key for each lane; axes = [0, false] shares one
// expect 26:47: `axes` must be a list of 2
// help 26:47: write an axis for each argument, `false` where it is shared
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
