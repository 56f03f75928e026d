// The one intermediate representation: typed SSA with regions.
//
//   graph   a function from inputs to outputs: one top region
//   region  arguments, a list of ops in order, yielded values
//   op      code, operands, results, attributes, regions, place in the source
//   value   a tensor: result of an op, or argument of a region
//
// An op may use every value defined before it in its own region or in a region
// around it (capture); nothing crosses a region's end but what it yields.
// Ops have no side effects: order in a region is order of definition only.
// Everything is specialised: shapes are static, row-major, rank 0 to 8.
//
// LAWS (a rewrite names the law it uses)
//   L1 floats      IEEE 754, round to nearest even; no reassociation, no contraction
//                  but inside dot, conv and reduce_sum, whose order is fixed by shape
//                  and target, never by the number of threads. A carry of a scan that only
//                  adds up products or sums, and is read by nothing else, is such a sum.
//   L2 NaN         arithmetic propagates; max, min, reduce_max, reduce_min propagate NaN;
//                  comparisons with NaN are false but ne; argmax and argmin take the first
//                  NaN; sorting puts NaN last.
//   L3 zero        x * 0 is not 0 (NaN, inf); x + 0 is x but for -0 + 0 = 0: x - 0 is x.
//   L4 integers    two's complement, wrap. div floors, mod has the divisor's sign; x div 0 = 0,
//                  x mod 0 = 0. Shifts by the width or more give 0 (shr of a negative: -1).
//   L5 casts       float to integer truncates and saturates, NaN gives 0; integer to narrower
//                  integer wraps; to bool: x != 0.
//   L6 empty       reduce_sum 0, reduce_prod 1, reduce_max -inf or the least integer, reduce_min
//                  +inf or the greatest, reduce_and true, reduce_or false.
//   L7 ties        max(x, x) splits its cotangent in halves; reduce_max splits it evenly among
//                  the ties; argmax and argmin take the first.
//   L8 indices     gather and dynamic_slice clamp into range; dynamic_update clamps its start;
//                  scatter drops what is out of range; repeated indices: set takes the last
//                  in row-major order, add adds in row-major order.
//   L9 select      both sides are computed; the cotangent of the side not taken is 0, even
//                  where the other side is NaN or infinite. A cond that vmap made a select of keeps the
//                  derivatives of a cond: a lane gets nothing of the branch that it does not take.
//   L10 vectors    of eigh, svd (v) and eig have the first component that reaches half the modulus of
//                  their greatest real and positive. The derivatives of vectors of equal values leave
//                  out what would turn these among themselves; those of eig's and of complex eigh's leave
//                  out their scale, of modulus 1 with eigh.
#ifndef RLC_IR_H
#define RLC_IR_H

#include "ir/base.h"

#define IR_MAX_RANK 8
#define IR_MAX_ORDER 170   // of polygamma: 171! is no double any more

typedef enum IrDtype {
  IR_BOOL, IR_I8, IR_I16, IR_I32, IR_I64, IR_U8, IR_U32, IR_U64,
  IR_BF16, IR_F32, IR_F64, IR_C64, IR_C128, IR_NDTYPE
} IrDtype;

typedef struct IrType {
  IrDtype dtype;
  int rank;
  int64_t dim[IR_MAX_RANK];
} IrType;

const char *ir_dtype_name(IrDtype t);            // "f32"
int ir_dtype_bytes(IrDtype t);                   // bool is one byte, 0 or 1
bool ir_is_float(IrDtype t);                     // bf16 f32 f64
bool ir_is_int(IrDtype t);                       // i8 … u64, not bool
bool ir_is_signed(IrDtype t);
bool ir_is_complex(IrDtype t);
bool ir_is_diff(IrDtype t);                      // float or complex: carries tangents
IrDtype ir_real_of(IrDtype t);                   // c64 → f32, c128 → f64, else itself
IrType ir_type(IrDtype t, int rank, const int64_t *dim);
IrType ir_scalar(IrDtype t);
bool ir_type_eq(const IrType *a, const IrType *b);
const char *ir_type_bad(const IrType *t);        // NULL, or why no value can have it (rank, sizes, > 2^44 elements)
int64_t ir_count(const IrType *t);               // elements
int64_t ir_bytes(const IrType *t);
char *ir_type_text(Arena *a, const IrType *t);   // "f32[8, 4]"; a scalar is "f32"

