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

typedef struct Verify {
  const Plan *p;
  Arena *a;
  Bytes mem[RT_NSPACE];
  Content *is;                  // by value id
  int64_t *turn;                // by id of argument 0 of the loop's region
  int *mark; bool *mark_point; int stamp;
  const PlanNode **root_of;     // by value id
  VEC(Seen) seen;               // what the node reads
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

static Content content(const Verify *c, const IrValue *v) {
  while (v->op && (v->op->code == IR_RESHAPE || v->op->code == IR_STOP_GRAD) && stored(c, v->op->in[0])) v = v->op->in[0];
  return c->is[v->id];
}

static void read(Verify *c, const PlanNode *n, const IrValue *v) {
  if (!stored(c, v)) BAD("%s reads %%%d, which has no memory", ir_info[n->op->code].name, v->id);
  else if (!content(c, v).tag) BAD("%s reads %%%d before it is written", ir_info[n->op->code].name, v->id);
  else if (!holds(c, place(c, v), content(c, v))) BAD("%s reads %%%d, which has been written over", ir_info[n->op->code].name, v->id);
}

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

static void walk(Verify *c, const PlanNode *n, const IrValue *v, bool point) {
  if (c->mark[v->id] == c->stamp && (!c->mark_point[v->id] || point)) return;
  c->mark[v->id] = c->stamp;
  c->mark_point[v->id] = point;
  bool root = c->root_of[v->id] == n;
  if (root && !point) BAD("root %%%d is used away from its own index", v->id);
  if (!root && stored(c, v)) {
    read(c, n, v);
    Seen s = {v, place(c, v), point && !n->blas};
    vec_push(c->a, &c->seen, s);
    return;
  }
  if (!v->op) return;
  const IrLower l = ir_info[v->op->code].lower;
  if (!root && (l == LOWER_LIB || l == LOWER_UPDATE || l == LOWER_CONTROL)) BAD("%s is inlined", ir_info[v->op->code].name);
  if (!root && (l == LOWER_DOT || l == LOWER_CONV) && (v->op != n->op || !point)) BAD("a product is inlined away from its own index");
  for (int k = 0; k < v->op->nin; k++) walk(c, n, v->op->in[k], point && keeps_point(v->op));
}

static void check_scratch(Verify *c, const PlanNode *n) {
  if (!n->scratch_bytes) return;
  Range s = range(c, &n->scratch, n->scratch_bytes * (n->blas ? 1 : n->pieces));
  for (int k = 0; k < c->seen.n; k++)
    if (overlap(s, c->seen.at[k].at)) BAD("scratch room lies over %%%d", c->seen.at[k].v->id);
  for (int k = 0; k < n->nroot; k++)
    if (overlap(s, place(c, n->root[k]))) BAD("scratch room lies over root %%%d", n->root[k]->id);
  for (int k = 0; !n->nroot && k < n->op->nout; k++)
    if (overlap(s, place(c, n->op->out[k]))) BAD("scratch room lies over %%%d", n->op->out[k]->id);
  write(c, s, fresh(c));
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
    walk(c, n, v, true);
  }
  for (int k = 0; k < n->nroot; k++) {
    Range r = place(c, n->root[k]);
    for (int i = 0; i < c->seen.n; i++) {
      const Seen *s = &c->seen.at[i];
      bool same = s->at.lo == r.lo && s->at.hi == r.hi && s->point;
      if (overlap(r, s->at) && !same) BAD("root %%%d is written over %%%d, which its node still reads", n->root[k]->id, s->v->id);
    }
    for (int i = 0; i < k; i++)
      if (overlap(r, place(c, n->root[i]))) BAD("roots %%%d and %%%d share a place", n->root[i]->id, n->root[k]->id);
  }
  check_scratch(c, n);
  for (int k = 0; k < n->nroot; k++) {
    c->root_of[n->root[k]->id] = NULL;
    write(c, place(c, n->root[k]), c->is[n->root[k]->id] = fresh(c));
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

static void check_turn(Verify *c, const PlanNode *n, int64_t turn, Content *stack) {
  const IrOp *op = n->op;
  const IrRegion *r = op->sub[0];
  int ncarry = n->kind == PLAN_SCAN ? (int)ir_int(op, A_NCARRY) : 0;
  c->turn[r->arg[0]->id] = turn;
  for (int k = ncarry; k < op->nin; k++) {
    Content t = content(c, op->in[k]);
    t.from += turn * ir_bytes(&r->arg[1 + k]->type);
    c->is[r->arg[1 + k]->id] = t;
  }
  check_block(c, &n->body[0]);
  Content *next = arena_array(c->a, Content, op->nout + 1);
  for (int k = 0; k < op->nout; k++) next[k] = content(c, r->yield[k]);
  for (int k = 0; k < ncarry; k++) {
    if (!holds(c, place(c, r->arg[1 + k]), next[k])) BAD("yielded %%%d is not in the place of %%%d", r->yield[k]->id, r->arg[1 + k]->id);
    c->is[r->arg[1 + k]->id] = next[k];
  }
  for (int k = ncarry; k < op->nout; k++) {
    int64_t bytes = ir_bytes(&r->yield[k]->type);
    Range whole = place(c, op->out[k]), slot = {whole.space, whole.lo + turn * bytes, whole.lo + (turn + 1) * bytes};
    if (!holds(c, slot, next[k])) BAD("yielded %%%d is not in the stack of %%%d", r->yield[k]->id, op->out[k]->id);
    write(c, slot, (Content){stack[k].tag, turn * bytes});
  }
}

static void check_loop(Verify *c, const PlanNode *n) {
  const IrOp *op = n->op;
  const IrRegion *r = op->sub[0];
  int ncarry = n->kind == PLAN_SCAN ? (int)ir_int(op, A_NCARRY) : 0;
  bool reverse = n->kind == PLAN_SCAN && ir_int(op, A_REVERSE);
  int64_t turns = ir_int(op, A_N);
  for (int k = ncarry; k < op->nin; k++) read(c, n, op->in[k]);
  for (int k = 0; k < ncarry; k++) hand(c, "initial", r->arg[1 + k], op->in[k]);
  Content *stack = arena_array(c->a, Content, op->nout + 1);
  for (int k = ncarry; k < op->nout; k++) write(c, place(c, op->out[k]), stack[k] = fresh(c));
  for (int64_t t = 0; t < turns; t = t == 1 && turns > 3 ? turns - 1 : t + 1)
    check_turn(c, n, reverse ? turns - 1 - t : t, stack);
  for (int k = 0; k < ncarry; k++) hand(c, "last", op->out[k], r->arg[1 + k]);
  for (int k = ncarry; k < op->nout; k++) {
    if (!holds(c, place(c, op->out[k]), stack[k])) BAD("the stack of %%%d is written over in its loop", op->out[k]->id);
    c->is[op->out[k]->id] = stack[k];
  }
}

static void check_while(Verify *c, const PlanNode *n) {
  const IrOp *op = n->op;
  const IrRegion *test = op->sub[0], *body = op->sub[1];
  for (int k = 0; k < op->nin; k++) hand(c, "initial", test->arg[k], op->in[k]);
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

static void check_block(Verify *c, const PlanBlock *b) {
  for (const PlanNode *n = b->first; n && !c->why; n = n->next) {
    switch (n->kind) {
      case PLAN_NEST: case PLAN_DOT: case PLAN_CONV: check_fused(c, n); break;
      case PLAN_LIB: case PLAN_UPDATE: check_whole(c, n); break;
      case PLAN_COPY: check_copy(c, n); break;
      case PLAN_SCAN: case PLAN_MAP: check_loop(c, n); break;
      case PLAN_WHILE: check_while(c, n); break;
      case PLAN_COND: check_cond(c, n); break;
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
  c->mark_point = arena_array(c->a, bool, n);
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
