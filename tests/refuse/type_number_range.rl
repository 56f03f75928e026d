// expect 10:20: 300 does not fit into i8
// expect 11:17: -1 does not fit into u8
// expect 12:18: 3000000000 does not fit into i32
// expect 13:18: 300 does not fit into u8
// expect 14:19: 5000000000 does not fit into i32
// expect 15:22: -1 does not fit into u64
// expect 16:22: 0.5 is not an integer, and the other side is i32
// expect 17:32: 4000000000 does not fit into i32
// A number must be one of its type.
fn f1() -> i8[2] = [1, 300]
fn f2() -> u8 = -1
fn f3() -> i32 = 3_000_000_000
fn f4(x: u8) = x + 300
fn f5(x: i32) = x + 5_000_000_000
fn f6(x: u64[2]) = x * [1, -1]
fn f7(x: i32[2]) = x + [1, 0.5]
fn f8(x: i32[2]) { var y = x; y[0] = 4_000_000_000; y }
