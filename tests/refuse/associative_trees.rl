// expect 7:58: what `associative_scan` combines must be (f32, f32), not f32
// expect 8:65: what `associative_scan` combines must be (f32, f32), not (f32, f32, 1.0)
// expect 9:65: what `associative_scan` combines must be (a: f32, b: f32), not (a: f32)
// expect 10:74: what `associative_scan` combines lacks the field `b` of (a: f32, b: f32)
// expect 11:60: what `associative_scan` combines must be i32, not f32
// Trees through an associative scan.
fn f1(x: (f32[4], f32[4])) = associative_scan(|a, b| a.0 + b.0, x)
fn f2(x: (f32[4], f32[4])) = associative_scan(|a, b| (a.0, b.1, 1.0), x)
fn f3(x: (a: f32[4], b: f32[4])) = associative_scan(|p, q| (a = p.a), x)
fn f4(x: (a: f32[4], b: f32[4])) = associative_scan(|p, q| (a = p.a, c = q.b), x)
fn f5(x: (f32[4], i32[4])) = associative_scan(|p, q| (p.0, p.0), x)
