// vjp, jvp, remat and custom_vjp become ordinary graph; the plan of it is in passes/autodiff.h.
#include "passes/autodiff.h"

#include <string.h>

// ---- side tables

static void *grow(Arena *a, const void *old, size_t size, int n, int cap) {
  void *to = arena_alloc(a, size * (size_t)cap);
  if (n) memcpy(to, old, size * (size_t)n);
  return to;
}

void ad_room(Ad *ad) {
  int n = ad->cap, want = ad->g->nvalue;
  if (want <= n) return;
  int cap = want + want / 2 + 64;
  Arena *a = ad->c->arena;
  ad->map = grow(a, ad->map, sizeof *ad->map, n, cap);
  ad->tan = grow(a, ad->tan, sizeof *ad->tan, n, cap);
  ad->ct = grow(a, ad->ct, sizeof *ad->ct, n, cap);
  ad->flag = grow(a, ad->flag, sizeof *ad->flag, n, cap);
  ad->cap = cap;
}

IrValue *ad_map(Ad *ad, IrValue *v) {
  return v->id < ad->cap && ad->map[v->id] ? ad->map[v->id] : v;
}

void ad_set_map(Ad *ad, const IrValue *v, IrValue *to) {
  ad_room(ad);
  ad->map[v->id] = to;
}

IrValue *ad_tan(Ad *ad, const IrValue *v) { return v->id < ad->cap ? ad->tan[v->id] : NULL; }

void ad_set_tan(Ad *ad, const IrValue *v, IrValue *t) {
  ad_room(ad);
  ad->tan[v->id] = t;
}

IrValue *ad_ct(Ad *ad, const IrValue *v) { return v->id < ad->cap ? ad->ct[v->id] : NULL; }

void ad_set_ct(Ad *ad, const IrValue *v, IrValue *ct) {
  ad_room(ad);
  ad->ct[v->id] = ct;
}

bool ad_has(Ad *ad, const IrValue *v, int flag) { return v->id < ad->cap && (ad->flag[v->id] & flag); }

void ad_mark(Ad *ad, const IrValue *v, int flag) {
  ad_room(ad);
  ad->flag[v->id] |= (uint8_t)flag;
}

void ad_unmark(Ad *ad, const IrValue *v, int flags) {
  ad_room(ad);
  ad->flag[v->id] &= (uint8_t)~flags;
}

// ---- emitting

static bool type_is_given(IrCode c) {
  return c == IR_CONST || c == IR_IOTA || c == IR_CAST || c == IR_BITCAST || c == IR_RESHAPE ||
         c == IR_BROADCAST || c == IR_CONV_DX || c == IR_CONV_DW;
}

IrOp *ad_clone(Ad *ad, const IrOp *op, IrValue **in) {
  IrRegion **sub = arena_array(ad->c->arena, IrRegion *, op->nregion);
  for (int k = 0; k < op->nregion; k++) {
    ad_room(ad);
    sub[k] = ir_clone_region(ad->g, op->sub[k], ad->map);
  }
  IrOp *to = ir_build(&ad->b, op->code, op->nin, in, type_is_given(op->code) ? &op->out[0]->type : NULL,
                      op->nattr, op->attr, op->nregion, sub);
  for (int k = 0; k < op->nout; k++) to->out[k]->hint = op->out[k]->hint;
  return to;
}

IrValue *ad_like(Ad *ad, const IrOp *op, IrValue **in, const IrType *want) {
  return ir_build(&ad->b, op->code, op->nin, in, type_is_given(op->code) ? want : NULL,
                  op->nattr, op->attr, 0, NULL)->out[0];
}

IrValue *ad_zero(Ad *ad, const IrValue *like) { return ir_fill(&ad->b, like->type, 0); }
IrValue *ad_fill(Ad *ad, const IrValue *like, double v) { return ir_fill(&ad->b, like->type, v); }

IrRegion *ad_enter(Ad *ad, IrRegion *r, IrBuilder *saved) {
  *saved = ad->b;
  ad->b.at = r;
  ad->b.before = NULL;
  return r;
}

