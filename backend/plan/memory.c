// Memory: which values share a buffer, which copies that leaves, and where each buffer is.
//
// An object is what has bytes of its own: a stored value with all its views; a slice that a loop hands
// to its body is an object inside another. Classes are objects in one buffer, live at different times.
//
// Time: tick t of the walk in order of execution (each body once) is the instants 4t … 4t+3:
//   4t, 4t+1   copies in front of the node read, write
//   4t+2       the node has read what it reads at its own index only
//   4t+3       the node reads the rest, and writes
// The start and the end of a body have ticks of their own, for copies. What a loop's body reads from outside lives
// to the loop's end; the branches of a cond exclude each other, so that either may write over what the
// other reads. An object is live over a set of intervals (closed); two objects may share a buffer if these are
// disjoint. A node may then write over an operand that it reads at its own index only.
//
// The sides of a fork are one behind the other in this order, but run at one time: what one of them writes or reads
// shares no place with what the other does.
//
// What is defined inside of a map that threads share has a room of its own, the map's frame: it is laid out by itself,
// and the arena holds one for each piece. What only nodes of one strip touch is laid out by itself too: a room, of which the
// arena holds one for each of few strips, or each thread has one of its own.
//
// Sharing is tried for each pair that a copy would otherwise join, largest first. Then what a loop stacks is put over what it
// slices, where each turn is done with its slice before it writes: a layer's new parameters over the old ones, and cotangents
// that a way back keeps over residuals that it has used. Then come pairs that share only for room, and at last what a turn makes of
// its slice of an array that nobody reads again, over the slice.
#include "backend/plan/state.h"

#include <stdlib.h>
#include <string.h>

typedef struct Span { int from, to; } Span;
typedef struct Use { Block *block; int time; } Use;

typedef struct Object {
  const IrValue *v;              // NULL: room for a copy, or scratch
  Block *block;                  // it is defined in
  int64_t bytes;
  int def, last;                 // last: use in its own block; of a slice: any use
  VEC(Use) use;                  // in inner blocks
  int part_of;                   // slice of this object, or a part of it that begins at `offset`; or -1
  const IrOp *loop;              // that gives its turns slices, or NULL
  int64_t stride, offset;
  int cls;
  VEC(Span) whole;               // of strips whose nodes touch it in another way than strip by strip
  bool covered;                  // a stack lies over it
} Object;

typedef enum Pin { PIN_NONE, PIN_FIXED, PIN_SLOT } Pin;
typedef struct Class {
  int into;                      // merged into this one, or itself
  VEC(Span) live;                // sorted, apart
  VEC(Span) wide;                // … with all of the strips during which it lives at some time
  VEC(Span) whole;               // of its objects
  int64_t bytes;
  Pin pin;
  bool fixed;                    // never shared
  PlanRef ref;                   // PIN_FIXED, and all once placed
  int part_of; const IrOp *loop; int64_t stride; // PIN_SLOT: of this object
  Block *body;                   // PIN_SLOT: where it stays in one place
  int lo, hi;                    // of the room in the arena
  uint64_t on[2];                // forks on whose first, second side it is written or read
  const Unit *map;               // in whose frame it is; NULL: the arena itself
  const Strips *own;             // only nodes of one strip of these touch it: it is in the rooms of threads
} Class;

typedef struct Pair { int object, with; int64_t bytes; bool needless; int order; } Pair; // `with`: object of the class to share with; needless: no copy is saved

typedef struct Sides { Span side[2]; } Sides; // of a fork
typedef struct Frame { Unit *map; const Strips *strips; int object; int64_t bytes; } Frame;  // object: all pieces' frames, all strips' rooms

typedef struct Stack { Unit *loop; int slot, result; } Stack;          // objects

typedef struct Memory {
  Planner *p;
  VEC(Sides) fork;
  VEC(Object) object;
  VEC(Class) cls;
  VEC(Pair) pair;
  VEC(Span) strips;              // of STRIPS, from the first tick to the last; sorted, apart
  VEC(Frame) frame;
  VEC(Stack) stack;
  VEC(Unit *) loop;              // scans and maps
} Memory;

static Object *obj(Memory *m, int k) { return &m->object.at[k]; }

static int class_of(Memory *m, int object) {
  int k = m->object.at[object].cls;
  while (m->cls.at[k].into != k) k = m->cls.at[k].into = m->cls.at[m->cls.at[k].into].into;
  return k;
}

// ---- ticks --------------------------------------------------------------------------------------
static void number(Planner *p, Block *b) {
  b->t0 = ++p->tick;
  for (int k = 0; k < b->unit.n; k++) {
    Unit *u = b->unit.at[k];
    u->tick = u->end = ++p->tick;
    for (int i = 0; i < 2; i++)
      if (u->body[i]) number(p, u->body[i]);
    if (u->body[0]) u->end = ++p->tick;
  }
  b->t1 = ++p->tick;
}

static void find_sides(Memory *m, Block *b) {
  for (int k = 0; k < b->fork.n; k++) {
    const Fork *f = &b->fork.at[k];
    int t[3] = {4 * b->unit.at[f->from]->tick, 4 * b->unit.at[f->mid]->tick, 4 * b->unit.at[f->to - 1]->end + 4};
    Sides s = {{{t[0], t[1] - 1}, {t[1], t[2] - 1}}};
    vec_push(m->p->a, &m->fork, s);
  }
  for (int k = 0; k < b->unit.n; k++)
    for (int i = 0; i < 2; i++)
      if (b->unit.at[k]->body[i]) find_sides(m, b->unit.at[k]->body[i]);
}

// The object is written or read then.
static void touch(Memory *m, int object, int time) {
  while (m->object.at[object].part_of >= 0) object = m->object.at[object].part_of;
  Class *c = &m->cls.at[class_of(m, object)];
  for (int k = 0; k < m->fork.n; k++)
    for (int t = 0; t < 2; t++)
      if (m->fork.at[k].side[t].from <= time && time <= m->fork.at[k].side[t].to) c->on[t] |= UINT64_C(1) << k;
}

// ---- objects --------------------------------------------------------------------------------------
static int new_object(Memory *m, const IrValue *v, Block *b, int64_t bytes, int def) {
  Object o = {.v = v, .block = b, .bytes = bytes, .def = def, .last = def, .part_of = -1, .cls = m->cls.n};
  Class c = {.into = m->cls.n, .bytes = bytes, .part_of = -1, .map = plan_map_around(b)};
  vec_push(m->p->a, &m->cls, c);
  vec_push(m->p->a, &m->object, o);
  if (v) fact_of(m->p, v)->obj = m->object.n - 1;
  touch(m, m->object.n - 1, def);
  return m->object.n - 1;
}

