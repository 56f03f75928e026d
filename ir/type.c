// Type rules, one a row of the table: from operands, attributes and regions to
// result types, or the reason why there are none. The text reader shows these
// reasons to users, so they speak of what was given.
#include "ir/ir.h"

#include <string.h>

typedef struct Rule {
  Arena *arena;
  const char *op;
  IrCode code;
  int nin, nattr;
  IrValue *const *in;
  const IrType *want;
  const IrAttr *attr;
  IrRegion *const *sub;
  IrType *out;
  int nout;
} Rule;

#define FAIL(...) return arena_printf(r->arena, __VA_ARGS__)
#define TRY(e) do { const char *why_ = (e); if (why_) return why_; } while (0)
#define X(k) (&r->in[k]->type)

static const char *give(Rule *r, IrType t) {
  const char *bad = ir_type_bad(&t);
  if (bad) FAIL("the result would have %s", bad);
  r->out[r->nout++] = t;
  return NULL;
}

static const char *text(Rule *r, const IrType *t) { return ir_type_text(r->arena, t); }

static const IrAttr *attr(const Rule *r, IrKey k) {
  for (int i = 0; i < r->nattr; i++)
    if (r->attr[i].key == k) return &r->attr[i];
  ICE("%s: attribute %s is not in the table's row", r->op, ir_key_name(k));
}

static int64_t one(const Rule *r, IrKey k) { return attr(r, k)->i[0]; }

static const char *want(Rule *r) {
  if (!r->want) FAIL("the result type is not given");
  const char *bad = ir_type_bad(r->want);
  if (bad) FAIL("the result type has %s", bad);
  return NULL;
}

static const char *same(Rule *r, int i, int j) {
  if (!ir_type_eq(X(i), X(j)))
    FAIL("operands %d and %d differ: %s and %s", i + 1, j + 1, text(r, X(i)), text(r, X(j)));
  return NULL;
}

// ---- kinds of dtype ------------------------------------------------------------------
static bool is_number(IrDtype t) { return t != IR_BOOL; }
static bool is_real(IrDtype t) { return ir_is_int(t) || ir_is_float(t); }
static bool is_bits(IrDtype t) { return t == IR_BOOL || ir_is_int(t); }
static bool is_lapack(IrDtype t) { return t == IR_F32 || t == IR_F64; }
static bool is_bool(IrDtype t) { return t == IR_BOOL; }
static bool is_u64(IrDtype t) { return t == IR_U64; }
static bool is_any(IrDtype t) { return t < IR_NDTYPE; }

static const char *kind(Rule *r, int k, bool (*is)(IrDtype), const char *what) {
  if (!is(X(k)->dtype)) FAIL("operand %d is %s; expected %s", k + 1, text(r, X(k)), what);
  return NULL;
}

static const char *one_of(Rule *r, bool (*is)(IrDtype), const char *what) {
  TRY(kind(r, 0, is, what));
  return give(r, *X(0));
}

static const char *two_of(Rule *r, bool (*is)(IrDtype), const char *what) {
  TRY(kind(r, 0, is, what));
  TRY(same(r, 0, 1));
  return give(r, *X(0));
}

static const char *ir_type_number(Rule *r) { return one_of(r, is_number, "numbers"); }
static const char *ir_type_real(Rule *r) { return one_of(r, is_real, "integers or floats"); }
static const char *ir_type_inexact(Rule *r) { return one_of(r, ir_is_diff, "floats or complex numbers"); }
static const char *ir_type_float(Rule *r) { return one_of(r, ir_is_float, "floats"); }
static const char *ir_type_polygamma(Rule *r) {
  int64_t n = one(r, A_N);
  if (n < 1 || n > IR_MAX_ORDER) FAIL("order %lld is not within 1 to %d", (long long)n, IR_MAX_ORDER);
  return ir_type_float(r);
}

static const char *ir_type_bits(Rule *r) { return one_of(r, is_bits, "bool or integers"); }
static const char *ir_type_complex1(Rule *r) { return one_of(r, ir_is_complex, "complex numbers"); }
static const char *ir_type_any(Rule *r) { return one_of(r, is_any, "anything"); }
static const char *ir_type_number2(Rule *r) { return two_of(r, is_number, "numbers"); }
static const char *ir_type_real2(Rule *r) { return two_of(r, is_real, "integers or floats"); }
static const char *ir_type_float2(Rule *r) { return two_of(r, ir_is_float, "floats"); }
static const char *ir_type_bits2(Rule *r) { return two_of(r, is_bits, "bool or integers"); }
static const char *ir_type_int2(Rule *r) { return two_of(r, ir_is_int, "integers"); }
static const char *ir_type_u64x2(Rule *r) { return two_of(r, is_u64, "u64"); }

static const char *as(Rule *r, IrDtype t) {
  IrType y = *X(0);
  y.dtype = t;
  return give(r, y);
}