// ---- op codes, from the table ---------------------------------------------------
typedef enum IrCode {
#define OP(code, name, nin, nout, attrs, type, eval, jvp, transpose, batch, lower, doc) IR_##code,
#include "ir/ops.def"
#undef OP
  IR_NCODE
} IrCode;

// How backends treat an op.
typedef enum IrLower {
  LOWER_ELEMENT,   // result[i] from operands[i], same shape: fuses anywhere
  LOWER_INDEX,     // result[i] = operand[map(i)]: fuses as an index map
  LOWER_REDUCE,    // reduction or prefix over axes of a loop nest
  LOWER_VIEW,      // same bytes, other shape: no code
  LOWER_CONST,     // data known when compiling
  LOWER_UPDATE,    // result is operand 0 with some elements written: in place where it can be
  LOWER_DOT,       // matrix product, with epilogue
  LOWER_CONV,      // convolution and its two adjoints
  LOWER_LIB,       // call of a routine of the runtime
  LOWER_CONTROL,   // regions
  LOWER_NEVER,     // must be gone before planning (vjp, jvp, …)
} IrLower;

// ---- attributes: named lists -------------------------------------------------------
typedef enum IrKey {
  A_AXES,      // reduce, reverse: axes; broadcast: result axis of each operand axis; transpose: permutation
  A_AXIS,      // iota, concat, argmax, cumulative ops, argsort: one axis
  A_START, A_LIMIT, A_STRIDE,   // slice: one each per axis
  A_LO, A_HI, A_INNER,          // pad: elements put before, behind and between (lo, hi may be negative: crop); conv: padding
  A_SIZES,     // dynamic_slice: the result's dims
  A_BATCH,     // gather, scatter, dot: number of leading axes shared by all operands
  A_MODE,      // scatter: IrScatter
  A_TA, A_TB,  // dot: 1 where the operand's last two axes are swapped
  A_DILATE, A_GROUPS,           // conv
  A_N,         // scan, map: turns; polygamma: order
  A_REVERSE,   // scan, cumulative ops: 1 from the back
  A_NCARRY,    // scan: carried values
  A_NX, A_NY,  // vjp, jvp, custom_vjp: differentiated inputs, differentiated outputs
  A_EXACT,     // custom_vjp: 1 where the rule is the body's own derivative in another order, and reads y too
  A_DATA,      // const: bytes, row-major; one element is repeated over the whole shape
  A_NAME,      // text
  A_NKEY
} IrKey;

typedef enum IrScatter { SCATTER_SET, SCATTER_ADD, SCATTER_MAX, SCATTER_MIN } IrScatter;

typedef struct IrAttr {
  IrKey key;
  int n;                       // integers in i, or bytes in data (A_DATA, A_NAME)
  union { const int64_t *i; const void *data; };
} IrAttr;

typedef struct IrValue IrValue;
typedef struct IrOp IrOp;
typedef struct IrRegion IrRegion;
typedef struct IrGraph IrGraph;

struct IrValue {
  int id;                      // dense in the graph; index of side tables
  int index;                   // which result of `op`, or which argument of `region`
  IrType type;
  IrOp *op;                    // NULL for an argument
  IrRegion *region;            // the region it is an argument of, or NULL
  const char *hint;            // the user's name for it, or NULL: for dumps and pictures
};

struct IrOp {
  IrCode code;
  int nin, nout, nregion, nattr;
  IrValue **in, **out;
  IrRegion **sub;
  IrAttr *attr;
  Loc loc;
  const char *scope;           // "agent.pi.mlp.0.dense": where in the program's structure; or NULL
  IrOp *prev, *next;
  IrRegion *parent;            // region it stands in
};

struct IrRegion {
  IrOp *owner;                 // NULL for a graph's top
  IrGraph *graph;
  int narg, nyield;
  IrValue **arg, **yield;
  IrOp *first, *last;
  struct { IrValue **at; int cap; } arg_room, yield_room; // of ir_arg and ir_yield: what they may append to
};

struct IrGraph {
  Arena *arena;
  const char *name;
  IrRegion *top;               // arguments are inputs, yields are outputs
  const char **in_name, **out_name;  // one each per input and output; may be NULL
  int nvalue;                  // ids given so far
  IrGraph *next;               // the next graph of the text it was read from, or NULL
};

