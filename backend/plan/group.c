// Groups: the roots that one node stores; and the nodes made of them.
#include "backend/plan/fuse.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

#define MOST_OPS 200          // inlined ops of a nest
#define LIGHT 8192            // elements of a nest that may run later than it could
#define MOST_LOOSE 2000       // groups that are compared with each other
#define ALONE 12              // ops that are worth a node of their own if they share nothing with the rest,
#define ALONE_READS 2048      // or elements that are reduced

// ---- the table of groups ------------------------------------------------------------------------
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

static int group_of(Fuse *s, int level, uint64_t sort, IrValue *v) {
  if (2 * s->group.n >= s->nslot) grow_slots(s);
  int i = (int)(group_key(level, sort, &v->type) % (uint64_t)s->nslot);
  while (s->slot[i] && !is_key(&s->group.at[s->slot[i] - 1], level, sort, &v->type)) i = (i + 1) % s->nslot;
  int k = s->slot[i] - 1;
  if (k >= 0 && (is_product(sort) || s->group.at[k].ops < MOST_OPS)) return k;
  Group g = {.level = level, .sort = sort, .shape = v->type, .op = v->op ? v->op : v->region->owner, .into = -1};
  vec_push(s->p->a, &s->group, g);
  return (s->slot[i] = s->group.n) - 1;
}

void fuse_put_root(Fuse *s, IrValue *v) {
  Fact *f = fact_of(s->p, v);
  f->node = group_of(s, f->level, f->sort, v);
  Group *g = &s->group.at[f->node];
  bool memory = v->op && is_memory_op(v->op);
  vec_push(s->p->a, &g->root, v);
  if (v->op && !memory) g->ops += count_ops(s->p, s->b, v, s->p->stamp + f->node);
}

// ---- groups of several levels ----------------------------------------------------------------------
// A group can run later than its level says, up to the first node that reads it. So small ones join one of
// their kind there: scalar bookkeeping, means that a loss adds up. Large ones stay near what
// they read, but for those that one of their kind reads at its own index: joined, what only that one needs is not stored.
static bool before(const Reader *a, const Reader *b) { return a->level != b->level ? a->level < b->level : !a->point && b->point; }

static void add_reader(Bound *b, Reader r) {
  for (int k = 0; k < b->n; k++)
    if (b->by[k].group == r.group && r.group >= 0) {
      b->by[k].point &= r.point;
      if (b->n == 2 && before(&b->by[1], &b->by[0])) {
        Reader t = b->by[0];
        b->by[0] = b->by[1], b->by[1] = t;
      }
      return;
    }
  int at = b->n && !before(&r, &b->by[0]) ? 1 : 0;
  if (at == 1 && b->n == 2 && !before(&r, &b->by[1])) return;
  if (!at) b->by[1] = b->by[0];
  b->by[at] = r;
  if (b->n < 2) b->n++;
}

// The greatest level that a root of group g may have: that of a reader at its point which may come behind it
// in one level, else one less.
static int until(const Fuse *s, const Bound *b, int g) {
  int least = INT_MAX;
  for (int k = 0; k < b->n; k++) {
    const Reader *r = &b->by[k];
    if (r->group == g) continue;
    uint64_t own = s->group.at[g].sort, other = r->group >= 0 ? s->group.at[r->group].sort : 0;
    bool same = r->point && r->group >= 0 && (own == other || (own < SORT_OWN && own < other));
    if (r->level - !same < least) least = r->level - !same;
  }
  return least;
}

// A product that nothing reads at its level waits as long as it may, so that what it reads may wait too. Its roots'
// readers have been met.
static void delay_product(Fuse *s, const Bound *of, const IrOp *op) {
  Fact *f = fact_of(s->p, op->out[0]);
  int k = f->node, latest = s->top;
  if (k < 0) return;
  Group *g = &s->group.at[k];
  for (int i = 0; i < g->root.n; i++) {
    int t = until(s, &of[g->root.at[i]->id], k);
    if (t < latest) latest = t;
  }
  int by = latest - g->level;
  if (by <= 0) return;
  g->level = latest;
  for (int i = 0; i < g->root.n; i++) fact_of(s->p, g->root.at[i])->level += by, fact_of(s->p, g->root.at[i])->over += by;
  if (!f->stored) f->level += by, f->over += by;
}

