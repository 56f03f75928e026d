// One node of a plan as loops: fused nests, products with their epilogues, updates.
#include "backend/llvm/nest.h"
#include "backend/llvm/tile.h"

#include <string.h>

// A rectangle of points, and what is done at each (or at each vector of them).
typedef struct Domain Domain;
struct Domain {
  Nest *n;
  int rank;
  int64_t dim[IR_MAX_RANK];
  bool linear;
  int vector;                    // axis cut into vectors, or -1
  int piece_axis;                // of which only [lo, hi) is done; -1: all is
  LLVMValueRef lo, hi;
  LLVMValueRef most;             // where its last vector begins, over one before if it must; or NULL
  int nvalue; IrValue *const *value; // what points ask for: hoisted out of loops where it can be
  NestIndex ix;                  // of the point
  int gate;                      // before the loops over axes from here on, `enter` may close them off; -1: not
  LLVMValueRef (*enter)(Domain *d);  // i1
  void (*point)(Domain *d);
  void *env;
  const IrValue *skip;           // a root that is stored already
};

static int lanes_for(int lanes, int64_t size) {
  while (lanes > 1 && lanes / 2 >= size) lanes /= 2;
  return lanes;
}

// Whether functions of analysis work on two vectors at a time: on AVX2 the processor's window is too short for one
// call to run beside the next, and constants take an instruction each to load. tanh takes 0.49 ns an element instead of
// 0.65, exp 0.39 instead of 0.51, a step of 1,024 CartPoles 4.9 us instead of 6.7.
static bool by_twos(const Gen *g) { return g->width == 8; }

static int most_lanes(const Gen *g) { return by_twos(g) ? 2 * g->width : g->width; }

int nest_lanes(const Nest *n, int64_t size) { return lanes_for(n->use->calls ? most_lanes(n->g) : n->g->width, size); }

// ---- roots -----------------------------------------------------------------------------------------------

static int root_slot(const Nest *n, const IrValue *v) { return nest_slot(n->use, &n->plan->value[v->id].ref); }

// All values first, then all stores: a root may lie where an operand lay. x[k * step] is root k's.
static void root_values(Nest *n, NestIndex ix, const IrValue *skip, NestReg *x, int step) {
  for (int k = 0; k < n->node->nroot; k++)
    if (n->node->root[k] != skip) x[k * step] = nest_value(n, n->node->root[k], ix, 0);
}

static void store_root(Nest *n, int k, NestIndex ix, NestReg x) {
  const IrType *t = &n->node->root[k]->type;
  NestIndex at = ix.linear ? ix : nest_index(n, t, t->rank, ix.at);
  nest_store(n, root_slot(n, n->node->root[k]), t, nest_linear(n, t, &at), x);
}

static void roots(Nest *n, NestIndex ix, const IrValue *skip) {
  const PlanNode *node = n->node;
  NestReg *x = arena_array(n->g->arena, NestReg, node->nroot);
  root_values(n, ix, skip, x, 1);
  for (int k = 0; k < node->nroot; k++)
    if (node->root[k] != skip) store_root(n, k, ix, x[k]);
}

static void point_values(Domain *d, NestReg *x, int step) {
  Nest *n = d->n;
  if (!d->linear) nest_reductions(n, n->node->nroot, n->node->root, d->ix);
  root_values(n, d->ix, d->skip, x, step);
}

static void nest_point(Domain *d) {
  if (!d->linear) nest_reductions(d->n, d->n->node->nroot, d->n->node->root, d->ix);
  roots(d->n, d->ix, d->skip);
}

// ---- loops over a domain ------------------------------------------------------------------------------

static void axes(Domain *d, int a);

static int64_t turns_from(const Domain *d, int a) {
  int64_t t = 1;
  for (; a < d->rank; a++) t *= a == d->vector ? (d->dim[a] + d->n->lanes - 1) / d->n->lanes : d->dim[a];
  return t;
}

// Short loops become straight code, except the one around which threads cut.
static bool unrolls(const Domain *d, int a) {
  int64_t turns = turns_from(d, a), ops = d->n->use->nop + 1;
  if (a == d->piece_axis || (d->gate >= 0 && a < d->gate)) return false;
  bool inside = d->vector >= 0 && d->vector < a;
  return turns <= (inside ? 16 : 4) && turns * ops <= 256;
}

static void await(Domain *d, int a) {
  Nest *n = d->n;
  for (; a < d->rank; a++) {
    if (d->dim[a] == 1 && a != d->vector) {
      d->ix.at[a] = nest_const(n, 0);
      continue;
    }
    int v = nest_var(n, 0, d->dim[a] - 1);
    n->var.at[v].level = n->level + 1 + a;
    d->ix.at[a] = nest_of(n, v);
    if (a == d->vector) n->lane_var = v;
  }
}

static void hoist(Domain *d, int a) {
  await(d, a);
  nest_hoist(d->n, d->nvalue, d->value, d->ix);
}

static void at_value(Domain *d, int a, LLVMValueRef at, int64_t lo, int64_t hi) {
  Nest *n = d->n;
  if (LLVMIsAConstantInt(at) && a != d->vector) d->ix.at[a] = nest_const(n, LLVMConstIntGetSExtValue(at));
  else {
    int v = nest_value_var(n, at, lo, hi);
    d->ix.at[a] = nest_of(n, v);
    if (a == d->vector) n->lane_var = v;
  }
  axes(d, a + 1);
}

// Values of the index are in [first, last].
static void loop(Domain *d, int a, LLVMValueRef lo, LLVMValueRef hi, int64_t step, int64_t first, int64_t last) {
  Nest *n = d->n;
  hoist(d, a);
  int mark = nest_mark(n);
  n->level++;
  GenLoop l = gen_loop(n->g, lo, hi, step, 0, NULL);
  LLVMTypeRef t = LLVMInt64TypeInContext(n->g->ctx);
  LLVMValueRef at = d->most ? gen_call_intrinsic(n->g, "llvm.smin", 1, &t, 2, (LLVMValueRef[]){ l.i, d->most }) : l.i;
  at_value(d, a, at, first, last);
  gen_loop_end(n->g, &l, NULL);
  n->level--;
  nest_pop(n, mark);
}

