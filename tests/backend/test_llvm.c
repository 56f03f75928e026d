// The LLVM backend against the typed evaluator: every op of the table, dtypes, sizes around the vector width,
// control, random graphs; the width of the vectors in the assembly; kernels shared; objects.
#include "backend/llvm/module.h"
#include "runtime/threads.h"
#include "tests/backend/llvm_run.h"
#include "tests/ir/gen.h"
#include "tests/test.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

typedef struct Case {
  Arena arena;
  jmp_buf oom;
  IrGraph *g;
  IrBuilder b;
  VEC(IrArray) in;
  uint64_t seed;
  double rel, abs;
} Case;

static void open_case(Case *c, const char *name) {
  *c = (Case){ .seed = 7, .rel = 1e-9, .abs = 1e-12 };
  c->arena.oom = &c->oom;
  c->g = ir_graph(&c->arena, name);
  c->b = (IrBuilder){ .graph = c->g, .at = c->g->top };
}

static double chance(Case *c, double lo, double hi) {
  return lo + (hi - lo) * (double)(gen_next(&c->seed) >> 11) / 9007199254740992.0;
}

// An input with numbers in [lo, hi), of dtype t's precision.
static IrValue *input(Case *c, IrType t, double lo, double hi) {
  IrValue *v = ir_input(c->g, t, "x");
  IrArray x = ir_array(&c->arena, t);
  int64_t n = ir_count(&t), parts = ir_is_complex(t.dtype) ? 2 : 1;
  for (int64_t k = 0; k < n * parts; k++) {
    double r = chance(c, lo, hi);
    if (ir_is_diff(t.dtype)) x.f[k] = r;
    else x.i[k] = t.dtype == IR_BOOL ? r > (lo + hi) / 2 : (int64_t)floor(ir_is_signed(t.dtype) ? r : fabs(r));
  }
  void *bytes = arena_alloc(&c->arena, (size_t)ir_bytes(&t) + 16);
  ir_array_to(&x, bytes);
  vec_push(&c->arena, &c->in, ir_array_from(&c->arena, t, bytes));
  return v;
}

static IrType shape(IrDtype t, int rank, const int64_t *dim) { return ir_type(t, rank, dim); }
#define SHAPE(t, ...) shape(t, sizeof((int64_t[]){ __VA_ARGS__ }) / sizeof(int64_t), (int64_t[]){ __VA_ARGS__ })

static void out(Case *c, IrValue *v) { ir_output(c->g, v, "y"); }

// Runs it on the target (NULL: the host's) and compares every output.
static void check_on(Case *c, const Target *t, RtPool *pool) {
  int n = c->g->top->nyield;
  IrArray *got = arena_array(&c->arena, IrArray, n), *want = arena_array(&c->arena, IrArray, n);
  IrEval how = { .typed = true };
  const char *why = ir_eval(&c->arena, &how, c->g, c->in.at, want);
  CU_ASSERT_PTR_NULL(why);
  if (!why) {
    why = llvm_run(&c->arena, c->g, t, pool, c->in.at, got);
    CU_ASSERT_PTR_NULL(why);
  }
  if (why) printf("\n%s: %s\n", c->g->name, why);
  for (int k = 0; k < n && !why; k++) {
    const IrValue *v = c->g->top->yield[k];
    IrDtype real = ir_real_of(v->type.dtype);
    double rel = real == IR_F64 ? c->rel : real == IR_BF16 ? 1e-2 : fmax(c->rel, 6e-7), abs = real == IR_F64 ? c->abs : fmax(c->abs, 1e-6);
    char *bad = llvm_differs(&c->arena, &got[k], &want[k], rel, abs);
    CU_ASSERT_PTR_NULL(bad);
    if (bad) printf("\n%s, output %d (%s %s): %s\n", c->g->name, k, v->op ? ir_info[v->op->code].name : "argument",
                    ir_type_text(&c->arena, &v->type), bad);
  }
}

static void check(Case *c) {
  check_on(c, NULL, NULL);
  arena_free(&c->arena);
}

static const IrDtype dtypes[] = { IR_F32, IR_F64, IR_I32, IR_BOOL, IR_U64, IR_I8, IR_U8, IR_U32, IR_I64, IR_BF16, IR_C64, IR_C128 };
#define NDTYPE (int)(sizeof dtypes / sizeof *dtypes)
static const int64_t sizes[] = { 1, 7, 8, 9, 31, 33 };
#define NSIZE (int)(sizeof sizes / sizeof *sizes)

// ---- the table -------------------------------------------------------------------------------------

static bool fits(Case *c, IrCode code, int n, IrValue **in, const IrType *want, int nattr, const IrAttr *at) {
  IrType result[2];
  int nout;
  return !ir_infer(&c->arena, code, n, in, want, nattr, at, 0, NULL, result, &nout);
}

static void elementwise(IrDtype t) {
  Case c;
  open_case(&c, ir_dtype_name(t));
  c.rel = 1e-13;
  for (int s = 0; s < NSIZE; s++) {
    IrType type = SHAPE(t, sizes[s]);
    // Any sign; within (0, 1) for what is defined there only; small ones, 0 among them.
    IrValue *x = input(&c, type, ir_is_diff(t) ? -2 : -100, ir_is_diff(t) ? 2 : 100);
    IrValue *unit = input(&c, type, ir_is_diff(t) ? 0.05 : 0, ir_is_diff(t) ? 0.95 : 100), *few = input(&c, type, -3, 9);
    IrValue *truth = input(&c, SHAPE(IR_BOOL, sizes[s]), 0, 1);
    for (IrCode code = 0; code < IR_NCODE; code++) {
      const IrInfo *info = &ir_info[code];
      if (info->lower != LOWER_ELEMENT || code == IR_CAST || code == IR_BITCAST) continue;
      bool positive = code == IR_LOG || code == IR_SQRT || code == IR_RSQRT || code == IR_LGAMMA || code == IR_DIGAMMA ||
                      code == IR_POLYGAMMA || code == IR_ERFINV || code == IR_POW || code == IR_LOG1P;
      IrValue *in[3] = { positive && !ir_is_complex(t) ? unit : x, few, unit };
      if (info->nin == 3) in[0] = truth, in[1] = x, in[2] = few;
      for (int64_t order = 1; order <= (code == IR_POLYGAMMA ? 4 : 1); order++) {
        IrAttr at = ir_attr_int(&c.arena, A_N, order);
        int nattr = code == IR_POLYGAMMA;
        if (fits(&c, code, info->nin, in, NULL, nattr, &at)) out(&c, ir_build(&c.b, code, info->nin, in, NULL, nattr, &at, 0, NULL)->out[0]);
      }
    }
    for (int k = 0; k < NDTYPE; k++) {
      IrType to = SHAPE(dtypes[k], sizes[s]);
      if (fits(&c, IR_CAST, 1, &few, &to, 0, NULL)) out(&c, ir_build(&c.b, IR_CAST, 1, &few, &to, 0, NULL, 0, NULL)->out[0]);
      // As integers: a signalling NaN may become a quiet one on its way through a float register.
      if (!ir_is_diff(dtypes[k]) && fits(&c, IR_BITCAST, 1, &x, &to, 0, NULL)) out(&c, ir_build(&c.b, IR_BITCAST, 1, &x, &to, 0, NULL, 0, NULL)->out[0]);
    }
  }
  check(&c);
}

static void all_elementwise(void) {
  for (int k = 0; k < NDTYPE; k++) elementwise(dtypes[k]);
}

static IrAttr ints(Case *c, IrKey k, int n, const int64_t *v) { return ir_attr_ints(&c->arena, k, n, v); }
#define INTS(...) (int64_t[]){ __VA_ARGS__ }

