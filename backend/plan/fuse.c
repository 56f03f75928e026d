// Fusion: which values of a block are stored, and which node stores each.
//
// Every value has a level. A node of level l reads what nodes of levels below l wrote, and, at its
// own index only, what its own roots are. So two nodes of one level and one domain never depend
// on each other through a third, and become one node: chains fuse because a pointwise use stays in
// its operand's level, siblings fuse because they share level and domain. A product or a large
// reduction is a root of its own sort, which pointwise users on its level take on: that is how
// epilogues come about.
//
// A value is stored where something needs it in memory (mark.c), where its own node is a product
// or a large reduction, or where computing it in each place of use costs more than a store and
// loads. Since storing changes levels, and levels change what is computed where, this is repeated
// until nothing is added.
#include "backend/plan/state.h"

#include <string.h>

enum { SORT_LINEAR, SORT_ANY, SORT_OWN };   // from SORT_OWN on: one product, or reductions alike
enum { OWN_NONE = -1, OWN_MANY = -2 };
#define MOST_OPS 200          // inlined ops of a nest
#define MOST_DEPTH 60         // of an inlined tree: emitters recurse
#define MOST_SIZE 4000        // of an inlined tree, counting shared parts each time
#define MOST_UNROLLED 192     // ops of a small reduction, unrolled
#define NARROW 16             // a last axis shorter than this is worth walking over linearly
#define MOST_CONST 4096       // bytes of a splat constant that are written out rather than filled in
#define MOST_ROUNDS 8

typedef struct Group {
  int level;
  uint64_t sort;
  IrType shape;
  int ops;
  int at;
  bool linear;
  IrOp *op;                   // product, or the op that began the group
  VEC(IrValue *) root;
} Group;

typedef struct Fuse {
  Planner *p;
  Block *b;
  VEC(Group) group;
  int *slot, nslot;           // hash table: latest group of a key, plus one
  uint64_t products;
  bool changed, last;         // something was added to what is stored; nothing may be
} Fuse;

// ---- groups ---------------------------------------------------------------------------------
static uint64_t group_key(int level, uint64_t sort, const IrType *t) {
  uint64_t h = base_hash((uint64_t)level, &sort, sizeof sort);
  return base_hash(h, t->dim, sizeof *t->dim * (size_t)t->rank) + (uint64_t)t->rank;
}

static bool same_shape(const IrType *a, const IrType *b) {
  return a->rank == b->rank && !memcmp(a->dim, b->dim, sizeof *a->dim * (size_t)a->rank);
}

static bool is_key(const Group *g, int level, uint64_t sort, const IrType *t) {
  return g->level == level && g->sort == sort && same_shape(&g->shape, t);
}

static void grow_slots(Fuse *s) {
  int n = s->nslot ? 2 * s->nslot : 64;
  s->slot = arena_array(s->p->a, int, n);
  s->nslot = n;
  for (int k = 0; k < s->group.n; k++) {
    Group *g = &s->group.at[k];
    uint64_t h = group_key(g->level, g->sort, &g->shape);
    int i = (int)(h % (uint64_t)n);
    while (s->slot[i] && !is_key(&s->group.at[s->slot[i] - 1], g->level, g->sort, &g->shape)) i = (i + 1) % n;
    s->slot[i] = k + 1;
  }
}

// Ops of v's tree that group `stamp` does not have yet.
static int count_ops(Planner *p, const Block *b, const IrValue *v, int stamp) {
  Fact *f = fact_of(p, v);
  if (f->mark == stamp) return 0;
  f->mark = stamp;
  if (!v->op || f->block != b) return 0;
  int n = lower_of(v->op) != LOWER_CONST;
  for (int k = 0; k < v->op->nin; k++)
    if (!fact_of(p, v->op->in[k])->stored) n += count_ops(p, b, v->op->in[k], stamp);
  return n;
}

static bool is_product(uint64_t sort) { return sort >= SORT_OWN && !(sort >> 63); }

static int group_of(Fuse *s, int level, uint64_t sort, IrValue *v) {
  if (2 * s->group.n >= s->nslot) grow_slots(s);
  int i = (int)(group_key(level, sort, &v->type) % (uint64_t)s->nslot);
  while (s->slot[i] && !is_key(&s->group.at[s->slot[i] - 1], level, sort, &v->type)) i = (i + 1) % s->nslot;
  int k = s->slot[i] - 1;
  if (k >= 0 && (is_product(sort) || s->group.at[k].ops < MOST_OPS)) return k;
  Group g = {.level = level, .sort = sort, .shape = v->type, .op = v->op ? v->op : v->region->owner, .linear = true};
  vec_push(s->p->a, &s->group, g);
  return (s->slot[i] = s->group.n) - 1;
}

