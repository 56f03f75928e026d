// Transposition: one rule a linear op. From the cotangent of its result a rule adds to the cotangents
// of the operands it is linear in. Complex numbers are transposed, not conjugated.
//
// Operands that are no linear values are read through map: inside a loop the transposed body has
// arguments of its own for the residuals.
#include "passes/autodiff.h"

#define B (&ad->b)
#define IN(k) (op->in[k])
#define LIN(k) ad_has(ad, op->in[k], AD_LINEAR)
#define USE(k) ad_map(ad, op->in[k])
#define ADD(k, e) (LIN(k) ? ad_add(ad, op->in[k], (e)) : (void)0)   // e is emitted only if it is needed

typedef VEC(IrValue *) Values;

// The axis along which y stands right behind x and both together are all there is, each with zeros in place of the other; or -1.
static int tiled(const IrValue *x, const IrValue *y) {
  if (!x->op || !y->op || x->op->code != IR_PAD || y->op->code != IR_PAD) return -1;
  const int64_t *xlo = ir_ints(x->op, A_LO, NULL), *xhi = ir_ints(x->op, A_HI, NULL), *xin = ir_ints(x->op, A_INNER, NULL);
  const int64_t *ylo = ir_ints(y->op, A_LO, NULL), *yhi = ir_ints(y->op, A_HI, NULL), *yin = ir_ints(y->op, A_INNER, NULL);
  int axis = -1;
  for (int k = 0; k < x->type.rank; k++) {
    if (xin[k] || yin[k]) return -1;
    if (!xlo[k] && !xhi[k] && !ylo[k] && !yhi[k]) continue;
    if (axis >= 0 || xlo[k] || yhi[k] || xhi[k] != y->op->in[0]->type.dim[k] || ylo[k] != x->op->in[0]->type.dim[k]) return -1;
    axis = k;
  }
  return axis;
}

// Cotangents of parts that make up the whole are put together rather than added.
static IrValue *ct_sum(Ad *ad, IrValue *x, IrValue *y) {
  for (int turn = 0; turn < 2; turn++) {
    IrValue *first = turn ? y : x, *second = turn ? x : y;
    int axis = tiled(first, second);
    if (axis >= 0) return ir_concat(B, 2, (IrValue *[]){first->op->in[0], second->op->in[0]}, axis);
  }
  return ir_bin(B, IR_ADD, x, y);
}

void ad_add(Ad *ad, IrValue *v, IrValue *ct) {
  if (!ad_has(ad, v, AD_LINEAR)) return;
  IrValue *old = ad_ct(ad, v);
  ad_set_ct(ad, v, old ? ct_sum(ad, old, ct) : ct);
}

static IrValue *like_of(Ad *ad, IrOp *op, IrValue *x, IrValue *y, const IrType *want) {
  IrValue *in[2] = {x, y};
  return ad_like(ad, op, in, want);
}

// ---- elementwise
static void tr_none(Ad *ad, IrOp *op, IrValue **ct) {
  (void)ad;
  (void)ct;
  ICE("`%s` is no linear op", ir_info[op->code].name);
}

static void tr_linear(Ad *ad, IrOp *op, IrValue **ct) { ADD(0, like_of(ad, op, *ct, NULL, NULL)); }
static void tr_after(Ad *ad, IrOp *op, IrValue **ct) { ad_add(ad, IN(0), *ct); }
static void tr_cast(Ad *ad, IrOp *op, IrValue **ct) { ADD(0, ir_cast(B, *ct, IN(0)->type.dtype)); }
static void tr_real(Ad *ad, IrOp *op, IrValue **ct) { ADD(0, ir_bin(B, IR_COMPLEX, *ct, ad_zero(ad, *ct))); }

static void tr_imag(Ad *ad, IrOp *op, IrValue **ct) {
  ADD(0, ir_bin(B, IR_COMPLEX, ad_zero(ad, *ct), ir_un(B, IR_NEG, *ct)));
}

static void tr_conj(Ad *ad, IrOp *op, IrValue **ct) { ADD(0, ir_un(B, IR_CONJ, *ct)); }

