// Large decompositions through LAPACK, by its Fortran interface: all arguments by address, matrices by
// columns, and behind the arguments the lengths of the texts.
#include "runtime/blas.h"

typedef int32_t Int;

typedef void (*Syevd)(const char *job, const char *half, const Int *n, double *a, const Int *lda, double *w, double *work, const Int *lwork,
                      Int *iwork, const Int *liwork, Int *info, int64_t, int64_t);
typedef void (*Heevd)(const char *job, const char *half, const Int *n, double *a, const Int *lda, double *w, double *work, const Int *lwork,
                      double *rwork, const Int *lrwork, Int *iwork, const Int *liwork, Int *info, int64_t, int64_t);
typedef void (*Gesdd)(const char *job, const Int *m, const Int *n, double *a, const Int *lda, double *s, double *u, const Int *ldu, double *vt,
                      const Int *ldvt, double *work, const Int *lwork, Int *iwork, Int *info, int64_t);
typedef void (*Geev)(const char *left, const char *right, const Int *n, double *a, const Int *lda, double *w, double *vl, const Int *ldvl,
                     double *vr, const Int *ldvr, double *work, const Int *lwork, double *rwork, Int *info, int64_t, int64_t);

int64_t rt_lapack_eigh_work(int64_t n) {
  return n < RT_LAPACK_ORDER ? 0 : 8 * (2 * (2 * n + n * n) + 1 + 6 * n + 2 * n * n + 3 + 5 * n);
}

// By columns our lower half is the upper one, of the conjugate.
int rt_lapack_eigh(int64_t n, int parts, double *a, double *w, char *work) {
  Int order = (Int)n, info = 1, nw = (Int)(parts == 1 ? 1 + 6 * n + 2 * n * n : 2 * n + n * n);
  Int nr = (Int)(1 + 5 * n + 2 * n * n), ni = (Int)(3 + 5 * n);
  double *main = (double *)(void *)work, *real = main + (int64_t)nw * parts;
  Int *whole = (Int *)(void *)(parts == 1 ? real : real + nr);
  Syevd symmetric = 0;
  Heevd hermitian = 0;
  if (parts == 1) *(void **)&symmetric = rt_openblas("dsyevd_");
  else *(void **)&hermitian = rt_openblas("zheevd_");
  if (symmetric) symmetric("V", "U", &order, a, &order, w, main, &nw, whole, &ni, &info, 1, 1);
  if (hermitian) hermitian("V", "U", &order, a, &order, w, main, &nw, real, &nr, whole, &ni, &info, 1, 1);
  return info == 0;
}

int64_t rt_lapack_svd_work(int64_t n) { return n < RT_LAPACK_ORDER ? 0 : 8 * (4 * n * n + 7 * n + 8 * n); }

// By columns x is x^T = v diag(s) u^T.
int rt_lapack_svd(int64_t m, int64_t n, double *x, double *u, double *s, double *v, char *work) {
  Int rows = (Int)n, cols = (Int)m, info = 1, nw = (Int)(4 * n * n + 7 * n);
  double *main = (double *)(void *)work;
  Gesdd svd = 0;
  *(void **)&svd = rt_openblas("dgesdd_");
  if (svd) svd("S", &rows, &cols, x, &rows, s, v, &rows, u, &rows, main, &nw, (Int *)(void *)(main + nw), &info, 1);
  return info == 0;
}

int64_t rt_lapack_eig_work(int64_t n) { return n < RT_LAPACK_ORDER ? 0 : 8 * (2 * 4 * n + 2 * n); }

int rt_lapack_eig(int64_t n, double *a, double *w, double *v, char *work) {
  Int order = (Int)n, info = 1, nw = (Int)(4 * n);
  double *main = (double *)(void *)work;
  Geev eig = 0;
  *(void **)&eig = rt_openblas("zgeev_");
  if (eig) eig("N", "V", &order, a, &order, w, 0, &order, v, &order, main, &nw, main + 8 * n, &info, 1, 1);
  return info == 0;
}
