#include "frontend/value.h"

#include <string.h>

Args args_new(Elab *e, const Ast *ast, int n) {
  Args a = {.ast = ast, .n = n};
  int cap = n ? n : 1;
  a.value = arena_array(e->arena, Value *, cap);
  a.name = arena_array(e->arena, const char *, cap);
  a.place = arena_array(e->arena, const Ast *, cap);
  a.expr = arena_array(e->arena, const Ast *, cap);
  return a;
}

Args rest_of(const Args *a) {
  Args r = *a;
  r.n--;
  r.value++;
  r.name++;
  r.place++;
  if (r.expr) r.expr++;
  return r;
}

int find_arg(const Args *a, const char *name, int pos) {
  for (int k = 0; k < a->n; k++)
    if (a->name[k] && strcmp(a->name[k], name) == 0) return k;
  return pos >= 0 && pos < a->n && !a->name[pos] ? pos : -1;
}

static Loc arg_loc(Elab *e, const Args *a, int k) { return a->expr && a->expr[k] ? a->expr[k]->loc : a->ast ? a->ast->loc : e->c.b.loc; }

// Where a named argument begins: at its name.
static Loc named_loc(Elab *e, const Args *a, int k) {
  for (int j = 1; a->ast && a->ast->kind == AST_CALL && j < a->ast->nkid; j++)
    if (a->ast->kid[j]->name && strcmp(a->ast->kid[j]->name, a->name[k]) == 0) return a->ast->kid[j]->loc;
  return arg_loc(e, a, k);
}

// ---- the arguments as written ---------------------------------------------------------------

static void push_arg(Elab *e, Args *a, int *cap, Value *v, const char *name, const Ast *place, const Ast *expr) {
  if (a->n == *cap) {
    Args b = args_new(e, a->ast, *cap * 2);
    memcpy(b.value, a->value, sizeof *b.value * (size_t)a->n);
    memcpy(b.name, a->name, sizeof *b.name * (size_t)a->n);
    memcpy(b.place, a->place, sizeof *b.place * (size_t)a->n);
    memcpy(b.expr, a->expr, sizeof *b.expr * (size_t)a->n);
    b.n = a->n;
    *a = b;
    *cap *= 2;
  }
  a->value[a->n] = v;
  a->name[a->n] = name;
  a->place[a->n] = place;
  a->expr[a->n++] = expr;
}

static bool same_place(const Ast *a, const Ast *b) {
  if (a->kind != b->kind) return false;
  if (a->kind == AST_NAME) return strcmp(a->name, b->name) == 0;
  if (a->kind == AST_FIELD) return strcmp(a->name, b->name) == 0 && same_place(a->kid[0], b->kid[0]);
  return a->kind != AST_INDEX || same_place(a->kid[0], b->kid[0]);
}

static Args eval_args(Elab *e, const Ast *site, Value *first, const Ast *first_expr) {
  int cap = site->nkid + 4;
  Args a = args_new(e, site, cap);
  a.n = 0;
  if (first) push_arg(e, &a, &cap, first, NULL, NULL, first_expr);
  int from = site->kind == AST_CALL ? 1 : site->nkid;
  for (int k = from; k < site->nkid; k++) {
    const Ast *x = site->kid[k];
    if (x->spread) {
      Value *r = eval(e, x->kid[0]);
      if (r->kind != V_REC && r->kind != V_LIST) fail(e, x->loc, "...t gives the items of a tuple or list as arguments", "`...` needs a tuple, found %s", value_text(e, r));
      for (int j = 0; j < r->n; j++) push_arg(e, &a, &cap, r->item[j], r->name ? r->name[j] : NULL, NULL, x->kid[0]);
      continue;
    }
    if (x->name)
      for (int j = 0; j < a.n; j++)
        if (a.name[j] && strcmp(a.name[j], x->name) == 0) fail(e, x->loc, "leave one of them out", "the argument `%s` is given twice", x->name);
    if (!x->name && a.n && a.name[a.n - 1]) fail(e, x->loc, "give positional arguments first", "a positional argument behind a named one");
    if (x->inout) {
      const Ast *root = ast_root(x->kid[0]);
      if (root->kind != AST_NAME) fail(e, x->loc, "declare it first: var x = …", "`&` needs a variable, or a field or element of one");
      Binding *b = scope_find(e->c.scope, root->name);
      if (b && !b->mut) fail(e, x->loc, "declare it with `var`", "`%s` cannot be updated: it is no `var`, `state` or `&` parameter", root->name);
      for (int j = 0; j < a.n; j++)
        if (a.place[j] && same_place(a.place[j], x->kid[0])) fail(e, x->loc, "give it two places: which value should stay would be a matter of chance", "one call updates the same place twice");
    }
    Value *v = eval(e, x->kid[0]);
    if (v->kind == V_NONE) fail(e, x->kid[0]->loc, no_value_help(e, x->kid[0]), "this argument has no value");
    push_arg(e, &a, &cap, v, x->name, x->inout ? x->kid[0] : NULL, x->kid[0]);
  }
  return a;
}

