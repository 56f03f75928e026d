// Reductions, at one index or one vector of indices.
//
// The order of a sum is fixed by shapes and the target's width: `unroll` accumulators take the
// innermost loop's vectors in turn, meet in a tree, and then their lanes meet in a tree.
#include "backend/llvm/nest.h"
#include "ir/number.h"

#include <limits.h>
#include <string.h>

#define MOST 32            // reductions in one loop

typedef struct Loop { int first, last; int64_t size; } Loop;  // of reduced axes first to last, made one

typedef struct Reduce {
  Nest *n;
  int nop;
  const IrOp *op[MOST];
  NestIndex ix;            // where the results are wanted
  int mask;
  int rank;                // axes that are summed over
  int64_t dim[IR_MAX_RANK];
  int form[IR_MAX_RANK];   // one index each
  int nloop;
  Loop loop[IR_MAX_RANK];  // outermost first
  bool vector;             // lanes are the innermost loop's
  bool wide;               // accumulators are vectors
  int unroll;
  int nacc;                // registers of one set of accumulators
} Reduce;

static bool is_arg(const IrOp *op) { return op->code == IR_ARGMAX || op->code == IR_ARGMIN; }
static bool is_product(const IrOp *op) {
  return op->code == IR_DOT || op->code == IR_CONV || op->code == IR_CONV_DX || op->code == IR_CONV_DW;
}

bool nest_product(const IrOp *op) {
  IrDtype t = op->out[0]->type.dtype;
  return is_product(op) && (!ir_is_float(t) || (t == IR_BF16 && op->code != IR_DOT));
}

// Sums of narrow floats are kept in f32.
static IrDtype sum_type(const IrOp *op) {
  IrDtype t = op->in[0]->type.dtype;
  return t == IR_BF16 ? IR_F32 : t;
}

static int registers(const IrOp *op) { return is_arg(op) || ir_is_complex(op->in[0]->type.dtype) ? 2 : 1; }

// ---- what is reduced -----------------------------------------------------------------------------

// Their sizes, and which axes of operand 0 they are; a product's are none that a vector can run along.
static int axes_of(const IrOp *op, int64_t *dim, int *axis) {
  const IrType *x = &op->in[0]->type, *y = op->nin > 1 ? &op->in[1]->type : NULL;
  int m;
  const int64_t *a;
  for (int k = 0; k < 3; k++) axis[k] = INT_MIN;
  switch (op->code) {
  case IR_ARGMAX: case IR_ARGMIN:
    axis[0] = (int)ir_int(op, A_AXIS);
    dim[0] = x->dim[axis[0]];
    return 1;
  case IR_DOT:
    dim[0] = x->dim[ir_int(op, A_BATCH) + !ir_int(op, A_TA)];
    return 1;
  case IR_CONV_DX:
    dim[0] = y->dim[0], dim[1] = y->dim[1], dim[2] = y->dim[3] / ir_int(op, A_GROUPS);
    return 3;
  case IR_CONV: case IR_CONV_DW:
    memcpy(dim, y->dim, 3 * sizeof *dim);
    return 3;
  default:
    a = ir_ints(op, A_AXES, &m);
    for (int k = 0; k < m; k++) axis[k] = (int)a[k], dim[k] = x->dim[a[k]];
    return m;
  }
}

static NestIndex operand_index(Reduce *r, const IrOp *op, const int *form) {
  const IrType *x = &op->in[0]->type;
  int axis[IR_MAX_RANK], at[IR_MAX_RANK];
  int64_t dim[IR_MAX_RANK];
  int m = axes_of(op, dim, axis);
  for (int k = 0, i = 0, j = 0; k < x->rank; k++) {
    if (i < m && axis[i] == k) at[k] = form[i++];
    else at[k] = r->ix.at[j++];
  }
  return nest_index(r->n, x, x->rank, at);
}

// ---- products: the two factors at one place ----------------------------------------------------------

