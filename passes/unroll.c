// Loops of few turns over little become straight code: the layers of a small net.
//
// In straight code a batch runs through all layers and back strip by strip, no residual is stacked, and the first layer
// computes no derivative of what it was given. An array with a place for each turn (weights and their moments) comes apart
// into its parts: what is done with it element by element, an optimizer's step, is done with each, and loops around carry
// parts. The plan lets states be read and written so (backend/plan/part.c).
//
// A loop that stacks for another, or reads another's stack, becomes straight code with it or not at all: as a stack
// between a loop and straight code, residuals would be copied.
#include <string.h>

#include "passes/passes.h"

#define MOST_TURNS 3
#define MOST_TURNS_LITTLE 12         // that compute arrays of
#define LITTLE_BYTES (1 << 15)       //   so much at most: threads would meet too often
#define MOST_OPS 128                 // in all turns, without shapes and constants
#define MOST_DEPTH 64                // of expressions that are parted because what they compute is

typedef struct Parts { IrValue **at; } Parts;      // one for each index of the first axis, without that axis

typedef struct Unroll {
  Arena *a;
  IrGraph *g;
  VEC(Parts) parts;                  // by value id
  VEC(IrOp *) scan;                  // all of the graph
  VEC(bool) chosen;                  // by place in `scan`
  bool grew;                         // a value was parted
} Unroll;

// ---- parts -----------------------------------------------------------------------------------------
static IrValue **parts_of(const Unroll *u, const IrValue *v) { return v->id < u->parts.n ? u->parts.at[v->id].at : NULL; }

static void set_parts(Unroll *u, const IrValue *v, IrValue **parts) {
  while (u->parts.n <= v->id) vec_push(u->a, &u->parts, ((Parts){NULL}));
  u->parts.at[v->id].at = parts;
  u->grew = true;
}

static IrType part_type(const IrType *t) { return ir_type(t->dtype, t->rank - 1, t->dim + 1); }

static IrBuilder behind(Unroll *u, const IrValue *v) {
  if (v->op) return (IrBuilder){.graph = u->g, .at = v->op->parent, .before = v->op->next, .loc = v->op->loc, .scope = v->op->scope};
  return (IrBuilder){.graph = u->g, .at = v->region, .before = v->region->first};
}

static const char *part_hint(Unroll *u, const IrValue *x, int64_t at) {
  return x->hint && *x->hint ? arena_printf(u->g->arena, "%s[%lld]", x->hint, (long long)at) : NULL;
}

static IrValue *slice(Unroll *u, IrBuilder *b, IrValue *x, int64_t at) {
  IrType t = part_type(&x->type);
  int64_t start[IR_MAX_RANK] = {at}, limit[IR_MAX_RANK], stride[IR_MAX_RANK];
  for (int k = 0; k < x->type.rank; k++) limit[k] = k ? x->type.dim[k] : at + 1, stride[k] = 1;
  IrValue *y = ir_reshape(b, ir_slice(b, x, start, limit, stride), t.rank, t.dim);
  y->hint = part_hint(u, x, at);
  return y;
}

static bool is_element(const IrOp *op) { return op && ir_info[op->code].lower == LOWER_ELEMENT && op->nin && op->nout == 1 && op->code != IR_COPY; }

static IrValue **demand(Unroll *u, IrValue *x, int depth);

static IrValue **elements(Unroll *u, const IrOp *op, int depth) {
  int64_t n = op->out[0]->type.dim[0];
  IrValue **y = arena_array(u->a, IrValue *, n), ***in = arena_array(u->a, IrValue **, op->nin), **one = arena_array(u->a, IrValue *, op->nin);
  IrType t = part_type(&op->out[0]->type);
  bool want = op->code == IR_CAST || op->code == IR_BITCAST;
  for (int k = 0; k < op->nin; k++) in[k] = demand(u, op->in[k], depth);
  IrBuilder b = behind(u, op->out[0]);
  for (int64_t i = 0; i < n; i++) {
    for (int k = 0; k < op->nin; k++) one[k] = in[k][i];
    y[i] = ir_build(&b, op->code, op->nin, one, want ? &t : NULL, op->nattr, op->attr, 0, NULL)->out[0];
  }
  return y;
}

