// Whether a derivative exists, asked where it is written: `rlc check` then tells it without taking it.
// What depends on the differentiated inputs is followed forward through a region, what the result
// needs of it backward; an op that is reached from both sides and has no rule is the mistake.
#include "frontend/value.h"

#include <string.h>

static const char *const jvp_rule[IR_NCODE] = {
#define OP(code, name, nin, nout, attrs, type, eval, jvp, transpose, batch, lower, doc) #jvp,
#include "ir/ops.def"
#undef OP
};

typedef struct Differ {
  Elab *e;
  bool *active, *needed;           // by value id
  bool reverse;
  bool asks, lacks;                // no failure, but a note of it
} Differ;

static bool any(const bool *set, int n, IrValue *const *v) {
  for (int k = 0; k < n; k++)
    if (set[v[k]->id]) return true;
  return false;
}

static bool passes(const IrValue *v, bool on) { return on && ir_is_diff(v->type.dtype); }

static void flow(Differ *d, const IrRegion *r);

// A loop's carry depends on x if it begins so or a turn makes it so.
static void flow_loop(Differ *d, const IrOp *op, const IrRegion *body, int from, int ncarry) {
  for (int k = 0; k < op->nin; k++) d->active[body->arg[from + k]->id] = d->active[op->in[k]->id];
  for (bool again = true; again;) {
    again = false;
    flow(d, body);
    for (int k = 0; k < ncarry; k++) {
      bool *arg = &d->active[body->arg[from + k]->id];
      if (!*arg && d->active[body->yield[k]->id]) *arg = again = true;
    }
  }
  for (int k = 0; k < op->nout; k++) d->active[op->out[k]->id] = k < ncarry ? d->active[body->arg[from + k]->id] : d->active[body->yield[k]->id];
}

static void flow_op(Differ *d, const IrOp *op) {
  switch (op->code) {
  case IR_SCAN: flow_loop(d, op, op->sub[0], 1, (int)ir_int(op, A_NCARRY)); return;
  case IR_WHILE: flow_loop(d, op, op->sub[1], 0, op->nin); return;
  case IR_MAP:
    for (int k = 0; k < op->nin; k++) d->active[op->sub[0]->arg[1 + k]->id] = d->active[op->in[k]->id];
    flow(d, op->sub[0]);
    for (int k = 0; k < op->nout; k++) d->active[op->out[k]->id] = d->active[op->sub[0]->yield[k]->id];
    return;
  case IR_COND:
    for (int s = 0; s < 2; s++) flow(d, op->sub[s]);
    for (int k = 0; k < op->nout; k++) d->active[op->out[k]->id] = d->active[op->sub[0]->yield[k]->id] || d->active[op->sub[1]->yield[k]->id];
    return;
  case IR_REMAT:
    flow(d, op->sub[0]);
    for (int k = 0; k < op->nout; k++) d->active[op->out[k]->id] = d->active[op->sub[0]->yield[k]->id];
    return;
  case IR_VJP: case IR_JVP: {
    IrValue **cap;
    int n = ir_captures(d->e->arena, op->sub[0], &cap);
    bool on = any(d->active, op->nin, op->in) || any(d->active, n, cap);
    for (int k = 0; k < op->nout; k++) d->active[op->out[k]->id] = passes(op->out[k], on);
    return;
  }
  default: {
    bool on = any(d->active, op->nin, op->in) && strcmp(jvp_rule[op->code], "zero") != 0;
    for (int k = 0; k < op->nout; k++) d->active[op->out[k]->id] = passes(op->out[k], on);
  }
  }
}

static void flow(Differ *d, const IrRegion *r) {
  ir_each_op(r, op) flow_op(d, op);
}

static void need(Differ *d, const IrRegion *r);

static void need_op(Differ *d, const IrOp *op) {
  bool wanted = false;
  for (int k = 0; k < op->nout; k++) wanted |= d->needed[op->out[k]->id] && d->active[op->out[k]->id];
  if (!wanted) return;
  bool last = op->code == IR_POLYGAMMA && ir_int(op, A_N) == IR_MAX_ORDER, loop = op->code == IR_WHILE && d->reverse;
  if (d->asks) d->lacks |= last || loop;
  else if (last)
    fail(d->e, op->loc, "put `stop_grad` around what need not be differentiated", "`polygamma` of order %d, the greatest there is, cannot be differentiated", IR_MAX_ORDER);
  else if (loop)
    fail(d->e, op->loc, "use `for` or `scan` with a fixed number of turns", "a `while` cannot be differentiated in reverse");
  for (int k = 0; k < op->nin; k++) d->needed[op->in[k]->id] = true;
  if (op->code == IR_VJP || op->code == IR_JVP || op->code == IR_CUSTOM) return;
  for (int s = 0; s < op->nregion; s++) {
    int carried = op->code == IR_SCAN ? (int)ir_int(op, A_NCARRY) : op->code == IR_WHILE ? op->nin : 0;
    for (int k = 0; k < op->sub[s]->nyield; k++)
      if (op->code != IR_WHILE || s == 1) d->needed[op->sub[s]->yield[k]->id] |= k < carried || d->needed[op->out[k]->id];
    need(d, op->sub[s]);
  }
}

static void need(Differ *d, const IrRegion *r) {
  for (const IrOp *op = r->last; op; op = op->prev) need_op(d, op);
}

static void walk(Differ *d, const IrRegion *r, int ny) {
  int n = r->graph->nvalue;
  d->active = arena_array(d->e->arena, bool, n + 1);
  d->needed = arena_array(d->e->arena, bool, n + 1);
  for (int k = 0; k < r->narg; k++) d->active[r->arg[k]->id] = true;
  for (int k = 0; k < ny; k++) d->needed[r->yield[k]->id] = true;
  flow(d, r);
  need(d, r);
}

void check_differentiable(Elab *e, const IrRegion *r, int ny, bool reverse) {
  Differ d = {.e = e, .reverse = reverse};
  walk(&d, r, ny);
}

bool differentiable(Elab *e, const IrRegion *r) {
  Differ d = {.e = e, .reverse = true, .asks = true};
  walk(&d, r, r->nyield);
  return !d.lacks;
}
