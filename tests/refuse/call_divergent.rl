// expect 3:58: `pairs` calls itself, directly or through others: recursion is not possible
// A generic function that asks for itself at another size without end.
fn pairs(x: f32[N]) = if N > 1_000_000 { x } else { pairs(concat([x, x, [1.0]])) }
fn start(x: f32[2]) = pairs(x)