static const char *ir_type_abs(Rule *r) {
  TRY(kind(r, 0, is_number, "numbers"));
  return as(r, ir_real_of(X(0)->dtype));
}

static const char *ir_type_finite(Rule *r) {
  TRY(kind(r, 0, ir_is_diff, "floats or complex numbers"));
  return as(r, IR_BOOL);
}

static const char *ir_type_part(Rule *r) {
  TRY(kind(r, 0, ir_is_complex, "complex numbers"));
  return as(r, ir_real_of(X(0)->dtype));
}

static const char *ir_type_complex2(Rule *r) {
  TRY(kind(r, 0, is_lapack, "f32 or f64"));
  TRY(same(r, 0, 1));
  return as(r, X(0)->dtype == IR_F32 ? IR_C64 : IR_C128);
}

static const char *ir_type_compare(Rule *r) {
  TRY(same(r, 0, 1));
  return as(r, IR_BOOL);
}

static const char *ir_type_order(Rule *r) {
  TRY(kind(r, 0, is_real, "integers or floats"));
  return ir_type_compare(r);
}

static const char *ir_type_select(Rule *r) {
  TRY(kind(r, 0, is_bool, "bool"));
  TRY(same(r, 1, 2));
  IrType t = *X(1);
  t.dtype = IR_BOOL;
  if (!ir_type_eq(&t, X(0)))
    FAIL("the condition is %s, the sides are %s: shapes differ", text(r, X(0)), text(r, X(1)));
  return give(r, *X(1));
}

static const char *ir_type_after(Rule *r) {
  if (X(1)->rank) FAIL("what it waits for is %s, not a scalar", text(r, X(1)));
  return give(r, *X(0));
}

// ---- results given by `want` ------------------------------------------------------------
static const char *ir_type_want(Rule *r) {
  TRY(want(r));
  IrDtype t = r->want->dtype;
  if (r->code == IR_IOTA) {
    int64_t axis = one(r, A_AXIS);
    if (!is_real(t)) FAIL("the result is %s; expected integers or floats", ir_dtype_name(t));
    if (axis < 0 || axis >= r->want->rank) FAIL("axis %lld is not one of %s", (long long)axis, text(r, r->want));
    return give(r, *r->want);
  }
  const IrAttr *d = attr(r, A_DATA);
  if (d->n != ir_dtype_bytes(t) && d->n != ir_bytes(r->want))
    FAIL("%d bytes of data for %s", d->n, text(r, r->want));
  for (int k = 0; t == IR_BOOL && k < d->n; k++)
    if (((const uint8_t *)d->data)[k] > 1) FAIL("a bool is 0 or 1");
  return give(r, *r->want);
}

static const char *same_shape(Rule *r) {
  TRY(want(r));
  IrType t = *X(0);
  t.dtype = r->want->dtype;
  if (!ir_type_eq(&t, r->want)) FAIL("%s to %s: shapes differ", text(r, X(0)), text(r, r->want));
  return NULL;
}

static const char *ir_type_cast(Rule *r) {
  TRY(same_shape(r));
  return give(r, *r->want);
}

static const char *ir_type_bitcast(Rule *r) {
  TRY(same_shape(r));
  if (ir_dtype_bytes(X(0)->dtype) != ir_dtype_bytes(r->want->dtype))
    FAIL("%s and %s differ in size", ir_dtype_name(X(0)->dtype), ir_dtype_name(r->want->dtype));
  if (r->want->dtype == IR_BOOL && X(0)->dtype != IR_BOOL) FAIL("bitcast to bool: not all bits are a bool");
  return give(r, *r->want);
}

static const char *ir_type_reshape(Rule *r) {
  TRY(want(r));
  if (X(0)->dtype != r->want->dtype || ir_count(X(0)) != ir_count(r->want))
    FAIL("%s has not the elements of %s", text(r, X(0)), text(r, r->want));
  return give(r, *r->want);
}

// ---- shape ---------------------------------------------------------------------------------
static const char *list(Rule *r, IrKey k, int n, const int64_t **v) {
  const IrAttr *t = attr(r, k);
  *v = t->i;
  if (t->n != n) FAIL("%s has %d entries, not %d", ir_key_name(k), t->n, n);
  return NULL;
}

// Axes strictly ascending, each one of t's.
static const char *ascending(Rule *r, const IrType *t) {
  const IrAttr *x = attr(r, A_AXES);
  for (int k = 0; k < x->n; k++)
    if (x->i[k] < (k ? x->i[k - 1] + 1 : 0) || x->i[k] >= t->rank)
      FAIL("axes must ascend and be axes of %s", text(r, t));
  return NULL;
}

static const char *axis(Rule *r, const IrType *t, int64_t *k) {
  *k = one(r, A_AXIS);
  if (*k < 0 || *k >= t->rank) FAIL("axis %lld is not one of %s", (long long)*k, text(r, t));
  return NULL;
}

