// A number for what a graph computes: equal graphs have equal ones, wherever in a source they come from.
#include "ir/ir.h"

#include <string.h>

typedef struct Hash { uint64_t h; int *number, next; } Hash;

static void put(Hash *x, const void *data, size_t n) { x->h = base_hash(x->h, data, n); }
static void put_int(Hash *x, int64_t v) { put(x, &v, sizeof v); }

static void put_type(Hash *x, const IrType *t) {
  put_int(x, (int64_t)t->dtype << 8 | t->rank);
  put(x, t->dim, sizeof *t->dim * (size_t)t->rank);
}

static void define(Hash *x, const IrValue *v) {
  x->number[v->id] = x->next++;
  put_type(x, &v->type);
}

// An element that is repeated counts once, and what may be left out where it is zero does not count then.
static void put_attr(Hash *x, const IrOp *op, const IrAttr *a) {
  if (ir_key_may_lack(a->key) && !a->i[0]) return;
  size_t n = (size_t)a->n, one = a->key == A_DATA ? (size_t)ir_dtype_bytes(op->out[0]->type.dtype) : n;
  if (one && n > one && !memcmp(a->data, (const char *)a->data + one, n - one)) n = one;
  put_int(x, (int64_t)a->key << 32 | (int64_t)n);
  put(x, a->data, a->key == A_DATA || a->key == A_NAME ? n : sizeof *a->i * n);
}

static void put_region(Hash *x, const IrRegion *r) {
  put_int(x, r->narg);
  for (int k = 0; k < r->narg; k++) define(x, r->arg[k]);
  ir_each_op(r, op) {
    put_int(x, (int64_t)op->code << 32 | op->nin);
    for (int k = 0; k < op->nin; k++) put_int(x, x->number[op->in[k]->id]);
    for (int k = 0; k < op->nattr; k++) put_attr(x, op, &op->attr[k]);
    for (int k = 0; k < op->nregion; k++) put_region(x, op->sub[k]);
    for (int k = 0; k < op->nout; k++) define(x, op->out[k]);
  }
  put_int(x, r->nyield);
  for (int k = 0; k < r->nyield; k++) put_int(x, x->number[r->yield[k]->id]);
}

uint64_t ir_hash(Arena *a, uint64_t from, const IrGraph *g) {
  Hash x = {from, arena_array(a, int, g->nvalue + 1), 1};
  put_region(&x, g->top);
  return x.h;
}
