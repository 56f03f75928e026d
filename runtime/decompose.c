// Decompositions of dense matrices: LU, eigenvalues and vectors, singular values. All work is in
// double on copies in scratch memory, row-major; what has no unique sign or phase is given one.
// Large ones go to LAPACK where it is there.
#include <complex.h>
#include <math.h>

#include "runtime/abi.h"
#include "runtime/blas.h"

typedef double complex Z;

static inline Z make(double re, double im) {
  union { double part[2]; Z z; } u = {{re, im}};
  return u.z;
}

// The product without C's detour for infinities.
static inline Z mul(Z a, Z b) {
  return make(creal(a) * creal(b) - cimag(a) * cimag(b), creal(a) * cimag(b) + cimag(a) * creal(b));
}

static int is_complex(int64_t dtype) { return dtype == RT_C64 || dtype == RT_C128; }

static double load_real(int64_t dtype, const void *x, int64_t k) {
  return dtype == RT_F32 ? (double)((const float *)x)[k] : ((const double *)x)[k];
}

static void store_real(int64_t dtype, void *x, int64_t k, double v) {
  if (dtype == RT_F32) ((float *)x)[k] = (float)v;
  else ((double *)x)[k] = v;
}

// The dtype of a complex number's parts.
static int64_t part_of(int64_t dtype) { return dtype == RT_C64 || dtype == RT_F32 ? RT_F32 : RT_F64; }

static Z load(int64_t dtype, const void *x, int64_t k) {
  if (!is_complex(dtype)) return load_real(dtype, x, k);
  return make(load_real(part_of(dtype), x, 2 * k), load_real(part_of(dtype), x, 2 * k + 1));
}

static void store(int64_t dtype, void *x, int64_t k, Z v) {
  if (!is_complex(dtype)) {
    store_real(dtype, x, k, creal(v));
    return;
  }
  store_real(part_of(dtype), x, 2 * k, creal(v));
  store_real(part_of(dtype), x, 2 * k + 1, cimag(v));
}

// ---- LU with partial pivoting -----------------------------------------------------------------------
int64_t rt_lu_scratch(int64_t n) { return 8 * n * n; }

static void swap_rows(int64_t n, double *a, double *b) {
  for (int64_t k = 0; k < n; k++) {
    double t = a[k];
    a[k] = b[k], b[k] = t;
  }
}

// A column without a pivot stays as it is: u is singular then.
static void lu_one(int64_t n, double *a, int32_t *perm) {
  for (int64_t i = 0; i < n; i++) perm[i] = (int32_t)i;
  for (int64_t k = 0; k < n; k++) {
    int64_t p = k;
    for (int64_t i = k + 1; i < n; i++)
      if (fabs(a[i * n + k]) > fabs(a[p * n + k])) p = i;
    if (p != k) {
      swap_rows(n, a + p * n, a + k * n);
      int32_t t = perm[p];
      perm[p] = perm[k], perm[k] = t;
    }
    if (a[k * n + k] == 0) continue;
    for (int64_t i = k + 1; i < n; i++) {
      double f = a[i * n + k] /= a[k * n + k];
      for (int64_t j = k + 1; j < n; j++) a[i * n + j] -= f * a[k * n + j];
    }
  }
}

void rt_lu(int64_t dtype, int64_t batch, int64_t n, const void *x, void *lu, int32_t *perm, char *scratch) {
  double *a = (double *)(void *)scratch;
  for (int64_t b = 0; b < batch; b++) {
    for (int64_t k = 0; k < n * n; k++) a[k] = load_real(dtype, x, b * n * n + k);
    lu_one(n, a, perm + b * n);
    for (int64_t k = 0; k < n * n; k++) store_real(dtype, lu, b * n * n + k, a[k]);
  }
}

// ---- what is unique -----------------------------------------------------------------------------------
// The factor that makes the first component of at least half the greatest modulus real and positive:
// half, so that rounding does not choose between equals. Component i is v[i * step].
static Z turn_of(int64_t n, int64_t step, const Z *v) {
  double most = 0;
  for (int64_t i = 0; i < n; i++) most = fmax(most, cabs(v[i * step]));
  for (int64_t i = 0; i < n; i++) {
    double m = cabs(v[i * step]);
    if (m > 0 && m >= 0.5 * most) return conj(v[i * step]) / m;
  }
  return 1;
}

