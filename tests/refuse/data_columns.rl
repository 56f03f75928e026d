// expect 9:6: table.csv has 2 columns, but the type asks for 3
// expect 10:6: table.csv has 2 columns, but the type takes 1
// expect 11:38: table.csv has no column "weight"
// expect 12:6: table.csv has 2 rows, but the type says 5
// expect 13:6: table.csv: 2.5 in row 1 is no integer
// expect 14:9: data needs an array type whose first dimension is the rows
// expect 15:31: unknown source of data
// expect 16:6: large.csv: 300 in row 2 does not fit into u8
data a: f32[N, 3] from csv("table.csv")
data b: f32[N] from csv("table.csv")
data c: f32[N] from csv("table.csv", column = "weight")
data d: f32[5, 2] from csv("table.csv")
data e: i32[N, 2] from csv("table.csv")
data g: f32 from csv("table.csv")
data h: f32[N, 2] from parquet("table.csv")
data i: u8[N, 2] from csv("large.csv")
