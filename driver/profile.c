// A trainer's step with a clock around every kernel, for `rlc bench` and `rlc emit --profile`.
#include <string.h>

#include "driver/driver.h"
#include "runtime/threads.h"

// The counter that LLVM's readcyclecounter reads.
static uint64_t clock_ticks(void) {
#if defined(__x86_64__)
  return __builtin_ia32_rdtsc();
#else
  return 0;
#endif
}

static void fill_settings(const RtProgram *p, uint64_t seed, char *at) {
  for (int k = 0; k < p->nsetting; k++) {
    const RtSetting *s = &p->setting[k];
    float f = (float)s->value;
    int64_t i = (int64_t)s->value;
    if (s->offset == p->seed) memcpy(at + s->offset, &seed, 8);
    else memcpy(at + s->offset, s->dtype == RT_F32 ? (void *)&f : (void *)&i, s->dtype == RT_F32 ? 4 : 8);
  }
}

static RtFrame make_frame(Driver *d, const RtProgram *p, int threads) {
  RtFrame f = { 0 };
  for (int s = 0; s < RT_NSPACE; s++) {
    char *at = s == RT_CONST ? (char *)(uintptr_t)p->consts : arena_alloc(d->arena, (size_t)p->bytes[s] * (size_t)(s == RT_ROOM ? threads : 1) + RT_ALIGN);
    f.base[s] = s == RT_CONST ? at : (char *)(((uintptr_t)at + RT_ALIGN - 1) / RT_ALIGN * RT_ALIGN);
  }
  return f;
}

Profile job_profile(Driver *d, Compiled *c, int64_t steps, int threads, uint64_t seed) {
  Profile r = { .node = plan_work(d->arena, c->plan[1]), .threads = threads ? threads : rt_cpus() };
  int n = r.node.n;
  int64_t *ticks = c->program.profile = arena_array(d->arena, int64_t, 2 * n + 1);
  char *why = "";
  double start = rt_now();
  Jit *jit = llvm_jit(d->arena, &c->program, &c->target, &why);
  ICE_IF(!jit, "%s", why);
  r.compile_s = rt_now() - start;
  RtFrame f = make_frame(d, c->table, r.threads);
  f.pool = rt_pool_new(r.threads);
  fill_settings(c->table, seed, f.base[RT_SETTING]);
  r.status = rt_before(c->table, &f, &(RtOptions){ .threads = threads, .quiet = true });
  if (!r.status) c->table->init(&f), c->table->step(&f);   // warm
  memset(ticks, 0, sizeof *ticks * (size_t)(2 * n));
  start = rt_now();
  uint64_t first = clock_ticks();
  while (!r.status && (steps ? r.steps < steps : r.total_s < 2 || r.steps < 3)) {
    c->table->step(&f);
    r.steps++;
    r.total_s = rt_now() - start;
  }
  double tick = r.total_s / (double)(clock_ticks() - first);
  r.seconds = arena_array(d->arena, double, n + 1);
  r.calls = arena_array(d->arena, double, n + 1);
  for (int k = 0; k < n; k++) {
    r.seconds[k] = (double)ticks[2 * k] * tick;
    // Threads run strips side by side, each with its clock.
    if (r.node.at[k]->strip) r.seconds[k] /= (double)(r.threads < r.node.at[k]->pieces ? r.threads : r.node.at[k]->pieces);
    r.calls[k] = (double)ticks[2 * k + 1];
  }
  rt_pool_free(f.pool);
  llvm_jit_free(jit);
  c->program.profile = NULL;
  return r;
}