static int value_object(Memory *m, const IrValue *v, Block *b, int def) { return new_object(m, v, b, ir_bytes(&v->type), def); }

static int object_of(Memory *m, const IrValue *v) {
  int k = fact_of(m->p, fact_of(m->p, v)->base)->obj;
  ICE_IF(k < 0, "value %d has no memory", v->id);
  return k;
}

static void use_at(Memory *m, int object, Block *b, int time) {
  Object *o = obj(m, object);
  if (o->part_of >= 0 && !o->loop) {
    use_at(m, o->part_of, b, time);
    return;
  }
  if (o->part_of >= 0) {
    touch(m, object, time);
    Unit *loop = o->block->owner;
    for (Block *at = b; at != o->block; at = at->outer) time = 4 * at->owner->end + 3;
    if (time > o->last) o->last = time;
    use_at(m, o->part_of, loop->block, 4 * loop->end + 1);
    return;
  }
  touch(m, object, time);
  if (b == o->block) {
    if (time > o->last) o->last = time;
    return;
  }
  Use u = {b, time};
  vec_push(m->p->a, &o->use, u);
}

static void add_live(Memory *m, int object, int from, int to) {
  Class *c = &m->cls.at[class_of(m, object)];
  Span s = {from, to};
  vec_push(m->p->a, &c->live, s);
}

// The object has the class of another, whatever their lives.
static void same_class(Memory *m, int object, int with) {
  Class *c = &m->cls.at[class_of(m, object)];
  c->into = class_of(m, with);
  for (int t = 0; t < 2; t++) m->cls.at[c->into].on[t] |= c->on[t];
}

static void add_pair(Memory *m, int object, int with, bool needless) {
  Pair q = {object, with, obj(m, object)->bytes, needless, m->pair.n};
  if (q.bytes > 0) vec_push(m->p->a, &m->pair, q);
}

static void pair(Memory *m, int object, int with) { add_pair(m, object, with, false); }

static void move(Memory *m, Block *b, Unit *before, bool head, int from, int to, const IrOp *op) {
  Move v = {from, to, op};
  if (before) vec_push(m->p->a, &before->before, v);
  else if (head) vec_push(m->p->a, &b->head, v);
  else vec_push(m->p->a, &b->tail, v);
}

// ---- objects of constants -----------------------------------------------------------------------
static void pin_const(Memory *m, const IrValue *v, Block *b) {
  const IrAttr *t = ir_attr(v->op, A_DATA);
  Str *d = &m->p->consts->data;
  static const char zero[RT_ALIGN];
  if (d->n % RT_ALIGN) str_put(d, zero, RT_ALIGN - d->n % RT_ALIGN);
  int64_t bytes = ir_bytes(&v->type), offset = (int64_t)d->n;
  int k = value_object(m, v, b, 0);
  Class *c = &m->cls.at[class_of(m, k)];
  c->pin = PIN_FIXED;
  c->fixed = true;
  c->ref = (PlanRef){.space = RT_CONST, .offset = offset};
  for (int64_t at = 0; at < bytes; at += t->n) str_put(d, t->data, (size_t)t->n);
}

// ---- objects of nodes -----------------------------------------------------------------------------
static void walk_block(Memory *m, Block *b);

static int arg_object(Memory *m, Block *b, int k, int def) { return value_object(m, b->region->arg[k], b, def); }

// v as a part of another object: from `offset` on, or what each turn of `loop` has of it.
static int part_object(Memory *m, const IrValue *v, Block *b, int whole, const IrOp *loop, int64_t offset) {
  int k = value_object(m, v, b, loop ? 4 * b->t0 : obj(m, whole)->def);
  Object *o = obj(m, k);
  o->part_of = whole;
  o->loop = loop;
  o->stride = o->bytes;
  o->offset = offset;
  return k;
}

// A stacked result lives from the loop's start. Its slot of the turn is a place of its own, which the
// yielded value takes if it can. What the turn did not make is copied at its start, so that
// a carried value may be written over before the end.
static void stacked(Memory *m, Unit *u, Block *body, int result, const IrValue *yield) {
  const IrOp *op = u->node->op;
  int slot = new_object(m, NULL, body, ir_bytes(&yield->type), 4 * body->t1 + 1);
  Class *c = &m->cls.at[class_of(m, slot)];
  c->pin = PIN_SLOT;
  c->part_of = result;
  c->loop = op;
  c->stride = c->bytes;
  c->body = body;
  if (obj(m, result)->part_of < 0) vec_push(m->p->a, &m->stack, ((Stack){u, slot, result}));
  int from = object_of(m, yield);
  Object *o = obj(m, from);
  bool made = o->block == body && !o->loop && fact_of(m->p, o->v)->unit;
  if (made) {
    use_at(m, from, body, 4 * body->t1);
    // Threads that wrote to one cache line in turn after turn would wait for each other.
    if (u->node->pieces <= 1 || c->bytes >= RT_ALIGN) pair(m, from, slot);
    move(m, body, NULL, false, from, slot, op);
  } else {
    use_at(m, from, body, 4 * body->t0);
    add_live(m, slot, 4 * body->t0 + 1, 4 * body->t1 + 1);
    move(m, body, NULL, true, from, slot, op);
  }
}

// What a scan carries and stacks both as a turn finds it and as the turn leaves it lies in one array of a place more than
// there are turns: a turn finds it in one place and leaves it in the next, and neither stack is copied to.
typedef struct Chain { int in, out; } Chain;   // the two stacks among the results; in < 0: there is none

#define CHAIN_BYTES 4096         // less is copied

static bool leaves(const IrRegion *r, const IrValue *v) {
  for (int k = 0; k < r->nyield; k++)
    if (r->yield[k] == v) return true;
  return false;
}

static Chain chain_of(Memory *m, const Unit *u, int carry) {
  const IrOp *op = u->node->op;
  const IrRegion *r = u->body[0]->region;
  const IrValue *next = r->yield[carry];
  Chain c = {-1, -1};
  int64_t least = m->p->target->small_bytes > 0 ? m->p->target->small_bytes : CHAIN_BYTES;
  bool made = next->op && fact_of(m->p, next)->block == u->body[0] && fact_of(m->p, next)->unit && fact_of(m->p, next)->base == next;
  if (!made || !ir_int(op, A_N) || ir_bytes(&next->type) < least || u->node->pieces > 1 || plan_map_around(u->body[0])) return c;
  for (int k = (int)ir_int(op, A_NCARRY); k < op->nout; k++) {
    if (leaves(op->parent, op->out[k]) || fact_of(m->p, op->out[k])->base != op->out[k]) continue;
    if (r->yield[k] == r->arg[1 + carry]) c.in = k;
    if (r->yield[k] == next) c.out = k;
  }
  if (c.out < 0) c.in = -1;
  return c;
}

