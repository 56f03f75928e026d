// Control ops in reverse mode: scan, map and cond are emitted as a primal op and a linear one.
// The linear one is linear in the tangents and otherwise reads residuals: values of the primal one.
//
// What a loop's linear part needs of a turn, and how it gets it, cheapest first:
//   the turn, captured values     directly
//   slices of the primal's arrays the same arrays
//   what is the same each turn    computed once, before the loop
//   cheap arithmetic of these     computed again
//   the rest                      stacked by the primal loop: the smaller source, where a value
//                                 is only spread or widened from one
#include "passes/autodiff.h"

typedef VEC(IrValue *) Values;

static bool defined_by(const IrValue *v, const IrRegion *r) { return v->op ? v->op->parent == r : v->region == r; }

// ---- partition
static bool reads_linear(Ad *ad, const IrOp *op) {
  for (int k = 0; k < op->nin; k++)
    if (ad_has(ad, op->in[k], AD_LINEAR)) return true;
  for (int s = 0; s < op->nregion; s++) {
    for (int k = 0; k < op->sub[s]->nyield; k++)
      if (ad_has(ad, op->sub[s]->yield[k], AD_LINEAR)) return true;
    ir_each_op(op->sub[s], inner)
      if (reads_linear(ad, inner)) return true;
  }
  return false;
}

static bool is_linear(Ad *ad, const IrOp *op) {
  // A tangent that turned out zero may be the result of a loop that reads none.
  bool linear = reads_linear(ad, op);
  for (int k = 0; k < op->nout; k++) linear |= ad_has(ad, op->out[k], AD_LINEAR);
  return linear;
}

static void mark_linear(Ad *ad, const IrOp *op) {
  for (int k = 0; k < op->nout; k++)
    if (ir_is_diff(op->out[k]->type.dtype)) ad_mark(ad, op->out[k], AD_LINEAR);
}

static void lin_mark(Ad *ad, IrRegion *r) {
  ir_each_op(r, op) {
    if (is_linear(ad, op)) mark_linear(ad, op);
  }
}

void lin_partition(Ad *ad, IrOp *first, IrOp *end, IrRegion *to) {
  for (IrOp *op = first, *next; op && op != end; op = next) {
    next = op->next;
    if (!is_linear(ad, op)) continue;
    mark_linear(ad, op);
    ir_move_before(op, to, NULL);
  }
}

static void each_use(Ad *ad, IrRegion *r, void (*f)(Ad *, IrValue **, void *), void *data) {
  ir_each_op(r, op) {
    for (int k = 0; k < op->nin; k++) f(ad, &op->in[k], data);
    for (int s = 0; s < op->nregion; s++) each_use(ad, op->sub[s], f, data);
  }
  for (int k = 0; k < r->nyield; k++) f(ad, &r->yield[k], data);
}

static void mark_live(Ad *ad, IrValue **v, void *data) {
  (void)data;
  ad_mark(ad, *v, AD_LIVE);
}

// Linear ops that nothing reads would keep residuals alive.
static void prune(Ad *ad, IrRegion *r) {
  for (int k = 0; k < r->nyield; k++) ad_mark(ad, r->yield[k], AD_LIVE);
  for (IrOp *op = r->last, *prev; op; op = prev) {
    prev = op->prev;
    bool live = false;
    for (int k = 0; k < op->nout; k++) live |= ad_has(ad, op->out[k], AD_LIVE);
    if (!live) {
      ir_move_before(op, ad->dead, NULL);
      continue;
    }
    for (int k = 0; k < op->nin; k++) ad_mark(ad, op->in[k], AD_LIVE);
    for (int s = 0; s < op->nregion; s++) each_use(ad, op->sub[s], mark_live, NULL);
  }
}

// ---- residuals
typedef struct Residuals {
  IrRegion *primal, *linear;
  bool loop;
  IrBuilder outer;       // where the primal op will stand
  Values need;           // primal values that linear ops read, each once
  Values kept;           // conds: those that the primal op is to yield for it
  IrValue **slice;       // loops: operand of the primal op for each of its slices
  int ncarry;            // the primal op's first results, which are no residuals
  IrOp *op;              // the primal op, once built
  Values more;           // operands of the linear op for the arguments that residuals added
  Values mapped;         // keys set in map
} Residuals;

static void note_need(Ad *ad, IrValue **v, void *data) {
  Residuals *r = data;
  if (!defined_by(*v, r->primal) || ad_has(ad, *v, AD_NEEDED)) return;
  ad_mark(ad, *v, AD_NEEDED);
  vec_push(ad->c->arena, &r->need, *v);
}

