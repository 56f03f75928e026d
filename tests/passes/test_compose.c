// Transforms of transforms of every op of the table: vjp, jvp, vmap, a scan and a cond around, remat. All pairs,
// and some triples. Each goes through the whole pipeline and is held against the transform's meaning in
// terms of what it transforms: a derivative of order n against differences of the one of order n - 1, lanes
// and turns and branches against runs one by one. What the compiled code gives is held against the evaluator.
//
// RLC_SEED chooses other triples and operands, RLC_SEEDS how many triples an op gets (0: pairs only).
#include "tests/backend/llvm_run.h"
#include "tests/ir/gen.h"
#include "tests/passes/cases.h"
#include "tests/test.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MOST = 64, DEPTH = 3, TURNS = 2, NSTEP = 3 };
typedef enum Kind { VJP, JVP, VMAP, SCAN, COND, REMAT, NKIND } Kind;
static const char *const kind_name[] = {"vjp", "jvp", "vmap", "scan", "cond", "remat"};

// Ops that tests/passes/cases.c has no case for: they are gone before vmap runs.
static const OpCase more[] = {
  {"(%0: f32[3]) { %1: f32[3] = custom_vjp %0 {nx = 1, ny = 1} (%2: f32[3]) { %3: f32[3] = sin %2 yield %3 }"
   " (%4: f32[3], %5: f32[3]) { %6: f32[3] = cos %4 %7: f32[3] = mul %6, %5 yield %7 } yield %1 }", 0},
  {"(%0: f32[3], %1: f32[3]) { %2: f32[3] = custom_vjp %0, %1 {nx = 2, ny = 1, exact = 1}"
   " (%3: f32[3], %4: f32[3]) { %5: f32[3] = mul %3, %4 %6: f32[3] = tanh %5 yield %6 }"
   " (%7: f32[3], %8: f32[3], %16: f32[3], %10: f32[3]) { %11: f32[3] = mul %16, %16 %12: f32[3] = mul %11, %10 %13: f32[3] = sub %10, %12"
   " %14: f32[3] = mul %13, %8 %15: f32[3] = mul %13, %7 yield %14, %15 } yield %2 }", 0},
};
enum { NMORE = sizeof more / sizeof *more };

// One transform on the way from an op to a composition.
typedef struct Step {
  Kind kind;
  uint64_t mask;               // vmap, scan: inputs that have an axis of lanes or turns
  bool reverse;
  const IrGraph *f;            // of what
} Step;

typedef struct Trial {
  const OpCase *of;
  uint64_t seed;
  int depth;
  Kind kind[DEPTH];            // the innermost first
} Trial;

static bool diff(const IrValue *v) { return ir_is_diff(v->type.dtype); }

static bool has(const IrRegion *r, IrCode code) {
  ir_each_op(r, op) {
    if (op->code == code) return true;
    for (int k = 0; k < op->nregion; k++)
      if (has(op->sub[k], code)) return true;
  }
  return false;
}

// ---- functions of functions
static IrType with_axis(IrType t, int64_t n) {
  memmove(t.dim + 1, t.dim, sizeof *t.dim * (size_t)t.rank++);
  t.dim[0] = n;
  return t;
}

static IrValue *times(IrBuilder *b, IrValue *x, IrValue *by) {
  by = ir_spread(b, ir_cast(b, by, x->type.dtype), x->type.rank, x->type.dim);
  return ir_bin(b, IR_MUL, x, by);
}

static IrValue *constant(IrBuilder *b, double v) { return ir_fill(b, ir_scalar(IR_F64), v); }

static IrValue *total(IrBuilder *b, IrValue *y) {
  if (ir_is_complex(y->type.dtype)) y = ir_un(b, IR_REAL, y);
  int64_t axes[IR_MAX_RANK] = {0, 1, 2, 3, 4, 5, 6, 7};
  return ir_reduce(b, IR_SUM, ir_cast(b, y, IR_F64), y->type.rank, axes);
}