static NestReg dot_factors(Reduce *r, const IrOp *op, const int *f, NestReg *second) {
  Nest *n = r->n;
  const IrType *x = &op->in[0]->type, *y = &op->in[1]->type;
  const int *ix = r->ix.at;
  int nb = (int)ir_int(op, A_BATCH), ta = (int)ir_int(op, A_TA), tb = (int)ir_int(op, A_TB);
  int a[IR_MAX_RANK], b[IR_MAX_RANK];
  for (int k = 0; k < nb; k++) a[k] = b[k] = ix[k];
  a[nb + ta] = ix[nb], a[nb + !ta] = f[0];
  b[nb + tb] = f[0], b[nb + !tb] = ix[nb + 1];
  *second = nest_value(n, op->in[1], nest_index(n, y, y->rank, b), r->mask);
  return nest_value(n, op->in[0], nest_index(n, x, x->rank, a), r->mask);
}

static NestReg conv_factors(Reduce *r, const IrOp *op, const int *f, NestReg *second) {
  Nest *n = r->n;
  const IrType *y = &op->in[1]->type;
  const int *ix = r->ix.at;
  int m, a[4], b[4], zero = nest_const(n, 0);
  LLVMValueRef exact;
  int64_t groups = ir_int(op, A_GROUPS), by[4] = { 1, 1, 1, 1 };
  const int64_t *stride = ir_ints(op, A_STRIDE, &m), *lo = ir_ints(op, A_LO, &m), *dilate = ir_ints(op, A_DILATE, &m);
  int64_t og = y->dim[3] / groups, cg = op->code == IR_CONV_DW ? op->out[0]->type.dim[2] : y->dim[2];
  int g = groups == 1 ? zero : nest_quotient(n, ix[3], op->code == IR_CONV_DX ? cg : og, &exact);
  if (op->code == IR_CONV_DX) {
    a[0] = ix[0], a[3] = nest_add(n, f[2], g, og);
    for (int k = 0; k < 2; k++) {
      a[1 + k] = nest_add(n, nest_shift(n, ix[1 + k], lo[k]), f[k], -dilate[k]);
      by[1 + k] = stride[k];
    }
    b[0] = f[0], b[1] = f[1], b[2] = nest_add(n, ix[3], g, -cg), b[3] = a[3];
  } else {
    bool dw = op->code == IR_CONV_DW;
    const int *out = dw ? f + 1 : ix + 1, *tap = dw ? ix : f;
    a[0] = dw ? f[0] : ix[0], a[3] = nest_add(n, dw ? ix[2] : f[2], g, cg);
    for (int k = 0; k < 2; k++)
      a[1 + k] = nest_shift(n, nest_add(n, nest_scale(n, out[k], stride[k]), tap[k], dilate[k]), -lo[k]);
    b[0] = f[0], b[1] = f[1], b[2] = f[2], b[3] = ix[3];
  }
  *second = nest_value(n, op->in[1], nest_index(n, y, 4, b), r->mask);
  return nest_bordered(n, op->in[0], a, by, r->mask);
}

// ---- one step ----------------------------------------------------------------------------------------

static NestReg start_of(Nest *n, const IrOp *op) {
  IrDtype t = sum_type(op);
  bool most = op->code == IR_RMAX || op->code == IR_ARGMAX;
  NestReg r;
  switch (op->code) {
  case IR_PROD: return nest_number(n, t, 1);
  case IR_ALL: return (NestReg){ .re = LLVMConstInt(gen_type(n->g, t, 1), 1, false) };
  case IR_RMAX: case IR_RMIN: case IR_ARGMAX: case IR_ARGMIN:
    if (ir_is_float(t)) r = nest_number(n, t, most ? -__builtin_inf() : __builtin_inf());
    else r = (NestReg){ .re = LLVMConstInt(gen_type(n->g, t, 1), (unsigned long long)(most ? ir_least(t) : ir_greatest(t)), true) };
    if (is_arg(op)) r.im = LLVMConstInt(gen_type(n->g, IR_I32, 1), 0, false);
    return r;
  default: return nest_number(n, t, 0);
  }
}

