// Derivatives against central differences of the reference evaluator, in exact mode.
// `check` takes a function as a graph and tests its jvp and its vjp; `check2` also those of its vjp.
#include "tests/ir/gen.h"
#include "tests/passes/cases.h"
#include "tests/test.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MOST 16
#define STEP 1e-5
#define TOLERANCE 1e-6

static Arena arena;
static jmp_buf oom;
static uint64_t seed;

static void begin_arena(void) {
  arena = (Arena){.oom = &oom};
  seed = 88172645463325252u;
}

static double uniform(double lo, double hi) {
  seed ^= seed << 13, seed ^= seed >> 7, seed ^= seed << 17;
  return lo + (hi - lo) * (double)(seed >> 11) / 9007199254740992.0;
}

// ---- a function under test
typedef struct Fn {
  const char *name;
  IrGraph *g;
  IrBuilder b;
  double lo[MOST], hi[MOST];      // range of each input's elements
} Fn;

static Fn fn(const char *name) {
  Fn f = {.name = name, .g = ir_graph(&arena, name)};
  f.b = (IrBuilder){.graph = f.g, .at = f.g->top};
  return f;
}

static IrValue *input(Fn *f, double lo, double hi, IrDtype t, int rank, const int64_t *dim) {
  f->lo[f->g->top->narg] = lo;
  f->hi[f->g->top->narg] = hi;
  return ir_input(f->g, ir_type(t, rank, dim), "x");
}
#define IN(lo, hi, ...) input(&f, lo, hi, IR_F64, sizeof((int64_t[]){__VA_ARGS__}) / 8, (int64_t[]){__VA_ARGS__})
#define SCALAR(lo, hi) input(&f, lo, hi, IR_F64, 0, NULL)
#define INDEX(lo, hi, ...) input(&f, lo, hi, IR_I32, sizeof((int64_t[]){__VA_ARGS__}) / 8, (int64_t[]){__VA_ARGS__})
#define OUT(v) ir_output(f.g, (v), "y")
#define AXES(...) sizeof((int64_t[]){__VA_ARGS__}) / 8, (int64_t[]){__VA_ARGS__}
#define LIST(...) ((int64_t[]){__VA_ARGS__})

static bool diff(const IrValue *v) { return ir_is_diff(v->type.dtype); }

static IrGraph *copy(const IrGraph *f) {
  IrGraph *g = ir_graph(&arena, f->name);
  IrValue **map = arena_array(&arena, IrValue *, f->nvalue + 1);
  for (int k = 0; k < f->top->narg; k++) map[f->top->arg[k]->id] = ir_input(g, f->top->arg[k]->type, "x");
  ir_clone_into(&(IrBuilder){.graph = g, .at = g->top}, f->top, map);
  for (int k = 0; k < f->top->nyield; k++) ir_output(g, map[f->top->yield[k]->id], "y");
  return g;
}

static Diags expand(IrGraph *g) {
  Diags d = {.arena = &arena};
  PassContext c = {&arena, &d};
  pass_autodiff(&c, g);
  char *wrong = ir_verify(g);
  if (wrong) {
    fprintf(stderr, "%s\n%s\n", wrong, ir_print(&arena, g));
    CU_FAIL("the expanded graph breaks a rule");
  }
  return d;
}

static bool expands_cleanly(const char *name, IrGraph *g) {
  Diags d = expand(g);
  if (d.first) fprintf(stderr, "%s: %s\n", name, d.first->message);
  CU_ASSERT_PTR_NULL(d.first);
  return !d.first;
}

static void run(const char *name, const IrGraph *g, const IrArray *in, IrArray *out) {
  IrEval how = {.typed = false};
  const char *why = ir_eval(&arena, &how, g, in, out);
  if (why) fprintf(stderr, "%s: %s\n", name, why);
  CU_ASSERT_PTR_NULL_FATAL(why);
}

static int numbers(const IrArray *a) { return (int)ir_count(&a->type) * (ir_is_complex(a->type.dtype) ? 2 : 1); }

static IrArray random_array(IrType t, double lo, double hi) {
  IrArray a = ir_array(&arena, t);
  for (int k = 0; k < numbers(&a); k++)
    if (ir_is_diff(t.dtype)) a.f[k] = uniform(lo, hi);
    else a.i[k] = (int64_t)floor(uniform(lo, hi + 1));
  return a;
}

// Re sum ct y over the differentiable outputs: the real function whose derivative a vjp gives.
static double weigh(const IrArray *y, int n, const IrArray *ct) {
  double s = 0;
  for (int k = 0, c = 0; k < n; k++) {
    if (!ir_is_diff(y[k].type.dtype)) continue;
    int z = ir_is_complex(y[k].type.dtype);
    for (int i = 0; i < numbers(&y[k]); i++) s += (z && (i & 1) ? -1 : 1) * ct[c].f[i] * y[k].f[i];
    c++;
  }
  return s;
}

static bool close_to(double got, double want) { return fabs(got - want) <= TOLERANCE * (1 + fabs(got) + fabs(want)); }

static void expect(const Fn *f, const char *what, int at, double got, double want) {
  bool good = close_to(got, want);
  if (!good) fprintf(stderr, "%s: %s, element %d: %.12g, by differences %.12g\n", f->name, what, at, got, want);
  CU_ASSERT(good);
}

static double differences(const Fn *f, const IrGraph *g, IrArray *in, double *x, const IrArray *ct) {
  IrArray y[2 * MOST];
  double at = *x, w[2];
  for (int s = 0; s < 2; s++) {
    *x = at + (s ? STEP : -STEP);
    run(f->name, g, in, y);
    w[s] = weigh(y, g->top->nyield, ct);
  }
  *x = at;
  return (w[1] - w[0]) / (2 * STEP);
}

// vjp: every element against differences. jvp: ct . jvp(t) against vjp(ct) . t, for random t.
static void check(const Fn *f) {
  IrGraph *g = copy(f->g), *back = run_derivative(f->g, IR_VJP), *forth = run_derivative(f->g, IR_JVP);
  if (!expands_cleanly(f->name, g) || !expands_cleanly(f->name, back) || !expands_cleanly(f->name, forth)) return;
  int n = f->g->top->narg, nx = 0, ny = 0;
  IrArray in[4 * MOST], dx[2 * MOST], dy[2 * MOST], t[2 * MOST], ct[2 * MOST];
  for (int k = 0; k < n; k++) {
    in[k] = random_array(f->g->top->arg[k]->type, f->lo[k], f->hi[k]);
    if (diff(f->g->top->arg[k])) t[nx++] = random_array(in[k].type, -1, 1);
  }
  for (int k = 0; k < f->g->top->nyield; k++)
    if (diff(f->g->top->yield[k])) ct[ny++] = random_array(f->g->top->yield[k]->type, -1, 1);
  memcpy(in + n, ct, sizeof *ct * (size_t)ny);
  run(f->name, back, in, dx);
  memcpy(in + n, t, sizeof *t * (size_t)nx);
  run(f->name, forth, in, dy);
  expect(f, "jvp", 0, weigh(dy, ny, ct), weigh(t, nx, dx));
  for (int k = 0, c = 0; k < n; k++) {
    if (!diff(f->g->top->arg[k])) continue;
    bool z = ir_is_complex(in[k].type.dtype);
    for (int i = 0; i < numbers(&in[k]); i++) {
      double want = differences(f, g, in, &in[k].f[i], ct);
      expect(f, "vjp", i, dx[c].f[i], z && (i & 1) ? -want : want);
    }
    c++;
  }
}

static void check2(const Fn *f) {
  check(f);
  Fn d = *f;
  d.g = run_derivative(f->g, IR_VJP);
  for (int k = f->g->top->narg; k < d.g->top->narg; k++) d.lo[k] = -1, d.hi[k] = 1;
  check(&d);
}

static void end_arena(void) { arena_free(&arena); }

// ---- elementwise ops, from the table
static const char *jvp_name(IrCode c) {
  static const char *const name[IR_NCODE] = {
#define OP(code, name, nin, nout, attrs, type, eval, jvp, transpose, batch, lower, doc) #jvp,
#include "ir/ops.def"
#undef OP
  };
  return name[c];
}

static bool has_run_derivative(IrCode c) { return strcmp(jvp_name(c), "zero"); }

static void range(IrCode c, double *lo, double *hi) {
  *lo = -2, *hi = 2;
  switch (c) {
  case IR_LOG: case IR_SQRT: case IR_RSQRT: case IR_POW: case IR_DIV: case IR_MOD: *lo = 0.4; break;
  case IR_LOG1P: *lo = -0.5; break;
  case IR_ERFINV: *lo = -0.8, *hi = 0.8; break;
  case IR_LGAMMA: case IR_DIGAMMA: case IR_POLYGAMMA: *lo = 0.5, *hi = 4; break;
  default: break;
  }
}

