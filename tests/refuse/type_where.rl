// expect 5:24: the condition of `where` must be bool, not f32[4]
// expect 6:36: the two sides of `where` have different element types: f32 and bool
// expect 7:36: `where` of records that differ: (f32[4], f32[4]) and (f32[4], f32[4], f32[4])
// expect 8:36: the condition of `where` and its sides do not fit together: bool[3] and f32[4] (3 against 4)
fn f(x: f32[4]) = where(x, x, 0)
fn g(x: f32[4], b: bool[4]) = where(b, x, b)
fn h(x: f32[4], b: bool[4]) = where(b, (x, x), (x, x, x))
fn i(x: f32[4], b: bool[3]) = where(b, x, 0)
