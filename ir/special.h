// Mathematics of the reference evaluator that the C library lacks: special functions
// and dense linear algebra in double, by the textbook.
#ifndef RLC_IR_SPECIAL_H
#define RLC_IR_SPECIAL_H

#include <stdbool.h>
#include <stdint.h>

double special_erfinv(double x);     // +-inf at +-1, NaN beyond
double special_digamma(double x);    // NaN at the poles 0, -1, …
double special_polygamma(int n, double x);   // 1 <= n <= IR_MAX_ORDER; +inf at the poles, NaN for even n

// All matrices row-major.
// a (m, n), m >= n → q (m, n), r (n, n) with a diagonal >= 0; w: room for m*n + m numbers.
void linalg_qr(int64_t m, int64_t n, const double *a, double *q, double *r, double *w);
// Lower l (n, n) of the lower half of a; NaN in the lower half where a is not positive definite.
void linalg_cholesky(int64_t n, const double *a, double *l);
// l y = x, or l^T y = x if transposed; l lower (n, n), x and y (n, m); y may be x.
void linalg_trisolve(int64_t n, int64_t m, bool transposed, const double *l, const double *x, double *y);

#endif
