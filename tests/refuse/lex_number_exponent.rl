// expect 4:11: `1e` is not a number: an exponent needs digits
// expect 4:19: `2.5e-` is not a number: an exponent needs digits
// expect 4:30: `1e5e3` is not a number: a number has one exponent
const a = 1e, b = 2.5e-, c = 1e5e3