// ---- the table ------------------------------------------------------------------------
typedef struct IrInfo {
  const char *name;            // as printed
  int nin, nout;               // -1: any
  uint32_t attrs;              // bit A_x set: the op has attribute x
  IrLower lower;
  const char *doc;             // one line of mathematics
} IrInfo;
extern const IrInfo ir_info[IR_NCODE];
const char *ir_key_name(IrKey k);
int ir_code_find(const char *name);              // -1: none
int ir_nregion(IrCode code);                     // regions every op of this code has
bool ir_is_heavy(const IrOp *op);                // costs more than reading its operands again
bool ir_key_is_list(IrKey k);                    // a list of integers; else one integer (A_DATA, A_NAME: bytes)
bool ir_key_may_lack(IrKey k);                   // the text form leaves it out where it is 0
const char *ir_scatter_name(IrScatter m);        // "add"

// ---- attributes ---------------------------------------------------------------------
const IrAttr *ir_attr(const IrOp *op, IrKey k);  // NULL: not there
int64_t ir_int(const IrOp *op, IrKey k);         // first integer, 0 if not there
const int64_t *ir_ints(const IrOp *op, IrKey k, int *n);
const char *ir_text(const IrOp *op);             // A_NAME

// ---- building --------------------------------------------------------------------------
// Ops are put at the end of `at`, or before `before` where it is not NULL.
typedef struct IrBuilder {
  IrGraph *graph;
  IrRegion *at;
  IrOp *before;
  Loc loc;
  const char *scope;
} IrBuilder;

IrGraph *ir_graph(Arena *a, const char *name);
IrValue *ir_input(IrGraph *g, IrType t, const char *name);
void ir_output(IrGraph *g, IrValue *v, const char *name);
IrRegion *ir_region(IrGraph *g);
IrValue *ir_arg(IrRegion *r, IrType t);
void ir_yield(IrRegion *r, IrValue *v);          // appends one yielded value

// A new op. Result types come from the table's type rule; ops whose result is not
// given by their operands (const, iota, cast, bitcast, reshape, broadcast, conv_dx, conv_dw)
// take it in `want`, else NULL. Breaking the type rule is a defect of ours: ICE with the rule's message.
// Regions must be complete (arguments, ops, yields) before the op is built on them.
IrOp *ir_build(IrBuilder *b, IrCode code, int nin, IrValue *const *in, const IrType *want,
               int nattr, const IrAttr *attr, int nregion, IrRegion *const *sub);
// The same rule without building: NULL if fine (out[] filled, *nout set), else the reason.
const char *ir_infer(Arena *a, IrCode code, int nin, IrValue *const *in, const IrType *want,
                     int nattr, const IrAttr *attr, int nregion, IrRegion *const *sub, IrType *out, int *nout);
#define IR_MAX_OUT 4096                          // operands, region arguments and yields of one op together
int ir_most_out(IrCode code, int nin, int nregion, IrRegion *const *sub); // room that ir_infer needs in out[]

IrAttr ir_attr_ints(Arena *a, IrKey k, int n, const int64_t *v);
IrAttr ir_attr_int(Arena *a, IrKey k, int64_t v);

// Shorthands; each builds one op and returns its first result.
IrValue *ir_un(IrBuilder *b, IrCode c, IrValue *x);
IrValue *ir_bin(IrBuilder *b, IrCode c, IrValue *x, IrValue *y);      // equal types
IrValue *ir_select(IrBuilder *b, IrValue *c, IrValue *x, IrValue *y);
IrValue *ir_const(IrBuilder *b, IrType t, const void *data, size_t bytes); // one element or all
IrValue *ir_fill(IrBuilder *b, IrType t, double v);                   // any dtype
IrValue *ir_iota(IrBuilder *b, IrType t, int axis);
IrValue *ir_cast(IrBuilder *b, IrValue *x, IrDtype t);                // x itself if already so
IrValue *ir_reshape(IrBuilder *b, IrValue *x, int rank, const int64_t *dim); // x itself if already so
IrValue *ir_transpose(IrBuilder *b, IrValue *x, const int64_t *perm);
IrValue *ir_broadcast(IrBuilder *b, IrValue *x, IrType t, const int64_t *axes);
IrValue *ir_spread(IrBuilder *b, IrValue *x, int rank, const int64_t *dim); // NumPy: align right, stretch ones
IrValue *ir_slice(IrBuilder *b, IrValue *x, const int64_t *start, const int64_t *limit, const int64_t *stride);
IrValue *ir_pad(IrBuilder *b, IrValue *x, const int64_t *lo, const int64_t *hi, const int64_t *inner);
IrValue *ir_concat(IrBuilder *b, int n, IrValue *const *x, int axis);
IrValue *ir_reduce(IrBuilder *b, IrCode c, IrValue *x, int naxes, const int64_t *axes); // axes sorted
IrValue *ir_dot(IrBuilder *b, IrValue *x, IrValue *y, int nbatch, bool ta, bool tb);
IrValue *ir_gather(IrBuilder *b, IrValue *x, IrValue *idx, int nbatch);
IrValue *ir_scatter(IrBuilder *b, IrValue *x, IrValue *idx, IrValue *u, int nbatch, IrScatter mode);

