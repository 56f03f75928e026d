// Elementwise ops as the backend emits them, for every target this machine runs, against the laws of
// ir/ir.h and the C library.
#include "ir/number.h"
#include "tests/backend/code.h"
#include "tests/test.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define ORDER 2      // of polygamma

typedef void Kernel(const void *x, const void *y, void *z);

// z[i] = op(x[i], y[i]) for n elements, n a multiple of lanes. A cast or bitcast goes from t to `to`.
static Kernel *compile(Code *c, CodeTarget target, IrCode op, IrDtype t, IrDtype to, int lanes, int n) {
  code_begin(c, target, "f", 3);
  Gen *g = &c->g;
  GenLoop l = gen_loop(g, gen_i64(g, 0), gen_i64(g, n), lanes, 0, NULL);
  LLVMValueRef x = gen_load(g, t, gen_at(g, code_arg(c, 0), t, l.i), lanes, lanes), y = NULL, z;
  if (ir_info[op].nin == 2) y = gen_load(g, t, gen_at(g, code_arg(c, 1), t, l.i), lanes, lanes);
  if (op == IR_CAST) z = gen_cast(g, x, t, to);
  else if (op == IR_BITCAST) z = gen_bitcast(g, x, t, to);
  else if (op == IR_POLYGAMMA) z = gen_polygamma(g, ORDER, t, x);
  else z = y ? gen_binary(g, op, t, x, y) : gen_unary(g, op, t, x);
  gen_store(g, to, z, gen_at(g, code_arg(c, 2), to, l.i), lanes, lanes);
  gen_loop_end(g, &l, NULL);
  Kernel *k;
  *(void **)&k = code_end(c, "f");
  return k;
}

#define LOT 256

static double function_of(IrCode op, double x, double y) {
  switch (op) {
  case IR_EXP: return exp(x);
  case IR_EXPM1: return expm1(x);
  case IR_LOG: return log(x);
  case IR_LOG1P: return log1p(x);
  case IR_SIN: return sin(x);
  case IR_COS: return cos(x);
  case IR_TANH: return tanh(x);
  case IR_SIGMOID: return x < 0 ? exp(x) / (1 + exp(x)) : 1 / (1 + exp(-x));
  case IR_SQRT: return sqrt(x);
  case IR_ERF: return erf(x);
  case IR_ERFINV: return rt_erfinv(x);
  case IR_LGAMMA: return rt_lgamma(x);
  case IR_DIGAMMA: return rt_digamma(x);
  case IR_POLYGAMMA: return rt_polygamma(ORDER, x);
  case IR_POW: return pow(x, y);
  case IR_ATAN2: return atan2(x, y);
  default: ICE("no function");
  }
}

static double ulps(IrDtype t, double got, double exact) {
  if (isnan(got) || isnan(exact)) return isnan(got) == isnan(exact) ? 0 : INFINITY;
  double near = ir_round(t, exact);
  if (isinf(near) || isinf(got)) return got == near ? 0 : INFINITY;
  int e, digits = t == IR_F64 ? 53 : 24, least = t == IR_F64 ? -1074 : -149;
  frexp(near, &e);
  if (e - digits < least || near == 0) e = least + digits;
  return fabs(got - exact) / ldexp(1, e - digits);
}

static double get(IrDtype t, const void *at, int i) {
  return ir_load(t, (const char *)at + i * ir_dtype_bytes(t)).re;
}

// Arguments of every size: the edges first, then random ones.
static void arguments(IrDtype t, double *x, double *y) {
  static const double edge[] = { 0, -0.0, 1, -1, 0.5, -0.5, 2, -2, 3, INFINITY, -INFINITY, NAN, 1e-40, -1e-40, 1e-30, 88.7, -87.4,
    -103, 104, 709.5, -745, 1e5, -3.2e7, 3e38, 0.28, 0.9277, 0.9999999, -0.9999999, 3.14159265, 1.5707964, -4.5, 2.5 };
  int n = (int)(sizeof edge / sizeof *edge);
  for (int i = 0; i < LOT; i++) {
    int k = i < n ? i : -1;
    x[i] = ir_round(t, k >= 0 ? edge[k] : ldexp(rand() / (double)RAND_MAX - 0.5, rand() % 24 - 14));
    y[i] = ir_round(t, i < n ? edge[(i * 7 + 3) % n] : i % 3 ? (double)(rand() % 41 - 20) / 2 : rand() / (double)RAND_MAX);
  }
}

