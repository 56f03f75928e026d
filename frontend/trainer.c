// Trainers: settings, states and a step become two graphs, init and step, with one list of settings.
#include "frontend/trainer.h"

#include <string.h>

// ---- settings -----------------------------------------------------------------------------------

void pin(Elab *e, Value *v) {
  Trainer *t = e->trainer;
  if (v->kind == V_NUM && v->setting && t) t->setting[v->setting - 1].pinned = true;
}

Value *setting_number(Elab *e, Value *v) {
  Trainer *t = e->trainer;
  if (!t) return v;
  if (v->kind == V_NUM && v->setting) {
    pin(e, v);
    return t->setting[v->setting - 1].value;
  }
  for (int k = 0; v->kind == V_ARRAY && k < t->nsetting; k++)
    if (t->setting[k].input == v->ir) {
      t->setting[k].pinned = true;
      return t->setting[k].value;
    }
  return v;
}

Value *trainer_setting(Elab *e, Value *num, IrDtype want) {
  Trainer *t = e->trainer;
  SettingIn *s = &t->setting[num->setting - 1];
  if (!t || e->c.b.graph != t->graph || !ir_is_int(want)) {
    if (t && e->c.b.graph == t->graph && s->input) return value_array(e, ir_cast(&e->c.b, s->input, want));
    if (!t || e->c.b.graph != t->graph) return value_array(e, ir_fill(&e->c.b, ir_scalar(want), num_f(num)));
  }
  if (!s->input) s->input = ir_input(t->graph, ir_scalar(s->real ? IR_F32 : IR_I64), s->name);
  return value_array(e, ir_cast(&e->c.b, s->input, want));
}

static const ElabOverride *find_override(Elab *e, const char *name) {
  for (int k = 0; k < e->options.noverride; k++)
    if (strcmp(e->options.override[k].name, name) == 0) {
      e->options.override[k].used = true;
      return &e->options.override[k];
    }
  return NULL;
}

typedef struct ReadSetting { const Args *args; const Ast *ast; int place; Value *out; } ReadSetting;

// What --set or .run(…) gives for a setting, or NULL.
static Value *given_value(Elab *e, const ReadSetting *r, Loc *loc) {
  if (r->args) {
    int at = find_arg(r->args, r->ast->name, r->place);
    if (at < 0) return NULL;
    if (r->args->expr && r->args->expr[at]) *loc = r->args->expr[at]->loc;
    return setting_number(e, r->args->value[at]);
  }
  const ElabOverride *o = find_override(e, r->ast->name);
  if (!o) return NULL;
  Ast *x = ast_parse_expr(e->arena, e->diags, o->value);
  if (!x || e->diags->count) give_up(e);
  *loc = x->loc;
  return eval(e, x);
}

static void read_setting(Elab *e, void *env) {
  ReadSetting *r = env;
  const Ast *s = r->ast;
  Loc loc = s->loc;
  Value *v = s->kid[1] ? eval(e, s->kid[1]) : NULL, *given = given_value(e, r, &loc);
  if (given) {
    if (!value_is_static(given)) fail(e, loc, "write a number, true or false, a text, a list or a function", "the setting `%s` must be known when compiling, but is %s", s->name, value_text(e, given));
    if (v && v->kind == V_NUM && given->kind == V_NUM && v->is_int && !given->is_int)
      fail(e, loc, "give an integer, or write its default with a point: 1.0", "the setting `%s` is an integer, found %g", s->name, given->f);
    bool functions = v && !value_is_tree(v) && !value_is_tree(given) && v->kind != V_LIST && given->kind != V_LIST && v->kind != V_STR && given->kind != V_STR;
    if (v && v->kind != given->kind && !functions) fail(e, loc, "give a value of the same kind", "the setting `%s` is %s by default, found %s", s->name, value_text(e, v), value_text(e, given));
    if (v && v->kind == V_NUM && !v->is_int && given->is_int) given = value_real(e, num_f(given));
    v = given;
  }
  if (!v) fail(e, s->loc, "give it a default: name = value", "the setting `%s` has no value", s->name);
  if (!value_is_static(v)) fail(e, s->loc, "write a number, true or false, a text, a list or a function", "a setting must be known when compiling");
  if (s->kid[0] && v->kind == V_NUM) match_type(e, s->kid[0], v, s->loc, arena_printf(e->arena, "the setting `%s`", s->name));
  r->out = v;
}

