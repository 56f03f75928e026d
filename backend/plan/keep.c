// What is computed of an array before a part of it is written is stored by then. Computed where it is used, in a node
// that needs what was written, it would keep the whole old array by a copy.
#include "backend/plan/state.h"

static int64_t small_bytes(const Planner *p) { return p->target->small_bytes > 0 ? p->target->small_bytes : PLAN_SMALL; }

static void put(Planner *p, Values *list, const IrValue *v) {
  for (int k = 0; k < list->n; k++)
    if (list->at[k] == v) return;
  vec_push(p->a, list, v);
}

// The arrays known outside of op that op, or an op in its regions, writes a part of.
static Values written(Planner *p, const IrOp *op) {
  Values all = {0};
  if (lower_of(op) == LOWER_UPDATE && ir_bytes(&op->out[0]->type) > small_bytes(p)) put(p, &all, plan_base(op->in[0]));
  int first = op->code == IR_SCAN, carried = op->code == IR_SCAN ? (int)ir_int(op, A_NCARRY) : op->code == IR_WHILE ? op->nin : 0;
  for (int k = 0; k < op->nregion; k++)
    ir_each_op(op->sub[k], inner) {
      Values in = written(p, inner);
      for (int i = 0; i < in.n; i++) {
        const IrValue *x = in.at[i];
        if (x->op ? x->op->parent != op->sub[k] : x->region != op->sub[k]) put(p, &all, x);
        else if (!x->op && x->index >= first && x->index < first + carried) put(p, &all, plan_base(op->in[x->index - first]));
      }
    }
  return all;
}

// Values that an op takes: operands, and what its regions capture.
typedef void Taken(Planner *p, const IrValue *v, void *data);

static void each_taken(Planner *p, const IrOp *op, Taken *f, void *data) {
  for (int k = 0; k < op->nin; k++) f(p, op->in[k], data);
  for (int k = 0; k < op->nregion; k++) {
    const Block *body = fact_of(p, op->out[0])->body[k];
    for (int i = 0; i < body->capture.n; i++) f(p, body->capture.at[i], data);
  }
}

// Where the ops of a block stand to one that writes a part of x. LATE: they need its result. The others may run before:
// OLD: their result is made of x; STORED: … and is in memory. `first`: they must come first in the block's order.
typedef struct Stand { Planner *p; Block *b; const IrValue *x; enum { FREE, LATE, OLD, STORED } *is; bool *first; bool late; } Stand;

static int place_of(Planner *p, const Block *b, const IrValue *v) { return v->op && fact_of(p, v)->block == b ? fact_of(p, v)->at : -1; }

static void is_late(Planner *p, const IrValue *v, void *data) {
  Stand *s = data;
  int k = place_of(p, s->b, v);
  s->late |= k >= 0 && s->is[k] == LATE;
}

static void comes_first(Planner *p, const IrValue *v, void *data) {
  Stand *s = data;
  int k = place_of(p, s->b, v);
  if (k >= 0) s->first[k] = true;
}

static void store(Planner *p, const IrValue *v, void *data) {
  Stand *s = data;
  int k = place_of(p, s->b, v);
  if (k < 0 || s->is[k] != OLD) return;
  if (v->op->code == IR_BROADCAST || plan_is_view(v->op)) store(p, v->op->in[0], data);
  if (v->op->code != IR_BROADCAST) fact_of(p, v)->hard = true;
}

static bool is_old(const Stand *s, const IrOp *op) {
  for (int k = 0; k < op->nin; k++) {
    int i = place_of(s->p, s->b, op->in[k]);
    if (plan_base(op->in[k]) == s->x || (i >= 0 && s->is[i] == OLD)) return true;
  }
  return false;
}

static void sort_out(Stand *s, int writer, Values *awaits) {
  for (int k = 0; k < s->b->op.n; k++) {
    const IrOp *op = s->b->op.at[k];
    s->late = k == writer;
    if (k > writer) each_taken(s->p, op, is_late, s);
    if (s->late) s->is[k] = LATE;
    if (s->late || is_memory_op(op) || plan_base(op->out[0]) == s->x || !is_old(s, op)) continue;
    bool stored = fact_of(s->p, op->out[0])->hard || (lower_of(op) == LOWER_REDUCE && !plan_small_reduce(op));
    s->is[k] = stored ? STORED : OLD;
    put(s->p, awaits, op->out[0]);
  }
}

// Ops behind the writer that come first are put before it, in their order.
static void move_up(Stand *s, int writer) {
  int n = s->b->op.n, at = writer;
  IrOp **op = s->b->op.at, **rest = arena_array(s->p->a, IrOp *, n - writer);
  int nrest = 0;
  for (int k = writer; k < n; k++)
    if (s->first[k]) op[at++] = op[k];
    else rest[nrest++] = op[k];
  for (int k = 0; k < nrest; k++) op[at + k] = rest[k];
}

static void number(Planner *p, Block *b) {
  for (int k = 0; k < b->op.n; k++)
    for (int i = 0; i < b->op.at[k]->nout; i++) fact_of(p, b->op.at[k]->out[i])->at = k;
}

static void keep(Planner *p, Block *b, const IrOp *op, const IrValue *x) {
  int writer = place_of(p, b, op->out[0]), n = b->op.n;
  Values *awaits = &fact_of(p, op->out[0])->awaits;
  int before = awaits->n;
  Stand s = {.p = p, .b = b, .x = x};
  s.is = arena_alloc(p->a, sizeof *s.is * (size_t)n);
  sort_out(&s, writer, awaits);
  if (awaits->n == before) return;
  s.first = arena_array(p->a, bool, n);
  bool moves = false;
  for (int k = n - 1; k > writer; k--) {
    s.first[k] |= s.is[k] == OLD || s.is[k] == STORED;
    if (s.first[k]) each_taken(p, b->op.at[k], comes_first, &s);
    moves |= s.first[k];
  }
  for (int k = writer; k < n; k++)
    if (s.is[k] == LATE) each_taken(p, b->op.at[k], store, &s);
  if (!moves) return;
  move_up(&s, writer);
  number(p, b);
}

void plan_keep(Planner *p, Block *b) {
  int n = b->op.n;
  IrOp **op = arena_copy(p->a, b->op.at, sizeof *op * (size_t)n);
  number(p, b);
  for (int k = 0; k < n; k++) {
    Values x = written(p, op[k]);
    for (int i = 0; i < x.n; i++) keep(p, b, op[k], x.at[i]);
    for (int i = 0; i < op[k]->nregion; i++) plan_keep(p, fact_of(p, op[k]->out[0])->body[i]);
  }
}
