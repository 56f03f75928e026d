// expect 8:42: `einsum`: expected `->` and the result's letters
// expect 9:42: `einsum`: `j` is 3 and 4
// expect 10:28: `einsum`: term 1 has 3 letters, but its array is f32[4, 3]
// expect 11:28: `einsum`: the result's `k` stands in no term
// expect 12:28: `einsum` cannot read its formula at `2 -> i`
// expect 13:28: `einsum` takes a formula and one to 8 arrays
// expect 14:28: `einsum`: the letter `i` twice in one term
fn f(x: f32[4, 3], y: f32[3, 5]) = einsum("i j, j k", x, y)
fn g(x: f32[4, 3], y: f32[4, 5]) = einsum("i j, j k -> i k", x, y)
fn h(x: f32[4, 3]) = einsum("i j k -> i", x)
fn i(x: f32[4, 3]) = einsum("i j -> i k", x)
fn j(x: f32[4, 3]) = einsum("i 2 -> i", x)
fn k(x: f32[4, 3]) = einsum(x, x)
fn l(x: f32[4, 4]) = einsum("i i -> i", x)
