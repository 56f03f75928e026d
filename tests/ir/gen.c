#include "tests/ir/gen.h"

#include "ir/number.h"

#include <math.h>
#include <string.h>

#define MOST 600        // elements of a value
#define TAME 64.0       // floats beyond are brought back by tanh

typedef struct Gen {
  Arena *arena;
  uint64_t s;
  const GenOptions *o;
  IrDtype real;
  IrGraph *g;
  IrBuilder b;
  VEC(IrValue *) pool;  // what may be used here
  VEC(double) bound;    // by value id: no |x| is greater
  VEC(bool) used;       // by value id: picked already
  int depth;
} Gen;

// ---- chance ------------------------------------------------------------------------------
uint64_t gen_next(uint64_t *state) {
  uint64_t z = *state += 0x9e3779b97f4a7c15;
  z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
  z = (z ^ z >> 27) * 0x94d049bb133111eb;
  return z ^ z >> 31;
}

int64_t gen_below(uint64_t *state, int64_t n) { return (int64_t)(gen_next(state) % (uint64_t)n); }

static int below(Gen *g, int n) { return (int)gen_below(&g->s, n); }
static bool chance(Gen *g, int percent) { return below(g, 100) < percent; }
static bool may(const Gen *g, unsigned kind) { return g->o->kinds & kind; }

// ---- values and their bounds ----------------------------------------------------------------
static double bound(const Gen *g, const IrValue *v) { return v->id < g->bound.n ? g->bound.at[v->id] : 1e30; }

static void set_bound(Gen *g, const IrValue *v, double b) {
  while (g->bound.n <= v->id) vec_push(g->arena, &g->bound, 1e30);
  g->bound.at[v->id] = b;
}

static IrValue *bounded(Gen *g, IrValue *v, double b) {
  set_bound(g, v, b);
  return v;
}

static IrValue *fill(Gen *g, IrType t, double v) { return bounded(g, ir_fill(&g->b, t, v), fabs(v)); }

// v brought below `most`: floats by tanh, complex numbers by a factor.
static IrValue *tamed(Gen *g, IrValue *v, double most) {
  if (!ir_is_diff(v->type.dtype) || bound(g, v) <= most) return v;
  if (ir_is_float(v->type.dtype)) return bounded(g, ir_un(&g->b, IR_TANH, v), 1);
  return bounded(g, ir_bin(&g->b, IR_MUL, v, fill(g, v->type, most / bound(g, v))), most);
}

static void push(Gen *g, IrValue *v) { vec_push(g->arena, &g->pool, v); }

// Takes a new result into the pool.
static bool put(Gen *g, IrValue *v, double b) {
  set_bound(g, v, b);
  push(g, tamed(g, v, TAME));
  return true;
}

static IrValue *positive(Gen *g, IrValue *v, double least) {
  IrValue *a = bounded(g, ir_un(&g->b, IR_ABS, v), bound(g, v));
  return bounded(g, ir_bin(&g->b, IR_ADD, a, fill(g, a->type, least)), bound(g, v) + least);
}

// A complex number about (3, 0), away from zero and from the branch cut.
static IrValue *right_half(Gen *g, IrValue *v) {
  v = tamed(g, v, 1);
  return bounded(g, ir_bin(&g->b, IR_ADD, v, fill(g, v->type, 3)), 4);
}

// ---- picking ------------------------------------------------------------------------------------
typedef bool Fits(const IrType *t);
static bool fits_any(const IrType *t) { return ir_count(t) <= MOST; }
static bool fits_float(const IrType *t) { return ir_is_float(t->dtype); }
static bool fits_int(const IrType *t) { return ir_is_int(t->dtype); }
static bool fits_bits(const IrType *t) { return ir_is_int(t->dtype) || t->dtype == IR_BOOL; }
static bool fits_number(const IrType *t) { return t->dtype != IR_BOOL; }
static bool fits_complex(const IrType *t) { return ir_is_complex(t->dtype); }
static bool fits_real(const IrType *t) { return ir_is_int(t->dtype) || ir_is_float(t->dtype); }
static bool fits_bool(const IrType *t) { return t->dtype == IR_BOOL; }
static bool fits_axes(const IrType *t) { return t->rank >= 1 && ir_count(t) > 0; }
static bool fits_real_axes(const IrType *t) { return fits_real(t) && fits_axes(t); }
static bool fits_number_axes(const IrType *t) { return fits_number(t) && fits_axes(t); }
static bool fits_matrix(const IrType *t) { return fits_number(t) && t->rank >= 2; }
static bool fits_complex_part(const IrType *t) { return t->dtype == IR_F32 || t->dtype == IR_F64; }
static bool fits_predicate(const IrType *t) { return t->dtype == IR_BOOL && t->rank == 0; }

static bool is_used(const Gen *g, const IrValue *v) { return v->id < g->used.n && g->used.at[v->id]; }

static IrValue *use(Gen *g, IrValue *v) {
  while (g->used.n <= v->id) vec_push(g->arena, &g->used, false);
  g->used.at[v->id] = true;
  return v;
}

// The latest value nothing uses yet, half of the time: little of the graph should be dead.
// Otherwise late values are likelier, so that graphs grow deep.
static IrValue *pick(Gen *g, Fits *fits) {
  int n = g->pool.n;
  for (int k = n - 1; k >= 0 && chance(g, 95); k--)
    if (!is_used(g, g->pool.at[k]) && fits(&g->pool.at[k]->type) && chance(g, 50)) return use(g, g->pool.at[k]);
  for (int k = 0; k < 6; k++) {
    int from = chance(g, 60) && n > 6 ? n - 6 : 0;
    IrValue *v = g->pool.at[from + below(g, n - from)];
    if (fits(&v->type)) return use(g, v);
  }
  for (int k = below(g, n), i = 0; i < n; i++)
    if (fits(&g->pool.at[(k + i) % n]->type)) return use(g, g->pool.at[(k + i) % n]);
  return NULL;
}

