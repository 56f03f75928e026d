// Small dense linear algebra, row-major. Sums are kept in double for both element types.
#include <math.h>

#include "runtime/abi.h"

// ---- QR by Householder reflections ---------------------------------------------------------------
// Work is on transposed copies, so that a column is contiguous:
//   a [n, m]: column j of x, then R above the diagonal and the reflector v_j from the diagonal on
//   q [n, m]: columns of Q
//   tau [n], diag [n]: H_j = 1 - tau_j v_j v_j^T; R's diagonal
int64_t rt_qr_scratch(int64_t m, int64_t n) {
  return (int64_t)sizeof(double) * (2 * m * n + 2 * n);
}

static double dot(int64_t n, const double *x, const double *y) {
  double s = 0;
  for (int64_t i = 0; i < n; i++) s += x[i] * y[i];
  return s;
}

static void reflect(int64_t n, double tau, const double *v, double *x) {
  double s = tau * dot(n, v, x);
  for (int64_t i = 0; i < n; i++) x[i] -= s * v[i];
}

static void householder(int64_t m, int64_t n, double *a, double *tau, double *diag) {
  for (int64_t j = 0; j < n; j++) {
    double *v = a + j * m + j;
    int64_t len = m - j;
    double norm = sqrt(dot(len, v, v));
    diag[j] = v[0] > 0 ? -norm : norm;
    tau[j] = 0;
    if (norm == 0) continue;
    v[0] -= diag[j];                             // no cancellation: the signs differ
    tau[j] = 2 / dot(len, v, v);
    for (int64_t k = j + 1; k < n; k++) reflect(len, tau[j], v, a + k * m + j);
  }
}

static void form_q(int64_t m, int64_t n, const double *a, const double *tau, double *q) {
  for (int64_t j = 0; j < n; j++) {
    for (int64_t i = 0; i < m; i++) q[j * m + i] = i == j;
    for (int64_t k = j; k >= 0; k--) reflect(m - k, tau[k], a + k * m + k, q + j * m + k);
  }
}

// The signs of R's rows and Q's columns are turned so that the diagonal is not negative: the factors are unique then.
#define QR(name, T)                                                                                              \
  void name(int64_t batch, int64_t m, int64_t n, const T *x, T *q, T *r, char *scratch) {                        \
    double *a = (double *)(void *)scratch, *w = a + m * n, *tau = w + m * n, *diag = tau + n;                    \
    for (int64_t b = 0; b < batch; b++, x += m * n, q += m * n, r += n * n) {                                    \
      for (int64_t i = 0; i < m; i++)                                                                            \
        for (int64_t j = 0; j < n; j++) a[j * m + i] = x[i * n + j];                                             \
      householder(m, n, a, tau, diag);                                                                           \
      form_q(m, n, a, tau, w);                                                                                   \
      for (int64_t j = 0; j < n; j++) {                                                                          \
        double sign = diag[j] < 0 ? -1 : 1;                                                                      \
        for (int64_t k = 0; k < n; k++) r[j * n + k] = (T)(k < j ? 0 : sign * (k == j ? diag[j] : a[k * m + j])); \
        for (int64_t i = 0; i < m; i++) q[i * n + j] = (T)(sign * w[j * m + i]);                                 \
      }                                                                                                          \
    }                                                                                                            \
  }
QR(rt_qr_f32, float)
QR(rt_qr_f64, double)

// ---- Cholesky ------------------------------------------------------------------------------------
// Row by row; only the lower half of x is read. A matrix that is not positive definite gives NaN in all of the lower half.
#define CHOLESKY(name, T)                                                                     \
  static int name##_one(int64_t n, const T *x, T *l) {                                        \
    for (int64_t i = 0; i < n; i++) {                                                         \
      for (int64_t j = 0; j <= i; j++) {                                                      \
        double s = x[i * n + j];                                                              \
        for (int64_t k = 0; k < j; k++) s -= (double)l[i * n + k] * (double)l[j * n + k];     \
        if (i == j && !(s > 0 && s < INFINITY)) return 0;                                     \
        l[i * n + j] = (T)(i == j ? sqrt(s) : s / (double)l[j * n + j]);                      \
      }                                                                                       \
      for (int64_t j = i + 1; j < n; j++) l[i * n + j] = 0;                                   \
    }                                                                                         \
    return 1;                                                                                 \
  }                                                                                           \
  void name(int64_t batch, int64_t n, const T *x, T *l) {                                     \
    for (int64_t b = 0; b < batch; b++, x += n * n, l += n * n) {                             \
      if (name##_one(n, x, l)) continue;                                                      \
      for (int64_t i = 0; i < n; i++)                                                         \
        for (int64_t j = 0; j < n; j++) l[i * n + j] = j <= i ? (T)NAN : 0;                   \
    }                                                                                         \
  }
CHOLESKY(rt_cholesky_f32, float)
CHOLESKY(rt_cholesky_f64, double)

// ---- triangular systems ------------------------------------------------------------------------------
// A strip of columns at a time, its sums in registers. y may be x.
#define STRIP 8
#define TRISOLVE(name, T)                                                                          \
  static void name##_strip(int64_t n, int64_t m, int64_t w, int64_t ta, const T *l, const T *x, T *y) { \
    for (int64_t t = 0; t < n; t++) {                                                              \
      int64_t i = ta ? n - 1 - t : t;                                                              \
      double s[STRIP];                                                                             \
      for (int64_t c = 0; c < w; c++) s[c] = x[i * m + c];                                         \
      for (int64_t k = ta ? i + 1 : 0; k < (ta ? n : i); k++) {                                    \
        double f = ta ? l[k * n + i] : l[i * n + k];                                               \
        for (int64_t c = 0; c < w; c++) s[c] -= f * (double)y[k * m + c];                          \
      }                                                                                            \
      for (int64_t c = 0; c < w; c++) y[i * m + c] = (T)(s[c] / (double)l[i * n + i]);             \
    }                                                                                              \
  }                                                                                                \
  void name(int64_t batch, int64_t n, int64_t m, int64_t ta, const T *l, const T *x, T *y) {       \
    for (int64_t b = 0; b < batch; b++, l += n * n, x += n * m, y += n * m)                        \
      for (int64_t c = 0; c < m; c += STRIP)                                                       \
        name##_strip(n, m, m - c < STRIP ? m - c : STRIP, ta, l, x + c, y + c);                    \
  }
TRISOLVE(rt_trisolve_f32, float)
TRISOLVE(rt_trisolve_f64, double)
