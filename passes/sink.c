// What is done element by element with all that a scan stacks is done in its turns.
//
// The gradient of each layer's weights is stacked by the scan that runs back through the layers, for an optimizer that
// reads it once. In the turn, parameters and moments are stepped while the gradient is in the cache, and no more than one
// layer's is there at a time. So it is where all that comes of a stack leaves the region: a new state, which then lies
// over the old one. A large product of all turns, with an optimizer behind it, becomes a loop for that.
#include <string.h>

#include "passes/passes.h"
#include "passes/simplify.h"

#define LEAST_BYTES (1 << 15)        // of a turn's part of the stack: less is one node behind the loop

typedef VEC(IrOp *) Ops;
typedef VEC(IrValue *) Values;
typedef struct Use { IrOp *op; int next; } Use;        // op NULL: the region yields it

typedef struct Sink {
  Arena *a;
  IrGraph *g;
  IrOp *op;                          // that stacks: a scan, or a product of all turns
  IrRegion *r, *body;
  int64_t n;                         // turns
  int ncarry, nid;
  int *use;                          // by value: the first of its uses behind the op, plus one
  VEC(Use) uses;
  bool *behind;                      // by value: computed behind the op
  bool *needs;                       //   from its results
  bool *moves;                       // its op goes into the turns
  Ops ops;                           // those of the stack at hand
  Values slices, early;              // what its turns slice; what must be known before
} Sink;

static bool same_shape(const IrType *a, const IrType *b) {
  return a->rank == b->rank && !memcmp(a->dim, b->dim, sizeof *a->dim * (size_t)a->rank);
}

static void add_use(Sink *s, const IrValue *v, IrOp *op) {
  vec_push(s->a, &s->uses, ((Use){op, s->use[v->id]}));
  s->use[v->id] = s->uses.n;
}

// Everything that the op reads, in its regions too.
static Values read_by(Sink *s, const IrOp *op) {
  Values in = {0};
  for (int k = 0; k < op->nin; k++) vec_push(s->a, &in, op->in[k]);
  for (int k = 0; k < op->nregion; k++) {
    IrValue **outer;
    int n = ir_captures(s->a, op->sub[k], &outer);
    for (int i = 0; i < n; i++) vec_push(s->a, &in, outer[i]);
  }
  return in;
}

static void find_uses(Sink *s) {
  for (int k = 0; k < s->op->nout; k++) s->needs[s->op->out[k]->id] = true;
  for (IrOp *op = s->op->next; op; op = op->next) {
    Values in = read_by(s, op);
    bool needs = false;
    for (int k = 0; k < in.n; k++) {
      needs |= s->needs[in.at[k]->id];
      add_use(s, in.at[k], op);
    }
    for (int k = 0; k < op->nout; k++) s->behind[op->out[k]->id] = true, s->needs[op->out[k]->id] = needs;
  }
  for (int k = 0; k < s->r->nyield; k++) add_use(s, s->r->yield[k], NULL);
}

static bool is_element(const IrOp *op) { return ir_info[op->code].lower == LOWER_ELEMENT && op->nin > 0 && op->nout == 1 && op->nregion == 0; }

// Takes in the ops that v is for. False: v, or what comes of it, is needed as a whole.
static bool take_users(Sink *s, const IrValue *v, bool yields) {
  for (int k = s->use[v->id]; k; k = s->uses.at[k - 1].next) {
    IrOp *op = s->uses.at[k - 1].op;
    if (!op && !yields) return false;
    if (!op) continue;
    IrValue *y = op->out[0];
    if (!is_element(op) || !same_shape(&y->type, &v->type)) return false;
    if (s->moves[y->id]) continue;
    s->moves[y->id] = true;
    vec_push(s->a, &s->ops, op);
    if (!take_users(s, y, true)) return false;
  }
  return true;
}

static bool only_for_these(const Sink *s, const IrValue *v) {
  for (int k = s->use[v->id]; k; k = s->uses.at[k - 1].next) {
    const IrOp *op = s->uses.at[k - 1].op;
    if (!op || op->nout != 1 || !s->moves[op->out[0]->id]) return false;
  }
  return true;
}

static bool repeats(const IrValue *v) {
  if (!v->op || v->op->code != IR_BROADCAST) return false;
  int n;
  const int64_t *axes = ir_ints(v->op, A_AXES, &n);
  for (int k = 0; k < n; k++)
    if (axes[k] == 0) return false;
  return true;
}

static bool is_stack(const Sink *s, const IrValue *v) { return v->op == s->op && v->index >= s->ncarry; }

