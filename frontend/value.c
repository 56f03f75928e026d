#include "frontend/value.h"

#include <math.h>
#include <string.h>

// ---- types in messages ------------------------------------------------------------------

const char *elab_dtype_text(IrDtype t) { return t == IR_C64 ? "complex64" : t == IR_C128 ? "complex128" : ir_dtype_name(t); }

const char *elab_type_text(Arena *a, const IrType *t) {
  const char *s = ir_type_text(a, t);
  return arena_printf(a, "%s%s", elab_dtype_text(t->dtype), s + strlen(ir_dtype_name(t->dtype)));
}

// ---- making ---------------------------------------------------------------------------

Value *value_new(Elab *e, VKind k) {
  Value *v = arena_new(e->arena, Value);
  v->kind = k;
  return v;
}

Value *value_int(Elab *e, int64_t i) {
  Value *v = value_new(e, V_NUM);
  v->is_int = true;
  v->i = i;
  v->f = (double)i;
  return v;
}

Value *value_real(Elab *e, double f) {
  Value *v = value_new(e, V_NUM);
  v->f = f;
  return v;
}

Value *value_num(Elab *e, double f) {
  return f == floor(f) && fabs(f) < 9e15 ? value_int(e, (int64_t)f) : value_real(e, f);
}

Value *value_bool(Elab *e, bool b) {
  Value *v = value_new(e, V_BOOL);
  v->i = b;
  return v;
}

Value *value_str(Elab *e, const char *s) {
  Value *v = value_new(e, V_STR);
  v->s = s;
  return v;
}

Value *value_array(Elab *e, IrValue *ir) {
  Value *v = value_new(e, V_ARRAY);
  v->ir = ir;
  return v;
}

Value *value_key(Elab *e, IrValue *ir) {
  Value *v = value_new(e, V_KEY);
  v->ir = ir;
  return v;
}

static int64_t inside(Elab *e, int n, Value *const *item) {
  int64_t all = n;
  for (int k = 0; k < n; k++) all += item[k] ? item[k]->inside : 0;
  if (all > ELAB_ITEMS_MOST) fail(e, e->c.b.loc, "arrays hold many numbers: zeros(shape), each x in xs { … }", "a list or record of more than %d items", ELAB_ITEMS_MOST);
  return all;
}

Value *value_list(Elab *e, int n, Value **item) {
  Value *v = value_new(e, V_LIST);
  v->n = n;
  v->item = arena_copy(e->arena, item, sizeof *item * (size_t)n);
  v->inside = inside(e, n, item);
  return v;
}

Value *value_rec(Elab *e, int n, Value **item, const char **name) {
  Value *v = value_new(e, V_REC);
  v->n = n;
  v->item = arena_copy(e->arena, item, sizeof *item * (size_t)n);
  v->name = name ? arena_copy(e->arena, name, sizeof *name * (size_t)n) : NULL;
  v->inside = inside(e, n, item);
  return v;
}

Value *value_poison(Elab *e) { return value_new(e, V_POISON); }
Value *value_none(Elab *e) { return value_new(e, V_NONE); }

Value *value_type(Elab *e, Type *t) {
  Value *v = value_new(e, V_TYPE);
  v->type = t;
  return v;
}

double num_f(const Value *v) { return v->is_int ? (double)v->i : v->f; }

// ---- asking ---------------------------------------------------------------------------

bool value_is_static(const Value *v) {
  if (v->kind == V_ARRAY || v->kind == V_BOUNDED || v->kind == V_KEY) return false;
  if (v->kind == V_REC || v->kind == V_LIST || v->kind == V_RANGE)
    for (int k = 0; k < v->n; k++)
      if (!value_is_static(v->item[k])) return false;
  return true;
}

bool value_is_tree(const Value *v) {
  switch (v->kind) {
  case V_ARRAY: case V_BOUNDED: case V_KEY: case V_NUM: case V_BOOL: return true;
  case V_LIST: case V_REC:
    for (int k = 0; k < v->n; k++)
      if (!value_is_tree(v->item[k])) return false;
    return true;
  default: return false;
  }
}