// f, with s times the sum of each result that cannot be differentiated as a result beside it: so that ops of integers
// stand in the way of derivatives too.
static IrGraph *observed(const IrGraph *f) {
  IrGraph *g = ir_graph(f->arena, f->name);
  IrBuilder b = {.graph = g, .at = g->top};
  IrValue **map = arena_array(f->arena, IrValue *, f->nvalue + 1), *s = NULL;
  for (int k = 0; k < f->top->narg; k++) map[f->top->arg[k]->id] = ir_input(g, f->top->arg[k]->type, f->in_name[k]);
  for (int k = 0; k < f->top->nyield && !s; k++)
    if (!diff(f->top->yield[k])) s = ir_input(g, ir_scalar(IR_F64), "s");
  ir_clone_into(&b, f->top, map);
  for (int k = 0; k < f->top->nyield; k++) {
    IrValue *y = map[f->top->yield[k]->id];
    ir_output(g, y, "y");
    if (!diff(y)) ir_output(g, ir_bin(&b, IR_MUL, s, total(&b, y)), "y");
  }
  return g;
}

// How a turn of `scanned` changes an input, and what it carries on; how the other branch of `branched` does.
static IrValue *stirred(IrBuilder *b, IrValue *x, const char *name, IrValue *carry) {
  if (!diff(x) || run_is_held(name)) return x;
  return times(b, x, ir_bin(b, IR_ADD, constant(b, 1), ir_bin(b, IR_MUL, carry, constant(b, 0.03))));
}
static double stir(double carry) { return 1 + 0.03 * carry; }
static double carry_on(double carry, double sum) { return tanh(0.5 * carry + 0.1 * sum); }
#define ELSE 0.9

// A scan whose turns do f on slices of the inputs in mask, and on the others; a carry goes through all.
static IrGraph *scanned(const IrGraph *f, const Step *s) {
  IrGraph *g = ir_graph(f->arena, "scanned");
  IrRegion *r = ir_region(g);
  IrBuilder b = {.graph = g, .at = r};
  IrValue **map = arena_array(f->arena, IrValue *, f->nvalue + 1), *in[MOST];
  int nin = 0;
  in[nin++] = ir_input(g, ir_scalar(IR_F64), "unit");
  ir_arg(r, ir_scalar(IR_I32));
  IrValue *carry = ir_arg(r, ir_scalar(IR_F64));
  for (int k = 0; k < f->top->narg; k++) {
    IrValue *x = f->top->arg[k], *outer;
    bool slices = s->mask >> k & 1;
    map[x->id] = outer = ir_input(g, slices ? with_axis(x->type, TURNS) : x->type, f->in_name[k]);
    if (!slices) continue;
    in[nin++] = outer;
    map[x->id] = ir_arg(r, x->type);
  }
  for (int k = 0; k < f->top->narg; k++) {
    IrValue **x = &map[f->top->arg[k]->id];
    *x = stirred(&b, *x, f->in_name[k], carry);
  }
  ir_clone_into(&b, f->top, map);
  IrValue *sum = constant(&b, 0);
  for (int k = 0; k < f->top->nyield; k++) {
    IrValue *y = map[f->top->yield[k]->id];
    if (diff(y)) sum = ir_bin(&b, IR_ADD, sum, total(&b, y));
  }
  sum = ir_bin(&b, IR_MUL, sum, constant(&b, 0.1));
  ir_yield(r, ir_un(&b, IR_TANH, ir_bin(&b, IR_ADD, ir_bin(&b, IR_MUL, carry, constant(&b, 0.5)), sum)));
  for (int k = 0; k < f->top->nyield; k++) ir_yield(r, map[f->top->yield[k]->id]);
  IrAttr at[3] = {ir_attr_int(f->arena, A_N, TURNS), ir_attr_int(f->arena, A_REVERSE, s->reverse), ir_attr_int(f->arena, A_NCARRY, 1)};
  b.at = g->top;
  IrOp *op = ir_build(&b, IR_SCAN, nin, in, NULL, 3, at, 1, &r);
  for (int k = 0; k < op->nout; k++) ir_output(g, op->out[k], "y");
  return g;
}

