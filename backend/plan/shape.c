// The form of a node: which loop is cut into vectors, how many pieces threads may take, and
// how much scratch room it needs. All of it follows from shapes alone.
#include "backend/plan/state.h"

#include <math.h>
#include <string.h>

#define LANES 8               // of a vector, for comparing loops: the choice is the same for 4 and 16
#define STRIDED 12.0          // cost of a vector load whose lanes lie apart; contiguous: 1
#define NEAR 4.0              // … by at most NEAR_STRIDE elements, so that many share a cache line
#define NEAR_STRIDE 4
#define UNIFORM 0.5           // cost of a load that all lanes share
#define MOST_PIECES 32
#define LANES_FIRST 8         // so many lanes of a map go to threads rather than what is in them
#define ROW_MULTIPLE 16       // pieces of a product end at multiples of every row tile (2, 4, 8, 16)
#define TURNED_MULTIPLE 64    // … where rows are columns in memory: whole cache lines of them
#define COLUMN_MULTIPLE 64
#define FAR_MATRIX (1 << 19)  // bytes: it does not stay in the second-level cache from step to step
#define FEW_ROWS 256          // more are divided into strips, with what comes before and behind
#define MOST_LOOPS (2 * IR_MAX_RANK)
// Packing a matrix that rows far apart are read of pays where many rows of the other use it.
#define PACK_ROWS 256
#define PACK_TURNED 48        // … where it is turned over besides; the threads that pack fewer rows only pull it apart
#define PACK_COLUMNS 32
#define PACK_BYTES 32768

// Which loops move along an axis of a value: bit x for loop x, `unit` where it is one loop, by one element.
typedef struct Axis { uint32_t loops; bool unit; } Axis;
typedef struct Index { Axis axis[IR_MAX_RANK]; } Index;

typedef struct Cost {
  Planner *p;
  const PlanNode *node;
  const IrOp *reduce;         // one of the node's large reductions, or NULL
  double work;                // arithmetic for one point of the domain, outside of large reductions
  double inner;               // … inside them, for one element
  double access[MOST_LOOPS];  // loads and stores for a vector along loop x, outside
  double inner_access[MOST_LOOPS];
  double accesses, inner_accesses;
  double traffic;             // bytes at one point, all elements of reductions counted
} Cost;

static double access_cost(const IrType *t, const Index *ix, int loop) {
  bool moves = false;
  double cost = UNIFORM;
  int64_t inside = 1;
  for (int k = t->rank - 1; k >= 0; k--) {
    if (ix->axis[k].loops >> loop & 1) {
      if (moves || inside > NEAR_STRIDE || !ix->axis[k].unit) return STRIDED;
      moves = true;
      cost = inside == 1 ? 1 : NEAR;
    }
    inside *= t->dim[k];
  }
  return cost;
}

static void add_access(Cost *c, const IrValue *v, const Index *ix, double times, bool inner) {
  for (int x = 0; x < MOST_LOOPS; x++) (inner ? c->inner_access : c->access)[x] += times * access_cost(&v->type, ix, x);
  *(inner ? &c->inner_accesses : &c->accesses) += times;
  uint32_t loops = 0;
  for (int k = 0; k < v->type.rank; k++) loops |= ix->axis[k].loops;
  double elements = inner && c->reduce ? (double)plan_reduced(c->reduce) : 1;
  if (loops) c->traffic += times * elements * ir_dtype_bytes(v->type.dtype);
}

// ---- index maps, from a result's axes to an operand's ------------------------------------------
static Index through_reshape(const IrOp *op, const Index *out) {
  const IrType *x = &op->in[0]->type, *y = &op->out[0]->type;
  Index in = {0};
  for (int i = 0, k = 0; i < x->rank; i++) {
    if (x->dim[i] == 1) continue;
    while (k < y->rank && y->dim[k] == 1) k++;
    if (k < y->rank) in.axis[i] = out->axis[k++];
  }
  return in;
}