static bool same_items(const Value *a, const Value *b) {
  if (a->n != b->n) return false;
  for (int k = 0; k < a->n; k++)
    if (!value_same(a->item[k], b->item[k])) return false;
  return true;
}

bool value_same(const Value *a, const Value *b) {
  if (a == b) return true;
  if (a->kind != b->kind) return false;
  switch (a->kind) {
  case V_NUM: return num_f(a) == num_f(b) && a->is_int == b->is_int;
  case V_BOOL: case V_LAYERS: return a->i == b->i;
  case V_STR: return strcmp(a->s, b->s) == 0;
  case V_LIST: case V_RANGE: return same_items(a, b);
  case V_REC: return a->decl == b->decl && same_items(a, b);
  case V_TYPE: return type_same(a->type, b->type);
  case V_DECL:
    if (a->decl != b->decl || a->nstatic != b->nstatic) return false;
    for (int k = 0; k < a->nstatic; k++)
      if (!a->statics[k] != !b->statics[k] || (a->statics[k] && !value_same(a->statics[k], b->statics[k]))) return false;
    return true;
  case V_METHOD: return strcmp(a->s, b->s) == 0 && value_same(a->item[0], b->item[0]);
  case V_BUILTIN: return a->builtin == b->builtin;
  case V_MODULE: return a->module == b->module;
  case V_LAMBDA: return a->ast == b->ast && a->scope == b->scope;
  case V_ARRAY: case V_BOUNDED: case V_KEY: return a->ir == b->ir;
  default: return false;
  }
}

static void put_bounded(Str *s, const IrType *t, IrValue *const *len) {
  str_printf(s, "%s", elab_dtype_text(t->dtype));
  for (int k = 0; k < t->rank; k++) {
    str_printf(s, k ? ", " : "[");
    if (len[k]) str_printf(s, "%s <= ", len[k]->hint ? len[k]->hint : "n");
    str_printf(s, "%lld", (long long)t->dim[k]);
  }
  str_printf(s, "]");
}

static void put_value(Elab *e, Str *s, const Value *v) {
  switch (v->kind) {
  case V_POISON: str_printf(s, "an unknown value"); break;
  case V_NONE: str_printf(s, "nothing"); break;
  case V_NUM:
    if (v->is_int) str_printf(s, "%lld", (long long)v->i);
    else str_printf(s, fabs(v->f) < 1e5 && v->f == floor(v->f) ? "%.1f" : "%g", v->f);      // a real shows that it is one
    break;
  case V_BOOL: str_printf(s, v->i ? "true" : "false"); break;
  case V_STR: str_printf(s, "\"%s\"", v->s); break;
  case V_LIST:
    str_printf(s, "[");
    for (int k = 0; k < v->n; k++) {
      if (k) str_printf(s, ", ");
      put_value(e, s, v->item[k]);
    }
    str_printf(s, "]");
    break;
  case V_RANGE: put_value(e, s, v->item[0]); str_printf(s, ".."); put_value(e, s, v->item[1]); break;
  case V_TYPE: str_printf(s, "the type %s", type_text(e, v->type)); break;
  case V_DECL: str_printf(s, "`%s`", v->decl->name); break;
  case V_METHOD: str_printf(s, "the member `%s`", v->s); break;
  case V_LAMBDA: str_printf(s, "a lambda"); break;
  case V_BUILTIN: str_printf(s, "the function `%s`", v->builtin->name); break;
  case V_TRANSFORM: str_printf(s, "%s(…)", v->s); break;
  case V_MODULE: str_printf(s, "the module `%s`", v->module->name); break;
  case V_LAYERS: str_printf(s, "layers(%lld)", (long long)v->i); break;
  case V_ARRAY: str_printf(s, "%s", elab_type_text(e->arena, &v->ir->type)); break;
  case V_BOUNDED: put_bounded(s, &v->ir->type, v->len); break;
  case V_KEY:
    if (v->ir->type.rank == 0) str_printf(s, "key");
    else str_printf(s, "key%s", elab_type_text(e->arena, &v->ir->type) + 3);
    break;
  case V_REC:
    if (v->decl) { str_printf(s, "%s", v->decl->name); break; }
    str_printf(s, "(");
    for (int k = 0; k < v->n && k < 8; k++) {
      if (k) str_printf(s, ", ");
      if (v->name) str_printf(s, "%s: ", v->name[k]);
      put_value(e, s, v->item[k]);
    }
    str_printf(s, v->n > 8 ? ", …)" : ")");
    break;
  }
}

