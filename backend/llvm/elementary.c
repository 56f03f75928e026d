// The functions of analysis as vector code. Each is an internal function of the module for one
// dtype and one number of lanes, so its body is compiled once however often it is used. Calls instead
// of copies: a loop of tanh alone takes 0.205 ns an element called and 0.196 in line (AVX-512; 0.45 and 0.41
// with AVX2), a 64 x 64 x 64 product with tanh behind it 3.5 and 3.3 us, but a copy is 40 instructions in
// each of a tile's 16 places.
//
// Two targets are in mind: with fused multiply-add, and without (SSE2: no fma, no rounding
// instruction, so integers come out of the magic addition of 1.5 * 2^23 or 1.5 * 2^52).
// Coefficients are minimax fits on the stated ranges, or those of Cephes and fdlibm where
// that is said; bounds measured over all floats stand in docs/numerics.md.
#include "backend/llvm/math.h"

#include <math.h>
#include <string.h>

typedef LLVMValueRef V;

// Where code is emitted, and the shape of the registers.
typedef struct Math {
  Gen *g;
  LLVMBuilderRef b;
  LLVMTypeRef f, i;      // floats, and integers of their width
  int lanes;
  bool wide, fma;        // wide: f64
} Math;

static Math math_of(Gen *g, IrDtype t, int lanes) {
  bool wide = t == IR_F64;
  return (Math){ g, g->b, gen_type(g, t, lanes), gen_type(g, wide ? IR_I64 : IR_I32, lanes), lanes, wide, g->fma };
}

int math_lanes(V x) {
  LLVMTypeRef t = LLVMTypeOf(x);
  return LLVMGetTypeKind(t) == LLVMVectorTypeKind ? (int)LLVMGetVectorSize(t) : 1;
}

// ---- one instruction each ----------------------------------------------------------------------

static V num(Math *m, double x) {
  LLVMTypeRef e = m->lanes == 1 ? m->f : LLVMGetElementType(m->f);
  return gen_splat(m->g, LLVMConstReal(e, x), m->lanes);
}
static V whole(Math *m, int64_t x) {
  LLVMTypeRef e = m->lanes == 1 ? m->i : LLVMGetElementType(m->i);
  return gen_splat(m->g, LLVMConstInt(e, (unsigned long long)x, true), m->lanes);
}
static V add(Math *m, V x, V y) { return LLVMBuildFAdd(m->b, x, y, ""); }
static V sub(Math *m, V x, V y) { return LLVMBuildFSub(m->b, x, y, ""); }
static V mul(Math *m, V x, V y) { return LLVMBuildFMul(m->b, x, y, ""); }
static V quot(Math *m, V x, V y) { return LLVMBuildFDiv(m->b, x, y, ""); }
static V neg(Math *m, V x) { return LLVMBuildFNeg(m->b, x, ""); }
static V mul_add(Math *m, V x, V y, V z) { return gen_fma(m->g, x, y, z); }
static V less_product(Math *m, V z, V x, V y) { return gen_fma(m->g, neg(m, x), y, z); }   // z - x y
static V pick(Math *m, V c, V x, V y) { return LLVMBuildSelect(m->b, c, x, y, ""); }
static V cmp(Math *m, LLVMRealPredicate p, V x, V y) { return LLVMBuildFCmp(m->b, p, x, y, ""); }
static V bits(Math *m, V x) { return LLVMBuildBitCast(m->b, x, m->i, ""); }
static V from_bits(Math *m, V x) { return LLVMBuildBitCast(m->b, x, m->f, ""); }
static V iadd(Math *m, V x, V y) { return LLVMBuildAdd(m->b, x, y, ""); }
static V isub(Math *m, V x, V y) { return LLVMBuildSub(m->b, x, y, ""); }
static V left(Math *m, V x, int n) { return LLVMBuildShl(m->b, x, whole(m, n), ""); }
static V right(Math *m, V x, int n) { return LLVMBuildAShr(m->b, x, whole(m, n), ""); }

static int64_t sign_bit(Math *m) { return m->wide ? INT64_MIN : INT32_MIN; }
static V size(Math *m, V x) { return from_bits(m, LLVMBuildAnd(m->b, bits(m, x), whole(m, ~sign_bit(m)), "")); }
static V sign_of(Math *m, V x) { return LLVMBuildAnd(m->b, bits(m, x), whole(m, sign_bit(m)), ""); }
// x >= 0 with its sign flipped where the sign bit of s (integers) is set.
static V flip(Math *m, V x, V s) { return from_bits(m, LLVMBuildXor(m->b, bits(m, x), s, "")); }

// c[0] + c[1] x + … by Horner.
static V poly(Math *m, V x, int n, const double *c) {
  V y = num(m, c[n - 1]);
  for (int k = n - 2; k >= 0; k--) y = mul_add(m, y, x, num(m, c[k]));
  return y;
}
#define POLY(m, x, c) poly(m, x, (int)(sizeof(c) / sizeof *(c)), c)

// The same in pairs, where x2 = x^2 is at hand: as many operations, and half as many that wait for one another.
static V poly_pairs(Math *m, V x, V x2, int n, const double *c) {
  int k = (n - 1) / 2 * 2;
  V y = k == n - 1 ? num(m, c[k]) : mul_add(m, num(m, c[k + 1]), x, num(m, c[k]));
  for (k -= 2; k >= 0; k -= 2) y = mul_add(m, y, x2, mul_add(m, num(m, c[k + 1]), x, num(m, c[k])));
  return y;
}
#define POLY_PAIRS(m, x, x2, c) poly_pairs(m, x, x2, (int)(sizeof(c) / sizeof *(c)), c)

