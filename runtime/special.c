// Rare special functions in double precision. Compiled code calls them lane by lane.
#include <math.h>

#include "runtime/abi.h"

static const double PI = 3.14159265358979323846;

double rt_lgamma(double x) {
  int sign;
  return lgamma_r(x, &sign);   // lgamma itself writes a global, which threads must not
}

// 1 / tan(pi x) and 1 / sin(pi x)^2 with the whole turns taken off first, where they are exact.
static double cot_pi(double x) {
  return 1 / tan(PI * (x - round(x)));
}

static double csc2_pi(double x) {
  double s = sin(PI * (x - round(x)));
  return 1 / (s * s);
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

double rt_trigamma(double x) {
  if (isnan(x)) return x;
  if (x == INFINITY) return 0;
  if (x <= 0 && x == floor(x)) return x == -INFINITY ? NAN : INFINITY;
  if (x < 0.5) return PI * PI * csc2_pi(x) - rt_trigamma(1 - x);
  double s = 0;
  for (; x < 10; x++) s += 1 / (x * x);
  double r = 1 / (x * x);
  double tail = r * (1.0 / 6 - r * (1.0 / 30 - r * (1.0 / 42 - r * (1.0 / 30 - r * (5.0 / 66 -
                r * (691.0 / 2730 - r * (7.0 / 6)))))));
  return s + 1 / x + 0.5 * r + tail / x;
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
