// Batching: a map's region becomes ops with one more leading axis, the lanes.
//
// A value of the region either differs by lane (it is batched: [lanes, ...]) or
// does not (it is computed once, outside). Each op has a rule, named in the
// table's `batch` column, that emits it over batched operands. Where there is
// none, where lanes part (a while that ends at different turns, a branch
// with such a while), or where a scan's rows are long already, a smaller map
// stays around that one op, so that each lane does its own work only; what
// stands before and behind it is batched.
#include "passes/passes.h"

#include <string.h>

enum { WIDE_ROW = 2048 };  // bytes

typedef struct Vm {
  Arena *tmp;             // until the pass ends
  IrGraph *g;
  IrBuilder b;
  int64_t n;              // lanes of the map at hand
  int cap;                // of the tables, by IrValue.id
  // Of values of the region that is being batched; NULL: itself, or not there.
  IrValue **same;         // stands for a value that is equal in all lanes
  IrValue **batched;      // stands for a value that differs by lane: [lanes, ...]
  bool *differs;
  IrValue **result;       // what a map's result was replaced with
  bool derived;           // what is batched will be differentiated
  IrValue *guard;         // then, in a branch: bool [lanes], which lanes take it; NULL: all
} Vm;

static void *grown(Vm *v, const void *old, size_t size, int cap) {
  char *at = arena_alloc(v->tmp, size * (size_t)cap);
  if (v->cap) memcpy(at, old, size * (size_t)v->cap);
  return at;
}

// The tables cover every value there is.
static void room(Vm *v) {
  if (v->g->nvalue <= v->cap) return;
  int cap = 2 * v->g->nvalue + 64;
  v->same = grown(v, v->same, sizeof *v->same, cap);
  v->batched = grown(v, v->batched, sizeof *v->batched, cap);
  v->differs = grown(v, v->differs, sizeof *v->differs, cap);
  v->result = grown(v, v->result, sizeof *v->result, cap);
  v->cap = cap;
}

static bool differs(Vm *v, const IrValue *x) {
  room(v);
  return v->differs[x->id];
}

// Sets the flag; true if it was not set.
static bool flag(Vm *v, const IrValue *x, bool on) {
  room(v);
  bool news = on && !v->differs[x->id];
  v->differs[x->id] |= on;
  return news;
}

static void hint(IrValue *to, const IrValue *from) {
  if (!to->hint) to->hint = from->hint;
}

static void set_batched(Vm *v, const IrValue *x, IrValue *to) {
  room(v);
  v->batched[x->id] = to;
  hint(to, x);
}

static void set_same(Vm *v, const IrValue *x, IrValue *to) {
  room(v);
  v->same[x->id] = to;
  hint(to, x);
}

static IrValue *same(Vm *v, IrValue *x) {
  room(v);
  return v->same[x->id] ? v->same[x->id] : x;
}

static const int64_t shifted[IR_MAX_RANK] = {1, 2, 3, 4, 5, 6, 7, 8};

static IrType with_axis(IrType t, int64_t n) {
  IrType y = {.dtype = t.dtype, .rank = t.rank + 1, .dim = {n}};
  memcpy(y.dim + 1, t.dim, sizeof t.dim[0] * (size_t)t.rank);
  return y;
}

static IrType without_axis(IrType t) { return ir_type(t.dtype, t.rank - 1, t.dim + 1); }

// x with the lanes' axis, repeated along it if it is equal in all.
static IrValue *lanes(Vm *v, IrValue *x) {
  if (differs(v, x)) return v->batched[x->id];
  return ir_broadcast(&v->b, same(v, x), with_axis(x->type, v->n), shifted);
}

static IrValue *either(Vm *v, IrValue *x, bool batch) { return batch ? lanes(v, x) : same(v, x); }

// Emits op's code over other operands and attributes; its only result is batched.
static bool emit(Vm *v, const IrOp *op, IrValue *const *in, const IrType *want, int nattr, const IrAttr *attr) {
  IrOp *y = ir_build(&v->b, op->code, op->nin, in, want, nattr, attr, 0, NULL);
  for (int k = 0; k < op->nout; k++) set_batched(v, op->out[k], y->out[k]);
  return true;
}

static IrValue **all_lanes(Vm *v, const IrOp *op) {
  IrValue **in = arena_array(v->tmp, IrValue *, op->nin + 1);
  for (int k = 0; k < op->nin; k++) in[k] = lanes(v, op->in[k]);
  return in;
}

// x with its axis `from` moved to `to`.
static IrValue *move_axis(Vm *v, IrValue *x, int from, int to) {
  int64_t perm[IR_MAX_RANK];
  int n = x->type.rank, j = 0;
  if (from == to) return x;
  for (int k = 0; k < n; k++) {
    if (j == from) j++;
    perm[k] = k == to ? from : j++;
  }
  return ir_transpose(&v->b, x, perm);
}

// Axes `at` and `at + 1` of x as one.
static IrValue *merge(Vm *v, IrValue *x, int at) {
  IrType t = x->type;
  t.dim[at] *= t.dim[at + 1];
  for (int k = at + 1; k + 1 < t.rank; k++) t.dim[k] = t.dim[k + 1];
  return ir_reshape(&v->b, x, t.rank - 1, t.dim);
}

