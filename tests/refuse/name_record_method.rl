// expect 5:13: `n` cannot be assigned: it is a field of a record, which its functions only read
// Functions in a record only read its fields.
record counter {
  n: f32
  fn up() { n = n + 1 }
}