// How the turn comes by an operand of an op that moves: it is computed there, stacked there, repeated, or sliced.
static bool take_operand(Sink *s, IrValue *x, const IrType *t) {
  if (s->moves[x->id] || simp_is_splat(x) || is_stack(s, x)) return true;
  IrValue *early = repeats(x) ? x->op->in[0] : x;
  if (s->needs[early->id]) return false;
  if (early == x && !same_shape(&x->type, t)) return false;
  if (early == x && s->behind[x->id] && is_element(x->op) && only_for_these(s, x)) {
    s->moves[x->id] = true;
    vec_push(s->a, &s->ops, x->op);
    return true;
  }
  vec_push(s->a, &s->early, early);
  if (early == x) vec_push(s->a, &s->slices, x);
  return true;
}

static bool take(Sink *s, IrValue *stack) {
  s->ops.n = s->slices.n = s->early.n = 0;
  bool ok = take_users(s, stack, false) && s->ops.n > 0;
  for (int k = 0; ok && k < s->ops.n; k++)       // grows
    for (int i = 0; ok && i < s->ops.at[k]->nin; i++) ok = take_operand(s, s->ops.at[k]->in[i], &stack->type);
  for (int k = 0; !ok && k < s->ops.n; k++) s->moves[s->ops.at[k]->out[0]->id] = false;
  return ok;
}

// ---- into the turns ------------------------------------------------------------------------------

static void move_up(Sink *s, IrValue *v) {
  if (!s->behind[v->id]) return;
  for (int k = 0; k < v->op->nout; k++) s->behind[v->op->out[k]->id] = false;
  Values in = read_by(s, v->op);
  for (int k = 0; k < in.n; k++) move_up(s, in.at[k]);
  ir_move_before(v->op, s->r, s->op);
}

static IrType part_of(const IrType *t) { return ir_type(t->dtype, t->rank - 1, t->dim + 1); }

// What a turn has of x.
static IrValue *turns(IrBuilder *b, const Sink *s, IrValue **map, IrValue *x) {
  IrType t = part_of(&x->type);
  if (map[x->id]) return map[x->id];
  if (is_stack(s, x)) return s->body->yield[x->index];
  if (simp_is_splat(x)) return simp_resplat(b, x, t);
  int n;
  int64_t axes[IR_MAX_RANK];
  const int64_t *whole = ir_ints(x->op, A_AXES, &n);
  for (int k = 0; k < n; k++) axes[k] = whole[k] - 1;
  return ir_broadcast(b, x->op->in[0], t, axes);
}

static IrValue *clone(IrBuilder *b, const Sink *s, IrValue **map, const IrOp *op) {
  IrType t = part_of(&op->out[0]->type);
  IrValue *in[3];
  ICE_IF(op->nin > 3, "an elementwise op of %d operands", op->nin);
  b->loc = op->loc, b->scope = op->scope;
  for (int k = 0; k < op->nin; k++) in[k] = turns(b, s, map, op->in[k]);
  bool want = op->code == IR_CAST || op->code == IR_BITCAST;
  return ir_build(b, op->code, op->nin, in, want ? &t : NULL, op->nattr, op->attr, 0, NULL)->out[0];
}

// The region of a turn: the scan's own, or that of a scan which computes the product part by part.
static IrRegion *region_of(Sink *s) {
  if (s->op->code == IR_SCAN) {
    IrRegion *r = s->op->sub[0];
    r->owner = NULL;                           // the old scan gives it away
    s->op->nregion = 0;
    return r;
  }
  IrRegion *r = ir_region(s->g);
  IrBuilder b = {.graph = s->g, .at = r, .loc = s->op->loc, .scope = s->op->scope};
  IrValue *in[2];
  ir_arg(r, ir_scalar(IR_I32));
  for (int k = 0; k < 2; k++) in[k] = ir_arg(r, part_of(&s->op->in[k]->type));
  ir_yield(r, ir_dot(&b, in[0], in[1], 0, ir_int(s->op, A_TA), ir_int(s->op, A_TB)));
  return r;
}

static bool is_yielded(const Sink *s, const IrValue *v) {
  for (int k = s->use[v->id]; k; k = s->uses.at[k - 1].next)
    if (!s->uses.at[k - 1].op) return true;
  return false;
}

