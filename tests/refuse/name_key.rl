// expect 4:34: there is no key here
// expect 5:32: `fresh` needs the argument `key`
// Whoever draws takes a key.
fn noise(x: f32[4]) = x + normal(key, [4])
fn twice(x: f32[4]) = 2 * fresh(x)
fn fresh(x, key) = x + normal(key, x.shape)