// n, the whole number nearest to x c, as a float; |n| < 2^22 (f64: 2^51). raw: integers whose low bits are n + bias.
static V nearest(Math *m, V x, double c, int bias, V *raw) {
  V magic = num(m, (m->wide ? 0x1.8p52 : 0x1.8p23) + bias), t = mul_add(m, x, num(m, c), magic);
  *raw = bits(m, t);
  return sub(m, t, magic);
}
static V whole_of(Math *m, V raw, int bias) { return isub(m, raw, bits(m, num(m, (m->wide ? 0x1.8p52 : 0x1.8p23) + bias))); }

static int exponent_bias(const Math *m) { return m->wide ? 1023 : 127; }
static V power_of_two(Math *m, V biased) {   // 2^n of n + bias, for n in the range of normal numbers
  return from_bits(m, left(m, biased, m->wide ? 52 : 23));
}

// x clamped to [lo, hi]; NaN stays. Written so that each is one minps or maxps.
static V clamp(Math *m, V x, double lo, double hi) {
  x = pick(m, cmp(m, LLVMRealOGT, x, num(m, hi)), num(m, hi), x);
  return pick(m, cmp(m, LLVMRealOLT, x, num(m, lo)), num(m, lo), x);
}

// ---- exp ------------------------------------------------------------------------------------------

// x = n ln2 + r with n the nearest to (x - shift) / ln2; n as a float is returned, raw as above. Without fma the product of n and the first part
// of ln2 is exact because that part has few bits.
static V reduce_exp(Math *m, V x, double shift, int bias, V *raw, V *r) {
  V n = nearest(m, shift == 0 ? x : sub(m, x, num(m, shift)), 1.4426950408889634, bias, raw);
  *r = less_product(m, x, n, num(m, m->wide ? 6.93147180369123816490e-01 : 0.693359375));
  *r = less_product(m, *r, n, num(m, m->wide ? 1.90821492927058770002e-10 : -2.12194440054690582767e-4));
  return n;
}

// e^r - 1 = r + r^2 q(r) for |r| <= ln2/2, to 2^-28 and 2^-57 of e^r.
static V exp_near(Math *m, V r) {
  static const double f32[] = { 0.499999930526, 0.166665147953, 0.0416684562245, 0.0083694186063, 0.00138131787304 };
  static const double f64[] = { 0.50000000000000117013, 0.16666666666666386473, 0.04166666666651915033, 0.0083333333335075757441,
    0.0013888888946920760756, 0.000198412694863143813, 0.00002480148935137951223, 2.7557597069410052038e-6,
    2.7631687692361933385e-7, 2.499902543544172946e-8 };
  V r2 = mul(m, r, r);
  return mul_add(m, r2, m->wide ? POLY_PAIRS(m, r, r2, f64) : POLY_PAIRS(m, r, r2, f32), r);
}

// The same to 2^-31 and 2^-61 of itself, for r in [log 0.75, log 1.5].
static V expm1_near(Math *m, V r) {
  static const double f32[] = { 0.500000001906, 0.16666670012, 0.0416665099366, 0.0083321061451, 0.0013924328292, 0.000208534269647 };
  static const double f64[] = { 0.49999999999999999285, 0.1666666666666666279, 0.041666666666668242707,
    0.0083333333333371850771, 0.001388888888792951124, 0.00019841269832407563343, 0.000024801589726098221416,
    2.7557316709877033297e-6, 2.7554576934397245818e-7, 2.5075422264033157782e-8, 2.2036684285856880238e-9 };
  V r2 = mul(m, r, r);
  return mul_add(m, r2, m->wide ? POLY_PAIRS(m, r, r2, f64) : POLY_PAIRS(m, r, r2, f32), r);
}
// With this taken from x before n is found, n is 0 up to x = log 1.5, and e^x - 1 never has more bits before it
// than the parts it is added from.
#define SHIFT 0.0588915178281917

// Where e^x rounds to zero it is not computed: a result below the normal numbers costs the processor a hundred
// cycles, and that is what a masked softmax asks for in half of its places.
static V emit_exp(Math *m, V x) {
  V none = cmp(m, LLVMRealOLT, x, num(m, m->wide ? -745.14 : -103.98)), most = num(m, m->wide ? 710 : 89);
  x = pick(m, none, num(m, 0), pick(m, cmp(m, LLVMRealOGT, x, most), most, x));
  int bias = 2 * exponent_bias(m);
  V raw, r, n = reduce_exp(m, x, 0, bias, &raw, &r), y = add(m, num(m, 1), exp_near(m, r));
  if (m->g->width == 16 && m->lanes == 16 && !m->wide) {
    V arg[5] = { y, n, LLVMGetPoison(m->f), LLVMConstInt(LLVMInt16TypeInContext(m->g->ctx), 0xffff, false),
                 LLVMConstInt(LLVMInt32TypeInContext(m->g->ctx), 4, false) };
    return pick(m, none, num(m, 0), gen_call_intrinsic(m->g, "llvm.x86.avx512.mask.scalef.ps.512", 0, NULL, 5, arg));
  }
  // 2^n in two factors: n may be twice the largest exponent. One rounding, also into the denormals. The halves of
  // n + 2 bias, each an exponent with its bias, come out of raw as they stand: its higher bits are shifted away.
  V half = right(m, raw, 1);
  y = mul(m, mul(m, y, power_of_two(m, half)), power_of_two(m, isub(m, raw, half)));
  return pick(m, none, num(m, 0), y);
}

static V emit_expm1(Math *m, V x) {
  V y = m->wide ? clamp(m, x, -40, 710) : clamp(m, x, -20, 89), raw, r;
  reduce_exp(m, y, SHIFT, exponent_bias(m) - 1, &raw, &r);
  // 2^(n-1), because 2^n is out of range where e^x is not.
  V s = power_of_two(m, raw), p = expm1_near(m, r);
  y = mul_add(m, s, p, sub(m, s, num(m, 0.5)));
  y = add(m, y, y);
  V tiny = cmp(m, LLVMRealOLT, size(m, x), num(m, m->wide ? 0x1p-54 : 0x1p-25));
  return pick(m, tiny, x, y);          // keeps -0 and the denormals
}

