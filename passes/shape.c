// Identities of what moves elements: shapes, slices, indices, reductions and
// products over them, and elementwise ops over what repeats. As in
// passes/identity.c, each rule gives what stands for the op's only result, or NULL,
// and is exact.
#include "passes/simplify.h"

#include "ir/number.h"

#include <string.h>

enum { ONE_HOT = 64, ADDED_HOT = 32 };   // longest row that is compared rather than written to; where it holds other sums

static bool is(const IrValue *v, IrCode c) { return v->op && v->op->code == c; }
static bool once(Simp *s, const IrValue *v) { return simp_note(s, v)->uses <= 1; }
static IrValue *operand(const IrValue *v) { return v->op->in[0]; }

// ---- shape ----------------------------------------------------------------------------
static bool same_order(int n, const int64_t *perm) {
  for (int k = 0; k < n; k++)
    if (perm[k] != k) return false;
  return true;
}

static IrValue *reshape(IrBuilder *b, IrValue *x, IrType t) {
  if (ir_type_eq(&x->type, &t)) return x;
  return is(x, IR_RESHAPE) ? ir_reshape(b, operand(x), t.rank, t.dim) : NULL;
}

// A transposition that keeps the order of all axes longer than one moves nothing.
static bool moves_nothing(const IrType *x, const int64_t *perm) {
  int64_t last = -1;
  for (int k = 0; k < x->rank; k++) {
    if (x->dim[perm[k]] == 1) continue;
    if (perm[k] < last) return false;
    last = perm[k];
  }
  return true;
}

static const int64_t *perm_of(const IrValue *v) { return ir_ints(v->op, A_AXES, NULL); }

static bool swaps_last_two(int rank, const int64_t *perm) {
  for (int k = 0; k < rank - 2; k++)
    if (perm[k] != k) return false;
  return rank >= 2 && perm[rank - 2] == rank - 1 && perm[rank - 1] == rank - 2;
}

// transpose(f(transpose(x), transpose(y))) where the inner ones undo the outer:
// f(x, y). Only where f and they serve nobody else, so that none is added.
static IrValue *transpose_through(Simp *s, IrBuilder *b, IrValue *f, const int64_t *perm) {
  if (!f->op || ir_info[f->op->code].lower != LOWER_ELEMENT || !once(s, f)) return NULL;
  IrValue *in[3];
  IrType t = f->type;
  for (int k = 0; k < t.rank; k++) t.dim[k] = f->type.dim[perm[k]];
  bool some = false;
  for (int i = 0; i < f->op->nin; i++) {
    IrValue *v = f->op->in[i];
    if (simp_is_splat(v)) {
      IrType u = t;
      u.dtype = v->type.dtype;
      in[i] = simp_resplat(b, v, u);
      continue;
    }
    if (!is(v, IR_TRANSPOSE) || !once(s, v)) return NULL;
    const int64_t *inner = perm_of(v);
    for (int k = 0; k < t.rank; k++)
      if (inner[perm[k]] != k) return NULL;
    in[i] = operand(v);
    some = true;
  }
  if (!some) return NULL;
  bool want = f->op->code == IR_CAST || f->op->code == IR_BITCAST;
  return ir_build(b, f->op->code, f->op->nin, in, want ? &t : NULL, f->op->nattr, f->op->attr, 0, NULL)->out[0];
}

static IrValue *transpose(Simp *s, IrBuilder *b, IrOp *op) {
  IrValue *x = op->in[0];
  int n = x->type.rank;
  const int64_t *perm = ir_ints(op, A_AXES, NULL);
  if (same_order(n, perm)) return x;
  if (is(x, IR_TRANSPOSE)) {
    int64_t both[IR_MAX_RANK];
    for (int k = 0; k < n; k++) both[k] = perm_of(x)[perm[k]];
    return ir_transpose(b, operand(x), both);
  }
  if (moves_nothing(&x->type, perm)) return ir_reshape(b, x, n, op->out[0]->type.dim);
  // (x z)^T = z^T x^T: products commute, the order over k stays.
  if (is(x, IR_DOT) && swaps_last_two(n, perm) && once(s, x)) {
    const IrOp *d = x->op;
    return ir_dot(b, d->in[1], d->in[0], (int)ir_int(d, A_BATCH), !ir_int(d, A_TB), !ir_int(d, A_TA));
  }
  return transpose_through(s, b, x, perm);
}

