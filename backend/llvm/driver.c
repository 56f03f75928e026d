// The entry function of a plan: blocks of nodes in order, loops around bodies, calls of kernels.
#include "backend/llvm/module.h"

#include <string.h>

typedef struct Turn { const IrOp *loop; LLVMValueRef at, narrow, piece; } Turn; // i64, i32; of a map that is cut: i64

// A loop around the place of emission, and the block that leads to it: what does not depend on its turn is computed there.
typedef struct Around { const IrOp *loop; LLVMBasicBlockRef before; } Around;

// An argument that no turn changes: an offset from a base; a number, which has none, in the space RT_NSPACE.
typedef struct Given { int64_t x; int space; } Given;
_Static_assert(RT_NSPACE < 8, "bases in a vector, and 0 behind them");

typedef struct Driver {
  Module *mod;
  Gen *g;
  const Plan *plan;
  LLVMValueRef frame, base[RT_NSPACE], pool, argv;
  int nargv;                       // slots that argv has room for
  VEC(Given) given;                // what stands in them from the beginning
  LLVMBasicBlockRef first, begin;  // the function's entry, which fills argv; where its code begins
  VEC(Turn) turn;                  // of the scans and maps around the place of emission
  VEC(Around) around;              // all loops around it, in this function
  int64_t *profile;                // of the next leaf, or NULL
  LLVMValueRef *port;              // an exported function's parameters: inputs, then outputs; else NULL
  bool alone;                      // no threads are asked for: an exported function, or what a thread runs
  LLVMValueRef strip;              // that goes through the scan around on its own, or NULL
  int64_t strips;                  //   of so many
} Driver;

// Nodes of so few ops on one element stand in the entry function itself: a call and its arguments cost as much.
#define SMALL_NODE 12

static const Turn *turn_of(const Driver *d, const IrOp *loop) {
  for (int k = d->turn.n - 1; k >= 0; k--)
    if (d->turn.at[k].loop == loop) return &d->turn.at[k];
  ICE("a turn of a loop that is not around");
}

static LLVMValueRef bytes_at(Gen *g, LLVMValueRef p, LLVMValueRef bytes) {
  return LLVMBuildInBoundsGEP2(g->b, LLVMInt8TypeInContext(g->ctx), p, &bytes, 1, "");
}

// An exported function's arrays stand where its parameters point: the port that begins last at or before r.
static LLVMValueRef port_of(const Driver *d, const PlanRef *r, int64_t *offset) {
  const IrRegion *top = d->plan->graph->top;
  bool in = r->space == RT_STATE;
  const PlanPort *port = in ? d->plan->io.in : d->plan->io.out;
  int n = in ? top->narg : top->nyield, k = 0;
  while (k + 1 < n && port[k + 1].offset <= r->offset) k++;
  *offset = r->offset - port[k].offset;
  return d->port[in ? k : top->narg + k];
}

// ---- addresses -------------------------------------------------------------------------------------------

// How many of the loops around, from the outermost, make up what depends on this loop's turn.
static int depth_of(const Driver *d, const IrOp *loop) {
  int k = d->around.n;
  while (k && d->around.at[k - 1].loop != loop) k--;
  return k;
}

static int ref_depth(const Driver *d, const PlanRef *r) {
  int depth = 0;
  for (int k = 0; k < r->nturn; k++) {
    int at = depth_of(d, r->turn[k].loop);
    if (at > depth) depth = at;
  }
  return depth;
}

static int slot_depth(const Driver *d, const NestSlot *s) {
  return s->kind == SLOT_MEMORY ? ref_depth(d, &s->ref) : s->kind == SLOT_TURN ? depth_of(d, s->turn) : 0;
}

// Emits in front of the loops that `depth` does not reach, until leave_depth.
static LLVMBasicBlockRef enter_depth(Driver *d, int depth) {
  LLVMBasicBlockRef here = LLVMGetInsertBlock(d->g->b);
  if (depth < d->around.n) LLVMPositionBuilderBefore(d->g->b, LLVMGetBasicBlockTerminator(d->around.at[depth].before));
  return here;
}

static void leave_depth(Driver *d, LLVMBasicBlockRef here) {
  LLVMValueRef end = LLVMGetBasicBlockTerminator(here);   // in front of a loop itself
  if (end) LLVMPositionBuilderBefore(d->g->b, end);
  else LLVMPositionBuilderAtEnd(d->g->b, here);
}

static LLVMValueRef place_here(Driver *d, const PlanRef *r) {
  int64_t offset = r->offset;
  LLVMValueRef p = d->port && (r->space == RT_STATE || r->space == RT_OUT) ? port_of(d, r, &offset) : d->base[r->space];
  if (offset) p = bytes_at(d->g, p, gen_i64(d->g, offset));
  for (int k = 0; k < r->nturn; k++) {
    const Turn *turn = turn_of(d, r->turn[k].loop);
    LLVMValueRef t = r->turn[k].lanes ? turn->piece : turn->at;
    p = bytes_at(d->g, p, LLVMBuildNSWMul(d->g->b, t, gen_i64(d->g, r->turn[k].stride), ""));
  }
  return p;
}

static LLVMValueRef place(Driver *d, const PlanRef *r) {
  LLVMBasicBlockRef here = enter_depth(d, ref_depth(d, r));
  LLVMValueRef p = place_here(d, r);
  leave_depth(d, here);
  return p;
}

static LLVMValueRef place_of(Driver *d, const IrValue *v) {
  const PlanValue *p = &d->plan->value[v->id];
  ICE_IF(p->home != PLAN_STORED, "value %d has no memory", v->id);
  return place(d, &p->ref);
}

