// expect 4:11: `1__0` is not a number: `_` in a number stands between two digits
// expect 4:21: `10_` is not a number: `_` in a number stands between two digits
// expect 4:30: `1_.5` is not a number: `_` in a number stands between two digits
const a = 1__0, b = 10_, c = 1_.5
