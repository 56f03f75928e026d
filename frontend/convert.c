#include "frontend/value.h"
#include "ir/number.h"

#include <math.h>
#include <string.h>

// What a type converts to without being asked: only what loses nothing.
bool can_widen(IrDtype from, IrDtype to) {
  if (from == to) return true;
  if (ir_is_complex(to)) return ir_is_complex(from) ? from == IR_C64 : can_widen(from, ir_real_of(to));
  if (to == IR_F64) return from == IR_F32 || from == IR_BF16 || (ir_is_int(from) && ir_dtype_bytes(from) <= 4);
  if (to == IR_F32) return from == IR_BF16 || (ir_is_int(from) && ir_dtype_bytes(from) <= 2);
  if (ir_is_int(from) && ir_is_int(to)) {
    if (ir_is_signed(from) && !ir_is_signed(to)) return false;
    return ir_dtype_bytes(from) < ir_dtype_bytes(to);
  }
  return false;
}

void pin(Elab *e, Value *v);

bool all_numbers(const Value *v) {
  if (v->kind == V_NUM) return !v->setting;
  if (v->kind != V_LIST || v->n == 0) return false;
  for (int k = 0; k < v->n; k++)
    if (!all_numbers(v->item[k])) return false;
  return true;
}

// What a number alone becomes: i32, i64 where that is too small, or f32.
static IrDtype number_dtype(const Value *v) { return !v->is_int ? IR_F32 : v->i < INT32_MIN || v->i > INT32_MAX ? IR_I64 : IR_I32; }

static IrDtype numbers_dtype(const Value *v) {
  if (v->kind == V_NUM) return number_dtype(v);
  IrDtype best = IR_I32;
  for (int k = 0; k < v->n; k++) {
    IrDtype t = numbers_dtype(v->item[k]);
    if (best == IR_I32 || t == IR_F32) best = t;
  }
  return best;
}

// The shape of a nested list of numbers; false if it is ragged.
static bool list_shape(const Value *v, int depth, IrType *t) {
  if (v->kind == V_NUM) return depth == t->rank;
  if (depth >= IR_MAX_RANK) return false;
  if (depth == t->rank && v->kind == V_LIST) { t->dim[depth] = v->n; t->rank++; }
  else if (depth > t->rank || t->dim[depth] != v->n) return false;
  for (int k = 0; k < v->n; k++)
    if (!list_shape(v->item[k], depth + 1, t)) return false;
  return true;
}

// A number meets a type: an integer must be one of its values, a real is rounded to the nearest.
static void put_number(Elab *e, const Value *v, IrDtype t, void *at, Loc loc) {
  if (t == IR_BOOL) fail(e, loc, "write true or false, or a comparison", "expected a bool, found the number %s", value_text(e, v));
  if (ir_is_int(t) && !v->is_int)
    fail(e, loc, "write an integer, or convert the other side: f32(…)", "%s is not an integer, and the other side is %s", value_text(e, v), elab_dtype_text(t));
  if (t == IR_U64 ? v->i < 0 : ir_is_int(t) && (v->i < ir_least(t) || v->i > ir_greatest(t)))
    fail(e, loc, arena_printf(e->arena, "convert the other side to a wider type; %s(%lld) wraps around", elab_dtype_text(t), (long long)v->i), "%lld does not fit into %s", (long long)v->i, elab_dtype_text(t));
  ir_store(t, at, (IrNumber){num_f(v), 0, v->i});
}

static void put_numbers(Elab *e, const Value *v, IrDtype t, unsigned char **at, Loc loc) {
  if (v->kind == V_NUM) {
    put_number(e, v, t, *at, loc);
    *at += ir_dtype_bytes(t);
    return;
  }
  for (int k = 0; k < v->n; k++) put_numbers(e, v->item[k], t, at, loc);
}

