// Plans: what is fused, what is copied, and that running a plan gives what the graph means.
#include "backend/plan/state.h"
#include "ir/number.h"
#include "passes/passes.h"
#include "tests/backend/plan_run.h"
#include "tests/ir/gen.h"
#include "tests/test.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static PlanTarget target = {.vector_bits = 256, .fma = true, .fork_ns = PLAN_FORK_NS};
static const PlanTarget cutting = {.vector_bits = 128, .fma = true, .piece_ns = 0.01, .fork_ns = 1e30, .small_bytes = 1}; // whatever can be is cut

// ---- a graph, its plan, its ports --------------------------------------------------------------
typedef struct Case {
  Arena arena;
  jmp_buf oom;
  IrGraph *g;
  IrBuilder b;
  PlanConsts consts;
  PlanPort in[64], out[64];
  int64_t bytes[RT_NSPACE];
  Plan *plan;
} Case;

static void start(Case *c) {
  memset(c, 0, sizeof *c);
  c->arena.oom = &c->oom;
  if (setjmp(c->oom)) abort();
  c->g = ir_graph(&c->arena, "g");
  c->b = (IrBuilder){.graph = c->g, .at = c->g->top};
}

static void end(Case *c) { arena_free(&c->arena); }

static int64_t take_room(Case *c, RtSpace s, int64_t bytes) {
  int64_t at = c->bytes[s];
  c->bytes[s] = (at + bytes + RT_ALIGN - 1) / RT_ALIGN * RT_ALIGN;
  return at;
}

// Inputs lie in the state. An output named as an input is that state's new value.
static void make_ports(Case *c) {
  const IrRegion *r = c->g->top;
  memset(c->bytes, 0, sizeof c->bytes);
  for (int k = 0; k < r->narg; k++) c->in[k] = (PlanPort){RT_STATE, take_room(c, RT_STATE, ir_bytes(&r->arg[k]->type))};
  for (int i = 0; i < r->nyield; i++) {
    c->out[i] = (PlanPort){RT_OUT, 0};
    bool state = false;
    for (int k = 0; k < r->narg; k++)
      if (c->g->out_name[i] && c->g->in_name[k] && !strcmp(c->g->out_name[i], c->g->in_name[k])) {
        c->out[i] = c->in[k];
        state = true;
      }
    if (!state) c->out[i].offset = take_room(c, RT_OUT, ir_bytes(&r->yield[i]->type));
  }
}

static void plan(Case *c) {
  char *bad = ir_verify(c->g);
  if (bad) printf("\n%s\n", bad);
  CU_ASSERT_FATAL(bad == NULL);
  make_ports(c);
  PlanInterface io = {c->in, c->out};
  const IrGraph *parted = plan_part_states(&c->arena, c->g, &io);
  c->plan = plan_make(&c->arena, parted, &io, &target, &c->consts, "g");
  char *why = plan_verify(c->plan);
  if (why) printf("\n%s\n%s%s\n", ir_print(&c->arena, c->g), plan_print(&c->arena, c->plan), why);
  CU_ASSERT(why == NULL);
}

static int count_kind(const PlanBlock *b, PlanKind kind) {
  int n = 0;
  for (const PlanNode *p = b->first; p; p = p->next) n += (p->kind == kind) + count_kind(&p->body[0], kind) + count_kind(&p->body[1], kind);
  return n;
}

static int64_t largest_copy(const PlanBlock *b) {
  int64_t most = 0;
  for (const PlanNode *p = b->first; p; p = p->next) {
    int64_t k = p->kind == PLAN_COPY ? p->bytes : 0;
    for (int i = 0; i < 2; i++)
      if (largest_copy(&p->body[i]) > k) k = largest_copy(&p->body[i]);
    if (k > most) most = k;
  }
  return most;
}

static void expect_kind(Case *c, PlanKind kind, int n) {
  int is = count_kind(&c->plan->body, kind);
  if (is != n) printf("\nkind %d: %d nodes, not %d\n%s", kind, is, n, plan_print(&c->arena, c->plan));
  CU_ASSERT(is == n);
}

// ---- running it -----------------------------------------------------------------------------------
static bool same_number(IrDtype t, IrNumber x, IrNumber y) {
  if (!ir_is_diff(t)) return x.i == y.i;
  return (x.re == y.re || (isnan(x.re) && isnan(y.re))) && (x.im == y.im || (isnan(x.im) && isnan(y.im)));
}

static bool same_bytes(const IrType *t, const char *x, const char *y) {
  int size = ir_dtype_bytes(t->dtype);
  for (int64_t k = 0; k < ir_count(t); k++)
    if (!same_number(t->dtype, ir_load(t->dtype, x + k * size), ir_load(t->dtype, y + k * size))) return false;
  return true;
}

// NULL, or what differs from the reference evaluator.
static const char *run_case(Case *c, uint64_t seed) {
  Arena *a = &c->arena;
  const IrRegion *r = c->g->top;
  IrArray *in = arena_array(a, IrArray, r->narg + 1), *out = arena_array(a, IrArray, r->nyield + 1);
  gen_inputs(a, c->g, seed, in);
  IrEval how = {.typed = true, .max_turns = 10000};
  const char *why = ir_eval(a, &how, c->g, in, out);
  if (why) return why;
  char *base[RT_NSPACE] = {0};
  c->bytes[RT_ARENA] = c->plan->arena_bytes;
  for (int s = 0; s < RT_NSPACE; s++) {
    base[s] = arena_alloc(a, (size_t)c->bytes[s] + 64);
    memset(base[s], 0xcd, (size_t)c->bytes[s] + 64);
  }
  base[RT_CONST] = c->consts.data.s;
  for (int k = 0; k < r->narg; k++) ir_array_to(&in[k], base[c->in[k].space] + c->in[k].offset);
  why = plan_run(a, c->plan, base, seed * 0x9e3779b97f4a7c15u + 12345);
  if (why) return why;
  for (int i = 0; i < r->nyield; i++) {
    const IrType *t = &r->yield[i]->type;
    char *want = arena_alloc(a, (size_t)ir_bytes(t) + 1);
    ir_array_to(&out[i], want);
    if (!same_bytes(t, want, base[c->out[i].space] + c->out[i].offset)) return arena_printf(a, "output %d differs", i);
  }
  for (int k = 0; k < r->narg; k++) {
    bool state = false;
    for (int i = 0; i < r->nyield; i++) state |= c->out[i].space == c->in[k].space && c->out[i].offset == c->in[k].offset;
    char *want = arena_alloc(a, (size_t)ir_bytes(&in[k].type) + 1);
    ir_array_to(&in[k], want);
    if (!state && !same_bytes(&in[k].type, want, base[c->in[k].space] + c->in[k].offset)) return arena_printf(a, "input %d was written over", k);
  }
  return NULL;
}

static void check(Case *c) {
  plan(c);
  for (uint64_t seed = 1; seed < 4; seed++) {
    const char *why = run_case(c, seed);
    if (why) printf("\n%s%s%s\n", ir_print(&c->arena, c->g), plan_print(&c->arena, c->plan), why);
    CU_ASSERT(why == NULL);
    if (why) break;
  }
}

// ---- random graphs ---------------------------------------------------------------------------------
// Gives outputs names of inputs of the same type, so that some states are updated in place.
static void name_states(IrGraph *g, uint64_t seed) {
  IrRegion *r = g->top;
  bool *taken = arena_array(g->arena, bool, r->narg + 1);
  for (int k = 0; k < r->narg; k++) g->in_name[k] = arena_printf(g->arena, "s%d", k);
  for (int i = 0; i < r->nyield; i++) {
    g->out_name[i] = NULL;
    for (int k = 0; k < r->narg; k++)
      if (!taken[k] && ir_type_eq(&r->arg[k]->type, &r->yield[i]->type) && gen_below(&seed, 4)) {
        taken[k] = true;
        g->out_name[i] = g->in_name[k];
        break;
      }
  }
}

static IrValue *by_parts(Case *c, IrBuilder *b, IrValue *x) {
  IrValue **part = arena_array(&c->arena, IrValue *, x->type.dim[0]);
  for (int64_t i = 0; i < x->type.dim[0]; i++) {
    int64_t lo[IR_MAX_RANK] = {i}, hi[IR_MAX_RANK], one[IR_MAX_RANK];
    for (int k = 0; k < x->type.rank; k++) hi[k] = k ? x->type.dim[k] : i + 1, one[k] = 1;
    part[i] = ir_slice(b, x, lo, hi, one);
  }
  return ir_concat(b, (int)x->type.dim[0], part, 0);
}

