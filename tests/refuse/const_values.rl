// expect 9:18: there is no key here
// expect 10:11: `undefined` is not known here
// expect 11:13: division by zero
// expect 12:18: the index 3 is outside of a list of 2
// expect 13:15: expected an array or a number, found "a"
// expect 14:7: the constant `f` depends on itself
// expect 15:22: expected an array or a number, found "x"
// Constants are computed while compiling.
const a = normal(key, [3])
const b = undefined + 1
const c = 1 / 0
const d = [1, 2][3]
const e = "a" + 1
const f = f(3)
const g = zeros([3]) / "x"