static LLVMValueRef vote(Nest *n, LLVMValueRef x, LLVMValueRef y, bool and) {
  return and ? LLVMBuildAnd(n->g->b, x, y, "") : LLVMBuildOr(n->g->b, x, y, "");
}

// Whether y with its index goes before x with its own: more (or NaN first), or as much at a lesser index.
static LLVMValueRef goes_first(Nest *n, const IrOp *op, NestReg x, NestReg y, bool later) {
  LLVMBuilderRef b = n->g->b;
  IrDtype t = sum_type(op);
  LLVMValueRef more = gen_binary(n->g, op->code == IR_ARGMAX ? IR_GT : IR_LT, t, y.re, x.re);
  LLVMValueRef equal = NULL;
  if (!later) equal = gen_binary(n->g, IR_EQ, t, y.re, x.re);
  if (ir_is_float(t)) {
    LLVMValueRef xn = LLVMBuildFCmp(b, LLVMRealUNO, x.re, x.re, ""), yn = LLVMBuildFCmp(b, LLVMRealUNO, y.re, y.re, "");
    more = vote(n, more, vote(n, yn, LLVMBuildNot(b, xn, ""), true), false);
    if (!later) equal = vote(n, equal, vote(n, xn, yn, true), false);
  }
  if (later) return more;
  LLVMValueRef lesser = LLVMBuildICmp(b, LLVMIntSLT, y.im, x.im, "");
  return vote(n, more, vote(n, equal, lesser, true), false);
}

// `later`: y's index is known to be greater.
static NestReg meet(Nest *n, const IrOp *op, NestReg x, NestReg y, bool later) {
  IrDtype t = sum_type(op);
  if (is_arg(op)) {
    LLVMValueRef c = goes_first(n, op, x, y, later);
    return (NestReg){ .re = LLVMBuildSelect(n->g->b, c, y.re, x.re, ""), .im = LLVMBuildSelect(n->g->b, c, y.im, x.im, "") };
  }
  switch (op->code) {
  case IR_PROD: return nest_binary(n, IR_MUL, t, x, y);
  case IR_RMAX: return nest_binary(n, IR_MAX, t, x, y);
  case IR_RMIN: return nest_binary(n, IR_MIN, t, x, y);
  case IR_ALL: return nest_binary(n, IR_AND, t, x, y);
  case IR_ANY: return nest_binary(n, IR_OR, t, x, y);
  default: return nest_binary(n, IR_ADD, t, x, y);
  }
}

static NestReg at_width(Reduce *r, NestReg x) { return r->wide ? nest_widen(r->n, x) : x; }

// A sum of products of floats is one multiply-add a term (L1 allows it here).
static bool fused(const Nest *n, const IrOp *op) {
  IrDtype t = op->in[0]->type.dtype;
  const IrOp *x = op->in[0]->op;
  return op->code == IR_SUM && (t == IR_F32 || t == IR_F64) && x && x->code == IR_MUL && nest_computes(n, op->in[0]);
}

static NestReg product_step(Reduce *r, const IrOp *op, const int *form, NestReg acc) {
  Nest *n = r->n;
  NestReg y, x = op->code == IR_DOT ? dot_factors(r, op, form, &y) : conv_factors(r, op, form, &y);
  return nest_binary(n, IR_ADD, sum_type(op), acc, nest_binary(n, IR_MUL, sum_type(op), x, y));
}

