// expect 9:32: this has no value
// expect 10:24: the body of a `scan` must end in a value
// expect 11:24: the body of a `scan` must end in a value
// expect 12:25: this has no value
// expect 13:25: this has no value
// expect 14:20: `each` cannot stack the function `sin`
// expect 15:52: `h` cannot be assigned: it is a `let`
// Where a loop's value is wanted.
fn f1(xs: f32[6, 3]) { let h = for x in xs { x }; h }
fn f2(xs: f32[6, 3]) = scan x in xs { }
fn f3(xs: f32[6, 3]) = scan x in xs { if sum(x) > 0 { x } }
fn f4(x: f32) { let y = while x > 0 { x - 1 }; y }
fn f5(x: f32) { let y = if x > 0 { x }; y }
fn f6(x: f32[4]) { each v in x { sin } }
fn f7(xs: f32[6, 3]) { let h = 0.0; scan x in xs { h += sum(x); h } }
