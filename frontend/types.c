#include "frontend/value.h"

#include <ctype.h>
#include <math.h>
#include <string.h>

int dtype_find(const char *name) {
  for (int t = 0; t < IR_NDTYPE; t++)
    if (strcmp(name, elab_dtype_text(t)) == 0) return t;
  return -1;
}

// `float`, `int` and `num` stand for one element type throughout a signature.
static bool is_class(const char *name) {
  return strcmp(name, "float") == 0 || strcmp(name, "int") == 0 || strcmp(name, "num") == 0;
}

static bool in_class(const char *cls, IrDtype t) {
  if (strcmp(cls, "float") == 0) return ir_is_float(t);
  if (strcmp(cls, "int") == 0) return ir_is_int(t);
  return ir_is_float(t) || ir_is_int(t) || ir_is_complex(t);
}

bool is_generic(Elab *e, const char *name) { return isupper((unsigned char)name[0]) && !scope_find(e->c.scope, name); }

static int64_t size_of_dim(Elab *e, const Ast *d, Loc loc, const char *what);

// ---- types all of whose names are known -------------------------------------------------

// An action space stands for the type of its actions: discrete(n) is i32, box(n, low, high) is f32[n].
Type *action_type(Elab *e, Value *v) {
  Value *kind = v->kind == V_REC ? value_field(v, "kind") : NULL, *n = kind ? value_field(v, "n") : NULL;
  if (!n || kind->kind != V_STR || n->kind != V_NUM) return NULL;
  return type_array(e, strcmp(kind->s, "box") == 0 ? ir_type(IR_F32, 1, &n->i) : ir_scalar(IR_I32));
}

static Type *value_as_type(Elab *e, Value *v, Loc loc) {
  if (v->kind == V_POISON) give_up(e);
  Type *action = action_type(e, v);
  if (action) return action;
  if (v->kind == V_TYPE) return v->type;
  if (v->kind == V_BUILTIN && dtype_find(v->builtin->name) >= 0) return type_array(e, ir_scalar(dtype_find(v->builtin->name)));
  if (v->kind == V_DECL && v->decl->ast->kind == AST_RECORD) return record_type(e, v, loc);
  fail(e, loc, "types are bool, i32, f32, …, key, records, agent.params, E.state, with leading axes in brackets: f32[8, 4]", "expected a type, found %s", value_text(e, v));
}

// T of `T <= 64`, or the dimension itself.
static const Ast *below_bound(const Ast *d) { return d->kind == AST_BIN && d->op == AST_LE ? d->kid[0] : d; }

// Whether t is a record with fewer values in brackets than it declares: a signature may leave the last ones open.
static bool is_partial(Elab *e, const Ast *t) {
  const Ast *base = t->kind == AST_INDEX ? t->kid[0] : NULL, *root = base && base->kind == AST_FIELD ? base->kid[0] : base;
  Binding *b = root && root->kind == AST_NAME ? scope_find(e->c.scope, root->name) : NULL;
  if (!b || (b->value->kind != V_DECL && b->value->kind != V_MODULE)) return false;
  Value *v = eval(e, base);
  return v->kind == V_DECL && v->decl->ast->kind == AST_RECORD && !v->nstatic && t->nkid - 1 < v->decl->ast->nstatic;
}

// Whether every generic name in a written type or dimension is bound.
static bool known(Elab *e, const Ast *t) {
  if (!t) return true;
  if (is_partial(e, t)) return false;
  if (t->kind == AST_IX_DOTS) return scope_find(e->c.scope, "...") != NULL;
  if (t->kind == AST_NAME) return dtype_find(t->name) >= 0 || is_class(t->name) || !is_generic(e, t->name);
  if (t->kind == AST_FIELD || t->kind == AST_ITEM) return known(e, t->kid[0]);
  for (int k = 0; k < t->nkid; k++)
    if (!known(e, t->kid[k])) return false;
  return true;
}