static LLVMValueRef slot_address(void *env, const NestSlot *s) {
  Driver *d = env;
  if (s->kind == SLOT_NUMBER) return gen_i64(d->g, s->number);
  return s->kind == SLOT_TURN ? turn_of(d, s->turn)->narrow : place(d, &s->ref);
}

// ---- kernels --------------------------------------------------------------------------------------------

static bool is_empty(const PlanNode *n) {
  if (n->kind == PLAN_UPDATE) return !ir_count(&n->op->in[n->op->code == IR_SCATTER ? 2 : 1]->type);
  for (int k = 0; k < n->rank; k++)
    if (!n->dim[k]) return true;
  return false;
}

static bool is_small(const PlanNode *n, const NestUse *u) {
  if (n->kind != PLAN_NEST || u->heavy || u->nop > SMALL_NODE) return false;
  for (int k = 0; k < n->rank; k++)
    if (n->dim[k] != 1) return false;
  return true;
}

static LLVMValueRef entry(Gen *g, LLVMValueRef argv, int k) {
  LLVMTypeRef ptr = LLVMPointerTypeInContext(g->ctx, 0);
  return k ? LLVMBuildInBoundsGEP2(g->b, ptr, argv, (LLVMValueRef[]){ gen_i64(g, k) }, 1, "") : argv;
}

// Where a node's part of argv begins. It has one of its own: what does not change is written where the function begins, or
// in front of a loop. An exported function, which has no table of arguments, writes them before each call outside of loops.
static int own_part(const Driver *d) { return d->around.n || !d->port ? d->nargv : 0; }

static void need_part(Driver *d, int from, int n) {
  if (from + n > d->nargv) d->nargv = from + n;
}

static void give(Driver *d, int at, int64_t x, int space) {
  while (d->given.n <= at) vec_push(d->g->arena, &d->given, ((Given){ 0, RT_NSPACE }));
  d->given.at[at] = (Given){ x, space };
}

// Writes one argument to entry `at`, as early as it is known.
static void hand(Driver *d, const NestSlot *s, int at) {
  if (!d->port && s->kind == SLOT_NUMBER) give(d, at, s->number, RT_NSPACE);
  else if (!d->port && s->kind == SLOT_MEMORY && !s->ref.nturn) give(d, at, s->ref.offset, (int)s->ref.space);
  else {
    LLVMBasicBlockRef here = enter_depth(d, slot_depth(d, s));
    LLVMBuildStore(d->g->b, slot_address(d, s), entry(d->g, d->argv, at));
    leave_depth(d, here);
  }
}

// The arguments of the node's kernel, from entry `from` on.
static void hand_over(Driver *d, const NestUse *u, int from) {
  need_part(d, from, u->slot.n);
  for (int k = 0; k < u->slot.n; k++) hand(d, &u->slot.at[k], from + k);
}

static LLVMValueRef outside(Gen *g, const char *name, LLVMTypeRef type) {
  LLVMValueRef f = LLVMGetNamedFunction(g->mod, name);
  return f ? f : LLVMAddFunction(g->mod, name, type);
}

// f(argv, i) for each of so many pieces, on as many threads as there are.
static void run_pieces(Driver *d, LLVMTypeRef type, LLVMValueRef f, LLVMValueRef argv, int64_t pieces) {
  Gen *g = d->g;
  LLVMTypeRef i64 = LLVMInt64TypeInContext(g->ctx), ptr = LLVMPointerTypeInContext(g->ctx, 0);
  if (pieces == 1) {
    LLVMBuildCall2(g->b, type, f, (LLVMValueRef[]){ argv, gen_i64(g, 0) }, 2, "");
    return;
  }
  if (d->alone) {                  // pieces in turn
    GenLoop l = gen_loop(g, gen_i64(g, 0), gen_i64(g, pieces), 1, 0, NULL);
    LLVMBuildCall2(g->b, type, f, (LLVMValueRef[]){ argv, l.i }, 2, "");
    gen_loop_end(g, &l, NULL);
    return;
  }
  LLVMTypeRef run = LLVMFunctionType(LLVMVoidTypeInContext(g->ctx), (LLVMTypeRef[]){ ptr, ptr, ptr, i64 }, 4, false);
  LLVMBuildCall2(g->b, run, outside(g, "rt_parallel", run), (LLVMValueRef[]){ d->pool, f, argv, gen_i64(g, pieces) }, 4, "");
}

// Packs the node's operand, whose arguments stand from entry `from` on.
static void pack_operand(Driver *d, const PlanNode *node, const NestUse *u, int from) {
  LLVMTypeRef type;
  LLVMValueRef f = module_kernel(d->mod, d->plan, node, u, true, &type);
  run_pieces(d, type, f, entry(d->g, d->argv, from), nest_panels(d->g, node));
}

static void kernel_node(Driver *d, const PlanNode *node) {
  Gen *g = d->g;
  if (is_empty(node)) return;
  NestUse u;
  Nest *nest = &d->mod->unit[0].nest;
  nest_use(nest, d->plan, node, &u);
  if (is_small(node, &u)) {
    nest->address = slot_address, nest->env = d;
    nest_open(nest, d->plan, node, &u);
    nest_emit(nest, NULL);
    return;
  }
  LLVMTypeRef type;
  LLVMValueRef f = module_kernel(d->mod, d->plan, node, &u, false, &type);
  int from = own_part(d);
  hand_over(d, &u, from);
  if (node->pack && !node->pack_before) pack_operand(d, node, &u, from);
  int64_t len;
  run_pieces(d, type, f, entry(g, d->argv, from), nest_pieces(g, node, &len));
}

// ---- copies and routines of the runtime ---------------------------------------------------------------------

#define INLINE_COPY 32      // bytes