// The parts of x: what is computed element by element is computed so, else they are slices.
static IrValue **demand(Unroll *u, IrValue *x, int depth) {
  IrValue **parts = parts_of(u, x);
  if (parts) return parts;
  if (is_element(x->op) && depth < MOST_DEPTH) parts = elements(u, x->op, depth + 1);
  else {
    IrBuilder b = behind(u, x);
    parts = arena_array(u->a, IrValue *, x->type.dim[0]);
    for (int64_t i = 0; i < x->type.dim[0]; i++) parts[i] = slice(u, &b, x, i);
  }
  set_parts(u, x, parts);
  return parts;
}

static IrValue *whole(Unroll *u, IrBuilder *b, IrType t, IrValue **parts) {
  int64_t n = t.dim[0];
  IrValue **in = arena_array(u->a, IrValue *, n);
  t.dim[0] = 1;
  for (int64_t i = 0; i < n; i++) in[i] = ir_reshape(b, parts[i], t.rank, t.dim);
  IrValue *v = ir_concat(b, (int)n, in, 0);
  set_parts(u, v, parts);
  return v;
}

// ---- which loops -----------------------------------------------------------------------------------
static bool is_little(const IrOp *scan) {
  int64_t n = ir_int(scan, A_N), bytes = 0;
  int ops = 0, products = 0;
  ir_each_op(scan->sub[0], op) {
    IrLower l = ir_info[op->code].lower;
    if (op->nregion) return false;
    for (int k = 0; k < op->nout; k++) bytes = ir_bytes(&op->out[k]->type) > bytes ? ir_bytes(&op->out[k]->type) : bytes;
    products += l == LOWER_DOT || l == LOWER_CONV;
    ops += l != LOWER_CONST && l != LOWER_VIEW && op->code != IR_BROADCAST;
  }
  return n >= 2 && n <= (bytes <= LITTLE_BYTES ? MOST_TURNS_LITTLE : MOST_TURNS) && products && ops * n <= MOST_OPS;
}

static void find_scans(Unroll *u, IrRegion *r) {
  ir_each_op(r, op) {
    for (int k = 0; k < op->nregion; k++) find_scans(u, op->sub[k]);
    if (op->code != IR_SCAN) continue;
    vec_push(u->a, &u->scan, op);
    vec_push(u->a, &u->chosen, is_little(op));
  }
}

static int index_of(const Unroll *u, const IrOp *op) {
  for (int k = 0; k < u->scan.n; k++)
    if (u->scan.at[k] == op) return k;
  return -1;
}

static bool is_stack(const IrValue *v) { return v->op && v->op->code == IR_SCAN && v->index >= ir_int(v->op, A_NCARRY); }

static void choose(Unroll *u) {
  find_scans(u, u->g->top);
  for (bool changed = true; changed;) {
    changed = false;
    for (int k = 0; k < u->scan.n; k++)
      for (int i = (int)ir_int(u->scan.at[k], A_NCARRY); i < u->scan.at[k]->nin; i++) {
        const IrValue *x = u->scan.at[k]->in[i];
        int from = is_stack(x) ? index_of(u, x->op) : -1;
        if (from < 0 || u->chosen.at[from] == u->chosen.at[k]) continue;
        u->chosen.at[from] = u->chosen.at[k] = false;
        changed = true;
      }
  }
}

