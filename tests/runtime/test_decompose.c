// Decompositions multiplied back, and the Fourier transform beside its sum. Orders on both sides of
// where LAPACK takes over, batches, matrices with equal and with vanishing values.
#include <complex.h>
#include <math.h>
#include <stdlib.h>

#include "runtime/abi.h"
#include "tests/test.h"

typedef double complex Z;

static uint64_t noise = 1;

static double uniform(void) {
  noise = noise * 6364136223846793005u + 1442695040888963407u;
  return (double)(noise >> 11) * 0x1p-52 - 1;
}

static void *room(int64_t bytes) {
  void *p = aligned_alloc(64, (size_t)((bytes + 127) / 64 * 64));
  if (!p) abort();
  return p;
}

#define RANDOM(x, n) do { for (int64_t k_ = 0; k_ < (n); k_++) (x)[k_] = uniform(); } while (0)

static const int order[] = {1, 2, 3, 4, 7, 16, 31, 32, 33, 50};
#define NORDER (int)(sizeof order / sizeof *order)

static void lu(void) {
  for (int o = 0; o < NORDER; o++) {
    int64_t n = order[o];
    double *x = room(16 * n * n), *f = room(16 * n * n), worst = 0;
    int32_t *perm = room(8 * n);
    char *scratch = room(rt_lu_scratch(n));
    RANDOM(x, 2 * n * n);
    rt_lu(RT_F64, 2, n, x, f, perm, scratch);
    for (int64_t b = 0; b < 2; b++)
      for (int64_t i = 0; i < n; i++)
        for (int64_t j = 0; j < n; j++) {
          double s = 0, *lu = f + b * n * n;
          for (int64_t k = 0; k <= i && k <= j; k++) s += (k == i ? 1 : lu[i * n + k]) * lu[k * n + j];
          worst = fmax(worst, fabs(s - x[b * n * n + perm[b * n + i] * n + j]));
          if (j < i) CU_ASSERT(fabs(lu[i * n + j]) <= 1);
        }
    CU_ASSERT(worst < 1e-14 * (double)n);
    free(x), free(f), free(perm), free(scratch);
  }
  float singular[4] = {1, 2, 2, 4}, f[4];
  int32_t perm[2];
  _Alignas(16) char scratch[64];
  rt_lu(RT_F32, 1, 2, singular, f, perm, scratch);
  CU_ASSERT(f[0] == 2 && f[1] == 4 && f[2] == 0.5f && f[3] == 0 && perm[0] == 1);
}

// Matrices of kinds: random; with equal values; of rank 1; zero.
enum { RANDOM_KIND, EQUAL_KIND, RANK_1, ZERO, NKIND };

static void fill_hermitian(int kind, int64_t n, int is_complex, Z *a) {
  for (int64_t i = 0; i < n; i++)
    for (int64_t j = 0; j <= i; j++) {
      Z z = kind == RANDOM_KIND ? uniform() + (is_complex ? I * uniform() : 0) : kind == EQUAL_KIND ? (i == j ? 2 + (i % 2) : 0) : kind == RANK_1 ? 1 : 0;
      a[i * n + j] = i == j ? creal(z) : z;
      a[j * n + i] = i == j ? creal(z) : conj(z);
    }
}

// |x v - v w| and |v^H v - 1|
static double residual(int64_t n, const Z *a, const double *w, const Z *v) {
  double worst = 0;
  for (int64_t i = 0; i < n; i++)
    for (int64_t j = 0; j < n; j++) {
      Z s = 0, g = 0;
      for (int64_t k = 0; k < n; k++) s += a[i * n + k] * v[k * n + j], g += conj(v[k * n + i]) * v[k * n + j];
      worst = fmax(worst, fmax(cabs(s - v[i * n + j] * w[j]), cabs(g - (i == j))));
    }
  return worst;
}

static void eigh(void) {
  for (int o = 0; o < NORDER; o++)
    for (int kind = 0; kind < NKIND; kind++)
      for (int is_complex = 0; is_complex < 2; is_complex++) {
        int64_t n = order[o];
        Z *a = room(16 * n * n), *v = room(16 * n * n);
        double *x = room(16 * n * n), *y = room(16 * n * n), *w = room(8 * n);
        char *scratch = room(rt_eigh_scratch(n));
        fill_hermitian(kind, n, is_complex, a);
        for (int64_t k = 0; k < n * n; k++) {
          if (is_complex) x[2 * k] = creal(a[k]), x[2 * k + 1] = cimag(a[k]);
          else x[k] = creal(a[k]);
        }
        for (int64_t i = 0; i < n && !is_complex; i++)
          for (int64_t j = i + 1; j < n; j++) x[i * n + j] = NAN;           // the upper half is not read
        rt_eigh(is_complex ? RT_C128 : RT_F64, 1, n, x, w, y, scratch);
        for (int64_t k = 0; k < n * n; k++) v[k] = is_complex ? y[2 * k] + I * y[2 * k + 1] : y[k];
        CU_ASSERT(residual(n, a, w, v) < 1e-14 * (double)(n + 4));
        for (int64_t k = 1; k < n; k++) CU_ASSERT(w[k - 1] <= w[k]);
        free(a), free(v), free(x), free(y), free(w), free(scratch);
      }
}