static bool is_cheap(const IrOp *op) {
  switch (op->code) {
  case IR_CONST: case IR_IOTA: case IR_BROADCAST: case IR_RESHAPE: case IR_CAST:
  case IR_NEG: case IR_ABS: case IR_SIGN: case IR_FLOOR: case IR_NOT: case IR_FINITE:
  case IR_REAL: case IR_IMAG: case IR_CONJ: case IR_STOP_GRAD: case IR_COPY: case IR_COMPLEX:
  case IR_ADD: case IR_SUB: case IR_MUL: case IR_MAX: case IR_MIN: case IR_AND: case IR_OR: case IR_XOR:
  case IR_EQ: case IR_NE: case IR_LT: case IR_LE: case IR_GT: case IR_GE: case IR_SELECT:
    return true;
  default:
    return false;
  }
}

#define MOST_DEPTH 8     // of arithmetic that is computed again

static bool available(Ad *ad, Residuals *r, const IrValue *v, int depth) {
  if (!defined_by(v, r->primal) || ad_has(ad, v, AD_KEPT)) return true;
  if (!v->op) return r->loop && (v->index == 0 || v->index > r->ncarry);
  if (depth == MOST_DEPTH || !is_cheap(v->op)) return false;
  for (int k = 0; k < v->op->nin; k++)
    if (!available(ad, r, v->op->in[k], depth + 1)) return false;
  return true;
}

static void hoist(Ad *ad, Residuals *r, IrOp *op) {
  for (int k = 0; k < op->nin; k++)
    if (defined_by(op->in[k], r->primal)) hoist(ad, r, op->in[k]->op);
  ir_move_before(op, r->outer.at, r->outer.before);
  for (int k = 0; k < op->nout; k++) ad_unmark(ad, op->out[k], AD_NEEDED | AD_FIXED | AD_KEPT);  // of this loop
}

// Values of a loop's body that depend on nothing of it. Ops with regions stay where they are.
static void mark_fixed(Ad *ad, IrRegion *body) {
  ir_each_op(body, op) {
    bool fixed = op->nregion == 0;
    for (int k = 0; k < op->nin; k++) fixed &= !defined_by(op->in[k], body) || ad_has(ad, op->in[k], AD_FIXED);
    for (int k = 0; k < op->nout && fixed; k++) ad_mark(ad, op->out[k], AD_FIXED);
  }
}

static void keep(Ad *ad, Residuals *r, IrValue *v) {
  ad_mark(ad, v, AD_KEPT);
  if (r->loop) ir_yield(r->primal, v);
  else vec_push(ad->c->arena, &r->kept, v);       // share_places yields it
}

static void choose(Ad *ad, Residuals *r, IrValue *v) {
  if (available(ad, r, v, 0)) return;
  IrOp *op = v->op;
  bool spread = op && (op->code == IR_BROADCAST || op->code == IR_RESHAPE || op->code == IR_CAST);
  if (op && ad_has(ad, v, AD_FIXED)) hoist(ad, r, op);
  else if (spread && ir_bytes(&op->in[0]->type) <= ir_bytes(&v->type)) choose(ad, r, op->in[0]);
  else keep(ad, r, v);
}

// What the user's region yields is there already; what else must be kept is chosen first, so that
// cheap values find it.
static void choose_all(Ad *ad, Residuals *r) {
  if (r->loop) mark_fixed(ad, r->primal);
  for (int k = r->ncarry; k < r->primal->nyield; k++)
    if (defined_by(r->primal->yield[k], r->primal)) ad_mark(ad, r->primal->yield[k], AD_KEPT);
  each_use(ad, r->linear, note_need, r);
  for (int cheap = 0; cheap < 2; cheap++)
    for (int k = 0; k < r->need.n; k++) {
      IrValue *v = r->need.at[k];
      if (defined_by(v, r->primal) && cheap == (v->op && is_cheap(v->op))) choose(ad, r, v);
    }
}

static IrValue *give(Ad *ad, Residuals *r, IrValue *v, IrValue *to) {
  vec_push(ad->c->arena, &r->mapped, v);
  ad_set_map(ad, v, to);
  return to;
}

static IrValue *slice_of(Ad *ad, Residuals *r, IrValue *v, IrValue *array) {
  vec_push(ad->c->arena, &r->more, array);
  return give(ad, r, v, ir_arg(r->linear, v->type));
}

