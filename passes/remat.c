// What the way back of a scan can compute anew is not kept for it.
//
// A differentiated scan stacks the values that its reversed scan reads. Of these, what follows from others by a few
// elementwise ops (the derivative of an activation from what it was applied to, weights of a softmax from their
// numerators) costs less to compute once more than to write to memory and read back, where the arrays of a turn are larger
// than a cache holds until then. So it is computed in the reading scan, and simplify drops the stack. The same holds of a short
// product that is not much smaller than its factors: attention's scores, of which there are length x length.
//
//   instead  a value that several others come from (what an activation was applied to) is stacked where these then need not be
//   small    so is what is small beside what it spares: the largest score of each row
#include <string.h>

#include "passes/passes.h"
#include "passes/simplify.h"

#define LEAST_BYTES (1 << 16)        // of a value of one turn
#define MOST_OPS 24                  // to compute it
#define MOST_HEAVY 2                 // exp, tanh and the like among them
#define MOST_INNER 64                // of a product among them: its inner axis
#define LEAST_PART 2                 //   and its size: at least this part of its factors
#define SMALL 8                      // what is so many times smaller may be stacked for it

typedef VEC(IrOp *) Ops;
typedef VEC(IrValue *) Values;

typedef struct Remat {
  PassContext *ctx;
  Arena *a;
  IrGraph *g;
  IrOp *scan;                        // that stacks
  IrRegion *body;
  int ncarry;
  bool *kept;                        // by result: it is stacked
  int *stacked;                      // by value of the body: the result that stacks it, plus one
  bool *instead, *more;              // by value of the body: it is to be stacked as well; `instead` are chosen, small ones join
  int nid;
  // Of the value at hand: the ops that compute it, in no order; what is to be stacked for it; whether each value was met.
  bool *met;
  Ops ops;
  Values small;
  int heavy;
} Remat;

static bool inside(const Remat *m, const IrValue *v) { return v->op ? v->op->parent == m->body : v->region == m->body; }

static bool is_carry(const Remat *m, const IrValue *v) { return !v->op && v->index > 0 && v->index <= m->ncarry; }

static bool short_product(const IrOp *op) {
  if (op->code != IR_DOT) return false;
  const IrType *x = &op->in[0]->type;
  int64_t inner = x->dim[x->rank - (ir_int(op, A_TA) ? 2 : 1)];
  return inner <= MOST_INNER && LEAST_PART * ir_bytes(&op->out[0]->type) >= ir_bytes(x) + ir_bytes(&op->in[1]->type);
}

static bool cheap(const IrOp *op) {
  IrLower l = ir_info[op->code].lower;
  bool shape = op->code == IR_BROADCAST || op->code == IR_RESHAPE || op->code == IR_IOTA;
  return (l == LOWER_ELEMENT || l == LOWER_CONST || shape || short_product(op)) && op->nout == 1 && op->code != IR_THREEFRY;
}

// Is v there in the reading scan, or computed there from what is?
static bool reaches(Remat *m, IrValue *v, const IrValue *root) {
  if (!inside(m, v) || m->met[v->id]) return true;
  int at = m->stacked[v->id];
  if (v != root && ((at && m->kept[at - 1]) || m->more[v->id])) return true;
  if (!v->op) return !is_carry(m, v);
  m->met[v->id] = true;
  if (!cheap(v->op)) {
    vec_push(m->a, &m->small, v);
    return v != root && SMALL * ir_bytes(&v->type) <= ir_bytes(&root->type);
  }
  vec_push(m->a, &m->ops, v->op);
  m->heavy += ir_is_heavy(v->op);
  if (m->ops.n > MOST_OPS || m->heavy > MOST_HEAVY) return false;
  for (int k = 0; k < v->op->nin; k++)
    if (!reaches(m, v->op->in[k], root)) return false;
  return true;
}

static bool derives(Remat *m, IrValue *v) {
  memset(m->met, 0, sizeof *m->met * (size_t)m->nid);
  m->ops.n = m->small.n = 0;
  m->heavy = 0;
  return v->op && inside(m, v) && reaches(m, v, v) && m->ops.n > 0;
}

// ---- who reads a stack ----------------------------------------------------------------------------

static int slice_of(const IrOp *scan, const IrValue *x) {
  for (int k = (int)ir_int(scan, A_NCARRY); k < scan->nin; k++)
    if (scan->in[k] == x) return k;
  return -1;
}