// ---- straight code -----------------------------------------------------------------------------------
static void straighten(Unroll *u, IrOp *op) {
  IrRegion *r = op->sub[0];
  int nc = (int)ir_int(op, A_NCARRY);
  int64_t n = ir_int(op, A_N);
  IrValue **carry = arena_array(u->a, IrValue *, nc + 1), ***stack = arena_array(u->a, IrValue **, op->nout + 1);
  for (int k = nc; k < op->nout; k++) stack[k] = arena_array(u->a, IrValue *, n);
  for (int k = 0; k < op->nin; k++) {
    if (k < nc) carry[k] = op->in[k];
    else demand(u, op->in[k], 0);
  }
  IrBuilder b = {.graph = u->g, .at = op->parent, .before = op, .loc = op->loc, .scope = op->scope};
  for (int64_t i = 0; i < n; i++) {
    int64_t t = ir_int(op, A_REVERSE) ? n - 1 - i : i;
    IrValue *turn = ir_fill(&b, ir_scalar(IR_I32), (double)t), **map = arena_array(u->a, IrValue *, u->g->nvalue);
    map[r->arg[0]->id] = turn;
    for (int k = 0; k < op->nin; k++) map[r->arg[1 + k]->id] = k < nc ? carry[k] : parts_of(u, op->in[k])[t];
    ir_clone_into(&b, r, map);
    for (int k = 0; k < op->nout; k++) {
      IrValue *y = r->yield[k];
      if (map[y->id]) y = map[y->id];
      if (k < nc) carry[k] = y;
      else stack[k][t] = y;
    }
  }
  IrValue **y = arena_array(u->a, IrValue *, op->nout + 1);
  for (int k = 0; k < op->nout; k++) y[k] = k < nc ? carry[k] : whole(u, &b, op->out[k]->type, stack[k]);
  IrValue **to = arena_array(u->a, IrValue *, u->g->nvalue);
  for (int k = 0; k < op->nout; k++) to[op->out[k]->id] = y[k];
  ir_replace_all(u->g, to);
  ir_remove(op);
}

// ---- what is done with arrays, done with their parts ----------------------------------------------
static IrCode combines(IrCode reduce) {
  switch (reduce) {
    case IR_SUM: return IR_ADD;
    case IR_PROD: return IR_MUL;
    case IR_RMAX: return IR_MAX;
    case IR_RMIN: return IR_MIN;
    case IR_ALL: return IR_AND;
    case IR_ANY: return IR_OR;
    default: return IR_NCODE;
  }
}

static bool any_parts(const Unroll *u, const IrOp *op) {
  for (int k = 0; k < op->nin; k++)
    if (parts_of(u, op->in[k])) return true;
  return false;
}

static IrValue **reshapes(Unroll *u, IrBuilder *b, const IrOp *op, int64_t n) {
  IrValue **y = arena_array(u->a, IrValue *, n), **x = parts_of(u, op->in[0]);
  IrType t = part_type(&op->out[0]->type);
  for (int64_t i = 0; i < n; i++) y[i] = ir_reshape(b, x[i], t.rank, t.dim);
  return y;
}

static IrValue **broadcasts(Unroll *u, IrBuilder *b, const IrOp *op, int64_t n) {
  IrValue **y = arena_array(u->a, IrValue *, n), **x = parts_of(u, op->in[0]);
  int naxes;
  const int64_t *axes = ir_ints(op, A_AXES, &naxes);
  int64_t inner[IR_MAX_RANK];
  for (int k = 1; k < naxes; k++) inner[k - 1] = axes[k] - 1;
  for (int64_t i = 0; i < n; i++) y[i] = ir_broadcast(b, x[i], part_type(&op->out[0]->type), inner);
  return y;
}

// Sums and the like over other axes give an array of parts; over the first, one value of all parts: then NULL is returned,
// and uses of the old value are replaced.
static IrValue **reductions(Unroll *u, IrBuilder *b, IrOp *op) {
  int naxes;
  const int64_t *axes = ir_ints(op, A_AXES, &naxes);
  IrValue **x = parts_of(u, op->in[0]), *sum = NULL;
  int64_t n = op->in[0]->type.dim[0], inner[IR_MAX_RANK];
  bool first = axes[0] == 0;
  for (int k = first; k < naxes; k++) inner[k - first] = axes[k] - 1;
  IrValue **y = arena_array(u->a, IrValue *, n);
  for (int64_t i = 0; i < n; i++) {
    y[i] = naxes > first ? ir_reduce(b, op->code, x[i], naxes - first, inner) : x[i];
    sum = sum ? ir_bin(b, combines(op->code), sum, y[i]) : y[i];
    if (!first) sum = NULL;
  }
  if (!first) return y;
  ir_replace(u->g, op->out[0], sum);
  ir_remove(op);
  return NULL;
}

