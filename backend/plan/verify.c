// An independent check of a plan's law: the plan is walked in order of execution on a memory that knows,
// for each byte, which content it holds. Loops take their first, second and last turn.
//
// A content is what one node wrote at one time; a value has one while it lives. Each read must find the
// value's content at the value's place. Views, arguments and carried values hand contents on.
#include "backend/plan.h"

#include <string.h>

typedef struct Content { int tag; int64_t from; } Content;   // bytes of content `tag`, beginning with byte `from`
typedef struct Piece { int64_t lo, hi; Content is; } Piece;
typedef struct Bytes { VEC(Piece) v; } Bytes;                // sorted, apart
typedef struct Range { RtSpace space; int64_t lo, hi; } Range;
typedef struct Seen { const IrValue *v; Range at; bool point; } Seen;
enum { POINT = 1, STRIP = 2, BOTH = 3 };                     // what of a value is read: its node's index; its strip

typedef struct Touched { VEC(Range) read, written; } Touched;

typedef struct Verify {
  const Plan *p;
  Arena *a;
  Bytes mem[RT_NSPACE];
  Content *is;                  // by value id
  int64_t *turn;                // by id of argument 0 of the loop's region
  int *mark, *mark_kept, stamp;
  const PlanNode **root_of;     // by value id
  int64_t strip, strips;        // of the node that is checked; strips 1: all of it
  Content *packed;              // by id of a product in strips: what its scratch room holds
  VEC(Seen) seen;               // what the node reads
  Touched *side;                // of the fork that is being walked, or NULL
  Touched *row;                 // of each strip of the scan that is being walked, where they go through its turns; or NULL
  int64_t rows;
  int tags;
  char *why;
} Verify;

#define BAD(...) (void)(c->why ? NULL : (c->why = arena_printf(c->a, __VA_ARGS__)))

// ---- memory ----------------------------------------------------------------------------------
static int first_behind(const Bytes *b, int64_t lo) {        // first piece that ends behind lo
  int from = 0, to = b->v.n;
  while (from < to) {
    int mid = (from + to) / 2;
    if (b->v.at[mid].hi > lo) to = mid;
    else from = mid + 1;
  }
  return from;
}

static void insert(Verify *c, Bytes *b, int k, Piece p) {
  vec_push(c->a, &b->v, p);
  memmove(&b->v.at[k + 1], &b->v.at[k], sizeof p * (size_t)(b->v.n - 1 - k));
  b->v.at[k] = p;
}

static void split(Verify *c, Bytes *b, int64_t at) {
  int k = first_behind(b, at);
  if (k == b->v.n || b->v.at[k].lo >= at) return;
  Piece right = b->v.at[k];
  right.is.from += at - right.lo;
  right.lo = at;
  b->v.at[k].hi = at;
  insert(c, b, k + 1, right);
}

static void write(Verify *c, Range r, Content is) {
  if (r.lo == r.hi) return;
  if (c->side) vec_push(c->a, &c->side->written, r);
  if (r.space == RT_CONST || r.space == RT_SETTING) BAD("something is written into %s", r.space == RT_CONST ? "constants" : "settings");
  Bytes *b = &c->mem[r.space];
  split(c, b, r.lo);
  split(c, b, r.hi);
  int k = first_behind(b, r.lo), n = k;
  while (n < b->v.n && b->v.at[n].hi <= r.hi) n++;
  if (n > k) {
    memmove(&b->v.at[k + 1], &b->v.at[n], sizeof *b->v.at * (size_t)(b->v.n - n));
    b->v.n -= n - k - 1;
    b->v.at[k] = (Piece){r.lo, r.hi, is};
  } else insert(c, b, k, (Piece){r.lo, r.hi, is});
}

static bool holds(const Verify *c, Range r, Content is) {
  const Bytes *b = &c->mem[r.space];
  int64_t at = r.lo;
  for (int k = first_behind(b, at); at < r.hi; k++) {
    if (k == b->v.n || b->v.at[k].lo > at || b->v.at[k].is.tag != is.tag) return false;
    if (b->v.at[k].is.from + at - b->v.at[k].lo != is.from + at - r.lo) return false;
    at = b->v.at[k].hi;
  }
  return true;
}

static bool overlap(Range a, Range b) { return a.space == b.space && a.lo < b.hi && b.lo < a.hi; }

static Content fresh(Verify *c) { return (Content){++c->tags, 0}; }