// `len`: where sizes that are lengths go; NULL: they are refused.
static int eval_dims(Elab *e, const Ast *t, int from, int64_t *dim, IrValue **len) {
  int n = 0;
  for (int k = from; k < t->nkid; k++) {
    if (t->kid[k]->kind == AST_IX_DOTS) {
      Binding *b = scope_find(e->c.scope, "...");
      if (!b) fail(e, t->kid[k]->loc, "write `...` in the type of a parameter too", "`...` has no meaning here: no argument shows which axes it stands for");
      for (int j = 0; j < b->value->n; j++, n++) {
        Value *size = b->value->item[j];
        dim[n] = length_most(e, size);
        if (dim[n] && !len) to_int(e, size, t->kid[k]->loc, "a dimension");
        if (dim[n]) len[n] = size->ir;
        else dim[n] = size->i;
      }
      continue;
    }
    if (t->kid[k]->kind != AST_IX || n == IR_MAX_RANK) fail(e, t->kid[k]->loc, "sizes stand in brackets: f32[8, N]", "expected a dimension");
    const Ast *whole = t->kid[k]->kid[0], *d = below_bound(whole);
    if (d != whole && !known(e, d)) fail(e, d->loc, "parameters of functions, models and losses have such axes", "there is nothing that `%s` could take its length from", d->name ? d->name : "this");
    Value *size = d->kind == AST_BIN ? NULL : eval(e, d);
    int64_t most = len && size ? length_most(e, size) : 0;
    if (most) len[n] = len_within(e, size, most, d->loc);
    dim[n++] = most ? most : size ? to_int(e, size, t->kid[k]->loc, "a dimension") : size_of_dim(e, d, t->kid[k]->loc, "this type");
    if (dim[n - 1] < 0) fail(e, t->kid[k]->loc, "sizes are 0 or more", "a dimension of %lld", (long long)dim[n - 1]);
  }
  return n;
}

// What stands in the brackets of a record: a record without brackets of its own is its type.
static Value *bracket_value(Elab *e, const Ast *x) {
  Value *given = eval(e, x);
  bool record = given->kind == V_DECL && given->decl->ast->kind == AST_RECORD && !given->decl->ast->nstatic;
  return record ? value_type(e, record_type(e, given, x->loc)) : given;
}

Type *eval_type(Elab *e, const Ast *t) {
  if (t->kind == AST_TYPE_TUPLE) {
    Type *r = arena_new(e->arena, Type);
    r->kind = T_REC;
    r->n = t->nkid;
    r->item = arena_array(e->arena, Type *, t->nkid ? t->nkid : 1);
    bool named = t->nkid && t->kid[0]->name;
    r->name = named ? arena_array(e->arena, const char *, t->nkid) : NULL;
    for (int k = 0; k < t->nkid; k++) {
      r->item[k] = eval_type(e, t->kid[k]->kid[0]);
      if (named) r->name[k] = t->kid[k]->name;
    }
    return r;
  }
  if (t->kind == AST_NAME && strcmp(t->name, "key") == 0) {
    Type *r = type_array(e, ir_scalar(IR_U64));
    r->kind = T_KEY;
    return r;
  }
  if (t->kind == AST_NAME && dtype_find(t->name) >= 0) return type_array(e, ir_scalar(dtype_find(t->name)));
  if (t->kind == AST_NAME && is_class(t->name)) {
    Binding *b = scope_find(e->c.scope, t->name);
    return b && b->value->kind == V_TYPE ? b->value->type : type_array(e, ir_scalar(strcmp(t->name, "int") == 0 ? IR_I32 : IR_F32));
  }
  if (t->kind == AST_INDEX) {
    const Ast *base = t->kid[0];
    Type *head = NULL;
    int from = 1;
    if (base->kind == AST_NAME && (dtype_find(base->name) >= 0 || is_class(base->name) || strcmp(base->name, "key") == 0)) head = eval_type(e, base);
    else if (base->kind == AST_INDEX || base->kind == AST_TYPE_TUPLE) head = eval_type(e, base);
    else {
      Value *v = eval(e, base);
      if (v->kind == V_DECL && v->decl->ast->kind == AST_RECORD && !v->nstatic && v->decl->ast->nstatic) {
        int ns = v->decl->ast->nstatic, n = t->nkid - 1;
        if (n < ns) fail(e, t->loc, "they stand in its declaration, in brackets behind the name; leading axes come first", "`%s` takes %d values in brackets, found %d", v->decl->name, ns, n);
        from = 1 + n - ns;                       // leading axes come first, its own values last
        Value *w = value_new(e, V_DECL);
        *w = *v;
        w->nstatic = ns;
        w->statics = arena_array(e->arena, Value *, ns);
        for (int k = 0; k < ns; k++) {
          const Ast *ix = t->kid[from + k];
          if (ix->kind != AST_IX) fail(e, ix->loc, "brackets hold sizes, types, functions and other things known while compiling", "expected a value for `%s` of `%s`", v->decl->ast->kid[k]->name, v->decl->name);
          w->statics[k] = bracket_value(e, ix->kid[0]);
        }
        Type *r = record_type(e, w, t->loc);
        int64_t dim[IR_MAX_RANK];
        Ast lead = *t;
        lead.nkid = from;
        return type_lead(e, r, eval_dims(e, &lead, 1, dim, NULL), dim);
      }
      head = value_as_type(e, v, base->loc);
    }
    int64_t dim[IR_MAX_RANK];
    IrValue *len[2 * IR_MAX_RANK] = {NULL};
    int n = eval_dims(e, t, from, dim, head->kind == T_ARRAY ? len : NULL);
    Type *r = type_lead(e, head, n, dim);
    for (int k = 0; k < n; k++) {
      if (!len[k]) continue;
      if (!r->len) r->len = arena_array(e->arena, IrValue *, r->array.rank);
      r->len[k] = len[k];
    }
    return r;
  }
  return value_as_type(e, eval(e, t), t->loc);
}

