// The room that strips take: where they end, and the order of the nodes in one.
//
// Strips run in any order, so that what one node of them writes has a place of its own as long as any of them runs. In a loop over
// layers, half of a layer that frees more than the other half asks for comes first, with the weight gradients that read it.
// Within a strip nodes follow one another, and what they write for each other lies where others have done with theirs.
#include "backend/plan/strip.h"

#define FREED (1 << 17)       // bytes that a cut must win
#define LEAST_ROOM (1 << 16)  // of a strip: with less, the order is as it may be
#define MUCH 16               // nodes are moved that write at least this part of all the room

// ---- where strips end ----------------------------------------------------------------------------------
static bool reads_from(const Grouping *g, const Unit *u, const Unit *w) {
  for (int i = 0; i < u->read.n; i++)
    if (fact_of(g->p, u->read.at[i].v)->unit == w) return true;
  return false;
}

// Does w write over what u reads?
static bool would_write_over(const Grouping *g, const Unit *w, const Unit *u) {
  for (int i = 0; i < u->read.n; i++) {
    const Fact *f = fact_of(g->p, u->read.at[i].v);
    for (int k = 0; k < f->wanted.n; k++)
      if (f->wanted.at[k] == w) return true;
  }
  return false;
}

enum { BY_STRIP, BY_BEHIND, BY_OTHERS };

// Who needs what w writes: nodes of the strips alone, nodes of the list behind them, or others still: behind a fork, or what the
// block yields.
static int needed_by(const Grouping *g, const Unit *w) {
  int by = BY_STRIP;
  for (int k = 0; k < g->b->unit.n; k++) {
    const Unit *u = g->b->unit.at[k];
    if ((u->where != BEHIND && u->where != AFTER) || !reads_from(g, u, w)) continue;
    if (u->where == AFTER) return BY_OTHERS;
    by = BY_BEHIND;
  }
  for (int k = 0; k < g->b->region->nyield; k++)
    if (fact_of(g->p, fact_of(g->p, g->b->region->yield[k])->base)->unit == w) return BY_OTHERS;
  return by;
}

// What units inside read that others wrote before, and nobody else reads: by which of them.
typedef struct Given { const IrValue *v; bool *by; } Given;

typedef struct Readers { VEC(int) v; } Readers;

// A list whose units inside may be parted.
typedef struct Cut {
  const Grouping *g;
  const Units *list;
  int n;
  Readers *reader;               // of each unit: the units of the list that read what it wrote
  int *need;                     // the last unit inside that it needs, itself or through others behind; -1: none
  int *end;                      // of a unit inside: the last one inside that those behind wait for which read what it wrote
  int *by;                       // … who they are
  int64_t *bytes;                // … what it writes
  bool *later;                   // it comes behind the cut
  VEC(Given) given;
} Cut;

static bool is_inside(const Cut *c, int k) { return c->list->v.at[k]->where == INSIDE; }

// The unit of the list that writes v, or -1.
static int writer_of(const Cut *c, const IrValue *v) {
  const Unit *w = fact_of(c->g->p, v)->unit;
  return w && w->block == c->g->b && w->place >= 0 && w->place < c->n && c->list->v.at[w->place] == w ? w->place : -1;
}

static Cut cut_of(const Grouping *g, const Units *list) {
  Arena *a = g->p->a;
  int n = list->v.n;
  Cut c = {.g = g, .list = list, .n = n};
  c.reader = arena_array(a, Readers, n + 1);
  c.need = arena_array(a, int, n + 1), c.end = arena_array(a, int, n + 1), c.by = arena_array(a, int, n + 1);
  c.bytes = arena_array(a, int64_t, n + 1);
  c.later = arena_array(a, bool, n + 1);
  for (int k = 0; k < n; k++) list->v.at[k]->place = k;
  for (int k = 0; k < n; k++) {
    const Unit *u = list->v.at[k];
    c.need[k] = is_inside(&c, k) ? k : -1;
    c.by[k] = is_inside(&c, k) ? needed_by(g, u) : BY_OTHERS;
    for (int i = 0; i < u->root.n; i++) c.bytes[k] += ir_bytes(&u->root.at[i]->type);
    for (int i = 0; i < u->read.n; i++) {
      int w = writer_of(&c, u->read.at[i].v);
      if (w >= 0) vec_push(a, &c.reader[w].v, k);
      if (w >= 0 && u->where == BEHIND && c.need[w] > c.need[k]) c.need[k] = c.need[w];
    }
    for (int i = 0; i < u->read.n; i++) {
      int w = writer_of(&c, u->read.at[i].v);
      if (w >= 0 && u->where != AHEAD && c.need[k] > c.end[w]) c.end[w] = c.need[k];
    }
  }
  return c;
}

