#include "ir/number.h"

#include <string.h>

// ---- graphs and regions -----------------------------------------------------------------
IrRegion *ir_region(IrGraph *g) {
  IrRegion *r = arena_new(g->arena, IrRegion);
  r->graph = g;
  return r;
}

IrGraph *ir_graph(Arena *a, const char *name) {
  IrGraph *g = arena_new(a, IrGraph);
  g->arena = a;
  g->name = arena_str(a, name);
  g->top = ir_region(g);
  return g;
}

static IrValue *new_value(IrGraph *g, IrType t) {
  IrValue *v = arena_new(g->arena, IrValue);
  v->id = g->nvalue++;
  v->type = t;
  return v;
}

static void *regrow(Arena *a, const void *old, int n, int cap) {
  void **at = arena_array(a, void *, cap);
  if (n > 0 && old) memcpy(at, old, sizeof *at * (size_t)n);
  return at;
}

// The names of a graph's inputs and outputs have the room of its top region's lists.
// A pass may have put a list of its own in place of ours: that one is copied.
IrValue *ir_arg(IrRegion *r, IrType t) {
  const char *bad = ir_type_bad(&t);
  ICE_IF(bad, "region argument with %s", bad);
  IrGraph *g = r->graph;
  if (r->arg != r->arg_room.at || r->narg >= r->arg_room.cap) {
    int cap = r->narg < 4 ? 4 : 2 * r->narg;
    r->arg = regrow(g->arena, r->arg, r->narg, cap);
    if (r == g->top) g->in_name = regrow(g->arena, g->in_name, r->narg, cap);
    r->arg_room.at = r->arg, r->arg_room.cap = cap;
  }
  IrValue *v = new_value(g, t);
  v->region = r;
  v->index = r->narg;
  r->arg[r->narg++] = v;
  return v;
}

void ir_yield(IrRegion *r, IrValue *v) {
  IrGraph *g = r->graph;
  if (r->yield != r->yield_room.at || r->nyield >= r->yield_room.cap) {
    int cap = r->nyield < 4 ? 4 : 2 * r->nyield;
    r->yield = regrow(g->arena, r->yield, r->nyield, cap);
    if (r == g->top) g->out_name = regrow(g->arena, g->out_name, r->nyield, cap);
    r->yield_room.at = r->yield, r->yield_room.cap = cap;
  }
  r->yield[r->nyield++] = v;
}

IrValue *ir_input(IrGraph *g, IrType t, const char *name) {
  IrValue *v = ir_arg(g->top, t);
  g->in_name[v->index] = name ? arena_str(g->arena, name) : NULL;
  v->hint = g->in_name[v->index];
  return v;
}

void ir_output(IrGraph *g, IrValue *v, const char *name) {
  ir_yield(g->top, v);
  g->out_name[g->top->nyield - 1] = name ? arena_str(g->arena, name) : NULL;
}

// ---- ops -------------------------------------------------------------------------------------
static void insert(IrOp *op, IrRegion *r, IrOp *before) {
  ICE_IF(before && before->parent != r, "the op to stand behind is in another region");
  op->parent = r;
  op->next = before;
  op->prev = before ? before->prev : r->last;
  if (op->prev) op->prev->next = op;
  else r->first = op;
  if (before) before->prev = op;
  else r->last = op;
}

static IrAttr own_attr(Arena *a, const IrAttr *t) {
  IrAttr y = *t;
  if (t->key == A_DATA) y.data = arena_copy(a, t->data, (size_t)t->n);
  else if (t->key == A_NAME) y.data = arena_strn(a, t->data, (size_t)t->n);
  else y.i = arena_copy(a, t->i, sizeof *t->i * (size_t)t->n);
  return y;
}

