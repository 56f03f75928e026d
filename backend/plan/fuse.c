// Fusion: which values of a block are stored, and which node stores each.
//
// Every value has a level. A node of level l reads what nodes of levels below l wrote, and, at its
// own index only, what its own roots are. So two nodes of one level and one domain never depend
// on each other through a third, and become one node: chains fuse because a pointwise use stays in
// its operand's level, siblings fuse because they share level and domain. A product or a large
// reduction is a root of its own sort, which pointwise users on its level take on: that is how
// epilogues come about.
//
// Epilogues stay short, since a tile repeats them for each of its vectors; small groups of one kind
// but several levels are joined afterwards, and parts of a group that share nothing are parted. [group.c]
//
// A value is stored where something needs it in memory (mark.c), where its own node is a product
// or a large reduction, or where computing it in each place of use costs more than a store and
// loads. Since storing changes levels, and levels change what is computed where, this is repeated
// until nothing is added.
#include "backend/plan/fuse.h"

#include <string.h>

#define MOST_DEPTH 60         // of an inlined tree: emitters recurse
#define MOST_SIZE 4000        // of an inlined tree, counting shared parts each time
#define MOST_UNROLLED 192     // ops of a small reduction, unrolled
#define MOST_CONST 4096       // bytes of a splat constant that are written out rather than filled in
#define MOST_ROUNDS 8
#define MOST_EPILOGUE 12      // ops
#define MOST_LIFT 3

// ---- levels, from operands to users --------------------------------------------------------
// What an op takes from operand x, in this block.
typedef struct In { int level, over, depth, size; uint64_t sort; double cost; bool linear, touches; } In;

static In in_of(Fuse *s, const IrValue *x) {
  Fact *f = fact_of(s->p, x);
  In i = {0};
  if (f->block != s->b) i.linear = f->stored || f->linear;
  else if (!x->op) i.linear = true, i.over = f->turn && f->hard, i.touches = f->touches;
  else i = (In){f->level, f->over, f->depth, f->size, f->sort, f->cost, f->linear, f->touches && !f->stored};
  if (f->stored) i.depth = i.size = 0, i.cost = 0, i.linear = true;
  return i;
}

static In join(In a, In b) {
  In y = {.over = a.over > b.over ? a.over : b.over, .depth = a.depth > b.depth ? a.depth : b.depth,
          .size = a.size + b.size, .cost = a.cost + b.cost, .linear = a.linear && b.linear, .touches = a.touches || b.touches};
  In hi = a.level >= b.level ? a : b;
  y.level = hi.level, y.sort = hi.sort;
  if (a.level == b.level && a.sort != b.sort) {
    if (a.sort >= SORT_OWN && b.sort >= SORT_OWN) y.level++, y.sort = SORT_LINEAR;
    else y.sort = a.sort > b.sort ? a.sort : b.sort;
  }
  return y;
}

static bool one(const IrValue *v) { return ir_count(&v->type) == 1; }

// Is element i of the result made from elements i of the operands, in row-major order?
bool fuse_keeps_linear(const IrOp *op) {
  const IrValue *y = op->out[0];
  if (lower_of(op) == LOWER_ELEMENT || lower_of(op) == LOWER_CONST || plan_is_view(op)) return true;
  if (op->code == IR_IOTA) return y->type.rank == 1;
  if (op->code == IR_BROADCAST) return one(op->in[0]) || ir_count(&y->type) == ir_count(&op->in[0]->type);
  return false;
}

static void all_in(Fuse *s, const IrOp *op, In *y) {
  *y = (In){.linear = true};
  for (int k = 0; k < op->nin; k++) *y = k ? join(*y, in_of(s, op->in[k])) : in_of(s, op->in[k]);
}

static uint64_t reduction_sort(const IrOp *op) {
  const IrType *x = &op->in[0]->type;
  int n;
  const int64_t *axes = ir_ints(op, ir_attr(op, A_AXES) ? A_AXES : A_AXIS, &n);
  uint64_t h = base_hash((uint64_t)x->rank, x->dim, sizeof *x->dim * (size_t)x->rank);
  return base_hash(h, axes, sizeof *axes * (size_t)n) | UINT64_C(1) << 63;
}

// Two products of one level meet in `op`: one of them could store a result that the other's epilogue reads.
// That is the one which is used for nothing else; it waits a level.
static bool leads_to(Fuse *s, const IrValue *x, const IrOp *op) {
  for (;;) {
    const Fact *f = fact_of(s->p, x);
    if (f->hard || f->far || f->users != 1) return false;
    if (f->user == op) return true;
    if (f->user->nout != 1 || !is_pointwise(f->user)) return false;
    x = f->user->out[0];
  }
}