static NestReg step(Reduce *r, const IrOp *op, const int *form, NestReg acc) {
  Nest *n = r->n;
  bool tail = r->vector && n->valid < n->lanes;
  if (is_product(op)) return product_step(r, op, form, acc);
  NestIndex ix = operand_index(r, op, form);
  if (fused(n, op) && !tail) {
    const IrOp *m = op->in[0]->op;
    NestIndex ix0 = ix, ix1 = ix;
    nest_map(n, m, 0, ix, &ix0), nest_map(n, m, 1, ix, &ix1);
    NestReg x = at_width(r, nest_value(n, m->in[0], ix0, r->mask)), y = at_width(r, nest_value(n, m->in[1], ix1, r->mask));
    return (NestReg){ .re = gen_fma(n->g, x.re, y.re, acc.re) };
  }
  NestReg x = at_width(r, nest_value(n, op->in[0], ix, r->mask));
  if (is_arg(op)) {
    int f = form[0];
    x.im = nest_laned(n, f) ? nest_vector(n, f, IR_I32)
                            : LLVMBuildTrunc(n->g->b, nest_scalar(n, f), gen_type(n->g, IR_I32, 1), "");
    if (r->wide && !nest_laned(n, f)) x.im = gen_lanes(n->g, x.im, n->lanes);
  }
  NestReg y = meet(n, op, acc, x, true);
  if (!tail) return y;
  // Lanes beyond the end keep what they had.
  LLVMValueRef real = gen_first_lanes(n->g, n->lanes, n->valid);
  y.re = LLVMBuildSelect(n->g->b, real, y.re, acc.re, "");
  if (y.im) y.im = LLVMBuildSelect(n->g->b, real, y.im, acc.im, "");
  return y;
}

static NestReg unpack(const IrOp *op, LLVMValueRef **at) {
  NestReg x = { .re = *(*at)++ };
  if (registers(op) == 2) x.im = *(*at)++;
  return x;
}

static void pack(const IrOp *op, NestReg x, LLVMValueRef **at) {
  *(*at)++ = x.re;
  if (registers(op) == 2) *(*at)++ = x.im;
}

// All reductions' accumulators of one set, at the forms in r->form.
static void step_all(Reduce *r, const int *form, LLVMValueRef *acc) {
  LLVMValueRef *in = acc, *out = acc;
  for (int k = 0; k < r->nop; k++) {
    NestReg x = unpack(r->op[k], &in);
    pack(r->op[k], step(r, r->op[k], form, x), &out);
  }
}

// ---- loops --------------------------------------------------------------------------------------------

static void hoist(Reduce *r) {
  for (int k = 0; k < r->nop; k++) {
    if (is_product(r->op[k])) continue;
    IrValue *x = r->op[k]->in[0];
    nest_hoist(r->n, 1, &x, operand_index(r, r->op[k], r->form));
  }
}

// The axes of loop l stand at variable var (+ c, where they are not several made one).
static void bind(Reduce *r, const Loop *l, int var, int64_t c) {
  Nest *n = r->n;
  if (l->first == l->last) {
    r->form[l->first] = nest_shift(n, nest_of(n, var), c);
    return;
  }
  nest_digits(n, var, l->last - l->first + 1, r->dim + l->first, r->form + l->first);
}

static int fresh(Reduce *r, LLVMValueRef at, int64_t lo, int64_t hi) {
  int v = nest_var(r->n, lo, hi);
  r->n->var.at[v].at = at;
  r->n->var.at[v].level = r->n->level + !at;
  return v;
}

// Loops from depth d on wait for their variables.
static void await(Reduce *r, int d) {
  for (; d < r->nloop; d++) {
    int v = fresh(r, NULL, 0, r->loop[d].size - 1);
    r->n->var.at[v].level = r->n->level + 1 + d;
    bind(r, &r->loop[d], v, 0);
    if (r->vector && d == r->nloop - 1) r->n->lane_var = v;
  }
}

