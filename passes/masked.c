// A select between a large array as two branches have written parts of it: lanes that take different branches, after
// vmap. Both would be copies of the whole array. Instead each branch's writes are made in turn, where lanes that do not
// take it write what is there already. L9 holds: no derivative is left to take.
#include "passes/simplify.h"

#define SMALL (1 << 16)       // bytes of an array that may as well be selected whole

static bool is_update(const IrOp *op) { return op->code == IR_SCATTER || op->code == IR_DYN_UPDATE; }

// The lanes of c are the leading axes of the array, and of the places that are written.
static bool by_lanes(const IrOp *op, const IrType *c) {
  const IrType *x = &op->in[0]->type, *u = &op->in[op->code == IR_SCATTER ? 2 : 1]->type;
  if (op->code == IR_SCATTER && ir_int(op, A_BATCH) < c->rank) return false;
  for (int k = 0; k < c->rank; k++)
    if (x->dim[k] != c->dim[k] || u->dim[k] != c->dim[k]) return false;
  return true;
}

// What v writes parts of, or v itself; NULL where its writes cannot be masked.
static IrValue *root_of(Simp *s, IrValue *v, const IrType *c) {
  while (v->op && (is_update(v->op) || v->op->code == IR_RESHAPE)) {
    if (is_update(v->op) && (!by_lanes(v->op, c) || simp_note(s, v)->uses > 1)) return NULL;
    v = v->op->in[0];
  }
  return v;
}

static IrValue *mask(IrBuilder *b, IrValue *c, IrType t) {
  int64_t axes[IR_MAX_RANK];
  for (int k = 0; k < c->type.rank; k++) axes[k] = k;
  t.dtype = IR_BOOL;
  return t.rank == c->type.rank ? c : ir_broadcast(b, c, t, axes);
}

// x, which is the chain's root in all lanes of c, with the chain's writes in these.
static IrValue *write(IrBuilder *b, IrValue *c, IrValue *v, const IrValue *root, IrValue *x) {
  if (v == root) return x;
  IrOp *op = v->op;
  x = write(b, c, op->in[0], root, x);
  if (op->code == IR_RESHAPE) return ir_reshape(b, x, v->type.rank, v->type.dim);
  IrValue *in[2 + IR_MAX_RANK];
  for (int k = 0; k < op->nin; k++) in[k] = op->in[k];
  in[0] = x;
  if (op->code == IR_SCATTER) {
    bool adds = ir_int(op, A_MODE) == SCATTER_ADD;     // -0.0 is what no sum is changed by
    IrValue *old = adds ? ir_fill(b, in[2]->type, ir_is_float(x->type.dtype) ? -0.0 : 0) : ir_gather(b, x, in[1], (int)ir_int(op, A_BATCH));
    in[2] = ir_select(b, mask(b, c, in[2]->type), in[2], old);
  } else {
    IrAttr size = ir_attr_ints(b->graph->arena, A_SIZES, in[1]->type.rank, in[1]->type.dim);
    IrValue *u = in[1];
    in[1] = x;
    IrValue *old = ir_build(b, IR_DYN_SLICE, op->nin - 1, in + 1, NULL, 1, &size, 0, NULL)->out[0];
    in[1] = ir_select(b, mask(b, c, u->type), u, old);
  }
  return ir_build(b, op->code, op->nin, in, NULL, op->nattr, op->attr, 0, NULL)->out[0];
}

IrValue *simp_masked(Simp *s, IrBuilder *b, IrOp *op) {
  IrValue *p = op->in[0], *c = p->op && p->op->code == IR_BROADCAST ? p->op->in[0] : p;
  if (s->diff || ir_bytes(&op->out[0]->type) <= SMALL || c == p || !c->type.rank) return NULL;
  int n;
  const int64_t *axes = ir_ints(p->op, A_AXES, &n);
  for (int k = 0; k < n; k++)
    if (axes[k] != k) return NULL;
  IrValue *x = root_of(s, op->in[1], &c->type), *y = root_of(s, op->in[2], &c->type);
  if (!x || x != y || ir_is_complex(x->type.dtype)) return NULL;
  IrValue *v = write(b, c, op->in[1], x, x);
  return write(b, ir_un(b, IR_NOT, c), op->in[2], x, v);
}