static void check_function(IrCode op, IrDtype t, CodeTarget target, int lanes, double bound) {
  static char xs[LOT * 8], ys[LOT * 8], zs[LOT * 8];
  double x[LOT], y[LOT], worst = 0, at = 0;
  arguments(t, x, y);
  for (int i = 0; i < LOT; i++) {
    ir_store(t, xs + i * ir_dtype_bytes(t), (IrNumber){ .re = x[i] });
    ir_store(t, ys + i * ir_dtype_bytes(t), (IrNumber){ .re = y[i] });
  }
  Code c;
  compile(&c, target, op, t, t, lanes, LOT)(xs, ys, zs);
  for (int i = 0; i < LOT; i++) {
    double e = ulps(t, get(t, zs, i), function_of(op, x[i], y[i]));
    if (e > worst) worst = e, at = x[i];
  }
  if (worst > bound)
    printf("\n  %s %s %s x%d: %g ulp at %.17g\n", ir_info[op].name, ir_dtype_name(t), code_target_name[target], lanes, worst, at);
  CU_ASSERT(worst <= bound);
  code_free(&c);
}

// The reference itself is a double: of f64 functions it errs by up to one unit.
static void functions(void) {
  static const IrCode op[] = { IR_EXP, IR_EXPM1, IR_LOG, IR_LOG1P, IR_SIN, IR_COS, IR_TANH, IR_SIGMOID, IR_SQRT, IR_ERF, IR_ERFINV,
    IR_LGAMMA, IR_DIGAMMA, IR_POLYGAMMA, IR_POW, IR_ATAN2 };
  static const int lanes[] = { 1, 2, 4, 8, 16 };
  srand(1);
  for (CodeTarget t = 0; t < CODE_NTARGET; t++) {
    if (!code_target_runs(t)) continue;
    for (size_t k = 0; k < sizeof op / sizeof *op; k++) {
      for (int l = 0; l < 5; l += t == CODE_AVX512 ? 1 : 2) {
        check_function(op[k], IR_F32, t, lanes[l], t == CODE_SSE2 ? 2.1 : 2);
        if (l) check_function(op[k], IR_F64, t, lanes[l] / 2, 3.5);
      }
    }
  }
}

// ---- exact ops: integers, comparisons, casts --------------------------------------------------------

static int64_t floor_div(IrDtype t, int64_t a, int64_t b) {
  if (b == 0) return 0;
  if (!ir_is_signed(t)) return (int64_t)((uint64_t)a / (uint64_t)b);
  if (b == -1) return ir_wrap(t, (int64_t)-(uint64_t)a);
  return a / b - (a % b != 0 && (a % b < 0) != (b < 0));
}

static int64_t exact_int(IrCode op, IrDtype t, int64_t a, int64_t b) {
  bool below = ir_is_signed(t) ? a < b : (uint64_t)a < (uint64_t)b;
  int width = t == IR_BOOL ? 1 : 8 * ir_dtype_bytes(t);
  bool all = b < 0 || b >= width;
  switch (op) {
  case IR_NEG: return ir_wrap(t, (int64_t)-(uint64_t)a);
  case IR_ABS: return ir_is_signed(t) && a < 0 ? ir_wrap(t, (int64_t)-(uint64_t)a) : a;
  case IR_SIGN: return ir_is_signed(t) ? (a > 0) - (a < 0) : a != 0;
  case IR_NOT: return t == IR_BOOL ? !a : ir_wrap(t, ~a);
  case IR_ADD: return ir_wrap(t, (int64_t)((uint64_t)a + (uint64_t)b));
  case IR_SUB: return ir_wrap(t, (int64_t)((uint64_t)a - (uint64_t)b));
  case IR_MUL: return ir_wrap(t, (int64_t)((uint64_t)a * (uint64_t)b));
  case IR_DIV: return floor_div(t, a, b);
  case IR_MOD: return b ? ir_wrap(t, (int64_t)((uint64_t)a - (uint64_t)floor_div(t, a, b) * (uint64_t)b)) : 0;
  case IR_MAX: return below ? b : a;
  case IR_MIN: return below ? a : b;
  case IR_AND: return a & b;
  case IR_OR: return a | b;
  case IR_XOR: return a ^ b;
  case IR_SHL: return all ? 0 : ir_wrap(t, (int64_t)((uint64_t)a << b));
  case IR_SHR: return ir_is_signed(t) ? a >> (all ? 63 : b) : all ? 0 : (int64_t)((uint64_t)a >> b);
  case IR_EQ: return a == b;
  case IR_NE: return a != b;
  case IR_LT: return below;
  case IR_LE: return below || a == b;
  case IR_GT: return !below && a != b;
  case IR_GE: return !below;
  default: ICE("no integer op");
  }
}