// One vector (or element) of the innermost loop, `c` behind `at`.
static void place(Reduce *r, const Loop *l, int *var, LLVMValueRef at, int64_t c, LLVMValueRef *acc, int64_t hi) {
  Nest *n = r->n;
  bool merged = l->first != l->last;
  if (!c || merged) {
    if (c) at = LLVMBuildNSWAdd(n->g->b, at, gen_i64(n->g, c), "");
    *var = fresh(r, at, 0, hi);
    if (r->vector) n->lane_var = *var;
  }
  bind(r, l, *var, merged ? 0 : c);
  step_all(r, r->form, acc);
}

static void innermost(Reduce *r, LLVMValueRef *acc) {
  Nest *n = r->n;
  Gen *g = n->g;
  const Loop *l = &r->loop[r->nloop - 1];
  int64_t lanes = r->vector ? n->lanes : 1, full = l->size / lanes, turns = full / r->unroll, done = turns * r->unroll;
  int var = 0, all = r->nacc * r->unroll;
  if (turns > 1) {
    await(r, r->nloop - 1);
    hoist(r);
    int mark = nest_mark(n);
    n->level++;
    GenLoop loop = gen_loop(g, gen_i64(g, 0), gen_i64(g, done * lanes), lanes * r->unroll, all, acc);
    LLVMValueRef *next = arena_copy(g->arena, loop.carry, sizeof *acc * (size_t)(all + 1));
    for (int u = 0; u < r->unroll; u++)
      place(r, l, &var, loop.i, u * lanes, next + u * r->nacc, (turns - 1) * r->unroll * lanes + lanes - 1);
    gen_loop_end(g, &loop, next);
    memcpy(acc, loop.carry, sizeof *acc * (size_t)all);
    n->level--;
    nest_pop(n, mark);
  } else done = 0;
  for (; done < full; done++)
    place(r, l, &var, gen_i64(g, done * lanes), 0, acc + (int)(done % r->unroll) * r->nacc, (done + 1) * lanes - 1);
  if (full * lanes == l->size) return;
  n->valid = (int)(l->size - full * lanes);
  place(r, l, &var, gen_i64(g, full * lanes), 0, acc, l->size - 1);
  n->valid = n->lanes;
}

static void run(Reduce *r, int d, LLVMValueRef *acc) {
  Nest *n = r->n;
  Gen *g = n->g;
  if (!r->nloop) {
    step_all(r, r->form, acc);
    return;
  }
  if (d == r->nloop - 1) {
    innermost(r, acc);
    return;
  }
  const Loop *l = &r->loop[d];
  int all = r->nacc * r->unroll;
  await(r, d);
  hoist(r);
  int mark = nest_mark(n);
  n->level++;
  GenLoop loop = gen_loop(g, gen_i64(g, 0), gen_i64(g, l->size), 1, all, acc);
  LLVMValueRef *next = arena_copy(g->arena, loop.carry, sizeof *acc * (size_t)(all + 1));
  bind(r, l, fresh(r, loop.i, 0, l->size - 1), 0);
  run(r, d + 1, next);
  gen_loop_end(g, &loop, next);
  memcpy(acc, loop.carry, sizeof *acc * (size_t)all);
  n->level--;
  nest_pop(n, mark);
}

// ---- the whole ---------------------------------------------------------------------------------------------

// Several axes that all operands hold one behind another are one loop.
static bool merge(Reduce *r, const int *axis) {
  if (is_product(r->op[0])) return false;
  int first = -1, last = -1;
  for (int k = 0; k < r->rank; k++) {
    if (r->dim[k] == 1) continue;
    if (first < 0) first = k;
    last = k;
  }
  if (first < 0 || first == last) return false;
  const IrType *x = &r->op[0]->in[0]->type;
  for (int k = axis[first] + 1, i = first + 1; k <= axis[last]; k++) {
    if (i <= last && axis[i] == k) i++;
    else if (x->dim[k] != 1) return false;
  }
  Loop l = { first, last, 1 };
  for (int k = first; k <= last; k++) l.size *= r->dim[k];
  r->loop[0] = l, r->nloop = 1;
  await(r, 0);
  for (int k = 0; k < r->nop; k++)
    if (!nest_whole(r->n, r->op[k]->in[0], operand_index(r, r->op[k], r->form))) return false;
  return true;
}