// Axis `at` of x as two, the first of size n.
static IrValue *split(Vm *v, IrValue *x, int at, int64_t n, int64_t m) {
  IrType t = x->type;
  for (int k = t.rank; k > at + 1; k--) t.dim[k] = t.dim[k - 1];
  t.dim[at] = n;
  t.dim[at + 1] = m;
  return ir_reshape(&v->b, x, t.rank + 1, t.dim);
}

// ---- rules: false where there is no batched form -----------------------------------------------
static bool vm_same(Vm *v, IrOp *op) {
  (void)v;
  ICE("%s has no operands that could differ by lane", ir_info[op->code].name);
}

static bool vm_loop(Vm *v, IrOp *op) {
  (void)v, (void)op;
  return false;
}

static bool vm_element(Vm *v, IrOp *op) { return emit(v, op, all_lanes(v, op), NULL, op->nattr, op->attr); }

// The result's type is given and gets the axis too.
static bool vm_cast(Vm *v, IrOp *op) {
  IrType t = with_axis(op->out[0]->type, v->n);
  return emit(v, op, all_lanes(v, op), &t, op->nattr, op->attr);
}

static bool vm_reshape(Vm *v, IrOp *op) { return vm_cast(v, op); }

// Axes named in the attribute stand one further right.
static bool move_axes(Vm *v, IrOp *op, bool keep_first, const IrType *want) {
  int n;
  const int64_t *axes = ir_ints(op, A_AXES, &n);
  int64_t to[IR_MAX_RANK + 1] = {0};
  for (int k = 0; k < n; k++) to[k + keep_first] = axes[k] + 1;
  IrAttr attr = ir_attr_ints(v->g->arena, A_AXES, n + keep_first, to);
  return emit(v, op, all_lanes(v, op), want, 1, &attr);
}

static bool vm_transpose(Vm *v, IrOp *op) { return move_axes(v, op, true, NULL); }
static bool vm_reverse(Vm *v, IrOp *op) { return move_axes(v, op, false, NULL); }
static bool vm_reduce(Vm *v, IrOp *op) { return move_axes(v, op, false, NULL); }

static bool vm_broadcast(Vm *v, IrOp *op) {
  IrType t = with_axis(op->out[0]->type, v->n);
  return move_axes(v, op, true, &t);
}

static bool vm_axis(Vm *v, IrOp *op) {
  IrAttr attr[2];
  for (int i = 0; i < op->nattr; i++)
    attr[i] = op->attr[i].key == A_AXIS ? ir_attr_int(v->g->arena, A_AXIS, op->attr[i].i[0] + 1) : op->attr[i];
  return emit(v, op, all_lanes(v, op), NULL, op->nattr, attr);
}

static bool vm_concat(Vm *v, IrOp *op) { return vm_axis(v, op); }
static bool vm_leading(Vm *v, IrOp *op) { return vm_element(v, op); }

// Lists of one number an axis get a first one for the lanes.
static bool grow_lists(Vm *v, IrOp *op, const int64_t first[3]) {
  IrAttr attr[3];
  for (int i = 0; i < 3; i++) {
    int64_t list[IR_MAX_RANK + 1] = {first[i]};
    memcpy(list + 1, op->attr[i].i, sizeof list[0] * (size_t)op->attr[i].n);
    attr[i] = ir_attr_ints(v->g->arena, op->attr[i].key, op->attr[i].n + 1, list);
  }
  return emit(v, op, all_lanes(v, op), NULL, 3, attr);
}

static bool vm_slice(Vm *v, IrOp *op) {
  int64_t first[3];
  for (int i = 0; i < 3; i++) first[i] = op->attr[i].key == A_START ? 0 : op->attr[i].key == A_LIMIT ? v->n : 1;
  return grow_lists(v, op, first);
}

static bool vm_pad(Vm *v, IrOp *op) { return grow_lists(v, op, (int64_t[]){0, 0, 0}); }

// ---- slices at run-time places ---------------------------------------------------------------------
static IrValue *number(Vm *v, IrType t, int64_t x) { return ir_fill(&v->b, t, (double)x); }

static bool some_differ(Vm *v, int n, IrValue *const *x) {
  for (int k = 0; k < n; k++)
    if (differs(v, x[k])) return true;
  return false;
}

// A piece of x at starts that differ by lane is a gather of rows: the axes up to
// the last one that is cut (`last`) count as one, the rest is the row.
typedef struct Piece {
  int last;               // -1: nothing is cut
  int64_t rows;           // elements of axes 0 .. last
  IrType flat;            // x as [rows, rest...]
  IrValue *idx;           // i32 [lanes, sizes 0 .. last]
} Piece;

