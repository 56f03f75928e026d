// expect 4:17: expected `,`, `:` or `]`, found `)`
// expect 5:16: expected `,` or `)`, found `]`
fn f(x) {
  let y = x[1, 2)
  let z = (x, y]
  z
}
