const L = 2, D = 64, N = 32               // layers, width, states

layer diagonal(u: f32[T, B, D], first: bool[T, B], &x: complex64[B, N]) -> f32[T, B, D] {
  param decay: f32[N]          = log(0.5)
  param freq:  f32[N]          = |key, shape| pi * f32(iota(N))
  param b:     complex64[D, N] = nn.lecun
  let bar = exp(complex(-exp(decay), freq))
  let a   = where(first[..., _], 0, bar)  // forget
  var h   = u @ b * ((bar - 1) / 2)
  h[0] += a[0] * x
  h = associative_scan(|(a1, h1), (a2, h2)| (a1 * a2, a2 * h1 + h2), (a, h)).1
  x = h[T - 1]
  2 * real(h @ b.T)
}

model core(z: f32[T, B, D], first: bool[T, B], &x: complex64[L, B, N] = zeros) -> f32[T, B, D] {
  var h = z |> nn.dense(D)
  for l in layers(L) { h += h |> nn.layer_norm |> diagonal(first, &x[l]) |> gelu }
  h
}

record world { encode: encode.params; prior: prior.params; core: core.params }

fn in_turn(p: core.params, z: f32[T, B, D], first: bool[T, B]) -> f32[T, B, D] {
  var x = zeros([L, B, N], complex64)
  scan (z, f) in (z, first) { core(p, z[_], f[_], &x)[0] }
}

experiment parallel(seeds = 3, T = 1_024) {
  let arg = (core.init(key), normal(key, [T, 8, D]), bernoulli(key, [T, 8], 0.01))
  claim max(abs(core(...arg) - in_turn(...arg))) < 1e-3
  claim bench(core, ...arg) < bench(in_turn, ...arg)
}
