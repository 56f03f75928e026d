// expect 5:15: the sizes of `ring` are not known here: field `items`
// expect 8:35: argument `x` of `h` must be f32[N = 3], not f32[4]
// expect 10:16: argument `r` of `j` was made for 3, but 4 is expected
record ring[N] { items: f32[N] }
fn f() = zeros(ring)
fn g() = zeros(ring[3, 4, 5])
fn h(r: ring[N], x: f32[N]) = r.items + x
fn i() = h(ring(zeros([3])), zeros([4]))
fn j(r: ring[4]) = r
fn k() = j(ring(zeros([3])))