// With t = e^-|x| and q = t / (1 + t): 1 - q, or for x < 0 q itself, written t - t q, which halves what the
// roundings of 1 + t and of the quotient do. Nothing overflows, and small results keep their bits.
static V emit_sigmoid(Math *m, V x) {
  V t = emit_exp(m, from_bits(m, LLVMBuildOr(m->b, bits(m, x), whole(m, sign_bit(m)), "")));
  V q = quot(m, t, add(m, num(m, 1), t)), from = pick(m, cmp(m, LLVMRealOLT, x, num(m, 0)), t, num(m, 1));
  return less_product(m, from, from, q);
}

// ---- log -------------------------------------------------------------------------------------------

// x = 2^e (1 + f), 1 + f in [sqrt 1/2, sqrt 2), for normal x > 0.
static V split(Math *m, V x, V *e) {
  int frac = m->wide ? 52 : 23;
  int64_t low = m->wide ? 0x3fe6a09e667f3bcdLL : 0x3f3504f3;
  *e = right(m, isub(m, bits(m, x), whole(m, low)), frac);
  return sub(m, from_bits(m, isub(m, bits(m, x), left(m, *e, frac))), num(m, 1));
}

// A whole number of few bits as a float, without the 64-bit conversion that only AVX-512 has.
static V small_float(Math *m, V n) {
  if (!m->wide) return LLVMBuildSIToFP(m->b, n, m->f, "");
  return sub(m, from_bits(m, iadd(m, n, bits(m, num(m, 0x1.8p52)))), num(m, 0x1.8p52));
}

// log(2^e (1 + f)): Cephes (f32) and fdlibm (f64).
static V log_near(Math *m, V f, V e) {
  static const double p[] = { 3.3333331174e-1, -2.4999993993e-1, 2.0000714765e-1, -1.6668057665e-1, 1.4249322787e-1,
    -1.2420140846e-1, 1.1676998740e-1, -1.1514610310e-1, 7.0376836292e-2 };
  static const double l[] = { 6.666666666666735130e-01, 3.999999999940941908e-01, 2.857142874366239149e-01,
    2.222219843214978396e-01, 1.818357216161805012e-01, 1.531383769920937332e-01, 1.479819860511658591e-01 };
  V k = small_float(m, e), f2 = mul(m, f, f);
  if (!m->wide) {
    V y = mul(m, mul(m, f2, f), POLY_PAIRS(m, f, f2, p));
    y = mul_add(m, k, num(m, -2.12194440054690582767e-4), y);
    y = mul_add(m, f2, num(m, -0.5), y);
    return mul_add(m, k, num(m, 0.693359375), add(m, f, y));
  }
  V s = quot(m, f, add(m, f, num(m, 2))), z = mul(m, s, s), h = mul(m, f2, num(m, 0.5));
  V r = mul(m, z, POLY(m, z, l));
  V low = mul_add(m, s, add(m, h, r), mul(m, k, num(m, 1.90821492927058770002e-10)));
  return less_product(m, sub(m, f, sub(m, h, low)), k, num(m, -6.93147180369123816490e-01));
}

// Outside (0, inf): -inf at 0, NaN below it, inf and NaN as they are.
static V log_edges(Math *m, V x, V y) {
  y = pick(m, cmp(m, LLVMRealOLT, x, num(m, INFINITY)), y, x);
  V at = pick(m, cmp(m, LLVMRealOEQ, x, num(m, 0)), num(m, -INFINITY), num(m, NAN));
  return pick(m, cmp(m, LLVMRealOLE, x, num(m, 0)), at, y);
}

static V emit_log(Math *m, V x) {
  int up = m->wide ? 54 : 25;
  V small = cmp(m, LLVMRealOLT, x, num(m, m->wide ? 0x1p-1022 : 0x1p-126));
  V y = pick(m, small, mul(m, x, num(m, m->wide ? 0x1p54 : 0x1p25)), x);
  V e, f = split(m, y, &e);
  e = isub(m, e, pick(m, small, whole(m, up), whole(m, 0)));
  return log_edges(m, x, log_near(m, f, e));
}

static V emit_log1p(Math *m, V x) {
  V one = num(m, 1), u = add(m, one, x), e, f = split(m, u, &e);
  // What rounding took from 1 + x, put back at the scale of f; beyond 2^60 (2^30) it is nothing.
  V c = pick(m, cmp(m, LLVMRealOGT, x, one), sub(m, one, sub(m, u, x)), sub(m, x, sub(m, u, one)));
  V none = cmp(m, LLVMRealOGT, u, num(m, m->wide ? 0x1p60 : 0x1p30));
  V back = power_of_two(m, isub(m, whole(m, exponent_bias(m)), pick(m, none, whole(m, 0), e)));
  f = pick(m, none, f, mul_add(m, c, back, f));
  V y = log_edges(m, u, log_near(m, f, e));
  V tiny = cmp(m, LLVMRealOLT, size(m, x), num(m, m->wide ? 0x1p-54 : 0x1p-25));
  return pick(m, tiny, x, y);
}

// ---- tanh ------------------------------------------------------------------------------------------

static V emit_tanh_f64(Math *m, V x) {
  static const double p[] = { -1.61468768441708447952e3, -9.92877231001918586564e1, -9.64399179425052238628e-1 };
  static const double q[] = { 4.84406305325125486048e3, 2.23548839060100448583e3, 1.12811678491632931402e2, 1 };
  V a = size(m, x), z = mul(m, x, x);
  V near = mul_add(m, mul(m, x, z), quot(m, POLY(m, z, p), POLY(m, z, q)), x);     // Cephes, |x| < 0.625
  V far = sub(m, num(m, 1), quot(m, num(m, 2), add(m, emit_exp(m, add(m, a, a)), num(m, 1))));
  return pick(m, cmp(m, LLVMRealOLT, a, num(m, 0.625)), near, flip(m, far, sign_of(m, x)));
}