static bool piece(Vm *v, const IrType *x, const IrType *part, IrValue *const *start, Piece *p) {
  *p = (Piece){.last = -1, .rows = 1};
  for (int k = 0; k < x->rank; k++)
    if (part->dim[k] < x->dim[k]) p->last = k;
  if (p->last < 0) return true;
  for (int k = 0; k <= p->last; k++) p->rows *= x->dim[k];
  if (p->rows > INT32_MAX) return false;
  p->flat = ir_type(x->dtype, x->rank - p->last, x->dim + p->last);
  p->flat.dim[0] = p->rows;

  IrBuilder *b = &v->b;
  IrType lane = ir_type(IR_I32, 1, &v->n), t = with_axis(ir_type(IR_I32, p->last + 1, part->dim), v->n);
  IrValue *base = NULL, *offset = NULL;
  int64_t stride = p->rows;
  for (int k = 0; k <= p->last; k++) {
    stride /= x->dim[k];
    if (part->dim[k] < x->dim[k]) {   // L8: the start is clamped
      IrValue *s = lanes(v, start[k]);
      s = ir_bin(b, IR_MAX, s, number(v, lane, 0));
      s = ir_bin(b, IR_MIN, s, number(v, lane, x->dim[k] - part->dim[k]));
      if (stride > 1) s = ir_bin(b, IR_MUL, s, number(v, lane, stride));
      base = base ? ir_bin(b, IR_ADD, base, s) : s;
    }
    if (part->dim[k] > 1) {
      IrValue *i = ir_iota(b, t, k + 1);
      if (stride > 1) i = ir_bin(b, IR_MUL, i, number(v, t, stride));
      offset = offset ? ir_bin(b, IR_ADD, offset, i) : i;
    }
  }
  p->idx = ir_broadcast(b, base, t, (int64_t[]){0});
  if (offset) p->idx = ir_bin(b, IR_ADD, p->idx, offset);
  return true;
}

static IrValue **with_zero_start(Vm *v, const IrOp *op, int first) {
  IrValue **in = arena_array(v->tmp, IrValue *, op->nin + 1);
  for (int k = 0; k < first; k++) in[k] = lanes(v, op->in[k]);
  in[first] = number(v, ir_scalar(IR_I32), 0);
  for (int k = first; k < op->nin; k++) in[k + 1] = same(v, op->in[k]);
  return in;
}

static bool vm_dyn_slice(Vm *v, IrOp *op) {
  IrValue *x = op->in[0];
  int rank = x->type.rank;
  if (!some_differ(v, rank, op->in + 1)) {
    IrType t = with_axis(op->out[0]->type, v->n);
    IrAttr attr = ir_attr_ints(v->g->arena, A_SIZES, t.rank, t.dim);
    IrValue **in = with_zero_start(v, op, 1);
    set_batched(v, op->out[0], ir_build(&v->b, op->code, op->nin + 1, in, NULL, 1, &attr, 0, NULL)->out[0]);
    return true;
  }
  Piece p;
  if (!piece(v, &x->type, &op->out[0]->type, op->in + 1, &p)) return false;
  IrValue *y;
  if (p.last < 0) y = lanes(v, x);
  else if (differs(v, x)) {
    IrType t = with_axis(p.flat, v->n);
    y = ir_gather(&v->b, ir_reshape(&v->b, lanes(v, x), t.rank, t.dim), p.idx, 1);
  } else
    y = ir_gather(&v->b, ir_reshape(&v->b, same(v, x), p.flat.rank, p.flat.dim), p.idx, 0);
  set_batched(v, op->out[0], y);
  return true;
}

static bool vm_dyn_update(Vm *v, IrOp *op) {
  IrValue *x = op->in[0], *u = op->in[1];
  int rank = x->type.rank;
  if (!some_differ(v, rank, op->in + 2)) {
    IrValue **in = with_zero_start(v, op, 2);
    set_batched(v, op->out[0], ir_build(&v->b, op->code, op->nin + 1, in, NULL, 0, NULL, 0, NULL)->out[0]);
    return true;
  }
  Piece p;
  if (!piece(v, &x->type, &u->type, op->in + 2, &p)) return false;
  if (p.last < 0) {
    set_batched(v, op->out[0], lanes(v, u));
    return true;
  }
  IrType flat = with_axis(p.flat, v->n), t = with_axis(x->type, v->n);
  IrValue *old = lanes(v, x), *new = lanes(v, u);
  IrValue *y = ir_scatter(&v->b, ir_reshape(&v->b, old, flat.rank, flat.dim), p.idx, new, 1, SCATTER_SET);
  set_batched(v, op->out[0], ir_reshape(&v->b, y, t.rank, t.dim));
  return true;
}

static bool vm_gather(Vm *v, IrOp *op) {
  IrValue *x = either(v, op->in[0], differs(v, op->in[0])), *idx = lanes(v, op->in[1]), *y;
  int nb = (int)ir_int(op, A_BATCH);
  if (differs(v, op->in[0])) y = ir_gather(&v->b, x, idx, nb + 1);
  else              // all lanes read one x: theirs is one more axis of the index
    y = move_axis(v, ir_gather(&v->b, x, move_axis(v, idx, 0, nb), nb), nb, 0);
  set_batched(v, op->out[0], y);
  return true;
}

static bool vm_scatter(Vm *v, IrOp *op) {
  IrValue **in = all_lanes(v, op);
  int nb = (int)ir_int(op, A_BATCH);
  set_batched(v, op->out[0], ir_scatter(&v->b, in[0], in[1], in[2], nb + 1, (IrScatter)ir_int(op, A_MODE)));
  return true;
}

// ---- products ----------------------------------------------------------------------------------------
// One operand in common: lanes become rows of one product, not a batch of small ones.
// y[l, b.., m, n] = sum_k x[l, b.., m, k] z[b.., k, n]: rows (l, m).
static IrValue *dot_rows(Vm *v, IrValue *x, IrValue *z, int nb, bool tx, bool tz) {
  IrValue *rows = move_axis(v, x, 0, nb);              // [b.., l, m, k] or [b.., l, k, m]
  if (tx) rows = move_axis(v, rows, nb + 2, nb + 1);
  int64_t m = rows->type.dim[nb + 1];
  IrValue *y = ir_dot(&v->b, merge(v, rows, nb), z, nb, false, tz);
  return move_axis(v, split(v, y, nb, v->n, m), nb, 0);
}

