// Runs a plan in plain C: every root at every point of its domain, pulled through the IR,
// on real memory at the plan's addresses. Slow on purpose; a check of plans apart from any backend.
#ifndef RLC_TESTS_PLAN_RUN_H
#define RLC_TESTS_PLAN_RUN_H

#include "backend/plan.h"

// Runs p on memory base[space]; RT_CONST is the plan's own, RT_ROOM is taken here. The points of a domain are visited in an order
// that `seed` shuffles, since a plan must not depend on it. NULL, or why it stopped.
const char *plan_run(Arena *a, const Plan *p, char *base[RT_NSPACE], uint64_t seed);

#endif