static IrValue *broadcast(IrBuilder *b, IrOp *op) {
  IrValue *x = op->in[0];
  IrType t = op->out[0]->type;
  const int64_t *axes = ir_ints(op, A_AXES, NULL);
  if (ir_type_eq(&x->type, &t)) return x;                               // axes ascend, so they are 0, 1, …
  if (ir_count(&x->type) == ir_count(&t) && ir_count(&t) > 0) return ir_reshape(b, x, t.rank, t.dim);
  if (is(x, IR_BROADCAST)) {
    int64_t both[IR_MAX_RANK];
    IrValue *y = operand(x);
    for (int k = 0; k < y->type.rank; k++) both[k] = axes[perm_of(x)[k]];
    return ir_broadcast(b, y, t, both);
  }
  // A reshape that only drops or adds axes of length one: those axes repeat anyway.
  if (is(x, IR_RESHAPE)) {
    IrValue *y = operand(x);
    int64_t to[IR_MAX_RANK];
    int k = 0;
    for (int j = 0; j < x->type.rank; j++) {
      if (x->type.dim[j] == 1) continue;
      if (k == y->type.rank || y->type.dim[k] != x->type.dim[j]) return NULL;
      to[k++] = axes[j];
    }
    return k == y->type.rank ? ir_broadcast(b, y, t, to) : NULL;
  }
  return NULL;
}

static IrValue *slice_of_slice(IrBuilder *b, IrOp *op, IrOp *inner) {
  int n = op->in[0]->type.rank;
  const int64_t *s0 = ir_ints(inner, A_START, NULL), *d0 = ir_ints(inner, A_STRIDE, NULL);
  const int64_t *s1 = ir_ints(op, A_START, NULL), *d1 = ir_ints(op, A_STRIDE, NULL);
  int64_t start[IR_MAX_RANK], limit[IR_MAX_RANK], stride[IR_MAX_RANK];
  for (int k = 0; k < n; k++) {
    start[k] = s0[k] + s1[k] * d0[k];
    stride[k] = d0[k] * d1[k];
    int64_t size = op->out[0]->type.dim[k];
    if (size == 0) return NULL;
    limit[k] = start[k] + (size - 1) * stride[k] + 1;
  }
  return ir_slice(b, inner->in[0], start, limit, stride);
}

// The piece of a concat that a slice reads, if it reads one only.
static IrValue *slice_of_concat(IrBuilder *b, IrOp *op, IrOp *cat) {
  int axis = (int)ir_int(cat, A_AXIS), n = op->in[0]->type.rank;
  const int64_t *start = ir_ints(op, A_START, NULL), *limit = ir_ints(op, A_LIMIT, NULL), *stride = ir_ints(op, A_STRIDE, NULL);
  int64_t at = 0;
  for (int i = 0; i < cat->nin; i++) {
    int64_t size = cat->in[i]->type.dim[axis];
    if (start[axis] >= at && limit[axis] <= at + size && limit[axis] > start[axis]) {
      int64_t s[IR_MAX_RANK], l[IR_MAX_RANK];
      memcpy(s, start, sizeof *s * (size_t)n);
      memcpy(l, limit, sizeof *l * (size_t)n);
      s[axis] -= at;
      l[axis] -= at;
      return ir_slice(b, cat->in[i], s, l, stride);
    }
    at += size;
  }
  return NULL;
}

// A slice of a pad that lies within what was padded, or within the padding.
static IrValue *slice_of_pad(IrBuilder *b, IrOp *op, IrOp *pad) {
  IrValue *x = pad->in[0];
  int n = x->type.rank;
  const int64_t *lo = ir_ints(pad, A_LO, NULL), *inner = ir_ints(pad, A_INNER, NULL);
  const int64_t *start = ir_ints(op, A_START, NULL), *limit = ir_ints(op, A_LIMIT, NULL);
  int64_t s[IR_MAX_RANK], l[IR_MAX_RANK];
  bool inside = true;
  for (int k = 0; k < n; k++) {
    int64_t span = x->type.dim[k] ? (x->type.dim[k] - 1) * (inner[k] + 1) + 1 : 0;
    s[k] = start[k] - lo[k];
    l[k] = limit[k] - lo[k];
    if (limit[k] > start[k] && (l[k] <= 0 || s[k] >= span)) return ir_fill(b, op->out[0]->type, 0);
    inside &= inner[k] == 0 && s[k] >= 0 && l[k] <= x->type.dim[k] && limit[k] > start[k];
  }
  return inside ? ir_slice(b, x, s, l, ir_ints(op, A_STRIDE, NULL)) : NULL;
}

