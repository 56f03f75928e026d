// Loop-invariant code. An op is looked at once; where everything it reads is
// known further out it is only noted as free to go, and goes when something
// that has to stay uses it, together with the ops behind it. So a broadcast
// moves out with the sum that it feeds, and stays where it would only be kept
// as a large array: index maps are remade for nothing where they are read.
#include "passes/simplify.h"

enum { SMALL = 256 };

static bool is_source(const IrOp *op) { return op->nin == 0 && op->nregion == 0; }

static int64_t max64(int64_t a, int64_t b) { return a > b ? a : b; }

void simp_hoist(Simp *s, IrOp *op, int captured) {
  int depth = s->level.n - 1, free = captured;
  int64_t leaf = 0;
  if (free < s->level.at[depth].floor) free = s->level.at[depth].floor;
  if (op->code == IR_COPY) free = depth;     // it is made where the program makes it, turn by turn
  for (int i = 0; i < op->nin; i++) {
    const Note *n = simp_note(s, op->in[i]);
    if (n->free > free) free = n->free;
    if (n->depth == depth && n->free < depth) leaf = max64(leaf, n->leaf);
    else if (!simp_is_splat(op->in[i])) leaf = max64(leaf, ir_bytes(&op->in[i]->type));
  }
  for (int i = 0; i < op->nout; i++) {
    Note *n = simp_note(s, op->out[i]);
    n->depth = depth;
    n->free = free;
    n->leaf = leaf;
  }
  if (free == depth)
    for (int i = 0; i < op->nin; i++) simp_hoist_use(s, op->in[i]);
}

void simp_hoist_to(Simp *s, IrValue *v, int depth) {
  if (simp_note(s, v)->depth <= depth) return;
  IrOp *op = v->op;
  ICE_IF(!op || simp_note(s, v)->free > depth, "%%%d cannot leave its loop", v->id);
  for (int i = 0; i < op->nin; i++) simp_hoist_to(s, op->in[i], depth);
  for (int i = 0; i < op->nregion; i++) {
    IrValue **outer;
    int n = ir_captures(s->tmp, op->sub[i], &outer);
    for (int j = 0; j < n; j++)
      simp_hoist_to(s, outer[j], depth);
  }
  ir_move_before(op, s->level.at[depth].region, s->level.at[depth + 1].region->owner);
  for (int i = 0; i < op->nout; i++) simp_note(s, op->out[i])->depth = depth;
  s->changed = true;
}

void simp_hoist_use(Simp *s, IrValue *v) {
  const Note *n = simp_note(s, v);
  if (!v->op || n->free >= n->depth || n->refused || is_source(v->op)) return;
  int64_t bytes = ir_bytes(&v->type);
  if (bytes <= SMALL || bytes <= n->leaf || ir_is_heavy(v->op)) {
    simp_hoist_to(s, v, n->free);
    return;
  }
  simp_note(s, v)->refused = true;
  for (int i = 0; i < v->op->nin; i++) simp_hoist_use(s, v->op->in[i]);
}
