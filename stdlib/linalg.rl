// Linear algebra over the last two axes; leading axes are a batch. What is made of others: the compiler itself
// has dot products (@), cholesky, triangular_solve, qr, lu, eigh, svd and eigvals.

// 1 on the diagonal of x [N, N], x elsewhere.
fn unit_diagonal(x) {
  let i = iota(len(x))
  where(i[:, _] == i, 1, x)
}

// The identity with the element type of x [N, N].
fn identity(x: float[N, N]) = unit_diagonal(zeros(x))

// The diagonal of x [..., N, N]: [..., N]
fn diagonal(x: float[..., N, N]) {
  let i = iota(N)
  sum(where(i[:, _] == i, x, 0), axis = -1)
}

fn trace(x) = sum(diagonal(x), axis = -1)

// x with a x = b, by LU: a [..., N, N], b [..., N] or [..., N, M] with the same leading axes. Infinite or NaN
// where a is singular.
fn solve(a, b) {
  if len(a.shape) > 2 {
    each (p, q) in (a, b) { solve(p, q) }
  } else if len(b.shape) == 1 {
    solve(a, b[:, _])[:, 0]
  } else {
    solve_columns(a, b)
  }
}

fn solve_columns(a: float[N, N], b: float[N, M]) {
  let f = lu(a)
  triangular_solve(f.lu.T, triangular_solve(unit_diagonal(f.lu), b[f.perm]), transpose = true)
}

// a^-1 for a [..., N, N]. To compute a^-1 b, solve(a, b) is faster and more exact.
fn inv(a) = if len(a.shape) > 2 { each p in a { inv(p) } } else { solve(a, identity(a)) }

// y, negated if the permutation p i32[N] is odd.
fn signed_by(y, p) {
  let i = iota(len(p))
  where(sum(i32(p[:, _] > p and i[:, _] < i)) % 2 == 1, -y, y)
}

// The determinant of x [..., N, N].
fn det(x) {
  if len(x.shape) > 2 { each p in x { det(p) } } else {
    let f = lu(x)
    signed_by(prod(diagonal(f.lu)), f.perm)
  }
}

// (sign, log |det x|) for x [..., N, N], without overflow.
fn slogdet(x) {
  if len(x.shape) > 2 { each p in x { slogdet(p) } } else {
    let f = lu(x)
    let d = diagonal(f.lu)
    (sign = signed_by(prod(sign(d)), f.perm), log = sum(log(abs(d))))
  }
}

// x that minimises |a x - b|, by QR; of several, the shortest. a [..., M, N] of full rank, b [..., M] or [..., M, K].
fn lstsq(a, b) {
  if len(a.shape) > 2 {
    each (p, q) in (a, b) { lstsq(p, q) }
  } else if len(b.shape) == 1 {
    lstsq(a, b[:, _])[:, 0]
  } else if a.shape[0] >= a.shape[1] {
    let f = qr(a)
    triangular_solve(f.r.T, f.q.T @ b, transpose = true)
  } else {
    let f = qr(a.T)
    f.q @ triangular_solve(f.r.T, b)
  }
}

// The pseudo-inverse of x [..., M, N]; singular values below cut times the greatest count as 0.
fn pinv(x, cut = 1e-6) {
  if len(x.shape) > 2 { each p in x { pinv(p, cut) } } else {
    let f = svd(x)
    let keep = f.s > cut * max(f.s)
    (f.v * where(keep, 1 / where(keep, f.s, 1), 0)) @ f.u.T
  }
}

// e^x for x [..., N, N]: scaled by a power of 2, Padé's quotient of order 7, squared back; norms to 10^6.
// Higham 2005.
fn expm(x) {
  if len(x.shape) > 2 { each p in x { expm(p) } } else {
    let size = stop_grad(max(sum(abs(x), axis = 0)))
    let halvings = clamp(ceil(log(max(size, 1e-30) / 0.95) / log(2)), 0, 20)
    let a = x * 0.5^halvings
    let one = identity(x)
    let a2 = a @ a
    let a4 = a2 @ a2
    let a6 = a4 @ a2
    let u = a @ (a6 + 1512 * a4 + 277200 * a2 + 8648640 * one)
    let v = 56 * a6 + 25200 * a4 + 1995840 * a2 + 17297280 * one
    var y = solve(v - u, v + u)
    for k in 0..20 { y = if f32(k) < f32(halvings) { y @ y } else { y } }
    y
  }
}
