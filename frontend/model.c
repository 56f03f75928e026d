#include "frontend/value.h"

#include <string.h>

static const char *join(Elab *e, const char *path, const char *name) {
  return *path ? arena_printf(e->arena, "%s.%s", path, name) : name;
}

// ---- who owns parameters ------------------------------------------------------------------------
//
// A call of a layer owns parameters by its place in the text. Its path is the path of the layer
// around it, the `let` that holds the call, and the layer's name; namesakes get _2, _3, …
// The same place met again under the same path (a loop's body, a lambda called twice) is the same
// owner: parameters are shared.

const char *owner_component(Elab *e, const char *name, const void *site) {
  Owner *o = e->c.owner;
  const char *base = join(e, e->c.path, name);
  for (int suffix = 1;; suffix++) {
    const char *path = suffix == 1 ? base : arena_printf(e->arena, "%s_%d", base, suffix);
    int at = -1;
    for (int k = 0; k < o->taken.n; k++)
      if (strcmp(o->taken.at[k], path) == 0) at = k;
    if (at >= 0 && o->taken_by.at[at] == site) return path;
    if (at >= 0) continue;
    vec_push(e->arena, &o->taken, path);
    vec_push(e->arena, &o->taken_by, site);
    return path;
  }
}

static Value *walk(Value *tree, const char *path) {
  char name[256];
  while (tree && *path) {
    size_t n = strcspn(path, ".");
    if (n >= sizeof name) return NULL;
    memcpy(name, path, n);
    name[n] = 0;
    tree = value_field(tree, name);
    path += n;
    if (*path == '.') path++;
  }
  return tree;
}

Value *owner_value(const Owner *o, const char *path) {
  for (int k = o->stack_path.n - 1; k >= 0; k--) {
    size_t n = strlen(o->stack_path.at[k]);
    if (strncmp(path, o->stack_path.at[k], n) == 0 && (path[n] == '.' || !path[n])) return walk(o->stack_value.at[k], path[n] ? path + n + 1 : "");
  }
  return walk(o->tree, path);
}

static bool has_untyped(const Value *params) {
  const AstFn *fn = params->decl ? params->decl->ast->fn : NULL;
  for (int k = 0; fn && k < fn->nparam; k++)
    if (!fn->params[k]->kid[0] && !fn->params[k]->kid[1]) return true;
  return false;
}

static Value *held(Elab *e, const char *name, const Ast *type, const Ast *init, Loc loc) {
  Owner *o = e->c.owner;
  Type *t = eval_type(e, type);
  const char *path = join(e, e->c.path, name);
  if (o->discover) {
    for (int k = 0; k < o->discover->list.n; k++) {
      const Param *made = &o->discover->list.at[k];
      if (strcmp(made->path, path) != 0) continue;
      if (!type_same(made->type, t))
        fail(e, loc, "a lambda that is called twice has one set of parameters, of one shape; two calls of a layer have two", "the parameter `%s` is %s here, and %s before", path, type_text(e, t), type_text(e, made->type));
      return type_zeros(e, t);
    }
    Param q = {.path = path, .type = t, .nlead = o->nlead, .loc = loc};
    memcpy(q.lead, o->lead, sizeof q.lead);
    q.init = init ? eval(e, init) : NULL;
    if (!q.init) fail(e, loc, "write `= zeros` or another initialiser", "`%s` has no initial value", name);
    vec_push(e->arena, &o->discover->list, q);
    return type_zeros(e, t);
  }
  Value *v = owner_value(o, path);
  if (!v && has_untyped(o->tree))
    fail(e, loc, "what layers are given must have its shape from arguments with types: give it one", "the parameter `%s` depends on an argument of the model that has no type", path);
  if (!v) fail(e, loc, "make the parameters by .init of the same model, with the same brackets", "the parameters given hold no `%s`", path);
  if (!type_same(type_of(e, v), t))
    fail(e, loc, "parameter shapes may depend on constants and bracket values only, not on the size of a batch", "the parameter `%s` is %s here, but was made as %s", path, type_text(e, t), value_text(e, v));
  return v;
}

Value *eval_param(Elab *e, const Ast *p) {
  if (!e->c.owner) fail(e, p->loc, "parameters belong in a `layer` or a `model`", "`param` outside of a model");
  return held(e, p->name, p->kid[0], p->kid[1], p->loc);
}

// ---- state of layers: running statistics ------------------------------------------------------
//
// It lives among the parameters. A layer reads and assigns it; no derivative goes through it. A model
// called with &p gives the new values back in p, called with p it drops them.

