// Sums and products in the form that the plan does best with; L1 leaves the order within them to reduce_sum and dot.
//
//   stages   a sum of many rows to one is done in two: what remains of the first axis is summed last, so that threads
//            can share the first stage
//   sums     a product of a few numbers with a matrix, in a loop, is a sum inside of the nest that uses it
#include "passes/passes.h"

enum {
  FROM_COUNT = 1 << 17,          // elements summed in stages, at least
  TO_COUNT = 1 << 12,            //   to so many sums, at most
  ROWS = 8,                      //   along so long a first axis, at least
  FEW = 8,                       // factors of a product that is a sum, at most
};

static void in_stages(IrGraph *g, IrOp *op) {
  const IrType *x = &op->in[0]->type;
  int n;
  const int64_t *axes = ir_ints(op, A_AXES, &n);
  if (n < 2 || axes[0] || x->dim[0] < ROWS || ir_count(x) < FROM_COUNT || ir_count(&op->out[0]->type) > TO_COUNT) return;
  if (ir_count(x) / x->dim[0] / ir_count(&op->out[0]->type) < 2) return;
  IrBuilder b = {.graph = g, .at = op->parent, .before = op, .loc = op->loc, .scope = op->scope};
  IrValue *rows = ir_reduce(&b, IR_SUM, op->in[0], n - 1, axes + 1);
  ir_replace(g, op->out[0], ir_reduce(&b, IR_SUM, rows, 1, (int64_t[]){0}));
}

// The call of a product's kernel would cost more than the product.
static void as_sum(IrGraph *g, IrOp *op) {
  const IrType *x = &op->in[0]->type, *z = &op->in[1]->type;
  if (x->rank != 2 || x->dtype != IR_F32 || ir_int(op, A_TA) || ir_int(op, A_TB) || x->dim[0] != 1 || x->dim[1] > FEW || z->dim[1] > FEW * FEW) return;
  IrBuilder b = {.graph = g, .at = op->parent, .before = op, .loc = op->loc, .scope = op->scope};
  IrValue *row = ir_broadcast(&b, ir_reshape(&b, op->in[0], 1, x->dim + 1), *z, (int64_t[]){0});
  IrValue *sum = ir_reduce(&b, IR_SUM, ir_bin(&b, IR_MUL, row, op->in[1]), 1, (int64_t[]){0});
  ir_replace(g, op->out[0], ir_reshape(&b, sum, 2, op->out[0]->type.dim));
}

static void walk(IrGraph *g, IrRegion *r) {
  ir_each_op(r, op) {
    for (int k = 0; k < op->nregion; k++) walk(g, op->sub[k]);
    if (op->code == IR_SUM) in_stages(g, op);
    if (op->code == IR_DOT && r->owner) as_sum(g, op);
  }
}

void pass_stages(PassContext *c, IrGraph *g) {
  (void)c;
  walk(g, g->top);
}
