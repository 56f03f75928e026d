// The discrete Fourier transform: mixed radix by decimation in time; lengths with a large prime factor
// by Bluestein's convolution of a power of two. All work is in double.
#include <complex.h>
#include <math.h>

#include "runtime/abi.h"

typedef double complex Z;

static inline Z make(double re, double im) {
  union { double part[2]; Z z; } u = {{re, im}};
  return u.z;
}

#define PI 3.14159265358979323846
#define LARGE_PRIME 64          // beyond: n log n of a longer length beats n p

static inline Z mul(Z a, Z b) {
  return make(creal(a) * creal(b) - cimag(a) * cimag(b), creal(a) * cimag(b) + cimag(a) * creal(b));
}

static int64_t factor_of(int64_t n) {
  if (n % 4 == 0) return 4;
  for (int64_t p = 2; p * p <= n; p++)
    if (n % p == 0) return p;
  return n;
}

static int64_t greatest_prime(int64_t n) {
  int64_t most = 1;
  for (int64_t p; n > 1; n /= p) {
    p = factor_of(n);
    if (p > most) most = p;
  }
  return most;
}

static int64_t power_of_two(int64_t least) {
  int64_t n = 1;
  while (n < least) n *= 2;
  return n;
}

static int needs_bluestein(int64_t n) { return greatest_prime(n) > LARGE_PRIME; }

// Roots, input and output of the length itself; or of the power of two, and the chirp with its spectrum.
int64_t rt_fft_scratch(int64_t n) {
  int64_t length = needs_bluestein(n) ? power_of_two(2 * n - 1) : n;
  return 16 * (4 * length + 2 * n + LARGE_PRIME);
}

// root[k] = e^(-2 pi i k / n)
static void make_roots(int64_t n, Z *root) {
  for (int64_t k = 0; k < n; k++) root[k] = make(cos(2 * PI * (double)k / (double)n), -sin(2 * PI * (double)k / (double)n));
}

static void butterfly2(int64_t m, int64_t step, const Z *root, Z *y) {
  for (int64_t k = 0; k < m; k++) {
    Z t = mul(y[m + k], root[k * step]);
    y[m + k] = y[k] - t;
    y[k] += t;
  }
}

static void butterfly4(int64_t m, int64_t step, const Z *root, Z *y) {
  for (int64_t k = 0; k < m; k++) {
    Z a = y[k], b = mul(y[m + k], root[k * step]), c = mul(y[2 * m + k], root[2 * k * step]), d = mul(y[3 * m + k], root[3 * k * step]);
    Z ac = a + c, bd = b + d, p = a - c, t = b - d, q = make(cimag(t), -creal(t));   // q = -i (b - d)
    y[k] = ac + bd;
    y[m + k] = p + q;
    y[2 * m + k] = ac - bd;
    y[3 * m + k] = p - q;
  }
}

static void butterfly(int64_t p, int64_t m, int64_t step, int64_t n, const Z *root, Z *y, Z *w) {
  for (int64_t k = 0; k < m; k++) {
    for (int64_t j = 0; j < p; j++) w[j] = mul(y[j * m + k], root[j * k * step]);
    for (int64_t r = 0; r < p; r++) {
      Z s = w[0];
      for (int64_t j = 1; j < p; j++) s += mul(w[j], root[j * r % p * m * step % n]);
      y[r * m + k] = s;
    }
  }
}

// y [len] of every step-th element of x; the whole transform is of n = len * step.
static void transform(int64_t len, int64_t step, int64_t n, const Z *root, const Z *x, Z *y, Z *w) {
  if (len == 1) {
    y[0] = x[0];
    return;
  }
  int64_t p = factor_of(len), m = len / p;
  for (int64_t j = 0; j < p; j++) transform(m, step * p, n, root, x + j * step, y + j * m, w);
  if (p == 2) butterfly2(m, step, root, y);
  else if (p == 4) butterfly4(m, step, root, y);
  else butterfly(p, m, step, n, root, y, w);
}

// chirp[j] = e^(-pi i j^2 / n), and the transform of its conjugate, wrapped around.
static void make_chirp(int64_t n, int64_t len, const Z *root, Z *chirp, Z *spectrum, Z *x, Z *w) {
  for (int64_t j = 0; j < n; j++) {
    double t = PI * (double)(j * j % (2 * n)) / (double)n;
    chirp[j] = make(cos(t), -sin(t));
  }
  for (int64_t k = 0; k < len; k++) x[k] = 0;
  for (int64_t j = 0; j < n; j++) x[j] = x[(len - j) % len] = conj(chirp[j]);
  transform(len, 1, len, root, x, spectrum, w);
}

static void bluestein(int64_t n, int64_t len, const Z *root, const Z *chirp, const Z *spectrum, Z *x, Z *y, Z *w) {
  for (int64_t k = 0; k < n; k++) x[k] = mul(x[k], chirp[k]);
  for (int64_t k = n; k < len; k++) x[k] = 0;
  transform(len, 1, len, root, x, y, w);
  for (int64_t k = 0; k < len; k++) x[k] = conj(mul(y[k], spectrum[k]));
  transform(len, 1, len, root, x, y, w);
  for (int64_t k = 0; k < n; k++) y[k] = mul(conj(y[k]) / (double)len, chirp[k]);
}

// The reverse transform is the conjugate of the transform of the conjugate.
static Z read(int64_t dtype, const void *x, int64_t k, int64_t reverse) {
  Z z = dtype == RT_C64 ? make((double)((const float *)x)[2 * k], (double)((const float *)x)[2 * k + 1])
                        : make(((const double *)x)[2 * k], ((const double *)x)[2 * k + 1]);
  return reverse ? conj(z) : z;
}

static void write(int64_t dtype, void *y, int64_t k, int64_t reverse, Z z) {
  double im = reverse ? -cimag(z) : cimag(z);
  if (dtype == RT_C64) ((float *)y)[2 * k] = (float)creal(z), ((float *)y)[2 * k + 1] = (float)im;
  else ((double *)y)[2 * k] = creal(z), ((double *)y)[2 * k + 1] = im;
}

void rt_fft(int64_t dtype, int64_t batch, int64_t n, int64_t reverse, const void *x, void *y, char *scratch) {
  int direct = !needs_bluestein(n);
  int64_t len = direct ? n : power_of_two(2 * n - 1);
  Z *w = (Z *)(void *)scratch, *chirp = w + LARGE_PRIME, *root = chirp + 2 * n, *spectrum = root + len, *in = spectrum + len, *out = in + len;
  make_roots(len, root);
  if (!direct) make_chirp(n, len, root, chirp, spectrum, in, w);
  for (int64_t b = 0; b < batch; b++) {
    for (int64_t k = 0; k < n; k++) in[k] = read(dtype, x, b * n + k, reverse);
    if (direct) transform(n, 1, n, root, in, out, w);
    else bluestein(n, len, root, chirp, spectrum, in, out, w);
    for (int64_t k = 0; k < n; k++) write(dtype, y, b * n + k, reverse, out[k]);
  }
}