// One x, and a z of each lane's own (the first layer of twin critics): a product a lane, with copies of x, where a lane has
// columns to fill vectors with and x is no larger than its y. Rows (l, n) would give y transposed, from transposed z.
static bool dot_lanes(const IrOp *op) {
  const IrType *y = &op->out[0]->type;
  int64_t n = y->dim[y->rank - 1];
  return n >= 16 && ir_count(&op->in[0]->type) <= ir_count(y);
}

static bool vm_dot(Vm *v, IrOp *op) {
  bool of_x = differs(v, op->in[0]), of_z = differs(v, op->in[1]);
  IrValue *x = either(v, op->in[0], of_x), *z = either(v, op->in[1], of_z), *y;
  int nb = (int)ir_int(op, A_BATCH);
  bool ta = ir_int(op, A_TA), tb = ir_int(op, A_TB);
  if (!of_z) y = dot_rows(v, x, z, nb, ta, tb);
  else if (of_x || dot_lanes(op))
    y = ir_dot(&v->b, lanes(v, op->in[0]), z, nb + 1, ta, tb);
  else                                                 // (x z)^T = z^T x^T, rows (l, n)
    y = move_axis(v, dot_rows(v, z, x, nb, !tb, !ta), nb + 2, nb + 1);
  set_batched(v, op->out[0], y);
  return true;
}

// [lanes, a, b, c, d] as [a, b, c, lanes * d], and back.
static IrValue *lanes_last(Vm *v, IrValue *x) { return merge(v, move_axis(v, x, 0, 3), 3); }
static IrValue *lanes_first(Vm *v, IrValue *x) { return move_axis(v, split(v, x, 3, v->n, x->type.dim[3] / v->n), 3, 0); }

// Lanes as groups of channels: of both operands, or of the outputs alone where all lanes read one image
// (or sum over one) in one group. `image` is the operand with the image's channels, or -1.
static bool conv_groups(Vm *v, IrOp *op, int image) {
  if (!v->n) return false;         // no lanes would be no groups
  IrValue *in[2];
  bool shared = image >= 0 && !differs(v, op->in[image]) && ir_int(op, A_GROUPS) == 1;
  for (int k = 0; k < 2; k++) in[k] = shared && k == image ? same(v, op->in[k]) : lanes_last(v, lanes(v, op->in[k]));
  IrType t = op->out[0]->type;
  t.dim[3] *= v->n;
  IrAttr attr[8];
  for (int i = 0; i < op->nattr; i++)
    attr[i] = op->attr[i].key == A_GROUPS && !shared ? ir_attr_int(v->g->arena, A_GROUPS, ir_int(op, A_GROUPS) * v->n) : op->attr[i];
  const IrType *want = op->code == IR_CONV ? NULL : &t;
  IrValue *y = ir_build(&v->b, op->code, 2, in, want, op->nattr, attr, 0, NULL)->out[0];
  set_batched(v, op->out[0], lanes_first(v, y));
  return true;
}

// Lanes join the images' axis, where they share the kernel.
static bool conv_images(Vm *v, IrOp *op) {
  IrType t = op->out[0]->type;
  int64_t images = t.dim[0];
  t.dim[0] *= v->n;
  IrValue *in[2] = {merge(v, lanes(v, op->in[0]), 0), same(v, op->in[1])};
  const IrType *want = op->code == IR_CONV_DX ? &t : NULL;
  IrValue *y = ir_build(&v->b, op->code, 2, in, want, op->nattr, op->attr, 0, NULL)->out[0];
  set_batched(v, op->out[0], split(v, y, 0, v->n, images));
  return true;
}

static bool vm_conv(Vm *v, IrOp *op) { return differs(v, op->in[1]) ? conv_groups(v, op, 0) : conv_images(v, op); }
static bool vm_conv_dx(Vm *v, IrOp *op) { return differs(v, op->in[1]) ? conv_groups(v, op, -1) : conv_images(v, op); }
static bool vm_conv_dw(Vm *v, IrOp *op) { return conv_groups(v, op, 0); }

// ---- control ------------------------------------------------------------------------------------------
// A loop of elementwise code over long rows gains nothing from longer ones: as lanes its rows stay where they are,
// what it carries stays in the nearest cache, and threads take lanes.
static bool wide_rows(const IrOp *op) {
  int64_t bytes = 0;
  for (int k = 0; k < ir_int(op, A_NCARRY); k++) bytes += ir_bytes(&op->in[k]->type);
  if (bytes < WIDE_ROW) return false;
  ir_each_op(op->sub[0], inner) {
    IrLower l = ir_info[inner->code].lower;
    if (l != LOWER_ELEMENT && l != LOWER_INDEX && l != LOWER_VIEW && l != LOWER_CONST && l != LOWER_REDUCE) return false;
  }
  return true;
}

static void emit_ops(Vm *v, IrRegion *r);

static IrRegion *enter(Vm *v, IrBuilder *saved) {
  *saved = v->b;
  v->b.at = ir_region(v->g);
  v->b.before = NULL;
  return v->b.at;
}

