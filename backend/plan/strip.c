// Strips: nodes that follow one another over the same leading axis (the examples of a batch) become one node, which runs
// all of them on the first strip of that axis, then on the second, and so on. What one of them writes another reads
// while it is in the cache, a thread takes whole strips, and threads meet once.
//
// Strip i of n of an array is the i-th part of its bytes: whole indices of its leading axis, the first that is longer
// than 1. A node reads a value strip by strip if computing a strip of its roots needs the same strip of the value
// only. What nodes of a group write is read so within it; anything else, such as weights, they may read as a whole.
//
// A block's nodes are tried in order: those that can join do, those that need one of them in another way wait until
// after, and the rest come before; so do those that have nothing to do with the first. What room that takes is room.c's
// matter. Memory is planned for it: see memory.c.
#include "backend/plan/strip.h"

#define MOST_STRIPS 32
// Rows of a product in a strip: below, loading the weights anew for each costs more than is won; weights of so many bytes
// come from farther.
#define LEAST_ROWS 32
#define LEAST_ROWS_FAR 64
#define LEAST_ROWS_TURNED 32  // that are columns in memory
#define LEAST_ROWS_TURNS 16   // where each strip goes through a loop's turns: nobody waits for anybody
#define LEAST_TURN 120        // of these, a strip's turn may take as little as this part of what a strip takes else
#define FAR_WEIGHTS (1 << 19)
#define MOST_TRIES 20000      // times that a node is looked at, in a block
#define FEWER 4               // a product that could be cut into more than this times as many pieces stays alone, for many threads

// Fewer strips are taken where so many times the work joins. Of two, threads' rooms are as much memory as all of the arrays, and
// strips no shorter than what second-level caches hold: where they are large, weight gradients rather stay outside.
#define GAIN 1.05
#define GAIN_TWO 1.6
#define ROOMY (1 << 21)       // bytes that the nodes write

static int leading(const IrType *t) {
  int a = 0;
  while (a < t->rank && t->dim[a] == 1) a++;
  return a;
}

static bool cuts(const IrType *t, int64_t n) {
  int a = leading(t);
  return a < t->rank && t->dim[a] && t->dim[a] % n == 0;
}

// ---- strip by strip --------------------------------------------------------------------------------
static bool reduce_keeps(const IrOp *op, int a, int b) {
  int n, before = a;
  const int64_t *axes = ir_ints(op, ir_attr(op, A_AXES) ? A_AXES : A_AXIS, &n);
  for (int k = 0; k < n; k++) {
    if (axes[k] == a) return false;
    before -= axes[k] < a;
  }
  return before == b;
}

// Does a strip of op's result need the same strip of operand k only?
static bool keeps_strip(const IrOp *op, int k, int64_t n) {
  const IrType *x = &op->in[k]->type, *y = &op->out[0]->type;
  if (!cuts(x, n) || !cuts(y, n)) return false;
  if (lower_of(op) == LOWER_ELEMENT || plan_is_view(op)) return true;
  int a = leading(x), b = leading(y);
  if (x->dim[a] != y->dim[b]) return false;
  switch (op->code) {
    case IR_BROADCAST: return ir_ints(op, A_AXES, NULL)[a] == b;
    case IR_TRANSPOSE: return ir_ints(op, A_AXES, NULL)[b] == a;
    case IR_SLICE: return a == b && ir_ints(op, A_STRIDE, NULL)[a] == 1;
    case IR_PAD: return a == b && !ir_ints(op, A_LO, NULL)[a] && !ir_ints(op, A_INNER, NULL)[a];
    case IR_CONCAT: return a == b && ir_int(op, A_AXIS) != a;
    case IR_DYN_SLICE: return !k && a == b;
    case IR_GATHER: return a == b && (k || a < ir_int(op, A_BATCH));
    case IR_DOT: return a == b && (a < ir_int(op, A_BATCH) || (!k && !a && !ir_int(op, A_TA)));
    case IR_CONV: case IR_CONV_DX: return !k && !a && !b;
    default: return lower_of(op) == LOWER_REDUCE && reduce_keeps(op, a, b);
  }
}

typedef struct Reading { Planner *p; Unit *u; } Reading;

static void mark_local(void *data, const IrValue *v, bool local) {
  Reading *r = data;
  v = fact_of(r->p, v)->base;
  for (int k = 0; k < r->u->read.n; k++)
    if (r->u->read.at[k].v == v) r->u->read.at[k].local &= local;
}