// The attributes of an elementwise op: how many.
static int order_of(IrCode c, IrAttr *at) {
  *at = ir_attr_int(&arena, A_N, 2);
  return c == IR_POLYGAMMA;
}

static bool takes(IrCode c, IrDtype t, int nin) {
  IrGraph *g = ir_graph(&arena, "try");
  IrType x = ir_type(t, 0, NULL), y;
  IrValue *in[3] = {ir_input(g, x, "x"), ir_input(g, x, "x"), ir_input(g, x, "x")};
  IrAttr at;
  int n;
  return !ir_infer(&arena, c, nin, in, &x, order_of(c, &at), &at, 0, NULL, &y, &n);
}

static void elementwise(IrCode c, IrDtype t, int rank, const int64_t *dim) {
  const IrInfo *info = &ir_info[c];
  Fn f = fn(info->name);
  double lo, hi;
  IrAttr at;
  IrValue *x[2];
  range(c, &lo, &hi);
  for (int k = 0; k < info->nin; k++) x[k] = input(&f, lo, hi, t, rank, dim);
  OUT(ir_build(&f.b, c, info->nin, x, &x[0]->type, order_of(c, &at), &at, 0, NULL)->out[0]);
  check2(&f);
}

static void test_elementwise(void) {
  static const int64_t shape[][3] = {{0}, {1}, {2, 3}, {2, 1, 2}};
  begin_arena();
  for (int c = 0; c < IR_NCODE; c++) {
    const IrInfo *info = &ir_info[c];
    if (info->lower != LOWER_ELEMENT || !has_run_derivative((IrCode)c) || info->nin > 2) continue;
    for (int rank = 0; rank < 4; rank++)
      if (takes((IrCode)c, IR_F64, info->nin)) elementwise((IrCode)c, IR_F64, rank, shape[rank]);
    if (takes((IrCode)c, IR_C128, info->nin)) elementwise((IrCode)c, IR_C128, 2, shape[2]);
  }
  end_arena();
}

static void test_one_operand_varies(void) {
  static const IrCode code[] = {IR_ADD, IR_SUB, IR_MUL, IR_DIV, IR_MOD, IR_POW, IR_MAX, IR_MIN, IR_ATAN2};
  begin_arena();
  for (int k = 0; k < (int)(sizeof code / sizeof *code); k++)
    for (int side = 0; side < 2; side++) {
      Fn f = fn(ir_info[code[k]].name);
      IrValue *x = IN(0.4, 2, 3), *c = ir_fill(&f.b, x->type, 1.3);
      OUT(ir_bin(&f.b, code[k], side ? c : x, side ? x : c));
      check2(&f);
    }
  Fn f = fn("square");
  IrValue *x = IN(-2, 2, 3);
  OUT(ir_bin(&f.b, IR_MUL, x, x));
  check2(&f);
  end_arena();
}

static void test_dtypes(void) {
  begin_arena();
  Fn f = fn("cast");
  IrValue *x = IN(-2, 2, 2, 2);
  IrValue *z = ir_cast(&f.b, ir_un(&f.b, IR_SIN, x), IR_C128);
  OUT(ir_cast(&f.b, ir_bin(&f.b, IR_MUL, z, z), IR_F64));
  OUT(ir_cast(&f.b, x, IR_I32));
  OUT(ir_cast(&f.b, ir_cast(&f.b, x, IR_F32), IR_F64));
  check2(&f);
  f = fn("modulus");
  IrValue *a = IN(-2, 2, 3), *b = IN(-2, 2, 3);
  z = ir_bin(&f.b, IR_COMPLEX, a, b);
  z = ir_bin(&f.b, IR_MUL, z, ir_un(&f.b, IR_EXP, z));
  OUT(ir_un(&f.b, IR_ABS, z));
  OUT(ir_bin(&f.b, IR_ADD, ir_un(&f.b, IR_IMAG, z), ir_un(&f.b, IR_REAL, ir_un(&f.b, IR_CONJ, z))));
  check2(&f);
  end_arena();
}

static void test_select(void) {
  begin_arena();
  for (int which = 0; which < 3; which++) {
    Fn f = fn("select");
    IrValue *x = IN(-2, 2, 4), *y = IN(-2, 2, 4), *c = ir_fill(&f.b, x->type, 2);
    IrValue *p = ir_bin(&f.b, IR_LT, x, y);
    OUT(ir_select(&f.b, p, which == 1 ? c : ir_bin(&f.b, IR_MUL, x, y), which == 2 ? c : ir_un(&f.b, IR_SIN, y)));
    check2(&f);
  }
  end_arena();
}

// ---- shape
static void test_shape(void) {
  begin_arena();
  Fn f = fn("shape");
  IrValue *x = IN(-2, 2, 2, 3), *s = SCALAR(-1, 1);
  IrBuilder *b = &f.b;
  IrValue *y = ir_transpose(b, ir_reshape(b, x, 3, LIST(1, 3, 2)), LIST(2, 0, 1));
  OUT(ir_bin(b, IR_MUL, y, ir_broadcast(b, s, y->type, NULL)));
  OUT(ir_broadcast(b, x, ir_type(IR_F64, 4, LIST(2, 2, 1, 3)), LIST(0, 3)));
  OUT(ir_broadcast(b, x, x->type, LIST(0, 1)));
  IrAttr at = ir_attr_ints(&arena, A_AXES, 1, LIST(1));
  IrValue *r = ir_build(b, IR_REVERSE, 1, &x, NULL, 1, &at, 0, NULL)->out[0];
  IrValue *parts[3] = {r, x, ir_fill(b, x->type, 1)};
  y = ir_concat(b, 3, parts, 1);
  OUT(ir_bin(b, IR_MUL, y, y));
  check2(&f);

  f = fn("slice");
  x = IN(-2, 2, 5, 7);
  OUT(ir_slice(b, x, LIST(1, 2), LIST(5, 7), LIST(1, 2)));
  OUT(ir_slice(b, x, LIST(0, 0), LIST(5, 7), LIST(3, 4)));
  OUT(ir_slice(b, x, LIST(2, 2), LIST(2, 7), LIST(1, 1)));
  check(&f);

  f = fn("pad");
  x = IN(-2, 2, 3, 4);
  OUT(ir_pad(b, x, LIST(1, 0), LIST(2, 1), LIST(0, 0)));
  OUT(ir_pad(b, x, LIST(-1, 2), LIST(1, -2), LIST(0, 0)));
  OUT(ir_pad(b, x, LIST(1, -2), LIST(0, -1), LIST(2, 1)));
  OUT(ir_pad(b, x, LIST(-1, -1), LIST(-2, -1), LIST(0, 1)));
  check(&f);
  end_arena();
}

static void test_indexed(void) {
  begin_arena();
  IrBuilder *b;
  Fn f = fn("dynamic_slice");
  b = &f.b;
  IrValue *x = IN(-2, 2, 4, 3), *i = input(&f, -1, 4, IR_I32, 0, NULL), *u = IN(-2, 2, 2, 2);
  IrAttr at = ir_attr_ints(&arena, A_SIZES, 2, LIST(2, 2));
  IrValue *in[4] = {x, i, i}, *up[4] = {x, u, i, i};
  OUT(ir_build(b, IR_DYN_SLICE, 3, in, NULL, 1, &at, 0, NULL)->out[0]);
  OUT(ir_un(b, IR_SIN, ir_build(b, IR_DYN_UPDATE, 4, up, NULL, 0, NULL, 0, NULL)->out[0]));
  check2(&f);

  f = fn("dynamic_slice twice");
  x = IN(-2, 2, 5);
  IrValue *zero = ir_fill(b, ir_scalar(IR_I32), 0), *two = ir_fill(b, ir_scalar(IR_I32), 2), *part[2];
  for (int k = 0; k < 2; k++) {
    IrAttr size = ir_attr_ints(&arena, A_SIZES, 1, LIST(3));
    IrValue *from[2] = {x, k ? two : zero};
    part[k] = ir_build(b, IR_DYN_SLICE, 2, from, NULL, 1, &size, 0, NULL)->out[0];
  }
  OUT(ir_bin(b, IR_MUL, part[0], part[1]));
  check2(&f);

  for (int nb = 0; nb < 2; nb++) {
    f = fn(nb ? "gather, batched" : "gather");
    x = nb ? IN(-2, 2, 2, 4, 3) : IN(-2, 2, 4, 3);
    i = nb ? INDEX(-1, 5, 2, 3) : INDEX(-1, 5, 2, 3);
    OUT(ir_gather(b, x, i, nb));
    OUT(ir_gather(b, ir_un(b, IR_SIN, x), i, nb));
    check2(&f);
  }
  end_arena();
}