// What stands for primal value v in the linear region; emits there what is computed again.
static IrValue *provide(Ad *ad, Residuals *r, IrValue *v) {
  if (!defined_by(v, r->primal)) return v;
  if (ad_map(ad, v) != v) return ad_map(ad, v);
  if (r->loop && !v->op && v->index == 0) return give(ad, r, v, r->linear->arg[0]);
  if (r->loop && !v->op && v->index > r->ncarry) return slice_of(ad, r, v, r->slice[v->index - 1 - r->ncarry]);
  if (ad_has(ad, v, AD_KEPT)) {
    int k = r->ncarry;
    while (r->primal->yield[k] != v) k++;
    return r->loop ? slice_of(ad, r, v, r->op->out[k]) : give(ad, r, v, r->op->out[k]);
  }
  IrValue **in = arena_array(ad->c->arena, IrValue *, v->op->nin);
  for (int k = 0; k < v->op->nin; k++) in[k] = provide(ad, r, v->op->in[k]);
  return give(ad, r, v, ad_clone(ad, v->op, in)->out[0]);
}

static void substitute(Ad *ad, IrValue **v, void *data) {
  Residuals *r = data;
  if (defined_by(*v, r->primal)) *v = ad_map(ad, *v);
}

// Linear ops read residuals in place of primal values; op is the finished primal op.
static void connect(Ad *ad, Residuals *r, IrOp *op) {
  r->op = op;
  IrBuilder saved;
  ad_enter(ad, r->linear, &saved);
  ad->b.before = r->linear->first;
  for (int k = 0; k < r->need.n; k++) provide(ad, r, r->need.at[k]);
  ad->b = saved;
  each_use(ad, r->linear, substitute, r);
  for (int k = 0; k < r->mapped.n; k++) ad_set_map(ad, r->mapped.at[k], NULL);
}

static bool wants(Ad *ad, const IrValue *v) { return ad_has(ad, v, AD_USEFUL); }

static void linear_arg(Ad *ad, IrRegion *linear, const IrValue *src) {
  IrValue *t = ir_arg(linear, src->type);
  ad_mark(ad, t, AD_LINEAR);
  ad_set_tan(ad, src, t);
}

// A linear region's yield: the tangent of source value v.
static void linear_yield(Ad *ad, IrRegion *linear, IrValue *v) {
  IrBuilder saved;
  ad_enter(ad, linear, &saved);
  ir_yield(linear, ad_tan(ad, v) ? ad_tan(ad, v) : ad_zero(ad, v));
  ad->b = saved;
}

void lin_loop(Ad *ad, Jvp *j) {
  const IrOp *op = j->op;
  Arena *a = ad->c->arena;
  IrRegion *src = op->sub[0], *primal = ir_region(ad->g), *linear = ir_region(ad->g);
  int nc = ad_carries(op), nt = 0;
  Values in = {0};
  for (int k = 0; k < src->narg; k++) ad_set_map(ad, src->arg[k], ir_arg(primal, src->arg[k]->type));
  ir_arg(linear, ir_scalar(IR_I32));
  for (int k = 0; k < op->nin; k++) {
    if (!wants(ad, src->arg[1 + k]) || (k >= nc && !j->dx[k])) continue;
    linear_arg(ad, linear, src->arg[1 + k]);
    vec_push(a, &in, j->dx[k] ? j->dx[k] : ad_zero(ad, j->x[k]));
    nt += k < nc;
  }
  IrBuilder saved;
  ad_enter(ad, primal, &saved);
  jvp_region(ad, src);
  ad->b = saved;
  for (int k = 0; k < op->nout; k++) ir_yield(primal, ad_map(ad, src->yield[k]));
  lin_partition(ad, primal->first, NULL, linear);
  for (int k = 0; k < op->nout; k++)
    if (k < nc ? wants(ad, src->arg[1 + k]) : wants(ad, op->out[k]) && ad_tan(ad, src->yield[k]))
      linear_yield(ad, linear, src->yield[k]);
  prune(ad, linear);

  Residuals r = {.primal = primal, .linear = linear, .loop = true, .outer = ad->b,
                 .slice = j->x + nc, .ncarry = nc};
  choose_all(ad, &r);
  IrAttr at[3] = {ir_attr_int(a, A_N, ir_int(op, A_N)), ir_attr_int(a, A_REVERSE, ir_int(op, A_REVERSE)),
                  ir_attr_int(a, A_NCARRY, nc)};
  int nattr = op->code == IR_MAP ? 1 : 3;
  IrOp *to = ir_build(&ad->b, op->code, op->nin, j->x, NULL, nattr, at, 1, &primal);
  for (int k = 0; k < op->nout; k++) j->y[k] = to->out[k];
  if (linear->nyield == 0) return;
  connect(ad, &r, to);
  for (int k = 0; k < r.more.n; k++) vec_push(a, &in, r.more.at[k]);
  at[2] = ir_attr_int(a, A_NCARRY, nt);
  IrOp *lin = ir_build(&ad->b, op->code, in.n, in.at, NULL, nattr, at, 1, &linear);
  for (int k = 0, t = 0; k < op->nout; k++)
    if (k < nc ? wants(ad, src->arg[1 + k]) : wants(ad, op->out[k]) && ad_tan(ad, src->yield[k]))
      j->dy[k] = lin->out[t++];
}