static const char *flag(Rule *r, IrKey k) {
  int64_t v = one(r, k);
  if (v != 0 && v != 1) FAIL("%s is 0 or 1, not %lld", ir_key_name(k), (long long)v);
  return NULL;
}

static const char *ir_type_transpose(Rule *r) {
  const int64_t *p;
  IrType y = *X(0);
  unsigned seen = 0;
  TRY(list(r, A_AXES, y.rank, &p));
  for (int k = 0; k < y.rank; k++) {
    if (p[k] < 0 || p[k] >= y.rank || seen & 1u << p[k]) FAIL("axes are not a permutation");
    seen |= 1u << p[k];
    y.dim[k] = X(0)->dim[p[k]];
  }
  return give(r, y);
}

static const char *ir_type_broadcast(Rule *r) {
  const int64_t *p;
  const IrType *x = X(0);
  TRY(want(r));
  TRY(list(r, A_AXES, x->rank, &p));
  TRY(ascending(r, r->want));
  bool fits = x->dtype == r->want->dtype;
  for (int k = 0; k < x->rank; k++) fits = fits && x->dim[k] == r->want->dim[p[k]];
  if (!fits) FAIL("%s does not fit into %s along these axes", text(r, x), text(r, r->want));
  return give(r, *r->want);
}

static const char *ir_type_slice(Rule *r) {
  const int64_t *start, *limit, *stride;
  IrType y = *X(0);
  TRY(list(r, A_START, y.rank, &start));
  TRY(list(r, A_LIMIT, y.rank, &limit));
  TRY(list(r, A_STRIDE, y.rank, &stride));
  for (int k = 0; k < y.rank; k++) {
    if (start[k] < 0 || start[k] > limit[k] || limit[k] > y.dim[k] || stride[k] < 1)
      FAIL("slice %lld to %lld by %lld of axis %d of %s", (long long)start[k], (long long)limit[k],
           (long long)stride[k], k, text(r, X(0)));
    y.dim[k] = limit[k] > start[k] ? (limit[k] - start[k] - 1) / stride[k] + 1 : 0;
  }
  return give(r, y);
}

static bool moderate(int64_t v) { return v >= -((int64_t)1 << 44) && v <= (int64_t)1 << 44; }

static const char *ir_type_pad(Rule *r) {
  const int64_t *lo, *hi, *inner;
  IrType y = *X(0);
  TRY(list(r, A_LO, y.rank, &lo));
  TRY(list(r, A_HI, y.rank, &hi));
  TRY(list(r, A_INNER, y.rank, &inner));
  for (int k = 0; k < y.rank; k++) {
    int64_t between, d = y.dim[k];
    if (inner[k] < 0 || !moderate(lo[k]) || !moderate(hi[k]) || !moderate(inner[k]) ||
        __builtin_mul_overflow(d > 0 ? d - 1 : 0, inner[k], &between) || !moderate(between) ||
        lo[k] + d + between + hi[k] < 0)
      FAIL("pad %lld, %lld, %lld of axis %d of %s", (long long)lo[k], (long long)hi[k],
           (long long)inner[k], k, text(r, X(0)));
    y.dim[k] = lo[k] + d + between + hi[k];
  }
  return give(r, y);
}

static const char *ir_type_concat(Rule *r) {
  int64_t k;
  if (r->nin < 1) FAIL("concat of nothing");
  TRY(axis(r, X(0), &k));
  IrType y = *X(0);
  y.dim[k] = 0;
  for (int i = 0; i < r->nin; i++) {
    IrType t = *X(i);
    if (t.rank != y.rank) FAIL("operand %d is %s, the first %s", i + 1, text(r, X(i)), text(r, X(0)));
    t.dim[k] = y.dim[k];
    if (!ir_type_eq(&t, &y))
      FAIL("operand %d is %s, the first %s: they differ beyond axis %lld", i + 1, text(r, X(i)), text(r, X(0)), (long long)k);
    y.dim[k] += X(i)->dim[k];
  }
  return give(r, y);
}

static const char *ir_type_axes_same(Rule *r) {
  TRY(ascending(r, X(0)));
  return give(r, *X(0));
}

static const char *starts(Rule *r, int first, int rank) {
  if (r->nin != first + rank) FAIL("%d starts for %d axes", r->nin - first, rank);
  for (int k = first; k < r->nin; k++)
    if (X(k)->dtype != IR_I32 || X(k)->rank) FAIL("start %d is %s, not an i32", k - first, text(r, X(k)));
  return NULL;
}

static const char *ir_type_dyn_slice(Rule *r) {
  const int64_t *size;
  if (r->nin < 1) FAIL("dynamic_slice of nothing");
  IrType y = *X(0);
  TRY(starts(r, 1, y.rank));
  TRY(list(r, A_SIZES, y.rank, &size));
  for (int k = 0; k < y.rank; k++) {
    if (size[k] < 0 || size[k] > y.dim[k])
      FAIL("size %lld in axis %d of %s", (long long)size[k], k, text(r, X(0)));
    y.dim[k] = size[k];
  }
  return give(r, y);
}