static double sign_of(int64_t n, const double *v) {
  double most = 0;
  for (int64_t i = 0; i < n; i++) most = fmax(most, fabs(v[i]));
  for (int64_t i = 0; i < n; i++)
    if (fabs(v[i]) > 0 && fabs(v[i]) >= 0.5 * most) return v[i] < 0 ? -1 : 1;
  return 1;
}

// Positions 0 .. n-1 in ascending order of key, stable.
static void order(int64_t n, const double *key, int64_t *at) {
  for (int64_t i = 0; i < n; i++) {
    int64_t j = i;
    for (; j > 0 && key[at[j - 1]] > key[i]; j--) at[j] = at[j - 1];
    at[j] = i;
  }
}

// ---- symmetric and Hermitian matrices: cyclic Jacobi ----------------------------------------------------
// Rows of v are the eigenvectors, conjugated, as they turn with a's rows.
int64_t rt_eigh_scratch(int64_t n) { return 16 * 2 * n * n + 16 * n + rt_lapack_eigh_work(n); }

// Jacobi's rotation that annuls the off-diagonal |g| between diagonal elements p and q.
static void angle(double p, double q, double g, double *c, double *s) {
  double theta = (q - p) / (2 * g), t = 1 / (fabs(theta) + hypot(1, theta));
  if (theta < 0) t = -t;
  *c = 1 / hypot(1, t);
  *s = t * *c;
}

static void turn_rows(int64_t n, double c, Z s, Z *p, Z *q) {
  for (int64_t k = 0; k < n; k++) {
    Z x = p[k], y = q[k];
    p[k] = c * x - mul(s, y);
    q[k] = mul(conj(s), x) + c * y;
  }
}

static int eigh_sweep(int64_t n, Z *a, Z *v, double tiny) {
  int turned = 0;
  for (int64_t p = 0; p < n; p++)
    for (int64_t q = p + 1; q < n; q++) {
      Z g = a[p * n + q];
      double m = cabs(g), c, s;
      if (!(m > tiny)) continue;
      turned = 1;
      angle(creal(a[p * n + p]), creal(a[q * n + q]), m, &c, &s);
      Z phase = s * (g / m);
      turn_rows(n, c, phase, a + p * n, a + q * n);
      for (int64_t k = 0; k < n; k++) {                // the columns, by the conjugate
        Z x = a[k * n + p], y = a[k * n + q];
        a[k * n + p] = c * x - mul(conj(phase), y);
        a[k * n + q] = mul(phase, x) + c * y;
      }
      turn_rows(n, c, phase, v + p * n, v + q * n);
    }
  return turned;
}

static double norm_of(int64_t n, const Z *a) {
  double s = 0;
  for (int64_t k = 0; k < n; k++) s = hypot(s, cabs(a[k]));
  return s;
}

#define SWEEPS 60

static void eigh_jacobi(int64_t n, Z *a, Z *t, double *w) {
  double tiny = 1e-17 * norm_of(n * n, a);
  for (int64_t k = 0; k < n * n; k++) t[k] = k % (n + 1) == 0;
  for (int k = 0; k < SWEEPS && eigh_sweep(n, a, t, tiny); k++) continue;
  for (int64_t i = 0; i < n; i++) w[i] = creal(a[i * n + i]);
}

static int eigh_large(int64_t n, int is_hermitian, const Z *a, Z *t, double *w, char *work) {
  double *real = (double *)t;
  for (int64_t k = 0; k < n * n; k++) {
    if (!isfinite(creal(a[k])) || !isfinite(cimag(a[k]))) return 0;
    if (is_hermitian) t[k] = a[k];
    else real[k] = creal(a[k]);
  }
  int found = rt_lapack_eigh(n, is_hermitian ? 2 : 1, real, w, work);
  for (int64_t k = n * n - 1; k >= 0 && !is_hermitian; k--) t[k] = real[k];
  return found;
}