// f where a first input is positive; else -f of smaller operands.
static IrGraph *branched(const IrGraph *f) {
  IrGraph *g = ir_graph(f->arena, "branched");
  IrRegion *side[2] = {ir_region(g), ir_region(g)};
  IrBuilder b = {.graph = g, .at = g->top};
  IrValue *p = ir_input(g, ir_scalar(IR_F64), "away"), *x[MOST];
  for (int k = 0; k < f->top->narg; k++) x[k] = ir_input(g, f->top->arg[k]->type, f->in_name[k]);
  for (int no = 0; no < 2; no++) {
    IrValue **map = arena_array(f->arena, IrValue *, f->nvalue + 1);
    b.at = side[no];
    for (int k = 0; k < f->top->narg; k++) map[f->top->arg[k]->id] = no && diff(x[k]) ? times(&b, x[k], constant(&b, ELSE)) : x[k];
    ir_clone_into(&b, f->top, map);
    for (int k = 0; k < f->top->nyield; k++) {
      IrValue *y = map[f->top->yield[k]->id];
      ir_yield(side[no], no && diff(y) ? ir_un(&b, IR_NEG, y) : y);
    }
  }
  b.at = g->top;
  p = ir_bin(&b, IR_GT, p, constant(&b, 0));
  IrOp *op = ir_build(&b, IR_COND, 1, &p, NULL, 0, NULL, 2, side);
  for (int k = 0; k < op->nout; k++) ir_output(g, op->out[k], "y");
  return g;
}

static IrGraph *rematted(const IrGraph *f) {
  IrGraph *g = ir_graph(f->arena, "rematted");
  IrRegion *r = ir_region(g);
  IrBuilder b = {.graph = g, .at = r};
  IrValue **map = arena_array(f->arena, IrValue *, f->nvalue + 1);
  for (int k = 0; k < f->top->narg; k++) map[f->top->arg[k]->id] = ir_input(g, f->top->arg[k]->type, f->in_name[k]);
  ir_clone_into(&b, f->top, map);
  for (int k = 0; k < f->top->nyield; k++) ir_yield(r, map[f->top->yield[k]->id]);
  b.at = g->top;
  IrOp *op = ir_build(&b, IR_REMAT, 0, NULL, NULL, 0, NULL, 1, &r);
  for (int k = 0; k < op->nout; k++) ir_output(g, op->out[k], "y");
  return g;
}

static IrGraph *applied(const Step *s) {
  switch (s->kind) {
  case VJP: case JVP: return run_derivative(s->f, s->kind == VJP ? IR_VJP : IR_JVP);
  case VMAP: return run_mapped(s->f, s->mask, TURNS);
  case SCAN: return scanned(s->f, s);
  case COND: return branched(s->f);
  default: return rematted(s->f);
  }
}

// ---- values
static int numbers(const IrArray *a) { return (int)ir_count(&a->type) * (ir_is_complex(a->type.dtype) ? 2 : 1); }

// x[at] of the first axis; a view.
static IrArray slice_of(const IrArray *x, int64_t at) {
  IrArray y = *x;
  memmove(y.type.dim, y.type.dim + 1, sizeof *y.type.dim * (size_t)--y.type.rank);
  if (y.f) y.f += at * numbers(&y);
  if (y.i) y.i += at * numbers(&y);
  return y;
}

static IrArray scaled(const IrArray *x, double by) {
  if (!ir_is_diff(x->type.dtype)) return *x;
  IrArray y = ir_array(&run_arena, x->type);
  for (int k = 0; k < numbers(x); k++) y.f[k] = by * x->f[k];
  return y;
}

static double sum_of(const IrArray *y) {
  double s = 0;
  for (int k = 0, z = ir_is_complex(y->type.dtype); ir_is_diff(y->type.dtype) && k < numbers(y); k += 1 + z) s += y->f[k];
  return s;
}

// The function that a graph is once derivatives are expanded, in exact arithmetic.
static bool eval(const IrGraph *g, const IrArray *in, IrArray *out) {
  IrEval how = {.max_turns = 1000};
  const char *why = ir_eval(&run_arena, &how, g, in, out);
  if (why) printf("evaluation: %s\n", why);
  return !why;
}

