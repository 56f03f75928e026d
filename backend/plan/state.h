// Inside the planner: what its files share.
//
//   mark     blocks; which values are used, and which must be in memory        [mark.c]
//   keep     what is stored by the time that a part of an array is written     [keep.c]
//   fuse     which other values are stored, and which node stores each         [fuse.c, use.c, group.c]
//   order    what each node reads; the order of nodes in a block               [order.c]
//   shape    vector axis, late roots, pieces, scratch room of a node           [shape.c, late.c]
//   split    nodes side by side on two threads                                 [split.c]
//   strip    nodes that run together, a strip of their leading axis at a time  [strip.c]
//   place    life times, shared buffers, copies, addresses                     [memory.c]
//
// build.c runs them in this order, and says what each needs and gives (`rlc passes`).
#ifndef RLC_PLAN_STATE_H
#define RLC_PLAN_STATE_H

#include "backend/plan.h"

typedef struct Block Block;
typedef struct Unit Unit;
// Units, one behind another, that run strip by strip. `loop`: each strip goes through its turns on its own; or NULL.
// `ns`: of all of them on one core; `broken`: a fork took some; `stamp`: of the last stretch with one of them [split.c].
typedef struct Strips { int64_t n; Unit *first, *last, *loop; double ns; int stamp; bool broken; } Strips;

// A STORED value that a node reads; `point`: only at the domain's own (linear) index, once all
// loads of that point are done it may be written over.
// `local`: a strip of the roots needs the same strip of it only, for the strips that the node is cut into.
typedef struct Read { const IrValue *v; bool point, local; } Read;

typedef VEC(const IrValue *) Values;

typedef struct Move { int from, to; const IrOp *op; } Move; // objects; to: any object of the class written
typedef VEC(Move) Moves;

struct Unit {                  // a node that is being planned
  PlanNode *node;
  Block *block;
  Block *body[2];
  VEC(IrValue *) root;
  VEC(Read) read;              // of control: what the bodies read from outside, and the operands
  int at;                      // position of its last root's op among the block's ops
  int waits;                   // units it still waits for
  int blockers;                // unscheduled readers of values it would like to write over
  VEC(Unit *) then, frees;     // units that wait for it; whose blocker it is
  VEC(Unit *) awaits;          // units that read what it would like to write over
  int index;                   // place in its block before forks are made
  bool cut;                    // it, or something in it, is run by several threads
  bool done;
  int tick, end;               // position in the whole plan's order; control: of its end
  Moves before;                // copies in front of it
  int scratch;                 // object, or -1
  Unit *pack_before;           // the loop whose op is node->pack_before
  double ns;                   // of its work on one core, estimated
  Strips *strips;              // that it is one of, or NULL
  Strips *foreseen;            // that it would be one of if there were no forks, or NULL
  int where, place; bool barred, not_ahead, out; // while strips are looked for [strip.c]
  Unit *like;
};

typedef struct Fork { int from, mid, to; } Fork; // units of its block: the first side's, then the second's

struct Block {
  const IrRegion *region;
  Block *outer;
  Unit *owner;                 // NULL: the whole plan
  bool loop;                   // scan, map, while; not the branches of cond
  VEC(IrOp *) op;              // the used ones, in order
  VEC(IrValue *) capture;      // values of outer blocks used here or in blocks inside
  Values wants;                // values that something in the block would like to write over
  VEC(Unit *) unit;            // in order of execution once ordered
  VEC(Fork) fork;              // in order
  Moves head, tail;            // copies at the start and at the end of each turn
  int t0, t1;                  // ticks of these
};

typedef struct Fact {          // by value id
  Block *block;
  Block *body[2];              // of the control op whose first result this is
  bool used;
  bool hard;                   // must be in memory, whatever fusion thinks
  bool far;                    // used in an inner block
  bool turn;                   // argument 0 of a scan's or map's region
  bool stored;
  bool linear;                 // its inlined tree is the same at every linear index
  int16_t depth;               // of the inlined tree
  int mark;                    // stamp of walks
  bool mark_point;
  // Level: a lower bound of the place in the block's order. `level` if the value is used at the
  // domain's own index in a node whose domain has its shape; `over` if used in any other way.
  int level, over;
  uint64_t sort;               // what nodes of that level it can join: LINEAR, ANY or that of a product or reduction
  int node;                    // index of the group that stores it
  int at;                      // place of its op in the block
  const IrOp *user;            // one of the ops of its block that use it
  bool closed;                 // product: without epilogue
  int users, lift;             // how many there are; product: levels it waits for another that its epilogue reads
  bool touches;                // a state that is to be written over; or its inlined tree reads one
  int own; uint32_t freely;    // where it is computed [fuse.c: Place]; -1 nowhere yet, -2 several places
  float cost;                  // of computing one element, loads free
  int size;                    // ops of the inlined tree, shared ones counted each time, reductions unrolled
  double evals;                // elements computed if not stored
  Unit *toucher;               // of the group at hand, one that touches it strip by strip [strip.c]
  const IrValue *base;         // of a view: the value whose bytes it has; else itself
  Unit *unit;                  // that writes it; NULL for arguments and constants
  Values awaits;               // first result of an op that writes a part of an array: what earlier ops compute of that
  VEC(Unit *) wanted;          // by units of the block being ordered that would like to write over it
  int obj;
  uint8_t near;                // in the caches of which side: bits; 0 not known [split.c]
  int reader;                  // the unit of a stretch that last read it [split.c]
} Fact;