// Sets `local` of what u reads, for n strips.
static void find_local(Planner *p, Unit *u, int64_t n) {
  Reading r = {p, u};
  for (int k = 0; k < u->read.n; k++) u->read.at[k].local = true;
  p->stamp++;
  for (int k = 0; k < u->root.n; k++) plan_reached(p, u->root.at[k], p->stamp, keeps_strip, n, mark_local, &r);
}

// ---- which nodes can be cut so -----------------------------------------------------------------------
static bool fits(const Grouping *g, const Unit *u, int64_t n) {
  const Planner *p = g->p;
  const PlanNode *node = u->node;
  if (node->kind == PLAN_DOT && node->rank == 2 && node->pieces > 1 && node->piece_axis == 1) return false;
  if (!u->root.n || node->blas || u->strips || (node->kind != PLAN_NEST && node->pieces > FEWER * n)) return false;
  for (int k = 0; k < u->root.n; k++)
    if (!u->root.at[k]->op || !cuts(&u->root.at[k]->type, n)) return false;
  const IrType *t = &u->root.at[0]->type;
  int a = leading(t), lanes = p->target->vector_bits / 32;
  int64_t len = (node->linear ? ir_count(t) : t->dim[a]) / n;
  if (node->kind == PLAN_NEST) return node->vector != (node->linear ? 0 : a) || len >= lanes;
  if (node->kind == PLAN_CONV) return !a && node->op->code != IR_CONV_DW;
  int nb = (int)ir_int(node->op, A_BATCH);
  int64_t least = g->turns ? LEAST_ROWS_TURNS : ir_bytes(&node->op->in[1]->type) > FAR_WEIGHTS ? LEAST_ROWS_FAR : LEAST_ROWS;
  if (ir_int(node->op, A_TA)) least = LEAST_ROWS_TURNED;
  return a < nb || (a == nb && len >= least);
}

static int where_is(const Grouping *g, const IrValue *v) {
  const Fact *f = fact_of(g->p, v);
  return f->block == g->b && f->unit ? f->unit->where : AHEAD;
}

static void place_unit(Grouping *g, Unit *u) {
  bool depends = false, joins = !u->barred && !u->out, behind = u->barred;
  if (fits(g, u, g->n)) find_local(g->p, u, g->n);
  else joins = false;
  for (int k = 0; k < u->read.n; k++) {
    int at = where_is(g, u->read.at[k].v);
    behind |= at == BEHIND;
    depends |= at == INSIDE;
    if (at == INSIDE && !u->read.at[k].local) joins = false;
  }
  u->where = behind ? BEHIND : joins ? INSIDE : depends || u->not_ahead ? BEHIND : AHEAD;
  // Who writes over a value that others still read comes after them; what they read strip by strip, with them.
  for (int k = 0; k < u->read.n && u->where != AHEAD; k++) {
    Fact *f = fact_of(g->p, u->read.at[k].v);
    for (int i = 0; i < f->wanted.n; i++) {
      if (f->wanted.at[i] == u) continue;
      f->wanted.at[i]->not_ahead = true;
      f->wanted.at[i]->barred |= u->where == BEHIND || !u->read.at[k].local;
    }
  }
}

// ---- what has to do with each other -------------------------------------------------------------------
static Unit *like(Unit *u) {
  while (u->like != u) u = u->like = u->like->like;
  return u;
}

static void touch(Grouping *g, Unit *u, const IrValue *v) {
  Fact *f = fact_of(g->p, v);
  if (f->toucher) like(u)->like = like(f->toucher);
  else f->toucher = u;
}

// An optimizer's update, or a weight's gradient; in a loop, gradients come when what they read can be done with.
static bool is_update(const Grouping *g, const PlanNode *n) { return n->linear || (!g->b->loop && n->kind == PLAN_DOT && ir_int(n->op, A_TA)); }