static void carried_in(Memory *m, Unit *u, const IrValue *init, int carry) {
  int from = object_of(m, init);
  use_at(m, from, u->block, 4 * u->tick);
  pair(m, from, carry);
  move(m, NULL, u, false, from, carry, u->node->op);
}

static void carried_on(Memory *m, Unit *u, Block *body, const IrValue *yield, int carry) {
  int from = object_of(m, yield);
  use_at(m, from, body, 4 * body->t1);
  if (class_of(m, from) == class_of(m, carry)) return;
  pair(m, from, carry);
  move(m, body, NULL, false, from, carry, u->node->op);
}

// Place i is what turn i finds, place i + 1 what it leaves; the other way round where the loop goes backwards.
static void place_chain(Memory *m, Unit *u, int k, Chain c, int *result) {
  const IrOp *op = u->node->op;
  Block *body = u->body[0];
  IrValue *arg = body->region->arg[1 + k];
  int64_t bytes = ir_bytes(&arg->type), n = ir_int(op, A_N), in = ir_int(op, A_REVERSE) ? bytes : 0, out = bytes - in;
  int whole = new_object(m, NULL, u->block, (n + 1) * bytes, 4 * u->tick + 1);
  add_live(m, whole, 4 * u->tick + 1, 4 * u->end + 2);
  result[c.in] = part_object(m, op->out[c.in], u->block, whole, NULL, in);
  result[c.out] = part_object(m, op->out[c.out], u->block, whole, NULL, out);
  part_object(m, arg, body, whole, op, in);
  part_object(m, op->out[k], u->block, whole, NULL, in ? 0 : n * bytes);
  int first = new_object(m, NULL, u->block, bytes, 4 * u->tick + 1), from = object_of(m, op->in[k]);
  obj(m, first)->part_of = whole;
  obj(m, first)->offset = in ? n * bytes : 0;
  use_at(m, from, u->block, 4 * u->tick);
  move(m, NULL, u, false, from, first, op);
}

static bool is_carry(const IrOp *scan, const IrValue *v) {
  return scan->code == IR_SCAN && !v->op && v->region == scan->sub[0] && v->index > 0 && v->index <= ir_int(scan, A_NCARRY);
}

static void place_loop(Memory *m, Unit *u) {
  const IrOp *op = u->node->op;
  Block *body = u->body[0];
  const IrRegion *r = body->region;
  bool scan = op->code == IR_SCAN;
  int n = scan ? (int)ir_int(op, A_NCARRY) : 0, *carry = arena_array(m->p->a, int, n + 1), *result = arena_array(m->p->a, int, op->nout + 1);
  for (int k = 0; k < op->nout; k++) result[k] = -1;
  if (fact_of(m->p, r->arg[0])->stored) value_object(m, r->arg[0], body, 4 * body->t0);
  for (int k = 0; k < n; k++) {
    Chain c = chain_of(m, u, k);
    if (c.in >= 0 && result[c.in] < 0 && result[c.out] < 0) {
      carry[k] = -1;
      place_chain(m, u, k, c, result);
      continue;
    }
    carry[k] = arg_object(m, body, 1 + k, 4 * u->tick + 1);
    int last = value_object(m, op->out[k], u->block, 4 * u->end + 2);
    same_class(m, last, carry[k]);
    add_live(m, carry[k], 4 * body->t1 + 1, 4 * u->end + 2);
    carried_in(m, u, op->in[k], carry[k]);
  }
  for (int k = n; k < op->nin; k++) {
    part_object(m, r->arg[1 + k], body, object_of(m, op->in[k]), op, 0);
    use_at(m, object_of(m, op->in[k]), u->block, 4 * u->end + 1);
  }
  for (int k = n; k < op->nout; k++)
    if (result[k] < 0) result[k] = value_object(m, op->out[k], u->block, 4 * u->tick + 1);
  if (u->node->pieces > 1) {
    Frame f = {u, NULL, new_object(m, NULL, u->block, 0, 4 * u->tick), 0};
    obj(m, f.object)->last = 4 * u->end + 3;
    vec_push(m->p->a, &m->frame, f);
  }
  vec_push(m->p->a, &m->loop, u);
  walk_block(m, body);
  for (int k = 0; k < n; k++)
    if (carry[k] >= 0) carried_on(m, u, body, r->yield[k], carry[k]);
  for (int k = n; k < op->nout; k++) {
    if (obj(m, result[k])->part_of < 0) add_live(m, result[k], 4 * u->tick + 1, 4 * u->end + 2);
    else if (is_carry(op, r->yield[k])) continue;        // the turn finds it there
    stacked(m, u, body, result[k], r->yield[k]);
  }
}

// The carried values are live all through the condition: it reads them, and then the turn does, or
// the loop ends with them.
static void place_while(Memory *m, Unit *u) {
  const IrOp *op = u->node->op;
  Block *test = u->body[0], *body = u->body[1];
  for (int k = 0; k < op->nin; k++) {
    int carry = arg_object(m, test, k, 4 * u->tick + 1);
    add_live(m, carry, 4 * u->tick + 1, 4 * body->t0);
    same_class(m, arg_object(m, body, k, 4 * body->t0), carry);
    same_class(m, value_object(m, op->out[k], u->block, 4 * u->end + 2), carry);
    add_live(m, carry, 4 * body->t1 + 1, 4 * u->end + 2);
    carried_in(m, u, op->in[k], carry);
  }
  walk_block(m, test);
  use_at(m, object_of(m, test->region->yield[0]), test, 4 * test->t1);
  u->node->test = test->region->yield[0];
  walk_block(m, body);
  for (int k = 0; k < op->nin; k++)
    carried_on(m, u, body, body->region->yield[k], object_of(m, test->region->arg[k]));
}

static void place_cond(Memory *m, Unit *u) {
  const IrOp *op = u->node->op;
  use_at(m, object_of(m, op->in[0]), u->block, 4 * u->tick);
  for (int k = 0; k < op->nout; k++) value_object(m, op->out[k], u->block, 4 * u->end + 2);
  for (int i = 0; i < 2; i++) {
    Block *body = u->body[i];
    walk_block(m, body);
    for (int k = 0; k < op->nout; k++) {
      int result = object_of(m, op->out[k]);
      add_live(m, result, 4 * body->t1 + 1, 4 * body->t1 + 1);
      carried_on(m, u, body, body->region->yield[k], result);
    }
  }
}

static Span span_of(const Strips *s) {
  return s->loop ? (Span){4 * s->loop->tick, 4 * s->loop->end + 3} : (Span){4 * s->first->tick, 4 * s->last->tick + 3};
}

// Objects of one size that nodes in strips touch strip by strip: so many before this one are tried for sharing.
#define STRIP_PAIRS 24