static void tr_add(Ad *ad, IrOp *op, IrValue **ct) {
  ad_add(ad, IN(0), *ct);
  ad_add(ad, IN(1), *ct);
}

static void tr_sub(Ad *ad, IrOp *op, IrValue **ct) {
  ad_add(ad, IN(0), *ct);
  ADD(1, ir_un(B, IR_NEG, *ct));
}

static void tr_mul(Ad *ad, IrOp *op, IrValue **ct) {
  ADD(0, ir_bin(B, IR_MUL, *ct, USE(1)));
  ADD(1, ir_bin(B, IR_MUL, *ct, USE(0)));
}

static void tr_div(Ad *ad, IrOp *op, IrValue **ct) { ADD(0, ir_bin(B, IR_DIV, *ct, USE(1))); }

static void tr_complex(Ad *ad, IrOp *op, IrValue **ct) {
  ADD(0, ir_un(B, IR_REAL, *ct));
  ADD(1, ir_un(B, IR_NEG, ir_un(B, IR_IMAG, *ct)));
}

static void tr_select(Ad *ad, IrOp *op, IrValue **ct) {
  ADD(1, ir_select(B, USE(0), *ct, ad_zero(ad, *ct)));
  ADD(2, ir_select(B, USE(0), ad_zero(ad, *ct), *ct));
}

// ---- shape
static void tr_reshape(Ad *ad, IrOp *op, IrValue **ct) {
  ADD(0, ir_reshape(B, *ct, IN(0)->type.rank, IN(0)->type.dim));
}

static void tr_transpose(Ad *ad, IrOp *op, IrValue **ct) {
  int n;
  const int64_t *perm = ir_ints(op, A_AXES, &n);
  int64_t back[IR_MAX_RANK];
  for (int k = 0; k < n; k++) back[perm[k]] = k;
  ADD(0, ir_transpose(B, *ct, back));
}

static void tr_broadcast(Ad *ad, IrOp *op, IrValue **ct) {
  int n, nr = 0;
  const int64_t *axes = ir_ints(op, A_AXES, &n);
  int64_t repeated[IR_MAX_RANK];
  for (int a = 0, k = 0; a < op->out[0]->type.rank; a++)
    if (k < n && axes[k] == a) k++;
    else repeated[nr++] = a;
  ADD(0, nr ? ir_reduce(B, IR_SUM, *ct, nr, repeated) : *ct);
}

static void tr_sum(Ad *ad, IrOp *op, IrValue **ct) {
  int n, nk = 0;
  const int64_t *axes = ir_ints(op, A_AXES, &n);
  int64_t kept[IR_MAX_RANK];
  for (int a = 0, k = 0; a < IN(0)->type.rank; a++)
    if (k < n && axes[k] == a) k++;
    else kept[nk++] = a;
  ADD(0, ir_broadcast(B, *ct, IN(0)->type, kept));
}

static void tr_slice(Ad *ad, IrOp *op, IrValue **ct) {
  int n;
  const int64_t *start = ir_ints(op, A_START, &n), *stride = ir_ints(op, A_STRIDE, &n);
  const IrType *x = &IN(0)->type, *y = &op->out[0]->type;
  if (ir_count(y) == 0) return;
  int64_t hi[IR_MAX_RANK], inner[IR_MAX_RANK];
  for (int a = 0; a < n; a++) {
    hi[a] = x->dim[a] - (start[a] + (y->dim[a] - 1) * stride[a] + 1);
    inner[a] = stride[a] - 1;
  }
  ADD(0, ir_pad(B, *ct, start, hi, inner));
}