static void read_by(Fuse *s, Bound *of, const IrValue *x, Reader r) {
  if (fact_of(s->p, x)->block == s->b) add_reader(&of[x->id], r);
}

static void bound_op(Fuse *s, Bound *of, const IrOp *op) {
  const IrValue *v = op->out[0];
  Fact *f = fact_of(s->p, v);
  Bound by = of[v->id];
  bool root = f->stored && f->node >= 0 && !is_memory_op(op);
  if (is_product_op(op)) delay_product(s, of, op);
  if (is_memory_op(op)) by = (Bound){1, {{-1, is_product_op(op) ? f->level : f->level - 1, false}}};
  else if (root) by = (Bound){1, {{f->node, s->group.at[f->node].level, true}}};
  for (int i = 0; i < by.n; i++) {
    Reader r = by.by[i];
    r.point = r.point && is_pointwise(op) && (root || !f->stored);
    for (int k = 0; k < op->nin; k++) read_by(s, of, op->in[k], r);
    for (int k = 0; k < op->nregion; k++)
      for (int j = 0; j < f->body[k]->capture.n; j++) read_by(s, of, f->body[k]->capture.at[j], r);
    for (int k = 0; k < f->awaits.n; k++)
      if (fact_of(s->p, f->awaits.at[k])->stored) read_by(s, of, f->awaits.at[k], r);
  }
}

static double weight(const Group *g) {
  double n = (double)ir_count(&g->shape);
  for (int k = 0; k < g->root.n; k++) {
    const IrOp *op = g->root.at[k]->op;
    if (op && is_large_reduce(op)) return n * (double)plan_reduced(op);
  }
  return n;
}

static void take_roots(Fuse *s, int from, int to) {
  Group *g = &s->group.at[from], *h = &s->group.at[to];
  for (int k = 0; k < g->root.n; k++) {
    Fact *f = fact_of(s->p, g->root.at[k]);
    f->level = h->level;
    f->over = h->level + 1;
    f->node = to;
    vec_push(s->p->a, &h->root, g->root.at[k]);
  }
  if (g->latest < h->latest) h->latest = g->latest;
  h->ops += g->ops;
  g->into = to;
  g->root.n = 0;
}

static bool reads_at_point(const Bound *of, const Group *g, int h) {
  for (int k = 0; k < g->root.n; k++) {
    const Bound *b = &of[g->root.at[k]->id];
    for (int i = 0; i < b->n; i++)
      if (b->by[i].group == h && b->by[i].point) return true;
  }
  return false;
}

// The nearest group above of g's kind that g may wait for, or -1.
static int group_above(const Fuse *s, const Bound *of, const Group *g) {
  int best = -1;
  bool light = weight(g) <= LIGHT;
  for (int k = 0; k < s->group.n; k++) {
    const Group *h = &s->group.at[k];
    if (!light && !reads_at_point(of, g, k)) continue;
    if (h->into >= 0 || h->sort != g->sort || h->level <= g->level || h->level > g->latest) continue;
    if (same_shape(&h->shape, &g->shape) && h->ops + g->ops <= MOST_OPS && (best < 0 || h->level < s->group.at[best].level)) best = k;
  }
  return best;
}

typedef struct ByLevel { int level, group; } ByLevel;

static int from_above(const void *a, const void *b) {
  const ByLevel *x = a, *y = b;
  return x->level != y->level ? (x->level < y->level) - (x->level > y->level) : (x->group > y->group) - (x->group < y->group);
}

static void clear_bounds(Fuse *s, Bound *of) {
  for (int k = 0; k < s->b->region->narg; k++) of[s->b->region->arg[k]->id].n = 0;
  for (int k = 0; k < s->b->op.n; k++)
    for (int i = 0; i < s->b->op.at[k]->nout; i++) of[s->b->op.at[k]->out[i]->id].n = 0;
}

