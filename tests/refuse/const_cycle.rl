// expect 5:7: the constant `c` depends on itself
// expect 6:7: the constant `n` depends on itself
const a = b + 1
const b = c * 2
const c = a
const n = zeros([n])
