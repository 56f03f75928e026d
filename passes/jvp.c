// Forward rules: the tangent of each op's results from the tangents of its operands.
// A rule emits arithmetic that is linear in the tangents, as few ops as it can, and prefers the
// op's result to recomputing it. Called only when some operand has a tangent and some result wants one.
#include "passes/autodiff.h"

#define B (&ad->b)
#define X(k) (j->x[k])
#define DX(k) (j->dx[k])
#define Y (j->y[0])
#define DY (j->dy[0])

static IrValue *mul(Ad *ad, IrValue *x, IrValue *y) { return ir_bin(&ad->b, IR_MUL, x, y); }
static IrValue *divide(Ad *ad, IrValue *x, IrValue *y) { return ir_bin(&ad->b, IR_DIV, x, y); }
static IrValue *sub(Ad *ad, IrValue *x, IrValue *y) { return ir_bin(&ad->b, IR_SUB, x, y); }
static IrValue *neg(Ad *ad, IrValue *x) { return ir_un(&ad->b, IR_NEG, x); }
static IrValue *scale(Ad *ad, IrValue *x, double c) { return mul(ad, x, ad_fill(ad, x, c)); }

// x + y, either NULL for zero.
static IrValue *sum(Ad *ad, IrValue *x, IrValue *y) {
  return !x ? y : !y ? x : ir_bin(&ad->b, IR_ADD, x, y);
}

static bool wants_result(Ad *ad, Jvp *j, int k) { return ad_has(ad, j->op->out[k], AD_USEFUL); }

static IrValue *or_zero(Ad *ad, IrValue *dx, IrValue *like) { return dx ? dx : ad_zero(ad, like); }

// ---- kinds
static void jvp_zero(Ad *ad, Jvp *j) {
  (void)ad;
  ICE("a tangent through `%s`, whose derivative is zero", ir_info[j->op->code].name);
}

static void jvp_linear(Ad *ad, Jvp *j) {
  IrCode c = j->op->code;
  if (c == IR_ADD) {
    DY = sum(ad, DX(0), DX(1));
  } else if (c == IR_SUB) {
    DY = !DX(1) ? DX(0) : !DX(0) ? neg(ad, DX(1)) : sub(ad, DX(0), DX(1));
  } else {
    IrValue **in = arena_array(ad->c->arena, IrValue *, j->op->nin);
    for (int k = 0; k < j->op->nin; k++) in[k] = or_zero(ad, DX(k), X(k));
    DY = ad_like(ad, j->op, in, &Y->type);
  }
}

static void jvp_bilinear(Ad *ad, Jvp *j) {
  if (j->op->code == IR_MUL && X(0) == X(1)) {
    IrValue *half = mul(ad, X(0), DX(0));
    DY = sum(ad, half, half);
    return;
  }
  IrValue *left[2] = {DX(0), X(1)}, *right[2] = {X(0), DX(1)};
  DY = sum(ad, DX(0) ? ad_like(ad, j->op, left, &Y->type) : NULL,
           DX(1) ? ad_like(ad, j->op, right, &Y->type) : NULL);
}

// ---- elementwise, one operand
static void jvp_abs(Ad *ad, Jvp *j) {
  if (!ir_is_complex(X(0)->type.dtype)) {
    DY = mul(ad, DX(0), ir_un(B, IR_SIGN, X(0)));
    return;
  }
  // Re(conj(x) dx) / |x|, 0 where x is
  IrValue *zero = ir_bin(B, IR_EQ, Y, ad_zero(ad, Y));
  IrValue *re = ir_un(B, IR_REAL, mul(ad, DX(0), ir_un(B, IR_CONJ, X(0))));
  DY = divide(ad, re, ir_select(B, zero, ad_fill(ad, Y, 1), Y));
}

static void jvp_exp(Ad *ad, Jvp *j) { DY = mul(ad, DX(0), Y); }
static void jvp_log(Ad *ad, Jvp *j) { DY = divide(ad, DX(0), X(0)); }
static void jvp_expm1(Ad *ad, Jvp *j) { DY = mul(ad, DX(0), sum(ad, Y, ad_fill(ad, Y, 1))); }
static void jvp_log1p(Ad *ad, Jvp *j) { DY = divide(ad, DX(0), sum(ad, X(0), ad_fill(ad, Y, 1))); }
static void jvp_sin(Ad *ad, Jvp *j) { DY = mul(ad, DX(0), ir_un(B, IR_COS, X(0))); }
static void jvp_cos(Ad *ad, Jvp *j) { DY = mul(ad, DX(0), neg(ad, ir_un(B, IR_SIN, X(0)))); }
static void jvp_tanh(Ad *ad, Jvp *j) { DY = mul(ad, DX(0), sub(ad, ad_fill(ad, Y, 1), mul(ad, Y, Y))); }

static void jvp_sigmoid(Ad *ad, Jvp *j) {
  DY = mul(ad, DX(0), mul(ad, Y, sub(ad, ad_fill(ad, Y, 1), Y)));
}

static void jvp_sqrt(Ad *ad, Jvp *j) { DY = mul(ad, DX(0), divide(ad, ad_fill(ad, Y, 0.5), Y)); }

static void jvp_rsqrt(Ad *ad, Jvp *j) {
  DY = mul(ad, DX(0), scale(ad, mul(ad, Y, mul(ad, Y, Y)), -0.5));
}

static void jvp_erf(Ad *ad, Jvp *j) {
  IrValue *gauss = ir_un(B, IR_EXP, neg(ad, mul(ad, X(0), X(0))));
  DY = mul(ad, DX(0), scale(ad, gauss, 1.1283791670955126));   // 2 / sqrt(pi)
}

