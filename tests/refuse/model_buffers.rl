// expect 8:14: `m` must be f32[3], not f32
// expect 12:9: the initial value of `counted.n` is "none", neither a number nor a function
// expect 18:3: `last` must be f32[3], not f32[1, 3]
// What a layer's state may hold.
use nn
layer centered(x: f32[B, C], train = true) -> f32[B, C] {
  state m: f32[C] = zeros
  if train { m = mean(x) }
  x - m
}
layer counted(x: f32[B, C]) -> f32[B, C] {
  state n: f32 = "none"
  n += 1
  x
}
layer whole(x: f32[B, C]) -> f32[B, C] {
  state last: f32[C] = zeros
  last = x
  x
}
model one(x: f32[B, 3]) = centered(x)
model two(x: f32[B, 3]) = counted(x)
model three(x: f32[B, 3]) = whole(x)