static void check_int(IrCode op, IrDtype t, CodeTarget target, int lanes) {
  static char xs[LOT * 8], ys[LOT * 8], zs[LOT * 8];
  int64_t x[LOT], y[LOT];
  bool truth = op >= IR_EQ && op <= IR_GE;
  IrDtype to = truth ? IR_BOOL : t;
  for (int i = 0; i < LOT; i++) {
    int64_t wide = (int64_t)((uint64_t)rand() << 40 ^ (uint64_t)rand() << 20 ^ (uint64_t)rand());
    x[i] = i % 5 == 0 ? ir_least(t) : i % 5 == 1 ? ir_greatest(t) : i % 5 == 2 ? ir_wrap(t, rand() % 9 - 4) : ir_wrap(t, wide);
    y[i] = ir_wrap(t, i % 7 == 0 ? -1 : i % 7 == 1 ? 0 : i % 7 < 5 ? rand() % 70 : wide >> 7);
    ir_store(t, xs + i * ir_dtype_bytes(t), (IrNumber){ .i = x[i] });
    ir_store(t, ys + i * ir_dtype_bytes(t), (IrNumber){ .i = y[i] });
  }
  Code c;
  compile(&c, target, op, t, to, lanes, LOT)(xs, ys, zs);
  int bad = 0, at = 0;
  for (int i = 0; i < LOT; i++)
    if (ir_load(to, zs + i * ir_dtype_bytes(to)).i != exact_int(op, t, x[i], y[i]) && !bad++) at = i;
  if (bad)
    printf("\n  %s %s %s x%d: (%lld, %lld) gives %lld, not %lld\n", ir_info[op].name, ir_dtype_name(t), code_target_name[target], lanes,
           (long long)x[at], (long long)y[at], (long long)ir_load(to, zs + at * ir_dtype_bytes(to)).i, (long long)exact_int(op, t, x[at], y[at]));
  CU_ASSERT(bad == 0);
  code_free(&c);
}

static void integers(void) {
  static const IrCode op[] = { IR_NEG, IR_ABS, IR_SIGN, IR_NOT, IR_ADD, IR_SUB, IR_MUL, IR_DIV, IR_MOD, IR_MAX, IR_MIN, IR_AND, IR_OR,
    IR_XOR, IR_SHL, IR_SHR, IR_EQ, IR_LT, IR_GE };
  static const IrDtype type[] = { IR_I8, IR_I16, IR_I32, IR_I64, IR_U8, IR_U32, IR_U64, IR_BOOL };
  for (CodeTarget t = 0; t < CODE_NTARGET; t++) {
    if (!code_target_runs(t)) continue;
    for (size_t k = 0; k < sizeof op / sizeof *op; k++)
      for (size_t d = 0; d < sizeof type / sizeof *type; d++) {
        if (type[d] == IR_BOOL && op[k] != IR_NOT && (op[k] < IR_AND || op[k] > IR_XOR) && op[k] != IR_EQ) continue;
        check_int(op[k], type[d], t, d % 3 == 0 ? 1 : t == CODE_AVX512 ? 16 : 4);
        if (ir_dtype_bytes(type[d]) >= 4) check_int(op[k], type[d], t, 4 << t);
      }
  }
}

