// What this machine can do at most, to set beside what a kernel did.
#include <stdlib.h>
#include <string.h>

#include "driver/driver.h"

enum { ROUNDS = 4000, CHAINS = 12 };
static volatile float keep;

#if defined(__x86_64__)
// Twelve independent chains of fused multiply-adds: more than latency times units.
#define CHAIN(name, target_name, width)                                                              \
  __attribute__((target(target_name))) static double name(void) {                                    \
    typedef float V __attribute__((vector_size(width)));                                             \
    V a[CHAINS], m = { 0 }, c = { 0 };                                                               \
    for (int k = 0; k < width / 4; k++) m[k] = 0.999f, c[k] = 1e-6f;                                 \
    for (int k = 0; k < CHAINS; k++) a[k] = m;                                                       \
    double best = 1e9;                                                                               \
    for (int pass = 0; pass < 20; pass++) {                                                          \
      double t = rt_now();                                                                           \
      for (int i = 0; i < ROUNDS; i++) {                                                             \
        _Pragma("GCC unroll 12") for (int k = 0; k < CHAINS; k++) {                                  \
          a[k] = FMA(a[k], m, c);                                                                    \
          __asm__ volatile("" : "+v"(a[k]));                                                         \
        }                                                                                            \
      }                                                                                              \
      t = rt_now() - t;                                                                              \
      if (t < best) best = t;                                                                        \
    }                                                                                                \
    for (int k = 1; k < CHAINS; k++) a[0] += a[k];                                                   \
    keep = a[0][0];                                                                                  \
    return 2.0 * ROUNDS * CHAINS * (width / 4) / best;                                               \
  }
#define FMA(a, m, c) (V) fma512((V)(a), (V)(m), (V)(c))
#include <immintrin.h>
__attribute__((target("avx512f"), always_inline)) static inline __m512 fma512(__m512 a, __m512 m, __m512 c) { return _mm512_fmadd_ps(a, m, c); }
CHAIN(peak_512, "avx512f", 64)
#undef FMA
#define FMA(a, m, c) (V) fma256((V)(a), (V)(m), (V)(c))
__attribute__((target("avx2,fma"), always_inline)) static inline __m256 fma256(__m256 a, __m256 m, __m256 c) { return _mm256_fmadd_ps(a, m, c); }
CHAIN(peak_256, "avx2,fma", 32)
#undef FMA
#define FMA(a, m, c) ((a) * (m) + (c))
CHAIN(peak_128, "sse2", 16)

double peak_flops(void) {
  __builtin_cpu_init();
  if (__builtin_cpu_supports("avx512f")) return peak_512();
  return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") ? peak_256() : peak_128();
}
#else
double peak_flops(void) { return 0; }   // unknown: the column is left out
#endif

double peak_copy(void) {
  size_t n = 64 << 20;
  char *a = malloc(n), *b = malloc(n);
  double best = 1e9;
  if (a && b) {
    memset(a, 1, n);
    memset(b, 2, n);
    for (int pass = 0; pass < 5; pass++) {
      double t = rt_now();
      memcpy(b, a, n);
      t = rt_now() - t;
      if (t < best) best = t;
    }
    keep = b[n / 2];
  }
  free(a);
  free(b);
  return 2.0 * (double)n / best;
}