typedef struct Check {
  double most;           // by how much rounding may err, in units of the tolerance: of numbers, and of differences
  char *bad;             // what is wrong
} Check;

static void compare(Check *c, const char *what, const IrArray *got, const IrArray *want, double tolerance) {
  for (int k = 0; k < numbers(want) && !c->bad; k++) {
    double a = got->f ? got->f[k] : (double)got->i[k], b = want->f ? want->f[k] : (double)want->i[k];
    if (a == b || fabs(a - b) <= tolerance * (1 + fabs(b) + c->most)) continue;
    c->bad = arena_printf(&run_arena, "%s, element %d: %.12g, not %.12g", what, k, a, b);
  }
}

// ---- derivatives by differences
// x + h v for the inputs that are varied.
static void moved(const IrGraph *f, const IrArray *in, const IrArray *v, double h, IrArray *to) {
  for (int k = 0, d = 0; k < f->top->narg; k++) {
    to[k] = in[k];
    if (!diff(f->top->arg[k])) continue;
    to[k] = ir_array(&run_arena, in[k].type);
    for (int i = 0; i < numbers(&in[k]); i++) to[k].f[i] = in[k].f[i] + h * v[d].f[i];
    d++;
  }
}

// d f along v, of order 4: (8 (f(h) - f(-h)) - (f(2h) - f(-2h))) / 12h
static bool along(Check *c, const IrGraph *f, const IrArray *in, const IrArray *v, double h, IrArray *dy) {
  static const double weight[4] = {8, -8, -1, 1}, place[4] = {1, -1, 2, -2};
  for (int k = 0; k < f->top->nyield; k++) dy[k] = ir_array(&run_arena, f->top->yield[k]->type);
  for (int s = 0; s < 4; s++) {
    IrArray x[MOST], y[MOST];
    moved(f, in, v, h * place[s], x);
    if (!eval(f, x, y)) return false;
    for (int k = 0; k < f->top->nyield; k++)
      for (int i = 0; diff(f->top->yield[k]) && i < numbers(&y[k]); i++) {
        dy[k].f[i] += weight[s] / (12 * h) * y[k].f[i];
        c->most = fmax(c->most, fabs(y[k].f[i]) * 1e-9 / h);
      }
  }
  return true;
}

static IrArray some(const IrValue *x, const char *name) {
  IrArray a = ir_array(&run_arena, x->type);
  for (int k = 0; !run_is_held(name) && k < numbers(&a); k++) a.f[k] = run_uniform(-1, 1);
  return a;
}

// Re sum ct y
static double product(const IrArray *y, const IrArray *ct, double *size) {
  double s = 0;
  for (int i = 0, z = ir_is_complex(y->type.dtype); i < numbers(y); i++) {
    double p = (z && (i & 1) ? -1 : 1) * ct->f[i] * y->f[i];
    s += p;
    *size += fabs(p);
  }
  return s;
}

// Differences that straddle a kink are taken again, closer.
static const double steps[NSTEP] = {1e-3, 1e-5, 1e-7};

static void check_jvp(Check *c, const IrGraph *f, const IrArray *in, const IrArray *out) {
  for (int s = 0; s < NSTEP; s++) {
    IrArray dy[MOST];
    c->bad = NULL;
    c->most = 0;
    if (!along(c, f, in, in + f->top->narg, steps[s], dy)) c->bad = "no value";
    for (int k = 0, d = 0; k < f->top->nyield && !c->bad; k++)
      if (diff(f->top->yield[k])) compare(c, "jvp", &out[d++], &dy[k], 1e-6);
    if (!c->bad) return;
  }
}

