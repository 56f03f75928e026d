// expect 2:27: ragged.csv:2: 1 values, where the lines above have 2
data t: f32[N, 2] from csv("ragged.csv")
