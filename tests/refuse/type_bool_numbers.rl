// expect 12:21: `-` of bool[4]: expected numbers
// expect 13:23: the operands of `+` are bools, but must be numbers
// expect 14:24: `sum` does not take bool[4]
// expect 15:27: `cumsum` of bool[4]: expected numbers
// expect 16:25: `mean` takes floats, not bool[4]
// expect 17:27: `argmax` of bool[4]: expected integers or floats
// expect 18:24: `max` does not take bool[4]
// expect 19:25: the result of `f8` must be i32, not bool
// expect 20:20: `not` of f32[4], which is no bool
// expect 21:33: the result of `f10` must be f32[4], not bool[4]
// Bools are no numbers.
fn f1(x: bool[4]) = -x
fn f2(x: bool[4]) = x + 1
fn f3(x: bool[4]) = sum(x)
fn f4(x: bool[4]) = cumsum(x)
fn f5(x: bool[4]) = mean(x)
fn f6(x: bool[4]) = argmax(x)
fn f7(x: bool[4]) = max(x)
fn f8(b: bool) -> i32 = b
fn f9(x: f32[4]) = not x
fn f10(x: f32[4]) -> f32[4] = x > 0
