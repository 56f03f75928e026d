// Blocks of the plan, one a region; which values are used; which must be in memory
// because of what uses them.
#include "backend/plan/state.h"

// ---- what ops are -----------------------------------------------------------------------
bool plan_unit_reshape(const IrOp *op) {
  if (op->code != IR_RESHAPE) return false;
  const IrType *x = &op->in[0]->type, *y = &op->out[0]->type;
  int i = 0, k = 0;
  for (;;) {
    while (i < x->rank && x->dim[i] == 1) i++;
    while (k < y->rank && y->dim[k] == 1) k++;
    if (i == x->rank || k == y->rank) return i == x->rank && k == y->rank;
    if (x->dim[i++] != y->dim[k++]) return false;
  }
}

bool plan_is_view(const IrOp *op) { return op->code == IR_RESHAPE || op->code == IR_STOP_GRAD || op->code == IR_AFTER; }

const IrValue *plan_base(const IrValue *v) {
  while (v->op && plan_is_view(v->op)) v = v->op->in[0];
  return v;
}

bool plan_is_const(const IrValue *v) {
  while (v->op && (plan_is_view(v->op) || v->op->code == IR_BROADCAST)) v = v->op->in[0];
  return v->op && v->op->code == IR_CONST;
}

bool plan_is_splat(const IrOp *op) {
  return op->code == IR_CONST && ir_attr(op, A_DATA)->n <= ir_dtype_bytes(op->out[0]->type.dtype);
}

int64_t plan_reduced(const IrOp *op) {
  const IrType *x = &op->in[0]->type;
  int n;
  const int64_t *axes = ir_ints(op, ir_attr(op, A_AXES) ? A_AXES : A_AXIS, &n);
  int64_t count = 1;
  for (int k = 0; k < n; k++) count *= x->dim[axes[k]];
  return count;
}

bool plan_small_reduce(const IrOp *op) { return plan_reduced(op) <= PLAN_SMALL_REDUCE; }

// Numbers from counting instructions of vectorised code. Indices are mostly free: they become
// part of an address.
static double code_cost(IrCode c) {
  switch (c) {
    case IR_EXP: case IR_LOG: return 8;
    case IR_EXPM1: case IR_LOG1P: case IR_SIN: case IR_COS: case IR_TANH: case IR_SIGMOID: case IR_ERF: return 12;
    case IR_ERFINV: case IR_POW: case IR_ATAN2: return 20;
    case IR_LGAMMA: case IR_DIGAMMA: case IR_POLYGAMMA: return 60;
    case IR_THREEFRY: return 60;
    case IR_DIV: case IR_MOD: case IR_SQRT: case IR_RSQRT: return 4;
    case IR_IOTA: case IR_CONST: case IR_TRANSPOSE: case IR_BROADCAST: case IR_SLICE: case IR_REVERSE:
    case IR_RESHAPE: case IR_STOP_GRAD: case IR_AFTER: case IR_BITCAST: case IR_COPY: return 0;
    case IR_PAD: case IR_DYN_SLICE: return 1;
    case IR_GATHER: return 3;
    default: return 1;
  }
}

double plan_op_cost(const IrOp *op) {
  double c = code_cost(op->code);
  if (op->code == IR_CONCAT) c = op->nin - 1;
  if (lower_of(op) == LOWER_REDUCE) c = (double)plan_reduced(op);
  int width = op->nin ? ir_dtype_bytes(op->in[op->nin - 1]->type.dtype) : 4;
  if (op->code == IR_THREEFRY) width = 4;
  return width > 4 ? c * width / 4 : c;
}

// ---- blocks ----------------------------------------------------------------------------------
// Arguments that are carried, and inputs that have a new value among the outputs.
static void mark_states(Planner *p, const IrRegion *r) {
  const IrOp *owner = r->owner;
  for (int k = 0; k < r->narg; k++) {
    bool state = owner && (owner->code == IR_WHILE || (owner->code == IR_SCAN && k && k <= ir_int(owner, A_NCARRY)));
    for (int i = 0; !owner && i < r->nyield; i++) state |= r->yield[i] != r->arg[k] && same_port(&p->io->in[k], &p->io->out[i]);
    fact_of(p, r->arg[k])->touches = state;
  }
}