typedef struct Branch { LLVMBasicBlockRef done; int mark; } Branch;

static Branch branch(Nest *n, LLVMValueRef cond) {
  Gen *g = n->g;
  LLVMBasicBlockRef then = LLVMAppendBasicBlockInContext(g->ctx, g->fn, "then");
  Branch b = { LLVMAppendBasicBlockInContext(g->ctx, g->fn, "done"), nest_mark(n) };
  LLVMBuildCondBr(g->b, cond, then, b.done);
  LLVMPositionBuilderAtEnd(g->b, then);
  return b;
}

static void branch_end(Nest *n, Branch b) {
  LLVMBuildBr(n->g->b, b.done);
  LLVMMoveBasicBlockAfter(b.done, LLVMGetInsertBlock(n->g->b));
  LLVMPositionBuilderAtEnd(n->g->b, b.done);
  nest_pop(n, b.mark);
}

// One vector, only the first `size` of its lanes real, somewhere in [first, last].
static void tail_at(Domain *d, int a, LLVMValueRef at, int64_t size, int64_t first, int64_t last) {
  Nest *n = d->n;
  int mark = nest_mark(n);
  n->valid = (int)size;
  at_value(d, a, at, first, last);
  n->valid = n->lanes;
  nest_pop(n, mark);
}

static void tail(Domain *d, int a, int64_t at, int64_t size) { tail_at(d, a, gen_i64(d->n->g, at), size, at, at + size - 1); }

static void vectors(Domain *d, int a, int64_t lo, int64_t hi) {
  Nest *n = d->n;
  int64_t whole = (hi - lo) / n->lanes * n->lanes;
  if (whole == n->lanes) {
    int mark = nest_mark(n);
    at_value(d, a, gen_i64(n->g, lo), lo, lo + whole - 1);
    nest_pop(n, mark);
  } else if (whole) loop(d, a, gen_i64(n->g, lo), gen_i64(n->g, lo + whole), n->lanes, lo, lo + whole - 1);
  if (lo + whole < hi) tail(d, a, lo + whole, hi - lo - whole);
}

// The part [d->lo, d->hi) of a vector axis; whoever has the axis's end does its last, partial vector. Each strip has one
// of its own.
static void vectors_of_piece(Domain *d, int a) {
  Nest *n = d->n;
  Gen *g = n->g;
  if (n->use->again) {
    d->most = LLVMBuildNSWSub(g->b, d->hi, gen_i64(g, n->lanes), "");
    loop(d, a, d->lo, d->hi, n->lanes, 0, d->dim[a] - 1);
    return;
  }
  if (n->node->strip) {
    int64_t len = n->node->piece_len, rest = len % n->lanes, last = d->dim[a] - 1;
    LLVMValueRef end = rest ? LLVMBuildNSWSub(g->b, d->hi, gen_i64(g, rest), "") : d->hi;
    if (len > rest) loop(d, a, d->lo, end, n->lanes, 0, last);
    if (rest) tail_at(d, a, end, rest, 0, last);
    return;
  }
  int64_t size = d->dim[a], whole = size / n->lanes * n->lanes;
  LLVMTypeRef t = LLVMInt64TypeInContext(g->ctx);
  LLVMValueRef arg[2] = { d->hi, gen_i64(g, whole) };
  LLVMValueRef hi = whole == size ? d->hi : gen_call_intrinsic(g, "llvm.smin", 1, &t, 2, arg);
  if (whole) loop(d, a, d->lo, hi, n->lanes, 0, whole - 1);
  if (whole == size) return;
  Branch b = branch(n, LLVMBuildICmp(g->b, LLVMIntEQ, d->hi, gen_i64(g, size), ""));
  tail(d, a, whole, size - whole);
  branch_end(n, b);
}

// Code for a stretch between cuts is the axis's code again, less the sides not taken.
#define CUT_OPS 600

static void stretches(Domain *d, int a, void (*each)(Domain *d, int a, int64_t lo, int64_t hi)) {
  Nest *n = d->n;
  NestCuts c = { .size = d->dim[a] };
  int64_t at = 0;
  await(d, a);
  c.var = n->form.at[d->ix.at[a]]->n ? n->form.at[d->ix.at[a]]->t[0].var : -1;
  if (!d->linear) nest_cuts(n, d->nvalue, d->value, d->ix, &c);
  if (c.many || (c.n + 1) * (n->use->nop + 4) > CUT_OPS) c.n = 0;
  for (int k = 0; k < c.n; k++) {
    each(d, a, at, c.at[k]);
    at = c.at[k];
  }
  each(d, a, at, d->dim[a]);
}

static void scalars(Domain *d, int a, int64_t lo, int64_t hi) {
  Gen *g = d->n->g;
  if (hi - lo == 1) at_value(d, a, gen_i64(g, lo), lo, lo);
  else loop(d, a, gen_i64(g, lo), gen_i64(g, hi), 1, lo, hi - 1);
}

// A short last axis inside of a vector axis: rows of vectors. Stored row by row where rows lie together.
static bool rows_of_vectors(Domain *d, int a) {
  Nest *n = d->n;
  int64_t s = d->dim[a];
  if (d->point != nest_point || a != d->rank - 1 || d->vector != a - 1 || (s != 2 && s != 4 && s != 8)) return false;
  NestReg *x = arena_array(n->g->arena, NestReg, n->node->nroot * s);
  for (int64_t i = 0; i < s; i++) {
    d->ix.at[a] = nest_const(n, i);
    point_values(d, x + i, (int)s);
  }
  for (int k = 0; k < n->node->nroot; k++) {
    const IrValue *v = n->node->root[k];
    if (v == d->skip) continue;
    int slot = root_slot(n, v);
    d->ix.at[a] = nest_const(n, 0);
    if (nest_store_rows(n, slot, &v->type, nest_linear(n, &v->type, &d->ix), (int)s, x + k * s)) continue;
    for (int64_t i = 0; i < s; i++) {
      d->ix.at[a] = nest_const(n, i);
      nest_store(n, slot, &v->type, nest_linear(n, &v->type, &d->ix), x[k * s + i]);
    }
  }
  return true;
}