static IrDtype some_dtype(Gen *g) {
  static const IrDtype bits[] = {IR_I32, IR_I32, IR_BOOL, IR_I8, IR_I16, IR_I64, IR_U8, IR_U32, IR_U64};
  static const IrDtype floats[] = {IR_BF16, IR_F32, IR_F64};
  if (may(g, GEN_INTS) && chance(g, 25)) return bits[below(g, 9)];
  if (may(g, GEN_COMPLEX) && chance(g, 12)) return g->real == IR_F64 ? IR_C128 : IR_C64;
  if (may(g, GEN_MIXED) && chance(g, 20)) return floats[below(g, 3)];
  return g->real;
}

static IrType some_type(Gen *g, IrDtype d) {
  static const int64_t size[] = {1, 2, 3, 4, 5, 7, 8, 9};
  IrType t = ir_type(d, 0, NULL);
  int rank = below(g, 4);
  while (t.rank < rank) t.dim[t.rank++] = size[below(g, 8)];
  return t;
}

static void some_element(uint64_t *s, IrDtype t, unsigned char *at) {
  IrNumber x = {(double)gen_below(s, 4001) / 1000 - 2, (double)gen_below(s, 4001) / 1000 - 2, gen_below(s, 13) - 4};
  if (!ir_is_signed(t) && x.i < 0) x.i = -x.i;
  if (t == IR_BOOL) x.i &= 1;
  ir_store(t, at, x);
}

static IrValue *constant(Gen *g, IrType t) {
  int64_t n = ir_count(&t), size = ir_dtype_bytes(t.dtype);
  if (n > 1 && chance(g, 30)) n = 1;
  unsigned char *data = arena_alloc(g->arena, (size_t)(n * size + 1));
  for (int64_t k = 0; k < n; k++) some_element(&g->s, t.dtype, data + k * size);
  return bounded(g, ir_const(&g->b, t, data, (size_t)(n * size)), 3);
}

// v in this type, if that takes no more than a change of shape or dtype; else NULL.
static IrValue *as_type(Gen *g, IrValue *v, const IrType *t) {
  if (ir_type_eq(&v->type, t)) return v;
  if (v->type.dtype != t->dtype) return NULL;
  if (ir_count(&v->type) == ir_count(t)) return bounded(g, ir_reshape(&g->b, v, t->rank, t->dim), bound(g, v));
  return v->type.rank ? NULL : bounded(g, ir_spread(&g->b, v, t->rank, t->dim), bound(g, v));
}

// A value of exactly this type other than `not`: of the pool, unused ones first, or made from
// one, or new.
static IrValue *of_type_not(Gen *g, IrType t, const IrValue *not) {
  int n = g->pool.n;
  for (int pass = chance(g, 20); pass < 2 && chance(g, 95); pass++)
    for (int k = pass ? below(g, n) : n - 1, i = 0; i < n; i++) {
      IrValue *v = g->pool.at[(k + (pass ? i : n - i)) % n];
      if (v == not || (!pass && is_used(g, v)) || chance(g, 20)) continue;
      IrValue *y = as_type(g, v, &t);
      if (y) return use(g, v), y;
    }
  return constant(g, t);
}

static IrValue *of_type(Gen *g, IrType t) { return of_type_not(g, t, NULL); }

static IrValue *indices(Gen *g, IrType t, int64_t n) {
  int64_t count = ir_count(&t);
  int32_t *at = arena_array(g->arena, int32_t, count + 1);
  for (int64_t k = 0; k < count; k++) at[k] = (int32_t)gen_below(&g->s, n + 3) - 1;
  return bounded(g, ir_const(&g->b, t, at, sizeof *at * (size_t)count), (double)n + 3);
}

// ---- elementwise ---------------------------------------------------------------------------------
static bool jumps(IrCode c) {
  return c == IR_SIGN || c == IR_FLOOR || c == IR_CEIL || c == IR_ROUND || c == IR_MOD || (c >= IR_EQ && c <= IR_GE);
}

static bool allowed(const Gen *g, IrCode c, const IrType *t) {
  return !jumps(c) || !ir_is_diff(t->dtype) || may(g, GEN_JUMPS);
}

static bool emit_unary(Gen *g, IrCode c, Fits *fits) {
  IrValue *x = pick(g, fits);
  if (!x || !allowed(g, c, &x->type)) return false;
  bool cx = ir_is_complex(x->type.dtype);
  double b = 0;
  switch (c) {
    case IR_EXP: case IR_EXPM1: x = tamed(g, x, 3); b = 21; break;
    case IR_LOG: case IR_SQRT: case IR_RSQRT: x = cx ? right_half(g, x) : positive(g, x, 0.1); b = bound(g, x) + 4; break;
    case IR_LOG1P: x = positive(g, x, 0); break;
    case IR_ERFINV: x = tamed(g, x, 0.5); x = ir_bin(&g->b, IR_MUL, x, fill(g, x->type, 0.9)); b = 2; break;
    case IR_LGAMMA: case IR_DIGAMMA: x = positive(g, x, 0.5); b = pow(bound(g, x), 2) + 5; break;
    case IR_TANH: case IR_SIGMOID: case IR_SIN: case IR_COS: case IR_ERF: case IR_SIGN: b = 1; break;
    default: break;
  }
  return put(g, ir_un(&g->b, c, x), b > 0 ? b : bound(g, x) + 1);
}

static bool emit_polygamma(Gen *g) {
  IrValue *x = pick(g, fits_float);
  if (!x) return false;
  x = positive(g, x, 0.5);
  IrAttr n = ir_attr_int(g->arena, A_N, 1 + below(g, 3));
  return put(g, ir_build(&g->b, IR_POLYGAMMA, 1, &x, NULL, 1, &n, 0, NULL)->out[0], 98);   // of order 3 at 0.5
}

