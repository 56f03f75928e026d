// What each node reads, and in which order the nodes of a block run: as in the graph, but readers
// of a value before the node that would like to write over it, where nothing forbids it.
#include "backend/plan/state.h"

// ---- what a node reads ---------------------------------------------------------------------
static bool keeps_point(const IrOp *op, int operand, int64_t n) {
  (void)operand, (void)n;
  if (lower_of(op) == LOWER_ELEMENT || plan_is_view(op)) return true;
  return op->code == IR_BROADCAST && ir_count(&op->in[0]->type) == ir_count(&op->out[0]->type);
}

typedef struct Walk { Planner *p; int stamp; PlanKeeps *keeps; int64_t n; PlanReached *f; void *data; } Walk;

static void walk_operands(Walk *w, const IrOp *op, bool kept);

// A value reached at the domain's index may be reached again at another: then it is walked once more.
static void walk(Walk *w, const IrValue *v, bool kept) {
  Fact *f = fact_of(w->p, v);
  if (f->mark == w->stamp && (!f->mark_point || kept)) return;
  f->mark = w->stamp;
  f->mark_point = kept;
  if (f->stored) w->f(w->data, v, kept);
  else if (v->op) walk_operands(w, v->op, kept);
}

static void walk_operands(Walk *w, const IrOp *op, bool kept) {
  for (int k = 0; k < op->nin; k++) walk(w, op->in[k], kept && w->keeps(op, k, w->n));
}

void plan_reached(Planner *p, const IrValue *root, int stamp, PlanKeeps *keeps, int64_t n, PlanReached *f, void *data) {
  Walk w = {p, stamp, keeps, n, f, data};
  if (root->op) walk_operands(&w, root->op, true);
}

typedef struct Reading { Planner *p; Unit *u; } Reading;

static void add_read(void *data, const IrValue *v, bool point);

// v is read through views: one of them may say what must be known before.
static void wait_for(Reading *r, const IrValue *v) {
  for (; v->op && plan_is_view(v->op) && fact_of(r->p, v)->stored; v = v->op->in[0]) {
    if (v->op->code != IR_AFTER) continue;
    const IrValue *late = v->op->in[1];
    if (fact_of(r->p, late)->stored) add_read(r, late, false);
    else plan_reached(r->p, late, r->p->stamp, keeps_point, 0, add_read, r);
  }
}

static void add_read(void *data, const IrValue *v, bool point) {
  Reading *r = data;
  wait_for(r, v);
  v = fact_of(r->p, v)->base;
  if (fact_of(r->p, v)->unit == r->u) return;
  Read read = {.v = v, .point = point};
  vec_push(r->p->a, &r->u->read, read);
}

static void read_outside(Planner *p, Unit *u, const Block *body, const IrValue *v) {
  v = fact_of(p, v)->base;
  const Block *b = fact_of(p, v)->block;
  if (b == body || fact_of(p, v)->mark == p->stamp) return;
  fact_of(p, v)->mark = p->stamp;
  Read read = {.v = v};
  vec_push(p->a, &u->read, read);
}

static void find_reads(Planner *p, Unit *u) {
  Reading r = {p, u};
  p->stamp++;
  for (int k = 0; k < u->root.n; k++) plan_reached(p, u->root.at[k], p->stamp, keeps_point, 0, add_read, &r);
  if (u->root.n) return;
  const IrOp *op = u->node->op;
  for (int k = 0; k < op->nin; k++) add_read(&r, op->in[k], u->node->kind == PLAN_UPDATE && k == 0);
  for (int k = 0; k < op->nregion; k++) {
    Block *body = u->body[k];
    for (int i = 0; i < body->unit.n; i++)
      for (int j = 0; j < body->unit.at[i]->read.n; j++) read_outside(p, u, body, body->unit.at[i]->read.at[j].v);
    for (int i = 0; i < body->region->nyield; i++) read_outside(p, u, body, body->region->yield[i]);
  }
}

