// expect 12:43: `einsum`: the formula has more terms than the 1 array given
// expect 13:43: `einsum`: term 3 has 0 letters, but its array is f32[3, 5]
// expect 14:43: the arrays of `einsum` have different element types: f32 and i32
// expect 15:43: `einsum`: the letter `i` twice in one term
// expect 16:29: `einsum` cannot read its formula at `... j -> ...`
// expect 17:30: `einsum` multiplies and adds numbers, not bools
// expect 18:29: `einsum`: term 1 has 2 letters, but its array is f32[3]
// expect 19:29: expected an array, found the record (f32[4, 3], f32[4, 3])
// expect 20:29: `einsum`: expected `->` and the result's letters
// expect 21:44: `einsum`: `j` is 0 and 4
// The terms of einsum are its arrays.
fn f1(x: f32[4, 3], y: f32[3, 5]) = einsum("i j, j k -> i k", x)
fn f2(x: f32[4, 3], y: f32[3, 5]) = einsum("i j, j k -> i k", x, y, y)
fn f3(x: f32[4, 3], y: i32[3, 5]) = einsum("i j, j k -> i k", x, y)
fn f4(x: f32[4, 3], y: f32[3, 5]) = einsum("i j, j k -> i i", x, y)
fn f5(x: f32[4, 3]) = einsum("... j -> ...", x)
fn f6(x: bool[4, 3]) = einsum("i j -> i", x)
fn f7(x: f32[4, 3]) = einsum("i j -> i", x[0])
fn f8(x: f32[4, 3]) = einsum("i j -> i", (x, x))
fn f9(x: f32[4, 3]) = einsum("i j - > i", x)
fn f10(x: f32[2, 0], y: f32[4, 3]) = einsum("i j, j k -> i k", x, y)
