#include "ir/ir.h"

#include <stdlib.h>
#include <string.h>

// ---- uses ---------------------------------------------------------------------------------
typedef void UseFn(void *data, IrValue **use);

static void each_use(IrRegion *r, UseFn *f, void *data) {
  ir_each_op(r, op) {
    for (int k = 0; k < op->nin; k++) f(data, &op->in[k]);
    for (int k = 0; k < op->nregion; k++) each_use(op->sub[k], f, data);
  }
  for (int k = 0; k < r->nyield; k++) f(data, &r->yield[k]);
}

typedef struct Pair { IrValue *from, *to; } Pair;

static void use_pair(void *data, IrValue **use) {
  const Pair *p = data;
  if (*use == p->from) *use = p->to;
}

void ir_replace(IrGraph *g, IrValue *from, IrValue *to) {
  Pair p = {from, to};
  each_use(g->top, use_pair, &p);
}

static void use_map(void *data, IrValue **use) {
  IrValue **map = data;
  if (map[(*use)->id]) *use = map[(*use)->id];
}

void ir_replace_all(IrGraph *g, IrValue **map) { each_use(g->top, use_map, map); }

// ---- regions --------------------------------------------------------------------------------
bool ir_defined_in(const IrValue *v, const IrRegion *r) {
  const IrRegion *at = v->op ? v->op->parent : v->region;
  while (at && at != r) at = at->owner ? at->owner->parent : NULL;
  return at == r;
}

typedef struct Captured {
  Arena *arena;
  const IrRegion *region;
  VEC(IrValue *) v;
} Captured;

static void use_capture(void *data, IrValue **use) {
  Captured *c = data;
  if (!ir_defined_in(*use, c->region)) vec_push(c->arena, &c->v, *use);
}

static int by_id(const void *a, const void *b) {
  int i = (*(IrValue *const *)a)->id, j = (*(IrValue *const *)b)->id;
  return (i > j) - (i < j);
}

int ir_captures(Arena *a, const IrRegion *r, IrValue ***out) {
  Captured c = {.arena = a, .region = r};
  each_use((IrRegion *)(uintptr_t)r, use_capture, &c);  // only reads: use_capture changes no use
  int n = 0;
  if (c.v.n) qsort(c.v.at, (size_t)c.v.n, sizeof *c.v.at, by_id);
  for (int k = 0; k < c.v.n; k++)
    if (!n || c.v.at[n - 1] != c.v.at[k]) c.v.at[n++] = c.v.at[k];
  *out = c.v.at;
  return n;
}

int ir_count_uses(const IrRegion *r, const IrValue *v) {
  int n = 0;
  ir_each_op(r, op) {
    for (int k = 0; k < op->nin; k++) n += op->in[k] == v;
    for (int k = 0; k < op->nregion; k++) n += ir_count_uses(op->sub[k], v);
  }
  for (int k = 0; k < r->nyield; k++) n += r->yield[k] == v;
  return n;
}

int ir_count_ops(const IrRegion *r) {
  int n = 0;
  ir_each_op(r, op) {
    n++;
    for (int k = 0; k < op->nregion; k++) n += ir_count_ops(op->sub[k]);
  }
  return n;
}
