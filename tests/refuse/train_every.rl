// expect 11:11: `every` counts steps by an integer, not by 2.5
// expect 12:11: `every` counts steps by an integer, not by f32
// expect 13:11: `every` counts steps by an integer, not by "x"
// expect 14:11: `every` needs a count of at least 1
// expect 15:11: `every` needs a count of at least 1
// expect 16:11: `every` counts steps by an integer, not by [1, 2]
// every counts steps.
train t(lr = 0.1, often = 0) {
  state x = 0.0
  step {
    every 2.5 { log b = 1 }
    every lr { log c = 1 }
    every "x" { log d = 1 }
    every -3 { log e = 1 }
    every often { log g = 1 }
    every [1, 2] { log h = 1 }
  }
  stop when iter > 3
}