void rt_eigh(int64_t dtype, int64_t batch, int64_t n, const void *x, void *w, void *v, char *scratch) {
  Z *a = (Z *)(void *)scratch, *t = a + n * n;
  double *key = (double *)(void *)(t + n * n);
  int64_t *at = (int64_t *)(void *)(key + n);
  for (int64_t b = 0; b < batch; b++) {
    for (int64_t i = 0; i < n; i++)
      for (int64_t j = 0; j <= i; j++) {
        Z g = load(dtype, x, b * n * n + i * n + j);
        a[j * n + i] = i == j ? creal(g) : conj(g);
        a[i * n + j] = i == j ? creal(g) : g;
      }
    if (n < RT_LAPACK_ORDER || !eigh_large(n, is_complex(dtype), a, t, key, (char *)(at + n))) eigh_jacobi(n, a, t, key);
    order(n, key, at);
    for (int64_t j = 0; j < n; j++) {
      Z *row = t + at[j] * n, turn = conj(turn_of(n, 1, row));
      store_real(part_of(dtype), w, b * n + j, key[at[j]]);
      for (int64_t i = 0; i < n; i++) store(dtype, v, b * n * n + i * n + j, conj(mul(conj(turn), row[i])));
    }
  }
}

// ---- singular values: one-sided Jacobi -------------------------------------------------------------------
// Rows of a are x's columns, turned until they are orthogonal; rows of t collect the turns: v's columns.
int64_t rt_svd_scratch(int64_t m, int64_t n) { return 8 * (3 * m * n + n * n + 2 * n) + rt_lapack_svd_work(n); }

static double dot(int64_t n, const double *x, const double *y) {
  double s = 0;
  for (int64_t i = 0; i < n; i++) s += x[i] * y[i];
  return s;
}

static void turn_real(int64_t n, double c, double s, double *p, double *q) {
  for (int64_t k = 0; k < n; k++) {
    double x = p[k], y = q[k];
    p[k] = c * x - s * y;
    q[k] = s * x + c * y;
  }
}

static int svd_sweep(int64_t m, int64_t n, double *a, double *t) {
  int turned = 0;
  for (int64_t p = 0; p < n; p++)
    for (int64_t q = p + 1; q < n; q++) {
      double *x = a + p * m, *y = a + q * m, c, s;
      double xx = dot(m, x, x), yy = dot(m, y, y), g = dot(m, x, y);
      if (!(fabs(g) > 1e-16 * sqrt(xx) * sqrt(yy))) continue;
      turned = 1;
      angle(xx, yy, g, &c, &s);
      turn_real(m, c, s, x, y);
      turn_real(n, c, s, t + p * n, t + q * n);
    }
  return turned;
}

// Row k of u where the singular value is 0: a unit vector orthogonal to those in `done`.
static void complete(int64_t m, double *a, int64_t k, int64_t ndone, const int64_t *done) {
  double *u = a + k * m;
  for (int64_t e = 0; e < m; e++) {
    for (int64_t i = 0; i < m; i++) u[i] = i == e;
    for (int twice = 0; twice < 2; twice++)
      for (int64_t d = 0; d < ndone; d++) {
        const double *o = a + done[d] * m;
        double g = dot(m, u, o);
        for (int64_t i = 0; i < m; i++) u[i] -= g * o[i];
      }
    double norm = sqrt(dot(m, u, u));
    if (norm * norm * (double)m < 0.5) continue;         // some unit vector keeps at least (m - ndone) / m
    for (int64_t i = 0; i < m; i++) u[i] /= norm;
    return;
  }
}

// Rows of a become the left vectors, those of t the right ones.
static void svd_jacobi(int64_t m, int64_t n, double *a, double *t, double *key, int64_t *at) {
  for (int64_t k = 0; k < n * n; k++) t[k] = k % (n + 1) == 0;
  for (int k = 0; k < SWEEPS && svd_sweep(m, n, a, t); k++) continue;
  for (int64_t j = 0; j < n; j++) key[j] = -sqrt(dot(m, a + j * m, a + j * m));
  order(n, key, at);
  double least = n ? 1e-15 * -key[at[0]] : 0;
  for (int64_t j = 0; j < n; j++) {
    double *left = a + at[j] * m, size = -key[at[j]];
    if (size > least || isnan(size)) for (int64_t i = 0; i < m; i++) left[i] /= size;
    else complete(m, a, at[j], j, at);
  }
}