static void axes(Domain *d, int a) {
  Nest *n = d->n;
  Gen *g = n->g;
  if (a == d->gate) {
    LLVMValueRef open = d->enter(d);
    d->gate = -1;
    Branch b = branch(n, open);
    axes(d, a);
    branch_end(n, b);
    d->gate = a;
  } else if (a == d->rank) d->point(d);
  else if (a == d->vector && a == d->piece_axis) vectors_of_piece(d, a);
  else if (a == d->vector) stretches(d, a, vectors);
  else if (a == d->piece_axis) loop(d, a, d->lo, d->hi, 1, 0, d->dim[a] - 1);
  else if (d->dim[a] == 1) at_value(d, a, gen_i64(g, 0), 0, 0);
  else if (unrolls(d, a)) {
    if (rows_of_vectors(d, a)) return;
    for (int64_t i = 0; i < d->dim[a]; i++) at_value(d, a, gen_i64(g, i), i, i);
  } else stretches(d, a, scalars);
}

static void each_point(Domain *d) {
  Nest *n = d->n;
  for (int k = 0; k < d->rank; k++)
    if (!d->dim[k]) return;
  n->lanes = 1, n->lane_var = -1;
  if (d->vector >= 0) n->lanes = nest_lanes(n, d->dim[d->vector]);
  if (n->lanes == 1) d->vector = -1;
  n->valid = n->lanes;
  d->ix = (NestIndex){ .linear = d->linear, .n = d->rank };
  axes(d, 0);
  n->lanes = n->valid = 1, n->lane_var = -1;
}

static void range_of(Nest *n, LLVMValueRef piece, int64_t size, LLVMValueRef *lo, LLVMValueRef *hi) {
  Gen *g = n->g;
  int64_t len;
  *lo = gen_i64(g, 0), *hi = n->use->size >= 0 ? n->use->slot.at[n->use->size].at : gen_i64(g, size);
  if (!piece || (n->use->piece < 0 && nest_pieces(g, n->node, &len) == 1)) return;
  LLVMTypeRef t = LLVMInt64TypeInContext(g->ctx);
  LLVMValueRef by = n->use->piece >= 0 ? n->use->slot.at[n->use->piece].at : gen_i64(g, len);
  *lo = LLVMBuildNSWMul(g->b, piece, by, "");
  LLVMValueRef arg[2] = { LLVMBuildNSWAdd(g->b, *lo, by, ""), *hi };
  *hi = gen_call_intrinsic(g, "llvm.smin", 1, &t, 2, arg);
}

static Domain domain(Nest *n, LLVMValueRef piece) {
  const PlanNode *node = n->node;
  int64_t len;
  Domain d = { .n = n, .rank = node->rank, .linear = node->linear, .vector = node->vector < node->rank ? node->vector : -1,
               .piece_axis = -1, .gate = -1, .nvalue = node->nroot, .value = node->root, .point = nest_point };
  memcpy(d.dim, node->dim, sizeof d.dim);
  if (n->use->size >= 0 || (piece && nest_pieces(n->g, node, &len) > 1)) {
    d.piece_axis = node->piece_axis;
    range_of(n, piece, node->dim[node->piece_axis], &d.lo, &d.hi);
  }
  return d;
}

// ---- late roots -----------------------------------------------------------------------------------------

// Points between one late loop and the next: their indices take 4 kB of the stack.
#define LATE_RUN 1024

typedef struct Late {
  LLVMValueRef list, count;      // i32 indices at which late roots are still to be had; i64, in memory: how many
} Late;

static LLVMValueRef load_i64(Gen *g, LLVMValueRef p) { return LLVMBuildLoad2(g->b, LLVMInt64TypeInContext(g->ctx), p, ""); }

// For each set of eight lanes, as bits, the numbers of those in it, one behind the other: [256][8] bytes.
static LLVMValueRef lane_lists(Gen *g) {
  const char *name = "rlc.lanes.8";
  LLVMValueRef at = LLVMGetNamedGlobal(g->mod, name);
  if (at) return at;
  char list[256][8] = { { 0 } };
  for (int set = 0; set < 256; set++)
    for (int k = 0, n = 0; k < 8; k++)
      if (set >> k & 1) list[set][n++] = (char)k;
  LLVMValueRef v = LLVMConstStringInContext(g->ctx, list[0], sizeof list, true);
  at = LLVMAddGlobal(g->mod, LLVMTypeOf(v), name);
  LLVMSetInitializer(at, v);
  LLVMSetGlobalConstant(at, true);
  LLVMSetLinkage(at, LLVMPrivateLinkage);
  return at;
}

// The lanes of `at` where `on` holds, to the front: AVX-512 has an instruction for that, AVX2 one that takes a table's row.
static LLVMValueRef packed_lanes(Gen *g, LLVMValueRef at, LLVMValueRef on, LLVMValueRef bits) {
  LLVMTypeRef t = LLVMTypeOf(at), i8 = LLVMInt8TypeInContext(g->ctx);
  if (g->width == 16) return gen_call_intrinsic(g, "llvm.x86.avx512.mask.compress", 1, &t, 3, (LLVMValueRef[]){ at, LLVMGetPoison(t), on });
  LLVMValueRef row = gen_at(g, lane_lists(g), IR_I64, LLVMBuildZExt(g->b, bits, LLVMInt64TypeInContext(g->ctx), ""));
  LLVMValueRef lane = LLVMBuildLoad2(g->b, LLVMVectorType(i8, 8), row, "");
  return gen_call_intrinsic(g, "llvm.x86.avx2.permd", 0, NULL, 2, (LLVMValueRef[]){ at, LLVMBuildZExt(g->b, lane, t, "") });
}