static void make_loops(Reduce *r, const int *axis, int vector_axis) {
  if (merge(r, axis)) return;
  int inner = -1;
  r->nloop = 0;
  for (int k = 0; k < r->rank; k++) {
    r->form[k] = nest_const(r->n, 0);
    if (r->dim[k] == 1) continue;
    if (axis[k] == vector_axis) inner = k;
    else r->loop[r->nloop++] = (Loop){ k, k, r->dim[k] };
  }
  if (inner >= 0) r->loop[r->nloop++] = (Loop){ inner, inner, r->dim[inner] };
}

static int unroll_of(const Reduce *r, int lanes) {
  if (!r->nloop) return 1;
  int64_t turns = r->loop[r->nloop - 1].size / lanes;
  int u = r->n->use->nop > 30 ? 1 : r->n->use->nop > 12 ? 2 : 4;
  while (u > 1 && (u * r->nacc > 8 || turns < u)) u /= 2;
  return u;
}

static LLVMValueRef upper(Nest *n, LLVMValueRef v, int from, int lanes) {
  LLVMTypeRef i = LLVMInt32TypeInContext(n->g->ctx);
  LLVMValueRef m[64];
  for (int k = 0; k < lanes; k++) m[k] = LLVMConstInt(i, (unsigned long long)(from + k), false);
  if (lanes == 1) return LLVMBuildExtractElement(n->g->b, v, m[0], "");
  return LLVMBuildShuffleVector(n->g->b, v, LLVMGetPoison(LLVMTypeOf(v)), LLVMConstVector(m, (unsigned)lanes), "");
}

static NestReg across(Nest *n, const IrOp *op, NestReg x, int lanes) {
  for (int half = lanes / 2; half; half /= 2) {
    NestReg lo = { .re = upper(n, x.re, 0, half) }, hi = { .re = upper(n, x.re, half, half) };
    if (x.im) lo.im = upper(n, x.im, 0, half), hi.im = upper(n, x.im, half, half);
    x = meet(n, op, lo, hi, false);
  }
  return x;
}

static NestReg finished(Nest *n, const IrOp *op, NestReg x) {
  if (is_arg(op)) return (NestReg){ .re = x.im };
  if (op->in[0]->type.dtype == IR_BF16) x.re = gen_cast(n->g, x.re, IR_F32, IR_BF16);
  return x;
}

// First indices: where nothing beats the start, lane k's own first element is the answer.
static LLVMValueRef first_index(Reduce *r, int set) {
  Nest *n = r->n;
  LLVMTypeRef t = gen_type(n->g, IR_I32, 1);
  LLVMValueRef e[64];
  if (!r->vector) return LLVMConstInt(t, (unsigned long long)set, false);
  for (int k = 0; k < n->lanes; k++) e[k] = LLVMConstInt(t, (unsigned long long)(set * n->lanes + k), false);
  return LLVMConstVector(e, (unsigned)n->lanes);
}

