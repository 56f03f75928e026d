// expect 8:17: `+` of a key
// expect 9:27: `uniform` takes a key first, found f32[3]
// expect 10:25: `normal` takes one key, found key[3]
// expect 11:18: the number of keys is -1
// expect 12:17: `normal` takes a key first, found [3]
// expect 13:20: `fold_in` takes one integer, not f32
// Keys are no numbers, and draws need one key.
fn f(key) = key + 1
fn g(x: f32[3]) = uniform(x, [3])
fn h(key) = normal(split(key, 3), [2])
fn i(key) = split(key, -1)
fn j() = normal([3])
fn k(key) = fold_in(key, 0.5)
