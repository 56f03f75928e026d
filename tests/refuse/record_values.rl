// expect 17:21: `point` has no field `z`
// expect 18:32: f32[5] has no member `z`
// expect 19:24: the index 7 is outside of an axis of 5
// expect 20:28: the field `x` of `point` must be f32, not point
// expect 21:38: `note` has no field `mor`
// expect 22:26: the field `more` of `note` must be f32, not "a"
// expect 23:15: `note` needs the field `x`
// expect 24:26: this record has no field `x`
// expect 25:32: this record has no field `c`
// expect 26:32: a positional argument behind a named one
// Making records, and reading their fields.
record point { x, y: f32 }
record note {
  x: f32
  more: f32 = ()
}
fn f1(p: point) = p.z
fn f2(p: point[5]) = p.x + p.y.z
fn f3(p: point[5]) = p[7]
fn f4(p: point[5]) = point(p, p)
fn f5(s: note) = if s.more == () { s.mor } else { s.x }
fn f6() = note(1, more = "a")
fn f7() = note(more = 1)
fn f8(p: (f32, f32)) = p.x
fn f9(p: (a: f32, b: f32)) = p.c
fn f10(p: point) = point(...p, 3.0)
