// The plan: what stands between the graph and the machine. It decides; a backend prints it.
//
// A plan is a tree of blocks of nodes over the values of one graph. Every value is one of
//   INLINE   computed where it is used, inside the node that needs it (an index map, an
//            elementwise op of a fused nest); it has no memory
//   STORED   lives in memory at a PlanRef, written by exactly one node (or an input, a
//            constant, a carried value); all arrays are dense and row-major
// A node's computation is the IR itself: emitting a root at an index pulls its operands at the
// mapped index, down to STORED values, which are loaded.
//   - A root is computed, never loaded, in its own node, also where another root of the node uses it
//     at the same point. (No root of a node is used by the node at any other index.)
//   - A NEST reads STORED values anywhere. An INLINE value of an outer region may be used by a node of
//     an inner one: index maps, constants, and the turn of an outer loop.
//   - Operands of DOT, CONV, LIB, UPDATE and control ops, tests and yields are STORED, each dense at its
//     ref; but a DOT's or CONV's own product may be INLINE in it, where only its roots use it.
//   - A one-element CONST that is STORED (some node wants it in memory) may still be emitted as a number.
//   - Inlined reshapes only put in or take out axes of size 1, or keep the shape; stop_grad is the
//     identity. In a `linear` nest every reshape is the identity on the linear index.
//   - Inlined reductions are small ones (plan_small_reduce), at any depth, unrolled; and large ones, used
//     by the roots of their own nest at the point of the domain only.
//   - Argument 0 of a scan's or map's region (the turn) is INLINE: a scalar that the loop supplies. Where it is
//     needed in memory it is STORED, and a NEST of rank 0 in the body has that argument itself as root.
//
// Law: a buffer may be reused when the last reader of its value is done; a node may write over
// an operand only where each element is read before, and only by the point that writes it. So at one
// point (or vector of points, or tile of a product) all loads come before the stores of all roots.
//
// Law of STRIPS: the nodes of its body are cut into as many pieces, `strip` is set, and piece i of each is strip i of its
// roots: the i-th of that many equal parts of their bytes. Strips run in any order and side by side, the nodes of one in
// order. So a node needs of what another of them writes the same strip only, and no strip writes over what another reads.
// What only nodes of the same strip read (`own` of its place) lies in a room that each thread at work has for the strip that it
// is at, so that it finds it in its caches: in RT_ROOM, of which there is one for each thread, or, where strips are few, in one of
// as many rooms in the arena.
// A SCAN with `strips`: its body is one such node and copies, what it carries and stacks is cut alike, and a turn needs of the one
// before the same strip only. Each strip goes through all turns, copies doing its part of their bytes; none waits for another.
#ifndef RLC_PLAN_H
#define RLC_PLAN_H

#include "ir/ir.h"
#include "runtime/abi.h"

// Where a STORED value is: base[space] + offset + sum of turn(loop) * stride. The turn is the value of
// argument 0 of the loop's region: it counts down from n-1 in a reversed scan, and strides stay positive.
// `lanes` > 0: what belongs to a piece of so many lanes of a map that threads share; turn / lanes counts.
typedef struct PlanTurn { const IrOp *loop; int64_t stride, lanes; } PlanTurn;  // loop: scan or map
typedef struct PlanRef {
  RtSpace space;
  int64_t offset;                  // bytes
  int nturn;
  PlanTurn turn[IR_MAX_RANK];
  int64_t own;                     // bytes of a strip, where each has its own in the first room: see the law; else 0
} PlanRef;

typedef enum PlanHome { PLAN_NONE, PLAN_INLINE, PLAN_STORED } PlanHome;
typedef struct PlanValue {
  PlanHome home;
  PlanRef ref;                     // PLAN_STORED
} PlanValue;

typedef enum PlanKind {
  PLAN_NEST,     // fused loop nest: for each index of the domain, compute and store every root
  PLAN_DOT,      // matrix product; roots: the product itself or elementwise values over it
  PLAN_CONV,     // conv, conv_dx, conv_dw; roots likewise
  PLAN_LIB,      // a runtime routine (LOWER_LIB)
  PLAN_UPDATE,   // dynamic_update, scatter: writes part of what operand 0's buffer (now the result's) holds
  PLAN_COPY,     // bytes from one place to another
  PLAN_SCAN, PLAN_MAP,   // turns 0 … n-1 (or back) of body[0]
  PLAN_WHILE,    // body[0] computes the condition (STORED bool), body[1] the turn
  PLAN_COND,     // body[0] if the operand is true, else body[1]
  PLAN_FORK,     // body[0] and body[1], at one time or one after the other: neither reads what the other writes
  PLAN_STRIPS,   // body[0], NESTs, DOTs and CONVs, once for each of `pieces` strips: see the law
} PlanKind;