static bool emit_binary(Gen *g, IrCode c, Fits *fits) {
  IrValue *x = pick(g, fits), *y;
  if (!x || !allowed(g, c, &x->type)) return false;
  y = of_type_not(g, x->type, chance(g, 95) ? x : NULL);
  bool cx = ir_is_complex(x->type.dtype), f = ir_is_float(x->type.dtype);
  double b = bound(g, x) + bound(g, y);
  if (c == IR_MUL) b = 2 * bound(g, x) * bound(g, y);
  if (c == IR_ATAN2) y = positive(g, y, 0.5);
  if (c == IR_POW) x = positive(g, tamed(g, x, 3), 0.1), y = tamed(g, y, 2), b = 20;
  if ((c == IR_DIV || c == IR_MOD) && (f || cx)) {
    y = cx ? right_half(g, y) : positive(g, y, 0.5);
    b = 2 * bound(g, x) + bound(g, y);
  }
  return put(g, ir_bin(&g->b, c, x, y), b);
}

static bool emit_threefry(Gen *g) {
  IrType t = some_type(g, IR_U64);
  IrValue *key = of_type(g, t);
  return put(g, ir_bin(&g->b, IR_THREEFRY, key, of_type(g, t)), 0);
}

static bool emit_select(Gen *g) {
  IrValue *x = pick(g, fits_any);
  if (!x) return false;
  IrType t = x->type;
  t.dtype = IR_BOOL;
  IrValue *c = of_type(g, t), *y = of_type(g, x->type);
  return put(g, ir_select(&g->b, c, x, y), fmax(bound(g, x), bound(g, y)));
}

static bool emit_cast(Gen *g, IrCode c) {
  IrValue *x = pick(g, fits_any);
  IrDtype to = some_dtype(g);
  if (!x || x->type.dtype == to) return false;
  bool leaves = ir_is_diff(x->type.dtype) && !ir_is_diff(to);
  if (leaves && !may(g, GEN_JUMPS)) return false;
  if (c == IR_CAST) return put(g, ir_cast(&g->b, x, to), ir_is_diff(x->type.dtype) ? bound(g, x) : 2e19);
  IrType t = x->type;
  t.dtype = to;
  if (ir_is_diff(to) || to == IR_BOOL || ir_dtype_bytes(to) != ir_dtype_bytes(x->type.dtype)) return false;
  return put(g, ir_build(&g->b, IR_BITCAST, 1, &x, &t, 0, NULL, 0, NULL)->out[0], 0);
}

static bool fits_scalar(const IrType *t) { return !t->rank; }

static bool emit_after(Gen *g) {
  IrValue *x = pick(g, fits_any), *late = pick(g, fits_scalar);
  return x && late && put(g, ir_bin(&g->b, IR_AFTER, x, late), bound(g, x));
}

static bool emit_complex(Gen *g) {
  IrValue *x = pick(g, fits_complex_part);
  if (!x || !may(g, GEN_COMPLEX)) return false;
  IrValue *y = of_type(g, x->type);
  return put(g, ir_bin(&g->b, IR_COMPLEX, x, y), bound(g, x) + bound(g, y));
}

// ---- shape --------------------------------------------------------------------------------------------
// Flat; or an axis of size 1 more; or an even axis in two; or the first two axes in one.
static bool emit_reshape(Gen *g) {
  IrValue *x = pick(g, fits_any);
  if (!x || x->type.rank > 4) return false;
  IrType t = x->type;
  int way = below(g, 4), at = below(g, t.rank + 1);
  if (way == 0) t = ir_type(t.dtype, 1, (int64_t[]){ir_count(&t)});
  else if (way == 3) {
    if (t.rank < 2) return false;
    t.dim[1] *= t.dim[0];
    memmove(t.dim, t.dim + 1, sizeof *t.dim * (size_t)--t.rank);
  } else {
    if (way == 2 && (at == t.rank || t.dim[at] % 2)) return false;
    memmove(t.dim + at + 1, t.dim + at, sizeof *t.dim * (size_t)(t.rank++ - at));
    t.dim[at] = way;
    if (way == 2) t.dim[at + 1] /= 2;
  }
  return put(g, ir_reshape(&g->b, x, t.rank, t.dim), bound(g, x));
}

static bool emit_transpose(Gen *g) {
  IrValue *x = pick(g, fits_axes);
  int64_t p[IR_MAX_RANK];
  if (!x) return false;
  for (int k = 0; k < x->type.rank; k++) {
    int j = below(g, k + 1);
    p[k] = p[j];
    p[j] = k;
  }
  return put(g, ir_transpose(&g->b, x, p), bound(g, x));
}

static bool emit_broadcast(Gen *g) {
  IrValue *x = pick(g, fits_any);
  if (!x || x->type.rank > 4) return false;
  IrType t = ir_type(x->type.dtype, 0, NULL);
  int64_t axes[IR_MAX_RANK];
  for (int k = 0; k <= x->type.rank; k++) {
    if (chance(g, 50)) t.dim[t.rank++] = 1 + below(g, 4);
    if (k < x->type.rank) axes[k] = t.rank, t.dim[t.rank++] = x->type.dim[k];
    if (t.rank > 5) return false;
  }
  return ir_count(&t) <= MOST && put(g, ir_broadcast(&g->b, x, t, axes), bound(g, x));
}

static bool emit_slice(Gen *g) {
  IrValue *x = pick(g, fits_axes);
  int64_t start[IR_MAX_RANK], limit[IR_MAX_RANK], stride[IR_MAX_RANK];
  if (!x) return false;
  for (int k = 0; k < x->type.rank; k++) {
    start[k] = chance(g, 50) ? 0 : gen_below(&g->s, x->type.dim[k]);
    limit[k] = start[k] + 1 + gen_below(&g->s, x->type.dim[k] - start[k]);
    stride[k] = 1 + (chance(g, 30) ? below(g, 3) : 0);
  }
  return put(g, ir_slice(&g->b, x, start, limit, stride), bound(g, x));
}

static bool emit_pad(Gen *g) {
  IrValue *x = pick(g, fits_axes);
  int64_t lo[IR_MAX_RANK], hi[IR_MAX_RANK], inner[IR_MAX_RANK];
  if (!x || 8 * ir_count(&x->type) > MOST) return false;
  for (int k = 0; k < x->type.rank; k++) {
    int least = x->type.dim[k] > 2 ? -1 : 0;
    lo[k] = least + below(g, 3);
    hi[k] = least + below(g, 3);
    inner[k] = chance(g, 20);
  }
  IrValue *y = ir_pad(&g->b, x, lo, hi, inner);
  return ir_count(&y->type) <= MOST && put(g, y, bound(g, x));
}

