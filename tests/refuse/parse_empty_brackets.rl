// expect 3:13: expected a dimension, found `]`
// expect 4:16: expected a name, found `)`
fn f(x: f32[]) = x[]
fn g(x) { let () = x }
