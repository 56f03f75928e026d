// Dead code. Marks what the outputs need, value by value: a carry of a loop is
// needed if its result or its argument is, one of many yields only for itself.
// Then removes ops without a needed result and cuts the lists of the others.
#include "passes/simplify.h"

typedef VEC(IrValue *) Work;

static void mark(Simp *s, Work *w, IrValue *v) {
  Note *n = simp_note(s, v);
  if (n->live) return;
  n->live = true;
  vec_push(s->tmp, w, v);
}

static void mark_all(Simp *s, Work *w, int n, IrValue **v) {
  for (int i = 0; i < n; i++) mark(s, w, v[i]);
}

static int carries(const IrOp *op) {
  return op->code == IR_SCAN ? (int)ir_int(op, A_NCARRY) : op->code == IR_WHILE ? op->nin : 0;
}

static void mark_carry(Simp *s, Work *w, const IrOp *op, int k) {
  mark(s, w, op->in[k]);
  if (op->code == IR_WHILE) {
    mark(s, w, op->sub[1]->yield[k]);
    mark(s, w, op->sub[0]->yield[0]);
  } else
    mark(s, w, op->sub[0]->yield[k]);
}

static void mark_result(Simp *s, Work *w, const IrOp *op, int k) {
  switch (op->code) {
  case IR_SCAN: case IR_WHILE:
    if (k < carries(op)) mark_carry(s, w, op, k);
    else mark(s, w, op->sub[0]->yield[k]);
    break;
  case IR_MAP: mark(s, w, op->sub[0]->yield[k]); break;
  case IR_COND:
    mark(s, w, op->in[0]);
    mark(s, w, op->sub[0]->yield[k]);
    mark(s, w, op->sub[1]->yield[k]);
    break;
  default:
    mark_all(s, w, op->nin, op->in);
    for (int i = 0; i < op->nregion; i++) mark_all(s, w, op->sub[i]->nyield, op->sub[i]->yield);
  }
}

static void mark_arg(Simp *s, Work *w, const IrOp *op, int k) {
  if (!op) return;
  switch (op->code) {
  case IR_SCAN: case IR_MAP:
    if (k == 0) break;     // turn or lane
    if (k - 1 < carries(op)) mark_carry(s, w, op, k - 1);
    else mark(s, w, op->in[k - 1]);
    break;
  case IR_WHILE: mark_carry(s, w, op, k); break;
  default: break;          // its op is kept whole
  }
}

// Keeps the entries whose flag is set; returns how many.
static int keep_values(int n, IrValue **v, const bool *kept, bool renumber) {
  int m = 0;
  for (int i = 0; i < n; i++) {
    if (!kept[i]) continue;
    if (renumber) v[i]->index = m;
    v[m++] = v[i];
  }
  return m;
}

static bool live(Simp *s, const IrValue *v) { return simp_note(s, v)->live; }

static void cut_loop(Simp *s, IrOp *op) {
  IrRegion *r = op->sub[0];
  int nc = carries(op), m = 0;
  bool *in = arena_array(s->tmp, bool, op->nin + 1), *out = arena_array(s->tmp, bool, op->nout + 1);
  in[0] = true;            // turn or lane, as an argument
  for (int i = 0; i < op->nin; i++) in[i + 1] = live(s, r->arg[i + 1]) || (i < nc && live(s, op->out[i]));
  for (int i = 0; i < op->nout; i++) out[i] = i < nc ? in[i + 1] : live(s, op->out[i]);
  for (int i = 0; i < nc; i++) m += out[i];
  r->narg = keep_values(r->narg, r->arg, in, true);
  op->nin = keep_values(op->nin, op->in, in + 1, false);
  r->nyield = keep_values(r->nyield, r->yield, out, false);
  op->nout = keep_values(op->nout, op->out, out, true);
  if (op->code != IR_SCAN || m == nc) return;
  for (int i = 0; i < op->nattr; i++)
    if (op->attr[i].key == A_NCARRY) op->attr[i] = ir_attr_int(s->graph->arena, A_NCARRY, m);
}

static void cut_while(Simp *s, IrOp *op) {
  IrRegion *test = op->sub[0], *body = op->sub[1];
  bool *kept = arena_array(s->tmp, bool, op->nin + 1);
  for (int i = 0; i < op->nin; i++)
    kept[i] = live(s, op->out[i]) || live(s, test->arg[i]) || live(s, body->arg[i]);
  test->narg = keep_values(test->narg, test->arg, kept, true);
  body->narg = keep_values(body->narg, body->arg, kept, true);
  body->nyield = keep_values(body->nyield, body->yield, kept, false);
  op->nin = keep_values(op->nin, op->in, kept, false);
  op->nout = keep_values(op->nout, op->out, kept, true);
}

static void cut_cond(Simp *s, IrOp *op) {
  bool *kept = arena_array(s->tmp, bool, op->nout);
  for (int i = 0; i < op->nout; i++) kept[i] = live(s, op->out[i]);
  for (int i = 0; i < 2; i++) op->sub[i]->nyield = keep_values(op->sub[i]->nyield, op->sub[i]->yield, kept, false);
  op->nout = keep_values(op->nout, op->out, kept, true);
}

static void cut(Simp *s, IrOp *op) {
  int before = op->nin + op->nout;
  switch (op->code) {
  case IR_SCAN: case IR_MAP: cut_loop(s, op); break;
  case IR_WHILE: cut_while(s, op); break;
  case IR_COND: cut_cond(s, op); break;
  default: break;
  }
  if (op->nin + op->nout != before) s->changed = true;
}

static void sweep(Simp *s, IrRegion *r) {
  for (IrOp *op = r->first, *next; op; op = next) {
    next = op->next;
    bool any = false;
    for (int i = 0; i < op->nout; i++) any |= live(s, op->out[i]);
    // A carry read only inside the loop keeps nothing alive: the loop's results are all dead.
    if (!any) {
      ir_remove(op);
      continue;
    }
    if (op->nregion) cut(s, op);
    for (int i = 0; i < op->nregion; i++) sweep(s, op->sub[i]);
  }
}

void simp_dce(Simp *s) {
  for (int i = 0; i < s->nnote; i++) s->note[i].live = false;
  Work w = {0};
  mark_all(s, &w, s->graph->top->nyield, s->graph->top->yield);
  while (w.n) {
    const IrValue *v = w.at[--w.n];
    if (v->op) mark_result(s, &w, v->op, v->index);
    else mark_arg(s, &w, v->region->owner, v->index);
  }
  sweep(s, s->graph->top);
}
