#include "ir/special.h"

#include <math.h>
#include <string.h>

#include "ir/ir.h"

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

// For x > 0 the integral of t^n e^(-x t) / (1 - e^-t) over t > 0 (DLMF 5.9.12, differentiated), by the trapezoidal rule
// in v, t = s/x e^v with s = n + 1. The integrand is analytic for |Im v| < pi/2 and one hump, narrower for larger s: with
// these steps the rule's error is below that of rounding. unit is the same sum without 1 - e^-t, for n! / x^s.
static double polygamma_right(int n, double x) {
  double s = n + 1, h = 1 / (8 + n / 8.0), sum = 0, unit = 0;
  for (int way = -1; way <= 1; way += 2)
    for (int k = way > 0;; k++) {
      double v = way * k * h, w = exp(s * (v - expm1(v))), t = s / x * exp(v);
      double y = w * exp(-v) * (t > 0 ? t / -expm1(-t) : 1);
      sum += y;
      unit += w;
      if (!(y > 1e-19 * sum)) break;
    }
  double y = sum / unit / s;
  for (int k = 1; k <= n; k++) y *= k / x;
  return n % 2 ? y : -y;
}

// Reflection below 0 (DLMF 5.15.6): (-1)^n / n! times the n-th derivative of cot z is a polynomial q_n of c = cot z:
// q_0 = c, q_n = (1 + c^2) q_(n-1)' / n. Every other coefficient is 0 (its place keeps q_(n-1)'s), the rest are positive.
double special_polygamma(int n, double x) {
  if (isnan(x) || x == -INFINITY) return NAN;
  if (is_pole(x)) return n % 2 ? INFINITY : NAN;
  if (x == INFINITY) return n % 2 ? 0.0 : -0.0;
  if (x > 0) return polygamma_right(n, x);
  double q[IR_MAX_ORDER + 2] = {0, 1}, c = 1 / tan(PI * (x - round(x))), y = 0;
  for (int k = 1; k <= n; k++)
    for (int j = 1 - k % 2; j <= k + 1; j += 2)
      q[j] = ((j < k ? (j + 1) * q[j + 1] : 0) + (j > 1 ? (j - 1) * q[j - 1] : 0)) / k;
  for (int j = n + 1; j >= 0; j -= 2) y = y * c * c + q[j];
  if (n % 2 == 0) y *= c;
  for (int k = 1; k <= n; k++) y *= k * PI;
  y = PI * y - polygamma_right(n, 1 - x);
  return n % 2 ? y : -y;
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