// ---- who would like to write over what --------------------------------------------------------
static void want(Planner *p, Block *b, const IrValue *old, Unit *writer) {
  old = fact_of(p, old)->base;
  Fact *f = fact_of(p, old);
  if (f->block != b) vec_push(p->a, &b->wants, old);
  else if (writer) vec_push(p->a, &f->wanted, writer);
}

// The argument in whose place yield i of the block is to be: a state, what is carried, or a turn's slice of one of these; or
// NULL.
static IrValue *old_of(Planner *p, const Block *b, int i) {
  const IrRegion *r = b->region;
  const IrOp *op = r->owner;
  if (!op) {
    for (int k = 0; k < r->narg; k++)
      if (same_port(&p->io->in[k], &p->io->out[i])) return r->arg[k];
    return NULL;
  }
  if (op->code == IR_WHILE) return b == b->owner->body[1] ? r->arg[i] : NULL;
  if (op->code != IR_SCAN) return NULL;
  int carried = (int)ir_int(op, A_NCARRY);
  if (i < carried) return r->arg[1 + i];
  const IrRegion *outer = b->outer->region;
  for (int k = 0; k < outer->nyield; k++) {
    const IrValue *whole = outer->yield[k] == op->out[i] ? old_of(p, b->outer, k) : NULL;
    for (int j = carried; whole && j < op->nin; j++)
      if (op->in[j] == whole) return r->arg[1 + j];
  }
  return NULL;
}

static void find_wants(Planner *p, Block *b) {
  for (int k = 0; k < b->unit.n; k++) {
    Unit *u = b->unit.at[k];
    const IrOp *op = u->node->op;
    if (u->node->kind == PLAN_UPDATE) want(p, b, op->in[0], u);
    int carried = u->node->kind == PLAN_SCAN ? (int)ir_int(op, A_NCARRY) : u->node->kind == PLAN_WHILE ? op->nin : 0;
    for (int i = 0; i < carried; i++) want(p, b, op->in[i], u);
    for (int i = 0; u->node->kind == PLAN_COND && i < 2; i++)
      for (int j = 0; j < u->body[i]->wants.n; j++) want(p, b, u->body[i]->wants.at[j], u);
  }
  const IrRegion *r = b->region;
  for (int i = 0; i < r->nyield; i++) {
    IrValue *old = old_of(p, b, i);
    if (old) want(p, b, old, fact_of(p, fact_of(p, r->yield[i])->base)->unit);
  }
}

#define RELIEF (1 << 16)      // bytes that are needed no longer when a unit has run which comes before others for that
#define MUCH_MORE 8           //   than what it writes

// ---- order ---------------------------------------------------------------------------------------
static void link_units(Planner *p, Block *b) {
  for (int k = 0; k < b->unit.n; k++) {
    Unit *u = b->unit.at[k];
    for (int i = 0; i < u->read.n; i++) {
      Fact *f = fact_of(p, u->read.at[i].v);
      if (f->block != b) continue;
      if (f->unit && f->unit != u) {
        vec_push(p->a, &f->unit->then, u);
        u->waits++;
      }
      for (int j = 0; j < f->wanted.n; j++) {
        Unit *w = f->wanted.at[j];
        if (w == u || w->block != b) continue;
        vec_push(p->a, &u->frees, w);
        vec_push(p->a, &w->awaits, u);
        w->blockers++;
      }
    }
  }
}

// Single numbers for nobody in the block, such as what is logged. Early, they would tie together what is otherwise apart: an
// actor and a critic of which a sum is shown.
static bool is_aside(const Unit *u) {
  for (int k = 0; k < u->root.n; k++)
    if (ir_count(&u->root.at[k]->type) != 1) return false;
  return u->root.n && !u->then.n && !u->frees.n;
}

typedef struct Sort { Planner *p; Block *b; Unit **ready; int n; } Sort;