static int svd_large(int64_t m, int64_t n, double *x, double *u, double *a, double *t, double *key, int64_t *at, char *work) {
  for (int64_t j = 0; j < n; j++)
    for (int64_t i = 0; i < m; i++) {
      if (!isfinite(a[j * m + i])) return 0;
      x[i * n + j] = a[j * m + i];
    }
  if (!rt_lapack_svd(m, n, x, u, key, t, work)) return 0;
  for (int64_t j = 0; j < n; j++) {
    key[j] = -key[j], at[j] = j;
    for (int64_t i = 0; i < m; i++) a[j * m + i] = u[i * n + j];
  }
  return 1;
}

void rt_svd(int64_t dtype, int64_t batch, int64_t m, int64_t n, const void *x, void *u, void *s, void *v, char *scratch) {
  double *a = (double *)(void *)scratch, *t = a + m * n, *key = t + n * n;
  int64_t *at = (int64_t *)(void *)(key + n);
  double *left = (double *)(void *)(at + n);
  for (int64_t b = 0; b < batch; b++) {
    for (int64_t i = 0; i < m; i++)
      for (int64_t j = 0; j < n; j++) a[j * m + i] = load_real(dtype, x, b * m * n + i * n + j);
    if (n < RT_LAPACK_ORDER || !svd_large(m, n, left, left + m * n, a, t, key, at, (char *)(left + 2 * m * n))) svd_jacobi(m, n, a, t, key, at);
    for (int64_t j = 0; j < n; j++) {
      double *right = t + at[j] * n, sign = sign_of(n, right);
      store_real(dtype, s, b * n + j, -key[at[j]]);
      for (int64_t i = 0; i < m; i++) store_real(dtype, u, b * m * n + i * n + j, sign * a[at[j] * m + i]);
      for (int64_t i = 0; i < n; i++) store_real(dtype, v, b * n * n + i * n + j, sign * right[i]);
    }
  }
}

// ---- general eigenvalues: shifted QR on a Hessenberg matrix -----------------------------------------------
int64_t rt_eig_scratch(int64_t n) { return 16 * (3 * n * n + 3 * n) + rt_lapack_eig_work(n); }

// h becomes Q^H h Q, zero below the first subdiagonal; q takes Q.
static void hessenberg(int64_t n, Z *h, Z *q, Z *v) {
  for (int64_t k = 0; k + 2 < n; k++) {
    double norm = 0;
    for (int64_t i = k + 1; i < n; i++) norm = hypot(norm, cabs(v[i] = h[i * n + k]));
    if (norm == 0) continue;
    double head = cabs(v[k + 1]);
    v[k + 1] += head > 0 ? v[k + 1] / head * norm : norm;
    double len = 0;
    for (int64_t i = k + 1; i < n; i++) len = hypot(len, cabs(v[i]));
    for (int64_t i = k + 1; i < n; i++) v[i] /= len;
    for (int64_t j = 0; j < n; j++) {
      Z s = 0;
      for (int64_t i = k + 1; i < n; i++) s += mul(conj(v[i]), h[i * n + j]);
      for (int64_t i = k + 1; i < n; i++) h[i * n + j] -= 2 * mul(v[i], s);
    }
    for (int side = 0; side < 2; side++) {
      Z *a = side ? q : h;
      for (int64_t i = 0; i < n; i++) {
        Z s = 0;
        for (int64_t j = k + 1; j < n; j++) s += mul(a[i * n + j], v[j]);
        for (int64_t j = k + 1; j < n; j++) a[i * n + j] -= 2 * mul(s, conj(v[j]));
      }
    }
  }
}

// The eigenvalue of the block's last 2 x 2 that is nearer to its last element.
static Z shift_of(int64_t n, const Z *h, int64_t hi, int turn) {
  Z a = h[(hi - 1) * n + hi - 1], b = h[(hi - 1) * n + hi], c = h[hi * n + hi - 1], d = h[hi * n + hi];
  if (turn % 10 == 9) return d + cabs(c);                 // another one, where the usual goes in circles
  Z half = (a - d) / 2, root = csqrt(mul(half, half) + mul(b, c));
  Z p = half + root, q = half - root;
  return d + (cabs(p) < cabs(q) ? p : q);
}