const char *value_text(Elab *e, const Value *v) {
  Str s = {.arena = e->arena};
  put_value(e, &s, v);
  return s.s ? s.s : "";
}

Value *value_field(const Value *rec, const char *name) {
  if (rec->kind != V_REC || !rec->name) return NULL;
  for (int k = 0; k < rec->n; k++)
    if (rec->name[k] && strcmp(rec->name[k], name) == 0) return rec->item[k];
  return NULL;
}

Value *value_like(Elab *e, const Value *shape_of, int n, Value **item) {
  Value *v = value_rec(e, n, item, NULL);
  v->name = shape_of->name;
  v->decl = shape_of->decl;
  v->statics = shape_of->statics;
  v->nstatic = shape_of->nstatic;
  return v;
}

Value *value_with(Elab *e, const Value *rec, const char *name, Value *x) {
  Value **item = arena_copy(e->arena, rec->item, sizeof *item * (size_t)rec->n);
  for (int k = 0; k < rec->n; k++)
    if (rec->name[k] && strcmp(rec->name[k], name) == 0) item[k] = x;
  return value_like(e, rec, rec->n, item);
}

// ---- trees ----------------------------------------------------------------------------

static const char *join(Elab *e, const char *path, const char *name, int k) {
  if (!path) return NULL;
  if (name) return *path ? arena_printf(e->arena, "%s.%s", path, name) : name;
  return *path ? arena_printf(e->arena, "%s.%d", path, k) : arena_printf(e->arena, "%d", k);
}

void value_leaves(Elab *e, Value *v, const char *path, Leaves *out) {
  if (v->kind == V_REC) {
    for (int k = 0; k < v->n; k++) value_leaves(e, v->item[k], join(e, path, v->name ? v->name[k] : NULL, k), out);
    return;
  }
  if (v->kind == V_POISON) give_up(e);
  IrValue *ir = v->kind == V_KEY || (v->kind == V_BOUNDED && out->bounded) ? v->ir : to_array(e, v, e->c.b.loc);
  vec_push(e->arena, &out->v, ir);
  vec_push(e->arena, &out->path, path);
}

// ir may have more leading axes than what it is like (a loop stacked it), or fewer (a turn takes one).
static Value *bounded_like(Elab *e, const Value *like, IrValue *ir) {
  IrValue *len[IR_MAX_RANK] = {NULL};
  int more = ir->type.rank - like->ir->type.rank;
  for (int k = more < 0 ? -more : 0; k < like->ir->type.rank; k++) {
    len[k + more] = like->len[k];
    if (!like->len[k]) continue;
    const IrRegion *home = like->len[k]->op ? like->len[k]->op->parent : like->len[k]->region;
    if (home != e->c.b.at && ir_defined_in(like->len[k], e->c.b.at))
      fail(e, e->c.b.loc, "padded(x) has the size of the bound, 0 where it is not filled: hand that on, and the length beside it", "the length of %s is computed inside of a loop or branch: it cannot leave it", value_text(e, like));
  }
  return bounded(e, ir, len);
}

Value *value_rebuild(Elab *e, Value *shape, IrValue *const *leaf, int *at) {
  if (shape->kind == V_REC) {
    Value **item = arena_array(e->arena, Value *, shape->n ? shape->n : 1);
    for (int k = 0; k < shape->n; k++) item[k] = value_rebuild(e, shape->item[k], leaf, at);
    return value_like(e, shape, shape->n, item);
  }
  IrValue *ir = leaf[(*at)++];
  if (shape->kind == V_BOUNDED) return bounded_like(e, shape, ir);
  return shape->kind == V_KEY ? value_key(e, ir) : value_array(e, ir);
}