// Slicing commutes with repeating: slice first.
static IrValue *slice_of_broadcast(IrBuilder *b, IrOp *op, IrOp *br) {
  IrValue *x = br->in[0];
  const int64_t *axes = ir_ints(br, A_AXES, NULL);
  const int64_t *start = ir_ints(op, A_START, NULL), *limit = ir_ints(op, A_LIMIT, NULL), *stride = ir_ints(op, A_STRIDE, NULL);
  int64_t s[IR_MAX_RANK], l[IR_MAX_RANK], d[IR_MAX_RANK];
  for (int k = 0; k < x->type.rank; k++) s[k] = start[axes[k]], l[k] = limit[axes[k]], d[k] = stride[axes[k]];
  return ir_broadcast(b, ir_slice(b, x, s, l, d), op->out[0]->type, axes);
}

static IrValue *slice_of_iota(IrBuilder *b, IrOp *op, IrOp *iota) {
  int axis = (int)ir_int(iota, A_AXIS);
  IrType t = op->out[0]->type;
  int64_t start = ir_ints(op, A_START, NULL)[axis];
  if (t.dim[axis] == 1) return ir_fill(b, t, (double)start);
  return start == 0 && ir_ints(op, A_STRIDE, NULL)[axis] == 1 ? ir_iota(b, t, axis) : NULL;
}

// Made of numbers and repeated values by elementwise ops that nothing else reads: random draws, say.
static bool is_generated(Simp *s, const IrValue *v, int depth) {
  if (!v->op || depth > 32) return false;
  if (v->op->code == IR_CONST || v->op->code == IR_IOTA || v->op->code == IR_BROADCAST) return true;
  if (ir_info[v->op->code].lower != LOWER_ELEMENT) return false;
  for (int k = 0; k < v->op->nin; k++)
    if (!is_generated(s, v->op->in[k], depth + 1)) return false;
  return true;
}

// An array of which only parts are read is made part by part: the columns of [N, 4] draws, each for another
// field of N worlds, then need no memory.
static IrValue *slice_of_generated(Simp *s, IrBuilder *b, IrOp *op, IrOp *made) {
  const Note *n = simp_note(s, op->in[0]);
  if (n->slices != n->uses || n->slices < 2 || n->sliced > ir_count(&op->in[0]->type) || made->nout != 1 || !is_generated(s, op->in[0], 0)) return NULL;
  IrValue *in[4];
  for (int k = 0; k < made->nin; k++)
    in[k] = ir_slice(b, made->in[k], ir_ints(op, A_START, NULL), ir_ints(op, A_LIMIT, NULL), ir_ints(op, A_STRIDE, NULL));
  IrType t = made->out[0]->type;
  t.rank = op->out[0]->type.rank;
  memcpy(t.dim, op->out[0]->type.dim, sizeof t.dim);
  bool want = made->code == IR_CAST || made->code == IR_BITCAST;
  return ir_build(b, made->code, made->nin, in, want ? &t : NULL, made->nattr, made->attr, 0, NULL)->out[0];
}

static IrValue *slice(Simp *s, IrBuilder *b, IrOp *op) {
  IrValue *x = op->in[0];
  if (ir_type_eq(&x->type, &op->out[0]->type)) return x;
  if (!x->op) return NULL;
  switch (x->op->code) {
  case IR_SLICE: return slice_of_slice(b, op, x->op);
  case IR_CONCAT: return slice_of_concat(b, op, x->op);
  case IR_PAD: return slice_of_pad(b, op, x->op);
  case IR_BROADCAST: return slice_of_broadcast(b, op, x->op);
  case IR_IOTA: return slice_of_iota(b, op, x->op);
  default: return ir_info[x->op->code].lower == LOWER_ELEMENT ? slice_of_generated(s, b, op, x->op) : NULL;
  }
}