static const char *ir_type_dyn_update(Rule *r) {
  if (r->nin < 2) FAIL("dynamic_update takes an array, an update and starts");
  TRY(starts(r, 2, X(0)->rank));
  bool fits = X(0)->rank == X(1)->rank && X(0)->dtype == X(1)->dtype;
  for (int k = 0; fits && k < X(0)->rank; k++) fits = X(1)->dim[k] <= X(0)->dim[k];
  if (!fits) FAIL("%s does not fit into %s", text(r, X(1)), text(r, X(0)));
  return give(r, *X(0));
}

// The type of x[b.., idx[b.., i..], r..].
static const char *gathered(Rule *r, IrType *y) {
  const IrType *x = X(0), *i = X(1);
  int64_t nb = one(r, A_BATCH);
  if (i->dtype != IR_I32) FAIL("indices are %s, not i32", text(r, i));
  if (nb < 0 || x->rank <= nb || i->rank < nb)
    FAIL("%lld leading axes of %s and %s", (long long)nb, text(r, x), text(r, i));
  if (i->rank + x->rank - 1 - nb > IR_MAX_RANK) FAIL("the result would have more than 8 axes");
  *y = ir_type(x->dtype, 0, NULL);
  for (int k = 0; k < i->rank; k++) {
    if (k < nb && i->dim[k] != x->dim[k])
      FAIL("leading axes of %s and %s differ", text(r, x), text(r, i));
    y->dim[y->rank++] = i->dim[k];
  }
  for (int k = (int)nb + 1; k < x->rank; k++) y->dim[y->rank++] = x->dim[k];
  return NULL;
}

static const char *ir_type_gather(Rule *r) {
  IrType y;
  TRY(gathered(r, &y));
  if (X(0)->dim[one(r, A_BATCH)] == 0 && ir_count(X(1)) > 0) FAIL("nothing to gather from: %s", text(r, X(0)));
  return give(r, y);
}

static const char *ir_type_scatter(Rule *r) {
  IrType u;
  int64_t mode = one(r, A_MODE);
  TRY(gathered(r, &u));
  if (!ir_type_eq(&u, X(2))) FAIL("the update is %s, not %s", text(r, X(2)), text(r, &u));
  if (mode < SCATTER_SET || mode > SCATTER_MIN) FAIL("mode %lld", (long long)mode);
  if (mode == SCATTER_ADD) TRY(kind(r, 0, is_number, "numbers to add"));
  if (mode >= SCATTER_MAX) TRY(kind(r, 0, is_real, "integers or floats to compare"));
  return give(r, *X(0));
}

// ---- reductions ------------------------------------------------------------------------------
static const char *reduced(Rule *r) {
  TRY(ascending(r, X(0)));
  const IrAttr *x = attr(r, A_AXES);
  IrType y = ir_type(X(0)->dtype, 0, NULL);
  for (int k = 0, j = 0; k < X(0)->rank; k++) {
    if (j < x->n && x->i[j] == k) j++;
    else y.dim[y.rank++] = X(0)->dim[k];
  }
  return give(r, y);
}

static const char *ir_type_reduce_num(Rule *r) {
  TRY(kind(r, 0, is_number, "numbers"));
  return reduced(r);
}

static const char *ir_type_reduce_real(Rule *r) {
  TRY(kind(r, 0, is_real, "integers or floats"));
  return reduced(r);
}

static const char *ir_type_reduce_bool(Rule *r) {
  TRY(kind(r, 0, is_bool, "bool"));
  return reduced(r);
}

static const char *ir_type_argreduce(Rule *r) {
  int64_t a;
  TRY(kind(r, 0, is_real, "integers or floats"));
  TRY(axis(r, X(0), &a));
  if (X(0)->dim[a] < 1) FAIL("axis %lld of %s is empty", (long long)a, text(r, X(0)));
  IrType y = ir_type(IR_I32, 0, NULL);
  for (int k = 0; k < X(0)->rank; k++)
    if (k != a) y.dim[y.rank++] = X(0)->dim[k];
  return give(r, y);
}

static const char *ir_type_cum_num(Rule *r) {
  int64_t a;
  TRY(kind(r, 0, is_number, "numbers"));
  TRY(axis(r, X(0), &a));
  TRY(flag(r, A_REVERSE));
  return give(r, *X(0));
}

static const char *ir_type_cum_real(Rule *r) {
  TRY(kind(r, 0, is_real, "integers or floats"));
  return ir_type_cum_num(r);
}

static const char *ir_type_argsort(Rule *r) {
  int64_t a;
  TRY(kind(r, 0, is_real, "integers or floats"));
  TRY(axis(r, X(0), &a));
  return as(r, IR_I32);
}

