#include "frontend/value.h"

#include <string.h>

Value *make_transform(Elab *e, const char *what, const Args *a) {
  Loc loc = a->ast ? a->ast->loc : e->c.b.loc;
  if (a->n < 1 || a->name[0]) fail(e, loc, builtin_find(what)->signature, "`%s` takes a function", what);
  Value *f = a->value[0];
  if (f->kind != V_DECL && f->kind != V_LAMBDA && f->kind != V_BUILTIN && f->kind != V_TRANSFORM && f->kind != V_METHOD)
    fail(e, loc, arena_printf(e->arena, "%s: first the function, then its arguments", builtin_find(what)->signature), "`%s` takes a function, found %s", what, value_text(e, f));
  Value *t = value_new(e, V_TRANSFORM);
  t->s = what;
  t->item = arena_array(e->arena, Value *, 3);
  t->item[t->n++] = f;
  bool looks = strcmp(what, "capture") == 0 || strcmp(what, "patch") == 0;
  if (looks) {
    int n = strcmp(what, "patch") == 0 ? 3 : 2;
    if (a->n != n || a->value[1]->kind != V_STR) fail(e, loc, builtin_find(what)->signature, "`%s` takes a function and the path of a `let`%s", what, n == 3 ? ", and what replaces it" : "");
    for (int k = 1; k < n; k++) t->item[t->n++] = a->value[k];
    const Value *g = n == 3 ? t->item[2] : NULL;
    if (g && (value_is_tree(g) || g->kind == V_STR)) fail(e, loc, "patch(f, \"path\", |v| 0 * v): the new value comes of the old one", "`patch` replaces a value by a function of it, found %s", value_text(e, g));
    if (g && g->kind == V_LAMBDA && g->ast->nkid != 2) fail(e, loc, "patch(f, \"path\", |v| 0 * v): the new value comes of the old one", "`patch` replaces a value by a function of it alone, not of %d", g->ast->nkid - 1);
    return t;
  }
  bool wants_wrt = strcmp(what, "grad") == 0 || strcmp(what, "value_and_grad") == 0;
  bool wants_dir = strcmp(what, "jvp") == 0 || strcmp(what, "vjp") == 0;
  for (int k = 1; k < a->n; k++) {
    bool ok = wants_wrt ? a->name[k] && strcmp(a->name[k], "wrt") == 0 : strcmp(what, "vmap") == 0 ? a->name[k] && strcmp(a->name[k], "axes") == 0 : wants_dir && k == 1 && !a->name[k];
    if (!ok) fail(e, loc, builtin_find(what)->signature, "`%s` does not take %s", what, a->name[k] ? a->name[k] : "a second argument");
    if (wants_wrt && a->value[k]->kind != V_STR)
      fail(e, loc, "wrt = \"x\" names one parameter; to differentiate by several, let one parameter be a record of them", "`wrt` is the name of a parameter, not %s", value_text(e, a->value[k]));
    t->item[t->n++] = a->value[k];
  }
  if (wants_dir && t->n < 2) fail(e, loc, builtin_find(what)->signature, "`%s` needs a direction", what);
  return t;
}

// ---- derivatives ---------------------------------------------------------------------------

// Which leaves of a tree carry derivatives.
typedef struct Diff {
  Leaves all;
  bool *on;
  int n;
} Diff;

static Diff diff_leaves(Elab *e, Value *v) {
  Diff d = {.all = {.bounded = true}};
  value_leaves(e, v, NULL, &d.all);
  d.on = arena_array(e->arena, bool, d.all.v.n ? d.all.v.n : 1);
  for (int k = 0; k < d.all.v.n; k++) d.n += d.on[k] = ir_is_diff(d.all.v.at[k]->type.dtype);
  return d;
}

// The parameter that the k-th argument of a call is for; a model's first argument, its parameters, has none.
static const Ast *param_of(Value *f, const Args *a, int k) {
  const Ast *d = f->kind == V_DECL ? f->decl->ast : f->kind == V_LAMBDA ? f->ast : NULL;
  if (!d) return NULL;
  bool fn = d->kind == AST_FN;
  int n = fn ? d->fn->nparam : d->kind == AST_LAMBDA ? d->nkid - 1 : 0, first = fn && d->fn->flavour == FLAVOUR_MODEL;
  Ast *const *p = fn ? d->fn->params : d->kid;
  if (!a->name[k]) return k >= first && k - first < n ? p[k - first] : NULL;
  for (int j = 0; j < n; j++)
    if (p[j]->name && strcmp(p[j]->name, a->name[k]) == 0) return p[j];
  return NULL;
}