// y = u / (u + 1) with u = (e^(2|x|) - 1) / 2 = 2^n (e^(2r) - 1) / 2 + (2^n - 1) / 2, 0 <= r <= ln2 / 2; n <= 26, so
// 2^n is one shift. Where |x| < 0.3 it is u - u y: what roundings of u + 1 and of the quotient did then counts less than
// half. With fma one part of ln2 is enough: what it misses, n 2^-30, is nothing against 1 where n > 0. A rational
// function of degree 9/8 takes 0.35 of the time and errs by 4.5 units of the last place.
static V emit_tanh_f32(Math *m, V x) {
  // (e^(2r) - 1) / 2 = r + r^2 q(r), to 2^-26 of itself
  static const double q[] = { 1.000001857384, 0.6665890034703, 0.3343735509419, 0.1273506060636, 0.05959388902819 };
  V a = size(m, x), raw, r, half = num(m, 0.5);
  a = pick(m, cmp(m, LLVMRealOGT, a, num(m, 9.02)), num(m, 9.02), a);
  V near = cmp(m, LLVMRealOLT, a, num(m, 0.3));       // n is 0
  V n = nearest(m, sub(m, a, num(m, 0.17325)), 2 * 1.4426950408889634, exponent_bias(m), &raw);
  if (m->fma) r = less_product(m, a, n, num(m, 0.34657359027997265));
  else r = less_product(m, less_product(m, a, n, num(m, 0.693359375 / 2)), n, num(m, -2.12194440054690582767e-4 / 2));
  V r2 = mul(m, r, r), s = power_of_two(m, raw);
  V u = mul_add(m, s, mul_add(m, r2, POLY_PAIRS(m, r, r2, q), r), mul_add(m, s, half, num(m, -0.5)));
  V y = quot(m, u, add(m, u, num(m, 1)));
  y = pick(m, near, less_product(m, u, u, y), y);
  return flip(m, y, sign_of(m, x));
}

// ---- sin, cos --------------------------------------------------------------------------------------

typedef struct Quadrant { V r, n, far; } Quadrant;   // x = n pi/2 + r; far: lanes where that is not to be had

// Three parts of pi/2. With fma their products are exact where it matters; without, f64 takes
// parts of 33 bits and keeps what rounding drops, and f32 (which has no room) goes through f64.
static Quadrant reduce_circle(Math *m, V x) {
  Quadrant q;
  V raw, f = nearest(m, x, 0.63661977236758134308, 0, &raw);
  q.n = whole_of(m, raw, 0);
  q.far = cmp(m, LLVMRealOGT, size(m, x), num(m, 1e5));
  if (m->fma) {
    static const double f32[3] = { 1.57079637050628662109375, -4.37113900018624283e-8, -1.71512451e-15 };
    static const double f64[3] = { 1.5707963267948965580e+00, 6.1232339957367660e-17, -1.4973849048591833e-33 };
    const double *part = m->wide ? f64 : f32;
    q.r = x;
    for (int k = 0; k < 3; k++) q.r = less_product(m, q.r, f, num(m, part[k]));
    return q;
  }
  V t = less_product(m, x, f, num(m, 1.57079632673412561417e+00)), w = mul(m, f, num(m, 6.07710050630396597660e-11));
  V r = sub(m, t, w), lost = sub(m, sub(m, t, r), w);
  q.r = add(m, r, less_product(m, lost, f, num(m, 2.02226624879595063154e-21)));
  return q;
}

static V sin_near(Math *m, V r) {        // |r| <= pi/4; Cephes, fdlibm
  static const double f32[] = { -1.6666654611e-1, 8.3321608736e-3, -1.9515295891e-4 };
  static const double f64[] = { -1.66666666666666324348e-01, 8.33333333332248946124e-03, -1.98412698298579493134e-04,
    2.75573137070700676789e-06, -2.50507602534068634195e-08, 1.58969099521155010221e-10 };
  V z = mul(m, r, r);
  return mul_add(m, mul(m, z, r), m->wide ? POLY(m, z, f64) : POLY(m, z, f32), r);
}

static V cos_near(Math *m, V r) {
  static const double f32[] = { 4.166664568298827e-2, -1.388731625493765e-3, 2.443315711809948e-5 };
  static const double f64[] = { 4.16666666666666019037e-02, -1.38888888888741095749e-03, 2.48015872894767294178e-05,
    -2.75573143513906633035e-07, 2.08757232129817482790e-09, -1.13596475577881948265e-11 };
  V z = mul(m, r, r), h = mul(m, z, num(m, 0.5)), w = sub(m, num(m, 1), h);
  V p = mul(m, mul(m, z, z), m->wide ? POLY(m, z, f64) : POLY(m, z, f32));
  return add(m, w, add(m, sub(m, sub(m, num(m, 1), w), h), p));
}

// One lane after another through a function of the C library or the runtime; `double_` where it takes doubles.
static V by_lane(Math *m, const char *name, bool as_double, int narg, V *arg) {
  Gen *g = m->g;
  LLVMTypeRef e = gen_type(g, m->wide ? IR_F64 : IR_F32, 1), d = as_double ? gen_type(g, IR_F64, 1) : e, par[2] = { d, d };
  LLVMTypeRef type = LLVMFunctionType(d, par, (unsigned)narg, false);
  V fn = LLVMGetNamedFunction(g->mod, name);
  if (!fn) fn = LLVMAddFunction(g->mod, name, type);
  V from[2] = { arg[0], arg[narg - 1] }, y = LLVMGetPoison(m->f);
  GenLoop l = { 0 };
  if (m->lanes > 1) l = gen_loop(g, gen_i64(g, 0), gen_i64(g, m->lanes), 1, 1, &y);
  for (int k = 0; k < narg; k++) {
    if (m->lanes > 1) from[k] = LLVMBuildExtractElement(m->b, arg[k], l.i, "");
    if (d != e) from[k] = LLVMBuildFPExt(m->b, from[k], d, "");
  }
  V r = LLVMBuildCall2(m->b, type, fn, from, (unsigned)narg, "");
  if (d != e) r = LLVMBuildFPTrunc(m->b, r, e, "");
  if (m->lanes == 1) return r;
  r = LLVMBuildInsertElement(m->b, l.carry[0], r, l.i, "");
  gen_loop_end(g, &l, &r);
  return l.carry[0];
}

