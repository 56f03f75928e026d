// The rules every graph obeys, whichever pass it comes from:
//   links      ops, regions and values point at each other consistently; ids are unique
//   dominance  an operand is defined before its use, in the same region or in one around it
//   types      results, attributes and regions are those the table's type rule gives
#include "ir/ir.h"

#include <string.h>

enum { UNSEEN, VISIBLE, CLOSED };

typedef struct Verifier {
  const IrGraph *g;
  Arena *arena;
  const IrValue **at;     // value of each id
  unsigned char *state;   // of each id: UNSEEN before its definition, CLOSED behind its region
  char *wrong;            // the first mistake
} Verifier;

static bool wrong(Verifier *v, const IrOp *op, const char *why) {
  Str s = {.arena = v->arena};
  str_printf(&s, "graph %s", v->g->name);
  if (op) {
    str_printf(&s, ": %s", (int)op->code >= 0 && op->code < IR_NCODE ? ir_info[op->code].name : "op");
    if (op->nout > 0 && op->out && op->out[0]) str_printf(&s, " (value id %d)", op->out[0]->id);
    if (op->loc.src && op->loc.line) str_printf(&s, " at %s:%d:%d", op->loc.src->path, op->loc.line, op->loc.col);
    if (op->scope) str_printf(&s, " in %s", op->scope);
  }
  str_printf(&s, ": %s", why);
  v->wrong = s.s;
  return false;
}

#define WRONG(op, ...) return wrong(v, op, arena_printf(v->arena, __VA_ARGS__))

static bool define(Verifier *v, const IrOp *op, const IrValue *x) {
  if (!x) WRONG(op, "a result or argument is missing");
  if (x->id < 0 || x->id >= v->g->nvalue) WRONG(op, "value id %d of %d", x->id, v->g->nvalue);
  if (v->at[x->id]) WRONG(op, "value id %d is given twice", x->id);
  v->at[x->id] = x;
  v->state[x->id] = VISIBLE;
  return true;
}

static bool use(Verifier *v, const IrOp *op, const IrValue *x, const char *what, int k) {
  if (!x) WRONG(op, "%s %d is missing", what, k + 1);
  if (x->id < 0 || x->id >= v->g->nvalue) WRONG(op, "%s %d has id %d of %d", what, k + 1, x->id, v->g->nvalue);
  if (v->state[x->id] == UNSEEN) WRONG(op, "%s %d (id %d) is used before it is defined", what, k + 1, x->id);
  if (v->at[x->id] != x) WRONG(op, "%s %d (id %d) belongs to another graph", what, k + 1, x->id);
  if (v->state[x->id] == CLOSED)
    WRONG(op, "%s %d (id %d) is defined in a region that does not reach to here", what, k + 1, x->id);
  return true;
}

static bool region(Verifier *v, const IrRegion *r, const IrOp *owner);

static bool types(Verifier *v, const IrOp *op) {
  IrType few[16], *out = few;
  int nout = 0, most = ir_most_out(op->code, op->nin, op->nregion, op->sub);
  if (most > 16) out = arena_array(v->arena, IrType, most);
  const char *why = ir_infer(v->arena, op->code, op->nin, op->in, op->nout ? &op->out[0]->type : NULL, op->nattr,
                             op->attr, op->nregion, op->sub, out, &nout);
  if (why) WRONG(op, "%s", why);
  if (nout != op->nout) WRONG(op, "%d results, not %d", op->nout, nout);
  for (int k = 0; k < nout; k++)
    if (!ir_type_eq(&out[k], &op->out[k]->type))
      WRONG(op, "result %d is %s, not %s", k + 1, ir_type_text(v->arena, &op->out[k]->type),
            ir_type_text(v->arena, &out[k]));
  return true;
}

static bool one_op(Verifier *v, const IrOp *op) {
  if ((int)op->code < 0 || op->code >= IR_NCODE) WRONG(op, "no such op code: %d", (int)op->code);
  for (int k = 0; k < op->nin; k++)
    if (!use(v, op, op->in[k], "operand", k)) return false;
  for (int k = 0; k < op->nregion; k++) {
    if (!op->sub[k]) WRONG(op, "region %d is missing", k + 1);
    if (!region(v, op->sub[k], op)) return false;
  }
  for (int k = 0; k < op->nout; k++) {
    if (!define(v, op, op->out[k])) return false;
    if (op->out[k]->op != op || op->out[k]->index != k || op->out[k]->region)
      WRONG(op, "result %d does not know its op", k + 1);
  }
  return types(v, op);
}

static void close(Verifier *v, const IrRegion *r) {
  for (int k = 0; k < r->narg; k++) v->state[r->arg[k]->id] = CLOSED;
  ir_each_op(r, op) for (int k = 0; k < op->nout; k++) v->state[op->out[k]->id] = CLOSED;
}

static bool region(Verifier *v, const IrRegion *r, const IrOp *owner) {
  if (r->graph != v->g) WRONG(owner, "a region of another graph");
  if (r->owner != owner) WRONG(owner, "a region does not know its op");
  for (int k = 0; k < r->narg; k++) {
    const IrValue *x = r->arg[k];
    if (!define(v, owner, x)) return false;
    if (x->region != r || x->op || x->index != k) WRONG(owner, "argument %d does not know its region", k + 1);
    const char *bad = ir_type_bad(&x->type);
    if (bad) WRONG(owner, "argument %d has %s", k + 1, bad);
  }
  const IrOp *prev = NULL;
  ir_each_op(r, op) {
    if (op->parent != r) WRONG(op, "the op does not know its region");
    if (op->prev != prev) WRONG(op, "the op before it is another");
    if (!one_op(v, op)) return false;
    prev = op;
  }
  if (r->last != prev) WRONG(owner, "a region's last op is another");
  for (int k = 0; k < r->nyield; k++)
    if (!use(v, owner, r->yield[k], "yielded value", k)) return false;
  if (owner) close(v, r);
  return true;
}

char *ir_verify(const IrGraph *g) {
  Verifier v = {.g = g, .arena = g->arena};
  v.at = arena_array(v.arena, const IrValue *, g->nvalue);
  v.state = arena_alloc(v.arena, (size_t)g->nvalue);
  region(&v, g->top, NULL);
  return v.wrong;
}
