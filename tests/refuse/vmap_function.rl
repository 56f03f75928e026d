// expect 10:27: `vmap` takes a function, found f32[5, 3]
// expect 11:37: `distance` needs the argument `b`
// expect 12:32: `vmap` stacks arrays, but its function gives "t"
// expect 13:32: `vmap` stacks arrays, but its function gives the function `sin`
// expect 14:47: a lambda cannot change `s`, which is outside of it
// expect 15:36: `vmap` stacks arrays, but its function gives nothing
// expect 16:46: a size must be known when compiling, but this is a run-time value (i32)
// What vmap maps is a function of arrays.
fn distance(a: f32[3], b: f32[3]) = sum((a - b)^2)
fn f1(a: f32[5, 3]) = vmap(a)(a)
fn f2(a: f32[5, 3]) = vmap(distance)(a)
fn f3(a: f32[5, 3]) = vmap(|x| "t")(a)
fn f4(a: f32[5, 3]) = vmap(|x| sin)(a)
fn f5(a: f32[5, 3]) { var s = 0.0; vmap(|x| { s += sum(x) })(a) }
fn f6(a: f32[5, 3]) = vmap(|x| { })(a)
fn f7(a: f32[5, 3], n: i32) = vmap(|x| zeros([n]))(a)