// Back over what was put before and behind (zeros where x was cropped), then every inner+1-th element.
static void tr_pad(Ad *ad, IrOp *op, IrValue **ct) {
  int n;
  const int64_t *lo = ir_ints(op, A_LO, &n), *hi = ir_ints(op, A_HI, &n), *inner = ir_ints(op, A_INNER, &n);
  int64_t start[IR_MAX_RANK] = {0}, limit[IR_MAX_RANK], stride[IR_MAX_RANK];
  int64_t front[IR_MAX_RANK], behind[IR_MAX_RANK], none[IR_MAX_RANK] = {0};
  IrValue *y = *ct;
  bool grow = false;
  if (!LIN(0) || ir_count(&IN(0)->type) == 0) return;
  for (int a = 0; a < n; a++) {
    front[a] = -lo[a];
    behind[a] = -hi[a];
    stride[a] = inner[a] + 1;
    grow |= lo[a] != 0 || hi[a] != 0;
  }
  if (grow) y = ir_pad(B, y, front, behind, none);
  for (int a = 0; a < n; a++) limit[a] = y->type.dim[a];
  ad_add(ad, IN(0), ir_slice(B, y, start, limit, stride));
}

static void tr_concat(Ad *ad, IrOp *op, IrValue **ct) {
  int axis = (int)ir_int(op, A_AXIS);
  const IrType *t = &op->out[0]->type;
  int64_t start[IR_MAX_RANK] = {0}, limit[IR_MAX_RANK], stride[IR_MAX_RANK], at = 0;
  for (int a = 0; a < t->rank; a++) limit[a] = t->dim[a], stride[a] = 1;
  for (int k = 0; k < op->nin; k++) {
    start[axis] = at;
    at += IN(k)->type.dim[axis];
    limit[axis] = at;
    ADD(k, ir_slice(B, *ct, start, limit, stride));
  }
}

static void tr_reverse(Ad *ad, IrOp *op, IrValue **ct) { tr_linear(ad, op, ct); }

// ---- indexed
// The starts of a dynamic_slice or dynamic_update, behind the first `arrays` places of in.
static void starts(Ad *ad, IrOp *op, int from, IrValue **in, int arrays) {
  for (int k = from; k < op->nin; k++) in[arrays + k - from] = USE(k);
}

static IrValue *slice_at(Ad *ad, IrOp *op, int from, IrValue *x, const IrType *size) {
  IrValue *in[1 + IR_MAX_RANK] = {x};
  starts(ad, op, from, in, 1);
  IrAttr at = ir_attr_ints(ad->c->arena, A_SIZES, size->rank, size->dim);
  return ir_build(B, IR_DYN_SLICE, 1 + op->nin - from, in, NULL, 1, &at, 0, NULL)->out[0];
}

static IrValue *update_at(Ad *ad, IrOp *op, int from, IrValue *x, IrValue *u) {
  IrValue *in[2 + IR_MAX_RANK] = {x, u};
  starts(ad, op, from, in, 2);
  return ir_build(B, IR_DYN_UPDATE, 2 + op->nin - from, in, NULL, 0, NULL, 0, NULL)->out[0];
}

// Into what x's cotangent is already: in a loop that reads a slice a turn, no turn touches the rest.
static void tr_dyn_slice(Ad *ad, IrOp *op, IrValue **ct) {
  IrValue *old = ad_ct(ad, IN(0)), *part = *ct;
  if (old) part = ir_bin(B, IR_ADD, slice_at(ad, op, 1, old, &part->type), part);
  ad_set_ct(ad, IN(0), update_at(ad, op, 1, old ? old : ad_zero(ad, IN(0)), part));
}

static void tr_dyn_update(Ad *ad, IrOp *op, IrValue **ct) {
  ADD(0, update_at(ad, op, 2, *ct, ad_zero(ad, IN(1))));
  ADD(1, slice_at(ad, op, 2, *ct, &IN(1)->type));
}

// Gather clamps indices, scatter drops those out of range: clamped first.
static void tr_gather(Ad *ad, IrOp *op, IrValue **ct) {
  int nb = (int)ir_int(op, A_BATCH);
  IrValue *idx = USE(1), *old = ad_ct(ad, IN(0));
  if (!idx->op || idx->op->code != IR_IOTA || idx->type.dim[ir_int(idx->op, A_AXIS)] > IN(0)->type.dim[nb]) {
    idx = ir_bin(B, IR_MAX, idx, ad_zero(ad, idx));
    idx = ir_bin(B, IR_MIN, idx, ad_fill(ad, idx, (double)(IN(0)->type.dim[nb] - 1)));
  }
  ad_set_ct(ad, IN(0), ir_scatter(B, old ? old : ad_zero(ad, IN(0)), idx, *ct, nb, SCATTER_ADD));
}