// A new argument for x, whose type shows whether it got the lanes' axis.
static void set_arg(Vm *v, IrRegion *r, IrValue *x, IrType t) {
  IrValue *a = ir_arg(r, t);
  if (differs(v, x)) set_batched(v, x, a);
  else set_same(v, x, a);
}

static void set_result(Vm *v, const IrValue *x, IrValue *to) {
  if (differs(v, x)) set_batched(v, x, to);
  else set_same(v, x, to);
}

// The lanes' axis stands behind that of the turns while in the loop.
static bool vm_scan(Vm *v, IrOp *op) {
  if (wide_rows(op)) return false;
  IrRegion *r = op->sub[0];
  int nc = (int)ir_int(op, A_NCARRY);
  IrValue **in = arena_array(v->tmp, IrValue *, op->nin + 1);
  for (int k = 0; k < op->nin; k++) {
    bool batch = differs(v, r->arg[k + 1]);
    in[k] = either(v, op->in[k], batch);
    if (k >= nc && batch) in[k] = move_axis(v, in[k], 0, 1);
  }
  IrBuilder saved;
  IrRegion *y = enter(v, &saved);
  set_arg(v, y, r->arg[0], r->arg[0]->type);
  for (int k = 0; k < op->nin; k++) set_arg(v, y, r->arg[k + 1], k < nc ? in[k]->type : without_axis(in[k]->type));
  emit_ops(v, r);
  for (int k = 0; k < op->nout; k++) ir_yield(y, either(v, r->yield[k], differs(v, op->out[k])));
  v->b = saved;
  IrOp *loop = ir_build(&v->b, IR_SCAN, op->nin, in, NULL, op->nattr, op->attr, 1, &y);
  for (int k = 0; k < op->nout; k++) {
    bool stacked = k >= nc && differs(v, op->out[k]);
    set_result(v, op->out[k], stacked ? move_axis(v, loop->out[k], 1, 0) : loop->out[k]);
  }
  return true;
}

// Lanes that part would each wait for the longest: those stay in a map.
static bool vm_while(Vm *v, IrOp *op) {
  IrRegion *test = op->sub[0], *body = op->sub[1], *sub[2];
  if (differs(v, test->yield[0])) return false;
  IrValue **in = arena_array(v->tmp, IrValue *, op->nin + 1);
  for (int k = 0; k < op->nin; k++) in[k] = either(v, op->in[k], differs(v, op->out[k]));
  for (int i = 0; i < 2; i++) {
    IrBuilder saved;
    sub[i] = enter(v, &saved);
    for (int k = 0; k < op->nin; k++) set_arg(v, sub[i], op->sub[i]->arg[k], in[k]->type);
    emit_ops(v, op->sub[i]);
    if (i == 0) ir_yield(sub[0], same(v, test->yield[0]));
    else
      for (int k = 0; k < op->nout; k++) ir_yield(sub[1], either(v, body->yield[k], differs(v, op->out[k])));
    v->b = saved;
  }
  IrOp *loop = ir_build(&v->b, IR_WHILE, op->nin, in, NULL, 0, NULL, 2, sub);
  for (int k = 0; k < op->nout; k++) set_result(v, op->out[k], loop->out[k]);
  return true;
}

// Something whose cost may differ by lane, or that is a map already.
static bool has_loop(const IrRegion *r) {
  ir_each_op(r, op) {
    if (op->code == IR_WHILE || op->code == IR_MAP || ir_info[op->code].lower == LOWER_NEVER) return true;
    for (int i = 0; i < op->nregion; i++)
      if (has_loop(op->sub[i])) return true;
  }
  return false;
}

static bool cond_of_all(Vm *v, IrOp *op) {
  IrRegion *sub[2];
  for (int i = 0; i < 2; i++) {
    IrBuilder saved;
    sub[i] = enter(v, &saved);
    emit_ops(v, op->sub[i]);
    for (int k = 0; k < op->nout; k++) ir_yield(sub[i], either(v, op->sub[i]->yield[k], differs(v, op->out[k])));
    v->b = saved;
  }
  IrValue *p = same(v, op->in[0]);
  IrOp *y = ir_build(&v->b, IR_COND, 1, &p, NULL, 0, NULL, 2, sub);
  for (int k = 0; k < op->nout; k++) set_result(v, op->out[k], y->out[k]);
  return true;
}

// x where p [lanes], else y.
static IrValue *choose(Vm *v, IrValue *p, IrValue *x, IrValue *y) {
  IrType t = x->type;
  t.dtype = IR_BOOL;
  if (t.rank > 1) p = ir_broadcast(&v->b, p, t, (int64_t[]){0});
  return ir_select(&v->b, p, x, y);
}

