// Side by side: stretches of a block's nodes that fall in two parts of which neither reads or writes over what the
// other computes. Two threads take one each: an actor and its critic, twin critics, a model for each of two seeds. What a
// part computes stays in its core's caches, which pieces of each node would not give, and the threads meet once for a
// stretch, not once a node.
//
// From each node on, nodes are joined that depend on each other; the parts go to the side that is done with them first,
// by the nodes' estimated costs and by what has to move: a value is where it was written, and where it was read since. Where two
// sides save more than the meeting costs, the stretch that saves most becomes a fork, and nodes in it that could be cut
// are not. All of it follows from shapes alone, and the
// nodes do what they would do anyway: bits do not depend on threads.
#include "backend/plan/state.h"

#include <string.h>

#define LONGEST 256             // nodes of a stretch
#define MOST_FORKS 64           // of a plan: memory.c has a bit for each
#define MOVED_PER_NS 1.5        // bytes from one core's caches to the other's, and their lines back when they are written anew
#define CUT_TIME 0.6            // of a node's time, when two threads take its pieces
#define STRIP_TIME 0.5          //   or strips, for which they meet but once
#define BOTH 3                  // sides
#define MOST_PIECES 4           // more of them are worth more threads than two

typedef struct Part { int up; double ns, away[2]; } Part;   // away: ns to bring what it reads to the first side, to the second

typedef struct Split {
  Planner *p;
  Block *b;
  int n, from;                  // units of the block; the stretch begins here
  Part *part;                   // by unit: union-find over the stretch
} Split;

static int part_of(Split *s, int k) {
  while (s->part[k].up != k) k = s->part[k].up = s->part[s->part[k].up].up;
  return k;
}

static void join(Split *s, int k, const Unit *u) {
  if (!u || u->block != s->b || u->index < s->from || u->index >= k) return;
  int a = part_of(s, u->index), c = part_of(s, k);
  if (a == c) return;
  Part *x = &s->part[a], *y = &s->part[c];
  x->up = c;
  y->ns += x->ns;
  for (int t = 0; t < 2; t++) y->away[t] += x->away[t];
}

// Unit k joins what stands before it in the stretch: what it reads, and whose reading it must await before it writes.
static void add(Split *s, int k) {
  Unit *u = s->b->unit.at[k];
  s->part[k] = (Part){.up = k, .ns = u->ns};
  for (int i = 0; i < u->read.n; i++) join(s, k, fact_of(s->p, u->read.at[i].v)->unit);
  for (int i = 0; i < u->awaits.n; i++) join(s, k, u->awaits.at[i]);
  for (int i = 0; i < u->read.n; i++) {
    Fact *f = fact_of(s->p, u->read.at[i].v);
    bool counted = f->mark == s->p->stamp && part_of(s, f->reader) == part_of(s, k);
    f->mark = s->p->stamp;
    f->reader = k;
    for (int t = 0; t < 2; t++)
      if (!counted && f->near == 1 << !t) s->part[part_of(s, k)].away[t] += (double)ir_bytes(&u->read.at[i].v->type) / MOVED_PER_NS;
  }
}

// Largest parts first, each to the side that is done with it first. Returns when both are, or -1 if one has nothing to do;
// `side`: where each goes, or NULL.
static double longer(Split *s, int to, int8_t *side) {
  int part[LONGEST], n = 0;
  for (int k = s->from; k < to; k++) {
    if (s->part[k].up != k) continue;
    int i = n++;
    for (; i > 0 && s->part[part[i - 1]].ns < s->part[k].ns; i--) part[i] = part[i - 1];
    part[i] = k;
  }
  double sum[2] = {0};
  bool busy[2] = {0};
  for (int i = 0; i < n; i++) {
    const Part *x = &s->part[part[i]];
    int t = sum[1] + x->away[1] < sum[0] + x->away[0];
    sum[t] += x->ns + x->away[t];
    busy[t] = true;
    if (side) side[part[i] - s->from] = (int8_t)t;
  }
  return !busy[0] || !busy[1] ? -1 : sum[0] > sum[1] ? sum[0] : sum[1];
}

static bool in_strips(const Unit *u) { return u->foreseen && !u->foreseen->broken; }
static bool is_parted(const Unit *u) { return in_strips(u) || u->node->pieces > 1; }
static double time_of(const Unit *u) { return u->ns * (in_strips(u) ? STRIP_TIME : is_parted(u) ? CUT_TIME : 1); }

// What is lost, in ns, where a stretch takes u of the strips that it would be one of: others that stay outside are whole again.
static double parted(Split *s, const Unit *u) {
  Strips *g = u->foreseen;
  if (!in_strips(u)) return 0;
  bool first = g->stamp != s->p->stamp;
  g->stamp = s->p->stamp;
  return (1 - STRIP_TIME) * ((first ? g->ns : 0) - u->ns);
}

