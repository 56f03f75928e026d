// Sums and products in the form that the plan does best with; L1 leaves the order within them to reduce_sum and dot.
//
//   stages   a sum of many rows to one is done in two, by row or by parts of the first axis
//   parts    a product whose result is small and whose inner axis is long, as a weight's gradient, is done in parts of that
//            axis, which are summed
//            so that threads can share the first stage, and a step's way forward and back is one run through its batch in
//            strips: what a strip adds to a gradient is one part
//   sums     a product of a few numbers with a matrix, in a loop, is a sum inside of the nest that uses it
#include <string.h>

#include "passes/passes.h"

enum {
  STRIP = 32,                    // rows of a part, at least: strips of a batch that nodes run through together
  SUMMED = 1 << 12,              // elements of a sum in stages, at least
  SUMS = 1 << 15,                //   to so many sums, at most
  ROWS = 8,                      // parts of a sum's first axis, at most
  INSIDE = 32,                   // elements of one row summed to one, from which on each row is a part
  FEW = 8,                       // factors of a product that is a sum, at most
  PRODUCT = 1 << 13,             // multiply-adds of a product in parts, at least
  PARTS = 8,                     //   in so many, at most
  GAIN = 2,                      //   whose operands are so many times as large as what the parts write
};

// Each row is a part where it is long, else many are: the first axis becomes two.
static void in_stages(IrGraph *g, IrOp *op) {
  IrValue *x = op->in[0];
  IrType t = x->type;
  int n;
  const int64_t *axes = ir_ints(op, A_AXES, &n);
  int64_t to = ir_count(&op->out[0]->type), parts = ROWS, inner[IR_MAX_RANK];
  if (!n || axes[0] || ir_count(&t) < SUMMED || to > SUMS) return;
  bool rows = n > 1 && t.dim[0] >= ROWS && ir_count(&t) / t.dim[0] / to >= INSIDE;
  while (parts > 1 && (t.dim[0] % parts || t.dim[0] < parts * STRIP)) parts /= 2;
  if (!rows && (parts == 1 || t.rank == IR_MAX_RANK)) return;
  IrBuilder b = {.graph = g, .at = op->parent, .before = op, .loc = op->loc, .scope = op->scope};
  if (!rows) {
    memmove(t.dim + 2, t.dim + 1, sizeof *t.dim * (size_t)(t.rank - 1));
    t.dim[1] = t.dim[0] / parts;
    t.dim[0] = parts;
    x = ir_reshape(&b, x, t.rank + 1, t.dim);
  }
  for (int k = 0; k < n - rows; k++) inner[k] = axes[k + rows] + !rows;
  ir_replace(g, op->out[0], ir_reduce(&b, IR_SUM, ir_reduce(&b, IR_SUM, x, n - rows, inner), 1, (int64_t[]){0}));
}

static void in_parts(IrGraph *g, IrOp *op) {
  IrValue *x = op->in[0], *z = op->in[1];
  if (x->type.rank != 2 || !ir_is_float(x->type.dtype) || !ir_int(op, A_TA) || ir_int(op, A_TB)) return;
  int64_t k = x->type.dim[0], m = x->type.dim[1], n = z->type.dim[1], parts = PARTS;
  if (m * n > SUMS || k * m * n < PRODUCT) return;
  while (parts > 1 && (k % parts || k < parts * STRIP || GAIN * parts * m * n > k * (m + n))) parts /= 2;
  if (parts == 1) return;
  IrBuilder b = {.graph = g, .at = op->parent, .before = op, .loc = op->loc, .scope = op->scope};
  IrValue *xs = ir_reshape(&b, x, 3, (int64_t[]){parts, k / parts, m}), *zs = ir_reshape(&b, z, 3, (int64_t[]){parts, k / parts, n});
  ir_replace(g, op->out[0], ir_reduce(&b, IR_SUM, ir_dot(&b, xs, zs, 1, true, false), 1, (int64_t[]){0}));
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
    if (op->code == IR_DOT) in_parts(g, op);
    if (op->code == IR_DOT && r->owner) as_sum(g, op);
  }
}

void pass_stages(PassContext *c, IrGraph *g) {
  (void)c;
  walk(g, g->top);
}
