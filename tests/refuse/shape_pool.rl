// expect 13:40: nn: a pooling window is larger than its image
// expect 14:38: argument `x` of `max_pool` must be float[B, H, W, C], not f32[8, 8, 3]
// expect 15:44: argument `n` of `max_pool` must be an integer, not [2, 2]
// expect 16:40: nn: the windows of a pooling are 1 or more apart
// expect 17:48: `mean_pool` has no parameter `padding`
// expect 18:41: argument `x` of `max_pool` must be float[B, H, W, C] (any float type), not i32[2, 8, 8, 3]
// expect 19:53: argument `pad` of `max_pool` must be an integer, not "same"
// expect 20:47: `resize_bilinear` needs the argument `w`
// expect 21:48: argument `x` of `resize_bilinear` must be f32[B, H, W, C], not i32[2, 8, 8, 3]
// expect 22:51: argument `h` of `resize_nearest` must come out as an integer, but is 4.5
// Pooling and resizing.
use nn
fn f1(x: f32[2, 8, 8, 3]) = nn.max_pool(x, 9)
fn f2(x: f32[8, 8, 3]) = nn.max_pool(x, 2)
fn f3(x: f32[2, 8, 8, 3]) = nn.max_pool(x, [2, 2])
fn f4(x: f32[2, 8, 8, 3]) = nn.max_pool(x, 2, stride = 0)
fn f5(x: f32[2, 8, 8, 3]) = nn.mean_pool(x, 2, padding = 1)
fn f6(x: i32[2, 8, 8, 3]) = nn.max_pool(x, 3, stride = 2, pad = 1)
fn f7(x: f32[2, 8, 8, 3]) = nn.max_pool(x, 2, pad = "same")
fn f8(x: f32[2, 8, 8, 3]) = nn.resize_bilinear(x, 4)
fn f9(x: i32[2, 8, 8, 3]) = nn.resize_bilinear(x, 4, 4)
fn f10(x: f32[2, 8, 8, 3]) = nn.resize_nearest(x, 4.5, 4)
