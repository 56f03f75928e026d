// expect 11:46: `y` is not known here
// expect 12:53: `i` is not known here
// expect 13:26: `w` is not known here
// expect 14:25: `q` is not known here
// expect 15:21: `x` hides a name of an outer block
// expect 16:17: `z` is not known here
// expect 17:17: `nn` is not known here
// expect 18:30: 1 has no field `w`
// expect 19:15: `x` stands twice in one list
// Names where they are not known.
fn f1(x: f32) { for i in 0..3 { let y = x }; y }
fn f2(x: f32) { unroll i in 0..3 { var y = x }; y + i }
fn f3(x: f32) = (|v| v + w)(x)
fn f4(x: f32) { let q = q + 1; q }
fn f5(x: f32) { let x = 2; x }
fn f6(x: f32) { z = 3; x }
fn f7(x: f32) = nn.dense(x, 3)
fn f8(x: f32) { var v = 1; v.w = 2; v }
fn f9(x: f32, x: f32) = x
