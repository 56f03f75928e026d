// Errors of the generated functions in units of the last place, against the C library in a wider type, and
// nanoseconds an element.
//   ulp [STRIDE [NAME]]    f32: every STRIDE-th of all 2^32 numbers (1: all); f64, and functions of two arguments
//                          (NAME pairs): random ones
#include "ir/ir.h"
#include "tests/backend/code.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define LOT 4096

typedef struct Function {
  const char *name;
  IrCode code;
  double (*f)(double);
  long double (*l)(long double);
} Function;

static double sigmoid(double x) { return 1 / (1 + exp(-x)); }
static long double sigmoidl(long double x) { return 1 / (1 + expl(-x)); }

static const Function function[] = {
  { "exp", IR_EXP, exp, expl },       { "expm1", IR_EXPM1, expm1, expm1l }, { "log", IR_LOG, log, logl },
  { "log1p", IR_LOG1P, log1p, log1pl }, { "tanh", IR_TANH, tanh, tanhl },   { "sigmoid", IR_SIGMOID, sigmoid, sigmoidl },
  { "sin", IR_SIN, sin, sinl },       { "cos", IR_COS, cos, cosl },         { "erf", IR_ERF, erf, erfl },
  { "erfinv", IR_ERFINV, rt_erfinv, NULL },
};
#define NFUNCTION (int)(sizeof function / sizeof *function)

typedef void Kernel(const void *x, void *y);

static Kernel *compile(Code *c, CodeTarget t, IrCode code, IrDtype type) {
  code_begin(c, t, "f", 2);
  Gen *g = &c->g;
  int lanes = type == IR_F64 || g->width != 8 ? g->width : 2 * g->width;      // as nests do
  GenLoop l = gen_loop(g, gen_i64(g, 0), gen_i64(g, LOT), lanes, 0, NULL);
  LLVMValueRef x = gen_load(g, type, gen_at(g, code_arg(c, 0), type, l.i), lanes, lanes);
  gen_store(g, type, gen_unary(g, code, type, x), gen_at(g, code_arg(c, 1), type, l.i), lanes, lanes);
  gen_loop_end(g, &l, NULL);
  Kernel *k;
  *(void **)&k = code_end(c, "f");
  return k;
}

// In units of the last place of the exact value, f32 or f64.
static double error(long double got, long double exact, int digits, int least) {
  if (isnan(exact) || isnan(got)) return isnan(exact) && isnan(got) ? 0 : INFINITY;
  long double over = ldexpl(1, digits == 24 ? 128 : 1024) - ldexpl(1, digits == 24 ? 103 : 970);
  if (fabsl(exact) >= over) exact = copysignl(INFINITY, exact);
  if (isinf(exact) || isinf(got)) return got == exact ? 0 : INFINITY;
  if (exact == 0) return got == 0 ? 0 : INFINITY;
  int e;
  frexpl(exact, &e);
  return (double)(fabsl(got - exact) / ldexpl(1, e - digits < least ? least : e - digits));
}

