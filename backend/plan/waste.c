// Copies that a user is told of: an array that the step has not made, a state or what a loop carries, is copied whole
// so that a part of it can be written while its old value is still read.
#include "backend/plan/state.h"

#include <string.h>

static int first_carry(const IrOp *op) { return op->code == IR_SCAN; }
static int carries(const IrOp *op) { return op->code == IR_SCAN ? (int)ir_int(op, A_NCARRY) : op->code == IR_WHILE ? op->nin : 0; }

// ---- who writes -----------------------------------------------------------------------------------
static const IrOp *writer_in(const IrRegion *r, const IrValue *x) {
  ir_each_op(r, op) {
    const IrOp *w = lower_of(op) == LOWER_UPDATE && plan_base(op->in[0]) == x ? op : NULL;
    const IrRegion *body = op->nregion ? op->sub[op->nregion - 1] : NULL;
    for (int k = 0; k < carries(op) && !w; k++)
      if (plan_base(op->in[k]) == x) w = writer_in(body, body->arg[k + first_carry(op)]);
    for (int i = 0; op->code == IR_COND && i < 2 && !w; i++) {
      w = writer_in(op->sub[i], x);
      for (int k = 0; k < op->nout && !w; k++)
        if (plan_base(op->sub[i]->yield[k]) == x) w = writer_in(r, op->out[k]);
    }
    if (w) return w;
  }
  return NULL;
}

const IrOp *plan_writer(const IrOp *op, const IrValue *to) {
  if (!op || !to) return NULL;
  if (lower_of(op) == LOWER_UPDATE) return op;
  if (!carries(op) || to->op || to->region->owner != op) return NULL;
  const IrRegion *body = op->sub[op->nregion - 1];            // of a while, behind its condition
  return writer_in(body, body->arg[to->index]);
}

// ---- what is owned ----------------------------------------------------------------------------------
// Making an array costs as much as copying it: only what the step found when it began, and what a loop carries, counts.
static bool owned(const Plan *p, const IrValue *v) {
  v = plan_base(v);
  const IrOp *op = v->op;
  if (!op) {
    const IrOp *loop = v->region->owner;
    if (loop) return v->index >= first_carry(loop) && v->index < first_carry(loop) + carries(loop);
    for (int i = 0; i < v->region->nyield; i++)
      if (p->io.in[v->index].space == p->io.out[i].space && p->io.in[v->index].offset == p->io.out[i].offset) return true;
    return false;
  }
  if (lower_of(op) == LOWER_UPDATE) return owned(p, op->in[0]);
  if (op->code == IR_COND) return owned(p, op->sub[0]->yield[v->index]) || owned(p, op->sub[1]->yield[v->index]);
  return v->index < carries(op);
}

// Whether what is written goes into a select of whole arrays, as lanes that take different branches make one: that is a
// pass over all of the array, made of the program by vmap, and the user can do nothing about it.
static bool selected(const IrRegion *r, const IrValue *v) {
  ir_each_op(r, op)
    for (int k = 0; k < op->nin; k++) {
      if (plan_base(op->in[k]) != v) continue;
      if (op->code == IR_SELECT || (lower_of(op) == LOWER_UPDATE && !k && selected(r, op->out[0]))) return true;
    }
  return false;
}

// Whose value it is: an input's name, or NULL.
static const char *name_of(const Plan *p, const IrValue *v) {
  v = plan_base(v);
  const IrOp *op = v->op;
  if (!op) {
    const IrOp *loop = v->region->owner;
    if (!loop) return p->graph->in_name[v->index];
    return v->index >= first_carry(loop) && v->index < first_carry(loop) + carries(loop) ? name_of(p, loop->in[v->index - first_carry(loop)]) : NULL;
  }
  if (lower_of(op) == LOWER_UPDATE || v->index < carries(op)) return name_of(p, op->in[lower_of(op) == LOWER_UPDATE ? 0 : v->index]);
  for (int i = 0; op->code == IR_COND && i < 2; i++) {
    const char *name = name_of(p, op->sub[i]->yield[v->index]);
    if (name) return name;
  }
  return NULL;
}