static void check_vjp(Check *c, const IrGraph *f, const IrArray *in, const IrArray *out) {
  IrArray v[MOST], dy[MOST];
  double got = 0, size = 0;
  int nx = 0;
  for (int k = 0; k < f->top->narg; k++)
    if (diff(f->top->arg[k])) {
      v[nx] = some(f->top->arg[k], f->in_name[k]);
      got += product(&v[nx], &out[nx], &size);
      nx++;
    }
  for (int s = 0; s < NSTEP; s++) {
    double want = 0;
    c->bad = NULL;
    c->most = 0;
    if (!along(c, f, in, v, steps[s], dy)) c->bad = "no value";
    for (int k = 0, d = 0; k < f->top->nyield && !c->bad; k++)
      if (diff(f->top->yield[k])) want += product(&dy[k], &in[f->top->narg + d++], &size);
    if (!c->bad && !(fabs(got - want) <= 1e-6 * (1 + size + c->most)))
      c->bad = arena_printf(&run_arena, "vjp: %.12g, by differences %.12g", got, want);
    if (!c->bad) return;
  }
}

// ---- lanes, turns and branches one by one
static void check_vmap(Check *c, const Step *s, const IrArray *in, const IrArray *out) {
  const IrGraph *f = s->f;
  for (int lane = 0; lane < TURNS && !c->bad; lane++) {
    IrArray x[MOST], y[MOST];
    for (int k = 0; k < f->top->narg; k++) x[k] = s->mask >> k & 1 ? slice_of(&in[k], lane) : in[k];
    if (!eval(f, x, y)) c->bad = "no value";
    for (int k = 0; k < f->top->nyield && !c->bad; k++) {
      IrArray got = slice_of(&out[k], lane);
      compare(c, "lane", &got, &y[k], 1e-9);
    }
  }
}

static void check_scan(Check *c, const Step *s, const IrArray *in, const IrArray *out) {
  const IrGraph *f = s->f;
  double carry = in[0].f[0];
  for (int turn = 0; turn < TURNS && !c->bad; turn++) {
    int at = s->reverse ? TURNS - 1 - turn : turn;
    IrArray x[MOST], y[MOST];
    for (int k = 0; k < f->top->narg; k++) {
      x[k] = s->mask >> k & 1 ? slice_of(&in[k + 1], at) : in[k + 1];
      if (!run_is_held(f->in_name[k])) x[k] = scaled(&x[k], stir(carry));
    }
    if (!eval(f, x, y)) c->bad = "no value";
    double sum = 0;
    for (int k = 0; k < f->top->nyield && !c->bad; k++) {
      IrArray got = slice_of(&out[k + 1], at);
      compare(c, "turn", &got, &y[k], 1e-9);
      sum += sum_of(&y[k]);
    }
    carry = carry_on(carry, sum);
  }
  if (!c->bad && !(fabs(carry - out[0].f[0]) <= 1e-9)) c->bad = arena_printf(&run_arena, "carry: %.12g, not %.12g", out[0].f[0], carry);
}

static void check_cond(Check *c, const IrGraph *f, const IrArray *in, const IrArray *out) {
  bool yes = in[0].f[0] > 0;
  IrArray x[MOST], y[MOST];
  for (int k = 0; k < f->top->narg; k++) x[k] = scaled(&in[k + 1], yes ? 1 : ELSE);
  if (!eval(f, x, y)) c->bad = "no value";
  for (int k = 0; k < f->top->nyield && !c->bad; k++) {
    IrArray want = scaled(&y[k], yes ? 1 : -1);
    compare(c, "branch", &out[k], &want, 1e-9);
  }
}

static void check_remat(Check *c, const IrGraph *f, const IrArray *in, const IrArray *out) {
  IrArray y[MOST];
  if (!eval(f, in, y)) c->bad = "no value";
  for (int k = 0; k < f->top->nyield && !c->bad; k++) compare(c, "remat", &out[k], &y[k], 1e-9);
}

// ---- a trial
static bool has_own_rule(const IrRegion *r) {
  ir_each_op(r, op) {
    if (op->code == IR_CUSTOM && !ir_int(op, A_EXACT)) return true;
    for (int k = 0; k < op->nregion; k++)
      if (has_own_rule(op->sub[k])) return true;
  }
  return false;
}

