// expect 2:27: no_such_file.csv: there is no such file
data t: f32[N, 2] from csv("no_such_file.csv")
fn f() = sum(t)