static void find_given(Cut *c) {
  Planner *p = c->g->p;
  int *at = arena_array(p->a, int, p->g->nvalue);
  for (int k = 0; k < c->n; k++)
    for (int i = 0; i < c->list->v.at[k]->read.n && is_inside(c, k); i++) {
      const IrValue *v = c->list->v.at[k]->read.at[i].v;
      const Fact *f = fact_of(p, v);
      if (f->block != c->g->b || !f->unit || f->unit->where == INSIDE) continue;
      if (!at[v->id]) {
        vec_push(p->a, &c->given, ((Given){v, arena_array(p->a, bool, c->n)}));
        at[v->id] = c->given.n;
      }
      c->given.at[at[v->id] - 1].by[k] = true;
    }
  for (int k = 0; k < c->given.n; k++)
    if (needed_by(c->g, fact_of(p, c->given.at[k].v)->unit) != BY_STRIP) c->given.at[k].v = NULL;
}

// Is it needed no longer when the units are done that come before the cut?
static bool is_used_up(const Cut *c, const Given *x, int at) {
  for (int k = 0; k < c->n; k++)
    if (x->by[k] && (k > at || c->later[k])) return false;
  return x->v != NULL;
}

// All that read what the unit wrote come behind the cut, and some do.
static bool only_for_later(const Cut *c, int i) {
  for (int k = 0; k < c->reader[i].v.n; k++)
    if (!c->later[c->reader[i].v.at[k]]) return false;
  return c->reader[i].v.n > 0;
}

static bool read_later(const Cut *c, int i) {
  for (int k = 0; k < c->reader[i].v.n; k++)
    if (c->later[c->reader[i].v.at[k]]) return true;
  return false;
}

// What is won by a cut behind unit `at`: as much as is freed there and as what is written behind may lie in, without what one
// half must leave for the other. 0 where a half is too little for strips. Sets `later`.
static int64_t gain_of(Cut *c, int at) {
  int64_t freed = 0, left = 0, handed = 0;
  double ns[2] = {0}, least = strip_ns(c->g) * (double)c->g->n;
  for (int k = c->n - 1; k >= 0; k--) {
    c->later[k] = is_inside(c, k) && (k > at || only_for_later(c, k));
    if (!is_inside(c, k)) continue;
    ns[c->later[k]] += c->list->v.at[k]->ns;
    if (c->later[k]) left += c->by[k] == BY_STRIP ? 0 : c->bytes[k];
    else if (c->by[k] == BY_BEHIND) freed += c->end[k] <= at ? c->bytes[k] : 0;
    else if (c->by[k] == BY_STRIP) handed += read_later(c, k) ? c->bytes[k] : 0;
  }
  for (int k = 0; k < c->given.n; k++)
    if (is_used_up(c, &c->given.at[k], at)) freed += ir_bytes(&c->given.at[k].v->type);
  return ns[0] < least || ns[1] < least ? 0 : (freed < left ? freed : left) - handed;
}

// Where enough is won, units inside come behind.
void strip_end(Grouping *g, Units *list) {
  if (!g->b->loop) return;
  Cut c = cut_of(g, list);
  find_given(&c);
  int best = -1;
  int64_t most = FREED;
  for (int k = 0; k < c.n; k++) {
    int64_t gain = is_inside(&c, k) ? gain_of(&c, k) : 0;
    if (gain >= most) most = gain, best = k;
  }
  if (best < 0) return;
  gain_of(&c, best);
  for (int k = 0; k < c.n; k++)
    if (c.later[k]) list->v.at[k]->where = BEHIND;
}

// ---- what may wait ------------------------------------------------------------------------------------
static bool read_after(const Grouping *g, const IrValue *v) {
  for (int k = 0; k < g->b->unit.n; k++) {
    const Unit *w = g->b->unit.at[k];
    for (int i = 0; i < w->read.n && w->where != DONE && w->where != AHEAD; i++)
      if (w->read.at[i].v == v) return true;
  }
  return false;
}

// Ahead of the strips, with a result that only those behind them read, and no more of what it reads given back than it writes?
static bool may_wait(const Grouping *g, const Units *list, const Unit *u) {
  if (u->where != AHEAD || needed_by(g, u) != BY_BEHIND) return false;
  int64_t bytes = 0;
  for (int i = 0; i < u->root.n; i++) bytes += ir_bytes(&u->root.at[i]->type);
  for (int i = 0; i < u->read.n; i++) {
    const Fact *f = fact_of(g->p, u->read.at[i].v);
    if (f->block == g->b && f->unit && !read_after(g, u->read.at[i].v)) bytes -= ir_bytes(&u->read.at[i].v->type);
  }
  for (int k = 0; k < list->v.n; k++) {
    const Unit *w = list->v.at[k];
    if (w->where == BEHIND) continue;
    if (reads_from(g, w, u) || would_write_over(g, w, u)) return false;
  }
  return bytes > 0;
}

void strip_wait(const Grouping *g, Units *list) {
  for (int k = list->v.n - 1; k >= 0 && g->b->loop; k--)
    if (may_wait(g, list, list->v.at[k])) list->v.at[k]->where = BEHIND;
}