// What may be refused: a while in reverse, an own rule forward.
static bool may_be_refused(const IrGraph *g, const Diags *d) {
  const char *m = d->first->message;
  if (strstr(m, "`while` cannot be differentiated in reverse")) return has(g->top, IR_WHILE);
  return strstr(m, "reverse rule only") && has_own_rule(g->top);
}

static bool passed(IrGraph *g, const char *passes, Diags *d) {
  *d = (Diags){.arena = &run_arena};
  return pass_run(&(PassContext){&run_arena, d}, g, passes, NULL, NULL);
}

static void check_step(Check *c, const Step *s, const IrArray *in, const IrArray *out) {
  switch (s->kind) {
  case VJP: check_vjp(c, s->f, in, out); return;
  case JVP: check_jvp(c, s->f, in, out); return;
  case VMAP: check_vmap(c, s, in, out); return;
  case SCAN: check_scan(c, s, in, out); return;
  case COND: check_cond(c, s->f, in, out); return;
  default: check_remat(c, s->f, in, out);
  }
}

static char *compiled_fault(const IrGraph *g, const IrArray *in) {
  IrArray got[MOST], want[MOST];
  Check c = {0};
  IrEval how = {.typed = true, .max_turns = 1000};
  const char *why = ir_eval(&run_arena, &how, g, in, want);
  if (!why) why = llvm_run(&run_arena, g, NULL, NULL, in, got);
  if (why) c.bad = arena_str(&run_arena, why);
  for (int k = 0; k < g->top->nyield && !c.bad; k++) compare(&c, "compiled", &got[k], &want[k], 1e-9);
  return c.bad;
}

static bool miscompiled(const IrGraph *g, void *in) { return compiled_fault(g, in) != NULL; }

static void check_compiled(Check *c, const IrGraph *g, IrArray *in) {
  c->bad = compiled_fault(g, in);
  if (c->bad) c->bad = arena_printf(&run_arena, "%s, of\n%s", c->bad, ir_print(&run_arena, gen_shrink(&run_arena, g, miscompiled, in)));
}

typedef enum Came { FINE, REFUSED, WRONG } Came;

static Came refused(const IrGraph *g, const Diags *d, char **why) {
  *why = arena_str(&run_arena, d->first->message);
  return may_be_refused(g, d) ? REFUSED : WRONG;
}

// The composition, its transforms nested as a program would have them, against the last one's meaning.
static Came try(const Trial *t, bool compiled, char **why, const IrGraph **graph) {
  uint64_t chance = t->seed;
  IrGraph *g = run_case(t->of, true);
  if (!g) return *why = "unreadable", WRONG;
  g = observed(g);
  Step s = {0};
  for (int k = 0; k < t->depth; k++) {
    s = (Step){t->kind[k], 0, gen_next(&chance) & 1, g};
    int n = g->top->narg;
    while (!s.mask) s.mask = gen_next(&chance) & ((1ull << n) - 1);
    g = applied(&s);
  }
  *graph = g;
  Check c = {0};
  Diags d;
  run_seed(t->seed);
  IrArray *in = run_inputs(g), out[MOST];
  IrGraph *whole = gen_copy(&run_arena, g), *part = gen_copy(&run_arena, s.f);
  if (!passed(whole, NULL, &d)) return refused(g, &d, why);
  if (!passed(part, "autodiff", &d)) return refused(s.f, &d, why);
  s.f = part;
  if (!eval(whole, in, out)) return *why = "no value", WRONG;
  check_step(&c, &s, in, out);
  if (!c.bad && compiled) check_compiled(&c, whole, in);
  *why = c.bad;
  return c.bad ? WRONG : FINE;
}

static const OpCase *case_of(int k) { return k < op_ncase ? &op_cases[k] : &more[k - op_ncase]; }

