// Experiments: trains what they ask for, computes what they compare, and says which claims hold.
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "driver/driver.h"
#include "runtime/internal.h"
#include "runtime/threads.h"

typedef struct Kept {            // a trainer with its settings, compiled once
  uint64_t hash;                 // of its graphs and of those it begins from
  const ElabTrainer *trainer;
  Compiled *code;
  Jit *jit;
  double compile_s;
  VEC(struct Ended *) ended;
} Kept;

typedef struct Ended {           // … and run with one seed
  uint64_t seed;
  char *block;                   // its last RT_STATE
  ElabRun run;
} Ended;

typedef struct Verify {
  Driver *d;
  Job job;
  RtOptions o;
  const char *name, *runs;       // the experiment; where runs are kept, or NULL
  bool summary;
  VEC(Kept *) kept;
  VEC(ElabClaim) claim;
  int failed;                    // claims that do not hold
  int status;                    // of the run that ended the experiment
} Verify;

// ---- runs ---------------------------------------------------------------------------------------------
static uint64_t trainer_hash(Arena *a, const ElabTrainer *t) {
  uint64_t h = ir_hash(a, ir_hash(a, t->hash, t->init), t->step);
  for (int k = 0; k < t->nsetting; k++) h = base_hash(h, &t->setting[k].value, sizeof t->setting[k].value);
  for (int k = 0; k < t->nbefore; k++) {
    uint64_t before = trainer_hash(a, t->before[k].trainer);
    h = base_hash(h, &before, sizeof before);
  }
  return h;
}

static Kept *kept_of(Verify *v, const ElabTrainer *t) {
  for (int k = 0; k < v->kept.n; k++)
    if (v->kept.at[k]->trainer == t) return v->kept.at[k];
  uint64_t h = trainer_hash(v->d->arena, t);
  for (int k = 0; k < v->kept.n; k++)
    if (v->kept.at[k]->hash == h) return v->kept.at[k];
  Kept *n = arena_new(v->d->arena, Kept);
  *n = (Kept){ .hash = h, .trainer = t };
  vec_push(v->d->arena, &v->kept, n);
  return n;
}

static Ended *ended_of(const Kept *k, uint64_t seed) {
  for (int i = 0; i < k->ended.n; i++)
    if (k->ended.at[i]->seed == seed) return k->ended.at[i];
  return NULL;
}

static const RtProgram *known(void *data, const ElabTrainer *t) {
  const Kept *k = kept_of(data, t);
  return k->code ? k->code->table : NULL;
}

static bool compile(Verify *v, Kept *k) {
  if (k->code) return true;
  double start = rt_now();
  char *why = "";
  k->code = trainer_compile(v->d, &v->job, k->trainer, known, v);
  if (!k->code) return false;
  k->jit = llvm_jit(v->d->arena, &k->code->program, &k->code->target, &why);
  ICE_IF(!k->jit, "%s", why);
  k->compile_s = rt_now() - start;
  return true;
}

typedef struct Running { Verify *v; const Kept *kept; Ended *ended; } Running;

static void keep_state(void *data, const RtFrame *f) {
  Running *r = data;
  const RtProgram *p = r->kept->code->table;
  r->ended->block = arena_copy(r->v->d->arena, f->base[RT_STATE], (size_t)p->bytes[RT_STATE]);
}

static const char *state_before(void *data, const RtProgram *p, int64_t k) {
  const Running *r = data;
  (void)p;
  return ended_of(kept_of(r->v, r->kept->trainer->before[k].trainer), r->ended->seed)->block;
}

static ElabRun run_of(Arena *a, const Kept *k, const char *block, double wall_s) {
  const RtProgram *p = k->code->table;
  const char **state = arena_array(a, const char *, p->nstate + 1);
  for (int i = 0; i < p->nstate; i++) state[i] = block + p->state[i].offset;
  int64_t bytes = p->bytes[RT_STATE] + p->bytes[RT_SETTING] + p->bytes[RT_OUT] + p->bytes[RT_ARENA] + p->bytes[RT_ROOM];
  return (ElabRun){ .state = state, .wall_s = wall_s, .compile_s = k->compile_s, .step_bytes = bytes };
}

