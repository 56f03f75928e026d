// Routines that compiled code calls: special functions, orders, running totals, linear algebra.
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "ir/special.h"
#include "runtime/abi.h"
#include "tests/test.h"

static uint64_t noise = 1;

static double uniform(void) {
  noise = noise * 6364136223846793005u + 1442695040888963407u;
  return (double)(noise >> 11) * 0x1p-53;
}

#define NEAR(got, want, tol) CU_ASSERT(fabs((got) - (want)) <= (tol) * (1 + fabs(want)))

static void special(void) {
  NEAR(rt_lgamma(0.5), 0.5723649429247001, 1e-15);
  NEAR(rt_lgamma(-1.5), 0.8600470153764810, 1e-14);
  CU_ASSERT(isinf(rt_lgamma(-2)));
  NEAR(rt_digamma(1), -0.5772156649015329, 1e-15);
  NEAR(rt_digamma(0.25), -4.227453533376265, 1e-15);
  NEAR(rt_digamma(-0.5), 0.03648997397857652, 1e-14);
  NEAR(rt_digamma(1e6), 13.81551005796419, 1e-15);
  NEAR(rt_digamma(1e-10), -1e10 - 0.5772156647370, 1e-15);
  CU_ASSERT(isnan(rt_digamma(-3)) && isnan(rt_digamma(0)) && isnan(rt_digamma(NAN)));
  // Recurrences tie every region to every other.
  for (double x = -20.3; x < 40; x += 0.37) {
    NEAR(rt_digamma(x + 1), rt_digamma(x) + 1 / x, 4e-14);
  }
}

// (-1)^(n+1) n! d^-(n+1): what the pole at distance d adds to polygamma.
static double pole(int n, double d) {
  double y = 1 / d;
  for (int k = 1; k <= n; k++) y *= k / d;
  return n % 2 ? y : -y;
}

// From mpmath's psi, in 60 digits and more. Tolerances are parts of the value, or of what the nearest pole adds where the
// poles to the left and to the right of an x < 0 cancel (even n).
static void polygamma(void) {
  static const struct { int n; double x, want, tol; } known[] = {
    {1, 1, 1.6449340668482264, 4e-16}, {1, 0.5, 4.9348022005446793, 4e-16}, {1, -0.5, 8.9348022005446793, 4e-16},
    {1, 100, 0.010050166663333571, 4e-16}, {1, 1e-10, 9.9999999999999993e+19, 4e-16}, {1, -1000000.25, 19.739207802179467, 4e-16},
    {2, 1, -2.4041138063191886, 6e-16}, {2, 0.25, -129.32773993753692, 6e-16}, {2, -0.5, -0.82879664423432, 6e-16},
    {2, -2.75, -124.11765305971518, 6e-16}, {2, 1000, -1.0010004999998333e-6, 6e-16}, {2, -1000000.25, 124.02510672119828, 6e-16},
    {3, 1, 6.4939394022668291, 8e-16}, {3, -1.25, 1558.2209125348506, 8e-16}, {3, 1e-3, 6000000000006.4686, 8e-16},
    {4, 3.5, -0.067995999506731363, 8e-16}, {4, -7.5, -0.001446124964677197, 8e-16}, {5, 2, 2.0811674381338968, 8e-16},
    {5, -0.125, 31457550.406162321, 8e-16}, {7, 1e5, 7.20025200336e-33, 1e-15}, {10, 0.5, -7431824508.858769, 1e-15},
    {10, 20, -4.5103770549818432e-8, 1e-15}, {10, -3.75, -15220204740668.491, 1e-15}, {40, 15, -0.53004138106935353, 3e-15},
    {40, -1.25, 3.9455242101462683e+72, 3e-15}, {170, 1.5, -5.6127628949062967e+276, 4e-15},
    {170, 2, -2.4246705428834072e+255, 4e-15}, {170, 100, -8.8841193781856054e-36, 4e-15},
    {170, 500, -7.5369073770483293e-155, 4e-15},
  };
  for (size_t k = 0; k < sizeof known / sizeof *known; k++) {
    int n = known[k].n;
    double x = known[k].x, got = rt_polygamma(n, x), size = fabs(known[k].want);
    if (x < 0 && n % 2 == 0) size = fmax(size, fabs(pole(n, x - round(x))));
    bool near = fabs(got - known[k].want) <= known[k].tol * size;
    if (!near) printf("\n  polygamma(%d, %g): %.17g, not %.17g\n", n, x, got, known[k].want);
    CU_ASSERT(near);
  }
  for (int n = 1; n <= 170; n++) {
    for (double x = 0; x > -4; x--) CU_ASSERT(n % 2 ? rt_polygamma(n, x) == INFINITY : isnan(rt_polygamma(n, x)));
    CU_ASSERT(rt_polygamma(n, INFINITY) == 0 && isnan(rt_polygamma(n, -INFINITY)) && isnan(rt_polygamma(n, NAN)));
    CU_ASSERT(rt_polygamma(n, 1e-300) == (n % 2 ? INFINITY : -INFINITY));
    CU_ASSERT(n == 1 ? rt_polygamma(n, 1e300) == 1e-300 : rt_polygamma(n, 1e300) == 0);
  }
}

