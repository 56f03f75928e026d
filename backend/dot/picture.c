// From a graph, and its plan where there is one, to boxes.
#include "backend/dot/picture.h"

#include <string.h>

#define MOST_BOXES 250       // a picture with more closes its innermost loops
#define MOST_INPUTS 12       // a graph with more names its inputs in formulas

bool dot_is_control(const IrOp *op) { return op->nregion > 0; }

bool dot_is_folded(const IrOp *op) {
  switch (op->code) {
  case IR_CONST: case IR_IOTA: case IR_CAST: case IR_BITCAST: case IR_STOP_GRAD: case IR_RESHAPE: case IR_BROADCAST:
  case IR_TRANSPOSE: case IR_SLICE: case IR_REVERSE: return true;
  default: return false;
  }
}

static int depth(const IrOp *op) {
  int n = 0;
  for (const IrOp *o = op->parent->owner; o; o = o->parent->owner) n++;
  return n;
}

bool dot_is_closed(const DotPicture *p, const IrOp *op) { return dot_is_control(op) && depth(op) >= p->most_depth; }

// ---- following values ------------------------------------------------------------------------------
static const IrOp *loop_of(const IrValue *v) { return v->op ? NULL : v->region->owner; }

static int carry_index(const IrValue *v) {                    // -1: not a carry
  const IrOp *loop = loop_of(v);
  if (!loop) return -1;
  if (loop->code == IR_WHILE) return v->index;
  if (loop->code == IR_SCAN && v->index >= 1 && v->index <= ir_int(loop, A_NCARRY)) return v->index - 1;
  return -1;
}

const IrValue *dot_init(const IrValue *v) {
  int k = carry_index(v);
  return k < 0 ? NULL : loop_of(v)->in[k];
}

const IrValue *dot_next(const IrValue *v) {
  int k = carry_index(v);
  const IrOp *loop = loop_of(v);
  return k < 0 ? NULL : loop->sub[loop->nregion - 1]->yield[k];
}

// What an argument stands for, where that is a value outside.
static const IrValue *argument(const IrValue *v) {
  const IrOp *op = loop_of(v);
  if (!op || op->code == IR_COND) return NULL;
  if (op->code == IR_WHILE) return v->region == op->sub[0] ? op->sub[1]->arg[v->index] : NULL;
  if (op->code == IR_SCAN || op->code == IR_MAP)
    return v->index == 0 || carry_index(v) >= 0 ? NULL : op->in[v->index - 1];
  return v->index < ir_int(op, A_NX) ? op->in[v->index] : NULL;
}

// What yields the result of an open control op.
static const IrValue *result(const IrValue *v) {
  const IrOp *op = v->op;
  const IrRegion *r = op->code == IR_WHILE ? op->sub[1] : op->sub[0];
  return op->code != IR_COND && v->index < r->nyield ? r->yield[v->index] : NULL;
}

const IrValue *dot_follow(const DotPicture *p, const IrValue *v) {
  while (p->owner[v->id] < 0) {
    const IrValue *next = NULL;
    if (!v->op) next = argument(v);
    else if (dot_is_control(v->op)) next = result(v);
    else if (dot_is_folded(v->op) && v->op->nin) next = v->op->in[0];
    if (!next) break;
    v = next;
  }
  return v;
}

bool dot_is_state(const DotPicture *p, const IrValue *v) {
  if (v->op) return false;
  if (!v->region->owner) return p->quiet;
  const IrValue *init = dot_init(v);
  return init && dot_is_state(p, dot_follow(p, init));
}