// Residuals of both sides share places among the results where their types are equal; the side that
// was not taken yields zeros there.
static void share_places(Ad *ad, Residuals *side) {
  Arena *a = ad->c->arena;
  Values place[2] = {{0}, {0}};
  for (int k = 0; k < side[0].kept.n; k++) {
    vec_push(a, &place[0], side[0].kept.at[k]);
    vec_push(a, &place[1], (IrValue *)NULL);
  }
  for (int k = 0; k < side[1].kept.n; k++) {
    IrValue *v = side[1].kept.at[k];
    int p = 0;
    while (p < place[0].n && (place[1].at[p] || !ir_type_eq(&place[0].at[p]->type, &v->type))) p++;
    if (p == place[0].n) {
      vec_push(a, &place[0], (IrValue *)NULL);
      vec_push(a, &place[1], (IrValue *)NULL);
    }
    place[1].at[p] = v;
  }
  for (int s = 0; s < 2; s++) {
    IrBuilder saved;
    ad_enter(ad, side[s].primal, &saved);
    for (int p = 0; p < place[0].n; p++)
      ir_yield(side[s].primal, place[s].at[p] ? place[s].at[p] : ad_zero(ad, place[1 - s].at[p]));
    ad->b = saved;
  }
}

void lin_cond(Ad *ad, Jvp *j) {
  const IrOp *op = j->op;
  Residuals side[2];
  IrRegion *primal[2], *linear[2];
  bool *moves = arena_array(ad->c->arena, bool, op->nout);
  int nt = 0;
  for (int s = 0; s < 2; s++) {
    primal[s] = ir_region(ad->g);
    linear[s] = ir_region(ad->g);
    IrBuilder saved;
    ad_enter(ad, primal[s], &saved);
    jvp_region(ad, op->sub[s]);
    ad->b = saved;
    for (int k = 0; k < op->nout; k++) {
      ir_yield(primal[s], ad_map(ad, op->sub[s]->yield[k]));
      moves[k] |= wants(ad, op->out[k]) && ad_tan(ad, op->sub[s]->yield[k]);
    }
    lin_partition(ad, primal[s]->first, NULL, linear[s]);
  }
  for (int s = 0; s < 2; s++) {
    for (int k = 0; k < op->nout; k++)
      if (moves[k]) linear_yield(ad, linear[s], op->sub[s]->yield[k]);
    prune(ad, linear[s]);
    side[s] = (Residuals){.primal = primal[s], .linear = linear[s], .outer = ad->b};
    choose_all(ad, &side[s]);
  }
  share_places(ad, side);
  IrOp *to = ir_build(&ad->b, IR_COND, 1, j->x, NULL, 0, NULL, 2, primal);
  for (int k = 0; k < op->nout; k++) {
    j->y[k] = to->out[k];
    nt += moves[k];
  }
  for (int s = 0; s < 2; s++) connect(ad, &side[s], to);
  if (nt == 0) return;
  IrOp *lin = ir_build(&ad->b, IR_COND, 1, j->x, NULL, 0, NULL, 2, linear);
  for (int k = 0, t = 0; k < op->nout; k++)
    if (moves[k]) j->dy[k] = lin->out[t++];
}

// The linear part computes the primal values again that it reads: nothing but what comes from outside is kept.
void lin_remat(Ad *ad, Jvp *j) {
  const IrOp *op = j->op;
  IrRegion *src = op->sub[0], *linear = ir_region(ad->g);
  IrOp *to = ad_clone(ad, op, j->x);
  bool moves = false;
  IrBuilder saved;
  ad_enter(ad, linear, &saved);
  jvp_region(ad, src);
  ad->b = saved;
  for (int k = 0; k < op->nout; k++) {
    j->y[k] = to->out[k];
    if (!wants(ad, op->out[k]) || !ad_tan(ad, src->yield[k])) continue;
    linear_yield(ad, linear, src->yield[k]);
    moves = true;
  }
  if (!moves) return;
  // Tangents inside are marked as they come; what reads a tangent from outside through a region is found here.
  lin_mark(ad, linear);
  prune(ad, linear);
  IrOp *lin = ir_build(&ad->b, IR_REMAT, 0, NULL, NULL, 0, NULL, 1, &linear);
  for (int k = 0, t = 0; k < op->nout; k++)
    if (wants(ad, op->out[k]) && ad_tan(ad, src->yield[k])) j->dy[k] = lin->out[t++];
}