void eval_buffer(Elab *e, const Ast *s) {
  const Ast *type = s->kid[s->nkid - 2], *init = s->kid[s->nkid - 1];
  if (!type) fail(e, s->loc, "write `state mean: f32[C] = zeros`", "the state of a layer needs a type");
  Owner *o = e->c.owner;
  for (int k = 0; k < s->nkid - 2; k++) {
    const Ast *p = s->kid[k];
    Value *v = held(e, p->name, type, init, p->loc);
    if (v->kind != V_ARRAY || !ir_is_diff(v->ir->type.dtype)) fail(e, p->loc, "optimizers compute with the whole of a model's parameters: let it be f32", "the state of a layer must be floats, not %s", value_text(e, v));
    v = element1(e, IR_STOP_GRAD, v, p->loc);
    Binding *b = scope_bind(e, p->name, v, true, p->loc);
    b->type = type_of(e, v);
    vec_push(e->arena, &o->buffer, b);
    vec_push(e->arena, &o->buffer_path, join(e, e->c.path, p->name));
    vec_push(e->arena, &o->buffer_old, v);
  }
}

static Value *tree_put(Elab *e, Value *tree, const char *path, Value *v) {
  if (!*path) return v;
  size_t n = strcspn(path, ".");
  const char *name = arena_strn(e->arena, path, n);
  return value_with(e, tree, name, tree_put(e, value_field(tree, name), path + n + (path[n] == '.'), v));
}

// A layer's body has ended: what it assigned goes to the owner.
static void keep_buffers(Elab *e, int from) {
  Owner *o = e->c.owner;
  for (int k = from; k < o->buffer.n; k++) {
    const Binding *b = o->buffer.at[k];
    if (!o->keeps || b->value == o->buffer_old.at[k]) continue;
    if (e->c.b.at != o->at)
      fail(e, b->loc, "call the layer outside of loops and branches, or the model without `&`", "the state `%s` of a layer is assigned inside of a loop or branch", b->name);
    o->tree = tree_put(e, o->tree, o->buffer_path.at[k], b->value);
  }
  o->buffer.n = o->buffer_path.n = o->buffer_old.n = from;
}

Value *call_layer(Elab *e, Value *f, const Args *a, const Ast *site) {
  if (!e->c.owner)
    fail(e, a->ast ? a->ast->loc : e->c.b.loc, "call it in a `model`, whose parameters then hold the layer's", "the layer `%s` is called outside of a model: nobody owns its parameters", f->decl->name);
  const char *outer = e->c.path, *scope = e->c.b.scope;
  e->c.path = owner_component(e, f->decl->name, site ? (const void *)site : (const void *)f->decl);
  e->c.b.scope = e->c.path;
  int from = e->c.owner->buffer.n;
  Value *v = call_body(e, f, f->decl->ast, a, arena_printf(e->arena, "`%s`", f->decl->name));
  keep_buffers(e, from);
  e->c.path = outer;
  e->c.b.scope = scope;
  return v;
}

// ---- the tree of a model's parameters: nested records by path -------------------------------------

typedef struct Node {
  const char *name;
  int leaf;                    // index in the list, or -1
  struct Node *kid, *next;
} Node;

static Node *node_tree(Elab *e, const Params *p) {
  Node *root = arena_new(e->arena, Node);
  root->leaf = -1;
  for (int k = 0; k < p->list.n; k++) {
    Node *at = root;
    for (const char *s = p->list.at[k].path; *s;) {
      size_t n = strcspn(s, ".");
      Node **link = &at->kid;
      while (*link && !(strncmp((*link)->name, s, n) == 0 && (*link)->name[n] == 0)) link = &(*link)->next;
      if (!*link) {
        *link = arena_new(e->arena, Node);
        (*link)->name = arena_strn(e->arena, s, n);
        (*link)->leaf = -1;
      }
      at = *link;
      s += n + (s[n] == '.');
    }
    at->leaf = k;
  }
  return root;
}

static int node_kids(const Node *n) {
  int c = 0;
  for (Node *k = n->kid; k; k = k->next) c++;
  return c;
}

static Type *node_type(Elab *e, const Node *n, const Params *p) {
  if (n->leaf >= 0) return type_lead(e, p->list.at[n->leaf].type, p->list.at[n->leaf].nlead, p->list.at[n->leaf].lead);
  Type *t = arena_new(e->arena, Type);
  t->kind = T_REC;
  t->n = node_kids(n);
  t->item = arena_array(e->arena, Type *, t->n ? t->n : 1);
  t->name = arena_array(e->arena, const char *, t->n ? t->n : 1);
  int at = 0;
  for (Node *k = n->kid; k; k = k->next, at++) {
    t->item[at] = node_type(e, k, p);
    t->name[at] = k->name;
  }
  return t;
}

static Value *node_value(Elab *e, const Node *n, Value **leaf) {
  if (n->leaf >= 0) return leaf[n->leaf];
  int c = node_kids(n), at = 0;
  Value **item = arena_array(e->arena, Value *, c ? c : 1);
  const char **name = arena_array(e->arena, const char *, c ? c : 1);
  for (Node *k = n->kid; k; k = k->next, at++) {
    item[at] = node_value(e, k, leaf);
    name[at] = k->name;
  }
  return value_rec(e, c, item, name);
}

static bool same_statics(const Params *p, const Value *f) {
  if (p->nstatic != f->nstatic) return false;
  for (int k = 0; k < p->nstatic; k++)
    if (!p->statics[k] != !f->statics[k] || (p->statics[k] && !value_same(p->statics[k], f->statics[k]))) return false;
  return true;
}

