// Late roots: select(c, x, y) where x is dear and what it takes can be had at any index: draws for the worlds that
// begin anew. The loop over the points stores y and writes down where c holds; a second loop computes x there only.
#include "backend/plan/state.h"

// Operations at a point that must be saved: those that writing down an index takes, and those of storing a
// root to places apart. So where c holds everywhere, a node takes about a third longer than without.
#define LATE_SAVES 100
#define LATE_ROOT 25
#define LATE_POINTS 32        // of the domain: a few vectors
#define LATE_SHARE 0.125      // of the points at which c is thought to hold

// What x's own loop may compute: nothing that the first loop may write over.
static bool anywhere(Planner *p, const IrValue *v) {
  Fact *f = fact_of(p, v);
  if (f->mark == p->stamp) return true;
  f->mark = p->stamp;
  if (v->op && lower_of(v->op) == LOWER_CONST) return !f->unit;      // else a node writes it
  if (f->stored || !v->op) return ir_count(&v->type) == 1;
  bool map = v->op->code == IR_BROADCAST || v->op->code == IR_IOTA || v->op->code == IR_SLICE || v->op->code == IR_STOP_GRAD;
  if (lower_of(v->op) != LOWER_ELEMENT && !map && !plan_unit_reshape(v->op)) return false;
  for (int k = 0; k < v->op->nin; k++)
    if (!anywhere(p, v->op->in[k])) return false;
  return true;
}

// Operations of v's tree that have not been met since the stamp. A node's roots are computed in it, not loaded.
static double meet(Planner *p, const Unit *u, const IrValue *v) {
  Fact *f = fact_of(p, v);
  if (f->mark == p->stamp) return 0;
  f->mark = p->stamp;
  if ((f->stored && f->unit != u) || !v->op || is_memory_op(v->op)) return 0;
  double cost = ir_count(&v->type) > 1 ? plan_op_cost(v->op) : 0;
  for (int k = 0; k < v->op->nin; k++) cost += meet(p, u, v->op->in[k]);
  return cost;
}

static bool is_late(Planner *p, const Unit *u, const IrValue *v, const IrValue *c) {
  if (!v->op || v->op->code != IR_SELECT || (c && v->op->in[0] != c)) return false;
  p->stamp++;
  if (!anywhere(p, v->op->in[1])) return false;
  p->stamp++;
  return meet(p, u, v->op->in[1]) > LATE_ROOT;
}

// Meets all that the first loop computes; a late root that something else uses is late no more.
static bool meet_first(Planner *p, const Unit *u, bool *late) {
  p->stamp++;
  for (int k = 0; k < u->root.n; k++) {
    const IrOp *op = u->root.at[k]->op;
    if (!late[k]) meet(p, u, u->root.at[k]);
    else meet(p, u, op->in[0]), meet(p, u, op->in[2]);
  }
  for (int k = 0; k < u->root.n; k++)
    if (late[k] && fact_of(p, u->root.at[k])->mark == p->stamp) return late[k] = false;
  return true;
}

double plan_late(Planner *p, Unit *u) {
  PlanNode *n = u->node;
  if (n->kind != PLAN_NEST || n->rank != 1 || n->vector != 0 || n->dim[0] < LATE_POINTS || n->dim[0] > INT32_MAX) return 0;
  const IrValue *c = NULL;
  bool *late = arena_array(p->a, bool, u->root.n);
  for (int k = 0; k < u->root.n; k++) {
    late[k] = is_late(p, u, u->root.at[k], c);
    if (late[k]) c = u->root.at[k]->op->in[0];
  }
  if (!c) return 0;
  while (!meet_first(p, u, late))
    ;
  double saves = 0, least = LATE_SAVES;
  for (int k = 0; k < u->root.n; k++)
    if (late[k]) saves += meet(p, u, u->root.at[k]->op->in[1]), least += LATE_ROOT;
  if (saves < least) return 0;
  n->late = late;
  return (1 - LATE_SHARE) * saves;
}