static void index_ops(IrDtype t) {
  Case c;
  open_case(&c, "index ops");
  for (int s = 0; s < NSIZE; s++) {
    int64_t n = sizes[s];
    IrValue *v = input(&c, SHAPE(t, n), -5, 5), *m = input(&c, SHAPE(t, 3, n), -5, 5), *m2 = input(&c, SHAPE(t, n, 4), -5, 5);
    IrValue *at = input(&c, ir_scalar(IR_I32), 0, 3), *low = input(&c, ir_scalar(IR_I32), -9, -3), *rows = input(&c, SHAPE(IR_I32, 5), -2, 40);
    IrValue *rows2 = input(&c, SHAPE(IR_I32, 3, 5), 0, (double)n);
    out(&c, ir_transpose(&c.b, m, INTS(1, 0)));
    out(&c, ir_broadcast(&c.b, v, SHAPE(t, 2, n, 3), INTS(1)));
    out(&c, ir_slice(&c.b, m, INTS(1, n / 2), INTS(3, n), INTS(1, 1)));
    out(&c, ir_slice(&c.b, m, INTS(0, 0), INTS(3, n), INTS(2, 3)));
    out(&c, ir_pad(&c.b, m, INTS(1, 2), INTS(0, 3), INTS(0, 0)));
    out(&c, ir_pad(&c.b, m, INTS(-1, 2), INTS(1, 0), INTS(1, 2)));
    out(&c, ir_concat(&c.b, 3, (IrValue *[]){ m, m, ir_slice(&c.b, m, INTS(0, 0), INTS(3, 1), INTS(1, 1)) }, 1));
    out(&c, ir_concat(&c.b, 2, (IrValue *[]){ m2, m2 }, 1));
    out(&c, ir_build(&c.b, IR_REVERSE, 1, &m, NULL, 1, (IrAttr[]){ ints(&c, A_AXES, 2, INTS(0, 1)) }, 0, NULL)->out[0]);
    out(&c, ir_build(&c.b, IR_DYN_SLICE, 3, (IrValue *[]){ m, at, at }, NULL, 1,
                     (IrAttr[]){ ints(&c, A_SIZES, 2, INTS(2, (n + 1) / 2)) }, 0, NULL)->out[0]);
    out(&c, ir_build(&c.b, IR_DYN_UPDATE, 4, (IrValue *[]){ m, ir_slice(&c.b, m, INTS(0, 0), INTS(2, (n + 1) / 2), INTS(1, 1)), low, at },
                     NULL, 0, NULL, 0, NULL)->out[0]);
    out(&c, ir_gather(&c.b, m2, rows, 0));
    out(&c, ir_gather(&c.b, v, rows, 0));
    out(&c, ir_gather(&c.b, m, rows2, 1));
    out(&c, ir_reshape(&c.b, ir_transpose(&c.b, m, INTS(1, 0)), 2, INTS(n, 3)));
    out(&c, ir_reshape(&c.b, m, 3, INTS(1, 3 * n, 1)));
    if (t != IR_BOOL && !ir_is_complex(t)) out(&c, ir_iota(&c.b, SHAPE(t, 2, n), 1));
    for (IrScatter how = SCATTER_SET; how <= SCATTER_MIN; how++) {
      if ((how == SCATTER_ADD && t == IR_BOOL) || (how > SCATTER_ADD && (t == IR_BOOL || ir_is_complex(t)))) continue;
      out(&c, ir_scatter(&c.b, m2, rows, ir_gather(&c.b, m2, rows, 0), 0, how));
      out(&c, ir_scatter(&c.b, v, rows, ir_gather(&c.b, v, rows, 0), 0, how));
      out(&c, ir_scatter(&c.b, m, rows2, ir_gather(&c.b, m, rows2, 1), 1, how));
    }
  }
  check(&c);
}

static void all_index_ops(void) {
  static const IrDtype some[] = { IR_F32, IR_F64, IR_I32, IR_BOOL, IR_U64, IR_BF16, IR_C64 };
  for (size_t k = 0; k < sizeof some / sizeof *some; k++) index_ops(some[k]);
}

static void reductions(IrDtype t) {
  static const IrCode codes[] = { IR_SUM, IR_PROD, IR_RMAX, IR_RMIN, IR_ALL, IR_ANY };
  static const int64_t axes[][3] = { { 0 }, { 1 }, { 2 }, { 0, 1 }, { 1, 2 }, { 0, 2 }, { 0, 1, 2 } };
  static const int naxes[] = { 1, 1, 1, 2, 2, 2, 3 };
  Case c;
  open_case(&c, "reductions");
  c.rel = 1e-12, c.abs = t == IR_F64 || t == IR_C128 ? 1e-12 : 2e-5;
  for (int s = 0; s < NSIZE; s++) {
    int64_t n = sizes[s];
    double lo = ir_is_diff(t) ? -1.1 : -9, hi = ir_is_diff(t) ? 1.1 : 9;
    IrValue *x[2] = { input(&c, SHAPE(t, 3, 2, n), lo, hi), input(&c, SHAPE(t, n, 17, 2), lo, hi) };
    for (int w = 0; w < 2; w++) {
      for (size_t k = 0; k < sizeof codes / sizeof *codes; k++)
        for (size_t a = 0; a < sizeof naxes / sizeof *naxes; a++) {
          // The evaluator rounds a product at each factor, the backend at the end.
          if (codes[k] == IR_PROD && t == IR_BF16) continue;
          IrAttr at = ints(&c, A_AXES, naxes[a], axes[a]);
          IrType r[1];
          int nout;
          if (!ir_infer(&c.arena, codes[k], 1, &x[w], NULL, 1, &at, 0, NULL, r, &nout))
            out(&c, ir_reduce(&c.b, codes[k], x[w], naxes[a], axes[a]));
        }
      if (t == IR_BOOL || ir_is_complex(t)) continue;
      for (int a = 0; a < 3; a++)
        for (int k = 0; k < 2; k++)
          out(&c, ir_build(&c.b, k ? IR_ARGMIN : IR_ARGMAX, 1, &x[w], NULL, 1, (IrAttr[]){ ir_attr_int(&c.arena, A_AXIS, a) }, 0, NULL)->out[0]);
    }
  }
  check(&c);
}

static void all_reductions(void) {
  static const IrDtype some[] = { IR_F32, IR_F64, IR_I32, IR_BOOL, IR_U64, IR_I8, IR_BF16, IR_C64 };
  for (size_t k = 0; k < sizeof some / sizeof *some; k++) reductions(some[k]);
}

// A point where order, ties, NaN and infinities show.
static void special_numbers(void) {
  Case c;
  open_case(&c, "special");
  for (int which = 0; which < 3; which++)
    for (int s = 0; s < NSIZE; s++) {
      IrValue *x = input(&c, SHAPE(IR_F32, 2, sizes[s]), -1, 1);
      double *f = c.in.at[c.in.n - 1].f;
      int64_t n = sizes[s];
      if (which == 0) f[n / 2] = NAN, f[2 * n - 1] = NAN, f[n] = INFINITY;
      if (which == 1) for (int64_t k = 0; k < 2 * n; k++) f[k] = -INFINITY;
      if (which == 2) for (int64_t k = 0; k < 2 * n; k++) f[k] = (double)(k % 3 == 1);
      for (IrCode code = IR_SUM; code <= IR_RMIN; code++) {
        out(&c, ir_reduce(&c.b, code, x, 1, INTS(1)));
        out(&c, ir_reduce(&c.b, code, x, 1, INTS(0)));
      }
      for (int k = 0; k < 4; k++)
        out(&c, ir_build(&c.b, k % 2 ? IR_ARGMIN : IR_ARGMAX, 1, &x, NULL, 1, (IrAttr[]){ ir_attr_int(&c.arena, A_AXIS, k / 2) }, 0, NULL)->out[0]);
      out(&c, ir_bin(&c.b, IR_MAX, x, ir_un(&c.b, IR_NEG, x)));
      out(&c, ir_cast(&c.b, x, IR_I32));
    }
  check(&c);
}

static void empty(void) {
  Case c;
  open_case(&c, "empty");
  IrValue *x = input(&c, SHAPE(IR_F32, 3, 0), 0, 1), *y = input(&c, SHAPE(IR_F32, 0, 4), 0, 1), *z = input(&c, SHAPE(IR_F32, 3, 4), 0, 1);
  for (IrCode code = IR_SUM; code <= IR_RMIN; code++) out(&c, ir_reduce(&c.b, code, x, 1, INTS(1)));
  out(&c, ir_un(&c.b, IR_EXP, x));
  out(&c, ir_pad(&c.b, x, INTS(0, 2), INTS(0, 3), INTS(0, 0)));
  out(&c, ir_concat(&c.b, 3, (IrValue *[]){ y, z, y }, 0));
  out(&c, ir_dot(&c.b, x, y, 0, false, false));
  out(&c, ir_scatter(&c.b, z, ir_fill(&c.b, SHAPE(IR_I32, 0), 0), y, 0, SCATTER_ADD));
  check(&c);
}

// ---- products ------------------------------------------------------------------------------------------

