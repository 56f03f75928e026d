// What a node touches: the places in memory that it is given, and a key under which equal work is
// equal bytes, so that twelve equal layers are one kernel.
#include "backend/llvm/nest.h"

#include <string.h>

bool nest_ref_eq(const PlanRef *x, const PlanRef *y) {
  if (x->space != y->space || x->offset != y->offset || x->nturn != y->nturn) return false;
  for (int k = 0; k < x->nturn; k++)
    if (x->turn[k].loop != y->turn[k].loop || x->turn[k].stride != y->turn[k].stride || x->turn[k].lanes != y->turn[k].lanes) return false;
  return true;
}

int nest_slot(const NestUse *u, const PlanRef *ref) {
  for (int k = 0; k < u->slot.n; k++)
    if (u->slot.at[k].kind == SLOT_MEMORY && nest_ref_eq(&u->slot.at[k].ref, ref)) return k;
  ICE("a place that the node was not seen to use");
}

int nest_constant(const NestUse *u, const IrValue *v) {
  for (int k = 0; k < u->slot.n; k++)
    if (u->slot.at[k].constant == v) return k;
  return -1;
}

bool nest_is_turn(const IrValue *v) {
  const IrOp *o = v->region && !v->op ? v->region->owner : NULL;
  return o && v->index == 0 && (o->code == IR_SCAN || o->code == IR_MAP);
}

static bool splat(const IrValue *v) {
  return v->op && v->op->code == IR_CONST && ir_attr(v->op, A_DATA)->n == ir_dtype_bytes(v->type.dtype);
}

static bool is_root(const Nest *n, const IrValue *v) {
  return n->local[v->id].stamp == n->stamp && n->local[v->id].root;
}

bool nest_computes(const Nest *n, const IrValue *v) {
  // A view of a root is not in memory before the root is.
  for (const IrValue *base = v;; base = base->op->in[0]) {
    if (is_root(n, base)) return true;
    if (!base->op || ir_info[base->op->code].lower != LOWER_VIEW) break;
  }
  return n->plan->value[v->id].home != PLAN_STORED || splat(v);
}

static void put(NestUse *u, int64_t x) { str_put(&u->key, (const char *)&x, sizeof x); }

// How an array lies to the node's domain where sizes are open: one element, a row of the last axis, all of it.
typedef enum Extent { ONE, ROW, ALL, OTHER } Extent;

static Extent extent_of(const PlanNode *node, const IrType *t) {
  int64_t count = ir_count(t);
  if (count == 1) return ONE;
  if (node->linear) return ALL;
  if (t->rank == node->rank && !memcmp(t->dim, node->dim, sizeof *t->dim * (size_t)t->rank)) return ALL;
  return t->rank && count == t->dim[t->rank - 1] && count == node->dim[node->rank - 1] ? ROW : OTHER;
}

static void put_type(const Nest *n, NestUse *u, const IrType *t) {
  if (u->size >= 0) {
    put(u, t->dtype | extent_of(n->node, t) << 8);
    return;
  }
  put(u, t->dtype | t->rank << 8);
  str_put(&u->key, (const char *)t->dim, sizeof *t->dim * (size_t)t->rank);
}

static void put_op(NestUse *u, const IrOp *op) {
  put(u, op->code);
  if (u->size >= 0 && op->code != IR_CONST && ir_info[op->code].lower != LOWER_ELEMENT) return;   // sizes and axes
  for (int k = 0; k < op->nattr; k++) {
    const IrAttr *a = &op->attr[k];
    bool text = a->key == A_DATA || a->key == A_NAME;
    put(u, a->key | (int64_t)a->n << 8);
    str_put(&u->key, text ? a->data : (const char *)a->i, text ? (size_t)a->n : sizeof *a->i * (size_t)a->n);
  }
}

static int memory(Arena *a, NestUse *u, const PlanRef *ref) {
  for (int k = 0; k < u->slot.n; k++)
    if (u->slot.at[k].kind == SLOT_MEMORY && nest_ref_eq(&u->slot.at[k].ref, ref)) return k;
  vec_push(a, &u->slot, ((NestSlot){ .ref = *ref }));
  return u->slot.n - 1;
}