// ---- values -----------------------------------------------------------------------------------
static Range range(const Verify *c, const PlanRef *r, int64_t bytes) {
  int64_t at = r->offset;
  for (int k = 0; k < r->nturn; k++) {
    const PlanTurn *t = &r->turn[k];
    int64_t turn = c->turn[t->loop->sub[0]->arg[0]->id];
    at += t->stride * (t->lanes ? turn / t->lanes : turn);
  }
  return (Range){r->space, at, at + bytes};
}

static bool stored(const Verify *c, const IrValue *v) { return c->p->value[v->id].home == PLAN_STORED; }
static Range place(const Verify *c, const IrValue *v) { return range(c, &c->p->value[v->id].ref, ir_bytes(&v->type)); }

static Range strip_of(const Verify *c, Range r) {
  int64_t len = (r.hi - r.lo) / c->strips;
  return (Range){r.space, r.lo + c->strip * len, r.lo + (c->strip + 1) * len};
}

// v, or the strip at hand of it, and at which of its bytes that begins.
typedef struct Part { Range at; int64_t from; } Part;

static Part part_of(const Verify *c, const IrValue *v, bool strip) {
  const PlanRef *r = &c->p->value[v->id].ref;
  if (r->own) return (Part){range(c, r, r->own), c->strip * r->own};
  Range all = place(c, v), at = strip ? strip_of(c, all) : all;
  return (Part){at, at.lo - all.lo};
}

static Content content(const Verify *c, const IrValue *v) {
  while (v->op && (v->op->code == IR_RESHAPE || v->op->code == IR_STOP_GRAD || v->op->code == IR_AFTER) && stored(c, v->op->in[0])) v = v->op->in[0];
  return c->is[v->id];
}

static void read_part(Verify *c, const PlanNode *n, const IrValue *v, bool strip) {
  if (!stored(c, v)) BAD("%s reads %%%d, which has no memory", ir_info[n->op->code].name, v->id);
  else if (!content(c, v).tag) BAD("%s reads %%%d before it is written", ir_info[n->op->code].name, v->id);
  else {
    Part part = part_of(c, v, strip);
    Content is = content(c, v);
    is.from += part.from;
    if (!strip && c->p->value[v->id].ref.own) BAD("%s reads all of %%%d, of which each strip has its own", ir_info[n->op->code].name, v->id);
    if (!holds(c, part.at, is)) BAD("%s reads %%%d, which has been written over", ir_info[n->op->code].name, v->id);
    if (c->side) vec_push(c->a, &c->side->read, part.at);
  }
}

static void read(Verify *c, const PlanNode *n, const IrValue *v) { read_part(c, n, v, false); }

// The place of `v` has the content of `is`, and v is it from now on.
static void hand(Verify *c, const char *what, const IrValue *v, const IrValue *is) {
  Content t = content(c, is);
  if (!stored(c, v) || !stored(c, is)) BAD("%s %%%d or %%%d has no memory", what, v->id, is->id);
  else if (!holds(c, place(c, v), t)) BAD("%s %%%d is not in the place of %%%d", what, is->id, v->id);
  c->is[v->id] = t;
}

// ---- fused nodes --------------------------------------------------------------------------------
static bool keeps_point(const IrOp *op) {
  if (ir_info[op->code].lower == LOWER_ELEMENT || op->code == IR_RESHAPE || op->code == IR_STOP_GRAD) return true;
  return op->code == IR_BROADCAST && ir_count(&op->in[0]->type) == ir_count(&op->out[0]->type);
}

// The axis of op's result whose index is that of operand k along `axis`; -1: none is.
static int axis_from(const IrOp *op, int k, int axis) {
  int n;
  const int64_t *axes;
  switch (op->code) {
    case IR_BROADCAST: return (int)ir_ints(op, A_AXES, NULL)[axis];
    case IR_TRANSPOSE:
      axes = ir_ints(op, A_AXES, &n);
      for (int i = 0; i < n; i++)
        if (axes[i] == axis) return i;
      return -1;
    case IR_SLICE: return ir_ints(op, A_START, NULL)[axis] == 0 && ir_ints(op, A_STRIDE, NULL)[axis] == 1 ? axis : -1;
    case IR_PAD: return ir_ints(op, A_LO, NULL)[axis] == 0 && ir_ints(op, A_INNER, NULL)[axis] == 0 ? axis : -1;
    case IR_CONCAT: return ir_int(op, A_AXIS) == axis ? -1 : axis;
    case IR_DYN_SLICE: return k ? -1 : axis;
    case IR_GATHER: return k || axis < ir_int(op, A_BATCH) ? axis : -1;
    case IR_DOT: return axis < ir_int(op, A_BATCH) || (!k && axis == ir_int(op, A_BATCH) && !ir_int(op, A_TA)) ? axis : -1;
    case IR_CONV: case IR_CONV_DX: return k || axis ? -1 : 0;
    default: break;
  }
  if (ir_info[op->code].lower != LOWER_REDUCE) return -1;
  axes = ir_ints(op, ir_attr(op, A_AXES) ? A_AXES : A_AXIS, &n);
  int to = axis;
  for (int i = 0; i < n; i++) {
    if (axes[i] == axis) return -1;
    to -= axes[i] < axis;
  }
  return to;
}

