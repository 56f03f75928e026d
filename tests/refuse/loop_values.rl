// expect 16:32: this has no value
// help 16:32: `scan` goes in order and stacks the values of its turns, `each` all at once
// expect 17:24: the body of a `scan` must end in a value
// help 17:24: use `for` where no values are stacked
// expect 18:24: the body of a `scan` must end in a value
// help 18:24: use `for` where no values are stacked
// expect 19:25: this has no value
// help 19:25: assign a `var` inside, and read it behind the loop
// expect 20:25: this has no value
// help 20:25: an `if` has a value when it has an `else`: if c { a } else { b }
// expect 21:20: `each` cannot stack the function `sin`
// help 21:20: let its body end in an array, a number or a record of them
// expect 22:52: `h` cannot be assigned: it is a `let`
// help 22:52: declare it with `var`
// Where a loop's value is wanted.
fn f1(xs: f32[6, 3]) { let h = for x in xs { x }; h }
fn f2(xs: f32[6, 3]) = scan x in xs { }
fn f3(xs: f32[6, 3]) = scan x in xs { if sum(x) > 0 { x } }
fn f4(x: f32) { let y = while x > 0 { x - 1 }; y }
fn f5(x: f32) { let y = if x > 0 { x }; y }
fn f6(x: f32[4]) { each v in x { sin } }
fn f7(xs: f32[6, 3]) { let h = 0.0; scan x in xs { h += sum(x); h } }
