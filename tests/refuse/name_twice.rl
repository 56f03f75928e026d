// expect 9:12: `x` stands twice in one list
// expect 10:7: `f` is declared twice
// expect 11:4: `nn` is declared twice
// expect 12:27: `x` stands twice in one list
// expect 13:33: `a` stands twice in one record
// expect 15:14: `a` stands twice in one list
// Declarations, parameters, fields and items that share a name.
use nn
fn f(x, y, x) = x + y
const f = 3
fn nn(x) = x
record point { x: f32; y, x: f32 }
fn tuple() = (a = 1.0, b = 2.0, a = 3.0)
fn pattern(p) {
  let (a, b, a) = p
  a + b
}
