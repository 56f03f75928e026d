// Sums of many rows to one, in two stages: what remains of the first axis is summed last, so that threads can
// share the first stage. L1 leaves the order of a sum to it.
#include "passes/passes.h"

enum { FROM_COUNT = 1 << 17, TO_COUNT = 1 << 12, ROWS = 8 };   // elements summed, at least; sums, at most; of the first axis, at least

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

static void walk(IrGraph *g, IrRegion *r) {
  ir_each_op(r, op) {
    for (int k = 0; k < op->nregion; k++) walk(g, op->sub[k]);
    if (op->code == IR_SUM) in_stages(g, op);
  }
}

void pass_stages(PassContext *c, IrGraph *g) {
  (void)c;
  walk(g, g->top);
}
