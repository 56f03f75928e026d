// Regions: loops of no or one turn, known branches, what a loop carries, reads
// or stacks without need, and branches so small that both are computed.
#include "passes/simplify.h"

#include <string.h>

enum { BRANCH_OPS = 12, BRANCH_COUNT = 32, SELECT_BYTES = 4096 };

static void splice(IrOp *op, IrRegion *r) {
  while (r->first) ir_move_before(r->first, op->parent, op);
}

static IrType element_type(const IrValue *stacked) {
  IrType t = stacked->type;
  return ir_type(t.dtype, t.rank - 1, t.dim + 1);
}

static IrType stacked_type(const IrValue *v, int64_t n) {
  IrType t = {.dtype = v->type.dtype, .rank = v->type.rank + 1, .dim = {n}};
  memcpy(t.dim + 1, v->type.dim, sizeof t.dim[0] * (size_t)v->type.rank);
  return t;
}

static const int64_t shifted[IR_MAX_RANK] = {1, 2, 3, 4, 5, 6, 7, 8};

// v repeated along a new first axis.
static IrValue *repeat(IrBuilder *b, IrValue *v, int64_t n) { return ir_broadcast(b, v, stacked_type(v, n), shifted); }

static int carries(const IrOp *op) { return op->code == IR_SCAN ? (int)ir_int(op, A_NCARRY) : 0; }

// ---- scan and map --------------------------------------------------------------------------
static bool no_turn(Simp *s, IrOp *op) {
  IrBuilder b = simp_at(s, op);
  int nc = carries(op);
  for (int k = 0; k < op->nout; k++)
    simp_replace(s, op->out[k], k < nc ? op->in[k] : ir_fill(&b, op->out[k]->type, 0));
  ir_remove(op);
  return true;
}

static bool one_turn(Simp *s, IrOp *op) {
  IrBuilder b = simp_at(s, op);
  IrRegion *r = op->sub[0];
  int nc = carries(op);
  simp_replace(s, r->arg[0], simp_int(&b, r->arg[0]->type, 0));
  for (int k = 0; k < op->nin; k++) {
    IrType t = r->arg[k + 1]->type;
    simp_replace(s, r->arg[k + 1], k < nc ? op->in[k] : ir_reshape(&b, op->in[k], t.rank, t.dim));
  }
  splice(op, r);
  for (int k = 0; k < op->nout; k++) {
    IrValue *y = simp_now(s, r->yield[k]);
    IrType t = op->out[k]->type;
    simp_replace(s, op->out[k], k < nc ? y : ir_reshape(&b, y, t.rank, t.dim));
  }
  ir_remove(op);
  return true;
}

// A carry that each turn leaves as it is: what it started from.
static void invariant_carries(Simp *s, IrOp *op) {
  IrRegion *r = op->sub[0];
  for (int k = 0; k < carries(op); k++) {
    IrValue *y = simp_now(s, r->yield[k]);
    if (y == r->arg[k + 1] || simp_same(y, op->in[k])) {
      simp_replace(s, r->arg[k + 1], op->in[k]);
      simp_replace(s, op->out[k], op->in[k]);
    }
  }
}

// Carries that start and go on alike are one.
static void equal_carries(Simp *s, IrOp *op) {
  IrRegion *r = op->sub[0];
  int epoch = ++s->epoch;
  for (int k = 0; k < carries(op); k++) {
    IrValue *y = simp_now(s, r->yield[k]);
    Note *n = simp_note(s, y);
    if (n->epoch != epoch) {
      n->epoch = epoch;
      n->peer = r->arg[k + 1];
      continue;
    }
    int first = n->peer->index - 1;
    if (!simp_same(op->in[first], op->in[k])) continue;
    simp_replace(s, r->arg[k + 1], r->arg[first + 1]);
    simp_replace(s, op->out[k], op->out[first]);
  }
}