Value *call(Elab *e, const Ast *ast) {
  const Ast *site = ast, *target;
  Value *first = NULL;
  if (ast->kind == AST_PIPE) {
    first = eval(e, ast->kid[0]);
    if (first->kind == V_NONE) fail(e, ast->kid[0]->loc, no_value_help(e, ast->kid[0]), "there is no value to hand on");
    site = ast->kid[1];
  }
  target = site->kind == AST_CALL ? site->kid[0] : site;
  Value *f = eval(e, target);
  Args a = eval_args(e, site, first, first ? ast->kid[0] : NULL);
  e->c.b.loc = site->loc;
  return apply(e, f, &a);
}

// ---- calling a function of the language -------------------------------------------------------

static Value *as_stream(Elab *e, Value *v) {
  if (v->kind != V_KEY || v->ir->type.rank) return v;
  Value *k = value_key(e, v->ir);
  k->mentions = arena_new(e->arena, int);
  k->depth = e->c.nloop;
  return k;
}

static void enter(Elab *e, const char *name, const Ast *ast, Loc loc) {
  int same = 0;
  for (int k = 0; k < e->c.depth; k++) same += e->call_ast[k] == ast;
  if (e->c.depth >= ELAB_CALLS_MOST && !same)
    fail(e, loc, "let one function do what several small ones do", "calls inside of calls, %d deep: more are not possible", ELAB_CALLS_MOST);
  if (same >= 8 || e->c.depth >= ELAB_CALLS_MOST)
    fail(e, loc, recursion_help, "`%s` calls itself, directly or through others: recursion is not possible", name);
  e->calls[e->c.depth] = name;
  e->call_loc[e->c.depth] = loc;
  e->call_ast[e->c.depth++] = ast;
}

static const char *names_of(Elab *e, int n, Ast *const *p) {
  Str s = {.arena = e->arena};
  for (int k = 0; k < n; k++) str_printf(&s, "%s%s%s", k ? ", " : "", p[k]->inout ? "&" : "", p[k]->name);
  return s.s ? s.s : "";
}

void check_args(Elab *e, const char *what, int n, Ast *const *params, const Args *a) {
  int positional = 0;
  for (int k = 0; k < a->n; k++) {
    if (!a->name[k]) { positional++; continue; }
    bool found = false;
    for (int j = 0; j < n; j++) found |= strcmp(params[j]->name, a->name[k]) == 0;
    if (!found)
      fail(e, named_loc(e, a, k), arena_printf(e->arena, "it takes (%s)", names_of(e, n, params)), "%s has no parameter `%s`", what, a->name[k]);
  }
  if (positional > n)
    fail(e, arg_loc(e, a, n), arena_printf(e->arena, "it takes (%s)", names_of(e, n, params)), "%s takes %d argument%s, found %d", what, n, n == 1 ? "" : "s", positional);
}