static void pair_in_strips(Memory *m, Unit *u, int object) {
  int tried = 0;
  for (int k = object - 1; k >= 0 && tried < STRIP_PAIRS; k--) {
    const Object *o = obj(m, k);
    if (o->block != u->block || o->def < 4 * u->strips->first->tick) break;
    if (o->bytes != obj(m, object)->bytes) continue;
    add_pair(m, object, k, true);
    tried++;
  }
}

static void place_node(Memory *m, Unit *u) {
  const PlanNode *n = u->node;
  const IrOp *op = n->op;
  if (n->kind == PLAN_UPDATE) {
    int old = object_of(m, op->in[0]);
    int result = value_object(m, op->out[0], u->block, 4 * u->tick + 1);
    use_at(m, old, u->block, 4 * u->tick);
    pair(m, old, result);
    move(m, NULL, u, false, old, result, op);
    for (int k = 1; k < op->nin; k++) use_at(m, object_of(m, op->in[k]), u->block, 4 * u->tick + 3);
    return;
  }
  // A product by OpenBLAS is finished before its epilogue reads anything: nothing it reads is written over.
  for (int k = 0; k < u->read.n; k++) {
    int read = object_of(m, u->read.at[k].v);
    use_at(m, read, u->block, 4 * u->tick + (u->read.at[k].point && !n->blas ? 2 : 3));
    if (u->strips && !u->read.at[k].local) vec_push(m->p->a, &obj(m, read)->whole, span_of(u->strips));
  }
  if (!u->root.n)
    for (int k = 0; k < op->nout; k++) value_object(m, op->out[k], u->block, 4 * u->tick + 3);
  for (int k = 0; k < u->root.n; k++) {
    const IrValue *v = u->root.at[k];
    if (v->op) value_object(m, v, u->block, 4 * u->tick + 3);
    for (int i = 0; v->op && i < u->read.n; i++)
      if (u->read.at[i].point && ir_bytes(&u->read.at[i].v->type) == ir_bytes(&v->type) && fact_of(m->p, u->read.at[i].v)->block == u->block)
        add_pair(m, object_of(m, u->read.at[i].v), object_of(m, v), true);
    if (v->op && u->strips) pair_in_strips(m, u, object_of(m, v));
  }
  if (n->scratch_bytes > 0) {
    const Unit *from = u->pack_before ? u->pack_before : u;
    u->scratch = new_object(m, NULL, from->block, scratch_of(n), 4 * from->tick);
    obj(m, u->scratch)->last = 4 * from->end + 3;
    if (u->strips && n->pack) vec_push(m->p->a, &obj(m, u->scratch)->whole, span_of(u->strips));
  }
}

static void walk_block(Memory *m, Block *b) {
  for (int k = 0; k < b->op.n; k++)
    for (int i = 0; i < b->op.at[k]->nout; i++) {
      const IrValue *v = b->op.at[k]->out[i];
      Fact *f = fact_of(m->p, v);
      if (b->op.at[k]->code == IR_CONST && f->stored && !f->unit && ir_count(&v->type)) pin_const(m, v, b);
      else if (f->stored && f->base == v && !ir_count(&v->type) && !f->unit) value_object(m, v, b, 4 * b->t0);
    }
  for (int k = 0; k < b->unit.n; k++) {
    Unit *u = b->unit.at[k];
    switch (u->node->kind) {
      case PLAN_SCAN: case PLAN_MAP: place_loop(m, u); break;
      case PLAN_WHILE: place_while(m, u); break;
      case PLAN_COND: place_cond(m, u); break;
      default: place_node(m, u); break;
    }
  }
}

// ---- ports -----------------------------------------------------------------------------------------
static int port_object(Memory *m, const IrValue *v, const PlanPort *port) {
  int k = v ? value_object(m, v, m->p->top, 0) : new_object(m, NULL, m->p->top, 0, 0);
  Class *c = &m->cls.at[class_of(m, k)];
  c->pin = PIN_FIXED;
  c->ref = (PlanRef){.space = port->space, .offset = port->offset};
  return k;
}

static void place_inputs(Memory *m) {
  const IrRegion *r = m->p->g->top;
  const PlanInterface *io = m->p->io;
  for (int k = 0; k < r->narg; k++) {
    int o = port_object(m, r->arg[k], &io->in[k]);
    bool state = false;
    for (int i = 0; i < r->nyield; i++) state |= same_port(&io->in[k], &io->out[i]);
    m->cls.at[class_of(m, o)].fixed = !state;
  }
}

static void place_outputs(Memory *m) {
  const IrRegion *r = m->p->g->top;
  const PlanInterface *io = m->p->io;
  Block *top = m->p->top;
  for (int i = 0; i < r->nyield; i++) {
    int from = object_of(m, r->yield[i]), to = -1;
    for (int k = 0; k < r->narg; k++)
      if (same_port(&io->in[k], &io->out[i])) to = object_of(m, r->arg[k]);
    Object *o = obj(m, from);
    bool early = to < 0 && !o->v->op;     // an argument: copied first, then its place may be written over
    if (to == from) {
      use_at(m, from, top, 4 * top->t1 + 3);
      continue;
    }
    if (to < 0) {
      to = port_object(m, NULL, &io->out[i]);
      obj(m, to)->bytes = m->cls.at[class_of(m, to)].bytes = ir_bytes(&r->yield[i]->type);
      obj(m, to)->def = obj(m, to)->last = 4 * top->t1 + 1;
    }
    use_at(m, from, top, early ? 4 * top->t0 : 4 * top->t1);
    add_live(m, to, early ? 4 * top->t0 + 1 : 4 * top->t1 + 1, 4 * top->t1 + 3);
    pair(m, from, to);
    move(m, top, NULL, early, from, to, NULL);
  }
}

// ---- lives ------------------------------------------------------------------------------------------
static int by_from(const void *a, const void *b) {
  const Span *x = a, *y = b;
  return (x->from > y->from) - (x->from < y->from);
}

static int join_spans(Span *at, int count) {
  if (count > 1) qsort(at, (size_t)count, sizeof *at, by_from);
  int n = 0;
  for (int k = 0; k < count; k++) {
    if (n && at[k].from <= at[n - 1].to + 1) {
      if (at[k].to > at[n - 1].to) at[n - 1].to = at[k].to;
    } else at[n++] = at[k];
  }
  return n;
}