static void casts(void) {
  static const IrDtype type[] = { IR_BOOL, IR_I8, IR_I16, IR_I32, IR_I64, IR_U8, IR_U32, IR_U64, IR_BF16, IR_F32, IR_F64 };
  static char xs[LOT * 8], zs[LOT * 8];
  for (CodeTarget t = 0; t < CODE_NTARGET; t++)
    for (int a = 0; a < 11; a++)
      for (int b = 0; b < 11; b++) {
        if (a == b || !code_target_runs(t)) continue;
        double x[LOT], y[LOT];
        IrDtype from = type[a], to = type[b];
        arguments(from == IR_F64 ? IR_F64 : IR_F32, x, y);
        for (int i = 0; i < LOT; i++) {
          double big = i % 2 ? x[i] : ldexp(x[i], i % 70);
          ir_store(from, xs + i * ir_dtype_bytes(from), (IrNumber){ .re = big, .i = (int64_t)((uint64_t)ir_saturate(IR_I64, big) + (uint64_t)i) });
        }
        Code c;
        compile(&c, t, IR_CAST, from, to, (a + b) % 2 ? 4 << t : 1, LOT)(xs, xs, zs);
        int bad = 0;
        for (int i = 0; i < LOT; i++) {
          IrNumber in = ir_load(from, xs + i * ir_dtype_bytes(from)), want = ir_convert(from, to, in, true);
          IrNumber got = ir_load(to, zs + i * ir_dtype_bytes(to));
          // f64 to bf16 rounds to f32 on its way: a unit of bf16 at most in rare ties.
          bool same = !ir_is_float(to) ? got.i == want.i : isnan(want.re) ? isnan(got.re) : got.re == want.re;
          if (!same && !bad++)
            printf("\n  %s to %s %s: %g, %lld gives %g, %lld, not %g, %lld\n", ir_dtype_name(from), ir_dtype_name(to), code_target_name[t],
                   in.re, (long long)in.i, got.re, (long long)got.i, want.re, (long long)want.i);
        }
        CU_ASSERT(bad == 0);
        code_free(&c);
      }
}

static void check_float(IrCode op, IrDtype t, CodeTarget target, int lanes) {
  static char xs[LOT * 8], ys[LOT * 8], zs[LOT * 8];
  double x[LOT], y[LOT];
  arguments(t, x, y);
  for (int i = 0; i < LOT; i++) {
    ir_store(t, xs + i * ir_dtype_bytes(t), (IrNumber){ .re = x[i] });
    ir_store(t, ys + i * ir_dtype_bytes(t), (IrNumber){ .re = y[i] });
  }
  bool truth = (op >= IR_EQ && op <= IR_GE) || op == IR_FINITE;
  IrDtype to = truth ? IR_BOOL : t;
  Code c;
  compile(&c, target, op, t, to, lanes, LOT)(xs, ys, zs);
  int bad = 0;
  for (int i = 0; i < LOT; i++) {
    IrNumber in = ir_load(t, xs + i * ir_dtype_bytes(t)), by = ir_load(t, ys + i * ir_dtype_bytes(t));
    double a = in.re, b = by.re, want = 0;
    switch (op) {
    case IR_ADD: want = a + b; break;
    case IR_SUB: want = a - b; break;
    case IR_MUL: want = a * b; break;
    case IR_DIV: want = a / b; break;
    case IR_MOD: want = a - ir_round(t, b * floor(ir_round(t, a / b))); break;
    case IR_MAX: want = isnan(a) || isnan(b) ? NAN : a > b ? a : b; break;
    case IR_MIN: want = isnan(a) || isnan(b) ? NAN : a < b ? a : b; break;
    case IR_NEG: want = -a; break;
    case IR_ABS: want = fabs(a); break;
    case IR_SIGN: want = isnan(a) ? a : (a > 0) - (a < 0); break;
    case IR_FLOOR: want = floor(a); break;
    case IR_CEIL: want = ceil(a); break;
    case IR_ROUND: want = rint(a); break;
    case IR_RSQRT: want = 1 / ir_round(t, sqrt(a)); break;
    case IR_FINITE: want = isfinite(a); break;
    case IR_EQ: want = a == b; break;
    case IR_NE: want = a != b; break;
    case IR_LT: want = a < b; break;
    case IR_LE: want = a <= b; break;
    case IR_GT: want = a > b; break;
    case IR_GE: want = a >= b; break;
    default: ICE("no float op");
    }
    if (!truth) want = ir_round(t, want);
    IrNumber out = ir_load(to, zs + i * ir_dtype_bytes(to));
    double got = truth ? (double)out.i : out.re;
    if (!(isnan(want) ? isnan(got) : got == want) && !bad++)
      printf("\n  %s %s %s: (%g, %g) gives %g, not %g\n", ir_info[op].name, ir_dtype_name(t), code_target_name[target], a, b, got, want);
  }
  CU_ASSERT(bad == 0);
  code_free(&c);
}