// No type rule is asked here: `out` holds the types of the results. Attributes are shared.
static IrOp *new_op(IrBuilder *b, IrCode code, int nin, IrValue *const *in, int nout, const IrType *out, int nattr,
                    const IrAttr *attr, int nregion, IrRegion *const *sub) {
  Arena *a = b->graph->arena;
  IrOp *op = arena_new(a, IrOp);
  op->code = code;
  op->nin = nin, op->nout = nout, op->nattr = nattr, op->nregion = nregion;
  op->in = arena_copy(a, in, sizeof *in * (size_t)nin);
  op->out = arena_array(a, IrValue *, nout);
  op->attr = arena_copy(a, attr, sizeof *attr * (size_t)nattr);
  op->sub = arena_copy(a, sub, sizeof *sub * (size_t)nregion);
  for (int k = 0; k < nout; k++) {
    op->out[k] = new_value(b->graph, out[k]);
    op->out[k]->op = op;
    op->out[k]->index = k;
  }
  for (int k = 0; k < nregion; k++) {
    ICE_IF(sub[k]->owner || sub[k] == b->graph->top, "%s: a region of its own is needed", ir_info[code].name);
    sub[k]->owner = op;
  }
  op->loc = b->loc;
  op->scope = b->scope;
  insert(op, b->at, b->before);
  return op;
}

IrOp *ir_build(IrBuilder *b, IrCode code, int nin, IrValue *const *in, const IrType *want, int nattr,
               const IrAttr *attr, int nregion, IrRegion *const *sub) {
  Arena *a = b->graph->arena;
  IrType few[16], *out = few;
  int nout = 0, most = ir_most_out(code, nin, nregion, sub);
  if (most > 16) out = arena_array(a, IrType, most);
  const char *why = ir_infer(a, code, nin, in, want, nattr, attr, nregion, sub, out, &nout);
  ICE_IF(why, "%s: %s", ir_info[code].name, why);
  IrAttr own[A_NKEY];
  for (int k = 0; k < nattr; k++) own[k] = own_attr(a, &attr[k]);
  return new_op(b, code, nin, in, nout, out, nattr, own, nregion, sub);
}

// ---- shorthands -------------------------------------------------------------------------------
static IrValue *build1(IrBuilder *b, IrCode c, int nin, IrValue *const *in, const IrType *want, int nattr,
                       const IrAttr *attr) {
  return ir_build(b, c, nin, in, want, nattr, attr, 0, NULL)->out[0];
}

static IrAttr ints(IrKey k, int n, const int64_t *v) {
  IrAttr t = {.key = k, .n = n};
  t.i = v;
  return t;
}

IrValue *ir_un(IrBuilder *b, IrCode c, IrValue *x) { return build1(b, c, 1, &x, NULL, 0, NULL); }

IrValue *ir_bin(IrBuilder *b, IrCode c, IrValue *x, IrValue *y) {
  return build1(b, c, 2, (IrValue *[]){x, y}, NULL, 0, NULL);
}

IrValue *ir_select(IrBuilder *b, IrValue *c, IrValue *x, IrValue *y) {
  return build1(b, IR_SELECT, 3, (IrValue *[]){c, x, y}, NULL, 0, NULL);
}

IrValue *ir_const(IrBuilder *b, IrType t, const void *data, size_t bytes) {
  ICE_IF(bytes > INT32_MAX, "a constant of %zu bytes", bytes);
  IrAttr d = {.key = A_DATA, .n = (int)bytes};
  d.data = data;
  return build1(b, IR_CONST, 0, NULL, &t, 1, &d);
}

IrValue *ir_fill(IrBuilder *b, IrType t, double v) {
  unsigned char one[16] = {0};
  IrNumber x = {v, 0, ir_is_diff(t.dtype) ? 0 : ir_saturate(t.dtype, v)};
  ir_store(t.dtype, one, x);
  return ir_const(b, t, one, (size_t)ir_dtype_bytes(t.dtype));
}

IrValue *ir_iota(IrBuilder *b, IrType t, int axis) {
  int64_t k = axis;
  return build1(b, IR_IOTA, 0, NULL, &t, 1, (IrAttr[]){ints(A_AXIS, 1, &k)});
}