static void products(IrDtype t) {
  static const int64_t shapes[][3] = { { 1, 1, 1 }, { 1, 7, 3 }, { 5, 1, 9 }, { 8, 8, 8 }, { 9, 2, 31 }, { 33, 31, 4 }, { 13, 40, 17 }, { 6, 3, 1 } };
  Case c;
  open_case(&c, "products");
  c.abs = t == IR_F32 || t == IR_C64 ? 3e-5 : 1e-12;
  for (size_t s = 0; s < sizeof shapes / sizeof *shapes; s++)
    for (int how = 0; how < 4; how++) {
      int64_t m = shapes[s][0], n = shapes[s][1], k = shapes[s][2];
      bool ta = how & 1, tb = how & 2;
      IrValue *x = input(&c, SHAPE(t, ta ? k : m, ta ? m : k), -2, 2), *y = input(&c, SHAPE(t, tb ? n : k, tb ? k : n), -2, 2);
      IrValue *p = ir_dot(&c.b, x, y, 0, ta, tb);
      out(&c, p);
      if (!ir_is_float(t)) continue;
      // A layer: bias and activation over the product; its way back: a mask of the same shape.
      IrValue *bias = input(&c, SHAPE(t, n), -1, 1), *rows = input(&c, SHAPE(t, m), -1, 1), *full = input(&c, SHAPE(t, m, n), -1, 1);
      IrValue *q = ir_dot(&c.b, x, y, 0, ta, tb);
      q = ir_un(&c.b, IR_TANH, ir_bin(&c.b, IR_ADD, q, ir_broadcast(&c.b, bias, SHAPE(t, m, n), INTS(1))));
      out(&c, q);
      q = ir_bin(&c.b, IR_MUL, ir_dot(&c.b, x, y, 0, ta, tb), full);
      out(&c, ir_bin(&c.b, IR_SUB, q, ir_broadcast(&c.b, rows, SHAPE(t, m, n), INTS(0))));
      IrValue *bx = input(&c, SHAPE(t, 2, ta ? k : m, ta ? m : k), -2, 2), *by = input(&c, SHAPE(t, 2, tb ? n : k, tb ? k : n), -2, 2);
      out(&c, ir_un(&c.b, IR_NEG, ir_dot(&c.b, bx, by, 1, ta, tb)));
    }
  check(&c);
}

static void all_products(void) {
  static const IrDtype some[] = { IR_F32, IR_F64, IR_I32, IR_BF16, IR_C64 };
  for (size_t k = 0; k < sizeof some / sizeof *some; k++) products(some[k]);
}

static void large_products(void) {
  Case c;
  open_case(&c, "large");
  c.abs = 1e-3;
  IrValue *x = input(&c, SHAPE(IR_F32, 400, 390), -1, 1), *y = input(&c, SHAPE(IR_F32, 390, 410), -1, 1), *b = input(&c, SHAPE(IR_F32, 410), -1, 1);
  out(&c, ir_dot(&c.b, x, y, 0, false, false));
  IrValue *p = ir_dot(&c.b, x, y, 0, false, false);
  out(&c, ir_bin(&c.b, IR_ADD, p, ir_broadcast(&c.b, b, p->type, INTS(1))));
  out(&c, ir_un(&c.b, IR_TANH, ir_dot(&c.b, y, x, 0, true, true)));
  check_on(&c, NULL, NULL);
  RtPool *pool = rt_pool_new(2);
  check_on(&c, NULL, pool);
  rt_pool_free(pool);
  arena_free(&c.arena);
}

static void convolutions(IrDtype t) {
  static const int64_t how[][6] = { { 1, 0, 0, 1, 1, 3 }, { 2, 1, 1, 1, 1, 3 }, { 1, 1, 2, 2, 2, 2 }, { 1, -1, 0, 1, 1, 1 } }; // stride lo hi dilate groups k
  Case c;
  open_case(&c, "convolutions");
  c.abs = t == IR_F32 ? 3e-5 : 1e-10;
  for (size_t s = 0; s < sizeof how / sizeof *how; s++) {
    int64_t g = how[s][4], k = how[s][5];
    IrValue *x = input(&c, SHAPE(t, 2, 7, 6, 4), -2, 2), *w = input(&c, SHAPE(t, k, k, 4 / g, 6), -2, 2), *bias = input(&c, SHAPE(t, 6), -2, 2);
    IrAttr at[5] = { ints(&c, A_STRIDE, 2, INTS(how[s][0], 1)), ints(&c, A_LO, 2, INTS(how[s][1], 1)), ints(&c, A_HI, 2, INTS(how[s][2], 0)),
                     ints(&c, A_DILATE, 2, INTS(how[s][3], 1)), ir_attr_int(&c.arena, A_GROUPS, g) };
    IrValue *y = ir_build(&c.b, IR_CONV, 2, (IrValue *[]){ x, w }, NULL, 5, at, 0, NULL)->out[0];
    IrValue *z = ir_bin(&c.b, IR_ADD, y, ir_broadcast(&c.b, bias, y->type, INTS(3)));
    out(&c, z);
    if (ir_is_float(t)) out(&c, ir_un(&c.b, IR_TANH, z));
    IrValue *dy = input(&c, y->type, -2, 2);
    out(&c, ir_build(&c.b, IR_CONV_DX, 2, (IrValue *[]){ dy, w }, &x->type, 5, at, 0, NULL)->out[0]);
    out(&c, ir_build(&c.b, IR_CONV_DW, 2, (IrValue *[]){ x, dy }, &w->type, 5, at, 0, NULL)->out[0]);
  }
  check(&c);
}

static void all_convolutions(void) {
  convolutions(IR_F32);
  convolutions(IR_F64);
  convolutions(IR_I32);
}

// ---- routines of the runtime -----------------------------------------------------------------------------

static void routines(void) {
  for (int wide = 0; wide < 2; wide++) {
    Case c;
    open_case(&c, "routines");
    IrDtype t = wide ? IR_F64 : IR_F32;
    c.rel = wide ? 1e-9 : 1e-4, c.abs = wide ? 1e-10 : 1e-4;
    IrValue *x = input(&c, SHAPE(t, 2, 5, 3), -1, 1), *y = input(&c, SHAPE(t, 2, 3, 4), -1, 1);
    IrValue *s = ir_dot(&c.b, x, x, 1, true, false);
    IrOp *qr = ir_build(&c.b, IR_QR, 1, &x, NULL, 0, NULL, 0, NULL);
    out(&c, qr->out[0]);
    out(&c, qr->out[1]);
    IrValue *l = ir_build(&c.b, IR_CHOLESKY, 1, &s, NULL, 0, NULL, 0, NULL)->out[0];
    out(&c, l);
    for (int ta = 0; ta < 2; ta++)
      out(&c, ir_build(&c.b, IR_TRISOLVE, 2, (IrValue *[]){ l, y }, NULL, 1, (IrAttr[]){ ir_attr_int(&c.arena, A_TA, ta) }, 0, NULL)->out[0]);
    IrOp *lu = ir_build(&c.b, IR_LU, 1, &s, NULL, 0, NULL, 0, NULL), *eigh = ir_build(&c.b, IR_EIGH, 1, &s, NULL, 0, NULL, 0, NULL);
    IrOp *svd = ir_build(&c.b, IR_SVD, 1, &x, NULL, 0, NULL, 0, NULL), *eig = ir_build(&c.b, IR_EIG, 1, &s, NULL, 0, NULL, 0, NULL);
    for (int k = 0; k < 2; k++) out(&c, lu->out[k]), out(&c, eigh->out[k]);
    for (int k = 0; k < 3; k++) out(&c, svd->out[k]), out(&c, eig->out[k]);
    IrValue *z = ir_bin(&c.b, IR_COMPLEX, x, x);
    IrValue *h = ir_dot(&c.b, z, ir_un(&c.b, IR_CONJ, z), 1, true, false);
    IrOp *hermitian = ir_build(&c.b, IR_EIGH, 1, &h, NULL, 0, NULL, 0, NULL);
    for (int k = 0; k < 2; k++) out(&c, hermitian->out[k]);
    for (int n = 0; n < 5; n++) {                      // radix 2, 3 and 5, a prime, and one that Bluestein takes
      static const int64_t size[] = { 16, 30, 13, 67, 1 };
      IrValue *line = input(&c, SHAPE(t, 3, size[n]), -1, 1), *wave = ir_bin(&c.b, IR_COMPLEX, line, line);
      IrAttr at = ir_attr_int(&c.arena, A_REVERSE, n & 1);
      out(&c, ir_build(&c.b, IR_FFT, 1, &wave, NULL, 1, &at, 0, NULL)->out[0]);
    }
    for (int axis = 0; axis < 3; axis++) {
      IrAttr at[2] = { ir_attr_int(&c.arena, A_AXIS, axis), ir_attr_int(&c.arena, A_REVERSE, axis == 1) };
      out(&c, ir_build(&c.b, IR_ARGSORT, 1, &x, NULL, 1, at, 0, NULL)->out[0]);
      for (IrCode code = IR_CUMSUM; code <= IR_CUMMAX; code++) out(&c, ir_build(&c.b, code, 1, &x, NULL, 2, at, 0, NULL)->out[0]);
    }
    check(&c);
  }
}

// ---- control --------------------------------------------------------------------------------------------------

