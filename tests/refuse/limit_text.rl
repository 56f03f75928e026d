// expect 5:24: 2 cannot be called
// expect 6:21: f32[4] has no member `twice`
// expect 7:17: expected an array or a number, found "text"
const twice = 2
fn f(x: f32[4]) = twice(x)
fn g(x: f32[4]) = x.twice
fn h() = "text" + 1
fn i() = ("a", "b").0
