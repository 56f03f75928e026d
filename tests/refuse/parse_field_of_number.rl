// expect 4:11: a number has no fields
// expect 5:13: expected a field's name or number after `.`, found the end of the line
// expect 6:13: expected a field's name or number after `.`, found `(`
fn f(x) = 1.x + 2..3
fn g(x) = x.
fn h(x) = x.(1)