static int wrt_arg(Elab *e, Value *t, const Args *a, Loc loc) {
  if (t->n < 2 || t->item[1]->kind != V_STR) {
    if (!a->n) fail(e, loc, "let it take what it is differentiated by", "`%s` of a function without arguments", t->s);
    return 0;
  }
  for (int k = 0; k < a->n; k++) {
    const Ast *p = param_of(t->item[0], a, k);
    const char *name = a->name[k] ? a->name[k] : p ? p->name : NULL;
    if (name && strcmp(name, t->item[1]->s) == 0) return k;
  }
  fail(e, loc, "wrt names a parameter of the function, and the call gives it", "there is no argument `%s` to differentiate by", t->item[1]->s);
}

// A number is differentiated by as a real, unless the parameter that it is for takes integers.
static void refuse_integer(Elab *e, Value *t, const Args *a, int wrt, Loc loc) {
  const Ast *p = a->value[wrt]->kind == V_NUM ? param_of(t->item[0], a, wrt) : NULL, *type = p && p->kind == AST_STATIC ? p->kid[0] : NULL;
  int dt = type && type->kind == AST_NAME ? dtype_find(type->name) : -1;
  if (dt >= 0 && !ir_is_diff((IrDtype)dt)) fail(e, loc, "derivatives are taken by floats: let the parameter be one", "`%s` by `%s`, which is %s", t->s, p->name, type->name);
}

static void emit_region(Elab *e, Value *f, const Args *a, int wrt, const Diff *x, Value *shape, Region *reg, Value **out) {
  *reg = region_open(e);
  IrValue **leaf = arena_array(e->arena, IrValue *, x->all.v.n ? x->all.v.n : 1);
  for (int k = 0; k < x->all.v.n; k++) leaf[k] = x->on[k] ? ir_arg(reg->r, x->all.v.at[k]->type) : x->all.v.at[k];
  Args b = *a;
  b.value = arena_copy(e->arena, a->value, sizeof *b.value * (size_t)(a->n ? a->n : 1));
  int at = 0;
  b.value[wrt] = value_rebuild(e, shape, leaf, &at);
  *out = apply(e, f, &b);
  if ((*out)->kind == V_POISON) give_up(e);
}

static void refuse_inout(Elab *e, const Args *a, Loc loc, const char *what) {
  for (int k = 0; k < a->n; k++)
    if (a->place[k]) fail(e, loc, "let the function return what it changes", "`%s` of a function that updates its argument", what);
}