// Some inputs and their new values are read and written part by part.
static void come_apart(Case *c, uint64_t seed) {
  IrRegion *r = c->g->top;
  for (int k = 0; k < r->narg; k++) {
    IrValue *x = r->arg[k];
    if (!x->type.rank || x->type.dim[0] < 2 || x->type.dim[0] > 8 || gen_below(&seed, 2)) continue;
    IrBuilder b = {.graph = c->g, .at = r, .before = r->first}, last = {.graph = c->g, .at = r};
    IrValue *hole = ir_fill(&b, x->type, 0);
    ir_replace(c->g, x, hole);
    b.before = hole->op;
    ir_replace(c->g, hole, by_parts(c, &b, x));
    for (int i = 0; i < r->nyield; i++)
      if (c->g->out_name[i] && !strcmp(c->g->out_name[i], c->g->in_name[k]) && r->yield[i] != x) r->yield[i] = by_parts(c, &last, r->yield[i]);
  }
}

static const char *fault_of(const IrGraph *g, uint64_t seed, bool print) {
  Case c;
  start(&c);
  c.g = gen_copy(&c.arena, g);
  name_states(c.g, seed);
  if (seed % 4 == 0) come_apart(&c, seed);
  make_ports(&c);
  PlanInterface io = {c.in, c.out};
  const IrGraph *parted = plan_part_states(&c.arena, c.g, &io);
  c.plan = plan_make(&c.arena, parted, &io, seed % 3 ? &cutting : &target, &c.consts, "g");
  char *bad = getenv("PLAN_RUN_ONLY") ? NULL : plan_verify(c.plan);
  const char *why = getenv("PLAN_VERIFY_ONLY") ? NULL : run_case(&c, seed);
  if (print) printf("%s%s", ir_print(&c.arena, c.g), plan_print(&c.arena, c.plan));
  if (print) printf("verify: %s\nrun: %s\n", bad ? bad : "fine", why ? why : "fine");
  why = bad || why ? "a fault" : NULL;
  end(&c);
  return why;
}

static bool fails(const IrGraph *g, void *seed) { return fault_of(g, *(uint64_t *)seed, false) != NULL; }

static void try_random(uint64_t seed, const GenOptions *o) {
  Arena a = {0};
  jmp_buf oom;
  a.oom = &oom;
  if (setjmp(oom)) abort();
  IrGraph *g = gen_graph(&a, seed, o);
  Diags d = {.arena = &a};
  PassContext pc = {&a, &d};
  pass_autodiff(&pc, g);
  if (seed % 2) pass_simplify(&pc, g);            // hoists, shares constants: more use across regions
  bool bad = fault_of(g, seed, false) != NULL;
  if (bad) {
    printf("\nseed %llu:\n", (unsigned long long)seed);
    fault_of(gen_shrink(&a, g, fails, &seed), seed, true);
  }
  CU_ASSERT(!bad);
  arena_free(&a);
}

static void random_graphs(void) {
  GenOptions o = {.nop = 20, .depth = 2, .kinds = GEN_ALL};
  uint64_t from = getenv("PLAN_SEED") ? strtoull(getenv("PLAN_SEED"), NULL, 10) : 1;
  uint64_t n = getenv("PLAN_SEEDS") ? strtoull(getenv("PLAN_SEEDS"), NULL, 10) : 150;
  for (uint64_t seed = from; seed < from + n; seed++) {
    o.nop = 5 + (int)(seed % 40);
    target.fork_ns = seed % 3 ? PLAN_FORK_NS : -1e9;
    try_random(seed, &o);
  }
  target.fork_ns = PLAN_FORK_NS;
}

// ---- by hand ------------------------------------------------------------------------------------------
static IrType f32(int rank, int64_t a, int64_t b) { return ir_type(IR_F32, rank, (int64_t[]){a, b}); }
static IrValue *input(Case *c, IrType t, const char *name) { return ir_input(c->g, t, name); }
static IrValue *spread(Case *c, IrValue *x, int64_t a, int64_t b) { return ir_spread(&c->b, x, 2, (int64_t[]){a, b}); }
static IrValue *mul(Case *c, IrValue *x, IrValue *y) { return ir_bin(&c->b, IR_MUL, x, y); }
static IrValue *add(Case *c, IrValue *x, IrValue *y) { return ir_bin(&c->b, IR_ADD, x, y); }
static IrValue *sub(Case *c, IrValue *x, IrValue *y) { return ir_bin(&c->b, IR_SUB, x, y); }
static IrValue *fill(Case *c, IrType t, double v) { return ir_fill(&c->b, t, v); }
static IrValue *column(Case *c, IrValue *x, int k) {
  int64_t n = x->type.dim[0], lo[] = {0, k}, hi[] = {n, k + 1}, one[] = {1, 1};
  return ir_reshape(&c->b, ir_slice(&c->b, x, lo, hi, one), 1, &n);
}

static void chain(void) {
  Case c;
  start(&c);
  IrValue *x = input(&c, f32(2, 8, 6), "x"), *y = input(&c, f32(2, 8, 6), "y");
  IrValue *t = ir_un(&c.b, IR_TANH, mul(&c, x, y));
  ir_output(c.g, add(&c, t, fill(&c, x->type, 1)), "z");
  ir_output(c.g, mul(&c, t, t), "w");
  check(&c);
  expect_kind(&c, PLAN_NEST, 1);
  CU_ASSERT(c.plan->nnode == 1 && c.plan->body.first->linear && c.plan->arena_bytes == 0);
  end(&c);
}

static void broadcast_of_dear(void) {
  Case c;
  start(&c);
  IrValue *x = input(&c, f32(1, 64, 0), "x"), *y = input(&c, f32(2, 64, 64), "y");
  int64_t axis = 0;
  IrValue *t = ir_broadcast(&c.b, ir_un(&c.b, IR_TANH, x), y->type, &axis);
  ir_output(c.g, mul(&c, t, y), "z");
  check(&c);
  expect_kind(&c, PLAN_NEST, 2);                 // tanh of 64 elements, not of 4096
  end(&c);
  start(&c);
  x = input(&c, f32(1, 64, 0), "x"), y = input(&c, f32(2, 64, 64), "y");
  t = ir_broadcast(&c.b, add(&c, x, x), y->type, &axis);
  ir_output(c.g, mul(&c, t, y), "z");
  check(&c);
  expect_kind(&c, PLAN_NEST, 1);                 // an addition is cheaper than a nest
  end(&c);
}

// Two dense layers with tanh, mean square as loss, backward by hand: every product has its epilogue.
static void mlp(void) {
  enum { B = 32, I = 4, H = 16 };
  Case c;
  start(&c);
  IrBuilder *b = &c.b;
  IrValue *x = input(&c, f32(2, B, I), "x");
  IrValue *w1 = input(&c, f32(2, I, H), "w1"), *b1 = input(&c, f32(1, H, 0), "b1");
  IrValue *w2 = input(&c, f32(2, H, H), "w2"), *b2 = input(&c, f32(1, H, 0), "b2");
  IrValue *h1 = ir_un(b, IR_TANH, add(&c, ir_dot(b, x, w1, 0, false, false), spread(&c, b1, B, H)));
  IrValue *h2 = ir_un(b, IR_TANH, add(&c, ir_dot(b, h1, w2, 0, false, false), spread(&c, b2, B, H)));
  IrValue *one = fill(&c, h2->type, 1), *scale = fill(&c, h2->type, 2.0 / (B * H));
  IrValue *d2 = mul(&c, mul(&c, h2, scale), sub(&c, one, mul(&c, h2, h2)));
  IrValue *d1 = mul(&c, ir_dot(b, d2, w2, 0, false, true), sub(&c, one, mul(&c, h1, h1)));
  IrValue *rate = fill(&c, w1->type, 0.1), *rate2 = fill(&c, w2->type, 0.1), *rate1 = fill(&c, b1->type, 0.1);
  ir_output(c.g, sub(&c, w1, mul(&c, ir_dot(b, x, d1, 0, true, false), rate)), "w1");
  ir_output(c.g, sub(&c, w2, mul(&c, ir_dot(b, h1, d2, 0, true, false), rate2)), "w2");
  int64_t first = 0;
  ir_output(c.g, sub(&c, b1, mul(&c, ir_reduce(b, IR_SUM, d1, 1, &first), rate1)), "b1");
  ir_output(c.g, sub(&c, b2, mul(&c, ir_reduce(b, IR_SUM, d2, 1, &first), rate1)), "b2");
  check(&c);
  expect_kind(&c, PLAN_DOT, 5);
  expect_kind(&c, PLAN_COPY, 0);                 // parameters are updated where they are
  // d2 rides on the second forward product; what is left are the bias gradients, summed together.
  expect_kind(&c, PLAN_NEST, 1);
  end(&c);
}

