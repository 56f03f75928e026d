// expect 6:13: an `if` at run time cannot choose between the function `tanh` and the function `sin`
// expect 9:39: what a list of functions, types or texts is indexed by must be known when compiling, not i32
// expect 10:17: an `if` at run time cannot choose between "a" and "b"
// Functions, texts and lists of functions are chosen while compiling.
fn f(x: f32[4], b: bool) {
  let act = if b { tanh } else { sin }
  act(x)
}
fn g(x: f32[4], i: i32) = [tanh, sin][i](x)
fn h(b: bool) = if b { "a" } else { "b" }
