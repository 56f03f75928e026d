// expect 13:39: argument `O` of `dense` must come out as an integer, but is 3.5
// expect 14:35: `dense` needs the argument `O`
// expect 15:39: argument `widths` of `mlp` must be a list, not 64
// expect 16:34: the index -1 is outside of a list of 0
// expect 17:36: argument `x` of `conv` must be float[B, H, W, C], not f32[1, 3]
// expect 18:42: `dense` has no parameter `activation`
// expect 19:43: argument `x` of `attention` must be f32[B, T, D], not f32[1, 10]
// expect 20:46: a dimension must come out as an integer, but is 2.4
// expect 21:40: argument `O` of `dense` is a size, and -4 is none
// expect 22:40: argument `i` of `embedding` must be i32[...], not f32[1, 3]
// Layers with arguments that they do not take.
use nn
model one(x: f32[B, 3]) = nn.dense(x, 3.5)
model two(x: f32[B, 3]) = nn.dense(x)
model three(x: f32[B, 3]) = nn.mlp(x, 64)
model four(x: f32[B, 3]) = nn.mlp(x, [])
model five(x: f32[B, 3]) = nn.conv(x, 8, 3)
model six(x: f32[B, 3]) = nn.dense(x, 3, activation = tanh)
model seven(x: f32[B, 10]) = nn.attention(x, 2)
model eight(x: f32[B, 10, 12]) = nn.attention(x, 5)
model nine(x: f32[B, 3]) = nn.dense(x, -4)
model ten(x: f32[B, 3]) = nn.embedding(x, 10, 4)
