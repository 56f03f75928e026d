// Experiments: host-level programs, evaluated line by line. What a line computes with arrays is collected as
// graph; where its value is needed, the graph in front of it is cut out and computed by the host, and the
// value goes on as an input whose data is at hand.
#include <string.h>

#include "frontend/trainer.h"

typedef struct Held {            // what stands behind an input of the experiment's graph
  IrValue *input;
  const char *data;              // row-major; NULL where nothing is computed: the experiment is only checked
  const ElabRun **run;           // else stacked from the last states of these, one a seed
  int state;
} Held;

typedef struct Experiment {
  const ElabHost *host;          // NULL: checked only
  IrGraph *graph;
  int64_t seeds;
  uint64_t seed;                 // of the first
  VEC(Held) held;
} Experiment;

// ---- graphs cut out and computed ----------------------------------------------------------------

static const char *held_data(Elab *e, Experiment *x, const IrValue *input) {
  for (int k = 0; k < x->held.n; k++) {
    Held *h = &x->held.at[k];
    if (h->input != input) continue;
    if (h->data || !h->run) return h->data;
    int64_t n = ir_bytes(&input->type) / x->seeds;
    char *all = arena_array(e->arena, char, ir_bytes(&input->type) + 1);
    for (int64_t s = 0; s < x->seeds; s++) memcpy(all + s * n, h->run[s]->state[h->state], (size_t)n);
    return h->data = all;
  }
  ICE("an input of an experiment that holds nothing");
}

static void hold(Elab *e, Experiment *x, IrValue *input, const char *data) {
  vec_push(e->arena, &x->held, ((Held){.input = input, .data = data}));
}

static void need_ops(Elab *e, const IrRegion *top, bool *wanted) {
  for (IrOp *op = top->last; op; op = op->prev) {
    bool any = false;
    for (int k = 0; k < op->nout; k++) any |= wanted[op->out[k]->id];
    if (!any) continue;
    for (int k = 0; k < op->nin; k++) wanted[op->in[k]->id] = true;
    for (int k = 0; k < op->nregion; k++) {
      IrValue **capture;
      int n = ir_captures(e->arena, op->sub[k], &capture);
      for (int j = 0; j < n; j++) wanted[capture[j]->id] = true;
    }
  }
}

typedef struct Cut { IrGraph *graph; VEC(IrValue *) input; } Cut; // input: of the experiment's graph, in the cut's order

// The part of g that computes these values.
static Cut cut_out(Elab *e, const IrGraph *g, int n, IrValue *const *value) {
  Cut c = {.graph = ir_graph(e->arena, "computed")};
  bool *wanted = arena_array(e->arena, bool, g->nvalue + 1);
  IrValue **map = arena_array(e->arena, IrValue *, g->nvalue + 1);
  for (int k = 0; k < n; k++) wanted[value[k]->id] = true;
  need_ops(e, g->top, wanted);
  for (int k = 0; k < g->top->narg; k++) {
    IrValue *v = g->top->arg[k];
    if (!wanted[v->id]) continue;
    map[v->id] = ir_input(c.graph, v->type, NULL);
    vec_push(e->arena, &c.input, v);
  }
  IrBuilder b = {.graph = c.graph, .at = c.graph->top};
  ir_each_op(g->top, op) {
    bool any = false;
    for (int k = 0; k < op->nout; k++) any |= wanted[op->out[k]->id];
    if (any) ir_clone_op(&b, op, map);
  }
  for (int k = 0; k < n; k++) ir_output(c.graph, map[value[k]->id], NULL);
  return c;
}

static const char **data_of(Elab *e, Experiment *x, const Cut *c) {
  const char **in = arena_array(e->arena, const char *, c->input.n + 1);
  for (int k = 0; k < c->input.n; k++) in[k] = held_data(e, x, c->input.at[k]);
  return in;
}

static char **compute(Elab *e, Experiment *x, int n, IrValue *const *value) {
  Cut c = cut_out(e, x->graph, n, value);
  char **out = arena_array(e->arena, char *, n + 1);
  for (int k = 0; k < n; k++) out[k] = arena_array(e->arena, char, ir_bytes(&value[k]->type) + 1);
  if (!x->host->compute(x->host->data, c.graph, data_of(e, x, &c), out)) give_up(e);
  return out;
}