typedef struct PlanNode PlanNode;
typedef struct PlanBlock { PlanNode *first, *last; } PlanBlock;

struct PlanNode {
  PlanKind kind;
  PlanNode *next;
  const IrOp *op;                  // DOT, CONV, LIB, UPDATE and control: the op. NEST: the op that began the group. FORK: NULL
  int nroot; IrValue **root;       // NEST, DOT, CONV: values this node stores, operands before users; all of the domain's shape
  int rank; int64_t dim[IR_MAX_RANK]; // the domain: the roots' shape
  bool linear;                     // NEST: rank is 1 and dim[0] counts elements: all roots and all values read
                                   // have that many (any shape, same linear index) or one; no reductions
  // NEST: reductions inside the group run as inner loops at one point of the domain. `vector` says which
  // loop is cut into vectors: 0 … rank-1 an axis of the domain; rank + k axis k of the operand of the
  // group's large reductions (all of which reduce that axis, innermost); -1 scalar code.
  int vector;
  // NEST of rank 1, vector 0: which roots are late, or NULL. Late ones are select(c, x, y) of one c, used by no other root; at
  // all points y is stored, and x later where c holds: it reads nothing that a root may lie over.
  bool *late;
  int64_t pieces;                  // into how many pieces of axis `piece_axis` threads may cut it; 1: one thread
  int piece_axis; int64_t piece_len; // of the domain; piece i: [i * piece_len, min(dim, (i + 1) * piece_len)).
                                   // MAP: of the lanes; its body's memory is there once for each piece, and no
                                   // node in it is cut
  PlanRef scratch; int64_t scratch_bytes; // DOT, CONV, LIB: packing room and such (per piece, one behind another);
                                   // blas: room for the product where it is not a root, once; pack: room for operand 1, once
  bool strip;                      // stands in a STRIPS node
  int64_t room;                    // STRIPS: bytes from one thread's room to the next one's
  int64_t strips;                  // SCAN: each of so many strips goes through all turns on its own; or 0
  bool blas;                       // DOT: large enough for OpenBLAS
  bool pack;                       // DOT: operand 1 is copied into scratch, in the order in which the product reads it,
                                   // before the first piece begins (of STRIPS: before the first strip);
  const IrOp *pack_before;         // … before this loop around the node, which changes nothing of operand 1; or NULL
  PlanRef from, to; int64_t bytes; // COPY; the two places do not overlap
  PlanBlock body[2];               // control, STRIPS
  double share;                    // of a step's time, where it was measured (rlc emit --profile); else 0
  const IrValue *test;             // WHILE: the condition's value
  double flops, traffic;           // of one execution, bodies left out: operations (dear ones weighted), bytes read and written
};

// What the graph's inputs and outputs are in memory.
typedef struct PlanPort {
  RtSpace space;
  int64_t offset;
} PlanPort;
typedef struct PlanInterface {
  const PlanPort *in, *out;        // one each per input and output. An input and an output at the same port
                                   // are one state, updated in place; ports do not overlap otherwise.
} PlanInterface;

typedef struct Plan {
  Arena *arena;
  const IrGraph *graph;
  const char *name;                // entry point's symbol
  PlanInterface io;                // as planned for
  PlanValue *value;                // by value id
  PlanBlock body;
  int64_t arena_bytes;             // of RT_ARENA
  int64_t room_bytes;              // of RT_ROOM, for each thread
  const char *const_data;          // RT_CONST's content (constants larger than one element)
  int64_t const_bytes;
  int nnode;
  int nwaste; struct PlanWaste *waste; // copies of PLAN_WASTE bytes or more that keep a value apart from its update
} Plan;

// Of RT_ARENA with one thread's room behind it, for code that has no threads.
static inline int64_t plan_alone_bytes(const Plan *p) { return p->arena_bytes + p->room_bytes; }

typedef struct PlanWaste {
  const IrOp *op;                  // what would have written in place, or NULL: an output
  const IrValue *old;              // what it would have written over
  int64_t bytes;
  const IrOp *update;              // dynamic_update, scatter: op itself, or the one in it that writes a part of the copy; or NULL
  bool turns;                      // made in each turn of a loop
} PlanWaste;