static const ElabRun *train(void *data, const ElabTrainer *t, uint64_t seed) {
  Verify *v = data;
  Kept *k = kept_of(v, t);
  Ended *e = ended_of(k, seed);
  if (e) return &e->run;
  for (int i = 0; i < t->nbefore; i++)
    if (!train(v, t->before[i].trainer, seed)) return NULL;
  if (!compile(v, k)) return NULL;
  Arena *a = v->d->arena;
  e = arena_new(a, Ended);
  e->seed = seed;
  Running r = { v, k, e };
  RtOptions o = v->o;
  o.seed_given = true;
  o.seed = seed;
  o.forget = true;
  o.ended = keep_state;
  o.before = state_before;
  o.data = &r;
  Diagnosis g = { v->d, t, k->code->table };
  o.diagnose = job_diagnose;
  o.diagnose_data = &g;
  if (v->runs) {
    o.checkpoint = arena_printf(a, "%s/%s-%016llx-%llu.ckpt", v->runs, t->name, (unsigned long long)k->hash, (unsigned long long)seed);
    struct stat there;
    if (stat(o.checkpoint, &there) == 0) o.resume = o.checkpoint;
  }
  if (!o.quiet) fprintf(stderr, "%s: seed %llu\n", t->name, (unsigned long long)seed);
  double start = rt_now();
  v->status = rt_train(k->code->table, &o);
  if (v->status) return NULL;
  e->run = run_of(a, k, e->block, rt_now() - start);
  vec_push(a, &k->ended, e);
  return &e->run;
}

// ---- graphs ----------------------------------------------------------------------------------------------
typedef struct Code { Jit *jit; RtFrame f; void (*entry)(RtFrame *); Plan *plan; const char *consts; } Code;

static char *block(Arena *a, int64_t bytes) {
  char *p = arena_array(a, char, bytes + 2 * RT_ALIGN);
  return (char *)(((uintptr_t)p + RT_ALIGN - 1) / RT_ALIGN * RT_ALIGN);
}

static int64_t room(int n, IrValue *const *v) {
  int64_t sum = 0;
  for (int k = 0; k < n; k++) sum += ir_bytes(&v[k]->type) + RT_ALIGN;
  return sum;
}

static bool load(Verify *v, IrGraph *g, const char *const *in, Code *c) {
  Driver *d = v->d;
  Target t;
  char *why = "";
  if (!job_passes(d, &v->job, g) || !job_target(d, &v->job, &t)) return false;
  PlanConsts *consts = arena_new(d->arena, PlanConsts);
  consts->data.arena = d->arena;
  c->plan = plan_alone(d, g, &t, consts);
  Program p = { .nplan = 1, .plan = &c->plan, .const_data = consts->data.s, .const_bytes = (int64_t)consts->data.n };
  c->jit = llvm_jit(d->arena, &p, &t, &why);
  ICE_IF(!c->jit, "%s", why);
  c->entry = llvm_jit_entry(c->jit, c->plan->name);
  int threads = v->o.threads ? v->o.threads : rt_cpus();
  c->f = (RtFrame){ .base = { [RT_STATE] = block(d->arena, room(g->top->narg, g->top->arg)), [RT_OUT] = block(d->arena, room(g->top->nyield, g->top->yield)),
                              [RT_ARENA] = block(d->arena, c->plan->arena_bytes), [RT_ROOM] = block(d->arena, threads * c->plan->room_bytes), [RT_CONST] = block(d->arena, p.const_bytes) } };
  if (p.const_bytes) memcpy(c->f.base[RT_CONST], p.const_data, (size_t)p.const_bytes);
  for (int k = 0; k < g->top->narg; k++) memcpy(c->f.base[RT_STATE] + c->plan->io.in[k].offset, in[k], (size_t)ir_bytes(&g->top->arg[k]->type));
  c->f.pool = rt_pool_new(threads);
  return true;
}

static void unload(Code *c) {
  rt_pool_free(c->f.pool);
  llvm_jit_free(c->jit);
}

static bool compute(void *data, IrGraph *g, const char *const *in, char *const *out) {
  Code c;
  if (!load(data, g, in, &c)) return false;
  c.entry(&c.f);
  for (int k = 0; k < g->top->nyield; k++) memcpy(out[k], c.f.base[RT_OUT] + c.plan->io.out[k].offset, (size_t)ir_bytes(&g->top->yield[k]->type));
  unload(&c);
  return true;
}