// ---- who reads the old value ------------------------------------------------------------------------
typedef struct Readers {
  const PlanWaste *w;
  const IrValue *old;
  bool *late;                      // by value id: needs what was written
  const IrOp *reader, *other;      // that needs it too; that does not
  const IrOp *loop;                // its turns or its later steps take the old value, as a result or a carried value
} Readers;

static bool spread(Readers *r, const IrRegion *region, bool *writes) {
  bool any = false;
  ir_each_op(region, op) {
    bool late = op == r->w->update, in_it = late;
    for (int k = 0; k < op->nin; k++) late |= r->late[op->in[k]->id];
    for (int k = 0; k < op->nregion; k++) {
      for (int i = 0; i < carries(op); i++) r->late[op->sub[k]->arg[i + first_carry(op)]->id] |= r->late[op->in[i]->id];
      late |= spread(r, op->sub[k], &in_it);
      for (int i = 0; i < op->sub[k]->nyield; i++) late |= r->late[op->sub[k]->yield[i]->id];
    }
    *writes |= in_it;
    for (int k = 0; k < op->nout; k++) r->late[op->out[k]->id] |= late || in_it;
    any |= late;
  }
  return any;
}

static bool takes_late(const Readers *r, const IrOp *op) {
  for (int k = 0; k < op->nin; k++)
    if (r->late[op->in[k]->id]) return true;
  for (int k = 0; k < op->nregion; k++)
    ir_each_op(op->sub[k], inner)
      if (takes_late(r, inner)) return true;
  return false;
}

static bool holds(const IrOp *op, const IrOp *inner) {
  for (const IrRegion *r = inner->parent; r && r->owner; r = r->owner->parent)
    if (r->owner == op) return true;
  return false;
}

static void find_readers(Readers *r, const IrRegion *region, bool late) {
  ir_each_op(region, op) {
    // What stands in a loop that writes from its first turn on reads in a later one; else what needs the update.
    bool around = holds(op, r->w->update), reads = false;
    bool now = late || (op == r->w->op && op->nregion) || (!around && takes_late(r, op));
    for (int k = 0; k < op->nin; k++) reads |= plan_base(op->in[k]) == r->old;
    for (int k = 0; k < 2 * op->nout && op->code == IR_COND && !around; k++) reads |= plan_base(op->sub[k & 1]->yield[k / 2]) == r->old;
    if (reads && op != r->w->update && op != r->w->op && !plan_is_view(op)) {
      if (now && !r->reader) r->reader = op;
      if (!now && op->loc.line && !r->other) r->other = op;
    }
    for (int k = 0; k < op->nregion; k++) {
      find_readers(r, op->sub[k], now);
      for (int i = 0; op->code != IR_COND && i < op->sub[k]->nyield; i++)
        if (plan_base(op->sub[k]->yield[i]) == r->old && !r->loop) r->loop = op;
    }
  }
}

// The loop around the update that takes the old value anew in each turn, since it is known before the loop.
static const IrOp *turns_again(const IrOp *op, const IrValue *old) {
  for (const IrRegion *r = op->parent; r && r->owner; r = r->owner->parent) {
    if ((old->op ? old->op->parent : old->region) == r) return NULL;
    if (carries(r->owner) || r->owner->code == IR_SCAN || r->owner->code == IR_MAP) return r->owner;
  }
  return NULL;
}

// A loop that carries the array in two variables.
static bool begins_twice(const IrOp *op, const IrValue *old) {
  int n = 0;
  for (int k = 0; k < carries(op); k++) n += plan_base(op->in[k]) == old;
  return n > 1;
}

