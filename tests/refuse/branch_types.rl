// expect 8:28: the value of this `if`: one branch gives f32[4], the other f32[3]
// expect 9:39: the value of this `if`: one branch gives f32[4], the other i32[4]
// expect 10:29: the value of this `if`: one branch has the field `c`, the other not
// expect 13:3: `y`: one branch gives (f32[4], f32[4]), the other f32[4]
// expect 17:11: this has no value
// expect 20:27: no case of this `match` is left for other values
fn f(x: f32[4], b: bool) = if b { x } else { 0.0 }
fn g(x: f32[4], b: bool) = if b { x } else { x[:3] }
fn h(x: f32[4], i: i32[4], b: bool) = if b { x } else { i }
fn ii(x: f32[4], b: bool) = if b { (a = x, c = x) } else { (a = x, d = x) }
fn j(x: f32[4], b: bool) {
  var y = x
  if b { y = (x, x) }
  y
}
fn k(x: f32[4], b: bool) {
  let y = if b { x }
  y
}
fn l(x: f32[4], i: i32) = match i { 0 => x; 1 => 2 * x }