static void lift_product(Fuse *s, const IrOp *op) {
  if (s->last || lower_of(op) != LOWER_ELEMENT) return;
  uint64_t met[2] = {0};
  int n = 0, level = -1;
  for (int k = 0; k < op->nin; k++) {
    In i = in_of(s, op->in[k]);
    if (i.level > level) level = i.level, n = 0;
    if (i.level == level && is_product(i.sort) && n < 2 && (!n || met[0] != i.sort)) met[n++] = i.sort;
  }
  if (n < 2) return;
  for (int k = s->group.n - 1; k >= 0; k--) {
    Group *g = &s->group.at[k];
    if (g->sort != met[0] && g->sort != met[1]) continue;
    Fact *f = fact_of(s->p, g->op->out[0]);
    if (!leads_to(s, g->op->out[0], op) || f->lift > MOST_LIFT) continue;
    f->lift++;
    s->changed = true;
    return;
  }
}

static void level_memory(Fuse *s, IrOp *op) {
  In y;
  all_in(s, op, &y);
  int level = y.over;
  for (int k = 0; k < op->nregion; k++) {
    Block *body = fact_of(s->p, op->out[0])->body[k];
    for (int i = 0; i < body->capture.n; i++) {
      Fact *c = fact_of(s->p, body->capture.at[i]);
      if (c->block == s->b && in_of(s, body->capture.at[i]).over > level) level = in_of(s, body->capture.at[i]).over;
    }
  }
  const Values *awaits = &fact_of(s->p, op->out[0])->awaits;
  for (int k = 0; k < awaits->n; k++)
    if (fact_of(s->p, awaits->at[k])->stored && in_of(s, awaits->at[k]).over > level) level = in_of(s, awaits->at[k]).over;
  bool product = is_product_op(op);
  if (product) level += fact_of(s->p, op->out[0])->lift;
  for (int k = 0; k < op->nout; k++) {
    Fact *f = fact_of(s->p, op->out[k]);
    f->stored = f->linear = true;
    f->over = level + 1;
    f->level = product ? level : level + 1;
    f->sort = product ? SORT_OWN + s->products++ : SORT_LINEAR;
    f->node = -1;
  }
  if (!product) return;
  fuse_put_root(s, op->out[0]);
  Fact *f = fact_of(s->p, op->out[0]);
  if (f->closed) f->level++, f->sort = SORT_LINEAR;
}

// A view of a stored value is that value's memory. It has another shape, so nothing of the node that
// stores it can use it there.
static bool level_view(Fuse *s, IrOp *op) {
  if (!plan_is_view(op)) return false;
  Fact *f = fact_of(s->p, op->out[0]), *x = fact_of(s->p, op->in[0]);
  f->base = op->out[0];
  f->stored = x->stored;
  if (!x->stored) return false;
  In i = in_of(s, op->in[0]);
  f->base = x->base ? x->base : op->in[0];
  f->linear = true;
  f->over = i.over;
  if (op->code == IR_AFTER && in_of(s, op->in[1]).over > f->over) f->over = in_of(s, op->in[1]).over;
  f->level = op->code == IR_STOP_GRAD ? i.level : f->over;
  f->sort = f->level == i.level ? i.sort : SORT_LINEAR;
  f->node = -1;
  f->depth = 0, f->cost = 0;
  return true;
}

// Ops of the op's own tree for one element of the result, axes of a small reduction unrolled.
static void unrolled(const IrOp *op, In *y) {
  if (lower_of(op) == LOWER_REDUCE) {
    int64_t n = plan_reduced(op);
    y->cost = (double)n * (y->cost + 1);
    y->size = (int)n * (y->size + 1);
  } else {
    y->cost = op->code == IR_BROADCAST ? 0 : y->cost + plan_op_cost(op);   // its operand is weighed by itself
    y->size = op->code == IR_BROADCAST ? 0 : y->size + 1;
  }
  if (y->cost > 1e6) y->cost = 1e6;
  if (y->size > MOST_SIZE) y->size = MOST_SIZE + 1;
  y->depth++;
}