static void count_readers(Sort *s, int by, const Unit *u) {
  for (int i = 0; i < u->read.n; i++) {
    bool again = false;
    for (int k = 0; k < i; k++) again |= u->read.at[k].v == u->read.at[i].v;
    if (!again) s->p->left[u->read.at[i].v->id] += by;
  }
}

// Is it the last reader of much more than it writes? Sums of gradients over a batch, and what is logged of large arrays. An
// optimizer, which reads a few parts of a gradient, is not: two of these had better come side by side.
static bool relieves(const Sort *s, const Unit *u) {
  int64_t freed = 0, written = 0;
  for (int i = 0; i < u->read.n; i++) {
    const Fact *f = fact_of(s->p, u->read.at[i].v);
    if (f->block == s->b && f->unit && s->p->left[u->read.at[i].v->id] == 1) freed += ir_bytes(&u->read.at[i].v->type);
  }
  for (int k = 0; k < u->root.n; k++) written += ir_bytes(&u->root.at[k]->type);
  for (int k = 0; !u->root.n && k < u->node->op->nout; k++) written += ir_bytes(&u->node->op->out[k]->type);
  for (int i = 0; i < u->read.n && u->node->linear; i++) {
    const Fact *f = fact_of(s->p, u->read.at[i].v);
    for (int k = 0; k < f->wanted.n; k++)
      if (f->wanted.at[k] == u) written -= ir_bytes(&u->read.at[i].v->type);
  }
  return freed >= RELIEF && freed >= MUCH_MORE * written;
}

static bool goes_before(const Sort *s, const Unit *u, const Unit *v) {
  if ((u->blockers > 0) != (v->blockers > 0)) return v->blockers > 0;
  bool x = relieves(s, u), y = relieves(s, v);
  if (x != y) return x;
  return is_aside(u) != is_aside(v) ? is_aside(v) : u->at < v->at;
}

// Of the nodes that can run, the first in the graph that writes over nothing still wanted, makes room or is wanted itself; else
// the first.
static Unit *take(Sort *s) {
  int best = 0;
  for (int k = 1; k < s->n; k++)
    if (goes_before(s, s->ready[k], s->ready[best])) best = k;
  Unit *u = s->ready[best];
  s->ready[best] = s->ready[--s->n];
  count_readers(s, -1, u);
  return u;
}

static void sort_units(Planner *p, Block *b) {
  Unit **order = arena_array(p->a, Unit *, b->unit.n + 1);
  int n = 0;
  Sort s = {p, b, arena_array(p->a, Unit *, b->unit.n + 1), 0};
  if (!p->left) p->left = arena_array(p->a, int, p->g->nvalue);
  for (int k = 0; k < b->region->nyield; k++) p->left[fact_of(p, b->region->yield[k])->base->id]++;
  for (int k = 0; k < b->unit.n; k++) {
    count_readers(&s, 1, b->unit.at[k]);
    if (!b->unit.at[k]->waits) s.ready[s.n++] = b->unit.at[k];
  }
  while (s.n) {
    Unit *u = take(&s);
    order[n++] = u;
    for (int k = 0; k < u->frees.n; k++) u->frees.at[k]->blockers--;
    for (int k = 0; k < u->then.n; k++)
      if (!--u->then.at[k]->waits) s.ready[s.n++] = u->then.at[k];
  }
  ICE_IF(n != b->unit.n, "nodes that wait for each other: %d of %d in order", n, b->unit.n);
  for (int k = 0; k < n; k++) b->unit.at[k] = order[k];
}

void plan_order(Planner *p, Block *b) {
  for (int k = 0; k < b->unit.n; k++)
    for (int i = 0; i < 2; i++)
      if (b->unit.at[k]->body[i]) plan_order(p, b->unit.at[k]->body[i]);
  for (int k = 0; k < b->unit.n; k++) find_reads(p, b->unit.at[k]);
  find_wants(p, b);
  link_units(p, b);
  sort_units(p, b);
}