static void control(void) {
  Case c;
  open_case(&c, "control");
  IrValue *x = input(&c, SHAPE(IR_F64, 9), -1, 1), *xs = input(&c, SHAPE(IR_F64, 6, 9), -1, 1), *n = input(&c, ir_scalar(IR_I32), 2, 5);
  for (int reverse = 0; reverse < 2; reverse++) {
    IrRegion *r = ir_region(c.g);
    IrBuilder in = { .graph = c.g, .at = r };
    IrValue *turn = ir_arg(r, ir_scalar(IR_I32)), *carry = ir_arg(r, x->type), *slice = ir_arg(r, x->type);
    IrValue *t = ir_broadcast(&in, ir_cast(&in, turn, IR_F64), x->type, NULL);
    IrValue *next = ir_un(&in, IR_TANH, ir_bin(&in, IR_ADD, ir_bin(&in, IR_MUL, carry, t), slice));
    ir_yield(r, next);
    ir_yield(r, ir_bin(&in, IR_SUB, next, carry));
    ir_yield(r, turn);
    IrAttr at[3] = { ir_attr_int(&c.arena, A_N, 6), ir_attr_int(&c.arena, A_REVERSE, reverse), ir_attr_int(&c.arena, A_NCARRY, 1) };
    IrOp *scan = ir_build(&c.b, IR_SCAN, 2, (IrValue *[]){ x, xs }, NULL, 3, at, 1, &r);
    for (int k = 0; k < scan->nout; k++) out(&c, scan->out[k]);
  }
  IrRegion *m = ir_region(c.g);
  IrBuilder in = { .graph = c.g, .at = m };
  IrValue *lane = ir_arg(m, ir_scalar(IR_I32)), *s = ir_arg(m, x->type);
  ir_yield(m, ir_reduce(&in, IR_SUM, ir_bin(&in, IR_MUL, s, x), 1, INTS(0)));
  ir_yield(m, lane);
  IrOp *map = ir_build(&c.b, IR_MAP, 1, &xs, NULL, 1, (IrAttr[]){ ir_attr_int(&c.arena, A_N, 6) }, 1, &m);
  out(&c, map->out[0]);
  out(&c, map->out[1]);

  IrRegion *test = ir_region(c.g), *turn = ir_region(c.g);
  IrValue *k = ir_arg(test, ir_scalar(IR_I32)), *k2 = ir_arg(turn, ir_scalar(IR_I32));
  ir_arg(test, x->type);
  IrValue *v = ir_arg(turn, x->type);
  in.at = test;
  ir_yield(test, ir_bin(&in, IR_LT, k, n));
  in.at = turn;
  ir_yield(turn, ir_bin(&in, IR_ADD, k2, ir_fill(&in, k2->type, 1)));
  ir_yield(turn, ir_bin(&in, IR_MUL, v, v));
  IrOp *loop = ir_build(&c.b, IR_WHILE, 2, (IrValue *[]){ ir_fill(&c.b, ir_scalar(IR_I32), 0), x }, NULL, 0, NULL, 2, (IrRegion *[]){ test, turn });
  out(&c, loop->out[0]);
  out(&c, loop->out[1]);

  for (int which = 0; which < 2; which++) {
    IrRegion *side[2] = { ir_region(c.g), ir_region(c.g) };
    in.at = side[0];
    ir_yield(side[0], ir_un(&in, IR_NEG, x));
    ir_yield(side[1], x);
    IrValue *if_ = ir_bin(&c.b, which ? IR_LT : IR_GE, n, ir_fill(&c.b, ir_scalar(IR_I32), 0));
    out(&c, ir_build(&c.b, IR_COND, 1, &if_, NULL, 0, NULL, 2, side)->out[0]);
  }
  check(&c);
}

// ---- fused nests -------------------------------------------------------------------------------------------------

static void nests(void) {
  Case c;
  open_case(&c, "nests");
  c.abs = 1e-9;
  for (int s = 0; s < NSIZE; s++) {
    int64_t n = sizes[s];
    // An environment's observation: four components made one behind another, read apart again.
    IrValue *obs = input(&c, SHAPE(IR_F64, n, 4), -1, 1), *part[4];
    for (int k = 0; k < 4; k++) {
      part[k] = ir_slice(&c.b, obs, INTS(0, k), INTS(n, k + 1), INTS(1, 1));
      part[k] = ir_un(&c.b, k % 2 ? IR_SIN : IR_COS, part[k]);
    }
    out(&c, ir_concat(&c.b, 4, part, 1));
    // softmax over few and over many
    for (int k = 0; k < 2; k++) {
      int64_t a = k ? 40 : 3;
      IrValue *x = input(&c, SHAPE(IR_F64, n, a), -3, 3);
      IrValue *m = ir_broadcast(&c.b, ir_reduce(&c.b, IR_RMAX, x, 1, INTS(1)), x->type, INTS(0));
      IrValue *e = ir_un(&c.b, IR_EXP, ir_bin(&c.b, IR_SUB, x, m));
      IrValue *z = ir_reduce(&c.b, IR_SUM, e, 1, INTS(1));
      out(&c, ir_bin(&c.b, IR_DIV, e, ir_broadcast(&c.b, z, x->type, INTS(0))));
      out(&c, ir_un(&c.b, IR_LOG, z));
    }
    // mean and variance in one pass over a transposed matrix
    IrValue *y = input(&c, SHAPE(IR_F64, 20, n), -3, 3), *t = ir_transpose(&c.b, y, INTS(1, 0));
    out(&c, ir_reduce(&c.b, IR_SUM, ir_bin(&c.b, IR_MUL, t, t), 1, INTS(1)));
    out(&c, ir_reduce(&c.b, IR_SUM, t, 1, INTS(1)));
    out(&c, ir_reduce(&c.b, IR_SUM, ir_bin(&c.b, IR_MUL, y, y), 2, INTS(0, 1)));
  }
  check(&c);
}

// Sine and cosine of one value, from one function, are to the bit what each is alone.
static void sine_and_cosine(void) {
  static const char *const cpu[] = { NULL, "x86-64", "x86-64-v3" };
  for (int k = 0; k < 6; k++) {
    IrArray got[3][2];
    Case c[3];
    Target t = { .cpu = cpu[k / 2] };
    const char *bad;
    char *why;
    for (int part = 0; part < 3; part++) {
      open_case(&c[part], "circle");
      CU_ASSERT_TRUE(llvm_target_resolve(&c[part].arena, &t, &bad));
      IrValue *x = input(&c[part], SHAPE(k % 2 ? IR_F64 : IR_F32, 203), -100, 100);
      static const double special[] = { 0, -0.0, NAN, INFINITY, -INFINITY, 1e9, -1e9, 1e-30, 99999, 100001 };
      memcpy(c[part].in.at[0].f, special, sizeof special);
      if (part != 1) out(&c[part], ir_un(&c[part].b, IR_SIN, x));
      if (part != 0) out(&c[part], ir_un(&c[part].b, IR_COS, x));
      CU_ASSERT_PTR_NULL(llvm_run(&c[part].arena, c[part].g, &t, NULL, c[part].in.at, got[part]));
    }
    Program p = llvm_program(&c[2].arena, c[2].g, &t.plan);
    const char *text = llvm_emit_ir(&c[2].arena, &p, &t, &why);
    CU_ASSERT_PTR_NOT_NULL_FATAL(text);
    CU_ASSERT_PTR_NOT_NULL(strstr(text, "@rlc.sincos."));
    CU_ASSERT(!memcmp(got[2][0].f, got[0][0].f, 203 * sizeof(double)));
    CU_ASSERT(!memcmp(got[2][1].f, got[1][0].f, 203 * sizeof(double)));
    for (int part = 0; part < 3; part++) arena_free(&c[part].arena);
  }
}