Value *read_setting_of(Elab *e, const Ast *s, int place, const Args *args) {
  ReadSetting r = {args, s, place, NULL};
  return attempt(e, read_setting, &r) ? r.out : NULL;
}

void trainer_read_settings(Elab *e, Trainer *t) {
  const Ast *a = t->ast;
  int n = a->nstatic ? a->nstatic : 1;
  t->setting = arena_array(e->arena, SettingIn, n);
  t->other_name = arena_array(e->arena, const char *, n);
  t->other = arena_array(e->arena, Value *, n);
  bool fine = true;
  for (int k = 0; k < a->nstatic; k++) {
    Value *v = read_setting_of(e, a->kid[k], k, t->args);
    if (!v) fine = false;
    else if (v->kind == V_NUM) t->setting[t->nsetting++] = (SettingIn){a->kid[k]->name, v, !v->is_int, false, NULL};
    else { t->other_name[t->nother] = a->kid[k]->name; t->other[t->nother++] = v; }
  }
  if (!fine) give_up(e);
}

static void bind_settings(Elab *e, Trainer *t) {
  for (int k = 0; k < t->nsetting; k++) {
    SettingIn *s = &t->setting[k];
    if (s->real) {
      s->input = ir_input(t->graph, ir_scalar(IR_F32), s->name);
      scope_bind(e, s->name, value_array(e, s->input), false, t->ast->loc);
      continue;
    }
    Value *v = value_int(e, s->value->i);
    v->setting = k + 1;
    scope_bind(e, s->name, v, false, t->ast->loc);
  }
  for (int k = 0; k < t->nother; k++) scope_bind(e, t->other_name[k], t->other[k], false, t->ast->loc);
}

// ---- graphs ---------------------------------------------------------------------------------------

static void open_graph(Elab *e, Trainer *t, const char *what) {
  t->graph = ir_graph(e->arena, what);
  elab_fresh(e, t->graph, t->decl->module->scope, t->decl->module);
  scope_push(e, true);
  e->trainer = t;
  t->bound.n = 0;
  for (int k = 0; k < t->nsetting; k++) t->setting[k].input = NULL;
}

void bind_key(Elab *e, IrValue *ir) {
  Value *key = value_key(e, ir);
  key->mentions = arena_new(e->arena, int);
  key->depth = 0;
  scope_bind(e, "key", key, false, (Loc){0});
}

static void bind_seed(Elab *e, Trainer *t, IrValue *seed) {
  t->seed = seed;
  scope_bind(e, "seed", value_array(e, ir_cast(&e->c.b, seed, IR_I64)), false, t->ast->loc);
}

Value *input_tree(Elab *e, IrGraph *g, Type *t, const char *name, IrValue ***leaf) {
  TypeVec types = {0};
  NameVec paths = {0};
  type_leaves(e, t, name, &types, &paths);
  IrValue **in = arena_array(e->arena, IrValue *, types.n + 1);
  for (int k = 0; k < types.n; k++) in[k] = ir_input(g, types.at[k], paths.at[k]);
  int at = 0;
  if (leaf) *leaf = in;
  return value_rebuild(e, type_zeros(e, t), in, &at);
}

void drop_input(IrGraph *g, IrValue *v) {
  IrRegion *r = g->top;
  for (int k = v->index; k + 1 < r->narg; k++) {
    r->arg[k] = r->arg[k + 1];
    g->in_name[k] = g->in_name[k + 1];
    r->arg[k]->index = k;
  }
  r->narg--;
}

bool value_used(const IrRegion *r, const IrValue *v) {
  for (int k = 0; k < r->nyield; k++)
    if (r->yield[k] == v) return true;
  ir_each_op(r, op) {
    for (int k = 0; k < op->nin; k++)
      if (op->in[k] == v) return true;
    for (int k = 0; k < op->nregion; k++)
      if (value_used(op->sub[k], v)) return true;
  }
  return false;
}