static Value *default_of(Elab *e, const Ast *p, const char *what) {
  Value *d = eval(e, p->kid[1]);
  bool function = d->kind == V_BUILTIN || d->kind == V_LAMBDA || (d->kind == V_DECL && d->decl->ast->kind == AST_FN);
  if (function && p->kid[0]) {
    Type *t = try_type(e, p->kid[0]);
    if (!t) return d;
    if (d->kind == V_BUILTIN && strcmp(d->builtin->name, "zeros") == 0) return type_zeros(e, t);
    return apply_values(e, d, 1, (Value *[]){value_type(e, t)}, p->loc);
  }
  return p->kid[0] ? match_type(e, p->kid[0], d, p->kid[1]->loc, what) : d;
}

static Value *run_body(Elab *e, const AstFn *fn, const char *what) {
  Value *r = eval_block(e, fn->body);
  if (r->kind == V_POISON) give_up(e);
  if (!fn->result) return r;
  if (r->kind == V_NONE) fail(e, fn->result->loc, "let the body's last line be an expression", "%s declares a result but has none", what);
  const Ast *last = fn->body->kind == AST_BLOCK && fn->body->nkid ? fn->body->kid[fn->body->nkid - 1] : fn->body;
  return match_type(e, fn->result, r, last->loc, arena_printf(e->arena, "the result of %s", what));
}

// ---- a derivative of one's own: fn f(…) { body } backward(dy) { (x = …) }
//
// One op with two regions over the leaves of the parameters that carry derivatives: the body, and
// the rule, which sees the parameters and the cotangents of the result.

typedef struct Custom {
  const AstFn *fn;
  Binding **bound;
  const char *what;
  Value **given;                   // of each parameter
  bool *tree;                      // whether it is one: the rest is known while compiling
  VEC(IrValue *) x;                // leaves that carry derivatives
} Custom;

static bool carries(const IrValue *v) { return ir_is_diff(v->type.dtype); }

// Binds the parameters to arguments of the region just opened.
static void bind_leaves(Elab *e, Custom *c, IrRegion *r) {
  for (int k = 0; k < c->x.n; k++) ir_arg(r, c->x.at[k]->type);
  int arg = 0;
  for (int k = 0; k < c->fn->nparam; k++) {
    if (!c->tree[k]) continue;
    Leaves l = {0};
    value_leaves(e, c->given[k], NULL, &l);
    for (int j = 0; j < l.v.n; j++)
      if (carries(l.v.at[j])) l.v.at[j] = r->arg[arg++];
    int at = 0;
    c->bound[k]->value = value_rebuild(e, c->given[k], l.v.at, &at);
  }
}

// The cotangent of a parameter as the rule gives it: 0 or left out is zero.
static void yield_cotangent(Elab *e, Custom *c, IrRegion *r, Value *given, int k, Loc loc) {
  Type *t = type_of(e, c->given[k]);
  bool zero = !given || (given->kind == V_NUM && num_f(given) == 0);
  Leaves l = {0};
  value_leaves(e, zero ? type_zeros(e, t) : coerce(e, given, t, loc, arena_printf(e->arena, "the derivative by `%s`", c->fn->params[k]->name)), NULL, &l);
  for (int j = 0; j < l.v.n; j++)
    if (carries(l.v.at[j])) ir_yield(r, l.v.at[j]);
}

static void bind_cotangents(Elab *e, Custom *c, Value *dy, Loc loc) {
  const AstFn *fn = c->fn;
  if (fn->nback == 1) { scope_bind(e, fn->back[0], dy, false, loc); return; }
  if (dy->kind != V_REC || dy->n != fn->nback)
    fail(e, fn->backward->loc, "one name takes the cotangent of the whole result; several those of a tuple's items", "`backward` of %s names %d cotangents, but its result is %s", c->what, fn->nback, value_text(e, dy));
  for (int k = 0; k < fn->nback; k++) scope_bind(e, fn->back[k], dy->item[k], false, loc);
}