// Members are alike that touch a value strip by strip both. Puts out those that are not like the seed; an optimizer's
// updates of one array after another, with their gradients, are alike all the same. False: all stay.
static bool part(Grouping *g, const Units *list, int seed) {
  for (int k = seed; k < list->v.n; k++) {
    Unit *u = list->v.at[k];
    u->like = u;
    for (int i = 0; i < u->read.n; i++) fact_of(g->p, u->read.at[i].v)->toucher = NULL;
    for (int i = 0; i < u->root.n; i++) fact_of(g->p, u->root.at[i])->toucher = NULL;
  }
  for (int k = seed; k < list->v.n; k++) {
    Unit *u = list->v.at[k];
    if (u->where != INSIDE) continue;
    for (int i = 0; i < u->read.n; i++)
      if (u->read.at[i].local) touch(g, u, u->read.at[i].v);
    for (int i = 0; i < u->root.n; i++) touch(g, u, u->root.at[i]);
  }
  Unit *first = like(list->v.at[seed]);
  bool update = true, parted = false;
  for (int k = seed; k < list->v.n; k++)
    if (list->v.at[k]->where == INSIDE && like(list->v.at[k]) == first) update = update && is_update(g, list->v.at[k]->node);
  for (int k = seed; k < list->v.n; k++) {
    Unit *u = list->v.at[k];
    if (u->where == INSIDE && like(u) != first && !(update && is_update(g, u->node))) u->out = parted = true;
  }
  return parted;
}

#define ROUNDS 6

typedef struct Tried { int members; double ns; int64_t bytes; } Tried;

// Places the units from `seed` on; those in front of it come ahead.
static Tried try_strips(Grouping *g, const Units *list, int seed) {
  Tried t = {0};
  for (int k = 0; k < list->v.n; k++) list->v.at[k]->out = false;
  for (int round = 0; round < ROUNDS; round++) {
    g->tries -= list->v.n;
    for (int k = 0; k < list->v.n; k++) list->v.at[k]->where = AHEAD, list->v.at[k]->barred = list->v.at[k]->not_ahead = false;
    for (int k = seed; k < list->v.n; k++) place_unit(g, list->v.at[k]);
    if (list->v.at[seed]->where != INSIDE) return t;
    if (!part(g, list, seed)) break;
  }
  for (int k = seed; k < list->v.n; k++)
    if (list->v.at[k]->where == INSIDE) {
      const Unit *u = list->v.at[k];
      t.members++, t.ns += u->ns;
      for (int i = 0; i < u->root.n; i++) t.bytes += ir_bytes(&u->root.at[i]->type);
    }
  return t;
}

// ---- the nodes -----------------------------------------------------------------------------------------
static void cut_unit(Unit *u, Strips *s) {
  PlanNode *node = u->node;
  const IrType *t = &u->root.at[0]->type;
  u->strips = s;
  node->strip = true;
  node->pieces = s->n;
  node->piece_axis = node->linear ? 0 : leading(t);
  node->piece_len = node->dim[node->piece_axis] / s->n;
}

static void arrange(Grouping *g, Units list, Units *out);

static void split(Grouping *g, Units *list, Units *out) {
  Planner *p = g->p;
  strip_end(g, list);
  strip_wait(g, list);
  Units ahead = {0}, behind = {0};
  Strips *s = arena_new(p->a, Strips);
  s->n = g->n;
  VEC(Unit *) inside = {0};
  for (int k = 0; k < list->v.n; k++) {
    Unit *u = list->v.at[k];
    if (u->where == INSIDE) {
      vec_push(p->a, &inside, u);
      s->ns += u->ns;
      if (g->foresee) u->foreseen = s;
      else cut_unit(u, s);
    } else vec_push(p->a, u->where == AHEAD ? &ahead.v : &behind.v, u);
  }
  strip_order(g, inside.at, inside.n);
  s->first = inside.at[0];
  s->last = inside.at[inside.n - 1];
  arrange(g, ahead, out);
  for (int k = 0; k < inside.n; k++) {
    vec_push(p->a, &out->v, inside.at[k]);
    inside.at[k]->where = DONE;
  }
  arrange(g, behind, out);
}

// As many strips as let the most work join, and the more the better, while each is enough.
static bool seed_strips(Grouping *g, const Units *list, int seed) {
  int64_t best = 0;
  double most = 0;
  for (g->n = MOST_STRIPS; g->n > 1; g->n /= 2) {
    if (!fits(g, list->v.at[seed], g->n)) continue;
    Tried t = try_strips(g, list, seed);
    if (t.members > 1 && t.ns >= strip_ns(g) * (double)g->n && t.ns > (g->n == 2 && t.bytes >= ROOMY ? GAIN_TWO : GAIN) * most) best = g->n, most = t.ns;
  }
  if (!best) return false;
  g->n = best;
  try_strips(g, list, seed);
  return true;
}