// CartPole's step, about: four state arrays in and out, a reward, a flag.
static void environment(void) {
  enum { N = 40 };
  Case c;
  start(&c);
  IrBuilder *b = &c.b;
  IrValue *s[4], *n[4];
  for (int k = 0; k < 4; k++) s[k] = input(&c, f32(1, N, 0), (char[]){'a' + (char)k, 0});
  IrValue *action = input(&c, f32(2, N, 2), "action");
  IrValue *force = ir_select(b, ir_bin(b, IR_GT, column(&c, action, 1), column(&c, action, 0)), fill(&c, s[0]->type, 10), fill(&c, s[0]->type, -10));
  IrValue *co = ir_un(b, IR_COS, s[2]), *si = ir_un(b, IR_SIN, s[2]), *dt = fill(&c, s[0]->type, 0.02);
  IrValue *temp = add(&c, force, mul(&c, mul(&c, s[3], s[3]), si));
  IrValue *acc = ir_bin(b, IR_DIV, sub(&c, si, mul(&c, co, temp)), add(&c, fill(&c, s[0]->type, 2), mul(&c, co, co)));
  n[0] = add(&c, s[0], mul(&c, dt, s[1]));
  n[1] = add(&c, s[1], mul(&c, dt, sub(&c, temp, mul(&c, acc, co))));
  n[2] = add(&c, s[2], mul(&c, dt, s[3]));
  n[3] = add(&c, s[3], mul(&c, dt, acc));
  IrValue *over = ir_bin(b, IR_GT, ir_un(b, IR_ABS, n[0]), fill(&c, s[0]->type, 2.4));
  over = ir_bin(b, IR_OR, over, ir_bin(b, IR_GT, ir_un(b, IR_ABS, n[2]), fill(&c, s[0]->type, 0.2)));
  for (int k = 0; k < 4; k++) ir_output(c.g, ir_select(b, over, fill(&c, s[0]->type, 0), n[k]), (char[]){'a' + (char)k, 0});
  ir_output(c.g, over, "over");
  IrValue *column4[4];
  for (int k = 0; k < 4; k++) column4[k] = ir_reshape(b, n[k], 2, (int64_t[]){N, 1});
  ir_output(c.g, ir_concat(b, 4, column4, 1), "seen");
  check(&c);
  expect_kind(&c, PLAN_NEST, 2);                 // the step over [N]; what is seen, over [N, 4]
  expect_kind(&c, PLAN_COPY, 0);
  end(&c);
}

// Worlds of which a few begin anew with numbers drawn for them. `own`: one of them lies near where it was, and `shown`:
// another is an observation too.
static PlanNode *make_worlds(Case *c, bool own, bool shown) {
  start(c);
  IrBuilder *b = &c->b;
  IrType u64 = ir_type(IR_U64, 1, (int64_t[]){70});
  uint64_t place[70];
  for (int k = 0; k < 70; k++) place[k] = (uint64_t)(k * k);
  IrValue *key = input(c, ir_scalar(IR_U64), "key"), *at = ir_const(b, u64, place, sizeof place), *s[3], *now[3];
  for (int k = 0; k < 3; k++) s[k] = input(c, f32(1, 70, 0), (char[]){'a' + (char)k, 0});
  IrValue *lane = ir_bin(b, IR_THREEFRY, ir_broadcast(b, key, u64, NULL), ir_iota(b, u64, 0));
  IrValue *next = add(c, s[0], mul(c, s[1], s[2])), *ends = ir_bin(b, IR_GT, next, fill(c, next->type, 0.3));
  for (int k = 0; k < 3; k++) {
    IrValue *drawn = ir_bin(b, IR_THREEFRY, lane, fill(c, u64, k));
    for (int i = 0; i < 2; i++) drawn = ir_bin(b, IR_THREEFRY, drawn, i ? at : fill(c, u64, k));
    drawn = k == 2 ? fill(c, next->type, 0) : ir_cast(b, drawn, IR_F32);
    if (own && k == 1) drawn = add(c, drawn, s[1]);
    now[k] = ir_select(b, ends, drawn, k ? add(c, s[k], next) : next);
    ir_output(c->g, now[k], (char[]){'a' + (char)k, 0});
  }
  if (shown) ir_output(c->g, ir_un(b, IR_TANH, now[0]), "shown");
  check(c);
  PlanNode *n = c->plan->body.first;
  while (n && n->kind != PLAN_NEST) n = n->next;
  CU_ASSERT_FATAL(n != NULL);
  return n;
}

static int count_late(const PlanNode *n) {
  int late = 0;
  for (int k = 0; k < n->nroot && n->late; k++) late += n->late[k];
  return late;
}

// What is dear and asked for at a few points is computed behind the others, if it needs nothing that is gone by then.
static void late_roots(void) {
  static const struct { bool own, shown; int late; } want[] = {{false, false, 2}, {true, false, 1}, {false, true, 1}, {true, true, 0}};
  for (int k = 0; k < 4; k++) {
    Case c;
    CU_ASSERT_EQUAL(count_late(make_worlds(&c, want[k].own, want[k].shown)), want[k].late);
    expect_kind(&c, PLAN_NEST, 1);
    expect_kind(&c, PLAN_COPY, 0);
    end(&c);
  }
  for (int what = 0; what < 3; what++) {         // the check of plans sees those that are none
    Case c;
    PlanNode *n = make_worlds(&c, what == 0, what == 1);
    CU_ASSERT_PTR_NULL(plan_verify(c.plan));
    for (int k = 0; k < n->nroot; k++) n->late[k] = what < 2 ? n->root[k]->op->code == IR_SELECT : true;
    if (what == 2) n->vector = -1;
    CU_ASSERT_PTR_NOT_NULL(plan_verify(c.plan));
    end(&c);
  }
}

// A recurrent cell: both products of a gate end in one epilogue.
static void two_products(void) {
  Case c;
  start(&c);
  IrBuilder *b = &c.b;
  IrValue *x = input(&c, f32(2, 8, 16), "x"), *h = input(&c, f32(2, 8, 16), "h");
  IrValue *w = input(&c, f32(2, 16, 16), "w"), *u = input(&c, f32(2, 16, 16), "u"), *bias = input(&c, f32(1, 16, 0), "b");
  IrValue *sum = add(&c, ir_dot(b, x, w, 0, false, false), add(&c, ir_dot(b, h, u, 0, false, false), spread(&c, bias, 8, 16)));
  ir_output(c.g, ir_un(b, IR_TANH, sum), "y");
  check(&c);
  expect_kind(&c, PLAN_DOT, 2);
  expect_kind(&c, PLAN_NEST, 0);
  end(&c);
}

static void long_epilogue(void) {
  Case c;
  start(&c);
  IrValue *x = input(&c, f32(2, 64, 64), "x"), *w = input(&c, f32(2, 64, 64), "w");
  IrValue *y = ir_dot(&c.b, x, w, 0, false, false);
  for (int k = 0; k < 10; k++) y = add(&c, mul(&c, y, x), w);
  ir_output(c.g, y, "y");
  check(&c);
  expect_kind(&c, PLAN_DOT, 1);
  expect_kind(&c, PLAN_NEST, 1);
  CU_ASSERT(c.plan->body.first->nroot == 1 && c.plan->body.first->root[0]->op->code == IR_DOT);
  end(&c);
}

// An optimizer's step on arrays of one shape, and of another: equal nodes, not one large one.
static void optimizer(void) {
  Case c;
  start(&c);
  IrValue *rate = input(&c, f32(0, 0, 0), "rate"), *p[3], *g[3];
  for (int k = 0; k < 3; k++) {
    IrType t = k < 2 ? f32(2, 16, 16) : f32(1, 16, 0);
    p[k] = input(&c, t, (char[]){'p', '0' + (char)k, 0}), g[k] = input(&c, t, NULL);
  }
  for (int k = 0; k < 3; k++) {
    IrValue *q = g[k], *r = ir_broadcast(&c.b, rate, g[k]->type, NULL);
    for (int i = 0; i < 6; i++) q = add(&c, mul(&c, q, r), g[k]);
    ir_output(c.g, sub(&c, p[k], q), (char[]){'p', '0' + (char)k, 0});
  }
  check(&c);
  expect_kind(&c, PLAN_NEST, 3);
  expect_kind(&c, PLAN_COPY, 0);
  end(&c);
}

