#include "frontend/value.h"

#include <ctype.h>
#include <string.h>

#include "frontend/data.h"

// ---- modules -------------------------------------------------------------------------------------

static const char *decl_name(const Ast *d) {
  switch (d->kind) {
  case AST_CONST: case AST_DATA: case AST_FN: case AST_RECORD: case AST_ENV: case AST_TRAIN: case AST_EXPERIMENT: return d->name;
  default: return NULL;
  }
}

static void declare(Elab *e, Module *m, const Ast *ast) {
  const char *name = decl_name(ast);
  if (!name) return;
  for (Decl *d = m->decls; d; d = d->next)
    if (strcmp(d->name, name) == 0) {
      Diag *g = diag_error(e->diags, ast->loc, "`%s` is declared twice", name);
      diag_help(e->diags, g, "the first is in line %d", d->ast->loc.line);
      return;
    }
  Decl *d = arena_new(e->arena, Decl);
  *d = (Decl){.ast = ast, .module = m, .name = name, .next = m->decls};
  m->decls = d;
  Value *v = value_new(e, V_DECL);
  v->decl = d;
  Binding *b = scope_bind(e, name, v, false, ast->loc);
  b->file = true;
}

typedef struct Use { Module *m; const Ast *ast; } Use;

static void bind_use(Elab *e, void *env) {
  Use *u = env;
  const char *dot = strrchr(u->ast->name, '.'), *last = dot ? dot + 1 : u->ast->name;
  for (Decl *d = u->m->decls; d; d = d->next)
    if (strcmp(d->name, last) == 0) fail(e, d->ast->loc, arena_printf(e->arena, "`use %s` in line %d brings that name: call yours otherwise", u->ast->name, u->ast->loc.line), "`%s` is declared twice", last);
  e->c.scope = u->m->scope;
  Binding *b = scope_bind(e, last, value_poison(e), false, u->ast->loc);    // should the module be missing
  b->file = true;
  Value *v = value_new(e, V_MODULE);
  v->module = module_load(e, u->ast->name, u->ast->loc);
  b->value = v;
}

static void load_data(Elab *e, void *decl) { data_sizes(e, decl); }

static Module *module_fill(Elab *e, Module *m, const char *name, const Source *src, const Ast *ast) {
  *m = (Module){.name = name, .src = src, .ast = ast, .busy = true, .next = e->modules};
  e->modules = m;
  Context saved = e->c;
  e->c.scope = e->prelude ? e->prelude->scope : NULL;
  m->scope = scope_push(e, false);
  e->c.module = m;
  for (int k = 0; k < ast->nkid; k++) declare(e, m, ast->kid[k]);
  for (int k = 0; k < ast->nkid; k++)
    if (ast->kid[k]->kind == AST_USE) attempt(e, bind_use, &(Use){m, ast->kid[k]});
  for (Decl *d = m->decls; d; d = d->next)
    if (d->ast->kind == AST_DATA) attempt(e, load_data, d);
  e->c = saved;
  m->busy = false;
  return m;
}

Module *module_load(Elab *e, const char *name, Loc loc) {
  for (Module *m = e->modules; m; m = m->next)
    if (strcmp(m->name, name) == 0) {
      if (m->busy) fail(e, loc, "put what both need into a third module", "the modules use one another in a circle: `%s`", name);
      return m;
    }
  int before = e->diags->count;
  const Source *src = e->options.modules(e->arena, e->diags, name, e->main ? e->main->src : NULL);
  if (!src) {
    if (e->diags->count > before) give_up(e);
    fail(e, loc, "the library has batches, classic, dist, linalg, nn, ode, optim, rl and signal; other modules are files NAME.rl beside this one", "there is no module `%s`", name);
  }
  if (e->main && e->main->src && strcmp(src->path, e->main->src->path) == 0) fail(e, loc, "put what both need into a third module", "the modules use one another in a circle: `%s`", name);
  Ast *ast = ast_parse(e->arena, e->diags, src);
  if (e->diags->count > before) give_up(e);
  return module_fill(e, arena_new(e->arena, Module), name, src, ast);
}

// ---- declarations as values ------------------------------------------------------------------------

typedef struct ConstRun { Decl *d; Value *out; } ConstRun;

static void run_const(Elab *e, void *env) {
  ConstRun *r = env;
  e->c.scope = r->d->module->scope;
  e->c.module = r->d->module;
  e->c.owner = NULL;
  r->out = eval(e, r->d->ast->kid[0]);
}

Value *decl_value(Elab *e, Decl *d) {
  if (d->ast->kind == AST_DATA) return data_value(e, d);
  if (d->ast->kind != AST_CONST) {
    Value *v = value_new(e, V_DECL);
    v->decl = d;
    return v;
  }
  if (d->value) return d->value;
  if (d->busy) fail(e, d->ast->loc, "constants may use one another, but not in a circle", "the constant `%s` depends on itself", d->name);
  Context saved = e->c;
  ConstRun run = {d, NULL};
  d->busy = true;
  bool ok = attempt(e, run_const, &run);
  d->busy = false;
  e->c = saved;
  if (!ok) {
    d->value = value_poison(e);
    give_up(e);
  }
  if (value_is_static(run.out)) d->value = run.out;   // arrays belong to the graph they were built in
  return run.out;
}

// ---- starting ------------------------------------------------------------------------------------------

