// expect 4:8: expected `:` and a type, found `from`
// expect 5:15: expected `from` and where the data is, found the end of the line
// expect 6:16: expected `from` and where the data is, found `=`
data d from csv("d.csv")
data e: f32[N]
data f: f32[N] = csv("f.csv")