static int turn(Arena *a, NestUse *u, const IrOp *loop) {
  for (int k = 0; k < u->slot.n; k++)
    if (u->slot.at[k].kind == SLOT_TURN && u->slot.at[k].turn == loop) return k;
  vec_push(a, &u->slot, ((NestSlot){ .kind = SLOT_TURN, .turn = loop }));
  return u->slot.n - 1;
}

static bool calls(const IrValue *v) {
  if (v->op->code == IR_THREEFRY) return true;
  if (v->type.dtype != IR_F32 && v->type.dtype != IR_BF16) return false;
  switch (v->op->code) {
  case IR_EXP: case IR_EXPM1: case IR_LOG: case IR_LOG1P: case IR_TANH: case IR_SIGMOID: case IR_SIN: case IR_COS: case IR_ERF: return true;
  default: return false;
  }
}

typedef struct Walk { Nest *n; NestUse *u; int count; } Walk;

static int visit(Walk *w, const IrValue *v) {
  Nest *n = w->n;
  NestUse *u = w->u;
  struct NestLocal *l = &n->local[v->id];
  if (l->stamp != n->stamp) *l = (struct NestLocal){ .stamp = n->stamp, .number = -1 };
  if (l->number >= 0) return l->number;
  if (!nest_computes(n, v)) {
    put(u, -1 - memory(n->g->arena, u, &n->plan->value[v->id].ref));
    put_type(n, u, &v->type);
  } else if (!v->op) {
    ICE_IF(!nest_is_turn(v), "value %d is computed nowhere", v->id);
    put(u, -1000000 - turn(n->g->arena, u, v->region->owner));
  } else if (nest_constant(u, v) >= 0) {
    put(u, -2000000 - nest_constant(u, v));
    put_type(n, u, &v->type);
  } else {
    int number[IR_MAX_RANK], *at = v->op->nin <= IR_MAX_RANK ? number : arena_array(n->g->arena, int, v->op->nin);
    ICE_IF(v->op->nregion, "%s cannot be computed inside a nest", ir_info[v->op->code].name);
    for (int k = 0; k < v->op->nin; k++) at[k] = visit(w, v->op->in[k]);
    if (v->op->code == IR_SIN) n->local[v->op->in[0]->id].sine = v;
    if (v->op->code == IR_COS) n->local[v->op->in[0]->id].cosine = v;
    put_op(u, v->op);
    put_type(n, u, &v->type);
    for (int k = 0; k < v->op->nin; k++) put(u, at[k]);
    bool reduces = ir_info[v->op->code].lower == LOWER_REDUCE, small = reduces && plan_small_reduce(v->op);
    u->nop += small ? PLAN_SMALL_REDUCE : 1;
    u->heavy |= reduces && !small;
    u->calls |= calls(v);
  }
  n->local[v->id].number = w->count++;
  return n->local[v->id].number;
}

static bool sizeless(Nest *n, NestUse *u, const IrValue *v) {
  NestIndex none = { 0 };
  if (!nest_computes(n, v) || nest_seen(n, v, &none)) return true;
  if (!v->op) return true;
  IrCode c = v->op->code;
  u->calls |= calls(v);
  if (c == IR_CONST) return splat(v);
  if (c != IR_BROADCAST && c != IR_RESHAPE && c != IR_STOP_GRAD && ir_info[c].lower != LOWER_ELEMENT) return false;
  for (int k = 0; k < v->op->nin; k++)
    if (!sizeless(n, u, v->op->in[k])) return false;
  return true;
}

// A linear nest of whole vectors is the same code for any number of them: an optimizer's update of each parameter.
static bool any_size(Nest *n, NestUse *u, const PlanNode *node) {
  if (node->kind != PLAN_NEST || !node->linear) return false;
  bool any = true;
  for (int k = 0; k < node->nroot && any; k++) any = sizeless(n, u, node->root[k]);
  nest_forget(n);
  int lanes = nest_lanes(n, node->dim[0]);
  return any && node->dim[0] >= 2 * lanes && node->dim[0] % lanes == 0 && (!node->strip || node->piece_len % lanes == 0);
}

