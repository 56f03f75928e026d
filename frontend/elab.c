#include <ctype.h>
#include <string.h>

#include "frontend/data.h"
#include "frontend/trainer.h"
#include "ir/embed.h"

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

static const char *library_names(Elab *e) {
  Str s = {.arena = e->arena};
  for (const Embed *m = embed_stdlib; m->name; m++) {
    int n = (int)strcspn(m->name, ".");
    if (strncmp(m->name, "prelude", (size_t)n) != 0) str_printf(&s, "%s%.*s", s.n ? ", " : "", n, m->name);
  }
  return s.s;
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
    fail(e, loc, arena_printf(e->arena, "the library has %s; other modules are files NAME.rl beside this one", library_names(e)), "there is no module `%s`", name);
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

void elab_fresh(Elab *e, IrGraph *g, Scope *scope, Module *m) {
  e->c = (Context){.b = {.graph = g, .at = g->top}, .scope = scope, .module = m, .path = ""};
}

static void fresh(Elab *e, IrGraph *g) { elab_fresh(e, g, e->main->scope, e->main); }

static Decl *find_decl(Elab *e, AstKind kind, const char *name) {
  Decl *found = NULL;
  for (Decl *d = e->main->decls; d; d = d->next)
    if (d->ast->kind == kind && (name ? strcmp(d->name, name) == 0 : !found)) found = d;   // the last in the file stands first
  return found;
}

// ---- trainers ----------------------------------------------------------------------------------------------

typedef struct Make { Decl *d; Trainer *made; } Make;

static void run_make(Elab *e, void *env) {
  Make *m = env;
  m->made = trainer_make(e, m->d, NULL);
}

static ElabTrainer *make_trainer(Elab *e, Decl *d) {
  Make m = {d, NULL};
  fresh(e, ir_graph(e->arena, "scratch"));
  return attempt(e, run_make, &m) ? m.made->out : NULL;
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

// T of every `T <= 64` in a type: an input of g of its own, or, without a graph, 1.
static void bind_lengths(Elab *e, IrGraph *g, const Ast *t) {
  if (!t) return;
  if (t->kind == AST_BIN && t->op == AST_LE && t->kid[0]->kind == AST_NAME && is_generic(e, t->kid[0]->name)) {
    int64_t most = to_int(e, eval(e, t->kid[1]), t->kid[1]->loc, "a bound");
    if (most < 1) fail(e, t->kid[1]->loc, "it is the greatest size: 1 or more", "a bound of %lld", (long long)most);
    Value *n = value_int(e, 1);
    if (g) n = length(e, len_within(e, value_array(e, ir_input(g, ir_scalar(IR_I32), t->kid[0]->name)), most, t->loc), most);
    scope_bind(e, t->kid[0]->name, n, false, t->loc);
  }
  for (int k = 0; k < t->nkid; k++) bind_lengths(e, g, t->kid[k]);
}

static bool has_sizes(Elab *e, const Ast *fn) {
  for (int k = 0; k < fn->fn->nparam; k++) {
    const Ast *p = fn->fn->params[k];
    if (p->inout) return false;
    if (p->kid[1] || (strcmp(p->name, "key") == 0 && !p->kid[0])) continue;
    bind_lengths(e, NULL, p->kid[0]);
    if (!p->kid[0] || !try_type(e, p->kid[0])) return false;
  }
  return true;
}

bool is_complete(Elab *e, const Ast *fn) {
  for (int k = 0; k < fn->fn->nstatic; k++)
    if (!fn->fn->statics[k]->kid[1]) return false;
  Scope *outer = e->c.scope;
  scope_push(e, false);
  bool yes = has_sizes(e, fn);
  e->c.scope = outer;
  return yes;
}

Value *emit_function(Elab *e, Decl *d, IrGraph *g) {
  const AstFn *fn = d->ast->fn;
  Args a = args_new(e, d->ast, fn->nparam + 1);
  a.n = 0;
  bool model = fn->flavour == FLAVOUR_MODEL;
  Value *f = decl_value(e, d);
  Scope *outer = e->c.scope;
  scope_push(e, false);
  for (int k = model ? -1 : 0; k < fn->nparam; k++) {
    const Ast *p = k < 0 ? NULL : fn->params[k];
    if (p && p->kid[1]) continue;
    Value *v;
    if (!p) v = input_tree(e, g, model_params(e, f, d->ast->loc)->tree, "p", NULL);
    else if (!p->kid[0]) v = value_key(e, ir_input(g, ir_scalar(IR_U64), p->name));
    else {
      bind_lengths(e, g, p->kid[0]);
      Type *t = try_type(e, p->kid[0]);
      v = input_tree(e, g, t ? t : dummy_type(e, p->kid[0]), p->name, NULL);
    }
    a.value[a.n] = v;
    a.name[a.n] = p ? p->name : NULL;
    a.expr[a.n++] = p;
  }
  e->c.scope = outer;
  Value *r = apply(e, f, &a);
  if (!value_is_tree(r)) return r;
  Leaves l = {.bounded = true};
  value_leaves(e, r, "out", &l);
  for (int k = 0; k < l.v.n; k++) ir_output(g, l.v.at[k], l.path.at[k]);
  return r;
}

typedef struct More { void (*check)(void *data, ElabTrainer *t); void *data; } More;

static void check_trainer(Elab *e, Decl *d, const More *more) {
  ElabTrainer *t = make_trainer(e, d);
  if (!t) return;
  for (int k = d->ast->nstatic; k < d->ast->nkid; k++)
    if (d->ast->kid[k]->kind == AST_EXPORT) {
      fresh(e, ir_graph(e->arena, "scratch"));
      export_make(e, d, d->ast->kid[k]);
    }
  if (more->check) more->check(more->data, t);
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
  fresh(e, ir_graph(e->arena, "scratch"));
  return export_make(e, d, found);
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
    if (is_complete(e, a)) emit_function(e, d, e->c.b.graph);
  }
}

bool elab_check(Elab *e, void (*check)(void *data, ElabTrainer *t), void *data) {
  int before = e->diags->count;
  More more = {check, data};
  names_check(e, e->main);
  for (Decl *d = e->main->decls; d; d = d->next) {
    fresh(e, ir_graph(e->arena, "scratch"));
    if (d->ast->kind == AST_TRAIN) check_trainer(e, d, &more);
    else if (d->ast->kind == AST_EXPERIMENT) experiment_make(e, d, NULL, 0);
    else attempt(e, check_decl, &(Check){d});
  }
  return e->diags->count == before;
}

// ---- experiments ------------------------------------------------------------------------------------------------

bool elab_experiment(Elab *e, const char *name, const ElabHost *host, uint64_t seed) {
  if (!names_check(e, e->main)) return false;
  Decl *d = find_decl(e, AST_EXPERIMENT, name);
  if (d) return experiment_make(e, d, host, seed);
  Loc whole = {.src = e->main->src, .line = 1, .col = 1, .width = 1};
  Diag *g = name ? diag_error(e->diags, (Loc){0}, "%s has no experiment `%s`", e->main->src->path, name) : diag_error(e->diags, whole, "this file declares no experiment");
  diag_help(e->diags, g, "an experiment is declared by `experiment name(seeds = 3) { let x = trainer.run(); claim mean(x.score) > 0 }`");
  return false;
}

// ---- single expressions and functions ----------------------------------------------------------------------------

typedef struct Expr { const Source *src; IrGraph *g; const char *name; const ElabHost *host; } Expr;

static void run_expr(Elab *e, void *env) {
  Expr *x = env;
  int before = e->diags->count;
  Ast *ast = ast_parse_expr(e->arena, e->diags, x->src);
  if (!ast || e->diags->count > before) give_up(e);
  scope_push(e, false);
  bind_key(e, u64_const(e, 0));
  experiment_open(e, x->g, x->host);
  Value *v = eval(e, ast);
  experiment_close(e, x->g);
  if (v->kind == V_POISON) give_up(e);
  if (v->kind == V_NONE) fail(e, ast->loc, no_value_help(e, ast), "this has no value");
  if (!value_is_tree(v)) fail(e, ast->loc, "give an expression whose value is an array, a number or a record of them", "this is %s, not an array", value_text(e, v));
  Leaves l = {0};
  value_leaves(e, v, "", &l);
  for (int k = 0; k < l.v.n; k++) ir_output(x->g, l.v.at[k], *l.path.at[k] ? l.path.at[k] : NULL);
  if (e->diags->count > before) give_up(e);
}

IrGraph *elab_expr(Elab *e, const Source *expr, const ElabHost *host) {
  Expr x = {expr, ir_graph(e->arena, "expression"), NULL, host};
  fresh(e, x.g);
  bool fine = attempt(e, run_expr, &x);
  e->experiment = NULL;
  return fine ? x.g : NULL;
}

static void run_function(Elab *e, void *env) {
  Expr *x = env;
  Decl *d = find_decl(e, AST_FN, x->name);
  if (!d) fail(e, (Loc){0}, "declare it: fn name(x: f32[4]) = …", "%s has no function `%s`", e->main->src->path, x->name);
  if (d->ast->fn->flavour == FLAVOUR_LAYER || d->ast->fn->flavour == FLAVOUR_RULE)
    fail(e, d->ast->loc, "name a fn, loss or model", "a layer or rule stands in no graph of its own");
  if (d->ast->fn->flavour != FLAVOUR_MODEL && !is_complete(e, d->ast))
    fail(e, d->ast->loc, "call it with arrays: rlc eval FILE 'f(zeros([8, 4]))'", "the parameters of `%s` have no sizes of their own", d->name);
  int before = e->diags->count;
  emit_function(e, d, x->g);
  if (e->diags->count > before) give_up(e);
}

IrGraph *elab_function(Elab *e, const char *name) {
  Expr x = {NULL, ir_graph(e->arena, name), name, NULL};
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
