// The picture of a graph, between IrGraph and Graphviz text.
//
// A picture has boxes; a box has rows; a row is a value and the formula that computes it, over leaves. What
// is a row and what is only part of a formula:
//   with a plan     each plan node is a box, and each value that it stores a row. Within a box, values
//                   with the user's name, values used twice and formulas too long for a line get rows too.
//   without         each op is a box with one row, unless it is folded into its only user.
// Constants and ops that only move or reinterpret elements (reshape, broadcast, cast, slice, …) are folded.
//
// Values are followed through regions: what a loop yields is the result outside, an array that a loop
// takes apart is the outer array. Only carries remain, in a box at the head of their loop.
#ifndef RLC_DOT_PICTURE_H
#define RLC_DOT_PICTURE_H

#include "backend/backend.h"

typedef enum DotKind { DOT_PRODUCT, DOT_REDUCE, DOT_ELEMENT, DOT_RANDOM, DOT_MOVE, DOT_ROUTINE, DOT_CONTROL, DOT_NKIND } DotKind;

typedef struct DotLeaf {
  const IrValue *v;      // where dot_follow ends
  IrType type;           // that the row sees: a loop takes slices of v
} DotLeaf;

typedef struct DotRow {
  const IrValue *v;
  char *text;            // markers stand for leaves: DOT_LEAF, index in `leaf` as decimal, DOT_END
  DotLeaf *leaf;         // in order of first mention
  int nleaf;
  int like;              // rows of one picture with equal `like` >= 0 are shown as one, in one box
} DotRow;
#define DOT_LEAF '\1'
#define DOT_HIDDEN '\2'  // as DOT_LEAF, for an edge alone: prints nothing
#define DOT_END '\3'

typedef struct DotBox {
  const IrRegion *region;
  const PlanNode *node;      // NULL without a plan
  const IrOp *control;       // a control op shown as one box, or whose test this is
  VEC(DotRow) row;
  DotKind kind;
  const char *scope;         // or NULL
  bool backward;             // part of a derivative
  int into;                  // index of the box that it is shown in (itself, if not merged into another)
  int count[IR_NCODE];       // ops in it
} DotBox;

typedef struct DotPicture {
  Arena *arena;
  const IrGraph *graph;
  const Plan *plan;          // or NULL
  VEC(DotBox *) box;
  const IrValue **value;     // by id
  int *owner;                // by value id: the box that has the value as a row that others may use; -1: none
  const char **name;         // by value id; NULL: none yet
  int nunnamed;
  VEC(const char *) used;    // names given, for uniqueness
  const char **written;      // by value id: name of the input that the value becomes at the end of the step
  int *nuse;                 // by value id: users, not counting ops that are folded everywhere
  const IrOp **user;         // by value id: one of them; NULL: a yield
  int *mark, *times, stamp;  // by value id, of the box at hand: times is valid where mark == stamp
  bool *backward;            // by value id
  bool quiet;                // too many inputs for a box each: they are names in formulas
  int most_depth;            // control ops nested deeper are shown as one box
} DotPicture;

// ---- picture.c: what is shown
DotPicture *dot_picture(Arena *a, const IrGraph *g, const Plan *p);
bool dot_is_folded(const IrOp *op);                         // shown only as part of a formula, whoever uses it
bool dot_is_control(const IrOp *op);
bool dot_is_closed(const DotPicture *p, const IrOp *op);    // a control op shown as one box
// The value that v is, followed through folded ops and regions: one of a box, a carry, an input, a result of
// cond, a constant.
const IrValue *dot_follow(const DotPicture *p, const IrValue *v);
bool dot_is_state(const DotPicture *p, const IrValue *v);   // an input, or carry of one, that formulas name
const IrValue *dot_init(const IrValue *v);                  // what carry v begins with; NULL: v is no carry
const IrValue *dot_next(const IrValue *v);                  // what carry v becomes
const char *dot_name(DotPicture *p, const IrValue *v);      // of a followed value; gives one if need be
// Boxes and carries where a followed value may come from: cond has two.
// Returns how many;  out has room for DOT_SOURCES.
#define DOT_SOURCES 16
typedef struct DotSource { int box; const IrValue *port; } DotSource; // box, or -1: the input or carry `port`
int dot_sources(const DotPicture *p, const IrValue *v, DotSource *out);

// ---- formula.c: the text of rows
void dot_formulas(DotPicture *p, DotBox *b, int nroot, const IrValue *const *root);
char *dot_constant(Arena *a, const IrOp *op);

// ---- alike.c: repeated structure, such as an optimizer's update of each parameter, becomes one box
void dot_merge(DotPicture *p);

// ---- write.c
char *dot_write(DotPicture *p);

#endif