// The recurrence ties every region to every other, and all orders go beside the reference evaluator's own way.
static void polygamma_all(void) {
  double worst = 0, apart = 0;
  for (int n = 1; n <= 170; n++)
    for (double x = -20.3; x < 40; x += 0.37) {
      double y = rt_polygamma(n, x), step = pole(n, x), size = fabs(step) + fabs(y);
      if (x < 0) size = fmax(size, fabs(pole(n, x - round(x))));
      if (isinf(size)) continue;
      worst = fmax(worst, fabs(y - step - rt_polygamma(n, x + 1)) / size);
      apart = fmax(apart, fabs(y - special_polygamma(n, x)) / size);
    }
  if (!(worst <= 2e-14 && apart <= 5e-14)) printf("\n  polygamma: %g from its recurrence, %g from the reference\n", worst, apart);
  CU_ASSERT(worst <= 2e-14 && apart <= 5e-14);
}

static void erfinv(void) {
  NEAR(rt_erfinv(0.5), 0.4769362762044699, 1e-15);
  NEAR(rt_erfinv(0.999), 2.326753765513525, 1e-15);
  NEAR(rt_erfinv(-0.1), -0.08885599049425769, 1e-15);
  CU_ASSERT(rt_erfinv(0) == 0 && signbit(rt_erfinv(-0.0)));
  CU_ASSERT(isinf(rt_erfinv(1)) && rt_erfinv(-1) < 0 && isnan(rt_erfinv(1.1)) && isnan(rt_erfinv(NAN)));
  for (int e = 1; e <= 53; e++) {              // towards 1: erfc of the result is what is left
    double left = ldexp(1, -e);
    CU_ASSERT(fabs(erfc(rt_erfinv(1 - left)) / left - 1) < 2e-13);
  }
  for (int e = 1; e <= 1060; e += 7) {         // towards 0
    double x = ldexp(0.7, -e);
    CU_ASSERT(fabs(erf(rt_erfinv(x)) / x - 1) < 1e-14);
  }
}

// ---- orders ------------------------------------------------------------------------------------------
static void order_of_floats(void) {
  const float x[] = { 3, NAN, -INFINITY, 0.0f, -0.0f, 3, -1, INFINITY, -NAN };
  const int32_t want[] = { 2, 6, 3, 4, 0, 5, 7, 1, 8 };
  int32_t order[9];
  _Alignas(16) char scratch[16 * 9];
  rt_argsort(RT_F32, 1, 9, 1, x, order, scratch);
  CU_ASSERT_EQUAL(memcmp(order, want, sizeof want), 0);
  const int8_t i[] = { 5, -128, 127, 0 };
  const int32_t wi[] = { 1, 3, 0, 2 };
  rt_argsort(RT_I8, 1, 4, 1, i, order, scratch);
  CU_ASSERT_EQUAL(memcmp(order, wi, sizeof wi), 0);
  const uint64_t u[] = { UINT64_MAX, 0, 1ull << 63, 5 };
  const int32_t wu[] = { 1, 3, 2, 0 };
  rt_argsort(RT_U64, 1, 4, 1, u, order, scratch);
  CU_ASSERT_EQUAL(memcmp(order, wu, sizeof wu), 0);
}

static void order_along_an_axis(void) {
  enum { OUTER = 3, INNER = 2 };
  for (int64_t n = 0; n < 200; n += n < 40 ? 1 : 53) {
    double *x = malloc(sizeof *x * (size_t)(OUTER * n * INNER + 1));
    int32_t *order = malloc(sizeof *order * (size_t)(OUTER * n * INNER + 1));
    char *scratch = malloc((size_t)(16 * n + 1));
    for (int64_t i = 0; i < OUTER * n * INNER; i++) x[i] = floor(uniform() * 20);
    rt_argsort(RT_F64, OUTER, n, INNER, x, order, scratch);
    bool sorted = true;
    for (int64_t o = 0; o < OUTER; o++)
      for (int64_t c = 0; c < INNER; c++)
        for (int64_t i = 1; i < n; i++) {
          int32_t a = order[(o * n + i - 1) * INNER + c], b = order[(o * n + i) * INNER + c];
          double p = x[(o * n + a) * INNER + c], q = x[(o * n + b) * INNER + c];
          sorted &= p < q || (p == q && a < b);
        }
    CU_ASSERT(sorted);
    free(x);
    free(order);
    free(scratch);
  }
}