// A branch that all lanes compute and some take. The others may meet a NaN in it, as the derivative of sqrt(x) behind
// x > 0 is where x < 0, and the cotangent 0 that L9 gives them does not survive a product with that. So what differs
// by lane comes in through a select, whose transpose stops at these lanes; `guarded` does the same for what does not.
static void emit_branch(Vm *v, IrOp *op, int side) {
  IrValue *guard = v->guard, **outer, **was, *p;
  int n = v->derived ? ir_captures(v->tmp, op->sub[side], &outer) : 0;
  if (n == 0) {
    emit_ops(v, op->sub[side]);
    return;
  }
  p = lanes(v, op->in[0]);
  if (side) p = ir_un(&v->b, IR_NOT, p);
  v->guard = p = guard ? ir_bin(&v->b, IR_AND, guard, p) : p;
  was = arena_array(v->tmp, IrValue *, n);
  for (int k = 0; k < n; k++) {
    if (!differs(v, outer[k]) || !ir_is_diff(outer[k]->type.dtype)) continue;
    was[k] = lanes(v, outer[k]);
    v->batched[outer[k]->id] = choose(v, p, was[k], ir_un(&v->b, IR_STOP_GRAD, was[k]));
  }
  emit_ops(v, op->sub[side]);
  for (int k = 0; k < n; k++)
    if (was[k]) v->batched[outer[k]->id] = was[k];
  v->guard = guard;
}

// Lanes take different branches: both are computed, L9 keeps their derivatives apart.
static bool vm_cond(Vm *v, IrOp *op) {
  if (!differs(v, op->in[0])) return cond_of_all(v, op);
  if (has_loop(op->sub[0]) || has_loop(op->sub[1])) return false;
  for (int side = 0; side < 2; side++) emit_branch(v, op, side);
  IrValue *p = lanes(v, op->in[0]);
  for (int k = 0; k < op->nout; k++)
    set_batched(v, op->out[k], choose(v, p, lanes(v, op->sub[0]->yield[k]), lanes(v, op->sub[1]->yield[k])));
  return true;
}

// All lanes wait for the first one's scalar: it is as late as the others'.
static bool vm_after(Vm *v, IrOp *op) {
  IrValue *x = either(v, op->in[0], differs(v, op->out[0])), *y = op->in[1];
  int64_t zero = 0, one = 1;
  if (!differs(v, y)) y = same(v, y);
  else if (ir_count(&lanes(v, y)->type)) y = ir_reshape(&v->b, ir_slice(&v->b, lanes(v, y), &zero, &one, &one), 0, &one);
  else y = NULL;   // no lanes, nothing to wait for
  set_result(v, op->out[0], y ? ir_bin(&v->b, IR_AFTER, x, y) : x);
  return true;
}

static bool vm_remat(Vm *v, IrOp *op) {
  IrValue **in = arena_array(v->tmp, IrValue *, op->nin + 1);
  for (int k = 0; k < op->nin; k++) in[k] = either(v, op->in[k], differs(v, op->in[k]));
  IrBuilder saved;
  IrRegion *r = enter(v, &saved);
  emit_ops(v, op->sub[0]);
  for (int k = 0; k < op->nout; k++) ir_yield(r, either(v, op->sub[0]->yield[k], differs(v, op->out[k])));
  v->b = saved;
  IrOp *y = ir_build(&v->b, IR_REMAT, op->nin, in, NULL, 0, NULL, 1, &r);
  for (int k = 0; k < op->nout; k++) set_result(v, op->out[k], y->out[k]);
  return true;
}

static void analyse(Vm *v, const IrRegion *r);

// Every operand gets the lanes' axis, also one that all share: its cotangent is then summed where it was repeated.
static bool vm_custom(Vm *v, IrOp *op) {
  IrValue **in = all_lanes(v, op);
  IrRegion *sub[2];
  for (int i = 0; i < 2; i++) {
    IrRegion *r = op->sub[i];
    for (int k = 0; k < r->narg; k++) flag(v, r->arg[k], true);
    analyse(v, r);
    IrBuilder saved;
    sub[i] = enter(v, &saved);
    for (int k = 0; k < r->narg; k++) set_batched(v, r->arg[k], ir_arg(sub[i], with_axis(r->arg[k]->type, v->n)));
    emit_ops(v, r);
    for (int k = 0; k < r->nyield; k++) ir_yield(sub[i], lanes(v, r->yield[k]));
    v->b = saved;
  }
  IrOp *y = ir_build(&v->b, IR_CUSTOM, op->nin, in, NULL, op->nattr, op->attr, 2, sub);
  for (int k = 0; k < op->nout; k++) set_batched(v, op->out[k], y->out[k]);
  return true;
}

static bool captures_differ(Vm *v, const IrOp *op) {
  for (int i = 0; i < op->nregion; i++) {
    IrValue **outer;
    int n = ir_captures(v->tmp, op->sub[i], &outer);
    if (some_differ(v, n, outer)) return true;
  }
  return false;
}

// A map that an inner one left: its lanes times ours, in one, if nothing is captured from ours.
static bool vm_map(Vm *v, IrOp *op) {
  if (captures_differ(v, op)) return false;
  int64_t m = ir_int(op, A_N);
  if (m == 0) return false;
  IrRegion *r = op->sub[0];
  IrValue **in = arena_array(v->tmp, IrValue *, op->nin + 1);
  for (int k = 0; k < op->nin; k++) in[k] = merge(v, lanes(v, op->in[k]), 0);
  IrBuilder saved;
  IrRegion *y = enter(v, &saved);
  IrValue *lane = ir_arg(y, r->arg[0]->type);
  set_same(v, r->arg[0], ir_bin(&v->b, IR_MOD, lane, number(v, lane->type, m)));
  for (int k = 0; k < op->nin; k++) set_same(v, r->arg[k + 1], ir_arg(y, r->arg[k + 1]->type));
  room(v);
  ir_clone_into(&v->b, r, v->same);
  for (int k = 0; k < r->nyield; k++) ir_yield(y, same(v, r->yield[k]));
  v->b = saved;
  IrAttr attr = ir_attr_int(v->g->arena, A_N, m * v->n);
  IrOp *map = ir_build(&v->b, IR_MAP, op->nin, in, NULL, 1, &attr, 1, &y);
  for (int k = 0; k < op->nout; k++) set_batched(v, op->out[k], split(v, map->out[k], 0, v->n, m));
  return true;
}