static void jvp_erfinv(Ad *ad, Jvp *j) {
  IrValue *gauss = ir_un(B, IR_EXP, mul(ad, Y, Y));
  DY = mul(ad, DX(0), scale(ad, gauss, 0.8862269254527580));   // sqrt(pi) / 2
}

static void jvp_lgamma(Ad *ad, Jvp *j) { DY = mul(ad, DX(0), ir_un(B, IR_DIGAMMA, X(0))); }

static IrValue *polygamma(Ad *ad, int64_t n, IrValue *x) {
  IrAttr at = ir_attr_int(ad->c->arena, A_N, n);
  return ir_build(B, IR_POLYGAMMA, 1, &x, NULL, 1, &at, 0, NULL)->out[0];
}

static void jvp_digamma(Ad *ad, Jvp *j) { DY = mul(ad, DX(0), polygamma(ad, 1, X(0))); }

static void jvp_polygamma(Ad *ad, Jvp *j) {
  int64_t n = ir_int(j->op, A_N);
  if (n < IR_MAX_ORDER) DY = mul(ad, DX(0), polygamma(ad, n + 1, X(0)));
  else ad_refuse(ad, j->op, "put `stop_grad` around its operand if no gradient is to flow through it",
                 "`polygamma` of order %d, the greatest there is, cannot be differentiated", IR_MAX_ORDER);
}

static void jvp_after(Ad *ad, Jvp *j) { if (DX(0)) DY = ir_bin(B, IR_AFTER, DX(0), X(1)); }

static void jvp_cast(Ad *ad, Jvp *j) { DY = ir_cast(B, DX(0), Y->type.dtype); }

// ---- elementwise, two and three operands
// (dx - y dz) / z: one division, whichever operands vary.
static void jvp_div(Ad *ad, Jvp *j) {
  IrValue *up = DX(1) ? mul(ad, DX(1), Y) : NULL;
  up = !up ? DX(0) : !DX(0) ? neg(ad, up) : sub(ad, DX(0), up);
  DY = divide(ad, up, X(1));
}

static void jvp_mod(Ad *ad, Jvp *j) {
  if (!DX(1)) {
    DY = DX(0);
    return;
  }
  IrValue *turns = neg(ad, ir_un(B, IR_FLOOR, divide(ad, X(0), X(1))));
  DY = sum(ad, DX(0), mul(ad, DX(1), turns));
}

static bool is_const(const IrValue *v) {
  while (v->op && (v->op->code == IR_BROADCAST || v->op->code == IR_RESHAPE)) v = v->op->in[0];
  return v->op && v->op->code == IR_CONST;
}

// d/dx: z x^(z-1), and 0 where z is 0. d/dz: x^z log x, and 0 where x is 0.
static void jvp_pow(Ad *ad, Jvp *j) {
  IrValue *dx = NULL, *dz = NULL, *one = ad_fill(ad, Y, 1);
  if (DX(0)) {
    IrValue *less = sub(ad, X(1), one);
    if (!is_const(X(1))) less = ir_select(B, ir_bin(B, IR_EQ, X(1), ad_zero(ad, Y)), one, less);
    dx = mul(ad, DX(0), mul(ad, X(1), ir_bin(B, IR_POW, X(0), less)));
  }
  if (DX(1)) {
    IrValue *safe = ir_select(B, ir_bin(B, IR_EQ, X(0), ad_zero(ad, Y)), one, X(0));
    dz = mul(ad, DX(1), mul(ad, Y, ir_un(B, IR_LOG, safe)));
  }
  DY = sum(ad, dx, dz);
}

// Weight of x: 1 where it wins, 1/2 where both are equal (L7). y has the rest.
static void jvp_max(Ad *ad, Jvp *j) {
  IrValue *wins = ir_bin(B, j->op->code == IR_MAX ? IR_GT : IR_LT, X(0), X(1));
  IrValue *tie = ir_bin(B, IR_EQ, X(0), X(1)), *one = ad_fill(ad, Y, 1);
  IrValue *w = ir_select(B, wins, one, ir_select(B, tie, ad_fill(ad, Y, 0.5), ad_zero(ad, Y)));
  DY = sum(ad, DX(0) ? mul(ad, DX(0), w) : NULL, DX(1) ? mul(ad, DX(1), sub(ad, one, w)) : NULL);
}

static void jvp_atan2(Ad *ad, Jvp *j) {
  IrValue *norm = sum(ad, mul(ad, X(0), X(0)), mul(ad, X(1), X(1)));
  IrValue *a = DX(0) ? mul(ad, DX(0), divide(ad, X(1), norm)) : NULL;
  IrValue *b = DX(1) ? mul(ad, DX(1), neg(ad, divide(ad, X(0), norm))) : NULL;
  DY = sum(ad, a, b);
}

// y = select(x <= c, c, x) is at most c where x is: the way back reads y, and x need not be kept.
static bool told_by_result(const Jvp *j) {
  const IrOp *p = X(0)->op;
  return p && p->code == IR_LE && p->in[0] == X(2) && p->in[1] == X(1) && !DX(1);
}

static void jvp_select(Ad *ad, Jvp *j) {
  IrValue *p = told_by_result(j) ? ir_bin(B, IR_LE, Y, X(1)) : X(0);
  DY = ir_select(B, p, or_zero(ad, DX(1), X(1)), or_zero(ad, DX(2), X(2)));
}

// ---- shape
// The op on the tangents of its first n operands, the rest (indices) as they are.
static void on_tangents(Ad *ad, Jvp *j, int n) {
  IrValue **in = arena_array(ad->c->arena, IrValue *, j->op->nin);
  for (int k = 0; k < j->op->nin; k++) in[k] = k < n ? or_zero(ad, DX(k), X(k)) : X(k);
  DY = ad_like(ad, j->op, in, NULL);
}