// Strips are whole indices of the first axis that is longer than 1.
static bool keeps_strip(const IrOp *op, int k, int64_t n) {
  const IrType *x = &op->in[k]->type, *y = &op->out[0]->type;
  int a = 0, b = 0;
  while (a < x->rank && x->dim[a] == 1) a++;
  while (b < y->rank && y->dim[b] == 1) b++;
  if (a == x->rank || b == y->rank || x->dim[a] % n || y->dim[b] % n) return false;
  if (ir_info[op->code].lower == LOWER_ELEMENT || op->code == IR_RESHAPE || op->code == IR_STOP_GRAD) return true;
  return x->dim[a] == y->dim[b] && axis_from(op, k, a) == b;
}

static void walk(Verify *c, const PlanNode *n, const IrValue *v, int kept) {
  bool point = kept & POINT;
  if (c->mark[v->id] == c->stamp && (c->mark_kept[v->id] & kept) == c->mark_kept[v->id]) return;
  if (c->mark[v->id] == c->stamp) kept &= c->mark_kept[v->id];
  c->mark[v->id] = c->stamp;
  c->mark_kept[v->id] = kept;
  bool root = c->root_of[v->id] == n;
  if (root && !point) BAD("root %%%d is used away from its own index", v->id);
  if (!root && stored(c, v)) {
    bool strip = c->strips > 1 && kept & STRIP;
    read_part(c, n, v, strip);
    Seen s = {v, part_of(c, v, strip).at, point && !n->blas};
    vec_push(c->a, &c->seen, s);
    return;
  }
  if (!v->op) return;
  const IrLower l = ir_info[v->op->code].lower;
  if (!root && (l == LOWER_LIB || l == LOWER_UPDATE || l == LOWER_CONTROL)) BAD("%s is inlined", ir_info[v->op->code].name);
  if (!root && (l == LOWER_DOT || l == LOWER_CONV) && (v->op != n->op || !point)) BAD("a product is inlined away from its own index");
  for (int k = 0; k < v->op->nin; k++)
    walk(c, n, v->op->in[k], kept & ((keeps_point(v->op) ? POINT : 0) | (keeps_strip(v->op, k, c->strips) ? STRIP : 0)));
}

static Range scratch(const Verify *c, const PlanNode *n) {
  return range(c, &n->scratch, n->scratch_bytes * (n->blas || n->pack || n->scratch.own ? 1 : n->pieces));
}

static void check_scratch(Verify *c, const PlanNode *n) {
  if (!n->scratch_bytes) return;
  Range s = scratch(c, n);
  bool before = n->pack && (c->strips > 1 || n->pack_before);
  if (c->strips > 1 && !n->pack && !n->scratch.own) s = strip_of(c, s);
  if (before && !holds(c, s, c->packed[n->op->out[0]->id])) BAD("what %%%d was packed into has been written over", n->op->out[0]->id);
  for (int k = 0; k < c->seen.n; k++)
    if (overlap(s, c->seen.at[k].at)) BAD("scratch room lies over %%%d", c->seen.at[k].v->id);
  for (int k = 0; k < n->nroot; k++)
    if (overlap(s, part_of(c, n->root[k], true).at)) BAD("scratch room lies over root %%%d", n->root[k]->id);
  for (int k = 0; !n->nroot && k < n->op->nout; k++)
    if (overlap(s, place(c, n->op->out[k]))) BAD("scratch room lies over %%%d", n->op->out[k]->id);
  if (!before) write(c, s, fresh(c));
}

static bool cut_of(const IrValue *v, int64_t n) {
  for (int k = 0; k < v->type.rank; k++)
    if (v->type.dim[k] != 1) return v->type.dim[k] % n == 0;
  return false;
}

