// expect 8:17: no case of this `match` is left for other values
// expect 9:11: no case of this `match` is left for other values
// expect 10:27: 1.5 is not an integer, and the other side is i32
// expect 11:27: "a" is no value of i32
// expect 12:17: the value of this `match`: one branch gives f32[2], the other f32[3]
// expect 13:27: the function `sin` is no value of i32
// The cases of a match.
fn f1(x: f32) = match x { 0.5 => 1; 1.5 => 2 }
fn f2() = match "gelu" { "relu" => 1; "tanh" => 2 }
fn f3(x: i32) = match x { 1.5 => 1; _ => 3 }
fn f4(x: i32) = match x { "a" => 1; _ => 3 }
fn f5(x: i32) = match x { 1 => zeros([2]); _ => zeros([3]) }
fn f6(x: i32) = match x { sin => 1; _ => 3 }