static Value *custom_body(Elab *e, const AstFn *fn, Binding **bound, const char *what) {
  Custom c = {.fn = fn, .bound = bound, .what = what};
  c.given = arena_array(e->arena, Value *, fn->nparam + 1);
  c.tree = arena_array(e->arena, bool, fn->nparam + 1);
  for (int k = 0; k < fn->nparam; k++) {
    if (fn->params[k]->inout) fail(e, fn->params[k]->loc, "let it give the new value as a result", "a function with a derivative of its own cannot update `%s`", fn->params[k]->name);
    c.given[k] = bound[k]->value;
    c.tree[k] = value_is_tree(c.given[k]) && !value_is_static(c.given[k]);
    if (!c.tree[k]) continue;
    c.given[k] = to_runtime(e, c.given[k], fn->params[k]->loc);
    Leaves l = {0};
    value_leaves(e, c.given[k], NULL, &l);
    for (int j = 0; j < l.v.n; j++)
      if (carries(l.v.at[j])) vec_push(e->arena, &c.x, l.v.at[j]);
  }
  if (!c.x.n) return run_body(e, fn, what);
  Loc loc = fn->backward->loc;
  Scope *outer = e->c.scope;
  Region body = region_open(e);
  bind_leaves(e, &c, body.r);
  Value *y = run_body(e, fn, what);
  if (y->kind == V_NONE || !value_is_tree(y)) fail(e, loc, no_value_help(e, fn->body), "a function with a derivative of its own gives arrays, not %s", value_text(e, y));
  y = to_runtime(e, y, loc);
  Leaves ys = {0};
  value_leaves(e, y, NULL, &ys);
  for (int k = 0; k < ys.v.n; k++) {
    if (!carries(ys.v.at[k])) fail(e, loc, "let another function give the rest", "a function with a derivative of its own gives floats only, not %s", value_text(e, y));
    ir_yield(body.r, ys.v.at[k]);
  }
  if (region_close(e, &body)) fail(e, loc, "log outside of it", "`log` inside a function with a derivative of its own");
  Region rule = region_open(e);
  bind_leaves(e, &c, rule.r);
  for (int k = 0; k < ys.v.n; k++) ir_arg(rule.r, ys.v.at[k]->type);
  int at = c.x.n;
  scope_push(e, false);
  bind_cotangents(e, &c, value_rebuild(e, y, rule.r->arg, &at), loc);
  Value *d = eval_block(e, fn->backward);
  if (d->kind == V_POISON) give_up(e);
  if (d->kind != V_REC || (d->n && !d->name)) fail(e, loc, "end it with (x = …): a derivative for each parameter that has one", "`backward` of %s must give a record by the parameters' names, not %s", what, value_text(e, d));
  for (int k = 0; k < d->n; k++) {
    bool known = false;
    for (int j = 0; j < fn->nparam && !known; j++) known = strcmp(fn->params[j]->name, d->name[k]) == 0;
    if (!known) fail(e, loc, arena_printf(e->arena, "it takes (%s)", names_of(e, fn->nparam, fn->params)), "`backward` of %s names `%s`, which is no parameter", what, d->name[k]);
  }
  for (int k = 0; k < fn->nparam; k++)
    if (c.tree[k]) yield_cotangent(e, &c, rule.r, value_field(d, fn->params[k]->name), k, loc);
  if (region_close(e, &rule)) fail(e, loc, "log outside of it", "`log` inside a derivative");
  e->c.scope = outer;
  for (int k = 0; k < fn->nparam; k++) bound[k]->value = c.given[k];
  IrAttr attr[3] = {ir_attr_int(e->arena, A_NX, c.x.n), ir_attr_int(e->arena, A_NY, ys.v.n), ir_attr_int(e->arena, A_EXACT, 0)};
  IrOp *op = control_op(e, loc, IR_CUSTOM, c.x.n, c.x.at, 3, attr, 2, (IrRegion *[]){body.r, rule.r});
  at = 0;
  return value_rebuild(e, y, op->out, &at);
}

