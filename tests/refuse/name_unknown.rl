// expect 9:15: `lenght` is not known here
// expect 10:11: `undefined` is not known here
// expect 12:22: `tahn` is not known here
// expect 12:35: the module `nn` has no `dens`
// expect 13:11: `missing` is not known here
// Names that nothing declares, each told once.
use nn
fn f(x: f32[4]) {
  let y = x + lenght
  y + sin(undefined) + lenght
}
fn never_called(x) = tahn(x) + nn.dens(x, 3)
const C = missing * 2
