// expect 20:67: `break` is not known here
// help 20:67: a loop ends by itself: `while c { … }` as soon as c is false
// expect 21:33: `range` is not known here
// help 21:33: 0..n is a range: for i in 0..n { … }
// expect 22:38: `enumerate` is not known here
// help 22:38: loops go in step over a tuple: for (i, x) in (0..n, xs) { … }
// expect 23:24: `float` is not known here
// help 23:24: f32(x) makes reals
// expect 24:27: f32[6, 3] has no member `mean`
// help 24:27: functions are called: mean(x)
// expect 25:27: f32[6, 3] has no member `astype`
// help 25:27: a cast is a call: f32(x), i32(x)
// expect 26:24: `jnp` is not known here
// help 26:24: `rlc ops --builtins` lists what needs no import
// expect 27:24: `arange` is not known here
// help 27:24: iota(n) counts 0, 1, … n - 1
// expect 28:28: `None` is not known here
// help 28:28: `()` is nothing: a field whose default is () may be absent
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