Type *try_type(Elab *e, const Ast *t) {
  if (!t || !known(e, t)) return NULL;
  if (t->kind == AST_NAME && (strcmp(t->name, "dim") == 0 || strcmp(t->name, "list") == 0 || strcmp(t->name, "env") == 0)) return NULL;
  return eval_type(e, t);
}

// ---- matching ---------------------------------------------------------------------------

typedef struct Dims { const Ast *at[2 * IR_MAX_RANK]; int n; } Dims;

static void put_written(Str *s, const Ast *d) {
  switch (d->kind) {
  case AST_NAME: case AST_NUM: str_printf(s, "%s", d->name); break;
  case AST_PAREN: str_printf(s, "("); put_written(s, d->kid[0]); str_printf(s, ")"); break;
  case AST_BIN: put_written(s, d->kid[0]); str_printf(s, " %s ", ast_op_text(d->op)); put_written(s, d->kid[1]); break;
  default: str_printf(s, "…"); break;
  }
}

static const char *dim_text(Elab *e, const Ast *d) {
  Str s = {.arena = e->arena};
  put_written(&s, d);
  return s.s;
}

// A dimension as written, and what it is where that is known: N / 2 = 3.
static void put_dim(Elab *e, Str *s, const Ast *d) {
  if (d->kind == AST_IX_DOTS) {
    Binding *b = scope_find(e->c.scope, "...");
    str_printf(s, "...");
    if (b && b->value->n) str_printf(s, " = %s", value_text(e, b->value));
    return;
  }
  if (d->kind == AST_IX) d = d->kid[0];
  put_written(s, d);
  if ((d->kind != AST_NAME && d->kind != AST_BIN) || (d->kind == AST_NAME && strcmp(d->name, "_") == 0) || !known(e, d)) return;
  Value *v = eval(e, d);
  if (v->kind == V_NUM) str_printf(s, " = %s", value_text(e, v));
}

static const char *dims_text(Elab *e, const char *head, const Dims *d) {
  Str s = {.arena = e->arena};
  str_printf(&s, "%s", head);
  for (int k = 0; k < d->n; k++) {
    str_printf(&s, k ? ", " : "[");
    put_dim(e, &s, d->at[k]);
  }
  if (d->n) str_printf(&s, "]");
  return s.s;
}

// What a written dimension comes out as: a size.
static int64_t size_of_dim(Elab *e, const Ast *d, Loc loc, const char *what) {
  Value *v = eval(e, d);
  if (v->kind == V_TYPE) fail(e, d->loc, "a capitalised name stands for one thing throughout a signature: use another one", "`%s` is a type here, not a size", d->name ? d->name : "this");
  if (v->kind == V_NUM && (num_f(v) < 0 || num_f(v) != floor(num_f(v))))
    fail(e, loc, "sizes are whole and not negative: give it other ones", "%s: `%s` comes out as %s, which is no size", what, dim_text(e, d), value_text(e, v));
  return to_int(e, v, d->loc, "a dimension");
}