// A number or a list of numbers of shape t.
static IrValue *numbers(Elab *e, const Value *v, IrType t, Loc loc) {
  unsigned char *data = arena_alloc(e->arena, (size_t)ir_bytes(&t) + 1), *at = data;
  put_numbers(e, v, t.dtype, &at, loc);
  return ir_const(&e->c.b, t, data, (size_t)ir_bytes(&t));
}

static IrValue *stack(Elab *e, Value *v, Loc loc) {
  if (v->n == 0) fail(e, loc, "zeros([0]) is an empty array", "an empty list has no element type: it cannot become an array");
  IrType t = {.rank = 0};
  if (all_numbers(v) && list_shape(v, 0, &t)) {
    t.dtype = numbers_dtype(v);
    return numbers(e, v, t, loc);
  }
  IrDtype dt = common_dtype(e, loc, "the elements of a list", v->n, v->item);
  IrValue **x = arena_array(e->arena, IrValue *, v->n);
  IrType shape = {.dtype = dt};
  for (int k = 0; k < v->n; k++) {
    x[k] = to_dtype(e, v->item[k], dt, loc);
    broadcast_shapes(e, loc, "the elements of a list", shape, x[k]->type, &shape);
  }
  int64_t one[IR_MAX_RANK];
  one[0] = 1;
  if (shape.rank + 1 > IR_MAX_RANK) fail(e, loc, "join some of the axes: flatten(x, n), reshape(x, [a * b, c])", "an array of more than %d axes", IR_MAX_RANK);
  memcpy(one + 1, shape.dim, sizeof *one * (size_t)shape.rank);
  for (int k = 0; k < v->n; k++)
    x[k] = ir_reshape(&e->c.b, ir_spread(&e->c.b, x[k], shape.rank, shape.dim), shape.rank + 1, one);
  int n = v->n;
  while (n > 1) {                                  // an op has at most IR_MAX_OUT operands
    int m = 0;
    for (int k = 0; k < n; k += 1024) {
      int some = n - k < 1024 ? n - k : 1024;
      x[m++] = some == 1 ? x[k] : ir_concat(&e->c.b, some, x + k, 0);
    }
    n = m;
  }
  return x[0];
}

IrValue *to_array(Elab *e, Value *v, Loc loc) {
  switch (v->kind) {
  case V_ARRAY: return v->ir;
  case V_BOUNDED:
    fail(e, loc, "padded(x) is the whole of it, 0 where it is not filled; elementwise functions, reductions, `@`, einsum, indexing, reshape and loops take it as it is",
         "this does not take %s, whose length is known at run time only", value_text(e, v));
  case V_POISON: give_up(e);
  case V_NUM:
    if (v->setting) return trainer_setting(e, v, v->is_int ? IR_I32 : IR_F32)->ir;
    return numbers(e, v, ir_scalar(number_dtype(v)), loc);
  case V_BOOL: return ir_fill(&e->c.b, ir_scalar(IR_BOOL), (double)v->i);
  case V_LIST: return stack(e, v, loc);
  case V_KEY: fail(e, loc, "draw from it: uniform(key, [n]), normal(key, [n])", "a key is no number");
  case V_REC: fail(e, loc, "name one of its fields", "expected an array, found the record %s", value_text(e, v));
  default: fail(e, loc, "what runs later is made of arrays: texts, functions and types are for while compiling", "expected an array or a number, found %s", value_text(e, v));
  }
}

static IrDtype own_dtype(Elab *e, Value *v, Loc loc, bool *fixed) {
  *fixed = false;
  switch (v->kind) {
  case V_NUM: return number_dtype(v);
  case V_BOOL: *fixed = true; return IR_BOOL;
  case V_LIST: {
    IrDtype best = IR_I32;
    bool any = false;
    for (int k = 0; k < v->n; k++) {
      bool f;
      IrDtype t = own_dtype(e, v->item[k], loc, &f);
      if (f) { best = !any ? t : can_widen(best, t) ? t : best; any = true; *fixed = true; }
      else if (!any && best != IR_F32 && t != IR_I32) best = t;
    }
    return best;
  }
  default: *fixed = true; return to_array(e, storage(e, v), loc)->type.dtype;
  }
}