// v with every array computed.
static Value *settled(Elab *e, Experiment *x, Value *v) {
  if (!value_is_tree(v) || (value_is_static(v) && v->kind != V_REC)) return v;
  Leaves l = {0};
  value_leaves(e, v, NULL, &l);
  VEC(IrValue *) open = {0};
  VEC(int) place = {0};
  for (int k = 0; k < l.v.n; k++) {
    if (!l.v.at[k]->op) continue;
    vec_push(e->arena, &open, l.v.at[k]);
    vec_push(e->arena, &place, k);
  }
  if (!open.n) return v;
  char **data = x->host ? compute(e, x, open.n, open.at) : NULL;
  for (int k = 0; k < open.n; k++) {
    IrValue *in = ir_input(x->graph, open.at[k]->type, NULL);
    hold(e, x, in, data ? data[k] : NULL);
    l.v.at[place.at[k]] = in;
  }
  int at = 0;
  return value_rebuild(e, v, l.v.at, &at);
}

static Experiment *host_level(Elab *e, const Args *a, const char *what) {
  Loc loc = a->ast ? a->ast->loc : e->c.b.loc;
  if (!e->experiment || e->c.b.at != e->experiment->graph->top)
    fail(e, loc, arena_printf(e->arena, "write it in an `experiment`, outside of loops and branches: let x = %s(…)", what), "`%s` stands where nothing has been computed yet", what);
  return e->experiment;
}

// ---- runs -----------------------------------------------------------------------------------------

static Value *stacked_field(Elab *e, Experiment *x, IrDtype t, const void *data) {
  IrValue *in = ir_input(x->graph, ir_type(t, 1, &x->seeds), NULL);
  hold(e, x, in, data);
  return value_array(e, in);
}

// Beside states and metrics: what the runs cost.
static void costs(Elab *e, Experiment *x, const ElabRun **run, int n, Value **item, const char **name) {
  float *s = arena_array(e->arena, float, x->seeds), *c = arena_array(e->arena, float, x->seeds);
  int64_t *b = arena_array(e->arena, int64_t, x->seeds);
  for (int64_t k = 0; run && k < x->seeds; k++) {
    s[k] = (float)run[k]->wall_s;
    c[k] = (float)run[k]->compile_s;
    b[k] = run[k]->step_bytes;
  }
  item[n] = stacked_field(e, x, IR_F32, run ? s : NULL);
  name[n++] = "wall_s";
  item[n] = stacked_field(e, x, IR_F32, run ? c : NULL);
  name[n++] = "compile_s";
  item[n] = stacked_field(e, x, IR_I64, run ? b : NULL);
  name[n] = "step_bytes";
}

Value *experiment_run(Elab *e, Decl *d, const Args *a) {
  Experiment *x = host_level(e, a, arena_printf(e->arena, "%s.run", d->name));
  if (x->host && !x->host->train) fail(e, e->c.b.loc, "write it in an `experiment`", "`%s.run` in a lone expression", d->name);
  Trainer *t = trainer_make(e, d, a);
  const ElabTrainer *of = t->out;
  const ElabRun **run = x->host ? arena_array(e->arena, const ElabRun *, x->seeds) : NULL;
  for (int64_t s = 0; run && s < x->seeds; s++)
    if (!(run[s] = x->host->train(x->host->data, of, x->seed + (uint64_t)s))) give_up(e);
  IrValue **state = arena_array(e->arena, IrValue *, of->nstate + 1);
  for (int k = 0; k < of->nstate; k++) {
    IrType type = of->state[k].type;
    if (type.rank == IR_MAX_RANK) fail(e, e->c.b.loc, "join some of its axes", "the state `%s` of `%s` has %d axes: no room for one of seeds", of->state[k].name, d->name, IR_MAX_RANK);
    memmove(type.dim + 1, type.dim, sizeof *type.dim * (size_t)type.rank++);
    type.dim[0] = x->seeds;
    state[k] = ir_input(x->graph, type, NULL);
    vec_push(e->arena, &x->held, ((Held){.input = state[k], .run = run, .state = k}));
  }
  Value *v = trainer_outcome(e, t, state), **item = arena_array(e->arena, Value *, v->n + 3);
  const char **name = arena_array(e->arena, const char *, v->n + 3);
  for (int k = 0; k < v->n; k++) { item[k] = v->item[k]; name[k] = v->name[k]; }
  costs(e, x, run, v->n, item, name);
  return value_rec(e, v->n + 3, item, name);
}

// ---- measuring -------------------------------------------------------------------------------------

static Value *function_of(Elab *e, const Args *a, const char *what) {
  Loc loc = a->ast ? a->ast->loc : e->c.b.loc;
  if (a->n < 1 || a->name[0] || value_is_tree(a->value[0])) fail(e, loc, arena_printf(e->arena, "write %s(f, x, …)", what), "`%s` takes a function and what to call it with", what);
  return a->value[0];
}