static IrValue *pad(IrBuilder *b, IrOp *op) {
  IrValue *x = op->in[0];
  int n = x->type.rank;
  const int64_t *lo = ir_ints(op, A_LO, NULL), *hi = ir_ints(op, A_HI, NULL), *inner = ir_ints(op, A_INNER, NULL);
  bool nothing = true, crops = true;
  for (int k = 0; k < n; k++) {
    bool none = inner[k] == 0 || x->type.dim[k] <= 1;
    nothing &= lo[k] == 0 && hi[k] == 0 && none;
    crops &= lo[k] <= 0 && hi[k] <= 0 && none;
  }
  if (nothing) return x;
  if (crops) {
    int64_t s[IR_MAX_RANK], l[IR_MAX_RANK], d[IR_MAX_RANK];
    for (int k = 0; k < n; k++) {
      s[k] = -lo[k], l[k] = x->type.dim[k] + hi[k], d[k] = 1;
      if (l[k] < s[k]) return NULL;
    }
    return ir_slice(b, x, s, l, d);
  }
  if (!is(x, IR_PAD)) return NULL;
  const int64_t *lo0 = ir_ints(x->op, A_LO, NULL), *hi0 = ir_ints(x->op, A_HI, NULL), *inner0 = ir_ints(x->op, A_INNER, NULL);
  int64_t l[IR_MAX_RANK], h[IR_MAX_RANK];
  for (int k = 0; k < n; k++) {
    // Zeros laid around zeros; a crop that undoes padding keeps its place only on an axis without gaps.
    if (inner[k] || lo0[k] < 0 || hi0[k] < 0 || (inner0[k] && (lo[k] < 0 || hi[k] < 0))) return NULL;
    l[k] = lo0[k] + lo[k];
    h[k] = hi0[k] + hi[k];
    if (l[k] < 0 || h[k] < 0) return NULL;
  }
  return ir_pad(b, operand(x), l, h, inner0);
}

// Two neighbours in a concat that are neighbouring slices of one array.
static IrValue *join_slices(IrBuilder *b, IrValue *x, IrValue *y, int axis) {
  if (!is(x, IR_SLICE) || !is(y, IR_SLICE) || operand(x) != operand(y)) return NULL;
  const int64_t *s0 = ir_ints(x->op, A_START, NULL), *d0 = ir_ints(x->op, A_STRIDE, NULL);
  const int64_t *s1 = ir_ints(y->op, A_START, NULL), *d1 = ir_ints(y->op, A_STRIDE, NULL);
  const int64_t *l0 = ir_ints(x->op, A_LIMIT, NULL), *l1 = ir_ints(y->op, A_LIMIT, NULL);
  for (int k = 0; k < x->type.rank; k++) {
    if (d0[k] != d1[k]) return NULL;
    if (k != axis && (s0[k] != s1[k] || x->type.dim[k] != y->type.dim[k])) return NULL;
  }
  if (s1[axis] != s0[axis] + x->type.dim[axis] * d0[axis]) return NULL;
  int64_t limit[IR_MAX_RANK];
  memcpy(limit, l0, sizeof limit[0] * (size_t)x->type.rank);
  limit[axis] = l1[axis];
  return ir_slice(b, operand(x), s0, limit, d0);
}

static IrValue *concat(Simp *s, IrBuilder *b, IrOp *op) {
  int axis = (int)ir_int(op, A_AXIS);
  if (op->nin == 1) return op->in[0];
  int most = 0;
  for (int i = 0; i < op->nin; i++) {
    IrValue *v = op->in[i];
    most += is(v, IR_CONCAT) && ir_int(v->op, A_AXIS) == axis && once(s, v) ? v->op->nin : 1;
  }
  IrValue **in = arena_array(s->tmp, IrValue *, most);
  int n = 0;
  bool better = false;
  for (int i = 0; i < op->nin; i++) {
    IrValue *v = op->in[i];
    bool nested = is(v, IR_CONCAT) && ir_int(v->op, A_AXIS) == axis && once(s, v);
    for (int j = 0; j < (nested ? v->op->nin : 1); j++) {
      IrValue *piece = nested ? v->op->in[j] : v;
      IrValue *joined = n ? join_slices(b, in[n - 1], piece, axis) : NULL;
      bool empty = piece->type.dim[axis] == 0;
      if (joined) in[n - 1] = joined;
      else if (!empty) in[n++] = piece;
      better |= joined || empty || nested;
    }
  }
  if (!better) return NULL;
  if (n == 0) return op->in[0];
  return n == 1 ? in[0] : ir_concat(b, n, in, axis);
}