static void jvp_dyn_slice(Ad *ad, Jvp *j) { on_tangents(ad, j, 1); }
static void jvp_dyn_update(Ad *ad, Jvp *j) { on_tangents(ad, j, 2); }
static void jvp_gather(Ad *ad, Jvp *j) { on_tangents(ad, j, 1); }

static IrValue *as_float(Ad *ad, IrValue *mask, const IrValue *like) { return ir_cast(&ad->b, mask, like->type.dtype); }

// set and add are linear in x and u together. max and min: the mean over x[i] and all u written to i
// of those that are equal to the result (L7).
static void jvp_scatter(Ad *ad, Jvp *j) {
  int64_t mode = ir_int(j->op, A_MODE);
  int nb = (int)ir_int(j->op, A_BATCH);
  IrValue *dx = DX(0), *du = DX(2);
  if (mode == SCATTER_ADD && !du) {
    DY = dx;
  } else if (mode == SCATTER_SET || mode == SCATTER_ADD) {
    DY = ir_scatter(B, or_zero(ad, dx, X(0)), X(1), or_zero(ad, du, X(2)), nb, (IrScatter)mode);
  } else {
    IrValue *mx = as_float(ad, ir_bin(B, IR_EQ, X(0), Y), Y);
    IrValue *mu = as_float(ad, ir_bin(B, IR_EQ, X(2), ir_gather(B, Y, X(1), nb)), Y);
    IrValue *count = ir_scatter(B, mx, X(1), mu, nb, SCATTER_ADD);
    IrValue *t = dx ? mul(ad, dx, mx) : ad_zero(ad, Y);
    if (du) t = ir_scatter(B, t, X(1), mul(ad, du, mu), nb, SCATTER_ADD);
    DY = divide(ad, t, count);
  }
}

// ---- reductions
// A reduction's result (or what has its shape) spread over the axes it reduced.
static IrValue *spread_back(Ad *ad, const IrOp *op, IrValue *y, const IrValue *x) {
  int n, kept = 0;
  const int64_t *axes = ir_ints(op, A_AXES, &n);
  int64_t keep[IR_MAX_RANK];
  for (int a = 0, k = 0; a < x->type.rank; a++)
    if (k < n && axes[k] == a) k++;
    else keep[kept++] = a;
  IrType t = x->type;
  t.dtype = y->type.dtype;
  return ir_broadcast(&ad->b, y, t, keep);
}

static void jvp_rmax(Ad *ad, Jvp *j) {
  int n;
  const int64_t *axes = ir_ints(j->op, A_AXES, &n);
  IrValue *m = as_float(ad, ir_bin(B, IR_EQ, X(0), spread_back(ad, j->op, Y, X(0))), Y);
  IrValue *count = ir_reduce(B, IR_SUM, m, n, axes);
  DY = divide(ad, ir_reduce(B, IR_SUM, mul(ad, DX(0), m), n, axes), count);
}

// x with the listed axes last, as one axis: [rest.., n]. `perm` receives where the axes went.
static IrValue *gather_axes(Ad *ad, IrValue *x, int naxes, const int64_t *axes, int64_t *perm) {
  int at = 0, rank = x->type.rank;
  int64_t dim[IR_MAX_RANK + 1], n = 1;
  for (int a = 0; a < rank; a++) {
    bool listed = false;
    for (int k = 0; k < naxes; k++) listed |= axes[k] == a;
    if (!listed) perm[at] = a, dim[at++] = x->type.dim[a];
  }
  int rest = at;
  for (int k = 0; k < naxes; k++) perm[at++] = axes[k], n *= x->type.dim[axes[k]];
  dim[rest] = n;
  return ir_reshape(&ad->b, ir_transpose(&ad->b, x, perm), rest + 1, dim);
}

// The inverse of gather_axes for an array of like's shape.
static IrValue *ungather_axes(Ad *ad, IrValue *y, const IrValue *like, const int64_t *perm) {
  int64_t dim[IR_MAX_RANK], back[IR_MAX_RANK];
  for (int k = 0; k < like->type.rank; k++) dim[k] = like->type.dim[perm[k]], back[perm[k]] = k;
  return ir_transpose(&ad->b, ir_reshape(&ad->b, y, like->type.rank, dim), back);
}

static IrValue *cumulate(Ad *ad, IrCode c, IrValue *x, int axis, bool reverse) {
  IrAttr at[2] = {ir_attr_int(ad->c->arena, A_AXIS, axis), ir_attr_int(ad->c->arena, A_REVERSE, reverse)};
  return ir_build(&ad->b, c, 1, &x, NULL, 2, at, 0, NULL)->out[0];
}

// x moved one place along an axis, away from its front (its back, if reverse); `v` moves in.
static IrValue *shift(Ad *ad, IrValue *x, int axis, bool reverse, double v) {
  int64_t start[IR_MAX_RANK] = {0}, limit[IR_MAX_RANK], stride[IR_MAX_RANK];
  int rank = x->type.rank;
  for (int a = 0; a < rank; a++) limit[a] = x->type.dim[a], stride[a] = 1;
  IrType t = x->type;
  t.dim[axis] = 1;
  IrValue *edge = ir_fill(&ad->b, t, v);
  if (reverse) start[axis] = 1;
  else limit[axis]--;
  IrValue *rest = ir_slice(&ad->b, x, start, limit, stride);
  IrValue *part[2] = {reverse ? rest : edge, reverse ? edge : rest};
  return ir_concat(&ad->b, 2, part, axis);
}