static void test_scatter(void) {
  begin_arena();
  for (int mode = SCATTER_SET; mode <= SCATTER_MIN; mode++)
    for (int form = 0; form < 4; form++) {
      Fn f = fn("scatter");
      int nb = form & 1;
      IrValue *x = nb ? IN(-2, 2, 2, 4, 2) : IN(-2, 2, 4), *i = INDEX(-1, 5, 2, 3);
      IrValue *u = nb ? IN(-2, 2, 2, 3, 2) : IN(-2, 2, 2, 3);
      IrValue *c = ir_fill(&f.b, x->type, 0.1);
      OUT(ir_scatter(&f.b, form & 2 ? c : ir_bin(&f.b, IR_MUL, x, x), i, u, nb, (IrScatter)mode));
      check2(&f);
    }
  end_arena();
}

// ---- reductions
static void test_reductions(void) {
  static const IrCode code[] = {IR_SUM, IR_PROD, IR_RMAX, IR_RMIN};
  begin_arena();
  for (int k = 0; k < 4; k++) {
    Fn f = fn(ir_info[code[k]].name);
    IrValue *x = IN(-2, 2, 2, 3, 1);
    OUT(ir_reduce(&f.b, code[k], x, AXES(1)));
    OUT(ir_reduce(&f.b, code[k], x, AXES(0, 1, 2)));
    OUT(ir_reduce(&f.b, code[k], x, AXES(0, 2)));
    OUT(ir_reduce(&f.b, code[k], x, AXES(2)));
    OUT(ir_reduce(&f.b, code[k], x, 0, NULL));
    check2(&f);
  }
  Fn f = fn("sum of squares, complex");
  IrValue *z = input(&f, -1, 1, IR_C128, 1, LIST(4));
  OUT(ir_reduce(&f.b, IR_SUM, ir_bin(&f.b, IR_MUL, z, z), AXES(0)));
  check2(&f);
  end_arena();
}

static IrValue *along(Fn *f, IrCode c, IrValue *x, int axis, int reverse) {
  IrAttr at[2] = {ir_attr_int(&arena, A_AXIS, axis), ir_attr_int(&arena, A_REVERSE, reverse)};
  return ir_build(&f->b, c, 1, &x, NULL, 2, at, 0, NULL)->out[0];
}

static void test_cumulative(void) {
  static const IrCode code[] = {IR_CUMSUM, IR_CUMPROD, IR_CUMMAX};
  begin_arena();
  for (int k = 0; k < 3; k++)
    for (int reverse = 0; reverse < 2; reverse++) {
      Fn f = fn(ir_info[code[k]].name);
      IrValue *x = IN(-2, 2, 2, 4), *v = IN(-2, 2, 5), *one = IN(-2, 2, 1);
      OUT(along(&f, code[k], x, 0, reverse));
      OUT(along(&f, code[k], x, 1, reverse));
      OUT(along(&f, code[k], v, 0, reverse));
      OUT(along(&f, code[k], one, 0, reverse));
      check2(&f);
    }
  end_arena();
}

// Products with zeros in them: the factor of each element is the product of the others.
static void test_products_of_zeros(void) {
  begin_arena();
  for (int cumulative = 0; cumulative < 2; cumulative++) {
    Fn f = fn("product of zeros");
    IrValue *x = IN(-2, 2, 4), *keep = ir_const(&f.b, x->type, (double[]){1, 0, 1, cumulative}, 32);
    IrValue *y = ir_bin(&f.b, IR_MUL, x, keep);
    y = ir_bin(&f.b, IR_ADD, y, ir_bin(&f.b, IR_SUB, x, ir_un(&f.b, IR_STOP_GRAD, x)));
    OUT(cumulative ? along(&f, IR_CUMPROD, y, 0, 0) : ir_reduce(&f.b, IR_PROD, y, AXES(0)));
    IrGraph *back = run_derivative(f.g, IR_VJP);
    CU_ASSERT(expands_cleanly(f.name, back));
    IrArray in[2] = {ir_array_from(&arena, x->type, (double[]){3, 5, 7, 2}), ir_array(&arena, f.g->top->yield[0]->type)}, dx;
    in[1].f[cumulative ? 2 : 0] = 1;      // y: 3, 0, 7, 0 or 2
    run(f.name, back, in, &dx);
    CU_ASSERT_DOUBLE_EQUAL(dx.f[1], cumulative ? 21 : 0, 1e-12);
    CU_ASSERT_DOUBLE_EQUAL(dx.f[0], 0, 1e-12);
    CU_ASSERT_DOUBLE_EQUAL(dx.f[3], 0, 1e-12);
  }
  end_arena();
}

// ---- products
static void test_dot(void) {
  begin_arena();
  for (int ta = 0; ta < 2; ta++)
    for (int tb = 0; tb < 2; tb++)
      for (int batched = 0; batched < 2; batched++) {
        Fn f = fn("dot");
        int64_t x[3] = {2, ta ? 4 : 3, ta ? 3 : 4}, z[3] = {2, tb ? 2 : 4, tb ? 4 : 2};
        IrValue *a = input(&f, -1, 1, IR_F64, 2 + batched, x + !batched);
        IrValue *c = input(&f, -1, 1, IR_F64, 2 + batched, z + !batched);
        OUT(ir_dot(&f.b, a, c, batched, ta, tb));
        check2(&f);
      }
  Fn f = fn("dot with itself");
  IrValue *x = IN(-1, 1, 3, 3);
  OUT(ir_dot(&f.b, x, x, 0, false, true));
  check2(&f);
  f = fn("dot, complex");
  x = input(&f, -1, 1, IR_C128, 2, LIST(2, 2));
  IrValue *z = input(&f, -1, 1, IR_C128, 2, LIST(2, 2));
  OUT(ir_dot(&f.b, x, z, 0, true, false));
  check2(&f);
  end_arena();
}

static void test_conv(void) {
  static const int64_t form[][8] = {      // stride, lo, hi, dilate
    {1, 1, 0, 0, 0, 0, 1, 1}, {2, 1, 1, 0, 1, 2, 1, 1}, {1, 2, 0, 1, 0, 0, 2, 1}, {3, 2, 1, -1, 1, 0, 1, 2}};
  begin_arena();
  for (int k = 0; k < 4; k++)
    for (int groups = 1; groups < 3; groups++) {
      Fn f = fn("conv");
      IrValue *in[2] = {IN(-1, 1, 2, 5, 4, 2), IN(-1, 1, 2, 2, 2 / groups, 2)};
      IrAttr at[5] = {ir_attr_ints(&arena, A_STRIDE, 2, form[k]), ir_attr_ints(&arena, A_LO, 2, form[k] + 2),
                      ir_attr_ints(&arena, A_HI, 2, form[k] + 4), ir_attr_ints(&arena, A_DILATE, 2, form[k] + 6),
                      ir_attr_int(&arena, A_GROUPS, groups)};
      IrValue *y = ir_build(&f.b, IR_CONV, 2, in, NULL, 5, at, 0, NULL)->out[0];
      OUT(y);
      k == 1 ? check2(&f) : check(&f);
      if (k != 1) continue;
      for (int c = IR_CONV_DX; c <= IR_CONV_DW; c++) {
        f = fn(ir_info[c].name);
        IrValue *dy = input(&f, -1, 1, IR_F64, 4, y->type.dim);
        IrValue *other = input(&f, -1, 1, IR_F64, 4, in[c == IR_CONV_DX]->type.dim);
        IrValue *to[2] = {c == IR_CONV_DX ? dy : other, c == IR_CONV_DX ? other : dy};
        OUT(ir_build(&f.b, (IrCode)c, 2, to, &in[c != IR_CONV_DX]->type, 5, at, 0, NULL)->out[0]);
        check2(&f);
      }
    }
  end_arena();
}

static void test_linear_algebra(void) {
  begin_arena();
  Fn f = fn("cholesky");
  IrValue *x = IN(-0.5, 0.5, 2, 3, 3);
  IrValue *eye = ir_broadcast(&f.b, ir_const(&f.b, ir_type(IR_F64, 2, LIST(3, 3)),
                                             (double[]){2, 0, 0, 0, 2, 0, 0, 0, 2}, 72), x->type, LIST(1, 2));
  IrValue *l = ir_un(&f.b, IR_CHOLESKY, ir_bin(&f.b, IR_ADD, x, eye));
  OUT(l);
  check2(&f);
  for (int ta = 0; ta < 2; ta++) {
    f = fn("triangular_solve");
    IrValue *in[2] = {IN(0.5, 1.5, 2, 3, 3), IN(-1, 1, 2, 3, 2)};
    IrAttr at = ir_attr_int(&arena, A_TA, ta);
    OUT(ir_build(&f.b, IR_TRISOLVE, 2, in, NULL, 1, &at, 0, NULL)->out[0]);
    check2(&f);
  }
  end_arena();
}

