// expect 28:1: expected a declaration, found `from`
// help 28:1: modules are brought in by `use`: `use nn` gives nn.dense
// expect 29:1: expected a declaration, found `class`
// help 29:1: what has fields is a `record name { x, y: f32 }`, what has parameters a `model`
// expect 30:18: expected the end of the line after a function, found `y`
// help 30:18: a lambda is `|x| value`
// expect 31:14: expected `,` or `]`, found the reserved word `for`
// help 31:14: `each x in xs { value }` makes an array of the values of a loop, `scan` one after the other
// expect 32:14: expected the end of the line after a statement, found `:`
// help 32:14: a record is `(a = 1, b = 2)`, a name with a type `let x: f32 = value`
// expect 33:13: expected the end of the line after a function, found the reserved word `if`
// help 33:13: `if c { a } else { b }` chooses between values
// expect 34:13: expected the end of the line after a statement, found `:`
// help 34:13: `let x = value` names a value
// expect 35:17: expected the end of the line after a statement, found `y`
// help 35:17: `let name = value` names a value inside a function
// expect 36:18: expected the end of the line after a statement, found `x`
// help 36:18: `match x { 1 => a; _ => b }` chooses by a value
// expect 37:27: expected the end of the line after a case, found `,`
// help 37:27: the next one stands on a line of its own, or behind a `;`; several places stand in parentheses: `(a, b) = value`
// expect 38:10: expected `,` or `)`, found `x`
// help 38:10: a type stands behind its name: `x: f32`
// expect 39:12: expected the end of the line after a statement, found `,`
// help 39:12: the next one stands on a line of its own, or behind a `;`; several places stand in parentheses: `(a, b) = value`
// expect 40:15: expected the end of the line after a statement, found `y`
// help 40:15: a type stands behind its name: `x: f32`
// What is written in other languages, and how it is written here.
from nn import dense
class agent { }
fn a(x) = lambda y: y + x
fn b(x) = [y for y in x]
fn c(x) = { a: 1 }
fn d(x) = 1 if x else 2
fn e(x) { y := 3 }
fn f(x) { const y = 3 }
fn g(x) { switch x { 1 => 2 } }
fn h(x) = match x { 1 => 2, _ => 3 }
fn i(f32 x) = x
fn j(x) { a, b = x; a }
fn k(x) { int y = 3 }