// Arguments beyond the reduction are rare: a branch around the loop over lanes.
static V far_lanes(Math *m, const char *name, V x, V near, V far) {
  Gen *g = m->g;
  V any = far;
  if (m->lanes > 1) {
    LLVMTypeRef w = LLVMIntTypeInContext(g->ctx, (unsigned)m->lanes);
    any = LLVMBuildICmp(m->b, LLVMIntNE, LLVMBuildBitCast(m->b, far, w, ""), LLVMConstNull(w), "");
  }
  LLVMBasicBlockRef here = LLVMGetInsertBlock(m->b), slow = LLVMAppendBasicBlockInContext(g->ctx, g->fn, "far");
  LLVMBasicBlockRef done = LLVMAppendBasicBlockInContext(g->ctx, g->fn, "done");
  LLVMBuildCondBr(m->b, any, slow, done);
  LLVMPositionBuilderAtEnd(m->b, slow);
  V y = pick(m, far, by_lane(m, name, false, 1, &x), near);
  LLVMBasicBlockRef end = LLVMGetInsertBlock(m->b);
  LLVMBuildBr(m->b, done);
  LLVMMoveBasicBlockAfter(done, end);
  LLVMPositionBuilderAtEnd(m->b, done);
  V r = LLVMBuildPhi(m->b, m->f, "");
  V in[2] = { near, y };
  LLVMBasicBlockRef at[2] = { here, end };
  LLVMAddIncoming(r, in, at, 2);
  return r;
}

static Math widened(Math *m) { return math_of(m->g, IR_F64, m->lanes); }
static V widen(Math *w, V x) { return LLVMBuildFPExt(w->b, x, w->f, ""); }
static V narrow(Math *m, V x) { return LLVMBuildFPTrunc(m->b, x, m->f, ""); }

static Quadrant quadrant(Math *m, V x) {
  if (m->fma || m->wide) return reduce_circle(m, x);
  Math w = widened(m);
  Quadrant q = reduce_circle(&w, widen(&w, x));
  q.r = narrow(m, q.r);
  q.n = LLVMBuildTrunc(m->b, q.n, m->i, "");
  return q;
}

// s, c: sine and cosine of q.r.
static V in_quadrant(Math *m, V x, Quadrant q, V s, V c, bool cosine) {
  if (cosine) q.n = iadd(m, q.n, whole(m, 1));
  V odd = LLVMBuildTrunc(m->b, q.n, gen_type(m->g, IR_BOOL, m->lanes), ""), y = pick(m, odd, c, s);
  // cos x = sin(x + pi/2): quadrants 2 and 3 are negative.
  V minus = left(m, LLVMBuildLShr(m->b, q.n, whole(m, 1), ""), m->wide ? 63 : 31);
  y = flip(m, y, minus);
  if (!cosine) y = pick(m, cmp(m, LLVMRealOEQ, x, num(m, 0)), x, y);
  return far_lanes(m, cosine ? m->wide ? "cos" : "cosf" : m->wide ? "sin" : "sinf", x, y, q.far);
}

static V emit_sin_or_cos(Math *m, V x, bool cosine) {
  Quadrant q = quadrant(m, x);
  return in_quadrant(m, x, q, sin_near(m, q.r), cos_near(m, q.r), cosine);
}

// Two results of one function.
static V both(Gen *g, V x, V y) {
  LLVMTypeRef pair[2] = { LLVMTypeOf(x), LLVMTypeOf(y) };
  V r = LLVMGetPoison(LLVMStructTypeInContext(g->ctx, pair, 2, false));
  return LLVMBuildInsertValue(g->b, LLVMBuildInsertValue(g->b, r, x, 0, ""), y, 1, "");
}

static V emit_sincos(Gen *g, IrCode c, IrDtype t, V *arg) {
  (void)c;
  Math at = math_of(g, t, math_lanes(arg[0])), *m = &at;
  Quadrant q = quadrant(m, arg[0]);
  V s = sin_near(m, q.r), co = cos_near(m, q.r), y = in_quadrant(m, arg[0], q, s, co, false);
  return both(g, y, in_quadrant(m, arg[0], q, s, co, true));
}

// ---- erf, erfinv -----------------------------------------------------------------------------------