static IrOp *one(Fn *f, IrCode c, IrValue *x) { return ir_build(&f->b, c, 1, &x, NULL, 0, NULL, 0, NULL); }

// |z|^2: free of the phase of complex eigenvectors.
static IrValue *modulus(Fn *f, IrValue *z) { return ir_un(&f->b, IR_REAL, ir_bin(&f->b, IR_MUL, z, ir_un(&f->b, IR_CONJ, z))); }

static IrValue *with_diagonal(Fn *f, IrValue *x, const double *d) {
  double data[32] = {0};
  int z = ir_is_complex(x->type.dtype) ? 2 : 1;
  int m = (int)x->type.dim[x->type.rank - 2], n = (int)x->type.dim[x->type.rank - 1];
  for (int k = 0; k < n && k < m; k++) data[z * (k * n + k)] = d[k];
  IrValue *c = ir_const(&f->b, ir_type(x->type.dtype, 2, LIST(m, n)), data, (size_t)(8 * z * m * n));
  return ir_bin(&f->b, IR_ADD, x, ir_spread(&f->b, c, x->type.rank, x->type.dim));
}

static void test_decompositions(void) {
  static const double apart[] = {1, 3, 6};
  begin_arena();
  for (int m = 3; m < 5; m++) {
    Fn f = fn("qr");
    IrOp *op = one(&f, IR_QR, with_diagonal(&f, IN(-0.5, 0.5, 2, m, 3), apart));
    OUT(op->out[0]);
    OUT(op->out[1]);
    m == 3 ? check2(&f) : check(&f);
    f = fn("svd");
    op = one(&f, IR_SVD, with_diagonal(&f, IN(-0.4, 0.4, 2, m, 3), apart));
    for (int k = 0; k < 3; k++) OUT(op->out[k]);
    m == 4 ? check2(&f) : check(&f);
  }
  Fn f = fn("lu");
  OUT(one(&f, IR_LU, with_diagonal(&f, IN(-0.5, 0.5, 2, 3, 3), apart))->out[0]);
  check2(&f);
  f = fn("eigh");
  IrOp *op = one(&f, IR_EIGH, with_diagonal(&f, IN(-0.4, 0.4, 2, 3, 3), apart));
  OUT(op->out[0]);
  OUT(op->out[1]);
  check2(&f);
  f = fn("eigh, Hermitian");
  op = one(&f, IR_EIGH, with_diagonal(&f, input(&f, -0.4, 0.4, IR_C128, 2, LIST(3, 3)), apart));
  OUT(op->out[0]);
  OUT(modulus(&f, op->out[1]));
  check(&f);
  f = fn("eig");
  OUT(one(&f, IR_EIG, with_diagonal(&f, IN(-0.4, 0.4, 3, 3), apart))->out[0]);
  check2(&f);
  f = fn("eig, rotations");       // 1 and a pair of conjugates
  OUT(one(&f, IR_EIG, with_diagonal(&f, ir_bin(&f.b, IR_ADD, IN(-0.1, 0.1, 3, 3),
      ir_const(&f.b, ir_type(IR_F64, 2, LIST(3, 3)), (double[]){0, 1, 0, -1, 0, 0, 0, 0, 0}, 72)), apart))->out[0]);
  check(&f);
  for (int reverse = 0; reverse < 2; reverse++) {
    f = fn("fft");
    IrValue *x = input(&f, -1, 1, IR_C128, 2, LIST(2, 6));
    IrAttr at = ir_attr_int(&arena, A_REVERSE, reverse);
    IrValue *y = ir_build(&f.b, IR_FFT, 1, &x, NULL, 1, &at, 0, NULL)->out[0];
    OUT(ir_bin(&f.b, IR_MUL, y, y));
    check2(&f);
  }
  end_arena();
}

// ---- conventions
static double grad_at(Fn *f, const double *x) {
  IrGraph *back = run_derivative(f->g, IR_VJP);
  CU_ASSERT(expands_cleanly(f->name, back));
  IrArray in[2] = {ir_array_from(&arena, f->g->top->arg[0]->type, x), ir_array(&arena, f->g->top->yield[0]->type)}, dx;
  for (int k = 0; k < numbers(&in[1]); k++) in[1].f[k] = 1;
  run(f->name, back, in, &dx);
  return dx.f[0];
}

static void test_conventions(void) {
  begin_arena();
  const double zero = 0, nan[2] = {0, 1};
  Fn f = fn("max(x, 0) at 0");
  IrValue *x = SCALAR(0, 0);
  OUT(ir_bin(&f.b, IR_MAX, x, ir_fill(&f.b, x->type, 0)));
  CU_ASSERT_EQUAL(grad_at(&f, &zero), 0.5);
  f = fn("max(x, x)");
  x = SCALAR(0, 0);
  OUT(ir_bin(&f.b, IR_MAX, x, x));
  CU_ASSERT_EQUAL(grad_at(&f, &zero), 1);
  f = fn("abs at 0");
  x = SCALAR(0, 0);
  OUT(ir_un(&f.b, IR_ABS, x));
  CU_ASSERT_EQUAL(grad_at(&f, &zero), 0);
  f = fn("0^0, in the base");
  x = SCALAR(0, 0);
  OUT(ir_bin(&f.b, IR_POW, x, ir_bin(&f.b, IR_MUL, ir_un(&f.b, IR_STOP_GRAD, x), ir_fill(&f.b, x->type, 1))));
  CU_ASSERT_EQUAL(grad_at(&f, &zero), 0);
  f = fn("0^x at 0");
  x = SCALAR(0, 0);
  OUT(ir_bin(&f.b, IR_POW, ir_fill(&f.b, x->type, 0), x));
  CU_ASSERT_EQUAL(grad_at(&f, &zero), 0);
  f = fn("reduce_max over four ties");
  x = IN(0, 0, 4);
  OUT(ir_reduce(&f.b, IR_RMAX, x, AXES(0)));
  CU_ASSERT_EQUAL(grad_at(&f, (double[]){3, 3, 3, 3}), 0.25);
  f = fn("select leaves out the sqrt of 0");
  x = IN(0, 0, 2);
  OUT(ir_select(&f.b, ir_bin(&f.b, IR_GT, x, ir_fill(&f.b, x->type, 0)), x, ir_fill(&f.b, x->type, 2)));
  CU_ASSERT_EQUAL(grad_at(&f, nan), 0);
  f = fn("stop_grad");
  x = SCALAR(0, 0);
  OUT(ir_bin(&f.b, IR_MUL, x, ir_un(&f.b, IR_STOP_GRAD, x)));
  CU_ASSERT_EQUAL(grad_at(&f, (double[]){3}), 3);
  end_arena();
}

// ---- control
static IrRegion *enter(Fn *f, IrRegion **outer) {
  *outer = f->b.at;
  return f->b.at = ir_region(f->g);
}

static IrValue *arg(IrRegion *r, IrDtype t, int rank, const int64_t *dim) { return ir_arg(r, ir_type(t, rank, dim)); }

static IrOp *loop(Fn *f, IrCode c, int n, int reverse, int nc, int nin, IrValue **in, IrRegion *body, IrRegion *outer) {
  IrAttr at[3] = {ir_attr_int(&arena, A_N, n), ir_attr_int(&arena, A_REVERSE, reverse), ir_attr_int(&arena, A_NCARRY, nc)};
  f->b.at = outer;
  return ir_build(&f->b, c, nin, in, NULL, c == IR_MAP ? 1 : 3, at, 1, &body);
}

static IrValue *add(Fn *f, IrValue *x, IrValue *y) { return ir_bin(&f->b, IR_ADD, x, y); }
static IrValue *mul(Fn *f, IrValue *x, IrValue *y) { return ir_bin(&f->b, IR_MUL, x, y); }