// The factor of x[i] is the product of all others: of those before it times those behind it, so that
// zeros do no harm.
static void jvp_prod(Ad *ad, Jvp *j) {
  int n;
  const int64_t *axes = ir_ints(j->op, A_AXES, &n);
  int64_t perm[IR_MAX_RANK];
  IrValue *x = X(0);
  int64_t count = 1;
  for (int k = 0; k < n; k++) count *= x->type.dim[axes[k]];
  if (count <= 1) {
    DY = ir_reduce(B, IR_SUM, DX(0), n, axes);
    return;
  }
  IrValue *flat = gather_axes(ad, x, n, axes, perm);
  int last = flat->type.rank - 1;
  IrValue *before = shift(ad, cumulate(ad, IR_CUMPROD, flat, last, false), last, false, 1);
  IrValue *behind = shift(ad, cumulate(ad, IR_CUMPROD, flat, last, true), last, true, 1);
  IrValue *others = ungather_axes(ad, mul(ad, before, behind), x, perm);
  DY = ir_reduce(B, IR_SUM, mul(ad, DX(0), others), n, axes);
}

static IrValue *axis_first(Ad *ad, IrValue *x, int axis, bool back) {
  int64_t perm[IR_MAX_RANK], inverse[IR_MAX_RANK];
  perm[0] = axis;
  for (int a = 0, k = 1; a < x->type.rank; a++)
    if (a != axis) perm[k++] = a;
  for (int k = 0; k < x->type.rank; k++) inverse[perm[k]] = k;
  return ir_transpose(&ad->b, x, back ? inverse : perm);
}

// dy[i] = x[i] dy[i-1] + y[i-1] dx[i]: a scan along the axis, right where some x are zero.
static void jvp_cumprod(Ad *ad, Jvp *j) {
  int axis = (int)ir_int(j->op, A_AXIS);
  bool reverse = ir_int(j->op, A_REVERSE) != 0;
  int64_t n = Y->type.dim[axis];
  if (n == 0) return;
  IrValue *before = shift(ad, Y, axis, reverse, 1);
  IrValue *xs[4] = {NULL, axis_first(ad, X(0), axis, false), axis_first(ad, before, axis, false),
                    axis_first(ad, DX(0), axis, false)};
  IrType turn = ir_type(Y->type.dtype, Y->type.rank - 1, xs[1]->type.dim + 1);
  xs[0] = ir_fill(B, turn, 0);
  IrRegion *body = ir_region(ad->g);
  ir_arg(body, ir_scalar(IR_I32));
  IrValue *t = ir_arg(body, turn), *x = ir_arg(body, turn), *y = ir_arg(body, turn), *dx = ir_arg(body, turn);
  ad_mark(ad, t, AD_LINEAR);
  ad_mark(ad, dx, AD_LINEAR);
  IrBuilder saved;
  ad_enter(ad, body, &saved);
  IrValue *left = mul(ad, t, x), *right = mul(ad, dx, y), *next = sum(ad, left, right);
  ad_mark(ad, left, AD_LINEAR);
  ad_mark(ad, right, AD_LINEAR);
  ad_mark(ad, next, AD_LINEAR);
  ir_yield(body, next);
  ir_yield(body, next);
  ad->b = saved;
  Arena *a = ad->c->arena;
  IrAttr at[3] = {ir_attr_int(a, A_N, n), ir_attr_int(a, A_REVERSE, reverse), ir_attr_int(a, A_NCARRY, 1)};
  IrOp *scan = ir_build(B, IR_SCAN, 4, xs, NULL, 3, at, 1, &body);
  DY = axis_first(ad, scan->out[1], axis, true);
}

// The tangent of the element that is the greatest so far; of equal ones, the first met.
static void jvp_cummax(Ad *ad, Jvp *j) {
  int axis = (int)ir_int(j->op, A_AXIS);
  bool reverse = ir_int(j->op, A_REVERSE) != 0;
  int64_t n = Y->type.dim[axis], one = axis, perm[IR_MAX_RANK];
  if (ir_count(&Y->type) == 0) return;
  IrType index = Y->type;
  index.dtype = IR_I32;
  IrValue *place = ir_iota(B, index, axis), *last = ir_fill(B, index, (double)(n - 1));
  if (reverse) place = sub(ad, last, place);
  IrValue *fresh = ir_bin(B, IR_GT, X(0), shift(ad, Y, axis, reverse, 0));
  fresh = ir_bin(B, IR_AND, fresh, ir_bin(B, IR_GT, place, ir_fill(B, index, 0)));
  IrValue *met = ir_select(B, fresh, place, ir_fill(B, index, 0));
  met = cumulate(ad, IR_CUMMAX, met, axis, reverse);
  if (reverse) met = sub(ad, last, met);
  IrValue *rows = gather_axes(ad, DX(0), 1, &one, perm), *at = gather_axes(ad, met, 1, &one, perm);
  int64_t flat[2] = {ir_count(&Y->type) / n, n};
  rows = ir_gather(B, ir_reshape(B, rows, 2, flat), ir_reshape(B, at, 2, flat), 1);
  DY = ungather_axes(ad, rows, Y, perm);
}

// ---- linear algebra
// Over the last two axes of like: `below` under the diagonal, `on` on it, 0 above.
static IrValue *triangle(Ad *ad, const IrValue *like, double below, double on) {
  int rank = like->type.rank;
  IrType index = like->type;
  index.dtype = IR_I32;
  IrValue *row = ir_iota(&ad->b, index, rank - 2), *col = ir_iota(&ad->b, index, rank - 1);
  IrValue *w = ir_select(&ad->b, ir_bin(&ad->b, IR_GT, row, col), ad_fill(ad, like, below), ad_zero(ad, like));
  return ir_select(&ad->b, ir_bin(&ad->b, IR_EQ, row, col), ad_fill(ad, like, on), w);
}