static double seconds(void) {
  struct timespec t;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
  return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static double speed(Kernel *k, size_t size) {
  static double x[LOT], y[LOT];
  for (int i = 0; i < LOT; i++) {
    double v = 0.99 * sin(i);
    if (size == 4) ((float *)x)[i] = (float)v;
    else x[i] = v;
  }
  double best = 1;
  for (int turn = 0; turn < 20; turn++) {
    double t = seconds();
    for (int i = 0; i < 10; i++) k(x, y);
    t = (seconds() - t) / (10.0 * LOT);
    if (t < best) best = t;
  }
  return best * 1e9;
}

static void measure_f32(const Function *f, CodeTarget t, uint64_t stride) {
  Code c;
  Kernel *k = compile(&c, t, f->code, IR_F32);
  float x[LOT], y[LOT], at = 0;
  double worst = 0;
  for (uint64_t b = 0; b < 1ull << 32;) {
    for (int i = 0; i < LOT; i++, b += stride) {
      uint32_t w = b < 1ull << 32 ? (uint32_t)b : 0;
      memcpy(&x[i], &w, 4);
    }
    k(x, y);
    for (int i = 0; i < LOT; i++) {
      double exact = f->f(x[i]);
      if (y[i] == (float)exact && worst >= 0.5) continue;
      double e = error(y[i], exact, 24, -149);
      if (e > worst) worst = e, at = x[i];
    }
  }
  printf("%-8s f32 %-7s %8.3f ulp at %-14.8g %6.3f ns\n", f->name, code_target_name[t], worst, at, speed(k, 4));
  fflush(stdout);
  code_free(&c);
}

#define RANDOM_STRIDE(s) ((s) < 64 ? 64 : (s))     // of 2^30 random arguments

static uint64_t random_bits(uint64_t *s) {
  *s ^= *s << 13, *s ^= *s >> 7, *s ^= *s << 17;
  return *s;
}

static void measure_f64(const Function *f, CodeTarget t, uint64_t stride) {
  if (!f->l) return;
  Code c;
  Kernel *k = compile(&c, t, f->code, IR_F64);
  double x[LOT], y[LOT], at = 0, worst = 0;
  uint64_t s = 88172645463325252ull;
  for (uint64_t n = 0; n < 1ull << 30; n += LOT * RANDOM_STRIDE(stride)) {
    for (int i = 0; i < LOT; i++) {
      uint64_t w = random_bits(&s);
      if (i & 1) x[i] = ldexp((double)(int64_t)w, -63 + (int)(random_bits(&s) % 24) - 12);   // near 1
      else memcpy(&x[i], &w, 8);
    }
    k(x, y);
    for (int i = 0; i < LOT; i++) {
      double e = error(y[i], f->l(x[i]), 53, -1074);
      if (e > worst) worst = e, at = x[i];
    }
  }
  printf("%-8s f64 %-7s %8.3f ulp at %-14.8g %6.3f ns\n", f->name, code_target_name[t], worst, at, speed(k, 8));
  fflush(stdout);
  code_free(&c);
}

// Two arguments: half of them random bit patterns, half near 1.
static void measure_pairs(const char *name, IrCode code, double (*f)(double, double), long double (*l)(long double, long double), IrDtype type,
                          CodeTarget t, uint64_t stride) {
  Code c;
  code_begin(&c, t, "f", 3);
  Gen *g = &c.g;
  int lanes = type == IR_F64 || g->width != 8 ? g->width : 2 * g->width;      // as nests do
  GenLoop loop = gen_loop(g, gen_i64(g, 0), gen_i64(g, LOT), lanes, 0, NULL);
  LLVMValueRef arg[2];
  for (int k = 0; k < 2; k++) arg[k] = gen_load(g, type, gen_at(g, code_arg(&c, k), type, loop.i), lanes, lanes);
  gen_store(g, type, gen_binary(g, code, type, arg[0], arg[1]), gen_at(g, code_arg(&c, 2), type, loop.i), lanes, lanes);
  gen_loop_end(g, &loop, NULL);
  void (*k)(const void *, const void *, void *);
  *(void **)&k = code_end(&c, "f");
  static double x[2][LOT], y[LOT];
  float xf[2][LOT], yf[LOT];
  double worst = 0, at[2] = { 0 };
  uint64_t s = 88172645463325252ull;
  for (uint64_t n = 0; n < 1ull << 30; n += LOT * RANDOM_STRIDE(stride)) {
    for (int i = 0; i < 2 * LOT; i++) {
      uint64_t w = random_bits(&s);
      double v = ldexp((double)(int64_t)w, -63 + (int)(random_bits(&s) % 12) - 6);
      float narrow = (float)v;
      if (i & 1) memcpy(&v, &w, 8), memcpy(&narrow, &w, 4);
      if (code == IR_POW && i < LOT && i % 4 == 0) v = fabs(v), narrow = fabsf(narrow);
      x[i / LOT][i % LOT] = v, xf[i / LOT][i % LOT] = narrow;
    }
    if (type == IR_F64) k(x[0], x[1], y);
    else k(xf[0], xf[1], yf);
    for (int i = 0; i < LOT; i++) {
      double e = type == IR_F64 ? error(y[i], l(x[0][i], x[1][i]), 53, -1074) : error(yf[i], f(xf[0][i], xf[1][i]), 24, -149);
      if (e > worst) worst = e, at[0] = type == IR_F64 ? x[0][i] : xf[0][i], at[1] = type == IR_F64 ? x[1][i] : xf[1][i];
    }
  }
  printf("%-8s %s %-7s %8.3f ulp at %.8g, %.8g\n", name, ir_dtype_name(type), code_target_name[t], worst, at[0], at[1]);
  fflush(stdout);
  code_free(&c);
}

int main(int argc, char **argv) {
  uint64_t stride = argc > 1 ? strtoull(argv[1], NULL, 10) : 4099;
  for (int i = 0; i < NFUNCTION; i++) {
    if (argc > 2 && strcmp(argv[2], function[i].name)) continue;
    for (CodeTarget t = 0; t < CODE_NTARGET; t++) {
      if (!code_target_runs(t)) continue;
      measure_f32(&function[i], t, stride ? stride : 1);
      measure_f64(&function[i], t, stride ? stride : 1);
    }
  }
  for (CodeTarget t = 0; t < CODE_NTARGET; t++) {
    if (!code_target_runs(t) || (argc > 2 && strcmp(argv[2], "pairs"))) continue;
    measure_pairs("pow", IR_POW, pow, powl, IR_F32, t, stride);
    measure_pairs("atan2", IR_ATAN2, atan2, atan2l, IR_F32, t, stride);
    measure_pairs("atan2", IR_ATAN2, atan2, atan2l, IR_F64, t, stride);
  }
  return 0;
}