// One step on rows and columns lo .. hi; the rest of h and q turn along.
static void qr_step(int64_t n, Z *h, Z *q, int64_t lo, int64_t hi, Z shift, double *c, Z *s) {
  for (int64_t k = lo; k <= hi; k++) h[k * n + k] -= shift;
  for (int64_t k = lo; k < hi; k++) {
    Z x = h[k * n + k], y = h[(k + 1) * n + k];
    double r = hypot(cabs(x), cabs(y));
    Z phase = cabs(x) > 0 ? x / cabs(x) : 1;
    c[k] = r > 0 ? cabs(x) / r : 1;
    s[k] = r > 0 ? mul(phase, conj(y)) / r : 0;
    for (int64_t j = k; j < n; j++) {
      Z p = h[k * n + j], t = h[(k + 1) * n + j];
      h[k * n + j] = c[k] * p + mul(s[k], t);
      h[(k + 1) * n + j] = c[k] * t - mul(conj(s[k]), p);
    }
  }
  for (int64_t k = lo; k < hi; k++)
    for (int side = 0; side < 2; side++) {
      Z *a = side ? q : h;
      int64_t rows = side ? n : k + 2;
      for (int64_t i = 0; i < rows; i++) {
        Z p = a[i * n + k], t = a[i * n + k + 1];
        a[i * n + k] = c[k] * p + mul(conj(s[k]), t);
        a[i * n + k + 1] = c[k] * t - mul(s[k], p);
      }
    }
  for (int64_t k = lo; k <= hi; k++) h[k * n + k] += shift;
}

static int schur(int64_t n, Z *h, Z *q, double *c, Z *s) {
  int turn = 0;
  for (int64_t hi = n - 1; hi > 0;) {
    int64_t lo = hi;
    for (; lo > 0; lo--) {
      double near = cabs(h[lo * n + lo]) + cabs(h[(lo - 1) * n + lo - 1]);
      if (!(cabs(h[lo * n + lo - 1]) > 2.3e-16 * near)) break;
    }
    if (lo > 0) h[lo * n + lo - 1] = 0;
    if (lo == hi) {
      hi--, turn = 0;
      continue;
    }
    if (turn == 300) return 0;
    qr_step(n, h, q, lo, hi, shift_of(n, h, hi, turn++), c, s);
  }
  return 1;
}

// Column k of v: q times the eigenvector of the upper triangle h, of length 1.
static void eigenvector(int64_t n, const Z *h, const Z *q, int64_t k, double tiny, Z *x, Z *v) {
  x[k] = 1;
  for (int64_t i = k - 1; i >= 0; i--) {
    Z sum = 0, gap = h[i * n + i] - h[k * n + k];
    for (int64_t j = i + 1; j <= k; j++) sum += mul(h[i * n + j], x[j]);
    x[i] = -sum / (cabs(gap) > tiny ? gap : tiny);
  }
  double norm = 0;
  for (int64_t i = 0; i < n; i++) {
    Z sum = 0;
    for (int64_t j = 0; j <= k; j++) sum += mul(q[i * n + j], x[j]);
    v[i * n + k] = sum;
    norm = hypot(norm, cabs(sum));
  }
  Z turn = turn_of(n, n, v + k) / norm;
  for (int64_t i = 0; i < n; i++) v[i * n + k] = mul(v[i * n + k], turn);
}

