// expect 4:9: there is no module `optm`
// expect 5:19: `optim` is not known here
// A module that is not there, and one that is used without being asked for.
use nn, optm
fn f(x: f32[4]) = optim.norm(x)