// One strip may be at the last node while another is at the first: what lives in between is there for all of them.
static void tidy(Memory *m, Class *c) {
  c->live.n = join_spans(c->live.at, c->live.n);
  c->wide.n = 0;
  for (int k = 0, i = 0; k < c->live.n; k++) {
    Span s = c->live.at[k];
    while (i < m->strips.n && m->strips.at[i].to < s.from) i++;
    for (; i < m->strips.n && m->strips.at[i].from <= s.to; i++) {
      if (m->strips.at[i].from < s.from) s.from = m->strips.at[i].from;
      if (m->strips.at[i].to > s.to) s.to = m->strips.at[i].to;
    }
    i -= i > 0;
    vec_push(m->p->a, &c->wide, s);
  }
  c->wide.n = join_spans(c->wide.at, c->wide.n);
}

static void find_strips(Memory *m, Block *b) {
  for (int k = 0; k < b->unit.n; k++) {
    Unit *u = b->unit.at[k];
    if (u->strips && u == u->strips->first) vec_push(m->p->a, &m->strips, span_of(u->strips));
    for (int i = 0; i < 2; i++)
      if (u->body[i]) find_strips(m, u->body[i]);
  }
}

// From the definition to a use in an inner block: to the end of the outermost loop on the way; through
// the side taken of a cond.
static void live_until(Memory *m, int object, const Use *u) {
  Object *o = obj(m, object);
  Block *path[256];
  int n = 0, from = o->def;
  for (Block *b = u->block; b != o->block; b = b->outer) {
    ICE_IF(!b || n == 256, "a use outside of the block of its definition");
    path[n++] = b;
  }
  while (n--) {
    const Unit *owner = path[n]->owner;
    if (path[n]->loop) {
      add_live(m, object, from, 4 * owner->end + 1);
      return;
    }
    add_live(m, object, from, 4 * owner->tick + 1);
    from = 4 * path[n]->t0;
  }
  add_live(m, object, from, u->time);
}

static void find_lives(Memory *m) {
  for (int k = 0; k < m->object.n; k++) {
    Object *o = obj(m, k);
    if (o->part_of >= 0) continue;
    add_live(m, k, o->def, o->last);
    for (int i = 0; i < o->use.n; i++) live_until(m, k, &o->use.at[i]);
    for (int i = 0; i < o->whole.n; i++) vec_push(m->p->a, &m->cls.at[class_of(m, k)].whole, o->whole.at[i]);
  }
  for (int k = 0; k < m->cls.n; k++) tidy(m, &m->cls.at[k]);
}

// ---- sharing ------------------------------------------------------------------------------------------
static bool side_by_side(const Class *a, const Class *b) { return (a->on[0] & b->on[1]) | (a->on[1] & b->on[0]); }

static bool spans_apart(const Span *a, int na, const Span *b, int nb) {
  for (int i = 0, k = 0; i < na && k < nb;) {
    if (a[i].to < b[k].from) i++;
    else if (b[k].to < a[i].from) k++;
    else return false;
  }
  return true;
}

static bool meet_in(const Class *a, const Class *b, const Span *in, int n) {
  for (int k = 0; k < n; k++)
    if (!spans_apart(&in[k], 1, a->live.at, a->live.n) && !spans_apart(&in[k], 1, b->live.at, b->live.n)) return true;
  return false;
}

// The classes are of one size. Where strips touch both strip by strip, a strip of one is in the place of the same strip
// of the other; where they do not, one must not be there during those strips.
static bool apart(const Class *a, const Class *b) {
  if (side_by_side(a, b)) return false;
  return spans_apart(a->live.at, a->live.n, b->live.at, b->live.n) && !meet_in(a, b, a->whole.at, a->whole.n) &&
         !meet_in(a, b, b->whole.at, b->whole.n);
}

// Outside of forks, whose sides may both be in strips.
static bool is_own(const Class *c, const Strips *s) {
  Span of = span_of(s);
  return !c->pin && !c->whole.n && !c->map && !c->on[0] && !c->on[1] && c->live.at[0].from >= of.from && c->live.at[c->live.n - 1].to <= of.to;
}

#define FEW_ROOMS 2            // strips so few that the arena, where rooms may lie over what is not needed now, has one for each

static void take_rooms(Memory *m, Unit *first) {
  Span s = span_of(first->strips);
  Frame f = {NULL, first->strips, new_object(m, NULL, first->block, 0, s.from), 0};
  add_live(m, f.object, s.from, s.to);
  m->cls.at[class_of(m, f.object)].fixed = true;
  vec_push(m->p->a, &m->frame, f);
}

static void mark_own(Memory *m, Unit *u, int object) {
  Class *c = &m->cls.at[class_of(m, object)];
  if (is_own(c, u->strips)) c->own = u->strips;
}

static void find_own(Memory *m, Block *b) {
  for (int k = 0; k < b->unit.n; k++) {
    Unit *u = b->unit.at[k];
    for (int i = 0; i < 2; i++)
      if (u->body[i]) find_own(m, u->body[i]);
    if (!u->strips || u->strips->loop) continue;
    if (u == u->strips->first && u->strips->n <= FEW_ROOMS) take_rooms(m, u);
    for (int i = 0; i < u->root.n; i++)
      if (u->root.at[i]->op) mark_own(m, u, object_of(m, u->root.at[i]));
    if (u->scratch >= 0 && !u->node->pack) mark_own(m, u, u->scratch);
  }
}

static bool inside(const Class *c, const Block *body) {
  return !c->live.n || (c->live.at[0].from >= 4 * body->t0 && c->live.at[c->live.n - 1].to <= 4 * body->t1 + 3);
}

static bool is_slot(Memory *m, int object) { return m->cls.at[class_of(m, object)].pin == PIN_SLOT; }

static void try_share(Memory *m, const Pair *q) {
  if (obj(m, q->object)->part_of >= 0 && !is_slot(m, q->object)) return;
  int i = class_of(m, q->object), k = class_of(m, q->with);
  Class *a = &m->cls.at[i], *b = &m->cls.at[k];
  if (i == k || a->bytes != b->bytes || a->fixed || b->fixed || (a->pin && b->pin) || a->map != b->map || a->own != b->own) return;
  if (a->pin) {
    Class *t = a;
    a = b;
    b = t;
  }
  if (b->pin == PIN_SLOT && !inside(a, b->body)) return;
  if (!apart(a, b)) return;
  for (int j = 0; j < a->live.n; j++) vec_push(m->p->a, &b->live, a->live.at[j]);
  for (int j = 0; j < a->whole.n; j++) vec_push(m->p->a, &b->whole, a->whole.at[j]);
  tidy(m, b);
  a->into = b->into;
  for (int t = 0; t < 2; t++) b->on[t] |= a->on[t];
}

// ---- stacks over slices -------------------------------------------------------------------------------
static bool is_within(const Block *b, const Block *body) {
  while (b && b != body) b = b->outer;
  return b != NULL;
}