static bool emit_concat(Gen *g) {
  IrValue *x[3] = {pick(g, fits_axes)};
  if (!x[0] || 3 * ir_count(&x[0]->type) > MOST) return false;
  int n = 1 + below(g, 3), axis = below(g, x[0]->type.rank);
  double b = bound(g, x[0]);
  for (int k = 1; k < n; k++) {
    x[k] = of_type(g, x[0]->type);
    b = fmax(b, bound(g, x[k]));
  }
  return put(g, ir_concat(&g->b, n, x, axis), b);
}

// Some of the axes, ascending.
static int some_axes(Gen *g, const IrType *t, int64_t *axes) {
  int n = 0;
  for (int k = 0; k < t->rank; k++)
    if (chance(g, 50)) axes[n++] = k;
  return n;
}

static bool emit_reverse(Gen *g) {
  IrValue *x = pick(g, fits_axes);
  int64_t axes[IR_MAX_RANK];
  if (!x) return false;
  int n = some_axes(g, &x->type, axes);
  return put(g, ir_reduce(&g->b, IR_REVERSE, x, n, axes), bound(g, x));
}

static bool emit_dynamic(Gen *g, IrCode c) {
  IrValue *x = pick(g, fits_axes), *in[IR_MAX_RANK + 2];
  int64_t size[IR_MAX_RANK];
  int n = 0;
  if (!x) return false;
  in[n++] = x;
  for (int k = 0; k < x->type.rank; k++) size[k] = 1 + gen_below(&g->s, x->type.dim[k]);
  if (c == IR_DYN_UPDATE) in[n++] = of_type(g, ir_type(x->type.dtype, x->type.rank, size));
  for (int k = 0; k < x->type.rank; k++)
    in[n++] = chance(g, 50) ? of_type(g, ir_scalar(IR_I32)) : indices(g, ir_scalar(IR_I32), x->type.dim[k]);
  IrAttr t = ir_attr_ints(g->arena, A_SIZES, x->type.rank, size);
  IrOp *op = ir_build(&g->b, c, n, in, NULL, c == IR_DYN_SLICE, &t, 0, NULL);
  return put(g, op->out[0], c == IR_DYN_SLICE ? bound(g, x) : fmax(bound(g, x), bound(g, in[1])));
}

// idx[b.., i..] for x[b.., n, r..]
static IrValue *some_indices(Gen *g, const IrType *x, int nb) {
  IrType t = ir_type(IR_I32, nb, x->dim);
  for (int more = below(g, 3); more > 0; more--) t.dim[t.rank++] = 1 + below(g, 4);
  int64_t n = ir_count(x) / x->dim[nb] * ir_count(&t);
  return n > MOST || x->rank + t.rank > IR_MAX_RANK ? NULL : indices(g, t, x->dim[nb]);
}

static bool emit_gather(Gen *g) {
  IrValue *x = pick(g, fits_axes);
  if (!x) return false;
  int nb = chance(g, 30) ? below(g, x->type.rank) : 0;
  IrValue *i = some_indices(g, &x->type, nb);
  return i && put(g, ir_gather(&g->b, x, i, nb), bound(g, x));
}

static bool emit_scatter(Gen *g) {
  IrValue *x = pick(g, fits_real_axes);
  if (!x) return false;
  int nb = chance(g, 30) ? below(g, x->type.rank) : 0;
  IrValue *i = some_indices(g, &x->type, nb);
  if (!i) return false;
  IrType t = ir_type(x->type.dtype, i->type.rank, i->type.dim);
  for (int k = nb + 1; k < x->type.rank; k++) t.dim[t.rank++] = x->type.dim[k];
  IrValue *u = of_type(g, t);
  return put(g, ir_scatter(&g->b, x, i, u, nb, (IrScatter)below(g, 4)), bound(g, x) + bound(g, u) * (double)ir_count(&i->type));
}

// ---- reductions and products -------------------------------------------------------------------------------
static bool emit_reduce(Gen *g, IrCode c) {
  bool whole = c == IR_ALL || c == IR_ANY, order = c == IR_RMAX || c == IR_RMIN;
  IrValue *x = pick(g, whole ? fits_bool : order ? fits_real_axes : fits_number);
  int64_t axes[IR_MAX_RANK];
  if (!x) return false;
  if (c == IR_PROD) x = tamed(g, x, 1);
  int n = some_axes(g, &x->type, axes);
  return put(g, ir_reduce(&g->b, c, x, n, axes), c == IR_SUM ? bound(g, x) * (double)ir_count(&x->type) : bound(g, x));
}

static bool emit_along(Gen *g, IrCode c) {
  bool order = c == IR_ARGMAX || c == IR_ARGMIN || c == IR_ARGSORT;
  IrValue *x = pick(g, c == IR_CUMSUM || c == IR_CUMPROD ? fits_number_axes : fits_real_axes);
  if (!x || (order && ir_is_float(x->type.dtype) && !may(g, GEN_JUMPS))) return false;
  if (c == IR_CUMPROD) x = tamed(g, x, 1);
  int axis = below(g, x->type.rank);
  IrAttr t[2] = {ir_attr_int(g->arena, A_AXIS, axis), ir_attr_int(g->arena, A_REVERSE, chance(g, 40))};
  IrOp *op = ir_build(&g->b, c, 1, &x, NULL, order ? 1 : 2, t, 0, NULL);
  return put(g, op->out[0], bound(g, x) * (double)x->type.dim[axis]);
}

static bool emit_dot(Gen *g) {
  IrValue *x = pick(g, fits_matrix);
  if (!x || x->type.rank > 4) return false;
  int nb = x->type.rank - 2;
  bool ta = chance(g, 40), tb = chance(g, 40);
  IrType t = x->type;
  int64_t inner = t.dim[nb + !ta], n = 1 + below(g, 6);
  t.dim[nb] = tb ? n : inner;
  t.dim[nb + 1] = tb ? inner : n;
  IrValue *y = of_type(g, t);
  return put(g, ir_dot(&g->b, x, y, nb, ta, tb), 2 * bound(g, x) * bound(g, y) * (double)inner);
}