static IrValue *reverse(IrBuilder *b, IrOp *op) {
  int n, m;
  const int64_t *axes = ir_ints(op, A_AXES, &n);
  IrValue *x = op->in[0];
  bool nothing = true;
  for (int k = 0; k < n; k++) nothing &= x->type.dim[axes[k]] <= 1;
  if (nothing) return x;
  if (!is(x, IR_REVERSE)) return NULL;
  const int64_t *axes0 = ir_ints(x->op, A_AXES, &m);
  int count[IR_MAX_RANK] = {0};
  int64_t left[IR_MAX_RANK];
  int nleft = 0;
  for (int k = 0; k < n; k++) count[axes[k]]++;
  for (int k = 0; k < m; k++) count[axes0[k]]++;
  for (int k = 0; k < x->type.rank; k++)
    if (count[k] == 1) left[nleft++] = k;
  if (!nleft) return operand(x);
  IrAttr attr = ir_attr_ints(b->graph->arena, A_AXES, nleft, left);
  IrValue *y = operand(x);
  return ir_build(b, IR_REVERSE, 1, &y, NULL, 1, &attr, 0, NULL)->out[0];
}

// Shapes of one array that are alike but for axes of length one.
static bool only_ones_differ(const IrType *x, const IrType *y) {
  int i = 0, j = 0;
  for (;;) {
    while (i < x->rank && x->dim[i] == 1) i++;
    while (j < y->rank && y->dim[j] == 1) j++;
    if (i == x->rank || j == y->rank) return i == x->rank && j == y->rank;
    if (x->dim[i++] != y->dim[j++]) return false;
  }
}

// ---- reductions --------------------------------------------------------------------------
// Axes that repeat are not reduced over, and not there while others are: the greatest of equal
// elements is the element. A sum along one that repeats stays: its roundings are not a product's (L1).
static IrValue *reduce_of_broadcast(IrBuilder *b, const IrOp *op, const int64_t *axes, int n) {
  const IrValue *x = op->in[0];
  IrValue *y = operand(x);
  int64_t red[IR_MAX_RANK], to[IR_MAX_RANK];
  int nred = 0, nto = 0;
  bool gone[IR_MAX_RANK] = {false};
  for (int j = 0; j < n; j++) gone[axes[j]] = true;
  for (int k = 0; k < y->type.rank; k++) {
    int64_t a = perm_of(x)[k], before = 0;
    for (int j = 0; j < a; j++) before += !gone[j];
    if (gone[a]) red[nred++] = k;
    else to[nto++] = before;
  }
  bool idempotent = op->code == IR_RMAX || op->code == IR_RMIN || op->code == IR_ALL || op->code == IR_ANY;
  if (!idempotent && nred < n) return NULL;
  return ir_broadcast(b, nred ? ir_reduce(b, op->code, y, nred, red) : y, op->out[0]->type, to);
}

static IrValue *reduce(IrBuilder *b, IrOp *op) {
  int n;
  const int64_t *axes = ir_ints(op, A_AXES, &n);
  IrValue *x = op->in[0];
  IrType t = op->out[0]->type;
  if (n == 0) return x;
  // Axes of length one are not summed over. (0 + x is x but for -0: L1 leaves the order, so
  // the sum may start from its first element.)
  int64_t left[IR_MAX_RANK], dim[IR_MAX_RANK];
  int nleft = 0, rank = 0;
  for (int k = 0, j = 0; k < x->type.rank; k++) {
    bool reduced = j < n && axes[j] == k;
    if (reduced) j++;
    if (reduced && x->type.dim[k] == 1) continue;
    if (reduced) left[nleft++] = rank;
    dim[rank++] = x->type.dim[k];
  }
  if (nleft < n) {
    IrValue *y = ir_reshape(b, x, rank, dim);
    return nleft ? ir_reduce(b, op->code, y, nleft, left) : ir_reshape(b, y, t.rank, t.dim);
  }
  // All axes of a reshaped array are all axes of the array, in the same order.
  if (is(x, IR_RESHAPE) && n == x->type.rank && !only_ones_differ(&x->type, &operand(x)->type)) {
    IrValue *y = operand(x);
    for (int k = 0; k < y->type.rank; k++) left[k] = k;
    return ir_reduce(b, op->code, y, y->type.rank, left);
  }
  return is(x, IR_BROADCAST) && ir_count(&x->type) > 0 ? reduce_of_broadcast(b, op, axes, n) : NULL;
}