static void arrange(Grouping *g, Units list, Units *out) {
  double ns = 0;
  for (int k = 0; k < list.v.n; k++) ns += list.v.at[k]->ns;
  for (int k = 0; k < list.v.n && ns >= 2 * strip_ns(g) && g->tries > 0; k++) {
    if (!seed_strips(g, &list, k)) continue;
    split(g, &list, out);
    return;
  }
  for (int k = 0; k < list.v.n; k++) {
    list.v.at[k]->where = DONE;
    vec_push(g->p->a, &out->v, list.v.at[k]);
  }
}

static void between(Grouping *g, int from, int to) {
  Units list = {0}, out = {0};
  for (int k = 0; k < g->b->unit.n; k++) g->b->unit.at[k]->where = k < from ? DONE : k < to ? AHEAD : AFTER;
  for (int k = from; k < to; k++) vec_push(g->p->a, &list.v, g->b->unit.at[k]);
  arrange(g, list, &out);
  for (int k = from; k < to && !g->foresee; k++) {
    Unit *u = g->b->unit.at[k] = out.v.at[k - from];
    if (u->strips) find_local(g->p, u, u->strips->n);
  }
}

// ---- loops whose rows do not meet: a recurrent net over a batch -----------------------------------------
static bool cut_alike(const IrRegion *r, int64_t n) {
  for (int k = 0; k < r->nyield; k++)
    if (!cuts(&r->yield[k]->type, n)) return false;
  return true;
}

// What a turn takes of the one before is the same strip; nothing is packed in a turn, for all strips.
static bool alone(const Units *list, const IrRegion *r, int ncarry) {
  for (int k = 0; k < list->v.n; k++) {
    const Unit *u = list->v.at[k];
    if (u->node->pack && !u->pack_before) return false;
    for (int i = 0; i < u->read.n; i++) {
      const IrValue *v = u->read.at[i].v;
      if (v->region == r && v->index > 0 && v->index <= ncarry && !u->read.at[i].local) return false;
    }
  }
  return true;
}

static bool all_inside(const Units *list) {
  for (int k = 0; k < list->v.n; k++)
    if (list->v.at[k]->where != INSIDE) return false;
  return true;
}

// All of a scan's body in strips, each of which goes through all turns.
static bool through_turns(Planner *p, Unit *u, bool foresee) {
  if (u->node->kind != PLAN_SCAN) return false;
  Block *b = u->body[0];
  Grouping g = {.p = p, .b = b, .tries = MOST_TRIES, .turns = true};
  Units list = {0};
  double ns = 0;
  for (int k = 0; k < b->unit.n; k++) {
    b->unit.at[k]->where = AHEAD;
    ns += b->unit.at[k]->ns;
    vec_push(p->a, &list.v, b->unit.at[k]);
  }
  for (g.n = MOST_STRIPS; g.n > 1 && list.v.n; g.n /= 2) {
    if (ns * (double)ir_int(u->node->op, A_N) < strip_ns(&g) * (double)g.n || ns < strip_ns(&g) / LEAST_TURN * (double)g.n) continue;
    if (!cut_alike(b->region, g.n)) continue;
    try_strips(&g, &list, 0);
    if (all_inside(&list) && alone(&list, b->region, (int)ir_int(u->node->op, A_NCARRY))) break;
  }
  if (g.n < 2 || !list.v.n) return false;
  Strips *s = arena_new(p->a, Strips);
  *s = (Strips){.n = g.n, .first = list.v.at[0], .last = list.v.at[list.v.n - 1], .loop = u, .ns = u->ns};
  u->foreseen = s;
  if (foresee) return true;
  for (int k = 0; k < list.v.n; k++) cut_unit(list.v.at[k], s);
  u->node->strips = g.n;
  return true;
}

void plan_strip(Planner *p, Block *b, bool foresee) {
  for (int k = 0; k < b->unit.n; k++) {
    Unit *u = b->unit.at[k];
    if (!plan_map_around(b) && through_turns(p, u, foresee)) continue;
    for (int i = 0; i < 2; i++)
      if (u->body[i]) plan_strip(p, u->body[i], foresee);
  }
  if (plan_map_around(b)) return;
  Grouping g = {.p = p, .b = b, .tries = MOST_TRIES, .foresee = foresee};
  for (int k = 0, f = 0; k < b->unit.n;) {        // between forks, which keep their place
    int end = f < b->fork.n ? b->fork.at[f].from : b->unit.n;
    between(&g, k, end);
    k = f < b->fork.n ? b->fork.at[f++].to : end;
  }
}
