// Common subexpressions: a hash table of the ops that dominate the one at hand.
// Entries made in a region are dropped when the walk leaves it.
#include "passes/simplify.h"

#include <string.h>

enum { DATA_HASHED = 4096, CONTROL_TRIED = 4, SMALL = 4096 };

static bool commutes(IrCode c) {
  return c == IR_ADD || c == IR_MUL || c == IR_AND || c == IR_OR || c == IR_XOR || c == IR_EQ || c == IR_NE;
}

static bool is_bytes(const IrAttr *t) { return t->key == A_DATA || t->key == A_NAME; }
static size_t size_of(const IrAttr *t) { return (size_t)t->n * (is_bytes(t) ? 1 : sizeof(int64_t)); }
static const void *bytes_of(const IrAttr *t) { return is_bytes(t) ? t->data : (const void *)t->i; }

// Attributes in any order: their hashes add.
static uint64_t hash_attrs(const IrOp *op) {
  uint64_t sum = 0;
  for (int i = 0; i < op->nattr; i++) {
    size_t n = size_of(&op->attr[i]);
    uint64_t head[2] = {op->attr[i].key, n};
    sum += base_hash(base_hash(0, head, sizeof head), bytes_of(&op->attr[i]), n < DATA_HASHED ? n : DATA_HASHED);
  }
  return sum;
}

static uint64_t hash_type(uint64_t h, const IrType *t) {
  int64_t head[2] = {t->dtype, t->rank};
  return base_hash(base_hash(h, head, sizeof head), t->dim, sizeof t->dim[0] * (size_t)t->rank);
}

static uint64_t hash_op(const IrOp *op) {
  int head[4] = {op->code, op->nin, op->nout, 0};
  for (int i = 0; i < op->nregion; i++) head[3] = 31 * head[3] + op->sub[i]->nyield;
  uint64_t h = base_hash(hash_attrs(op), head, sizeof head);
  if (op->nin == 2 && commutes(op->code)) {
    int a = op->in[0]->id, b = op->in[1]->id;
    int ids[2] = {a < b ? a : b, a < b ? b : a};
    h = base_hash(h, ids, sizeof ids);
  } else
    for (int i = 0; i < op->nin; i++) h = base_hash(h, &op->in[i]->id, sizeof op->in[i]->id);
  return op->nout ? hash_type(h, &op->out[0]->type) : h;
}

static bool same_attrs(const IrOp *a, const IrOp *b) {
  if (a->nattr != b->nattr) return false;
  for (int i = 0; i < a->nattr; i++) {
    const IrAttr *x = &a->attr[i], *y = ir_attr(b, x->key);
    if (!y || x->n != y->n || memcmp(bytes_of(x), bytes_of(y), size_of(x))) return false;
  }
  return true;
}

// x in the first of two regions stands where y stands in the second.
static bool matches(Simp *s, const IrValue *x, const IrValue *y) {
  const Note *n = simp_note(s, x);
  return n->epoch == s->epoch ? n->peer == y : x == y;
}

static void match(Simp *s, IrValue *x, IrValue *y) {
  Note *n = simp_note(s, x);
  n->peer = y;
  n->epoch = s->epoch;
}

static bool same_region(Simp *s, const IrRegion *a, const IrRegion *b);

static bool same_op(Simp *s, const IrOp *a, const IrOp *b) {
  if (a->code != b->code || a->nin != b->nin || a->nout != b->nout || a->nregion != b->nregion) return false;
  if (!same_attrs(a, b)) return false;
  for (int i = 0; i < a->nout; i++)
    if (!ir_type_eq(&a->out[i]->type, &b->out[i]->type)) return false;
  bool same = true;
  for (int i = 0; i < a->nin; i++) same &= matches(s, a->in[i], b->in[i]);
  if (!same && a->nin == 2 && commutes(a->code))
    same = matches(s, a->in[0], b->in[1]) && matches(s, a->in[1], b->in[0]);
  if (!same) return false;
  for (int i = 0; i < a->nregion; i++)
    if (!same_region(s, a->sub[i], b->sub[i])) return false;
  return true;
}

static bool same_region(Simp *s, const IrRegion *a, const IrRegion *b) {
  if (a->narg != b->narg || a->nyield != b->nyield) return false;
  for (int i = 0; i < a->narg; i++) {
    if (!ir_type_eq(&a->arg[i]->type, &b->arg[i]->type)) return false;
    match(s, a->arg[i], b->arg[i]);
  }
  const IrOp *q = b->first;
  for (const IrOp *p = a->first; p; p = p->next, q = q->next) {
    if (!q || !same_op(s, p, q)) return false;
    for (int i = 0; i < p->nout; i++) match(s, p->out[i], q->out[i]);
  }
  if (q) return false;
  for (int i = 0; i < a->nyield; i++)
    if (!matches(s, a->yield[i], b->yield[i])) return false;
  return true;
}

// Reading an outer region's value keeps it in memory across the loop. That pays where the op
// computes; an index map or a large constant is cheaper made again where it is read.
static bool worth_capturing(const IrOp *op) {
  IrLower l = ir_info[op->code].lower;
  if (l != LOWER_INDEX && l != LOWER_VIEW) return true;
  return ir_bytes(&op->out[0]->type) <= SMALL || (op->nin && ir_bytes(&op->out[0]->type) <= ir_bytes(&op->in[0]->type));
}

static void grow(Simp *s) {
  s->nbucket = s->nbucket ? 4 * s->nbucket : 256;
  s->bucket = arena_array(s->tmp, int, s->nbucket);
  for (int i = 0; i < s->nbucket; i++) s->bucket[i] = -1;
  for (int i = 0; i < s->cse.n; i++) {
    int *head = &s->bucket[s->cse.at[i].hash & (uint64_t)(s->nbucket - 1)];
    s->cse.at[i].next = *head;
    *head = i;
  }
}

IrOp *simp_cse(Simp *s, IrOp *op, int depth) {
  if (op->nout == 0) return NULL;
  if (s->cse.n >= s->nbucket) grow(s);
  uint64_t hash = hash_op(op);
  int tried = 0;
  for (int i = s->bucket[hash & (uint64_t)(s->nbucket - 1)]; i >= 0; i = s->cse.at[i].next) {
    const CseEntry *e = &s->cse.at[i];
    if (e->hash != hash || e->op == op || (e->depth < depth && !worth_capturing(op))) continue;
    if (op->nregion && tried++ == CONTROL_TRIED) break;
    s->epoch++;
    if (same_op(s, e->op, op)) return e->op;
  }
  int *head = &s->bucket[hash & (uint64_t)(s->nbucket - 1)];
  vec_push(s->tmp, &s->cse, ((CseEntry){hash, op, depth, *head}));
  *head = s->cse.n - 1;
  return NULL;
}

void simp_cse_leave(Simp *s, int mark) {
  while (s->cse.n > mark) {
    const CseEntry *e = &s->cse.at[--s->cse.n];
    s->bucket[e->hash & (uint64_t)(s->nbucket - 1)] = e->next;
  }
}