static Index through_reduce(Cost *c, const IrOp *op, const Index *out, bool large) {
  int n, k = 0;
  const int64_t *axes = ir_ints(op, ir_attr(op, A_AXES) ? A_AXES : A_AXIS, &n);
  uint32_t reduced = 0;
  for (int i = 0; i < n; i++) reduced |= 1u << axes[i];
  Index in = {0};
  for (int i = 0; i < op->in[0]->type.rank; i++) {
    if (!(reduced >> i & 1)) in.axis[i] = out->axis[k++];
    else if (large) in.axis[i] = (Axis){1u << (c->node->rank + i), true};
  }
  return in;
}

static Index through_gather(const IrOp *op, int operand, const Index *out) {
  int nb = (int)ir_int(op, A_BATCH), ni = op->in[1]->type.rank - nb;
  Index in = {0};
  for (int k = 0; k < nb; k++) in.axis[k] = out->axis[k];
  if (operand == 1) {
    for (int k = nb; k < nb + ni; k++) in.axis[k] = out->axis[k];
    return in;
  }
  for (int k = nb; k < nb + ni; k++) in.axis[nb].loops |= out->axis[k].loops;
  for (int k = nb + 1; k < op->in[0]->type.rank; k++) in.axis[k] = out->axis[k - 1 + ni];
  return in;
}

static Index through(Cost *c, const IrOp *op, int operand, const Index *out, bool large) {
  Index in = *out;
  const int64_t *at;
  switch (op->code) {
    case IR_BROADCAST:
      at = ir_ints(op, A_AXES, NULL);
      memset(&in, 0, sizeof in);
      for (int k = 0; k < op->in[0]->type.rank; k++) in.axis[k] = out->axis[at[k]];
      return in;
    case IR_TRANSPOSE:
      at = ir_ints(op, A_AXES, NULL);
      for (int k = 0; k < op->in[0]->type.rank; k++) in.axis[at[k]] = out->axis[k];
      return in;
    case IR_SLICE: case IR_PAD:
      at = ir_ints(op, op->code == IR_SLICE ? A_STRIDE : A_INNER, NULL);
      for (int k = 0; k < op->in[0]->type.rank; k++)
        if (at[k] != (op->code == IR_SLICE)) in.axis[k].unit = false;
      return in;
    case IR_DYN_SLICE:
      if (operand) memset(&in, 0, sizeof in);
      return in;
    case IR_GATHER: return through_gather(op, operand, out);
    case IR_RESHAPE: return c->node->linear ? in : through_reshape(op, out);
    default: return lower_of(op) == LOWER_REDUCE ? through_reduce(c, op, out, large) : in;
  }
}

// ---- what one point costs ------------------------------------------------------------------------
static void cost_value(Cost *c, const IrValue *v, const Index *ix, double times, bool inner);

static void cost_op(Cost *c, const IrOp *op, const Index *ix, double times, bool inner) {
  bool reduce = lower_of(op) == LOWER_REDUCE;
  bool large = reduce && !plan_small_reduce(op);
  if (large) c->reduce = op, inner = true, c->inner += times;
  else *(inner ? &c->inner : &c->work) += times * plan_op_cost(op);
  double more = reduce && !large ? times * (double)plan_reduced(op) : times;
  for (int k = 0; k < op->nin; k++) {
    Index in = through(c, op, k, ix, large);
    cost_value(c, op->in[k], &in, more, inner);
  }
}

static void cost_value(Cost *c, const IrValue *v, const Index *ix, double times, bool inner) {
  Fact *f = fact_of(c->p, v);
  if (f->mark == c->p->stamp) return;
  f->mark = c->p->stamp;
  if (f->stored) add_access(c, v, ix, times, inner);
  else if (v->op && !is_memory_op(v->op)) cost_op(c, v->op, ix, times, inner);
}

