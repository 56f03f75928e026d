// Where each value is computed, from users to operands; and which values had better be stored, since
// they would be computed too often.
#include "backend/plan/fuse.h"

// Where a value is computed: in one group, at the point of its domain (AT) or inside of its
// reductions (IN), once a point but for the axes in `freely`: those that a small reduction unrolls or that
// an index found while running picks. Or in several, or at indices of all kinds.
typedef struct Place { int own; uint32_t freely; double evals; } Place;
#define AT(group) (2 * (group))
#define IN(group) (2 * (group) + 1)
#define MOVED (1u << IR_MAX_RANK)       // its shape is not the domain's, though its elements are

static void used_at(Fuse *s, const IrValue *x, Place at) {
  Fact *f = fact_of(s->p, x);
  if (f->block != s->b) return;
  if (f->own == OWN_NONE && at.own >= 0) f->own = at.own, f->freely = at.freely, f->evals = at.evals;
  else if (f->own == at.own && f->freely == at.freely && at.own >= 0) f->evals = f->evals > at.evals ? f->evals : at.evals;
  else {
    f->evals += at.evals;
    f->freely |= at.freely;
    if (f->own != at.own) f->own = OWN_MANY;
  }
}

static Place many(double evals) { return (Place){OWN_MANY, 0, evals}; }

static uint32_t axis_mask(const IrOp *op, IrKey k) {
  int n;
  const int64_t *axes = ir_ints(op, k, &n);
  uint32_t m = 0;
  for (int i = 0; i < n; i++) m |= 1u << axes[i];
  return m;
}

static Place through_reduce(const IrOp *op, Place at, const Fact *f, bool root) {
  uint32_t reduced = axis_mask(op, ir_attr(op, A_AXES) ? A_AXES : A_AXIS), freely = at.freely & MOVED;
  if (!plan_small_reduce(op)) return root ? (Place){IN(f->node), 0, (double)ir_count(&op->in[0]->type)} : many(at.evals * (double)plan_reduced(op));
  for (int i = 0, k = 0; i < op->in[0]->type.rank; i++)
    if (reduced >> i & 1 || at.freely >> k++ & 1) freely |= 1u << i;
  return (Place){at.own, freely | MOVED, at.evals * (double)plan_reduced(op)};
}

// An axis that the operand does not have costs nothing if it is free: all its indices are met at one point.
static Place through_broadcast(const IrOp *op, Place at) {
  int n;
  const int64_t *axes = ir_ints(op, A_AXES, &n);
  const IrType *y = &op->out[0]->type;
  uint32_t left = 0, freely = at.freely & MOVED;
  for (int k = 0; k < n; k++)
    if (left |= 1u << axes[k], at.freely >> axes[k] & 1) freely |= 1u << k;
  double points = (double)ir_count(&op->in[0]->type);
  for (int k = 0; k < y->rank; k++)
    if (!(left >> k & 1) && y->dim[k] != 1 && !(at.freely >> k & 1)) return many(at.evals);
  return (Place){at.own, freely | MOVED, points < at.evals ? points : at.evals};
}

static Place through_gather(const IrOp *op, int operand, Place at) {
  int nb = (int)ir_int(op, A_BATCH), ni = op->in[1]->type.rank - nb;
  uint32_t low = at.freely & ((1u << nb) - 1), high = at.freely & (MOVED - 1) & ~((1u << nb) - 1);
  if (operand == 1) return high >> (nb + ni) || op->in[0]->type.rank > nb + 1 ? many(at.evals) : (Place){at.own, at.freely | MOVED, at.evals};
  if (ni) return many(at.evals);
  return (Place){at.own, low | high << 1 | 1u << nb | MOVED, at.evals};
}

static Place through_reshape(const IrOp *op, Place at) {
  const IrType *x = &op->in[0]->type, *y = &op->out[0]->type;
  uint32_t freely = MOVED;
  for (int i = 0, k = 0; i < x->rank; i++) {
    if (x->dim[i] == 1) continue;
    while (y->dim[k] == 1) k++;
    if (at.freely >> k++ & 1) freely |= 1u << i;
  }
  return (Place){at.own, freely, at.evals};
}

static Place through(const IrOp *op, int operand, Place at, const Fact *f, bool root) {
  if (lower_of(op) == LOWER_REDUCE) return through_reduce(op, at, f, root);
  double n = (double)ir_count(&op->out[0]->type);
  if (op->code == IR_CONCAT) return many(n > 0 ? at.evals * (double)ir_count(&op->in[operand]->type) / n : 0);
  if (at.own < 0) return at;
  if (is_pointwise(op)) return at;
  if (op->code == IR_BROADCAST) return through_broadcast(op, at);
  if (op->code == IR_GATHER) return through_gather(op, operand, at);
  if (op->code == IR_RESHAPE) return through_reshape(op, at);
  return many(at.evals);
}

// Computing v where it is used, `again` elements too many, against one more root. Index maps alone are
// free: what they map is asked instead. What reads a state that is to be written over had better
// be done before that, once.
static bool too_dear(const IrOp *op, const Fact *f, double count) {
  double cost = lower_of(op) == LOWER_INDEX ? plan_op_cost(op) : f->cost;
  double again = f->evals - count;
  if (again <= 0.01 * count) return false;
  if (f->touches && f->own == OWN_MANY && cost > 0 && count > 1) return true;
  return cost > 3 && (cost * again > 256 || f->size > 8);
}

static void use_op(Fuse *s, IrOp *op, bool demote) {
  IrValue *v = op->out[0];
  Fact *f = fact_of(s->p, v);
  if (demote && f->stored && !f->hard && f->node >= 0 && f->own == AT(f->node) && !f->freely) f->stored = false;
  if (is_memory_op(op)) {
    ICE_IF(is_product_op(op) && !f->stored && !demote, "a product is not stored");
    return;
  }
  double count = (double)ir_count(&v->type);
  if (!s->last && !f->stored && !f->far && !plan_is_view(op) && too_dear(op, f, count)) f->stored = s->changed = true;
  if (op->code == IR_AFTER) return;
  if (f->stored && f->node < 0) {
    for (int k = 0; k < op->nin; k++) used_at(s, op->in[k], many(count));
    return;
  }
  Place at = {f->own, f->freely, f->evals};
  if (f->stored) at = (Place){AT(f->node), 0, count};
  for (int k = 0; k < op->nin; k++) used_at(s, op->in[k], through(op, k, at, f, f->stored));
}

void fuse_uses(Fuse *s, bool demote) {
  for (int k = 0; k < s->b->op.n; k++)
    for (int i = 0; i < s->b->op.at[k]->nout; i++) {
      Fact *f = fact_of(s->p, s->b->op.at[k]->out[i]);
      f->own = OWN_NONE;
      f->freely = 0;
      f->evals = 0;
    }
  for (int k = s->b->op.n - 1; k >= 0; k--) use_op(s, s->b->op.at[k], demote);
}