static void put_root(Fuse *s, IrValue *v, int at) {
  Fact *f = fact_of(s->p, v);
  f->node = group_of(s, f->level, f->sort, v);
  Group *g = &s->group.at[f->node];
  bool memory = v->op && is_memory_op(v->op);
  g->at = at;
  g->linear &= f->linear;
  vec_push(s->p->a, &g->root, v);
  if (v->op && !memory) g->ops += count_ops(s->p, s->b, v, s->p->stamp + f->node);
}

// ---- levels, from operands to users --------------------------------------------------------
// What an op takes from operand x, in this block.
typedef struct In { int level, over, depth, size; uint64_t sort; double cost; bool linear, touches; } In;

static In in_of(Fuse *s, const IrValue *x) {
  Fact *f = fact_of(s->p, x);
  In i = {0};
  if (f->block != s->b) i.linear = f->stored || (x->op && plan_is_splat(x->op));
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
static bool keeps_linear(const IrOp *op) {
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

static bool is_large_reduce(const IrOp *op) { return lower_of(op) == LOWER_REDUCE && !plan_small_reduce(op); }

static void level_memory(Fuse *s, IrOp *op, int at) {
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
  bool product = lower_of(op) == LOWER_DOT || lower_of(op) == LOWER_CONV;
  for (int k = 0; k < op->nout; k++) {
    Fact *f = fact_of(s->p, op->out[k]);
    f->stored = f->linear = true;
    f->over = level + 1;
    f->level = product ? level : level + 1;
    f->sort = product ? SORT_OWN + s->products++ : SORT_LINEAR;
    f->node = -1;
  }
  if (product) put_root(s, op->out[0], at);
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
  f->level = same_shape(&op->out[0]->type, &op->in[0]->type) ? i.level : i.over;
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

static void level_op(Fuse *s, IrOp *op, int at) {
  if (level_view(s, op)) return;
  if (is_memory_op(op)) {
    level_memory(s, op, at);
    return;
  }
  IrValue *v = op->out[0];
  Fact *f = fact_of(s->p, v);
  In y;
  all_in(s, op, &y);
  if (is_large_reduce(op)) f->stored = true;
  if (!s->last && !f->stored && unrolls_much(s, op)) fact_of(s->p, op->in[0])->stored = s->changed = true;
  unrolled(op, &y);
  bool pointwise = lower_of(op) == LOWER_ELEMENT || op->code == IR_STOP_GRAD;
  f->touches = y.touches;
  f->linear = y.linear && keeps_linear(op);
  f->level = y.level, f->over = y.over, f->sort = y.sort;
  if (!pointwise) f->level = y.over, f->sort = SORT_LINEAR;
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
  put_root(s, v, at);
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
    if (f->turn && f->hard) f->over = 1, put_root(s, r->arg[k], -1);
  }
  for (int k = 0; k < s->b->op.n; k++) level_op(s, s->b->op.at[k], k);
}

// ---- places of use, from users to operands -----------------------------------------------------
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
  if (lower_of(op) == LOWER_ELEMENT || op->code == IR_STOP_GRAD) return at;
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
  if (f->touches && f->own == OWN_MANY && cost > 0 && count >= NARROW) return true;
  return cost > 3 && (cost * again > 256 || f->size > 8);
}

static void use_op(Fuse *s, IrOp *op, bool demote) {
  IrValue *v = op->out[0];
  Fact *f = fact_of(s->p, v);
  bool product = lower_of(op) == LOWER_DOT || lower_of(op) == LOWER_CONV;
  if (demote && f->stored && !f->hard && f->node >= 0 && f->own == AT(f->node) && !f->freely) f->stored = false;
  if (is_memory_op(op)) {
    ICE_IF(product && !f->stored && !demote, "a product is not stored");
    return;
  }
  double count = (double)ir_count(&v->type);
  if (!s->last && !f->stored && !f->far && !plan_is_view(op) && too_dear(op, f, count)) f->stored = s->changed = true;
  if (f->stored && f->node < 0) {
    for (int k = 0; k < op->nin; k++) used_at(s, op->in[k], many(count));
    return;
  }
  Place at = {f->own, f->freely, f->evals};
  if (f->stored) at = (Place){AT(f->node), 0, count};
  for (int k = 0; k < op->nin; k++) used_at(s, op->in[k], through(op, k, at, f, f->stored));
}

static void use_block(Fuse *s, bool demote) {
  for (int k = 0; k < s->b->op.n; k++)
    for (int i = 0; i < s->b->op.at[k]->nout; i++) {
      Fact *f = fact_of(s->p, s->b->op.at[k]->out[i]);
      f->own = OWN_NONE;
      f->freely = 0;
      f->evals = 0;
    }
  for (int k = s->b->op.n - 1; k >= 0; k--) use_op(s, s->b->op.at[k], demote);
}

// ---- nodes -----------------------------------------------------------------------------------
static Unit *new_unit(Planner *p, Block *b, PlanKind kind, const IrOp *op, int at) {
  Unit *u = arena_new(p->a, Unit);
  u->node = arena_new(p->a, PlanNode);
  *u->node = (PlanNode){.kind = kind, .op = op, .vector = -1, .pieces = 1};
  u->block = b;
  u->at = at;
  u->scratch = -1;
  vec_push(p->a, &b->unit, u);
  return u;
}

static PlanKind kind_of(const IrOp *op) {
  switch (op->code) {
    case IR_SCAN: return PLAN_SCAN;
    case IR_MAP: return PLAN_MAP;
    case IR_WHILE: return PLAN_WHILE;
    case IR_COND: return PLAN_COND;
    default: break;
  }
  switch (lower_of(op)) {
    case LOWER_DOT: return PLAN_DOT;
    case LOWER_CONV: return PLAN_CONV;
    case LOWER_LIB: return PLAN_LIB;
    case LOWER_UPDATE: return PLAN_UPDATE;
    default: return PLAN_NEST;
  }
}

static void group_unit(Fuse *s, Group *g) {
  Planner *p = s->p;
  int n = 0;
  for (int k = 0; k < g->root.n; k++)
    if (fact_of(p, g->root.at[k])->stored) g->root.at[n++] = g->root.at[k];
  ICE_IF(!n && g->root.n, "a node lost all its roots");
  g->root.n = n;
  if (!n || !ir_count(&g->shape)) return;
  Unit *u = new_unit(p, s->b, is_product(g->sort) ? kind_of(g->op) : PLAN_NEST, g->op, g->at);
  for (int k = 0; k < n; k++) {
    vec_push(p->a, &u->root, g->root.at[k]);
    fact_of(p, g->root.at[k])->unit = u;
  }
  u->node->root = u->root.at;
  u->node->nroot = n;
  u->node->linear = u->node->kind == PLAN_NEST && g->linear && g->sort < SORT_OWN && g->shape.rank > 0;
  u->node->rank = u->node->linear ? 1 : g->shape.rank;
  for (int k = 0; k < g->shape.rank; k++) u->node->dim[k] = g->shape.dim[k];
  if (u->node->linear) u->node->dim[0] = ir_count(&g->shape);
}

static void memory_units(Fuse *s) {
  for (int k = 0; k < s->b->op.n; k++) {
    IrOp *op = s->b->op.at[k];
    if (!is_memory_op(op) || lower_of(op) == LOWER_DOT || lower_of(op) == LOWER_CONV) continue;
    Unit *u = new_unit(s->p, s->b, kind_of(op), op, k);
    for (int i = 0; i < op->nout; i++) fact_of(s->p, op->out[i])->unit = u;
    for (int i = 0; i < op->nregion; i++) {
      u->body[i] = fact_of(s->p, op->out[0])->body[i];
      u->body[i]->owner = u;
    }
  }
}

void plan_fuse(Planner *p, Block *b) {
  Fuse s = {.p = p, .b = b};
  for (int k = 0; k < b->op.n; k++)
    for (int i = 0; i < b->op.at[k]->nout; i++) {
      Fact *f = fact_of(p, b->op.at[k]->out[i]);
      f->stored = f->hard;
      f->base = b->op.at[k]->out[i];
    }
  for (int round = 0; round < MOST_ROUNDS; round++) {
    s.changed = false;
    s.last = round + 1 == MOST_ROUNDS;
    level_block(&s);
    if (!s.last) use_block(&s, false);
    if (!s.changed) break;
  }
  s.last = true;
  use_block(&s, true);
  p->stamp += s.group.n + 1;
  for (int k = 0; k < s.group.n; k++) group_unit(&s, &s.group.at[k]);
  memory_units(&s);
  for (int k = 0; k < b->op.n; k++)
    for (int i = 0; i < b->op.at[k]->nregion; i++) plan_fuse(p, fact_of(p, b->op.at[k]->out[0])->body[i]);
}