// Whether what v is made of reads nothing but single numbers; an axis's counter is the linear index.
static bool drawn(Nest *n, NestUse *u, const IrValue *v) {
  NestIndex none = { 0 };
  if (!nest_computes(n, v)) return ir_count(&v->type) == 1;
  if (!v->op || nest_seen(n, v, &none)) return true;
  IrCode c = v->op->code;
  if (c == IR_CONST) return splat(v);
  if (c == IR_IOTA) return v->type.rank == 1;
  u->calls |= calls(v);
  bool number = c == IR_BROADCAST && ir_count(&v->op->in[0]->type) == 1;
  if (!number && c != IR_RESHAPE && c != IR_STOP_GRAD && ir_info[c].lower != LOWER_ELEMENT) return false;
  for (int k = 0; k < v->op->nin; k++)
    if (!drawn(n, u, v->op->in[k])) return false;
  return true;
}

// A linear nest that draws numbers, a vector or more of them: the same code for any number. It writes over nothing that it reads.
static bool any_draw(Nest *n, NestUse *u, const PlanNode *node) {
  if (node->kind != PLAN_NEST || !node->linear || node->late || node->dim[0] >= INT32_MAX) return false;
  bool any = true;
  for (int k = 0; k < node->nroot && any; k++) any = drawn(n, u, node->root[k]);
  nest_forget(n);
  int lanes = nest_lanes(n, INT32_MAX);
  return any && u->calls && node->dim[0] >= lanes && (!node->strip || node->piece_len >= lanes);
}

// Whether v at a point of a convolution's result is the same code whatever the sizes: it takes the whole index, or the last
// axis's alone.
static bool sizeless_row(Nest *n, const IrValue *v) {
  NestIndex none = { 0 };
  const IrOp *op = v->op;
  Extent e = extent_of(n->node, &v->type);
  if (op == n->node->op) return true;
  if (e == OTHER) return false;
  if (!nest_computes(n, v) || nest_seen(n, v, &none)) return true;
  if (!op) return true;
  if (op->code == IR_CONST) return splat(v);
  for (int k = 0; k < op->nin; k++)
    if (!sizeless_row(n, op->in[k])) return false;
  if (op->code == IR_STOP_GRAD || ir_info[op->code].lower == LOWER_ELEMENT) return true;
  Extent from = op->nin ? extent_of(n->node, &op->in[0]->type) : OTHER;
  if (op->code == IR_RESHAPE) return e != ALL && from == e;
  if (op->code != IR_BROADCAST) return false;
  const IrType *x = &op->in[0]->type;
  return from == ONE || (from == ROW && ir_ints(op, A_AXES, NULL)[x->rank - 1] == v->type.rank - 1);
}

// A convolution whose form leaves sizes open, and what is made of its result.
static bool any_image(Nest *n, const PlanNode *node, ConvForm *f, int64_t *number) {
  if (node->kind != PLAN_CONV || node->scratch_bytes || nest_product(node->op)) return false;
  if (node->rank != 4 || node->dim[0] == 1 || node->dim[3] == 1 || !gen_conv_form(n->g->target, node->op, true, f, number)) return false;
  bool any = f->open && extent_of(node, &node->op->out[0]->type) == ALL;
  for (int k = 0; k < 2; k++) any = any && !splat(node->op->in[k]);
  for (int k = 0; k < node->nroot && any; k++)
    any = extent_of(node, &node->root[k]->type) == ALL && sizeless_row(n, node->root[k]);
  nest_forget(n);
  return any;
}

static int given(Nest *n, NestUse *u, int64_t number) {
  vec_push(n->g->arena, &u->slot, ((NestSlot){ .kind = SLOT_NUMBER, .number = number }));
  return u->slot.n - 1;
}

// The numbers by which draws are scaled are arguments: each layer has its own.
static void give_scales(Nest *n, NestUse *u, const PlanNode *node) {
  for (int k = 0; k < node->nroot; k++) {
    const IrOp *op = node->root[k]->op;
    if (op->code != IR_MUL && op->code != IR_DIV) continue;
    const IrValue *v = op->in[1];
    int64_t bits = 0;
    if (!splat(v) || (v->type.dtype != IR_F32 && v->type.dtype != IR_F64) || nest_constant(u, v) >= 0) continue;
    memcpy(&bits, ir_attr(v->op, A_DATA)->data, (size_t)ir_dtype_bytes(v->type.dtype));
    u->slot.at[given(n, u, bits)].constant = v;
  }
}