// The model's body is run once on stand-in arguments, in a graph that is thrown away.
static Args dummy_args(Elab *e, Value *f) {
  const AstFn *fn = f->decl->ast->fn;
  Args a = args_new(e, f->decl->ast, fn->nparam);
  a.n = 0;
  Scope *outer = e->c.scope;
  e->c.scope = f->decl->module->scope;
  scope_push(e, true);
  for (int k = 0; k < fn->nstatic; k++) {
    Value *v = k < f->nstatic ? f->statics[k] : NULL;
    if (v) scope_bind(e, fn->statics[k]->name, v, false, fn->statics[k]->loc);
    else if (!fn->statics[k]->kid[1])
      fail(e, e->c.b.loc, arena_printf(e->arena, "write %s[…]", f->decl->name), "the model `%s` needs a value for `%s` in brackets", f->decl->name, fn->statics[k]->name);
  }
  for (int k = 0; k < fn->nparam; k++) {
    const Ast *p = fn->params[k];
    if (p->kid[1]) continue;
    Value *v;
    if (strcmp(p->name, "key") == 0 && !p->kid[0]) v = value_key(e, u64_const(e, 0));
    else if (!p->kid[0]) v = value_poison(e);    // a function perhaps: parameters must not depend on it
    else if (p->kid[0]->kind == AST_NAME && strcmp(p->kid[0]->name, "dim") == 0) v = value_int(e, 1);
    else v = type_zeros(e, dummy_type(e, p->kid[0]));
    a.value[a.n] = v;
    a.name[a.n] = p->name;
    a.expr[a.n] = p;
    if (p->inout) {
      Ast *place = arena_new(e->arena, Ast);
      place->kind = AST_NAME;
      place->name = "_";
      place->loc = p->loc;
      a.place[a.n] = place;
    }
    a.n++;
  }
  e->c.scope = outer;
  return a;
}

typedef struct Discovery { Value *f; const Args *a; } Discovery;

static void discover(Elab *e, void *env) {
  Discovery *d = env;
  call_body(e, d->f, d->f->decl->ast, d->a, arena_printf(e->arena, "`%s`", d->f->decl->name));
}

Params *model_params(Elab *e, Value *f, Loc loc) {
  Decl *d = f->decl;
  for (Params *p = d->params; p; p = p->next)
    if (same_statics(p, f)) return p;
  if (d->busy) fail(e, loc, "a model cannot call itself, nor ask for its own .params in its body", "the parameters of `%s` depend on themselves", d->name);
  Params *p = arena_new(e->arena, Params);
  p->nstatic = f->nstatic;
  p->statics = f->statics;
  Context saved = e->c;
  Owner owner = {.discover = p};
  IrGraph *scratch = ir_graph(e->arena, "scratch");
  e->c.b = (IrBuilder){.graph = scratch, .at = scratch->top, .loc = loc};
  e->c.owner = &owner;
  e->c.path = "";
  e->c.probe = NULL;
  e->c.nloop = 0;
  e->c.logs = NULL;
  Args a = dummy_args(e, f);
  Discovery run = {f, &a};
  int told = e->diags->count, failed = e->failed;
  bool whole = attempt(e, discover, &run);
  bool untyped = false;
  for (int k = 0; k < a.n; k++) untyped |= a.value[k]->kind == V_POISON;
  e->c = saved;
  if (!whole && (!untyped || e->diags->count > told)) give_up(e);
  if (untyped && e->diags->count == told) e->failed = failed;      // what depends on it was left out
  p->tree = node_type(e, node_tree(e, p), p);
  p->tree->decl = d;
  p->tree->statics = p->statics;
  p->tree->nstatic = p->nstatic;
  p->next = d->params;
  d->params = p;
  return p;
}

typedef struct Init { const Param *param; IrValue *key; int axis; } Init;

static Value *init_one(Elab *e, const Param *q, IrValue *key) {
  Value *v = q->init;
  if (v->kind == V_BUILTIN && strcmp(v->builtin->name, "zeros") == 0) return type_zeros(e, q->type);
  if (v->kind == V_NUM || (v->kind == V_BUILTIN && strcmp(v->builtin->name, "ones") == 0)) {
    if (q->type->kind != T_ARRAY) fail(e, q->loc, "write zeros, or a function of (key, shape)", "a number cannot initialise %s", type_text(e, q->type));
    return value_array(e, ir_fill(&e->c.b, q->type->array, v->kind == V_NUM ? num_f(v) : 1));
  }
  if (v->kind == V_ARRAY || v->kind == V_KEY) fail(e, q->loc, "write a number, zeros, ones, or a function of (key, shape)", "an initial value must not depend on run-time values");
  if (v->kind == V_STR || v->kind == V_LIST || v->kind == V_BOOL || v->kind == V_REC || v->kind == V_TYPE)
    fail(e, q->loc, "write a number, zeros, ones, or a function of (key, shape)", "the initial value of `%s` is %s, neither a number nor a function", q->path, value_text(e, v));
  if (q->type->kind != T_ARRAY) fail(e, q->loc, "declare one parameter for each field", "the parameter `%s` must be an array", q->path);
  Value *dims[IR_MAX_RANK];
  for (int k = 0; k < q->type->array.rank; k++) dims[k] = value_int(e, q->type->array.dim[k]);
  Value *args[2] = {value_key(e, key), value_list(e, q->type->array.rank, dims)};
  Value *r = apply_values(e, v, 2, args, q->loc);
  if (r->kind == V_NUM) return value_array(e, ir_fill(&e->c.b, q->type->array, num_f(r)));
  return coerce(e, r, q->type, q->loc, arena_printf(e->arena, "the initial value of `%s`", q->path));
}