IrValue *ir_cast(IrBuilder *b, IrValue *x, IrDtype t) {
  if (x->type.dtype == t) return x;
  IrType y = x->type;
  y.dtype = t;
  return build1(b, IR_CAST, 1, &x, &y, 0, NULL);
}

IrValue *ir_reshape(IrBuilder *b, IrValue *x, int rank, const int64_t *dim) {
  IrType y = ir_type(x->type.dtype, rank, dim);
  return ir_type_eq(&y, &x->type) ? x : build1(b, IR_RESHAPE, 1, &x, &y, 0, NULL);
}

IrValue *ir_transpose(IrBuilder *b, IrValue *x, const int64_t *perm) {
  return build1(b, IR_TRANSPOSE, 1, &x, NULL, 1, (IrAttr[]){ints(A_AXES, x->type.rank, perm)});
}

IrValue *ir_broadcast(IrBuilder *b, IrValue *x, IrType t, const int64_t *axes) {
  return build1(b, IR_BROADCAST, 1, &x, &t, 1, (IrAttr[]){ints(A_AXES, x->type.rank, axes)});
}

IrValue *ir_spread(IrBuilder *b, IrValue *x, int rank, const int64_t *dim) {
  IrType y = ir_type(x->type.dtype, rank, dim);
  if (ir_type_eq(&y, &x->type)) return x;
  int64_t keep[IR_MAX_RANK], axes[IR_MAX_RANK];
  int n = 0, lead = rank - x->type.rank;
  ICE_IF(lead < 0, "spread to fewer axes");
  for (int k = 0; k < x->type.rank; k++) {
    int64_t d = x->type.dim[k];
    ICE_IF(d != dim[lead + k] && d != 1, "spread: size %lld to %lld", (long long)d, (long long)dim[lead + k]);
    if (d == dim[lead + k]) keep[n] = d, axes[n++] = lead + k;
  }
  return ir_broadcast(b, ir_reshape(b, x, n, keep), y, axes);
}

IrValue *ir_slice(IrBuilder *b, IrValue *x, const int64_t *start, const int64_t *limit, const int64_t *stride) {
  int n = x->type.rank;
  return build1(b, IR_SLICE, 1, &x, NULL, 3,
                (IrAttr[]){ints(A_START, n, start), ints(A_LIMIT, n, limit), ints(A_STRIDE, n, stride)});
}

IrValue *ir_pad(IrBuilder *b, IrValue *x, const int64_t *lo, const int64_t *hi, const int64_t *inner) {
  int n = x->type.rank;
  return build1(b, IR_PAD, 1, &x, NULL, 3, (IrAttr[]){ints(A_LO, n, lo), ints(A_HI, n, hi), ints(A_INNER, n, inner)});
}

IrValue *ir_concat(IrBuilder *b, int n, IrValue *const *x, int axis) {
  int64_t k = axis;
  return build1(b, IR_CONCAT, n, x, NULL, 1, (IrAttr[]){ints(A_AXIS, 1, &k)});
}

IrValue *ir_reduce(IrBuilder *b, IrCode c, IrValue *x, int naxes, const int64_t *axes) {
  return build1(b, c, 1, &x, NULL, 1, (IrAttr[]){ints(A_AXES, naxes, axes)});
}

IrValue *ir_dot(IrBuilder *b, IrValue *x, IrValue *y, int nbatch, bool ta, bool tb) {
  int64_t v[3] = {nbatch, ta, tb};
  return build1(b, IR_DOT, 2, (IrValue *[]){x, y}, NULL, 3,
                (IrAttr[]){ints(A_BATCH, 1, &v[0]), ints(A_TA, 1, &v[1]), ints(A_TB, 1, &v[2])});
}

IrValue *ir_gather(IrBuilder *b, IrValue *x, IrValue *idx, int nbatch) {
  int64_t n = nbatch;
  return build1(b, IR_GATHER, 2, (IrValue *[]){x, idx}, NULL, 1, (IrAttr[]){ints(A_BATCH, 1, &n)});
}