// ---- the order of nodes in a strip --------------------------------------------------------------------
// An array that a node of the strip writes for others of it, and a node: which of these it writes, and which it reads; `point`: it
// may write over it.
typedef struct Item { int64_t bytes; int left; } Item;
typedef struct Member { Unit *u; int first, end, nread, *read; bool *point; } Member;
typedef struct Need { int64_t most, all; } Need;   // of room for a strip: at the fullest time; summed over time

typedef struct Order {
  VEC(Item) item;
  Member *of;
  int n, *at;                  // members, in order
} Order;

static Need need_of(Order *o) {
  Need need = {0};
  int64_t live = 0;
  for (int k = 0; k < o->item.n; k++) o->item.at[k].left = 0;
  for (int k = 0; k < o->n; k++)
    for (int i = 0; i < o->of[k].nread; i++) o->item.at[o->of[k].read[i]].left++;
  for (int k = 0; k < o->n; k++) {
    const Member *m = &o->of[o->at[k]];
    int64_t writes = 0, over = 0, ends = 0;
    for (int i = m->first; i < m->end; i++) writes += o->item.at[i].bytes;
    for (int i = 0; i < m->nread; i++) {
      Item *x = &o->item.at[m->read[i]];
      if (--x->left) continue;
      ends += x->bytes;
      if (m->point[i]) over += x->bytes;
    }
    int64_t now = live + writes - (over < writes ? over : writes);
    if (now > need.most) need.most = now;
    need.all += now;
    live += writes - ends;
  }
  return need;
}

static bool less(Need a, Need b) { return a.most != b.most ? a.most < b.most : a.all < b.all; }

static void exchange(int *at, int k) {
  int t = at[k];
  at[k] = at[k + 1];
  at[k + 1] = t;
}

static void read_items(const Grouping *g, Member *m, const int *item) {
  m->read = arena_array(g->p->a, int, m->u->read.n);
  m->point = arena_array(g->p->a, bool, m->u->read.n);
  for (int i = 0; i < m->u->read.n; i++) {
    const Read *r = &m->u->read.at[i];
    int k = item[r->v->id] - 1, at = 0;
    if (k < 0) continue;
    while (at < m->nread && m->read[at] != k) at++;
    if (at == m->nread) m->read[m->nread++] = k, m->point[at] = true;
    m->point[at] &= r->point;
  }
}

static Order order_of(const Grouping *g, Unit *const *inside, int n) {
  Arena *a = g->p->a;
  Order o = {.of = arena_array(a, Member, n), .n = n, .at = arena_array(a, int, n)};
  int *item = arena_array(a, int, g->p->g->nvalue);
  for (int k = 0; k < n; k++) {
    Member *m = &o.of[k];
    o.at[k] = k;
    *m = (Member){.u = inside[k], .first = o.item.n, .end = o.item.n};
    bool own = needed_by(g, m->u) == BY_STRIP;
    for (int i = 0; i < m->u->root.n && own; i++) {
      vec_push(a, &o.item, ((Item){ir_bytes(&m->u->root.at[i]->type), 0}));
      item[m->u->root.at[i]->id] = m->end = o.item.n;
    }
    read_items(g, m, item);
  }
  return o;
}

// No farther from where it was than the fullest time asks for: what lies in its way may want to write over what it reads.
static void go_back(Order *o, Need need) {
  for (int k = 1; k < o->n; k++) {
    int to = k, best = k;
    while (to && o->at[to - 1] > o->at[to]) {
      exchange(o->at, --to);
      if (need_of(o).most <= need.most) best = to;
    }
    for (; to < best; to++) exchange(o->at, to);
  }
}

// What takes much room is computed later, past nodes that do not need it, where that makes the room smaller: attention's
// weights, if they are computed again, when its other half is done.
void strip_order(const Grouping *g, Unit **inside, int n) {
  Order o = order_of(g, inside, n);
  Need need = need_of(&o);
  if (need.most / g->n < LEAST_ROOM) return;
  for (bool moved = true; moved;) {
    moved = false;
    for (int k = n - 2; k >= 0; k--) {
      const Member *m = &o.of[o.at[k]];
      int to = k, best = k;
      int64_t writes = 0;
      for (int i = m->first; i < m->end; i++) writes += o.item.at[i].bytes;
      if (MUCH * writes < need.most) continue;
      while (to + 1 < n && !reads_from(g, o.of[o.at[to + 1]].u, m->u) && !would_write_over(g, o.of[o.at[to + 1]].u, m->u)) {
        exchange(o.at, to++);
        Need then = need_of(&o);
        if (less(then, need)) need = then, best = to;
      }
      while (to > best) exchange(o.at, --to);
      moved |= best > k;
    }
  }
  go_back(&o, need);
  for (int k = 0; k < n; k++) inside[k] = o.of[o.at[k]].u;
}