// ---- types ----------------------------------------------------------------------------

Type *type_array(Elab *e, IrType t) {
  Type *r = arena_new(e->arena, Type);
  r->kind = T_ARRAY;
  r->array = t;
  return r;
}

Type *type_of(Elab *e, Value *v) {
  Type *t = arena_new(e->arena, Type);
  switch (v->kind) {
  case V_REC:
    t->kind = T_REC;
    t->n = v->n;
    t->name = v->name;
    t->decl = v->decl;
    t->statics = v->statics;
    t->nstatic = v->nstatic;
    t->item = arena_array(e->arena, Type *, v->n ? v->n : 1);
    for (int k = 0; k < v->n; k++) t->item[k] = type_of(e, v->item[k]);
    return t;
  case V_KEY: t->kind = T_KEY; t->array = v->ir->type; return t;
  case V_BOUNDED: t->array = v->ir->type; t->len = v->len; return t;
  case V_NUM: t->array = ir_scalar(!v->is_int ? IR_F32 : v->i < INT32_MIN || v->i > INT32_MAX ? IR_I64 : IR_I32); return t;
  case V_BOOL: t->array = ir_scalar(IR_BOOL); return t;
  default: t->array = to_array(e, v, e->c.b.loc)->type; return t;
  }
}

Type *type_lead(Elab *e, Type *t, int n, const int64_t *dim) {
  if (n == 0) return t;
  Type *r = arena_new(e->arena, Type);
  *r = *t;
  if (t->kind == T_REC) {
    r->item = arena_array(e->arena, Type *, t->n ? t->n : 1);
    for (int k = 0; k < t->n; k++) r->item[k] = type_lead(e, t->item[k], n, dim);
    return r;
  }
  if (t->array.rank + n > IR_MAX_RANK) fail(e, e->c.b.loc, "join some of the axes", "an array of %d axes: at most %d are possible", t->array.rank + n, IR_MAX_RANK);
  if (t->len) {
    r->len = arena_array(e->arena, IrValue *, n + t->array.rank);
    for (int k = 0; k < t->array.rank; k++) r->len[n + k] = t->len[k];
  }
  memmove(r->array.dim + n, t->array.dim, sizeof *dim * (size_t)t->array.rank);
  memcpy(r->array.dim, dim, sizeof *dim * (size_t)n);
  r->array.rank += n;
  const char *bad = ir_type_bad(&r->array);
  if (bad) fail(e, e->c.b.loc, "make it smaller", "an array of type %s: %s", elab_type_text(e->arena, &r->array), bad);
  return r;
}

bool type_same(const Type *a, const Type *b) {
  if (a->kind != b->kind) return false;
  if (a->kind != T_REC) {
    if (!ir_type_eq(&a->array, &b->array) || !a->len != !b->len) return false;
    for (int k = 0; a->len && k < a->array.rank; k++)
      if (!a->len[k] != !b->len[k] || (a->len[k] && !len_same(a->len[k], b->len[k]))) return false;
    return true;
  }
  if (a->n != b->n) return false;
  for (int k = 0; k < a->n; k++) {
    if (a->name && b->name && strcmp(a->name[k], b->name[k]) != 0) return false;
    if (!type_same(a->item[k], b->item[k])) return false;
  }
  return true;
}

static void put_type(Elab *e, Str *s, const Type *t) {
  if (t->kind == T_ARRAY && t->len) { put_bounded(s, &t->array, t->len); return; }
  if (t->kind == T_ARRAY) { str_printf(s, "%s", elab_type_text(e->arena, &t->array)); return; }
  if (t->kind == T_KEY) { str_printf(s, "key%s", elab_type_text(e->arena, &t->array) + 3); return; }
  if (t->decl) str_printf(s, "%s", t->decl->name);
  str_printf(s, "(");
  for (int k = 0; k < t->n && k < 8; k++) {
    if (k) str_printf(s, ", ");
    if (t->name) str_printf(s, "%s: ", t->name[k]);
    put_type(e, s, t->item[k]);
  }
  str_printf(s, t->n > 8 ? ", …)" : ")");
}