// ---- the driver ---------------------------------------------------------------------------------------
typedef bool Rule(Vm *v, IrOp *op);
static Rule *const rule[IR_NCODE] = {
#define OP(code, name, nin, nout, attrs, type, eval, jvp, transpose, batch, lower, doc) [IR_##code] = vm_##batch,
#include "ir/ops.def"
#undef OP
};

// Carries differ by lane if they start or go on so: to a fixed point.
static void analyse_carries(Vm *v, const IrOp *op, const IrRegion *body, int nc, int first) {
  for (bool again = true; again;) {
    again = false;
    for (int i = 0; i < op->nregion; i++) analyse(v, op->sub[i]);
    for (int k = 0; k < nc; k++) {
      bool d = differs(v, op->in[k]) || differs(v, body->yield[k]);
      for (int i = 0; i < op->nregion; i++) again |= flag(v, op->sub[i]->arg[first + k], d);
      flag(v, op->out[k], d);
    }
  }
}

static void flag_results(Vm *v, const IrOp *op, bool on) {
  for (int k = 0; k < op->nout; k++) flag(v, op->out[k], on);
}

static void analyse_op(Vm *v, const IrOp *op) {
  bool any = some_differ(v, op->nin, op->in);
  switch (op->code) {
  case IR_SCAN: {
    const IrRegion *r = op->sub[0];
    int nc = (int)ir_int(op, A_NCARRY);
    for (int k = nc; k < op->nin; k++) flag(v, r->arg[k + 1], differs(v, op->in[k]));
    analyse_carries(v, op, r, nc, 1);
    for (int k = nc; k < op->nout; k++) flag(v, op->out[k], differs(v, r->yield[k]));
    if (wide_rows(op)) flag_results(v, op, any || captures_differ(v, op));     // stays in a map as a whole
    break;
  }
  case IR_WHILE:
    analyse_carries(v, op, op->sub[1], op->nin, 0);
    flag_results(v, op, differs(v, op->sub[0]->yield[0]));
    break;
  case IR_COND:
    for (int i = 0; i < 2; i++) {
      analyse(v, op->sub[i]);
      for (int k = 0; k < op->nout; k++) flag(v, op->out[k], any || differs(v, op->sub[i]->yield[k]));
    }
    break;
  case IR_REMAT:
    analyse(v, op->sub[0]);
    for (int k = 0; k < op->nout; k++) flag(v, op->out[k], differs(v, op->sub[0]->yield[k]));
    break;
  default: flag_results(v, op, any || captures_differ(v, op));
  }
}

// Which values of r differ by lane.
static void analyse(Vm *v, const IrRegion *r) {
  ir_each_op(r, op) analyse_op(v, op);
}

static bool wants_type(IrCode c) {
  return c == IR_CONST || c == IR_IOTA || c == IR_CAST || c == IR_BITCAST || c == IR_RESHAPE || c == IR_BROADCAST ||
         c == IR_CONV_DX || c == IR_CONV_DW;
}

// op over what stands for its operands in each lane.
static IrOp *copy(Vm *v, const IrOp *op) {
  IrValue **in = arena_array(v->tmp, IrValue *, op->nin + 1);
  IrRegion *sub[2];
  for (int k = 0; k < op->nin; k++) in[k] = same(v, op->in[k]);
  for (int k = 0; k < op->nregion; k++) {
    room(v);
    sub[k] = ir_clone_region(v->g, op->sub[k], v->same);
  }
  const IrType *want = wants_type(op->code) ? &op->out[0]->type : NULL;
  return ir_build(&v->b, op->code, op->nin, in, want, op->nattr, op->attr, op->nregion, sub);
}

typedef VEC(IrValue *) Values;

static void add_differing(Vm *v, Values *list, int n, IrValue *const *x) {
  for (int k = 0; k < n; k++) {
    if (!differs(v, x[k])) continue;
    bool there = false;
    for (int i = 0; i < list->n; i++) there |= list->at[i] == x[k];
    if (!there) vec_push(v->tmp, list, x[k]);
  }
}

// A map around this op alone; what differs by lane comes in as slices.
static void keep_map(Vm *v, const IrOp *op) {
  Values x = {0};
  add_differing(v, &x, op->nin, op->in);
  for (int i = 0; i < op->nregion; i++) {
    IrValue **outer;
    int n = ir_captures(v->tmp, op->sub[i], &outer);
    add_differing(v, &x, n, outer);
  }
  IrBuilder saved;
  IrRegion *r = enter(v, &saved);
  IrValue **in = arena_array(v->tmp, IrValue *, x.n + 1);
  ir_arg(r, ir_scalar(IR_I32));
  for (int k = 0; k < x.n; k++) {
    in[k] = lanes(v, x.at[k]);
    set_same(v, x.at[k], ir_arg(r, x.at[k]->type));
  }
  IrOp *one = copy(v, op);
  for (int k = 0; k < op->nout; k++) {
    hint(one->out[k], op->out[k]);
    ir_yield(r, one->out[k]);
  }
  v->b = saved;
  IrAttr attr = ir_attr_int(v->g->arena, A_N, v->n);
  IrOp *map = ir_build(&v->b, IR_MAP, x.n, in, NULL, 1, &attr, 1, &r);
  for (int k = 0; k < op->nout; k++) set_batched(v, op->out[k], map->out[k]);
}

