// What the files of fusion share: fuse.c (levels), use.c (where values are computed), group.c (nodes).
#ifndef RLC_PLAN_FUSE_H
#define RLC_PLAN_FUSE_H

#include "backend/plan/state.h"

enum { SORT_LINEAR, SORT_ANY, SORT_OWN };   // from SORT_OWN on: one product, or reductions alike
enum { OWN_NONE = -1, OWN_MANY = -2 };
#define NARROW 16             // a last axis shorter than this is worth walking over linearly

typedef struct Group {
  int level;
  uint64_t sort;
  IrType shape;
  int ops;
  IrOp *op;                   // product, or the op that began the group
  VEC(IrValue *) root;
  int latest;                 // greatest level it may have
  int into;                   // group that took its roots, or -1
} Group;

typedef struct Fuse {
  Planner *p;
  Block *b;
  VEC(Group) group;
  int *slot, nslot;           // hash table: latest group of a key, plus one
  uint64_t products;
  int top;                    // above the levels of all groups
  bool changed, last;         // something was added to what is stored; nothing may be
} Fuse;

static inline bool is_product(uint64_t sort) { return sort >= SORT_OWN && !(sort >> 63); }
static inline bool is_large_reduce(const IrOp *op) { return lower_of(op) == LOWER_REDUCE && !plan_small_reduce(op); }
static inline bool is_product_op(const IrOp *op) { return lower_of(op) == LOWER_DOT || lower_of(op) == LOWER_CONV; }
static inline bool is_pointwise(const IrOp *op) { return lower_of(op) == LOWER_ELEMENT || op->code == IR_STOP_GRAD; }

bool fuse_keeps_linear(const IrOp *op);         // element i of its result comes of elements i of its operands, row-major
void fuse_put_root(Fuse *s, IrValue *v);        // into the group of its level, sort and shape
void fuse_loosen(Fuse *s);                      // joins small groups of different levels
void fuse_units(Fuse *s);                       // nodes of the groups
void fuse_uses(Fuse *s, bool demote);           // where values are computed; stores what is too dear; demote: drops needless roots

#endif