// Whether a size that was bound before, a number or a length, is that of an axis.
static bool size_is(const Value *v, int64_t size, IrValue *len) {
  if (v->kind == V_ARRAY) return len && v->most == size && len_same(v->ir, len);
  return !len && v->kind == V_NUM && v->i == size;
}

static bool match_dim(Elab *e, const Ast *ix, int64_t size, IrValue *len, Loc loc, const char *what) {
  const Ast *d = ix->kind == AST_IX ? ix->kid[0] : ix, *whole = d;
  d = below_bound(d);
  if (d != whole) {
    int64_t most = to_int(e, eval(e, whole->kid[1]), whole->kid[1]->loc, "a bound");
    if (size > most) fail(e, loc, "give it less, x[:n], or raise the bound", "%s: a size of %lld is outside of the bound %lld", what, (long long)size, (long long)most);
  }
  if (d->kind == AST_NAME && strcmp(d->name, "_") == 0) return true;
  if (d->kind == AST_NAME && is_generic(e, d->name)) {
    if (len && !len->hint) len->hint = d->name;
    scope_bind(e, d->name, len ? length(e, len, size) : value_int(e, size), false, d->loc);
    return true;
  }
  if (len) {
    Value *v = known(e, d) ? eval(e, d) : NULL;
    return v && size_is(v, size, len);
  }
  if (!known(e, d)) {
    Late *l = arena_new(e->arena, Late);
    *l = (Late){d, size, loc, what, e->c.scope->late};
    e->c.scope->late = l;
    return true;
  }
  Value *v = d->kind == AST_NAME ? eval(e, d) : NULL;
  if (v && v->kind == V_ARRAY && v->most) return false;
  return size_of_dim(e, d, loc, what) == size;
}

// The first name in a dimension that nothing has bound.
static const char *unbound(Elab *e, const Ast *d) {
  if (d->kind == AST_NAME) return is_generic(e, d->name) ? d->name : NULL;
  for (int k = 0; k < d->nkid; k++) {
    const char *name = unbound(e, d->kid[k]);
    if (name) return name;
  }
  return NULL;
}

void match_late(Elab *e) {
  for (Late *l = e->c.scope->late; l; l = l->next) {
    const char *open = unbound(e, l->dim);
    if (open)
      fail(e, l->dim->loc, arena_printf(e->arena, "let a parameter have `%s` as a size of its own, or give it in brackets behind the function's name", open), "`%s` does not tell what `%s` is", dim_text(e, l->dim), open);
    int64_t n = size_of_dim(e, l->dim, l->loc, l->what);
    if (n != l->size) fail(e, l->loc, "the size is computed from the signature's other dimensions: change one of them", "%s: a size of %lld where %lld was expected", l->what, (long long)l->size, (long long)n);
  }
  e->c.scope->late = NULL;
}

// Matches sizes with written dimensions, `...` taking what the others leave.
static bool match_dims(Elab *e, const Dims *d, const IrType *t, IrValue *const *len, Loc loc, const char *what) {
  int dots = -1;
  for (int k = 0; k < d->n; k++)
    if (d->at[k]->kind == AST_IX_DOTS) dots = k;
  int fixed = dots >= 0 ? d->n - 1 : d->n;
  if (dots < 0 ? t->rank != fixed : t->rank < fixed) return false;
  int extra = t->rank - fixed;
  if (dots >= 0) {
    Binding *b = scope_find(e->c.scope, "...");
    if (!b) {
      Value *item[IR_MAX_RANK];
      for (int k = 0; k < extra; k++) item[k] = len && len[dots + k] ? length(e, len[dots + k], t->dim[dots + k]) : value_int(e, t->dim[dots + k]);
      scope_bind(e, "...", value_list(e, extra, item), false, loc);
    } else {
      if (b->value->n != extra) return false;
      for (int k = 0; k < extra; k++)
        if (!size_is(b->value->item[k], t->dim[dots + k], len ? len[dots + k] : NULL)) return false;
    }
  }
  for (int k = 0; k < d->n; k++) {
    if (k == dots) continue;
    int axis = dots >= 0 && k > dots ? k - 1 + extra : k;
    if (!match_dim(e, d->at[k], t->dim[axis], len ? len[axis] : NULL, loc, what)) return false;
  }
  return true;
}