// Scans beside the one that stacks, with as many turns, that slice x.
static Ops readers(Remat *m, const IrValue *x) {
  Ops out = {0};
  ir_each_op(m->scan->parent, op)
    if (op->code == IR_SCAN && op != m->scan && ir_int(op, A_N) == ir_int(m->scan, A_N) && slice_of(op, x) >= 0) vec_push(m->a, &out, op);
  return out;
}

static bool only_sliced(Remat *m, const IrValue *x, const Ops *by) {
  int n = 0;
  for (int k = 0; k < by->n; k++)
    for (int i = (int)ir_int(by->at[k], A_NCARRY); i < by->at[k]->nin; i++) n += by->at[k]->in[i] == x;
  return by->n > 0 && ir_count_uses(m->scan->parent, x) == n;
}

// ---- computing it there --------------------------------------------------------------------------

// The reading scan with x among what it slices; the argument that has the slice.
static IrOp *with_slice(Remat *m, IrOp *scan, IrValue *x, IrType t, IrValue **arg) {
  int at = slice_of(scan, x);
  IrRegion *body = scan->sub[0];
  if (at >= 0) {
    *arg = body->arg[1 + at];
    return scan;
  }
  VEC(IrValue *) in = {0};
  for (int k = 0; k < scan->nin; k++) vec_push(m->a, &in, scan->in[k]);
  vec_push(m->a, &in, x);
  *arg = ir_arg(body, t);
  IrBuilder b = {.graph = m->g, .at = scan->parent, .before = scan, .loc = scan->loc, .scope = scan->scope};
  body->owner = NULL;                // the old scan gives its region away
  scan->nregion = 0;
  IrOp *more = ir_build(&b, IR_SCAN, in.n, in.at, NULL, scan->nattr, scan->attr, 1, &body);
  IrValue **map = arena_array(m->a, IrValue *, m->g->nvalue);
  for (int k = 0; k < scan->nout; k++) map[scan->out[k]->id] = more->out[k];
  ir_replace_all(m->g, map);
  ir_remove(scan);
  return more;
}

// What a value of the stacking body is in the reading scan: a slice, the turn, or itself where it is outside.
static IrOp *import(Remat *m, IrOp *reader, IrValue *v, IrValue **map) {
  if (!inside(m, v) || map[v->id]) return reader;
  if (!v->op && v->index == 0) {
    map[v->id] = reader->sub[0]->arg[0];
    return reader;
  }
  IrValue *whole = v->op || is_carry(m, v) ? m->scan->out[m->stacked[v->id] - 1] : m->scan->in[v->index - 1];
  IrValue *arg;
  reader = with_slice(m, reader, whole, v->type, &arg);
  map[v->id] = arg;
  return reader;
}

static IrOp *recompute(Remat *m, IrOp *reader, IrValue *x, IrValue *v) {
  IrValue **map = arena_array(m->a, IrValue *, m->g->nvalue);
  bool *ours = arena_array(m->a, bool, m->nid);
  for (int k = 0; k < m->ops.n; k++) ours[m->ops.at[k]->out[0]->id] = true;
  for (int k = 0; k < m->ops.n; k++)
    for (int i = 0; i < m->ops.at[k]->nin; i++) {
      IrValue *u = m->ops.at[k]->in[i];
      if (!inside(m, u) || !ours[u->id]) reader = import(m, reader, u, map);
    }
  IrRegion *body = reader->sub[0];
  IrBuilder b = {.graph = m->g, .at = body, .before = body->first};
  ir_each_op(m->body, op)
    if (op->nout == 1 && op->out[0]->id < m->nid && ours[op->out[0]->id]) {
      b.loc = op->loc, b.scope = op->scope;
      ir_clone_op(&b, op, map);
    }
  IrValue **to = arena_array(m->a, IrValue *, m->g->nvalue);
  for (int k = (int)ir_int(reader, A_NCARRY); k < reader->nin; k++)
    if (reader->in[k] == x) to[body->arg[1 + k]->id] = map[v->id];
  ir_replace_all(m->g, to);
  return reader;
}

// ---- what to stack, what not ---------------------------------------------------------------------

static bool large(const Remat *m, const IrOp *op) { return op->nout == 1 && op->out[0]->id < m->nid && ir_bytes(&op->out[0]->type) >= LEAST_BYTES; }