// The one slice that the loop's turns read of an object, which they read in no other way; or -1.
static int only_slice(Memory *m, const Unit *loop, int whole) {
  const IrOp *op = loop->node->op;
  int ncarry = op->code == IR_SCAN ? (int)ir_int(op, A_NCARRY) : 0, at = -1;
  const Object *o = obj(m, whole);
  for (int k = 0; k < o->use.n; k++)
    if (is_within(o->use.at[k].block, loop->body[0])) return -1;
  for (int k = ncarry; k < op->nin; k++) {
    if (object_of(m, op->in[k]) != whole) continue;
    if (at >= 0) return -1;
    at = object_of(m, loop->body[0]->region->arg[1 + k]);
  }
  return at;
}

// Is the turn done with the slice before it writes its slot, and nobody outside of the loop looks for both?
static bool makes_room(Memory *m, const Stack *s, int slice) {
  const Unit *loop = s->loop;
  const Object *o = obj(m, slice);
  const Class *slot = &m->cls.at[class_of(m, s->slot)], *to = &m->cls.at[class_of(m, s->result)], *from = &m->cls.at[class_of(m, o->part_of)];
  if (from == to || from->bytes != to->bytes || o->bytes != slot->bytes || from->pin == PIN_SLOT || to->pin || from->fixed || to->fixed) return false;
  if (from->map != to->map || from->own != to->own || side_by_side(from, to) || side_by_side(from, slot)) return false;
  Class turn = {.on = {0}};
  vec_push(m->p->a, &turn.live, ((Span){4 * loop->body[0]->t0, o->last}));
  for (int k = 0; k < o->whole.n; k++) vec_push(m->p->a, &turn.whole, o->whole.at[k]);
  if (!apart(&turn, slot)) return false;
  Span in = {4 * loop->tick, 4 * loop->end + 2};
  for (int i = 0; i < from->live.n; i++)
    for (int k = 0; k < to->live.n; k++) {
      Span a = from->live.at[i], b = to->live.at[k];
      bool meet = a.from <= b.to && b.from <= a.to;
      if (meet && (a.to > in.to || b.from < in.from)) return false;
    }
  return true;
}

// Is `result` to be in the place of `whole` in the end: a state's new value, over the old one?
static bool is_wanted(Memory *m, int result, int whole) {
  for (int k = 0; k < m->pair.n; k++)
    if (m->pair.at[k].object == result && !m->pair.at[k].needless && class_of(m, m->pair.at[k].with) == class_of(m, whole)) return true;
  return false;
}

static void stack_over(Memory *m, const Stack *s, bool wanted) {
  const IrOp *op = s->loop->node->op;
  int best = -1;
  for (int k = op->code == IR_SCAN ? (int)ir_int(op, A_NCARRY) : 0; k < op->nin; k++) {
    int whole = object_of(m, op->in[k]), slice = obj(m, whole)->part_of < 0 && !obj(m, whole)->covered ? only_slice(m, s->loop, whole) : -1;
    if (wanted ? !is_wanted(m, s->result, whole) : m->cls.at[class_of(m, whole)].pin != PIN_NONE) continue;
    if (slice >= 0 && makes_room(m, s, slice) && (best < 0 || obj(m, slice)->last > obj(m, best)->last)) best = slice;
  }
  if (best < 0) return;
  const Object *o = obj(m, best);
  Class *slot = &m->cls.at[class_of(m, s->slot)];          // holds the turn's slice first
  vec_push(m->p->a, &slot->live, ((Span){4 * s->loop->body[0]->t0, o->last}));
  for (int k = 0; k < o->whole.n; k++) vec_push(m->p->a, &slot->whole, o->whole.at[k]);
  tidy(m, slot);
  obj(m, obj(m, best)->part_of)->covered = true;
  Class *to = &m->cls.at[class_of(m, s->result)], *from = &m->cls.at[class_of(m, obj(m, best)->part_of)];
  for (int k = 0; k < to->live.n; k++) vec_push(m->p->a, &from->live, to->live.at[k]);
  for (int k = 0; k < to->whole.n; k++) vec_push(m->p->a, &from->whole, to->whole.at[k]);
  for (int t = 0; t < 2; t++) from->on[t] |= to->on[t];
  tidy(m, from);
  to->into = from->into;
}

// Is nothing of the object read behind the loop, nor by another turn of a loop around?
static bool is_done_with(Memory *m, int whole, const Unit *loop) {
  const Object *o = obj(m, whole);
  const Class *c = &m->cls.at[class_of(m, whole)];
  if (o->block != loop->block || o->part_of >= 0 || o->covered || c->pin || c->fixed || o->last > 4 * loop->end + 1) return false;
  for (int k = 0; k < o->use.n; k++)
    if (o->use.at[k].time > 4 * loop->tick) return false;
  return true;
}

// A turn's slice of what no one reads again is a place that the turn may write over.
static void open_slot(Memory *m, const Unit *loop, int whole) {
  int slice = is_done_with(m, whole, loop) ? only_slice(m, loop, whole) : -1;
  if (slice < 0) return;
  Object *o = obj(m, slice);
  Class *c = &m->cls.at[o->cls];
  *c = (Class){.into = o->cls, .bytes = o->bytes, .pin = PIN_SLOT, .part_of = whole, .loop = loop->node->op, .stride = o->stride, .body = loop->body[0], .map = c->map};
  vec_push(m->p->a, &c->live, ((Span){4 * loop->body[0]->t0, o->last}));
  for (int k = 0; k < o->whole.n; k++) vec_push(m->p->a, &c->whole, o->whole.at[k]);
  memcpy(c->on, m->cls.at[class_of(m, whole)].on, sizeof c->on);
  tidy(m, c);
}

static void open_slots(Memory *m) {
  for (int i = 0; i < m->loop.n; i++) {
    const IrOp *op = m->loop.at[i]->node->op;
    for (int k = op->code == IR_SCAN ? (int)ir_int(op, A_NCARRY) : 0; k < op->nin; k++) open_slot(m, m->loop.at[i], object_of(m, op->in[k]));
  }
}

static int by_bytes(const void *a, const void *b) {
  const Pair *x = a, *y = b;
  if (x->needless != y->needless) return x->needless ? 1 : -1;
  if (x->bytes != y->bytes) return x->bytes > y->bytes ? -1 : 1;
  return (x->order > y->order) - (x->order < y->order);
}

static void share(Memory *m) {
  if (m->pair.n) qsort(m->pair.at, (size_t)m->pair.n, sizeof *m->pair.at, by_bytes);
  int k = 0;
  for (; k < m->pair.n && !m->pair.at[k].needless; k++) try_share(m, &m->pair.at[k]);
  for (int i = 0; i < m->stack.n; i++) stack_over(m, &m->stack.at[i], true);
  for (int i = 0; i < m->stack.n; i++) stack_over(m, &m->stack.at[i], false);
  for (; k < m->pair.n; k++) try_share(m, &m->pair.at[k]);
  open_slots(m);
  for (int i = 0; i < m->pair.n; i++)
    if (m->pair.at[i].needless && obj(m, m->pair.at[i].object)->part_of >= 0) try_share(m, &m->pair.at[i]);
}

