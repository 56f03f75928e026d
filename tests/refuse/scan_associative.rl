// expect 12:36: `associative_scan` needs the argument `x`
// expect 13:36: `associative_scan` takes a function of two elements first, found f32[4]
// expect 14:36: this lambda takes 1 argument, but is called with 2
// expect 15:46: what `associative_scan` combines must be f32, not bool
// expect 16:54: `associative_scan` has no parameter `axis`
// expect 17:44: what `associative_scan` combines must be f32, not "t"
// expect 18:36: `reversed` must be true or false, known when compiling; this is f32[4]
// expect 19:36: `associative_scan` over i32
// expect 20:46: f32 has no member `s`
// expect 21:37: what `associative_scan` combines must be f32, not nothing
// What associative_scan takes.
fn f1(x: f32[4]) = associative_scan(|a, b| a + b)(x)
fn f2(x: f32[4]) = associative_scan(x, |a, b| a + b)
fn f3(x: f32[4]) = associative_scan(|a| a, x)
fn f4(x: f32[4]) = associative_scan(|a, b| a > b, x)
fn f5(x: f32[4]) = associative_scan(|a, b| a + b, x, axis = 1)
fn f6(x: f32[4]) = associative_scan(|a, b| "t", x)
fn f7(x: f32[4]) = associative_scan(|a, b| a + b, x, reversed = x)
fn f8(x: f32[4]) = associative_scan(|a, b| a + b, 3)
fn f9(x: f32[4]) = associative_scan(|a, b| a.s + b.s, x)
fn f10(x: f32[4]) = associative_scan(|a, b| { }, x)