static Block *make_block(Planner *p, const IrRegion *r, Block *outer, bool loop) {
  Block *b = arena_new(p->a, Block);
  b->region = r;
  b->outer = outer;
  b->loop = loop;
  for (int k = 0; k < r->narg; k++) fact_of(p, r->arg[k])->block = b;
  if (r->owner && (r->owner->code == IR_SCAN || r->owner->code == IR_MAP)) fact_of(p, r->arg[0])->turn = true;
  ir_each_op(r, op) {
    ICE_IF(lower_of(op) == LOWER_NEVER, "%s in a graph to be planned", ir_info[op->code].name);
    for (int k = 0; k < op->nout; k++) fact_of(p, op->out[k])->block = b;
    for (int k = 0; k < op->nregion; k++) {
      Block *body = make_block(p, op->sub[k], b, op->code != IR_COND);
      mark_states(p, op->sub[k]);
      if (op->nout) fact_of(p, op->out[0])->body[k] = body;
    }
  }
  return b;
}

// ---- uses ------------------------------------------------------------------------------------
// A value that an inner block computes anew where it uses it, since that is an address or a number.
static bool portable(Planner *p, const IrValue *v) {
  if (!v->op) return fact_of(p, v)->turn;
  switch (v->op->code) {
    case IR_CONST: return plan_is_splat(v->op);
    case IR_IOTA: case IR_BROADCAST: case IR_SLICE: case IR_STOP_GRAD: return true;
    case IR_RESHAPE: return plan_unit_reshape(v->op);
    default: return false;
  }
}

static void need(Planner *p, IrValue *v, bool hard) {
  Fact *f = fact_of(p, v);
  f->used = true;
  f->hard |= hard;
}

static void use(Planner *p, Block *b, IrValue *v, bool hard) {
  Fact *f = fact_of(p, v);
  need(p, v, hard);
  if (f->block == b) return;
  f->far = true;
  if (!portable(p, v)) f->hard = true;
  for (; b != f->block; b = b->outer)
    if (!b->capture.n || b->capture.at[b->capture.n - 1] != v) vec_push(p->a, &b->capture, v);
}

static void mark_block(Planner *p, Block *b);

static void mark_op(Planner *p, Block *b, IrOp *op) {
  Fact *f = fact_of(p, op->out[0]);
  bool memory = is_memory_op(op);
  if (op->code == IR_AFTER) f->hard = true;   // always a view of memory: nothing is computed through it
  if (op->code == IR_COPY) f->hard = true;    // the copy is in memory, or it is none
  if (memory || (op->code == IR_CONST && !plan_is_splat(op)) || (op->code == IR_RESHAPE && !plan_unit_reshape(op)))
    f->hard |= lower_of(op) != LOWER_DOT && lower_of(op) != LOWER_CONV;
  bool carried_out = f->far && !f->hard;     // its operands are read by the inner block
  for (int k = 0; k < op->nin; k++) {
    bool hard = memory || (plan_is_view(op) && f->hard && k == 0) || (carried_out && !portable(p, op->in[k]));
    use(p, b, op->in[k], hard);
    if (carried_out && !hard) fact_of(p, op->in[k])->far = true;
  }
  for (int k = 0; k < op->nregion; k++) mark_block(p, f->body[k]);
}

static void mark_block(Planner *p, Block *b) {
  const IrRegion *r = b->region;
  for (int k = 0; k < r->nyield; k++) use(p, b, r->yield[k], true);
  for (IrOp *op = r->last; op; op = op->prev) {
    bool used = false;
    for (int k = 0; k < op->nout; k++) used |= fact_of(p, op->out[k])->used;
    if (!used) continue;
    vec_push(p->a, &b->op, op);
    mark_op(p, b, op);
    if (is_memory_op(op))                    // results nobody asks for are computed all the same
      for (int k = 0; k < op->nout; k++) need(p, op->out[k], lower_of(op) != LOWER_DOT && lower_of(op) != LOWER_CONV);
  }
  for (int i = 0, k = b->op.n - 1; i < k; i++, k--) {
    IrOp *t = b->op.at[i];
    b->op.at[i] = b->op.at[k];
    b->op.at[k] = t;
  }
}

void plan_mark(Planner *p) {
  p->top = make_block(p, p->g->top, NULL, false);
  mark_states(p, p->g->top);
  mark_block(p, p->top);
}