// ---- copies --------------------------------------------------------------------------------------------
// `before`: in front of a node.
static void note_waste(Memory *m, const Block *b, const Move *v, bool before) {
  const Object *from = obj(m, v->from);
  if (from->bytes < PLAN_WASTE || !from->v || plan_is_const(from->v) || m->cls.at[class_of(m, v->to)].pin == PIN_SLOT) return;
  Plan *p = m->p->plan;
  PlanWaste w = {.op = v->op, .old = from->v, .bytes = from->bytes, .update = before ? plan_writer(v->op, obj(m, v->to)->v) : NULL};
  for (; b; b = b->outer) w.turns |= b->loop;
  PlanWaste *at = arena_array(m->p->a, PlanWaste, p->nwaste + 1);
  if (p->nwaste) memcpy(at, p->waste, sizeof *at * (size_t)p->nwaste);
  at[p->nwaste++] = w;
  p->waste = at;
}

static bool is_part(Memory *m, int object) { return obj(m, object)->part_of >= 0; }

// The class whose bytes the object's are.
static int room_of(Memory *m, int object) {
  for (;;) {
    const Class *c = &m->cls.at[class_of(m, object)];
    if (is_part(m, object)) object = obj(m, object)->part_of;
    else if (c->pin == PIN_SLOT) object = c->part_of;
    else return class_of(m, object);
  }
}

// Is the object where the class of `to` is: the class itself, or a slice under a stack's slot of the same loop?
static bool is_there(Memory *m, int object, int to) {
  const Class *c = &m->cls.at[class_of(m, to)];
  const Object *o = obj(m, object);
  if (!is_part(m, object)) return class_of(m, object) == class_of(m, to);
  return c->pin == PIN_SLOT && c->loop == o->loop && class_of(m, o->part_of) == class_of(m, c->part_of);
}

// Puts copies that are to happen at once into an order in which none writes over what another still
// reads; where they go round in a circle, one goes through a place of its own. `tick`: of the copies.
static void settle(Memory *m, Block *b, Moves *list, int tick, bool before) {
  Moves out = {0};
  int n = 0;
  for (int k = 0; k < list->n; k++) {
    Move v = list->at[k];
    if (is_there(m, v.from, v.to) || !obj(m, v.from)->bytes) continue;
    note_waste(m, b, &v, before);
    add_live(m, v.from, 4 * tick, 4 * tick + 1);
    touch(m, v.from, 4 * tick);
    touch(m, v.to, 4 * tick);
    list->at[n++] = v;
  }
  while (n) {
    int k = 0;
    for (; k < n; k++) {
      bool read = false;
      for (int i = 0; i < n && !read; i++) read = i != k && room_of(m, list->at[i].from) == room_of(m, list->at[k].to);
      if (!read) break;
    }
    if (k < n) {
      vec_push(m->p->a, &out, list->at[k]);
      list->at[k] = list->at[--n];
      continue;
    }
    Move first = list->at[0];
    int room = new_object(m, NULL, b, obj(m, first.from)->bytes, 4 * tick);
    add_live(m, room, 4 * tick, 4 * tick + 1);
    Move aside = {first.from, room, first.op};
    vec_push(m->p->a, &out, aside);
    list->at[0].from = room;
  }
  *list = out;
}

static void settle_block(Memory *m, Block *b) {
  settle(m, b, &b->head, b->t0, false);
  settle(m, b, &b->tail, b->t1, false);
  for (int k = 0; k < b->unit.n; k++) {
    Unit *u = b->unit.at[k];
    settle(m, b, &u->before, u->tick, true);
    for (int i = 0; i < 2; i++)
      if (u->body[i]) settle_block(m, u->body[i]);
  }
}

// ---- the arena -----------------------------------------------------------------------------------------
typedef struct Room { int cls; int64_t offset, end; } Room;

static int64_t round_up(int64_t x) { return (x + RT_ALIGN - 1) / RT_ALIGN * RT_ALIGN; }

static _Thread_local const Class *sorted_classes;

static int by_size(const void *a, const void *b) {
  const Class *x = &sorted_classes[*(const int *)a], *y = &sorted_classes[*(const int *)b];
  if (x->bytes != y->bytes) return x->bytes > y->bytes ? -1 : 1;
  return (x->lo > y->lo) - (x->lo < y->lo);
}

// The rooms that the arena has for strips, or NULL.
static const Frame *rooms_of(const Memory *m, const Strips *s) {
  for (int k = 0; k < m->frame.n; k++)
    if (m->frame.at[k].strips == s) return &m->frame.at[k];
  return NULL;
}

// Largest first, each at the lowest place that is free for all of its life. `placed` is in order of offset.
// Gives the bytes that the classes of this map's frame, of a strip of `own`, or (both NULL) of the arena itself take.
static int64_t place_classes(Memory *m, const Unit *map, const Strips *own) {
  int64_t bytes = 0;
  int n = 0, *order = arena_array(m->p->a, int, m->cls.n + 1);
  for (int k = 0; k < m->cls.n; k++) {
    Class *c = &m->cls.at[k];
    if (c->into != k || c->pin || !c->live.n || c->map != map || c->own != own) continue;
    tidy(m, c);
    c->lo = own ? c->live.at[0].from : c->wide.at[0].from;    // nodes of one strip follow one another
    c->hi = (own ? c->live.at[c->live.n - 1].to : c->wide.at[c->wide.n - 1].to) | 1;   // reading at one's own index needs the very same place
    order[n++] = k;
  }
  sorted_classes = m->cls.at;
  qsort(order, (size_t)n, sizeof *order, by_size);
  Room *placed = arena_array(m->p->a, Room, n + 1);
  int nplaced = 0;
  for (int i = 0; i < n; i++) {
    Class *c = &m->cls.at[order[i]];
    int64_t at = 0, size = own ? c->bytes / own->n : c->bytes;
    int k = 0;
    for (; k < nplaced; k++) {
      const Class *d = &m->cls.at[placed[k].cls];
      if (placed[k].end <= at || ((d->hi < c->lo || c->hi < d->lo) && !side_by_side(c, d))) continue;
      if (placed[k].offset >= at + size) break;
      at = round_up(placed[k].end);
    }
    c->ref = (PlanRef){.space = own && !rooms_of(m, own) ? RT_ROOM : RT_ARENA, .offset = at, .own = own ? size : 0};
    if (at + size > bytes) bytes = at + size;
    for (k = nplaced; k > 0 && placed[k - 1].offset > at; k--) placed[k] = placed[k - 1];
    placed[k] = (Room){order[i], at, at + size};
    nplaced++;
  }
  return round_up(bytes);
}

