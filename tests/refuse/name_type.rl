// expect 6:9: the type `f23` is not known here
// expect 6:20: the type `float32` is not known here
// expect 7:9: the type `vector` is not known here
// expect 8:19: `K` is not known here
// Types that nothing declares.
fn f(x: f23[4]) -> float32 = x
fn g(x: vector[4]) = x
record r { a: f32[K] }
