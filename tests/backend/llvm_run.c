#include "tests/backend/llvm_run.h"

#include "runtime/threads.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define ROOM 128            // around each array, filled with what a run must not change
#define FENCE 0x5a

typedef struct Layout { PlanPort *in, *out; int64_t bytes; } Layout;

static int64_t up(int64_t n) { return (n + RT_ALIGN - 1) / RT_ALIGN * RT_ALIGN; }

static Layout layout(Arena *a, const IrGraph *g) {
  Layout l = { arena_array(a, PlanPort, g->top->narg), arena_array(a, PlanPort, g->top->nyield), ROOM };
  for (int k = 0; k < g->top->narg; k++) {
    l.in[k] = (PlanPort){ RT_STATE, l.bytes };
    l.bytes += up(ir_bytes(&g->top->arg[k]->type)) + ROOM;
  }
  for (int k = 0; k < g->top->nyield; k++) {
    l.out[k] = (PlanPort){ RT_STATE, l.bytes };
    l.bytes += up(ir_bytes(&g->top->yield[k]->type)) + ROOM;
  }
  return l;
}

Program llvm_program(Arena *a, const IrGraph *g, const PlanTarget *t) {
  Layout l = layout(a, g);
  PlanInterface io = { l.in, l.out };
  PlanConsts *c = arena_new(a, PlanConsts);
  c->data.arena = a;
  Plan **p = arena_new(a, Plan *);
  *p = plan_build(a, g, &io, t, c, "test_entry");
  return (Program){ .nplan = 1, .plan = p, .const_data = c->data.s, .const_bytes = (int64_t)c->data.n };
}

static void *block(int64_t bytes, int fill) {
  void *p = aligned_alloc(RT_ALIGN, (size_t)up(bytes + RT_ALIGN));
  if (!p) abort();
  memset(p, fill, (size_t)up(bytes + RT_ALIGN));
  return p;
}

static bool fence_broken(const char *state, int64_t from, int64_t to) {
  for (; from < to; from++)
    if (state[from] != FENCE) return true;
  return false;
}

const char *llvm_run(Arena *a, const IrGraph *g, const Target *target, RtPool *pool, const IrArray *in, IrArray *out) {
  Target host = { 0 };
  const char *bad = NULL;
  char *why = NULL;
  if (!target) {
    if (!llvm_target_resolve(a, &host, &bad)) return bad;
    target = &host;
  }
  Program p = llvm_program(a, g, &target->plan);
  Jit *j = llvm_jit(a, &p, target, &why);
  if (!j) return why;
  Layout l = layout(a, g);
  // Temporaries begin as NaN: what is read before it is written shows.
  RtFrame f = { .base = { [RT_STATE] = block(l.bytes, FENCE), [RT_ARENA] = block(p.plan[0]->arena_bytes, 0xff),
                          [RT_ROOM] = block(p.plan[0]->room_bytes * rt_seats(pool), 0xff),
                          [RT_CONST] = block(p.const_bytes, 0) }, .pool = pool };
  if (p.const_bytes) memcpy(f.base[RT_CONST], p.const_data, (size_t)p.const_bytes);
  for (int k = 0; k < g->top->narg; k++) ir_array_to(&in[k], f.base[RT_STATE] + l.in[k].offset);
  llvm_jit_entry(j, "test_entry")(&f);
  int64_t end = 0;
  for (int k = 0; k < g->top->narg; k++) {
    if (fence_broken(f.base[RT_STATE], end, l.in[k].offset)) bad = arena_printf(a, "a store before input %d", k);
    end = l.in[k].offset + ir_bytes(&g->top->arg[k]->type);
  }
  for (int k = 0; k < g->top->nyield; k++) {
    if (fence_broken(f.base[RT_STATE], end, l.out[k].offset)) bad = arena_printf(a, "a store before output %d", k);
    end = l.out[k].offset + ir_bytes(&g->top->yield[k]->type);
    out[k] = ir_array_from(a, g->top->yield[k]->type, f.base[RT_STATE] + l.out[k].offset);
  }
  if (fence_broken(f.base[RT_STATE], end, l.bytes)) bad = "a store behind the last output";
  for (int k = 0; k < RT_NSPACE; k++) free(f.base[k]);
  llvm_jit_free(j);
  return bad;
}

static bool close_to(double x, double y, double rel, double abs) {
  if (isnan(x) || isnan(y)) return isnan(x) && isnan(y);
  if (x == y) return true;
  return fabs(x - y) <= rel * fabs(y) + abs;
}

char *llvm_differs(Arena *a, const IrArray *got, const IrArray *want, double rel, double abs) {
  int64_t n = ir_count(&want->type);
  if (!ir_is_diff(want->type.dtype)) {
    for (int64_t k = 0; k < n; k++)
      if (got->i[k] != want->i[k])
        return arena_printf(a, "element %lld is %lld, not %lld", (long long)k, (long long)got->i[k], (long long)want->i[k]);
    return NULL;
  }
  if (ir_is_complex(want->type.dtype)) n *= 2;
  for (int64_t k = 0; k < n; k++)
    if (!close_to(got->f[k], want->f[k], rel, abs))
      return arena_printf(a, "element %lld is %.17g, not %.17g", (long long)k, got->f[k], want->f[k]);
  return NULL;
}