static void say_reader(Diags *d, Diag *g, const Plan *p, const PlanWaste *w, const char *name, const Loc *state) {
  Readers r = {.w = w, .old = plan_base(w->old), .late = arena_array(d->arena, bool, p->graph->nvalue + 1)};
  bool writes = false;
  spread(&r, p->graph->top, &writes);
  find_readers(&r, p->graph->top, false);
  const IrOp *again = turns_again(w->op, r.old);
  if (r.reader) {
    diag_note(d, g, r.reader->loc, "the old value is read here, behind the update");
  } else if (begins_twice(w->op, r.old)) {
    diag_note(d, g, w->op->loc, "two variables of this loop begin as this array");
  } else if (again) {
    diag_note(d, g, again->loc, "each turn of this loop takes the old value again");
  } else if (r.loop) {
    diag_note(d, g, r.loop->loc, "this loop keeps the old value");
  } else {
    for (int i = 0; i < p->graph->top->nyield; i++)
      if (plan_base(p->graph->top->yield[i]) == r.old && name && p->graph->out_name[i]) {
        bool stays = !r.old->op && state && !strcmp(p->graph->out_name[i], name);
        diag_note(d, g, stays ? state[r.old->index] : (Loc){0}, "`%s` keeps the old value", p->graph->out_name[i]);
        return;
      }
    if (r.other) diag_note(d, g, r.other->loc, "the old value is read here");
  }
}

bool plan_owned(Diags *d, const Plan *p, const char *often, const Loc *state) {
  bool fine = true;
  for (int k = 0; k < p->nwaste; k++) {
    const PlanWaste *w = &p->waste[k];
    bool told = false;
    for (int i = 0; i < k; i++) told |= p->waste[i].update == w->update;
    if (!w->update || told || !owned(p, w->old) || selected(w->update->parent, w->update->out[0])) continue;
    const char *name = name_of(p, w->old);
    const char *what = name ? arena_printf(d->arena, "`%s`, ", name) : "";
    Diag *g = diag_error(d, w->update->loc, "this update copies %s%.3g MB, in each %s", what, (double)w->bytes * 1e-6,
                         w->turns ? "turn of a loop" : often);
    say_reader(d, g, p, w, name, state);
    diag_help(d, g, "read what is needed of the old value before the update, or say that a copy of it is meant: let old = copy(…)");
    fine = false;
  }
  return fine;
}

// ---- before the passes ------------------------------------------------------------------------------
// In the order of the graph: a large array that is used again when a part of it may have been written.
typedef struct Uses { bool *written, found; } Uses;    // by value id

static bool is_large(const IrValue *v) { return ir_bytes(&v->type) >= PLAN_WASTE && !plan_is_const(v); }

static bool has_update(const IrOp *op) {
  if (lower_of(op) == LOWER_UPDATE) return true;
  for (int k = 0; k < op->nregion; k++)
    ir_each_op(op->sub[k], inner)
      if (has_update(inner)) return true;
  return false;
}

static void find_yields(Uses *u, const IrRegion *r) {
  for (int k = 0; k < r->nyield; k++) u->found |= is_large(r->yield[k]) && u->written[plan_base(r->yield[k])->id];
}

// What a branch yields is used where the cond begins: the other branch may write over it.
static void find_uses(Uses *u, const IrRegion *r) {
  ir_each_op(r, op) {
    bool update = lower_of(op) == LOWER_UPDATE, inner = op->nregion && has_update(op);
    for (int k = 0; k < op->nin && !plan_is_view(op); k++) {
      const IrValue *v = plan_base(op->in[k]);
      if (!is_large(v)) continue;
      u->found |= u->written[v->id] || (update && !k && turns_again(op, v));
      u->found |= inner && !carries(op);               // a map or a derivative is made anew of its regions
      u->written[v->id] |= inner || (update && !k);
    }
    for (int k = 0; k < op->nregion && op->code == IR_COND; k++) find_yields(u, op->sub[k]);
    for (int k = 0; k < op->nregion; k++) find_uses(u, op->sub[k]);
  }
  if (!r->owner || r->owner->code != IR_COND) find_yields(u, r);
}

bool plan_may_copy(Arena *a, const IrGraph *g) {
  Uses u = {.written = arena_array(a, bool, g->nvalue + 1)};
  find_uses(&u, g->top);
  return u.found;
}