const char *mixed_help(Elab *e, IrDtype a, IrDtype b) {
  if (ir_is_int(a) != ir_is_int(b) && a != IR_BOOL && b != IR_BOOL)
    return arena_printf(e->arena, "convert the integers: %s(…); a variable that begins as 0 is one, as 0.0 it is real", elab_dtype_text(ir_is_int(a) ? b : a));
  return arena_printf(e->arena, "convert one of them: %s(…)", elab_dtype_text(a == IR_BOOL ? b : a));
}

IrDtype common_dtype(Elab *e, Loc loc, const char *what, int n, Value **v) {
  IrDtype best = IR_I32, free = IR_I32;
  bool any = false;
  for (int k = 0; k < n; k++) {
    bool fixed;
    IrDtype t = own_dtype(e, v[k], loc, &fixed);
    if (!fixed) { if (free != IR_F32 && t != IR_I32) free = t; continue; }
    if (!any) best = t;
    else if (can_widen(best, t)) best = t;
    else if (!can_widen(t, best))
      fail(e, loc, mixed_help(e, best, t), "%s have different element types: %s and %s", what, elab_dtype_text(best), elab_dtype_text(t));
    any = true;
  }
  return any ? best : free;
}

// How what has type `from` becomes `to`.
const char *cast_help(Elab *e, IrDtype from, IrDtype to) {
  if (ir_is_complex(from) && !ir_is_complex(to)) return "real(…), imag(…) and abs(…) make reals of complex numbers";
  return arena_printf(e->arena, "convert it: %s(…)", elab_dtype_text(to));
}

IrValue *to_dtype(Elab *e, Value *v, IrDtype t, Loc loc) {
  if (v->kind == V_NUM) {
    unsigned char one[16];
    put_number(e, v, t, one, loc);
    return v->setting ? trainer_setting(e, v, t)->ir : ir_const(&e->c.b, ir_scalar(t), one, (size_t)ir_dtype_bytes(t));
  }
  if (v->kind == V_LIST && v->n) {
    IrType shape = {.dtype = t};
    if (all_numbers(v) && list_shape(v, 0, &shape)) return numbers(e, v, shape, loc);
    Value **item = arena_array(e->arena, Value *, v->n);
    for (int k = 0; k < v->n; k++) item[k] = value_array(e, to_dtype(e, v->item[k], t, loc));
    return stack(e, value_list(e, v->n, item), loc);
  }
  IrValue *x = to_array(e, v, loc);
  if (x->type.dtype == t) return x;
  if (!can_widen(x->type.dtype, t))
    fail(e, loc, cast_help(e, x->type.dtype, t), "expected %s, found %s", elab_dtype_text(t), elab_type_text(e->arena, &x->type));
  return ir_cast(&e->c.b, x, t);
}

Value *to_runtime(Elab *e, Value *v, Loc loc) {
  switch (v->kind) {
  case V_REC: {
    Value **item = arena_array(e->arena, Value *, v->n ? v->n : 1);
    for (int k = 0; k < v->n; k++) item[k] = to_runtime(e, v->item[k], loc);
    return value_like(e, v, v->n, item);
  }
  case V_KEY: return v;
  case V_ARRAY: case V_BOUNDED: return v;
  default: return value_array(e, to_array(e, v, loc));
  }
}

IrValue *to_scalar(Elab *e, Value *v, IrDtype t, Loc loc, const char *what) {
  if (v->kind == V_BOOL && t == IR_BOOL) return ir_fill(&e->c.b, ir_scalar(IR_BOOL), (double)v->i);
  if (t == IR_BOOL && v->kind != V_POISON && (v->kind != V_ARRAY || v->ir->type.dtype != IR_BOOL)) fail(e, loc, "compare: x > 0", "%s must be true or false, not %s", what, value_text(e, v));
  IrValue *x = to_dtype(e, v, t, loc);
  if (x->type.rank) fail(e, loc, "any(x), all(x), sum(x), … make one of many; x[i] takes one", "%s must be one %s, not %s", what, elab_dtype_text(t), elab_type_text(e->arena, &x->type));
  return x;
}