static Value *init_lane(Elab *e, Value **lane, void *env);

// Every layer of layers(n) draws from a key of its own.
static Value *init_stack(Elab *e, const Init *i) {
  if (i->axis == i->param->nlead) return init_one(e, i->param, i->key);
  Init inner = *i;
  return emit_map(e, i->param->lead[i->axis], 0, NULL, init_lane, &inner, i->param->loc);
}

static Value *init_lane(Elab *e, Value **lane, void *env) {
  const Init *i = env;
  return init_stack(e, &(Init){i->param, fold_in(e, i->key, ir_cast(&e->c.b, lane[0]->ir, IR_U64)), i->axis + 1});
}

Value *model_init(Elab *e, Value *f, const Args *a) {
  Loc loc = a->ast ? a->ast->loc : e->c.b.loc;
  int at = find_arg(a, "key", 0);
  if (a->n != 1 || at < 0 || a->value[at]->kind != V_KEY || a->value[at]->ir->type.rank)
    fail(e, loc, "write .init(key)", "`%s.init` takes one key", f->decl->name);
  Params *p = model_params(e, f, loc);
  Value **leaf = arena_array(e->arena, Value *, p->list.n ? p->list.n : 1);
  for (int k = 0; k < p->list.n; k++) {
    const Param *q = &p->list.at[k];
    e->c.b.loc = q->loc;
    e->c.b.scope = q->path;
    IrValue *key = fold_in(e, a->value[at]->ir, u64_const(e, path_hash(q->path)));
    leaf[k] = init_stack(e, &(Init){q, key, 0});
    e->c.b.scope = NULL;
  }
  Value *v = node_value(e, node_tree(e, p), leaf);
  v->decl = f->decl;
  v->statics = f->statics;
  v->nstatic = f->nstatic;
  return v;
}

Value *call_model(Elab *e, Value *f, const Args *a) {
  Loc loc = a->ast ? a->ast->loc : e->c.b.loc;
  if (a->n == 0 || a->name[0] || a->value[0]->kind != V_REC || a->value[0]->decl != f->decl)
    fail(e, a->n && a->expr && a->expr[0] ? a->expr[0]->loc : loc, arena_printf(e->arena, "parameters come from %s.init(key)", f->decl->name),
         "the model `%s` takes its parameters first%s%s", f->decl->name, a->n ? ", found " : "", a->n ? value_text(e, a->value[0]) : "");
  Value *p = a->value[0];
  Value *g = f;
  if (!f->nstatic && p->nstatic) {
    g = value_new(e, V_DECL);
    *g = *f;
    g->statics = p->statics;
    g->nstatic = p->nstatic;
  }
  Args rest = rest_of(a);
  Owner owner = {.tree = p, .at = e->c.b.at, .keeps = a->place[0] != NULL};
  Owner *outer = e->c.owner;
  const char *path = e->c.path, *scope = e->c.b.scope;
  e->c.owner = &owner;
  e->c.path = "";
  e->c.b.scope = f->decl->name;
  Value *v = call_body(e, g, f->decl->ast, &rest, arena_printf(e->arena, "`%s`", f->decl->name));
  keep_buffers(e, 0);
  e->c.owner = outer;
  e->c.path = path;
  e->c.b.scope = scope;
  if (owner.tree != p) assign(e, a->place[0], owner.tree);
  return v;
}

// ---- rules: functions that own state ---------------------------------------------------------------