// The lanes of `at` where `on` holds, behind the others of the list. No branch: the processor could not foresee it.
static void list_lanes(Nest *n, const Late *l, LLVMValueRef at, LLVMValueRef on) {
  Gen *g = n->g;
  LLVMTypeRef i32 = LLVMInt32TypeInContext(g->ctx), i64 = LLVMInt64TypeInContext(g->ctx), w = LLVMIntTypeInContext(g->ctx, (unsigned)g->width);
  LLVMValueRef count = load_i64(g, l->count);
  for (int from = 0; g->width >= 8 && from < n->lanes; from += g->width) {
    LLVMValueRef part = gen_some_lanes(g, on, from, g->width), bits = LLVMBuildBitCast(g->b, part, w, "");
    LLVMValueRef x = packed_lanes(g, gen_some_lanes(g, at, from, g->width), part, bits);
    gen_store(g, IR_I32, x, gen_at(g, l->list, IR_I32, count), g->width, g->width);
    count = LLVMBuildAdd(g->b, count, LLVMBuildZExt(g->b, gen_call_intrinsic(g, "llvm.ctpop", 1, &w, 1, &bits), i64, ""), "");
  }
  for (int k = 0; g->width < 8 && k < n->lanes; k++) {
    LLVMValueRef lane = LLVMConstInt(i32, (unsigned)k, false);
    gen_store(g, IR_I32, LLVMBuildExtractElement(g->b, at, lane, ""), gen_at(g, l->list, IR_I32, count), 1, 1);
    count = LLVMBuildAdd(g->b, count, LLVMBuildZExt(g->b, LLVMBuildExtractElement(g->b, on, lane, ""), i64, ""), "");
  }
  LLVMBuildStore(g->b, count, l->count);
}

// Late roots get what they are where the condition does not hold.
static void early_point(Domain *d) {
  Nest *n = d->n;
  const PlanNode *node = n->node;
  NestReg *x = arena_array(n->g->arena, NestReg, node->nroot), on = { 0 };
  for (int k = 0; k < node->nroot; k++) {
    const IrValue *v = node->root[k];
    if (node->late[k]) on = nest_value(n, v->op->in[0], d->ix, 0);
    x[k] = nest_value(n, node->late[k] ? v->op->in[2] : v, d->ix, 0);
  }
  on = nest_widen(n, on);
  if (n->valid < n->lanes) on.re = LLVMBuildAnd(n->g->b, on.re, gen_first_lanes(n->g, n->lanes, n->valid), "");
  for (int k = 0; k < node->nroot; k++) store_root(n, k, d->ix, x[k]);
  list_lanes(n, d->env, nest_vector(n, d->ix.at[0], IR_I32), on.re);
}

static void late_points(Domain *d) {
  Nest *n = d->n;
  Gen *g = n->g;
  const Late *l = d->env;
  const PlanNode *node = n->node;
  LLVMTypeRef i32 = LLVMInt32TypeInContext(g->ctx);
  LLVMValueRef count = load_i64(g, l->count), end = gen_at(g, l->list, IR_I32, count);
  Branch b = branch(n, LLVMBuildICmp(g->b, LLVMIntSGT, count, gen_i64(g, 0), ""));
  // The last vector is filled up with the last index: it stores the same once more.
  LLVMValueRef last = LLVMBuildLoad2(g->b, i32, gen_at(g, end, IR_I32, gen_i64(g, -1)), "");
  gen_store(g, IR_I32, gen_lanes(g, last, n->lanes), end, n->lanes, n->lanes);
  n->level++;
  GenLoop loop = gen_loop(g, gen_i64(g, 0), count, n->lanes, 0, NULL);
  LLVMValueRef at = gen_load(g, IR_I32, gen_at(g, l->list, IR_I32, loop.i), n->lanes, n->lanes);
  n->lane_var = -1;
  d->ix.at[0] = nest_of(n, nest_each_var(n, at, 0, d->dim[0] - 1));
  NestReg *x = arena_array(g->arena, NestReg, node->nroot);
  for (int k = 0; k < node->nroot; k++)
    if (node->late[k]) x[k] = nest_value(n, node->root[k]->op->in[1], d->ix, 0);
  for (int k = 0; k < node->nroot; k++)
    if (node->late[k]) store_root(n, k, d->ix, x[k]);
  gen_loop_end(g, &loop, NULL);
  n->level--;
  branch_end(n, b);
}

static void emit_late(Nest *n, LLVMValueRef piece) {
  Gen *g = n->g;
  Late l = { tile_stack(g, IR_I32, LATE_RUN + most_lanes(g)), tile_stack(g, IR_I64, 1) };
  Domain d = domain(n, piece);
  if (d.piece_axis < 0) d.piece_axis = 0, range_of(n, NULL, d.dim[0], &d.lo, &d.hi);
  LLVMValueRef hi = d.hi;
  LLVMTypeRef i64 = LLVMInt64TypeInContext(g->ctx);
  n->lanes = n->valid = nest_lanes(n, LATE_RUN);
  d.ix = (NestIndex){ .linear = d.linear, .n = 1 };
  d.point = early_point, d.env = &l;
  hoist(&d, 0);
  int mark = nest_mark(n);
  n->level++;
  GenLoop loop = gen_loop(g, d.lo, hi, LATE_RUN, 0, NULL);
  LLVMValueRef arg[2] = { LLVMBuildNSWAdd(g->b, loop.i, gen_i64(g, LATE_RUN), ""), hi };
  d.lo = loop.i, d.hi = gen_call_intrinsic(g, "llvm.smin", 1, &i64, 2, arg);
  LLVMBuildStore(g->b, gen_i64(g, 0), l.count);
  vectors_of_piece(&d, 0);
  late_points(&d);
  gen_loop_end(g, &loop, NULL);
  n->level--;
  nest_pop(n, mark);
  n->lanes = n->valid = 1, n->lane_var = -1;
}

// ---- products --------------------------------------------------------------------------------------------------

typedef struct Epilogue {
  Nest *n;
  const IrValue *product;
  NestIndex batch;               // leading axes that are known before the product's loops
  int lead;                      // axes that a row counts, behind those
  int mark;
  LLVMBasicBlockRef block;       // what has been emitted since `mark` stands in it
  int lanes, valid;
  LLVMValueRef col; int col_var;
  LLVMValueRef row[64]; int row_var[64], nrow;
  LLVMValueRef row_size;         // elements of a row, where sizes are open; or NULL
} Epilogue;

static int row_seen(const Epilogue *e, LLVMValueRef row) {
  for (int k = 0; k < e->nrow; k++)
    if (e->row[k] == row) return e->row_var[k];
  return -1;
}