Value *call_body(Elab *e, Value *f, const Ast *ast, const Args *a, const char *what) {
  const AstFn *fn = ast->fn;
  Context saved = e->c;
  Loc site = a->ast ? a->ast->loc : e->c.b.loc;
  enter(e, ast->name, ast, site);
  e->c.module = f->decl->module;
  e->c.fn = fn;
  e->c.scope = f->scope ? f->scope : f->decl->module->scope;
  Scope *own = scope_push(e, true);
  check_args(e, what, fn->nparam, fn->params, a);
  for (int k = 0; k < fn->nstatic && k < f->nstatic; k++)
    if (f->statics[k]) scope_bind(e, fn->statics[k]->name, f->statics[k], false, fn->statics[k]->loc);
  Binding **bound = arena_array(e->arena, Binding *, fn->nparam ? fn->nparam : 1);
  int *which = arena_array(e->arena, int, fn->nparam ? fn->nparam : 1);
  for (int k = 0; k < fn->nparam; k++) {
    const Ast *p = fn->params[k];
    int at = which[k] = find_arg(a, p->name, k);
    if (at < 0) continue;
    Loc loc = arg_loc(e, a, at);
    if (p->inout && !a->place[at]) fail(e, loc, arena_printf(e->arena, "write &%s", a->expr && a->expr[at] && a->expr[at]->kind == AST_NAME ? a->expr[at]->name : "x"), "%s updates `%s`: the call must say so", what, p->name);
    if (!p->inout && a->place[at]) fail(e, loc, "leave out the `&`", "%s does not update `%s`", what, p->name);
    const char *name = arena_printf(e->arena, "argument `%s` of %s", p->name, what);
    Value *v = match_type(e, p->kid[0], a->value[at], loc, name);
    bound[k] = scope_bind(e, p->name, as_stream(e, v), p->inout, p->loc);
    if (p->inout && (v->kind == V_ARRAY || v->kind == V_REC)) bound[k]->type = type_of(e, v);
  }
  for (int k = 0; k < fn->nstatic; k++) {
    const Ast *s = fn->statics[k];
    if (!scope_find(own, s->name) && s->kid[1]) scope_bind(e, s->name, eval(e, s->kid[1]), false, s->loc);
  }
  for (int k = 0; k < fn->nparam; k++) {
    const Ast *p = fn->params[k];
    if (which[k] >= 0) continue;
    if (!p->kid[1])
      fail(e, site, strcmp(p->name, "key") == 0 ? "pass `key`: whoever draws takes a key" : arena_printf(e->arena, "it takes (%s)", names_of(e, fn->nparam, fn->params)),
           "%s needs the argument `%s`", what, p->name);
    Value *v = default_of(e, p, arena_printf(e->arena, "the default of `%s`", p->name));
    bound[k] = scope_bind(e, p->name, v, p->inout, p->loc);
  }
  for (int k = 0; k < fn->nstatic; k++)
    if (!scope_find(own, fn->statics[k]->name)) fail(e, site, arena_printf(e->arena, "write %s[…](…)", ast->name), "%s needs a value for `%s` in brackets", what, fn->statics[k]->name);
  match_late(e);
  if (!fn->body) fail(e, ast->loc, "write it in the language, without `from`", "`%s` comes from outside: such functions cannot be called yet in this program", ast->name);
  Value *r = fn->backward ? custom_body(e, fn, bound, what) : run_body(e, fn, what);
  // what `&` parameters hold now goes back to the caller's places
  IrBuilder b = e->c.b;
  LogEntry *logs = e->c.logs;
  e->c = saved;
  e->c.b = b;
  e->c.b.scope = saved.b.scope;
  e->c.logs = logs;
  for (int k = 0; k < fn->nparam; k++)
    if (fn->params[k]->inout && which[k] >= 0 && a->place[which[k]]) assign(e, a->place[which[k]], bound[k]->value);
  return r;
}

