// expect 5:24: argument `x` of `half` must be float[..., N] (any float type), not i32[3]
// expect 6:25: argument `i` of `whole` must be int[N] (any int type), not f32[3]
fn half(x: float[..., N]) = x / 2
fn whole(i: int[N]) = div(i, 2)
fn f(i: i32[3]) = half(i)
fn g(x: f32[3]) = whole(x)
