// expect 20:18: there is no key here
// expect 21:21: `normal` takes a key first, found [3]
// expect 22:21: `normal` takes a key first, found [3]
// expect 23:20: a size must come out as an integer, but is 3.5
// expect 24:20: expected a shape, found "3"
// expect 25:21: `randint` needs the argument `high`
// expect 26:21: 0.5 is not an integer, and the other side is i32
// expect 27:21: expected an array or a number, found "a"
// expect 28:23: the operands of `<` do not fit together: f32[3] and f32[2] (3 against 2)
// expect 29:26: the size of a permutation must come out as an integer, but is 3.5
// expect 30:26: `permutation` of f32
// expect 31:20: `split` needs the argument `n`
// expect 32:20: the number of keys must be an integer, not [2, 3]
// expect 33:30: a size must be known when compiling, but this is a run-time value (i32)
// expect 34:19: `+` of a key
// expect 35:23: 1.5 is not an integer, and the other side is i64
// expect 36:21: the bound 4 is outside of an axis of 3
// expect 37:15: `dist` is not known here
// Drawing random numbers.
fn f1() = normal(key, [3])
fn f2(key) = normal([3])
fn f3(key) = normal([3], key)
fn f4(key) = normal(key, 3.5)
fn f5(key) = normal(key, "3")
fn f6(key) = randint(key, [3], 0)
fn f7(key) = randint(key, [3], 0.5, 2)
fn f8(key) = uniform(key, [3], low = "a")
fn f9(key) = bernoulli(key, [3], [0.1, 0.2])
fn f10(key) = permutation(key, 3.5)
fn f11(key) = permutation(key, ones([]))
fn f12(key) = split(key)
fn f13(key) = split(key, [2, 3])
fn f14(key, n: i32) = uniform(key, [n])
fn f15(key) = key + 1
fn f16(key) = seed_key(1.5)
fn f17(key) = choice(key, 3, 4)
fn f18(key) = dist.normal(key)