// Roots that are computed behind the others at the points where a condition holds: at none, some, all; on each width of
// vectors, longer than what is put off at a time, in pieces.
static void late_roots(void) {
  static const char *const cpu[] = { NULL, "x86-64", "x86-64-v3" };
  static const int64_t size[] = { 32, 71, 1024, 2500 };
  RtPool *two = rt_pool_new(2);
  for (int k = 0; k < 24; k++) {
    Case c;
    open_case(&c, "late roots");
    Target t = { .cpu = cpu[k % 3] };
    const char *bad;
    CU_ASSERT_TRUE(llvm_target_resolve(&c.arena, &t, &bad));
    if (k >= 12) t.plan.piece_ns = 0.01;
    IrType u64 = SHAPE(IR_U64, size[k / 3 % 4]);
    uint64_t *place = arena_array(&c.arena, uint64_t, u64.dim[0]);
    for (int64_t i = 0; i < u64.dim[0]; i++) place[i] = (uint64_t)(i * i);
    IrValue *at = ir_const(&c.b, u64, place, sizeof *place * (size_t)u64.dim[0]);
    IrValue *key = input(&c, ir_scalar(IR_U64), 0, 1e6), *x = input(&c, SHAPE(IR_F32, u64.dim[0]), 0, 1);
    IrValue *lane = ir_bin(&c.b, IR_THREEFRY, ir_broadcast(&c.b, key, u64, NULL), ir_iota(&c.b, u64, 0));
    double edge[] = { 2, 0.95, 0.5, -1 };
    IrValue *on = ir_bin(&c.b, IR_GT, x, ir_fill(&c.b, x->type, edge[k % 4]));
    for (int i = 0; i < NDTYPE; i++) {
      IrType type = SHAPE(dtypes[i], u64.dim[0]);
      IrValue *drawn = ir_bin(&c.b, IR_THREEFRY, lane, i % 2 ? at : ir_fill(&c.b, u64, i));
      if (!fits(&c, IR_CAST, 1, &drawn, &type, 0, NULL)) continue;
      IrValue *other = ir_build(&c.b, IR_CAST, 1, &x, &type, 0, NULL, 0, NULL)->out[0];
      out(&c, ir_select(&c.b, on, ir_build(&c.b, IR_CAST, 1, &drawn, &type, 0, NULL, 0, NULL)->out[0], other));
    }
    Program p = llvm_program(&c.arena, c.g, &t.plan);
    CU_ASSERT_PTR_NOT_NULL(strstr(plan_print(&c.arena, p.plan[0]), "late"));
    check_on(&c, &t, two);
    arena_free(&c.arena);
  }
  rt_pool_free(two);
}

// ---- threads: the same bits ---------------------------------------------------------------------------------------

// On one to three threads the graph's outputs are `want`.
static void same_bits(Case *c, const Target *t, const IrArray *want) {
  for (int k = 1; k < 4; k++) {
    IrArray got[8];
    RtPool *pool = rt_pool_new(k);
    CU_ASSERT_PTR_NULL(llvm_run(&c->arena, c->g, t, pool, c->in.at, got));
    for (int i = 0; i < c->g->top->nyield; i++) CU_ASSERT_PTR_NULL(llvm_differs(&c->arena, &got[i], &want[i], 0, 0));
    rt_pool_free(pool);
  }
}

// Cut for `cut`, the graph has one result on any number of threads, and that is the evaluator's; uncut too.
static void check_cut(Case *c, const Target *cut) {
  IrArray one[8], want[8];
  IrEval how = { .typed = true };
  CU_ASSERT_PTR_NULL(llvm_run(&c->arena, c->g, cut, NULL, c->in.at, one));
  same_bits(c, cut, one);
  CU_ASSERT_PTR_NULL(ir_eval(&c->arena, &how, c->g, c->in.at, want));
  for (int i = 0; i < c->g->top->nyield; i++) CU_ASSERT_PTR_NULL(llvm_differs(&c->arena, &one[i], &want[i], c->rel, c->abs));
  check(c);
}

// A target whose plans cut nodes that take `ns` already.
static Target cutting(Case *c, double ns) {
  Target t = { 0 };
  const char *bad;
  CU_ASSERT_TRUE(llvm_target_resolve(&c->arena, &t, &bad));
  t.plan.piece_ns = ns;
  return t;
}

static void threads(void) {
  Case c;
  open_case(&c, "threads");
  c.abs = 1e-2;
  int64_t n = 3001;
  IrValue *x = input(&c, SHAPE(IR_F32, n, 65), -1, 1), *w = input(&c, SHAPE(IR_F32, 65, 34), -1, 1);
  IrValue *h = ir_un(&c.b, IR_TANH, ir_dot(&c.b, x, w, 0, false, false));
  out(&c, h);
  out(&c, ir_un(&c.b, IR_EXP, ir_un(&c.b, IR_SIN, x)));
  out(&c, ir_reduce(&c.b, IR_SUM, h, 1, INTS(0)));
  out(&c, ir_reduce(&c.b, IR_SUM, ir_un(&c.b, IR_COS, x), 1, INTS(1)));
  out(&c, ir_dot(&c.b, x, h, 0, true, false));
  IrArray one[8];
  CU_ASSERT_PTR_NULL(llvm_run(&c.arena, c.g, NULL, NULL, c.in.at, one));
  same_bits(&c, NULL, one);
  check(&c);
}

// Nodes that run strip by strip give the bits that they give one after another.
static void strips(void) {
  Case c;
  open_case(&c, "strips");
  c.rel = 1e-4, c.abs = 1e-2;
  Target whole = { 0 }, cut;
  const char *bad;
  CU_ASSERT_TRUE(llvm_target_resolve(&c.arena, &whole, &bad));
  cut = whole;
  cut.plan.piece_ns = 0.01;
  IrValue *x = input(&c, SHAPE(IR_F32, 8, 128, 96), -1, 1), *w = input(&c, SHAPE(IR_F32, 96, 96), -1, 1);
  IrValue *q = ir_dot(&c.b, ir_reshape(&c.b, x, 2, INTS(1024, 96)), w, 0, false, false);
  IrValue *heads = ir_transpose(&c.b, ir_reshape(&c.b, q, 4, INTS(8, 128, 3, 32)), INTS(0, 2, 1, 3));
  IrValue *score = ir_dot(&c.b, heads, heads, 2, false, true);
  IrValue *e = ir_un(&c.b, IR_TANH, score), *sum = ir_reduce(&c.b, IR_SUM, e, 1, INTS(3));
  IrValue *y = ir_dot(&c.b, ir_bin(&c.b, IR_MUL, e, ir_broadcast(&c.b, sum, e->type, INTS(0, 1, 2))), heads, 2, false, false);
  out(&c, y);
  out(&c, ir_reduce(&c.b, IR_SUM, y, 3, INTS(0, 1, 2)));
  Program p = llvm_program(&c.arena, c.g, &cut.plan);
  CU_ASSERT_PTR_NOT_NULL(strstr(plan_print(&c.arena, p.plan[0]), "strips 8"));
  CU_ASSERT_PTR_NOT_NULL(strstr(plan_print(&c.arena, p.plan[0]), "pieces 8 of 128 along 0 packed"));
  IrArray one[8];
  CU_ASSERT_PTR_NULL(llvm_run(&c.arena, c.g, &whole, NULL, c.in.at, one));
  same_bits(&c, &cut, one);
  check(&c);
}

// Strips that are no whole vectors or tiles: each has a rest of its own. Rows of 64 and of one number, sums of rows, and products
// of each strip with itself.
static void uneven_strips(void) {
  Case c;
  open_case(&c, "uneven strips");
  c.rel = 1e-4, c.abs = 1e-3;
  Target cut = cutting(&c, 0.01);
  IrValue *x = input(&c, SHAPE(IR_F32, 102, 70), -1, 1), *w = input(&c, SHAPE(IR_F32, 70, 64), -0.1, 0.1), *v = input(&c, SHAPE(IR_F32, 64, 1), -0.1, 0.1);
  IrValue *h = ir_un(&c.b, IR_TANH, ir_dot(&c.b, x, w, 0, false, false)), *y = ir_dot(&c.b, h, v, 0, false, false);
  IrValue *e = ir_un(&c.b, IR_EXP, ir_reshape(&c.b, y, 1, INTS(102))), *sum = ir_reduce(&c.b, IR_SUM, h, 1, INTS(1));
  IrValue *scale = ir_broadcast(&c.b, ir_bin(&c.b, IR_MUL, e, sum), h->type, INTS(0)), *d = ir_bin(&c.b, IR_MUL, h, scale);
  IrValue *parts = ir_reshape(&c.b, d, 3, INTS(2, 51, 64));
  out(&c, ir_dot(&c.b, d, w, 0, false, true));
  out(&c, ir_reduce(&c.b, IR_SUM, ir_dot(&c.b, ir_reshape(&c.b, x, 3, INTS(2, 51, 70)), parts, 1, true, false), 1, INTS(0)));
  out(&c, ir_reduce(&c.b, IR_SUM, ir_reduce(&c.b, IR_SUM, parts, 1, INTS(1)), 1, INTS(0)));
  out(&c, e);
  Program p = llvm_program(&c.arena, c.g, &cut.plan);
  CU_ASSERT_PTR_NOT_NULL(strstr(plan_print(&c.arena, p.plan[0]), "dot [102, 64] pieces 2 of 51"));
  check_cut(&c, &cut);
}