// Inputs of a graph in the order in which they are said to stand.
typedef struct Inputs { VEC(IrValue *) v; VEC(const char *) name; } Inputs;

static void next_input(Elab *e, Inputs *in, IrValue *v, const char *name) {
  vec_push(e->arena, &in->v, v);
  vec_push(e->arena, &in->name, name);
}

static void set_inputs(IrGraph *g, const Inputs *in) {
  ICE_IF(in->v.n > g->top->narg, "inputs that the graph does not have");
  g->top->narg = in->v.n;
  for (int k = 0; k < in->v.n; k++) {
    g->top->arg[k] = in->v.at[k];
    g->in_name[k] = in->name.at[k];
    in->v.at[k]->index = k;
  }
}

// ---- init -------------------------------------------------------------------------------------------

typedef struct Item { Trainer *t; const Ast *ast; } Item;

static void run_let(Elab *e, const Ast *s) {
  Value *v = eval(e, s->kid[2]);
  if (s->kid[1]) v = match_type(e, s->kid[1], v, s->loc, "this");
  bind_pattern(e, s->kid[0], v, false);
}

static Value *state_value(Elab *e, const Ast *s, const char *name) {
  const Ast *type = s->kid[s->nkid - 2], *init = s->kid[s->nkid - 1];
  if (!init && !type) fail(e, s->loc, "write `state x = …`", "the state `%s` has neither type nor value", name);
  if (!init) return type_zeros(e, eval_type(e, type));
  Value *v = eval(e, init);
  if (v->kind == V_KEY) v = value_key(e, v->ir);
  if (!value_is_tree(v)) fail(e, init->loc, "state is what a checkpoint keeps: arrays, numbers and records of them; `let` names other things", "the state `%s` must be arrays, not %s", name, value_text(e, v));
  return type ? coerce(e, v, eval_type(e, type), init->loc, arena_printf(e->arena, "the state `%s`", name)) : to_runtime(e, v, init->loc);
}

static void init_state(Elab *e, Trainer *t, const Ast *s) {
  t->stating = true;
  for (int j = 0; j < s->nkid - 2; j++) {
    const Ast *name = s->kid[j];
    Value *v = state_value(e, s, name->name);
    Binding *b = scope_bind(e, name->name, v, true, name->loc);
    b->type = type_of(e, v);
    vec_push(e->arena, &t->bound, b);
  }
  t->stating = false;
}

static void run_item(Elab *e, void *env) {
  Item *it = env;
  e->c.b.loc = it->ast->loc;
  if (it->ast->kind == AST_LET) run_let(e, it->ast);
  else init_state(e, it->t, it->ast);
}

static void build_init(Elab *e, Trainer *t) {
  open_graph(e, t, "init");
  bind_settings(e, t);
  bind_seed(e, t, ir_input(t->graph, ir_scalar(IR_U64), "seed"));
  bind_key(e, fold_in(e, t->seed, u64_const(e, 0)));
  for (int k = t->ast->nstatic; k < t->ast->nkid; k++) {
    const Ast *s = t->ast->kid[k];
    if (s->kind != AST_LET && s->kind != AST_STATE) continue;
    Item it = {t, s};
    if (attempt(e, run_item, &it)) continue;
    t->stating = false;
    for (int j = 0; s->kind == AST_STATE && j < s->nkid - 2; j++) scope_bind(e, s->kid[j]->name, value_poison(e), true, s->loc);
  }
  for (int k = 0; k < t->bound.n; k++) {
    Binding *b = t->bound.at[k];
    if (b->value->kind == V_POISON) give_up(e);
    vec_push(e->arena, &t->name, b->name);
    vec_push(e->arena, &t->type, b->type);
    vec_push(e->arena, &t->loc, b->loc);
    Leaves l = {0};
    value_leaves(e, b->value, b->name, &l);
    for (int j = 0; j < l.v.n; j++) {
      vec_push(e->arena, &t->state_name, l.path.at[j]);
      vec_push(e->arena, &t->state_type, l.v.at[j]->type);
      vec_push(e->arena, &t->state_loc, b->loc);
      ir_output(t->graph, l.v.at[j], l.path.at[j]);
    }
  }
}

