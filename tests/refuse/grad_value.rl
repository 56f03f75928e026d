// expect 10:46: `value_and_grad` needs a function that gives an array, not "text"
// expect 11:42: `grad` needs a function that gives one real number, not complex64
// expect 12:32: `grad` of a function that gives nothing
// expect 13:33: `grad` needs a function that gives an array, not nothing
// expect 14:36: `grad` needs a function that gives one real number, not f32[4]
// expect 15:50: this record has no field `loss`
// expect 16:24: 3 names for 2 values: (f32, f32[4])
// What a differentiated function gives is one real number.
fn loss(p: f32[4], x: f32[4], n: i32) = sum((p - x)^2) / f32(n)
fn f1(x: f32[4]) = value_and_grad(|v| "text")(x)
fn f2(x: complex64[4]) = grad(|v| sum(v))(x)
fn f3(x: f32[4]) = grad(|v| ())(x)
fn f4(x: f32[4]) = grad(|v| { })(x)
fn f5(p: f32[4]) = grad(grad(loss))(p, p, 3)
fn f6(p: f32[4]) = value_and_grad(loss)(p, p, 3).loss
fn f7(p: f32[4]) { let (value, slope, more) = value_and_grad(loss)(p, p, 3); value }