static Value *call_lambda(Elab *e, Value *f, const Args *a) {
  const Ast *x = f->ast;
  int n = x->nkid - 1;
  Context saved = e->c;
  Loc site = a->ast ? a->ast->loc : e->c.b.loc;
  for (int k = 0; k < a->n; k++)
    if (a->place[k]) fail(e, arg_loc(e, a, k), "use a function with an `&` parameter", "a lambda cannot update what it is given");
  if (a->n != n) fail(e, site, "whoever calls it decides how many it gets", "this lambda takes %d argument%s, but is called with %d", n, n == 1 ? "" : "s", a->n);
  enter(e, "a lambda", x, site);
  e->c.module = f->module;
  e->c.scope = f->scope;
  e->c.path = f->path;
  scope_push(e, false);
  for (int k = 0; k < n; k++) bind_pattern(e, x->kid[k], as_stream(e, a->value[k]), false);
  Value *r = eval_block(e, x->kid[n]);
  if (r->kind == V_POISON) give_up(e);
  IrBuilder b = e->c.b;
  LogEntry *logs = e->c.logs;
  e->c = saved;
  e->c.b = b;
  e->c.logs = logs;
  return r;
}

static Value *apply_method(Elab *e, Value *f, const Args *a) {
  Value *base = f->item[0];
  if (base->kind == V_DECL) {
    const Ast *d = base->decl->ast;
    if (d->kind == AST_FN && d->fn->flavour == FLAVOUR_MODEL) return model_init(e, base, a);
    if (d->kind == AST_FN && d->fn->flavour == FLAVOUR_RULE) return rule_init(e, base, a);
    if (d->kind == AST_TRAIN) return trainer_run(e, base, a);
    if (d->kind == AST_ENV) return strcmp(f->s, "reset") == 0 ? env_reset(e, base, a) : env_step(e, base, a);
  }
  return call_body(e, f, f->ast, a, arena_printf(e->arena, "`%s`", f->s));
}

Value *apply(Elab *e, Value *f, const Args *a) {
  Loc loc = a->ast ? a->ast->loc : e->c.b.loc;
  switch (f->kind) {
  case V_POISON: give_up(e);
  case V_BUILTIN:
    for (int k = 0; k < a->n; k++) {
      if (a->value[k]->kind == V_POISON) give_up(e);
      if (a->place[k]) fail(e, arg_loc(e, a, k), "leave out the `&`, and assign the result", "`%s` does not update its arguments", f->builtin->name);
      if (a->name[k] && !builtin_takes(f->builtin, a->name[k])) fail(e, named_loc(e, a, k), f->builtin->signature, "`%s` has no parameter `%s`", f->builtin->name, a->name[k]);
    }
    return f->builtin->fn(e, a);
  case V_LAMBDA: return call_lambda(e, f, a);
  case V_TRANSFORM: return call_transform(e, f, a);
  case V_METHOD: return apply_method(e, f, a);
  case V_TYPE:
    if (f->s && strcmp(f->s, "obs") == 0) return env_obs(e, f->item[0], a);
    if (f->type->kind == T_REC && f->type->decl && f->type->decl->ast->kind == AST_RECORD) {
      Value *own = value_new(e, V_DECL);                 // ring[8, f32](…): a record with its values in brackets
      own->decl = f->type->decl;
      own->statics = f->type->statics;
      own->nstatic = f->type->nstatic;
      if (type_same(record_type(e, own, loc), f->type)) return record_make(e, own, a);
    }
    fail(e, loc, "zeros(T) makes a value of a type", "a type cannot be called");
  case V_DECL: {
    const Ast *d = f->decl->ast;
    if (d->kind == AST_RECORD) return record_make(e, f, a);
    if (d->kind == AST_ENV) {
      check_args(e, arena_printf(e->arena, "`%s`", f->decl->name), d->nstatic, d->kid, a);
      Value *v = value_new(e, V_DECL);
      *v = *f;
      v->nstatic = d->nstatic;
      v->statics = arena_array(e->arena, Value *, d->nstatic ? d->nstatic : 1);
      for (int k = 0; k < d->nstatic; k++) {
        int at = find_arg(a, d->kid[k]->name, k);
        v->statics[k] = at >= 0 ? a->value[at] : f->nstatic ? f->statics[k] : NULL;
      }
      return v;
    }
    if (d->kind != AST_FN) break;
    switch (d->fn->flavour) {
    case FLAVOUR_LAYER: return call_layer(e, f, a, a->ast);
    case FLAVOUR_MODEL: return call_model(e, f, a);
    case FLAVOUR_RULE: return call_rule(e, f, a);
    default: return call_body(e, f, d, a, arena_printf(e->arena, "`%s`", f->decl->name));
    }
  }
  default: break;
  }
  fail(e, loc, "functions are called; an element of an array is x[i]", "%s cannot be called", value_text(e, f));
}