static bool emit_conv(Gen *g, IrCode c) {
  if (!may(g, GEN_CONV)) return false;
  int64_t groups = 1 + below(g, 2), per = 1 + below(g, 2), v[4][2];
  IrType x = ir_type(g->real, 4, (int64_t[]){1 + below(g, 2), 2 + below(g, 4), 2 + below(g, 4), groups * per});
  IrType z = ir_type(g->real, 4, (int64_t[]){1 + below(g, 2), 1 + below(g, 3), per, groups * (1 + below(g, 2))});
  for (int k = 0; k < 2; k++) v[0][k] = 1 + below(g, 2), v[1][k] = below(g, 3) - 1, v[2][k] = below(g, 3), v[3][k] = 1 + below(g, 2);
  IrAttr t[5] = {ir_attr_ints(g->arena, A_STRIDE, 2, v[0]), ir_attr_ints(g->arena, A_LO, 2, v[1]), ir_attr_ints(g->arena, A_HI, 2, v[2]),
                 ir_attr_ints(g->arena, A_DILATE, 2, v[3]), ir_attr_int(g->arena, A_GROUPS, groups)};
  IrValue *in[3] = {of_type(g, x), of_type(g, z), NULL};
  double b = bound(g, in[0]) * bound(g, in[1]) * 24;
  IrOp *conv = ir_build(&g->b, IR_CONV, 2, in, NULL, 5, t, 0, NULL);
  set_bound(g, conv->out[0], b);
  if (c == IR_CONV) return put(g, conv->out[0], b);
  in[2] = tamed(g, conv->out[0], 1);
  if (ir_count(&in[2]->type) == 0) return false;
  IrValue *dx[2] = {in[2], in[1]}, *dw[2] = {in[0], in[2]};
  IrOp *op = ir_build(&g->b, c, 2, c == IR_CONV_DX ? dx : dw, c == IR_CONV_DX ? &x : &z, 5, t, 0, NULL);
  return put(g, op->out[0], 200 * fmax(bound(g, in[0]), bound(g, in[1])));
}

// ---- linear algebra: of well-conditioned matrices -----------------------------------------------------------
// a x x^T + 2 on the diagonal (square), or a x + 2 there.
static IrValue *regular(Gen *g, IrValue *x, bool square) {
  int nb = x->type.rank - 2;
  x = tamed(g, x, 1);
  IrValue *y = square ? ir_dot(&g->b, x, x, nb, false, true) : ir_bin(&g->b, IR_MUL, x, fill(g, x->type, 0.2));
  IrType m = ir_type(y->type.dtype, 2, y->type.dim + nb);
  int64_t n = ir_count(&m), size = ir_dtype_bytes(m.dtype);
  unsigned char *data = arena_alloc(g->arena, (size_t)(n * size));
  for (int64_t k = 0; k < m.dim[0] && k < m.dim[1]; k++)
    ir_store(m.dtype, data + (k * m.dim[1] + k) * size, (IrNumber){2, 0, 0});
  IrValue *eye = ir_const(&g->b, m, data, (size_t)(n * size));
  y = ir_bin(&g->b, IR_ADD, y, ir_spread(&g->b, eye, y->type.rank, y->type.dim));
  return bounded(g, y, 2 + (double)x->type.dim[nb + 1]);
}

// Results that rounding does not turn: the values, and what the factors make together.
static bool emit_spectrum(Gen *g, IrCode c, IrValue *a) {
  int nb = a->type.rank - 2, last = nb + 1;
  if (c != IR_SVD && a->type.dim[nb] != a->type.dim[last]) return false;
  IrOp *op = ir_build(&g->b, c, 1, &a, NULL, 0, NULL, 0, NULL);
  if (c == IR_LU || c == IR_EIG) return put(g, op->out[0], 20);
  return put(g, op->out[c == IR_SVD], 20);
}

static bool emit_fft(Gen *g) {
  if (!may(g, GEN_LINALG)) return false;
  IrValue *x = pick(g, fits_complex);
  if (!x || !x->type.rank) return false;
  IrAttr at = ir_attr_int(g->arena, A_REVERSE, chance(g, 50));
  return put(g, ir_build(&g->b, IR_FFT, 1, &x, NULL, 1, &at, 0, NULL)->out[0], bound(g, x) * (double)x->type.dim[x->type.rank - 1] * 1.5);
}

static bool emit_linalg(Gen *g, IrCode c) {
  if (!may(g, GEN_LINALG)) return false;
  int64_t d[4] = {2, 1 + below(g, 4), 1 + below(g, 4), 1 + below(g, 3)};
  if ((c == IR_QR || c == IR_SVD) && d[1] < d[2]) return false;
  int batch = chance(g, 40);
  IrDtype real = g->real == IR_BF16 ? IR_F32 : g->real;
  IrValue *x = of_type(g, ir_type(real, 2 + batch, batch ? d : d + 1));
  IrValue *a = regular(g, x, c != IR_QR && c != IR_SVD && c != IR_EIG);
  if (c == IR_LU || c == IR_EIG || c == IR_EIGH || c == IR_SVD) return emit_spectrum(g, c, a);
  if (c == IR_QR) {
    IrOp *op = ir_build(&g->b, IR_QR, 1, &a, NULL, 0, NULL, 0, NULL);
    return put(g, op->out[0], 1) && put(g, op->out[1], 10);
  }
  IrValue *l = bounded(g, ir_un(&g->b, IR_CHOLESKY, a), 4);
  if (c == IR_CHOLESKY) return put(g, l, 4);
  IrType t = l->type;
  t.dim[t.rank - 1] = d[3];
  IrValue *in[2] = {l, of_type(g, t)};
  IrAttr ta = ir_attr_int(g->arena, A_TA, chance(g, 50));
  IrOp *op = ir_build(&g->b, IR_TRISOLVE, 2, in, NULL, 1, &ta, 0, NULL);
  return put(g, op->out[0], 4 * bound(g, in[1]));
}

// ---- control -----------------------------------------------------------------------------------------------------
static void body(Gen *g, int nop);

