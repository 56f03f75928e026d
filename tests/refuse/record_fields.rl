// expect 11:15: `point` needs the field `y`
// expect 12:26: `point` takes 2 fields, found 3
// expect 13:15: `point` needs the field `y`
// expect 13:25: `point` has no field `z`
// expect 14:20: `point` has no field `z`
// expect 15:20: point has no item 2
// expect 18:5: point has no field `z`
// expect 21:25: this record has no field `x`
// expect 22:20: `+` of records that differ: point and (1.0, 2.0, 3.0)
record point { x, y: f32 }
fn f() = point(1.0)
fn g() = point(1.0, 2.0, 3.0)
fn h() = point(x = 1.0, z = 2.0)
fn i(p: point) = p.z
fn j(p: point) = p.2
fn k(p: point) {
  var q = p
  q.z = 1.0
  q
}
fn l(p: (f32, f32)) = p.x
fn m(p: point) = p + (1.0, 2.0, 3.0)