// Emits r->op[]; result[] takes their values.
static void reduce(Reduce *r, int vector_axis, NestReg *result) {
  Nest *n = r->n;
  int axis[IR_MAX_RANK], lanes = n->lanes, valid = n->valid, lane_var = n->lane_var;
  int64_t count = 1;
  r->rank = axes_of(r->op[0], r->dim, axis);
  for (int k = 0; k < r->rank; k++) count *= r->dim[k];
  for (int k = 0; k < r->nop; k++) r->nacc += registers(r->op[k]);
  r->vector = vector_axis >= 0 && count > 1;
  if (r->vector) n->lanes = n->valid = 2;  // merge() asks which forms differ by lane; the number comes below
  make_loops(r, axis, vector_axis);
  if (r->vector && !r->nloop) r->vector = false;
  n->lanes = lanes, n->valid = valid;
  if (r->vector) n->lanes = n->valid = nest_lanes(n, r->loop[r->nloop - 1].size);
  if (r->vector && n->lanes == 1) r->vector = false;
  if (!r->vector) n->lane_var = lane_var;
  r->wide = r->vector;
  for (int k = 0; k < r->ix.n && !r->vector; k++) r->wide = r->wide || (n->lanes > 1 && nest_laned(n, r->ix.at[k]));
  r->unroll = unroll_of(r, r->vector ? n->lanes : 1);
  LLVMValueRef *acc = arena_array(n->g->arena, LLVMValueRef, r->nacc * r->unroll), *at = acc;
  for (int u = 0; u < r->unroll; u++)
    for (int k = 0; k < r->nop; k++) {
      NestReg x = at_width(r, start_of(n, r->op[k]));
      if (is_arg(r->op[k])) x.im = first_index(r, u);
      if (is_arg(r->op[k]) && r->wide && !r->vector) x.im = gen_lanes(n->g, x.im, n->lanes);
      pack(r->op[k], x, &at);
    }
  if (count) run(r, 0, acc);
  for (int w = 1; w < r->unroll; w *= 2)
    for (int u = 0; u + w < r->unroll; u += 2 * w) {
      LLVMValueRef *x = acc + u * r->nacc, *y = acc + (u + w) * r->nacc, *to = x;
      for (int k = 0; k < r->nop; k++) {
        NestReg xr = unpack(r->op[k], &x), yr = unpack(r->op[k], &y);
        pack(r->op[k], meet(n, r->op[k], xr, yr, false), &to);
      }
    }
  at = acc;
  for (int k = 0; k < r->nop; k++) {
    NestReg x = unpack(r->op[k], &at);
    if (r->vector) x = across(n, r->op[k], x, n->lanes);
    result[k] = finished(n, r->op[k], x);
  }
  n->lanes = lanes, n->valid = valid, n->lane_var = lane_var;
}

// Short ones: every element in turn, no loop.
static NestReg unrolled(Reduce *r, int64_t count) {
  Nest *n = r->n;
  const IrOp *op = r->op[0];
  r->wide = false;
  NestReg acc = start_of(n, op);
  for (int64_t e = 0; e < count; e++) {
    int64_t rest = e;
    for (int k = r->rank - 1; k >= 0; k--) {
      r->form[k] = nest_const(n, rest % r->dim[k]);
      rest /= r->dim[k];
    }
    for (int k = 0; k < r->ix.n; k++) r->wide = r->wide || (n->lanes > 1 && nest_laned(n, r->ix.at[k]));
    if (r->wide) acc = nest_widen(n, acc);
    acc = step(r, op, r->form, acc);
  }
  return finished(n, op, acc);
}

NestReg nest_reduce(Nest *n, const IrOp *op, NestIndex ix, int mask) {
  Reduce r = { .n = n, .nop = 1, .op = { op }, .ix = ix, .mask = mask };
  int axis[IR_MAX_RANK];
  int64_t count = 1;
  r.rank = axes_of(op, r.dim, axis);
  for (int k = 0; k < r.rank; k++) count *= r.dim[k];
  if (count <= PLAN_SMALL_REDUCE) return unrolled(&r, count);
  NestReg x;
  reduce(&r, -1, &x);
  return x;
}

// ---- the large reductions of a point -----------------------------------------------------------------------------

typedef struct Wanted { const IrOp *op; NestIndex ix; int level; bool done; } Wanted;
typedef struct Search { Nest *n; VEC(Wanted) found; } Search;

static bool is_large(const IrOp *op) {
  return op && ir_info[op->code].lower == LOWER_REDUCE && !plan_small_reduce(op);
}

