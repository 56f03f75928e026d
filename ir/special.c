#include "ir/special.h"

#include <math.h>
#include <string.h>

#define PI 3.14159265358979323846

// ---- special functions -------------------------------------------------------------------
// A start within 1e-3 (Winitzki), then Halley steps on erf, or on erfc where 1 - x is small.
double special_erfinv(double x) {
  if (isnan(x) || fabs(x) > 1) return NAN;
  if (fabs(x) == 1) return x * INFINITY;
  if (x == 0) return x;
  double a = 0.147, l = log1p(-x * x), b = 2 / (PI * a) + l / 2;
  double y = sqrt(sqrt(b * b - l / a) - b), t = fabs(x);
  for (int k = 0; k < 4; k++) {
    double f = t > 0.5 ? (1 - t) - erfc(y) : erf(y) - t;
    double step = f / (2 / sqrt(PI) * exp(-y * y));
    y -= step / (1 + y * step);
  }
  return copysign(y, x);
}

static bool is_pole(double x) { return x <= 0 && x == floor(x); }

// Reflection below 0, recurrence up to 10, then the asymptotic series.
double special_digamma(double x) {
  if (isnan(x) || is_pole(x)) return NAN;
  if (x < 0) return special_digamma(1 - x) - PI / tan(PI * (x - floor(x)));
  double y = 0;
  for (; x < 10; x++) y -= 1 / x;
  if (isinf(x)) return x;
  double i = 1 / (x * x);
  double series = i * (1.0 / 12 - i * (1.0 / 120 - i * (1.0 / 252 - i * (1.0 / 240 - i * (1.0 / 132 - i * 691.0 / 32760)))));
  return y + log(x) - 0.5 / x - series;
}

double special_trigamma(double x) {
  if (isnan(x)) return NAN;
  if (is_pole(x)) return INFINITY;
  if (x < 0) {
    double s = sin(PI * (x - floor(x)));
    return PI * PI / (s * s) - special_trigamma(1 - x);
  }
  double y = 0;
  for (; x < 10; x++) y += 1 / (x * x);
  double i = 1 / (x * x);
  double series = i * (1.0 / 6 - i * (1.0 / 30 - i * (1.0 / 42 - i * (1.0 / 30 - i * (5.0 / 66 - i * 691.0 / 2730)))));
  return y + 1 / x + 0.5 * i + series / x;
}

// ---- linear algebra ------------------------------------------------------------------------
// Householder: q stays orthonormal where a has not full rank. w holds the worked matrix, whose
// columns become the reflectors, and then one column's norm factors.
void linalg_qr(int64_t m, int64_t n, const double *a, double *q, double *r, double *w) {
  double *v = w, *beta = w + m * n;
  memcpy(v, a, sizeof *a * (size_t)(m * n));
  memset(r, 0, sizeof *r * (size_t)(n * n));
  for (int64_t k = 0; k < n; k++) {
    double norm = 0;
    for (int64_t i = k; i < m; i++) norm = hypot(norm, v[i * n + k]);
    double head = v[k * n + k], alpha = head > 0 ? -norm : norm;
    r[k * n + k] = alpha;
    v[k * n + k] = head - alpha;
    double vv = 0;
    for (int64_t i = k; i < m; i++) vv += v[i * n + k] * v[i * n + k];
    beta[k] = vv > 0 ? 2 / vv : 0;
    for (int64_t j = k + 1; j < n; j++) {
      double s = 0;
      for (int64_t i = k; i < m; i++) s += v[i * n + k] * v[i * n + j];
      for (int64_t i = k; i < m; i++) v[i * n + j] -= beta[k] * s * v[i * n + k];
      r[k * n + j] = v[k * n + j];
    }
  }
  memset(q, 0, sizeof *q * (size_t)(m * n));
  for (int64_t j = 0; j < n; j++) q[j * n + j] = 1;
  for (int64_t k = n - 1; k >= 0; k--)
    for (int64_t j = 0; j < n; j++) {
      double s = 0;
      for (int64_t i = k; i < m; i++) s += v[i * n + k] * q[i * n + j];
      for (int64_t i = k; i < m; i++) q[i * n + j] -= beta[k] * s * v[i * n + k];
    }
  for (int64_t k = 0; k < n; k++) {
    if (r[k * n + k] >= 0) continue;
    for (int64_t j = k; j < n; j++) r[k * n + j] = -r[k * n + j];
    for (int64_t i = 0; i < m; i++) q[i * n + k] = -q[i * n + k];
  }
}

void linalg_cholesky(int64_t n, const double *a, double *l) {
  memset(l, 0, sizeof *l * (size_t)(n * n));
  bool positive = true;
  for (int64_t j = 0; j < n && positive; j++) {
    for (int64_t i = j; i < n; i++) {
      double s = a[i * n + j];
      for (int64_t k = 0; k < j; k++) s -= l[i * n + k] * l[j * n + k];
      l[i * n + j] = i == j ? sqrt(s) : s / l[j * n + j];
    }
    positive = l[j * n + j] > 0;
  }
  for (int64_t i = 0; i < n && !positive; i++)
    for (int64_t j = 0; j <= i; j++) l[i * n + j] = NAN;
}

void linalg_trisolve(int64_t n, int64_t m, bool transposed, const double *l, const double *x, double *y) {
  if (y != x) memcpy(y, x, sizeof *x * (size_t)(n * m));
  for (int64_t step = 0; step < n; step++) {
    int64_t i = transposed ? n - 1 - step : step;
    for (int64_t c = 0; c < m; c++) {
      double s = y[i * m + c];
      for (int64_t k = transposed ? i + 1 : 0; k < (transposed ? n : i); k++)
        s -= (transposed ? l[k * n + i] : l[i * n + k]) * y[k * m + c];
      y[i * m + c] = s / l[i * n + i];
    }
  }
}