// ---- walking and changing --------------------------------------------------------------
#define ir_each_op(region, op) for (IrOp *op = (region)->first; op; op = op->next)
void ir_remove(IrOp *op);                        // out of its region; its results must be unused
void ir_move_before(IrOp *op, IrRegion *r, IrOp *before); // before == NULL: to the end
void ir_replace(IrGraph *g, IrValue *from, IrValue *to);  // every use, in every region: O(graph)
// Every use of v is replaced by map[v->id] where that is not NULL, in the whole graph at once.
void ir_replace_all(IrGraph *g, IrValue **map);
// Copies one op to b; map as below.
void ir_clone_op(IrBuilder *b, const IrOp *op, IrValue **map);
// Copies a region's ops (not its arguments) to b; map[id] gives what stands for outer and argument
// values and receives the copies. map has room for graph->nvalue of the SOURCE graph as it was
// before the call; source and target graph may be the same.
void ir_clone_into(IrBuilder *b, const IrRegion *r, IrValue **map);
IrRegion *ir_clone_region(IrGraph *to, const IrRegion *r, IrValue **map); // arguments too; yields set
// Values used inside r (and regions in it) but defined outside: ids ascending. Returns the number.
int ir_captures(Arena *a, const IrRegion *r, IrValue ***out);
bool ir_defined_in(const IrValue *v, const IrRegion *r);  // in r or in a region inside it
int ir_count_uses(const IrRegion *r, const IrValue *v);   // in nested regions too, yields among them
int ir_count_ops(const IrRegion *r);             // nested ones too

// ---- whole graphs ----------------------------------------------------------------------
// NULL if the graph obeys every rule, else what is wrong and where.
char *ir_verify(const IrGraph *g);
char *ir_print(Arena *a, const IrGraph *g);
uint64_t ir_hash(Arena *a, uint64_t from, const IrGraph *g); // equal for equal graphs; names and places in the source do not count
// Reads what ir_print wrote (one or more graphs, linked by `next`). Errors go to d; NULL then.
IrGraph *ir_read(Arena *a, Diags *d, const Source *src);

// ---- the reference evaluator --------------------------------------------------------------
// Slow and obvious: scalar loops over row-major arrays. Exact mode keeps floats in double
// whatever their dtype (is the mathematics right?); typed mode rounds every result to its
// dtype (are the bits right?). Integers are exact in both.
typedef struct IrArray {
  IrType type;
  double *f;                   // floats: one each; complex: two each (re, im)
  int64_t *i;                  // bool and integers (u64 as its bits)
} IrArray;

typedef struct IrEval {
  bool typed;
  int64_t max_turns;           // of one `while`; 0: no limit
  bool find_bad;               // stop at the first op that makes NaN or infinity of finite operands (constants may)
  const IrOp *bad;             // where it was
} IrEval;

IrArray ir_array(Arena *a, IrType t);                       // zeros
IrArray ir_array_from(Arena *a, IrType t, const void *data);// from row-major bytes of the dtype
void ir_array_to(const IrArray *x, void *data);             // to row-major bytes, rounding
// Runs g on nin arrays; out has room for its outputs. NULL, or why it stopped.
const char *ir_eval(Arena *a, IrEval *how, const IrGraph *g, const IrArray *in, IrArray *out);

#endif