// What a row is more than the first that was seen, where that is a constant; else 0.
static int64_t row_plus(const Epilogue *e, LLVMValueRef row) {
  if (!LLVMIsAInstruction(row) || LLVMGetInstructionOpcode(row) != LLVMAdd || !LLVMIsAConstantInt(LLVMGetOperand(row, 1))) return 0;
  return LLVMGetOperand(row, 0) == e->row[0] ? LLVMConstIntGetSExtValue(LLVMGetOperand(row, 1)) : 0;
}

// Where sizes are open, what the first axis counts stands for the whole row: in elements, from the row before on.
static int open_row_var(Epilogue *e, LLVMValueRef row) {
  int v = row_seen(e, row);
  if (v >= 0) return v;
  const IrType *t = &e->product->type;
  Gen *g = e->n->g;
  int64_t plus = e->nrow ? row_plus(e, row) - row_plus(e, e->row[e->nrow - 1]) : 0;
  LLVMValueRef at = plus == 1 ? e->row_size : LLVMBuildNSWMul(g->b, e->row_size, plus ? gen_i64(g, plus) : row, "");
  if (plus) at = LLVMBuildNSWAdd(g->b, e->n->var.at[e->row_var[e->nrow - 1]].at, at, "");
  v = nest_value_var(e->n, at, 0, t->dim[0] - 1);
  e->n->var.at[v].unit = ir_count(t) / t->dim[0];
  if (e->nrow < 64) e->row[e->nrow] = row, e->row_var[e->nrow++] = v;
  return v;
}

// The rows of a tile are its first one and a constant more: one address serves them all.
static int row_var(Epilogue *e, LLVMValueRef row, int64_t rows) {
  int v = row_seen(e, row);
  if (v >= 0) return v;
  v = nest_value_var(e->n, row, 0, rows - 1);
  if (LLVMIsAInstruction(row) && LLVMGetInstructionOpcode(row) == LLVMAdd && LLVMIsAConstantInt(LLVMGetOperand(row, 1))) {
    int first = row_seen(e, LLVMGetOperand(row, 0));
    NestVar *x = &e->n->var.at[v];
    if (first >= 0) x->near = first, x->plus = LLVMConstIntGetSExtValue(LLVMGetOperand(row, 1));
  }
  if (e->nrow < 64) e->row[e->nrow] = row, e->row_var[e->nrow++] = v;
  return v;
}

// Rows and columns are known by their LLVM values, so what depends on the column alone is shared by the
// rows of a tile.
static void epilogue(Gen *g, void *env, LLVMValueRef row, LLVMValueRef col, LLVMValueRef acc, int lanes, int valid) {
  Epilogue *e = env;
  Nest *n = e->n;
  const IrType *t = &e->product->type;
  LLVMBasicBlockRef at = LLVMGetInsertBlock(g->b);
  if (valid == 1 && lanes > 1) {
    acc = LLVMBuildExtractElement(g->b, acc, LLVMConstInt(LLVMInt32TypeInContext(g->ctx), 0, false), "");
    lanes = 1;
  }
  if (at != e->block || lanes != e->lanes || valid != e->valid) {
    nest_pop(n, e->mark);
    e->nrow = 0, e->col = NULL;
  }
  e->block = at, e->lanes = lanes, e->valid = valid;
  n->lanes = lanes, n->valid = valid;
  if (e->col != col) e->col_var = nest_value_var(n, col, 0, t->dim[t->rank - 1] - 1);
  e->col = col;
  n->lane_var = lanes > 1 ? e->col_var : -1;

  NestIndex ix = e->batch;
  int64_t rows = 1;
  for (int k = 0; k < e->lead; k++) rows *= t->dim[ix.n + k];
  int *lead = ix.at + ix.n;
  if (e->row_size) {
    lead[0] = nest_of(n, open_row_var(e, row));
    for (int k = 1; k < e->lead; k++) lead[k] = nest_const(n, 0);
  } else if (LLVMIsAConstantInt(row)) {
    int64_t c = LLVMConstIntGetSExtValue(row);
    for (int k = e->lead - 1; k >= 0; c /= t->dim[ix.n + k], k--) lead[k] = nest_const(n, c % t->dim[ix.n + k]);
  } else {
    int v = row_var(e, row, rows);
    if (e->lead == 1) lead[0] = nest_of(n, v);
    else {
      n->var.at[v].digits = 0;
      nest_digits(n, v, e->lead, t->dim + ix.n, lead);
    }
  }
  ix.n += e->lead;
  ix.at[ix.n++] = nest_of(n, e->col_var);
  ix = nest_index(n, t, t->rank, ix.at);
  if (t->dtype == IR_BF16) acc = gen_cast(g, acc, IR_F32, IR_BF16);
  nest_remember(n, (NestKey){ .kind = KEY_VALUE, .id = e->product->id, .ix = ix }, (NestReg){ .re = acc });
  roots(n, ix, NULL);
}

static Epilogue epilogue_open(Nest *n, NestIndex batch, int lead) {
  Epilogue e = { .n = n, .product = n->node->op->out[0], .batch = batch, .lead = lead };
  const IrType *t = &e.product->type;
  NestIndex ix = batch;
  int64_t count = 1;
  for (int k = ix.n; k < t->rank; k++) {
    int v = nest_var(n, 0, t->dim[k] - 1);
    n->var.at[v].level = n->level + 1 + k;
    ix.at[k] = nest_of(n, v);
    n->lane_var = v;
    count *= t->dim[k];
  }
  ix.n = t->rank;
  // What no row or column changes is computed once, before the product.
  if (count > 1) nest_hoist(n, n->node->nroot, n->node->root, ix);
  n->lane_var = -1;
  e.mark = nest_mark(n);
  n->level++;
  return e;
}

static void epilogue_close(Nest *n, Epilogue *e) {
  nest_pop(n, e->mark);
  n->level--;
  n->lanes = n->valid = 1, n->lane_var = -1;
}

typedef struct Product {
  const IrOp *op;
  int nb;
  int64_t m, n, k;
  bool ta, tb;
  IrDtype dtype;
} Product;