// Where the stretch that begins at s->from had best end; s->from itself: it is no fork.
static int best_end(Split *s) {
  double total = 0, lost = 0, best = 0;
  int end = s->from;
  s->p->stamp++;
  for (int k = s->from; k < s->n && k < s->from + LONGEST && !s->b->unit.at[k]->cut; k++) {
    const Unit *u = s->b->unit.at[k];
    add(s, k);
    total += time_of(u);
    lost += parted(s, u);
    double both = longer(s, k + 1, NULL), saved = total - lost - both - s->p->target->fork_ns;
    if (both < 0 || saved <= best) continue;
    best = saved;
    end = k + 1;
  }
  return end;
}

// What a side reads is in its caches too from then on, what it writes only there. `sides`: bits; both, of a node in pieces,
// which leaves a part of what it writes with each.
static void now_on(Split *s, const Unit *u, int sides) {
  uint8_t wrote = sides == BOTH ? 0 : (uint8_t)sides;
  for (int i = 0; i < u->read.n; i++) fact_of(s->p, u->read.at[i].v)->near |= (uint8_t)sides;
  for (int i = 0; i < u->root.n; i++) fact_of(s->p, fact_of(s->p, u->root.at[i])->base)->near = wrote;
  for (int i = 0; !u->root.n && i < u->node->op->nout; i++) fact_of(s->p, fact_of(s->p, u->node->op->out[i])->base)->near = wrote;
}

static void make_fork(Split *s, int to) {
  int8_t side[LONGEST];
  Unit *order[LONGEST];
  int n = 0;
  s->p->stamp++;
  for (int k = s->from; k < to; k++) add(s, k);
  longer(s, to, side);
  Fork f = {.from = s->from, .to = to};
  for (int t = 0; t < 2; t++) {
    for (int k = s->from; k < to; k++) {
      if (side[part_of(s, k) - s->from] != t) continue;
      order[n++] = s->b->unit.at[k];
      if (order[n - 1]->foreseen) order[n - 1]->foreseen->broken = true;
      now_on(s, s->b->unit.at[k], 1 << t);
    }
    if (!t) f.mid = s->from + n;
  }
  memcpy(s->b->unit.at + s->from, order, sizeof *order * (size_t)n);
  vec_push(s->p->a, &s->b->fork, f);
}

static void find_forks(Split *s) {
  s->b->fork.n = 0;
  for (int k = 0; k < s->n; k++)
    if (s->b->unit.at[k]->foreseen) s->b->unit.at[k]->foreseen->broken = false;
  for (s->from = 0; s->from < s->n;) {
    int to = s->p->nfork + s->b->fork.n < MOST_FORKS ? best_end(s) : s->from;
    if (to == s->from) {
      const Unit *u = s->b->unit.at[s->from++];
      now_on(s, u, is_parted(u) ? BOTH : 1);
      continue;
    }
    make_fork(s, to);
    s->from = to;
  }
}

// The next turn finds what is carried where this one left it.
static void carry_sides(Split *s) {
  const IrRegion *r = s->b->region;
  int first = r->owner->code == IR_SCAN, n = first ? (int)ir_int(r->owner, A_NCARRY) : r->owner->nin;
  for (int k = 0; k < n; k++) fact_of(s->p, r->arg[first + k])->near = fact_of(s->p, fact_of(s->p, r->yield[k])->base)->near;
}

// A node of many pieces, or one that holds a node of pieces or a fork: the threads are taken. Nobody knows how long a
// `while` takes.
static bool is_cut(const Unit *u) {
  if (u->node->pieces > MOST_PIECES || u->node->kind == PLAN_WHILE) return true;
  for (int i = 0; i < 2; i++) {
    if (!u->body[i]) continue;
    if (u->body[i]->fork.n) return true;
    for (int k = 0; k < u->body[i]->unit.n; k++)
      if (u->body[i]->unit.at[k]->cut || u->body[i]->unit.at[k]->node->pieces > 1) return true;
  }
  return false;
}

// On its side of a fork a node is one thread's.
static void make_whole(const Block *b) {
  for (int k = 0; k < b->fork.n; k++)
    for (int i = b->fork.at[k].from; i < b->fork.at[k].to; i++) {
      PlanNode *n = b->unit.at[i]->node;
      if (n->pieces <= 1) continue;
      n->pieces = 1;
      n->piece_len = n->dim[n->piece_axis];
    }
}

void plan_split(Planner *p, Block *b) {
  Split s = {.p = p, .b = b, .n = b->unit.n};
  for (int k = 0; k < s.n; k++) {
    Unit *u = b->unit.at[k];
    for (int i = 0; i < 2; i++)
      if (u->body[i]) plan_split(p, u->body[i]);
    u->index = k;
    u->cut = is_cut(u);
  }
  if (s.n < 2 || plan_map_around(b)) return;
  s.part = arena_array(p->a, Part, s.n);
  const IrOp *owner = b->region->owner;
  bool again = owner && (owner->code == IR_SCAN || (owner->code == IR_WHILE && b == b->owner->body[1]));
  Unit **order = arena_copy(p->a, b->unit.at, sizeof *order * (size_t)s.n);
  find_forks(&s);
  if (again && b->fork.n) {
    carry_sides(&s);
    memcpy(b->unit.at, order, sizeof *order * (size_t)s.n);
    find_forks(&s);
  }
  make_whole(b);
  p->nfork += b->fork.n;
}