typedef struct Start { const Source *src; const Ast *ast; } Start;

static void start(Elab *e, void *env) {
  Start *s = env;
  e->prelude = module_load(e, "prelude", (Loc){0});
  e->main = arena_new(e->arena, Module);
  e->main->src = s->src;                         // where modules beside the program are looked for
  module_fill(e, e->main, "", s->src, s->ast);
}

Elab *elab_new(Arena *a, Diags *d, const Source *src, const ElabOptions *o) {
  Elab *e = arena_new(a, Elab);
  e->arena = a;
  e->diags = d;
  if (o) e->options = *o;
  if (!e->options.modules) e->options.modules = elab_stdlib;
  int before = d->count;
  Start s = {src, NULL};
  if (src) s.ast = ast_parse(a, d, src);
  else {
    Ast *none = arena_new(a, Ast);
    none->kind = AST_FILE;
    s = (Start){source_text(a, "(expression)", ""), none};
  }
  if (d->count > before) return NULL;
  IrGraph *scratch = ir_graph(a, "scratch");
  e->c.b = (IrBuilder){.graph = scratch, .at = scratch->top};
  e->c.path = "";
  attempt(e, start, &s);
  e->memory = a->total;
  if (d->count == before) return e;
  if (e->main && e->main->scope) names_check(e, e->main);
  return NULL;
}

static void fresh(Elab *e, IrGraph *g) {
  e->c = (Context){.b = {.graph = g, .at = g->top}, .scope = e->main->scope, .module = e->main, .path = ""};
}

static Decl *find_decl(Elab *e, AstKind kind, const char *name) {
  Decl *found = NULL;
  for (Decl *d = e->main->decls; d; d = d->next)
    if (d->ast->kind == kind && (name ? strcmp(d->name, name) == 0 : !found)) found = d;   // the last in the file stands first
  return found;
}

// ---- trainers ----------------------------------------------------------------------------------------------

typedef struct SettingIn {
  const char *name;
  Value *value;                  // its number
  bool real;                     // f32 at run time; else an integer, i64 if it gets there
  bool pinned;                   // needed while compiling
  IrValue *input;                // in the graph being built, or NULL
} SettingIn;

typedef struct Trainer {
  const Ast *ast;
  Decl *decl;
  int nsetting; SettingIn *setting;   // numbers only
  int nother; const char **other_name; Value **other;
  IrGraph *graph;                // being built
  IrValue *seed;
  VEC(const char *) state_name;  // of leaves
  VEC(Loc) state_loc;
  VEC(Binding *) bound;          // states in scope, in order
  Scope *body;                   // of the step, for `stop when`
} Trainer;

void pin(Elab *e, Value *v) {
  struct Trainer *t = e->trainer;
  if (v->kind == V_NUM && v->setting && t) t->setting[v->setting - 1].pinned = true;
}

