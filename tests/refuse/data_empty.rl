// expect 2:27: empty.csv holds no numbers
data t: f32[N, 2] from csv("empty.csv")