// Gives the scan in whose turns the chosen ops are.
static IrOp *sink(Sink *s, const Values *slices) {
  IrOp *old = s->op;
  IrValue **map = arena_array(s->a, IrValue *, s->nid);
  Values in = {0}, out = {0};
  s->body = region_of(s);
  for (int k = 0; k < old->nin; k++) vec_push(s->a, &in, old->in[k]);
  for (int k = 0; k < slices->n; k++) {
    IrValue *x = slices->at[k];
    if (map[x->id]) continue;
    map[x->id] = ir_arg(s->body, part_of(&x->type));
    vec_push(s->a, &in, x);
  }
  IrBuilder b = {.graph = s->g, .at = s->body};
  for (IrOp *op = old->next; op; op = op->next) {
    if (op->nout != 1 || !s->moves[op->out[0]->id]) continue;
    IrValue *y = map[op->out[0]->id] = clone(&b, s, map, op);
    if (!is_yielded(s, op->out[0])) continue;
    ir_yield(s->body, y);
    vec_push(s->a, &out, op->out[0]);
  }
  IrBuilder at = {.graph = s->g, .at = s->r, .before = old, .loc = old->loc, .scope = old->scope};
  IrAttr attr[3] = {ir_attr_int(s->g->arena, A_N, s->n), ir_attr_int(s->g->arena, A_REVERSE, old->code == IR_SCAN && ir_int(old, A_REVERSE)),
                    ir_attr_int(s->g->arena, A_NCARRY, s->ncarry)};
  IrOp *scan = ir_build(&at, IR_SCAN, in.n, in.at, NULL, 3, attr, 1, &s->body);
  IrValue **to = arena_array(s->a, IrValue *, s->g->nvalue);
  for (int k = 0; k < old->nout; k++) to[old->out[k]->id] = scan->out[k];
  for (int k = 0; k < out.n; k++) to[out.at[k]->id] = scan->out[old->nout + k];
  ir_replace_all(s->g, to);
  ir_remove(old);
  return scan;
}

static bool is_large(const Sink *s, const IrValue *v) { return v->index >= s->ncarry && ir_bytes(&v->type) / s->n >= LEAST_BYTES; }

static double product_flops(const IrOp *op) {
  const IrType *x = &op->in[0]->type;
  return 2 * (double)ir_count(&op->out[0]->type) / (double)x->dim[0] * (double)x->dim[ir_int(op, A_TA) ? 1 : 2];
}

// Whether op stacks anything large; s is ready for `take` then.
static bool begin(Sink *s, Arena *a, IrGraph *g, IrOp *op) {
  bool scan = op->code == IR_SCAN, any = false;
  if (!scan && (op->out[0]->type.rank != 3 || ir_int(op, A_BATCH) != 1 || product_flops(op) < PASS_TURN_FLOPS)) return false;
  *s = (Sink){.a = a, .g = g, .op = op, .r = op->parent, .ncarry = (int)ir_int(op, A_NCARRY), .nid = g->nvalue};
  s->n = scan ? ir_int(op, A_N) : op->out[0]->type.dim[0];
  if (s->n < 2) return false;
  for (int k = 0; k < op->nout; k++) any |= is_large(s, op->out[k]);
  if (!any) return false;
  s->use = arena_array(a, int, s->nid);
  s->behind = arena_array(a, bool, s->nid);
  s->needs = arena_array(a, bool, s->nid);
  s->moves = arena_array(a, bool, s->nid);
  find_uses(s);
  return true;
}

bool pass_sinks(Arena *a, IrGraph *g, IrOp *scan, int result) {
  Sink s;
  return begin(&s, a, g, scan) && is_large(&s, scan->out[result]) && take(&s, scan->out[result]);
}

static IrOp *sink_op(Arena *a, IrGraph *g, IrOp *op) {
  Sink s;
  if (!begin(&s, a, g, op)) return op;
  Values slices = {0}, early = {0};
  bool any = false;
  for (int k = 0; k < op->nout; k++) {
    if (!is_large(&s, op->out[k]) || !take(&s, op->out[k])) continue;
    for (int i = 0; i < s.slices.n; i++) vec_push(a, &slices, s.slices.at[i]);
    for (int i = 0; i < s.early.n; i++) vec_push(a, &early, s.early.at[i]);
    any = true;
  }
  if (!any) return op;
  for (int k = 0; k < early.n; k++) move_up(&s, early.at[k]);
  return sink(&s, &slices);
}

static void sink_region(Arena *a, IrGraph *g, IrRegion *r) {
  for (IrOp *op = r->first; op; op = op->next) {
    for (int k = 0; k < op->nregion; k++) sink_region(a, g, op->sub[k]);
    if (op->code == IR_SCAN || op->code == IR_DOT) op = sink_op(a, g, op);
  }
}

void pass_sink(PassContext *c, IrGraph *g) { sink_region(c->arena, g, g->top); }
