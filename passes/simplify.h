// What the files of pass_simplify share. One round is two linear walks:
// forward (fold, identities, control, common subexpressions, hoisting), where
// every value met before has its final stand-in, then backward (dead code).
// Nothing outside passes/simplify.c, fold.c, identity.c, shape.c, masked.c, control.c, cse.c,
// hoist.c and dce.c includes this.
#ifndef RLC_SIMPLIFY_H
#define RLC_SIMPLIFY_H

#include "passes/passes.h"

// What is known of a value; grows with the graph.
typedef struct Note {
  IrValue *to;        // stands for it from now on, or NULL: itself
  int uses;           // at the start of the round
  int slices;         // of these: slices,
  int64_t sliced;     //   and the elements that they read together
  int depth;          // of the region it is defined in; the top's is 0
  int free;           // the outermost depth at which it could be defined; <= depth
  int64_t leaf;       // bytes of the largest array that the hoistable ops behind it read
  bool live;          // reaches an output (dce)
  bool refused;       // hoisting it would keep more memory than it saves (this round)
  IrValue *peer;      // what it was matched with, in comparison number `epoch` (cse)
  int epoch;
} Note;

typedef struct CseEntry { uint64_t hash; IrOp *op; int depth, next; } CseEntry;

// The regions around the op at hand.
typedef struct Level {
  IrRegion *region;
  int floor;          // ops of this region may move out to this depth, no further
  int captured;       // the greatest `free` of the outer values used in it so far
} Level;

typedef struct Simp {
  PassContext *ctx;
  Arena *tmp;         // until the pass ends
  IrGraph *graph;
  Note *note;
  int nnote;
  bool changed;       // in this round
  bool diff;          // vjp, jvp or custom_vjp are still to be expanded
  VEC(Level) level;   // level.n may fall and rise: entries above it stay readable until overwritten
  VEC(CseEntry) cse;
  int *bucket;        // index into cse, or -1
  int nbucket;        // a power of two
  int epoch;
} Simp;

Note *simp_note(Simp *s, const IrValue *v);
IrValue *simp_now(Simp *s, IrValue *v);                  // what stands for v
void simp_replace(Simp *s, IrValue *from, IrValue *to);
IrBuilder simp_at(Simp *s, IrOp *op);                    // builds before op, at its place in the source

// ---- constants [passes/fold.c]
bool simp_is_const(const IrValue *v);
bool simp_is_splat(const IrValue *v);                    // one element repeated
bool simp_is_int(const IrValue *v, int64_t x);           // a splat of integers or bool, equal to x
bool simp_is_real(const IrValue *v, double x);           // a splat of floats, equal to x, sign of zero included
bool simp_splat_real(const IrValue *v, double *x);       // reads a splat of floats
IrValue *simp_int(IrBuilder *b, IrType t, int64_t x);    // a splat of integers or bool
IrValue *simp_resplat(IrBuilder *b, const IrValue *v, IrType t); // v's element over t's shape
bool simp_same(const IrValue *a, const IrValue *b);      // the same value, or equal constants
// The op's result as a constant where its operands are constants and it is small; else NULL.
IrValue *simp_fold(Simp *s, IrOp *op);

// ---- what stands for the only result of op, or NULL [passes/identity.c]
IrValue *simp_identity(Simp *s, IrOp *op);
IrValue *simp_shape(Simp *s, IrBuilder *b, IrOp *op);    // those of shape and index; b: before op [passes/shape.c]
// Of a select: writes of two branches, one after the other, masked. [passes/masked.c]
IrValue *simp_masked(Simp *s, IrBuilder *b, IrOp *op);

// ---- regions [passes/control.c]
// Before op's regions are walked. True: op is gone, or must be looked at again.
bool simp_control(Simp *s, IrOp *op);
// After they are walked: results that need no loop are replaced.
void simp_control_results(Simp *s, IrOp *op);

// ---- common subexpressions [passes/cse.c]
// An equal op that dominates this one, or NULL; then op is entered.
IrOp *simp_cse(Simp *s, IrOp *op, int depth);
void simp_cse_leave(Simp *s, int mark);                  // forgets what was entered since s->cse.n was mark

// ---- loop-invariant code [passes/hoist.c]
// Notes depth, free and leaf of op's results; captured: the greatest `free` among values that
// op's regions capture; then hoists what op reads, where op itself has to stay.
void simp_hoist(Simp *s, IrOp *op, int captured);
void simp_hoist_use(Simp *s, IrValue *v);                // v is used by something that stays
void simp_hoist_to(Simp *s, IrValue *v, int depth);      // unconditionally; depth >= its note's free and floor

// ---- dead code [passes/dce.c]
void simp_dce(Simp *s);

#endif