// A mask over idx, spread over the rest of u's axes.
static IrValue *spread_mask(Ad *ad, IrValue *mask, const IrValue *u) {
  int64_t axes[IR_MAX_RANK];
  for (int a = 0; a < mask->type.rank; a++) axes[a] = a;
  IrType t = u->type;
  t.dtype = IR_BOOL;
  return ir_broadcast(B, mask, t, axes);
}

// Which elements of idx are the ones whose update stays, for mode set: each writes its number to its
// place, and sees whether it finds it there. Indices out of range find another's, or none.
static IrValue *winners(Ad *ad, IrValue *idx, const IrValue *x, int nb) {
  int64_t n = ir_count(&idx->type);
  IrType line = ir_type(IR_I32, 1, &n), place = ir_type(IR_I32, nb + 1, x->type.dim);
  IrValue *number = ir_reshape(B, ir_iota(B, line, 0), idx->type.rank, idx->type.dim);
  IrValue *at = ir_scatter(B, ir_fill(B, place, -1), idx, number, nb, SCATTER_SET);
  return ir_bin(B, IR_EQ, ir_gather(B, at, idx, nb), number);
}

static IrValue *in_range(Ad *ad, IrValue *idx, int64_t n) {
  return ir_bin(B, IR_AND, ir_bin(B, IR_GE, idx, ad_zero(ad, idx)),
                ir_bin(B, IR_LT, idx, ad_fill(ad, idx, (double)n)));
}

static void tr_scatter(Ad *ad, IrOp *op, IrValue **ct) {
  int nb = (int)ir_int(op, A_BATCH);
  bool set = ir_int(op, A_MODE) == SCATTER_SET;
  IrValue *idx = USE(1);
  ADD(0, set ? ir_scatter(B, *ct, idx, ad_zero(ad, IN(2)), nb, SCATTER_SET) : *ct);
  if (!LIN(2) || ir_count(&IN(2)->type) == 0 || ir_count(&IN(0)->type) == 0) return;
  IrValue *stays = set ? winners(ad, idx, IN(0), nb) : in_range(ad, idx, IN(0)->type.dim[nb]);
  ad_add(ad, IN(2), ir_select(B, spread_mask(ad, stays, IN(2)), ir_gather(B, *ct, idx, nb), ad_zero(ad, IN(2))));
}

static void tr_cumsum(Ad *ad, IrOp *op, IrValue **ct) {
  IrAttr at[2] = {ir_attr_int(ad->c->arena, A_AXIS, ir_int(op, A_AXIS)),
                  ir_attr_int(ad->c->arena, A_REVERSE, !ir_int(op, A_REVERSE))};
  ADD(0, ir_build(B, IR_CUMSUM, 1, ct, NULL, 2, at, 0, NULL)->out[0]);
}

// ---- products
static void tr_dot(Ad *ad, IrOp *op, IrValue **ct) {
  int nb = (int)ir_int(op, A_BATCH);
  bool ta = ir_int(op, A_TA) != 0, tb = ir_int(op, A_TB) != 0;
  IrValue *x = USE(0), *z = USE(1), *dy = *ct;
  ADD(0, ta ? ir_dot(B, z, dy, nb, tb, true) : ir_dot(B, dy, z, nb, false, !tb));
  ADD(1, tb ? ir_dot(B, dy, x, nb, true, ta) : ir_dot(B, x, dy, nb, !ta, false));
}

static IrValue *conv_op(Ad *ad, IrOp *op, IrCode c, IrValue *x, IrValue *y, const IrType *want) {
  IrValue *in[2] = {x, y};
  return ir_build(B, c, 2, in, c == IR_CONV ? NULL : want, op->nattr, op->attr, 0, NULL)->out[0];
}