// ---- products ----------------------------------------------------------------------------------
static const char *ir_type_dot(Rule *r) {
  const IrType *x = X(0), *z = X(1);
  int64_t nb = one(r, A_BATCH);
  TRY(kind(r, 0, is_number, "numbers"));
  TRY(flag(r, A_TA));
  TRY(flag(r, A_TB));
  int ta = (int)one(r, A_TA), tb = (int)one(r, A_TB);
  if (nb < 0 || nb > IR_MAX_RANK - 2 || x->rank != nb + 2 || z->rank != nb + 2 || x->dtype != z->dtype)
    FAIL("%s and %s: dot takes equal dtypes and batch + 2 axes each", text(r, x), text(r, z));
  for (int k = 0; k < nb; k++)
    if (x->dim[k] != z->dim[k]) FAIL("batch axes of %s and %s differ", text(r, x), text(r, z));
  if (x->dim[nb + !ta] != z->dim[nb + tb]) FAIL("inner sizes of %s and %s differ", text(r, x), text(r, z));
  IrType y = *x;
  y.dim[nb] = x->dim[nb + ta];
  y.dim[nb + 1] = z->dim[nb + !tb];
  return give(r, y);
}

// x [n, h, w, c], z [kh, kw, c/g, o]  →  y [n, oh, ow, o]
static const char *convolved(Rule *r, const IrType *x, const IrType *z, IrType *y) {
  const int64_t *stride, *lo, *hi, *dilate;
  int64_t g = one(r, A_GROUPS);
  TRY(list(r, A_STRIDE, 2, &stride));
  TRY(list(r, A_LO, 2, &lo));
  TRY(list(r, A_HI, 2, &hi));
  TRY(list(r, A_DILATE, 2, &dilate));
  if (x->rank != 4 || z->rank != 4 || x->dtype != z->dtype || !is_number(x->dtype))
    FAIL("%s with %s: conv takes [n, h, w, c] and [kh, kw, c/groups, o] of one dtype", text(r, x), text(r, z));
  if (g < 1 || z->dim[3] % g || x->dim[3] % g || z->dim[2] != x->dim[3] / g)
    FAIL("%s with %s in %lld groups: channels do not fit", text(r, x), text(r, z), (long long)g);
  *y = *x;
  y->dim[3] = z->dim[3];
  for (int k = 0; k < 2; k++) {
    const int64_t most = (int64_t)1 << 31;
    int64_t kernel;
    if (stride[k] < 1 || stride[k] > most || dilate[k] < 1 || dilate[k] > most ||
        lo[k] < -most || lo[k] > most || hi[k] < -most || hi[k] > most || z->dim[k] < 1 ||
        __builtin_mul_overflow(z->dim[k] - 1, dilate[k], &kernel) || !moderate(kernel))
      FAIL("stride %lld, dilation %lld, padding %lld and %lld, kernel %lld", (long long)stride[k],
           (long long)dilate[k], (long long)lo[k], (long long)hi[k], (long long)z->dim[k]);
    int64_t room = x->dim[k + 1] + lo[k] + hi[k] - kernel - 1;
    y->dim[k + 1] = room < 0 ? 0 : room / stride[k] + 1;
  }
  return NULL;
}

static const char *ir_type_conv(Rule *r) {
  IrType y;
  TRY(convolved(r, X(0), X(1), &y));
  return give(r, y);
}

static const char *adjoint(Rule *r, const IrType *x, const IrType *z, const IrType *dy) {
  IrType y;
  TRY(convolved(r, x, z, &y));
  if (!ir_type_eq(&y, dy)) FAIL("the cotangent is %s, not %s", text(r, dy), text(r, &y));
  return give(r, *r->want);
}

static const char *ir_type_conv_dx(Rule *r) {
  TRY(want(r));
  return adjoint(r, r->want, X(1), X(0));
}

static const char *ir_type_conv_dw(Rule *r) {
  TRY(want(r));
  return adjoint(r, X(0), r->want, X(1));
}

// ---- linear algebra ---------------------------------------------------------------------------
static const char *ir_type_qr(Rule *r) {
  IrType t = *X(0);
  TRY(kind(r, 0, is_lapack, "f32 or f64"));
  if (t.rank < 2 || t.dim[t.rank - 2] < t.dim[t.rank - 1])
    FAIL("qr takes matrices with at least as many rows as columns, not %s", text(r, X(0)));
  TRY(give(r, t));
  t.dim[t.rank - 2] = t.dim[t.rank - 1];
  return give(r, t);
}

static const char *square(Rule *r) {
  const IrType *t = X(0);
  TRY(kind(r, 0, is_lapack, "f32 or f64"));
  if (t->rank < 2 || t->dim[t->rank - 2] != t->dim[t->rank - 1]) FAIL("%s is not square", text(r, t));
  return NULL;
}

static const char *ir_type_square(Rule *r) {
  TRY(square(r));
  return give(r, *X(0));
}