int ad_carries(const IrOp *loop) { return loop->code == IR_SCAN ? (int)ir_int(loop, A_NCARRY) : 0; }

void ad_refuse(Ad *ad, const IrOp *op, const char *help, const char *fmt, ...) {
  char text[256];
  va_list ap;
  va_start(ap, fmt);
  vsnprintf(text, sizeof text, fmt, ap);
  va_end(ap);
  // A derivative of a derivative meets the same op again.
  for (Diag *d = ad->c->diags->first; d; d = d->next)
    if (d->loc.src == op->loc.src && d->loc.line == op->loc.line && d->loc.col == op->loc.col && !strcmp(d->message, text))
      return;
  diag_help(ad->c->diags, diag_error(ad->c->diags, op->loc, "%s", text), "%s", help);
}

// ---- which values get tangents: those that an input reaches (active) and that reach an output (useful)

static void active_region(Ad *ad, IrRegion *r);

static bool mark_active(Ad *ad, const IrValue *v) {
  if (!ir_is_diff(v->type.dtype) || ad_has(ad, v, AD_ACTIVE)) return false;
  ad_mark(ad, v, AD_ACTIVE);
  return true;
}

static bool any_active(Ad *ad, int n, IrValue **v) {
  for (int k = 0; k < n; k++)
    if (ad_has(ad, v[k], AD_ACTIVE)) return true;
  return false;
}

// Carries of a scan or while: active where the start or what a turn yields is, to a fixed point.
static void active_carries(Ad *ad, const IrOp *op, IrRegion *body, IrValue **arg, int n) {
  for (int k = 0; k < n; k++)
    if (ad_has(ad, op->in[k], AD_ACTIVE)) mark_active(ad, arg[k]);
  for (bool changed = true; changed;) {
    changed = false;
    active_region(ad, body);
    for (int k = 0; k < n; k++)
      if (ad_has(ad, body->yield[k], AD_ACTIVE)) changed |= mark_active(ad, arg[k]);
  }
  for (int k = 0; k < n; k++)
    if (ad_has(ad, arg[k], AD_ACTIVE)) mark_active(ad, op->out[k]);
}

static void active_loop(Ad *ad, const IrOp *op) {
  IrRegion *body = op->sub[0];
  int nc = ad_carries(op);
  for (int k = nc; k < op->nin; k++)
    if (ad_has(ad, op->in[k], AD_ACTIVE)) mark_active(ad, body->arg[1 + k]);
  active_carries(ad, op, body, body->arg + 1, nc);
  for (int k = nc; k < op->nout; k++)
    if (ad_has(ad, body->yield[k], AD_ACTIVE)) mark_active(ad, op->out[k]);
}

static bool captures_active(Ad *ad, const IrOp *op) {
  for (int k = 0; k < op->nregion; k++) {
    IrValue **cap;
    int n = ir_captures(ad->c->arena, op->sub[k], &cap);
    if (any_active(ad, n, cap)) return true;
  }
  return false;
}

static void active_op(Ad *ad, IrOp *op) {
  switch (op->code) {
  case IR_SCAN:
  case IR_MAP: active_loop(ad, op); return;
  case IR_WHILE: active_carries(ad, op, op->sub[1], op->sub[1]->arg, op->nin); return;
  case IR_COND:
    for (int s = 0; s < 2; s++) {
      active_region(ad, op->sub[s]);
      for (int k = 0; k < op->nout; k++)
        if (ad_has(ad, op->sub[s]->yield[k], AD_ACTIVE)) mark_active(ad, op->out[k]);
    }
    return;
  case IR_REMAT:
    active_region(ad, op->sub[0]);
    for (int k = 0; k < op->nout; k++)
      if (ad_has(ad, op->sub[0]->yield[k], AD_ACTIVE)) mark_active(ad, op->out[k]);
    return;
  case IR_CUSTOM:
    for (int k = 0; k < op->nin; k++)
      if (ad_has(ad, op->in[k], AD_ACTIVE)) mark_active(ad, op->sub[0]->arg[k]);
    active_region(ad, op->sub[0]);
    break;
  default: break;
  }
  if (jvp_is_zero(op->code)) return;
  if (!any_active(ad, op->nin, op->in) && !(op->nregion && captures_active(ad, op))) return;
  for (int k = 0; k < op->nout; k++) mark_active(ad, op->out[k]);
}