Value *fn_bench(Elab *e, const Args *a) {
  Value *f = function_of(e, a, "bench");
  Experiment *x = host_level(e, a, "bench");
  Args rest = rest_of(a);
  rest.value = arena_copy(e->arena, rest.value, sizeof *rest.value * (size_t)(rest.n + 1));
  for (int k = 0; k < rest.n; k++) rest.value[k] = settled(e, x, rest.value[k]);
  Value *y = to_runtime(e, apply(e, f, &rest), e->c.b.loc);
  Leaves l = {0};
  value_leaves(e, y, NULL, &l);
  double seconds = 1;
  if (x->host && !x->host->time) fail(e, e->c.b.loc, "write it in an `experiment`; `rlc bench` times trainers", "`bench` in a lone expression");
  if (x->host) {
    Cut c = cut_out(e, x->graph, l.v.n, l.v.at);
    if (!x->host->time(x->host->data, c.graph, data_of(e, x, &c), &seconds)) give_up(e);
  }
  return value_real(e, seconds);
}

// A derivative along a direction against the difference quotient along it, in double precision.
#define DIRECTIONS 4
#define STEP 1e-5

typedef struct Checked {
  Experiment *x;
  Cut value, slope;              // f(x) and its gradient, both over fresh inputs for x
  int nleaf; IrValue **leaf;     // these inputs
  IrArray *at;                   // where
} Checked;

static int leaf_of(const Checked *c, const IrValue *input) {
  for (int k = 0; k < c->nleaf; k++)
    if (c->leaf[k] == input) return k;
  return -1;
}

static IrArray *evaluated(Elab *e, const Checked *c, const Cut *cut, const IrArray *at, int n) {
  IrArray *in = arena_array(e->arena, IrArray, cut->input.n + 1), *out = arena_array(e->arena, IrArray, n + 1);
  for (int k = 0; k < cut->input.n; k++) {
    const IrValue *v = cut->input.at[k];
    int leaf = leaf_of(c, v);
    in[k] = leaf >= 0 ? at[leaf] : ir_array_from(e->arena, v->type, held_data(e, c->x, v));
  }
  if (!c->x->host->exact(c->x->host->data, cut->graph, in, out)) give_up(e);
  return out;
}

static double value_along(Elab *e, const Checked *c, double *const *d, double h) {
  IrArray *at = arena_array(e->arena, IrArray, c->nleaf + 1);
  for (int k = 0; k < c->nleaf; k++) {
    at[k] = c->at[k];
    if (!d[k]) continue;
    int64_t n = ir_count(&at[k].type) * (ir_is_complex(at[k].type.dtype) ? 2 : 1);
    at[k].f = arena_array(e->arena, double, n + 1);
    for (int64_t i = 0; i < n; i++) at[k].f[i] = c->at[k].f[i] + h * d[k][i];
  }
  return evaluated(e, c, &c->value, at, 1)[0].f[0];
}

// A fixed sequence of numbers in [-1, 1): directions need not be random, only in no one's favour.
static double next_number(uint64_t *s) {
  *s = *s * 6364136223846793005u + 1442695040888963407u;
  return (double)(int64_t)(*s >> 11) * 0x1p-52 - 1;
}

static double greatest_error(Elab *e, const Checked *c) {
  IrArray *g = evaluated(e, c, &c->slope, c->at, c->nleaf);
  double worst = 0;
  uint64_t s = 1;
  for (int r = 0; r < DIRECTIONS; r++) {
    double **d = arena_array(e->arena, double *, c->nleaf + 1), along = 0, size = 0;
    for (int k = 0; k < c->nleaf; k++) {
      if (!ir_is_diff(c->at[k].type.dtype)) continue;
      int64_t n = ir_count(&c->at[k].type) * (ir_is_complex(c->at[k].type.dtype) ? 2 : 1);
      d[k] = arena_array(e->arena, double, n + 1);
      for (int64_t i = 0; i < n; i++) {
        d[k][i] = next_number(&s);
        along += d[k][i] * g[k].f[i];
        size += __builtin_fabs(d[k][i] * g[k].f[i]);
      }
    }
    double quotient = (value_along(e, c, d, STEP) - value_along(e, c, d, -STEP)) / (2 * STEP);
    double off = __builtin_fabs(quotient - along) / (size > 1e-12 ? size : 1);
    if (!(off <= worst)) worst = off;            // NaN is the worst
  }
  return worst;
}

