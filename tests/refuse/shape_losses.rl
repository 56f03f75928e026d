// expect 11:43: argument `label` of `cross_entropy` must be int[... = [2]] (any int type), not f32[2, 8]
// expect 12:54: argument `label` of `cross_entropy` must be int[... = [2]], not i32[3]
// expect 13:57: argument `label` of `cross_entropy` must be int[... = [2]], not i32[2, 8]
// expect 14:46: argument `label` of `accuracy` must be int[... = [2]], not i32[3]
// expect 15:33: `dropout` needs the argument `key`
// expect 16:52: argument `at` of `rope` must be i32[T = 8], not f32[8]
// expect 17:34: `softmax` has no parameter `axis`
// expect 18:45: the operands of `-` do not fit together: f32[2, 8] and f32[2, 7] (8 against 7)
// Labels and logits.
use nn
fn f1(x: f32[2, 8]) = nn.cross_entropy(x, x)
fn f2(x: f32[2, 8], y: i32[3]) = nn.cross_entropy(x, y)
fn f3(x: f32[2, 8], y: i32[2, 8]) = nn.cross_entropy(x, y)
fn f4(x: f32[2, 8], y: i32[3]) = accuracy(x, y)
fn f5(x: f32[2, 8]) = nn.dropout(x, 0.5)
fn f6(x: f32[2, 8, 2, 3], at: f32[8]) = nn.rope(x, at)
fn f7(x: f32[2, 8]) = softmax(x, axis = 0)
fn f8(x: f32[2, 8], y: f32[2, 7]) = mean((x - y)^2)
