// expect 10:6: table.csv holds real numbers, not complex64
// expect 11:6: table.csv: 2.5 in row 1 is no integer
// expect 12:6: bytes.csv: 300 in row 1 does not fit into u8
// expect 13:6: bytes.csv: 300 in row 1 does not fit into bool
// expect 14:13: data needs an array type whose first dimension is the rows
// expect 16:12: `text` is not known here
// expect 17:30: unknown source of data
// expect 18:32: `table` is not known here
// Data of types that files do not have.
data one: complex64[N, 2] from csv("table.csv")
data two: bool[N, 2] from csv("table.csv")
data eight: u8[N] from csv("bytes.csv")
data nine: bool[N] from csv("bytes.csv")
data three: f32 from csv("table.csv")
data four: f32[N, N] from csv("table.csv")
data five: text[N] from csv("table.csv")
data six: f32[N, 2] from json("table.csv")
data seven: f32[N, 2] from csv(table)