// Numbers that a step logs come at different levels, and are summed up in one place.
static void bookkeeping(void) {
  Case c;
  start(&c);
  IrValue *x = input(&c, f32(1, 100, 0), "x"), *y = ir_un(&c.b, IR_TANH, x);
  int64_t zero = 0, none = 0;
  IrValue *a = ir_reduce(&c.b, IR_SUM, x, 1, &zero), *sum = ir_reduce(&c.b, IR_SUM, y, 1, &zero);
  IrValue *z = mul(&c, y, ir_broadcast(&c.b, sum, y->type, &none));
  IrValue *d = ir_reduce(&c.b, IR_SUM, mul(&c, z, z), 1, &zero);
  ir_output(c.g, add(&c, a, d), "logged");
  check(&c);
  expect_kind(&c, PLAN_NEST, 3);                 // tanh; its sum; both sums that are logged
  end(&c);
}

// Softmax over two actions and its entropy, over [N]: one nest for all that has domain [N].
static void small_reductions(void) {
  enum { N = 33 };
  Case c;
  start(&c);
  IrBuilder *b = &c.b;
  int64_t last = 1, zero = 0;
  IrValue *x = input(&c, f32(2, N, 2), "x");
  IrValue *top = ir_broadcast(b, ir_reduce(b, IR_RMAX, x, 1, &last), x->type, &zero);
  IrValue *e = ir_un(b, IR_EXP, sub(&c, x, top));
  IrValue *sum = ir_un(b, IR_LOG, ir_reduce(b, IR_SUM, e, 1, &last));
  IrValue *logp = sub(&c, sub(&c, x, top), ir_broadcast(b, sum, x->type, &zero));
  ir_output(c.g, ir_un(b, IR_NEG, ir_reduce(b, IR_SUM, mul(&c, ir_un(b, IR_EXP, logp), logp), 1, &last)), "entropy");
  check(&c);
  CU_ASSERT(count_kind(&c.plan->body, PLAN_NEST) <= 2);
  end(&c);
}

static IrAttr attr(Case *c, IrKey k, int64_t v) { return ir_attr_int(&c->arena, k, v); }

static IrOp *scan(Case *c, int nin, IrValue **in, int n, int ncarry, IrRegion *body) {
  IrAttr at[] = {attr(c, A_N, n), attr(c, A_REVERSE, 0), attr(c, A_NCARRY, ncarry)};
  return ir_build(&c->b, IR_SCAN, nin, in, NULL, 3, at, 1, &body);
}

// A carried value that the body reads elsewhere first, then steps; its stacked copy from before the step.
static void scan_in_place(void) {
  Case c;
  start(&c);
  IrValue *init = input(&c, f32(1, 50, 0), "s"), *x = input(&c, f32(2, 6, 50), "x");
  IrRegion *body = ir_region(c.g);
  ir_arg(body, ir_scalar(IR_I32));
  IrValue *s = ir_arg(body, init->type), *step = ir_arg(body, init->type);
  IrBuilder top = c.b;
  c.b.at = body;
  IrValue *next = add(&c, mul(&c, s, fill(&c, s->type, 0.5)), step);
  ir_yield(body, next);
  int64_t zero = 0;
  ir_yield(body, ir_reduce(&c.b, IR_SUM, s, 1, &zero));
  c.b = top;
  IrOp *op = scan(&c, 2, (IrValue *[]){init, x}, 6, 1, body);
  ir_output(c.g, op->out[0], "s");
  ir_output(c.g, op->out[1], "sums");
  check(&c);
  expect_kind(&c, PLAN_COPY, 0);
  CU_ASSERT(c.plan->arena_bytes == 0);
  end(&c);
}

// What each turn stacks lies over what it sliced, where nobody reads that afterwards: in the turn, behind it, or as a whole.
static void stack_over_slices(void) {
  for (int what = 0; what < 4; what++) {
    Case c;
    start(&c);
    IrValue *init = input(&c, f32(2, 40, 30), "s"), *w = input(&c, f32(2, 30, 30), "w");
    IrValue *x = ir_reshape(&c.b, ir_un(&c.b, IR_TANH, ir_dot(&c.b, input(&c, f32(2, 200, 30), "x"), w, 0, false, false)), 3, (int64_t[]){5, 40, 30});
    IrRegion *body = ir_region(c.g);
    ir_arg(body, ir_scalar(IR_I32));
    IrValue *s = ir_arg(body, init->type), *slice = ir_arg(body, init->type);
    IrBuilder top = c.b;
    c.b.at = body;
    IrValue *kept = ir_un(&c.b, IR_TANH, ir_dot(&c.b, mul(&c, s, slice), w, 0, false, false));
    IrValue *next = ir_dot(&c.b, kept, w, 0, false, true);
    if (what == 1) next = mul(&c, next, slice);
    if (what == 2) next = add(&c, next, ir_reduce(&c.b, IR_SUM, x, 1, (int64_t[]){0}));
    ir_yield(body, next);
    ir_yield(body, kept);
    c.b = top;
    IrOp *op = scan(&c, 2, (IrValue *[]){init, x}, 5, 1, body);
    ir_output(c.g, ir_reduce(&c.b, IR_SUM, ir_dot(&c.b, op->out[1], op->out[1], 1, true, false), 3, (int64_t[]){0, 1, 2}), "kept");
    ir_output(c.g, op->out[0], "s");
    if (what == 3) ir_output(c.g, ir_reduce(&c.b, IR_SUM, ir_dot(&c.b, x, x, 1, true, false), 3, (int64_t[]){0, 1, 2}), "x");
    check(&c);
    const PlanRef *from = &c.plan->value[x->id].ref, *to = &c.plan->value[op->out[1]->id].ref;
    CU_ASSERT_EQUAL(c.plan->value[x->id].home, PLAN_STORED);
    CU_ASSERT_EQUAL(from->space == to->space && from->offset == to->offset, what == 0);
    end(&c);
  }
}

// A loop that steps each layer's parameters and moment from its gradient: the new ones lie over the old. They do not
// where a turn reads its parameters after it stepped them, where the old ones are read behind the loop, where the state is
// another.
static void states_over_slices(void) {
  for (int what = 0; what < 4; what++) {
    Case c;
    start(&c);
    IrValue *init = input(&c, f32(2, 40, 64), "s"), *w = input(&c, ir_type(IR_F32, 3, (int64_t[]){3, 64, 64}), "w"), *m = input(&c, w->type, "m");
    IrRegion *body = ir_region(c.g);
    ir_arg(body, ir_scalar(IR_I32));
    IrValue *s = ir_arg(body, init->type), *wt = ir_arg(body, f32(2, 64, 64)), *mt = ir_arg(body, f32(2, 64, 64));
    IrBuilder top = c.b;
    c.b.at = body;
    IrValue *d = ir_un(&c.b, IR_TANH, s), *g = ir_dot(&c.b, d, d, 0, true, false), *next = ir_dot(&c.b, d, wt, 0, false, true);
    IrValue *m1 = add(&c, mt, g), *w1 = sub(&c, wt, m1);
    if (what == 1) next = ir_dot(&c.b, ir_dot(&c.b, d, w1, 0, false, false), wt, 0, false, true);
    ir_yield(body, next);
    ir_yield(body, m1);
    ir_yield(body, w1);
    c.b = top;
    IrOp *op = scan(&c, 3, (IrValue *[]){init, w, m}, 3, 1, body);
    ir_output(c.g, op->out[0], "s");
    ir_output(c.g, op->out[1], what == 3 ? "w" : "m");
    ir_output(c.g, op->out[2], what == 3 ? "m" : "w");
    if (what == 2) ir_output(c.g, ir_reduce(&c.b, IR_SUM, ir_dot(&c.b, w, op->out[1], 1, true, false), 3, (int64_t[]){0, 1, 2}), "w'");
    check(&c);
    const PlanRef *from = &c.plan->value[w->id].ref, *to = &c.plan->value[op->out[2]->id].ref;
    CU_ASSERT_EQUAL(to->space == from->space && to->offset == from->offset, what == 0);
    if (what == 0) {
      expect_kind(&c, PLAN_COPY, 0);
      CU_ASSERT(c.plan->value[op->out[1]->id].ref.space == RT_STATE && c.plan->arena_bytes < ir_bytes(&w->type));
    }
    end(&c);
  }
}

