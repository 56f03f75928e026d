// Emission by pull, inside one function: a value at an index is asked for, and its operands are
// asked for at the mapped index, down to loads. What has been emitted and still dominates the place
// of emission is remembered, so shared work is done once, at the outermost loop that it depends on.
//
//   variable  a loop's counter, or an index found while running. One of them, `lane_var`, may stand for
//             a vector: its lanes are at, at + 1, … , at + lanes - 1, the first `valid` of them real.
//   form      c + sum of k * variable: an index along one axis. Forms are interned: equal forms, equal ids.
//   index     one form per axis of a value, or (linear) one form that counts its elements row-major
//   mask      under which condition lanes are wanted: loads of others are not done
//   slot      a place in memory, or a loop's turn, that the function gets through its argument vector
//
// Whatever depends on lane_var is a vector of `lanes` elements; all else is scalar until it meets one.
#ifndef RLC_NEST_H
#define RLC_NEST_H

#include "backend/llvm/gen.h"

#define FORM_TERMS 24

typedef struct NestVar {
  LLVMValueRef at;             // i64: its value, of lane 0 for lane_var; NULL: its loop is not entered yet
  LLVMValueRef each;           // integers, one a lane, where the lanes have unrelated values; or NULL
  int level;                   // number of loops around the place where it gets its value
  int64_t lo, hi;              // range, ends included
  int parent;                  // a digit of another variable, (parent / div) % mod; or -1
  int64_t div, mod;
  int digits;                  // as parent: number of digits made of it
  int near; int64_t plus;      // it is that variable and a constant more, which addresses make use of; plus 0: not
  int64_t unit;                // not 0: what k times it is, k a multiple of unit, `at` is k / unit times, whatever size unit stands for
} NestVar;

typedef struct NestTerm { int var; int64_t k; } NestTerm;
typedef struct NestForm { int64_t c; int n; NestTerm t[]; } NestForm; // by level, then number of the variable

typedef struct NestIndex { bool linear; int n; int at[IR_MAX_RANK]; } NestIndex;

// A value in registers. Complex values have both parts. `var` where the value serves as an index.
typedef struct NestReg { LLVMValueRef re, im; int var; } NestReg;

typedef struct NestMask { LLVMValueRef one, each; } NestMask; // i1, i1 per lane; either may be NULL

typedef enum NestSlotKind {
  SLOT_MEMORY,                 // the address of ref
  SLOT_TURN,                   // the turn of a loop, i32
  SLOT_NUMBER,                 // an i64 known when compiling, in which kernels that are shared differ
  SLOT_DATA,                   // data of the module's own: nothing to hand over
} NestSlotKind;

typedef struct NestSlot {
  NestSlotKind kind;
  PlanRef ref;
  const IrOp *turn;
  int64_t number;
  const IrValue *constant;     // whose bits the number is, or NULL
  LLVMValueRef at;             // its value in the function; NULL: not loaded
} NestSlot;

// What a node reads and writes, and what it is up to names: nodes of equal keys share one kernel.
typedef struct NestUse {
  VEC(NestSlot) slot;
  Str key;
  int nop;                     // ops computed in it, unrolled reductions counted as many
  int size, piece;             // slots of dim[0] and piece_len, where the key leaves them open; else -1
  int number, last;            // of a CONV whose sizes are open: the first slot of its form's numbers; that of the last axis's size
  bool again;                  // points may be computed again, by any thread: the last vector of a piece ends where the piece does
  bool heavy;                  // holds a loop
  bool calls;                  // functions of analysis in f32, or threefry
} NestUse;

typedef struct NestKey { int kind, id, mask; NestIndex ix; } NestKey;
typedef struct NestMemo { NestKey key; uint64_t hash; NestReg reg; } NestMemo;

