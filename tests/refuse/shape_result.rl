// expect 6:35: the result of `f` must be f32[3], not f32[4]
// expect 7:29: the result of `g` must be f32, not f32[4, 3]
// expect 8:36: the result of `h` must be a tuple of 2, not (f32[3], f32[3], f32[3])
// expect 10:23: `i` declares a result but has none
// A result must be as declared.
fn f(x: f32[4, 3]) -> f32[3] = sum(x, axis = 1)
fn g(x: f32[4, 3]) -> f32 = x
fn h(x: f32[N]) -> (f32[N], f32) = (x, x, x)
fn hh(x: f32[3]) = h(x)
fn i(x: f32[4]) -> f32[4] {
  let y = x
}
