// expect 18:39: `grad` needs a function that gives one real number, not i32
// help 18:39: argmax, comparisons, floor and casts to integers have no derivative: let a float come of them, or of softmax(…), sigmoid(…)
// expect 19:40: `grad` needs a function that gives one real number, not bool
// help 19:40: argmax, comparisons, floor and casts to integers have no derivative: let a float come of them, or of softmax(…), sigmoid(…)
// expect 20:41: `grad` needs a function that gives one real number, not i32
// help 20:41: argmax, comparisons, floor and casts to integers have no derivative: let a float come of them, or of softmax(…), sigmoid(…)
// expect 21:40: `vjp` of a function that gives bool[4]: only floats have derivatives
// help 21:40: integers and bools have none, also as floats: leave them out, or let floats come of them
// expect 22:41: `jvp` of a function that gives i32: only floats have derivatives
// help 22:41: integers and bools have none, also as floats: leave them out, or let floats come of them
// expect 23:42: `grad` by bool[4], which holds no floats
// help 23:42: derivatives are taken by floats: write 1.0, or f32(…)
// expect 24:46: `grad` by key, which holds no floats
// help 24:46: derivatives are taken by floats: write 1.0, or f32(…)
// expect 25:37: `jvp` by i32[4], which holds no floats
// help 25:37: derivatives are taken by floats: write 1.0, or f32(…)
// Integers, bools and keys have no derivative, and none goes through them.
fn f1(x: f32[4]) = grad(|v| argmax(v))(x)
fn f2(x: f32[4]) = grad(|v| all(v > 0))(x)
fn f3(x: f32[4]) = grad(|v| i32(sum(v)))(x)
fn f4(x: f32[4]) = vjp(|v| v > 0, true)(x)
fn f5(x: f32[4]) = jvp(|v| argmax(v), x)(x)
fn f6(b: bool[4]) = grad(|v| sum(f32(v)))(b)
fn f7(k: key) = grad(|q| sum(normal(q, [3])))(k)
fn f8(i: i32[4]) = jvp(|v| 2 * v, i)(i)