static void run_trial(const Trial *t, bool compiled) {
  char *why = NULL;
  const IrGraph *g = NULL;
  run_begin();
  Came came = try(t, compiled, &why, &g);
  if (came == WRONG) {
    printf("\nRLC_SEED=%llu:", (unsigned long long)t->seed);
    for (int k = t->depth; k-- > 0;) printf(" %s", kind_name[t->kind[k]]);
    printf(" of %s\n%s\n", t->of->text, why);
    if (g && getenv("RLC_SEED")) printf("%s", ir_print(&run_arena, g));
  }
  CU_ASSERT_NOT_EQUAL(came, WRONG);
  run_end();
}

static uint64_t first_seed(void) { return getenv("RLC_SEED") ? strtoull(getenv("RLC_SEED"), NULL, 0) : 1; }

// Most of the time goes into compiling: of the pairs a third is, another with another seed; all with RLC_SEEDS.
static bool is_compiled(int number) { return getenv("RLC_SEEDS") || (number + (int)(first_seed() % 3)) % 3 == 0; }

static void alone(void) {
  for (int k = 0; k < op_ncase + NMORE; k++)
    for (int a = 0; a < NKIND; a++) run_trial(&(Trial){case_of(k), first_seed(), 1, {a}}, true);
}

static void pairs(void) {
  for (int k = 0; k < op_ncase + NMORE; k++)
    for (int a = 0; a < NKIND; a++)
      for (int b = 0; b < NKIND; b++) run_trial(&(Trial){case_of(k), first_seed(), 2, {a, b}}, is_compiled(k + a + b));
}

static void triples(void) {
  uint64_t n = getenv("RLC_SEEDS") ? strtoull(getenv("RLC_SEEDS"), NULL, 0) : 3;
  for (int k = 0; k < op_ncase + NMORE; k++)
    for (uint64_t seed = first_seed(); seed < first_seed() + n; seed++) {
      uint64_t chance = seed * 1000003 + (uint64_t)k;
      Trial t = {case_of(k), seed, 3, {0}};
      for (int d = 0; d < 3; d++) t.kind[d] = (Kind)gen_below(&chance, NKIND);
      run_trial(&t, true);
    }
}

// Where x <= 0, neither x's cotangent nor w's may have anything of the other branch: its sqrt and its log are NaN there.
static void branches_not_taken(void) {
  run_begin();
  IrGraph *f = run_read(
    "(%0: f64[3], %1: f64) { %2: f64[3] = map %0 {n = 3} (%3: i32, %4: f64) { %5: f64 = const 0 %6: bool = gt %4, %5"
    " %7: f64 = cond %6 () { %8: f64 = sqrt %4 %9: f64 = log %4 %10: f64 = mul %1, %9 %11: f64 = add %8, %10 yield %11 } ()"
    " { %12: f64 = mul %4, %1 yield %12 } yield %7 } yield %2 }");
  for (int order = 1; order < 3; order++) {
    f = run_derivative(f, IR_VJP);
    IrGraph *g = gen_copy(&run_arena, f);
    Diags d;
    CU_ASSERT(passed(g, NULL, &d));
    IrArray in[8], out[8];
    for (int k = 0; k < g->top->narg; k++) in[k] = ir_array(&run_arena, g->top->arg[k]->type);
    for (int k = 0; k < 3; k++) in[0].f[k] = (double[]){4, -1, 0}[k], in[2].f[k] = 1;
    in[1].f[0] = 2;
    if (order == 2) in[3].f[0] = in[3].f[1] = in[3].f[2] = 1;      // of x's cotangent
    CU_ASSERT(eval(g, in, out));
    const double first[4] = {0.25 + 0.5, 2, 2, log(4) - 1}, second[4] = {-0.03125 - 0.125, 0, 0, 0.25 + 2};
    const double *want = order == 1 ? first : second;
    for (int k = 0; k < 4; k++) CU_ASSERT_DOUBLE_EQUAL(k < 3 ? out[0].f[k] : out[1].f[0], want[k], 1e-12);
  }
  run_end();
}

void suite_compose(void) {
  CU_pSuite s = test_suite("compose");
  test_add(s, "every transform of every op", alone);
  test_add(s, "every transform of every transform of every op", pairs);
  test_add(s, "three transforms of every op", triples);
  test_add(s, "branches that lanes do not take", branches_not_taken);
}