// An array of which each turn's slice can be had without it. True if that took new ops.
static bool cheap_slices(Simp *s, IrOp *op) {
  IrRegion *r = op->sub[0];
  IrBuilder b = simp_at(s, op);
  const IrOp *before = op->prev;
  int epoch = ++s->epoch;
  for (int k = carries(op); k < op->nin; k++) {
    IrValue *x = op->in[k], *slice = r->arg[k + 1];
    IrType t = element_type(x);
    if (simp_note(s, slice)->to) continue;
    if (simp_is_splat(x)) simp_replace(s, slice, simp_resplat(&b, x, t));
    else if (x->op && x->op->code == IR_IOTA) {
      int axis = (int)ir_int(x->op, A_AXIS);
      if (axis > 0) simp_replace(s, slice, ir_iota(&b, t, axis - 1));
      else if (t.rank == 0 && t.dtype == IR_I32) simp_replace(s, slice, r->arg[0]);
    } else if (x->op && x->op->code == IR_BROADCAST) {
      int n;
      const int64_t *axes = ir_ints(x->op, A_AXES, &n);
      if (n == 0 || axes[0] > 0) {
        int64_t to[IR_MAX_RANK];
        for (int i = 0; i < n; i++) to[i] = axes[i] - 1;
        simp_replace(s, slice, ir_broadcast(&b, x->op->in[0], t, to));
      }
    }
    if (simp_note(s, slice)->to) continue;
    Note *n = simp_note(s, x);
    if (n->epoch == epoch) simp_replace(s, slice, n->peer);
    n->epoch = epoch;
    n->peer = slice;
  }
  return op->prev != before;
}

static bool loop(Simp *s, IrOp *op) {
  int64_t n = ir_int(op, A_N);
  if (n == 0) return no_turn(s, op);
  if (n == 1) return one_turn(s, op);
  invariant_carries(s, op);
  equal_carries(s, op);
  return cheap_slices(s, op);
}

// A value built beside an op that was walked already: the next round looks at it. Until then
// it is taken to depend on its region.
static IrValue *settle(Simp *s, IrValue *v) {
  Note *n = simp_note(s, v);
  n->depth = n->free = s->level.n - 1;
  n->leaf = ir_bytes(&v->type);
  return v;
}

// Results that are known without running the loop. n >= 2 here.
static void loop_results(Simp *s, IrOp *op) {
  IrRegion *r = op->sub[0];
  IrBuilder b = simp_at(s, op);
  int64_t n = ir_int(op, A_N);
  int nc = carries(op), depth = s->level.n - 1, epoch = ++s->epoch;
  for (int k = 0; k < op->nout; k++) {
    if (simp_note(s, op->out[k])->to) continue;
    IrValue *y = r->yield[k];
    bool is_arg = y->region == r;
    if (!is_arg && simp_note(s, y)->free <= depth) {
      simp_hoist_to(s, y, depth);
      simp_replace(s, op->out[k], k < nc ? y : settle(s, repeat(&b, y, n)));
      continue;
    }
    if (k < nc) continue;
    if (is_arg && y->index > nc) simp_replace(s, op->out[k], op->in[y->index - 1]);
    else if (is_arg && y->index == 0) simp_replace(s, op->out[k], settle(s, ir_iota(&b, op->out[k]->type, 0)));
    else {
      Note *note = simp_note(s, y);
      if (note->epoch == epoch) simp_replace(s, op->out[k], note->peer);
      note->epoch = epoch;
      note->peer = op->out[k];
    }
  }
}

// ---- while -----------------------------------------------------------------------------------
static bool while_loop(Simp *s, IrOp *op) {
  IrRegion *test = op->sub[0], *body = op->sub[1];
  if (simp_is_int(simp_now(s, test->yield[0]), 0)) {
    for (int k = 0; k < op->nout; k++) simp_replace(s, op->out[k], op->in[k]);
    ir_remove(op);
    return true;
  }
  for (int k = 0; k < op->nin; k++) {
    IrValue *y = simp_now(s, body->yield[k]);
    if (y != body->arg[k] && !simp_same(y, op->in[k])) continue;
    simp_replace(s, test->arg[k], op->in[k]);
    simp_replace(s, body->arg[k], op->in[k]);
    simp_replace(s, op->out[k], op->in[k]);
  }
  return false;
}