static int by_size(const void *a, const void *b) {
  double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

// Runs of as many calls as take a millisecond, for a third of a second.
static bool time_graph(void *data, IrGraph *g, const char *const *in, double *seconds) {
  Code c;
  double run[400];
  int n = 0, calls = 1;
  if (!load(data, g, in, &c)) return false;
  for (double took = 0; took < 1e-3; calls *= took < 1e-3 ? 2 : 1) {
    double start = rt_now();
    for (int k = 0; k < calls; k++) c.entry(&c.f);
    took = rt_now() - start;
  }
  for (double begin = rt_now(); n < 5 || (n < 400 && rt_now() - begin < 0.3); n++) {
    double start = rt_now();
    for (int k = 0; k < calls; k++) c.entry(&c.f);
    run[n] = (rt_now() - start) / calls;
  }
  qsort(run, (size_t)n, sizeof *run, by_size);
  *seconds = run[n / 2];
  unload(&c);
  return true;
}

static bool exact(void *data, IrGraph *g, const IrArray *in, IrArray *out) { return host_exact(((Verify *)data)->d, g, in, out); }

// ---- what comes of it ---------------------------------------------------------------------------------------
static void claim(void *data, const ElabClaim *c) {
  Verify *v = data;
  vec_push(v->d->arena, &v->claim, *c);
  v->failed += !c->holds;
  printf("%s  %s:%d  %s%s%s%s\n", c->holds ? "holds" : "FAILS", c->loc.src->path, c->loc.line, c->text, *c->values ? "  (" : "", c->values, *c->values ? ")" : "");
  fflush(stdout);
}

static void summary(const Verify *v, double wall_s) {
  RtText t = { 0 };
  rt_text(&t, "{\"claims\": [");
  for (int k = 0; k < v->claim.n; k++) {
    const ElabClaim *c = &v->claim.at[k];
    rt_text(&t, "%s{\"line\": %d, \"claim\": ", k ? ", " : "", c->loc.line);
    rt_json_string(&t, c->text);
    rt_text(&t, ", \"holds\": %s, \"values\": ", c->holds ? "true" : "false");
    rt_json_string(&t, c->values);
    rt_text(&t, "}");
  }
  rt_text(&t, "], \"hold\": %d, \"fail\": %d, \"wall_s\": ", v->claim.n - v->failed, v->failed);
  rt_json_float(&t, wall_s, 6);
  rt_text(&t, "}\n");
  if (t.failed || fwrite(t.s, 1, t.n, stdout) != t.n) complain("cannot write the summary: %s", t.failed ? "no memory" : strerror(errno));
  rt_text_free(&t);
}

static int run(Verify *v, Elab *e) {
  ElabHost host = { .data = v, .train = train, .compute = compute, .time = time_graph, .exact = exact, .claim = claim };
  if (v->runs && mkdir(v->runs, 0777) != 0 && errno != EEXIST) return complain("cannot make the folder %s: %s", v->runs, strerror(errno));
  bool fine = elab_experiment(e, v->name, &host, v->o.seed);
  if (!fine && !v->status) return v->d->diags->count ? mistake(v->d) : RT_MISTAKE;
  if (!fine && v->status >= RT_INTERRUPTED && v->runs) complain("the runs so far are in %s; the same command goes on from them", v->runs);
  if (!fine) return v->status;
  if (v->summary) summary(v, rt_now() - v->d->started);
  return v->failed ? RT_MISTAKE : RT_FINE;
}

int command_verify(Driver *d, int argc, char **argv) {
  Verify *v = arena_new(d->arena, Verify);
  v->d = d;
  for (int i = 1; i < argc; i++) {
    const char *word = argv[i], *why = NULL, **value = NULL;
    if (take_value(argc, argv, &i, "--experiment", &v->name)) value = &v->name;
    else if (take_value(argc, argv, &i, "--runs", &v->runs)) value = &v->runs;
    if (value && !*value) return usage("verify", "%s wants a value", word);
    if (value) continue;
    int k = take_job(d, argc, argv, &i, &v->job);
    if (k < 0) return usage("verify", "%s wants a value", word);
    if (k > 0) continue;
    k = rt_option(&v->o, argc, argv, &i, &why);
    if (k < 0) return usage("verify", "%s", why);
    if (k > 0) continue;
    if (is_option(word)) return usage("verify", "there is no option %s", word);
    if (v->job.path) return usage("verify", "one file at a time: %s, and then %s", v->job.path, word);
    v->job.path = word;
  }
  if (!v->job.path) return usage("verify", "which file?");
  if (v->job.triple) return usage("verify", "what runs here is compiled for here");
  if (v->o.log || v->o.checkpoint || v->o.resume || v->o.steps) return usage("verify", "runs of an experiment are kept by --runs DIR; --log, --checkpoint, --resume and --steps are for `rlc run`");
  v->summary = v->o.summary;
  v->o.summary = false;
  ElabOptions *o = job_overrides(d, &v->job);
  const Source *src = job_source(d, &v->job);
  Elab *e = src ? elab_new(d->arena, d->diags, src, o) : NULL;
  int status = e ? run(v, e) : mistake(d);
  for (int k = 0; k < v->kept.n; k++) llvm_jit_free(v->kept.at[k]->jit);
  return status;
}