static const char *ir_type_lu(Rule *r) {
  TRY(ir_type_square(r));
  return give(r, ir_type(IR_I32, X(0)->rank - 1, X(0)->dim));
}

static bool is_spectral(IrDtype t) { return is_lapack(t) || ir_is_complex(t); }

static const char *spectral(Rule *r) {
  const IrType *t = X(0);
  TRY(kind(r, 0, is_spectral, "f32, f64, c64 or c128"));
  if (t->rank < 2 || t->dim[t->rank - 2] != t->dim[t->rank - 1]) FAIL("%s is not square", text(r, t));
  return NULL;
}

static const char *ir_type_eigh(Rule *r) {
  TRY(spectral(r));
  TRY(give(r, ir_type(ir_real_of(X(0)->dtype), X(0)->rank - 1, X(0)->dim)));
  return give(r, *X(0));
}

static const char *ir_type_svd(Rule *r) {
  IrType t = *X(0);
  TRY(kind(r, 0, is_lapack, "f32 or f64"));
  if (t.rank < 2 || t.dim[t.rank - 2] < t.dim[t.rank - 1])
    FAIL("svd takes matrices with at least as many rows as columns, not %s", text(r, X(0)));
  TRY(give(r, t));
  t.dim[t.rank - 2] = t.dim[t.rank - 1];
  TRY(give(r, ir_type(t.dtype, t.rank - 1, t.dim)));
  return give(r, t);
}

static const char *ir_type_eig(Rule *r) {
  TRY(spectral(r));
  IrType t = *X(0);
  t.dtype = t.dtype == IR_F32 || t.dtype == IR_C64 ? IR_C64 : IR_C128;
  TRY(give(r, ir_type(t.dtype, t.rank - 1, t.dim)));
  TRY(give(r, t));
  return give(r, t);
}

static const char *ir_type_fft(Rule *r) {
  TRY(kind(r, 0, ir_is_complex, "complex numbers"));
  TRY(flag(r, A_REVERSE));
  if (!X(0)->rank) FAIL("fft goes along the last axis, and %s has none", text(r, X(0)));
  return give(r, *X(0));
}

static const char *ir_type_trisolve(Rule *r) {
  const IrType *l = X(0), *x = X(1);
  TRY(square(r));
  TRY(flag(r, A_TA));
  bool fits = l->rank == x->rank && l->dtype == x->dtype;
  for (int k = 0; fits && k < l->rank - 1; k++) fits = l->dim[k] == x->dim[k];
  if (!fits) FAIL("%s and %s do not fit", text(r, l), text(r, x));
  return give(r, *x);
}

// ---- control --------------------------------------------------------------------------------------
static const char *is_type(Rule *r, const IrType *have, const IrType *need, const char *what, int k) {
  if (!ir_type_eq(have, need)) FAIL("%s %d is %s, not %s", what, k, text(r, have), text(r, need));
  return NULL;
}

static const char *counts(Rule *r, int which, int narg, int nyield) {
  const IrRegion *s = r->sub[which];
  if (narg >= 0 && s->narg != narg) FAIL("region %d has %d arguments, not %d", which + 1, s->narg, narg);
  if (nyield >= 0 && s->nyield != nyield) FAIL("region %d yields %d values, not %d", which + 1, s->nyield, nyield);
  return NULL;
}

static const char *takes(Rule *r, int which, int arg, int in, int n) {
  for (int k = 0; k < n; k++)
    TRY(is_type(r, &r->sub[which]->arg[arg + k]->type, X(in + k), "region argument", arg + k + 1));
  return NULL;
}

static const char *yields(Rule *r, int which, int yield, int in, int n) {
  for (int k = 0; k < n; k++)
    TRY(is_type(r, &r->sub[which]->yield[yield + k]->type, X(in + k), "yielded value", yield + k + 1));
  return NULL;
}

static const char *turns(Rule *r) {
  int64_t n = one(r, A_N);
  if (n < 0 || n > INT32_MAX) FAIL("%lld turns", (long long)n);
  return NULL;
}

// Operands from `first` on are arrays of n slices, handed to arguments 1 + first and on.
static const char *slices(Rule *r, int first) {
  int64_t n = one(r, A_N);
  TRY(counts(r, 0, 1 + r->nin, -1));
  IrType i32 = ir_scalar(IR_I32);
  TRY(is_type(r, &r->sub[0]->arg[0]->type, &i32, "region argument", 1));
  for (int k = first; k < r->nin; k++) {
    const IrType *x = X(k);
    if (x->rank < 1 || x->dim[0] != n) FAIL("operand %d is %s, not %lld slices", k + 1, text(r, x), (long long)n);
    IrType s = ir_type(x->dtype, x->rank - 1, x->dim + 1);
    TRY(is_type(r, &r->sub[0]->arg[1 + k]->type, &s, "region argument", k + 2));
  }
  return NULL;
}