int dot_sources(const DotPicture *p, const IrValue *v, DotSource *out) {
  v = dot_follow(p, v);
  int box = p->owner[v->id];
  if (box >= 0) {
    out[0] = (DotSource){ .box = p->box.at[box]->into };
    return 1;
  }
  if (v->op) {
    if (v->op->code != IR_COND) return 0;
    int n = 0;
    DotSource more[DOT_SOURCES];
    for (int side = 0; side < 2; side++) {
      int k = dot_sources(p, v->op->sub[side]->yield[v->index], more);
      for (int i = 0; i < k && n < DOT_SOURCES; i++) out[n++] = more[i];
    }
    return n;
  }
  if (dot_is_state(p, v) || (v->region->owner && !dot_init(v))) return 0;
  out[0] = (DotSource){ -1, v };
  return 1;
}

// ---- names -----------------------------------------------------------------------------------------
static const char *unique(DotPicture *p, const char *want) {
  const char *name = want;
  for (int k = 2;; k++) {
    bool taken = false;
    for (int i = 0; !taken && i < p->used.n; i++) taken = !strcmp(p->used.at[i], name);
    if (!taken) break;
    name = arena_printf(p->arena, "%s.%d", want, k);
  }
  vec_push(p->arena, &p->used, name);
  return name;
}

const char *dot_name(DotPicture *p, const IrValue *v) {
  const char **name = &p->name[v->id];
  if (*name) return *name;
  const IrOp *loop = loop_of(v);
  if (dot_is_state(p, v) && loop) *name = dot_name(p, dot_follow(p, dot_init(v)));
  else if (!v->op && loop && !dot_init(v)) *name = loop->code == IR_SCAN ? "turn" : loop->code == IR_MAP ? "lane" : "cotangent";
  else if (p->written[v->id]) *name = arena_printf(p->arena, "%s'", p->written[v->id]);
  else *name = arena_printf(p->arena, "%%%d", ++p->nunnamed);
  return *name;
}

static void name_hint(DotPicture *p, const IrValue *v, bool own) {
  if (!v->hint || !*v->hint) return;
  const IrValue *s = dot_follow(p, v);
  if ((own && s != v) || p->name[s->id] || (s->op && s->op->code == IR_CONST) || dot_is_state(p, s)) return;
  p->name[s->id] = unique(p, v->hint);
}

static void name_region(DotPicture *p, const IrRegion *r, bool own) {
  for (int k = 0; k < r->narg; k++) name_hint(p, r->arg[k], own);
  ir_each_op(r, op) {
    for (int k = 0; k < op->nout; k++) name_hint(p, op->out[k], own);
    for (int k = 0; k < op->nregion; k++) name_region(p, op->sub[k], own);
  }
}

// What the derivative gives to the rest is named after the one parameter of its module with that shape: dw for w.
static void name_gradient(DotPicture *p, const IrValue *v) {
  const char *scope = v->op->scope, *last = NULL;
  const IrOp *user = p->user[v->id];
  if (!scope || p->name[v->id] || !p->backward[v->id] || (user && p->backward[user->out[0]->id])) return;
  size_t n = strlen(scope);
  for (int k = 0; k < p->graph->top->narg; k++) {
    const IrValue *x = p->graph->top->arg[k];
    const char *at = strstr(p->name[x->id], scope);
    if (!at || at[n] != '.' || strchr(at + n + 1, '.') || !ir_type_eq(&x->type, &v->type)) continue;
    if (last && strcmp(last, at + n + 1)) return;
    last = at + n + 1;
  }
  if (last) p->name[v->id] = unique(p, arena_printf(p->arena, "%s.d%s", scope, last));
}

static void write_to(DotPicture *p, const IrValue *v, const char *name) {
  v = dot_follow(p, v);
  if (v->op && v->op->code == IR_COND && p->owner[v->id] < 0) {
    for (int side = 0; side < 2; side++) write_to(p, v->op->sub[side]->yield[v->index], name);
  } else if (p->owner[v->id] >= 0 && !p->written[v->id]) {
    p->written[v->id] = name;
  }
}