// What a turn makes of its slice, element by element, lies over it. Not so where the array is read again: behind the loop, or by
// the next turn of a loop around.
static void over_slices(void) {
  for (int what = 0; what < 3; what++) {
    Case c;
    start(&c);
    IrValue *init = input(&c, f32(2, 40, 64), "s"), *x = input(&c, ir_type(IR_F32, 3, (int64_t[]){3, 40, 64}), "x"), *h = ir_un(&c.b, IR_COPY, x);
    IrRegion *outer = ir_region(c.g), *body = ir_region(c.g);
    ir_arg(outer, ir_scalar(IR_I32));
    IrValue *carried = ir_arg(outer, init->type);
    IrBuilder top = c.b;
    if (what == 2) c.b.at = outer;
    IrBuilder around = c.b;
    ir_arg(body, ir_scalar(IR_I32));
    IrValue *d = ir_arg(body, init->type), *slice = ir_arg(body, init->type);
    c.b.at = body;
    IrValue *g = mul(&c, ir_un(&c.b, IR_TANH, slice), d), *w = ir_dot(&c.b, g, d, 0, true, false);
    ir_yield(body, ir_dot(&c.b, g, w, 0, false, false));
    c.b = around;
    IrOp *op = scan(&c, 2, (IrValue *[]){what == 2 ? carried : init, h}, 3, 1, body);
    if (what == 2) {
      ir_yield(outer, op->out[0]);
      c.b = top;
      op = scan(&c, 1, (IrValue *[]){init}, 2, 1, outer);
    }
    ir_output(c.g, op->out[0], "s");
    if (what == 1) ir_output(c.g, ir_reduce(&c.b, IR_SUM, h, 3, (int64_t[]){0, 1, 2}), "sum");
    check(&c);
    const PlanRef *at = &c.plan->value[slice->id].ref, *to = &c.plan->value[g->id].ref;
    CU_ASSERT_EQUAL(to->space == at->space && to->offset == at->offset && to->nturn == at->nturn, what == 0);
    end(&c);
  }
}

// Two layers' weights in one state: each is stepped in place when the other is still read. They are not where the whole
// state is read as well, or written in another way.
static void states_in_parts(void) {
  for (int what = 0; what < 4; what++) {
    Case c;
    start(&c);
    IrValue *x = input(&c, f32(2, 40, 64), "x"), *w = input(&c, ir_type(IR_F32, 3, (int64_t[]){2, 64, 64}), "w"), *part[2];
    for (int k = 0; k < 2; k++)
      part[k] = ir_reshape(&c.b, ir_slice(&c.b, w, (int64_t[]){k, 0, 0}, (int64_t[]){k + 1, 64, 64}, (int64_t[]){1, 1, 1}), 2, (int64_t[]){64, 64});
    IrValue *g = ir_dot(&c.b, x, x, 0, true, false), *first = sub(&c, part[0], g), *h = ir_dot(&c.b, x, first, 0, false, false);
    IrValue *second = sub(&c, part[1], ir_dot(&c.b, h, h, 0, true, false)), *y = ir_dot(&c.b, h, part[1], 0, false, false), *next[2] = {first, second};
    for (int k = 0; k < 2; k++) next[k] = ir_reshape(&c.b, next[k], 3, (int64_t[]){1, 64, 64});
    ir_output(c.g, what == 1 ? ir_reshape(&c.b, ir_concat(&c.b, 2, (IrValue *[]){first, second}, 0), 3, w->type.dim) : ir_concat(&c.b, 2, next, 0), "w");
    ir_output(c.g, y, "y");
    if (what == 2) ir_output(c.g, ir_reduce(&c.b, IR_SUM, w, 3, (int64_t[]){0, 1, 2}), "sum");
    if (what == 3) ir_output(c.g, w, "old");
    check(&c);
    CU_ASSERT_EQUAL(c.plan->graph->top->narg, what == 0 ? 3 : 2);
    if (what == 0) {
      expect_kind(&c, PLAN_COPY, 0);
      int inside = 0;
      for (int k = 0; k < c.plan->graph->nvalue; k++)
        inside += c.plan->value[k].home == PLAN_STORED && c.plan->value[k].ref.space == RT_STATE && c.plan->value[k].ref.offset == c.in[1].offset + 64 * 64 * 4;
      CU_ASSERT(inside >= 2);
    }
    end(&c);
  }
}

// Layers forward, each layer's input and output kept; a loop back reads both. One array of five places holds them: the
// input is copied to the first, and no turn copies. `what` 1: from the last layer to the first; 2: the outputs leave, so
// that they are an array of their own.
static void chain_of_carries(void) {
  for (int what = 0; what < 3; what++) {
    Case c;
    start(&c);
    IrValue *x = input(&c, f32(2, 40, 30), "x"), *w = input(&c, f32(2, 30, 30), "w");
    IrRegion *body = ir_region(c.g), *back = ir_region(c.g);
    IrBuilder top = c.b;
    ir_arg(body, ir_scalar(IR_I32));
    IrValue *h = ir_arg(body, x->type);
    c.b.at = body;
    IrValue *next = ir_un(&c.b, IR_TANH, ir_dot(&c.b, h, w, 0, false, false));
    ir_yield(body, next);
    ir_yield(body, h);
    ir_yield(body, next);
    c.b = top;
    IrAttr attr[3] = {ir_attr_int(&c.arena, A_N, 4), ir_attr_int(&c.arena, A_REVERSE, what == 1), ir_attr_int(&c.arena, A_NCARRY, 1)};
    IrOp *to = ir_build(&c.b, IR_SCAN, 1, &x, NULL, 3, attr, 1, &body);
    ir_arg(back, ir_scalar(IR_I32));
    IrValue *d = ir_arg(back, x->type), *in = ir_arg(back, x->type), *out = ir_arg(back, x->type);
    c.b.at = back;
    ir_yield(back, mul(&c, ir_dot(&c.b, mul(&c, d, out), w, 0, false, true), in));
    c.b = top;
    attr[1] = ir_attr_int(&c.arena, A_REVERSE, what != 1);
    IrOp *from = ir_build(&c.b, IR_SCAN, 3, (IrValue *[]){to->out[0], to->out[1], to->out[2]}, NULL, 3, attr, 1, &back);
    ir_output(c.g, from->out[0], "d");
    if (what == 2) ir_output(c.g, to->out[2], "h");
    check(&c);
    const PlanRef *a = &c.plan->value[to->out[1]->id].ref, *b = &c.plan->value[to->out[2]->id].ref;
    int64_t apart = b->space == a->space ? b->offset - a->offset : 0, one = ir_bytes(&x->type);
    if (what < 2) {
      CU_ASSERT_EQUAL(apart, what ? -one : one);
      expect_kind(&c, PLAN_COPY, 2);               // x to the first place; the last to where the way back begins
      CU_ASSERT(c.plan->arena_bytes < 9 * one);
    } else CU_ASSERT(apart != one);
    end(&c);
  }
}

// Rows written into a ring at a carried position, on some turns only.
static void ring_buffer(void) {
  enum { ROWS = 1000, D = 3 };
  Case c;
  start(&c);
  IrValue *ring = input(&c, f32(2, ROWS, D), "ring"), *at = input(&c, ir_scalar(IR_I32), "at"), *x = input(&c, f32(2, 7, D), "x");
  IrRegion *body = ir_region(c.g), *yes = ir_region(c.g), *no = ir_region(c.g);
  IrValue *turn = ir_arg(body, ir_scalar(IR_I32)), *r = ir_arg(body, ring->type), *i = ir_arg(body, at->type), *row = ir_arg(body, f32(1, D, 0));
  IrBuilder top = c.b;
  c.b.at = yes;
  IrValue *in[] = {r, ir_reshape(&c.b, row, 2, (int64_t[]){1, D}), i, fill(&c, at->type, 0)};
  ir_yield(yes, ir_build(&c.b, IR_DYN_UPDATE, 4, in, NULL, 0, NULL, 0, NULL)->out[0]);
  ir_yield(no, r);
  c.b.at = body;
  IrValue *odd = ir_bin(&c.b, IR_EQ, ir_bin(&c.b, IR_AND, turn, fill(&c, turn->type, 1)), fill(&c, turn->type, 1));
  IrOp *op = ir_build(&c.b, IR_COND, 1, &odd, NULL, 0, NULL, 2, (IrRegion *[]){yes, no});
  ir_yield(body, op->out[0]);
  ir_yield(body, add(&c, i, fill(&c, i->type, 1)));
  c.b = top;
  op = scan(&c, 3, (IrValue *[]){ring, at, x}, 7, 2, body);
  ir_output(c.g, op->out[0], "ring");
  ir_output(c.g, op->out[1], "at");
  check(&c);
  CU_ASSERT(largest_copy(&c.plan->body) <= 4);   // the position at most
  CU_ASSERT(c.plan->arena_bytes < 1024);
  end(&c);
}