typedef struct PlanTarget {        // what planning must know of the machine
  int vector_bits;                 // 128, 256 or 512
  bool fma;
  double fork_ns;                  // what two sides must save together; less, for tests, forks whatever can be
  double piece_ns;                 // of a piece that a thread takes: 0 PLAN_PIECES_NS; tests cut small nodes
  int64_t small_bytes;             // of an array that may as well be copied: 0 PLAN_SMALL; tests mind smaller ones
} PlanTarget;

// Constants of a target, measured once by bench/ and written down here.
#define PLAN_BLAS_FLOPS   (2.0 * 640 * 640 * 640) // products above this go to OpenBLAS (docs/numerics.md: where it overtakes on AVX2)
// Handing pieces to a spinning second thread costs 0.3 to 0.7 us, and 10 to 20 ns for each piece; data that the
// other core wrote comes through a shared cache besides. Measured whole, on two quiet cores: with nodes of 4 us cut,
// mlp64's step takes 63 us on two threads against 48 on one, PPO does 468,000 steps a second against 680,000;
// with 60 us, mlp64 takes 39 us, PPO does 600,000, mlp256 and mnist half the time; between 25 and 60 us little differs.
// So a node of less than PLAN_PIECES_NS on one core, as estimated from its shapes, is not cut, and a piece is about half
// of that or more. Who runs it is not asked: the bits are the same on any number of threads.
#define PLAN_PIECES_NS    40000
#define PLAN_FORK_NS      4000     // fork_ns: the threads' meeting costs 0.5 us, and its delays as much again
#define PLAN_OPS_PER_NS   30       // of elementwise code on one core, and of memory: bytes / 4
#define PLAN_FAR          (1 << 20) // bytes: a node that touches more finds them outside of the second-level cache,
#define PLAN_FAR_PER_NS   20       // at so many a ns
#define PLAN_FMAS_PER_NS  60       // of products and convolutions, by vectors of 512 bits; of shorter ones in proportion
#define PLAN_SMALL_REDUCE 16       // reductions this short are unrolled inside a nest
#define PLAN_SMALL        (1 << 16) // bytes: an array up to this is copied in a few us
#define PLAN_WASTE        (1 << 20) // copies this large are told to the user
bool plan_small_reduce(const IrOp *op);           // reduces at most PLAN_SMALL_REDUCE elements (over any axes) to each one

// Plans a graph (no LOWER_NEVER op left in it). `const_data` of several plans of one program is shared by
// the caller through `consts`: a growing block; offsets in the plan are into it.
typedef struct PlanConsts { Str data; } PlanConsts;
Plan *plan_build(Arena *a, const IrGraph *g, const PlanInterface *io, const PlanTarget *t, PlanConsts *consts, const char *name);
// g itself, or where it reads and writes states part by part, a copy with an input and an output for each part, and `io` for it:
// to be planned instead. [plan/part.c]
const IrGraph *plan_part_states(Arena *a, const IrGraph *g, PlanInterface *io);
char *plan_print(Arena *a, const Plan *p);
// What a node does, in one line.
char *plan_node_text(Arena *a, const Plan *p, const PlanNode *n);
// The nodes that do work (no scans, maps, whiles, conds, strips), in the order they stand in the plan.
typedef VEC(const PlanNode *) PlanWork;
PlanWork plan_work(Arena *a, const Plan *p);
// Checks the law above by walking the plan: NULL or what is wrong (in the plan's arena). Debug builds run it.
// The stages of planning in order, for `rlc passes`; NULL behind the last.
typedef struct PlanStage { const char *name, *needs, *gives, *why; } PlanStage;
const PlanStage *plan_stage(int k);
char *plan_verify(const Plan *p);

// A state, or an array that a loop carries, is copied whole since a part of it is updated while the old value is read later:
// an error for each such update, with the place that reads the old value. False if there is one. `often`: "step";
// `state`: where each input is declared, or NULL. [plan/waste.c]
bool plan_owned(Diags *d, const Plan *p, const char *often, const Loc *state);
// Whether a plan of g could have such a copy: quick, of a graph before the passes.
bool plan_may_copy(Arena *a, const IrGraph *g);

// Flops and bytes of one execution of a node (control: of its bodies, all turns; while: one turn; cond: the dearer side).
double plan_flops(const Plan *p, const PlanNode *n);
int64_t plan_bytes(const Plan *p, const PlanNode *n);

#endif
