// expect 11:67: `break` is not known here
// expect 12:33: `range` is not known here
// expect 13:38: `enumerate` is not known here
// expect 14:24: `float` is not known here
// expect 15:27: f32[6, 3] has no member `mean`
// expect 16:27: f32[6, 3] has no member `astype`
// expect 17:24: `jnp` is not known here
// expect 18:24: `arange` is not known here
// expect 19:28: `None` is not known here
// Words of other languages.
fn f1(xs: f32[6, 3]) { var s = 0.0; for x in xs { if sum(x) > 3 { break }; s += sum(x) }; s }
fn f2(xs: f32[6, 3]) { for i in range(6) { log a = i } }
fn f3(xs: f32[6, 3]) { for (i, x) in enumerate(xs) { log a = i } }
fn f4(xs: f32[6, 3]) = float(argmax(xs))
fn f5(xs: f32[6, 3]) = xs.mean()
fn f6(xs: f32[6, 3]) = xs.astype(i32)
fn f7(xs: f32[6, 3]) = jnp.sum(xs)
fn f8(xs: f32[6, 3]) = arange(6)
fn f9(x: f32) = if x > 0 { None } else { x }
