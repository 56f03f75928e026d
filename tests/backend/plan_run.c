#include "tests/backend/plan_run.h"

#include "ir/number.h"
#include "tests/ir/gen.h"

#include <stdlib.h>
#include <string.h>

typedef struct Memo { int stamp, id; int64_t at; IrNumber x; } Memo;

typedef struct Run {
  Arena *a;                      // what lives as long as the run
  Arena one;                     // what lives for one node
  const Plan *p;
  char **base;
  uint64_t seed;
  int64_t *turn;                 // by id of argument 0 of the loop's region
  const PlanNode **root_of;      // by value id: the node that it is a root of, while that runs
  IrGraph **mini;                // by value id: the op alone
  Memo *memo;
  int stamp;
  const PlanNode *node;
  int64_t strip, strips, room;   // of the node at hand; strips 1: all of it
  int64_t point;
  IrArray product;
  const char *why;
} Run;
#define NMEMO 4096

static const char *run_block(Run *r, const PlanBlock *b);
static void run_node(Run *r, const PlanNode *n);
static IrNumber eval(Run *r, const IrValue *v, int64_t at);

// ---- memory ----------------------------------------------------------------------------------
static char *address(Run *r, const PlanRef *ref) {
  int64_t at = ref->offset;
  for (int k = 0; k < ref->nturn; k++) {
    int64_t turn = r->turn[ref->turn[k].loop->sub[0]->arg[0]->id], lanes = ref->turn[k].lanes;
    at += ref->turn[k].stride * (lanes ? turn / lanes : turn);
  }
  if (ref->own) at += r->strip * (r->room - ref->own);      // each strip with a thread of its own
  return r->base[ref->space] + at;
}

static char *address_of(Run *r, const IrValue *v) {
  if (r->p->value[v->id].home != PLAN_STORED) {
    r->why = "a value is read that has no memory";
    return r->base[RT_ARENA];
  }
  return address(r, &r->p->value[v->id].ref);
}

static IrArray array_at(Run *r, const IrValue *v) { return ir_array_from(&r->one, v->type, address_of(r, v)); }

static IrNumber number_of(const IrArray *x, int64_t k) {
  if (x->i) return (IrNumber){0, 0, x->i[k]};
  if (ir_is_complex(x->type.dtype)) return (IrNumber){x->f[2 * k], x->f[2 * k + 1], 0};
  return (IrNumber){x->f[k], 0, 0};
}

static void set_number(IrArray *x, int64_t k, IrNumber v) {
  if (x->i) x->i[k] = v.i;
  else if (!ir_is_complex(x->type.dtype)) x->f[k] = v.re;
  else x->f[2 * k] = v.re, x->f[2 * k + 1] = v.im;
}

// ---- one op alone, by the reference evaluator ----------------------------------------------------
static IrType mini_type(const IrOp *op, const IrType *t) {
  IrLower l = ir_info[op->code].lower;
  if (l == LOWER_ELEMENT) return ir_scalar(t->dtype);
  IrType y = *t;
  if (l != LOWER_REDUCE) return y;
  int n;
  const int64_t *axes = ir_ints(op, ir_attr(op, A_AXES) ? A_AXES : A_AXIS, &n);
  for (int k = 0; k < y.rank; k++) {
    bool reduced = false;
    for (int i = 0; i < n; i++) reduced |= axes[i] == k;
    if (!reduced) y.dim[k] = 1;
  }
  return y;
}

static IrGraph *mini(Run *r, const IrOp *op) {
  IrGraph **g = &r->mini[op->out[0]->id];
  if (*g) return *g;
  *g = ir_graph(r->a, "one");
  IrBuilder b = {.graph = *g, .at = (*g)->top};
  IrValue **in = arena_array(r->a, IrValue *, op->nin + 1);
  for (int k = 0; k < op->nin; k++) in[k] = ir_input(*g, mini_type(op, &op->in[k]->type), NULL);
  IrType want = op->out[0]->type;
  if (ir_info[op->code].lower == LOWER_ELEMENT) want = ir_scalar(want.dtype);
  bool given = op->code == IR_CAST || op->code == IR_BITCAST || op->code == IR_CONV_DX || op->code == IR_CONV_DW;
  IrOp *one = ir_build(&b, op->code, op->nin, in, given ? &want : NULL, op->nattr, op->attr, 0, NULL);
  for (int k = 0; k < one->nout; k++) ir_output(*g, one->out[k], NULL);
  return *g;
}