// The old ring is still read after the write: a copy, and the user is told.
static void kept_ring(void) {
  enum { ROWS = 1 << 17, D = 3 };
  Case c;
  start(&c);
  IrValue *ring = input(&c, f32(2, ROWS, D), "ring"), *row = input(&c, f32(2, 1, D), "row"), *zero = fill(&c, ir_scalar(IR_I32), 0);
  IrValue *in[] = {ring, row, zero, zero};
  IrValue *next = ir_build(&c.b, IR_DYN_UPDATE, 4, in, NULL, 0, NULL, 0, NULL)->out[0];
  ir_output(c.g, next, "ring");
  ir_output(c.g, sub(&c, ring, next), "change");
  plan(&c);
  CU_ASSERT(c.plan->nwaste > 0);
  bool told = false;
  for (int k = 0; k < c.plan->nwaste; k++) told |= c.plan->waste[k].old == ring && c.plan->waste[k].bytes == ROWS * D * 4;
  CU_ASSERT(told);
  end(&c);
}

static IrValue *write_at(Case *c, IrValue *x, IrValue *at, IrValue *v) {
  IrValue *in[] = {x, ir_reshape(&c->b, v, 1, (int64_t[]){1}), at};
  return ir_build(&c->b, IR_DYN_UPDATE, 3, in, NULL, 0, NULL, 0, NULL)->out[0];
}

static IrValue *read_at(Case *c, IrValue *x, IrValue *at) {
  IrAttr size = attr(c, A_SIZES, 1);
  return ir_reshape(&c->b, ir_build(&c->b, IR_DYN_SLICE, 2, (IrValue *[]){x, at}, NULL, 1, &size, 0, NULL)->out[0], 0, NULL);
}

// Numbers read of an array before a write, and used with what is read behind it: the write is in place. `late`: the
// graph has the reading behind the write. `branch`: the write is made on some condition only.
static void read_before_write(bool late, bool branch, bool loop) {
  enum { N = 1 << 18 };
  Case c;
  start(&c);
  IrValue *x = input(&c, f32(1, N, 0), "x"), *at = input(&c, ir_scalar(IR_I32), "at"), *sum = input(&c, ir_scalar(IR_F32), "sum"), *old = x;
  IrBuilder top = c.b;
  IrRegion *body = ir_region(c.g), *yes = ir_region(c.g), *no = ir_region(c.g);
  ir_arg(body, ir_scalar(IR_I32));
  IrValue *x1 = ir_arg(body, x->type), *sum1 = ir_arg(body, sum->type);
  if (loop) c.b.at = body;
  IrValue *was = NULL, *now = loop ? x1 : x, *s = loop ? sum1 : sum;
  old = now;
  if (!late) was = read_at(&c, old, at);
  if (branch) {
    IrBuilder outer = c.b;
    c.b.at = yes;
    ir_yield(yes, write_at(&c, old, at, s));
    ir_yield(no, old);
    c.b = outer;
    IrValue *lower = ir_bin(&c.b, IR_LT, at, fill(&c, at->type, 1000));
    now = ir_build(&c.b, IR_COND, 1, &lower, NULL, 0, NULL, 2, (IrRegion *[]){yes, no})->out[0];
  } else now = write_at(&c, old, at, s);
  if (late) was = read_at(&c, old, at);
  s = add(&c, mul(&c, was, fill(&c, was->type, 3)), read_at(&c, now, add(&c, at, fill(&c, at->type, 1))));
  if (loop) {
    ir_yield(body, now);
    ir_yield(body, s);
    c.b = top;
    IrOp *op = scan(&c, 2, (IrValue *[]){x, sum}, 5, 2, body);
    now = op->out[0], s = op->out[1];
  }
  ir_output(c.g, now, "x");
  ir_output(c.g, s, "sum");
  plan(&c);
  if (largest_copy(&c.plan->body) > 4) printf("\nlate %d branch %d loop %d\n%s", late, branch, loop, plan_print(&c.arena, c.plan));
  CU_ASSERT(largest_copy(&c.plan->body) <= 4);
  CU_ASSERT(c.plan->arena_bytes < 1024);
  CU_ASSERT(c.plan->nwaste == 0);
  const char *why = run_case(&c, 1);
  CU_ASSERT(why == NULL);
  end(&c);
}

static void reads_before_writes(void) {
  for (int k = 0; k < 8; k++) read_before_write(k & 1, k >> 1 & 1, k >> 2);
}

// States that change places, and one that is copied out before it changes.
static void exchange(void) {
  Case c;
  start(&c);
  IrValue *x = input(&c, f32(1, 5, 0), "x"), *y = input(&c, f32(1, 5, 0), "y"), *z = input(&c, f32(1, 5, 0), "z");
  ir_output(c.g, y, "x");
  ir_output(c.g, x, "y");
  ir_output(c.g, z, "before");
  ir_output(c.g, add(&c, z, z), "z");
  check(&c);
  expect_kind(&c, PLAN_COPY, 4);                 // three for the exchange, one for `before`
  end(&c);
}