static void check_fused(Verify *c, const PlanNode *n) {
  int64_t count = 1;
  for (int k = 0; k < n->rank; k++) count *= n->dim[k];
  c->stamp++;
  c->seen.n = 0;
  for (int k = 0; k < n->nroot; k++) c->root_of[n->root[k]->id] = n;
  for (int k = 0; k < n->nroot; k++) {
    const IrValue *v = n->root[k];
    if (!stored(c, v) || ir_count(&v->type) != count) BAD("root %%%d has no memory or another shape than its node", v->id);
    if (c->strips > 1 && !cut_of(v, c->strips)) BAD("root %%%d cannot be cut into %d strips", v->id, (int)c->strips);
    if (!n->late || !n->late[k]) walk(c, n, v, BOTH);
    else if (v->op->code != IR_SELECT || n->rank != 1 || n->vector) BAD("%%%d cannot be a late root", v->id);
    else walk(c, n, v->op->in[0], BOTH), walk(c, n, v->op->in[1], 0), walk(c, n, v->op->in[2], BOTH);
  }
  for (int k = 0; k < n->nroot && n->late; k++) {
    const IrValue *v = n->root[k];
    if (n->late[k] && c->mark[v->id] == c->stamp) BAD("late root %%%d is used in its node", v->id);
    for (int i = 0; i < k && n->late[k]; i++)
      if (n->late[i] && n->root[i]->op->in[0] != v->op->in[0]) BAD("late roots %%%d and %%%d have two conditions", n->root[i]->id, v->id);
  }
  for (int k = 0; k < n->nroot; k++) {
    Range r = part_of(c, n->root[k], true).at;
    for (int i = 0; i < c->seen.n; i++) {
      const Seen *s = &c->seen.at[i];
      bool same = s->at.lo == r.lo && s->at.hi == r.hi && s->point;
      if (overlap(r, s->at) && !same) BAD("root %%%d is written over %%%d, which its node still reads", n->root[k]->id, s->v->id);
    }
    for (int i = 0; i < k; i++)
      if (overlap(r, part_of(c, n->root[i], true).at)) BAD("roots %%%d and %%%d share a place", n->root[i]->id, n->root[k]->id);
  }
  check_scratch(c, n);
  for (int k = 0; k < n->nroot; k++) {
    const IrValue *v = n->root[k];
    c->root_of[v->id] = NULL;
    int64_t own = c->p->value[v->id].ref.own;
    if (own && (c->strips == 1 || own * c->strips != ir_bytes(&v->type))) BAD("root %%%d is no strip's own", v->id);
    if (c->strips == 1) c->is[v->id] = fresh(c);
    Part part = part_of(c, v, true);
    write(c, part.at, (Content){c->is[v->id].tag, part.from});
  }
}

static void check_whole(Verify *c, const PlanNode *n) {
  const IrOp *op = n->op;
  bool update = n->kind == PLAN_UPDATE;
  c->seen.n = 0;
  if (update && !holds(c, place(c, op->out[0]), content(c, op->in[0])))
    BAD("%s: the place of %%%d does not hold %%%d", ir_info[op->code].name, op->out[0]->id, op->in[0]->id);
  for (int k = update; k < op->nin; k++) {
    read(c, n, op->in[k]);
    Seen s = {op->in[k], place(c, op->in[k]), false};
    vec_push(c->a, &c->seen, s);
    for (int i = 0; i < op->nout; i++)
      if (overlap(s.at, place(c, op->out[i]))) BAD("%%%d is written over %%%d, which its node still reads", op->out[i]->id, op->in[k]->id);
  }
  check_scratch(c, n);
  for (int k = 0; k < op->nout; k++) write(c, place(c, op->out[k]), c->is[op->out[k]->id] = fresh(c));
}