Value *rule_init(Elab *e, Value *f, const Args *a) {
  const Ast *ast = f->decl->ast;
  const AstFn *fn = ast->fn;
  Context saved = e->c;
  Loc loc = a->ast ? a->ast->loc : e->c.b.loc;
  if (a->n < 1) fail(e, loc, "it takes what the rule's first parameter will be, for its shapes", "`%s.init` needs an argument", f->decl->name);
  e->c.module = f->decl->module;
  e->c.scope = f->scope ? f->scope : f->decl->module->scope;
  scope_push(e, true);
  for (int k = 0; k < fn->nparam; k++) {
    const Ast *p = fn->params[k];
    int at = find_arg(a, p->name, k);
    Value *v = at >= 0 ? match_type(e, p->kid[0], a->value[at], loc, arena_printf(e->arena, "argument `%s` of `%s.init`", p->name, ast->name))
             : p->kid[1] ? eval(e, p->kid[1]) : value_poison(e);
    scope_bind(e, p->name, v, false, p->loc);
  }
  VEC(Value *) item = {0};
  VEC(const char *) name = {0};
  for (int k = 0; fn->body->kind == AST_BLOCK && k < fn->body->nkid; k++) {
    const Ast *s = fn->body->kid[k];
    if (s->kind != AST_STATE) continue;
    const Ast *type = s->kid[s->nkid - 2], *init = s->kid[s->nkid - 1];
    for (int j = 0; j < s->nkid - 2; j++) {
      Value *v = init ? eval(e, init) : NULL;
      if (!v && !type) fail(e, s->loc, "write `state x = zeros(g)`", "the state `%s` has neither type nor initial value", s->kid[j]->name);
      v = v ? to_runtime(e, v, s->loc) : type_zeros(e, eval_type(e, type));
      if (type && init) v = coerce(e, v, eval_type(e, type), s->loc, "the initial value");
      scope_bind(e, s->kid[j]->name, v, false, s->loc);
      vec_push(e->arena, &item, v);
      vec_push(e->arena, &name, s->kid[j]->name);
    }
  }
  IrBuilder b = e->c.b;
  e->c = saved;
  e->c.b = b;
  Value *r = value_rec(e, item.n, item.at, name.at);
  r->decl = f->decl;
  return r;
}

// A rule is a function whose state is bound around its parameters.
static Value *call_with_state(Elab *e, Value *f, const Ast *fn, const Args *a, const char *what, Scope *around, Value *state) {
  Context saved = e->c;
  e->c.scope = around;
  VEC(Binding *) bound = {0};
  for (int k = 0; k < state->n; k++) {
    Binding *b = scope_bind(e, state->name[k], state->item[k], true, fn->loc);
    b->type = type_of(e, state->item[k]);
    vec_push(e->arena, &bound, b);
  }
  e->c.scope = saved.scope;
  Value *g = value_new(e, V_DECL);
  *g = *f;
  g->scope = around;
  Args rest = rest_of(a);
  Value *r = call_body(e, g, fn, &rest, what);
  Value **item = arena_array(e->arena, Value *, state->n ? state->n : 1);
  for (int k = 0; k < state->n; k++) item[k] = bound.at[k]->value;
  assign(e, a->place[0], value_like(e, state, state->n, item));
  return r;
}

static Scope *scope_under(Elab *e, Scope *up) {
  Scope *outer = e->c.scope;
  e->c.scope = up;
  Scope *s = scope_push(e, true);
  e->c.scope = outer;
  return s;
}

Value *call_rule(Elab *e, Value *f, const Args *a) {
  Loc loc = a->ast ? a->ast->loc : e->c.b.loc;
  if (!a->n || !a->place[0])
    fail(e, loc, arena_printf(e->arena, "write %s(&s, …) with s from %s.init(…)", f->decl->name, f->decl->name), "the rule `%s` updates its state: it comes first, with `&`", f->decl->name);
  Value *s = a->value[0];
  if (s->kind != V_REC || s->decl != f->decl)
    fail(e, a->expr[0]->loc, arena_printf(e->arena, "the state comes from %s.init(…)", f->decl->name), "this is not the state of `%s`: %s", f->decl->name, value_text(e, s));
  return call_with_state(e, f, f->decl->ast, a, arena_printf(e->arena, "`%s`", f->decl->name), scope_under(e, f->decl->module->scope), s);
}

// ---- environments --------------------------------------------------------------------------------

// Settings and helper functions in scope; fields too where `state` is given.
static Scope *env_scope(Elab *e, Value *env) {
  const Ast *d = env->decl->ast;
  Scope *outer = e->c.scope;
  e->c.scope = env->decl->module->scope;
  Scope *s = scope_push(e, true);
  for (int k = 0; k < d->nstatic; k++) {
    Value *v = env->nstatic && env->statics[k] ? env->statics[k] : NULL;
    if (!v && !d->kid[k]->kid[1]) fail(e, e->c.b.loc, arena_printf(e->arena, "give it: %s(%s = …), or a default in the declaration", d->name, d->kid[k]->name), "the environment `%s` needs the setting `%s`", d->name, d->kid[k]->name);
    scope_bind(e, d->kid[k]->name, v ? v : eval(e, d->kid[k]->kid[1]), false, d->kid[k]->loc);
  }
  for (int k = d->nstatic; k < d->nkid; k++) {
    const Ast *fn = d->kid[k];
    if (fn->kind != AST_FN || strcmp(fn->name, "reset") == 0 || strcmp(fn->name, "step") == 0) continue;
    Decl *decl = arena_new(e->arena, Decl);
    *decl = (Decl){.ast = fn, .module = env->decl->module, .name = fn->name};
    Value *v = value_new(e, V_DECL);
    v->decl = decl;
    v->scope = s;
    scope_bind(e, fn->name, v, false, fn->loc);
  }
  e->c.scope = outer;
  return s;
}

static const Ast *env_member(const Ast *d, AstKind kind, const char *name) {
  for (int k = d->nstatic; k < d->nkid; k++)
    if (d->kid[k]->kind == kind && (!name || strcmp(d->kid[k]->name, name) == 0)) return d->kid[k];
  return NULL;
}