static void name_all(DotPicture *p) {
  const IrGraph *g = p->graph;
  for (int k = 0; k < g->top->narg; k++) {
    const IrValue *v = g->top->arg[k];
    const char *name = g->in_name && g->in_name[k] ? g->in_name[k] : v->hint ? v->hint : arena_printf(p->arena, "input %d", k + 1);
    p->name[v->id] = unique(p, name);
  }
  for (int k = 0; p->quiet && g->out_name && k < g->top->nyield; k++)
    for (int i = 0; g->out_name[k] && i < g->top->narg; i++)
      if (!strcmp(p->name[g->top->arg[i]->id], g->out_name[k])) write_to(p, g->top->yield[k], g->out_name[k]);
  name_region(p, g->top, true);
  name_region(p, g->top, false);
  for (int k = 0; k < g->nvalue; k++)
    if (p->owner[k] >= 0) name_gradient(p, p->value[k]);
}

// ---- the way back ------------------------------------------------------------------------------------
// Differentiation puts the ops of the derivative behind those that they are derived from, with the same place in
// the source. A product that is an earlier one's adjoint shows where it is; the range around it in which every
// op has the place of an earlier one is the derivative.
static bool same_place(const IrOp *x, const IrOp *y) {
  return x->loc.line > 0 && x->loc.src == y->loc.src && x->loc.line == y->loc.line && x->loc.col == y->loc.col;
}

static bool is_adjoint(const IrOp *op, const IrOp *of) {
  if (op->code == IR_CONV_DX || op->code == IR_CONV_DW) return of->code == IR_CONV;
  if (op->code != of->code) return false;
  if (op->code == IR_DOT) return ir_int(op, A_TA) != ir_int(of, A_TA) || ir_int(op, A_TB) != ir_int(of, A_TB);
  return op->code == IR_SCAN && ir_int(op, A_REVERSE) != ir_int(of, A_REVERSE);
}

static void find_backward(DotPicture *p, const IrRegion *r) {
  const IrOp *first = NULL, *last = NULL;
  VEC(const IrOp *) ops = { 0 };
  VEC(bool) again = { 0 };
  int from = 0, to = -1;
  ir_each_op(r, op) {
    for (int k = 0; k < op->nregion; k++) find_backward(p, op->sub[k]);
    if (op->code == IR_CONST) continue;
    bool seen = false, adjoint = false;
    for (int k = 0; k < ops.n; k++) {
      if (!same_place(op, ops.at[k])) continue;
      seen = true;
      adjoint = adjoint || is_adjoint(op, ops.at[k]);
    }
    if (adjoint && !first) first = op, from = ops.n;
    if (adjoint) last = op, to = ops.n;
    vec_push(p->arena, &ops, op);
    vec_push(p->arena, &again, seen);
  }
  if (!last) return;
  while (from > 0 && again.at[from - 1]) from--;
  while (to + 1 < ops.n && again.at[to + 1]) to++;
  for (int i = from; i <= to; i++)
    for (int k = 0; k < ops.at[i]->nout; k++) p->backward[ops.at[i]->out[k]->id] = true;
}

// ---- boxes -------------------------------------------------------------------------------------------
static DotBox *new_box(DotPicture *p, const IrRegion *r) {
  DotBox *b = arena_new(p->arena, DotBox);
  b->region = r;
  b->into = p->box.n;
  vec_push(p->arena, &p->box, b);
  return b;
}

static void own(DotPicture *p, const IrValue *v) { p->owner[v->id] = p->box.n - 1; }

// A box yet without formulas: a value's formula must know which other values have boxes. What a node does to put
// a loop's turn in memory is not shown.
static void new_values(DotPicture *p, const IrRegion *r, const PlanNode *node, int n, IrValue *const *v) {
  DotBox *b = NULL;
  for (int k = 0; k < n; k++) {
    if (!v[k]->op) continue;
    if (!b) b = new_box(p, r);
    b->node = node;
    own(p, v[k]);
    vec_push(p->arena, &b->row, ((DotRow){ .v = v[k], .like = -1 }));
  }
}