static const char *stacked(Rule *r, int first) {
  for (int k = first; k < r->sub[0]->nyield; k++) {
    const IrType *y = &r->sub[0]->yield[k]->type;
    if (y->rank == IR_MAX_RANK) FAIL("yielded value %d has 8 axes already", k + 1);
    IrType t = ir_type(y->dtype, 1, (int64_t[]){one(r, A_N)});
    for (int i = 0; i < y->rank; i++) t.dim[t.rank++] = y->dim[i];
    TRY(give(r, t));
  }
  return NULL;
}

static const char *ir_type_scan(Rule *r) {
  int64_t nc = one(r, A_NCARRY);
  TRY(turns(r));
  TRY(flag(r, A_REVERSE));
  if (nc < 0 || nc > r->nin || nc > r->sub[0]->nyield)
    FAIL("%lld carries of %d operands and %d yielded values", (long long)nc, r->nin, r->sub[0]->nyield);
  TRY(slices(r, (int)nc));
  TRY(takes(r, 0, 1, 0, (int)nc));
  TRY(yields(r, 0, 0, 0, (int)nc));
  for (int k = 0; k < nc; k++) TRY(give(r, *X(k)));
  return stacked(r, (int)nc);
}

static const char *ir_type_map(Rule *r) {
  TRY(turns(r));
  TRY(slices(r, 0));
  return stacked(r, 0);
}

static const char *ir_type_while(Rule *r) {
  IrType truth = ir_scalar(IR_BOOL);
  TRY(counts(r, 0, r->nin, 1));
  TRY(counts(r, 1, r->nin, r->nin));
  TRY(takes(r, 0, 0, 0, r->nin));
  TRY(takes(r, 1, 0, 0, r->nin));
  TRY(is_type(r, &r->sub[0]->yield[0]->type, &truth, "yielded condition", 1));
  TRY(yields(r, 1, 0, 0, r->nin));
  for (int k = 0; k < r->nin; k++) TRY(give(r, *X(k)));
  return NULL;
}

static const char *ir_type_cond(Rule *r) {
  if (X(0)->dtype != IR_BOOL || X(0)->rank) FAIL("the condition is %s, not a bool", text(r, X(0)));
  TRY(counts(r, 0, 0, -1));
  TRY(counts(r, 1, 0, r->sub[0]->nyield));
  for (int k = 0; k < r->sub[0]->nyield; k++) {
    TRY(is_type(r, &r->sub[1]->yield[k]->type, &r->sub[0]->yield[k]->type, "second region's value", k + 1));
    TRY(give(r, r->sub[0]->yield[k]->type));
  }
  return NULL;
}

static const char *ir_type_remat(Rule *r) {
  TRY(counts(r, 0, 0, -1));
  for (int k = 0; k < r->sub[0]->nyield; k++) TRY(give(r, r->sub[0]->yield[k]->type));
  return NULL;
}

static const char *differentiated(Rule *r, int64_t *nx, int64_t *ny) {
  *nx = one(r, A_NX), *ny = one(r, A_NY);
  if (*nx < 0 || *nx > r->nin || *ny < 0 || *ny > r->sub[0]->nyield)
    FAIL("nx = %lld, ny = %lld with %d operands and %d yielded values", (long long)*nx, (long long)*ny, r->nin,
         r->sub[0]->nyield);
  TRY(counts(r, 0, (int)*nx, -1));
  return takes(r, 0, 0, 0, (int)*nx);
}

static const char *carry_tangents(Rule *r, int64_t nx, int64_t ny) {
  for (int k = 0; k < nx; k++) TRY(kind(r, k, ir_is_diff, "floats or complex numbers to differentiate"));
  for (int k = 0; k < ny; k++)
    if (!ir_is_diff(r->sub[0]->yield[k]->type.dtype))
      FAIL("yielded value %d is %s: it has no derivative", k + 1, text(r, &r->sub[0]->yield[k]->type));
  return NULL;
}

static const char *ir_type_vjp(Rule *r) {
  int64_t nx, ny;
  TRY(differentiated(r, &nx, &ny));
  TRY(carry_tangents(r, nx, ny));
  if (r->nin != nx + ny) FAIL("%d operands, not nx + ny", r->nin);
  TRY(yields(r, 0, 0, (int)nx, (int)ny));
  for (int k = 0; k < r->sub[0]->nyield; k++) TRY(give(r, r->sub[0]->yield[k]->type));
  for (int k = 0; k < nx; k++) TRY(give(r, *X(k)));
  return NULL;
}

static const char *ir_type_jvp(Rule *r) {
  int64_t nx, ny;
  TRY(differentiated(r, &nx, &ny));
  TRY(carry_tangents(r, nx, ny));
  if (r->nin != 2 * nx) FAIL("%d operands, not nx values and nx tangents", r->nin);
  for (int k = 0; k < nx; k++) TRY(is_type(r, X((int)nx + k), X(k), "tangent", k + 1));
  for (int k = 0; k < r->sub[0]->nyield; k++) TRY(give(r, r->sub[0]->yield[k]->type));
  for (int k = 0; k < ny; k++) TRY(give(r, r->sub[0]->yield[k]->type));
  return NULL;
}

