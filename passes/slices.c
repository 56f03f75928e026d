// Slices of arrays that are transposed or cut first: a scan reads them where they stand, by the turn's number.
//
// Batching leaves transposed ones: the lanes' axis stands in front, the turns' axis behind it. The copy would be written and
// read once more than the array itself.
#include <string.h>

#include "passes/passes.h"

enum { RUN_BYTES = 64 };             // of the source that a slice reads in one piece, at least

// Where the slices of a scan's operand are: axis `axis` of `x`, from `start`.
typedef struct Origin { IrValue *x; int axis; int64_t start; } Origin;

// A part of x along that axis alone.
static bool only_axis(const IrOp *op, int axis) {
  int n;
  const int64_t *start = ir_ints(op, A_START, &n), *stride = ir_ints(op, A_STRIDE, &n);
  const IrType *x = &op->in[0]->type, *y = &op->out[0]->type;
  for (int k = 0; k < n; k++)
    if (stride[k] != 1 || (k != axis && (start[k] || x->dim[k] != y->dim[k]))) return false;
  return true;
}

// Every row of x, and of each a part along its first axis, half of it or more.
static bool whole_rows(const IrOp *op) {
  const IrType *x = &op->in[0]->type, *y = &op->out[0]->type;
  if (x->rank < 2 || y->dim[0] != x->dim[0] || 2 * y->dim[1] < x->dim[1]) return false;
  return only_axis(op, 1);
}

static bool moves_one(const IrOp *op, int axis, int *from) {
  int n, last = -1;
  const int64_t *axes = ir_ints(op, A_AXES, &n);
  *from = (int)axes[axis];
  for (int k = 0; k < n; k++) {
    if (k == axis) continue;
    if (axes[k] < last) return false;
    last = (int)axes[k];
  }
  return true;
}

static Origin origin_of(IrValue *x) {
  Origin s = {x, 0, 0};
  for (const IrOp *op; (op = s.x->op); s.x = op->in[0]) {
    int from;
    if (op->code == IR_SLICE && only_axis(op, s.axis)) {
      int n;
      s.start += ir_ints(op, A_START, &n)[s.axis];
    } else if (op->code == IR_TRANSPOSE && moves_one(op, s.axis, &from)) s.axis = from;
    else break;
  }
  return s;
}

static int64_t run_bytes(const Origin *s) {
  int64_t run = ir_dtype_bytes(s->x->type.dtype);
  for (int k = s->axis + 1; k < s->x->type.rank; k++) run *= s->x->type.dim[k];
  return run;
}

static void read_in_place(IrGraph *g, IrOp *scan, int k) {
  Origin s = origin_of(scan->in[k]);
  if (s.x == scan->in[k] || run_bytes(&s) < RUN_BYTES || s.x->type.dim[s.axis] > 2 * scan->in[k]->type.dim[0]) return;
  IrRegion *r = scan->sub[0];
  IrValue *slice = r->arg[1 + k], *in[IR_MAX_RANK + 1] = {s.x};
  IrBuilder b = {.graph = g, .at = r, .before = r->first, .loc = scan->loc, .scope = scan->scope};
  IrType t = s.x->type;
  t.dim[s.axis] = 1;
  for (int i = 0; i < t.rank; i++) in[1 + i] = i == s.axis ? r->arg[0] : ir_fill(&b, ir_scalar(IR_I32), 0);
  if (s.start) in[1 + s.axis] = ir_bin(&b, IR_ADD, r->arg[0], ir_fill(&b, ir_scalar(IR_I32), (double)s.start));
  IrAttr sizes = ir_attr_ints(g->arena, A_SIZES, t.rank, t.dim);
  IrValue *y = ir_build(&b, IR_DYN_SLICE, t.rank + 1, in, NULL, 1, &sizes, 0, NULL)->out[0];
  ir_replace(g, slice, ir_reshape(&b, y, slice->type.rank, slice->type.dim));
}

// Lanes that are cut alike are cut in the map, where a scan may do without.
static void cut_inside(IrGraph *g, IrOp *map) {
  IrRegion *r = map->sub[0];
  IrValue **in = arena_array(g->arena, IrValue *, 2 * map->nin + 1);
  int n = map->nin;
  memcpy(in, map->in, sizeof *in * (size_t)n);
  for (int k = 0; k < map->nin; k++) {
    const IrOp *cut = map->in[k]->op;
    if (!cut || cut->code != IR_SLICE || !whole_rows(cut)) continue;
    IrType t = cut->in[0]->type;
    IrValue *lane = ir_arg(r, ir_type(t.dtype, t.rank - 1, t.dim + 1));
    IrBuilder b = {.graph = g, .at = r, .before = r->first, .loc = cut->loc, .scope = cut->scope};
    const int64_t *start = ir_ints(cut, A_START, NULL), *limit = ir_ints(cut, A_LIMIT, NULL), *stride = ir_ints(cut, A_STRIDE, NULL);
    ir_replace(g, r->arg[1 + k], ir_slice(&b, lane, start + 1, limit + 1, stride + 1));
    in[n++] = cut->in[0];
  }
  if (n == map->nin) return;
  IrBuilder b = {.graph = g, .at = map->parent, .before = map, .loc = map->loc, .scope = map->scope};
  r->owner = NULL;                             // the old map gives its region away
  map->nregion = 0;
  IrOp *wider = ir_build(&b, IR_MAP, n, in, NULL, map->nattr, map->attr, 1, &r);
  for (int k = 0; k < map->nout; k++) ir_replace(g, map->out[k], wider->out[k]);
  ir_remove(map);
}

static void cut_maps(IrGraph *g, IrRegion *r) {
  for (IrOp *op = r->first, *next; op; op = next) {
    next = op->next;
    for (int k = 0; k < op->nregion; k++) cut_maps(g, op->sub[k]);
    if (op->code == IR_MAP) cut_inside(g, op);
  }
}

static void walk(IrGraph *g, IrRegion *r) {
  ir_each_op(r, op) {
    for (int k = 0; k < op->nregion; k++) walk(g, op->sub[k]);
    if (op->code != IR_SCAN) continue;
    for (int k = (int)ir_int(op, A_NCARRY); k < op->nin; k++) read_in_place(g, op, k);
  }
}

void pass_slices(PassContext *c, IrGraph *g) {
  (void)c;
  cut_maps(g, g->top);
  walk(g, g->top);
}