typedef struct Inside { IrRegion *at; int npool; } Inside;

static Inside enter(Gen *g, IrRegion *r) {
  Inside outer = {g->b.at, g->pool.n};
  g->b.at = r;
  g->depth++;
  return outer;
}

static void leave(Gen *g, Inside outer) {
  g->b.at = outer.at;
  g->pool.n = outer.npool;
  g->depth--;
}

static IrValue *arg(Gen *g, IrRegion *r, IrType t, double b) {
  IrValue *v = bounded(g, ir_arg(r, t), b);
  push(g, v);
  return v;
}

static bool fits_inside(const IrType *t) { return t->rank < 5 && ir_count(t) <= MOST / 8; }

static int inner_ops(const Gen *g) { return 1 + g->o->nop / (3 * g->depth); }

// A carried float must not exceed its bound after a turn, or turns would compound.
static double carried(const Gen *g, const IrValue *v) { return fmax(1, bound(g, v)); }

static void yield_like(Gen *g, IrRegion *r, const IrType *t, double most) {
  IrValue *v = of_type(g, *t);
  ir_yield(r, tamed(g, v, most));
}

static int yield_some(Gen *g, IrRegion *r, int n, double *bounds) {
  for (int k = 0; k < n; k++) {
    IrValue *v = pick(g, fits_inside);
    if (!v) return k;
    bounds[k] = bound(g, v);
    ir_yield(r, v);
  }
  return n;
}

// scan, and map where ncarry is 0 and turns are lanes.
static bool emit_loop(Gen *g, IrCode c) {
  IrValue *in[5], *xs = pick(g, fits_axes);
  double b[7];
  int nin = 0, ncarry = c == IR_SCAN ? below(g, 3) : 0;
  bool slices = xs && chance(g, 80);
  int64_t n = slices ? xs->type.dim[0] : below(g, 5);
  if (n > 9) return false;
  for (int k = 0; k < ncarry; k++) {
    if (!(in[nin] = pick(g, fits_any))) return false;
    b[nin] = carried(g, in[nin]);
    nin++;
  }
  if (slices) in[nin++] = xs;
  if (slices && chance(g, 30)) {
    in[nin] = of_type(g, xs->type);
    nin++;
  }
  IrRegion *r = ir_region(g->g);
  Inside outer = enter(g, r);
  if (may(g, GEN_INTS)) arg(g, r, ir_scalar(IR_I32), 9);
  else bounded(g, ir_arg(r, ir_scalar(IR_I32)), 9);
  for (int k = 0; k < ncarry; k++) arg(g, r, in[k]->type, b[k]);
  for (int k = ncarry; k < nin; k++) arg(g, r, ir_type(in[k]->type.dtype, in[k]->type.rank - 1, in[k]->type.dim + 1), bound(g, in[k]));
  body(g, inner_ops(g));
  for (int k = 0; k < ncarry; k++) yield_like(g, r, &in[k]->type, b[k]);
  int ny = yield_some(g, r, ncarry ? below(g, 3) : 1 + below(g, 2), b + ncarry);
  if (ncarry && chance(g, 20)) {       // what a turn finds and what it leaves
    ir_yield(r, r->arg[1]);
    ir_yield(r, r->yield[0]);
    b[ncarry + ny] = b[ncarry + ny + 1] = b[0];
    ny += 2;
  }
  leave(g, outer);
  IrAttr t[3] = {ir_attr_int(g->arena, A_N, n), ir_attr_int(g->arena, A_REVERSE, chance(g, 40)), ir_attr_int(g->arena, A_NCARRY, ncarry)};
  IrOp *op = ir_build(&g->b, c, nin, in, NULL, c == IR_SCAN ? 3 : 1, t, 1, &r);
  for (int k = 0; k < ncarry + ny; k++) put(g, op->out[k], b[k]);
  return true;
}

static bool emit_while(Gen *g) {
  IrType i32 = ir_scalar(IR_I32);
  IrValue *in[2] = {fill(g, i32, 0), pick(g, fits_any)};
  if (!in[1]) return false;
  double b = carried(g, in[1]);
  IrRegion *r[2] = {ir_region(g->g), ir_region(g->g)};
  Inside outer = enter(g, r[0]);
  IrValue *turn = arg(g, r[0], i32, 9);
  arg(g, r[0], in[1]->type, b);
  ir_yield(r[0], ir_bin(&g->b, IR_LT, turn, fill(g, i32, below(g, 5))));
  leave(g, outer);
  outer = enter(g, r[1]);
  turn = arg(g, r[1], i32, 9);
  arg(g, r[1], in[1]->type, b);
  body(g, inner_ops(g));
  ir_yield(r[1], ir_bin(&g->b, IR_ADD, turn, fill(g, i32, 1)));
  yield_like(g, r[1], &in[1]->type, b);
  leave(g, outer);
  IrOp *op = ir_build(&g->b, IR_WHILE, 2, in, NULL, 0, NULL, 2, r);
  return put(g, op->out[1], b) && (!may(g, GEN_INTS) || put(g, op->out[0], 9));
}

static bool emit_cond(Gen *g) {
  IrValue *c = pick(g, fits_predicate), *like[2];
  if (!c) c = of_type(g, ir_scalar(IR_BOOL));
  int n = 1 + below(g, 2);
  for (int k = 0; k < n; k++)
    if (!(like[k] = pick(g, fits_any))) return false;
  IrRegion *r[2];
  for (int side = 0; side < 2; side++) {
    r[side] = ir_region(g->g);
    Inside outer = enter(g, r[side]);
    body(g, inner_ops(g) / 2);
    for (int k = 0; k < n; k++) yield_like(g, r[side], &like[k]->type, TAME);
    leave(g, outer);
  }
  IrOp *op = ir_build(&g->b, IR_COND, 1, &c, NULL, 0, NULL, 2, r);
  for (int k = 0; k < n; k++) put(g, op->out[k], TAME);
  return true;
}