IrValue *ir_scatter(IrBuilder *b, IrValue *x, IrValue *idx, IrValue *u, int nbatch, IrScatter mode) {
  int64_t v[2] = {nbatch, mode};
  return build1(b, IR_SCATTER, 3, (IrValue *[]){x, idx, u}, NULL, 2,
                (IrAttr[]){ints(A_BATCH, 1, &v[0]), ints(A_MODE, 1, &v[1])});
}

// ---- copies ---------------------------------------------------------------------------------------
static IrValue *stands_for(const IrGraph *to, const IrRegion *from, IrValue *const *map, IrValue *v) {
  if (map[v->id]) return map[v->id];
  ICE_IF(to != from->graph, "%%%d has no counterpart in the other graph", v->id);
  return v;
}

void ir_clone_op(IrBuilder *b, const IrOp *op, IrValue **map) {
  const IrRegion *from = op->parent;
  Arena *a = b->graph->arena;
  IrValue *in_few[8], **in = op->nin > 8 ? arena_array(a, IrValue *, op->nin) : in_few;
  IrRegion *sub[2];
  IrType t_few[8], *t = op->nout > 8 ? arena_array(a, IrType, op->nout) : t_few;
  IrAttr own[A_NKEY];
  bool other = a != from->graph->arena;
  for (int k = 0; k < op->nin; k++) in[k] = stands_for(b->graph, from, map, op->in[k]);
  for (int k = 0; k < op->nregion; k++) sub[k] = ir_clone_region(b->graph, op->sub[k], map);
  for (int k = 0; k < op->nattr; k++) own[k] = other ? own_attr(a, &op->attr[k]) : op->attr[k];
  for (int k = 0; k < op->nout; k++) t[k] = op->out[k]->type;
  IrBuilder at = *b;
  at.loc = op->loc;
  at.scope = other && op->scope ? arena_str(a, op->scope) : op->scope;
  IrOp *c = new_op(&at, op->code, op->nin, in, op->nout, t, op->nattr, own, op->nregion, sub);
  for (int k = 0; k < op->nout; k++) {
    const char *h = op->out[k]->hint;
    c->out[k]->hint = other && h ? arena_str(a, h) : h;
    map[op->out[k]->id] = c->out[k];
  }
}

// The last op is fixed at the start: the copies may go to the end of the region copied.
void ir_clone_into(IrBuilder *b, const IrRegion *r, IrValue **map) {
  if (!r->first) return;
  const IrOp *last = r->last;
  for (const IrOp *op = r->first;; op = op->next) {
    ir_clone_op(b, op, map);
    if (op == last) return;
  }
}

IrRegion *ir_clone_region(IrGraph *to, const IrRegion *r, IrValue **map) {
  IrRegion *c = ir_region(to);
  for (int k = 0; k < r->narg; k++) {
    IrValue *v = map[r->arg[k]->id] = ir_arg(c, r->arg[k]->type);
    const char *h = r->arg[k]->hint;
    v->hint = h && to->arena != r->graph->arena ? arena_str(to->arena, h) : h;
  }
  ir_clone_into(&(IrBuilder){.graph = to, .at = c}, r, map);
  for (int k = 0; k < r->nyield; k++) ir_yield(c, stands_for(to, r, map, r->yield[k]));
  return c;
}

// ---- places ---------------------------------------------------------------------------------------
static void unlink_op(IrOp *op) {
  IrRegion *r = op->parent;
  if (op->prev) op->prev->next = op->next;
  else r->first = op->next;
  if (op->next) op->next->prev = op->prev;
  else r->last = op->prev;
  op->prev = op->next = NULL;
  op->parent = NULL;
}

void ir_remove(IrOp *op) { unlink_op(op); }

void ir_move_before(IrOp *op, IrRegion *r, IrOp *before) {
  if (op == before) return;
  unlink_op(op);
  insert(op, r, before);
}
