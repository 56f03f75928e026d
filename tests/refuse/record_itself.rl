// expect 4:8: the record `tree` holds itself
// expect 8:8: the record `even` holds itself
// A record that holds itself would have no end.
record tree {
  value: f32
  left: tree
}
record even { next: odd }
record odd { next: even }
fn f(key) = zeros(tree)
fn g(key) = zeros(even)