static bool loosen_once(Fuse *s, Bound *of, ByLevel *order) {
  clear_bounds(s, of);
  for (int k = s->b->op.n - 1; k >= 0; k--) bound_op(s, of, s->b->op.at[k]);
  int n = 0;
  for (int k = 0; k < s->group.n; k++) {
    Group *g = &s->group.at[k];
    g->latest = INT_MAX;
    for (int i = 0; i < g->root.n; i++) {
      int t = until(s, &of[g->root.at[i]->id], k);
      if (t < g->latest) g->latest = t;
    }
    if (g->into < 0 && !is_product(g->sort)) order[n++] = (ByLevel){g->level, k};
  }
  if (n) qsort(order, (size_t)n, sizeof *order, from_above);
  bool moved = false;
  for (int k = 0; k < n; k++) {
    int to = group_above(s, of, &s->group.at[order[k].group]);
    if (to >= 0) take_roots(s, order[k].group, to), moved = true;
  }
  return moved;
}

static int in_order(const void *a, const void *b) {
  const int *x = a, *y = b;
  return (*x > *y) - (*x < *y);
}

static void sort_roots(Fuse *s, Group *g) {
  typedef struct Placed { int at; IrValue *v; } Placed;
  Placed *p = arena_array(s->p->a, Placed, g->root.n + 1);
  for (int k = 0; k < g->root.n; k++) p[k] = (Placed){fact_of(s->p, g->root.at[k])->at, g->root.at[k]};
  if (g->root.n) qsort(p, (size_t)g->root.n, sizeof *p, in_order);
  for (int k = 0; k < g->root.n; k++) g->root.at[k] = p[k].v;
}

void fuse_loosen(Fuse *s) {
  if (s->group.n > MOST_LOOSE || s->group.n < 2) return;
  if (!s->p->bound) s->p->bound = arena_array(s->p->a, Bound, s->p->g->nvalue);
  ByLevel *order = arena_array(s->p->a, ByLevel, s->group.n);
  for (int k = 0; k < s->group.n; k++)
    if (s->group.at[k].level >= s->top) s->top = s->group.at[k].level + 1;
  for (int round = 0; round < 3 && loosen_once(s, s->p->bound, order); round++)
    ;
  for (int k = 0; k < s->group.n; k++) sort_roots(s, &s->group.at[k]);
}

// ---- parts of a group that share nothing -----------------------------------------------------------
// They become nodes of their own: then equal ones, as an optimizer's for arrays of one shape, are
// one kernel, and the rest is a smaller one.
typedef struct Parts { Fuse *s; int *of, base, n; } Parts;

static int part_of(const Parts *t, int k) {
  while (t->of[k] != k) k = t->of[k] = t->of[t->of[k]];
  return k;
}

// Numbers, their copies over a shape, and index maps are shared by all and tie nothing together.
static bool ties(const IrValue *v) { return !v->op || is_memory_op(v->op) || plan_op_cost(v->op) > 0; }

static void meet(Parts *t, const IrValue *v, int root, bool first) {
  Fact *f = fact_of(t->s->p, v);
  if (ir_count(&v->type) == 1) return;
  if (f->stored || ties(v)) {
    if (f->mark >= t->base && f->mark < t->base + t->n) {
      t->of[part_of(t, f->mark - t->base)] = part_of(t, root);
      if (!first) return;
    }
    f->mark = t->base + root;
  }
  if ((f->stored && !first) || !v->op || f->block != t->s->b) return;
  for (int k = 0; k < v->op->nin; k++) meet(t, v->op->in[k], root, false);
}

static bool is_large_reduction(const Group *g) {
  for (int k = 0; k < g->root.n; k++)
    if (g->root.at[k]->op && is_large_reduce(g->root.at[k]->op)) return true;
  return false;
}