static void floats(void) {
  static const IrCode op[] = { IR_ADD, IR_SUB, IR_MUL, IR_DIV, IR_MOD, IR_MAX, IR_MIN, IR_NEG, IR_ABS, IR_SIGN, IR_FLOOR, IR_CEIL, IR_ROUND,
    IR_RSQRT, IR_FINITE, IR_EQ, IR_NE, IR_LT, IR_LE, IR_GT, IR_GE };
  for (CodeTarget t = 0; t < CODE_NTARGET; t++)
    for (size_t k = 0; k < sizeof op / sizeof *op && code_target_runs(t); k++) {
      check_float(op[k], IR_F32, t, 4 << t);
      check_float(op[k], IR_F32, t, 1);
      check_float(op[k], IR_F64, t, 4 << t);
      if (op[k] != IR_MOD && op[k] != IR_RSQRT) check_float(op[k], IR_BF16, t, 4 << t);
    }
}

// relu: a constant operand takes the short form, which must still keep NaN.
static void extreme_of_constant(void) {
  for (CodeTarget t = 0; t < CODE_NTARGET; t++)
    for (int swap = 0; swap < 2 && code_target_runs(t); swap++) {
      Code c;
      code_begin(&c, t, "f", 2);
      Gen *g = &c.g;
      LLVMValueRef x = gen_load(g, IR_F32, code_arg(&c, 0), 4, 4), zero = gen_splat(g, LLVMConstReal(gen_type(g, IR_F32, 1), 0), 4);
      gen_store(g, IR_F32, swap ? gen_binary(g, IR_MAX, IR_F32, zero, x) : gen_binary(g, IR_MAX, IR_F32, x, zero), code_arg(&c, 1), 4, 4);
      void (*k)(const float *, float *);
      *(void **)&k = code_end(&c, "f");
      float in[4] = { -1, NAN, 2, -INFINITY }, out[4];
      k(in, out);
      CU_ASSERT(out[0] == 0 && isnan(out[1]) && out[2] == 2 && out[3] == 0);
      code_free(&c);
    }
}

static void bitcasts(void) {
  uint32_t in[4] = { 0x3f800000, 0x80000000, 0x7fc00001, 12345 }, out[4];
  uint16_t in16[4] = { 0x3f80, 0x8000, 0xff80, 0x4049 }, out16[4];
  Code c;
  compile(&c, CODE_SSE2, IR_BITCAST, IR_U32, IR_F32, 4, 4)(in, in, out);
  CU_ASSERT(!memcmp(in, out, sizeof in));
  code_free(&c);
  compile(&c, CODE_SSE2, IR_BITCAST, IR_BF16, IR_I16, 4, 4)(in16, in16, out16);
  CU_ASSERT(!memcmp(in16, out16, sizeof in16));
  code_free(&c);
}

// Random123's known answers, and the evaluator's on many more.
static void threefry(void) {
  static const uint64_t known[3][3] = {
    { 0, 0, 0x6b20015999ba4efe },
    { UINT64_MAX, UINT64_MAX, 0x1cb996fcbb002be7 },
    { 0x13198a2e03707344, 0x243f6a8885a308d3, 0xc4923a9c483df7a0 },
  };
  for (CodeTarget t = 0; t < CODE_NTARGET; t++)
    for (int lanes = 1; lanes <= 16 && code_target_runs(t); lanes *= 2) {
      uint64_t key[LOT], counter[LOT], out[LOT];
      for (int i = 0; i < LOT; i++) {
        key[i] = i < 3 ? known[i][0] : (uint64_t)rand() << 33 ^ (uint64_t)rand();
        counter[i] = i < 3 ? known[i][1] : (uint64_t)rand() << 33 ^ (uint64_t)rand();
      }
      Code c;
      compile(&c, t, IR_THREEFRY, IR_U64, IR_U64, lanes, LOT)(key, counter, out);
      int bad = 0;
      for (int i = 0; i < LOT; i++) bad += out[i] != (i < 3 ? known[i][2] : ir_threefry(key[i], counter[i]));
      CU_ASSERT(bad == 0);
      code_free(&c);
    }
}

void suite_math(void) {
  CU_pSuite s = test_suite("math");
  test_add(s, "functions keep their bounds on every target", functions);
  test_add(s, "integers: wrap, floor, shifts (L4)", integers);
  test_add(s, "floats: NaN, comparisons, rounding (L2)", floats);
  test_add(s, "max with a constant keeps NaN", extreme_of_constant);
  test_add(s, "casts truncate and saturate (L5)", casts);
  test_add(s, "bitcasts keep bits", bitcasts);
  test_add(s, "threefry", threefry);
}
