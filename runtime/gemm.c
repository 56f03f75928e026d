// Large matrix products through OpenBLAS, which is looked for when the first one is computed:
// a program without such products neither needs nor loads it.
#include <dlfcn.h>
#include <pthread.h>
#include <stdlib.h>

#include "runtime/abi.h"
#include "runtime/blas.h"

// CBLAS, with its enumerations' values: row major 101, as it is 111, transposed 112.
typedef void (*Sgemm)(int order, int ta, int tb, int m, int n, int k, float alpha, const float *a, int lda,
                      const float *b, int ldb, float beta, float *c, int ldc);
typedef void (*Dgemm)(int order, int ta, int tb, int m, int n, int k, double alpha, const double *a, int lda,
                      const double *b, int ldb, double beta, double *c, int ldc);

static struct { void *lib; Sgemm s; Dgemm d; } blas;
static pthread_once_t once = PTHREAD_ONCE_INIT;

// One thread, and said before loading: our pieces are the parallelism, and its own threads would
// start with the library.
static void load(void) {
  setenv("OPENBLAS_NUM_THREADS", "1", 1);
  blas.lib = dlopen("libopenblas.so.0", RTLD_NOW | RTLD_LOCAL);
  if (!blas.lib) return;
  *(void **)&blas.s = dlsym(blas.lib, "cblas_sgemm");
  *(void **)&blas.d = dlsym(blas.lib, "cblas_dgemm");
}

void *rt_openblas(const char *name) {
  pthread_once(&once, load);
  return blas.lib ? dlsym(blas.lib, name) : NULL;
}

// Without the library: plain loops, the columns of c innermost.
#define PLAIN(name, T)                                                                                            \
  static void name(int64_t m, int64_t n, int64_t k, int64_t ta, int64_t tb, const T *a, int64_t lda, const T *b, \
                   int64_t ldb, T *c, int64_t ldc) {                                                              \
    for (int64_t i = 0; i < m; i++) {                                                                             \
      for (int64_t j = 0; j < n; j++) c[i * ldc + j] = 0;                                                         \
      for (int64_t p = 0; p < k; p++) {                                                                           \
        T f = ta ? a[p * lda + i] : a[i * lda + p];                                                               \
        for (int64_t j = 0; j < n; j++) c[i * ldc + j] += f * (tb ? b[j * ldb + p] : b[p * ldb + j]);             \
      }                                                                                                           \
    }                                                                                                             \
  }
PLAIN(plain_f32, float)
PLAIN(plain_f64, double)

#define GEMM(name, T, fn, plain)                                                                                  \
  void name(int64_t m, int64_t n, int64_t k, int64_t ta, int64_t tb, const T *a, int64_t lda, const T *b,        \
            int64_t ldb, T *c, int64_t ldc) {                                                                     \
    pthread_once(&once, load);                                                                                    \
    if (!fn) {                                                                                                    \
      plain(m, n, k, ta, tb, a, lda, b, ldb, c, ldc);                                                             \
      return;                                                                                                     \
    }                                                                                                             \
    fn(101, ta ? 112 : 111, tb ? 112 : 111, (int)m, (int)n, (int)k, 1, a, (int)lda, b, (int)ldb, 0, c, (int)ldc); \
  }
GEMM(rt_gemm_f32, float, blas.s, plain_f32)
GEMM(rt_gemm_f64, double, blas.d, plain_f64)