// A control op's own box: all of it, where it is closed; else its test; else results that no region yields.
static void new_control(DotPicture *p, const IrOp *op) {
  bool closed = dot_is_closed(p, op), tests = op->code == IR_COND || op->code == IR_WHILE;
  int from = closed ? 0 : op->nout;
  if ((op->code == IR_VJP || op->code == IR_JVP) && !closed) from = op->sub[0]->nyield;
  if (!closed && !tests && from == op->nout) return;
  DotBox *b = new_box(p, closed || !tests ? op->parent : op->sub[0]);
  b->control = op;
  b->kind = DOT_CONTROL;
  b->scope = op->scope;
  for (int k = from; k < op->nout; k++) own(p, op->out[k]);
}

static void plan_block(DotPicture *p, const IrRegion *r, const PlanBlock *block) {
  for (const PlanNode *n = block->first; n; n = n->next) {
    switch (n->kind) {
    case PLAN_NEST: case PLAN_DOT: case PLAN_CONV: new_values(p, r, n, n->nroot, n->root); break;
    case PLAN_LIB: case PLAN_UPDATE: new_values(p, r, n, n->op->nout, n->op->out); break;
    case PLAN_COPY: break;
    case PLAN_FORK:
      for (int k = 0; k < 2; k++) plan_block(p, r, &n->body[k]);
      break;
    case PLAN_STRIPS: plan_block(p, r, &n->body[0]); break;
    case PLAN_SCAN: case PLAN_MAP: case PLAN_WHILE: case PLAN_COND:
      new_control(p, n->op);
      for (int k = 0; !dot_is_closed(p, n->op) && k < n->op->nregion; k++) plan_block(p, n->op->sub[k], &n->body[k]);
    }
  }
}

static bool fuses(const IrOp *op, const IrOp *user) {
  IrLower from = ir_info[op->code].lower, to = ir_info[user->code].lower;
  if (from == LOWER_ELEMENT) return to == LOWER_ELEMENT || to == LOWER_REDUCE || to == LOWER_INDEX;
  return (from == LOWER_DOT || from == LOWER_CONV || from == LOWER_REDUCE) && to == LOWER_ELEMENT;
}

static bool has_box(const DotPicture *p, const IrOp *op) {
  const IrValue *v = op->out[0];
  if (dot_is_folded(op)) return false;
  const IrOp *user = p->user[v->id];
  return v->hint || p->nuse[v->id] != 1 || !user || user->parent != op->parent || !fuses(op, user) ||
         p->backward[v->id] != p->backward[user->out[0]->id];
}

static void region_boxes(DotPicture *p, const IrRegion *r) {
  ir_each_op(r, op) {
    if (dot_is_control(op)) {
      new_control(p, op);
      for (int k = 0; !dot_is_closed(p, op) && k < op->nregion; k++) region_boxes(p, op->sub[k]);
    } else if (has_box(p, op)) {
      new_values(p, r, NULL, op->nout, op->out);
    }
  }
}

// A value that something other than a formula needs, and that has no box: one of its own.
static void want(DotPicture *p, const IrValue *v) {
  v = dot_follow(p, v);
  if (p->owner[v->id] >= 0 || !v->op || dot_is_control(v->op) || dot_is_folded(v->op)) return;
  new_values(p, v->op->parent, NULL, v->op->nout, v->op->out);
}

static void want_all(DotPicture *p, const IrRegion *r) {
  ir_each_op(r, op) {
    if (!dot_is_control(op)) continue;
    for (int k = 0; k < op->nin; k++) want(p, op->in[k]);
    for (int k = 0; !dot_is_closed(p, op) && k < op->nregion; k++) want_all(p, op->sub[k]);
  }
  for (int k = 0; k < r->nyield; k++) want(p, r->yield[k]);
}