static IrValue *swap_last(Ad *ad, IrValue *x) {
  int64_t perm[IR_MAX_RANK];
  for (int a = 0; a < x->type.rank; a++) perm[a] = a;
  perm[x->type.rank - 2] = x->type.rank - 1;
  perm[x->type.rank - 1] = x->type.rank - 2;
  return ir_transpose(&ad->b, x, perm);
}

static IrValue *solve(Ad *ad, IrValue *l, IrValue *x, bool ta) {
  IrValue *in[2] = {l, x};
  IrAttr at = ir_attr_int(ad->c->arena, A_TA, ta);
  return ir_build(&ad->b, IR_TRISOLVE, 2, in, NULL, 1, &at, 0, NULL)->out[0];
}

// dl = l phi(l^-1 dx l^-T), phi: the lower half, with half the diagonal; dx from its lower half.
static void jvp_cholesky(Ad *ad, Jvp *j) {
  IrValue *half = triangle(ad, Y, 1, 0.5), *low = mul(ad, DX(0), half);
  IrValue *sym = sum(ad, low, swap_last(ad, low));
  IrValue *inner = solve(ad, Y, swap_last(ad, solve(ad, Y, sym, false)), false);
  DY = ir_dot(B, Y, mul(ad, inner, half), Y->type.rank - 2, false, false);
}

// l y = x: l dy = dx - dl y, with what lies above dl's diagonal left out, as the op does.
static void jvp_trisolve(Ad *ad, Jvp *j) {
  bool ta = ir_int(j->op, A_TA) != 0;
  IrValue *rhs = DX(1);
  if (DX(0)) {
    IrValue *dl = mul(ad, DX(0), triangle(ad, X(0), 1, 1));
    IrValue *move = ir_dot(B, dl, Y, Y->type.rank - 2, ta, false);
    rhs = rhs ? sub(ad, rhs, move) : neg(ad, move);
  }
  DY = solve(ad, X(0), rhs, ta);
}

static IrValue *product(Ad *ad, IrValue *x, IrValue *y, bool tx, bool ty) {
  return ir_dot(&ad->b, x, y, x->type.rank - 2, tx, ty);
}

static IrValue *conjugate(Ad *ad, IrValue *x) { return ir_is_complex(x->type.dtype) ? ir_un(&ad->b, IR_CONJ, x) : x; }

// x r^-1 for upper r.
static IrValue *over_upper(Ad *ad, IrValue *x, IrValue *r) {
  return swap_last(ad, solve(ad, swap_last(ad, r), swap_last(ad, x), false));
}

// With x = dA r^-1 and w the skew matrix whose lower half is q^T x's: dq = x + q (w - q^T x), dr = (q^T x - w) r.
// Walter, Lehmann 2012.
static void jvp_qr(Ad *ad, Jvp *j) {
  IrValue *q = j->y[0], *r = j->y[1];
  IrValue *x = over_upper(ad, DX(0), r), *qx = product(ad, q, x, true, false);
  IrValue *low = mul(ad, qx, triangle(ad, r, 1, 0));
  IrValue *rest = sub(ad, qx, sub(ad, low, swap_last(ad, low)));
  j->dy[0] = sub(ad, x, product(ad, q, rest, false, false));
  j->dy[1] = product(ad, rest, r, false, false);
}

// With m = l^-1 dA[perm] u^-1: dl = l (m below the diagonal), du = (the rest of m) u.
static void jvp_lu(Ad *ad, Jvp *j) {
  IrValue *lu = j->y[0], *below = triangle(ad, lu, 1, 0), *upper = sub(ad, ad_fill(ad, lu, 1), below);
  IrValue *l = sum(ad, mul(ad, lu, below), triangle(ad, lu, 0, 1)), *u = mul(ad, lu, upper);
  IrValue *rows = ir_gather(B, DX(0), j->y[1], lu->type.rank - 2);
  IrValue *m = over_upper(ad, solve(ad, l, rows, false), u);
  IrValue *dl = product(ad, l, mul(ad, m, below), false, false), *du = product(ad, mul(ad, m, upper), u, false, false);
  j->dy[0] = sum(ad, dl, du);
}

// w [.., n] along the last axis (or the one before) of [.., n, n].
static IrValue *along(Ad *ad, IrValue *w, bool last) {
  int64_t axes[IR_MAX_RANK];
  int nb = w->type.rank - 1;
  IrType t = w->type;
  t.dim[t.rank++] = w->type.dim[nb];
  for (int k = 0; k < nb; k++) axes[k] = k;
  axes[nb] = last ? nb + 1 : nb;
  return ir_broadcast(&ad->b, w, t, axes);
}

// 1 / x, and 0 where x is 0: of equal eigenvalues, the vectors stay as they are.
static IrValue *inverse_or_zero(Ad *ad, IrValue *x) {
  IrValue *zero = ir_bin(&ad->b, IR_EQ, x, ad_zero(ad, x)), *one = ad_fill(ad, x, 1);
  return ir_select(&ad->b, zero, ad_zero(ad, x), divide(ad, one, ir_select(&ad->b, zero, one, x)));
}

static IrValue *diagonal(Ad *ad, IrValue *x) {
  int64_t last = x->type.rank - 1;
  return ir_reduce(&ad->b, IR_SUM, mul(ad, x, triangle(ad, x, 0, 1)), 1, &last);
}

