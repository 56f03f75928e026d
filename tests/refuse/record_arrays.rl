// expect 17:44: expected point, found f32
// expect 18:45: the index 5 is outside of an axis of 5
// expect 19:25: the field `at` of `cloud` has the wrong leading axes: expected [N = 2] before f32, found f32[3]
// expect 20:39: the field `weight` of `cloud` must be f32[N = 3], not f32[2]
// expect 21:25: the field `at` of `cloud` must be a `point`, not f32[2]
// expect 22:23: a dimension of -1
// expect 23:23: a dimension must come out as an integer, but is 2.5
// expect 24:17: `pointt` is not known here
// expect 25:16: the sizes of `cloud` are not known here: field `at`
// expect 26:30: f32 has no axis to loop over
// Arrays of records are records of arrays.
record point { x, y: f32 }
record cloud[N] {
  at: point[N]
  weight: f32[N]
}
fn f1(p: point, q: point[5]) { var v = q; v[0] = p.x; v }
fn f2(p: point, q: point[5]) { var v = q; v[5] = p; v }
fn f3() = cloud[2](zeros(point[3]), zeros([2]))
fn f4() = cloud(zeros(point[3]), zeros([2]))
fn f5() = cloud[2](zeros([2]), zeros([2]))
fn f6() = zeros(point[-1])
fn f7() = zeros(point[2.5])
fn f8() = zeros(pointt[2])
fn f9() = zeros(cloud)
fn f10(p: point) = each q in p { q }