// The state before reset: every field as its declaration says, or zero.
static Value *env_start(Elab *e, Value *env, Scope *s) {
  const Ast *d = env->decl->ast;
  if (d->from) fail(e, d->loc, "write it in the language, without `from`: state, reset, step", "the environment `%s` comes from outside: such environments cannot be used yet in this program", d->name);
  Scope *outer = e->c.scope;
  e->c.scope = s;
  VEC(Value *) item = {0};
  VEC(const char *) name = {0};
  for (int k = d->nstatic; k < d->nkid; k++) {
    const Ast *st = d->kid[k];
    if (st->kind != AST_STATE) continue;
    const Ast *type = st->kid[st->nkid - 2], *init = st->kid[st->nkid - 1];
    for (int j = 0; j < st->nkid - 2; j++) {
      Value *v;
      if (init && type) v = coerce(e, eval(e, init), eval_type(e, type), st->loc, arena_printf(e->arena, "the field `%s`", st->kid[j]->name));
      else if (init) v = to_runtime(e, eval(e, init), st->loc);
      else if (type) v = type_zeros(e, eval_type(e, type));
      else fail(e, st->loc, "write its type: `state x: f32`", "the field `%s` has neither type nor value", st->kid[j]->name);
      vec_push(e->arena, &item, v);
      vec_push(e->arena, &name, st->kid[j]->name);
    }
  }
  e->c.scope = outer;
  Value *r = value_rec(e, item.n, item.at, name.at);
  r->decl = env->decl;
  return r;
}

typedef struct Scratch { Context saved; } Scratch;

static Scratch scratch_open(Elab *e) {
  Scratch s = {e->c};
  IrGraph *g = ir_graph(e->arena, "scratch");
  e->c.b = (IrBuilder){.graph = g, .at = g->top, .loc = e->c.b.loc};
  e->c.nloop = 0;
  e->c.logs = NULL;
  return s;
}

static void scratch_close(Elab *e, Scratch *s) { e->c = s->saved; }

Type *env_state_type(Elab *e, Value *env, Loc loc) {
  (void)loc;
  Scratch s = scratch_open(e);
  Type *t = type_of(e, env_start(e, env, env_scope(e, env)));
  scratch_close(e, &s);
  return t;
}

static Value *observe(Elab *e, Value *env, Value *state, Scope *s) {
  const Ast *d = env->decl->ast, *obs = env_member(d, AST_OBS, NULL);
  if (!obs || !obs->kid[1]) fail(e, d->loc, "write `obs = [x, y]`", "the environment `%s` declares no `obs`", d->name);
  Scope *outer = e->c.scope;
  e->c.scope = s;
  scope_push(e, true);
  for (int k = 0; k < state->n; k++) scope_bind(e, state->name[k], state->item[k], false, d->loc);
  Value *v = to_runtime(e, eval(e, obs->kid[1]), obs->loc);
  if (obs->kid[0]) v = match_type(e, obs->kid[0], v, obs->loc, "the observation");
  e->c.scope = outer;
  return v;
}

Type *env_obs_type(Elab *e, Value *env, Loc loc) {
  (void)loc;
  Scratch s = scratch_open(e);
  Scope *sc = env_scope(e, env);
  Type *t = type_of(e, observe(e, env, env_start(e, env, sc), sc));
  scratch_close(e, &s);
  return t;
}

Value *env_action(Elab *e, Value *env, Loc loc) {
  const Ast *d = env->decl->ast, *a = env_member(d, AST_ACTION, NULL);
  if (!a) fail(e, loc, "write `action = discrete(n)` or `box(n, low, high)`", "the environment `%s` declares no `action`", d->name);
  Scope *outer = e->c.scope;
  e->c.scope = env_scope(e, env);
  Value *v = eval(e, a->kid[0]);
  e->c.scope = outer;
  return v;
}

static Value *state_arg(Elab *e, Value *env, const Args *a, const char *what) {
  Loc loc = a->ast ? a->ast->loc : e->c.b.loc;
  if (!a->n || !a->place[0]) fail(e, loc, arena_printf(e->arena, "write E.%s(&s, …)", what), "`%s` updates the environment's state: it comes first, with `&`", what);
  Value *s = a->value[0];
  if (s->kind != V_REC || s->decl != env->decl) fail(e, loc, arena_printf(e->arena, "a state is made by `var s = zeros(%s.state)` and set up by %s.reset(&s, key)", env->decl->name, env->decl->name), "this is not the state of `%s`: %s", env->decl->name, value_text(e, s));
  return s;
}

Value *env_reset(Elab *e, Value *env, const Args *a) {
  const Ast *d = env->decl->ast, *fn = env_member(d, AST_FN, "reset");
  if (!fn) fail(e, d->loc, "write `fn reset(key) { … }`", "the environment `%s` has no `reset`", d->name);
  state_arg(e, env, a, "reset");
  Scope *s = env_scope(e, env);
  return call_with_state(e, env, fn, a, arena_printf(e->arena, "`%s.reset`", d->name), scope_under(e, s), env_start(e, env, s));
}

