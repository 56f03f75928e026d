fn scaled(gain = 1.0) = |key, shape| {
  let q = qr(normal(key, [max(shape), min(shape)])).q
  gain * if shape[0] < shape[1] { q.T } else { q }
}

layer affine(x: float[..., I], O: dim, bias = true, init = scaled()) -> float[..., O] {
  param w: float[I, O] = init
  if bias {
    param b: float[O] = zeros
    x @ w + b
  } else { x @ w }
}

layer tower(x: float[..., I], widths: list, act = relu) -> float[..., widths[-1]] {
  var h = x
  unroll n in widths { h = act(affine(h, n)) }
  h
}

record cache[B, S, H, K] {                // room for S tokens
  k, v: f32[B, S, H, K]
  len: i32
}

layer attend[S = T](x: f32[B, T, D], H: dim, &mem: cache[B, S, H, D / H] = zeros) -> f32[B, T, D] {
  let q = x |> affine(D, bias = false) |> reshape([B, T, H, D / H])
  mem.k[:, mem.len +: T] = q
  mem.len += T
  let see = iota(S) <= (mem.len + iota(T))[:, _]
  einsum("b t s, b s h -> b t h", softmax(where(see, x, -inf)), mem.v)
}

layer over(xs: float[T, B, I], first: bool[T, B], &h: float[B, H]) -> float[T, B, H] =
  scan (x, f) in (xs, first) {
    h = where(f[:, _], 0, h) + x
    h
  }