static Product product_of(const IrOp *op) {
  const IrType *x = &op->in[0]->type, *y = &op->out[0]->type;
  Product p = { op, (int)ir_int(op, A_BATCH), 0, 0, 0, ir_int(op, A_TA), ir_int(op, A_TB), x->dtype };
  p.m = y->dim[p.nb], p.n = y->dim[p.nb + 1], p.k = x->dim[p.nb + !p.ta];
  return p;
}

static LLVMValueRef entry_of(Nest *n, const IrValue *v, const NestIndex *batch) {
  const IrType *t = &v->type;
  int f = nest_const(n, 0);
  int64_t stride = 1;
  for (int k = t->rank - 1; k >= 0; k--) {
    if (k < batch->n) f = nest_add(n, f, batch->at[k], stride);
    stride *= t->dim[k];
  }
  return nest_address(n, nest_slot(n->use, &n->plan->value[v->id].ref), t->dtype, f);
}

static LLVMValueRef scratch(Nest *n, LLVMValueRef piece) {
  Gen *g = n->g;
  if (!n->node->scratch_bytes) return NULL;
  LLVMValueRef p = nest_address(n, nest_slot(n->use, &n->node->scratch), IR_U8, nest_const(n, 0));
  if (!piece) return p;
  return gen_at(g, p, IR_U8, LLVMBuildNSWMul(g->b, piece, gen_i64(g, n->node->scratch_bytes), ""));
}

typedef struct DotPoint { LLVMValueRef piece, lo, hi, n_lo, n_hi; } DotPoint;    // n_lo NULL: all columns

static GenDot dot_of(Nest *n, const NestIndex *batch) {
  Product p = product_of(n->node->op);
  GenDot dot = { .dtype = p.dtype, .m = p.m, .n = p.n, .k = p.k, .packed = n->node->pack };
  dot.a_m = p.ta ? 1 : p.k, dot.a_k = p.ta ? p.m : 1;
  dot.b_k = p.tb ? 1 : p.n, dot.b_n = p.tb ? p.k : 1;
  dot.a = entry_of(n, p.op->in[0], batch), dot.b = entry_of(n, p.op->in[1], batch);
  return dot;
}

static void dot_point(Domain *d) {
  Nest *n = d->n;
  Gen *g = n->g;
  Product p = product_of(n->node->op);
  const DotPoint *at = d->env;
  GenDot dot = dot_of(n, &d->ix);
  dot.m_lo = at->lo, dot.m_hi = at->hi, dot.n_lo = at->n_lo, dot.n_hi = at->n_hi;
  if (n->node->strip && n->node->piece_axis == p.nb) dot.strip = n->node->piece_len;
  int64_t need = gen_dot_scratch(g->target, p.dtype, p.m, p.n, p.k, p.tb);
  ICE_IF(need > n->node->scratch_bytes, "a product's packing takes %lld bytes, the plan gives %lld", (long long)need,
         (long long)n->node->scratch_bytes);
  if (n->node->pack) dot.pack = scratch(n, NULL);
  else if (need) dot.pack = scratch(n, at->piece);
  Epilogue e = epilogue_open(n, d->ix, 1);
  dot.pairs = n->use->calls && by_twos(g);
  dot.store = epilogue, dot.env = &e;
  gen_dot(g, &dot);
  epilogue_close(n, &e);
}

static const IrValue *stored_product(const Nest *n) {
  for (int k = 0; k < n->node->nroot; k++)
    if (n->node->root[k] == n->node->op->out[0]) return n->node->root[k];
  return NULL;
}

// Where a library's product goes: its own place, or scratch where only the epilogue reads it; -1: nowhere.
static int product_slot(const Nest *n) {
  const IrValue *y = n->node->op->out[0];
  if (stored_product(n)) return nest_slot(n->use, &n->plan->value[y->id].ref);
  if (n->node->scratch_bytes >= ir_bytes(&y->type)) return nest_slot(n->use, &n->node->scratch);
  return -1;
}

static void gemm_point(Domain *d) {
  Nest *n = d->n;
  Gen *g = n->g;
  Product p = product_of(n->node->op);
  const DotPoint *at = d->env;
  const IrType *t = &p.op->out[0]->type;
  LLVMTypeRef i = LLVMInt64TypeInContext(g->ctx), ptr = LLVMPointerTypeInContext(g->ctx, 0);
  LLVMTypeRef param[11] = { i, i, i, i, i, ptr, i, ptr, i, ptr, i };
  const char *name = p.dtype == IR_F32 ? "rt_gemm_f32" : "rt_gemm_f64";
  LLVMTypeRef type = LLVMFunctionType(LLVMVoidTypeInContext(g->ctx), param, 11, false);
  LLVMValueRef f = LLVMGetNamedFunction(g->mod, name);
  if (!f) f = LLVMAddFunction(g->mod, name, type);
  int position = nest_const(n, 0);
  int64_t stride = p.m * p.n;
  for (int k = p.nb - 1; k >= 0; k--) {
    position = nest_add(n, position, d->ix.at[k], stride);
    stride *= t->dim[k];
  }
  LLVMValueRef a = entry_of(n, p.op->in[0], &d->ix), b = entry_of(n, p.op->in[1], &d->ix);
  LLVMValueRef c = nest_address(n, product_slot(n), p.dtype, position);
  a = gen_at(g, a, p.dtype, p.ta ? at->lo : LLVMBuildNSWMul(g->b, at->lo, gen_i64(g, p.k), ""));
  c = gen_at(g, c, p.dtype, LLVMBuildNSWMul(g->b, at->lo, gen_i64(g, p.n), ""));
  LLVMValueRef m = LLVMBuildNSWSub(g->b, at->hi, at->lo, ""), cols = gen_i64(g, p.n), k = gen_i64(g, p.k);
  LLVMValueRef arg[11] = { m, cols, k, gen_i64(g, p.ta), gen_i64(g, p.tb), a, p.ta ? gen_i64(g, p.m) : k,
                           b, p.tb ? k : cols, c, cols };
  LLVMBuildCall2(g->b, type, f, arg, 11, "");
}