// ---- stop when ----------------------------------------------------------------------------------------

static void flatten_stop(const Ast *x, const Ast **out, int *n) {
  if (x->kind == AST_PAREN) { flatten_stop(x->kid[0], out, n); return; }
  if (x->kind == AST_BIN && x->op == AST_OR) {
    flatten_stop(x->kid[0], out, n);
    flatten_stop(x->kid[1], out, n);
    return;
  }
  if (*n < 64) out[(*n)++] = x;
}

typedef struct Stop { IrValue *stop, *solved, *progress; } Stop;

static IrValue *or_of(Elab *e, IrValue *a, IrValue *b) { return a ? ir_bin(&e->c.b, IR_OR, a, b) : b; }

// Where an integer has reached a bound (iter >= steps, env.steps >= max_steps), a budget is spent:
// that stops the run but does not solve the task.
static Stop eval_stop(Elab *e, const Ast *x) {
  Stop s = {0};
  const Ast *part[64];
  int n = 0;
  IrValue *none = ir_fill(&e->c.b, ir_scalar(IR_BOOL), 0);
  s.progress = ir_fill(&e->c.b, ir_scalar(IR_F32), __builtin_nan(""));
  if (x) flatten_stop(x, part, &n);
  for (int k = 0; k < n; k++) {
    const Ast *p = part[k];
    if (p->kind == AST_BIN && (p->op == AST_GE || p->op == AST_GT)) {
      Value *a = eval(e, p->kid[0]), *b = eval(e, p->kid[1]);
      IrValue *hit = to_scalar(e, binary(e, p->op, a, b, p->loc), IR_BOOL, p->loc, "the condition of `stop when`");
      s.stop = or_of(e, s.stop, hit);
      if (a->kind == V_ARRAY && ir_is_int(a->ir->type.dtype)) {
        IrValue *most = ir_cast(&e->c.b, to_array(e, b, p->loc), IR_F32);
        IrValue *share = ir_bin(&e->c.b, IR_DIV, ir_cast(&e->c.b, a->ir, IR_F32), most);
        s.progress = share;
      } else s.solved = or_of(e, s.solved, hit);
      continue;
    }
    IrValue *hit = to_scalar(e, eval(e, p), IR_BOOL, p->loc, "the condition of `stop when`");
    s.stop = or_of(e, s.stop, hit);
    s.solved = or_of(e, s.solved, hit);
  }
  if (!s.stop) s.stop = none;
  if (!s.solved) s.solved = none;
  return s;
}

// ---- the step -------------------------------------------------------------------------------------------

typedef struct Metrics {         // what a step logged, in the order of the text
  int n;
  LogEntry **log;
  IrValue **old, **fresh;        // the last mean before the step, and after it
  IrValue *ok;                   // all that was logged is finite
} Metrics;

static Metrics read_metrics(Elab *e, Trainer *t) {
  Metrics m = {0};
  for (LogEntry *l = e->c.logs; l; l = l->next) m.n++;
  m.log = arena_array(e->arena, LogEntry *, m.n + 1);
  m.old = arena_array(e->arena, IrValue *, m.n + 1);
  m.fresh = arena_array(e->arena, IrValue *, m.n + 1);
  int at = m.n;
  for (LogEntry *l = e->c.logs; l; l = l->next) m.log[--at] = l;
  IrBuilder *b = &e->c.b;
  m.ok = ir_fill(b, ir_scalar(IR_BOOL), 1);
  IrValue *zero = ir_fill(b, ir_scalar(IR_F32), 0);
  for (int k = 0; k < m.n; k++) {
    const LogEntry *l = m.log[k];
    m.old[k] = ir_input(t->graph, ir_scalar(IR_F32), arena_printf(e->arena, "log.%s", l->name));
    IrValue *mean = ir_bin(b, IR_DIV, l->sum, l->count);
    IrValue *any = ir_bin(b, IR_GT, l->count, zero);
    m.fresh[k] = ir_select(b, any, mean, m.old[k]);
    m.ok = ir_bin(b, IR_AND, m.ok, ir_bin(b, IR_OR, ir_un(b, IR_FINITE, mean), ir_un(b, IR_NOT, any)));
  }
  return m;
}

