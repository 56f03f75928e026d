// What the files of strips share: strip.c (which nodes run together), room.c (where strips end, the order of nodes in one).
#ifndef RLC_PLAN_STRIP_H
#define RLC_PLAN_STRIP_H

#include "backend/plan/state.h"

enum { AHEAD, INSIDE, BEHIND, DONE, AFTER };   // of the strips at hand; done: arranged; after: of no list yet

typedef struct Units { VEC(Unit *) v; } Units;
typedef struct Grouping {
  Planner *p;
  Block *b;
  int64_t n;                  // strips
  int tries;                  // left
  bool foresee;
  bool turns;                 // strips are to go through the turns of the loop around
} Grouping;

static inline double strip_ns(const Grouping *g) { return piece_ns(g->p) / 2; }   // of work, that a strip is worth

// In a loop, units inside come BEHIND where that frees much.
void strip_end(Grouping *g, Units *list);
// In a loop, units AHEAD come BEHIND for which only those wait: a weight gradient joins the optimizer that reads it.
void strip_wait(const Grouping *g, Units *list);
// Puts the n nodes of strips into the order that takes the least room.
void strip_order(const Grouping *g, Unit **inside, int n);

#endif
