// expect 3:4: `door` comes from outside: such functions cannot be called yet in this program
// expect 5:5: the environment `e` comes from outside: such environments cannot be used yet in this program
fn door(x: f32[4]) -> f32[4] from c("door.h")
fn f(x: f32[4]) = door(x)
env e from c("e.h") { obs: f32[4]; action = discrete(2) }
fn g() = zeros(e.state)