static bool run_mini(Run *r, const IrOp *op, const IrArray *in, IrArray *out) {
  IrEval how = {.typed = true};
  const char *why = ir_eval(&r->one, &how, mini(r, op), in, out);
  if (why) r->why = why;
  return !why;
}

// ---- one element -----------------------------------------------------------------------------------
static void unravel(const IrType *t, int64_t at, int64_t *ix) {
  for (int k = t->rank - 1; k >= 0; k--) ix[k] = at % t->dim[k], at /= t->dim[k];
}

static int64_t ravel(const IrType *t, const int64_t *ix) {
  int64_t at = 0;
  for (int k = 0; k < t->rank; k++) at = at * t->dim[k] + ix[k];
  return at;
}

static int64_t clamp(int64_t x, int64_t top) { return x < 0 ? 0 : x > top ? top : x; }

static IrNumber eval_gather(Run *r, const IrOp *op, const int64_t *ix) {
  const IrType *x = &op->in[0]->type, *idx = &op->in[1]->type;
  int nb = (int)ir_int(op, A_BATCH), ni = idx->rank - nb;
  int64_t from[IR_MAX_RANK] = {0};
  for (int k = 0; k < nb; k++) from[k] = ix[k];
  from[nb] = clamp(eval(r, op->in[1], ravel(idx, ix)).i, x->dim[nb] - 1);
  for (int k = nb + 1; k < x->rank; k++) from[k] = ix[k - 1 + ni];
  return eval(r, op->in[0], ravel(x, from));
}

static IrNumber eval_index(Run *r, const IrOp *op, int64_t at) {
  const IrType *y = &op->out[0]->type, *x = op->nin ? &op->in[0]->type : y;
  int64_t ix[IR_MAX_RANK], from[IR_MAX_RANK] = {0};
  unravel(y, at, ix);
  int n;
  const int64_t *axes = ir_ints(op, A_AXES, &n);
  switch (op->code) {
    case IR_IOTA: {
      int64_t i = ix[ir_int(op, A_AXIS)];
      if (ir_is_int(y->dtype) || y->dtype == IR_BOOL) return (IrNumber){0, 0, ir_wrap(y->dtype, i)};
      return (IrNumber){ir_round(y->dtype, (double)i), 0, 0};
    }
    case IR_BROADCAST:
      for (int k = 0; k < x->rank; k++) from[k] = ix[axes[k]];
      break;
    case IR_TRANSPOSE:
      for (int k = 0; k < x->rank; k++) from[axes[k]] = ix[k];
      break;
    case IR_SLICE:
      for (int k = 0; k < x->rank; k++) from[k] = ir_ints(op, A_START, NULL)[k] + ix[k] * ir_ints(op, A_STRIDE, NULL)[k];
      break;
    case IR_PAD:
      for (int k = 0; k < x->rank; k++) {
        int64_t step = ir_ints(op, A_INNER, NULL)[k] + 1, i = ix[k] - ir_ints(op, A_LO, NULL)[k];
        if (i < 0 || i % step || i / step >= x->dim[k]) return (IrNumber){0};
        from[k] = i / step;
      }
      break;
    case IR_CONCAT: {
      int axis = (int)ir_int(op, A_AXIS), k = 0;
      while (ix[axis] >= op->in[k]->type.dim[axis]) ix[axis] -= op->in[k++]->type.dim[axis];
      return eval(r, op->in[k], ravel(&op->in[k]->type, ix));
    }
    case IR_REVERSE:
      memcpy(from, ix, sizeof from);
      for (int k = 0; k < n; k++) from[axes[k]] = x->dim[axes[k]] - 1 - ix[axes[k]];
      break;
    case IR_DYN_SLICE:
      for (int k = 0; k < x->rank; k++) from[k] = ix[k] + clamp(eval(r, op->in[1 + k], 0).i, x->dim[k] - y->dim[k]);
      break;
    case IR_GATHER: return eval_gather(r, op, ix);
    default: r->why = "an op that plan_run does not know";
  }
  return eval(r, op->in[0], ravel(x, from));
}