Value *fn_check_grad(Elab *e, const Args *a) {
  Loc loc = a->ast ? a->ast->loc : e->c.b.loc;
  Value *f = function_of(e, a, "check_grad");
  Experiment *x = host_level(e, a, "check_grad");
  Args rest = rest_of(a);
  if (!rest.n) fail(e, loc, "write check_grad(f, x, …)", "`check_grad` of a function without arguments");
  rest.value = arena_copy(e->arena, rest.value, sizeof *rest.value * (size_t)rest.n);
  for (int k = 0; k < rest.n; k++) rest.value[k] = settled(e, x, k ? rest.value[k] : to_runtime(e, rest.value[k], loc));
  Checked c = {.x = x};
  Leaves l = {0};
  value_leaves(e, rest.value[0], NULL, &l);
  c.nleaf = l.v.n;
  c.leaf = arena_array(e->arena, IrValue *, l.v.n + 1);
  c.at = arena_array(e->arena, IrArray, l.v.n + 1);
  for (int k = 0; k < l.v.n; k++) {
    c.leaf[k] = ir_input(x->graph, l.v.at[k]->type, NULL);
    hold(e, x, c.leaf[k], NULL);
    if (x->host) c.at[k] = ir_array_from(e->arena, l.v.at[k]->type, held_data(e, x, l.v.at[k]));
  }
  int at = 0;
  rest.value[0] = value_rebuild(e, rest.value[0], c.leaf, &at);
  Args make = args_new(e, a->ast, 1);
  make.value[0] = f;
  Value *both = apply(e, make_transform(e, "value_and_grad", &make), &rest);
  Leaves y = {0}, g = {0};
  Value *first = both->item[0];
  value_leaves(e, first->kind == V_REC ? first->item[0] : first, NULL, &y);
  value_leaves(e, both->item[1], NULL, &g);
  if (!x->host) return value_real(e, 0);
  c.value = cut_out(e, x->graph, 1, y.v.at);
  c.slope = cut_out(e, x->graph, g.v.n, g.v.at);
  return value_real(e, greatest_error(e, &c));
}

// ---- claims --------------------------------------------------------------------------------------------

// The claim as the source has it: from its first character to the end of the line.
static const char *claim_text(Elab *e, Loc loc) {
  const char *s = loc.src->text;
  for (int line = 1; line < loc.line; line++) s = strchr(s, '\n') + 1;
  const char *word = strstr(s, "claim ");
  const char *end = s + strcspn(s, "\n"), *from = word && word < end ? word + 6 : s;
  const char *comment = strstr(from, "//");
  if (comment && comment < end) end = comment;
  while (end > from && (end[-1] == ' ' || end[-1] == '\t')) end--;
  return arena_strn(e->arena, from, (size_t)(end - from));
}

static double number_of(Elab *e, Experiment *x, Value *v, Loc loc) {
  if (v->kind == V_NUM) return num_f(v);
  if (v->kind == V_BOOL) return (double)v->i;
  Value *s = settled(e, x, v);
  if (!x->host) return 0;
  const IrValue *in = to_array(e, s, loc);
  if (in->op) return number_of(e, x, value_array(e, (IrValue *)in), loc);
  IrArray a = ir_array_from(e->arena, in->type, held_data(e, x, in));
  return ir_is_float(in->type.dtype) ? a.f[0] : (double)a.i[0];
}

static bool is_number(const Value *v) {
  return v->kind == V_NUM || (v->kind == V_ARRAY && !v->ir->type.rank && (ir_is_float(v->ir->type.dtype) || ir_is_int(v->ir->type.dtype)));
}

static bool is_comparison(AstOp op) { return op == AST_LT || op == AST_LE || op == AST_GT || op == AST_GE || op == AST_EQ || op == AST_NE; }

static bool holds(Elab *e, Experiment *x, const Ast *c, Str *values) {
  if (c->kind == AST_PAREN) return holds(e, x, c->kid[0], values);
  if (c->kind == AST_BIN && c->op == AST_AND) {
    bool left = holds(e, x, c->kid[0], values), right = holds(e, x, c->kid[1], values);
    return left && right;
  }
  if (c->kind == AST_BIN && is_comparison(c->op)) {
    Value *a = eval(e, c->kid[0]), *b = eval(e, c->kid[1]);
    IrValue *one = is_number(a) && is_number(b) ? NULL : to_scalar(e, binary(e, c->op, a, b, c->loc), IR_BOOL, c->loc, "a claim");
    if (one) return number_of(e, x, value_array(e, one), c->loc) != 0;
    double p = number_of(e, x, a, c->loc), q = number_of(e, x, b, c->loc);
    str_printf(values, "%s%.4g %s %.4g", values->n ? ", " : "", p, ast_op_text(c->op), q);
    switch (c->op) {
    case AST_LT: return p < q;
    case AST_LE: return p <= q;
    case AST_GT: return p > q;
    case AST_GE: return p >= q;
    case AST_EQ: return p == q;
    default: return p != q;
    }
  }
  Value *v = eval(e, c);
  if (v->kind == V_BOOL) return v->i != 0;
  if (v->kind != V_ARRAY || v->ir->type.dtype != IR_BOOL) fail(e, c->loc, "compare: mean(a.score) > 0", "a claim is true or false, not %s", value_text(e, v));
  return number_of(e, x, value_array(e, to_scalar(e, v, IR_BOOL, c->loc, "a claim")), c->loc) != 0;
}