static void copy_node(Driver *d, const PlanNode *n) {
  if (!n->bytes) return;
  LLVMValueRef to = place(d, &n->to), from = place(d, &n->from);
  int64_t bytes = n->bytes;
  if (d->strip) {
    LLVMValueRef at = LLVMBuildNSWMul(d->g->b, d->strip, gen_i64(d->g, bytes /= d->strips), "");
    to = bytes_at(d->g, to, at), from = bytes_at(d->g, from, at);
  }
  Gen *g = d->g;
  if (d->around.n || bytes <= INLINE_COPY) {
    LLVMBuildMemCpy(g->b, to, 1, from, 1, gen_i64(g, bytes));
    return;
  }
  // Done once: in line, it would be so many loads and stores for the code generator to order.
  LLVMTypeRef ptr = LLVMPointerTypeInContext(g->ctx, 0);
  LLVMTypeRef type = LLVMFunctionType(ptr, (LLVMTypeRef[]){ ptr, ptr, LLVMInt64TypeInContext(g->ctx) }, 3, false);
  LLVMBuildCall2(g->b, type, outside(g, "memcpy", type), (LLVMValueRef[]){ to, from, gen_i64(g, bytes) }, 3, "");
}

static int64_t product(const int64_t *dim, int from, int to) {
  int64_t p = 1;
  for (int k = from; k < to; k++) p *= dim[k];
  return p;
}

// Arguments: whole numbers first, then addresses, NULL-ended.
static void call(Driver *d, const char *name, int nnumber, const int64_t *number, int nptr, LLVMValueRef *ptr) {
  Gen *g = d->g;
  LLVMTypeRef type[16];
  LLVMValueRef arg[16];
  int n = 0;
  for (int k = 0; k < nnumber; k++) type[n] = LLVMInt64TypeInContext(g->ctx), arg[n++] = gen_i64(g, number[k]);
  for (int k = 0; k < nptr; k++) type[n] = LLVMPointerTypeInContext(g->ctx, 0), arg[n++] = ptr[k];
  LLVMTypeRef f = LLVMFunctionType(LLVMVoidTypeInContext(g->ctx), type, (unsigned)n, false);
  LLVMBuildCall2(g->b, f, outside(g, name, f), arg, (unsigned)n, "");
}

static void lib_node(Driver *d, const PlanNode *n) {
  const IrOp *op = n->op;
  const IrType *x = &op->in[0]->type, *y = &op->out[0]->type;
  if (!ir_count(y)) return;
  LLVMValueRef in0 = place_of(d, op->in[0]), out0 = place_of(d, op->out[0]);
  int64_t batch = product(x->dim, 0, x->rank - 2), rows = x->rank > 1 ? x->dim[x->rank - 2] : 0, cols = x->rank ? x->dim[x->rank - 1] : 0;
  bool wide = x->dtype == IR_F64;
  int64_t axis, what = op->code == IR_CUMSUM ? 0 : op->code == IR_CUMPROD ? 1 : 2;
  switch (op->code) {
  case IR_QR:
    call(d, wide ? "rt_qr_f64" : "rt_qr_f32", 3, (int64_t[]){ batch, rows, cols }, 4,
         (LLVMValueRef[]){ in0, out0, place_of(d, op->out[1]), place(d, &n->scratch) });
    break;
  case IR_CHOLESKY:
    call(d, wide ? "rt_cholesky_f64" : "rt_cholesky_f32", 2, (int64_t[]){ batch, rows }, 2, (LLVMValueRef[]){ in0, out0 });
    break;
  case IR_TRISOLVE:
    call(d, wide ? "rt_trisolve_f64" : "rt_trisolve_f32", 4, (int64_t[]){ batch, rows, y->dim[y->rank - 1], ir_int(op, A_TA) }, 3,
         (LLVMValueRef[]){ in0, place_of(d, op->in[1]), out0 });
    break;
  case IR_LU:
    call(d, "rt_lu", 3, (int64_t[]){ x->dtype, batch, cols }, 4, (LLVMValueRef[]){ in0, out0, place_of(d, op->out[1]), place(d, &n->scratch) });
    break;
  case IR_EIGH:
    call(d, "rt_eigh", 3, (int64_t[]){ x->dtype, batch, cols }, 4, (LLVMValueRef[]){ in0, out0, place_of(d, op->out[1]), place(d, &n->scratch) });
    break;
  case IR_SVD:
    call(d, "rt_svd", 4, (int64_t[]){ x->dtype, batch, rows, cols }, 5,
         (LLVMValueRef[]){ in0, out0, place_of(d, op->out[1]), place_of(d, op->out[2]), place(d, &n->scratch) });
    break;
  case IR_EIG:
    call(d, "rt_eig", 3, (int64_t[]){ x->dtype, batch, cols }, 5,
         (LLVMValueRef[]){ in0, out0, place_of(d, op->out[1]), place_of(d, op->out[2]), place(d, &n->scratch) });
    break;
  case IR_FFT:
    call(d, "rt_fft", 4, (int64_t[]){ x->dtype, ir_count(x) / cols, cols, ir_int(op, A_REVERSE) }, 3, (LLVMValueRef[]){ in0, out0, place(d, &n->scratch) });
    break;
  case IR_ARGSORT:
    axis = ir_int(op, A_AXIS);
    call(d, "rt_argsort", 4, (int64_t[]){ x->dtype, product(x->dim, 0, (int)axis), x->dim[axis], product(x->dim, (int)axis + 1, x->rank) }, 3,
         (LLVMValueRef[]){ in0, out0, place(d, &n->scratch) });
    break;
  case IR_CUMSUM: case IR_CUMPROD: case IR_CUMMAX:
    axis = ir_int(op, A_AXIS);
    call(d, "rt_cumulate", 6, (int64_t[]){ x->dtype, what, product(x->dim, 0, (int)axis), x->dim[axis],
         product(x->dim, (int)axis + 1, x->rank), ir_int(op, A_REVERSE) }, 2, (LLVMValueRef[]){ in0, out0 });
    break;
  default: ICE("%s is no routine of the runtime", ir_info[op->code].name);
  }
}