// A recurrent net: h, a counter and a carry that nothing varies are carried; w and a second array are
// captured, one of them seen only by an op that is the same each turn.
static Fn recurrent(int n, int reverse) {
  Fn f = fn("recurrent net");
  IrValue *h0 = IN(-1, 1, 1, 3), *w = IN(-1, 1, 3, 3), *xs = IN(-1, 1, n, 1, 3), *bias = IN(-1, 1, 1, 3);
  IrValue *count = input(&f, 0, 3, IR_I32, 0, NULL);
  IrRegion *outer, *body = enter(&f, &outer);
  IrValue *turn = arg(body, IR_I32, 0, NULL), *h = arg(body, IR_F64, 2, LIST(1, 3)), *c = arg(body, IR_I32, 0, NULL);
  IrValue *k = arg(body, IR_F64, 0, NULL), *x = arg(body, IR_F64, 2, LIST(1, 3));
  IrValue *now = ir_cast(&f.b, ir_bin(&f.b, IR_ADD, turn, c), IR_F64);
  IrValue *pre = add(&f, ir_dot(&f.b, h, ir_un(&f.b, IR_SIN, w), 0, false, false), mul(&f, x, ir_broadcast(&f.b, now, x->type, NULL)));
  IrValue *next = ir_un(&f.b, IR_TANH, add(&f, pre, ir_un(&f.b, IR_EXP, bias)));
  ir_yield(body, next);
  ir_yield(body, ir_bin(&f.b, IR_ADD, c, ir_fill(&f.b, c->type, 1)));
  ir_yield(body, ir_bin(&f.b, IR_ADD, k, k));
  ir_yield(body, mul(&f, ir_reduce(&f.b, IR_SUM, mul(&f, next, h), AXES(0, 1)), k));
  ir_yield(body, c);
  IrValue *in[4] = {h0, count, NULL, xs};
  f.b.at = outer;
  in[2] = ir_fill(&f.b, ir_scalar(IR_F64), 0.5);
  IrOp *op = loop(&f, IR_SCAN, n, reverse, 3, 4, in, body, outer);
  for (int o = 0; o < op->nout; o++) OUT(op->out[o]);
  return f;
}

static void test_scan(void) {
  begin_arena();
  for (int n = 0; n < 4; n++)
    for (int reverse = 0; reverse < 2; reverse++) {
      Fn f = recurrent(n, reverse);
      n == 3 ? check2(&f) : check(&f);
    }
  end_arena();
}

static IrOp *find(IrRegion *r, IrCode c, int skip) {
  ir_each_op(r, op)
    if (op->code == c && skip-- == 0) return op;
  return NULL;
}

// What is the same each turn is moved out of the loop; slices, the turn and what follows from them by
// cheap arithmetic are not stacked.
static void test_residuals(void) {
  begin_arena();
  Fn f = fn("residuals");
  IrValue *h0 = IN(-1, 1, 1, 3), *w = IN(-1, 1, 3, 3), *xs = IN(-1, 1, 4, 1, 3);
  IrRegion *outer, *body = enter(&f, &outer);
  IrValue *turn = arg(body, IR_I32, 0, NULL), *h = arg(body, IR_F64, 2, LIST(1, 3)), *x = arg(body, IR_F64, 2, LIST(1, 3));
  IrValue *scaled = mul(&f, x, ir_broadcast(&f.b, ir_cast(&f.b, turn, IR_F64), x->type, NULL));
  IrValue *pre = ir_dot(&f.b, h, ir_un(&f.b, IR_EXP, w), 0, false, false);
  ir_yield(body, ir_un(&f.b, IR_TANH, mul(&f, pre, scaled)));
  IrValue *in[2] = {h0, xs};
  OUT(loop(&f, IR_SCAN, 4, 0, 1, 2, in, body, outer)->out[0]);
  check2(&f);
  IrGraph *g = run_derivative(f.g, IR_VJP);
  CU_ASSERT(expands_cleanly(f.name, g));
  IrOp *primal = find(g->top, IR_SCAN, 0), *back = find(g->top, IR_SCAN, 1);
  CU_ASSERT_PTR_NOT_NULL_FATAL(back);
  CU_ASSERT_EQUAL(primal->nout, 1 + 3);      // h; stacked: 1 - tanh^2, the product before it, h
  CU_ASSERT_EQUAL(ir_int(back, A_REVERSE), 1);
  CU_ASSERT_PTR_NULL(find(back->sub[0], IR_EXP, 0));
  CU_ASSERT_PTR_NULL(find(primal->sub[0], IR_EXP, 0));
  end_arena();
}

static void test_nested_scan(void) {
  begin_arena();
  Fn f = fn("nested scan");
  IrValue *s0 = SCALAR(-1, 1), *w = SCALAR(-1, 1), *xs = IN(-1, 1, 3, 2);
  IrRegion *outer, *mid, *body = enter(&f, &outer);
  arg(body, IR_I32, 0, NULL);
  IrValue *s = arg(body, IR_F64, 0, NULL), *row = arg(body, IR_F64, 1, LIST(2)), *local = ir_un(&f.b, IR_SIN, s);
  IrRegion *inner = enter(&f, &mid);
  arg(inner, IR_I32, 0, NULL);
  IrValue *t = arg(inner, IR_F64, 0, NULL), *x = arg(inner, IR_F64, 0, NULL);
  IrValue *u = add(&f, mul(&f, mul(&f, t, w), local), ir_un(&f.b, IR_COS, x));
  ir_yield(inner, u);
  ir_yield(inner, mul(&f, u, s));
  IrValue *in2[2] = {s, row};
  IrOp *op = loop(&f, IR_SCAN, 2, 1, 1, 2, in2, inner, mid);
  ir_yield(body, op->out[0]);
  ir_yield(body, ir_un(&f.b, IR_TANH, op->out[1]));
  IrValue *in[2] = {s0, xs};
  op = loop(&f, IR_SCAN, 3, 0, 1, 2, in, body, outer);
  OUT(op->out[0]);
  OUT(op->out[1]);
  check2(&f);
  end_arena();
}

// A cond in a scan, so that both sides are taken: an array slot is read and written in one.
static void test_cond(void) {
  begin_arena();
  Fn f = fn("cond in scan");
  IrValue *x0 = IN(-1, 1, 3), *w = IN(-1, 1, 3);
  IrRegion *outer, *mid, *body = enter(&f, &outer), *side[2];
  IrValue *turn = arg(body, IR_I32, 0, NULL), *x = arg(body, IR_F64, 1, LIST(3)), *local = ir_un(&f.b, IR_EXP, x);
  IrValue *odd = ir_bin(&f.b, IR_EQ, ir_bin(&f.b, IR_AND, turn, ir_fill(&f.b, turn->type, 1)), ir_fill(&f.b, turn->type, 1));
  side[0] = enter(&f, &mid);
  ir_yield(side[0], ir_un(&f.b, IR_SIN, mul(&f, ir_un(&f.b, IR_TANH, x), w)));
  ir_yield(side[0], ir_fill(&f.b, ir_scalar(IR_F64), 1));
  f.b.at = mid;
  side[1] = enter(&f, &mid);
  IrValue *y = ir_un(&f.b, IR_COS, local);
  ir_yield(side[1], mul(&f, y, x));
  ir_yield(side[1], ir_reduce(&f.b, IR_SUM, mul(&f, y, y), AXES(0)));
  f.b.at = mid;
  IrOp *op = ir_build(&f.b, IR_COND, 1, &odd, NULL, 0, NULL, 2, side);
  ir_yield(body, op->out[0]);
  ir_yield(body, op->out[1]);
  op = loop(&f, IR_SCAN, 4, 0, 1, 1, &x0, body, outer);
  OUT(op->out[0]);
  OUT(op->out[1]);
  check2(&f);

  f = fn("cond that passes values through");
  IrValue *p = SCALAR(-1, 1), *q = SCALAR(-1, 1);
  IrValue *less = ir_bin(&f.b, IR_LT, p, ir_fill(&f.b, p->type, 2));
  side[0] = enter(&f, &mid);
  ir_yield(side[0], p);
  f.b.at = mid;
  side[1] = enter(&f, &mid);
  ir_yield(side[1], mul(&f, q, q));
  f.b.at = mid;
  OUT(ir_build(&f.b, IR_COND, 1, &less, NULL, 0, NULL, 2, side)->out[0]);
  check2(&f);
  end_arena();
}