// Small arguments: x + x p(x^2). Larger ones: 1 - e^p(|x|), where only the absolute error counts.
static V emit_erf(Math *m, V x) {
  static const double near32[] = { 1.28379166e-1, -3.76125336e-1, 1.12819925e-1, -2.67681349e-2, 4.99119423e-3, -5.96761703e-4 };
  static const double far32[] = { -1.28717512e-1, -6.34846687e-1, -1.06777877e-1, 2.42546219e-2, -3.88396438e-3,
    3.83197126e-4, -1.72853470e-5 };
  static const double near64[] = { 0.12837916709551257389, -0.3761263890318375237, 0.11283791670955119752,
    -0.026866170645129735423, 0.0052239776254221039993, -0.00085483270218542137364, 0.00012055332899393882591,
    -0.000014925647465956485288, 1.6462043420826237797e-6, -1.6364614554752860174e-7, 1.4792146609872265749e-8,
    -1.2163045013034209891e-9, 8.7037942506106968598e-11, -4.2228940902388118691e-12 };
  static const double far64[] = { -1.843878540322289504e-7, -0.1283772823667395813, -0.63662870389533927793,
    -0.10274664205089455819, 0.019076954113325249538, 0.00028223053809636685999, -0.0017709274869764137299,
    0.00064283535803581665825, -0.000045956943933120397654, -0.000069749989462561358209, 0.000044769756675474624047,
    -0.000016421434037824100364, 4.3017668628905777841e-6, -8.4518960897247830696e-7, 1.2483016461118074601e-7,
    -1.3522120663453125627e-8, 1.0170356213796913622e-9, -4.7516308821030385181e-11, 1.0390269307271588915e-12 };
  V a = size(m, x), z = mul(m, x, x);
  V near = mul_add(m, m->wide ? POLY(m, z, near64) : POLY(m, z, near32), x, x);
  V t = clamp(m, a, 0, m->wide ? 6 : 4);
  V p = m->wide ? POLY(m, t, far64) : mul(m, t, POLY(m, t, far32));
  V far = sub(m, num(m, 1), emit_exp(m, sub(m, p, t)));
  return pick(m, cmp(m, LLVMRealOLT, a, num(m, m->wide ? 1 : 0.927734375)), near, flip(m, far, sign_of(m, x)));
}

// f32 in f64 arithmetic: x p(log(1 - x^2)), in two ranges; errors 2^-27.
static V emit_erfinv_f32(Math *m, V x) {
  static const double near[] = { 0.88622693024226797581, -0.23201342559255611838, 0.011551310345184599128,
    0.0023412984835203541739, -0.00011811747030797304482, -0.00003739241563250720157, 7.3169389292598748703e-6,
    2.9322248891067814969e-6, 3.8610813394440992344e-7, 2.4532683278482744629e-8, 6.3643497893380066514e-10 };
  static const double far[] = { 0.90168529989708414859, -0.20600898006316968814, 0.029429007203914178027,
    0.0090179556261704778674, 0.0013312376335640110591, 0.00012688671618934389909, 8.242869851764539749e-6,
    3.6453453743620348989e-7, 1.0541491258926710582e-8, 1.8017536871864363067e-10, 1.3822815658501286413e-12 };
  Math w = widened(m);
  V a = widen(&w, x), t = sub(&w, num(&w, 1), mul(&w, a, a));     // exact: x has 24 bits
  t = math_function(m->g, IR_LOG, IR_F64, 1, &t);
  V p = pick(&w, cmp(&w, LLVMRealOGT, t, num(&w, -6.15)), POLY(&w, t, near), POLY(&w, t, far));
  V y = narrow(m, mul(&w, a, p));
  V edge = cmp(m, LLVMRealOEQ, size(m, x), num(m, 1));
  return pick(m, edge, flip(m, num(m, INFINITY), sign_of(m, x)), y);
}

// ---- atan2, pow ------------------------------------------------------------------------------------

// atan of the smaller over the larger, above 1/2 turned by pi/4 (the difference is exact there), then to its octant:
// the angle is k pi/4 + s atan z with one last rounding.
static V emit_atan2(Math *m, V y, V x) {
  static const double c[] = { -0.33333333333333312921, 0.19999999999993444964, -0.14285714284977711399, 0.11111111069361702064,
    -0.09090907692025687086, 0.076922774759305031579, -0.066662236978768470106, 0.058778093318418411767,
    -0.05230030212640674022, 0.045895338113691588383, -0.037121315458722258122, 0.02365934289968957746, -0.0083687904325998035633 };
  V ay = size(m, y), ax = size(m, x), steep = cmp(m, LLVMRealOGT, ay, ax);
  V large = pick(m, steep, ay, ax), small = pick(m, steep, ax, ay);
  // Their sum must not overflow.
  V down = pick(m, cmp(m, LLVMRealOGT, large, num(m, 0x1p1000)), num(m, 0x1p-60), num(m, 1));
  large = mul(m, large, down), small = mul(m, small, down);
  V turned = cmp(m, LLVMRealOGT, small, mul(m, large, num(m, 0.5)));
  V z = quot(m, pick(m, turned, sub(m, small, large), small), pick(m, turned, add(m, small, large), large));
  V none = num(m, 0), both = cmp(m, LLVMRealOEQ, small, num(m, INFINITY));
  turned = LLVMBuildOr(m->b, turned, both, "");
  z = pick(m, LLVMBuildOr(m->b, both, cmp(m, LLVMRealOEQ, large, none), ""), none, z);
  V z2 = mul(m, z, z), a = mul_add(m, mul(m, z, z2), POLY(m, z2, c), z);
  V behind = LLVMBuildICmp(m->b, LLVMIntSLT, bits(m, x), whole(m, 0), "");
  V k = pick(m, turned, num(m, 1), none);
  k = pick(m, steep, sub(m, num(m, 2), k), k);
  k = pick(m, behind, sub(m, num(m, 4), k), k);
  a = pick(m, LLVMBuildXor(m->b, steep, behind, ""), neg(m, a), a);
  // k pi/4 in two parts; 3 pi/4 does not share the bits of pi/4, the others do.
  V three = cmp(m, LLVMRealOEQ, k, num(m, 3));
  V high = pick(m, three, num(m, 2.3561944901923448), mul(m, k, num(m, 0.78539816339744827900)));
  V low = pick(m, three, num(m, 9.1848509936051484e-17), mul(m, k, num(m, 3.0616169978683830e-17)));
  V r = flip(m, add(m, high, add(m, a, low)), sign_of(m, y));
  return pick(m, cmp(m, LLVMRealUNO, y, x), add(m, y, x), r);
}

static V atan2_f32(Math *m, V *arg) {
  Math w = widened(m);
  V wide[2] = { widen(&w, arg[0]), widen(&w, arg[1]) };
  return narrow(m, math_function(m->g, IR_ATAN2, IR_F64, 2, wide));
}