static void active_region(Ad *ad, IrRegion *r) {
  ir_each_op(r, op) active_op(ad, op);
}

static void useful_region(Ad *ad, IrRegion *r);

static bool mark_useful(Ad *ad, const IrValue *v) {
  if (!ad_has(ad, v, AD_ACTIVE) || ad_has(ad, v, AD_USEFUL)) return false;
  ad_mark(ad, v, AD_USEFUL);
  return true;
}

static void useful_carries(Ad *ad, const IrOp *op, IrRegion *body, IrValue **arg, int n) {
  for (int k = 0; k < n; k++)
    if (ad_has(ad, op->out[k], AD_USEFUL)) {
      mark_useful(ad, arg[k]);
      mark_useful(ad, body->yield[k]);
    }
  for (bool changed = true; changed;) {
    changed = false;
    useful_region(ad, body);
    for (int k = 0; k < n; k++)
      if (ad_has(ad, arg[k], AD_USEFUL)) changed |= mark_useful(ad, body->yield[k]);
  }
  for (int k = 0; k < n; k++)
    if (ad_has(ad, arg[k], AD_USEFUL)) mark_useful(ad, op->in[k]);
}

static void useful_loop(Ad *ad, const IrOp *op) {
  IrRegion *body = op->sub[0];
  int nc = ad_carries(op);
  for (int k = nc; k < op->nout; k++)
    if (ad_has(ad, op->out[k], AD_USEFUL)) mark_useful(ad, body->yield[k]);
  useful_carries(ad, op, body, body->arg + 1, nc);
  for (int k = nc; k < op->nin; k++)
    if (ad_has(ad, body->arg[1 + k], AD_USEFUL)) mark_useful(ad, op->in[k]);
}

static void useful_op(Ad *ad, IrOp *op) {
  bool any = false;
  for (int k = 0; k < op->nout; k++) any |= ad_has(ad, op->out[k], AD_USEFUL);
  if (!any) return;
  switch (op->code) {
  case IR_SCAN:
  case IR_MAP: useful_loop(ad, op); return;
  case IR_WHILE: useful_carries(ad, op, op->sub[1], op->sub[1]->arg, op->nin); return;
  case IR_COND:
  case IR_REMAT:
    for (int s = 0; s < op->nregion; s++) {
      for (int k = 0; k < op->nout; k++)
        if (ad_has(ad, op->out[k], AD_USEFUL)) mark_useful(ad, op->sub[s]->yield[k]);
      useful_region(ad, op->sub[s]);
    }
    return;
  case IR_CUSTOM:
    for (int k = 0; k < op->nout; k++)
      if (ad_has(ad, op->out[k], AD_USEFUL)) mark_useful(ad, op->sub[0]->yield[k]);
    useful_region(ad, op->sub[0]);
    break;
  default: break;
  }
  for (int k = 0; k < op->nin; k++) mark_useful(ad, op->in[k]);
}

static void useful_region(Ad *ad, IrRegion *r) {
  for (IrOp *op = r->last; op; op = op->prev) useful_op(ad, op);
}

// Marks r for the derivative of its first ny yields in its first nx arguments.
static void analyse(Ad *ad, IrRegion *r, int nx, int ny) {
  for (int k = 0; k < nx; k++) mark_active(ad, r->arg[k]);
  active_region(ad, r);
  for (int k = 0; k < ny; k++) mark_useful(ad, r->yield[k]);
  useful_region(ad, r);
}

// ---- expanding
static bool has_map(const IrRegion *r) {
  ir_each_op(r, op) {
    if (op->code == IR_MAP) return true;
    for (int k = 0; k < op->nregion; k++)
      if (has_map(op->sub[k])) return true;
  }
  return false;
}