// Keys of 32 bits, with ties: all different, few different ones, all the same; their high bits, their low bits.
static void order_of_many(void) {
  enum { N = 5000 };
  static uint32_t x[N];
  static float f[N];
  static int32_t order[N];
  static _Alignas(16) char scratch[16 * N];
  static const double spread[] = { 4294967295.0, 7, 1, 70000, 2050 };
  for (int k = 0; k < 10; k++) {
    for (int i = 0; i < N; i++) {
      x[i] = (uint32_t)(uniform() * spread[k / 2]) << (k == 3 ? 29 : 0);
      f[i] = (float)((uniform() - 0.5) * spread[k / 2]);
      if (k % 4 == 1) f[i] = floorf(f[i]);
    }
    bool sorted = true;
    rt_argsort(RT_U32, 1, N, 1, x, order, scratch);
    for (int i = 1; i < N; i++) sorted &= x[order[i - 1]] < x[order[i]] || (x[order[i - 1]] == x[order[i]] && order[i - 1] < order[i]);
    rt_argsort(RT_F32, 1, N, 1, f, order, scratch);
    for (int i = 1; i < N; i++) sorted &= f[order[i - 1]] < f[order[i]] || (f[order[i - 1]] == f[order[i]] && order[i - 1] < order[i]);
    CU_ASSERT(sorted);
  }
}

static void running_totals(void) {
  const float x[] = { 1, 2, 3, 4, 5, 6 };      // [3, 2]
  float y[6];
  const float sum[] = { 1, 2, 4, 6, 9, 12 }, back[] = { 9, 12, 8, 10, 5, 6 }, prod[] = { 1, 2, 3, 8, 15, 48 };
  rt_cumulate(RT_F32, 0, 1, 3, 2, 0, x, y);
  CU_ASSERT_EQUAL(memcmp(y, sum, sizeof y), 0);
  rt_cumulate(RT_F32, 0, 1, 3, 2, 1, x, y);
  CU_ASSERT_EQUAL(memcmp(y, back, sizeof y), 0);
  rt_cumulate(RT_F32, 1, 1, 3, 2, 0, x, y);
  CU_ASSERT_EQUAL(memcmp(y, prod, sizeof y), 0);
  const double m[] = { 1, 3, 2, NAN, 5 };
  double g[5];
  rt_cumulate(RT_F64, 2, 1, 5, 1, 0, m, g);
  CU_ASSERT(g[0] == 1 && g[1] == 3 && g[2] == 3 && isnan(g[3]) && isnan(g[4]));
  const uint8_t w[] = { 200, 100, 3 };
  uint8_t v[3];
  rt_cumulate(RT_U8, 0, 1, 3, 1, 0, w, v);
  CU_ASSERT(v[0] == 200 && v[1] == 44 && v[2] == 47);
  const int32_t n[] = { -5, -7, 2 };
  int32_t k[3];
  rt_cumulate(RT_I32, 2, 1, 3, 1, 1, n, k);
  CU_ASSERT(k[0] == 2 && k[1] == 2 && k[2] == 2);
  const float z[] = { 0, 1, 0, 1 };            // i, i
  float zz[4];
  rt_cumulate(RT_C64, 1, 1, 2, 1, 0, z, zz);
  CU_ASSERT(zz[0] == 0 && zz[1] == 1 && zz[2] == -1 && zz[3] == 0);
  const uint16_t h[] = { 0x3f80, 0x3f80 };     // bf16: 1, 1
  uint16_t hh[2];
  rt_cumulate(RT_BF16, 0, 1, 2, 1, 0, h, hh);
  CU_ASSERT(hh[0] == 0x3f80 && hh[1] == 0x4000);
}