static IrNumber eval_reduce(Run *r, const IrOp *op, int64_t at) {
  const IrType *x = &op->in[0]->type;
  IrType part = mini_type(op, x);
  int64_t out[IR_MAX_RANK], ix[IR_MAX_RANK];
  unravel(&op->out[0]->type, at, out);
  int n;
  const int64_t *axes = ir_ints(op, ir_attr(op, A_AXES) ? A_AXES : A_AXIS, &n);
  IrArray in = ir_array(&r->one, part), y;
  for (int64_t i = 0; i < ir_count(&part); i++) {
    unravel(&part, i, ix);
    for (int k = 0, j = 0; k < x->rank; k++) {
      bool reduced = false;
      for (int q = 0; q < n; q++) reduced |= axes[q] == k;
      if (!reduced) ix[k] = out[j++];
    }
    set_number(&in, i, eval(r, op->in[0], ravel(x, ix)));
  }
  return run_mini(r, op, &in, &y) ? number_of(&y, 0) : (IrNumber){0};
}

static IrNumber compute(Run *r, const IrValue *v, int64_t at) {
  const IrOp *op = v->op;
  if (!op) return (IrNumber){0, 0, r->turn[v->id]};
  if (op->code == IR_CONST) {
    const IrAttr *t = ir_attr(op, A_DATA);
    int bytes = ir_dtype_bytes(v->type.dtype);
    return ir_load(v->type.dtype, (const char *)t->data + (t->n > bytes ? at * bytes : 0));
  }
  if (op->code == IR_RESHAPE || op->code == IR_STOP_GRAD) return eval(r, op->in[0], at);
  IrArray in[8], y;
  switch (ir_info[op->code].lower) {
    case LOWER_INDEX: return eval_index(r, op, at);
    case LOWER_REDUCE: return eval_reduce(r, op, at);
    case LOWER_DOT: case LOWER_CONV:
      if (r->node->op != op || at != r->point) r->why = "a product is used away from its own index";
      return r->why ? (IrNumber){0} : number_of(&r->product, at);
    case LOWER_ELEMENT:
      for (int k = 0; k < op->nin; k++) {
        in[k] = ir_array(&r->one, ir_scalar(op->in[k]->type.dtype));
        set_number(&in[k], 0, eval(r, op->in[k], at));
      }
      return run_mini(r, op, in, &y) ? number_of(&y, 0) : (IrNumber){0};
    default: r->why = "an inlined op that has none of its own";
  }
  return (IrNumber){0};
}

static IrNumber eval(Run *r, const IrValue *v, int64_t at) {
  if (r->why) return (IrNumber){0};
  bool root = r->root_of[v->id] == r->node;
  const PlanValue *home = &r->p->value[v->id];
  if (root && at != r->point) r->why = "a root is used away from its own index";
  if (!root && home->home == PLAN_STORED) {
    bool fixed = ir_count(&v->type) == 1 || (v->op && v->op->code == IR_CONST);
    if (r->node->linear && at != r->point && !fixed) r->why = "a linear nest reads at another index";
    return ir_load(v->type.dtype, address(r, &home->ref) + at * ir_dtype_bytes(v->type.dtype));
  }
  if (!root && home->home != PLAN_INLINE) r->why = "a value without a home is used";
  Memo *m = &r->memo[((uint64_t)v->id * 0x9e3779b97f4a7c15u + (uint64_t)at * 0xc2b2ae3d27d4eb4fu) >> 52];
  if (m->stamp == r->stamp && m->id == v->id && m->at == at) return m->x;
  Memo y = {r->stamp, v->id, at, compute(r, v, at)};
  *m = y;
  return y.x;
}