Value *apply_values(Elab *e, Value *f, int n, Value **v, Loc loc) {
  Args a = args_new(e, NULL, n);
  for (int k = 0; k < n; k++) a.value[k] = v[k];
  e->c.b.loc = loc;
  return apply(e, f, &a);
}

// ---- members ----------------------------------------------------------------------------------

static Value *method(Elab *e, Value *base, const char *name) {
  Value *m = value_new(e, V_METHOD);
  m->s = name;
  m->n = 1;
  m->item = arena_array(e->arena, Value *, 1);
  m->item[0] = base;
  return m;
}

static Value *shape_list(Elab *e, const IrType *t, IrValue *const *len) {
  Value *item[IR_MAX_RANK];
  for (int k = 0; k < t->rank; k++) item[k] = len && len[k] ? length(e, len[k], t->dim[k]) : value_int(e, t->dim[k]);
  return value_list(e, t->rank, item);
}

// A method of a record sees its fields, and the bracket values of its type.
static Value *record_method(Elab *e, Value *rec, const char *name) {
  if (!rec->decl || rec->decl->ast->kind != AST_RECORD) return NULL;
  const Ast *d = rec->decl->ast;
  for (int k = d->nstatic; k < d->nkid; k++) {
    const Ast *fn = d->kid[k];
    if (fn->kind != AST_FN || strcmp(fn->name, name) != 0) continue;
    Scope *outer = e->c.scope;
    e->c.scope = rec->decl->module->scope;
    Value *m = method(e, rec, name);
    m->ast = fn;
    m->decl = rec->decl;
    m->scope = scope_push(e, true);
    for (int j = 0; j < d->nstatic && j < rec->nstatic; j++)
      if (rec->statics[j]) scope_bind(e, d->kid[j]->name, rec->statics[j], false, d->loc);
    for (int j = 0; j < rec->n; j++) scope_bind(e, rec->name[j], rec->item[j], false, d->loc);
    for (int j = d->nstatic; j < d->nkid; j++)       // methods call each other by name
      if (d->kid[j]->kind == AST_FN) {
        Value *other = method(e, rec, d->kid[j]->name);
        other->ast = d->kid[j];
        other->decl = rec->decl;
        other->scope = m->scope;
        scope_bind(e, d->kid[j]->name, other, false, d->kid[j]->loc);
      }
    e->c.scope = outer;
    return m;
  }
  return NULL;
}

const char *fields_of(Elab *e, const Value *v) {
  if (!v->name) return "its items have no names: r.0, r.1, …";
  Str s = {.arena = e->arena};
  for (int k = 0; v->name && k < v->n; k++) str_printf(&s, "%s`%s`", k ? ", " : "", v->name[k]);
  return s.s ? arena_printf(e->arena, "it has %s", s.s) : "it has no fields";
}