// ---- cond ------------------------------------------------------------------------------------
static bool take(Simp *s, IrOp *op, IrRegion *r) {
  splice(op, r);
  for (int k = 0; k < op->nout; k++) simp_replace(s, op->out[k], r->yield[k]);
  ir_remove(op);
  return true;
}

// A branch of a few scalars costs less computed than jumped around. L9: the
// side not taken adds nothing to a derivative.
static bool is_small(Simp *s, const IrRegion *r) {
  int ops = 0;
  ir_each_op(r, op) {
    IrLower l = ir_info[op->code].lower;
    if (++ops > BRANCH_OPS || op->nregion || op->nout != 1 || ir_is_heavy(op)) return false;
    if (l != LOWER_ELEMENT && l != LOWER_INDEX && l != LOWER_VIEW && l != LOWER_CONST) return false;
    if (ir_count(&op->out[0]->type) > BRANCH_COUNT) return false;
  }
  for (int k = 0; k < r->nyield; k++)
    if (ir_bytes(&simp_now(s, r->yield[k])->type) > SELECT_BYTES) return false;
  return true;
}

static bool both(Simp *s, IrOp *op) {
  IrBuilder b = simp_at(s, op);
  splice(op, op->sub[0]);
  splice(op, op->sub[1]);
  for (int k = 0; k < op->nout; k++) {
    IrType t = op->out[k]->type;
    t.dtype = IR_BOOL;
    IrValue *p = t.rank ? ir_broadcast(&b, op->in[0], t, NULL) : op->in[0];
    simp_replace(s, op->out[k], ir_select(&b, p, simp_now(s, op->sub[0]->yield[k]), simp_now(s, op->sub[1]->yield[k])));
  }
  ir_remove(op);
  return true;
}

static bool cond(Simp *s, IrOp *op) {
  IrValue *p = op->in[0];
  if (simp_is_splat(p)) return take(s, op, op->sub[simp_is_int(p, 0)]);
  if (p->op && p->op->code == IR_NOT) {
    IrRegion *r = op->sub[0];
    op->sub[0] = op->sub[1];
    op->sub[1] = r;
    op->in[0] = p->op->in[0];
    s->changed = true;
  }
  return is_small(s, op->sub[0]) && is_small(s, op->sub[1]) && both(s, op);
}

static void cond_results(Simp *s, IrOp *op) {
  IrBuilder b = simp_at(s, op);
  int epoch = ++s->epoch;
  for (int k = 0; k < op->nout; k++) {
    IrValue *x = op->sub[0]->yield[k], *y = op->sub[1]->yield[k];
    if (x == y) simp_replace(s, op->out[k], x);      // in neither branch, so before both
    else if (simp_is_splat(x) && simp_same(x, y)) simp_replace(s, op->out[k], settle(s, simp_resplat(&b, x, x->type)));
    else {
      Note *n = simp_note(s, x);
      if (n->epoch == epoch && op->sub[1]->yield[n->peer->index] == y) simp_replace(s, op->out[k], n->peer);
      else n->epoch = epoch, n->peer = op->out[k];
    }
  }
}

bool simp_control(Simp *s, IrOp *op) {
  switch (op->code) {
  case IR_SCAN: case IR_MAP: return loop(s, op);
  case IR_WHILE: return while_loop(s, op);
  case IR_COND: return cond(s, op);
  default: return false;
  }
}

void simp_control_results(Simp *s, IrOp *op) {
  if (op->code == IR_SCAN || op->code == IR_MAP) loop_results(s, op);
  if (op->code == IR_COND) cond_results(s, op);
}