// States as the step finds them.
static Inputs bind_states(Elab *e, Trainer *t) {
  Inputs in = {0};
  for (int k = 0; k < t->name.n; k++) {
    IrValue **leaf;
    int from = in.v.n, n = t->graph->top->narg;
    Binding *b = scope_bind(e, t->name.at[k], input_tree(e, t->graph, t->type.at[k], t->name.at[k], &leaf), true, t->ast->loc);
    b->type = t->type.at[k];
    vec_push(e->arena, &t->bound, b);
    for (int j = 0; j < t->graph->top->narg - n; j++) next_input(e, &in, leaf[j], t->state_name.at[from + j]);
  }
  return in;
}

// The state that counts environment steps: the first `….steps`, an i64.
static int find_env_steps(const Trainer *t) {
  for (int k = 0; k < t->state_name.n; k++) {
    const char *path = t->state_name.at[k];
    size_t n = strlen(path);
    const IrType *type = &t->state_type.at[k];
    if (type->dtype == IR_I64 && !type->rank && n > 6 && strcmp(path + n - 6, ".steps") == 0) return k;
  }
  return -1;
}

static Stop stop_of(Elab *e, Trainer *t, const Ast *stop, IrValue *done, const Metrics *m) {
  scope_push(e, false);
  scope_bind(e, "iter", value_array(e, done), false, t->ast->loc);
  for (int k = 0; k < m->n; k++) {
    Binding *b = scope_find(e->c.scope, m->log[k]->name);
    if (!b || b->file) scope_bind(e, m->log[k]->name, value_array(e, m->fresh[k]), false, t->ast->loc);
  }
  return eval_stop(e, stop ? stop->kid[0] : NULL);
}

// The step's graph; its inputs are the states, what is hidden among them, and behind them the settings.
static Inputs build_step(Elab *e, Trainer *t, const Ast *step, const Ast *stop, Metrics *m) {
  int before = e->failed;
  open_graph(e, t, "step");
  IrGraph *g = t->graph;
  bind_seed(e, t, ir_input(g, ir_scalar(IR_U64), "seed"));
  bind_settings(e, t);
  Inputs state = bind_states(e, t);
  IrValue *iter = ir_input(g, ir_scalar(IR_I64), "iter");
  next_input(e, &state, iter, "iter");
  scope_bind(e, "iter", value_array(e, iter), false, t->ast->loc);
  bind_key(e, fold_in(e, fold_in(e, t->seed, u64_const(e, 1)), ir_cast(&e->c.b, iter, IR_U64)));
  for (int k = t->ast->nstatic; k < t->ast->nkid; k++)
    if (t->ast->kid[k]->kind == AST_LET) attempt(e, run_item, &(Item){t, t->ast->kid[k]});
  eval_block(e, step->kid[0]);
  if (e->failed > before) give_up(e);
  e->c.b.loc = step->loc;
  *m = read_metrics(e, t);
  for (int k = 0; k < m->n; k++) next_input(e, &state, m->old[k], arena_printf(e->arena, "log.%s", m->log[k]->name));
  IrValue *done = ir_bin(&e->c.b, IR_ADD, iter, ir_fill(&e->c.b, ir_scalar(IR_I64), 1));
  Stop s = stop_of(e, t, stop, done, m);
  if (e->failed > before) give_up(e);
  for (int k = 0, leaf = 0; k < t->bound.n; k++) {
    Leaves l = {0};
    value_leaves(e, t->bound.at[k]->value, NULL, &l);
    for (int j = 0; j < l.v.n; j++) ir_output(g, l.v.at[j], t->state_name.at[leaf++]);
  }
  ir_output(g, done, "iter");
  for (int k = 0; k < m->n; k++) ir_output(g, m->fresh[k], arena_printf(e->arena, "log.%s", m->log[k]->name));
  for (int k = 0; k < m->n; k++) ir_output(g, m->log[k]->count, arena_printf(e->arena, "count.%s", m->log[k]->name));
  ir_output(g, s.stop, "stop");
  ir_output(g, s.solved, "solved");
  ir_output(g, m->ok, "ok");
  ir_output(g, s.progress, "progress");
  return state;
}

