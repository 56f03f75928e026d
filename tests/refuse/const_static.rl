// expect 4:20: the index 2 is outside of a list of 2
// expect 5:18: expected an array or a number, found "a"
const table = [1.0, 2.0]
const last = table[2]
const name = "a" + 1
