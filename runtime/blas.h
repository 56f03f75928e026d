// OpenBLAS and the LAPACK in it, looked for when first needed: a program without large products or
// decompositions neither needs nor loads it.
#ifndef RLC_RUNTIME_BLAS_H
#define RLC_RUNTIME_BLAS_H

#include <stdint.h>

// One of its functions, or NULL where the library is not there.
void *rt_openblas(const char *name);

// Below this order our own routines do; from it on LAPACK's are tried first.
#define RT_LAPACK_ORDER 32

// Each gives 0 where there is no LAPACK or it does not converge; the matrix it was given may be lost then.
// a [n, n] symmetric (parts 1) or Hermitian (parts 2: re, im): its rows become the eigenvectors, conjugated;
// w [n] ascending.
int rt_lapack_eigh(int64_t n, int parts, double *a, double *w, char *work);
int64_t rt_lapack_eigh_work(int64_t n);
// x [m, n], m >= n, is lost: u [m, n], s [n] descending, v [n, n] with vectors in rows.
int rt_lapack_svd(int64_t m, int64_t n, double *x, double *u, double *s, double *v, char *work);
int64_t rt_lapack_svd_work(int64_t n);
// a [n, n] complex, by columns, is lost: w [n], v [n, n] with vectors in rows.
int rt_lapack_eig(int64_t n, double *a, double *w, double *v, char *work);
int64_t rt_lapack_eig_work(int64_t n);

#endif