static void cost_node(Cost *c, const Unit *u) {
  Index ix = {0};
  for (int k = 0; k < u->node->rank; k++) ix.axis[k] = (Axis){1u << k, true};
  c->p->stamp++;
  for (int k = 0; k < u->root.n; k++) {
    const IrValue *v = u->root.at[k];
    fact_of(c->p, v)->mark = c->p->stamp;
    if (v->op && !is_memory_op(v->op)) cost_op(c, v->op, &ix, 1, false);
    if (u->node->linear) {
      for (int x = 0; x < MOST_LOOPS; x++) c->access[x] += 1;
      c->accesses++;
    } else add_access(c, v, &ix, 1, false);
  }
}

// ---- vectors -----------------------------------------------------------------------------------
// How full the vectors along an axis of n elements are, in (0, 1].
static double fill(int64_t n) { return (double)n / (double)(LANES * ((n + LANES - 1) / LANES)); }

static void choose_vector(PlanNode *n, const Cost *c) {
  double reduced = c->reduce ? (double)plan_reduced(c->reduce) : 0;
  double best = c->work + c->accesses + reduced * (c->inner + c->inner_accesses);
  n->vector = -1;
  if (n->linear) {
    n->vector = n->dim[0] > 1 ? 0 : -1;
    return;
  }
  for (int x = 0; x < n->rank; x++) {
    double t = c->work + c->access[x] + reduced * (c->inner + c->inner_access[x]);
    t /= LANES * fill(n->dim[x]);
    if (n->dim[x] > 1 && t < best) best = t, n->vector = x;
  }
  if (!c->reduce) return;
  int naxes;
  const int64_t *axes = ir_ints(c->reduce, ir_attr(c->reduce, A_AXES) ? A_AXES : A_AXIS, &naxes);
  for (int k = 0; k < naxes; k++) {
    int64_t len = c->reduce->in[0]->type.dim[axes[k]];
    double t = reduced * (c->inner + c->inner_access[n->rank + axes[k]]) / (LANES * fill(len));
    t += reduced / (double)len + 10 + c->work + c->accesses;
    if (len > 1 && t < best) best = t, n->vector = n->rank + (int)axes[k];
  }
}

// ---- pieces ---------------------------------------------------------------------------------------
// What two threads must wait for, in steps of the axis, when each takes the next piece of `len`.
static int64_t longest(int64_t dim, int64_t len) {
  int64_t full = dim / len, rest = dim % len;
  return full % 2 ? (full + 1) / 2 * len : full / 2 * len + rest;
}

// At least `pieces`, at most about twice as many: an odd number may leave one of two threads without work.
static void cut(PlanNode *n, int axis, int64_t pieces, int64_t multiple) {
  int64_t dim = n->dim[axis], len = (dim + pieces - 1) / pieces;
  len = (len + multiple - 1) / multiple * multiple;
  int64_t best = len;
  for (int64_t l = len; l >= multiple && l >= len / 2 && longest(dim, best) > dim / 2 + dim / 32; l -= multiple)
    if (longest(dim, l) < longest(dim, best)) best = l;
  n->piece_axis = axis;
  n->piece_len = best;
  n->pieces = (dim + best - 1) / best;
}

// Few rows by a large matrix: a thread takes columns, so that each number of it goes to one core only.
static bool by_columns(const PlanNode *n) {
  const IrType *w = &n->op->in[1]->type;
  return !ir_int(n->op, A_TA) && !n->blas && (w->dtype == IR_F32 || w->dtype == IR_F64) && ir_bytes(w) >= FAR_MATRIX && n->dim[1] > n->dim[0] && n->dim[0] <= FEW_ROWS;
}

