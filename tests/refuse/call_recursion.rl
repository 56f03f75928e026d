// expect 5:23: `factorial` calls itself without an end
// expect 6:14: `even` and `odd` call each other without an end
// expect 8:51: `grow` calls itself, directly or through others: recursion is not possible
// Functions that call themselves, at once or by way of another.
fn factorial(n) = n * factorial(n - 1)
fn even(n) = odd(n - 1)
fn odd(n) = even(n - 1)
fn grow(x) = if len(x.shape) > 9 { x } else { grow(concat([x, x])) }
fn start(x: f32[4]) = grow(x)