static void check_copy(Verify *c, const PlanNode *n) {
  Range from = range(c, &n->from, n->bytes), to = range(c, &n->to, n->bytes);
  if (overlap(from, to)) BAD("a copy overlaps itself");
  if (c->rows && n->bytes % c->rows) BAD("a copy of %lld bytes in %lld strips", (long long)n->bytes, (long long)c->rows);
  for (int64_t k = 0, part = c->rows ? n->bytes / c->rows : 0; k < c->rows; k++) {
    vec_push(c->a, &c->row[k].read, ((Range){from.space, from.lo + k * part, from.lo + (k + 1) * part}));
    vec_push(c->a, &c->row[k].written, ((Range){to.space, to.lo + k * part, to.lo + (k + 1) * part}));
  }
  if (c->side) vec_push(c->a, &c->side->read, from);
  Bytes *b = &c->mem[from.space];
  split(c, b, from.lo);
  split(c, b, from.hi);
  VEC(Piece) moved = {0};
  for (int k = first_behind(b, from.lo); k < b->v.n && b->v.at[k].lo < from.hi; k++) vec_push(c->a, &moved, b->v.at[k]);
  write(c, to, fresh(c));
  for (int k = 0; k < moved.n; k++) {
    Range r = {to.space, moved.at[k].lo - from.lo + to.lo, moved.at[k].hi - from.lo + to.lo};
    write(c, r, moved.at[k].is);
  }
}

// ---- control --------------------------------------------------------------------------------------
static void check_block(Verify *c, const PlanBlock *b);

static void pack_operand(Verify *c, const PlanNode *n) {
  read(c, n, n->op->in[1]);
  write(c, scratch(c, n), c->packed[n->op->out[0]->id] = fresh(c));
}

static void pack_before(Verify *c, const PlanBlock *b, const IrOp *loop) {
  for (const PlanNode *n = b->first; n; n = n->next) {
    if (n->pack && n->pack_before == loop) pack_operand(c, n);
    for (int k = 0; k < 2; k++) pack_before(c, &n->body[k], loop);
  }
}

// A carry that a turn finds where the turn before left it, in two stacks that lie a place apart: `in`, `out` of the
// results. False: it has one place for all turns.
static bool is_chained(Verify *c, const IrOp *op, int carry, int *in, int *out) {
  const IrRegion *r = op->sub[0];
  const IrValue *arg = r->arg[1 + carry];
  const PlanRef *ref = &c->p->value[arg->id].ref;
  int64_t bytes = ir_bytes(&arg->type), turn = c->turn[r->arg[0]->id];
  bool moves = false;
  for (int k = 0; k < ref->nturn; k++) moves |= ref->turn[k].loop == op;
  if (!moves) return false;
  c->turn[r->arg[0]->id] = 0;
  Range first = place(c, arg);
  c->turn[r->arg[0]->id] = turn;
  *in = *out = -1;
  for (int k = (int)ir_int(op, A_NCARRY); k < op->nout; k++) {
    Range at = place(c, op->out[k]);
    if (at.space != first.space) continue;
    if (r->yield[k] == arg && at.lo == first.lo) *in = k;
    if (r->yield[k] == r->yield[carry] && at.lo == first.lo + (ir_int(op, A_REVERSE) ? -bytes : bytes)) *out = k;
  }
  if (*in < 0 || *out < 0) BAD("%%%d moves from turn to turn, but not along its stacks", arg->id);
  return *in >= 0 && *out >= 0;
}

// `before`: the turn before this one, or -1.
static void check_turn(Verify *c, const PlanNode *n, int64_t turn, int64_t before, Content *stack) {
  const IrOp *op = n->op;
  const IrRegion *r = op->sub[0];
  int ncarry = n->kind == PLAN_SCAN ? (int)ir_int(op, A_NCARRY) : 0;
  c->turn[r->arg[0]->id] = turn;
  for (int k = 0; k < ncarry && before >= 0; k++) {
    int in, out;
    if (!is_chained(c, op, k, &in, &out)) continue;
    Content left = stack[out];
    left.from += before * ir_bytes(&r->arg[1 + k]->type);
    if (!holds(c, place(c, r->arg[1 + k]), left)) BAD("%%%d is not where the turn before left it", r->arg[1 + k]->id);
    c->is[r->arg[1 + k]->id] = left;
  }
  for (int k = ncarry; k < op->nin; k++) {
    Content t = content(c, op->in[k]);
    t.from += turn * ir_bytes(&r->arg[1 + k]->type);
    c->is[r->arg[1 + k]->id] = t;
  }
  check_block(c, &n->body[0]);
  Content *next = arena_array(c->a, Content, op->nout + 1);
  for (int k = 0; k < op->nout; k++) next[k] = content(c, r->yield[k]);
  for (int k = 0; k < ncarry; k++) {
    int in, out;
    if (!is_chained(c, op, k, &in, &out) && !holds(c, place(c, r->arg[1 + k]), next[k]))
      BAD("yielded %%%d is not in the place of %%%d", r->yield[k]->id, r->arg[1 + k]->id);
    c->is[r->arg[1 + k]->id] = next[k];
  }
  for (int k = ncarry; k < op->nout; k++) {
    int64_t bytes = ir_bytes(&r->yield[k]->type);
    Range whole = place(c, op->out[k]), slot = {whole.space, whole.lo + turn * bytes, whole.lo + (turn + 1) * bytes};
    if (!holds(c, slot, next[k])) BAD("yielded %%%d is not in the stack of %%%d", r->yield[k]->id, op->out[k]->id);
    write(c, slot, (Content){stack[k].tag, stack[k].from + turn * bytes});
  }
}

