// expect 4:9: expected a type, found `3`
// expect 5:8: expected a type, found `,`
// expect 6:12: expected a type, found `=`
fn f(x: 3) -> [f32] = x
fn g(x:, y) = x
fn h(x) -> = x
