// expect 8:44: `h` after a turn must be f32[4], not f32[3]
// expect 9:52: `h` after a turn lacks the field `b` of (a: f32, b: f32)
// expect 10:69: `h.b` must be f32, not f32[3]
// expect 11:45: `h` after a turn must be key, not key[2]
// expect 12:44: `h` after a turn must be f32[3], not f32[6]
// expect 13:37: `h` after a turn must be f32, not f32[2]
// What a scan carries has the same shape after every turn.
fn f1(xs: f32[6, 3]) { var h = zeros([4]); scan x in xs { h = x; h } }
fn f2(xs: f32[6, 3]) { var h = (a = 0.0, b = 1.0); scan x in xs { h = (a = 0.0, c = 1.0); h.a } }
fn f3(xs: f32[6, 3]) { var h = (a = 0.0, b = 1.0); scan x in xs { h.b = x; h.a } }
fn f4(xs: f32[6, 3]) { var h = seed_key(1); scan x in xs { h = split(h, 2); x } }
fn f5(xs: f32[6, 3]) { var h = zeros([3]); for x in xs { h = concat([h, x]) }; h }
fn f6(xs: f32[6, 3]) { var h = 0.0; while h < 3 { h = [h, h] }; h }