static bool is_constant(const IrValue *x) {
  while (x->op && x->op->nin == 1 && !x->op->nregion) x = x->op->in[0];
  return x->op && (x->op->code == IR_CONST || x->op->code == IR_IOTA);
}

// op meets what all lanes share with what differs: the sum over lanes that is the cotangent of the former must not get
// a NaN from lanes that do not take the branch. The latter is 1 there.
static bool mixes(Vm *v, const IrOp *op) {
  bool shared = false, own = false;
  for (int k = 0; k < op->nin; k++) {
    if (!ir_is_diff(op->in[k]->type.dtype)) continue;
    bool d = differs(v, op->in[k]);
    own |= d;
    shared |= !d && !is_constant(op->in[k]);
  }
  return shared && own && !op->nregion;
}

static bool guarded(Vm *v, IrOp *op) {
  IrValue **was = arena_array(v->tmp, IrValue *, op->nin);
  for (int k = 0; k < op->nin; k++) {
    if (!differs(v, op->in[k]) || !ir_is_diff(op->in[k]->type.dtype)) continue;
    was[k] = lanes(v, op->in[k]);
    v->batched[op->in[k]->id] = choose(v, v->guard, was[k], ir_fill(&v->b, was[k]->type, 1));
  }
  bool done = rule[op->code](v, op);
  for (int k = op->nin - 1; k >= 0; k--)
    if (was[k]) v->batched[op->in[k]->id] = was[k];
  return done;
}

static void emit_op(Vm *v, IrOp *op) {
  v->b.loc = op->loc;
  v->b.scope = op->scope;
  if (!some_differ(v, op->nin, op->in) && !captures_differ(v, op)) {
    IrOp *y = copy(v, op);
    for (int k = 0; k < op->nout; k++) set_same(v, op->out[k], y->out[k]);
  } else if (!(v->guard && mixes(v, op) ? guarded(v, op) : rule[op->code](v, op)))
    keep_map(v, op);
}

static void emit_ops(Vm *v, IrRegion *r) {
  ir_each_op(r, op) emit_op(v, op);
}

// The lanes' axis would be a ninth.
static bool too_deep(const IrRegion *r) {
  ir_each_op(r, op) {
    for (int k = 0; k < op->nout; k++)
      if (op->out[k]->type.rank == IR_MAX_RANK) return true;
    for (int k = 0; k < op->nin; k++)
      if (op->in[k]->type.rank == IR_MAX_RANK) return true;
    for (int i = 0; i < op->nregion; i++)
      if (too_deep(op->sub[i])) return true;
  }
  return false;
}

static void batch(Vm *v, IrOp *op) {
  IrRegion *r = op->sub[0];
  if (too_deep(r)) return;
  v->n = ir_int(op, A_N);
  v->b = (IrBuilder){.graph = v->g, .at = op->parent, .before = op, .loc = op->loc, .scope = op->scope};
  for (int k = 0; k < r->narg; k++) flag(v, r->arg[k], true);
  analyse(v, r);
  set_batched(v, r->arg[0], ir_iota(&v->b, ir_type(IR_I32, 1, &v->n), 0));
  for (int k = 0; k < op->nin; k++) set_batched(v, r->arg[k + 1], op->in[k]);
  emit_ops(v, r);
  for (int k = 0; k < op->nout; k++) {
    IrValue *y = lanes(v, r->yield[k]);
    room(v);
    v->result[op->out[k]->id] = y;
    hint(y, op->out[k]);
  }
  ir_remove(op);
}

static void resolve(Vm *v, int n, IrValue **x) {
  room(v);
  for (int k = 0; k < n; k++)
    if (v->result[x[k]->id]) x[k] = v->result[x[k]->id];
}

// Innermost maps first. What was replaced is met again only later in the walk.
static void each_map(Vm *v, IrRegion *r) {
  for (IrOp *op = r->first, *next; op; op = next) {
    next = op->next;
    resolve(v, op->nin, op->in);
    for (int i = 0; i < op->nregion; i++) each_map(v, op->sub[i]);
    if (op->code == IR_MAP) batch(v, op);
  }
  resolve(v, r->nyield, r->yield);
}

static void batch_maps(IrRegion *r, bool derived) {
  // Scratch memory goes back when the pass ends, also when it ends because there is no more.
  IrGraph *g = r->graph;
  jmp_buf oom, *outer = g->arena->oom;
  Arena tmp = {.oom = &oom};
  Vm v = {.tmp = &tmp, .g = g, .derived = derived};
  if (setjmp(oom)) {
    g->arena->oom = outer;
    arena_free(&tmp);
    longjmp(*outer, 1);
  }
  g->arena->oom = &oom;
  each_map(&v, r);
  g->arena->oom = outer;
  arena_free(&tmp);
}

void pass_vmap_derived(IrRegion *r) { batch_maps(r, true); }

void pass_vmap(PassContext *c, IrGraph *g) {
  (void)c;
  batch_maps(g->top, false);
}
