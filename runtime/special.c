// Rare special functions in double precision. Compiled code calls them lane by lane.
#include <math.h>

#include "runtime/abi.h"

static const double PI = 3.14159265358979323846;

double rt_lgamma(double x) {
  int sign;
  return lgamma_r(x, &sign);   // lgamma itself writes a global, which threads must not
}

// 1 / tan(pi x) with the whole turns taken off first, where they are exact.
static double cot_pi(double x) {
  return 1 / tan(PI * (x - round(x)));
}

// Reflection for x < 0.5, then up by f(x) = f(x + 1) - 1/x to where the asymptotic series has
// converged (its next term is below 1e-17 from 10 on).
double rt_digamma(double x) {
  if (isnan(x) || x == INFINITY) return x;
  if (x <= 0 && x == floor(x)) return NAN;
  if (x == -INFINITY) return NAN;
  if (x < 0.5) return rt_digamma(1 - x) - PI * cot_pi(x);
  double s = 0;
  for (; x < 10; x++) s -= 1 / x;
  double r = 1 / (x * x);
  double tail = r * (1.0 / 12 - r * (1.0 / 120 - r * (1.0 / 252 - r * (1.0 / 240 - r * (1.0 / 132 -
                r * (691.0 / 32760 - r * (1.0 / 12)))))));
  return s + log(x) - 0.5 / x - tail;
}

// x^n, n >= 2: by products where few of them do, whose roundings are few too.
static double power(double x, int n) {
  if (n > 8) return pow(x, n);
  double y = n & 1 ? x : 1;
  while (n >>= 1) {
    x *= x;
    if (n & 1) y *= x;
  }
  return y;
}

// x^s zeta(s, x) - 1, zeta(s, x) the sum of (x + k)^-s over k >= 0 (Hurwitz), for x > 0: the terms behind the first up to
// a = 8 + s, and the rest by Euler and Maclaurin (DLMF 25.11.5 and 2.10.1), whose next term is below 1e-17 there for all s
// to 171. Relative to the first term nothing overflows, and that term itself is exact.
static double zeta_rest(int s, double x) {
  static const double c[] = { 1.0 / 12, -1.0 / 720, 1.0 / 30240, -1.0 / 1209600, 1.0 / 47900160, -691.0 / 1307674368000,
    1.0 / 74724249600, -3617.0 / 10670622842880000, 43867.0 / 5109094217170944000, -174611.0 / 802857662698291200000.0,
    77683.0 / 14101100039391805440000.0 };   // B_2k / (2k)!
  double y = 0, a = x, t = 1;
  while (a < 8 + s) {
    a++;
    t = power(x / a, s);
    y += t;
    if (t * (s - 1 + a) < 1e-17) return y;   // more than all that follows
  }
  double p = s / a, r = 1 / (a * a), tail = 0;
  for (int k = 0; k < 11 && fabs(c[k] * p) > 1e-18; k++) {
    tail += c[k] * p;
    p *= r * ((s + 2 * k + 1) * (s + 2 * k + 2));   // s (s + 1) … (s + 2k) / a^(2k + 1)
  }
  return y + t * (a / (s - 1) - 0.5 + tail);
}

// psi^(n)(x) = (-1)^s n! zeta(s, x), s = n + 1 (DLMF 25.11.12). For x < 0 the sum runs over the poles on both sides of x,
// up to the one at 0: that is over all integers, zeta(s, u) + (-1)^s zeta(s, 1 - u) from the nearest one at distance u,
// less those right of 0.
double rt_polygamma(double order, double x) {
  int n = (int)order, s = n + 1, e, d;
  double sign = s % 2 ? -1 : 1, near = x, turn = 1, rest;
  if (isnan(x) || x == -INFINITY) return NAN;
  if (x <= 0 && x == floor(x)) return sign > 0 ? INFINITY : NAN;
  if (x == INFINITY) return sign * 0.0;
  if (x > 0) rest = zeta_rest(s, x);
  else {
    double r = x - round(x), u = fabs(r), v = 1 - u, right = 1 - x;
    rest = zeta_rest(s, u) + sign * power(u / v, s) * (1 + zeta_rest(s, v));
    rest -= (r > 0 ? sign : 1) * power(u / right, s) * (1 + zeta_rest(s, right));
    near = u;
    turn = r > 0 ? 1 : sign;
  }
  double y = 1, m = 2 * frexp(near, &e);           // near = m 2^(e - 1)
  for (int k = 2; k <= n; k++) y *= k;
  y = turn * frexp(y, &d) / power(m, s);
  return sign * ldexp(y + y * rest, d - (e - 1) * s);
}

// A guess to seven digits (M. Giles, "Approximating the erfinv function", 2010), then Halley's steps on
// erf, or on erfc where erf has no digits left to tell.
static double erfinv_guess(double a) {
  double w = -log((1 - a) * (1 + a));
  if (w < 5) {
    static const double c[] = { 2.81022636e-08, 3.43273939e-07, -3.5233877e-06, -4.39150654e-06, 0.00021858087,
                                -0.00125372503, -0.00417768164, 0.246640727, 1.50140941 };
    double p = 0;
    for (int i = 0; i < 9; i++) p = p * (w - 2.5) + c[i];
    return p * a;
  }
  static const double c[] = { -0.000200214257, 0.000100950558, 0.00134934322, -0.00367342844, 0.00573950773,
                              -0.0076224613, 0.00943887047, 1.00167406, 2.83297682 };
  if (w > 16) return sqrt(w - log(sqrt(PI * w) / 2));
  double p = 0;
  for (int i = 0; i < 9; i++) p = p * (sqrt(w) - 3) + c[i];
  return p * a;
}

double rt_erfinv(double x) {
  double a = fabs(x);
  if (!(a <= 1)) return NAN;
  if (a == 1) return copysign(INFINITY, x);
  if (a < 1e-150) return x * (sqrt(PI) / 2);   // squares below would vanish
  double y = erfinv_guess(a);
  for (int i = 0; i < 3; i++) {
    double f = a < 0.5 ? erf(y) - a : (1 - a) - erfc(y);
    double u = f * exp(y * y) * (sqrt(PI) / 2);
    y -= u / (1 + y * u);
  }
  return copysign(y, x);
}