static Value *match_array(Elab *e, const char *head, const Dims *d, Value *v, Loc loc, const char *what) {
  int dt = dtype_find(head);
  if (dt < 0) {                                  // float, int, num
    Binding *b = scope_find(e->c.scope, head);
    if (b && b->value->kind == V_TYPE) dt = (int)b->value->type->array.dtype;
  }
  IrValue *x, **len = v->len;
  v = storage(e, v);
  if (!value_is_tree(v) && v->kind != V_LIST) fail(e, loc, "what runs later is made of arrays: texts, functions and types are for while compiling", "%s must be %s, not %s", what, dims_text(e, head, d), value_text(e, v));
  if (v->kind == V_REC || v->kind == V_KEY)
    fail(e, loc, v->kind == V_REC ? "name one of its fields" : "draw from it: uniform(key, [n]), normal(key, [n])", "%s must be %s, not %s", what, dims_text(e, head, d), value_text(e, v));
  if (dt >= 0) {
    const char *bound = is_class(head) ? arena_printf(e->arena, " (%s, as before)", elab_dtype_text((IrDtype)dt)) : "";
    if (v->kind == V_ARRAY && !can_widen(v->ir->type.dtype, (IrDtype)dt))
      fail(e, loc, cast_help(e, v->ir->type.dtype, (IrDtype)dt), "%s must be %s%s, not %s", what, dims_text(e, head, d), bound, value_text(e, v));
    x = v->kind == V_BOOL && dt == IR_BOOL ? to_array(e, v, loc) : to_dtype(e, v, (IrDtype)dt, loc);
  } else {
    x = strcmp(head, "float") == 0 && v->kind == V_NUM ? to_dtype(e, v, IR_F32, loc) : to_array(e, v, loc);
    if (!in_class(head, x->type.dtype))
      fail(e, loc, strcmp(head, "int") == 0 ? "convert it: i32(…)" : "convert it: f32(…)", "%s must be %s (any %s type), not %s", what, dims_text(e, head, d), head, value_text(e, v));
    scope_bind(e, head, value_type(e, type_array(e, ir_scalar(x->type.dtype))), false, loc);
  }
  if (!match_dims(e, d, &x->type, len, loc, what))
    fail(e, loc, len ? "a name in the signature, f32[T], takes such a length; axes of one name have one length" : rank_help(d->n, &x->type), "%s must be %s, not %s", what, dims_text(e, head, d), len ? value_text(e, bounded(e, x, len)) : elab_type_text(e->arena, &x->type));
  if (v->kind == V_NUM && d->n == 0) return v->setting ? v : value_array(e, x);
  if (v->kind == V_ARRAY && v->most && d->n == 0 && x == v->ir) return v;
  return len ? bounded(e, x, len) : value_array(e, x);
}

static Value *match(Elab *e, const Ast *t, Dims *lead, Value *v, Loc loc, const char *what);

static void match_static(Elab *e, const Ast *ix, Value *v, Loc loc, const char *what) {
  const Ast *d = ix->kind == AST_IX ? ix->kid[0] : ix;
  if (!v) return;
  if (d->kind == AST_NAME && is_generic(e, d->name)) { scope_bind(e, d->name, v, false, d->loc); return; }
  if (!known(e, d)) return;
  Value *w = eval(e, d);
  bool ok = value_same(w, v);
  if (!ok && (w->kind == V_TYPE || v->kind == V_TYPE)) return;      // types are compared by what they hold
  if (!ok) fail(e, loc, "the values in brackets must agree", "%s was made for %s, but %s is expected", what, value_text(e, v), value_text(e, w));
}