static void place_rooms(Memory *m, Block *b) {
  for (int k = 0; k < b->unit.n; k++) {
    Unit *u = b->unit.at[k];
    for (int i = 0; i < 2; i++)
      if (u->body[i]) place_rooms(m, u->body[i]);
    if (!u->strips || u != u->strips->first || rooms_of(m, u->strips)) continue;
    int64_t bytes = place_classes(m, NULL, u->strips);
    if (bytes > m->p->plan->room_bytes) m->p->plan->room_bytes = bytes;
  }
}

static void place_arena(Memory *m) {
  for (int k = 0; k < m->frame.n; k++) {
    Frame *f = &m->frame.at[k];
    f->bytes = place_classes(m, f->map, f->strips);
    m->cls.at[class_of(m, f->object)].bytes = f->bytes * (f->map ? f->map->node->pieces : f->strips->n);
  }
  m->p->plan->arena_bytes = place_classes(m, NULL, NULL);
  place_rooms(m, m->p->top);
}

// ---- addresses ---------------------------------------------------------------------------------------
static PlanRef ref_of(Memory *m, int object);

static PlanRef turned(PlanRef r, const IrOp *loop, int64_t stride, int64_t lanes) {
  ICE_IF(r.nturn == IR_MAX_RANK, "an address that depends on more than %d loops", IR_MAX_RANK);
  r.turn[r.nturn++] = (PlanTurn){loop, stride, lanes};
  return r;
}

static PlanRef in_frame(Memory *m, const Class *c) {
  int k = 0;
  while (m->frame.at[k].map != c->map) k++;
  const Frame *f = &m->frame.at[k];
  PlanRef r = m->cls.at[class_of(m, f->object)].ref;
  r.offset += c->ref.offset;
  return turned(r, f->map->node->op, f->bytes, f->map->node->piece_len);
}

static PlanRef ref_of(Memory *m, int object) {
  const Object *o = obj(m, object);
  if (o->part_of >= 0) {
    PlanRef r = ref_of(m, o->part_of);
    r.offset += o->offset;
    return o->loop ? turned(r, o->loop, o->stride, 0) : r;
  }
  const Class *c = &m->cls.at[class_of(m, object)];
  if (c->pin == PIN_SLOT) return turned(ref_of(m, c->part_of), c->loop, c->stride, 0);
  if (c->map && c->pin == PIN_NONE) return in_frame(m, c);
  PlanRef r = c->ref;
  const Frame *rooms = c->own ? rooms_of(m, c->own) : NULL;
  if (rooms) r.offset += m->cls.at[class_of(m, rooms->object)].ref.offset;
  return r;
}

static void append(Planner *p, PlanBlock *out, PlanNode *n) {
  if (out->last) out->last->next = n;
  else out->first = n;
  out->last = n;
  p->plan->nnode++;
}

static void emit_moves(Memory *m, PlanBlock *out, const Move *move, int n) {
  for (int k = 0; k < n; k++) {
    PlanNode *c = arena_new(m->p->a, PlanNode);
    *c = (PlanNode){.kind = PLAN_COPY, .op = move[k].op, .vector = -1, .pieces = 1, .bytes = obj(m, move[k].from)->bytes,
                    .from = ref_of(m, move[k].from), .to = ref_of(m, move[k].to)};
    append(m->p, out, c);
  }
}

static void emit_block(Memory *m, Block *b, PlanBlock *whole) {
  PlanBlock *out = whole;
  const Fork *f = b->fork.at, *last = f + b->fork.n;
  PlanNode *fork = NULL, *strips = NULL;
  emit_moves(m, out, b->head.at, b->head.n);
  for (int k = 0; k < b->unit.n; k++) {
    Unit *u = b->unit.at[k];
    if (fork && k == f->to) {
      fork = NULL;
      f++;
    }
    if (f < last && k == f->from) {
      fork = arena_new(m->p->a, PlanNode);
      *fork = (PlanNode){.kind = PLAN_FORK, .vector = -1, .pieces = 1};
      append(m->p, whole, fork);
    }
    out = fork ? &fork->body[k >= f->mid] : whole;
    emit_moves(m, out, u->before.at, u->before.n);
    if (u->strips && u == u->strips->first) {
      strips = arena_new(m->p->a, PlanNode);
      *strips = (PlanNode){.kind = PLAN_STRIPS, .op = u->node->op, .vector = -1, .pieces = u->strips->n};
      const Frame *rooms = rooms_of(m, u->strips);
      strips->room = rooms ? rooms->bytes : m->p->plan->room_bytes;
      append(m->p, out, strips);
    }
    if (u->scratch >= 0) u->node->scratch = ref_of(m, u->scratch);
    for (int i = 0; i < 2; i++)
      if (u->body[i]) emit_block(m, u->body[i], &u->node->body[i]);
    append(m->p, u->strips ? &strips->body[0] : out, u->node);
  }
  emit_moves(m, whole, b->tail.at, b->tail.n);
}

static void set_homes(Memory *m, Block *b) {
  Planner *p = m->p;
  const IrRegion *r = b->region;
  for (int k = 0; k < r->narg; k++) {
    Fact *f = fact_of(p, r->arg[k]);
    PlanValue *v = &p->plan->value[r->arg[k]->id];
    v->home = f->stored ? PLAN_STORED : PLAN_INLINE;
    if (f->stored) v->ref = ref_of(m, object_of(m, r->arg[k]));
  }
  for (int k = 0; k < b->op.n; k++)
    for (int i = 0; i < b->op.at[k]->nout; i++) {
      const IrValue *o = b->op.at[k]->out[i];
      PlanValue *v = &p->plan->value[o->id];
      v->home = fact_of(p, o)->stored ? PLAN_STORED : PLAN_INLINE;
      if (v->home == PLAN_STORED) v->ref = ref_of(m, object_of(m, o));
    }
  for (int k = 0; k < b->unit.n; k++)
    for (int i = 0; i < 2; i++)
      if (b->unit.at[k]->body[i]) set_homes(m, b->unit.at[k]->body[i]);
}

void plan_place(Planner *p) {
  Memory m = {.p = p};
  for (int k = 0; k < p->g->nvalue; k++) p->fact[k].obj = -1;
  number(p, p->top);
  find_sides(&m, p->top);
  find_strips(&m, p->top);
  place_inputs(&m);
  walk_block(&m, p->top);
  place_outputs(&m);
  find_lives(&m);
  find_own(&m, p->top);
  share(&m);
  settle_block(&m, p->top);
  place_arena(&m);
  emit_block(&m, p->top, &p->plan->body);
  set_homes(&m, p->top);
}