static const char *ir_type_custom(Rule *r) {
  int64_t nx, ny;
  TRY(differentiated(r, &nx, &ny));
  if (r->nin != nx) FAIL("%d operands, not nx", r->nin);
  TRY(flag(r, A_EXACT));
  int64_t reads = nx + ny * one(r, A_EXACT);
  TRY(counts(r, 0, (int)nx, (int)ny));
  TRY(counts(r, 1, (int)(reads + ny), (int)nx));
  TRY(takes(r, 1, 0, 0, (int)nx));
  for (int k = 0; k < ny; k++) {
    const IrType *y = &r->sub[0]->yield[k]->type;
    if (reads > nx) TRY(is_type(r, &r->sub[1]->arg[nx + k]->type, y, "result", k + 1));
    TRY(is_type(r, &r->sub[1]->arg[reads + k]->type, y, "cotangent", k + 1));
    TRY(give(r, *y));
  }
  return yields(r, 1, 0, 0, (int)nx);
}

// ---- all ops --------------------------------------------------------------------------------------
static const char *(*const rule[IR_NCODE])(Rule *) = {
#define OP(code, name, nin, nout, attrs, type, eval, jvp, transpose, batch, lower, doc) ir_type_##type,
#include "ir/ops.def"
#undef OP
};

int ir_nregion(IrCode code) {
  switch (code) {
    case IR_WHILE: case IR_COND: case IR_CUSTOM: return 2;
    case IR_SCAN: case IR_MAP: case IR_REMAT: case IR_VJP: case IR_JVP: return 1;
    default: return 0;
  }
}

bool ir_key_is_list(IrKey k) {
  switch (k) {
    case A_AXES: case A_START: case A_LIMIT: case A_STRIDE: case A_LO: case A_HI: case A_INNER:
    case A_SIZES: case A_DILATE: return true;
    default: return false;
  }
}

// Exactly the attributes of the table's row, each once; a name may be added to any op.
static const char *attributes(Rule *r) {
  uint32_t seen = 0, need = ir_info[r->code].attrs;
  for (int i = 0; i < r->nattr; i++) {
    const IrAttr *t = &r->attr[i];
    if ((int)t->key < 0 || t->key >= A_NKEY) FAIL("no such attribute");
    const char *name = ir_key_name(t->key);
    if (seen & 1u << t->key) FAIL("attribute %s is given twice", name);
    seen |= 1u << t->key;
    if (t->key == A_NAME) continue;
    if (!(need & 1u << t->key)) FAIL("there is no attribute %s", name);
    if (t->n < 0 || (t->n > 0 && !t->i)) FAIL("attribute %s is broken", name);
    if (t->key != A_DATA && !ir_key_is_list(t->key) && t->n != 1) FAIL("attribute %s is one number", name);
  }
  for (int k = 0; k < A_NKEY; k++)
    if (need & ~seen & 1u << k) FAIL("attribute %s is missing", ir_key_name((IrKey)k));
  return NULL;
}

static const char *complete(Rule *r, int nregion) {
  for (int k = 0; k < r->nin; k++)
    if (!r->in[k]) FAIL("operand %d is missing", k + 1);
  if (nregion != ir_nregion(r->code)) FAIL("takes %d regions, not %d", ir_nregion(r->code), nregion);
  for (int k = 0; k < nregion; k++)
    if (!r->sub[k]) FAIL("region %d is missing", k + 1);
  return NULL;
}

int ir_most_out(IrCode code, int nin, int nregion, IrRegion *const *sub) {
  if (ir_info[code].nout >= 0) return ir_info[code].nout;
  int most = nin;
  for (int k = 0; k < nregion; k++) most += 2 * sub[k]->nyield;
  return most;
}

const char *ir_infer(Arena *a, IrCode code, int nin, IrValue *const *in, const IrType *want_, int nattr,
                     const IrAttr *attr_, int nregion, IrRegion *const *sub, IrType *out, int *nout) {
  ICE_IF((int)code < 0 || code >= IR_NCODE, "op code %d", (int)code);
  const IrInfo *info = &ir_info[code];
  Rule rule_ = {a, info->name, code, nin, nattr, in, want_, attr_, sub, out, 0}, *r = &rule_;
  if (nin < 0 || (info->nin >= 0 && nin != info->nin)) FAIL("takes %d operands, not %d", info->nin, nin);
  TRY(complete(r, nregion));
  TRY(attributes(r));
  for (int k = 0, n = nin; k < nregion; k++)
    if ((n += sub[k]->nyield + sub[k]->narg) > IR_MAX_OUT) FAIL("more than %d operands and values", IR_MAX_OUT);
  TRY(rule[code](r));
  *nout = r->nout;
  return NULL;
}
