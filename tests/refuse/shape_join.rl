// expect 12:26: `pad` of f32[4, 3] needs 2 counts before and behind
// expect 13:26: a size of -9: sizes are not negative
// expect 14:26: a size must be an integer, not [1, 1]
// expect 15:29: `concat` takes a list of arrays
// expect 16:29: an axis must be an integer, not "rows"
// expect 17:29: `concat` along axis 0: f32[4, 3] and f32 do not fit
// expect 18:27: `tile`'s count must be an integer, not [2, 2]
// expect 19:29: a count is -2
// expect 20:27: axis 2 of an array of 2 axes
// expect 21:36: a bound must be known when compiling, but this is a run-time value (i32)
// Padding, joining, repeating and moving.
fn f1(x: f32[4, 3]) = pad(x, 1)
fn f2(x: f32[4, 3]) = pad(x, [1, -9])
fn f3(x: f32[4, 3]) = pad(x, [[1, 1], [1, 1]])
fn f4(x: f32[4, 3]) = concat(x, x)
fn f5(x: f32[4, 3]) = concat([x, x], axis = "rows")
fn f6(x: f32[4, 3]) = concat([x, 1.0])
fn f7(x: f32[4, 3]) = tile(x, [2, 2])
fn f8(x: f32[4, 3]) = repeat(x, -2)
fn f9(x: f32[4, 3]) = flip(x, axis = 2)
fn f10(x: f32[4, 3], n: i32) = roll(x, n)