// yields: y, then what comes along (the rest of a tuple, logs); the op gives them back in this order.
static Value *derivative(Elab *e, Value *t, const Args *a) {
  Loc loc = a->ast ? a->ast->loc : e->c.b.loc;
  bool forward = strcmp(t->s, "jvp") == 0, direction = forward || strcmp(t->s, "vjp") == 0;
  refuse_inout(e, a, loc, t->s);
  int wrt = direction ? 0 : wrt_arg(e, t, a, loc);
  if (wrt >= a->n) fail(e, loc, "let it take what it is differentiated by", "`%s` of a function without arguments", t->s);
  refuse_integer(e, t, a, wrt, loc);
  Value *shape = to_runtime(e, a->value[wrt], loc);
  if (a->value[wrt]->kind == V_NUM) shape = value_array(e, to_dtype(e, a->value[wrt], IR_F32, loc));
  Diff x = diff_leaves(e, shape);
  if (!x.n) fail(e, loc, "derivatives are taken by floats: write 1.0, or f32(…)", "`%s` by %s, which holds no floats", t->s, value_text(e, a->value[wrt]));
  Region reg;
  Value *out;
  emit_region(e, t->item[0], a, wrt, &x, shape, &reg, &out);
  bool tuple = !direction && out->kind == V_REC && !(out->decl);
  if (tuple && out->n == 0) fail(e, loc, "let it end in the number to differentiate", "`%s` of a function that gives nothing", t->s);
  Value *y = tuple ? out->item[0] : out;
  if (!value_is_tree(y)) fail(e, loc, "let it end in the number to differentiate", "`%s` needs a function that gives an array, not %s", t->s, value_text(e, y));
  y = to_runtime(e, y, loc);
  Leaves ys = {.bounded = true}, rest = {.bounded = true};
  value_leaves(e, y, NULL, &ys);
  for (int k = 0; k < ys.v.n; k++) {
    IrType yt = ys.v.at[k]->type;
    if (!direction && (ys.v.n != 1 || yt.rank || !ir_is_float(yt.dtype)))
      fail(e, loc, ys.v.n == 1 && !yt.rank && !ir_is_diff(yt.dtype) ? "argmax, comparisons, floor and casts to integers have no derivative: let a float come of them, or of softmax(…), sigmoid(…)" :
           ir_is_complex(yt.dtype) ? "let it end in abs(…), real(…) or imag(…)" : "let it end in mean(…) or sum(…)", "`%s` needs a function that gives one real number, not %s", t->s, value_text(e, y));
    if (direction && !ir_is_diff(yt.dtype)) fail(e, loc, "integers and bools have none, also as floats: leave them out, or let floats come of them", "`%s` of a function that gives %s: only floats have derivatives", t->s, value_text(e, y));
    ir_yield(reg.r, ys.v.at[k]);
  }
  Value **kept = arena_array(e->arena, Value *, out->kind == V_REC && out->n ? out->n : 1);
  for (int k = 1; tuple && k < out->n; k++) {
    kept[k] = out->item[k];
    if (!value_is_tree(kept[k])) continue;
    kept[k] = to_runtime(e, kept[k], loc);
    value_leaves(e, kept[k], NULL, &rest);
  }
  for (int k = 0; k < rest.v.n; k++) ir_yield(reg.r, rest.v.at[k]);
  LogEntry *logs = region_close(e, &reg);
  check_differentiable(e, reg.r, ys.v.n, !forward);
  for (LogEntry *l = logs; l; l = l->next) {
    ir_yield(reg.r, l->sum);
    ir_yield(reg.r, l->count);
  }
  Leaves in = {0};
  for (int k = 0; k < x.all.v.n; k++)
    if (x.on[k]) vec_push(e->arena, &in.v, x.all.v.at[k]);
  if (direction) {
    Value *d = coerce(e, t->item[1], type_of(e, forward ? shape : y), loc, forward ? "the tangent" : "the cotangent");
    Leaves dir = {.bounded = true};
    value_leaves(e, d, NULL, &dir);
    for (int k = 0; k < dir.v.n; k++)
      if (!forward || x.on[k]) vec_push(e->arena, &in.v, dir.v.at[k]);
  } else {
    vec_push(e->arena, &in.v, ir_fill(&e->c.b, ys.v.at[0]->type, 1));
  }
  IrAttr attr[2] = {ir_attr_int(e->arena, A_NX, x.n), ir_attr_int(e->arena, A_NY, ys.v.n)};
  IrOp *op = control_op(e, loc, forward ? IR_JVP : IR_VJP, in.v.n, in.v.at, 2, attr, 1, &reg.r);
  int at = 0;
  Value *value = value_rebuild(e, y, op->out, &at);
  Value **item = arena_array(e->arena, Value *, (out->kind == V_REC && out->n ? out->n : 1) + 1);
  item[0] = value;
  for (int k = 1; tuple && k < out->n; k++) item[k] = value_is_tree(kept[k]) ? value_rebuild(e, kept[k], op->out, &at) : kept[k];
  for (LogEntry *l = logs; l; l = l->next, at += 2) log_add(e, l->name, op->out[at], op->out[at + 1]);
  Value *d;
  if (forward) d = value_rebuild(e, y, op->out, &at);
  else {
    IrValue **leaf = arena_array(e->arena, IrValue *, x.all.v.n ? x.all.v.n : 1);
    for (int k = 0; k < x.all.v.n; k++) leaf[k] = x.on[k] ? op->out[at++] : ir_fill(&e->c.b, x.all.v.at[k]->type, 0);
    int back = 0;
    d = value_rebuild(e, shape, leaf, &back);
  }
  if (direction) return value_rec(e, 2, (Value *[]){value, d}, NULL);
  if (strcmp(t->s, "value_and_grad") == 0) {
    Value *whole = tuple ? value_like(e, out, out->n, item) : value;
    return value_rec(e, 2, (Value *[]){whole, d}, NULL);
  }
  if (!tuple || out->n == 1) return d;
  if (out->n == 2) return value_rec(e, 2, (Value *[]){d, item[1]}, NULL);
  return value_rec(e, 2, (Value *[]){d, value_rec(e, out->n - 1, item + 1, out->name ? out->name + 1 : NULL)}, NULL);
}

// ---- vmap -------------------------------------------------------------------------------------

typedef struct Vmap { Value *f; const Args *a; bool *on; } Vmap;

static Value *vmap_lane(Elab *e, Value **lane, void *env) {
  Vmap *v = env;
  Args b = *v->a;
  b.value = arena_copy(e->arena, v->a->value, sizeof *b.value * (size_t)v->a->n);
  int at = 1;
  for (int k = 0; k < b.n; k++)
    if (v->on[k]) b.value[k] = lane[at++];
  Value *y = apply(e, v->f, &b);
  if (y->kind != V_POISON && !value_is_tree(y)) fail(e, e->c.b.loc, "let it end in an array, a number or a record of them", "`vmap` stacks arrays, but its function gives %s", value_text(e, y));
  return y;
}

