// expect 3:11: `0x10` is not a number: numbers are written in decimal
// expect 3:21: `0b1` is not a number: numbers are written in decimal
const a = 0x10, b = 0b1