Value *env_step(Elab *e, Value *env, const Args *a) {
  const Ast *d = env->decl->ast, *fn = env_member(d, AST_FN, "step");
  if (!fn) fail(e, d->loc, "write `fn step(a) { … }`", "the environment `%s` has no `step`", d->name);
  Value *s = state_arg(e, env, a, "step");
  // a step that draws nothing may be given a key all the same
  Args b = *a;
  int at = find_arg(&b, "key", 2);
  if (fn->fn->nparam == 1 && at == b.n - 1 && b.n == 3) b.n--;
  int action = find_arg(&b, fn->fn->nparam ? fn->fn->params[0]->name : "", 1);
  Value *given = action > 0 ? b.value[action] : NULL;
  if (given && given->kind != V_NUM && given->kind != V_POISON) {
    Type *space = action_type(e, env_action(e, env, fn->loc));
    b.value = arena_copy(e->arena, b.value, sizeof *b.value * (size_t)b.n);
    if (space) b.value[action] = coerce(e, given, space, b.ast ? b.ast->loc : e->c.b.loc, arena_printf(e->arena, "the action of `%s`", d->name));
  }
  Value *out = call_with_state(e, env, fn, &b, arena_printf(e->arena, "`%s.step`", d->name), scope_under(e, env_scope(e, env)), s);
  if (out->kind != V_REC || !value_field(out, "reward") || !value_field(out, "terminated"))
    fail(e, fn->loc, "end it with (reward = …, terminated = …, truncated = …)", "`%s.step` must give a reward and whether the episode terminated", d->name);
  out = to_runtime(e, out, fn->loc);
  Value *reward = value_field(out, "reward");
  const char *const flag[] = {"terminated", "truncated"};
  for (int k = 0; k < 2; k++) {
    Value *v = value_field(out, flag[k]);
    if (v && (v->kind != V_ARRAY || v->ir->type.dtype != IR_BOOL || v->ir->type.rank)) fail(e, fn->loc, "compare: abs(x) > 2.4; any(c) and all(c) make one bool of many", "`%s` of `%s.step` is one bool, not %s", flag[k], d->name, value_text(e, v));
  }
  bool real = reward->kind == V_ARRAY && !reward->ir->type.rank && (reward->ir->type.dtype == IR_F32 || reward->ir->type.dtype == IR_I32);
  if (!real) fail(e, fn->loc, "sum(…) and mean(…) make one number of many, f32(…) a real one", "`reward` of `%s.step` is one f32, not %s", d->name, value_text(e, reward));
  if (reward->ir->type.dtype == IR_I32) out = value_with(e, out, "reward", value_array(e, ir_cast(&e->c.b, reward->ir, IR_F32)));
  if (value_field(out, "truncated")) return out;
  Value **item = arena_array(e->arena, Value *, out->n + 1);
  const char **name = arena_array(e->arena, const char *, out->n + 1);
  memcpy(item, out->item, sizeof *item * (size_t)out->n);
  memcpy(name, out->name, sizeof *name * (size_t)out->n);
  item[out->n] = value_array(e, ir_fill(&e->c.b, ir_scalar(IR_BOOL), 0));
  name[out->n] = "truncated";
  return value_rec(e, out->n + 1, item, name);
}

Value *env_obs(Elab *e, Value *env, const Args *a) {
  if (a->n != 1 || a->value[0]->kind != V_REC || a->value[0]->decl != env->decl)
    fail(e, a->ast ? a->ast->loc : e->c.b.loc, "write E.obs(s)", "`obs` takes a state of `%s`", env->decl->name);
  return observe(e, env, a->value[0], env_scope(e, env));
}

// ---- records ----------------------------------------------------------------------------------------

static void bind_statics(Elab *e, const Ast *d, Value *f) {
  for (int k = 0; k < d->nstatic && k < f->nstatic; k++)
    if (f->statics[k]) scope_bind(e, d->kid[k]->name, f->statics[k], false, d->loc);
}

Type *record_type(Elab *e, Value *f, Loc loc) {
  const Ast *d = f->decl->ast;
  for (const Inside *k = e->c.inside; k; k = k->up)
    if (k->record == f->decl) fail(e, d->loc, "let an array of them be a field of something else, and refer by index", "the record `%s` holds itself", d->name);
  Inside own = {f->decl, e->c.inside};
  e->c.inside = &own;
  Scope *outer = e->c.scope;
  e->c.scope = f->decl->module->scope;
  scope_push(e, true);
  bind_statics(e, d, f);
  Type *t = arena_new(e->arena, Type);
  t->kind = T_REC;
  t->decl = f->decl;
  t->statics = f->statics;
  t->nstatic = f->nstatic;
  VEC(Type *) item = {0};
  VEC(const char *) name = {0};
  for (int k = d->nstatic; k < d->nkid; k++) {
    if (d->kid[k]->kind != AST_MEMBER) continue;
    const Ast *init = d->kid[k]->kid[1];
    bool optional = init && init->kind == AST_TUPLE && init->nkid == 0;
    Type *ft = optional ? type_of(e, value_rec(e, 0, NULL, NULL)) : try_type(e, d->kid[k]->kid[0]);
    if (!ft) fail(e, loc, arena_printf(e->arena, "write %s[…] with its sizes", d->name), "the sizes of `%s` are not known here: field `%s`", d->name, d->kid[k]->name);
    vec_push(e->arena, &item, ft);
    vec_push(e->arena, &name, d->kid[k]->name);
  }
  t->n = item.n;
  t->item = item.at;
  t->name = name.at;
  e->c.scope = outer;
  e->c.inside = own.up;
  return t;
}