// Goes through what is stacked, operands before users, and keeps no longer what follows from the rest. Gives its bytes.
// `compute`: in the scans that read it; else what is to be stacked for it is marked.
static int64_t drop(Remat *m, bool compute) {
  int64_t bytes = 0;
  if (!compute) memcpy(m->more, m->instead, sizeof *m->more * (size_t)m->nid);
  for (int k = 0; k < m->scan->nout; k++) m->kept[k] = k >= m->ncarry;
  ir_each_op(m->body, op) {
    if (!large(m, op)) continue;
    IrValue *v = op->out[0];
    for (int k = m->ncarry; k < m->scan->nout; k++) {
      if (m->body->yield[k] != v) continue;
      Ops by = readers(m, m->scan->out[k]);
      if (!only_sliced(m, m->scan->out[k], &by) || !derives(m, v)) continue;
      m->kept[k] = false;
      bytes += ir_bytes(&v->type);
      for (int i = 0; i < m->small.n && !compute; i++) m->more[m->small.at[i]->id] = true;
      for (int i = 0; i < by.n && compute; i++) recompute(m, by.at[i], m->scan->out[k], v);
    }
  }
  return bytes;
}

// What a turn leaves in a carry, where what turns find in it is stacked: the two share all places but one.
static bool is_free(const Remat *m, const IrValue *v) {
  for (int k = 0; k < m->ncarry; k++)
    if (m->body->yield[k] == v && m->stacked[m->body->arg[1 + k]->id]) return true;
  return false;
}

// Stacks values that others come from, where that saves more than it costs.
static void choose(Remat *m) {
  int64_t bytes = drop(m, false);
  ir_each_op(m->body, op) {
    if (!large(m, op) || m->stacked[op->out[0]->id] || ir_count_uses(m->body, op->out[0]) < 2) continue;
    m->instead[op->out[0]->id] = true;
    int64_t then = drop(m, false);
    if (then > bytes + (is_free(m, op->out[0]) ? 0 : ir_bytes(&op->out[0]->type))) bytes = then;
    else m->instead[op->out[0]->id] = false;
  }
  drop(m, false);
}

static void stack_more(Remat *m) {
  IrOp *scan = m->scan;
  int n = scan->nout;
  ir_each_op(m->body, op)
    for (int k = 0; k < op->nout; k++)
      if (op->out[k]->id < m->nid && m->more[op->out[k]->id]) {
        ir_yield(m->body, op->out[k]);
        m->stacked[op->out[k]->id] = ++n;
      }
  if (n == scan->nout) return;
  IrBuilder b = {.graph = m->g, .at = scan->parent, .before = scan, .loc = scan->loc, .scope = scan->scope};
  m->body->owner = NULL;             // the old scan gives its region away
  scan->nregion = 0;
  m->scan = ir_build(&b, IR_SCAN, scan->nin, scan->in, NULL, scan->nattr, scan->attr, 1, &m->body);
  IrValue **map = arena_array(m->a, IrValue *, m->g->nvalue);
  for (int k = 0; k < scan->nout; k++) map[scan->out[k]->id] = m->scan->out[k];
  ir_replace_all(m->g, map);
  ir_remove(scan);
  m->kept = arena_array(m->a, bool, n);
}

static void remat_scan(PassContext *c, IrGraph *g, IrOp *scan) {
  Remat m = {.ctx = c, .a = c->arena, .g = g, .scan = scan, .body = scan->sub[0], .ncarry = (int)ir_int(scan, A_NCARRY)};
  bool any = false;
  for (int k = m.ncarry; k < scan->nout; k++) any |= ir_bytes(&m.body->yield[k]->type) >= LEAST_BYTES;
  if (!any) return;
  m.nid = g->nvalue;
  m.kept = arena_array(m.a, bool, scan->nout);
  m.stacked = arena_array(m.a, int, m.nid);
  m.instead = arena_array(m.a, bool, m.nid);
  m.more = arena_array(m.a, bool, m.nid);
  m.met = arena_array(m.a, bool, m.nid);
  for (int k = m.ncarry; k < scan->nout; k++) m.stacked[m.body->yield[k]->id] = k + 1;
  choose(&m);
  stack_more(&m);
  drop(&m, true);
}

static void remat_region(PassContext *c, IrGraph *g, IrRegion *r) {
  ir_each_op(r, op) {                    // reading scans, which come later, may be replaced
    for (int k = 0; k < op->nregion; k++) remat_region(c, g, op->sub[k]);
    if (op->code == IR_SCAN) remat_scan(c, g, op);
  }
}

void pass_remat(PassContext *c, IrGraph *g) { remat_region(c, g, g->top); }