Value *member(Elab *e, Value *base, const char *name, Loc loc) {
  switch (base->kind) {
  case V_POISON: give_up(e);
  case V_MODULE:
    for (Decl *d = base->module->decls; d; d = d->next)
      if (strcmp(d->name, name) == 0) return decl_value(e, d);
    {
      const char *best = NULL;
      int least = 99;
      for (Decl *d = base->module->decls; d; d = d->next) name_nearer(name, d->name, &best, &least);
      fail(e, loc, best ? arena_printf(e->arena, "did you mean `%s.%s`?", base->module->name, best) : module_help(e, base->module), "the module `%s` has no `%s`", base->module->name, name);
    }
  case V_REC: {
    Value *v = value_field(base, name);
    if (v) return v;
    v = record_method(e, base, name);
    if (v) return v;
    if (strcmp(name, "T") == 0 || strcmp(name, "shape") == 0) break;
    fail(e, loc, fields_of(e, base), "%s has no field `%s`", base->decl ? arena_printf(e->arena, "`%s`", base->decl->name) : "this record", name);
  }
  case V_LIST: case V_ARRAY: case V_BOUNDED: {
    IrType t;
    IrValue *len[IR_MAX_RANK] = {NULL};
    if (strcmp(name, "T") == 0) {
      IrValue *x = to_array(e, storage(e, base), loc);
      int64_t perm[IR_MAX_RANK];
      int r = x->type.rank;
      if (r < 2) fail(e, loc, "x[:, _] makes a column of a vector, x[_] a row", "`.T` swaps the last two axes, but %s has fewer", elab_type_text(e->arena, &x->type));
      for (int k = 0; k < r; k++) perm[k] = k;
      perm[r - 1] = r - 2;
      perm[r - 2] = r - 1;
      for (int k = 0; k < r; k++) len[k] = len_of(base, (int)perm[k]);
      return bounded(e, ir_transpose(&e->c.b, x, perm), len);
    }
    if (base->kind == V_LIST && strcmp(name, "n") == 0) return value_int(e, base->n);
    t = to_array(e, storage(e, base), loc)->type;
    if (strcmp(name, "shape") == 0) return shape_list(e, &t, base->len);
    if (strcmp(name, "n") == 0 && t.rank) return len_of(base, t.rank - 1) ? length(e, len_of(base, t.rank - 1), t.dim[t.rank - 1]) : value_int(e, t.dim[t.rank - 1]);
    const char *foreign = foreign_help(name);
    bool function = builtin_find(name) || (e->prelude && scope_find(e->prelude->scope, name));
    fail(e, loc, foreign ? foreign : function ? arena_printf(e->arena, "functions are called: %s(x)", name) : "arrays have .T and .shape", "%s has no member `%s`", value_text(e, base), name);
  }
  case V_KEY:
    if (strcmp(name, "shape") == 0) return shape_list(e, &base->ir->type, NULL);
    break;
  case V_TYPE:
    if (base->type->kind == T_ARRAY) {
      IrType *t = &base->type->array;
      if (strcmp(name, "shape") == 0) return shape_list(e, t, base->type->len);
      if (strcmp(name, "n") == 0) return value_int(e, t->rank ? t->dim[t->rank - 1] : 1);
    }
    break;
  case V_DECL: {
    const Ast *d = base->decl->ast;
    if (d->kind == AST_FN && d->fn->flavour == FLAVOUR_MODEL) {
      if (strcmp(name, "init") == 0) return method(e, base, name);
      if (strcmp(name, "params") == 0) return value_type(e, model_params(e, base, loc)->tree);
      fail(e, loc, members_help(e, d), "the model `%s` has no member `%s`", base->decl->name, name);
    }
    if (d->kind == AST_FN && d->fn->flavour == FLAVOUR_RULE) {
      if (strcmp(name, "init") == 0) return method(e, base, name);
      fail(e, loc, members_help(e, d), "the rule `%s` has no member `%s`", base->decl->name, name);
    }
    if (d->kind == AST_TRAIN) {
      if (strcmp(name, "run") == 0) return method(e, base, name);
      fail(e, loc, members_help(e, d), "the trainer `%s` has no member `%s`", base->decl->name, name);
    }
    if (d->kind == AST_ENV) {
      if (strcmp(name, "reset") == 0 || strcmp(name, "step") == 0) return method(e, base, name);
      if (strcmp(name, "state") == 0) return value_type(e, env_state_type(e, base, loc));
      if (strcmp(name, "action") == 0) return env_action(e, base, loc);
      if (strcmp(name, "obs") == 0) {
        Value *v = value_type(e, env_obs_type(e, base, loc));
        v->s = "obs";
        v->n = 1;
        v->item = arena_array(e->arena, Value *, 1);
        v->item[0] = base;
        return v;
      }
      fail(e, loc, members_help(e, d), "the environment `%s` has no member `%s`", base->decl->name, name);
    }
    break;
  }
  default: break;
  }
  fail(e, loc, "arrays have .T and .shape, records their fields, models .init and .params", "%s has no member `%s`", value_text(e, base), name);
}