// With m = v^H dA v: dw = diag m, dv = v (m / (w_j - w_i)). The phase of complex vectors carries no derivative.
static void jvp_eigh(Ad *ad, Jvp *j) {
  IrValue *w = j->y[0], *v = j->y[1], *low = mul(ad, DX(0), triangle(ad, DX(0), 1, 0.5));
  IrValue *sym = sum(ad, low, conjugate(ad, swap_last(ad, low)));
  IrValue *m = product(ad, conjugate(ad, v), product(ad, sym, v, false, false), true, false);
  IrValue *gap = inverse_or_zero(ad, sub(ad, along(ad, w, true), along(ad, w, false)));
  j->dy[0] = diagonal(ad, ir_is_complex(m->type.dtype) ? ir_un(B, IR_REAL, m) : m);
  if (wants_result(ad, j, 1)) j->dy[1] = product(ad, v, mul(ad, m, ir_cast(B, gap, m->type.dtype)), false, false);
}

// With p = u^T dA v: ds = diag p; du and dv by the antisymmetric parts over s_j^2 - s_i^2, and of du
// what is orthogonal to u. Townsend 2016.
static void jvp_svd(Ad *ad, Jvp *j) {
  IrValue *u = j->y[0], *s = j->y[1], *v = j->y[2];
  IrValue *av = product(ad, DX(0), v, false, false), *p = product(ad, u, av, true, false), *pt = swap_last(ad, p);
  IrValue *sj = along(ad, s, true), *si = along(ad, s, false);
  j->dy[1] = diagonal(ad, p);
  if (!wants_result(ad, j, 0) && !wants_result(ad, j, 2)) return;
  IrValue *gap = inverse_or_zero(ad, mul(ad, sub(ad, sj, si), sum(ad, sj, si)));
  IrValue *left = mul(ad, gap, sum(ad, mul(ad, p, sj), mul(ad, pt, si)));
  IrValue *right = mul(ad, gap, sum(ad, mul(ad, p, si), mul(ad, pt, sj)));
  j->dy[0] = product(ad, u, left, false, false);
  j->dy[2] = product(ad, v, right, false, false);
  int rank = u->type.rank;
  if (u->type.dim[rank - 2] == u->type.dim[rank - 1]) return;
  int64_t axes[IR_MAX_RANK];
  for (int k = 0; k < rank - 2; k++) axes[k] = k;
  axes[rank - 2] = rank - 1;
  IrValue *inverse = ir_broadcast(B, inverse_or_zero(ad, s), u->type, axes);
  j->dy[0] = sum(ad, j->dy[0], mul(ad, sub(ad, av, product(ad, u, p, false, false)), inverse));
}

// With m = u dA v: dw = diag m, dv = v g, du = -g u, g = m / (w_j - w_i) off the diagonal. The scale of the
// vectors carries no derivative.
static void jvp_eig(Ad *ad, Jvp *j) {
  IrValue *w = j->y[0], *v = j->y[1], *u = j->y[2];
  IrValue *m = product(ad, u, product(ad, ir_cast(B, DX(0), v->type.dtype), v, false, false), false, false);
  j->dy[0] = diagonal(ad, m);
  if (!wants_result(ad, j, 1) && !wants_result(ad, j, 2)) return;
  IrValue *g = mul(ad, m, inverse_or_zero(ad, sub(ad, along(ad, w, true), along(ad, w, false))));
  j->dy[1] = product(ad, v, g, false, false);
  j->dy[2] = neg(ad, product(ad, g, u, false, false));
}

// ---- control, forward mode: one op over values and tangents together
static bool wants(Ad *ad, const IrValue *v) { return ad_has(ad, v, AD_USEFUL); }

typedef VEC(IrValue *) Values;

static IrOp *rebuild(Ad *ad, Jvp *j, Values *in, IrRegion *const *sub, int nattr, const IrAttr *attr) {
  return ir_build(&ad->b, j->op->code, in->n, in->at, NULL, nattr, attr, j->op->nregion, sub);
}

// Operands from..to of a loop, and the arguments of its new body that receive them.
static void pass_values(Ad *ad, Jvp *j, IrRegion *body, int from, int to, Values *in) {
  IrValue **arg = j->op->sub[0]->arg + 1;
  for (int k = from; k < to; k++) {
    ad_set_map(ad, arg[k], ir_arg(body, arg[k]->type));
    vec_push(ad->c->arena, in, X(k));
  }
}

// Operands: carries, their tangents, slices, their tangents; results likewise.
static void loop_forward(Ad *ad, Jvp *j) {
  const IrOp *op = j->op;
  Arena *a = ad->c->arena;
  IrRegion *src = op->sub[0], *body = ir_region(ad->g);
  int nc = ad_carries(op), nt = 0;
  Values in = {0};
  ad_set_map(ad, src->arg[0], ir_arg(body, ir_scalar(IR_I32)));
  pass_values(ad, j, body, 0, nc, &in);
  for (int k = 0; k < nc; k++)
    if (wants(ad, src->arg[1 + k])) {
      ad_set_tan(ad, src->arg[1 + k], ir_arg(body, src->arg[1 + k]->type));
      vec_push(a, &in, or_zero(ad, DX(k), X(k)));
      nt++;
    }
  pass_values(ad, j, body, nc, op->nin, &in);
  for (int k = nc; k < op->nin; k++)
    if (wants(ad, src->arg[1 + k]) && DX(k)) {
      ad_set_tan(ad, src->arg[1 + k], ir_arg(body, src->arg[1 + k]->type));
      vec_push(a, &in, DX(k));
    }
  IrBuilder saved;
  ad_enter(ad, body, &saved);
  jvp_region(ad, src);
  for (int k = 0; k < nc; k++) ir_yield(body, ad_map(ad, src->yield[k]));
  for (int k = 0; k < nc; k++)
    if (wants(ad, src->arg[1 + k])) ir_yield(body, or_zero(ad, ad_tan(ad, src->yield[k]), src->yield[k]));
  for (int k = nc; k < op->nout; k++) ir_yield(body, ad_map(ad, src->yield[k]));
  for (int k = nc; k < op->nout; k++)
    if (wants(ad, op->out[k]) && ad_tan(ad, src->yield[k])) ir_yield(body, ad_tan(ad, src->yield[k]));
  ad->b = saved;
  IrAttr at[3] = {ir_attr_int(a, A_N, ir_int(op, A_N)), ir_attr_int(a, A_REVERSE, ir_int(op, A_REVERSE)),
                  ir_attr_int(a, A_NCARRY, nc + nt)};
  IrOp *to = rebuild(ad, j, &in, &body, op->code == IR_MAP ? 1 : 3, at);
  for (int k = 0, r = nc, s = nc + nt + (op->nout - nc); k < op->nout; k++) {
    j->y[k] = to->out[k < nc ? k : k + nt];
    if (k < nc) j->dy[k] = wants(ad, src->arg[1 + k]) ? to->out[r++] : NULL;
    else j->dy[k] = wants(ad, op->out[k]) && ad_tan(ad, src->yield[k]) ? to->out[s++] : NULL;
  }
}