static Value *to_front(Elab *e, Value *v, int64_t axis, Loc loc) {
  Leaves l = {0};
  value_leaves(e, v, NULL, &l);
  for (int k = 0; k < l.v.n; k++) {
    IrValue *x = l.v.at[k];
    int64_t perm[IR_MAX_RANK], a = axis < 0 ? axis + x->type.rank : axis;
    if (a < 0 || a >= x->type.rank) fail(e, loc, v->kind == V_KEY ? "split(key, n) gives a key for each lane; axes = [0, false] shares one" : "axes = [0, false] names an axis for each argument, false for what all lanes share", "`vmap` over axis %lld of %s", (long long)axis, v->kind == V_KEY ? value_text(e, v) : elab_type_text(e->arena, &x->type));
    perm[0] = a;
    for (int j = 0, at = 1; j < x->type.rank; j++)
      if (j != a) perm[at++] = j;
    if (a) l.v.at[k] = ir_transpose(&e->c.b, x, perm);
  }
  int at = 0;
  return value_rebuild(e, v, l.v.at, &at);
}

static Value *vmap(Elab *e, Value *t, const Args *a) {
  Loc loc = a->ast ? a->ast->loc : e->c.b.loc;
  refuse_inout(e, a, loc, "vmap");
  Value *axes = t->n > 1 ? t->item[1] : NULL;
  if (axes && (axes->kind != V_LIST || axes->n != a->n))
    fail(e, loc, "write an axis for each argument, `false` where it is shared", "`axes` must be a list of %d", a->n);
  Vmap v = {t->item[0], a, arena_array(e->arena, bool, a->n ? a->n : 1)};
  Value **x = arena_array(e->arena, Value *, a->n ? a->n : 1);
  int nx = 0;
  int64_t n = -1;
  for (int k = 0; k < a->n; k++) {
    Value *axis = axes ? axes->item[k] : NULL;
    v.on[k] = axis ? axis->kind != V_BOOL : value_is_tree(a->value[k]) && (a->value[k]->kind == V_LIST || !value_is_static(a->value[k]));
    if (!v.on[k]) continue;
    if (is_bounded(a->value[k])) fail(e, loc, "each x in xs { … } goes over the first axis of such an array", "`vmap` over %s, whose length is known at run time only", value_text(e, a->value[k]));
    x[nx] = to_front(e, to_runtime(e, a->value[k], loc), axis ? to_int(e, axis, loc, "an axis of `vmap`") : 0, loc);
    Leaves l = {0};
    value_leaves(e, x[nx++], NULL, &l);
    for (int j = 0; j < l.v.n; j++) {
      if (!l.v.at[j]->type.rank) fail(e, loc, "axes = [0, false] names an axis for each argument, false for what all lanes share", "`vmap` over %s, which has no axis", value_text(e, a->value[k]));
      if (n >= 0 && n != l.v.at[j]->type.dim[0]) fail(e, loc, "the axes that it goes over are equally long; axes = [false, 0] shares the first argument", "`vmap` over axes of %lld and %lld", (long long)n, (long long)l.v.at[j]->type.dim[0]);
      n = l.v.at[j]->type.dim[0];
    }
  }
  if (!nx) fail(e, loc, "axes = [0, false] names an axis for each argument, false for what all lanes share", "`vmap` needs an argument to go over");
  return emit_map(e, n, nx, x, vmap_lane, &v, loc);
}

// ---- looking into a model ---------------------------------------------------------------------

static const char *paths_of(Elab *e, const Probe *p) {
  Str s = {.arena = e->arena};
  for (int k = 0; k < p->paths.n && k < 16; k++) str_printf(&s, "%s%s", k ? ", " : "it has ", p->paths.at[k]);
  return p->paths.n ? s.s : "every `let` of a model that is called has a path: its layers' names, then its own";
}

static Value *probe(Elab *e, Value *t, const Args *a) {
  Loc loc = a->ast ? a->ast->loc : e->c.b.loc;
  Probe p = {.path = t->item[1]->s, .patch = t->n > 2 ? t->item[2] : NULL, .at = e->c.b.at, .up = e->c.probe};
  e->c.probe = &p;
  Value *r = apply(e, t->item[0], a);
  e->c.probe = p.up;
  if (!p.hits) fail(e, loc, paths_of(e, &p), "no `let` here has the path \"%s\"", p.path);
  if (!p.patch && !p.seen) give_up(e);                 // a mistake on the way there, which was told
  return p.patch ? r : p.seen;
}

Value *call_transform(Elab *e, Value *t, const Args *a) {
  if (strcmp(t->s, "vmap") == 0) return vmap(e, t, a);
  if (strcmp(t->s, "capture") == 0 || strcmp(t->s, "patch") == 0) return probe(e, t, a);
  if (strcmp(t->s, "remat") == 0) return remat(e, t->item[0], a);
  return derivative(e, t, a);
}
