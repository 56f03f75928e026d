// expect 3:13: stray control character 0x01
// expect 4:13: a control character in a string
fn f(x) = x  2
const s = "ab"