// ---- control ---------------------------------------------------------------------------------------------------

static void emit_block(Driver *d, const PlanBlock *b);

// What the loop does not change is packed in front of it. Only the operand and the room for it are handed over: other
// addresses may depend on the turn.
static void pack_before(Driver *d, const PlanBlock *b, const IrOp *loop) {
  for (const PlanNode *n = b->first; n; n = n->next) {
    for (int k = 0; k < 2; k++) pack_before(d, &n->body[k], loop);
    if (!n->pack || n->pack_before != loop) continue;
    NestUse u;
    nest_use(&d->mod->unit[0].nest, d->plan, n, &u);
    int from = own_part(d);
    need_part(d, from, u.slot.n);
    int slot[2] = { nest_slot(&u, &d->plan->value[n->op->in[1]->id].ref), nest_slot(&u, &n->scratch) };
    for (int k = 0; k < 2; k++) hand(d, &u.slot.at[slot[k]], from + slot[k]);
    pack_operand(d, n, &u, from);
  }
}

static void turns(Driver *d, const PlanNode *n, LLVMValueRef from, LLVMValueRef to, LLVMValueRef piece) {
  Gen *g = d->g;
  bool reverse = n->kind == PLAN_SCAN && ir_int(n->op, A_REVERSE);
  GenLoop l = gen_loop(g, from, to, 1, 0, NULL);
  if (!l.once) vec_push(g->arena, &d->around, ((Around){ n->op, l.entry }));
  Turn t = { .loop = n->op, .at = reverse ? LLVMBuildNSWSub(g->b, gen_i64(g, ir_int(n->op, A_N) - 1), l.i, "") : l.i, .piece = piece };
  t.narrow = LLVMBuildTrunc(g->b, t.at, LLVMInt32TypeInContext(g->ctx), "");
  vec_push(g->arena, &d->turn, t);
  emit_block(d, &n->body[0]);
  d->turn.n--;
  d->around.n -= !l.once;
  gen_loop_end(g, &l, NULL);
}

static void load_bases(Driver *d) {
  Gen *g = d->g;
  LLVMTypeRef ptr = LLVMPointerTypeInContext(g->ctx, 0);
  for (int k = 0; k <= RT_NSPACE; k++) {
    LLVMValueRef at = k ? LLVMBuildInBoundsGEP2(g->b, ptr, d->frame, (LLVMValueRef[]){ gen_i64(g, k) }, 1, "") : d->frame;
    *(k < RT_NSPACE ? &d->base[k] : &d->pool) = LLVMBuildLoad2(g->b, ptr, at, "");
  }
}

// Room for arguments, as much as is known at the end: a placeholder that the alloca replaces.
static void open_argv(Driver *d) {
  Gen *g = d->g;
  d->nargv = 0;
  d->given.n = 0, d->given.at = NULL, d->given.cap = 0;
  d->argv = LLVMBuildArrayAlloca(g->b, LLVMPointerTypeInContext(g->ctx, 0), LLVMConstInt(LLVMInt32TypeInContext(g->ctx), 1, false), "argv");
  LLVMSetAlignment(d->argv, 64);   // a vector of them in two lines of the cache would be read back late
  d->first = LLVMGetInsertBlock(g->b);
  d->begin = LLVMAppendBasicBlockInContext(g->ctx, g->fn, "begin");
  LLVMPositionBuilderAtEnd(g->b, d->begin);
}

// Entries of argv that its table fills: whole turns of the loop that does it.
static int given_room(const Driver *d) { return (d->given.n + 7) / 8 * 8; }

static LLVMValueRef constant_table(Gen *g, const char *name, LLVMTypeRef type, int n, LLVMValueRef *e) {
  LLVMValueRef table = LLVMAddGlobal(g->mod, LLVMArrayType2(type, (uint64_t)n), name);
  LLVMSetInitializer(table, LLVMConstArray2(type, e, (uint64_t)n));
  LLVMSetLinkage(table, LLVMPrivateLinkage);
  LLVMSetGlobalConstant(table, true);
  return table;
}

// Entry i of argv from the tables, or as many from there on as a vector holds.
static void fill_entries(Driver *d, LLVMValueRef xs, LLVMValueRef spaces, LLVMValueRef bases, LLVMValueRef i, int lanes) {
  Gen *g = d->g;
  LLVMValueRef space = gen_load(g, IR_U8, gen_at(g, spaces, IR_U8, i), lanes, lanes), base;
  space = LLVMBuildZExt(g->b, space, gen_type(g, IR_I64, lanes), "");
  if (lanes == 8) base = gen_call_intrinsic(g, "llvm.x86.avx512.permvar.di.512", 0, NULL, 2, (LLVMValueRef[]){ bases, space });
  else base = gen_load(g, IR_I64, gen_at(g, bases, IR_I64, space), 1, 1);
  LLVMValueRef x = LLVMBuildAdd(g->b, base, gen_load(g, IR_I64, gen_at(g, xs, IR_I64, i), lanes, lanes), "");
  gen_store(g, IR_I64, x, gen_at(g, d->argv, IR_I64, i), lanes, lanes);
}