// Maps are batched before they are run backward: the cotangent of what all lanes share is then one
// product over the lanes, where the transposed map would give a share for each lane and sum them.
static void expand_vjp(Ad *ad, IrOp *op) {
  if (has_map(op->sub[0])) pass_vmap_derived(op->sub[0]);
  IrRegion *r = op->sub[0], *linear = ir_region(ad->g), *home = op->parent;
  int nx = (int)ir_int(op, A_NX), ny = (int)ir_int(op, A_NY);
  IrValue **t = arena_array(ad->c->arena, IrValue *, nx);
  analyse(ad, r, nx, ny);
  for (int k = 0; k < nx; k++) {
    ad_set_map(ad, r->arg[k], op->in[k]);
    if (!ad_has(ad, r->arg[k], AD_USEFUL)) continue;
    t[k] = ir_arg(linear, r->arg[k]->type);
    ad_mark(ad, t[k], AD_LINEAR);
    ad_set_tan(ad, r->arg[k], t[k]);
  }
  ad->b.at = home;
  ad->b.before = op;
  ad->split = true;
  IrOp *mark = op->prev;
  jvp_region(ad, r);
  lin_partition(ad, mark ? mark->next : home->first, op, linear);
  for (int k = 0; k < ny; k++)
    if (ad_tan(ad, r->yield[k])) ad_add(ad, ad_tan(ad, r->yield[k]), op->in[nx + k]);
  tr_region(ad, linear);
  ad->b.loc = op->loc;
  ad->b.scope = op->scope;
  for (int k = 0; k < r->nyield; k++) ad_set_map(ad, op->out[k], ad_map(ad, r->yield[k]));
  for (int k = 0; k < nx; k++) {
    IrValue *out = op->out[r->nyield + k], *dx = t[k] ? ad_ct(ad, t[k]) : NULL;
    ad_set_map(ad, out, dx ? dx : ad_zero(ad, out));
  }
}

static void expand_jvp(Ad *ad, IrOp *op) {
  IrRegion *r = op->sub[0];
  int nx = (int)ir_int(op, A_NX), ny = (int)ir_int(op, A_NY);
  analyse(ad, r, nx, ny);
  for (int k = 0; k < nx; k++) {
    ad_set_map(ad, r->arg[k], op->in[k]);
    if (ad_has(ad, r->arg[k], AD_USEFUL)) ad_set_tan(ad, r->arg[k], op->in[nx + k]);
  }
  ad->b.at = op->parent;
  ad->b.before = op;
  ad->split = false;
  jvp_region(ad, r);
  ad->b.loc = op->loc;
  ad->b.scope = op->scope;
  for (int k = 0; k < r->nyield; k++) ad_set_map(ad, op->out[k], ad_map(ad, r->yield[k]));
  for (int k = 0; k < ny; k++) {
    IrValue *out = op->out[r->nyield + k], *dy = ad_tan(ad, r->yield[k]);
    ad_set_map(ad, out, dy ? dy : ad_zero(ad, out));
  }
}

// A custom_vjp that nothing differentiates is its first region.
static void expand_custom(Ad *ad, IrOp *op) {
  IrRegion *r = op->sub[0];
  for (int k = 0; k < r->narg; k++) ad_set_map(ad, r->arg[k], op->in[k]);
  ad->b = (IrBuilder){ad->g, op->parent, op, op->loc, op->scope};
  ad_room(ad);
  ir_clone_into(&ad->b, r, ad->map);
  for (int k = 0; k < op->nout; k++) ad_set_map(ad, op->out[k], ad_map(ad, r->yield[k]));
}