// ---- products and indices --------------------------------------------------------------------
static IrValue *dot(IrBuilder *b, IrOp *op) {
  IrValue *in[2] = {op->in[0], op->in[1]};
  bool t[2] = {ir_int(op, A_TA), ir_int(op, A_TB)};
  bool better = false;
  for (int i = 0; i < 2; i++)
    if (is(in[i], IR_TRANSPOSE) && swaps_last_two(in[i]->type.rank, perm_of(in[i]))) {
      in[i] = operand(in[i]);
      t[i] = !t[i];
      better = true;
    }
  return better ? ir_dot(b, in[0], in[1], (int)ir_int(op, A_BATCH), t[0], t[1]) : NULL;
}

static IrValue *gather(IrBuilder *b, IrOp *op) {
  IrValue *x = op->in[0], *idx = op->in[1];
  int nb = (int)ir_int(op, A_BATCH);
  int64_t n = x->type.dim[nb];
  if (is(idx, IR_IOTA) && ir_int(idx->op, A_AXIS) == nb && idx->type.rank == nb + 1 && idx->type.dim[nb] <= n) {
    if (idx->type.dim[nb] == n) return x;
    int64_t start[IR_MAX_RANK] = {0}, limit[IR_MAX_RANK], stride[IR_MAX_RANK];
    for (int k = 0; k < x->type.rank; k++) limit[k] = x->type.dim[k], stride[k] = 1;
    limit[nb] = idx->type.dim[nb];
    return ir_slice(b, x, start, limit, stride);
  }
  if (n > 0 && simp_is_splat(idx)) {
    // One row, repeated: L8 clamps its index.
    int64_t start[IR_MAX_RANK] = {0}, limit[IR_MAX_RANK], stride[IR_MAX_RANK], dim[IR_MAX_RANK], to[IR_MAX_RANK];
    int64_t i = ir_load(idx->type.dtype, ir_attr(idx->op, A_DATA)->data).i;
    i = i < 0 ? 0 : i >= n ? n - 1 : i;
    int rank = 0;
    for (int k = 0; k < x->type.rank; k++) {
      limit[k] = x->type.dim[k], stride[k] = 1;
      if (k == nb) continue;
      to[rank] = k < nb ? k : k + idx->type.rank - nb - 1;
      dim[rank++] = x->type.dim[k];
    }
    start[nb] = i;
    limit[nb] = i + 1;
    IrValue *row = ir_reshape(b, ir_slice(b, x, start, limit, stride), rank, dim);
    return ir_broadcast(b, row, op->out[0]->type, to);
  }
  return NULL;
}

// Starts known when compiling, clamped (L8); false if one is not.
static bool known_starts(IrOp *op, int first, const IrType *x, const IrType *piece, int64_t *start) {
  for (int k = 0; k < x->rank; k++) {
    int64_t room = x->dim[k] - piece->dim[k];
    IrValue *v = op->in[first + k];
    if (room == 0) start[k] = 0;
    else if (simp_is_splat(v)) {
      start[k] = ir_load(v->type.dtype, ir_attr(v->op, A_DATA)->data).i;
      start[k] = start[k] < 0 ? 0 : start[k] > room ? room : start[k];
    } else return false;
  }
  return true;
}

static IrValue *dyn_slice(IrBuilder *b, IrOp *op) {
  IrValue *x = op->in[0];
  IrType t = op->out[0]->type;
  if (ir_type_eq(&x->type, &t)) return x;
  int64_t start[IR_MAX_RANK], limit[IR_MAX_RANK], stride[IR_MAX_RANK];
  if (!known_starts(op, 1, &x->type, &t, start)) return NULL;
  for (int k = 0; k < t.rank; k++) limit[k] = start[k] + t.dim[k], stride[k] = 1;
  return ir_slice(b, x, start, limit, stride);
}