static void check_loop(Verify *c, const PlanNode *n) {
  const IrOp *op = n->op;
  const IrRegion *r = op->sub[0];
  int ncarry = n->kind == PLAN_SCAN ? (int)ir_int(op, A_NCARRY) : 0;
  bool reverse = n->kind == PLAN_SCAN && ir_int(op, A_REVERSE);
  int64_t turns = ir_int(op, A_N);
  for (int k = ncarry; k < op->nin; k++) read(c, n, op->in[k]);
  c->turn[r->arg[0]->id] = reverse && turns ? turns - 1 : 0;
  for (int k = 0; k < ncarry; k++) hand(c, "initial", r->arg[1 + k], op->in[k]);
  pack_before(c, &n->body[0], op);
  Content *stack = arena_array(c->a, Content, op->nout + 1);
  for (int k = ncarry; k < op->nout; k++) stack[k] = fresh(c);
  for (int k = 0; k < ncarry; k++) {       // what a turn finds is what another left: one content, a place apart
    int in, out;
    int64_t bytes = ir_bytes(&r->arg[1 + k]->type);
    if (is_chained(c, op, k, &in, &out)) stack[in] = (Content){stack[out].tag, reverse ? bytes : -bytes};
  }
  for (int k = ncarry; k < op->nout; k++) {
    if (turns <= 3) continue;            // of more the first two and the last are run: the others have left their slots
    int64_t bytes = ir_bytes(&op->out[k]->type) / turns, lo = (reverse ? 1 : 2) * bytes, hi = lo + (turns - 3) * bytes;
    Range whole = place(c, op->out[k]);
    write(c, (Range){whole.space, whole.lo + lo, whole.lo + hi}, (Content){stack[k].tag, stack[k].from + lo});
  }
  for (int64_t t = 0; t < turns; t = t == 1 && turns > 3 ? turns - 1 : t + 1) {
    int64_t at = reverse ? turns - 1 - t : t;
    check_turn(c, n, at, t ? at + (reverse ? 1 : -1) : -1, stack);
  }
  for (int k = 0; k < ncarry; k++) {
    int in, out;
    if (is_chained(c, op, k, &in, &out)) {
      Content last = stack[out];
      last.from += (reverse ? 0 : turns - 1) * ir_bytes(&r->arg[1 + k]->type);
      if (!holds(c, place(c, op->out[k]), last)) BAD("the last %%%d is not where the last turn left it", op->out[k]->id);
      c->is[op->out[k]->id] = last;
    } else hand(c, "last", op->out[k], r->arg[1 + k]);
  }
  for (int k = ncarry; k < op->nout; k++) {
    if (!holds(c, place(c, op->out[k]), stack[k])) BAD("the stack of %%%d is written over in its loop", op->out[k]->id);
    c->is[op->out[k]->id] = stack[k];
  }
}

static void check_while(Verify *c, const PlanNode *n) {
  const IrOp *op = n->op;
  const IrRegion *test = op->sub[0], *body = op->sub[1];
  for (int k = 0; k < op->nin; k++) hand(c, "initial", test->arg[k], op->in[k]);
  for (int k = 0; k < 2; k++) pack_before(c, &n->body[k], op);
  for (int turn = 0; turn < 3; turn++) {
    check_block(c, &n->body[0]);
    read(c, n, n->test);
    for (int k = 0; k < op->nin; k++) hand(c, "carried", body->arg[k], test->arg[k]);
    if (turn == 2) break;
    check_block(c, &n->body[1]);
    Content *next = arena_array(c->a, Content, op->nin + 1);
    for (int k = 0; k < op->nin; k++) {
      next[k] = content(c, body->yield[k]);
      if (!holds(c, place(c, test->arg[k]), next[k])) BAD("yielded %%%d is not in the place of %%%d", body->yield[k]->id, test->arg[k]->id);
    }
    for (int k = 0; k < op->nin; k++) c->is[test->arg[k]->id] = next[k];
  }
  for (int k = 0; k < op->nin; k++) hand(c, "last", op->out[k], body->arg[k]);
}