int64_t to_int(Elab *e, Value *v, Loc loc, const char *what) {
  if (v->kind == V_POISON) give_up(e);
  if (v->kind == V_ARRAY) fail(e, loc, "sizes are fixed while compiling: use a constant, a dimension or a setting", "%s must be known when compiling, but this is a run-time value (%s)", what, value_text(e, v));
  if (v->kind != V_NUM) fail(e, loc, "write an integer, or what is computed from integers while compiling", "%s must be an integer, not %s", what, value_text(e, v));
  if (!v->is_int && v->f == floor(v->f) && fabs(v->f) < 9e15) return pin(e, v), (int64_t)v->f;
  if (!v->is_int) fail(e, loc, "floor(…), ceil(…) or round(…) make one, also while compiling", "%s must come out as an integer, but is %g", what, v->f);
  pin(e, v);
  return v->i;
}

double to_real(Elab *e, Value *v, Loc loc, const char *what) {
  if (v->kind == V_POISON) give_up(e);
  if (v->kind == V_ARRAY) fail(e, loc, "use a constant or a setting", "%s must be known when compiling, but this is a run-time value (%s)", what, value_text(e, v));
  if (v->kind != V_NUM) fail(e, loc, "write a number, or what is computed from numbers while compiling", "%s must be a number, not %s", what, value_text(e, v));
  pin(e, v);
  return num_f(v);
}

bool to_bool(Elab *e, Value *v, Loc loc, const char *what) {
  if (v->kind == V_POISON) give_up(e);
  if (v->kind != V_BOOL) fail(e, loc, "write true or false, a comparison of constants, or a setting", "%s must be true or false, known when compiling; this is %s", what, value_text(e, v));
  return v->i;
}

int to_dims(Elab *e, Value *v, Loc loc, int64_t *dim) {
  if (v->kind == V_NUM) {
    dim[0] = to_int(e, v, loc, "a size");
    if (dim[0] < 0) fail(e, loc, "sizes are 0 or more", "a size of %lld: sizes are not negative", (long long)dim[0]);
    if (dim[0] > INT64_C(1) << 40) fail(e, loc, "sizes are counted in elements: make some of them smaller", "an array of this shape would hold more than 2^40 elements");
    return 1;
  }
  if (v->kind != V_LIST) fail(e, loc, "write the sizes as a list: [8, 4]", "expected a shape, found %s", value_text(e, v));
  if (v->n > IR_MAX_RANK) fail(e, loc, "join some of the axes", "a shape of %d axes: at most %d are possible", v->n, IR_MAX_RANK);
  for (int k = 0; k < v->n; k++) {
    dim[k] = to_int(e, v->item[k], loc, "a size");
    if (dim[k] < 0) fail(e, loc, "sizes are 0 or more", "a size of %lld: sizes are not negative", (long long)dim[k]);
  }
  int64_t count = 1;
  for (int k = 0; k < v->n; k++)
    if (__builtin_mul_overflow(count, dim[k] ? dim[k] : 1, &count) || count > (INT64_C(1) << 40))
      fail(e, loc, "sizes are counted in elements: make some of them smaller", "an array of this shape would hold more than 2^40 elements");
  return v->n;
}