static void test_map(void) {
  begin_arena();
  Fn f = fn("map");
  IrValue *xs = IN(-1, 1, 3, 2), *w = IN(-1, 1, 2);
  IrRegion *outer, *mid, *body = enter(&f, &outer);
  IrValue *lane = arg(body, IR_I32, 0, NULL), *x = arg(body, IR_F64, 1, LIST(2));
  IrValue *k = ir_broadcast(&f.b, ir_cast(&f.b, lane, IR_F64), x->type, NULL);
  IrRegion *inner = enter(&f, &mid);
  arg(inner, IR_I32, 0, NULL);
  IrValue *s = arg(inner, IR_F64, 1, LIST(2));
  ir_yield(inner, ir_un(&f.b, IR_SIN, mul(&f, s, w)));
  IrOp *op = loop(&f, IR_SCAN, 2, 0, 1, 1, &x, inner, mid);
  ir_yield(body, mul(&f, ir_un(&f.b, IR_TANH, mul(&f, x, w)), k));
  ir_yield(body, op->out[0]);
  ir_yield(body, lane);
  op = loop(&f, IR_MAP, 3, 0, 0, 1, &xs, body, outer);
  OUT(op->out[0]);
  OUT(op->out[1]);
  OUT(op->out[2]);
  check2(&f);
  end_arena();
}

// x halved until it is small, in lanes that part; how often, as a float. Locally constant.
static IrValue *halvings(Fn *f, IrValue *x) {
  IrValue *in[2] = {ir_un(&f->b, IR_STOP_GRAD, x), ir_fill(&f->b, ir_scalar(IR_I32), 0)};
  IrRegion *outer, *test = enter(f, &outer);
  IrValue *a = arg(test, IR_F64, 0, NULL);
  arg(test, IR_I32, 0, NULL);
  ir_yield(test, ir_bin(&f->b, IR_GT, a, ir_fill(&f->b, a->type, 0.3)));
  f->b.at = outer;
  IrRegion *body = enter(f, &outer), *both[2] = {test, body};
  a = arg(body, IR_F64, 0, NULL);
  IrValue *n = arg(body, IR_I32, 0, NULL);
  ir_yield(body, mul(f, a, ir_fill(&f->b, a->type, 0.5)));
  ir_yield(body, ir_bin(&f->b, IR_ADD, n, ir_fill(&f->b, n->type, 1)));
  f->b.at = outer;
  return ir_cast(&f->b, ir_build(&f->b, IR_WHILE, 2, in, NULL, 0, NULL, 2, both)->out[1], IR_F64);
}

// A branch with a loop whose turns differ stays in a map, and is run backward in one.
static void test_map_that_stays(void) {
  begin_arena();
  Fn f = fn("map of branches");
  IrValue *xs = IN(-2, 2, 6), *scale = SCALAR(0.5, 1);
  IrRegion *outer, *inner, *body = enter(&f, &outer);
  arg(body, IR_I32, 0, NULL);
  IrValue *x = arg(body, IR_F64, 0, NULL), *p = ir_bin(&f.b, IR_GT, x, ir_fill(&f.b, x->type, 0));
  IrRegion *yes = enter(&f, &inner);
  ir_yield(yes, mul(&f, halvings(&f, x), mul(&f, x, ir_un(&f.b, IR_SIN, scale))));
  f.b.at = inner;
  IrRegion *no = enter(&f, &inner), *sides[2] = {yes, no};
  ir_yield(no, mul(&f, ir_un(&f.b, IR_TANH, x), scale));
  f.b.at = inner;
  ir_yield(body, ir_build(&f.b, IR_COND, 1, &p, NULL, 0, NULL, 2, sides)->out[0]);
  OUT(loop(&f, IR_MAP, 6, 0, 0, 1, &xs, body, outer)->out[0]);
  check2(&f);
  IrGraph *g = run_derivative(f.g, IR_VJP);
  CU_ASSERT(expands_cleanly(f.name, g));
  CU_ASSERT_PTR_NOT_NULL(find(g->top, IR_MAP, 1));
  end_arena();
}

static int count(const IrRegion *r, IrCode c) {
  int n = 0;
  ir_each_op(r, op) {
    n += op->code == c;
    for (int k = 0; k < op->nregion; k++) n += count(op->sub[k], c);
  }
  return n;
}

static IrGraph *simplified(const IrGraph *g) {
  IrGraph *s = copy(g);
  CU_ASSERT(expands_cleanly("remat", s));
  pass_simplify(&(PassContext){.arena = &arena}, s);
  return s;
}

// y = sin(tanh(x w)) s; the tanh is in a remat, or not.
static Fn rematted(bool again) {
  Fn f = fn("remat");
  IrValue *x = IN(-1, 1, 3), *w = IN(-1, 1, 3), *s = SCALAR(-1, 1), *y;
  IrRegion *outer, *body = again ? enter(&f, &outer) : NULL;
  y = ir_un(&f.b, IR_SIN, ir_un(&f.b, IR_TANH, mul(&f, x, w)));
  if (again) {
    ir_yield(body, y);
    ir_yield(body, ir_fill(&f.b, s->type, 2));
    f.b.at = outer;
    y = ir_build(&f.b, IR_REMAT, 0, NULL, NULL, 0, NULL, 1, &body)->out[0];
  }
  OUT(mul(&f, y, ir_broadcast(&f.b, s, y->type, NULL)));
  return f;
}

// What is inside is computed twice, on the way back after the cotangent has come, and CSE does not undo it.
static void test_remat(void) {
  begin_arena();
  for (int again = 0; again < 2; again++) {
    Fn f = rematted(again);
    check2(&f);
    IrGraph *g = simplified(run_derivative(f.g, IR_VJP));
    CU_ASSERT_EQUAL(count(g->top, IR_TANH), 1 + again);
    CU_ASSERT_EQUAL(count(g->top, IR_AFTER) > 0, again);
    g = simplified(f.g);
    CU_ASSERT_EQUAL(count(g->top, IR_TANH), 1);
    CU_ASSERT_EQUAL(count(g->top, IR_AFTER), 0);
    CU_ASSERT_EQUAL(count(simplified(run_derivative(f.g, IR_JVP))->top, IR_TANH), 1);
  }
  Fn f = fn("nested remat");
  IrValue *x = IN(-1, 1, 2);
  IrRegion *outer, *mid, *body = enter(&f, &outer);
  IrValue *a = ir_un(&f.b, IR_SIN, x);
  IrRegion *inner = enter(&f, &mid);
  ir_yield(inner, ir_un(&f.b, IR_TANH, ir_un(&f.b, IR_EXP, a)));
  f.b.at = mid;
  ir_yield(body, mul(&f, a, ir_build(&f.b, IR_REMAT, 0, NULL, NULL, 0, NULL, 1, &inner)->out[0]));
  f.b.at = outer;
  OUT(ir_build(&f.b, IR_REMAT, 0, NULL, NULL, 0, NULL, 1, &body)->out[0]);
  check2(&f);
  end_arena();
}

// A scan whose body is a remat keeps its carries and nothing else.
static void test_remat_in_scan(void) {
  begin_arena();
  int kept[2];
  for (int again = 0; again < 2; again++) {
    Fn f = fn("remat in scan");
    IrValue *h0 = IN(-1, 1, 3), *w = IN(-1, 1, 3), *xs = IN(-1, 1, 4, 3);
    IrRegion *outer, *mid, *body = enter(&f, &outer), *inner = NULL;
    arg(body, IR_I32, 0, NULL);
    IrValue *h = arg(body, IR_F64, 1, LIST(3)), *x = arg(body, IR_F64, 1, LIST(3));
    if (again) inner = enter(&f, &mid);
    IrValue *y = ir_un(&f.b, IR_TANH, mul(&f, w, ir_un(&f.b, IR_SIN, add(&f, x, ir_un(&f.b, IR_EXP, h)))));
    if (again) {
      ir_yield(inner, y);
      f.b.at = mid;
      y = ir_build(&f.b, IR_REMAT, 0, NULL, NULL, 0, NULL, 1, &inner)->out[0];
    }
    ir_yield(body, y);
    OUT(loop(&f, IR_SCAN, 4, 0, 1, 2, (IrValue *[]){h0, xs}, body, outer)->out[0]);
    check2(&f);
    IrGraph *g = simplified(run_derivative(f.g, IR_VJP));
    kept[again] = find(g->top, IR_SCAN, 0)->nout;
  }
  CU_ASSERT_EQUAL(kept[1], 1 + 1);   // the last h; each turn's h
  CU_ASSERT(kept[0] > kept[1]);
  end_arena();
}

// y = x^2 repeated until it is small.
static Fn shrinking(void) {
  Fn f = fn("while");
  IrValue *x0 = SCALAR(0.5, 0.9);
  IrRegion *outer, *test = enter(&f, &outer);
  IrValue *x = arg(test, IR_F64, 0, NULL);
  ir_yield(test, ir_bin(&f.b, IR_GT, x, ir_fill(&f.b, x->type, 0.1)));
  f.b.at = outer;
  IrRegion *body = enter(&f, &outer), *both[2] = {test, body};
  x = arg(body, IR_F64, 0, NULL);
  ir_yield(body, mul(&f, x, x));
  f.b.at = outer;
  f.b.loc = (Loc){.line = 7, .col = 3, .width = 1};
  OUT(ir_build(&f.b, IR_WHILE, 1, &x0, NULL, 0, NULL, 2, both)->out[0]);
  return f;
}

