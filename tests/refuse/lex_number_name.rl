// expect 2:16: `2nd` is not a number: a name cannot begin with a digit
const layers = 2nd
