// expect 13:19: `p` cannot be assigned: it is a parameter
// expect 14:23: 3 names for 2 values: point
// expect 15:21: `+` of records that differ: point and (1, 2, 3)
// expect 16:21: `@` needs at least one axis on both sides: f32 and f32
// expect 17:24: the condition of an `if` must be true or false, not point
// expect 18:22: this lambda takes 3 arguments, but is called with 2
// expect 19:23: `fold` needs the argument `f`
// expect 20:25: `concat` of scalars
// expect 21:24: `where` of records that differ: point and (1, 2, 3)
// expect 22:21: 1 index into f32
// What works leaf by leaf, and what does not.
record point { x, y: f32 }
fn f1(p: point) { p.x = 1; p }
fn f2(p: point) { let (a, b, c) = p; a }
fn f3(p: point) = p + (1, 2, 3)
fn f4(p: point) = p @ p
fn f5(p: point) = if p == point(1, 2) { 1 } else { 2 }
fn f6(p: point) = map(p, |x, y, z| x)
fn f7(p: point) = fold(p, |s, x| s + x)
fn f8(p: point) = concat([p, p])
fn f9(p: point) = where(p.x > 0, p, (1, 2, 3))
fn f10(p: point) = p[0]