// How many leading axes a value of a record has beyond its declaration's own.
static void match_lead(Elab *e, const Dims *lead, Type *own, Value *v, Loc loc, const char *what) {
  if (!lead->n) return;
  TypeVec types = {0};
  type_leaves(e, own, NULL, &types, NULL);
  Leaves l = {0};
  value_leaves(e, v, NULL, &l);
  if (!types.n || !l.v.n) return;
  IrType t = l.v.at[0]->type;
  t.rank -= types.at[0].rank;
  if (t.rank < 0 || !match_dims(e, lead, &t, NULL, loc, what))
    fail(e, loc, "`each` or x[_] adds a leading axis, x[0] takes one away", "%s has the wrong leading axes: expected %s before %s, found %s", what, dims_text(e, "", lead), elab_type_text(e->arena, &types.at[0]), elab_type_text(e->arena, &l.v.at[0]->type));
}

static Value *match_record(Elab *e, Value *rec, int nix, Ast *const *ix, Dims *lead, Value *v, Loc loc, const char *what) {
  Decl *decl = rec->decl;
  const Ast *ast = decl->ast;
  int fields = 0;
  for (int k = ast->nstatic; k < ast->nkid; k++) fields += ast->kid[k]->kind == AST_MEMBER;
  if (v->kind != V_REC || (!v->name && v->n != fields)) fail(e, loc, record_help(e, ast), "%s must be a `%s`, not %s", what, decl->name, value_text(e, v));
  if (v->decl == decl) {
    for (int k = 0; k < nix && k < v->nstatic; k++) match_static(e, ix[k], v->statics[k], loc, what);
    Value *own = value_new(e, V_DECL);
    own->decl = decl;
    own->statics = v->statics;
    own->nstatic = v->nstatic;
    for (int k = 0; k < v->nstatic; k++)
      if (!v->statics[k]) return v;
    if (lead->n) match_lead(e, lead, record_type(e, own, loc), v, loc, what);
    return v;
  }
  // a tuple or a nameless record: its fields are matched with the declared ones
  Args a = args_new(e, NULL, 0);
  a.value = arena_array(e->arena, Value *, fields ? fields : 1);
  a.name = arena_array(e->arena, const char *, fields ? fields : 1);
  a.place = arena_array(e->arena, const Ast *, fields ? fields : 1);
  for (int k = ast->nstatic, at = 0; k < ast->nkid; k++) {
    if (ast->kid[k]->kind != AST_MEMBER) continue;
    Value *f = v->name ? value_field(v, ast->kid[k]->name) : at < v->n ? v->item[at] : NULL;
    if (!f && ast->kid[k]->kid[1]) continue;     // its default
    if (!f) fail(e, loc, record_help(e, decl->ast), "%s must be a `%s`, but %s has no field `%s`", what, decl->name, value_text(e, v), ast->kid[k]->name);
    a.value[a.n] = f;
    a.name[a.n++] = ast->kid[k]->name;
    at++;
  }
  Value *with = value_new(e, V_DECL);
  *with = *rec;
  if (nix) {                                     // what the brackets say already; the rest shows in the fields
    with->nstatic = ast->nstatic;
    with->statics = arena_array(e->arena, Value *, ast->nstatic);
    for (int k = 0; k < nix; k++)
      if (ix[k]->kind == AST_IX && known(e, ix[k])) with->statics[k] = bracket_value(e, ix[k]->kid[0]);
  }
  Value *r = record_make(e, with, &a);
  for (int k = 0; k < nix && k < r->nstatic; k++) match_static(e, ix[k], r->statics[k], loc, what);
  return r;
}

static Value *match_tree(Elab *e, const char *name, Dims *lead, Value *v, Loc loc, const char *what) {
  Binding *b = scope_find(e->c.scope, name);
  if (!value_is_tree(v)) fail(e, loc, "a capitalised type stands for arrays, numbers and records of them", "%s must be an array or a record of arrays, not %s", what, value_text(e, v));
  v = to_runtime(e, v, loc);
  Type *t = type_of(e, v);
  if (lead->n) {                                 // T[N]: every leaf has the axes N first
    TypeVec types = {0};
    type_leaves(e, t, NULL, &types, NULL);
    if (!types.n) return v;
    IrType first = types.at[0];
    if (first.rank < lead->n) fail(e, loc, "`each` or x[_] adds a leading axis, x[0] takes one away", "%s must have %d leading axes, found %s", what, lead->n, type_text(e, t));
    first.rank = lead->n;
    if (!match_dims(e, lead, &first, NULL, loc, what)) fail(e, loc, "`each` or x[_] adds a leading axis, x[0] takes one away", "%s has the wrong leading axes: expected %s, found %s", what, dims_text(e, name, lead), type_text(e, t));
    if (b) return v;
    Leaves l = {0};
    value_leaves(e, v, NULL, &l);
    return v;
  }
  if (!b) scope_bind(e, name, value_type(e, t), false, loc);
  return v;
}