// `fmas`: multiply-adds of a product, which n->flops does not count yet.
static void choose_pieces(Planner *p, Unit *u, double fmas) {
  PlanNode *n = u->node;
  n->pieces = 1;
  n->piece_axis = 0;
  n->piece_len = n->rank ? n->dim[0] : 1;
  double far = n->kind == PLAN_NEST && n->traffic > PLAN_FAR ? n->traffic / PLAN_FAR_PER_NS : n->traffic / 4 / PLAN_OPS_PER_NS;
  double ns = u->ns = n->flops / PLAN_OPS_PER_NS + far + fmas / (PLAN_FMAS_PER_NS / 512.0 * p->target->vector_bits);
  if (ns < piece_ns(p) || !n->rank) return;
  int64_t pieces = 2;
  while (pieces < MOST_PIECES && ns / (double)pieces > piece_ns(p)) pieces *= 2;
  if (n->kind != PLAN_NEST) {
    int64_t multiple = n->kind != PLAN_DOT ? 1 : ir_int(n->op, A_TA) ? TURNED_MULTIPLE : ROW_MULTIPLE;
    int rows = n->rank - 2;
    if (n->kind == PLAN_DOT && n->rank == 2 && by_columns(n)) {
      cut(n, 1, pieces, COLUMN_MULTIPLE);
      return;
    }
    bool by_rows = n->kind == PLAN_DOT && (n->rank == 2 || (n->dim[0] < pieces && n->dim[rows] >= n->dim[0] * multiple));
    cut(n, by_rows ? rows : 0, pieces, by_rows ? multiple : 1);
    return;
  }
  for (int k = 0; k < n->rank; k++)
    if (k != n->vector && n->dim[k] >= pieces) {
      cut(n, k, pieces, 1);
      return;
    }
  int widest = 0;
  for (int k = 1; k < n->rank; k++)
    if (n->dim[k] > n->dim[widest]) widest = k;
  cut(n, widest, pieces, widest == n->vector ? 64 : 1);
}

// The outermost loop around u that does not change v.
static Unit *invariant(Planner *p, const Unit *u, const IrValue *v) {
  Unit *loop = NULL;
  const Fact *f = fact_of(p, v);
  const Block *at = fact_of(p, f->base ? f->base : v)->block;
  for (const Block *b = u->block; b != at && b->loop; b = b->outer) loop = b->owner;
  return loop;
}

// ---- products and routines -----------------------------------------------------------------------
static void shape_dot(Planner *p, Unit *u) {
  PlanNode *n = u->node;
  const IrOp *op = n->op;
  const IrType *x = &op->in[0]->type, *y = &op->out[0]->type;
  int64_t m = y->dim[y->rank - 2], cols = y->dim[y->rank - 1];
  int64_t k = x->dim[x->rank - (ir_int(op, A_TA) ? 2 : 1)];
  double flops = 2.0 * (double)m * (double)cols * (double)k;
  double all = ir_count(y) ? flops * (double)(ir_count(y) / (m * cols)) : 0;
  n->blas = flops > PLAN_BLAS_FLOPS && (x->dtype == IR_F32 || x->dtype == IR_F64);
  choose_pieces(p, u, all / 2);
  n->flops += all;
  n->traffic += (double)(ir_bytes(x) + ir_bytes(&op->in[1]->type));
  int width = ir_dtype_bytes(x->dtype) < 4 ? 4 : ir_dtype_bytes(x->dtype);
  Unit *loop = invariant(p, u, op->in[1]);
  n->pack = y->rank == 2 && !n->blas && !ir_int(op, A_TA) && ir_is_float(x->dtype) && cols >= PACK_COLUMNS && k * cols * width >= PACK_BYTES &&
            m >= (loop ? 4 : ir_int(op, A_TB) ? PACK_TURNED : PACK_ROWS);
  if (n->pack && loop) u->pack_before = loop, n->pack_before = loop->node->op;
  if (n->blas && !fact_of(p, op->out[0])->stored) n->scratch_bytes = ir_bytes(y);
  else if (n->pack || (!n->blas && ir_int(op, A_TB))) n->scratch_bytes = k * ((cols + 15) / 16 * 16) * width;
}