// Fills argv by tables of offsets and of their spaces: a loop is less code than a store for each. Vectors of 512 bits hold
// all bases, and a base for numbers, which is 0. The builder is left behind it.
static void fill_argv(Driver *d) {
  Gen *g = d->g;
  LLVMTypeRef i8 = LLVMInt8TypeInContext(g->ctx), i64 = LLVMInt64TypeInContext(g->ctx), ptr = LLVMPointerTypeInContext(g->ctx, 0);
  int lanes = g->width == 16 ? 8 : 1, n = given_room(d);
  LLVMValueRef *x = arena_array(g->arena, LLVMValueRef, n), *space = arena_array(g->arena, LLVMValueRef, n), bases;
  for (int k = 0; k < n; k++) {
    Given e = k < d->given.n ? d->given.at[k] : (Given){ 0, RT_NSPACE };
    x[k] = gen_i64(g, e.x), space[k] = LLVMConstInt(i8, (unsigned long long)e.space, false);
  }
  LLVMValueRef xs = constant_table(g, "arguments", i64, n, x), spaces = constant_table(g, "spaces", i8, n, space);
  if (lanes == 8) bases = gen_load(g, IR_I64, d->frame, lanes, RT_NSPACE);
  else {
    bases = LLVMBuildAlloca(g->b, LLVMArrayType2(ptr, RT_NSPACE + 1), "");
    for (int k = 0; k <= RT_NSPACE; k++) LLVMBuildStore(g->b, k < RT_NSPACE ? d->base[k] : LLVMConstNull(ptr), entry(g, bases, k));
  }
  GenLoop l = gen_loop(g, gen_i64(g, 0), gen_i64(g, n), lanes == 8 ? 8 : 2, 0, NULL);
  fill_entries(d, xs, spaces, bases, l.i, lanes);
  if (lanes == 1) fill_entries(d, xs, spaces, bases, LLVMBuildNSWAdd(g->b, l.i, gen_i64(g, 1), ""), 1);
  gen_loop_end(g, &l, NULL);
}

static void close_argv(Driver *d) {
  Gen *g = d->g;
  LLVMBasicBlockRef here = LLVMGetInsertBlock(g->b);
  int room = given_room(d) > d->nargv ? given_room(d) : d->nargv + 1;
  LLVMSetOperand(d->argv, 0, LLVMConstInt(LLVMInt32TypeInContext(g->ctx), (unsigned long long)room, false));
  LLVMPositionBuilderAtEnd(g->b, d->first);
  if (d->given.n) fill_argv(d);
  LLVMMoveBasicBlockBefore(LLVMGetInsertBlock(g->b), d->begin);
  LLVMBuildBr(g->b, d->begin);
  LLVMPositionBuilderAtEnd(g->b, here);
}

// A function for threads, void name(char **argv, i64 piece): argv holds the frame and the turns of the loops around.
typedef struct Apart {
  Driver d;
  LLVMValueRef piece, argv;                     // argv: for the call, once it is closed
  LLVMValueRef fn; LLVMBasicBlockRef back;      // of the function around
} Apart;

static LLVMValueRef handed(Gen *g, LLVMValueRef argv, int k) {
  return LLVMBuildInBoundsGEP2(g->b, LLVMInt64TypeInContext(g->ctx), argv, (LLVMValueRef[]){ gen_i64(g, k) }, 1, "");
}

// Emission goes on in it, by a.d.
static Apart open_apart(const Driver *outer, const char *name) {
  Gen *g = outer->g;
  LLVMTypeRef i64 = LLVMInt64TypeInContext(g->ctx), ptr = LLVMPointerTypeInContext(g->ctx, 0), i32 = LLVMInt32TypeInContext(g->ctx);
  Apart a = { .d = *outer, .fn = g->fn, .back = LLVMGetInsertBlock(g->b) };
  g->fn = gen_function(g, name, LLVMFunctionType(LLVMVoidTypeInContext(g->ctx), (LLVMTypeRef[]){ ptr, i64 }, 2, false));
  LLVMSetLinkage(g->fn, LLVMInternalLinkage);
  LLVMPositionBuilderAtEnd(g->b, LLVMAppendBasicBlockInContext(g->ctx, g->fn, ""));
  LLVMValueRef given = LLVMGetParam(g->fn, 0);
  a.piece = LLVMGetParam(g->fn, 1);
  a.d.frame = LLVMBuildLoad2(g->b, ptr, given, "");
  load_bases(&a.d);
  a.d.alone = true;
  open_argv(&a.d);
  a.d.around.at = NULL, a.d.around.n = a.d.around.cap = 0;
  a.d.turn.at = arena_array(g->arena, Turn, outer->turn.n + 1);
  a.d.turn.cap = outer->turn.n + 1;
  for (int k = 0; k < outer->turn.n; k++) {
    LLVMValueRef at = LLVMBuildLoad2(g->b, i64, handed(g, given, k + 1), "");
    a.d.turn.at[k] = (Turn){ .loop = outer->turn.at[k].loop, .at = at, .narrow = LLVMBuildTrunc(g->b, at, i32, "") };
  }
  return a;
}

// Back in the function around, whose argv is filled. Returns the function that was opened.
static LLVMValueRef close_apart(Driver *outer, Apart *a) {
  Gen *g = outer->g;
  LLVMBuildRetVoid(g->b);
  close_argv(&a->d);
  outer->profile = a->d.profile;
  LLVMValueRef made = g->fn;
  g->fn = a->fn;
  LLVMPositionBuilderAtEnd(g->b, a->back);
  int from = own_part(outer);
  need_part(outer, from, outer->turn.n + 1);
  a->argv = entry(g, outer->argv, from);
  LLVMBuildStore(g->b, outer->frame, a->argv);
  for (int k = 0; k < outer->turn.n; k++) LLVMBuildStore(g->b, outer->turn.at[k].at, handed(g, a->argv, k + 1));
  return made;
}