static Value *match(Elab *e, const Ast *t, Dims *lead, Value *v, Loc loc, const char *what) {
  if (v->kind == V_POISON) give_up(e);
  if (t->kind == AST_NAME) {
    if (strcmp(t->name, "dim") == 0) {
      int64_t n = to_int(e, v, loc, what);
      if (n < 0) fail(e, loc, "sizes are 0 or more", "%s is a size, and %lld is none", what, (long long)n);
      return v;
    }
    if (strcmp(t->name, "list") == 0) {
      if (v->kind != V_LIST) fail(e, loc, "write it as [a, b, …]", "%s must be a list, not %s", what, value_text(e, v));
      return v;
    }
    if (strcmp(t->name, "env") == 0) {
      if (v->kind != V_DECL || v->decl->ast->kind != AST_ENV) fail(e, loc, "give the environment itself: classic.cartpole", "%s must be an environment, not %s", what, value_text(e, v));
      return v;
    }
    if (strcmp(t->name, "key") == 0) {
      if (v->kind != V_KEY) fail(e, loc, "keys come from a parameter `key`, from the trainer, or from split(key, n)", "%s must be a key, not %s", what, value_text(e, v));
      IrType k = v->ir->type;
      if (!match_dims(e, lead, &k, NULL, loc, what)) fail(e, loc, "split(key, n) gives n keys; each k in keys { … } takes one", "%s must be %s, not %s", what, dims_text(e, "key", lead), value_text(e, v));
      return v;
    }
    if (dtype_find(t->name) >= 0 || is_class(t->name)) return match_array(e, t->name, lead, v, loc, what);
    Binding *b = scope_find(e->c.scope, t->name);
    if ((isupper((unsigned char)t->name[0]) && !b) || (b && b->value->kind == V_TYPE && !b->file)) return match_tree(e, t->name, lead, v, loc, what);
  }
  if (t->kind == AST_TYPE_TUPLE) {
    if (v->kind != V_REC || v->n != t->nkid) fail(e, loc, "write (a, b), or name the items: (x = a, y = b)", "%s must be a tuple of %d, not %s", what, t->nkid, value_text(e, v));
    Value **item = arena_array(e->arena, Value *, t->nkid ? t->nkid : 1);
    const char **name = t->nkid && t->kid[0]->name ? arena_array(e->arena, const char *, t->nkid) : NULL;
    for (int k = 0; k < t->nkid; k++) {
      Value *x = name && v->name ? value_field(v, t->kid[k]->name) : v->item[k];
      if (!x) fail(e, loc, "give it all fields: (x = …, y = …)", "%s lacks the field `%s`", what, t->kid[k]->name);
      item[k] = match(e, t->kid[k]->kid[0], lead, x, loc, name ? arena_printf(e->arena, "%s, its `%s`,", what, t->kid[k]->name) : arena_printf(e->arena, "%s, its item %d,", what, k));
      if (name) name[k] = t->kid[k]->name;
    }
    return value_rec(e, t->nkid, item, name);
  }
  if (t->kind == AST_INDEX) {
    const Ast *base = t->kid[0];
    bool plain = base->kind == AST_NAME && (dtype_find(base->name) >= 0 || is_class(base->name) || strcmp(base->name, "key") == 0);
    bool tree = base->kind == AST_NAME && !plain && isupper((unsigned char)base->name[0]);
    Binding *bound = tree ? scope_find(e->c.scope, base->name) : NULL;
    tree = tree && (!bound || (bound->value->kind == V_TYPE && !bound->file));
    Dims inner = *lead;
    if (plain || tree || base->kind == AST_INDEX || base->kind == AST_FIELD || base->kind == AST_TYPE_TUPLE) {
      Value *rec = NULL;
      if (base->kind == AST_FIELD && known(e, base)) {
        rec = eval(e, base);
        if (rec->kind != V_DECL || rec->decl->ast->kind != AST_RECORD || !rec->decl->ast->nstatic) rec = NULL;
      }
      if (!rec) {
        for (int k = 1; k < t->nkid && inner.n < 2 * IR_MAX_RANK; k++) inner.at[inner.n++] = t->kid[k];
        return match(e, base, &inner, v, loc, what);
      }
    }
    Value *rec = eval(e, base);
    if (rec->kind == V_DECL && rec->decl->ast->kind == AST_RECORD) {
      int ns = rec->nstatic ? 0 : rec->decl->ast->nstatic, own = t->nkid - 1 < ns ? t->nkid - 1 : ns, from = t->nkid - own;
      for (int k = 1; k < from; k++) inner.at[inner.n++] = t->kid[k];
      return match_record(e, rec, own, t->kid + from, &inner, v, loc, what);
    }
    for (int k = 1; k < t->nkid && inner.n < 2 * IR_MAX_RANK; k++) inner.at[inner.n++] = t->kid[k];
    return match(e, base, &inner, v, loc, what);
  }
  if (t->kind == AST_FIELD && strcmp(t->name, "params") == 0) {
    const Ast *m = t->kid[0];
    const Ast *head = m->kind == AST_INDEX ? m->kid[0] : m;
    Value *f = eval(e, head);
    if (f->kind == V_DECL && v->kind == V_REC && v->decl == f->decl) {
      for (int k = 1; m->kind == AST_INDEX && k < m->nkid && k - 1 < v->nstatic; k++) match_static(e, m->kid[k], v->statics[k - 1], loc, what);
      if (lead->n) {
        Value *own = value_new(e, V_DECL);
        *own = *f;
        own->statics = v->statics;
        own->nstatic = v->nstatic;
        match_lead(e, lead, model_params(e, own, loc)->tree, v, loc, what);
      }
      return v;
    }
    fail(e, loc, "parameters come from .init(key) of that model", "%s must be the parameters of `%s`, not %s", what, f->kind == V_DECL ? f->decl->name : "a model", value_text(e, v));
  }
  Value *head = eval(e, t);
  if (head->kind == V_DECL && head->decl->ast->kind == AST_RECORD && !head->nstatic)
    return match_record(e, head, 0, NULL, lead, v, loc, what);
  Type *own = value_as_type(e, head, t->loc);
  if (lead->n == 0) return coerce(e, v, own, loc, what);
  if (own->kind == T_ARRAY) {
    IrValue *x = to_dtype(e, v, own->array.dtype, loc);
    IrType outer = x->type;
    int extra = x->type.rank - own->array.rank;
    bool ok = extra >= 0;
    for (int k = 0; ok && k < own->array.rank; k++) ok = x->type.dim[extra + k] == own->array.dim[k];
    outer.rank = ok ? extra : 0;
    if (!ok || !match_dims(e, lead, &outer, NULL, loc, what))
      fail(e, loc, "`each` or x[_] adds a leading axis, x[0] takes one away", "%s must be %s with leading axes %s, not %s", what, elab_type_text(e->arena, &own->array), dims_text(e, "", lead), elab_type_text(e->arena, &x->type));
    return value_array(e, x);
  }
  match_lead(e, lead, own, v, loc, what);
  return v;
}

Value *match_type(Elab *e, const Ast *t, Value *v, Loc loc, const char *what) {
  if (!t) return v;
  Dims none = {.n = 0};
  return match(e, t, &none, v, loc, what);
}

// ---- stand-ins: a type with every generic dimension 1 and `...` empty ----------------------

static void bind_dummies(Elab *e, const Ast *t) {
  if (!t) return;
  if (t->kind == AST_IX_DOTS && !scope_find(e->c.scope, "...")) scope_bind(e, "...", value_list(e, 0, NULL), false, t->loc);
  if (t->kind == AST_NAME && isupper((unsigned char)t->name[0]) && is_generic(e, t->name)) scope_bind(e, t->name, value_int(e, 1), false, t->loc);
  for (int k = 0; k < t->nkid; k++) bind_dummies(e, t->kid[k]);
}

Type *dummy_type(Elab *e, const Ast *t) {
  bind_dummies(e, t);
  return eval_type(e, t);
}