// ---- both together ----------------------------------------------------------------------------------------

static IrValue **settings_in(Elab *e, const Trainer *t) {
  IrValue **in = arena_array(e->arena, IrValue *, t->nsetting + 1);
  for (int k = 0; k < t->nsetting; k++) in[k] = t->setting[k].input;
  return in;
}

// A setting that was needed while compiling is a constant in both graphs.
static void settle(Trainer *t, IrGraph *g, IrValue **in) {
  for (int k = 0; k < t->nsetting; k++) {
    if (!t->setting[k].pinned || !in[k]) continue;
    IrBuilder b = {.graph = g, .at = g->top, .before = g->top->first};
    ir_replace(g, in[k], ir_fill(&b, in[k]->type, num_f(t->setting[k].value)));
    in[k] = NULL;
  }
}

static void list_settings(Elab *e, Trainer *t, IrValue *const *seed, IrGraph *const *g, IrValue **const *in, Inputs *to) {
  ElabTrainer *out = t->out;
  out->setting = arena_array(e->arena, ElabSetting, t->nsetting + 1);
  out->setting[out->nsetting++] = (ElabSetting){"seed", IR_U64, 0};
  for (int side = 0; side < 2; side++) next_input(e, &to[side], seed[side], "seed");
  for (int k = 0; k < t->nsetting; k++) {
    const SettingIn *s = &t->setting[k];
    if (!in[0][k] && !in[1][k]) continue;
    IrDtype dtype = s->real ? IR_F32 : IR_I64;
    out->setting[out->nsetting++] = (ElabSetting){s->name, dtype, num_f(s->value)};
    for (int side = 0; side < 2; side++) {
      if (!in[side][k]) in[side][k] = ir_input(g[side], ir_scalar(dtype), s->name);
      next_input(e, &to[side], in[side][k], s->name);
    }
  }
}

// What init takes from trainers that are run before.
static void list_before(Elab *e, Trainer *t, IrGraph *init, Inputs *in) {
  ElabTrainer *out = t->out;
  out->before = arena_array(e->arena, ElabBefore, t->before.n + 1);
  VEC(IrType) given = {0};
  for (int k = 0; k < t->before.n; k++) {
    const Before *b = t->before.at[k];
    const ElabTrainer *of = b->of->out;
    ElabBefore *to = &out->before[k];
    *to = (ElabBefore){.trainer = of, .take = arena_array(e->arena, ElabTake, of->nstate + 1)};
    for (int j = 0; j < of->nstate; j++) {
      if (!value_used(init->top, b->given[j])) continue;
      to->take[to->ntake++] = (ElabTake){j, given.n};
      vec_push(e->arena, &given, b->given[j]->type);
      next_input(e, in, b->given[j], arena_printf(e->arena, "%s.%s", of->name, of->state[j].name));
    }
    if (to->ntake) out->nbefore = k + 1;
  }
  out->ngiven = given.n;
  out->given = given.at;
}

static uint64_t hash_of(Elab *e, const Trainer *t, IrValue *const *init_in) {
  const ElabTrainer *out = t->out;
  uint64_t h = base_hash(1, out->name, strlen(out->name));
  for (int k = 0; k < out->nstate; k++) {
    h = base_hash(h, out->state[k].name, strlen(out->state[k].name));
    h = base_hash(h, &out->state[k].type.dtype, sizeof out->state[k].type.dtype);
    h = base_hash(h, out->state[k].type.dim, sizeof(int64_t) * (size_t)out->state[k].type.rank);
  }
  for (int k = 0; k < t->nsetting; k++) {
    if (init_in[k]) continue;
    double f = num_f(t->setting[k].value);
    h = base_hash(base_hash(h, t->setting[k].name, strlen(t->setting[k].name)), &f, sizeof f);
  }
  for (int k = 0; k < t->nother; k++) {
    const char *text = value_text(e, t->other[k]);
    h = base_hash(base_hash(h, t->other_name[k], strlen(t->other_name[k])), text, strlen(text));
  }
  return h;
}

