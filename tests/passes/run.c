#include "tests/passes/run.h"

#include "tests/ir/gen.h"
#include "tests/test.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

Arena run_arena;
static jmp_buf oom;
static uint64_t seed;

void run_begin(void) {
  if (setjmp(oom)) {
    fprintf(stderr, "out of memory\n");
    exit(2);
  }
  run_arena = (Arena){.oom = &oom};
  run_seed(0);
}

void run_seed(uint64_t from) { seed = (from + 1) * 0x9e3779b97f4a7c15u; }

void run_end(void) { arena_free(&run_arena); }

static uint64_t draw(void) {
  seed ^= seed << 13, seed ^= seed >> 7, seed ^= seed << 17;
  return seed;
}

double run_uniform(double lo, double hi) { return lo + (hi - lo) * (double)(draw() >> 11) / 9007199254740992.0; }

IrGraph *run_read(const char *text) {
  Diags d = {.arena = &run_arena};
  const Source *src = source_text(&run_arena, "test", arena_printf(&run_arena, "graph f%s", text));
  IrGraph *g = ir_read(&run_arena, &d, src);
  if (!g) diag_print(&d, stdout);
  CU_ASSERT_PTR_NOT_NULL(g);
  return g;
}

static void fill(IrArray *x, const char *name) {
  int64_t n = ir_count(&x->type), m = x->type.rank ? x->type.dim[x->type.rank - 1] : 1;
  int64_t rows = x->type.rank > 1 ? x->type.dim[x->type.rank - 2] : 1;
  bool pos = !strncmp(name, "pos", 3), unit = !strncmp(name, "unit", 4), idx = !strncmp(name, "idx", 3);
  bool spd = !strncmp(name, "spd", 3), low = !strncmp(name, "low", 3), apart = !strncmp(name, "apart", 5);
  bool away = !strncmp(name, "away", 4);
  if (!strncmp(name, "none", 4)) return;
  for (int64_t i = 0; i < n; i++) {
    int64_t row = i / m % rows, col = i % m;
    double v = pos ? run_uniform(0.1, 2) : unit ? run_uniform(-0.9, 0.9) : run_uniform(-2, 2);
    if (spd) v = row == col ? (double)m + run_uniform(0, 1) : 1 / (1.0 + (double)(row > col ? row - col : col - row));
    if (apart) v = v / 5 + (row == col ? (double)(row * row) + 2 * (double)row + 1 : 0);
    if (away) v = copysign(0.5 + fabs(v), v);
    if (low) v = row == col ? run_uniform(1, 2) : row > col ? v : 0;
    if (ir_is_complex(x->type.dtype)) x->f[2 * i] = v, x->f[2 * i + 1] = run_uniform(-2, 2);
    else if (ir_is_float(x->type.dtype)) x->f[i] = x->type.dtype == IR_F64 ? v : (double)(float)(ldexp(round(ldexp(v, 5)), -5));
    else if (x->type.dtype == IR_BOOL) x->i[i] = (int64_t)(draw() >> 40 & 1);
    else if (x->type.dtype == IR_U64) x->i[i] = (int64_t)draw();
    else if (idx) x->i[i] = (int64_t)(draw() >> 33) % 8 - 2;
    else x->i[i] = ir_is_signed(x->type.dtype) ? (int64_t)(draw() >> 33) % 9 - 4 : (int64_t)(draw() >> 33) % 9;
  }
}

bool run_is_held(const char *name) { return name && (!strncmp(name, "held", 4) || !strncmp(name, "none", 4)); }

IrArray *run_inputs(const IrGraph *g) {
  IrArray *in = arena_array(&run_arena, IrArray, g->top->narg + 1);
  for (int k = 0; k < g->top->narg; k++) {
    in[k] = ir_array(&run_arena, g->top->arg[k]->type);
    fill(&in[k], g->in_name[k] ? g->in_name[k] : "");
  }
  return in;
}

IrArray *run_eval(const IrGraph *g, const IrArray *in) {
  IrArray *out = arena_array(&run_arena, IrArray, g->top->nyield + 1);
  IrEval how = {.typed = true, .max_turns = 1000};
  const char *why = ir_eval(&run_arena, &how, g, in, out);
  if (why) printf("evaluation: %s\n", why);
  return why ? NULL : out;
}

bool run_agree(const IrGraph *g, const IrArray *x, const IrArray *y, double tolerance) {
  for (int k = 0; k < g->top->nyield; k++) {
    if (!ir_type_eq(&x[k].type, &y[k].type)) return printf("output %d: another type\n", k), false;
    int64_t n = ir_count(&x[k].type);
    bool f = ir_is_diff(x[k].type.dtype);
    if (ir_is_complex(x[k].type.dtype)) n *= 2;
    for (int64_t i = 0; i < n; i++) {
      double a = f ? x[k].f[i] : (double)x[k].i[i], b = f ? y[k].f[i] : (double)y[k].i[i];
      bool same = a == b || (isnan(a) && isnan(b)) || fabs(a - b) <= tolerance * fmax(1, fabs(a));
      if (!same) return printf("output %d element %lld: %.17g, now %.17g\n", k, (long long)i, a, b), false;
    }
  }
  return true;
}

static bool keeps(IrGraph *g, const char *passes, const IrArray *in, double tolerance) {
  IrArray *before = run_eval(g, in), *after = NULL;
  Diags d = {.arena = &run_arena};
  bool ok = pass_run(&(PassContext){&run_arena, &d}, g, passes, NULL, NULL);
  if (!ok) diag_print(&d, stdout);
  char *wrong = ir_verify(g);
  if (wrong) printf("verify: %s\n", wrong), ok = false;
  if (ok && before) after = run_eval(g, in);
  return ok && before && after && run_agree(g, before, after, tolerance);
}

bool run_keeps(IrGraph *g, const char *passes, double tolerance) {
  char *text = ir_print(&run_arena, g);
  bool ok = keeps(g, passes, run_inputs(g), tolerance);
  if (!ok) printf("%s%s -> %s", text, passes, ir_print(&run_arena, g));
  return ok;
}

typedef struct Random {
  const char *passes;
  uint64_t seed;
  double tolerance;
} Random;

static bool fails(const IrGraph *g, void *data) {
  const Random *r = data;
  IrArray *in = arena_array(&run_arena, IrArray, g->top->narg + 1);
  gen_inputs(&run_arena, g, r->seed, in);
  return !keeps(gen_copy(&run_arena, g), r->passes, in, r->tolerance);
}

bool run_random(const char *passes, unsigned kinds, int n, double tolerance) {
  bool all = true;
  for (int i = 0; i < n; i++) {
    Random r = {passes, (uint64_t)i, tolerance};
    run_begin();
    GenOptions o = {.nop = 5 + i % 40, .depth = i % 4, .kinds = kinds};
    IrGraph *g = gen_graph(&run_arena, r.seed, &o);
    if (fails(g, &r)) {
      g = gen_shrink(&run_arena, g, fails, &r);
      printf("%s, seed %d:\n%s", passes, i, ir_print(&run_arena, g));
      all = false;
    }
    run_end();
    if (!all) break;
  }
  return all;
}

static int count(const IrRegion *r, IrCode code) {
  int n = 0;
  ir_each_op(r, op) {
    n += op->code == code;
    for (int i = 0; i < op->nregion; i++) n += count(op->sub[i], code);
  }
  return n;
}

int run_count(const IrGraph *g, IrCode code) { return count(g->top, code); }
