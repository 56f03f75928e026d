// expect 6:35: `associative_scan` takes a function of two elements first, found 3
// expect 7:46: `associative_scan` over (f32[4], f32[3])
// expect 8:47: what `associative_scan` combines must be f32, not f32[2]
// expect 9:24: `remat` takes a function, found f32[4]
// expect 10:32: `associative_scan` over f32
fn f(x: f32[4]) = associative_scan(3, x)
fn g(x: f32[4], y: f32[3]) = associative_scan(|a, b| a + b, (x, y))
fn h(x: f32[4]) = associative_scan(|a, b| [a, b], x)
fn i(x: f32[4]) = remat(x)
fn j(x: f32) = associative_scan(|a, b| a + b, x)