// ---- linear algebra ------------------------------------------------------------------------------------
static void qr(void) {
  enum { B = 2 };
  for (int64_t m = 1; m <= 9; m++)
    for (int64_t n = 1; n <= m; n++) {
      double *x = malloc(sizeof *x * (size_t)(B * m * n)), *q = malloc(sizeof *q * (size_t)(B * m * n)), r[B * 81];
      char *scratch = malloc((size_t)rt_qr_scratch(m, n));
      for (int64_t i = 0; i < B * m * n; i++) x[i] = uniform() - 0.5;
      rt_qr_f64(B, m, n, x, q, r, scratch);
      double worst = 0, diagonal = 1;
      for (int b = 0; b < B; b++) {
        const double *xb = x + b * m * n, *qb = q + b * m * n, *rb = r + b * n * n;
        for (int64_t j = 0; j < n; j++) {
          diagonal = fmin(diagonal, rb[j * n + j]);
          for (int64_t k = 0; k < n; k++) {
            double s = 0;
            for (int64_t i = 0; i < m; i++) s += qb[i * n + j] * qb[i * n + k];
            worst = fmax(worst, fabs(s - (j == k)));
            if (k < j) worst = fmax(worst, fabs(rb[j * n + k]));
          }
          for (int64_t i = 0; i < m; i++) {
            double s = 0;
            for (int64_t k = 0; k < n; k++) s += qb[i * n + k] * rb[k * n + j];
            worst = fmax(worst, fabs(s - xb[i * n + j]));
          }
        }
      }
      CU_ASSERT(worst < 1e-14 && diagonal >= 0);
      free(x);
      free(q);
      free(scratch);
    }
  const float zero[4] = { 0 };
  float q[4], r[4];
  _Alignas(16) char scratch[256];
  CU_ASSERT(rt_qr_scratch(2, 2) <= (int64_t)sizeof scratch);
  rt_qr_f32(1, 2, 2, zero, q, r, scratch);
  CU_ASSERT(q[0] == 1 && q[3] == 1 && r[0] == 0 && r[3] == 0);
}

static void cholesky_and_solve(void) {
  enum { N = 7, M = 11 };
  double g[N * N], x[N * N], l[N * N], rhs[N * M], y[N * M];
  for (int i = 0; i < N * N; i++) g[i] = uniform() - 0.5;
  for (int i = 0; i < N; i++)
    for (int j = 0; j < N; j++) {
      x[i * N + j] = i == j;
      for (int k = 0; k < N; k++) x[i * N + j] += g[i * N + k] * g[j * N + k];
    }
  rt_cholesky_f64(1, N, x, l);
  double worst = 0;
  for (int i = 0; i < N; i++)
    for (int j = 0; j < N; j++) {
      double s = 0;
      for (int k = 0; k < N; k++) s += l[i * N + k] * l[j * N + k];
      worst = fmax(worst, fabs(s - x[i * N + j]));
      if (j > i) CU_ASSERT_EQUAL(l[i * N + j], 0);
    }
  CU_ASSERT(worst < 1e-14);
  for (int i = 0; i < N * M; i++) rhs[i] = uniform();
  for (int ta = 0; ta < 2; ta++) {
    memcpy(y, rhs, sizeof y);
    rt_trisolve_f64(1, N, M, ta, l, y, y);      // in place
    worst = 0;
    for (int i = 0; i < N; i++)
      for (int c = 0; c < M; c++) {
        double s = 0;
        for (int k = 0; k < N; k++) s += (ta ? l[k * N + i] : l[i * N + k]) * y[k * M + c];
        worst = fmax(worst, fabs(s - rhs[i * M + c]));
      }
    CU_ASSERT(worst < 1e-13);
  }
  const float not_definite[4] = { 1, 0, 2, 1 };
  float f[4];
  rt_cholesky_f32(1, 2, not_definite, f);
  CU_ASSERT(isnan(f[0]) && isnan(f[2]) && isnan(f[3]) && f[1] == 0);
}

static void products(void) {
  enum { M = 5, N = 7, K = 6 };
  float a[M * K], b[K * N], c[M * N], at[K * M], bt[N * K];
  for (int i = 0; i < M; i++)
    for (int k = 0; k < K; k++) at[k * M + i] = a[i * K + k] = (float)uniform();
  for (int k = 0; k < K; k++)
    for (int j = 0; j < N; j++) bt[j * K + k] = b[k * N + j] = (float)uniform();
  for (int t = 0; t < 4; t++) {
    rt_gemm_f32(M, N, K, t & 1, t >> 1, t & 1 ? at : a, t & 1 ? M : K, t >> 1 ? bt : b, t >> 1 ? K : N, c, N);
    double worst = 0;
    for (int i = 0; i < M; i++)
      for (int j = 0; j < N; j++) {
        double s = 0;
        for (int k = 0; k < K; k++) s += (double)a[i * K + k] * b[k * N + j];
        worst = fmax(worst, fabs(s - c[i * N + j]));
      }
    CU_ASSERT(worst < 1e-6);
  }
}

void suite_routines(void) {
  CU_pSuite s = test_suite("routines");
  test_add(s, "lgamma, digamma", special);
  test_add(s, "polygamma", polygamma);
  test_add(s, "polygamma of all orders", polygamma_all);
  test_add(s, "erfinv", erfinv);
  test_add(s, "order of elements", order_of_floats);
  test_add(s, "order along an axis", order_along_an_axis);
  test_add(s, "order of many", order_of_many);
  test_add(s, "running totals", running_totals);
  test_add(s, "QR", qr);
  test_add(s, "Cholesky and triangular systems", cholesky_and_solve);
  test_add(s, "large products", products);
}