static void tr_conv(Ad *ad, IrOp *op, IrValue **ct) {
  ADD(0, conv_op(ad, op, IR_CONV_DX, *ct, USE(1), &IN(0)->type));
  ADD(1, conv_op(ad, op, IR_CONV_DW, USE(0), *ct, &IN(1)->type));
}

static void tr_conv_dx(Ad *ad, IrOp *op, IrValue **ct) {
  ADD(0, conv_op(ad, op, IR_CONV, *ct, USE(1), NULL));
  ADD(1, conv_op(ad, op, IR_CONV_DW, *ct, USE(0), &IN(1)->type));
}

static void tr_conv_dw(Ad *ad, IrOp *op, IrValue **ct) {
  ADD(0, conv_op(ad, op, IR_CONV_DX, USE(1), *ct, &IN(0)->type));
  ADD(1, conv_op(ad, op, IR_CONV, USE(0), *ct, NULL));
}

// The matrix of roots is symmetric.
static void tr_fft(Ad *ad, IrOp *op, IrValue **ct) { tr_linear(ad, op, ct); }

static void tr_trisolve(Ad *ad, IrOp *op, IrValue **ct) {
  IrValue *in[2] = {USE(0), *ct};
  IrAttr at = ir_attr_int(ad->c->arena, A_TA, !ir_int(op, A_TA));
  ADD(1, ir_build(B, IR_TRISOLVE, 2, in, NULL, 1, &at, 0, NULL)->out[0]);
}

// ---- control
// Linear values from outside that r reads.
static void linear_captures(Ad *ad, IrRegion *r, Values *out) {
  IrValue **cap;
  int n = ir_captures(ad->c->arena, r, &cap);
  for (int k = 0; k < n; k++)
    if (ad_has(ad, cap[k], AD_LINEAR)) vec_push(ad->c->arena, out, cap[k]);
}

static IrValue *ct_or_zero(Ad *ad, IrValue *v) { return ad_ct(ad, v) ? ad_ct(ad, v) : ad_zero(ad, v); }

// A scan runs back in the opposite direction. It carries the cotangents of the carries, and of each
// captured value the sum so far, which starts from what is known of it already. A map runs back as
// a map that gives each lane's share of the captured values' cotangents, and these are summed.
static void tr_loop(Ad *ad, IrOp *op, IrValue **ct) {
  Arena *a = ad->c->arena;
  IrRegion *fwd = op->sub[0], *body = ir_region(ad->g);
  bool scan = op->code == IR_SCAN;
  int nc = ad_carries(op), ns = op->nin - nc;
  Values cap = {0}, before = {0}, in = {0};
  IrValue **arg = arena_array(a, IrValue *, op->nout), **back = arena_array(a, IrValue *, ns);
  linear_captures(ad, fwd, &cap);
  for (int k = 0; k < cap.n; k++) vec_push(a, &before, ad_ct(ad, cap.at[k]));
  ad_set_map(ad, fwd->arg[0], ir_arg(body, ir_scalar(IR_I32)));
  for (int k = 0; k < nc; k++) {
    arg[k] = ir_arg(body, op->out[k]->type);
    vec_push(a, &in, ct[k] ? ct[k] : ad_zero(ad, op->out[k]));
  }
  for (int k = 0; k < cap.n; k++) {
    if (scan) vec_push(a, &in, ct_or_zero(ad, cap.at[k]));
    ad_set_ct(ad, cap.at[k], scan ? ir_arg(body, cap.at[k]->type) : NULL);
  }
  for (int k = 0; k < ns; k++)
    if (!ad_has(ad, fwd->arg[1 + nc + k], AD_LINEAR)) {
      ad_set_map(ad, fwd->arg[1 + nc + k], ir_arg(body, fwd->arg[1 + nc + k]->type));
      vec_push(a, &in, USE(nc + k));
    }
  for (int k = nc; k < op->nout; k++)
    if (ct[k]) {
      arg[k] = ir_arg(body, fwd->yield[k]->type);
      vec_push(a, &in, ct[k]);
    }

  IrBuilder saved;
  ad_enter(ad, body, &saved);
  for (int k = 0; k < op->nout; k++)
    if (arg[k]) ad_add(ad, fwd->yield[k], arg[k]);
  tr_region(ad, fwd);
  ad->b.loc = op->loc;
  ad->b.scope = op->scope;
  for (int k = 0; k < nc; k++) ir_yield(body, ct_or_zero(ad, fwd->arg[1 + k]));
  int first = body->nyield;
  for (int k = 0; k < cap.n; k++)
    if (scan || ad_ct(ad, cap.at[k])) ir_yield(body, ad_ct(ad, cap.at[k]));
  for (int k = 0; k < ns; k++) {
    back[k] = ad_ct(ad, fwd->arg[1 + nc + k]);
    if (back[k]) ir_yield(body, back[k]);
  }
  ad->b = saved;

  IrAttr at[3] = {ir_attr_int(a, A_N, ir_int(op, A_N)), ir_attr_int(a, A_REVERSE, !ir_int(op, A_REVERSE)),
                  ir_attr_int(a, A_NCARRY, nc + cap.n)};
  IrOp *to = ir_build(B, op->code, in.n, in.at, NULL, scan ? 3 : 1, at, 1, &body);
  int r = first;
  for (int k = 0; k < cap.n; k++) {      // before the operands, which may be captured too
    bool any = ad_ct(ad, cap.at[k]) != NULL;
    ad_set_ct(ad, cap.at[k], scan ? to->out[r++] : before.at[k]);
    int64_t lanes = 0;
    if (!scan && any) ad_add(ad, cap.at[k], ir_reduce(B, IR_SUM, to->out[r++], 1, &lanes));
  }
  for (int k = 0; k < nc; k++) ADD(k, to->out[k]);
  for (int k = 0; k < ns; k++)
    if (back[k]) ad_add(ad, IN(nc + k), to->out[r++]);
}