// f32 as e^(y log |x|) in f64, with C's rules at the edges.
static V emit_pow_f32(Math *m, V *arg) {
  Math w = widened(m);
  V x = widen(&w, arg[0]), y = widen(&w, arg[1]), a = size(&w, x), one = num(&w, 1), zero = num(&w, 0);
  V t = mul(&w, y, math_function(m->g, IR_LOG, IR_F64, 1, &a));
  V r = math_function(m->g, IR_EXP, IR_F64, 1, &t);
  // Whole and odd, for |y| < 2^24; from there on f32 has even numbers only.
  V ay = size(&w, y), big = cmp(&w, LLVMRealUGE, ay, num(&w, 0x1p24)), n;
  V near = nearest(&w, pick(&w, big, zero, ay), 1, 0, &n);
  V is_whole = LLVMBuildOr(m->b, big, cmp(&w, LLVMRealOEQ, near, ay), "");
  V odd = LLVMBuildTrunc(m->b, n, gen_type(m->g, IR_BOOL, m->lanes), "");
  odd = LLVMBuildAnd(m->b, odd, is_whole, "");
  r = flip(&w, r, pick(&w, odd, sign_of(&w, x), whole(&w, 0)));
  V below = cmp(&w, LLVMRealOLT, x, zero), partial = LLVMBuildNot(m->b, is_whole, "");
  V bad = LLVMBuildAnd(m->b, below, LLVMBuildAnd(m->b, partial, cmp(&w, LLVMRealOLT, a, num(&w, INFINITY)), ""), "");
  r = pick(&w, bad, num(&w, NAN), r);
  V endless = LLVMBuildAnd(m->b, cmp(&w, LLVMRealOEQ, a, one), cmp(&w, LLVMRealOEQ, ay, num(&w, INFINITY)), "");
  V unit = LLVMBuildOr(m->b, endless, LLVMBuildOr(m->b, cmp(&w, LLVMRealOEQ, y, zero), cmp(&w, LLVMRealOEQ, x, one), ""), "");
  return narrow(m, pick(&w, unit, one, r));
}

// ---- threefry ---------------------------------------------------------------------------------------

// Instruction selection sees through most, but not that the high half of a widened index is its sign.
static V high_half(Gen *g, V x, LLVMTypeRef half) {
  V from = LLVMIsASExtInst(x) ? LLVMGetOperand(x, 0) : NULL;
  if (from && LLVMTypeOf(from) == half)
    return LLVMBuildAShr(g->b, from, gen_splat(g, LLVMConstInt(gen_type(g, IR_U32, 1), 31, false), math_lanes(x)), "");
  V by = gen_splat(g, LLVMConstInt(LLVMInt64TypeInContext(g->ctx), 32, false), math_lanes(x));
  return LLVMBuildTrunc(g->b, LLVMBuildLShr(g->b, x, by, ""), half, "");
}

// Of halves, as its rounds are: what stands around a call makes whole words of the result's only where it needs them.
// Four rounds, then the key: x + p, y + q + step.
static void rounds(Gen *g, const int *turn, V *x, V *y, V p, V q, V step) {
  LLVMTypeRef half = LLVMTypeOf(p), word = gen_type(g, IR_U32, 1);
  int lanes = math_lanes(p);
  for (int r = 0; r < 4; r++) {
    *x = LLVMBuildAdd(g->b, *x, *y, "");
    V by[3] = { *y, *y, gen_splat(g, LLVMConstInt(word, (unsigned)turn[r], false), lanes) };
    *y = LLVMBuildXor(g->b, gen_call_intrinsic(g, "llvm.fshl", 1, &half, 3, by), *x, "");
  }
  *x = LLVMBuildAdd(g->b, *x, p, "");
  *y = LLVMBuildAdd(g->b, *y, LLVMBuildAdd(g->b, q, gen_splat(g, step, lanes), ""), "");
}

// Twenty rounds: eight of them twice in a loop, which halves the code generator's work, and the first four of those again.
// The words of the key go round by two places in a turn.
static V emit_threefry(Gen *g, IrCode c, IrDtype t, V *arg) {
  (void)c, (void)t;
  static const int first[4] = { 13, 15, 26, 6 }, second[4] = { 17, 29, 16, 24 };
  LLVMTypeRef word = gen_type(g, IR_U32, 1);
  V parity = gen_splat(g, LLVMConstInt(word, 0x1bd11bda, false), math_lanes(arg[0]));
  V k = LLVMBuildXor(g->b, LLVMBuildXor(g->b, arg[0], arg[1], ""), parity, "");
  V from[5] = { LLVMBuildAdd(g->b, arg[2], arg[0], ""), LLVMBuildAdd(g->b, arg[3], arg[1], ""), arg[0], arg[1], k };
  GenLoop l = gen_loop(g, gen_i64(g, 0), gen_i64(g, 4), 2, 5, from);
  V x = l.carry[0], y = l.carry[1], at = LLVMBuildTrunc(g->b, l.i, word, "");
  rounds(g, first, &x, &y, l.carry[3], l.carry[4], LLVMBuildAdd(g->b, at, LLVMConstInt(word, 1, false), ""));
  rounds(g, second, &x, &y, l.carry[4], l.carry[2], LLVMBuildAdd(g->b, at, LLVMConstInt(word, 2, false), ""));
  gen_loop_end(g, &l, (V[]){ x, y, l.carry[4], l.carry[2], l.carry[3] });
  x = l.carry[0], y = l.carry[1];
  rounds(g, first, &x, &y, l.carry[3], l.carry[4], LLVMConstInt(word, 5, false));
  return both(g, x, y);
}

// ---- the functions of a module ------------------------------------------------------------------------

const GenSymbol gen_math_symbols[] = {
  { "sinf", (void *)sinf }, { "cosf", (void *)cosf }, { "sin", (void *)sin }, { "cos", (void *)cos }, { "pow", (void *)pow },
  { "rt_lgamma", (void *)rt_lgamma }, { "rt_digamma", (void *)rt_digamma }, { "rt_polygamma", (void *)rt_polygamma },
  { "rt_erfinv", (void *)rt_erfinv }, { NULL, NULL }
};