// Gives each root the number of its node within the group; returns how many there are.
static int split_group(Fuse *s, Group *g, int *node) {
  int n = g->root.n, nnode = 0, small = -1, *ops = arena_array(s->p->a, int, n), *of = arena_array(s->p->a, int, n);
  memset(node, 0, sizeof *node * (size_t)n);
  if (n < 2 || is_product(g->sort) || ir_count(&g->shape) == 1) return 1;
  Parts t = {s, of, s->p->stamp + 1, n};
  s->p->stamp += n + 1;
  for (int k = 0; k < n; k++) of[k] = k;
  for (int k = 0; k < n; k++) meet(&t, g->root.at[k], k, true);
  s->p->stamp++;
  for (int k = 0; k < n; k++) ops[part_of(&t, k)] += count_ops(s->p, s->b, g->root.at[k], s->p->stamp);
  bool heavy = weight(g) >= ALONE_READS && is_large_reduction(g);
  for (int k = 0; k < n; k++) node[k] = -1;
  for (int k = 0; k < n; k++) {
    int part = part_of(&t, k);
    if (node[part] < 0) {
      bool alone = ops[part] >= ALONE || heavy;
      node[part] = alone || small < 0 ? nnode++ : small;
      if (!alone) small = node[part];
    }
    node[k] = node[part];
  }
  return nnode;
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

static bool linear_tree(Fuse *s, const IrValue *v, bool root) {
  Fact *f = fact_of(s->p, v);
  if (f->mark == s->p->stamp || (f->stored && !root) || !v->op) return true;
  f->mark = s->p->stamp;
  if (!fuse_keeps_linear(v->op)) return false;
  for (int k = 0; k < v->op->nin; k++)
    if (!linear_tree(s, v->op->in[k], false)) return false;
  return true;
}

static void make_unit(Fuse *s, Group *g, const int *node, int which) {
  Planner *p = s->p;
  const IrOp *first = NULL;
  Unit *u = new_unit(p, s->b, is_product(g->sort) ? kind_of(g->op) : PLAN_NEST, NULL, -1);
  bool linear = g->sort < SORT_OWN && g->shape.rank > 0;
  p->stamp++;
  for (int k = 0; k < g->root.n; k++) {
    IrValue *v = g->root.at[k];
    if (node[k] != which) continue;
    Fact *f = fact_of(p, v);
    if (!first) first = v->op ? v->op : v->region->owner;
    linear = linear && linear_tree(s, v, true);
    vec_push(p->a, &u->root, v);
    f->unit = u;
    u->at = f->at;
  }
  PlanNode *n = u->node;
  n->op = is_product(g->sort) ? g->op : first;
  n->root = u->root.at;
  n->nroot = u->root.n;
  n->linear = linear;
  n->rank = linear ? 1 : g->shape.rank;
  for (int k = 0; k < g->shape.rank; k++) n->dim[k] = g->shape.dim[k];
  if (linear) n->dim[0] = ir_count(&g->shape);
}

static void group_units(Fuse *s, Group *g) {
  int n = 0;
  for (int k = 0; k < g->root.n; k++)
    if (fact_of(s->p, g->root.at[k])->stored) g->root.at[n++] = g->root.at[k];
  ICE_IF(!n && g->root.n, "a node lost all its roots");
  g->root.n = n;
  if (!n || !ir_count(&g->shape)) return;
  int *node = arena_array(s->p->a, int, n), nnode = split_group(s, g, node);
  for (int k = 0; k < nnode; k++) make_unit(s, g, node, k);
}

static void memory_units(Fuse *s) {
  for (int k = 0; k < s->b->op.n; k++) {
    IrOp *op = s->b->op.at[k];
    if (!is_memory_op(op) || is_product_op(op)) continue;
    Unit *u = new_unit(s->p, s->b, kind_of(op), op, k);
    for (int i = 0; i < op->nout; i++) fact_of(s->p, op->out[i])->unit = u;
    for (int i = 0; i < op->nregion; i++) {
      u->body[i] = fact_of(s->p, op->out[0])->body[i];
      u->body[i]->owner = u;
    }
  }
}

void fuse_units(Fuse *s) {
  for (int k = 0; k < s->group.n; k++) group_units(s, &s->group.at[k]);
  memory_units(s);
}