static void tr_scan(Ad *ad, IrOp *op, IrValue **ct) { tr_loop(ad, op, ct); }
static void tr_map(Ad *ad, IrOp *op, IrValue **ct) { tr_loop(ad, op, ct); }

// A cond over the same predicate that gives each side's share of the captured values' cotangents.
static void tr_cond(Ad *ad, IrOp *op, IrValue **ct) {
  Arena *a = ad->c->arena;
  Values cap = {0}, other = {0}, share[2] = {{0}, {0}}, before = {0};
  IrRegion *side[2] = {ir_region(ad->g), ir_region(ad->g)};
  linear_captures(ad, op->sub[0], &cap);
  linear_captures(ad, op->sub[1], &other);
  for (int k = 0, f = 0, n = cap.n; k < other.n; k++) {     // the union: both ascend in id
    while (f < n && cap.at[f]->id < other.at[k]->id) f++;
    if (f == n || cap.at[f] != other.at[k]) vec_push(a, &cap, other.at[k]);
  }
  for (int k = 0; k < cap.n; k++) vec_push(a, &before, ad_ct(ad, cap.at[k]));
  for (int s = 0; s < 2; s++) {
    IrBuilder saved;
    ad_enter(ad, side[s], &saved);
    for (int k = 0; k < cap.n; k++) ad_set_ct(ad, cap.at[k], NULL);
    for (int k = 0; k < op->nout; k++)
      if (ct[k]) ad_add(ad, op->sub[s]->yield[k], ct[k]);
    tr_region(ad, op->sub[s]);
    for (int k = 0; k < cap.n; k++) vec_push(a, &share[s], ad_ct(ad, cap.at[k]));
    ad->b = saved;
  }
  for (int s = 0; s < 2; s++) {
    IrBuilder saved;
    ad_enter(ad, side[s], &saved);
    for (int k = 0; k < cap.n; k++)
      if (share[0].at[k] || share[1].at[k])
        ir_yield(side[s], share[s].at[k] ? share[s].at[k] : ad_zero(ad, cap.at[k]));
    ad->b = saved;
  }
  IrValue *pred = USE(0);
  IrOp *to = ir_build(B, IR_COND, 1, &pred, NULL, 0, NULL, 2, side);
  for (int k = 0, r = 0; k < cap.n; k++) {
    ad_set_ct(ad, cap.at[k], before.at[k]);
    if (share[0].at[k] || share[1].at[k]) ad_add(ad, cap.at[k], to->out[r++]);
  }
}

