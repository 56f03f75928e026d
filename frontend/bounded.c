// Axes with a bound: f32[T <= 64]. Such an array is storage for the most there can be, and for each bounded axis a
// number of how much of it is filled (an i32 scalar, 0 <= n <= size). The graph knows neither: ops run over the whole
// storage, what mixes elements along such an axis (sums, products, scans) leaves out the rest, and every op that has
// not been taught refuses.
//
// The rest of a bounded axis holds copies of its first element, or what was computed of them: where the elements are
// finite so is the rest, and a cotangent of zero times it is zero.
#include "frontend/value.h"

#include <math.h>
#include <string.h>

Value *bounded(Elab *e, IrValue *x, IrValue *const *len) {
  bool any = false;
  for (int k = 0; k < x->type.rank; k++) any |= len[k] != NULL;
  Value *v = value_array(e, x);
  if (!any) return v;
  v->kind = V_BOUNDED;
  v->len = arena_copy(e->arena, len, sizeof *len * (size_t)x->type.rank);
  return v;
}

bool is_bounded(const Value *v) {
  if (v->kind == V_BOUNDED) return true;
  if (v->kind == V_REC || v->kind == V_LIST)
    for (int k = 0; k < v->n; k++)
      if (is_bounded(v->item[k])) return true;
  return false;
}

Value *storage(Elab *e, Value *v) { return v->kind == V_BOUNDED ? value_array(e, v->ir) : v; }

IrValue *len_of(const Value *v, int axis) { return v->kind == V_BOUNDED ? v->len[axis] : NULL; }

// Whether two lengths are the same number, as far as the text shows: the same value, or computed alike of such.
bool len_same(const IrValue *a, const IrValue *b) {
  if (a == b) return true;
  if (!a || !b || !a->op || !b->op || a->op->code != b->op->code || a->op->nin != b->op->nin || !ir_type_eq(&a->type, &b->type)) return false;
  if (a->op->code == IR_CONST) {
    const IrAttr *p = ir_attr(a->op, A_DATA), *q = ir_attr(b->op, A_DATA);
    return p->n == q->n && memcmp(p->data, q->data, (size_t)p->n) == 0;
  }
  if (a->op->code != IR_MIN && a->op->code != IR_MAX && a->op->code != IR_SUB && a->op->code != IR_CAST) return false;
  for (int k = 0; k < a->op->nin; k++)
    if (!len_same(a->op->in[k], b->op->in[k])) return false;
  return true;
}

static IrValue *i32(Elab *e, int64_t n) { return ir_fill(&e->c.b, ir_scalar(IR_I32), (double)n); }

Value *length(Elab *e, IrValue *len, int64_t most) {
  Value *v = value_array(e, len);
  v->most = most;
  return v;
}

int64_t length_most(Elab *e, const Value *v) {
  if (v->kind != V_ARRAY) return 0;
  if (v->most && v->n) pin(e, v->item[0]);
  return v->most;
}

// A length stands where a size known while compiling could: among floats it is one.
Value *length_among(Elab *e, Value *v, IrDtype t) {
  bool exact = v->kind == V_ARRAY && v->most && v->most <= 1 << 24;
  return exact && ir_is_float(t) ? value_array(e, ir_cast(&e->c.b, v->ir, t)) : v;
}

// n, no less than 0 and no more than size.
IrValue *len_within(Elab *e, Value *n, int64_t size, Loc loc) {
  IrValue *x = to_scalar(e, n, IR_I32, loc, "the end of a slice");
  int64_t most = length_most(e, n);
  if (most && most <= size && !n->raw) return x;
  if (!most || most > size) x = ir_bin(&e->c.b, IR_MIN, x, i32(e, size));
  return ir_bin(&e->c.b, IR_MAX, x, i32(e, 0));
}

// len - n, no less than 0.
IrValue *len_less(Elab *e, IrValue *len, int64_t n) {
  return n ? ir_bin(&e->c.b, IR_MAX, ir_bin(&e->c.b, IR_SUB, len, i32(e, n)), i32(e, 0)) : len;
}

static IrValue *filled(Elab *e, const IrValue *x, int axis, IrValue *len) {
  IrType at = x->type;
  at.dtype = IR_I32;
  return ir_bin(&e->c.b, IR_LT, ir_iota(&e->c.b, at, axis), ir_spread(&e->c.b, len, at.rank, at.dim));
}

