// expect 3:11: this integer does not fit in 64 bits
// expect 3:42: this number does not fit in 64-bit floating point
const a = 9_223_372_036_854_775_808, b = 1e400