// A field may have leading axes beyond its declared ones: a record of arrays is a batch of records.
static Value *match_field(Elab *e, const Ast *type, Value *v, Loc loc, const char *what) {
  IrValue *x = v->kind == V_LIST ? to_array(e, v, loc) : v->ir;
  bool plain = type->kind == AST_NAME || (type->kind == AST_INDEX && type->kid[0]->kind == AST_NAME);
  bool dots = false;
  for (int k = 1; type->kind == AST_INDEX && k < type->nkid; k++) dots |= type->kid[k]->kind == AST_IX_DOTS;
  if (v->kind == V_REC || v->kind == V_KEY || !plain || dots || !x) return match_type(e, type, v, loc, what);
  int own = type->kind == AST_INDEX ? type->nkid - 1 : 0;
  if (x->type.rank <= own) return match_type(e, type, v, loc, what);
  Ast *with = arena_new(e->arena, Ast), *d = arena_new(e->arena, Ast);
  d->kind = AST_IX_DOTS;
  d->loc = type->loc;
  *with = *type;
  with->kind = AST_INDEX;
  with->nkid = own + 2;
  with->kid = arena_array(e->arena, Ast *, own + 2);
  with->kid[0] = type->kind == AST_INDEX ? type->kid[0] : (Ast *)type;
  with->kid[1] = d;
  for (int k = 0; k < own; k++) with->kid[2 + k] = type->kid[1 + k];
  Scope *fields = e->c.scope;
  Value *r = match_type(e, with, v, loc, what);
  for (Binding *b = fields->first; b; b = b->next)
    if (strcmp(b->name, "...") == 0) b->name = "";        // the next field may have other ones
  return r;
}

// A field whose default is `()` may be absent: `r.f == ()` tells, while compiling.
static bool is_absent(const Ast *member, const Value *v) {
  bool optional = member->kid[1] && member->kid[1]->kind == AST_TUPLE && member->kid[1]->nkid == 0;
  return optional && v->kind == V_REC && v->n == 0;
}

Value *record_make(Elab *e, Value *f, const Args *a) {
  const Ast *d = f->decl->ast;
  Loc loc = a->ast ? a->ast->loc : e->c.b.loc;
  Scope *outer = e->c.scope;
  e->c.scope = f->decl->module->scope;
  scope_push(e, true);
  bind_statics(e, d, f);
  VEC(Value *) item = {0};
  VEC(const char *) name = {0};
  for (int k = d->nstatic; k < d->nkid; k++) {
    const Ast *m = d->kid[k];
    if (m->kind != AST_MEMBER) continue;
    int at = find_arg(a, m->name, item.n);
    if (at < 0 && !m->kid[1]) fail(e, loc, record_help(e, d), "`%s` needs the field `%s`", d->name, m->name);
    Value *v = at >= 0 ? a->value[at] : eval(e, m->kid[1]);
    Loc vloc = at >= 0 && a->expr && a->expr[at] ? a->expr[at]->loc : loc;
    if (!is_absent(m, v)) v = match_field(e, m->kid[0], v, vloc, arena_printf(e->arena, "the field `%s` of `%s`", m->name, d->name));
    if (v->kind == V_NUM || v->kind == V_BOOL || v->kind == V_LIST) v = to_runtime(e, v, vloc);
    vec_push(e->arena, &item, v);
    vec_push(e->arena, &name, m->name);
  }
  if (a->n > item.n) fail(e, a->expr && a->expr[item.n] ? a->expr[item.n]->loc : loc, record_help(e, d), "`%s` has %d fields, found %d values", d->name, item.n, a->n);
  for (int k = 0; k < a->n; k++) {
    bool found = !a->name[k];
    for (int j = 0; j < name.n && !found; j++) found = strcmp(name.at[j], a->name[k]) == 0;
    if (!found) fail(e, a->expr && a->expr[k] ? a->expr[k]->loc : loc, record_help(e, d), "`%s` has no field `%s`", d->name, a->name[k]);
  }
  Value *r = value_rec(e, item.n, item.at, name.at);
  r->decl = f->decl;
  r->nstatic = d->nstatic;
  r->statics = arena_array(e->arena, Value *, d->nstatic ? d->nstatic : 1);
  for (int k = 0; k < d->nstatic; k++) {
    Binding *b = scope_find(e->c.scope, d->kid[k]->name);
    r->statics[k] = b ? b->value : NULL;
  }
  e->c.scope = outer;
  return r;
}
