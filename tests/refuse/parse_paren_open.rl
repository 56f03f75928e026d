// expect 4:3: expected `,` or `)`, found the reserved word `let`
fn f(x) {
  let y = g(x, 1
  let z = y
  z
}