const char *type_text(Elab *e, const Type *t) {
  Str s = {.arena = e->arena};
  put_type(e, &s, t);
  return s.s ? s.s : "";
}

Value *type_zeros(Elab *e, Type *t) {
  if (t->kind == T_REC) {
    Value **item = arena_array(e->arena, Value *, t->n ? t->n : 1);
    for (int k = 0; k < t->n; k++) item[k] = type_zeros(e, t->item[k]);
    Value *v = value_rec(e, t->n, item, t->name);
    v->decl = t->decl;
    v->statics = t->statics;
    v->nstatic = t->nstatic;
    return v;
  }
  IrValue *z = ir_fill(&e->c.b, t->array, 0);
  if (t->len) return bounded(e, z, t->len);
  return t->kind == T_KEY ? value_key(e, z) : value_array(e, z);
}

void type_leaves(Elab *e, Type *t, const char *path, TypeVec *types, NameVec *paths) {
  if (t->kind == T_REC) {
    for (int k = 0; k < t->n; k++) type_leaves(e, t->item[k], join(e, path, t->name ? t->name[k] : NULL, k), types, paths);
    return;
  }
  vec_push(e->arena, types, t->array);
  if (paths) vec_push(e->arena, paths, path);
}

// ---- scopes ---------------------------------------------------------------------------

Scope *scope_push(Elab *e, bool barrier) {
  Scope *s = arena_new(e->arena, Scope);
  s->up = e->c.scope;
  s->barrier = barrier;
  return e->c.scope = s;
}

Binding *scope_bind(Elab *e, const char *name, Value *v, bool mut, Loc loc) {
  Binding *b = arena_new(e->arena, Binding);
  *b = (Binding){.name = name, .value = v, .mut = mut, .loc = loc, .next = e->c.scope->first};
  e->c.scope->first = b;
  return b;
}

Binding *scope_find(Scope *s, const char *name) {
  for (; s; s = s->up)
    for (Binding *b = s->first; b; b = b->next)
      if (b->name[0] == name[0] && strcmp(b->name, name) == 0) return b;
  return NULL;
}

static int distance(const char *a, const char *b) {
  int n = (int)strlen(b), row[64];
  if (n > 60 || strlen(a) > 60) return 99;
  for (int j = 0; j <= n; j++) row[j] = j;
  for (int i = 1; a[i - 1]; i++) {
    int diag = row[0];
    row[0] = i;
    for (int j = 1; j <= n; j++) {
      int up = row[j], best = diag + (a[i - 1] != b[j - 1]);
      if (up + 1 < best) best = up + 1;
      if (row[j - 1] + 1 < best) best = row[j - 1] + 1;
      diag = up;
      row[j] = best;
    }
  }
  return row[n];
}

void name_nearer(const char *name, const char *other, const char **best, int *least) {
  int d = distance(name, other);
  int len = (int)strlen(name);
  if ((3 * d <= len || (d == 1 && len == 2)) && d < *least) { *least = d; *best = other; }
}

const char *scope_nearest(Elab *e, const char *name) {
  const char *best = NULL;
  int least = 99;
  for (Scope *s = e->c.scope; s; s = s->up)
    for (Binding *b = s->first; b; b = b->next) name_nearer(name, b->name, &best, &least);
  for (int k = 0; builtin_at(k); k++) name_nearer(name, builtin_at(k)->name, &best, &least);
  return best;
}

// ---- errors ---------------------------------------------------------------------------

_Noreturn void give_up(Elab *e) {
  e->failed++;
  longjmp(*e->recover, 1);
}