static void shape_lib(PlanNode *n) {
  const IrOp *op = n->op;
  const IrType *x = &op->in[0]->type;
  double count = (double)ir_count(x);
  n->flops = count;
  n->traffic = 2 * (double)ir_bytes(x);
  if (op->code == IR_ARGSORT) {
    n->scratch_bytes = 16 * x->dim[ir_int(op, A_AXIS)];
    n->flops = count * 20;
  } else if (op->code == IR_FFT) {
    int64_t cols = x->dim[x->rank - 1];
    n->scratch_bytes = rt_fft_scratch(cols);
    n->flops = count * 5 * log2((double)cols + 1);
  } else if (op->code == IR_LU || op->code == IR_EIGH || op->code == IR_SVD || op->code == IR_EIG) {
    int64_t m = x->dim[x->rank - 2], cols = x->dim[x->rank - 1];
    n->scratch_bytes = op->code == IR_LU ? rt_lu_scratch(cols) : op->code == IR_EIGH ? rt_eigh_scratch(cols)
                       : op->code == IR_SVD ? rt_svd_scratch(m, cols) : rt_eig_scratch(cols);
    n->flops = count * (double)cols * (op->code == IR_LU ? 1 : 30);
  } else if (op->code == IR_QR || op->code == IR_CHOLESKY || op->code == IR_TRISOLVE) {
    int64_t m = x->dim[x->rank - 2], cols = x->dim[x->rank - 1];
    if (op->code == IR_QR) n->scratch_bytes = 2 * 8 * (m * cols + cols * cols + cols);
    n->flops = 2 * count * (double)cols;
  }
}

static void shape_conv(Planner *p, Unit *u) {
  PlanNode *n = u->node;
  const IrOp *op = n->op;
  const IrType *w = op->code == IR_CONV_DW ? &op->out[0]->type : &op->in[1]->type;
  const IrType *y = op->code == IR_CONV ? &op->out[0]->type : op->code == IR_CONV_DX ? &op->in[0]->type : &op->in[1]->type;
  double out = y->dim[3] ? (double)(ir_count(y) / y->dim[3]) : 0;
  double fmas = out * (double)ir_count(w);
  choose_pieces(p, u, fmas);
  n->flops += 2 * fmas;
  n->traffic += (double)(ir_bytes(&op->in[0]->type) + ir_bytes(&op->in[1]->type));
}

// ---- maps -----------------------------------------------------------------------------------------
// What calling a kernel costs, and how often a while is thought to turn.
#define CALL_NS 20
#define WHILE_TURNS 32
#define FRAMES_MOST (256.0 * (1 << 20)) // bytes of the frames of all pieces

static double block_ns(const Block *b) {
  double ns = 0;
  for (int k = 0; k < b->unit.n; k++) ns += b->unit.at[k]->ns + CALL_NS;
  return ns;
}

// Bytes of what the nodes of a block write: no less than its share of a frame.
static double block_bytes(const Block *b) {
  double bytes = 0;
  for (int k = 0; k < b->unit.n; k++) {
    const Unit *u = b->unit.at[k];
    for (int i = 0; i < u->root.n; i++) bytes += (double)ir_bytes(&u->root.at[i]->type);
    for (int i = 0; !u->root.n && i < u->node->op->nout; i++) bytes += (double)ir_bytes(&u->node->op->out[i]->type);
    for (int i = 0; i < 2; i++)
      if (u->body[i]) bytes += block_bytes(u->body[i]);
  }
  return bytes;
}

// Whether a node is cut; with `undo`, none is afterwards.
static bool cut_inside(Block *b, bool undo) {
  bool any = false;
  for (int k = 0; k < b->unit.n; k++) {
    Unit *u = b->unit.at[k];
    PlanNode *n = u->node;
    any |= n->pieces > 1;
    if (undo && n->pieces > 1) {
      n->pieces = 1;
      n->piece_len = n->dim[n->piece_axis];
    }
    for (int i = 0; i < 2; i++)
      if (u->body[i]) any |= cut_inside(u->body[i], undo);
  }
  return any;
}