typedef struct Nest {
  Gen *g;
  const Plan *plan;
  const PlanNode *node;
  NestUse *use;
  // In a driver, slots are addresses computed in place; NULL in a kernel, which gets them as arguments.
  LLVMValueRef (*address)(void *env, const NestSlot *s);
  void *env;
  int lanes, valid, lane_var, level;   // lanes 1 and lane_var -1: scalar code
  int product;                         // slot that holds a DOT's product already; -1: none
  // By value id, valid where the stamp is the node's: whether it is a root, its number in the key.
  // `sine`, `cosine`: of the value, where the node computes both.
  struct NestLocal { int stamp, number, level; bool root; const IrValue *sine, *cosine; } *local; int nlocal, stamp;
  VEC(NestVar) var;
  VEC(NestForm *) form; int *form_at; int form_room;
  VEC(NestMask) mask;
  VEC(NestMemo) memo; int *memo_at; int memo_room;
  VEC(uint64_t) seen;                  // of the walk that hoists
} Nest;

// ---- use.c: what a node touches -------------------------------------------------------------
void nest_use(Nest *n, const Plan *p, const PlanNode *node, NestUse *u);
bool nest_computes(const Nest *n, const IrValue *v);       // here, rather than loading it
int nest_slot(const NestUse *u, const PlanRef *ref);
int nest_constant(const NestUse *u, const IrValue *v);     // the slot that has a constant's bits; -1: they stand in the code
bool nest_ref_eq(const PlanRef *x, const PlanRef *y);
bool nest_is_turn(const IrValue *v);                       // argument 0 of a scan or map

// ---- form.c: indices ---------------------------------------------------------------------------
int nest_var(Nest *n, int64_t lo, int64_t hi);             // its value comes later
int nest_value_var(Nest *n, LLVMValueRef at, int64_t lo, int64_t hi);
int nest_each_var(Nest *n, LLVMValueRef each, int64_t lo, int64_t hi);
int nest_near(Nest *n, int f);                             // f with variables that others are near to in place of those
void nest_digits(Nest *n, int var, int naxis, const int64_t *dim, int *form); // takes var apart: one form an axis
int nest_const(Nest *n, int64_t c);
int nest_of(Nest *n, int var);
int nest_add(Nest *n, int f, int h, int64_t k);            // f + k h
int nest_shift(Nest *n, int f, int64_t c);
int nest_scale(Nest *n, int f, int64_t k);
bool nest_defined(const Nest *n, int f);
bool nest_laned(const Nest *n, int f);                     // differs by lane
bool nest_digited(const Nest *n, int f);
bool nest_fixed(const Nest *n, int f, int64_t *c);
void nest_range(const Nest *n, int f, int64_t *lo, int64_t *hi);
int64_t nest_coef(const Nest *n, int f, int var);
int nest_linear(Nest *n, const IrType *t, const NestIndex *ix); // row-major position; digits are put together again
LLVMValueRef nest_scalar(Nest *n, int f);                  // i64, of lane 0
LLVMValueRef nest_vector(Nest *n, int f, IrDtype t);       // one a lane, t I32 or I64
int nest_base(Nest *n, int f);                             // f without what differs by lane, lane_var's first lane kept
LLVMValueRef nest_offsets(Nest *n, int f, IrDtype t);      // lanes of f less lane 0 of nest_base(f)
NestIndex nest_index(Nest *n, const IrType *t, int rank, const int *form); // axes of size 1 become 0