static void refused(const Fn *f, IrCode code, const char *message, const char *help) {
  Diags d = expand(run_derivative(f->g, code));
  CU_ASSERT_PTR_NOT_NULL_FATAL(d.first);
  if (!strstr(d.first->message, message)) fprintf(stderr, "%s: %s\n", f->name, d.first->message);
  CU_ASSERT_PTR_NOT_NULL(strstr(d.first->message, message));
  CU_ASSERT_PTR_NOT_NULL(strstr(d.first->help, help));
  CU_ASSERT_EQUAL(d.first->loc.line, 7);
  CU_ASSERT_EQUAL(d.count, 1);
}

static void test_while(void) {
  begin_arena();
  Fn f = shrinking();
  IrGraph *forth = run_derivative(f.g, IR_JVP), *g = copy(f.g);
  CU_ASSERT(expands_cleanly(f.name, forth) && expands_cleanly(f.name, g));
  IrArray in[2] = {ir_array(&arena, ir_scalar(IR_F64)), ir_array(&arena, ir_scalar(IR_F64))}, dy, one = in[1];
  in[0].f[0] = 0.7;
  in[1].f[0] = 1;
  run(f.name, forth, in, &dy);
  expect(&f, "jvp", 0, dy.f[0], differences(&f, g, in, &in[0].f[0], &one));
  refused(&f, IR_VJP, "`while` cannot be differentiated in reverse", "`for` or `scan`");
  Fn twice = f;
  twice.g = run_derivative(f.g, IR_VJP);
  refused(&twice, IR_VJP, "`while` cannot be differentiated in reverse", "`for` or `scan`");   // said once

  // One that the differentiated output does not depend on is no obstacle.
  IrValue *x = f.g->top->arg[0];
  Fn h = fn("while aside");
  IrValue *y = input(&h, 0.5, 0.9, IR_F64, 0, NULL), **map = arena_array(&arena, IrValue *, f.g->nvalue + 1);
  map[x->id] = y;
  ir_clone_into(&h.b, f.g->top, map);
  ir_output(h.g, mul(&h, y, ir_un(&h.b, IR_STOP_GRAD, map[f.g->top->yield[0]->id])), "y");
  CU_ASSERT(expands_cleanly(h.name, run_derivative(h.g, IR_VJP)));
  end_arena();
}

static void test_refused(void) {
  begin_arena();
  Fn f = fn("greatest order");
  IrValue *x = IN(0.5, 1, 3, 2);
  IrAttr at = ir_attr_int(&arena, A_N, IR_MAX_ORDER);
  f.b.loc = (Loc){.line = 7, .col = 3, .width = 1};
  OUT(ir_build(&f.b, IR_POLYGAMMA, 1, &x, NULL, 1, &at, 0, NULL)->out[0]);
  refused(&f, IR_VJP, "order 170, the greatest there is, cannot be differentiated", "stop_grad");
  refused(&f, IR_JVP, "order 170, the greatest there is, cannot be differentiated", "stop_grad");
  end_arena();
}

// y = sin(x) whose reverse rule says 3 cos(x) ct; `capture`, if any, is read inside too.
static IrValue *custom(Fn *f, IrValue *x, IrValue *capture) {
  IrRegion *outer, *first = enter(f, &outer);
  IrValue *a = ir_arg(first, x->type), *y = ir_un(&f->b, IR_SIN, a);
  ir_yield(first, capture ? mul(f, y, capture) : y);
  f->b.at = outer;
  IrRegion *rule = enter(f, &outer), *both[2] = {first, rule};
  IrValue *again = ir_arg(rule, x->type), *ct = ir_arg(rule, x->type);
  ir_yield(rule, mul(f, mul(f, ir_un(&f->b, IR_COS, again), ct), ir_fill(&f->b, x->type, 3)));
  f->b.at = outer;
  IrAttr at[3] = {ir_attr_int(&arena, A_NX, 1), ir_attr_int(&arena, A_NY, 1), ir_attr_int(&arena, A_EXACT, 0)};
  return ir_build(&f->b, IR_CUSTOM, 1, &x, NULL, 3, at, 2, both)->out[0];
}

static void test_custom(void) {
  begin_arena();
  const double x = 0.6, t = sin(0.6);
  Fn f = fn("custom_vjp");
  IrValue *v = SCALAR(0, 1);
  OUT(ir_un(&f.b, IR_EXP, custom(&f, v, NULL)));
  CU_ASSERT_DOUBLE_EQUAL(grad_at(&f, &x), 3 * cos(x) * exp(t), 1e-12);
  f.b.loc.line = 7;

  IrGraph *plain = copy(f.g);
  CU_ASSERT(expands_cleanly(f.name, plain));
  CU_ASSERT_PTR_NULL(find(plain->top, IR_CUSTOM, 0));

  // Second order: y's derivative is the rule's, and so is that of the y which the first order kept.
  Fn once = fn("once");
  once.g = ir_graph(&arena, "once");
  IrValue *in = ir_input(once.g, v->type, "x"), **map = arena_array(&arena, IrValue *, 64);
  IrGraph *d = run_derivative(f.g, IR_VJP);
  once.b = (IrBuilder){.graph = once.g, .at = once.g->top};
  map[d->top->arg[0]->id] = in;
  map[d->top->arg[1]->id] = ir_fill(&once.b, v->type, 1);
  ir_clone_into(&once.b, d->top, map);
  ir_output(once.g, map[d->top->yield[0]->id], "dx");
  CU_ASSERT_DOUBLE_EQUAL(grad_at(&once, &x), 3 * exp(t) * (3 * cos(x) * cos(x) - sin(x)), 1e-12);

  // Within a scan: x_2 = sin(sin(x)).
  f = fn("custom_vjp in scan");
  v = SCALAR(0, 1);
  IrRegion *outer, *body = enter(&f, &outer);
  arg(body, IR_I32, 0, NULL);
  ir_yield(body, custom(&f, arg(body, IR_F64, 0, NULL), NULL));
  OUT(loop(&f, IR_SCAN, 2, 0, 1, 1, &v, body, outer)->out[0]);
  CU_ASSERT_DOUBLE_EQUAL(grad_at(&f, &x), 9 * cos(x) * cos(t), 1e-12);

  f = fn("custom_vjp forward");
  v = SCALAR(0, 1);
  f.b.loc = (Loc){.line = 7, .col = 1, .width = 1};
  OUT(custom(&f, v, NULL));
  refused(&f, IR_JVP, "reverse rule only", "grad");
  f = fn("custom_vjp captures");
  v = SCALAR(0, 1);
  f.b.loc = (Loc){.line = 7, .col = 1, .width = 1};
  OUT(custom(&f, v, mul(&f, v, v)));
  refused(&f, IR_VJP, "is not its argument", "pass it as an argument");
  end_arena();
}

// Gradient steps in a scan, differentiated through: p' = p - 0.1 grad(loss)(p, x), loss over captured w.
static void test_grad_in_scan(void) {
  begin_arena();
  Fn f = fn("gradient steps in a scan");
  IrValue *p0 = IN(-1, 1, 2), *w = IN(-1, 1, 2), *xs = IN(-1, 1, 3, 2);
  IrRegion *outer, *mid, *body = enter(&f, &outer);
  arg(body, IR_I32, 0, NULL);
  IrValue *p = arg(body, IR_F64, 1, LIST(2)), *x = arg(body, IR_F64, 1, LIST(2));
  IrRegion *loss = enter(&f, &mid);
  IrValue *q = arg(loss, IR_F64, 1, LIST(2));
  IrValue *e = mul(&f, ir_un(&f.b, IR_TANH, mul(&f, q, w)), ir_un(&f.b, IR_SIN, mul(&f, q, x)));
  ir_yield(loss, ir_reduce(&f.b, IR_SUM, mul(&f, e, e), AXES(0)));
  ir_yield(loss, ir_reduce(&f.b, IR_SUM, q, AXES(0)));
  f.b.at = mid;
  IrValue *in[2] = {p, ir_fill(&f.b, ir_scalar(IR_F64), 1)};
  IrAttr at[2] = {ir_attr_int(&arena, A_NX, 1), ir_attr_int(&arena, A_NY, 1)};
  IrOp *grad = ir_build(&f.b, IR_VJP, 2, in, NULL, 2, at, 1, &loss);
  IrValue *move = mul(&f, grad->out[2], ir_fill(&f.b, p->type, -0.1));
  ir_yield(body, add(&f, p, move));
  ir_yield(body, add(&f, grad->out[0], grad->out[1]));
  IrValue *to[2] = {p0, xs};
  IrOp *op = loop(&f, IR_SCAN, 3, 0, 1, 2, to, body, outer);
  OUT(op->out[0]);
  OUT(op->out[1]);
  check2(&f);
  Fn d = f;
  d.g = run_derivative(f.g, IR_JVP);
  for (int k = 3; k < 6; k++) d.lo[k] = -1, d.hi[k] = 1;
  d.name = "vjp of jvp of gradient steps";
  check(&d);
  end_arena();
}