// u = a^-1, by Gauss and Jordan with pivots; a is lost.
static void invert(int64_t n, Z *a, Z *u) {
  for (int64_t k = 0; k < n * n; k++) u[k] = k % (n + 1) == 0;
  for (int64_t k = 0; k < n; k++) {
    int64_t p = k;
    for (int64_t i = k + 1; i < n; i++)
      if (cabs(a[i * n + k]) > cabs(a[p * n + k])) p = i;
    for (int64_t j = 0; j < n; j++) {
      Z s = a[p * n + j], t = u[p * n + j];
      a[p * n + j] = a[k * n + j], u[p * n + j] = u[k * n + j];
      a[k * n + j] = s, u[k * n + j] = t;
    }
    Z f = 1 / a[k * n + k];
    for (int64_t j = 0; j < n; j++) a[k * n + j] = mul(a[k * n + j], f), u[k * n + j] = mul(u[k * n + j], f);
    for (int64_t i = 0; i < n; i++) {
      Z g = a[i * n + k];
      if (i == k || g == 0) continue;
      for (int64_t j = 0; j < n; j++) {
        a[i * n + j] -= mul(g, a[k * n + j]);
        u[i * n + j] -= mul(g, u[k * n + j]);
      }
    }
  }
}

// Places in ascending order of the real, then of the imaginary part; real parts that rounding parts are equal.
static void order_values(int64_t n, const Z *h, double scale, int64_t *at) {
  for (int64_t i = 0; i < n; i++) {
    Z z = h[i * n + i];
    int64_t j = i;
    for (; j > 0; j--) {
      Z o = h[at[j - 1] * n + at[j - 1]];
      double r = rint(creal(z) / scale), s = rint(creal(o) / scale);
      if (!(s > r || (s == r && cimag(o) > cimag(z)))) break;
      at[j] = at[j - 1];
    }
    at[j] = i;
  }
}

// h: its diagonal becomes the eigenvalues; columns of t the vectors.
static int eig_small(int64_t n, Z *h, Z *q, Z *t, double norm, double *c, Z *s, Z *line) {
  hessenberg(n, h, q, line);
  if (!schur(n, h, q, c, s)) return 0;
  for (int64_t k = 0; k < n; k++) eigenvector(n, h, q, k, 1e-16 * norm + 1e-300, line, t);
  return 1;
}

// q is used, and is the identity again where this fails.
static int eig_large(int64_t n, Z *h, Z *q, Z *t, Z *w, char *work) {
  for (int64_t i = 0; i < n; i++)
    for (int64_t j = 0; j < n; j++) t[j * n + i] = h[i * n + j];
  if (!rt_lapack_eig(n, (double *)t, (double *)w, (double *)q, work)) {
    for (int64_t k = 0; k < n * n; k++) q[k] = k % (n + 1) == 0;
    return 0;
  }
  for (int64_t k = 0; k < n; k++) {
    Z turn = turn_of(n, 1, q + k * n);
    h[k * n + k] = w[k];
    for (int64_t i = 0; i < n; i++) t[i * n + k] = mul(q[k * n + i], turn);
  }
  return 1;
}

void rt_eig(int64_t dtype, int64_t batch, int64_t n, const void *x, void *w, void *v, void *u, char *scratch) {
  Z *h = (Z *)(void *)scratch, *q = h + n * n, *t = q + n * n, *s = t + n * n, *line = s + n;
  double *c = (double *)(void *)(line + n);
  int64_t *at = (int64_t *)(void *)(c + n);
  int64_t to = part_of(dtype) == RT_F32 ? RT_C64 : RT_C128;
  for (int64_t b = 0; b < batch; b++) {
    for (int64_t k = 0; k < n * n; k++) h[k] = load(dtype, x, b * n * n + k), q[k] = k % (n + 1) == 0;
    double norm = norm_of(n * n, h);
    int found = isfinite(norm) && n >= RT_LAPACK_ORDER && eig_large(n, h, q, t, line, (char *)(at + n));
    if (!found && isfinite(norm)) found = eig_small(n, h, q, t, norm, c, s, line);
    order_values(n, h, 1e-9 * norm + 1e-300, at);
    for (int64_t k = 0; k < n; k++) store(to, w, b * n + k, found ? h[at[k] * n + at[k]] : NAN);
    for (int64_t i = 0; i < n; i++)
      for (int64_t k = 0; k < n; k++) q[i * n + k] = t[i * n + at[k]];
    for (int64_t k = 0; k < n * n; k++) store(to, v, b * n * n + k, found ? q[k] : NAN);
    invert(n, q, h);
    for (int64_t k = 0; k < n * n; k++) store(to, u, b * n * n + k, found ? h[k] : NAN);
  }
}