static void emit_dot(Nest *n, LLVMValueRef piece) {
  const PlanNode *node = n->node;
  Product p = product_of(node->op);
  const IrType *t = &node->op->out[0]->type;
  if (nest_product(node->op)) {
    // Integers and complex numbers: a sum in place, vectors along the columns.
    Domain d = domain(n, piece);
    d.rank = t->rank, d.vector = p.tb ? -1 : p.nb + 1, d.linear = false;
    memcpy(d.dim, t->dim, sizeof d.dim);
    each_point(&d);
    return;
  }
  DotPoint at = { .piece = piece };
  int64_t width;
  range_of(n, node->piece_axis == p.nb ? piece : NULL, p.m, &at.lo, &at.hi);
  if (piece && node->piece_axis > p.nb && nest_pieces(n->g, node, &width) > 1) range_of(n, piece, p.n, &at.n_lo, &at.n_hi);
  Domain d = { .n = n, .rank = p.nb, .vector = -1, .piece_axis = -1, .gate = -1, .point = dot_point, .env = &at };
  memcpy(d.dim, t->dim, sizeof *d.dim * (size_t)p.nb);
  int64_t len;
  if (piece && node->piece_axis < p.nb && nest_pieces(n->g, node, &len) > 1) {
    d.piece_axis = node->piece_axis;
    range_of(n, piece, t->dim[d.piece_axis], &d.lo, &d.hi);
  }
  bool library = node->blas && p.dtype != IR_BF16 && product_slot(n) >= 0;
  if (!library) {
    each_point(&d);
    return;
  }
  d.point = gemm_point;
  each_point(&d);
  const IrValue *own = stored_product(n);
  if (node->nroot == (own != NULL)) return;
  n->product = product_slot(n);
  struct NestLocal *l = &n->local[node->op->out[0]->id];
  l->root = true;                // its place is n->product, wherever the plan's may be
  Domain rest = domain(n, piece);
  rest.rank = t->rank, rest.vector = t->rank - 1, rest.linear = false, rest.skip = own;
  memcpy(rest.dim, t->dim, sizeof rest.dim);
  each_point(&rest);
  n->product = -1;
}

static void emit_conv(Nest *n, LLVMValueRef piece) {
  const IrOp *op = n->node->op;
  const IrType *t = &op->out[0]->type;
  if (!ir_count(t)) return;
  if (nest_product(op)) {
    Domain d = domain(n, piece);
    d.rank = 4, d.vector = -1, d.linear = false;
    memcpy(d.dim, t->dim, sizeof d.dim);
    each_point(&d);
    return;
  }
  NestIndex none = { 0 };
  GenConv c = { .op = op, .x = entry_of(n, op->in[0], &none), .y = entry_of(n, op->in[1], &none) };
  range_of(n, piece, t->dim[0], &c.lo, &c.hi);
  Epilogue e = epilogue_open(n, none, t->rank - 1);
  LLVMValueRef number[CONV_NUMBERS];
  if (n->use->size >= 0) {
    for (int k = n->use->number; k < n->use->last; k++) number[k - n->use->number] = n->use->slot.at[k].at;
    c.number = number, e.row_size = n->use->slot.at[n->use->last].at;
  }
  c.store = epilogue, c.env = &e;
  gen_conv(n->g, &c);
  epilogue_close(n, &e);
}

// ---- updates -----------------------------------------------------------------------------------------------------

typedef struct Update { int slot; int start[IR_MAX_RANK]; } Update;

static void update_point(Domain *d) {
  Nest *n = d->n;
  const IrOp *op = n->node->op;
  const Update *u = d->env;
  const IrType *t = &op->in[0]->type;
  NestReg x = nest_value(n, op->in[1], d->ix, 0);
  int at[IR_MAX_RANK];
  for (int k = 0; k < t->rank; k++) at[k] = nest_add(n, d->ix.at[k], u->start[k], 1);
  NestIndex to = nest_index(n, t, t->rank, at);
  nest_store(n, u->slot, t, nest_linear(n, t, &to), x);
}

static int last_long_axis(const IrType *t, int from) {
  int a = t->rank - 1;
  return a >= from && t->dim[a] > 1 ? a : -1;
}

static void emit_update(Nest *n) {
  const IrOp *op = n->node->op;
  const IrType *t = &op->in[0]->type, *ut = &op->in[1]->type;
  Update u = { .slot = nest_slot(n->use, &n->plan->value[op->out[0]->id].ref) };
  n->lanes = n->valid = 1, n->lane_var = -1;
  for (int k = 0; k < t->rank; k++) {
    int64_t top = t->dim[k] - ut->dim[k];
    u.start[k] = nest_const(n, 0);
    if (top) u.start[k] = nest_of(n, nest_clamped(n, nest_value(n, op->in[2 + k], (NestIndex){ 0 }, 0).re, top));
  }
  IrValue *value = op->in[1];
  Domain d = { .n = n, .rank = ut->rank, .vector = last_long_axis(ut, 0), .piece_axis = -1, .gate = -1,
               .nvalue = 1, .value = &value, .point = update_point, .env = &u };
  memcpy(d.dim, ut->dim, sizeof d.dim);
  each_point(&d);
}

typedef struct Scatter { int slot, nb, ni; int row; } Scatter;

static LLVMValueRef scatter_enter(Domain *d) {
  Nest *n = d->n;
  Gen *g = n->g;
  const IrOp *op = n->node->op;
  Scatter *s = d->env;
  const IrType *i = &op->in[1]->type;
  LLVMValueRef row = nest_value(n, op->in[1], nest_index(n, i, i->rank, d->ix.at), 0).re;
  row = LLVMBuildSExt(g->b, row, LLVMInt64TypeInContext(g->ctx), "");
  int64_t size = op->in[0]->type.dim[s->nb];
  s->row = nest_of(n, nest_value_var(n, row, 0, size - 1));
  return LLVMBuildICmp(g->b, LLVMIntULT, row, gen_i64(g, size), "");
}

