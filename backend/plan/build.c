#include "backend/plan/state.h"

static void keep(Planner *p) { plan_keep(p, p->top); }
static void fuse(Planner *p) { plan_fuse(p, p->top); }
static void order(Planner *p) { plan_order(p, p->top); }
static void shape(Planner *p) { plan_shape(p, p->top); }
static void strip(Planner *p) { plan_strip(p, p->top, false); }

static void split(Planner *p) {
  plan_strip(p, p->top, true);
  plan_split(p, p->top);
}

static const struct { PlanStage says; void (*run)(Planner *p); } stage[] = {
  {{"mark", "a graph after the passes", "which values are used, and which must be in memory because of what uses them",
    "what a routine, a loop or an output reads is settled before anything fuses"}, plan_mark},
  {{"keep", "values marked", "what is computed of an array before a part of it is written: stored by then",
    "computed behind the write, a number read before it would keep the whole old array by a copy"}, keep},
  {{"fuse", "values marked", "which other values are stored, and which node stores each: nests, products with epilogues",
    "a value between two nodes costs a trip through memory, inside of one a register"}, fuse},
  {{"order", "nodes", "what each node reads, and the order of the nodes in a block",
    "readers of a value come before the node that would write over it, where nothing forbids it: fewer copies"}, order},
  {{"shape", "nodes in order", "the vector axis, the late roots, the pieces that threads may take and the scratch room of each node",
    "from shapes alone, so that results do not depend on the number of threads"}, shape},
  {{"split", "nodes in order, with their cost", "stretches of nodes in two parts that do not need each other, for two threads",
    "before memory: parts that run at one time share no buffer"}, split},
  {{"strip", "nodes in order, with their cost", "nodes over one leading axis that run together, a strip of it at a time",
    "what one writes another reads while it is in the cache, and the threads meet once for all of them"}, strip},
  {{"place", "nodes in order, with their form", "life times, shared buffers, states updated in place, copies, addresses",
    "last: a step allocates nothing, since every array has an offset"}, plan_place},
};

const PlanStage *plan_stage(int k) { return k < (int)(sizeof stage / sizeof *stage) ? &stage[k].says : NULL; }

Plan *plan_make(Arena *a, const IrGraph *g, const PlanInterface *io, const PlanTarget *t, PlanConsts *consts, const char *name) {
  Planner p = {.a = a, .g = g, .io = io, .target = t, .consts = consts};
  p.plan = arena_new(a, Plan);
  *p.plan = (Plan){.arena = a, .graph = g, .name = arena_str(a, name)};
  p.plan->io.in = arena_copy(a, io->in, sizeof *io->in * (size_t)g->top->narg);
  p.plan->io.out = arena_copy(a, io->out, sizeof *io->out * (size_t)g->top->nyield);
  p.plan->value = arena_array(a, PlanValue, g->nvalue);
  p.fact = arena_array(a, Fact, g->nvalue);
  if (!consts->data.arena) consts->data.arena = a;
  for (int k = 0; plan_stage(k); k++) stage[k].run(&p);
  p.plan->const_data = consts->data.s;
  p.plan->const_bytes = (int64_t)consts->data.n;
  return p.plan;
}

Plan *plan_build(Arena *a, const IrGraph *g, const PlanInterface *io, const PlanTarget *t, PlanConsts *consts, const char *name) {
  Plan *p = plan_make(a, g, io, t, consts, name);
#ifndef NDEBUG
  char *bad = plan_verify(p);
  ICE_IF(bad, "the plan of %s: %s", name, bad);
#endif
  return p;
}