// The rule for the way back hands out a multiple of x: wrong as a derivative, right as a type.
static bool emit_custom(Gen *g) {
  IrValue *x = pick(g, fits_float);
  if (!x) return false;
  IrRegion *r[2] = {ir_region(g->g), ir_region(g->g)};
  Inside outer = enter(g, r[0]);
  arg(g, r[0], x->type, bound(g, x));
  body(g, inner_ops(g) / 2);
  IrValue *y = pick(g, fits_float);
  ir_yield(r[0], y);
  leave(g, outer);
  outer = enter(g, r[1]);
  IrValue *arg0 = arg(g, r[1], x->type, bound(g, x));
  arg(g, r[1], y->type, bound(g, y));
  ir_yield(r[1], ir_bin(&g->b, IR_MUL, arg0, fill(g, x->type, 0.5)));
  leave(g, outer);
  IrAttr t[3] = {ir_attr_int(g->arena, A_NX, 1), ir_attr_int(g->arena, A_NY, 1), ir_attr_int(g->arena, A_EXACT, 0)};
  IrOp *op = ir_build(&g->b, IR_CUSTOM, 1, &x, NULL, 3, t, 2, r);
  return put(g, op->out[0], bound(g, y));
}

static bool emit_remat(Gen *g) {
  IrRegion *r = ir_region(g->g);
  double b[2];
  Inside outer = enter(g, r);
  body(g, inner_ops(g));
  int n = yield_some(g, r, 1 + below(g, 2), b);
  leave(g, outer);
  IrOp *op = ir_build(&g->b, IR_REMAT, 0, NULL, NULL, 0, NULL, 1, &r);
  for (int k = 0; k < n; k++) put(g, op->out[k], b[k]);
  return n > 0;
}

static bool emit_control(Gen *g, IrCode c) {
  if (!may(g, GEN_CONTROL) || g->depth >= g->o->depth) return false;
  switch (c) {
    case IR_SCAN: case IR_MAP: return emit_loop(g, c);
    case IR_WHILE: return emit_while(g);
    case IR_COND: return emit_cond(g);
    case IR_REMAT: return emit_remat(g);
    case IR_CUSTOM: return emit_custom(g);
    default: return false;
  }
}

// ---- all ops -----------------------------------------------------------------------------------------------------
static bool emit(Gen *g, IrCode c) {
  switch (c) {
    case IR_CONST: push(g, constant(g, some_type(g, some_dtype(g)))); return true;
    case IR_IOTA: {
      IrType t = some_type(g, may(g, GEN_INTS) && chance(g, 50) ? IR_I32 : g->real);
      return t.rank && put(g, ir_iota(&g->b, t, below(g, t.rank)), 9);
    }
    case IR_NEG: case IR_ABS: return emit_unary(g, c, fits_number);
    case IR_SIGN: return emit_unary(g, c, fits_real);
    case IR_EXP: case IR_LOG: case IR_SQRT: return emit_unary(g, c, chance(g, 30) ? fits_complex : fits_float);
    case IR_EXPM1: case IR_LOG1P: case IR_SIN: case IR_COS: case IR_TANH: case IR_SIGMOID: case IR_RSQRT: case IR_ERF:
    case IR_ERFINV: case IR_LGAMMA: case IR_DIGAMMA: case IR_FLOOR: case IR_CEIL: case IR_ROUND:
    case IR_FINITE: return emit_unary(g, c, fits_float);
    case IR_POLYGAMMA: return emit_polygamma(g);
    case IR_NOT: return emit_unary(g, c, fits_bits);
    case IR_REAL: case IR_IMAG: case IR_CONJ: return emit_unary(g, c, fits_complex);
    case IR_STOP_GRAD: case IR_COPY: return emit_unary(g, c, fits_any);
    case IR_CAST: case IR_BITCAST: return emit_cast(g, c);
    case IR_ADD: case IR_SUB: case IR_MUL: case IR_DIV: return emit_binary(g, c, fits_number);
    case IR_MOD: case IR_MAX: case IR_MIN: return emit_binary(g, c, fits_real);
    case IR_POW: case IR_ATAN2: return emit_binary(g, c, fits_float);
    case IR_AND: case IR_OR: case IR_XOR: return emit_binary(g, c, fits_bits);
    case IR_SHL: case IR_SHR: return emit_binary(g, c, fits_int);
    case IR_EQ: case IR_NE: return emit_binary(g, c, fits_any);
    case IR_LT: case IR_LE: case IR_GT: case IR_GE: return emit_binary(g, c, fits_real);
    case IR_AFTER: return emit_after(g);
    case IR_COMPLEX: return emit_complex(g);
    case IR_THREEFRY: return may(g, GEN_INTS) && emit_threefry(g);
    case IR_SELECT: return emit_select(g);
    case IR_RESHAPE: return emit_reshape(g);
    case IR_TRANSPOSE: return emit_transpose(g);
    case IR_BROADCAST: return emit_broadcast(g);
    case IR_SLICE: return emit_slice(g);
    case IR_PAD: return emit_pad(g);
    case IR_CONCAT: return emit_concat(g);
    case IR_REVERSE: return emit_reverse(g);
    case IR_DYN_SLICE: case IR_DYN_UPDATE: return emit_dynamic(g, c);
    case IR_GATHER: return emit_gather(g);
    case IR_SCATTER: return emit_scatter(g);
    case IR_SUM: case IR_PROD: case IR_RMAX: case IR_RMIN: case IR_ALL: case IR_ANY: return emit_reduce(g, c);
    case IR_ARGMAX: case IR_ARGMIN: case IR_CUMSUM: case IR_CUMPROD: case IR_CUMMAX: case IR_ARGSORT: return emit_along(g, c);
    case IR_DOT: return emit_dot(g);
    case IR_CONV: case IR_CONV_DX: case IR_CONV_DW: return emit_conv(g, c);
    case IR_QR: case IR_CHOLESKY: case IR_TRISOLVE: case IR_LU: case IR_EIGH: case IR_SVD: case IR_EIG: return emit_linalg(g, c);
    case IR_FFT: return emit_fft(g);
    case IR_SCAN: case IR_WHILE: case IR_COND: case IR_MAP: case IR_REMAT: case IR_CUSTOM: return emit_control(g, c);
    case IR_VJP: case IR_JVP: case IR_NCODE: return false;
  }
  return false;
}