static void turns_node(Driver *d, const PlanNode *n) {
  Gen *g = d->g;
  int64_t all = ir_int(n->op, A_N);
  if (!all) return;
  pack_before(d, &n->body[0], n->op);
  if (n->strips && !d->alone && !d->profile) {
    Apart a = open_apart(d, "rlc.rows");
    a.d.strip = a.piece, a.d.strips = n->strips;
    turns(&a.d, n, gen_i64(g, 0), gen_i64(g, all), NULL);
    LLVMValueRef f = close_apart(d, &a);
    run_pieces(d, LLVMGlobalGetValueType(f), f, a.argv, n->strips);
    return;
  }
  if (n->kind == PLAN_SCAN || n->pieces <= 1) {
    turns(d, n, gen_i64(g, 0), gen_i64(g, all), NULL);
    return;
  }
  if (d->alone || d->profile) {    // no threads here, or clocks that they would share: all in the first piece's room
    turns(d, n, gen_i64(g, 0), gen_i64(g, all), gen_i64(g, 0));
    return;
  }
  Apart a = open_apart(d, "rlc.lanes");
  LLVMValueRef from = LLVMBuildNSWMul(g->b, a.piece, gen_i64(g, n->piece_len), ""), to = LLVMBuildNSWAdd(g->b, from, gen_i64(g, n->piece_len), "");
  LLVMValueRef most = gen_i64(g, all);
  to = LLVMBuildSelect(g->b, LLVMBuildICmp(g->b, LLVMIntSLT, to, most, ""), to, most, "");
  turns(&a.d, n, from, to, a.piece);
  LLVMValueRef f = close_apart(d, &a);
  run_pieces(d, LLVMGlobalGetValueType(f), f, a.argv, n->pieces);
}

static LLVMValueRef truth(Driver *d, const IrValue *v) {
  LLVMValueRef b = LLVMBuildLoad2(d->g->b, LLVMInt8TypeInContext(d->g->ctx), place_of(d, v), "");
  return LLVMBuildICmp(d->g->b, LLVMIntNE, b, LLVMConstNull(LLVMTypeOf(b)), "");
}

static LLVMBasicBlockRef new_block(Gen *g, const char *name) { return LLVMAppendBasicBlockInContext(g->ctx, g->fn, name); }

static void enter(Gen *g, LLVMBasicBlockRef b) {
  LLVMMoveBasicBlockAfter(b, LLVMGetInsertBlock(g->b));
  LLVMPositionBuilderAtEnd(g->b, b);
}

static void while_node(Driver *d, const PlanNode *n) {
  Gen *g = d->g;
  LLVMBasicBlockRef head = new_block(g, "while"), body = new_block(g, "turn"), done = new_block(g, "done");
  for (int k = 0; k < 2; k++) pack_before(d, &n->body[k], n->op);
  vec_push(g->arena, &d->around, ((Around){ n->op, LLVMGetInsertBlock(g->b) }));
  LLVMBuildBr(g->b, head);
  enter(g, head);
  emit_block(d, &n->body[0]);
  LLVMBuildCondBr(g->b, truth(d, n->test), body, done);
  enter(g, body);
  emit_block(d, &n->body[1]);
  d->around.n--;
  LLVMBuildBr(g->b, head);
  enter(g, done);
}

static void cond_node(Driver *d, const PlanNode *n) {
  Gen *g = d->g;
  LLVMBasicBlockRef yes = new_block(g, "yes"), no = new_block(g, "no"), done = new_block(g, "done");
  LLVMBuildCondBr(g->b, truth(d, n->op->in[0]), yes, no);
  enter(g, yes);
  emit_block(d, &n->body[0]);
  LLVMBuildBr(g->b, done);
  enter(g, no);
  emit_block(d, &n->body[1]);
  LLVMBuildBr(g->b, done);
  enter(g, done);
}

// Sides for two threads; where none are asked for, one behind the other.
static void fork_node(Driver *d, const PlanNode *n) {
  Gen *g = d->g;
  if (d->alone) {
    for (int k = 0; k < 2; k++) emit_block(d, &n->body[k]);
    return;
  }
  Apart a = open_apart(d, "rlc.sides");
  LLVMBasicBlockRef side[2] = { new_block(g, "first"), new_block(g, "second") }, done = new_block(g, "done");
  LLVMBuildCondBr(g->b, LLVMBuildICmp(g->b, LLVMIntEQ, a.piece, gen_i64(g, 0), ""), side[0], side[1]);
  for (int k = 0; k < 2; k++) {
    enter(g, side[k]);
    emit_block(&a.d, &n->body[k]);
    LLVMBuildBr(g->b, done);
  }
  enter(g, done);
  LLVMValueRef f = close_apart(d, &a);
  LLVMTypeRef ptr = LLVMPointerTypeInContext(g->ctx, 0);
  LLVMTypeRef run = LLVMFunctionType(LLVMVoidTypeInContext(g->ctx), (LLVMTypeRef[]){ ptr, ptr, ptr }, 3, false);
  LLVMBuildCall2(g->b, run, outside(g, "rt_fork", run), (LLVMValueRef[]){ d->pool, f, a.argv }, 3, "");
}

static LLVMValueRef clock_now(Gen *g) {
  LLVMTypeRef type = LLVMFunctionType(LLVMInt64TypeInContext(g->ctx), NULL, 0, false);
  return LLVMBuildCall2(g->b, type, outside(g, "llvm.readcyclecounter", type), NULL, 0, "");
}

static LLVMValueRef cell_at(Gen *g, const int64_t *cell) {
  LLVMValueRef at = LLVMConstInt(LLVMInt64TypeInContext(g->ctx), (unsigned long long)(uintptr_t)cell, false);
  return LLVMConstIntToPtr(at, LLVMPointerTypeInContext(g->ctx, 0));
}