static void decide(Elab *e, Experiment *x, const Ast *claim) {
  Str values = {.arena = e->arena};
  bool held = holds(e, x, claim->kid[0], &values);
  ElabClaim c = {.loc = claim->loc, .text = claim_text(e, claim->loc), .values = values.n ? values.s : "", .holds = held};
  if (x->host) x->host->claim(x->host->data, &c);
}

// ---- the whole --------------------------------------------------------------------------------------------

typedef struct Line { Experiment *x; const Ast *ast; } Line;

static void run_line(Elab *e, void *env) {
  Line *l = env;
  e->c.b.loc = l->ast->loc;
  if (l->ast->kind == AST_CLAIM) { decide(e, l->x, l->ast); return; }
  Value *v = eval(e, l->ast->kid[2]);
  if (v->kind == V_POISON) give_up(e);
  if (l->ast->kid[1]) v = match_type(e, l->ast->kid[1], v, l->ast->loc, "this");
  bind_pattern(e, l->ast->kid[0], settled(e, l->x, v), false);
}

static void poison(Elab *e, const Ast *pattern) {
  if (pattern->kind == AST_PAT) scope_bind(e, pattern->name, value_poison(e), false, pattern->loc);
  for (int k = 0; k < pattern->nkid; k++) poison(e, pattern->kid[k]);
}

static void bind_settings(Elab *e, Experiment *x, const Ast *ast) {
  x->seeds = 3;
  for (int k = 0; k < ast->nstatic; k++) {
    const Ast *s = ast->kid[k];
    Value *v = read_setting_of(e, s, k, NULL);
    scope_bind(e, s->name, v ? v : value_poison(e), false, s->loc);
    if (!v || strcmp(s->name, "seeds") != 0) continue;
    x->seeds = to_int(e, v, s->loc, "the number of seeds");
    if (x->seeds < 1 || x->seeds > 1000) fail(e, s->loc, "one run has one seed: seeds = 3", "an experiment over %lld seeds", (long long)x->seeds);
  }
}

typedef struct ExperimentRun { Decl *d; Experiment *x; } ExperimentRun;

static void run_experiment(Elab *e, void *env) {
  ExperimentRun *r = env;
  Experiment *x = r->x;
  const Ast *ast = r->d->ast;
  int before = e->failed;
  scope_push(e, true);
  bind_settings(e, x, ast);
  scope_bind(e, "seed", value_int(e, (int64_t)x->seed), false, ast->loc);
  bind_key(e, fold_in(e, u64_const(e, x->seed), u64_const(e, 2)));
  for (int k = ast->nstatic; k < ast->nkid; k++) {
    const Ast *line = ast->kid[k];
    if (attempt(e, run_line, &(Line){x, line})) continue;
    if (x->host) give_up(e);                     // what was computed is worth stopping for the first mistake
    if (line->kind == AST_LET) poison(e, line->kid[0]);
  }
  if (e->failed > before) give_up(e);
}

bool experiment_make(Elab *e, Decl *d, const ElabHost *host, uint64_t seed) {
  Experiment x = {.host = host, .graph = ir_graph(e->arena, d->name), .seed = seed};
  elab_fresh(e, x.graph, d->module->scope, d->module);
  e->experiment = &x;
  bool fine = attempt(e, run_experiment, &(ExperimentRun){d, &x});
  e->experiment = NULL;
  return fine;
}

// ---- expressions that measure, at the command line -----------------------------------------------------

void experiment_open(Elab *e, IrGraph *g, const ElabHost *host) {
  e->experiment = arena_new(e->arena, Experiment);
  *e->experiment = (Experiment){.host = host, .graph = g, .seeds = 1};
}

void experiment_close(Elab *e, IrGraph *g) {
  g->top->narg = 0;              // what it held was computed into numbers
  e->experiment = NULL;
}
