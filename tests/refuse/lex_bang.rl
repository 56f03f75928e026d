// expect 3:6: stray character `!`
fn f(x) {
  if !x { 1 } else { 2 }
}