// What both sides leave alike is left; the rest has no known content.
static void meet(Verify *c, Bytes *x, const Bytes *y) {
  Bytes z = {0};
  for (int i = 0, k = 0; i < x->v.n && k < y->v.n;) {
    Piece a = x->v.at[i], b = y->v.at[k];
    int64_t lo = a.lo > b.lo ? a.lo : b.lo, hi = a.hi < b.hi ? a.hi : b.hi;
    if (lo < hi && a.is.tag == b.is.tag && a.is.from + lo - a.lo == b.is.from + lo - b.lo)
      insert(c, &z, z.v.n, (Piece){lo, hi, {a.is.tag, a.is.from + lo - a.lo}});
    if (a.hi <= b.hi) i++;
    if (b.hi <= a.hi) k++;
  }
  *x = z;
}

static void copy_memory(Verify *c, Bytes *to, const Bytes *from) {
  for (int s = 0; s < RT_NSPACE; s++) {
    to[s] = (Bytes){0};
    for (int k = 0; k < from[s].v.n; k++) vec_push(c->a, &to[s].v, from[s].v.at[k]);
  }
}

// What other strips, or other threads, left in the rooms.
static void forget_rooms(Verify *c, const PlanNode *s) {
  Range all = {RT_ROOM, INT64_MAX, 0};
  for (const PlanNode *n = s->body[0].first; n; n = n->next) {
    for (int k = 0; k <= n->nroot; k++) {
      const PlanRef *r = k < n->nroot ? &c->p->value[n->root[k]->id].ref : &n->scratch;
      if (r->own && range(c, r, 0).lo < all.lo) all = range(c, r, 0);
    }
  }
  if (all.lo == INT64_MAX) return;
  all.hi = all.lo + s->room * (all.space == RT_ROOM ? 1 : s->pieces);
  write(c, all, fresh(c));
}

// In order and backwards: what one strip writes while another reads it is wrong in one of the two.
static void check_strips(Verify *c, const PlanNode *s) {
  if (c->rows && s->pieces != c->rows) BAD("%lld strips in a scan of %lld", (long long)s->pieces, (long long)c->rows);
  Bytes before[RT_NSPACE];
  copy_memory(c, before, c->mem);
  for (int order = 0; order < 2; order++) {
    if (order) copy_memory(c, c->mem, before);
    for (const PlanNode *n = s->body[0].first; n; n = n->next) {
      if (n->kind > PLAN_CONV || n->pieces != s->pieces || !n->strip) BAD("a node in strips that is not cut as they are");
      for (int k = 0; k < n->nroot; k++) c->is[n->root[k]->id] = fresh(c);
      if (n->pack && !n->pack_before) pack_operand(c, n);
    }
    c->strips = s->pieces;
    for (int64_t i = 0; i < s->pieces; i++) {
      c->strip = order ? s->pieces - 1 - i : i;
      Touched *outer = c->side;
      if (c->rows && !order) c->side = &c->row[i];
      forget_rooms(c, s);
      for (const PlanNode *n = s->body[0].first; n && !c->why; n = n->next) check_fused(c, n);
      c->side = outer;
    }
    c->strip = 0, c->strips = 1;
  }
}

static void check_cond(Verify *c, const PlanNode *n) {
  const IrOp *op = n->op;
  Bytes before[RT_NSPACE], first[RT_NSPACE];
  Content *result = arena_array(c->a, Content, op->nout + 1);
  for (int k = 0; k < op->nout; k++) result[k] = fresh(c);
  read(c, n, op->in[0]);
  copy_memory(c, before, c->mem);
  for (int i = 0; i < 2; i++) {
    if (i) {
      copy_memory(c, first, c->mem);
      copy_memory(c, c->mem, before);
    }
    check_block(c, &n->body[i]);
    for (int k = 0; k < op->nout; k++) hand(c, "yielded", op->out[k], op->sub[i]->yield[k]);
    for (int k = 0; k < op->nout; k++) write(c, place(c, op->out[k]), result[k]);
  }
  for (int s = 0; s < RT_NSPACE; s++) meet(c, &c->mem[s], &first[s]);
  for (int k = 0; k < op->nout; k++) c->is[op->out[k]->id] = result[k];
}

