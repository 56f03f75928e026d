// expect 20:16: `bump` updates `x`: the call must say so
// expect 21:30: `x` cannot be updated: it is a `let`
// expect 22:29: `bump` updates `x`: the call must say so
// expect 23:34: one call updates the same place twice
// expect 24:38: argument `x` of `rows` must be f32[4], not f32
// expect 25:37: argument `x` of `rows` must be f32[4], not f32[3]
// expect 26:39: (1.0, 2.0) has no item 2
// expect 27:39: `pair` has no field `c`
// expect 28:37: a lambda cannot update what it is given
// expect 29:37: this has no value
// expect 30:35: `grad` of a function that updates its argument
// expect 31:52: `v` cannot be updated: it is a loop's variable
// expect 32:30: `sum` does not update its arguments
// What can be given with & to be updated.
use rl
record pair { a, b: f32 }
fn bump(&x: f32) { x += 1 }
fn swap(&x: f32, &y: f32) { (x, y) = (y, x) }
fn rows(&x: f32[4]) { x = 2 * x }
fn f1() { bump(3.0) }
fn f2() { let x = 1.0; bump(&x) }
fn f3() { var x = 1.0; bump(x) }
fn f4() { var x = 1.0; swap(&x, &x) }
fn f5() { var x = zeros([4]); rows(&x[0]) }
fn f6() { var x = zeros([3]); rows(&x) }
fn f7() { var x = (1.0, 2.0); bump(&x.2) }
fn f8() { var x = pair(1, 2); bump(&x.c) }
fn f9() { var x = 1.0; (|v| v + 1)(&x) }
fn f10() { var x = 1.0; let y = bump(&x); y }
fn f11() { var x = 1.0; grad(bump)(&x) }
fn f12() { var x = zeros([4]); each v in x { bump(&v) } }
fn f13() { var x = 1.0; sum(&x) }