static IrValue *dyn_update(IrOp *op) {
  IrValue *x = op->in[0], *u = op->in[1];
  if (ir_type_eq(&x->type, &u->type)) return u;
  return ir_count(&u->type) == 0 ? x : NULL;
}

// One index a row, into equal elements of short rows or, as a cotangent does, added to what stands in few columns: a
// comparison with the index, which fuses. (An index out of range equals none: L8 drops it.)
static IrValue *one_hot(IrBuilder *b, IrOp *op) {
  IrValue *x = op->in[0], *idx = op->in[1], *u = op->in[2];
  int nb = (int)ir_int(op, A_BATCH);
  bool few = ir_int(op, A_MODE) == SCATTER_ADD && ir_is_float(x->type.dtype) && x->type.rank == nb + 1 && x->type.dim[nb] <= ADDED_HOT;
  if (nb == 0 || idx->type.rank != nb || !(simp_is_splat(x) || few) || x->type.dim[nb] > ONE_HOT) return NULL;
  IrType t = x->type;
  int64_t axes[IR_MAX_RANK];
  for (int k = 0; k < u->type.rank; k++) axes[k] = k < nb ? k : k + 1;
  IrValue *new = ir_broadcast(b, u, t, axes);
  switch ((IrScatter)ir_int(op, A_MODE)) {
  case SCATTER_SET: break;
  case SCATTER_ADD: new = ir_bin(b, IR_ADD, x, new); break;
  case SCATTER_MAX: new = ir_bin(b, IR_MAX, x, new); break;
  case SCATTER_MIN: new = ir_bin(b, IR_MIN, x, new); break;
  }
  t.dtype = IR_I32;
  IrValue *i = ir_iota(b, t, nb), *at = ir_broadcast(b, idx, t, axes);
  return ir_select(b, ir_bin(b, IR_EQ, i, at), new, x);
}

static IrValue *scatter(IrBuilder *b, IrOp *op) {
  return ir_count(&op->in[1]->type) == 0 ? op->in[0] : one_hot(b, op);
}

// ---- elementwise over broadcasts -----------------------------------------------------------------
// f(broadcast(x), broadcast(y)) where some axis repeats in all operands:
// broadcast(f(x', y')) computes each element once.
static IrValue *element_of_broadcasts(IrBuilder *b, IrOp *op) {
  IrType t = op->out[0]->type;
  bool used[IR_MAX_RANK] = {false}, some = false;
  for (int i = 0; i < op->nin; i++) {
    IrValue *v = op->in[i];
    if (simp_is_splat(v)) continue;
    if (!is(v, IR_BROADCAST)) return NULL;
    some = true;
    for (int k = 0; k < operand(v)->type.rank; k++) used[perm_of(v)[k]] = true;
  }
  int64_t to[IR_MAX_RANK], repeats = 1;
  IrType small = {.dtype = t.dtype};
  int place[IR_MAX_RANK];
  for (int k = 0; k < t.rank; k++) {
    place[k] = small.rank;
    if (used[k]) to[small.rank] = k, small.dim[small.rank++] = t.dim[k];
    else repeats *= t.dim[k];
  }
  if (!some || repeats <= 1) return NULL;
  IrValue *in[3];
  for (int i = 0; i < op->nin; i++) {
    IrValue *v = op->in[i];
    IrType u = small;
    u.dtype = v->type.dtype;
    if (simp_is_splat(v)) {
      in[i] = simp_resplat(b, v, u);
      continue;
    }
    IrValue *y = operand(v);
    int64_t axes[IR_MAX_RANK];
    for (int k = 0; k < y->type.rank; k++) axes[k] = place[perm_of(v)[k]];
    in[i] = ir_type_eq(&y->type, &u) ? y : ir_broadcast(b, y, u, axes);
  }
  bool want = op->code == IR_CAST || op->code == IR_BITCAST;
  IrValue *f = ir_build(b, op->code, op->nin, in, want ? &small : NULL, op->nattr, op->attr, 0, NULL)->out[0];
  return ir_broadcast(b, f, t, to);
}