// Inputs for settings are added behind the states when the graph is whole.
Value *trainer_setting(Elab *e, Value *num, IrDtype want) {
  struct Trainer *t = e->trainer;
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

typedef struct ReadSetting { Trainer *t; const Ast *ast; Value *out; } ReadSetting;

static void read_setting(Elab *e, void *env) {
  ReadSetting *r = env;
  const Ast *s = r->ast;
  const ElabOverride *o = find_override(e, s->name);
  Value *v = s->kid[1] ? eval(e, s->kid[1]) : NULL;
  if (o) {
    Ast *x = ast_parse_expr(e->arena, e->diags, o->value);
    if (!x || e->diags->count) give_up(e);
    Value *given = eval(e, x);
    if (v && v->kind == V_NUM && given->kind == V_NUM && v->is_int && !given->is_int)
      fail(e, x->loc, "give an integer, or write its default with a point: 1.0", "the setting `%s` is an integer, found %g", s->name, given->f);
    if (v && v->kind != given->kind) fail(e, x->loc, "give a value of the same kind", "the setting `%s` is %s by default, found %s", s->name, value_text(e, v), value_text(e, given));
    if (v && v->kind == V_NUM && !v->is_int && given->is_int) given = value_real(e, num_f(given));
    v = given;
  }
  if (!v) fail(e, s->loc, "give it a default: name = value", "the setting `%s` has no value", s->name);
  if (!value_is_static(v)) fail(e, s->loc, "write a number, true or false, a text, a list or a function", "a setting must be known when compiling");
  if (s->kid[0] && v->kind == V_NUM) match_type(e, s->kid[0], v, s->loc, arena_printf(e->arena, "the setting `%s`", s->name));
  r->out = v;
}

static bool read_settings(Elab *e, Trainer *t) {
  const Ast *a = t->ast;
  t->setting = arena_array(e->arena, SettingIn, a->nstatic ? a->nstatic : 1);
  t->other_name = arena_array(e->arena, const char *, a->nstatic ? a->nstatic : 1);
  t->other = arena_array(e->arena, Value *, a->nstatic ? a->nstatic : 1);
  bool ok = true;
  for (int k = 0; k < a->nstatic; k++) {
    ReadSetting r = {t, a->kid[k], NULL};
    if (!attempt(e, read_setting, &r)) { ok = false; continue; }
    if (r.out->kind == V_NUM) t->setting[t->nsetting++] = (SettingIn){a->kid[k]->name, r.out, !r.out->is_int, false, NULL};
    else { t->other_name[t->nother] = a->kid[k]->name; t->other[t->nother++] = r.out; }
  }
  return ok;
}

static void open_graph(Elab *e, Trainer *t, const char *what) {
  t->graph = ir_graph(e->arena, what);
  fresh(e, t->graph);
  e->c.scope = t->decl->module->scope;
  scope_push(e, true);
  e->trainer = t;
  t->bound.n = 0;
  for (int k = 0; k < t->nsetting; k++) t->setting[k].input = NULL;
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

static void bind_key(Elab *e, IrValue *ir) {
  Value *key = value_key(e, ir);
  key->mentions = arena_new(e->arena, int);
  key->depth = 0;
  scope_bind(e, "key", key, false, (Loc){0});
}

typedef struct Item { Trainer *t; const Ast *ast; bool init; int *at; } Item;

static void run_let(Elab *e, const Ast *s) {
  Value *v = eval(e, s->kid[2]);
  if (s->kid[1]) v = match_type(e, s->kid[1], v, s->loc, "this");
  bind_pattern(e, s->kid[0], v, false);
}

static void init_state(Elab *e, Trainer *t, const Ast *s) {
  const Ast *type = s->kid[s->nkid - 2], *init = s->kid[s->nkid - 1];
  for (int j = 0; j < s->nkid - 2; j++) {
    const char *name = s->kid[j]->name;
    Value *v;
    if (init) {
      v = eval(e, init);
      if (v->kind == V_KEY) v = value_key(e, v->ir);
      if (!value_is_tree(v)) fail(e, init->loc, "state is what a checkpoint keeps: arrays, numbers and records of them; `let` names other things", "the state `%s` must be arrays, not %s", name, value_text(e, v));
      v = type ? coerce(e, v, eval_type(e, type), init->loc, arena_printf(e->arena, "the state `%s`", name)) : to_runtime(e, v, init->loc);
    } else if (type) v = type_zeros(e, eval_type(e, type));
    else fail(e, s->loc, "write `state x = …`", "the state `%s` has neither type nor value", name);
    Binding *b = scope_bind(e, name, v, true, s->kid[j]->loc);
    b->type = type_of(e, v);
    vec_push(e->arena, &t->bound, b);
  }
}

static void run_item(Elab *e, void *env) {
  Item *it = env;
  e->c.b.loc = it->ast->loc;
  if (it->ast->kind == AST_LET) run_let(e, it->ast);
  else init_state(e, it->t, it->ast);
}

// The order of inputs: states, then the seed and the settings.
static void order_inputs(IrGraph *g, int nstate, IrValue **state, Arena *a) {
  IrRegion *r = g->top;
  IrValue **arg = arena_array(a, IrValue *, r->narg + 1);
  const char **name = arena_array(a, const char *, r->narg + 1);
  int n = 0;
  for (int pass = 0; pass < 2; pass++)
    for (int k = 0; k < r->narg; k++) {
      bool is_state = false;
      for (int j = 0; j < nstate && !is_state; j++) is_state = state[j] == r->arg[k];
      if (is_state == (pass == 1)) continue;
      arg[n] = r->arg[k];
      name[n++] = g->in_name[k];
    }
  for (int k = 0; k < n; k++) {
    r->arg[k] = arg[k];
    g->in_name[k] = name[k];
    arg[k]->index = k;
  }
}

static void drop_input(IrGraph *g, IrValue *v) {
  IrRegion *r = g->top;
  for (int k = v->index; k + 1 < r->narg; k++) {
    r->arg[k] = r->arg[k + 1];
    g->in_name[k] = g->in_name[k + 1];
    r->arg[k]->index = k;
  }
  r->narg--;
}

// Both graphs take the same settings; those that were needed while compiling become constants.
static void settle_inputs(Trainer *t, IrGraph *g, IrValue **input) {
  for (int k = 0; k < t->nsetting; k++) {
    SettingIn *s = &t->setting[k];
    if (s->pinned && input[k]) {
      IrBuilder b = {.graph = g, .at = g->top, .before = g->top->first};
      IrValue *c = ir_fill(&b, input[k]->type, num_f(s->value));
      ir_replace(g, input[k], c);
      drop_input(g, input[k]);
      input[k] = NULL;
    }
  }
}

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

typedef struct Build { Trainer *t; ElabTrainer *out; } Build;

static const Ast *trainer_item(const Ast *a, AstKind kind, Elab *e) {
  const Ast *found = NULL;
  for (int k = a->nstatic; k < a->nkid; k++) {
    if (a->kid[k]->kind != kind) continue;
    if (found) fail(e, a->kid[k]->loc, "put both into one", "a trainer has one `%s`", kind == AST_STEP ? "step" : "stop when");
    found = a->kid[k];
  }
  return found;
}

static void build_init(Elab *e, Trainer *t, IrValue **input) {
  open_graph(e, t, "init");
  t->seed = ir_input(t->graph, ir_scalar(IR_U64), "seed");
  bind_settings(e, t);
  scope_bind(e, "seed", value_array(e, ir_cast(&e->c.b, t->seed, IR_I64)), false, t->ast->loc);
  bind_key(e, fold_in(e, t->seed, u64_const(e, 0)));
  for (int k = t->ast->nstatic; k < t->ast->nkid; k++) {
    const Ast *s = t->ast->kid[k];
    if (s->kind != AST_LET && s->kind != AST_STATE) continue;
    Item it = {t, s, true, NULL};
    if (!attempt(e, run_item, &it)) {
      for (int j = 0; s->kind == AST_STATE && j < s->nkid - 2; j++) scope_bind(e, s->kid[j]->name, value_poison(e), true, s->loc);
    }
  }
  for (int k = 0; k < t->bound.n; k++) {
    Binding *b = t->bound.at[k];
    if (b->value->kind == V_POISON) give_up(e);
    Leaves l = {0};
    value_leaves(e, b->value, b->name, &l);
    for (int j = 0; j < l.v.n; j++) {
      vec_push(e->arena, &t->state_name, l.path.at[j]);
      vec_push(e->arena, &t->state_loc, b->loc);
      ir_output(t->graph, l.v.at[j], l.path.at[j]);
    }
  }
  for (int k = 0; k < t->nsetting; k++) input[k] = t->setting[k].input;
}

static void build_trainer(Elab *e, void *env) {
  Build *bd = env;
  Trainer *t = bd->t;
  ElabTrainer *out = bd->out;
  const Ast *step = trainer_item(t->ast, AST_STEP, e), *stop = trainer_item(t->ast, AST_STOP, e);
  int before = e->failed;
  if (!read_settings(e, t)) give_up(e);
  if (!step) fail(e, t->ast->loc, "write `step { … }`", "the trainer `%s` has no step", t->ast->name);
  int ns = t->nsetting + 1;
  IrValue **init_in = arena_array(e->arena, IrValue *, ns), **step_in = arena_array(e->arena, IrValue *, ns);
  build_init(e, t, init_in);
  if (e->failed > before) give_up(e);
  IrGraph *init = t->graph;
  VEC(Type *) types = {0};
  VEC(const char *) names = {0};
  for (int k = 0; k < t->bound.n; k++) {
    vec_push(e->arena, &types, t->bound.at[k]->type);
    vec_push(e->arena, &names, t->bound.at[k]->name);
  }
  // ---- the step
  open_graph(e, t, "step");
  IrGraph *g = t->graph;
  VEC(IrValue *) state = {0};
  VEC(IrType) state_type = {0};
  t->seed = ir_input(g, ir_scalar(IR_U64), "seed");
  bind_settings(e, t);
  scope_bind(e, "seed", value_array(e, ir_cast(&e->c.b, t->seed, IR_I64)), false, t->ast->loc);
  int leaf = 0;
  for (int k = 0; k < types.n; k++) {
    TypeVec tv = {0};
    type_leaves(e, types.at[k], NULL, &tv, NULL);
    Value *shape = type_zeros(e, types.at[k]);
    IrValue **in = arena_array(e->arena, IrValue *, tv.n ? tv.n : 1);
    for (int j = 0; j < tv.n; j++, leaf++) {
      in[j] = ir_input(g, tv.at[j], t->state_name.at[leaf]);
      vec_push(e->arena, &state, in[j]);
      vec_push(e->arena, &state_type, tv.at[j]);
    }
    int at = 0;
    Binding *b = scope_bind(e, names.at[k], value_rebuild(e, shape, in, &at), true, t->ast->loc);
    b->type = types.at[k];
    vec_push(e->arena, &t->bound, b);
  }
  IrValue *iter = ir_input(g, ir_scalar(IR_I64), "iter");
  vec_push(e->arena, &state, iter);
  scope_bind(e, "iter", value_array(e, iter), false, t->ast->loc);
  bind_key(e, fold_in(e, fold_in(e, t->seed, u64_const(e, 1)), ir_cast(&e->c.b, iter, IR_U64)));
  for (int k = t->ast->nstatic; k < t->ast->nkid; k++) {
    Item it = {t, t->ast->kid[k], false, NULL};
    if (it.ast->kind == AST_LET) attempt(e, run_item, &it);
  }
  eval_block(e, step->kid[0]);
  if (e->failed > before) give_up(e);
  // ---- what was logged
  int nlog = 0;
  for (LogEntry *l = e->c.logs; l; l = l->next) nlog++;
  LogEntry **log = arena_array(e->arena, LogEntry *, nlog + 1);
  int at = nlog;
  for (LogEntry *l = e->c.logs; l; l = l->next) log[--at] = l;
  out->metric = arena_array(e->arena, ElabMetric, nlog + 1);
  out->nmetric = nlog;
  IrValue **fresh_log = arena_array(e->arena, IrValue *, nlog + 1);
  IrValue *ok = ir_fill(&e->c.b, ir_scalar(IR_BOOL), 1);
  int first_log = state.n;
  IrBuilder *b = &e->c.b;
  b->loc = step->loc;
  IrValue *zero = ir_fill(b, ir_scalar(IR_F32), 0);
  Loc *log_loc = arena_array(e->arena, Loc, nlog + 1);
  for (int k = 0; k < nlog; k++) {
    IrValue *old = ir_input(g, ir_scalar(IR_F32), arena_printf(e->arena, "log.%s", log[k]->name));
    vec_push(e->arena, &state, old);
    IrValue *mean = ir_bin(b, IR_DIV, log[k]->sum, log[k]->count);
    IrValue *any = ir_bin(b, IR_GT, log[k]->count, zero);
    fresh_log[k] = ir_select(b, any, mean, old);
    IrValue *fine = ir_bin(b, IR_OR, ir_un(b, IR_FINITE, mean), ir_un(b, IR_NOT, any));
    ok = ir_bin(b, IR_AND, ok, fine);
    out->metric[k] = (ElabMetric){log[k]->name, first_log + k};
    log_loc[k] = log[k]->sum->op ? log[k]->sum->op->loc : step->loc;
  }
  IrValue *done = ir_bin(b, IR_ADD, iter, ir_fill(b, ir_scalar(IR_I64), 1));
  scope_push(e, false);
  scope_bind(e, "iter", value_array(e, done), false, t->ast->loc);
  for (int k = 0; k < nlog; k++)
    if (!scope_find(e->c.scope, log[k]->name) || scope_find(e->c.scope, log[k]->name)->file) scope_bind(e, log[k]->name, value_array(e, fresh_log[k]), false, t->ast->loc);
  Stop s = eval_stop(e, stop ? stop->kid[0] : NULL);
  if (e->failed > before) give_up(e);
  // ---- outputs
  leaf = 0;
  out->env_steps = -1;
  for (int k = 0; k < t->bound.n; k++) {
    Leaves l = {0};
    value_leaves(e, t->bound.at[k]->value, t->bound.at[k]->name, &l);
    for (int j = 0; j < l.v.n; j++, leaf++) {
      const char *path = t->state_name.at[leaf];
      size_t len = strlen(path);
      if (l.v.at[j]->type.dtype == IR_I64 && !l.v.at[j]->type.rank && len > 6 && strcmp(path + len - 6, ".steps") == 0 && out->env_steps < 0) out->env_steps = leaf;
      ir_output(g, l.v.at[j], path);
    }
  }
  out->iter = leaf;
  ir_output(g, done, "iter");
  for (int k = 0; k < nlog; k++) ir_output(g, fresh_log[k], arena_printf(e->arena, "log.%s", log[k]->name));
  for (int k = 0; k < nlog; k++) ir_output(g, log[k]->count, arena_printf(e->arena, "count.%s", log[k]->name));
  ir_output(g, s.stop, "stop");
  ir_output(g, s.solved, "solved");
  ir_output(g, ok, "ok");
  ir_output(g, s.progress, "progress");
  for (int k = 0; k < t->nsetting; k++) step_in[k] = t->setting[k].input;
  // the hidden states of init
  IrBuilder ib = {.graph = init, .at = init->top};
  ir_output(init, ir_fill(&ib, ir_scalar(IR_I64), 0), "iter");
  for (int k = 0; k < nlog; k++) ir_output(init, ir_fill(&ib, ir_scalar(IR_F32), __builtin_nan("")), arena_printf(e->arena, "log.%s", log[k]->name));
  settle_inputs(t, init, init_in);
  settle_inputs(t, g, step_in);
  order_inputs(g, state.n, state.at, e->arena);
  // ---- one list of settings for both
  out->setting = arena_array(e->arena, ElabSetting, t->nsetting + 1);
  out->setting[out->nsetting++] = (ElabSetting){"seed", IR_U64, 0};
  for (int k = 0; k < t->nsetting; k++) {
    SettingIn *x = &t->setting[k];
    if (!init_in[k] && !step_in[k]) continue;
    out->setting[out->nsetting++] = (ElabSetting){x->name, x->real ? IR_F32 : IR_I64, num_f(x->value)};
    for (int side = 0; side < 2; side++) {
      IrValue **in = side ? step_in : init_in;
      if (!in[k]) in[k] = ir_input(side ? g : init, ir_scalar(x->real ? IR_F32 : IR_I64), x->name);
    }
  }
  // inputs in the order of the list
  for (int side = 0; side < 2; side++) {
    IrGraph *gr = side ? g : init;
    IrValue **in = side ? step_in : init_in;
    int base = gr->top->narg - out->nsetting, n = base + 1;
    IrValue *seed = NULL;
    for (int k = 0; k < gr->top->narg; k++)
      if (gr->in_name[k] && strcmp(gr->in_name[k], "seed") == 0 && gr->top->arg[k]->type.dtype == IR_U64) seed = gr->top->arg[k];
    gr->top->arg[base] = seed;
    gr->in_name[base] = "seed";
    seed->index = base;
    for (int k = 0; k < t->nsetting; k++) {
      if (!in[k]) continue;
      gr->top->arg[n] = in[k];
      gr->in_name[n] = t->setting[k].name;
      in[k]->index = n++;
    }
  }
  // ---- states, in order
  out->nstate = leaf + 1 + nlog;
  out->state = arena_array(e->arena, ElabState, out->nstate);
  for (int k = 0; k < leaf; k++) out->state[k] = (ElabState){t->state_name.at[k], state_type.at[k], t->state_loc.at[k]};
  out->state[leaf] = (ElabState){"iter", ir_scalar(IR_I64), step->loc};
  for (int k = 0; k < nlog; k++) out->state[leaf + 1 + k] = (ElabState){arena_printf(e->arena, "log.%s", log[k]->name), ir_scalar(IR_F32), log_loc[k]};
  out->init = init;
  out->step = g;
  out->name = t->ast->name;
  uint64_t h = base_hash(1, out->name, strlen(out->name));
  for (int k = 0; k < out->nstate; k++) {
    h = base_hash(h, out->state[k].name, strlen(out->state[k].name));
    h = base_hash(h, &out->state[k].type.dtype, sizeof out->state[k].type.dtype);
    h = base_hash(h, out->state[k].type.dim, sizeof(int64_t) * (size_t)out->state[k].type.rank);
  }
  for (int k = 0; k < t->nsetting; k++)
    if (!init_in[k]) {
      double f = num_f(t->setting[k].value);
      h = base_hash(base_hash(h, t->setting[k].name, strlen(t->setting[k].name)), &f, sizeof f);
    }
  for (int k = 0; k < t->nother; k++) {
    const char *text = value_text(e, t->other[k]);
    h = base_hash(base_hash(h, t->other_name[k], strlen(t->other_name[k])), text, strlen(text));
  }
  out->hash = h;
}

static ElabTrainer *make_trainer(Elab *e, Decl *d) {
  Trainer *t = arena_new(e->arena, Trainer);
  t->ast = d->ast;
  t->decl = d;
  Build b = {t, arena_new(e->arena, ElabTrainer)};
  fresh(e, ir_graph(e->arena, "scratch"));
  e->c.scope = d->module->scope;
  bool ok = attempt(e, build_trainer, &b);
  e->trainer = NULL;
  return ok ? b.out : NULL;
}

ElabTrainer *elab_trainer(Elab *e, const char *name) {
  if (!names_check(e, e->main)) return NULL;
  Decl *d = find_decl(e, AST_TRAIN, name);
  if (!d) {
    Loc whole = {.src = e->main->src, .line = 1, .col = 1, .width = 1};
    Diag *g = name ? diag_error(e->diags, (Loc){0}, "%s has no trainer `%s`", e->main->src->path, name) : diag_error(e->diags, whole, "this file declares no trainer");
    diag_help(e->diags, g, "a trainer is declared by `train name(settings) { state …; step { … } }`");
    return NULL;
  }
  return make_trainer(e, d);
}

// ---- checking what nobody asked for ---------------------------------------------------------------------------

typedef struct Check { Decl *d; } Check;

static bool complete(Elab *e, const Ast *fn) {
  for (int k = 0; k < fn->fn->nstatic; k++)
    if (!fn->fn->statics[k]->kid[1]) return false;
  for (int k = 0; k < fn->fn->nparam; k++) {
    const Ast *p = fn->fn->params[k];
    if (p->inout) return false;
    if (p->kid[1] || (strcmp(p->name, "key") == 0 && !p->kid[0])) continue;
    if (!p->kid[0] || !try_type(e, p->kid[0])) return false;
  }
  return true;
}

static void emit_function(Elab *e, Decl *d, IrGraph *g) {
  const AstFn *fn = d->ast->fn;
  Args a = args_new(e, d->ast, fn->nparam + 1);
  a.n = 0;
  bool model = fn->flavour == FLAVOUR_MODEL;
  Value *f = decl_value(e, d);
  for (int k = model ? -1 : 0; k < fn->nparam; k++) {
    const Ast *p = k < 0 ? NULL : fn->params[k];
    if (p && p->kid[1]) continue;
    Value *v;
    if (!p) {
      Type *t = model_params(e, f, d->ast->loc)->tree;
      TypeVec tv = {0};
      NameVec paths = {0};
      type_leaves(e, t, "p", &tv, &paths);
      IrValue **in = arena_array(e->arena, IrValue *, tv.n ? tv.n : 1);
      for (int j = 0; j < tv.n; j++) in[j] = ir_input(g, tv.at[j], paths.at[j]);
      int at = 0;
      v = value_rebuild(e, type_zeros(e, t), in, &at);
    } else if (!p->kid[0]) {
      v = value_key(e, ir_input(g, ir_scalar(IR_U64), p->name));
    } else {
      Type *t = try_type(e, p->kid[0]);
      if (!t) t = dummy_type(e, p->kid[0]);
      TypeVec tv = {0};
      NameVec paths = {0};
      type_leaves(e, t, p->name, &tv, &paths);
      IrValue **in = arena_array(e->arena, IrValue *, tv.n ? tv.n : 1);
      for (int j = 0; j < tv.n; j++) in[j] = ir_input(g, tv.at[j], paths.at[j]);
      int at = 0;
      v = value_rebuild(e, type_zeros(e, t), in, &at);
    }
    a.value[a.n] = v;
    a.name[a.n] = p ? p->name : NULL;
    a.expr[a.n++] = p;
  }
  Value *r = apply(e, f, &a);
  if (!value_is_tree(r)) return;
  Leaves l = {0};
  value_leaves(e, r, "out", &l);
  for (int k = 0; k < l.v.n; k++) ir_output(g, l.v.at[k], l.path.at[k]);
}

// ---- entry points ----------------------------------------------------------------------------------------------

typedef struct ExportRun { Trainer *t; const Ast *ast; ElabExport *out; } ExportRun;

static bool value_used(const IrRegion *r, const IrValue *v) {
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

// Settings are numbers known when compiling here: what is exported is taken away from the run.
static void bind_fixed(Elab *e, Trainer *t) {
  for (int k = 0; k < t->nsetting; k++) scope_bind(e, t->setting[k].name, t->setting[k].value, false, t->ast->loc);
  for (int k = 0; k < t->nother; k++) scope_bind(e, t->other_name[k], t->other[k], false, t->ast->loc);
}

static void run_export(Elab *e, void *env) {
  ExportRun *x = env;
  Trainer *t = x->t;
  const Ast *fn = x->ast->kid[0];
  int before = e->diags->count;
  if (!read_settings(e, t)) give_up(e);
  build_init(e, t, arena_array(e->arena, IrValue *, t->nsetting + 1));   // for the types of its states
  if (e->diags->count > before) give_up(e);
  int nstate = t->bound.n;
  Binding **state = arena_copy(e->arena, t->bound.at, sizeof *state * (size_t)nstate);
  open_graph(e, t, x->ast->name);
  e->trainer = NULL;
  IrGraph *g = t->graph;
  bind_fixed(e, t);
  IrValue *seed = u64_const(e, 0);
  scope_bind(e, "seed", value_array(e, ir_cast(&e->c.b, seed, IR_I64)), false, t->ast->loc);
  bind_key(e, seed);
  for (int k = 0; k < nstate; k++) {
    TypeVec tv = {0};
    NameVec paths = {0};
    type_leaves(e, state[k]->type, state[k]->name, &tv, &paths);
    IrValue **in = arena_array(e->arena, IrValue *, tv.n + 1);
    for (int j = 0; j < tv.n; j++) in[j] = ir_input(g, tv.at[j], paths.at[j]);
    int at = 0;
    Binding *b = scope_bind(e, state[k]->name, value_rebuild(e, type_zeros(e, state[k]->type), in, &at), false, state[k]->loc);
    b->type = state[k]->type;
  }
  IrValue *iter = ir_input(g, ir_scalar(IR_I64), "iter");
  scope_bind(e, "iter", value_array(e, iter), false, t->ast->loc);
  int nleaf = g->top->narg;
  IrValue **leaf = arena_copy(e->arena, g->top->arg, sizeof *leaf * (size_t)nleaf);
  for (int k = t->ast->nstatic; k < t->ast->nkid; k++)
    if (t->ast->kid[k]->kind == AST_LET) run_item(e, &(Item){t, t->ast->kid[k], false, NULL});
  if (!complete(e, fn))
    fail(e, x->ast->loc, "give each parameter a type with all its sizes: obs: f32[4]", "the parameters of `%s` have no sizes of their own", x->ast->name);
  Module *inside = arena_new(e->arena, Module);
  *inside = *t->decl->module;
  inside->scope = e->c.scope;
  Decl *d = arena_new(e->arena, Decl);
  *d = (Decl){.ast = fn, .module = inside, .name = x->ast->name};
  emit_function(e, d, g);
  if (e->diags->count > before) give_up(e);
  if (!g->top->nyield) fail(e, x->ast->loc, "return arrays, numbers or records of them", "`%s` returns nothing that could be handed out", x->ast->name);
  x->out->nstate = 0;
  for (int k = 0; k < nleaf; k++) {
    if (value_used(g->top, leaf[k])) x->out->nstate++;
    else drop_input(g, leaf[k]);
  }
  x->out->graph = g;
}

static ElabExport *make_export(Elab *e, Decl *d, const Ast *ast) {
  Trainer *t = arena_new(e->arena, Trainer);
  t->ast = d->ast;
  t->decl = d;
  ExportRun x = {t, ast, arena_new(e->arena, ElabExport)};
  *x.out = (ElabExport){.name = ast->name, .trainer = d->name};
  fresh(e, ir_graph(e->arena, "scratch"));
  e->c.scope = d->module->scope;
  bool ok = attempt(e, run_export, &x);
  e->trainer = NULL;
  return ok ? x.out : NULL;
}

static void check_trainer(Elab *e, Decl *d) {
  if (!make_trainer(e, d)) return;
  for (int k = d->ast->nstatic; k < d->ast->nkid; k++)
    if (d->ast->kid[k]->kind == AST_EXPORT) make_export(e, d, d->ast->kid[k]);
}

ElabExport *elab_export(Elab *e, const char *trainer, const char *name) {
  if (!names_check(e, e->main)) return NULL;
  Decl *d = find_decl(e, AST_TRAIN, trainer);
  if (!d) return elab_trainer(e, trainer), NULL;                        // says that there is none
  const Ast *found = NULL;
  for (int k = d->ast->nstatic; k < d->ast->nkid; k++)
    if (d->ast->kid[k]->kind == AST_EXPORT && (!name || strcmp(d->ast->kid[k]->name, name) == 0)) found = d->ast->kid[k];
  if (!found) {
    Diag *g = name ? diag_error(e->diags, d->ast->loc, "the trainer `%s` exports no `%s`", d->name, name) : diag_error(e->diags, d->ast->loc, "the trainer `%s` exports nothing", d->name);
    diag_help(e->diags, g, "add an entry point to it: export act(obs: f32[4]) -> i32 = …");
    return NULL;
  }
  return make_export(e, d, found);
}

static void check_env(Elab *e, Decl *d) {
  Value *env = decl_value(e, d);
  Ast place = {.kind = AST_NAME, .name = "_", .loc = d->ast->loc};
  Value *state = type_zeros(e, env_state_type(e, env, d->ast->loc));
  Value *action = env_action(e, env, d->ast->loc);
  Value *kind = value_field(action, "kind"), *n = value_field(action, "n");
  if (!kind || !n) fail(e, d->ast->loc, "action = discrete(n) or box(n, low, high)", "the environment `%s` has no such action", d->name);
  IrType at = ir_scalar(IR_I32);
  if (strcmp(kind->s, "box") == 0) at = ir_type(IR_F32, 1, &n->i);
  Value *key = value_key(e, u64_const(e, 0));
  key->mentions = arena_new(e->arena, int);
  Args a = args_new(e, d->ast, 2);
  a.value[0] = state;
  a.place[0] = &place;
  a.value[1] = key;
  env_reset(e, env, &a);
  Args b = args_new(e, d->ast, 3);
  b.value[0] = state;
  b.place[0] = &place;
  b.value[1] = value_array(e, ir_fill(&e->c.b, at, 0));
  b.value[2] = key;
  env_step(e, env, &b);
  env_obs_type(e, env, d->ast->loc);
}

static void check_decl(Elab *e, void *env) {
  Decl *d = ((Check *)env)->d;
  const Ast *a = d->ast;
  e->c.b.loc = a->loc;
  e->c.scope = d->module->scope;
  if (a->kind == AST_CONST) decl_value(e, d);
  if (a->kind == AST_ENV && !a->from) {
    for (int k = 0; k < a->nstatic; k++)
      if (!a->kid[k]->kid[1]) return;
    check_env(e, d);
  }
  if (a->kind == AST_FN && a->fn->body) {
    if (a->fn->flavour == FLAVOUR_LAYER || a->fn->flavour == FLAVOUR_RULE) return;
    if (a->fn->flavour == FLAVOUR_MODEL) {
      for (int k = 0; k < a->fn->nstatic; k++)
        if (!a->fn->statics[k]->kid[1]) return;
      for (int k = 0; k < a->fn->nparam; k++)
        if (!a->fn->params[k]->kid[0] && !a->fn->params[k]->kid[1]) return;
      Value *model = decl_value(e, d);
      model_params(e, model, a->loc);
      Args init = args_new(e, a, 1);
      init.value[0] = value_key(e, u64_const(e, 0));
      model_init(e, model, &init);
      return;
    }
    if (complete(e, a)) emit_function(e, d, e->c.b.graph);
  }
}

bool elab_check(Elab *e) {
  int before = e->diags->count;
  names_check(e, e->main);
  for (Decl *d = e->main->decls; d; d = d->next) {
    fresh(e, ir_graph(e->arena, "scratch"));
    if (d->ast->kind == AST_TRAIN) check_trainer(e, d);
    else attempt(e, check_decl, &(Check){d});
  }
  return e->diags->count == before;
}

// ---- single expressions and functions ----------------------------------------------------------------------------

typedef struct Expr { const Source *src; IrGraph *g; const char *name; } Expr;

static void run_expr(Elab *e, void *env) {
  Expr *x = env;
  int before = e->diags->count;
  Ast *ast = ast_parse_expr(e->arena, e->diags, x->src);
  if (!ast || e->diags->count > before) give_up(e);
  scope_push(e, false);
  bind_key(e, u64_const(e, 0));
  Value *v = eval(e, ast);
  if (v->kind == V_POISON) give_up(e);
  if (v->kind == V_NONE) fail(e, ast->loc, no_value_help(e, ast), "this has no value");
  if (!value_is_tree(v)) fail(e, ast->loc, "give an expression whose value is an array, a number or a record of them", "this is %s, not an array", value_text(e, v));
  Leaves l = {0};
  value_leaves(e, v, "", &l);
  for (int k = 0; k < l.v.n; k++) ir_output(x->g, l.v.at[k], *l.path.at[k] ? l.path.at[k] : NULL);
  if (e->diags->count > before) give_up(e);
}

IrGraph *elab_expr(Elab *e, const Source *expr) {
  Expr x = {expr, ir_graph(e->arena, "expression"), NULL};
  fresh(e, x.g);
  return attempt(e, run_expr, &x) ? x.g : NULL;
}

static void run_function(Elab *e, void *env) {
  Expr *x = env;
  Decl *d = find_decl(e, AST_FN, x->name);
  if (!d) fail(e, (Loc){0}, "declare it: fn name(x: f32[4]) = …", "%s has no function `%s`", e->main->src->path, x->name);
  if (d->ast->fn->flavour == FLAVOUR_LAYER || d->ast->fn->flavour == FLAVOUR_RULE)
    fail(e, d->ast->loc, "name a fn, loss or model", "a layer or rule stands in no graph of its own");
  if (d->ast->fn->flavour != FLAVOUR_MODEL && !complete(e, d->ast))
    fail(e, d->ast->loc, "call it with arrays: rlc eval FILE 'f(zeros([8, 4]))'", "the parameters of `%s` have no sizes of their own", d->name);
  int before = e->diags->count;
  emit_function(e, d, x->g);
  if (e->diags->count > before) give_up(e);
}

IrGraph *elab_function(Elab *e, const char *name) {
  Expr x = {NULL, ir_graph(e->arena, name), name};
  fresh(e, x.g);
  return attempt(e, run_function, &x) ? x.g : NULL;
}

int elab_names(Elab *e, AstKind kind, const char ***names) {
  VEC(const char *) v = {0};
  for (Decl *d = e->main->decls; d; d = d->next)
    if (d->ast->kind == kind) vec_push(e->arena, &v, d->name);
  *names = v.at;
  return v.n;
}