// How many large reductions stand behind one another up to v.
static int level_of(Nest *n, const IrValue *v) {
  struct NestLocal *l = &n->local[v->id];
  if (!v->op || !nest_computes(n, v)) return 0;
  if (l->stamp == n->stamp && l->level) return l->level - 1;
  int most = 0;
  for (int k = 0; k < v->op->nin; k++) {
    int m = level_of(n, v->op->in[k]);
    if (m > most) most = m;
  }
  most += is_large(v->op);
  if (l->stamp == n->stamp) l->level = most + 1;
  return most;
}

static void search(Search *s, const IrValue *v, NestIndex ix) {
  Nest *n = s->n;
  if (!v->op || !nest_computes(n, v) || level_of(n, v) == 0) return;
  ix = ix.linear ? ix : nest_index(n, &v->type, v->type.rank, ix.at);
  if (nest_seen(n, v, &ix)) return;
  NestReg known;
  if (nest_recall(n, (NestKey){ .kind = KEY_VALUE, .id = v->id, .ix = ix }, &known)) return;
  const IrOp *op = v->op;
  NestIndex to;
  if (is_large(op)) {
    for (int k = 0; k < ix.n; k++)
      if (!nest_defined(n, ix.at[k])) return;
    Reduce r = { .n = n, .nop = 1, .op = { op }, .ix = ix };
    int axis[IR_MAX_RANK];
    r.rank = axes_of(op, r.dim, axis);
    for (int k = 0; k < r.rank; k++) r.form[k] = nest_of(n, fresh(&r, NULL, 0, r.dim[k] - 1));
    search(s, op->in[0], operand_index(&r, op, r.form));
    vec_push(n->g->arena, &s->found, ((Wanted){ op, ix, level_of(n, v), false }));
    return;
  }
  enum IrLower l = ir_info[op->code].lower;
  if (l != LOWER_ELEMENT && l != LOWER_INDEX && l != LOWER_VIEW) return;
  for (int k = 0; k < op->nin; k++)
    if (nest_map(n, op, k, ix, &to)) search(s, op->in[k], to);
}

static bool same_space(const Wanted *x, const Wanted *y) {
  int64_t dx[IR_MAX_RANK], dy[IR_MAX_RANK];
  int ax[IR_MAX_RANK], ay[IR_MAX_RANK];
  int m = axes_of(x->op, dx, ax);
  IrType tx = x->op->in[0]->type, ty = y->op->in[0]->type;
  ty.dtype = tx.dtype;
  return m == axes_of(y->op, dy, ay) && !memcmp(ax, ay, sizeof *ax * (size_t)m) && ir_type_eq(&tx, &ty) &&
         x->ix.n == y->ix.n && !memcmp(x->ix.at, y->ix.at, sizeof *x->ix.at * (size_t)x->ix.n);
}

void nest_reductions(Nest *n, int nvalue, IrValue *const *v, NestIndex ix) {
  Search s = { .n = n };
  int vector_axis = n->node->vector - n->node->rank;
  for (int k = 0; k < nvalue; k++) search(&s, v[k], ix);
  nest_forget(n);
  // Operands come before users; those of one level and one space share a loop.
  for (int i = 0; i < s.found.n; i++) {
    Wanted *w = &s.found.at[i];
    if (w->done) continue;
    Reduce r = { .n = n, .ix = w->ix };
    NestReg result[MOST];
    for (int j = i; j < s.found.n && r.nop < MOST; j++) {
      Wanted *x = &s.found.at[j];
      if (x->done || x->level != w->level || !same_space(w, x)) continue;
      r.op[r.nop++] = x->op;
      x->done = true;
    }
    int axis[IR_MAX_RANK], m = axes_of(w->op, r.dim, axis);
    bool along = false;
    for (int k = 0; k < m; k++) along = along || axis[k] == vector_axis;
    reduce(&r, n->lanes == 1 && along ? vector_axis : -1, result);
    for (int k = 0; k < r.nop; k++)
      nest_remember(n, (NestKey){ .kind = KEY_VALUE, .id = r.op[k]->out[0]->id, .ix = w->ix }, result[k]);
  }
}