static double seconds(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static const PlanNode *product_of(Case *c, int64_t m, int64_t k, int64_t n) {
  start(c);
  ir_output(c->g, ir_dot(&c->b, input(c, f32(2, m, k), "x"), input(c, f32(2, k, n), "w"), 0, false, false), "y");
  check(c);
  return c->plan->body.first;
}

// Small products are one thread's; larger ones are few pieces, which two threads share evenly.
static void pieces(void) {
  Case c;
  CU_ASSERT(product_of(&c, 8, 64, 64)->pieces == 1);
  end(&c);
  CU_ASSERT(product_of(&c, 256, 64, 64)->pieces == 1);
  end(&c);
  for (int64_t m = 64; m <= 220; m += 52) {
    const PlanNode *n = product_of(&c, m, 250, 256);
    CU_ASSERT(n->pieces >= 2 && n->pieces <= 64);
    int64_t part[2] = { 0 };
    for (int64_t at = 0; at < m; at += n->piece_len) part[part[1] < part[0]] += m - at < n->piece_len ? m - at : n->piece_len;
    int64_t most = part[0] > part[1] ? part[0] : part[1];
    CU_ASSERT(most <= m / 2 + 24);
    CU_ASSERT(n->piece_len * n->pieces >= m && n->piece_len * (n->pieces - 1) < m);
    end(&c);
  }
}

// x tanh(w) tanh(w) twice, with different x and w.
static IrValue *two_chains(Case *c, IrValue **x, IrValue **w) {
  IrValue *y[2];
  for (int k = 0; k < 2; k++) {
    x[k] = input(c, f32(2, 64, 64), k ? "x" : "y");
    w[k] = input(c, f32(2, 64, 64), k ? "w" : "v");
    y[k] = ir_un(&c->b, IR_TANH, ir_dot(&c->b, x[k], w[k], 0, false, false));
    y[k] = ir_un(&c->b, IR_TANH, ir_dot(&c->b, y[k], w[k], 0, false, false));
  }
  return ir_dot(&c->b, y[0], y[1], 0, false, false);
}

static int ndot(const PlanBlock *b) {
  int n = 0;
  for (const PlanNode *p = b->first; p; p = p->next) n += p->kind == PLAN_DOT;
  return n;
}

// Two chains run side by side until they meet; states that a side reads and writes anew stay in their place.
static void side_by_side(void) {
  Case c;
  start(&c);
  IrValue *x[2], *w[2], *y = two_chains(&c, x, w);
  ir_output(c.g, y, "out");
  ir_output(c.g, ir_bin(&c.b, IR_MUL, w[0], fill(&c, w[0]->type, 0.5)), "v");
  ir_output(c.g, ir_bin(&c.b, IR_MUL, w[1], fill(&c, w[1]->type, 0.5)), "w");
  check(&c);
  const PlanNode *f = c.plan->body.first;
  CU_ASSERT_EQUAL_FATAL(f->kind, PLAN_FORK);
  CU_ASSERT_EQUAL(ndot(&f->body[0]), 2);
  CU_ASSERT_EQUAL(ndot(&f->body[1]), 2);
  CU_ASSERT_EQUAL(count_kind(&c.plan->body, PLAN_FORK), 1);
  CU_ASSERT_EQUAL(count_kind(&c.plan->body, PLAN_COPY), 0);
  end(&c);
  start(&c);                                     // one chain has no sides
  y = input(&c, f32(2, 64, 64), "x");
  for (int k = 0; k < 4; k++) y = ir_un(&c.b, IR_TANH, ir_dot(&c.b, y, y, 0, false, false));
  ir_output(c.g, y, "out");
  check(&c);
  CU_ASSERT_EQUAL(count_kind(&c.plan->body, PLAN_FORK), 0);
  end(&c);
}

// The check of plans sees sides that share a place.
static void sides_that_share(void) {
  Case c;
  start(&c);
  IrValue *x[2], *w[2];
  ir_output(c.g, two_chains(&c, x, w), "out");
  check(&c);
  const PlanNode *f = c.plan->body.first, *a = f->body[0].first, *b = f->body[1].first;
  CU_ASSERT_PTR_NULL(plan_verify(c.plan));
  c.plan->value[b->root[0]->id].ref = c.plan->value[a->root[0]->id].ref;
  CU_ASSERT_PTR_NOT_NULL(plan_verify(c.plan));
  end(&c);
}

// What a product and a long epilogue both read is computed with the epilogue; the product waits for it.
static void late(void) {
  Case c;
  start(&c);
  IrValue *x = input(&c, f32(2, 128, 128), "x"), *g = input(&c, f32(2, 128, 128), "g"), *u = input(&c, f32(2, 128, 128), "u");
  IrValue *t = ir_un(&c.b, IR_TANH, x), *h = mul(&c, t, x);
  ir_output(c.g, ir_dot(&c.b, h, g, 0, true, false), "w");
  IrValue *d = ir_dot(&c.b, g, u, 0, false, false);
  for (int k = 0; k < 14; k++) d = k % 2 ? add(&c, d, t) : mul(&c, d, t);
  ir_output(c.g, d, "d");
  check(&c);
  expect_kind(&c, PLAN_NEST, 1);
  expect_kind(&c, PLAN_DOT, 2);
  CU_ASSERT_EQUAL(c.plan->value[t->id].home, PLAN_INLINE);
  end(&c);
}

// Two layers forward and back over some rows: products, activations and row sums run strip by strip; sums over rows do not.
static void make_strips(Case *c, int64_t rows) {
  start(c);
  int64_t zero = 0, one = 1;
  IrValue *x = input(c, f32(2, rows, 16), "x"), *w = input(c, f32(2, 16, 16), "w"), *u = input(c, f32(2, 16, 16), "u");
  IrValue *h = ir_un(&c->b, IR_TANH, ir_dot(&c->b, x, w, 0, false, false));
  IrValue *y = ir_un(&c->b, IR_EXP, ir_dot(&c->b, h, u, 0, false, false));
  IrValue *sum = ir_reduce(&c->b, IR_SUM, y, 1, &one);
  IrValue *d = sub(c, y, ir_broadcast(&c->b, sum, y->type, &zero));
  IrValue *dh = mul(c, ir_dot(&c->b, d, u, 0, false, true), h);
  ir_output(c->g, sub(c, u, ir_dot(&c->b, h, d, 0, true, false)), "u");
  ir_output(c->g, sub(c, w, ir_dot(&c->b, x, dh, 0, true, false)), "w");
  make_ports(c);
  PlanInterface io = {c->in, c->out};
  c->plan = plan_make(&c->arena, c->g, &io, &cutting, &c->consts, "g");
}

static void strips_of(int64_t rows, int64_t pieces) {
  Case c;
  make_strips(&c, rows);
  CU_ASSERT_PTR_NULL(plan_verify(c.plan));
  expect_kind(&c, PLAN_STRIPS, 1);
  PlanNode *s = c.plan->body.first;
  while (s && s->kind != PLAN_STRIPS) s = s->next;
  CU_ASSERT_FATAL(s != NULL);
  int products = 0, n = 0;
  for (const PlanNode *p = s->body[0].first; p; p = p->next) products += p->kind == PLAN_DOT, n++;
  CU_ASSERT(products == 3 && n >= 4 && s->pieces == pieces);
  // y and its sums are a strip's own, in as many rooms in the arena as there are strips, or in one of each thread; h is read behind them.
  int own = 0;
  for (const PlanNode *p = s->body[0].first; p; p = p->next)
    for (int k = 0; k < p->nroot; k++) own += c.plan->value[p->root[k]->id].ref.own == ir_bytes(&p->root[k]->type) / pieces;
  CU_ASSERT(s->room > 0 && c.plan->room_bytes == (pieces == 2 ? 0 : s->room));
  CU_ASSERT(own > 0 && own < n);
  CU_ASSERT_EQUAL(c.plan->value[s->body[0].first->root[0]->id].ref.own, 0);
  expect_kind(&c, PLAN_DOT, 5);
  for (uint64_t seed = 1; seed < 20; seed++) CU_ASSERT_PTR_NULL(run_case(&c, seed));
  end(&c);
}

static void strips(void) {
  strips_of(64, 2);
  strips_of(256, 8);
}

// Weights that strips read as a whole are stepped in place by later ones.
static void strips_in_place(void) {
  Case c;
  start(&c);
  IrValue *x = input(&c, f32(2, 64, 16), "x"), *w = input(&c, f32(2, 16, 16), "w"), *u = input(&c, f32(2, 32, 16), "u");
  IrValue *y = ir_un(&c.b, IR_TANH, ir_dot(&c.b, x, w, 0, false, false));
  IrValue *z = ir_un(&c.b, IR_EXP, ir_dot(&c.b, y, w, 0, false, false)), *s = ir_reduce(&c.b, IR_SUM, z, 2, (int64_t[]){0, 1});
  ir_output(c.g, z, "z");
  ir_output(c.g, mul(&c, w, ir_broadcast(&c.b, s, w->type, NULL)), "w");
  ir_output(c.g, mul(&c, u, ir_broadcast(&c.b, s, u->type, NULL)), "u");
  make_ports(&c);
  PlanInterface io = {c.in, c.out};
  c.plan = plan_make(&c.arena, c.g, &io, &cutting, &c.consts, "g");
  CU_ASSERT_PTR_NULL(plan_verify(c.plan));
  expect_kind(&c, PLAN_STRIPS, 2);
  expect_kind(&c, PLAN_COPY, 0);
  for (uint64_t seed = 1; seed < 5; seed++) CU_ASSERT_PTR_NULL(run_case(&c, seed));
  end(&c);
}

// Two halves of a turn, with a weight gradient each. Where the first one's array is large, strips end between the halves, and the
// second one's lies in its place.
static void strips_end(void) {
  for (int64_t rows = 256; rows <= 512; rows *= 2) {
    Case c;
    start(&c);
    IrValue *init = input(&c, f32(2, rows, 16), "d"), *w = input(&c, f32(2, 16, 64), "w"), *u = input(&c, f32(2, 64, 16), "u"), *x = input(&c, f32(2, 3, 16), "x");
    IrRegion *body = ir_region(c.g);
    ir_arg(body, ir_scalar(IR_I32));
    IrValue *d = ir_arg(body, init->type), *bias = ir_arg(body, ir_type(IR_F32, 1, (int64_t[]){16}));
    IrBuilder top = c.b;
    c.b.at = body;
    IrValue *a = ir_un(&c.b, IR_TANH, ir_dot(&c.b, d, w, 0, false, false)), *e = ir_dot(&c.b, a, u, 0, false, false);
    IrValue *f = ir_un(&c.b, IR_TANH, ir_dot(&c.b, e, w, 0, false, false)), *next = ir_dot(&c.b, f, u, 0, false, false);
    next = ir_un(&c.b, IR_TANH, add(&c, next, ir_broadcast(&c.b, bias, next->type, (int64_t[]){1})));
    ir_yield(body, next);
    ir_yield(body, ir_dot(&c.b, a, d, 0, true, false));
    ir_yield(body, ir_dot(&c.b, f, e, 0, true, false));
    c.b = top;
    IrOp *op = scan(&c, 2, (IrValue *[]){init, x}, 3, 1, body);
    for (int k = 0; k < 3; k++) ir_output(c.g, op->out[k], k ? NULL : "d");
    make_ports(&c);
    PlanInterface io = {c.in, c.out};
    c.plan = plan_make(&c.arena, c.g, &io, &cutting, &c.consts, "g");
    CU_ASSERT_PTR_NULL(plan_verify(c.plan));
    expect_kind(&c, PLAN_STRIPS, rows == 256 ? 1 : 2);
    const PlanRef *first = &c.plan->value[a->id].ref, *second = &c.plan->value[f->id].ref;
    CU_ASSERT_EQUAL(first->space == second->space && first->offset == second->offset, rows == 512);
    CU_ASSERT_PTR_NULL(run_case(&c, 1));
    end(&c);
  }
}

// A weight's gradient that could be computed ahead of strips which read the weight comes behind them, with what steps the weight.
static void gradient_waits(void) {
  Case c;
  start(&c);
  int64_t zero = 0;
  IrValue *init = input(&c, f32(2, 512, 64), "s"), *x = input(&c, init->type, "x"), *w = input(&c, ir_type(IR_F32, 3, (int64_t[]){3, 64, 64}), "w");
  IrRegion *body = ir_region(c.g);
  ir_arg(body, ir_scalar(IR_I32));
  IrValue *s = ir_arg(body, init->type), *wt = ir_arg(body, f32(2, 64, 64));
  IrBuilder top = c.b;
  c.b.at = body;
  IrValue *e = ir_un(&c.b, IR_TANH, ir_dot(&c.b, s, wt, 0, false, false));
  IrValue *m = ir_broadcast(&c.b, ir_reduce(&c.b, IR_RMAX, e, 1, &zero), init->type, (int64_t[]){1});
  IrValue *q = ir_un(&c.b, IR_TANH, add(&c, e, m)), *next = ir_un(&c.b, IR_SIN, ir_dot(&c.b, q, wt, 0, false, false));
  IrValue *g = ir_dot(&c.b, x, e, 0, true, false), *w1 = wt;
  for (int k = 0; k < 14; k++) w1 = k % 2 ? add(&c, w1, g) : mul(&c, w1, g);     // too long for the product itself
  ir_yield(body, next);
  ir_yield(body, w1);
  c.b = top;
  IrOp *op = scan(&c, 2, (IrValue *[]){init, w}, 3, 1, body);
  ir_output(c.g, op->out[0], "s");
  ir_output(c.g, op->out[1], "w");
  make_ports(&c);
  PlanInterface io = {c.in, c.out};
  c.plan = plan_make(&c.arena, c.g, &io, &cutting, &c.consts, "g");
  CU_ASSERT_PTR_NULL(plan_verify(c.plan));
  expect_kind(&c, PLAN_STRIPS, 2);
  expect_kind(&c, PLAN_COPY, 0);
  CU_ASSERT_PTR_NULL(run_case(&c, 1));
  end(&c);
}

// y, which takes much room, is computed behind what does not need it.
static void order_in_strips(void) {
  Case c;
  start(&c);
  IrValue *x = input(&c, f32(2, 64, 8), "x"), *u = input(&c, f32(2, 8, 1024), "u"), *w = input(&c, f32(2, 8, 1024), "w"), *k = input(&c, f32(2, 1024, 4), "k");
  IrValue *y = ir_un(&c.b, IR_EXP, ir_dot(&c.b, x, u, 0, false, false)), *p = ir_un(&c.b, IR_TANH, ir_dot(&c.b, x, w, 0, false, false));
  IrValue *z = ir_dot(&c.b, p, k, 0, false, false);
  ir_output(c.g, mul(&c, ir_dot(&c.b, y, k, 0, false, false), z), "z");
  make_ports(&c);
  PlanInterface io = {c.in, c.out};
  c.plan = plan_make(&c.arena, c.g, &io, &cutting, &c.consts, "g");
  CU_ASSERT_PTR_NULL(plan_verify(c.plan));
  expect_kind(&c, PLAN_STRIPS, 1);
  PlanNode *s = c.plan->body.first;
  while (s && s->kind != PLAN_STRIPS) s = s->next;
  CU_ASSERT_FATAL(s != NULL);
  CU_ASSERT_PTR_EQUAL(s->body[0].first->root[0], p);
  CU_ASSERT(s->room < 2 * ir_bytes(&y->type) / s->pieces);
  CU_ASSERT_PTR_NULL(run_case(&c, 1));
  end(&c);
}

// What strips wrote lies with both threads: sides of a fork take it up from there.
static void fork_behind_strips(void) {
  Case c;
  start(&c);
  IrValue *x = input(&c, f32(2, 128, 64), "x"), *a = input(&c, f32(2, 64, 64), "a");
  IrValue *h = ir_un(&c.b, IR_TANH, ir_dot(&c.b, x, a, 0, false, false)), *w[2], *y[2];
  for (int k = 0; k < 2; k++) {
    w[k] = input(&c, f32(2, 64, 64), k ? "v" : "w");
    y[k] = ir_un(&c.b, IR_TANH, ir_dot(&c.b, h, w[k], 0, false, false));
  }
  IrValue *s = ir_reduce(&c.b, IR_SUM, mul(&c, y[0], y[1]), 2, (int64_t[]){0, 1});
  for (int k = 0; k < 2; k++) {
    IrValue *g = ir_dot(&c.b, h, y[k], 0, true, false);
    ir_output(c.g, sub(&c, w[k], mul(&c, g, ir_broadcast(&c.b, s, g->type, NULL))), k ? "v" : "w");
  }
  check(&c);
  expect_kind(&c, PLAN_STRIPS, 1);
  expect_kind(&c, PLAN_FORK, 1);
  const PlanNode *f = c.plan->body.first;
  while (f->kind != PLAN_FORK) f = f->next;
  CU_ASSERT(ndot(&f->body[0]) == 1 && ndot(&f->body[1]) == 1);
  end(&c);
}

// What the law of strips forbids is seen: a node before what it reads, one whose strips are others, a place that another
// strip still reads, an array of a strip's own that is read behind them.
static void wrong_strips(void) {
  for (int what = 0; what < 4; what++) {
    Case c;
    make_strips(&c, 64);
    PlanNode *s = c.plan->body.first;
    while (s->kind != PLAN_STRIPS) s = s->next;
    PlanNode *first = s->body[0].first, *second = first->next;
    if (what == 0) s->body[0].first = second, first->next = second->next, second->next = first;
    else if (what == 1) first->pieces = 4;
    else if (what == 2) c.plan->value[first->root[0]->id].ref = (PlanRef){.space = RT_ROOM, .own = ir_bytes(&first->root[0]->type) / 2};
    else c.plan->value[first->root[0]->id].ref = c.plan->value[first->op->in[1]->id].ref;  // over the weights
    CU_ASSERT_PTR_NOT_NULL(plan_verify(c.plan));
    end(&c);
  }
}

// Planning time follows the graph's size; the bound is loose, for slow machines.
static void large_graph(void) {
  Case c;
  start(&c);
  IrValue *v[8], *w = input(&c, f32(2, 32, 32), "w");
  for (int k = 0; k < 8; k++) v[k] = input(&c, f32(2, 32, 32), (char[]){'a' + (char)k, 0});
  for (int i = 0; i < 20000; i++) {
    IrValue **p = &v[i % 8], *q = v[(i * 7 + 3) % 8];
    *p = i % 50 == 49 ? ir_dot(&c.b, q, w, 0, false, false) : i % 5 ? add(&c, *p, q) : ir_un(&c.b, IR_TANH, *p);
  }
  for (int k = 0; k < 8; k++) ir_output(c.g, v[k], (char[]){'a' + (char)k, 0});
  make_ports(&c);
  PlanInterface io = {c.in, c.out};
  double from = seconds();
  c.plan = plan_make(&c.arena, c.g, &io, &target, &c.consts, "g");
  double took = seconds() - from;
  if (getenv("PLAN_TIMES")) printf(" %d nodes, %.1f ms ", c.plan->nnode, took * 1e3);
  CU_ASSERT(took < 1);
  end(&c);
}

void suite_plan(void) {
  CU_pSuite s = test_suite("plan");
  test_add(s, "a chain is one nest", chain);
  test_add(s, "dear operands of broadcasts are stored", broadcast_of_dear);
  test_add(s, "products take their epilogues", mlp);
  test_add(s, "an environment's step is one nest", environment);
  test_add(s, "late roots", late_roots);
  test_add(s, "two products end in one epilogue", two_products);
  test_add(s, "a long epilogue is a nest", long_epilogue);
  test_add(s, "an optimizer's arrays are nodes alike", optimizer);
  test_add(s, "what is logged is summed in one place", bookkeeping);
  test_add(s, "small reductions are inlined", small_reductions);
  test_add(s, "a scan steps its carry in place", scan_in_place);
  test_add(s, "stacks over slices", stack_over_slices);
  test_add(s, "states over slices", states_over_slices);
  test_add(s, "over slices that are done with", over_slices);
  test_add(s, "states in parts", states_in_parts);
  test_add(s, "what turns find and leave is one array", chain_of_carries);
  test_add(s, "a ring buffer is never copied", ring_buffer);
  test_add(s, "a copy that the program asks for is told", kept_ring);
  test_add(s, "numbers read before a write do not keep the array", reads_before_writes);
  test_add(s, "copies at once", exchange);
  test_add(s, "pieces for threads", pieces);
  test_add(s, "side by side", side_by_side);
  test_add(s, "sides that share a place are found", sides_that_share);
  test_add(s, "what a late node reads is computed there", late);
  test_add(s, "strips of the leading axis", strips);
  test_add(s, "strips step states in place", strips_in_place);
  test_add(s, "strips end where room is won", strips_end);
  test_add(s, "a gradient waits for its optimizer", gradient_waits);
  test_add(s, "the order within a strip", order_in_strips);
  test_add(s, "forks behind strips", fork_behind_strips);
  test_add(s, "wrong strips are seen", wrong_strips);
  test_add(s, "20,000 ops", large_graph);
  test_add(s, "random graphs", random_graphs);
}