static void list_states(Elab *e, Trainer *t, const Ast *step, const Metrics *m) {
  ElabTrainer *out = t->out;
  int n = t->state_name.n;
  out->nstate = n + 1 + m->n;
  out->state = arena_array(e->arena, ElabState, out->nstate);
  for (int k = 0; k < n; k++) out->state[k] = (ElabState){t->state_name.at[k], t->state_type.at[k], t->state_loc.at[k]};
  out->iter = n;
  out->state[n] = (ElabState){"iter", ir_scalar(IR_I64), step->loc};
  out->nmetric = m->n;
  out->metric = arena_array(e->arena, ElabMetric, m->n + 1);
  for (int k = 0; k < m->n; k++) {
    const LogEntry *l = m->log[k];
    out->metric[k] = (ElabMetric){l->name, n + 1 + k};
    out->state[n + 1 + k] = (ElabState){arena_printf(e->arena, "log.%s", l->name), ir_scalar(IR_F32), l->sum->op ? l->sum->op->loc : step->loc};
  }
  out->env_steps = find_env_steps(t);
}

static const Ast *item_of(Elab *e, const Ast *a, AstKind kind) {
  const Ast *found = NULL;
  for (int k = a->nstatic; k < a->nkid; k++) {
    if (a->kid[k]->kind != kind) continue;
    if (found) fail(e, a->kid[k]->loc, "put both into one", "a trainer has one `%s`", kind == AST_STEP ? "step" : "stop when");
    found = a->kid[k];
  }
  return found;
}

static void build_trainer(Elab *e, void *env) {
  Trainer *t = env;
  ElabTrainer *out = t->out = arena_new(e->arena, ElabTrainer);
  out->name = t->ast->name;
  const Ast *step = item_of(e, t->ast, AST_STEP), *stop = item_of(e, t->ast, AST_STOP);
  int before = e->failed;
  trainer_read_settings(e, t);
  if (!step) fail(e, t->ast->loc, "write `step { … }`", "the trainer `%s` has no step", t->ast->name);
  build_init(e, t);
  if (e->failed > before) give_up(e);
  IrGraph *g[2] = {t->graph, NULL};
  IrValue *seed[2] = {t->seed, NULL}, **in[2] = {settings_in(e, t), NULL};
  Metrics m;
  Inputs to[2] = {{.v = {0}}, build_step(e, t, step, stop, &m)};
  g[1] = t->graph;
  seed[1] = t->seed;
  in[1] = settings_in(e, t);
  IrBuilder hidden = {.graph = g[0], .at = g[0]->top};
  ir_output(g[0], ir_fill(&hidden, ir_scalar(IR_I64), 0), "iter");
  for (int k = 0; k < m.n; k++) ir_output(g[0], ir_fill(&hidden, ir_scalar(IR_F32), __builtin_nan("")), arena_printf(e->arena, "log.%s", m.log[k]->name));
  list_states(e, t, step, &m);
  for (int side = 0; side < 2; side++) settle(t, g[side], in[side]);
  list_settings(e, t, seed, g, in, to);
  list_before(e, t, g[0], &to[0]);
  for (int side = 0; side < 2; side++) set_inputs(g[side], &to[side]);
  out->init = g[0];
  out->step = g[1];
  out->hash = hash_of(e, t, in[0]);
}