void broadcast_shapes(Elab *e, Loc loc, const char *what, IrType a, IrType b, IrType *out) {
  int rank = a.rank > b.rank ? a.rank : b.rank;
  IrType r = {.dtype = a.dtype, .rank = rank};
  for (int k = 0; k < rank; k++) {
    int64_t x = k < rank - a.rank ? 1 : a.dim[k - (rank - a.rank)];
    int64_t y = k < rank - b.rank ? 1 : b.dim[k - (rank - b.rank)];
    if (x != y && x != 1 && y != 1)
      fail(e, loc, "shapes are aligned at their last axes; each pair of sizes must be equal or one of them 1 (insert an axis with x[:, _])",
           "%s do not fit together: %s and %s (%lld against %lld)", what, elab_type_text(e->arena, &a), elab_type_text(e->arena, &b), (long long)x, (long long)y);
    r.dim[k] = x == 1 ? y : x;
  }
  *out = r;
}

Value *coerce(Elab *e, Value *v, Type *t, Loc loc, const char *what) {
  if (v->kind == V_POISON) give_up(e);
  if (t->kind == T_REC) {
    if (v->kind != V_REC || v->n != t->n)
      fail(e, loc, t->decl && t->decl->ast->kind == AST_RECORD ? record_help(e, t->decl->ast) : "fields and their number must agree", "%s must be %s, not %s", what, type_text(e, t), value_text(e, v));
    Value **item = arena_array(e->arena, Value *, t->n ? t->n : 1);
    for (int k = 0; k < t->n; k++) {
      Value *x = v->name && t->name ? value_field(v, t->name[k]) : v->item[k];
      if (!x) fail(e, loc, "give it all fields: (x = …, y = …)", "%s lacks the field `%s` of %s", what, t->name[k], type_text(e, t));
      item[k] = coerce(e, x, t->item[k], loc, t->name ? arena_printf(e->arena, "%s.%s", what, t->name[k]) : what);
    }
    Value *r = value_rec(e, t->n, item, t->name);
    r->decl = t->decl ? t->decl : v->decl;
    r->statics = t->decl ? t->statics : v->statics;
    r->nstatic = t->decl ? t->nstatic : v->nstatic;
    return r;
  }
  if (t->kind == T_KEY) {
    if (v->kind != V_KEY || !ir_type_eq(&v->ir->type, &t->array)) fail(e, loc, "keys come from a parameter `key`, or from split(key, n)", "%s must be %s, not %s", what, type_text(e, t), value_text(e, v));
    return v;
  }
  if (v->kind == V_REC || v->kind == V_KEY) fail(e, loc, v->kind == V_REC ? "name one of its fields" : "draw from it: uniform(key, [n]), normal(key, [n])", "%s must be %s, not %s", what, type_text(e, t), value_text(e, v));
  if (v->kind == V_BOUNDED || t->len) {
    if (v->kind == V_BOUNDED && type_same(type_of(e, v), t)) return v;
    fail(e, loc, "cut it at the same number, x[:n]; padded(x) is the whole of one, 0 where it is not filled", "%s must be %s, not %s", what, type_text(e, t), value_text(e, v));
  }
  if (!value_is_tree(v) && v->kind != V_LIST) fail(e, loc, "what runs later is made of arrays: texts, functions and types are for while compiling", "%s must be %s, not %s", what, type_text(e, t), value_text(e, v));
  IrDtype own = v->kind == V_ARRAY ? v->ir->type.dtype : v->kind == V_BOOL ? IR_BOOL : t->array.dtype;
  if (!can_widen(own, t->array.dtype)) fail(e, loc, cast_help(e, own, t->array.dtype), "%s must be %s, not %s", what, type_text(e, t), value_text(e, v));
  IrValue *x = v->kind == V_BOOL ? to_array(e, v, loc) : to_dtype(e, v, t->array.dtype, loc);
  if (v->kind == V_NUM && t->array.rank) x = ir_spread(&e->c.b, x, t->array.rank, t->array.dim);
  if (!ir_type_eq(&x->type, &t->array))
    fail(e, loc, rank_help(t->array.rank, &x->type), "%s must be %s, not %s", what, type_text(e, t), elab_type_text(e->arena, &x->type));
  return value_array(e, x);
}