// Innermost first; what follows an expanded op reads its results through map as the walk gets there.
static void expand_region(Ad *ad, IrRegion *r) {
  for (IrOp *op = r->first, *next; op; op = next) {
    for (int k = 0; k < op->nin; k++) op->in[k] = ad_map(ad, op->in[k]);
    for (int k = 0; k < op->nregion; k++) expand_region(ad, op->sub[k]);
    next = op->next;
    if (op->code == IR_VJP) expand_vjp(ad, op);
    else if (op->code == IR_JVP) expand_jvp(ad, op);
    else continue;
    ir_move_before(op, ad->dead, NULL);
  }
  for (int k = 0; k < r->nyield; k++) r->yield[k] = ad_map(ad, r->yield[k]);
}

// What stands for v may have been replaced in its turn: a custom_vjp that gives what one inside it gives.
static IrValue *settled(Ad *ad, IrValue *v) {
  while (ad_map(ad, v) != v) v = ad_map(ad, v);
  return v;
}

// v, but not before `late` is known.
static IrValue *held_back(Ad *ad, IrValue *v, IrValue *late) {
  const IrOp *loop = v->region ? v->region->owner : NULL;
  bool turn = loop && v->index == 0 && (loop->code == IR_SCAN || loop->code == IR_MAP);
  if (turn || (v->op && v->op->code == IR_CONST) || !ir_count(&late->type)) return v;
  int64_t zero[IR_MAX_RANK] = {0}, ones[IR_MAX_RANK];
  for (int k = 0; k < IR_MAX_RANK; k++) ones[k] = 1;
  if (late->type.rank) late = ir_reshape(&ad->b, ir_slice(&ad->b, late, zero, ones, ones), 0, zero);
  return ir_bin(&ad->b, IR_AFTER, v, late);
}

// A remat that nothing differentiates any more is its region; one that runs on the way back begins with what the way
// back brings, so that nothing in it is the same as what was computed before.
static void expand_remat(Ad *ad, IrOp *op) {
  IrRegion *r = op->sub[0];
  ad->b = (IrBuilder){ad->g, op->parent, op, op->loc, op->scope};
  IrValue **capture;
  int n = op->nin ? ir_captures(ad->c->arena, r, &capture) : 0;
  IrValue **now = arena_array(ad->c->arena, IrValue *, n + 1);
  for (int k = 0; k < n; k++) {
    bool known = false;
    now[k] = settled(ad, capture[k]);
    for (int j = 0; j < op->nin; j++) known |= op->in[j] == now[k];
    if (!known) ad_set_map(ad, capture[k], held_back(ad, now[k], op->in[0]));
  }
  ad_room(ad);
  ir_clone_into(&ad->b, r, ad->map);
  for (int k = 0; k < op->nout; k++) ad_set_map(ad, op->out[k], ad_map(ad, r->yield[k]));
  for (int k = 0; k < n; k++) ad_set_map(ad, capture[k], now[k] == capture[k] ? NULL : now[k]);
}

// When nothing is left that differentiates: custom_vjp, remat and stop_grad are what they compute.
static void settle_region(Ad *ad, IrRegion *r) {
  for (IrOp *op = r->first, *next; op; op = next) {
    IrOp *before = op->prev;
    for (int k = 0; k < op->nin; k++) op->in[k] = settled(ad, op->in[k]);
    next = op->next;
    if (op->code == IR_CUSTOM || op->code == IR_REMAT) {
      if (op->code == IR_CUSTOM) expand_custom(ad, op);
      else expand_remat(ad, op);
      next = before ? before->next : r->first;
      if (next == op) next = op->next;
    } else if (op->code == IR_STOP_GRAD) {
      ad_set_map(ad, op->out[0], op->in[0]);
    } else {
      for (int k = 0; k < op->nregion; k++) settle_region(ad, op->sub[k]);
      continue;
    }
    ir_move_before(op, ad->dead, NULL);
  }
  for (int k = 0; k < r->nyield; k++) r->yield[k] = settled(ad, r->yield[k]);
}

void pass_autodiff(PassContext *c, IrGraph *g) {
  Ad ad = {.c = c, .g = g, .b = {.graph = g}, .dead = ir_region(g)};
  ad_room(&ad);
  expand_region(&ad, g->top);
  settle_region(&ad, g->top);
}