// ---- pull.c: values ------------------------------------------------------------------------------
NestReg nest_value(Nest *n, const IrValue *v, NestIndex ix, int mask);
// Emits now what values at ix need that does not wait for loops yet to be entered.
void nest_hoist(Nest *n, int nvalue, IrValue *const *v, NestIndex ix);
// Where on axis variable `var` of that size one piece of a concat, or a pad's border, ends and another begins:
// between cuts no test of the index is needed.
#define NEST_CUTS 24
typedef struct NestCuts { int var; int64_t size; int n; int64_t at[NEST_CUTS]; bool many; } NestCuts;
void nest_cuts(Nest *n, int nvalue, IrValue *const *v, NestIndex ix, NestCuts *c);
// Whether v at ix, whose digits are not vectors' own, can be had without taking a variable apart.
bool nest_whole(Nest *n, const IrValue *v, NestIndex ix);
bool nest_map(Nest *n, const IrOp *op, int k, NestIndex ix, NestIndex *to); // operand k's index, where it is a form
// x where element f / by lies inside of it on every axis, else 0. f, by: one an axis.
NestReg nest_bordered(Nest *n, const IrValue *x, const int *f, const int64_t *by, int mask);
// f / by (rounded toward zero) as a form; *exact: whether nothing is left over, NULL: never.
int nest_quotient(Nest *n, int f, int64_t by, LLVMValueRef *exact);
int nest_clamped(Nest *n, LLVMValueRef x, int64_t top);     // integer x within [0, top], as a variable
void nest_store(Nest *n, int slot, const IrType *t, int position, NestReg x);
NestReg nest_number(Nest *n, IrDtype t, double re);
NestReg nest_widen(Nest *n, NestReg x);                    // to lanes
NestReg nest_element(Nest *n, const IrOp *op, NestReg *x); // an elementwise op on registers
NestReg nest_binary(Nest *n, IrCode c, IrDtype t, NestReg x, NestReg y);
NestReg nest_peek(Nest *n, int slot, const IrType *t, int position); // what memory holds now
LLVMValueRef nest_address(Nest *n, int slot, IrDtype t, int position); // t: of a part, where values are complex
// Stores s = 2, 4 or 8 values whose lanes lie s elements apart, x[k] at position + k, as whole rows. False where it cannot.
bool nest_store_rows(Nest *n, int slot, const IrType *t, int position, int s, const NestReg *x);
int nest_mark(Nest *n);
void nest_pop(Nest *n, int mark);                          // forgets what was emitted since
bool nest_recall(Nest *n, NestKey k, NestReg *r);
void nest_remember(Nest *n, NestKey k, NestReg r);
enum { KEY_VALUE, KEY_LOAD, KEY_PTR, KEY_FORM, KEY_VECTOR, KEY_COND, KEY_GATHER, KEY_DIGIT, KEY_ROWS };

bool nest_seen(Nest *n, const IrValue *v, const NestIndex *ix); // walks meet each value at each index once
void nest_forget(Nest *n);                                 // the walk is over

// ---- complex.c --------------------------------------------------------------------------------------
NestReg nest_complex(Nest *n, const IrOp *op, NestReg *x);
NestReg nest_complex2(Nest *n, IrCode c, IrDtype t, NestReg x, NestReg y);

// ---- reduce.c -----------------------------------------------------------------------------------------
NestReg nest_reduce(Nest *n, const IrOp *op, NestIndex ix, int mask); // in place
// Emits, one after another in shared loops, the large reductions that values need at ix.
void nest_reductions(Nest *n, int nvalue, IrValue *const *v, NestIndex ix);
bool nest_product(const IrOp *op);           // a dot that is summed up in place: not for gen_dot

// ---- nest.c ---------------------------------------------------------------------------------------------
// A node in a function: nest_open, then nest_emit where the builder stands. `u` is of nest_use.
void nest_open(Nest *n, const Plan *p, const PlanNode *node, NestUse *u);
void nest_emit(Nest *n, LLVMValueRef piece);               // piece i64; NULL: the whole node
LLVMValueRef nest_kernel(Nest *n, const char *name, bool pack); // void (ptr argv, i64 piece), an RtKernel
int64_t nest_panels(const Gen *g, const PlanNode *node);   // pieces of the kernel with `pack`, which packs a product's operand 1
// Into how many pieces of how many indices the node's piece axis is cut: the plan's, rounded up to whole
// vectors or tiles.
int64_t nest_pieces(const Gen *g, const PlanNode *n, int64_t *len);
int nest_lanes(const Nest *n, int64_t size);               // of vectors along an axis of that size

#endif