// ---- nodes -----------------------------------------------------------------------------------------
static int64_t gcd(int64_t a, int64_t b) { return b ? gcd(b, a % b) : a; }

static void put_root(Run *r, const IrValue *v, int64_t at, IrNumber x) {
  ir_store(v->type.dtype, address_of(r, v) + at * ir_dtype_bytes(v->type.dtype), x);
}

static void run_points(Run *r, const PlanNode *n) {
  int64_t all = 1;
  for (int k = 0; k < n->rank; k++) all *= n->dim[k];
  if (all % r->strips) r->why = "a domain that strips do not divide";
  int64_t count = all / r->strips;
  if (!count) return;
  int64_t step = count > 1 ? 1 + (int64_t)(r->seed % (uint64_t)count) : 1, from = (int64_t)((r->seed >> 20) % (uint64_t)count);
  while (gcd(step, count) != 1) step++;
  IrNumber *x = arena_array(&r->one, IrNumber, n->nroot);
  bool *on = arena_array(&r->one, bool, count);  // where the condition of late roots holds
  for (int k = 0; k < n->nroot; k++) {
    if (ir_count(&n->root[k]->type) != all) r->why = "a root has not the domain's shape";
    r->root_of[n->root[k]->id] = n;
  }
  for (int64_t i = 0; i < count && !r->why; i++) {
    r->point = r->strip * count + (int64_t)(((unsigned __int128)i * (uint64_t)step + (uint64_t)from) % (uint64_t)count);
    r->stamp++;
    for (int k = 0; k < n->nroot; k++) {
      bool late = n->late && n->late[k];
      x[k] = eval(r, late ? n->root[k]->op->in[2] : n->root[k], r->point);
      if (late) on[r->point - r->strip * count] = eval(r, n->root[k]->op->in[0], r->point).i;
    }
    for (int k = 0; k < n->nroot; k++) put_root(r, n->root[k], r->point, x[k]);
  }
  r->point = -1;
  r->stamp++;
  for (int64_t i = 0; i < count && n->late && !r->why; i++)
    for (int k = 0; k < n->nroot && on[i]; k++)
      if (n->late[k]) put_root(r, n->root[k], r->strip * count + i, eval(r, n->root[k]->op->in[1], r->strip * count + i));
  for (int k = 0; k < n->nroot; k++) r->root_of[n->root[k]->id] = NULL;
}

static void spoil_scratch(Run *r, const PlanNode *n) {
  if (n->scratch_bytes <= 0) return;
  if (n->pack) memset(address(r, &n->scratch), 0xa5, (size_t)n->scratch_bytes);
  else if (n->strip) memset(address(r, &n->scratch) + r->strip * n->scratch_bytes, 0xa5, (size_t)n->scratch_bytes);
  else memset(address(r, &n->scratch), 0xa5, (size_t)(n->scratch_bytes * (n->blas ? 1 : n->pieces)));
}

// Operands from memory; of an update the first is what the result's place holds.
static void run_whole(Run *r, const PlanNode *n) {
  const IrOp *op = n->op;
  IrArray in[16], out[4];
  for (int k = 0; k < op->nin; k++) in[k] = array_at(r, op->in[k]);
  if (n->kind == PLAN_UPDATE) in[0] = array_at(r, op->out[0]);
  spoil_scratch(r, n);
  if (!run_mini(r, op, in, out)) return;
  if (n->kind == PLAN_DOT || n->kind == PLAN_CONV) {
    r->product = out[0];
    run_points(r, n);
    return;
  }
  for (int k = 0; k < op->nout; k++) ir_array_to(&out[k], address_of(r, op->out[k]));
}