// A function is elaborated once for each use: the same mistake is told once.
static bool told(const Elab *e, Loc loc) {
  bool names = false;                  // what names_check found in a line is not followed up by what types find there
  for (const Diag *d = e->diags->first; d; d = d->next) {
    names |= d == e->names_first;
    if (d->loc.src == loc.src && d->loc.line == loc.line && (d->loc.col == loc.col || (names && !e->naming))) return true;
    names &= d != e->names_last;
  }
  return false;
}

// A mistake that shows inside another file, the library's say, is told where the user's file called into it.
static Loc users_place(const Elab *e, Loc loc, int *depth) {
  *depth = -1;
  if (!e->main || !loc.src || loc.src == e->main->src) return loc;
  for (int k = e->c.depth - 1; k >= 0; k--)
    if (e->call_loc[k].src == e->main->src) {
      *depth = k;
      return e->call_loc[k];
    }
  return loc;
}

static void tell_v(Elab *e, Loc inner, const char *help, const char *fmt, va_list ap) {
  int depth;
  Loc loc = users_place(e, inner, &depth);
  if (told(e, loc)) return;
  char text[2048];
  int n = vsnprintf(text, sizeof text, fmt, ap);
  if (depth >= 0 && n >= 0 && n < (int)sizeof text)
    snprintf(text + n, sizeof text - (size_t)n, " [in %s, %s:%d:%d]", e->calls[depth], inner.src->path, inner.line, inner.col);
  Diag *d = diag_error(e->diags, loc, "%s", text);
  if (help) diag_help(e->diags, d, "%s", help);
}

void tell(Elab *e, Loc loc, const char *help, const char *fmt, ...) {
  va_list ap;
  va_start(ap, fmt);
  tell_v(e, loc, help, fmt, ap);
  va_end(ap);
}

_Noreturn void fail(Elab *e, Loc loc, const char *help, const char *fmt, ...) {
  va_list ap;
  va_start(ap, fmt);
  tell_v(e, loc, help, fmt, ap);
  va_end(ap);
  give_up(e);
}

const char *foreign_help(const char *name) {
  static const char *const word[][2] = {
    {"int", "i32(x) makes integers"}, {"float", "f32(x) makes reals"}, {"double", "f64(x) makes reals in double precision"},
    {"f16", "bf16 and f32 are the shorter floats"}, {"astype", "a cast is a call: f32(x), i32(x)"}, {"print", "`log name = x` in a trainer's step shows a number"},
    {"range", "0..n is a range: for i in 0..n { … }"}, {"enumerate", "loops go in step over a tuple: for (i, x) in (0..n, xs) { … }"},
    {"zip", "loops go in step over a tuple: for (x, y) in (xs, ys) { … }"}, {"break", "a loop ends by itself: `while c { … }` as soon as c is false"},
    {"continue", "put the rest of the body into an `if`"}, {"None", "`()` is nothing: a field whose default is () may be absent"},
    {"none", "`()` is nothing: a field whose default is () may be absent"}, {"null", "`()` is nothing: a field whose default is () may be absent"},
    {"True", "write true"}, {"False", "write false"}, {"self", "a function in a record sees its fields by their names"}, {"lambda", "|x| … is a lambda"},
    {"arange", "iota(n) counts 0, 1, … n - 1"}, {"linspace", "a + (b - a) / (n - 1) * f32(iota(n))"}, {"stack", "[a, b] stacks arrays along a new first axis"}, {"matmul", "a @ b"},
    {"dot", "a @ b"}, {"pow", "x^n"}, {"cond", "if c { a } else { b }"}, {"detach", "stop_grad(x)"}, {"item", "a scalar is used as it is"},
    {"np", "`rlc ops --builtins` lists what needs no import"}, {"jnp", "`rlc ops --builtins` lists what needs no import"},
    {"torch", "`rlc ops --builtins` lists what needs no import"}, {"jax", "`rlc ops --builtins` lists what needs no import"}};
  for (size_t k = 0; k < sizeof word / sizeof *word; k++)
    if (strcmp(word[k][0], name) == 0) return word[k][1];
  return NULL;
}

