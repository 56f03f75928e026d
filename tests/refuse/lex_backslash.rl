// expect 3:15: stray character `\`
fn f(x) {
  let y = x + \
    1
  y
}
