#include "backend/plan/state.h"

Plan *plan_make(Arena *a, const IrGraph *g, const PlanInterface *io, const PlanTarget *t, PlanConsts *consts, const char *name) {
  Planner p = {.a = a, .g = g, .io = io, .target = t, .consts = consts};
  p.plan = arena_new(a, Plan);
  *p.plan = (Plan){.arena = a, .graph = g, .name = arena_str(a, name)};
  p.plan->io.in = arena_copy(a, io->in, sizeof *io->in * (size_t)g->top->narg);
  p.plan->io.out = arena_copy(a, io->out, sizeof *io->out * (size_t)g->top->nyield);
  p.plan->value = arena_array(a, PlanValue, g->nvalue);
  p.fact = arena_array(a, Fact, g->nvalue);
  if (!consts->data.arena) consts->data.arena = a;
  plan_mark(&p);
  plan_fuse(&p, p.top);
  plan_order(&p, p.top);
  plan_shape(&p, p.top);
  plan_strip(&p, p.top);
  plan_place(&p);
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
