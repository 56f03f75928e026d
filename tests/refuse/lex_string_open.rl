// expect 2:25: this string is not closed
data d: f32[N] from csv("d.csv)
fn f(x) = x