static void cond_forward(Ad *ad, Jvp *j) {
  const IrOp *op = j->op;
  IrRegion *side[2];
  for (int s = 0; s < 2; s++) {
    IrBuilder saved;
    side[s] = ad_enter(ad, ir_region(ad->g), &saved);
    jvp_region(ad, op->sub[s]);
    for (int k = 0; k < op->nout; k++) ir_yield(side[s], ad_map(ad, op->sub[s]->yield[k]));
    for (int k = 0; k < op->nout; k++)
      if (wants(ad, op->out[k])) ir_yield(side[s], or_zero(ad, ad_tan(ad, op->sub[s]->yield[k]), op->out[k]));
    ad->b = saved;
  }
  IrOp *to = ir_build(B, IR_COND, 1, j->x, NULL, 0, NULL, 2, side);
  for (int k = 0, t = op->nout; k < op->nout; k++) {
    j->y[k] = to->out[k];
    j->dy[k] = wants(ad, op->out[k]) ? to->out[t++] : NULL;
  }
}

static void while_forward(Ad *ad, Jvp *j) {
  const IrOp *op = j->op;
  IrRegion *side[2];
  Values in = {0};
  for (int k = 0; k < op->nin; k++) vec_push(ad->c->arena, &in, X(k));
  for (int k = 0; k < op->nin; k++)
    if (wants(ad, op->sub[1]->arg[k])) vec_push(ad->c->arena, &in, or_zero(ad, DX(k), X(k)));
  for (int s = 0; s < 2; s++) {
    IrRegion *src = op->sub[s];
    IrBuilder saved;
    side[s] = ad_enter(ad, ir_region(ad->g), &saved);
    for (int k = 0; k < op->nin; k++) ad_set_map(ad, src->arg[k], ir_arg(side[s], src->arg[k]->type));
    for (int k = 0; k < op->nin; k++)
      if (wants(ad, op->sub[1]->arg[k])) ad_set_tan(ad, src->arg[k], ir_arg(side[s], src->arg[k]->type));
    jvp_region(ad, src);
    for (int k = 0; k < src->nyield; k++) ir_yield(side[s], ad_map(ad, src->yield[k]));
    for (int k = 0; k < op->nin && s == 1; k++)
      if (wants(ad, src->arg[k])) ir_yield(side[s], or_zero(ad, ad_tan(ad, src->yield[k]), src->yield[k]));
    ad->b = saved;
  }
  IrOp *to = rebuild(ad, j, &in, side, 0, NULL);
  for (int k = 0, t = op->nin; k < op->nin; k++) {
    j->y[k] = to->out[k];
    j->dy[k] = wants(ad, op->sub[1]->arg[k]) ? to->out[t++] : NULL;
  }
}

static void jvp_scan(Ad *ad, Jvp *j) { ad->split ? lin_loop(ad, j) : loop_forward(ad, j); }
static void jvp_map(Ad *ad, Jvp *j) { ad->split ? lin_loop(ad, j) : loop_forward(ad, j); }
static void jvp_cond(Ad *ad, Jvp *j) { ad->split ? lin_cond(ad, j) : cond_forward(ad, j); }

static void keep_primal(Ad *ad, Jvp *j) {
  IrOp *to = ad_clone(ad, j->op, j->x);
  for (int k = 0; k < to->nout; k++) j->y[k] = to->out[k];
}

static void remat_forward(Ad *ad, Jvp *j) {
  const IrOp *op = j->op;
  IrBuilder saved;
  IrRegion *r = ad_enter(ad, ir_region(ad->g), &saved), *src = op->sub[0];
  jvp_region(ad, src);
  for (int k = 0; k < op->nout; k++) ir_yield(r, ad_map(ad, src->yield[k]));
  for (int k = 0; k < op->nout; k++)
    if (wants(ad, op->out[k])) ir_yield(r, or_zero(ad, ad_tan(ad, src->yield[k]), op->out[k]));
  ad->b = saved;
  IrOp *to = ir_build(B, IR_REMAT, op->nin, j->x, NULL, 0, NULL, 1, &r);
  for (int k = 0, t = op->nout; k < op->nout; k++) {
    j->y[k] = to->out[k];
    j->dy[k] = wants(ad, op->out[k]) ? to->out[t++] : NULL;
  }
}

static void jvp_remat(Ad *ad, Jvp *j) { ad->split ? lin_remat(ad, j) : remat_forward(ad, j); }

static void jvp_while(Ad *ad, Jvp *j) {
  if (!ad->split) {
    while_forward(ad, j);
    return;
  }
  keep_primal(ad, j);
  ad_refuse(ad, j->op, "use `for` or `scan` with a fixed number of turns", "a `while` cannot be differentiated in reverse");
}