// A scan that reads one row a turn of a captured table: its cotangent is written a row a turn.
static void test_table_in_scan(void) {
  begin_arena();
  Fn f = fn("table in scan");
  IrValue *table = IN(-1, 1, 4, 2), *s0 = IN(-1, 1, 2), *zero, *row;
  IrRegion *outer, *body = enter(&f, &outer);
  IrValue *turn = arg(body, IR_I32, 0, NULL), *s = arg(body, IR_F64, 1, LIST(2));
  zero = ir_fill(&f.b, turn->type, 0);
  IrAttr at = ir_attr_ints(&arena, A_SIZES, 2, LIST(1, 2));
  IrValue *from[3] = {table, turn, zero};
  row = ir_reshape(&f.b, ir_build(&f.b, IR_DYN_SLICE, 3, from, NULL, 1, &at, 0, NULL)->out[0], 1, LIST(2));
  ir_yield(body, ir_un(&f.b, IR_SIN, mul(&f, s, row)));
  OUT(loop(&f, IR_SCAN, 4, 0, 1, 1, &s0, body, outer)->out[0]);
  check2(&f);
  IrGraph *g = run_derivative(f.g, IR_VJP);
  CU_ASSERT(expands_cleanly(f.name, g));
  IrOp *back = find(g->top, IR_SCAN, 1);
  CU_ASSERT_PTR_NOT_NULL_FATAL(back);
  ir_each_op(back->sub[0], op) CU_ASSERT(op->code != IR_ADD || ir_count(&op->out[0]->type) < 8);
  end_arena();
}

// ---- random graphs: ct . jvp(t) is vjp(ct) . t, whatever the graph
static bool all_finite(const IrArray *x, int n) {
  for (int k = 0; k < n; k++)
    for (int i = 0; ir_is_diff(x[k].type.dtype) && i < numbers(&x[k]); i++)
      if (!(fabs(x[k].f[i]) < 1e12)) return false;
  return true;
}

static bool has_diff(int n, IrValue **v) {
  while (n > 0)
    if (diff(v[--n])) return true;
  return false;
}

// True if forward and backward agree, or if the graph has what one of them refuses.
static bool agrees(const IrGraph *f, uint64_t number, const IrRegion *top) {
  if (!has_diff(top->narg, top->arg) || !has_diff(top->nyield, top->yield)) return true;
  IrGraph *back = run_derivative(f, IR_VJP), *forth = run_derivative(f, IR_JVP);
  Diags d = expand(back), e = expand(forth);
  if (d.first || e.first) return true;
  IrArray in[512], dx[512], dy[512], ct[256], t[256];
  int n = top->narg, nx = 0, ny = 0;
  gen_inputs(&arena, f, number, in);
  for (int k = 0; k < n; k++)
    if (diff(top->arg[k])) t[nx++] = random_array(top->arg[k]->type, -1, 1);
  for (int k = 0; k < top->nyield; k++)
    if (diff(top->yield[k])) ct[ny++] = random_array(top->yield[k]->type, -1, 1);
  memcpy(in + n, ct, sizeof *ct * (size_t)ny);
  IrEval how = {.max_turns = 1000};            // shrinking may make a `while` endless
  if (ir_eval(&arena, &how, back, in, dx)) return true;
  memcpy(in + n, t, sizeof *t * (size_t)nx);
  if (ir_eval(&arena, &how, forth, in, dy)) return true;
  if (!all_finite(dx, nx) || !all_finite(dy, ny)) return true;
  double scale = 0, got = weigh(dy, ny, ct), want = weigh(t, nx, dx);
  for (int k = 0; k < ny; k++)
    for (int i = 0; i < numbers(&dy[k]); i++) scale += fabs(ct[k].f[i] * dy[k].f[i]);
  for (int k = 0; k < nx; k++)
    for (int i = 0; i < numbers(&dx[k]); i++) scale += fabs(t[k].f[i] * dx[k].f[i]);
  return fabs(got - want) <= 1e-8 * (1 + scale);
}

static bool disagrees(const IrGraph *g, void *data) { return !agrees(g, *(uint64_t *)data, g->top); }

static void test_random(void) {
  for (uint64_t number = 1; number <= 300; number++) {
    begin_arena();
    GenOptions how = {.nop = 20, .depth = (int)(number % 4), .kinds = GEN_ALL, .real = IR_F64};
    IrGraph *g = gen_graph(&arena, number, &how);
    bool good = agrees(g, number, g->top);
    CU_ASSERT(good);
    if (!good) {
      g = gen_shrink(&arena, g, disagrees, &number);
      fprintf(stderr, "seed %llu: jvp and vjp disagree on\n%s", (unsigned long long)number, ir_print(&arena, g));
    }
    end_arena();
  }
}

// Every op of the table that has a derivative has been through a rule: by the elementwise walk, or here.
static void test_all_covered(void) {
  static const IrCode here[] = {
    IR_CAST, IR_SELECT, IR_RESHAPE, IR_TRANSPOSE, IR_BROADCAST, IR_SLICE, IR_PAD, IR_CONCAT, IR_REVERSE, IR_DYN_SLICE,
    IR_DYN_UPDATE, IR_GATHER, IR_SCATTER, IR_SUM, IR_PROD, IR_RMAX, IR_RMIN, IR_CUMSUM, IR_CUMPROD, IR_CUMMAX, IR_DOT,
    IR_CONV, IR_CONV_DX, IR_CONV_DW, IR_CHOLESKY, IR_TRISOLVE, IR_QR, IR_LU, IR_EIGH,
    IR_SVD, IR_EIG, IR_FFT, IR_SCAN, IR_WHILE, IR_COND, IR_MAP, IR_REMAT, IR_AFTER, IR_VJP, IR_JVP, IR_CUSTOM};
  for (int c = 0; c < IR_NCODE; c++) {
    bool met = !has_run_derivative((IrCode)c) || (ir_info[c].lower == LOWER_ELEMENT && ir_info[c].nin < 3);
    for (int k = 0; k < (int)(sizeof here / sizeof *here); k++) met |= here[k] == (IrCode)c;
    if (!met) fprintf(stderr, "no test of the derivative of `%s`\n", ir_info[c].name);
    CU_ASSERT(met);
  }
}

void suite_autodiff(void) {
  CU_pSuite s = test_suite("autodiff");
  test_add(s, "elementwise ops of the table", test_elementwise);
  test_add(s, "one operand varies", test_one_operand_varies);
  test_add(s, "casts and complex numbers", test_dtypes);
  test_add(s, "select", test_select);
  test_add(s, "shape ops", test_shape);
  test_add(s, "indexed ops", test_indexed);
  test_add(s, "scatter", test_scatter);
  test_add(s, "reductions", test_reductions);
  test_add(s, "cumulative ops", test_cumulative);
  test_add(s, "products of zeros", test_products_of_zeros);
  test_add(s, "dot", test_dot);
  test_add(s, "conv and its adjoints", test_conv);
  test_add(s, "linear algebra", test_linear_algebra);
  test_add(s, "decompositions", test_decompositions);
  test_add(s, "conventions at ties and edges", test_conventions);
  test_add(s, "scan", test_scan);
  test_add(s, "residuals of a scan", test_residuals);
  test_add(s, "nested scan", test_nested_scan);
  test_add(s, "cond", test_cond);
  test_add(s, "map", test_map);
  test_add(s, "map that stays a map", test_map_that_stays);
  test_add(s, "remat", test_remat);
  test_add(s, "remat in scan", test_remat_in_scan);
  test_add(s, "while", test_while);
  test_add(s, "what is refused", test_refused);
  test_add(s, "custom_vjp", test_custom);
  test_add(s, "gradient steps in a scan", test_grad_in_scan);
  test_add(s, "table read in a scan", test_table_in_scan);
  test_add(s, "random graphs", test_random);
  test_add(s, "no op of the table is left out", test_all_covered);
}
