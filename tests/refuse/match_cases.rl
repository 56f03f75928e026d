// expect 4:16: no case of this `match` is left for other values
// expect 5:29: a case must be one bool, not bool[4]
// expect 6:16: a `match` at run time cannot choose between 1.0 and the function `sin`
fn f(i: i32) = match i { 0 => 1.0; 1 => 2.0 }
fn g(x: f32[4]) = match x { 0 => 1.0; _ => 2.0 }
fn h(i: i32) = match i { 0 => 1.0; _ => sin }