// The linear part of a custom_vjp is known by its transpose alone. It is marked by a custom_vjp over
// the tangents, whose first region gives zeros that nothing evaluates, and whose second is the rule.
// The rule is trusted to be linear in the cotangents: where they are zero it may not be asked at all.
static void custom_linear(Ad *ad, Jvp *j) {
  IrOp *op = j->op;
  int nread = op->nin + (ir_int(op, A_EXACT) ? op->nout : 0);
  IrRegion *zero = ir_region(ad->g), *rule = ir_region(ad->g), *src = op->sub[1];
  IrValue **in = arena_array(ad->c->arena, IrValue *, op->nin);
  for (int k = 0; k < op->nin; k++) {
    in[k] = or_zero(ad, DX(k), X(k));
    ir_arg(zero, X(k)->type);
    ir_arg(rule, X(k)->type);
    ad_set_map(ad, src->arg[k], X(k));
  }
  for (int k = op->nin; k < nread; k++) ad_set_map(ad, src->arg[k], j->y[k - op->nin]);
  for (int k = nread; k < src->narg; k++) ad_set_map(ad, src->arg[k], ir_arg(rule, src->arg[k]->type));
  IrBuilder saved;
  ad_enter(ad, zero, &saved);
  for (int k = 0; k < op->nout; k++) ir_yield(zero, ad_zero(ad, op->out[k]));
  ad->b.at = rule;
  ad_room(ad);
  ir_clone_into(&ad->b, src, ad->map);
  for (int k = 0; k < src->nyield; k++) ir_yield(rule, ad_map(ad, src->yield[k]));
  ad->b = saved;
  IrRegion *both[2] = {zero, rule};
  Arena *a = ad->c->arena;
  IrAttr attr[3] = {ir_attr_int(a, A_NX, op->nin), ir_attr_int(a, A_NY, op->nout), ir_attr_int(a, A_EXACT, 0)};
  IrOp *to = ir_build(B, IR_CUSTOM, op->nin, in, NULL, 3, attr, 2, both);
  for (int k = 0; k < op->nout; k++) j->dy[k] = to->out[k];
}

static void custom_forward(Ad *ad, Jvp *j) {
  IrRegion *r = j->op->sub[0];
  for (int k = 0; k < j->op->nin; k++) {
    ad_set_map(ad, r->arg[k], X(k));
    if (DX(k)) ad_set_tan(ad, r->arg[k], DX(k));
  }
  jvp_region(ad, r);
  for (int k = 0; k < j->op->nout; k++) {
    j->y[k] = ad_map(ad, r->yield[k]);
    j->dy[k] = ad_tan(ad, r->yield[k]);
  }
}

static void jvp_custom(Ad *ad, Jvp *j) {
  if (!ad->split && ir_int(j->op, A_EXACT)) {
    custom_forward(ad, j);
    return;
  }
  keep_primal(ad, j);
  for (int s = 0; s < 2; s++) {
    IrValue **cap;
    int n = ir_captures(ad->c->arena, j->op->sub[s], &cap);
    for (int k = 0; k < n; k++)
      if (ad_has(ad, cap[k], AD_ACTIVE)) {
        ad_refuse(ad, j->op, "pass it as an argument, or put `stop_grad` around it",
                  "a function with its own reverse rule uses a value that is differentiated and is not its argument");
        return;
      }
  }
  if (ad->split) custom_linear(ad, j);
  else ad_refuse(ad, j->op, "use reverse mode (`grad`) here",
                 "this function has a reverse rule only; its forward derivative is not known");
}

static void jvp_vjp(Ad *ad, Jvp *j) {
  (void)ad;
  ICE("`%s` met in a region that is differentiated", ir_info[j->op->code].name);
}
static void jvp_jvp(Ad *ad, Jvp *j) { jvp_vjp(ad, j); }

// ---- the walk
static void (*const rule_of[IR_NCODE])(Ad *, Jvp *) = {
#define OP(code, name, nin, nout, attrs, type, eval, jvp, transpose, batch, lower, doc) [IR_##code] = jvp_##jvp,
#include "ir/ops.def"
#undef OP
};

bool jvp_is_zero(IrCode c) { return rule_of[c] == jvp_zero; }

static void jvp_op(Ad *ad, IrOp *op) {
  Arena *a = ad->c->arena;
  Jvp j = {op, arena_array(a, IrValue *, op->nin), arena_array(a, IrValue *, op->nin),
           arena_array(a, IrValue *, op->nout), arena_array(a, IrValue *, op->nout)};
  bool wanted = false, moved = op->nregion > 0;
  for (int k = 0; k < op->nout; k++) wanted |= wants(ad, op->out[k]);
  for (int k = 0; k < op->nin; k++) {
    j.x[k] = ad_map(ad, op->in[k]);
    j.dx[k] = ad_tan(ad, op->in[k]);
    moved |= j.dx[k] != NULL;
  }
  ad->b.loc = op->loc;
  ad->b.scope = op->scope;
  if (!op->nregion || !wanted) keep_primal(ad, &j);
  if (wanted && moved) rule_of[op->code](ad, &j);
  for (int k = 0; k < op->nout; k++) {
    ad_set_map(ad, op->out[k], j.y[k]);
    if (!wants(ad, op->out[k]) || !j.dy[k]) continue;
    ad_set_tan(ad, op->out[k], j.dy[k]);
    if (ad->split) ad_mark(ad, j.dy[k], AD_LINEAR);   // now: a loop's body may capture it
  }
}

void jvp_region(Ad *ad, IrRegion *r) {
  ir_each_op(r, op) jvp_op(ad, op);
}
