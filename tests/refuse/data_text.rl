// expect 2:27: words.csv:3: `x` is no number
data t: f32[N, 2] from csv("words.csv")