// What the region computes beside is computed there again, and waits for a cotangent.
static void tr_remat(Ad *ad, IrOp *op, IrValue **ct) {
  Arena *a = ad->c->arena;
  Values cap = {0}, before = {0}, late = {0};
  IrRegion *back = ir_region(ad->g);
  linear_captures(ad, op->sub[0], &cap);
  for (int k = 0; k < cap.n; k++) vec_push(a, &before, ad_ct(ad, cap.at[k]));
  IrBuilder saved;
  ad_enter(ad, back, &saved);
  for (int k = 0; k < cap.n; k++) ad_set_ct(ad, cap.at[k], NULL);
  for (int k = 0; k < op->nout; k++) {
    if (!ct[k]) continue;
    ad_add(ad, op->sub[0]->yield[k], ct[k]);
    vec_push(a, &late, ct[k]);
  }
  tr_region(ad, op->sub[0]);
  for (int k = 0; k < cap.n; k++)
    if (ad_ct(ad, cap.at[k])) ir_yield(back, ad_ct(ad, cap.at[k]));
  ad->b = saved;
  IrOp *to = ir_build(B, IR_REMAT, late.n, late.at, NULL, 0, NULL, 1, &back);
  for (int k = 0, r = 0; k < cap.n; k++) {
    bool any = ad_ct(ad, cap.at[k]) != NULL;
    ad_set_ct(ad, cap.at[k], before.at[k]);
    if (any) ad_add(ad, cap.at[k], to->out[r++]);
  }
}

// The mark left by a custom_vjp: its second region is the rule, and reads the cotangents only.
static void tr_custom(Ad *ad, IrOp *op, IrValue **ct) {
  IrRegion *rule = op->sub[1];
  for (int k = 0; k < op->nin; k++) ad_set_map(ad, rule->arg[k], USE(k));
  for (int k = 0; k < op->nout; k++)
    ad_set_map(ad, rule->arg[op->nin + k], ct[k] ? ct[k] : ad_zero(ad, op->out[k]));
  ad_room(ad);
  ir_clone_into(B, rule, ad->map);
  for (int k = 0; k < op->nin; k++) ADD(k, ad_map(ad, rule->yield[k]));
}

// ---- the walk
static void (*const rule_of[IR_NCODE])(Ad *, IrOp *, IrValue **) = {
#define OP(code, name, nin, nout, attrs, type, eval, jvp, transpose, batch, lower, doc) [IR_##code] = tr_##transpose,
#include "ir/ops.def"
#undef OP
};

static bool is_linear(Ad *ad, const IrOp *op) {
  for (int k = 0; k < op->nout; k++)
    if (ad_has(ad, op->out[k], AD_LINEAR)) return true;
  return false;
}

void tr_region(Ad *ad, IrRegion *r) {
  ir_each_op(r, op) {
    if (is_linear(ad, op)) continue;
    IrValue **in = arena_array(ad->c->arena, IrValue *, op->nin);
    for (int k = 0; k < op->nin; k++) in[k] = USE(k);
    ad->b.loc = op->loc;
    ad->b.scope = op->scope;
    IrOp *to = ad_clone(ad, op, in);
    for (int k = 0; k < op->nout; k++) ad_set_map(ad, op->out[k], to->out[k]);
  }
  for (IrOp *op = r->last; op; op = op->prev) {
    if (!is_linear(ad, op)) continue;
    IrValue **ct = arena_array(ad->c->arena, IrValue *, op->nout);
    bool any = false;
    for (int k = 0; k < op->nout; k++) any |= (ct[k] = ad_ct(ad, op->out[k])) != NULL;
    if (!any) continue;
    ad->b.loc = op->loc;
    ad->b.scope = op->scope;
    rule_of[op->code](ad, op, ct);
  }
}