static bool unrolls_much(Fuse *s, const IrOp *op) {
  if (lower_of(op) != LOWER_REDUCE || !op->in[0]->op) return false;
  const Fact *x = fact_of(s->p, op->in[0]);
  return x->block == s->b && !x->stored && plan_op_cost(op->in[0]->op) > 0 && x->size * plan_reduced(op) > MOST_UNROLLED;
}

static void level_op(Fuse *s, IrOp *op) {
  if (level_view(s, op)) return;
  if (is_memory_op(op)) {
    level_memory(s, op);
    return;
  }
  IrValue *v = op->out[0];
  Fact *f = fact_of(s->p, v);
  In y;
  all_in(s, op, &y);
  lift_product(s, op);
  if (is_large_reduce(op)) f->stored = true;
  if (!s->last && !f->stored && unrolls_much(s, op)) fact_of(s->p, op->in[0])->stored = s->changed = true;
  unrolled(op, &y);
  f->touches = y.touches;
  f->linear = y.linear && fuse_keeps_linear(op);
  f->level = y.level, f->over = y.over, f->sort = y.sort;
  if (!is_pointwise(op)) f->level = y.over, f->sort = SORT_LINEAR;
  if (!f->stored && !plan_is_view(op) && (y.depth > MOST_DEPTH || y.size > MOST_SIZE)) f->stored = f->hard = true;
  f->depth = (int16_t)y.depth;
  f->cost = (float)y.cost;
  f->size = y.size;
  if (!f->stored) return;
  if (lower_of(op) == LOWER_CONST && (!plan_is_splat(op) || ir_bytes(&v->type) <= MOST_CONST)) {
    f->level = f->over = 0;
    f->node = -1;
    return;
  }
  int last = v->type.rank ? (int)v->type.dim[v->type.rank - 1] : 0;
  if (is_large_reduce(op)) f->sort = reduction_sort(op);
  else if (f->sort < SORT_OWN && v->type.rank > 1 && last < NARROW && !f->linear) f->sort = SORT_ANY;
  f->over = f->level + 1;
  fuse_put_root(s, v);
}

static void level_block(Fuse *s) {
  s->group.n = 0;
  s->nslot = 0;
  s->products = 0;
  s->p->stamp += 2 * s->b->op.n + 2;         // more than there can be groups: each stamps with its index
  const IrRegion *r = s->b->region;
  for (int k = 0; k < r->narg; k++) {
    Fact *f = fact_of(s->p, r->arg[k]);
    f->base = r->arg[k];
    f->stored = !f->turn || f->hard;
    f->linear = true;
    f->level = f->over = 0;
    f->node = -1;
    if (f->turn && f->hard) f->over = 1, fuse_put_root(s, r->arg[k]);
  }
  for (int k = 0; k < s->b->op.n; k++) level_op(s, s->b->op.at[k]);
}

// A tile's epilogue is repeated for each of its vectors: long ones are a nest's work.
static void close_products(Fuse *s) {
  for (int k = 0; k < s->group.n && !s->last; k++) {
    const Group *g = &s->group.at[k];
    if (!is_product(g->sort) || g->ops <= MOST_EPILOGUE) continue;
    fact_of(s->p, g->op->out[0])->closed = true;
    s->changed = true;
  }
}

void plan_fuse(Planner *p, Block *b) {
  Fuse s = {.p = p, .b = b};
  for (int k = 0; k < b->op.n; k++)
    for (int i = 0; i < b->op.at[k]->nout; i++) {
      Fact *f = fact_of(p, b->op.at[k]->out[i]);
      f->stored = f->hard;
      f->base = b->op.at[k]->out[i];
      f->at = k;
    }
  for (int k = 0; k < b->op.n; k++)
    for (int i = 0; i < b->op.at[k]->nin; i++) {
      Fact *f = fact_of(p, b->op.at[k]->in[i]);
      if (f->block == b) f->users++, f->user = b->op.at[k];
    }
  for (int round = 0; round < MOST_ROUNDS; round++) {
    s.changed = false;
    s.last = round + 1 == MOST_ROUNDS;
    level_block(&s);
    close_products(&s);
    if (!s.last) fuse_uses(&s, false);
    if (!s.changed) break;
  }
  s.last = true;
  p->stamp += s.group.n + 1;
  fuse_loosen(&s);
  fuse_uses(&s, true);
  fuse_units(&s);
  for (int k = 0; k < b->op.n; k++)
    for (int i = 0; i < b->op.at[k]->nregion; i++) plan_fuse(p, fact_of(p, b->op.at[k]->out[0])->body[i]);
}