static void add_at_once(Gen *g, const int64_t *cell, LLVMValueRef x) {
  LLVMBuildAtomicRMW(g->b, LLVMAtomicRMWBinOpAdd, cell_at(g, cell), x, LLVMAtomicOrderingMonotonic, false);
}

static void add_to(Gen *g, const int64_t *cell, LLVMValueRef x) {
  LLVMTypeRef i64 = LLVMInt64TypeInContext(g->ctx);
  LLVMValueRef at = cell_at(g, cell);
  LLVMBuildStore(g->b, LLVMBuildAdd(g->b, LLVMBuildLoad2(g->b, i64, at, ""), x, ""), at);
}

// The kernels of the body, each with its part of the argument vector, in a function of one strip.
typedef struct StripKernel { LLVMTypeRef type; LLVMValueRef f; int from; } StripKernel;

typedef struct OwnEntry { int entry; int64_t bytes; } OwnEntry;      // of the argument vector; bytes of a strip

// The argument vector as this thread needs it: arrays that are a strip's own in its room. Kernels add the strip's distance
// to an address, so that is taken off before.
static LLVMValueRef own_argv(Driver *d, LLVMValueRef argv, LLVMValueRef strip, const PlanNode *node, int nentry, int nown, const OwnEntry *own) {
  Gen *g = d->g;
  LLVMTypeRef i64 = LLVMInt64TypeInContext(g->ctx), ptr = LLVMPointerTypeInContext(g->ctx, 0);
  LLVMTypeRef type = LLVMFunctionType(i64, (LLVMTypeRef[]){ i64, i64 }, 2, false);
  LLVMValueRef seat = gen_i64(g, 0);
  if (!d->alone) seat = LLVMBuildCall2(g->b, type, outside(g, "rt_seat", type), (LLVMValueRef[]){ strip, gen_i64(g, node->pieces) }, 2, "");
  LLVMValueRef room = LLVMBuildNSWMul(g->b, seat, gen_i64(g, node->room), ""), mine = LLVMBuildAlloca(g->b, LLVMArrayType2(ptr, (uint64_t)nentry), "");
  LLVMBuildMemCpy(g->b, mine, 8, argv, 8, gen_i64(g, 8 * nentry));
  LLVMValueRef *x = arena_array(g->arena, LLVMValueRef, 2 * nown);
  for (int k = 0; k < nown; k++) x[2 * k] = gen_i64(g, own[k].entry), x[2 * k + 1] = gen_i64(g, own[k].bytes);
  LLVMValueRef table = constant_table(g, "rlc.own", i64, 2 * nown, x);
  GenLoop l = gen_loop(g, gen_i64(g, 0), gen_i64(g, 2 * nown), 2, 0, NULL);
  LLVMValueRef row = gen_at(g, table, IR_I64, l.i), at = LLVMBuildLoad2(g->b, i64, row, ""), bytes = LLVMBuildLoad2(g->b, i64, gen_at(g, row, IR_I64, gen_i64(g, 1)), "");
  LLVMValueRef e = LLVMBuildInBoundsGEP2(g->b, ptr, mine, &at, 1, "");
  LLVMValueRef away = LLVMBuildNSWSub(g->b, room, LLVMBuildNSWMul(g->b, strip, bytes, ""), "");
  LLVMBuildStore(g->b, bytes_at(g, LLVMBuildLoad2(g->b, ptr, e, ""), away), e);
  gen_loop_end(g, &l, NULL);
  return mine;
}

static void strips_node(Driver *d, const PlanNode *node) {
  Gen *g = d->g;
  VEC(StripKernel) kernel = { 0 };
  VEC(OwnEntry) own = { 0 };
  int begin = own_part(d), from = begin;
  const int64_t *cell = d->profile;
  for (const PlanNode *n = node->body[0].first; n; n = n->next, cell += 2 * (cell != NULL)) {
    NestUse u;
    StripKernel k = { .from = from - begin };
    nest_use(&d->mod->unit[0].nest, d->plan, n, &u);
    k.f = module_kernel(d->mod, d->plan, n, &u, false, &k.type);
    int64_t len, pieces = nest_pieces(g, n, &len);
    ICE_IF(pieces != node->pieces, "a node of %lld pieces in %lld strips", (long long)pieces, (long long)node->pieces);
    hand_over(d, &u, from);
    bool pack = n->pack && !n->pack_before;
    LLVMValueRef start = pack && cell ? clock_now(g) : NULL;
    if (pack) pack_operand(d, n, &u, from);
    if (start) add_to(g, cell, LLVMBuildSub(g->b, clock_now(g), start, ""));
    for (int s = 0; s < u.slot.n && !d->strip; s++) {
      const NestSlot *x = &u.slot.at[s];
      if (x->kind == SLOT_MEMORY && x->ref.own) vec_push(g->arena, &own, ((OwnEntry){ from - begin + s, x->ref.own }));
    }
    from += u.slot.n;
    vec_push(g->arena, &kernel, k);
  }
  LLVMValueRef outer = g->fn;
  LLVMBasicBlockRef here = LLVMGetInsertBlock(g->b);
  LLVMTypeRef type = kernel.at[0].type;
  g->fn = gen_function(g, arena_printf(g->arena, "rlc.s%d", ++d->mod->nstrips), type);
  LLVMSetLinkage(g->fn, LLVMInternalLinkage);
  LLVMPositionBuilderAtEnd(g->b, LLVMAppendBasicBlockInContext(g->ctx, g->fn, ""));
  LLVMValueRef argv = LLVMGetParam(g->fn, 0), strip = LLVMGetParam(g->fn, 1);
  if (own.n) argv = own_argv(d, argv, strip, node, from - begin, own.n, own.at);
  LLVMValueRef first = LLVMBuildZExt(g->b, LLVMBuildICmp(g->b, LLVMIntEQ, strip, gen_i64(g, 0), ""), LLVMInt64TypeInContext(g->ctx), "");
  for (int k = 0; k < kernel.n; k++) {
    LLVMValueRef start = d->profile ? clock_now(g) : NULL;
    LLVMBuildCall2(g->b, kernel.at[k].type, kernel.at[k].f, (LLVMValueRef[]){ entry(g, argv, kernel.at[k].from), strip }, 2, "");
    if (!start) continue;
    add_at_once(g, d->profile++, LLVMBuildSub(g->b, clock_now(g), start, ""));
    add_at_once(g, d->profile++, first);
  }
  LLVMBuildRetVoid(g->b);
  LLVMValueRef f = g->fn;
  g->fn = outer;
  LLVMPositionBuilderAtEnd(g->b, here);
  if (d->strip) LLVMBuildCall2(g->b, type, f, (LLVMValueRef[]){ entry(g, d->argv, begin), d->strip }, 2, "");
  else run_pieces(d, type, f, entry(g, d->argv, begin), node->pieces);
}