const char *no_value_help(Elab *e, const Ast *x) {
  switch (x->kind) {
  case AST_PAREN: return no_value_help(e, x->kid[0]);
  case AST_IF: return x->nkid < 3 || !x->kid[2] ? "an `if` has a value when it has an `else`: if c { a } else { b }" : "let both branches end in an expression";
  case AST_FOR: return "`scan` goes in order and stacks the values of its turns, `each` all at once";
  case AST_WHILE: return "assign a `var` inside, and read it behind the loop";
  case AST_UNROLL: return "assign a `var` inside, and read it behind the loop";
  case AST_EACH: case AST_SCAN: case AST_BLOCK: case AST_LAMBDA: return "let its last line be an expression";
  case AST_CALL: case AST_PIPE: {
    const Ast *f = x->kind == AST_PIPE ? x->kid[1] : x;
    while (f->kind == AST_CALL || f->kind == AST_INDEX) f = f->kid[0];
    return f->name ? arena_printf(e->arena, "let the last line of `%s` be an expression, or call it on a line of its own", f->name) : "let the function's last line be an expression";
  }
  default: return "let its last line be an expression";
  }
}

const char *record_help(Elab *e, const Ast *d) {
  Str s = {.arena = e->arena};
  int n = 0;
  for (int k = d->nstatic; k < d->nkid; k++)
    if (d->kid[k]->kind == AST_MEMBER) str_printf(&s, "%s%s", n++ ? ", " : "", d->kid[k]->name);
  return arena_printf(e->arena, "its fields are (%s)", n ? s.s : "");
}

const char *rank_help(int want, const IrType *got) {
  if (got->rank > want) return "an axis too many: x[i] takes one element, sum(x, axis = k) and mean(x, axis = k) reduce";
  if (got->rank < want) return "an axis too few: x[_] and x[:, _] add one, broadcast(x, shape) repeats";
  return "sizes are fixed while compiling: change what gives the one or the other";
}

// ---- what several rooms of the elaborator say --------------------------------------------

const char *const recursion_help = "write it as a loop: `for`, `scan` or `while`";
const char *const no_key_text = "there is no key here";
const char *const no_key_help = "whoever draws takes a key: add a parameter `key`, and pass it at the call";

const char *unknown_name_module(Elab *e, const char *name) {
  Diags quiet = {.arena = e->arena};
  if (!e->main || strlen(name) > 60 || !e->options.modules(e->arena, &quiet, name, e->main->src)) return NULL;
  return arena_printf(e->arena, "it is a module: write `use %s` at the top of the file", name);
}

const char *unknown_name_help(Elab *e, const char *name) {
  const char *module = unknown_name_module(e, name), *near = scope_nearest(e, name), *foreign = foreign_help(name);
  if (module) return module;
  if (foreign) return foreign;
  if (near) return arena_printf(e->arena, "did you mean `%s`?", near);
  return "a name comes from a `let`, `var`, parameter or declaration, or from a module: `use nn` gives nn.dense";
}

const char *module_help(Elab *e, const Module *m) {
  Str s = {.arena = e->arena};
  int n = 0;
  for (Decl *d = m->decls; d; d = d->next) n++;
  const char **name = arena_array(e->arena, const char *, n + 1);
  int at = n;
  for (Decl *d = m->decls; d; d = d->next) name[--at] = d->name;
  for (int k = 0; k < n && k < 24; k++) str_printf(&s, "%s%s", k ? ", " : "it has ", name[k]);
  if (n > 24) str_printf(&s, ", …");
  return n ? s.s : "it declares nothing";
}

const char *members_help(Elab *e, const Ast *d) {
  if (d->kind == AST_ENV) return "an environment has .state, .obs, .action, .reset(&s, key) and .step(&s, a, key)";
  if (d->kind == AST_TRAIN) return "a trainer has .run(setting = …)";
  if (d->kind == AST_FN && d->fn->flavour == FLAVOUR_MODEL) return "a model has .init(key) and .params";
  if (d->kind == AST_FN && d->fn->flavour == FLAVOUR_RULE) return "a rule has .init(x)";
  return arena_printf(e->arena, "call it: %s(…)", d->name ? d->name : "f");
}