static void part_op(Unroll *u, IrOp *op) {
  if (op->nout != 1 || op->nregion || !any_parts(u, op) || parts_of(u, op->out[0])) return;
  const IrType *x = &op->in[0]->type, *y = &op->out[0]->type;
  IrBuilder b = behind(u, op->out[0]);
  IrValue **parts = NULL;
  if (is_element(op)) parts = elements(u, op, 0);
  else if (op->code == IR_RESHAPE && y->rank && y->dim[0] == x->dim[0]) parts = reshapes(u, &b, op, y->dim[0]);
  else if (op->code == IR_BROADCAST && !ir_ints(op, A_AXES, NULL)[0]) parts = broadcasts(u, &b, op, y->dim[0]);
  else if (combines(op->code) != IR_NCODE && ir_attr(op, A_AXES)->n) parts = reductions(u, &b, op);
  if (parts) set_parts(u, op->out[0], parts);
}

static void part_region(Unroll *u, IrRegion *r);

// ---- loops and branches around ------------------------------------------------------------------------
// What was found of the parts of values that have been copied holds of the copies.
static void copy_parts(Unroll *u, IrValue **map, int nid) {
  for (int v = 0; v < nid && v < u->parts.n; v++) {
    IrValue **old = u->parts.at[v].at;
    if (!old || !map[v] || parts_of(u, map[v])) continue;
    int64_t n = map[v]->type.dim[0];
    IrValue **parts = arena_array(u->a, IrValue *, n);
    for (int64_t i = 0; i < n; i++) parts[i] = map[old[i]->id] ? map[old[i]->id] : old[i];
    set_parts(u, map[v], parts);
  }
}

static void yield_parts(Unroll *u, IrRegion *r, IrValue *y, bool split) {
  IrValue **parts = split ? demand(u, y, 0) : NULL;
  for (int64_t i = 0; split && i < y->type.dim[0]; i++) ir_yield(r, parts[i]);
  if (!split) ir_yield(r, y);
}

// A copy of one of op's regions, with the parts of what is split (by operand, and by result) for the whole.
static IrRegion *region_of_parts(Unroll *u, const IrOp *op, const IrRegion *old, const bool *split) {
  IrRegion *r = ir_region(u->g);
  IrBuilder b = {.graph = u->g, .at = r, .loc = op->loc, .scope = op->scope};
  int first = op->code == IR_SCAN, nid = u->g->nvalue;       // the turn comes before what is carried
  IrValue **map = arena_array(u->a, IrValue *, nid), ***arg = arena_array(u->a, IrValue **, old->narg + 1);
  for (int k = 0; k < old->narg; k++) {
    const IrValue *v = old->arg[k];
    if (k < first || !split[k - first]) {
      map[v->id] = ir_arg(r, v->type);
      map[v->id]->hint = v->hint;
      continue;
    }
    arg[k] = arena_array(u->a, IrValue *, v->type.dim[0]);
    for (int64_t i = 0; i < v->type.dim[0]; i++) {
      arg[k][i] = ir_arg(r, part_type(&v->type));
      arg[k][i]->hint = part_hint(u, v, i);
    }
  }
  for (int k = 0; k < old->narg; k++)
    if (arg[k]) map[old->arg[k]->id] = whole(u, &b, old->arg[k]->type, arg[k]);
  ir_clone_into(&b, old, map);
  copy_parts(u, map, nid);
  part_region(u, r);
  for (int k = 0; k < old->nyield; k++) {
    IrValue *y = old->yield[k];
    yield_parts(u, r, y->id < nid && map[y->id] ? map[y->id] : y, split[k]);
  }
  return r;
}

