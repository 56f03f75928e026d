// expect 13:31: this does not take f32[n <= 8], whose length is known at run time only [in sort, stdlib:prelude.rl:104:34]
// expect 14:33: this does not take f32[n <= 8], whose length is known at run time only
// expect 15:37: `reshape` of f32[n <= 8, 2] joins or divides an axis whose length is known at run time only
// expect 16:40: a place of a length that is known at run time only cannot be assigned
// expect 17:27: the length of f32[n <= 8] is computed inside of a loop or branch: it cannot leave it
// expect 18:38: `vmap` over f32[n <= 8], whose length is known at run time only
// expect 19:30: the end of a slice must be one integer, not f32
// expect 20:33: 3 elements of an axis whose length is known at run time only
// expect 21:33: a window of an axis whose length is known at run time only
// expect 22:31: this does not take f32[n <= 8], whose length is known at run time only
// expect 23:34: a number of keys must be known when compiling
// expect 24:30: a size must be known when compiling, but this is a run-time value (i32)
fn d(x: f32[8], n: i32) = sort(x[:n])
fn p(x: f32[8], n: i32) = concat([x[:n], x])
fn g(x: f32[8, 2], n: i32) = reshape(x[:n], [-1])
fn h(x: f32[8], n: i32) { var y = x; y[:n] = 1.0; y }
fn i(x: f32[8], n: i32) = scan k in 0..3 { x[:min(n, k)] }
fn k(x: f32[8], n: i32) = vmap(|v| v)(x[:n])
fn l(x: f32[8], n: f32) = x[:n]
fn r(x: f32[8], n: i32) = x[:n][:3]
fn w(x: f32[8], n: i32) = x[:n][2 +: 2]
fn f(x: f32[8], n: i32) = flip(x[:n])
fn s(key, n: i32) = split(key, 8)[:n]
fn t(n: i32, m: i32) = zeros([min(n, 4), m])
