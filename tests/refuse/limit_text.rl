const twice = 2
fn f(x: f32[4]) = twice(x)
fn g(x: f32[4]) = x.twice
fn h() = "text" + 1
fn i() = ("a", "b").0