static V emit(Gen *g, IrCode c, IrDtype t, V *arg) {
  Math at = math_of(g, t, math_lanes(arg[0])), *m = &at;
  V x = arg[0];
  switch (c) {
  case IR_EXP: return emit_exp(m, x);
  case IR_EXPM1: return emit_expm1(m, x);
  case IR_SIGMOID: return emit_sigmoid(m, x);
  case IR_LOG: return emit_log(m, x);
  case IR_LOG1P: return emit_log1p(m, x);
  case IR_TANH: return m->wide ? emit_tanh_f64(m, x) : emit_tanh_f32(m, x);
  case IR_SIN: return emit_sin_or_cos(m, x, false);
  case IR_COS: return emit_sin_or_cos(m, x, true);
  case IR_ERF: return emit_erf(m, x);
  case IR_ERFINV: return m->wide ? by_lane(m, "rt_erfinv", true, 1, arg) : emit_erfinv_f32(m, x);
  case IR_LGAMMA: return by_lane(m, "rt_lgamma", true, 1, arg);
  case IR_DIGAMMA: return by_lane(m, "rt_digamma", true, 1, arg);
  case IR_POLYGAMMA: return by_lane(m, "rt_polygamma", true, 2, arg);
  case IR_ATAN2: return m->wide ? emit_atan2(m, x, arg[1]) : atan2_f32(m, arg);
  case IR_POW: return m->wide ? by_lane(m, "pow", true, 2, arg) : emit_pow_f32(m, arg);
  default: ICE("%s is no function of analysis", ir_info[c].name);
  }
}

static void attribute(Gen *g, V fn, const char *name) {
  unsigned kind = LLVMGetEnumAttributeKindForName(name, strlen(name));
  LLVMAddAttributeAtIndex(fn, LLVMAttributeFunctionIndex, LLVMCreateEnumAttribute(g->ctx, kind, 0));
}

typedef V Emit(Gen *g, IrCode c, IrDtype t, V *arg);

static V declare(Gen *g, const char *name, LLVMTypeRef type) {
  V fn = LLVMAddFunction(g->mod, name, type);
  attribute(g, fn, "nounwind");
  attribute(g, fn, "willreturn");
  attribute(g, fn, "memory");            // 0: reads and writes none
  return fn;
}

static void define(Gen *g, V fn, Emit *emits, IrCode c, IrDtype t, int narg) {
  V outer = g->fn, arg[4];
  LLVMBasicBlockRef back = LLVMGetInsertBlock(g->b);
  g->fn = fn;
  LLVMPositionBuilderAtEnd(g->b, LLVMAppendBasicBlockInContext(g->ctx, fn, "entry"));
  for (int k = 0; k < narg; k++) arg[k] = LLVMGetParam(fn, (unsigned)k);
  LLVMBuildRet(g->b, emits(g, c, t, arg));
  g->fn = outer;
  LLVMPositionBuilderAtEnd(g->b, back);
}

static V call(Gen *g, const char *what, Emit *emits, IrCode c, IrDtype t, LLVMTypeRef result, int narg, V *arg) {
  char name[64];
  LLVMTypeRef type = LLVMTypeOf(arg[0]), par[4] = { type, type, type, type };
  snprintf(name, sizeof name, "rlc.%s.%s.%d", what, ir_dtype_name(t), math_lanes(arg[0]));
  LLVMTypeRef fn_type = LLVMFunctionType(result, par, (unsigned)narg, false);
  V fn = LLVMGetNamedFunction(g->mod, name);
  if (!fn) {
    fn = declare(g, name, fn_type);
    if (!g->elsewhere) LLVMSetLinkage(fn, LLVMInternalLinkage);
    if (!g->elsewhere || !g->elsewhere(g, name)) define(g, fn, emits, c, t, narg);
  }
  return LLVMBuildCall2(g->b, fn_type, fn, arg, (unsigned)narg, "");
}

// Of two results, each of arg's type.
static void call_pair(Gen *g, const char *what, Emit *emits, IrCode c, IrDtype t, int narg, V *arg, V *x, V *y) {
  LLVMTypeRef pair[2] = { LLVMTypeOf(arg[0]), LLVMTypeOf(arg[0]) };
  V r = call(g, what, emits, c, t, LLVMStructTypeInContext(g->ctx, pair, 2, false), narg, arg);
  *x = LLVMBuildExtractValue(g->b, r, 0, "");
  *y = LLVMBuildExtractValue(g->b, r, 1, "");
}

V math_function(Gen *g, IrCode c, IrDtype t, int narg, V *arg) {
  return call(g, ir_info[c].name, emit, c, t, LLVMTypeOf(arg[0]), narg, arg);
}

void gen_sincos(Gen *g, IrDtype t, V x, V *sine, V *cosine) { call_pair(g, "sincos", emit_sincos, IR_SIN, t, 1, &x, sine, cosine); }

V math_threefry(Gen *g, V key, V counter) {
  LLVMTypeRef whole = LLVMTypeOf(key), half = gen_type(g, IR_U32, math_lanes(key));
  V arg[4] = { high_half(g, key, half), LLVMBuildTrunc(g->b, key, half, ""), high_half(g, counter, half), LLVMBuildTrunc(g->b, counter, half, "") };
  V x, y, by = gen_splat(g, LLVMConstInt(LLVMInt64TypeInContext(g->ctx), 32, false), math_lanes(key));
  call_pair(g, "threefry", emit_threefry, IR_THREEFRY, IR_U32, 4, arg, &x, &y);
  return LLVMBuildOr(g->b, LLVMBuildShl(g->b, LLVMBuildZExt(g->b, x, whole, ""), by, ""), LLVMBuildZExt(g->b, y, whole, ""), "");
}