static void count_uses(DotPicture *p, const IrRegion *r) {
  for (int k = 0; k < r->narg; k++) p->value[r->arg[k]->id] = r->arg[k];
  for (int k = 0; k < r->nyield; k++) p->nuse[r->yield[k]->id]++;
  for (const IrOp *op = r->last; op; op = op->prev) {
    for (int k = 0; k < op->nregion; k++) count_uses(p, op->sub[k]);
    for (int k = 0; k < op->nout; k++) p->value[op->out[k]->id] = op->out[k];
    for (int k = 0; k < op->nin; k++) {
      int x = op->in[k]->id;
      bool through = dot_is_folded(op);
      p->nuse[x] += through ? p->nuse[op->out[0]->id] : 1;
      p->user[x] = through ? p->user[op->out[0]->id] : op;
    }
  }
}

// ---- kind and place ------------------------------------------------------------------------------------
static DotKind kind_of(const DotBox *b) {
  const int *n = b->count;
  if (b->control) return DOT_CONTROL;
  if (n[IR_DOT] + n[IR_CONV] + n[IR_CONV_DX] + n[IR_CONV_DW]) return DOT_PRODUCT;
  if (n[IR_THREEFRY]) return DOT_RANDOM;
  DotKind kind = DOT_MOVE;
  for (int c = 0; c < IR_NCODE; c++) {
    IrLower how = ir_info[c].lower;
    if (!n[c]) continue;
    if (how == LOWER_LIB) return DOT_ROUTINE;
    if (how == LOWER_REDUCE) kind = DOT_REDUCE;
    if (how == LOWER_ELEMENT && kind == DOT_MOVE && c != IR_CAST && c != IR_BITCAST) kind = DOT_ELEMENT;
  }
  return kind;
}

static DotPicture *attempt(Arena *a, const IrGraph *g, const Plan *plan, int most_depth) {
  int n = g->nvalue;
  DotPicture *p = arena_new(a, DotPicture);
  *p = (DotPicture){ .arena = a, .graph = g, .plan = plan, .most_depth = most_depth, .quiet = g->top->narg > MOST_INPUTS,
    .value = arena_array(a, const IrValue *, n), .owner = arena_array(a, int, n), .name = arena_array(a, const char *, n),
    .written = arena_array(a, const char *, n), .nuse = arena_array(a, int, n), .user = arena_array(a, const IrOp *, n),
    .mark = arena_array(a, int, n), .times = arena_array(a, int, n), .backward = arena_array(a, bool, n) };
  for (int k = 0; k < n; k++) p->owner[k] = -1;
  count_uses(p, g->top);
  find_backward(p, g->top);
  if (plan) plan_block(p, g->top, &plan->body);
  else region_boxes(p, g->top);
  want_all(p, g->top);
  return p;
}

static bool has_closed(const DotPicture *p) {
  bool closed = false;
  for (int k = 0; k < p->box.n; k++) closed = closed || (p->box.at[k]->control && dot_is_closed(p, p->box.at[k]->control));
  return closed;
}

DotPicture *dot_picture(Arena *a, const IrGraph *g, const Plan *plan) {
  DotPicture *p = NULL;
  for (int most = 0; !p || has_closed(p); most++) {
    DotPicture *deeper = attempt(a, g, plan, most);
    if (p && deeper->box.n > MOST_BOXES) break;
    p = deeper;
  }
  name_all(p);
  for (int k = 0; k < p->box.n; k++) {
    DotBox *b = p->box.at[k];
    int nroot = b->row.n;
    const IrValue **root = arena_array(a, const IrValue *, nroot + 1);
    for (int i = 0; i < nroot; i++) root[i] = b->row.at[i].v;
    b->row.n = 0;
    dot_formulas(p, b, nroot, root);
    b->kind = kind_of(b);
    b->backward = nroot && p->backward[root[0]->id];
  }
  dot_merge(p);
  return p;
}