// The storage, with `rest` beyond the filled part of those of the n axes that are bounded.
IrValue *masked(Elab *e, Value *v, int n, const int64_t *axes, double rest) {
  IrValue *x = v->ir;
  for (int k = 0; k < n; k++) {
    IrValue *len = len_of(v, (int)axes[k]);
    if (len) x = ir_select(&e->c.b, filled(e, x, (int)axes[k], len), x, ir_fill(&e->c.b, x->type, rest));
  }
  return x;
}

// x, filled up to len along an axis: the rest becomes copies of the first element.
IrValue *cut_off(Elab *e, IrValue *x, int axis, IrValue *len) {
  if (!x->type.dim[axis]) return x;
  int64_t start[IR_MAX_RANK] = {0}, limit[IR_MAX_RANK], stride[IR_MAX_RANK];
  for (int k = 0; k < x->type.rank; k++) {
    limit[k] = k == axis ? 1 : x->type.dim[k];
    stride[k] = 1;
  }
  IrValue *first = ir_spread(&e->c.b, ir_slice(&e->c.b, x, start, limit, stride), x->type.rank, x->type.dim);
  if (ir_is_diff(x->type.dtype)) first = ir_un(&e->c.b, IR_STOP_GRAD, first);
  return ir_select(&e->c.b, filled(e, x, axis, len), x, first);
}

// Every leaf of r, stacked by a loop that ran `len` turns, is filled so far.
Value *stacked_len(Elab *e, Value *r, IrValue *len) {
  if (r->kind == V_REC) {
    Value **item = arena_array(e->arena, Value *, r->n ? r->n : 1);
    for (int k = 0; k < r->n; k++) item[k] = stacked_len(e, r->item[k], len);
    return value_like(e, r, r->n, item);
  }
  if (r->kind == V_KEY) return r;
  IrValue *lens[IR_MAX_RANK] = {NULL};
  for (int k = 0; k < r->ir->type.rank; k++) lens[k] = len_of(r, k);
  lens[0] = len;
  return bounded(e, cut_off(e, r->ir, 0, len), lens);
}

void lens_join(Elab *e, Lens *l, int axis, const Value *v, int from, Loc loc, const char *what) {
  if (v->kind != V_BOUNDED && v->kind != V_ARRAY) return;
  IrValue *len = len_of(v, from);
  int64_t size = v->ir->type.dim[from];
  if (!len && size == 1) return;
  bool clash = len ? l->fixed[axis] || (l->at[axis] && !len_same(l->at[axis], len)) : l->at[axis] != NULL;
  if (clash)
    fail(e, loc, "cut both at the same number, x[:n]; padded(x) is the whole of one, 0 where it is not filled",
         "%s do not fit together: an axis of %s has another length", what, value_text(e, v));
  if (len) l->at[axis] = len;
  else l->fixed[axis] = true;
}

// The result of an elementwise op over n operands' storage takes their lengths, axes aligned at the right.
Value *lens_aligned(Elab *e, Value *r, int n, Value *const *v, Loc loc, const char *what) {
  Lens l = {0};
  for (int pass = 0; pass < 2; pass++)           // bounded ones first: the message names one
    for (int k = 0; k < n; k++)
      for (int j = 0; (v[k]->kind == V_BOUNDED) == (pass == 0) && (v[k]->kind == V_BOUNDED || v[k]->kind == V_ARRAY) && j < v[k]->ir->type.rank; j++)
        lens_join(e, &l, r->ir->type.rank - v[k]->ir->type.rank + j, v[k], j, loc, what);
  return bounded(e, r->ir, l.at);
}

double least_of(IrDtype t) {
  if (ir_is_float(t)) return -INFINITY;
  return ir_is_signed(t) ? -ldexp(1, 8 * ir_dtype_bytes(t) - 1) : 0;
}

double greatest_of(IrDtype t) {
  if (ir_is_float(t)) return INFINITY;
  return ldexp(1, 8 * ir_dtype_bytes(t) - (ir_is_signed(t) ? 1 : 0)) - 1;
}

// A list of sizes of which some are lengths: the sizes of the storage, and the lengths; NULL where there are none.
Value *shape_storage(Elab *e, Value *shape, IrValue **len) {
  if (shape->kind != V_LIST || shape->n > IR_MAX_RANK) return NULL;
  int n = shape->n;
  bool any = false;
  Value *item[IR_MAX_RANK];
  for (int k = 0; k < n; k++) {
    Value *d = shape->item[k];
    len[k] = NULL;
    item[k] = d;
    int64_t most = length_most(e, d);
    if (!most) continue;
    item[k] = value_int(e, most);
    len[k] = len_within(e, d, most, e->c.b.loc);
    any = true;
  }
  return any ? value_list(e, n, item) : NULL;
}