// Lanes go to threads where there are enough of them; else the nodes of a lane may. Lanes may differ in length
// without limit, so pieces are short.
static void shape_map(Unit *u) {
  PlanNode *n = u->node;
  int64_t lanes = ir_int(n->op, A_N);
  double ns = u->ns, frame = block_bytes(u->body[0]);
  if (ns < PLAN_PIECES_NS || lanes < 2 || 2 * frame > FRAMES_MOST || (lanes < LANES_FIRST && cut_inside(u->body[0], false))) return;
  cut_inside(u->body[0], true);
  int64_t pieces = (int64_t)(2 * ns / PLAN_PIECES_NS) + 1;
  if (pieces > MOST_PIECES) pieces = MOST_PIECES;
  if ((double)pieces * frame > FRAMES_MOST) pieces = (int64_t)(FRAMES_MOST / frame);
  if (pieces > lanes) pieces = lanes;
  n->piece_len = (lanes + pieces - 1) / pieces;
  n->pieces = (lanes + n->piece_len - 1) / n->piece_len;
}

static void shape_unit(Planner *p, Unit *u) {
  PlanNode *n = u->node;
  if (n->kind == PLAN_LIB) shape_lib(n);
  if (n->kind == PLAN_UPDATE) {
    n->traffic = 2 * (double)ir_bytes(&n->op->in[n->op->code == IR_SCATTER ? 2 : 1]->type);
    n->flops = n->op->code == IR_SCATTER ? (double)ir_count(&n->op->in[2]->type) : 0;
  }
  u->ns = (n->flops + n->traffic / 4) / PLAN_OPS_PER_NS;
  if (!u->root.n) return;
  Cost c = {.p = p, .node = n};
  cost_node(&c, u);
  double points = 1;
  for (int k = 0; k < n->rank; k++) points *= (double)n->dim[k];
  double reduced = c.reduce ? (double)plan_reduced(c.reduce) : 0;
  n->flops = points * (c.work + reduced * c.inner);
  n->traffic = points * c.traffic;
  if (n->kind == PLAN_DOT) shape_dot(p, u);
  else if (n->kind == PLAN_CONV) shape_conv(p, u);
  else {
    choose_vector(n, &c);
    n->flops -= points * plan_late(p, u);
    choose_pieces(p, u, 0);
  }
}

void plan_shape(Planner *p, Block *b) {
  for (int k = 0; k < b->unit.n; k++) {
    shape_unit(p, b->unit.at[k]);
    Unit *u = b->unit.at[k];
    double body[2] = {0};
    for (int i = 0; i < 2 && u->body[i]; i++) {
      plan_shape(p, u->body[i]);
      body[i] = block_ns(u->body[i]);
    }
    switch (u->node->kind) {
      case PLAN_SCAN: case PLAN_MAP: u->ns = body[0] * (double)ir_int(u->node->op, A_N); break;
      case PLAN_WHILE: u->ns = (body[0] + body[1]) * WHILE_TURNS; break;
      case PLAN_COND: u->ns = body[0] > body[1] ? body[0] : body[1]; break;
      default: break;
    }
    if (u->node->kind == PLAN_MAP) shape_map(u);
  }
}

const Unit *plan_map_around(const Block *b) {
  for (; b->owner; b = b->outer)
    if (b->owner->node->kind == PLAN_MAP && b->owner->node->pieces > 1) return b->owner;
  return NULL;
}

// ---- sums ------------------------------------------------------------------------------------------
static double sum(const PlanNode *n, double (*own)(const PlanNode *)) {
  double t = own(n), body[2] = {0, 0};
  for (int k = 0; k < 2; k++)
    for (const PlanNode *m = n->body[k].first; m; m = m->next) body[k] += sum(m, own);
  switch (n->kind) {
    case PLAN_SCAN: case PLAN_MAP: return t + body[0] * (double)ir_int(n->op, A_N);
    case PLAN_COND: return t + (body[0] > body[1] ? body[0] : body[1]);
    default: return t + body[0] + body[1];
  }
}

static double own_flops(const PlanNode *n) { return n->flops; }
static double own_bytes(const PlanNode *n) { return n->kind == PLAN_COPY ? 2 * (double)n->bytes : n->traffic; }

double plan_flops(const Plan *p, const PlanNode *n) {
  (void)p;
  return sum(n, own_flops);
}

int64_t plan_bytes(const Plan *p, const PlanNode *n) {
  (void)p;
  return (int64_t)sum(n, own_bytes);
}
