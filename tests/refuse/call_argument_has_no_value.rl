// expect 4:29: this argument has no value
// expect 7:17: this has no value
// expect 10:25: there is no value to hand on
fn f(x: f32[4]) = sum(log_it(x))
fn log_it(x) { log a = sum(x) }
fn g(x: f32[4]) {
  let y = log_it(x)
  y
}
fn h(x: f32[4]) = log_it(x) |> sum