static void run_loop(Run *r, const PlanNode *n) {
  int64_t turns = ir_int(n->op, A_N);
  for (int64_t t = 0; t < turns && !r->why; t++) {
    r->turn[n->op->sub[0]->arg[0]->id] = n->kind == PLAN_SCAN && ir_int(n->op, A_REVERSE) ? turns - 1 - t : t;
    run_block(r, &n->body[0]);
  }
}

static void run_while(Run *r, const PlanNode *n) {
  for (int turns = 0; !r->why; turns++) {
    if (turns > 100000) r->why = "a while does not end";
    run_block(r, &n->body[0]);
    if (r->why || !ir_load(IR_BOOL, address_of(r, n->test)).i) return;
    run_block(r, &n->body[1]);
  }
}

// Strips in an order of the seed's, now one and now a few ahead of the others.
static void run_strips(Run *r, const PlanNode *s) {
  const PlanNode **at = arena_array(r->a, const PlanNode *, s->pieces);
  for (int64_t i = 0; i < s->pieces; i++) at[i] = s->body[0].first;
  for (int64_t left = s->pieces; left && !r->why;) {
    int64_t i = gen_below(&r->seed, s->pieces);
    if (!at[i]) continue;
    r->strip = i, r->strips = s->pieces, r->room = s->room;
    run_node(r, at[i]);
    r->strip = 0, r->strips = 1;
    at[i] = at[i]->next;
    left -= !at[i];
  }
}

static void run_copy(Run *r, const PlanNode *n) {
  char *from = address(r, &n->from), *to = address(r, &n->to);
  if (from < to + n->bytes && to < from + n->bytes) r->why = "a copy overlaps itself";
  else memcpy(to, from, (size_t)n->bytes);
}

static void run_node(Run *r, const PlanNode *n) {
  r->node = n;
  switch (n->kind) {
    case PLAN_NEST: run_points(r, n); break;
    case PLAN_COPY: run_copy(r, n); break;
    case PLAN_SCAN: case PLAN_MAP: run_loop(r, n); break;
    case PLAN_STRIPS: run_strips(r, n); break;
    case PLAN_WHILE: run_while(r, n); break;
    case PLAN_FORK: for (uint64_t i = 0; i < 2; i++) run_block(r, &n->body[(i + r->seed) % 2]); break;
    case PLAN_COND: run_block(r, &n->body[ir_load(IR_BOOL, address_of(r, n->op->in[0])).i ? 0 : 1]); break;
    default: run_whole(r, n); break;
  }
  if (n->kind < PLAN_SCAN) {
    jmp_buf *oom = r->one.oom;
    arena_free(&r->one);
    r->one.oom = oom;
  }
}

static const char *run_block(Run *r, const PlanBlock *b) {
  for (const PlanNode *n = b->first; n && !r->why; n = n->next) run_node(r, n);
  return r->why;
}

static int64_t most_strips(const PlanBlock *b) {
  int64_t most = 1;
  for (const PlanNode *n = b->first; n; n = n->next) {
    if (n->kind == PLAN_STRIPS && n->pieces > most) most = n->pieces;
    for (int i = 0; i < 2; i++) {
      int64_t in = most_strips(&n->body[i]);
      if (in > most) most = in;
    }
  }
  return most;
}

const char *plan_run(Arena *a, const Plan *p, char *base[RT_NSPACE], uint64_t seed) {
  Run r = {.a = a, .one = {.oom = a->oom}, .p = p, .base = base, .seed = seed, .strips = 1};
  int n = p->graph->nvalue;
  r.turn = arena_array(a, int64_t, n);
  r.root_of = arena_array(a, const PlanNode *, n);
  r.mini = arena_array(a, IrGraph *, n);
  r.memo = arena_array(a, Memo, NMEMO);
  base[RT_ROOM] = arena_alloc(a, (size_t)(p->room_bytes * most_strips(&p->body)));
  run_block(&r, &p->body);
  arena_free(&r.one);
  return r.why;
}