// ---- elementwise over reshapes ---------------------------------------------------------------------
// Which axis of `from` each axis of `to` is, for two shapes of one row-major array; -1: none alone.
static void same_axes(const IrType *from, const IrType *to, int *axis) {
  int64_t before = 1;
  for (int a = 0; a < to->rank; a++) {
    int64_t outer = 1;
    axis[a] = -1;
    for (int k = 0; k < from->rank; k++) {
      if (outer == before && from->dim[k] == to->dim[a] && to->dim[a] != 1) axis[a] = k;
      outer *= from->dim[k];
    }
    before *= to->dim[a];
  }
}

// f(reshape(x), reshape(y), broadcast(z)) = reshape(f(x, y, broadcast'(z))): a reshape in the middle
// of a chain parts the chain in two nests, and a product from what follows it.
static IrValue *element_of_reshapes(IrBuilder *b, IrOp *op) {
  IrType t = op->out[0]->type;
  const IrType *from = NULL;
  for (int i = 0; i < op->nin; i++)
    if (is(op->in[i], IR_RESHAPE)) {
      const IrType *u = &operand(op->in[i])->type;
      if (from && (from->rank != u->rank || memcmp(from->dim, u->dim, sizeof *u->dim * (size_t)u->rank) != 0)) return NULL;
      from = u;
    }
  if (!from || only_ones_differ(from, &t) || ir_count(&t) == 0) return NULL;
  int axis[IR_MAX_RANK];
  same_axes(from, &t, axis);
  IrValue *in[3];
  for (int pass = 0; pass < 2; pass++)
    for (int i = 0; i < op->nin; i++) {
      IrValue *v = op->in[i];
      IrType u = *from;
      u.dtype = v->type.dtype;
      if (is(v, IR_RESHAPE)) in[i] = operand(v);
      else if (simp_is_splat(v)) in[i] = pass ? simp_resplat(b, v, u) : NULL;
      else if (is(v, IR_BROADCAST)) {
        IrValue *y = operand(v);
        int64_t to[IR_MAX_RANK];
        for (int k = 0; k < y->type.rank; k++) {
          if (axis[perm_of(v)[k]] < 0) return NULL;
          to[k] = axis[perm_of(v)[k]];
        }
        if (pass) in[i] = ir_broadcast(b, y, u, to);
      } else return NULL;
    }
  IrType small = *from;
  small.dtype = t.dtype;
  bool want = op->code == IR_CAST || op->code == IR_BITCAST;
  IrValue *f = ir_build(b, op->code, op->nin, in, want ? &small : NULL, op->nattr, op->attr, 0, NULL)->out[0];
  return ir_reshape(b, f, t.rank, t.dim);
}

static IrValue *element(IrBuilder *b, IrOp *op) {
  IrValue *v = element_of_broadcasts(b, op);
  return v ? v : element_of_reshapes(b, op);
}

IrValue *simp_shape(Simp *s, IrBuilder *b, IrOp *op) {
  IrValue *x = op->nin > 0 ? op->in[0] : NULL;
  switch (op->code) {
  case IR_RESHAPE: return reshape(b, x, op->out[0]->type);
  case IR_TRANSPOSE: return transpose(s, b, op);
  case IR_BROADCAST: return broadcast(b, op);
  case IR_SLICE: return slice(s, b, op);
  case IR_PAD: return pad(b, op);
  case IR_CONCAT: return concat(s, b, op);
  case IR_REVERSE: return reverse(b, op);
  case IR_DYN_SLICE: return dyn_slice(b, op);
  case IR_DYN_UPDATE: return dyn_update(op);
  case IR_GATHER: return gather(b, op);
  case IR_SCATTER: return scatter(b, op);
  case IR_SUM: case IR_PROD: case IR_RMAX: case IR_RMIN: case IR_ALL: case IR_ANY: return reduce(b, op);
  case IR_CUMSUM: case IR_CUMPROD: case IR_CUMMAX: return x->type.dim[ir_int(op, A_AXIS)] <= 1 ? x : NULL;
  case IR_DOT: return dot(b, op);
  default: return ir_info[op->code].lower == LOWER_ELEMENT ? element(b, op) : NULL;
  }
}