static double svd_residual(int64_t m, int64_t n, const double *x, const double *u, const double *s, const double *v) {
  double worst = 0;
  for (int64_t i = 0; i < m; i++)
    for (int64_t j = 0; j < n; j++) {
      double t = 0;
      for (int64_t k = 0; k < n; k++) t += u[i * n + k] * s[k] * v[j * n + k];
      worst = fmax(worst, fabs(t - x[i * n + j]));
    }
  for (int64_t i = 0; i < n; i++)
    for (int64_t j = 0; j < n; j++) {
      double p = 0, q = 0;
      for (int64_t k = 0; k < m; k++) p += u[k * n + i] * u[k * n + j];
      for (int64_t k = 0; k < n; k++) q += v[k * n + i] * v[k * n + j];
      worst = fmax(worst, fmax(fabs(p - (i == j)), fabs(q - (i == j))));
    }
  return worst;
}

static void svd(void) {
  for (int o = 0; o < NORDER; o++)
    for (int64_t extra = 0; extra < 8; extra += 7)
      for (int kind = 0; kind < NKIND; kind++) {
        int64_t n = order[o], m = n + extra;
        double *x = room(8 * m * n), *u = room(8 * m * n), *s = room(8 * n), *v = room(8 * n * n);
        char *scratch = room(rt_svd_scratch(m, n));
        for (int64_t k = 0; k < m * n; k++)
          x[k] = kind == RANDOM_KIND ? uniform() : kind == EQUAL_KIND ? (k / n == k % n ? 3 : 0) : kind == RANK_1;
        rt_svd(RT_F64, 1, m, n, x, u, s, v, scratch);
        CU_ASSERT(svd_residual(m, n, x, u, s, v) < 2e-14 * (double)(n + 4));
        for (int64_t k = 0; k < n; k++) CU_ASSERT(s[k] >= 0 && (k == 0 || s[k - 1] >= s[k]));
        free(x), free(u), free(s), free(v), free(scratch);
      }
}

static void eig(void) {
  for (int o = 0; o < NORDER; o++)
    for (int is_complex = 0; is_complex < 2; is_complex++) {
      int64_t n = order[o], parts = 1 + is_complex;
      double *x = room(8 * parts * n * n), worst = 0;
      Z *w = room(16 * n), *v = room(16 * n * n), *u = room(16 * n * n);
      char *scratch = room(rt_eig_scratch(n));
      RANDOM(x, parts * n * n);
      rt_eig(is_complex ? RT_C128 : RT_F64, 1, n, x, w, v, u, scratch);
      for (int64_t i = 0; i < n; i++)
        for (int64_t j = 0; j < n; j++) {
          Z s = 0, g = 0;
          for (int64_t k = 0; k < n; k++) s += v[i * n + k] * w[k] * u[k * n + j], g += v[i * n + k] * u[k * n + j];
          Z want = is_complex ? x[2 * (i * n + j)] + I * x[2 * (i * n + j) + 1] : x[i * n + j];
          worst = fmax(worst, fmax(cabs(s - want), cabs(g - (i == j))));
        }
      CU_ASSERT(worst < 1e-11);
      for (int64_t k = 1; k < n; k++) CU_ASSERT(creal(w[k - 1]) <= creal(w[k]) + 1e-8);
      free(x), free(w), free(v), free(u), free(scratch);
    }
  const float turn[4] = {0, -1, 1, 0}, bad[4] = {1, NAN, 0, 1};
  float w[4], v[8], u[8];
  _Alignas(16) char scratch[1024];
  CU_ASSERT(rt_eig_scratch(2) <= (int64_t)sizeof scratch);
  rt_eig(RT_F32, 1, 2, turn, w, v, u, scratch);
  CU_ASSERT(fabsf(w[0]) < 1e-6f && fabsf(w[1] + 1) < 1e-6f && fabsf(w[3] - 1) < 1e-6f);
  rt_eig(RT_F32, 1, 2, bad, w, v, u, scratch);
  CU_ASSERT(isnan(w[0]) && isnan(v[0]) && isnan(u[0]));
}

static void fft(void) {
  for (int64_t n = 1; n < 200; n += n < 40 ? 1 : 13)
    for (int64_t reverse = 0; reverse < 2; reverse++) {
      Z *x = room(32 * n), *y = room(32 * n);
      char *scratch = room(rt_fft_scratch(n));
      double worst = 0;
      for (int64_t k = 0; k < 2 * n; k++) x[k] = uniform() + I * uniform();
      rt_fft(RT_C128, 2, n, reverse, x, y, scratch);
      for (int64_t k = 0; k < 2 * n; k++) {
        Z s = 0;
        for (int64_t j = 0; j < n; j++) s += x[k / n * n + j] * cexp((reverse ? 2 : -2) * I * acos(-1) * (double)(j * (k % n) % n) / (double)n);
        worst = fmax(worst, cabs(s - y[k]));
      }
      CU_ASSERT(worst < 1e-13 * (double)(n + 4));
      free(x), free(y), free(scratch);
    }
}

void suite_decompose(void) {
  CU_pSuite s = test_suite("decompose");
  test_add(s, "LU", lu);
  test_add(s, "eigenvalues of symmetric and Hermitian matrices", eigh);
  test_add(s, "singular values", svd);
  test_add(s, "general eigenvalues", eig);
  test_add(s, "Fourier transform", fft);
}
