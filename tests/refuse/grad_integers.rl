// expect 10:39: `grad` needs a function that gives one real number, not i32
// expect 11:40: `grad` needs a function that gives one real number, not bool
// expect 12:41: `grad` needs a function that gives one real number, not i32
// expect 13:40: `vjp` of a function that gives bool[4]: only floats have derivatives
// expect 14:41: `jvp` of a function that gives i32: only floats have derivatives
// expect 15:42: `grad` by bool[4], which holds no floats
// expect 16:46: `grad` by key, which holds no floats
// expect 17:37: `jvp` by i32[4], which holds no floats
// Integers, bools and keys have no derivative, and none goes through them.
fn f1(x: f32[4]) = grad(|v| argmax(v))(x)
fn f2(x: f32[4]) = grad(|v| all(v > 0))(x)
fn f3(x: f32[4]) = grad(|v| i32(sum(v)))(x)
fn f4(x: f32[4]) = vjp(|v| v > 0, true)(x)
fn f5(x: f32[4]) = jvp(|v| argmax(v), x)(x)
fn f6(b: bool[4]) = grad(|v| sum(f32(v)))(b)
fn f7(k: key) = grad(|q| sum(normal(q, [3])))(k)
fn f8(i: i32[4]) = jvp(|v| 2 * v, i)(i)
