// What this machine can do at most, to set beside what a kernel did.
#include <stdlib.h>
#include <string.h>

#include "driver/driver.h"

enum { ROUNDS = 4000, CHAINS = 12 };
static volatile float keep;

#if defined(__x86_64__)
// Twelve independent chains of fused multiply-adds, in registers: more than latency times units. The empty
// assembly keeps the compiler from seeing through a chain.
#define EACH(DO) DO(a) DO(b) DO(c) DO(d) DO(e) DO(f) DO(g) DO(h) DO(i) DO(j) DO(k) DO(l)
#define START(x) V x = m;
#define TURN(x) x = FMA(x, m, s); __asm__ volatile("" : "+v"(x));
#define GATHER(x) sum += x;
#define CHAIN(name, target_name, width)                               \
  __attribute__((target(target_name))) static double name(void) {     \
    typedef float V __attribute__((vector_size(width)));              \
    V m, s, sum;                                                      \
    for (int n = 0; n < width / 4; n++) m[n] = 0.999f, s[n] = 1e-6f;  \
    sum = s;                                                          \
    double best = 1e9;                                                \
    for (int pass = 0; pass < 20; pass++) {                           \
      EACH(START)                                                     \
      double t = rt_now();                                            \
      for (int n = 0; n < ROUNDS; n++) { EACH(TURN) }                 \
      t = rt_now() - t;                                               \
      if (t < best) best = t;                                         \
      EACH(GATHER)                                                    \
    }                                                                 \
    keep = sum[0];                                                    \
    return 2.0 * ROUNDS * CHAINS * (width / 4) / best;                \
  }
#include <immintrin.h>
#define FMA(x, y, z) (V)_mm512_fmadd_ps((__m512)(x), (__m512)(y), (__m512)(z))
CHAIN(peak_512, "avx512f", 64)
#undef FMA
#define FMA(x, y, z) (V)_mm256_fmadd_ps((__m256)(x), (__m256)(y), (__m256)(z))
CHAIN(peak_256, "avx2,fma", 32)
#undef FMA
#define FMA(x, y, z) ((x) * (y) + (z))
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