// Rows of a recurrence do not meet: each strip goes through all turns, forward and back, whatever a turn stacks. Where they do, by
// a sum of all rows, turns stay whole.
static void strips_through_turns(void) {
  for (int meet = 0; meet < 2; meet++) {
    Case c;
    open_case(&c, "strips through turns");
    c.rel = 1e-4, c.abs = 1e-4;
    Target cut = cutting(&c, 0.01);
    IrType t = SHAPE(IR_F32, 36, 40);
    IrValue *h = input(&c, t, -1, 1), *w = input(&c, SHAPE(IR_F32, 40, 40), -0.2, 0.2), *xs = input(&c, SHAPE(IR_F32, 7, 36, 40), -1, 1);
    IrRegion *body = ir_region(c.g);
    IrBuilder b = { .graph = c.g, .at = body };
    ir_arg(body, ir_scalar(IR_I32));
    IrValue *at = ir_arg(body, t), *x = ir_arg(body, t), *old = at;
    if (meet) old = ir_broadcast(&b, ir_reduce(&b, IR_SUM, at, 1, INTS(0)), t, INTS(1));
    IrValue *z = ir_un(&b, IR_TANH, ir_bin(&b, IR_ADD, ir_dot(&b, at, w, 0, false, false), x));
    IrValue *sum = ir_reduce(&b, IR_SUM, z, 1, INTS(1));
    ir_yield(body, ir_bin(&b, IR_SUB, z, ir_bin(&b, IR_MUL, ir_fill(&b, t, 0.1), old)));
    ir_yield(body, at);
    ir_yield(body, sum);
    IrAttr attr[] = { ir_attr_int(&c.arena, A_N, 7), ir_attr_int(&c.arena, A_REVERSE, meet), ir_attr_int(&c.arena, A_NCARRY, 1) };
    IrOp *scan = ir_build(&c.b, IR_SCAN, 2, (IrValue *[]){ h, xs }, NULL, 3, attr, 1, &body);
    for (int k = 0; k < 3; k++) out(&c, scan->out[k]);
    Program p = llvm_program(&c.arena, c.g, &cut.plan);
    CU_ASSERT_EQUAL(strstr(plan_print(&c.arena, p.plan[0]), "in 2 strips") != NULL, !meet);
    check_cut(&c, &cut);
  }
}

// A large matrix times few rows is cut by columns, the last of which are no whole panel; also turned over, and in f64.
static void pieces_of_columns(void) {
  for (int k = 0; k < 4; k++) {
    Case c;
    open_case(&c, "pieces of columns");
    c.rel = 1e-4, c.abs = 1e-4;
    Target cut = cutting(&c, 10);
    IrDtype t = k / 2 ? IR_F64 : IR_F32;
    int64_t cols = k / 2 ? 130 : 203;
    IrValue *x = input(&c, SHAPE(t, 37, 700), -1, 1), *bias = input(&c, SHAPE(t, cols), -1, 1);
    IrValue *w = k % 2 ? input(&c, SHAPE(t, cols, 700), -0.1, 0.1) : input(&c, SHAPE(t, 700, cols), -0.1, 0.1);
    IrValue *y = ir_dot(&c.b, x, w, 0, false, k % 2);
    out(&c, ir_un(&c.b, IR_TANH, ir_bin(&c.b, IR_ADD, y, ir_broadcast(&c.b, bias, y->type, INTS(1)))));
    Program p = llvm_program(&c.arena, c.g, &cut.plan);
    CU_ASSERT_PTR_NOT_NULL(strstr(plan_print(&c.arena, p.plan[0]), "of 64 along 1"));
    check_cut(&c, &cut);
  }
}

// Weights that a loop does not change are packed in front of it, those of its turn in each; in a while, within a scan.
static void packed_before_loops(void) {
  Case c;
  open_case(&c, "packed");
  c.rel = 1e-4, c.abs = 1e-4;
  IrType t = SHAPE(IR_F32, 8, 100);
  IrValue *h = input(&c, t, -1, 1), *w = input(&c, SHAPE(IR_F32, 100, 100), -0.1, 0.1), *ws = input(&c, SHAPE(IR_F32, 3, 100, 100), -0.1, 0.1);
  IrRegion *body = ir_region(c.g), *test = ir_region(c.g), *turn = ir_region(c.g);
  IrBuilder top = c.b, b = { .graph = c.g, .at = body };
  ir_arg(body, ir_scalar(IR_I32));
  IrValue *x = ir_arg(body, t), *own = ir_arg(body, SHAPE(IR_F32, 100, 100));
  IrValue *i0 = ir_arg(test, ir_scalar(IR_I32)), *i = ir_arg(turn, ir_scalar(IR_I32));
  ir_arg(test, t);
  IrValue *y = ir_arg(turn, t);
  b.at = test;
  ir_yield(test, ir_bin(&b, IR_LT, i0, ir_fill(&b, ir_scalar(IR_I32), 3)));
  b.at = turn;
  IrValue *z = ir_bin(&b, IR_ADD, ir_dot(&b, y, w, 0, false, true), ir_dot(&b, y, own, 0, false, false));
  ir_yield(turn, ir_bin(&b, IR_ADD, i, ir_fill(&b, ir_scalar(IR_I32), 1)));
  ir_yield(turn, ir_un(&b, IR_TANH, z));
  b.at = body;
  IrValue *from[] = { ir_fill(&b, ir_scalar(IR_I32), 0), ir_dot(&b, x, w, 0, false, false) };
  ir_yield(body, ir_build(&b, IR_WHILE, 2, from, NULL, 0, NULL, 2, (IrRegion *[]){ test, turn })->out[1]);
  c.b = top;
  IrAttr at[] = { ir_attr_int(&c.arena, A_N, 3), ir_attr_int(&c.arena, A_REVERSE, 0), ir_attr_int(&c.arena, A_NCARRY, 1) };
  out(&c, ir_build(&c.b, IR_SCAN, 2, (IrValue *[]){ h, ws }, NULL, 3, at, 1, &body)->out[0]);
  Target host = { 0 };
  const char *bad;
  CU_ASSERT_TRUE(llvm_target_resolve(&c.arena, &host, &bad));
  const char *text = plan_print(&c.arena, llvm_program(&c.arena, c.g, &host.plan).plan[0]);
  int n = 0;
  for (const char *s = text; (s = strstr(s, "packed before the loop")) != NULL; s++) n++;
  CU_ASSERT_EQUAL(n, 3);
  check(&c);
}

// ---- random graphs ----------------------------------------------------------------------------------------------------

// Ops that derivatives expand and that code has no form for.
static bool has_never(const IrRegion *r) {
  ir_each_op(r, op) {
    if (ir_info[op->code].lower == LOWER_NEVER) return true;
    for (int k = 0; k < op->nregion; k++)
      if (has_never(op->sub[k])) return true;
  }
  return false;
}

static RtPool *pool;                               // of the random graphs: sides of forks really meet

static char *fault(Arena *a, const IrGraph *g, uint64_t seed, const Target *t) {
  IrArray in[16], got[64], want[64];
  IrEval how = { .typed = true, .max_turns = 1000 };
  gen_inputs(a, g, seed, in);
  if (ir_eval(a, &how, g, in, want)) return NULL;
  const char *why = llvm_run(a, g, t, pool, in, got);
  if (why) return arena_str(a, why);
  char *bad = NULL;
  for (int k = 0; k < g->top->nyield && !bad; k++) bad = llvm_differs(a, &got[k], &want[k], 1e-7, 1e-7);
  return bad;
}

typedef struct Trial { uint64_t seed; const Target *target; } Trial;

static bool fails(const IrGraph *g, void *data) {
  const Trial *t = data;
  Arena a = { 0 };
  jmp_buf oom;
  a.oom = &oom;
  bool bad = fault(&a, g, t->seed, t->target) != NULL;
  arena_free(&a);
  return bad;
}

static void random_graphs(void) {
  static const char *const cpu[] = { NULL, "x86-64", "x86-64-v3" };
  const char *from = getenv("RLC_SEED"), *count = getenv("RLC_SEEDS");
  uint64_t first = from ? strtoull(from, NULL, 0) : 1, n = count ? strtoull(count, NULL, 0) : 60;
  int forks = 0;
  pool = rt_pool_new(2);
  for (uint64_t seed = first; seed < first + n; seed++) {
    Arena a = { 0 };
    jmp_buf oom;
    a.oom = &oom;
    Target t = { .cpu = cpu[seed % 3] };
    const char *why;
    llvm_target_resolve(&a, &t, &why);
    if (seed % 2) t.plan.fork_ns = -1e9;
    if (seed % 4) t.plan.piece_ns = 0.01;   // whatever can be is cut
    GenOptions o = { .nop = 5 + (int)(seed % 40), .depth = 2, .real = IR_F64,
                     .kinds = GEN_CONTROL | GEN_INTS | GEN_JUMPS | GEN_LINALG | GEN_CONV | GEN_COMPLEX };
    IrGraph *g = gen_graph(&a, seed, &o);
    Trial trial = { seed, &t };
    bool bad = !has_never(g->top) && fails(g, &trial);
    if (!has_never(g->top)) forks += strstr(plan_print(&a, llvm_program(&a, g, &t.plan).plan[0]), "fork |") != NULL;
    CU_ASSERT_FALSE(bad);
    if (bad) {
      IrGraph *small = gen_shrink(&a, g, fails, &trial);
      printf("\nseed %llu on %s: %s\n%s\n", (unsigned long long)seed, t.cpu ? t.cpu : "the host", fault(&a, small, seed, &t), ir_print(&a, small));
    }
    arena_free(&a);
  }
  CU_ASSERT(n < 60 || forks > 2);
  rt_pool_free(pool);
  pool = NULL;
}

