// Simplification: rounds of one walk forward and one back, until nothing
// changes. Each is linear in the graph; what a round makes possible is left to
// the next. No list of uses is kept: the walk goes in order of definition and
// puts each value's stand-in where it is used.
#include "passes/simplify.h"

#include <string.h>

enum { MOST_ROUNDS = 32 };

Note *simp_note(Simp *s, const IrValue *v) {
  if (v->id >= s->nnote) {
    int n = s->nnote ? s->nnote : 256;
    while (n <= v->id) n *= 2;
    Note *more = arena_array(s->tmp, Note, n);
    if (s->nnote) memcpy(more, s->note, sizeof *more * (size_t)s->nnote);
    s->note = more;
    s->nnote = n;
  }
  return &s->note[v->id];
}

IrValue *simp_now(Simp *s, IrValue *v) {
  IrValue *last = v, *to;
  while ((to = simp_note(s, last)->to)) last = to;
  while (v != last) {
    Note *n = simp_note(s, v);
    v = n->to;
    n->to = last;
  }
  return last;
}

void simp_replace(Simp *s, IrValue *from, IrValue *to) {
  to = simp_now(s, to);
  if (from == to || simp_note(s, from)->to) return;
  simp_note(s, from)->to = to;
  if (!to->hint) to->hint = from->hint;
  s->changed = true;
}

IrBuilder simp_at(Simp *s, IrOp *op) {
  return (IrBuilder){.graph = s->graph, .at = op->parent, .before = op, .loc = op->loc, .scope = op->scope};
}

static void count_uses(Simp *s, const IrRegion *r) {
  ir_each_op(r, op) {
    for (int i = 0; i < op->nin; i++) simp_note(s, op->in[i])->uses++;
    if (op->code == IR_SLICE) {
      Note *n = simp_note(s, op->in[0]);
      n->slices++;
      n->sliced += ir_count(&op->out[0]->type);
    }
    for (int i = 0; i < op->nregion; i++) count_uses(s, op->sub[i]);
  }
  for (int i = 0; i < r->nyield; i++) simp_note(s, r->yield[i])->uses++;
}

// Every region between v's own and the one at hand captures v.
static void note_use(Simp *s, const IrValue *v) {
  const Note *n = simp_note(s, v);
  for (int k = s->level.n - 1; k > n->depth; k--)
    if (s->level.at[k].captured < n->free) s->level.at[k].captured = n->free;
}

static bool rewrite(Simp *s, IrOp *op) {
  for (int i = 0; i < op->nin; i++) op->in[i] = simp_now(s, op->in[i]);
  if (op->nregion) return simp_control(s, op);
  IrValue *v = simp_fold(s, op);
  if (!v) v = simp_identity(s, op);
  if (!v) return false;
  simp_replace(s, op->out[0], v);
  ir_remove(op);
  return true;
}

static int walk(Simp *s, IrRegion *r, int floor);

// Ops of a loop's body may leave it; those of a branch may not, since it may not be taken, and
// those of a function to be differentiated have no need to.
static int floor_inside(const Simp *s, const IrOp *op) {
  int depth = s->level.n - 1;
  bool loop = op->code == IR_SCAN || op->code == IR_WHILE || op->code == IR_MAP;
  return loop ? s->level.at[depth].floor : depth + 1;
}

static void accept(Simp *s, IrOp *op) {
  int captured = 0;
  for (int i = 0; i < op->nregion; i++) {
    int c = walk(s, op->sub[i], floor_inside(s, op));
    if (c > captured) captured = c;
  }
  IrOp *twin = simp_cse(s, op, s->level.n - 1);
  if (twin) {
    for (int i = 0; i < op->nout; i++) simp_replace(s, op->out[i], twin->out[i]);
    ir_remove(op);
    return;
  }
  if (op->nregion) simp_control_results(s, op);
  for (int i = 0; i < op->nin; i++) note_use(s, op->in[i]);
  simp_hoist(s, op, captured);
}

// Returns the greatest `free` of the values that r captures.
static int walk(Simp *s, IrRegion *r, int floor) {
  int depth = s->level.n, mark = s->cse.n;
  vec_push(s->tmp, &s->level, ((Level){.region = r, .floor = floor}));
  for (int i = 0; i < r->narg; i++) {
    Note *n = simp_note(s, r->arg[i]);
    n->depth = n->free = depth;
    n->leaf = ir_bytes(&r->arg[i]->type);
  }
  for (IrOp *op = r->first; op;) {
    IrOp *before = op->prev;
    if (rewrite(s, op)) {
      s->changed = true;
      op = before ? before->next : r->first;
      continue;
    }
    IrOp *next = op->next;
    accept(s, op);
    op = next;
  }
  for (int i = 0; i < r->nyield; i++) {
    r->yield[i] = simp_now(s, r->yield[i]);
    note_use(s, r->yield[i]);
    simp_hoist_use(s, r->yield[i]);
  }
  simp_cse_leave(s, mark);
  s->level.n--;
  return s->level.at[depth].captured;
}

static bool has_derivatives(const IrRegion *r) {
  ir_each_op(r, op) {
    if (ir_info[op->code].lower == LOWER_NEVER) return true;
    for (int i = 0; i < op->nregion; i++)
      if (has_derivatives(op->sub[i])) return true;
  }
  return false;
}

static void simplify(Simp *s) {
  s->diff = has_derivatives(s->graph->top);
  simp_dce(s);
  for (int round = 0; round < MOST_ROUNDS; round++) {
    for (int i = 0; i < s->nnote; i++) s->note[i].uses = s->note[i].slices = 0, s->note[i].sliced = 0, s->note[i].refused = false;
    count_uses(s, s->graph->top);
    s->changed = false;
    walk(s, s->graph->top, 0);
    simp_dce(s);
    if (!s->changed) return;
  }
}

void pass_simplify(PassContext *c, IrGraph *g) {
  // Scratch memory goes back when the pass ends, also when it ends because there is no more.
  jmp_buf oom, *outer = g->arena->oom;
  Arena tmp = {.oom = &oom};
  Simp s = {.ctx = c, .tmp = &tmp, .graph = g};
  if (setjmp(oom)) {
    g->arena->oom = outer;
    arena_free(&tmp);
    longjmp(*outer, 1);
  }
  g->arena->oom = &oom;
  simplify(&s);
  g->arena->oom = outer;
  arena_free(&tmp);
}