// What x writes, y neither reads nor writes.
static bool crosses(const Touched *x, const Touched *y) {
  for (int k = 0; k < x->written.n; k++) {
    for (int j = 0; j < y->read.n; j++)
      if (overlap(x->written.at[k], y->read.at[j])) return true;
    for (int j = 0; j < y->written.n; j++)
      if (overlap(x->written.at[k], y->written.at[j])) return true;
  }
  return false;
}

static void check_fork(Verify *c, const PlanNode *n) {
  Touched touched[2] = {0}, *outer = c->side;
  for (int i = 0; i < 2; i++) {
    c->side = &touched[i];
    check_block(c, &n->body[i]);
  }
  c->side = outer;
  if (crosses(&touched[0], &touched[1]) || crosses(&touched[1], &touched[0])) BAD("one side of a fork writes what the other touches");
}

// One strip may be in its last turn when another is in its first: what they touch in all turns is compared.
static void check_rows(Verify *c, const PlanNode *n) {
  for (const PlanNode *in = n->body[0].first; in; in = in->next)
    if (in->kind != PLAN_STRIPS && in->kind != PLAN_COPY) BAD("a scan in strips whose turns are no strips");
  Verify outer = *c;
  c->rows = n->strips;
  c->row = arena_array(c->a, Touched, n->strips);
  check_loop(c, n);
  for (int64_t i = 0; i < n->strips; i++)
    for (int64_t k = 0; k < n->strips; k++)
      if (i != k && crosses(&c->row[i], &c->row[k])) BAD("a strip of a scan writes what another touches");
  c->rows = outer.rows, c->row = outer.row;
}

static void check_block(Verify *c, const PlanBlock *b) {
  for (const PlanNode *n = b->first; n && !c->why; n = n->next) {
    switch (n->kind) {
      case PLAN_NEST: case PLAN_DOT: case PLAN_CONV: check_fused(c, n); break;
      case PLAN_LIB: case PLAN_UPDATE: check_whole(c, n); break;
      case PLAN_COPY: check_copy(c, n); break;
      case PLAN_SCAN: case PLAN_MAP:
        if (n->strips) check_rows(c, n);
        else check_loop(c, n);
        break;
      case PLAN_WHILE: check_while(c, n); break;
      case PLAN_COND: check_cond(c, n); break;
      case PLAN_FORK: check_fork(c, n); break;
      case PLAN_STRIPS: check_strips(c, n); break;
    }
  }
}

// ---- the whole ---------------------------------------------------------------------------------------
static void put_inputs(Verify *c, const IrValue *v) {
  Range r = place(c, v);
  c->is[v->id] = fresh(c);
  if (r.lo < r.hi) insert(c, &c->mem[r.space], first_behind(&c->mem[r.space], r.lo), (Piece){r.lo, r.hi, c->is[v->id]});
}

// A constant in RT_CONST, and what has no bytes and therefore no node, are there from the start.
static void put_consts(Verify *c, const IrRegion *r) {
  ir_each_op(r, op) {
    for (int k = 0; k < op->nout; k++) {
      const IrValue *v = op->out[k];
      if (!stored(c, v)) continue;
      if (op->code == IR_CONST && c->p->value[v->id].ref.space == RT_CONST) put_inputs(c, v);
      else if (!ir_count(&v->type)) c->is[v->id] = fresh(c);
    }
    for (int k = 0; k < op->nregion; k++) put_consts(c, op->sub[k]);
  }
}

char *plan_verify(const Plan *p) {
  Verify verify = {.p = p, .a = p->arena}, *c = &verify;
  const IrRegion *r = p->graph->top;
  int n = p->graph->nvalue;
  c->is = arena_array(c->a, Content, n);
  c->turn = arena_array(c->a, int64_t, n);
  c->mark = arena_array(c->a, int, n);
  c->mark_kept = arena_array(c->a, int, n);
  c->packed = arena_array(c->a, Content, n);
  c->strips = 1;
  c->root_of = arena_array(c->a, const PlanNode *, n);
  for (int k = 0; k < r->narg; k++) put_inputs(c, r->arg[k]);
  put_consts(c, r);
  check_block(c, &p->body);
  for (int i = 0; i < r->nyield && !c->why; i++) {
    const IrValue *v = r->yield[i];
    int64_t at = p->io.out[i].offset;
    if (!holds(c, (Range){p->io.out[i].space, at, at + ir_bytes(&v->type)}, content(c, v)))
      BAD("output %d does not hold %%%d at the end", i, v->id);
  }
  return c->why;
}