static void leaf(Driver *d, const PlanNode *n) {
  LLVMValueRef start = d->profile ? clock_now(d->g) : NULL;
  if (n->kind == PLAN_LIB) lib_node(d, n);
  else if (n->kind == PLAN_COPY) copy_node(d, n);
  else kernel_node(d, n);
  if (!start) return;
  add_to(d->g, d->profile++, LLVMBuildSub(d->g->b, clock_now(d->g), start, ""));
  add_to(d->g, d->profile++, gen_i64(d->g, 1));
}

static void emit_block(Driver *d, const PlanBlock *b) {
  for (const PlanNode *n = b->first; n; n = n->next) switch (n->kind) {
    case PLAN_NEST: case PLAN_DOT: case PLAN_CONV: case PLAN_UPDATE: case PLAN_LIB: case PLAN_COPY: leaf(d, n); break;
    case PLAN_SCAN: case PLAN_MAP: turns_node(d, n); break;
    case PLAN_WHILE: while_node(d, n); break;
    case PLAN_COND: cond_node(d, n); break;
    case PLAN_FORK: fork_node(d, n); break;
    case PLAN_STRIPS: strips_node(d, n); break;
  }
}

static void open_frame(Driver *d) {
  Gen *g = d->g;
  LLVMTypeRef ptr = LLVMPointerTypeInContext(g->ctx, 0);
  g->fn = gen_function(g, module_symbol(g->arena, d->plan->name, d->mod->serial), LLVMFunctionType(LLVMVoidTypeInContext(g->ctx), &ptr, 1, false));
  LLVMPositionBuilderAtEnd(g->b, LLVMAppendBasicBlockInContext(g->ctx, g->fn, ""));
  d->frame = LLVMGetParam(g->fn, 0);
  load_bases(d);
}

static LLVMValueRef constants(Gen *g, const Program *p) {
  LLVMValueRef v = LLVMConstStringInContext(g->ctx, p->const_data, (unsigned)p->const_bytes, true);
  LLVMValueRef at = LLVMAddGlobal(g->mod, LLVMTypeOf(v), "weights");
  LLVMSetInitializer(at, v);
  LLVMSetGlobalConstant(at, true);
  LLVMSetLinkage(at, LLVMPrivateLinkage);
  LLVMSetAlignment(at, RT_ALIGN);
  return at;
}

static void open_export(Driver *d) {
  Gen *g = d->g;
  const Plan *p = d->plan;
  int n = p->graph->top->narg + p->graph->top->nyield;
  int64_t bytes = plan_alone_bytes(p);
  bool outside_arena = bytes > EXPORT_STACK;
  LLVMTypeRef *type = arena_array(g->arena, LLVMTypeRef, n + 1);
  for (int k = 0; k <= n; k++) type[k] = LLVMPointerTypeInContext(g->ctx, 0);
  g->fn = gen_function(g, p->name, LLVMFunctionType(LLVMVoidTypeInContext(g->ctx), type, (unsigned)(n + outside_arena), false));
  LLVMPositionBuilderAtEnd(g->b, LLVMAppendBasicBlockInContext(g->ctx, g->fn, ""));
  d->port = arena_array(g->arena, LLVMValueRef, n + 1);
  for (int k = 0; k < n; k++) d->port[k] = LLVMGetParam(g->fn, (unsigned)k);
  if (d->mod->program->const_bytes) d->base[RT_CONST] = constants(g, d->mod->program);
  if (outside_arena) d->base[RT_ARENA] = LLVMGetParam(g->fn, (unsigned)n);
  else if (bytes) {
    LLVMTypeRef room = LLVMArrayType2(LLVMInt8TypeInContext(g->ctx), (uint64_t)bytes);
    d->base[RT_ARENA] = LLVMBuildAlloca(g->b, room, "arena");
    LLVMSetAlignment(d->base[RT_ARENA], RT_ALIGN);
  }
  if (p->room_bytes) d->base[RT_ROOM] = bytes_at(g, d->base[RT_ARENA], gen_i64(g, p->arena_bytes));
}

void driver_plan(Module *m, const Plan *p) {
  Gen *g = &m->unit[0].gen;
  Driver d = { .mod = m, .g = g, .plan = p };
  if (p == m->program->plan[m->program->nplan - 1]) d.profile = m->program->profile;
  d.alone = m->program->export;
  if (m->program->export) open_export(&d);
  else open_frame(&d);
  open_argv(&d);
  emit_block(&d, &p->body);
  close_argv(&d);
  LLVMBuildRetVoid(g->b);
  g->fn = NULL;
}