static void scatter_point(Domain *d) {
  Nest *n = d->n;
  const IrOp *op = n->node->op;
  Scatter *s = d->env;
  const IrType *t = &op->in[0]->type;
  NestReg x = nest_value(n, op->in[2], d->ix, 0);
  int at[IR_MAX_RANK];
  for (int k = 0; k < s->nb; k++) at[k] = d->ix.at[k];
  at[s->nb] = s->row;
  for (int k = s->nb + 1; k < t->rank; k++) at[k] = d->ix.at[s->ni + k - s->nb - 1];
  NestIndex to = nest_index(n, t, t->rank, at);
  int position = nest_linear(n, t, &to);
  static const IrCode how[] = { [SCATTER_ADD] = IR_ADD, [SCATTER_MAX] = IR_MAX, [SCATTER_MIN] = IR_MIN };
  int64_t mode = ir_int(op, A_MODE);
  if (mode != SCATTER_SET) x = nest_binary(n, how[mode], t->dtype, nest_peek(n, s->slot, t, position), x);
  nest_store(n, s->slot, t, position, x);
}

static void emit_scatter(Nest *n) {
  const IrOp *op = n->node->op;
  const IrType *ut = &op->in[2]->type;
  Scatter s = { .slot = nest_slot(n->use, &n->plan->value[op->out[0]->id].ref), .nb = (int)ir_int(op, A_BATCH),
                .ni = op->in[1]->type.rank };
  IrValue *value = op->in[2];
  Domain d = { .n = n, .rank = ut->rank, .vector = last_long_axis(ut, s.ni), .piece_axis = -1, .gate = s.ni,
               .nvalue = 1, .value = &value, .enter = scatter_enter, .point = scatter_point, .env = &s };
  memcpy(d.dim, ut->dim, sizeof d.dim);
  each_point(&d);
}

// ---- a node ------------------------------------------------------------------------------------------------------------

int64_t nest_pieces(const Gen *g, const PlanNode *n, int64_t *len) {
  int64_t by = 1, size;
  *len = n->piece_len;
  if (n->pieces <= 1 || n->kind == PLAN_UPDATE) return 1;
  if (n->strip) return n->pieces;
  if (n->kind == PLAN_NEST) {
    size = n->dim[n->piece_axis];
    if (n->piece_axis == n->vector) by = lanes_for(most_lanes(g), size);
  } else {
    const IrType *t = &n->op->out[0]->type;
    size = t->dim[n->piece_axis];
    if (n->kind == PLAN_CONV && n->piece_axis) return 1;
    if (n->kind == PLAN_DOT) {
      Product p = product_of(n->op);
      if (n->piece_axis > p.nb) {
        if (nest_product(n->op) || p.ta || n->blas) return 1;
        by = gen_dot_column_tile(g->target, p.dtype, p.m, p.n, p.k);
      }
      if (n->piece_axis == p.nb && !nest_product(n->op)) by = gen_dot_row_tile(g->target, p.dtype, p.m, p.n, p.k, p.ta);
    }
  }
  *len = (*len + by - 1) / by * by;
  return (size + *len - 1) / *len;
}

void nest_open(Nest *n, const Plan *p, const PlanNode *node, NestUse *u) {
  n->plan = p, n->node = node, n->use = u;
  n->product = -1;
  n->lanes = n->valid = 1, n->lane_var = -1, n->level = 0;
  nest_pop(n, 0);
  n->var.n = n->form.n = n->mask.n = 0;
  if (n->form_room) memset(n->form_at, 0, sizeof *n->form_at * (size_t)n->form_room);
  vec_push(n->g->arena, &n->mask, ((NestMask){ 0 }));
}

void nest_emit(Nest *n, LLVMValueRef piece) {
  Domain d;
  switch (n->node->kind) {
  case PLAN_NEST:
    if (n->node->late) {
      emit_late(n, piece);
      break;
    }
    d = domain(n, piece);
    each_point(&d);
    break;
  case PLAN_DOT: emit_dot(n, piece); break;
  case PLAN_CONV: emit_conv(n, piece); break;
  case PLAN_UPDATE:
    if (n->node->op->code == IR_SCATTER) emit_scatter(n);
    else emit_update(n);
    break;
  default: ICE("a node of kind %d is no kernel", n->node->kind);
  }
}

static void emit_pack(Nest *n, LLVMValueRef panel) {
  NestIndex none = { 0 };
  GenDot dot = dot_of(n, &none);
  dot.pack = scratch(n, NULL);
  gen_dot_pack(n->g, &dot, panel);
}

int64_t nest_panels(const Gen *g, const PlanNode *node) {
  Product p = product_of(node->op);
  return gen_dot_panels(g->target, p.dtype, p.m, p.n, p.k);
}

LLVMValueRef nest_kernel(Nest *n, const char *name, bool pack) {
  Gen *g = n->g;
  LLVMTypeRef i64 = LLVMInt64TypeInContext(g->ctx), ptr = LLVMPointerTypeInContext(g->ctx, 0);
  LLVMTypeRef type = LLVMFunctionType(LLVMVoidTypeInContext(g->ctx), (LLVMTypeRef[]){ ptr, i64 }, 2, false);
  LLVMValueRef outer_fn = g->fn;
  LLVMBasicBlockRef outer = LLVMGetInsertBlock(g->b);
  g->fn = gen_function(g, name, type);
  LLVMPositionBuilderAtEnd(g->b, LLVMAppendBasicBlockInContext(g->ctx, g->fn, ""));
  LLVMValueRef argv = LLVMGetParam(g->fn, 0);
  for (int k = 0; k < n->use->slot.n; k++) {
    NestSlot *s = &n->use->slot.at[k];
    LLVMValueRef at = k ? LLVMBuildInBoundsGEP2(g->b, ptr, argv, (LLVMValueRef[]){ gen_i64(g, k) }, 1, "") : argv;
    s->at = LLVMBuildLoad2(g->b, s->kind == SLOT_TURN ? gen_type(g, IR_I32, 1) : s->kind == SLOT_NUMBER ? i64 : ptr, at, "");
  }
  if (pack) emit_pack(n, LLVMGetParam(g->fn, 1));
  else nest_emit(n, LLVMGetParam(g->fn, 1));
  LLVMBuildRetVoid(g->b);
  LLVMValueRef f = g->fn;
  g->fn = outer_fn;
  if (outer) LLVMPositionBuilderAtEnd(g->b, outer);
  return f;
}