// ---- code ------------------------------------------------------------------------------------------------------------------

static void vectors_of_the_target(void) {
  static const struct { const char *cpu, *add, *reg; } want[] = {
    { "x86-64", "addps", "%xmm" }, { "x86-64-v3", "vaddps", "%ymm" }, { "x86-64-v4", "vaddps", "%zmm" },
  };
  for (size_t k = 0; k < sizeof want / sizeof *want; k++) {
    Case c;
    open_case(&c, "vectors");
    IrValue *x = ir_input(c.g, SHAPE(IR_F32, 64), "x"), *y = ir_input(c.g, SHAPE(IR_F32, 64), "y");
    out(&c, ir_bin(&c.b, IR_ADD, x, y));
    Target t = { .cpu = want[k].cpu };
    const char *bad = NULL;
    char *why = NULL;
    CU_ASSERT_TRUE(llvm_target_resolve(&c.arena, &t, &bad));
    Program p = llvm_program(&c.arena, c.g, &t.plan);
    char *text = llvm_emit_asm(&c.arena, &p, &t, &why);
    CU_ASSERT_PTR_NOT_NULL_FATAL(text);
    bool found = false;
    for (char *line = strtok(text, "\n"); line; line = strtok(NULL, "\n"))
      found = found || (strstr(line, want[k].add) && strstr(line, want[k].reg));
    CU_ASSERT_TRUE(found);
    arena_free(&c.arena);
  }
}

static int count(const char *text, const char *what) {
  int n = 0;
  for (const char *p = text; (p = strstr(p, what)); p++) n++;
  return n;
}

static void equal_layers_share_a_kernel(void) {
  Case c;
  open_case(&c, "layers");
  IrValue *h = ir_input(c.g, SHAPE(IR_F32, 32, 24), "x");
  for (int k = 0; k < 12; k++) {
    IrValue *w = ir_input(c.g, SHAPE(IR_F32, 24, 24), "w"), *b = ir_input(c.g, SHAPE(IR_F32, 24), "b");
    h = ir_bin(&c.b, IR_ADD, ir_dot(&c.b, h, w, 0, false, false), ir_broadcast(&c.b, b, h->type, INTS(1)));
    h = ir_un(&c.b, IR_TANH, h);
  }
  out(&c, h);
  Target t = { 0 };
  const char *bad;
  char *why;
  CU_ASSERT_TRUE(llvm_target_resolve(&c.arena, &t, &bad));
  Program p = llvm_program(&c.arena, c.g, &t.plan);
  const char *text = llvm_emit_ir(&c.arena, &p, &t, &why);
  CU_ASSERT_PTR_NOT_NULL_FATAL(text);
  CU_ASSERT_EQUAL(count(text, "define internal void @rlc.k"), 1);
  CU_ASSERT_EQUAL(count(text, "call void @rlc.k"), 12);
  arena_free(&c.arena);
}

// An optimizer's update of each parameter: whole vectors, any number of them.
static void sizes_share_a_kernel(void) {
  static const int64_t size[] = { 64, 256, 4096, 128, 64 * 1024 };
  Case c;
  open_case(&c, "sizes");
  IrValue *rate = input(&c, ir_scalar(IR_F32), 0, 1);
  for (int k = 0; k < 5; k++) {
    IrValue *w = input(&c, SHAPE(IR_F32, size[k] / 16, 16), -1, 1), *g = input(&c, w->type, -1, 1);
    out(&c, ir_bin(&c.b, IR_SUB, w, ir_bin(&c.b, IR_MUL, g, ir_broadcast(&c.b, rate, w->type, NULL))));
  }
  Target t = { .cpu = "x86-64" };
  const char *bad;
  char *why;
  CU_ASSERT_TRUE(llvm_target_resolve(&c.arena, &t, &bad));
  Program p = llvm_program(&c.arena, c.g, &t.plan);
  const char *text = llvm_emit_ir(&c.arena, &p, &t, &why);
  CU_ASSERT_PTR_NOT_NULL_FATAL(text);
  CU_ASSERT(count(text, "define internal void @rlc.k") <= 2);  // of which one for threads, if the largest is cut
  RtPool *pool = rt_pool_new(2);
  check_on(&c, NULL, pool);
  rt_pool_free(pool);
  check(&c);
}

// What is no size parts kernels that are open to sizes.
static void orders_part_kernels(void) {
  Case c;
  open_case(&c, "orders");
  for (int64_t k = 1; k <= 2; k++) {
    IrValue *x = input(&c, SHAPE(IR_F32, 1024 * k), 1, 2);
    IrAttr order = ir_attr_int(&c.arena, A_N, k);
    out(&c, ir_build(&c.b, IR_POLYGAMMA, 1, &x, NULL, 1, &order, 0, NULL)->out[0]);
  }
  check(&c);
}

// Draws of any number and scale, also where the last vector is not whole and where threads have their pieces.
static void draws_share_a_kernel(void) {
  static const int64_t size[] = { 1024, 17, 101, 1152, 200000, 123457 };
  Case c;
  open_case(&c, "draws");
  IrValue *key = input(&c, ir_scalar(IR_U64), 0, 100);
  for (int k = 0; k < 6; k++) {
    IrType t = ir_type(IR_U64, 1, &size[k]), f = ir_type(IR_F32, 1, &size[k]);
    IrAttr axis = ir_attr_int(&c.arena, A_AXIS, 0);
    IrValue *at = ir_build(&c.b, IR_IOTA, 0, NULL, &t, 1, &axis, 0, NULL)->out[0];
    IrValue *bits = ir_bin(&c.b, IR_THREEFRY, ir_broadcast(&c.b, key, t, NULL), at);
    IrValue *x = ir_build(&c.b, IR_CAST, 1, &bits, &f, 0, NULL, 0, NULL)->out[0];
    out(&c, ir_bin(&c.b, IR_MUL, x, ir_fill(&c.b, f, 0.1 * (k + 1))));
  }
  Target t = { .cpu = "x86-64-v3" };
  const char *bad;
  char *why;
  CU_ASSERT_TRUE(llvm_target_resolve(&c.arena, &t, &bad));
  Program p = llvm_program(&c.arena, c.g, &t.plan);
  const char *text = llvm_emit_ir(&c.arena, &p, &t, &why);
  CU_ASSERT_PTR_NOT_NULL_FATAL(text);
  CU_ASSERT_EQUAL(count(text, "define internal void @rlc.k"), 1);
  RtPool *pool = rt_pool_new(2);
  check_on(&c, NULL, pool);
  rt_pool_free(pool);
  check(&c);
}