Trainer *trainer_make(Elab *e, Decl *d, const Args *args) {
  if (d->busy) fail(e, e->c.b.loc, "what it begins from must come from another trainer", "the trainer `%s` runs itself", d->name);
  Trainer *t = arena_new(e->arena, Trainer), *outer = e->trainer;
  *t = (Trainer){.ast = d->ast, .decl = d, .args = args, .outer = outer};
  Context saved = e->c;
  Scope *scope = d->module->scope;
  e->c.scope = scope;
  e->c.owner = NULL;
  e->c.probe = NULL;
  e->c.path = "";
  d->busy = true;
  bool fine = attempt(e, build_trainer, t);
  d->busy = false;
  e->c = saved;
  e->trainer = outer;
  if (!fine) give_up(e);
  return t;
}

// ---- entry points ----------------------------------------------------------------------------------------------

typedef struct ExportRun { Decl *d; const Ast *ast; ElabExport *out; } ExportRun;

// Settings are numbers known when compiling here: what is exported is taken away from the run.
static void bind_fixed(Elab *e, Trainer *t) {
  for (int k = 0; k < t->nsetting; k++) scope_bind(e, t->setting[k].name, t->setting[k].value, false, t->ast->loc);
  for (int k = 0; k < t->nother; k++) scope_bind(e, t->other_name[k], t->other[k], false, t->ast->loc);
}

static void run_export(Elab *e, void *env) {
  ExportRun *x = env;
  Trainer *t = arena_new(e->arena, Trainer);
  *t = (Trainer){.ast = x->d->ast, .decl = x->d};
  const Ast *fn = x->ast->kid[0];
  int before = e->diags->count;
  e->c.scope = x->d->module->scope;
  trainer_read_settings(e, t);
  build_init(e, t);              // for the types of its states
  if (e->diags->count > before) give_up(e);
  open_graph(e, t, x->ast->name);
  e->trainer = NULL;
  IrGraph *g = t->graph;
  bind_fixed(e, t);
  bind_seed(e, t, u64_const(e, 0));
  bind_key(e, t->seed);
  for (int k = 0; k < t->name.n; k++) {
    Binding *b = scope_bind(e, t->name.at[k], input_tree(e, g, t->type.at[k], t->name.at[k], NULL), false, t->loc.at[k]);
    b->type = t->type.at[k];
  }
  scope_bind(e, "iter", value_array(e, ir_input(g, ir_scalar(IR_I64), "iter")), false, t->ast->loc);
  int nleaf = g->top->narg;
  IrValue **leaf = arena_copy(e->arena, g->top->arg, sizeof *leaf * (size_t)nleaf);
  for (int k = t->ast->nstatic; k < t->ast->nkid; k++)
    if (t->ast->kid[k]->kind == AST_LET) run_item(e, &(Item){t, t->ast->kid[k]});
  if (!is_complete(e, fn))
    fail(e, x->ast->loc, "give each parameter a type with all its sizes: obs: f32[4]", "the parameters of `%s` have no sizes of their own", x->ast->name);
  Module *inside = arena_new(e->arena, Module);
  *inside = *t->decl->module;
  inside->scope = e->c.scope;
  Decl *d = arena_new(e->arena, Decl);
  *d = (Decl){.ast = fn, .module = inside, .name = x->ast->name};
  Value *result = emit_function(e, d, g);
  if (e->diags->count > before) give_up(e);
  if (is_bounded(result)) fail(e, x->ast->loc, "return padded(y), and its length beside it", "`%s` returns %s, whose length is known at run time only", x->ast->name, value_text(e, result));
  if (!g->top->nyield) fail(e, x->ast->loc, "return arrays, numbers or records of them", "`%s` returns nothing that could be handed out", x->ast->name);
  x->out->nstate = 0;
  for (int k = 0; k < nleaf; k++) {
    if (value_used(g->top, leaf[k])) x->out->nstate++;
    else drop_input(g, leaf[k]);
  }
  x->out->graph = g;
}

ElabExport *export_make(Elab *e, Decl *d, const Ast *ast) {
  ExportRun x = {d, ast, arena_new(e->arena, ElabExport)};
  *x.out = (ElabExport){.name = ast->name, .trainer = d->name};
  bool ok = attempt(e, run_export, &x);
  e->trainer = NULL;
  return ok ? x.out : NULL;
}