static bool operands_in_memory(const PlanNode *node) {
  return node->kind != PLAN_NEST;
}

void nest_use(Nest *n, const Plan *p, const PlanNode *node, NestUse *u) {
  *u = (NestUse){ .key = { .arena = n->g->arena }, .size = -1, .piece = -1 };
  n->plan = p, n->node = node, n->use = u;
  if (n->nlocal < p->graph->nvalue) {
    n->nlocal = p->graph->nvalue;
    n->local = arena_array(n->g->arena, struct NestLocal, n->nlocal);
  }
  n->stamp++;
  Walk w = { n, u, 0 };
  for (int k = 0; k < node->nroot; k++)
    n->local[node->root[k]->id] = (struct NestLocal){ .stamp = n->stamp, .number = -1, .root = true };
  ConvForm form;
  int64_t number[CONV_NUMBERS];
  bool image = any_image(n, node, &form, number);
  u->again = any_draw(n, u, node);
  put(u, node->kind | node->rank << 8 | node->linear << 16 | node->blas << 17 | node->pack << 18);
  put(u, 2 * node->vector + (node->strip && !image && !u->again));
  for (int k = 0; k < node->nroot; k++) put(u, node->late && node->late[k]);
  if (u->again) {
    int64_t len;
    if (nest_pieces(n->g, node, &len) == 1) len = node->dim[0];
    put(u, -4);
    u->size = given(n, u, node->dim[0]), u->piece = given(n, u, len);
    give_scales(n, u, node);
  } else if (any_size(n, u, node)) {
    int64_t len;
    bool cut = nest_pieces(n->g, node, &len) > 1;
    put(u, cut ? -2 : -1);
    u->size = given(n, u, node->dim[0]);
    if (cut) u->piece = given(n, u, len);
  } else if (image) {
    int64_t len;
    if (nest_pieces(n->g, node, &len) == 1) len = node->dim[0];
    put(u, -3);
    str_put(&u->key, (const char *)&form, sizeof form);
    u->size = given(n, u, node->dim[0]), u->piece = given(n, u, len);
    u->number = u->slot.n;
    for (int k = 0; k < CONV_NUMBERS; k++)
      if (form.open >> k & 1) given(n, u, number[k]);
    u->last = given(n, u, node->dim[3]);
  } else {
    put(u, node->pieces), put(u, node->piece_axis), put(u, node->piece_len);
    str_put(&u->key, (const char *)node->dim, sizeof *node->dim * (size_t)node->rank);
  }
  if (operands_in_memory(node)) {
    // The op's operands first. Its own result is theirs by the product's or the buffer's slot below.
    put_op(u, node->op);
    for (int k = 0; k < node->op->nin; k++) {
      const IrValue *v = node->op->in[k];
      if (image) put(u, v->type.dtype);
      else put_type(n, u, &v->type);
      put(u, memory(n->g->arena, u, &p->value[v->id].ref));
      if (splat(v)) put_op(u, v->op);          // its number is in the code
    }
    put_type(n, u, &node->op->out[0]->type);
    if (node->kind == PLAN_UPDATE) put(u, memory(n->g->arena, u, &p->value[node->op->out[0]->id].ref));
    if (node->scratch_bytes) {
      put(u, memory(n->g->arena, u, &node->scratch));
      put(u, node->scratch_bytes);
    }
    if (node->kind != PLAN_UPDATE) {
      IrValue *y = node->op->out[0];
      struct NestLocal *l = &n->local[y->id];
      bool root = is_root(n, y);
      *l = (struct NestLocal){ .stamp = n->stamp, .number = w.count++, .root = root };
    }
  }
  for (int k = 0; k < node->nroot; k++) {
    put(u, visit(&w, node->root[k]));
    put(u, memory(n->g->arena, u, &p->value[node->root[k]->id].ref));
  }
}