static bool has_parts(const Unroll *u, const IrOp *op, int k) {
  bool any = parts_of(u, op->out[k]) != NULL;
  if (op->code == IR_SCAN) any |= parts_of(u, op->in[k]) || parts_of(u, op->sub[0]->arg[1 + k]);
  for (int i = 0; i < op->nregion; i++) any |= parts_of(u, op->sub[i]->yield[k]) != NULL;
  return any;
}

// A scan that carries, or a cond that gives, arrays of which there are parts: it carries or gives these.
static void split_op(Unroll *u, IrOp *op) {
  int nc = op->code == IR_SCAN ? (int)ir_int(op, A_NCARRY) : 0, nsplit = op->code == IR_SCAN ? nc : op->nout;
  bool *split = arena_array(u->a, bool, op->nin + op->nout + 1), any = false;
  for (int k = 0; k < nsplit; k++) any |= split[k] = has_parts(u, op, k);
  if (!any) return;
  IrBuilder b = {.graph = u->g, .at = op->parent, .before = op, .loc = op->loc, .scope = op->scope};
  IrRegion *sub[2];
  VEC(IrValue *) in = {0};
  for (int k = 0; k < op->nregion; k++) sub[k] = region_of_parts(u, op, op->sub[k], split);
  for (int k = 0; k < op->nin; k++) {
    bool parted = k < nc && split[k];
    IrValue **parts = parted ? demand(u, op->in[k], 0) : NULL;
    for (int64_t i = 0; parted && i < op->in[k]->type.dim[0]; i++) vec_push(u->a, &in, parts[i]);
    if (!parted) vec_push(u->a, &in, op->in[k]);
  }
  IrAttr attr[A_NKEY];
  for (int k = 0; k < op->nattr; k++)
    attr[k] = op->attr[k].key == A_NCARRY ? ir_attr_int(u->g->arena, A_NCARRY, nc + in.n - op->nin) : op->attr[k];
  IrOp *y = ir_build(&b, op->code, in.n, in.at, NULL, op->nattr, attr, op->nregion, sub);
  IrValue **out = arena_array(u->a, IrValue *, op->nout + 1);
  for (int k = 0, at = 0; k < op->nout; k++) {
    const IrType *t = &op->out[k]->type;
    int64_t n = split[k] ? t->dim[0] : 1;
    out[k] = split[k] ? whole(u, &b, *t, arena_copy(u->a, y->out + at, sizeof *y->out * (size_t)n)) : y->out[at];
    at += (int)n;
  }
  IrValue **to = arena_array(u->a, IrValue *, u->g->nvalue);
  for (int k = 0; k < op->nout; k++) to[op->out[k]->id] = out[k];
  ir_replace_all(u->g, to);
  ir_remove(op);
}

static void part_region(Unroll *u, IrRegion *r) {
  for (IrOp *op = r->first, *next; op; op = next) {
    next = op->next;
    for (int k = 0; k < op->nregion; k++) part_region(u, op->sub[k]);
    int at = op->code == IR_SCAN ? index_of(u, op) : -1;
    if (at >= 0 && u->chosen.at[at]) straighten(u, op);
    else if (op->code == IR_SCAN || op->code == IR_COND) split_op(u, op);
    else part_op(u, op);
  }
}

void pass_unroll(PassContext *c, IrGraph *g) {
  Unroll u = {.a = c->arena, .g = g};
  choose(&u);
  bool any = false;
  for (int k = 0; k < u.scan.n; k++) any |= u.chosen.at[k];
  if (!any) return;
  for (u.grew = true; u.grew;) {                 // what comes before the first use of a part is parted in the next round
    u.grew = false;
    part_region(&u, g->top);
  }
  IrBuilder b = {.graph = g, .at = g->top};
  for (int k = 0; k < g->top->nyield; k++) {
    IrValue *y = g->top->yield[k];
    if (y->op && y->op->code != IR_CONCAT && parts_of(&u, y)) g->top->yield[k] = whole(&u, &b, y->type, parts_of(&u, y));
  }
  pass_simplify(c, g);               // here, not in the pipeline: most graphs have no such loop
}