// A group that computes a value, or (group -1) another node that reads it: its level, and whether it does so
// at the point of its domain. Two are kept, those of the lowest levels: a group does not bound itself. [group.c]
typedef struct Reader { int group, level; bool point; } Reader;
typedef struct Bound { int n; Reader by[2]; } Bound;

typedef struct Planner {
  Arena *a;
  const IrGraph *g;
  const PlanInterface *io;
  const PlanTarget *target;
  PlanConsts *consts;
  Plan *plan;
  Fact *fact;
  Bound *bound;                // by value id; NULL until needed
  int *left;                   // by value id: units of the block being ordered that have still to read it, and what yields it
  int stamp;
  int tick;
  int nfork;
  Block *top;
} Planner;

// Bytes of scratch room that a node takes.
static inline int64_t scratch_of(const PlanNode *n) { return n->scratch_bytes * (n->blas || n->pack ? 1 : n->pieces); }
static inline double piece_ns(const Planner *p) { return p->target->piece_ns > 0 ? p->target->piece_ns : PLAN_PIECES_NS; }
static inline bool same_port(const PlanPort *a, const PlanPort *b) { return a->space == b->space && a->offset == b->offset; }
static inline Fact *fact_of(Planner *p, const IrValue *v) { return &p->fact[v->id]; }
static inline IrLower lower_of(const IrOp *op) { return ir_info[op->code].lower; }
static inline bool is_memory_op(const IrOp *op) {
  IrLower l = lower_of(op);
  return l == LOWER_DOT || l == LOWER_CONV || l == LOWER_LIB || l == LOWER_UPDATE || l == LOWER_CONTROL;
}

// plan_build without the check of debug builds, for tests that want to see what is wrong.
Plan *plan_make(Arena *a, const IrGraph *g, const PlanInterface *io, const PlanTarget *t, PlanConsts *consts, const char *name);

bool plan_unit_reshape(const IrOp *op);        // puts in or takes out axes of size 1 only
bool plan_is_view(const IrOp *op);             // reshape, stop_grad, after: operand 0's bytes
const IrValue *plan_base(const IrValue *v);    // whose bytes v's are
bool plan_is_const(const IrValue *v);          // const, reshaped or repeated
bool plan_is_splat(const IrOp *op);            // const of one element, repeated or not
double plan_op_cost(const IrOp *op);           // of one element of its result, operands free; about a multiply
int64_t plan_reduced(const IrOp *op);          // elements reduced to one

// What writes a part of the place of `to` first: op, of which that is the result, or an op in a loop that carries `to`; or
// NULL. [waste.c]
const IrOp *plan_writer(const IrOp *op, const IrValue *to);

// The map around a block that threads share, in which nothing else is cut; there is one at most.
const Unit *plan_map_around(const Block *b);

void plan_mark(Planner *p);
void plan_keep(Planner *p, Block *b);
void plan_fuse(Planner *p, Block *b);
void plan_order(Planner *p, Block *b);
void plan_shape(Planner *p, Block *b);
double plan_late(Planner *p, Unit *u);         // finds late roots; returns the operations at a point that they save
void plan_strip(Planner *p, Block *b, bool foresee);     // foresee: only `foreseen` is set
void plan_split(Planner *p, Block *b);
void plan_place(Planner *p);

// Calls f for each STORED value that computing v reaches through INLINE ones, and whether all ops on the way keep
// what is asked of them and their operand k (n is handed on).
typedef bool PlanKeeps(const IrOp *op, int k, int64_t n);
typedef void PlanReached(void *data, const IrValue *leaf, bool kept);
void plan_reached(Planner *p, const IrValue *root, int stamp, PlanKeeps *keeps, int64_t n, PlanReached *f, void *data);

#endif