static void body(Gen *g, int nop) {
  static const IrCode control[] = {IR_SCAN, IR_MAP, IR_WHILE, IR_COND, IR_CUSTOM, IR_REMAT, IR_SCAN};
  for (int done = 0, tried = 0; done < nop && tried < 20 * nop; tried++) {
    IrCode c = chance(g, 10) ? control[below(g, 7)] : (IrCode)below(g, IR_NCODE);
    done += emit(g, c);
  }
}

IrGraph *gen_graph(Arena *a, uint64_t seed, const GenOptions *o) {
  Gen g = {.arena = a, .s = seed * 0x9e3779b97f4a7c15 + 1, .o = o, .real = o->real ? o->real : IR_F32};
  g.g = ir_graph(a, "random");
  g.b = (IrBuilder){.graph = g.g, .at = g.g->top};
  for (int k = 0, n = 1 + below(&g, 4); k < n; k++)
    push(&g, bounded(&g, ir_input(g.g, some_type(&g, k ? some_dtype(&g) : g.real), NULL), ir_is_diff(g.real) ? 3 : 0));
  body(&g, o->nop);
  for (int k = 0, n = 1 + below(&g, 8); k < n; k++) ir_output(g.g, pick(&g, fits_any), NULL);
  return g.g;
}

void gen_inputs(Arena *a, const IrGraph *g, uint64_t seed, IrArray *in) {
  for (int k = 0; k < g->top->narg; k++) {
    IrType t = g->top->arg[k]->type;
    int64_t n = ir_count(&t), size = ir_dtype_bytes(t.dtype);
    uint64_t s = seed + 1000003 * (uint64_t)(k + 1);
    unsigned char *data = arena_alloc(a, (size_t)(n * size));
    for (int64_t j = 0; j < n; j++) some_element(&s, t.dtype, data + j * size);
    in[k] = ir_array_from(a, t, data);
  }
}

// ---- shrinking ------------------------------------------------------------------------------------------------------
// A copy of g without output `drop` (-1: with all).
static IrGraph *copy(Arena *a, const IrGraph *g, int drop) {
  IrGraph *c = ir_graph(a, g->name);
  IrValue **map = arena_array(a, IrValue *, g->nvalue);
  IrBuilder b = {.graph = c, .at = c->top};
  for (int k = 0; k < g->top->narg; k++) {
    const IrValue *v = g->top->arg[k];
    map[v->id] = ir_input(c, v->type, g->in_name[k]);
    map[v->id]->hint = v->hint;
  }
  ir_clone_into(&b, g->top, map);
  for (int k = 0; k < g->top->nyield; k++)
    if (k != drop) ir_output(c, map[g->top->yield[k]->id], g->out_name[k]);
  return c;
}

IrGraph *gen_copy(Arena *a, const IrGraph *g) { return copy(a, g, -1); }

static void count_uses(const IrRegion *r, int *uses) {
  ir_each_op(r, op) {
    for (int k = 0; k < op->nin; k++) uses[op->in[k]->id]++;
    for (int k = 0; k < op->nregion; k++) count_uses(op->sub[k], uses);
  }
  for (int k = 0; k < r->nyield; k++) uses[r->yield[k]->id]++;
}

static bool remove_unused(IrRegion *r, const int *uses) {
  bool any = false;
  for (IrOp *op = r->last, *prev; op; op = prev) {
    prev = op->prev;
    bool used = false;
    for (int k = 0; k < op->nout; k++) used = used || uses[op->out[k]->id];
    for (int k = 0; used && k < op->nregion; k++) any |= remove_unused(op->sub[k], uses);
    if (used) continue;
    ir_remove(op);
    any = true;
  }
  return any;
}

static void sweep(Arena *a, IrGraph *g) {
  bool any = true;
  while (any) {
    int *uses = arena_array(a, int, g->nvalue);
    count_uses(g->top, uses);
    any = remove_unused(g->top, uses);
  }
}

static IrOp *nth_op(const IrRegion *r, int *n) {
  ir_each_op(r, op) {
    if ((*n)-- == 0) return op;
    for (int k = 0; k < op->nregion; k++) {
      IrOp *found = nth_op(op->sub[k], n);
      if (found) return found;
    }
  }
  return NULL;
}

// Op n's results become operands of their type, or constants where there is none.
static bool drop_op(IrGraph *g, int n, bool keep_operands) {
  IrOp *op = nth_op(g->top, &n);
  if (!op || op->code == IR_CONST) return false;
  IrBuilder b = {.graph = g, .at = op->parent, .before = op};
  for (int k = 0; k < op->nout; k++) {
    IrValue *to = NULL;
    for (int i = 0; keep_operands && i < op->nin; i++)
      if (ir_type_eq(&op->in[i]->type, &op->out[k]->type)) to = op->in[i];
    if (keep_operands && !to) return false;
    ir_replace(g, op->out[k], to ? to : ir_fill(&b, op->out[k]->type, 1));
  }
  return true;
}

static IrGraph *try_drops(Arena *a, IrGraph *g, GenFails *fails, void *data, bool *smaller) {
  for (int k = 0; k < g->top->nyield && g->top->nyield > 1; k++) {
    IrGraph *c = copy(a, g, k);
    sweep(a, c);
    if (fails(c, data)) g = c, k--, *smaller = true;
  }
  for (int n = ir_count_ops(g->top) - 1; n >= 0; n--)
    for (int keep = 1; keep >= 0; keep--) {
      IrGraph *c = copy(a, g, -1);
      if (!drop_op(c, n, keep)) continue;
      sweep(a, c);
      if (!fails(c, data)) continue;
      g = c;
      *smaller = true;
      break;
    }
  return g;
}

IrGraph *gen_shrink(Arena *a, const IrGraph *graph, GenFails *fails, void *data) {
  IrGraph *g = copy(a, graph, -1), *c = copy(a, graph, -1);
  sweep(a, c);
  if (fails(c, data)) g = c;
  for (bool smaller = true; smaller;) {
    smaller = false;
    g = try_drops(a, g, fails, data, &smaller);
  }
  return g;
}
