// expect 5:58: this program takes more than 384 MB to compile
// A million turns written out.
fn h() {
  var s = 0
  unroll i in 0..2_000 { unroll j in 0..2_000 { s += i * j } }
  s
}