// Convolutions that differ in channels, kernel, stride and image, with what is made of their results. Two have code of their
// own: where a number is added for each column, and where no column of the kernel falls outside.
static void images_share_a_kernel(void) {
  static const int64_t size[][7] = {       // n, h, w, channels, kernel, stride, padding
    { 4, 8, 8, 16, 3, 1, 1 }, { 2, 6, 8, 8, 5, 1, 2 }, { 3, 16, 16, 12, 3, 2, 1 }, { 4, 8, 8, 16, 3, 1, 1 }, { 4, 8, 8, 16, 1, 1, 0 },
  };
  Case c;
  open_case(&c, "images");
  c.abs = 3e-5;
  for (int k = 0; k < 5; k++) {
    const int64_t *s = size[k], stride[2] = { s[5], s[5] }, pad[2] = { s[6], s[6] }, one[2] = { 1, 1 };
    IrValue *x = input(&c, SHAPE(IR_F32, s[0], s[1], s[2], s[3]), -1, 1), *w = input(&c, SHAPE(IR_F32, s[4], s[4], s[3], 8), -1, 1);
    IrAttr at[] = { ir_attr_ints(&c.arena, A_STRIDE, 2, stride), ir_attr_ints(&c.arena, A_LO, 2, pad), ir_attr_ints(&c.arena, A_HI, 2, pad),
                    ir_attr_ints(&c.arena, A_DILATE, 2, one), ir_attr_int(&c.arena, A_GROUPS, 1) };
    IrValue *y = ir_build(&c.b, IR_CONV, 2, (IrValue *[]){ x, w }, NULL, 5, at, 0, NULL)->out[0];
    IrValue *b = input(&c, SHAPE(IR_F32, 8), -1, 1);     // there are as many columns
    y = ir_bin(&c.b, IR_ADD, y, k == 3 ? ir_broadcast(&c.b, b, y->type, INTS(2)) : ir_broadcast(&c.b, b, y->type, INTS(3)));
    out(&c, ir_bin(&c.b, IR_MAX, y, ir_fill(&c.b, y->type, 0)));
  }
  Target t = { .cpu = "x86-64-v3" };
  const char *bad;
  char *why;
  CU_ASSERT_TRUE(llvm_target_resolve(&c.arena, &t, &bad));
  Program p = llvm_program(&c.arena, c.g, &t.plan);
  const char *text = llvm_emit_ir(&c.arena, &p, &t, &why);
  CU_ASSERT_PTR_NOT_NULL_FATAL(text);
  CU_ASSERT_EQUAL(count(text, "define internal void @rlc.k"), 3);
  check(&c);
}

// The i-th of programs that begin with one kernel.
static void shared_program(Case *c, int i) {
  open_case(c, "shared");
  IrValue *x = input(c, SHAPE(IR_F32, 7, 13), -1, 1), *y = ir_bin(&c->b, IR_MUL, ir_un(&c->b, IR_TANH, x), ir_fill(&c->b, x->type, 0.8125));
  out(c, y);
  for (; i > 0; i--) y = ir_dot(&c->b, y, ir_fill(&c->b, SHAPE(IR_F32, 13, 13), i), 0, false, false), out(c, y);
}

static Jit *jit_of(Case *c) {
  Target t = { 0 };
  const char *bad;
  char *why;
  CU_ASSERT_TRUE(llvm_target_resolve(&c->arena, &t, &bad));
  Program p = llvm_program(&c->arena, c->g, &t.plan);
  Jit *j = llvm_jit(&c->arena, &p, &t, &why);
  CU_ASSERT_PTR_NOT_NULL_FATAL(j);
  return j;
}

// What one program has compiled another one links, also after the first is gone; and no longer than code may stay.
static void programs_share_code(void) {
  Case c[2];
  size_t most = cache_idle_bytes;
  for (int k = 0; k < 2; k++) shared_program(&c[k], k);
  cache_idle_bytes = 0;                          // what other tests left goes
  llvm_jit_free(jit_of(&c[0]));
  Jit *first = jit_of(&c[0]), *second = jit_of(&c[1]), *third = jit_of(&c[1]);
  size_t whole = jit_bytes(first), own = jit_bytes(third);
  CU_ASSERT(own < jit_bytes(second));
  llvm_jit_free(first);                          // its code stays: the others call it
  llvm_jit_free(second);
  Jit *again = jit_of(&c[1]);
  CU_ASSERT(jit_bytes(again) < own + 8);          // but for the lengths of names
  check_on(&c[1], NULL, NULL);
  llvm_jit_free(again);
  llvm_jit_free(third);
  Jit *anew = jit_of(&c[0]);                     // nothing has stayed
  CU_ASSERT(jit_bytes(anew) + 8 > whole);
  llvm_jit_free(anew);
  cache_idle_bytes = most;
  for (int k = 0; k < 2; k++) check(&c[k]);
}

// A number that is repeated over an operand stands in the code, also where the operand lies in memory.
static void numbers_part_kernels(void) {
  Case c;
  open_case(&c, "numbers");
  IrValue *x = input(&c, SHAPE(IR_F64, 5), -1, 1), *i = input(&c, SHAPE(IR_I32, 2), 0, 5);
  for (int k = 0; k < 3; k++) {
    IrValue *u = ir_fill(&c.b, SHAPE(IR_F64, 2), k), *at = ir_fill(&c.b, ir_scalar(IR_I32), k);
    out(&c, ir_build(&c.b, IR_DYN_UPDATE, 3, (IrValue *[]){ x, u, at }, NULL, 0, NULL, 0, NULL)->out[0]);
    out(&c, ir_scatter(&c.b, x, i, u, 0, SCATTER_ADD));
    out(&c, ir_dot(&c.b, ir_reshape(&c.b, x, 2, (int64_t[]){ 1, 5 }), ir_fill(&c.b, SHAPE(IR_F64, 5, 3), k), 0, false, false));
  }
  check(&c);
}

static void objects(void) {
  static const struct { const char *triple, *cpu; int machine; } want[] = {
    { NULL, NULL, 62 }, { NULL, "x86-64-v3", 62 }, { "aarch64-linux-gnu", NULL, 183 }, { "riscv64-linux-gnu", NULL, 243 },
  };
  for (size_t k = 0; k < sizeof want / sizeof *want; k++) {
    Case c;
    open_case(&c, "objects");
    IrValue *x = ir_input(c.g, SHAPE(IR_F32, 100), "x");
    out(&c, ir_un(&c.b, IR_TANH, x));
    out(&c, ir_reduce(&c.b, IR_SUM, x, 1, INTS(0)));
    Target t = { .triple = want[k].triple, .cpu = want[k].cpu };
    const char *bad, *bytes = NULL;
    char *why;
    size_t n = 0;
    CU_ASSERT_TRUE(llvm_target_resolve(&c.arena, &t, &bad));
    Program p = llvm_program(&c.arena, c.g, &t.plan);
    CU_ASSERT_TRUE(llvm_emit_object(&c.arena, &p, &t, &bytes, &n, &why));
    CU_ASSERT(n > 64 && !memcmp(bytes, "\177ELF", 4) && (unsigned char)bytes[18] == want[k].machine);
    arena_free(&c.arena);
  }
}

static void unknown_targets(void) {
  Case c;
  open_case(&c, "unknown");
  Target t = { .cpu = "z80" }, far = { .triple = "pdp11-unknown-unix" };
  const char *bad = NULL;
  char *why = NULL;
  CU_ASSERT_FALSE(llvm_target_resolve(&c.arena, &t, &bad));
  CU_ASSERT(bad && strstr(bad, "x86-64-v3"));
  IrValue *x = ir_input(c.g, SHAPE(IR_F32, 4), "x");
  out(&c, ir_un(&c.b, IR_NEG, x));
  CU_ASSERT_TRUE(llvm_target_resolve(&c.arena, &far, &bad));
  Program p = llvm_program(&c.arena, c.g, &far.plan);
  const char *bytes;
  size_t n;
  CU_ASSERT_FALSE(llvm_emit_object(&c.arena, &p, &far, &bytes, &n, &why));
  CU_ASSERT_PTR_NOT_NULL(why);
  arena_free(&c.arena);
}

void suite_llvm(void) {
  CU_pSuite s = test_suite("llvm");
  test_add(s, "every elementwise op, dtype, size", all_elementwise);
  test_add(s, "every index op and update", all_index_ops);
  test_add(s, "every reduction", all_reductions);
  test_add(s, "NaN, infinities, ties", special_numbers);
  test_add(s, "empty arrays", empty);
  test_add(s, "products with epilogues", all_products);
  test_add(s, "products by the library", large_products);
  test_add(s, "convolutions", all_convolutions);
  test_add(s, "routines of the runtime", routines);
  test_add(s, "control", control);
  test_add(s, "fused nests", nests);
  test_add(s, "sine and cosine of one value", sine_and_cosine);
  test_add(s, "late roots", late_roots);
  test_add(s, "threads", threads);
  test_add(s, "strips", strips);
  test_add(s, "strips that are no whole vectors", uneven_strips);
  test_add(s, "strips that go through a scan", strips_through_turns);
  test_add(s, "pieces of columns", pieces_of_columns);
  test_add(s, "weights packed before loops", packed_before_loops);
  test_add(s, "random graphs", random_graphs);
  test_add(s, "vectors of the target's width", vectors_of_the_target);
  test_add(s, "equal layers share a kernel", equal_layers_share_a_kernel);
  test_add(s, "sizes share a kernel", sizes_share_a_kernel);
  test_add(s, "orders part kernels", orders_part_kernels);
  test_add(s, "draws share a kernel", draws_share_a_kernel);
  test_add(s, "images share a kernel", images_share_a_kernel);
  test_add(s, "programs share code", programs_share_code);
  test_add(s, "numbers keep kernels apart", numbers_part_kernels);
  test_add(s, "object files", objects);
  test_add(s, "unknown targets", unknown_targets);
}
