// The loop around a trainer's step: memory, settings, signals, log, checkpoints, what is said at the end.
#include "runtime/trainer.h"

#include <errno.h>
#include <math.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "runtime/internal.h"
#include "runtime/memory.h"
#include "runtime/threads.h"

// A copy of the last good state is kept in memory, so that a run that diverges can write it and can
// step again to where it went bad. Larger states have only their checkpoint.
#define KEPT_MOST (64ll << 20)
#define KEEP_S 0.01              // least time between two copies
#define KEEP_SHARE 100           // and the time a copy takes, so often

typedef struct Run {
  const RtProgram *p;
  const RtOptions *o;
  RtFrame f;
  RtLog log;
  RtProgress progress;
  double began, saved, kept_at, keep_every; // rt_now()
  int64_t step0, env0;                      // steps and environment steps before this run
  char *kept;                               // RT_STATE after step kept_step, or NULL
  int64_t kept_step, saved_step;            // saved_step: of the checkpoint this run wrote last, or -1
  char *odd;                                // [nstate]: this array held values that are not finite at the start
} Run;

// ---- small things ---------------------------------------------------------------------------------
double rt_now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

void rt_say(const char *fmt, ...) {
  char text[1200];
  va_list ap;
  va_start(ap, fmt);
  vsnprintf(text, sizeof text, fmt, ap);
  va_end(ap);
  fprintf(stderr, "rlc: %s\n", text);
}

static const struct { const char *name; int64_t bytes; } dtypes[] = {
  { "bool", 1 }, { "i8", 1 }, { "i16", 2 }, { "i32", 4 }, { "i64", 8 }, { "u8", 1 }, { "u32", 4 },
  { "u64", 8 }, { "bf16", 2 }, { "f32", 4 }, { "f64", 8 }, { "c64", 8 }, { "c128", 16 },
};

int64_t rt_dtype_bytes(int32_t dtype) { return dtypes[dtype].bytes; }
const char *rt_dtype_name(int32_t dtype) { return dtypes[dtype].name; }

float rt_metric_value(const RtProgram *p, const RtFrame *f, int i) {
  return *(const float *)(const void *)(f->base[RT_STATE] + p->metric[i].value);
}

const RtMetric *rt_metric(const RtProgram *p, const char *name) {
  for (int i = 0; i < p->nmetric; i++)
    if (!strcmp(p->metric[i].name, name)) return &p->metric[i];
  return NULL;
}

static int64_t steps_done(const Run *r) {
  return *(const int64_t *)(const void *)(r->f.base[RT_STATE] + r->p->iter);
}

static bool flag(const Run *r, int64_t at) {
  return r->f.base[RT_OUT][at] != 0;
}

// ---- signals ---------------------------------------------------------------------------------------
static volatile sig_atomic_t caught;

static void on_signal(int sig) {
  if (caught) _exit(128 + sig);    // asked twice: at once
  caught = sig;
}

typedef struct Signals { struct sigaction interrupt, terminate; } Signals;

static void signals_take(Signals *old) {
  struct sigaction sa = { .sa_handler = on_signal };
  sigemptyset(&sa.sa_mask);
  caught = 0;
  sigaction(SIGINT, &sa, &old->interrupt);
  sigaction(SIGTERM, &sa, &old->terminate);
}

static void signals_give_back(const Signals *old) {
  sigaction(SIGINT, &old->interrupt, NULL);
  sigaction(SIGTERM, &old->terminate, NULL);
}

// ---- settings ----------------------------------------------------------------------------------------
// A number as the language writes it: digits may be grouped by _, and 1e6 is a whole number too.
static bool number(const char *text, double *v) {
  char plain[64], *end;
  size_t n = 0;
  for (; *text; text++) {
    if (*text == '_') continue;
    if (n + 1 == sizeof plain) return false;
    plain[n++] = *text;
  }
  plain[n] = 0;
  *v = strtod(plain, &end);
  return n > 0 && !*end && isfinite(*v);
}

static bool set_unknown(const RtProgram *p, const char *name) {
  char list[900] = "";
  size_t n = 0;
  for (int i = 0; i < p->nsetting && n < sizeof list; i++)
    if (p->setting[i].offset != p->seed) n += (size_t)snprintf(list + n, sizeof list - n, "%s%s", n ? ", " : "", p->setting[i].name);
  rt_say("--set %s: %s has no such setting that can still be chosen; it has %s", name, p->name, n ? list : "none");
  return false;
}

static bool set_one(const RtProgram *p, char *block, const RtSet *set) {
  const RtSetting *s = NULL;
  for (int i = 0; i < p->nsetting; i++)
    if (p->setting[i].offset != p->seed && !strcmp(p->setting[i].name, set->name)) s = &p->setting[i];
  if (!s) return set_unknown(p, set->name);
  double v;
  bool fine = number(set->value, &v);
  if (s->dtype == RT_F32) {
    float x = (float)v;
    if (fine && isfinite(x)) return memcpy(block + s->offset, &x, 4), true;
    rt_say("--set %s=%s: it wants a number", set->name, set->value);
    return false;
  }
  if (fine && v == floor(v) && fabs(v) <= 9007199254740992.0) {
    int64_t x = (int64_t)v;
    return memcpy(block + s->offset, &x, 8), true;
  }
  rt_say("--set %s=%s: it wants a whole number", set->name, set->value);
  return false;
}

static void set_defaults(const RtProgram *p, char *block) {
  for (int i = 0; i < p->nsetting; i++) {
    const RtSetting *s = &p->setting[i];
    float x = (float)s->value;
    int64_t n = (int64_t)s->value;
    memcpy(block + s->offset, s->dtype == RT_F32 ? (void *)&x : (void *)&n, s->dtype == RT_F32 ? 4 : 8);
  }
}

static bool set_given(Run *r) {
  char *block = r->f.base[RT_SETTING];
  for (int i = 0; i < r->o->nset; i++)
    if (!set_one(r->p, block, &r->o->set[i])) return false;
  if (r->o->seed_given) memcpy(block + r->p->seed, &r->o->seed, 8);
  return true;
}

// ---- is the state sound? --------------------------------------------------------------------------------
static bool all_finite(const RtArray *a, const char *at) {
  const char *end = at + a->bytes;
  // An exponent of all ones: infinite or NaN. Or-ing over a run keeps the loop free of branches.
  switch ((RtDtype)a->dtype) {
  case RT_BF16:
    for (; at < end; at += 2)
      if ((*(const uint16_t *)(const void *)at & 0x7f80) == 0x7f80) return false;
    return true;
  case RT_F32: case RT_C64:
    while (at < end) {
      uint32_t bad = 0;
      for (const char *stop = end - at > 4096 ? at + 4096 : end; at < stop; at += 4)
        bad |= (*(const uint32_t *)(const void *)at & 0x7f800000u) == 0x7f800000u;
      if (bad) return false;
    }
    return true;
  case RT_F64: case RT_C128:
    for (; at < end; at += 8)
      if ((*(const uint64_t *)(const void *)at & 0x7ff0000000000000u) == 0x7ff0000000000000u) return false;
    return true;
  default: return true;
  }
}

// The first array that went bad since the start, or NULL.
static const RtArray *gone_bad(const Run *r) {
  for (int i = 0; i < r->p->nstate; i++)
    if (!r->odd[i] && !all_finite(&r->p->state[i], r->f.base[RT_STATE] + r->p->state[i].offset)) return &r->p->state[i];
  return NULL;
}

static void keep(Run *r, double now) {
  if (!r->kept || now - r->kept_at < r->keep_every || gone_bad(r)) return;
  memcpy(r->kept, r->f.base[RT_STATE], (size_t)r->p->bytes[RT_STATE]);
  r->kept_step = steps_done(r);
  r->kept_at = rt_now();
  double cost = KEEP_SHARE * (r->kept_at - now);
  r->keep_every = cost > KEEP_S ? cost : KEEP_S;
}

// ---- begin and end -----------------------------------------------------------------------------------------
static size_t space_bytes(const RtProgram *p, int space, const RtPool *pool) {
  return (size_t)p->bytes[space] * (size_t)(space == RT_ROOM ? rt_seats(pool) : 1);
}

static bool no_memory(const RtProgram *p, const RtPool *pool) {
  double bytes = 0;
  for (int i = 0; i < RT_NSPACE; i++) bytes += i == RT_CONST ? 0 : (double)space_bytes(p, i, pool);
  rt_say("no memory for %s: it wants %.1f MB", p->name, bytes / 1e6);
  return false;
}

static int threads_wanted(const RtOptions *o) {
  if (o->threads) return o->threads;
  int n = rt_cpus();
  return n < RT_MOST_THREADS ? n : RT_MOST_THREADS;
}

static bool take_memory(Run *r) {
  const RtProgram *p = r->p;
  r->f.pool = rt_pool_new(threads_wanted(r->o));
  for (int i = 0; i < RT_NSPACE; i++)
    if (i != RT_CONST && !(r->f.base[i] = rt_block(space_bytes(p, i, r->f.pool)))) return no_memory(p, r->f.pool);
  r->f.base[RT_CONST] = (char *)(uintptr_t)p->consts;
  if (!(r->odd = rt_block((size_t)p->nstate))) return no_memory(p, r->f.pool);
  if (p->bytes[RT_STATE] <= KEPT_MOST && !(r->kept = rt_block((size_t)p->bytes[RT_STATE]))) return no_memory(p, r->f.pool);
  return true;
}

static void give_memory_back(Run *r) {
  const RtProgram *p = r->p;
  for (int i = 0; i < RT_NSPACE; i++)
    if (i != RT_CONST) rt_block_free(r->f.base[i], space_bytes(p, i, r->f.pool));
  rt_block_free(r->odd, (size_t)p->nstate);
  rt_block_free(r->kept, (size_t)p->bytes[RT_STATE]);
  rt_pool_free(r->f.pool);
}

// Whether the checkpoint to go on from is of a trainer that runs before this one; its seed is ours then.
static bool resumed_before(Run *r) {
  uint64_t seed;
  const RtProgram *of = r->o->resume && r->p->nbefore ? rt_checkpoint_of(r->p, r->o->resume, &seed) : NULL;
  if (!of || of == r->p) return false;
  memcpy(r->f.base[RT_SETTING] + r->p->seed, &seed, 8);
  return true;
}

static int begin(Run *r) {
  const RtProgram *p = r->p;
  if (p->abi != RT_ABI) {
    rt_say("%s was compiled for another version of the runtime (%u, and this is %d)", p->name, p->abi, RT_ABI);
    return RT_MISTAKE;
  }
  if (r->o->checkpoint && !rt_checkpoint_ready(r->o->checkpoint)) return RT_MISTAKE;
  if (!take_memory(r)) return RT_MISTAKE;
  set_defaults(p, r->f.base[RT_SETTING]);
  const char *from = resumed_before(r) ? NULL : r->o->resume;
  if (from && !rt_checkpoint_read(p, &r->f, from)) return RT_MISTAKE;
  if (!set_given(r)) return RT_MISTAKE;
  int status = from ? RT_FINE : rt_before(p, &r->f, r->o);
  if (status) return status;
  if (!from) p->init(&r->f);
  for (int i = 0; i < p->nstate; i++)
    r->odd[i] = !all_finite(&p->state[i], r->f.base[RT_STATE] + p->state[i].offset);
  r->step0 = steps_done(r);
  r->env0 = rt_steps(p, &r->f);
  r->saved_step = -1;
  r->began = r->saved = rt_now();
  keep(r, r->began);
  rt_progress_start(&r->progress, p, &r->f, !r->o->quiet);
  return rt_log_open(&r->log, r->o->log, from, r->step0) ? RT_FINE : RT_MISTAKE;
}

static bool save(Run *r, const char *path) {
  bool fine = rt_checkpoint_write(r->p, &r->f, path);
  r->saved = rt_now();
  if (fine) r->saved_step = steps_done(r);
  return fine;
}

// ---- steps ------------------------------------------------------------------------------------------------
typedef enum End { END_STOP, END_LIMIT, END_SIGNAL, END_BAD, END_FAILED } End;

static End steps(Run *r) {
  const RtProgram *p = r->p;
  const RtOptions *o = r->o;
  double every = o->every_given ? o->checkpoint_every : RT_CHECKPOINT_EVERY;
  // What had finished stays finished, unless other settings are given for it.
  if (o->resume && !o->nset && flag(r, p->stop)) return END_STOP;   // the flag is set by a checkpoint only, so far
  for (;;) {
    if (o->steps && steps_done(r) >= o->steps) return END_LIMIT;
    if (caught) return END_SIGNAL;
    p->step(&r->f);
    double now = rt_now();
    if (!rt_log_step(&r->log, p, &r->f, now - r->began)) return END_FAILED;
    if (!flag(r, p->ok)) return END_BAD;
    if (flag(r, p->stop)) return END_STOP;
    rt_progress(&r->progress, p, &r->f, now);
    keep(r, now);
    if (o->checkpoint && now - r->saved >= every && !gone_bad(r)) {
      rt_progress_clear(&r->progress);
      if (!save(r, o->checkpoint)) return END_FAILED;
    }
  }
}

// ---- divergence -----------------------------------------------------------------------------------------------
static void to_kept(Run *r) {
  memcpy(r->f.base[RT_STATE], r->kept, (size_t)r->p->bytes[RT_STATE]);
}

// Steps again from the copy and leaves in RT_STATE what the first bad step found; returns that step. A state
// can go bad steps before a logged value shows it, and the same steps give the same bits.
static int64_t step_again(Run *r, int64_t last) {
  to_kept(r);
  int64_t bad = r->kept_step;
  while (bad < last) {
    r->p->step(&r->f);
    if (!flag(r, r->p->ok) || gone_bad(r)) break;
    bad++;
  }
  to_kept(r);
  for (int64_t i = r->kept_step; i < bad; i++) r->p->step(&r->f);
  return bad;
}

static void name_what_is_seen(const Run *r, int64_t step, const RtArray *array) {
  for (int i = 0; i < r->p->nmetric; i++) {
    float v = rt_metric_value(r->p, &r->f, i);
    float count = *(const float *)(const void *)(r->f.base[RT_OUT] + r->p->metric[i].count);
    if (count > 0 && !isfinite(v)) {
      rt_say("%s diverged in step %lld: %s is %f", r->p->name, (long long)step + 1, r->p->metric[i].name, v);
      break;
    }
  }
  if (array) rt_say("state %s holds values that are not finite", array->name);
}

static int diverged(Run *r) {
  int64_t last = steps_done(r) - 1;
  const RtArray *array = gone_bad(r);
  bool named = false;
  if (!r->kept || !r->o->diagnose) name_what_is_seen(r, last, array);
  if (r->kept) {
    if (r->o->diagnose) {
      int64_t bad = step_again(r, last);
      named = r->o->diagnose(r->o->diagnose_data, &r->f, bad);
      if (!named) {
        r->p->step(&r->f);
        name_what_is_seen(r, bad, gone_bad(r));
      }
    }
    to_kept(r);
  }
  const char *path = r->o->checkpoint;
  if (path && r->kept && r->kept_step > r->saved_step && !save(r, path)) return RT_DIVERGED;
  if (path && r->saved_step >= 0)
    rt_say("%s holds the last good state kept, after step %lld", path, (long long)r->saved_step);
  return RT_DIVERGED;
}

// ---- what is said -----------------------------------------------------------------------------------------------
static double peak_mb(void) {
  FILE *f = fopen("/proc/self/status", "r");
  char line[128];
  double kb = NAN;
  while (f && fgets(line, sizeof line, f))
    if (sscanf(line, "VmHWM: %lf kB", &kb) == 1) break;
  if (f) fclose(f);
  return kb / 1024;
}

static bool summary(const Run *r, bool solved, double train_s) {
  const RtProgram *p = r->p;
  RtText t = { 0 };
  double now = rt_now(), steps = (double)(rt_steps(p, &r->f) - r->env0);
  const RtMetric *loss = rt_metric(p, "loss");
  rt_text(&t, "{\"solved\": %s, \"env_steps\": ", solved ? "true" : "false");
  if (p->env_steps >= 0) rt_text(&t, "%lld", (long long)rt_steps(p, &r->f));
  else rt_text(&t, "null");
  rt_text(&t, ", \"compile_s\": ");
  rt_json_float(&t, r->o->compiled ? r->o->compile_s : NAN, 6);
  rt_text(&t, ", \"train_s\": ");
  rt_json_float(&t, train_s, 6);
  rt_text(&t, ", \"wall_s\": ");
  rt_json_float(&t, now - (r->o->started > 0 ? r->o->started : r->began), 6);
  rt_text(&t, ", \"steps_per_s\": ");
  rt_json_float(&t, steps / train_s, 6);
  rt_text(&t, ", \"eval_return\": ");
  rt_json_float(&t, rt_return(p, &r->f), 9);
  rt_text(&t, ", \"loss\": ");
  rt_json_float(&t, loss ? rt_metric_value(p, &r->f, (int)(loss - p->metric)) : NAN, 9);
  rt_text(&t, ", \"metrics\": ");
  rt_json_metrics(&t, p, &r->f, false);
  rt_text(&t, ", \"peak_rss_mb\": ");
  rt_json_float(&t, peak_mb(), 4);
  rt_text(&t, "}\n");
  bool fine = !t.failed && fwrite(t.s, 1, t.n, stdout) == t.n && fflush(stdout) == 0;
  if (!fine) rt_say("cannot write the summary: %s", t.failed ? "no memory" : strerror(errno));
  rt_text_free(&t);
  return fine;
}

static void last_words(const Run *r, End end, bool solved, double train_s) {
  const RtProgram *p = r->p;
  double ret = rt_return(p, &r->f), steps = (double)(rt_steps(p, &r->f) - r->env0);
  const char *how = solved ? "solved" : end == END_STOP ? "finished" : end == END_LIMIT ? "reached the step limit" : "interrupted";
  char a[40], b[40];
  fprintf(stderr, "%s: %s after %s %s, %.2f s (%s/s)", p->name, how, rt_grouped(a, rt_steps(p, &r->f)),
          p->env_steps >= 0 ? "environment steps" : "updates", train_s, rt_rounded(b, train_s > 0 ? steps / train_s : 0));
  if (!isnan(ret)) fprintf(stderr, ", return %.4g", ret);
  const RtMetric *loss = rt_metric(p, "loss");
  if (loss) fprintf(stderr, ", loss %.4g", rt_metric_value(p, &r->f, (int)(loss - p->metric)));
  fputc('\n', stderr);
}

// The checkpoint at the end; after an interruption there is always one.
static bool save_at_end(Run *r, End end) {
  const char *path = r->o->checkpoint;
  char name[300];
  if (!path && (end != END_SIGNAL || r->o->forget)) return true;
  if (!path) snprintf(name, sizeof name, "%s.interrupted.ckpt", r->p->name);
  if (!save(r, path ? path : name)) return false;
  if (end == END_SIGNAL) rt_say("the state is in %s; --resume %s goes on from it", path ? path : name, path ? path : name);
  return true;
}

static int finish(Run *r, End end) {
  double train_s = rt_now() - r->began;
  bool solved = end == END_STOP && flag(r, r->p->solved);
  int status = end == END_SIGNAL ? (caught == SIGTERM ? RT_TERMINATED : RT_INTERRUPTED) : RT_FINE;
  rt_progress_clear(&r->progress);
  if (end == END_BAD) status = diverged(r);
  // What could be trained is worth saving even where the log's disk is full.
  else if (end == END_FAILED) status = RT_MISTAKE, save_at_end(r, end);
  else if (!save_at_end(r, end)) status = RT_MISTAKE;
  if (!rt_log_close(&r->log)) status = status ? status : RT_MISTAKE;
  if (end <= END_SIGNAL && !r->o->quiet) last_words(r, end, solved, train_s);
  if (status != RT_MISTAKE && r->o->summary && !summary(r, solved, train_s)) status = status ? status : RT_MISTAKE;
  return status;
}

static int run(const RtProgram *p, const RtOptions *o) {
  Run r = { .p = p, .o = o, .log.fd = -1 };
  int status = begin(&r);
  if (status == RT_FINE) status = finish(&r, steps(&r));
  if (status == RT_FINE && o->ended) o->ended(o->data, &r.f);
  give_memory_back(&r);
  return status;
}

int rt_train(const RtProgram *p, const RtOptions *o) {
  Signals old;
  signals_take(&old);
  int status = run(p, o);
  signals_give_back(&old);
  return status;
}

// ---- trainers that another begins from ------------------------------------------------------------------
typedef struct Taking { const RtBefore *before; char *to; } Taking;

static void take_states(const RtBefore *b, const char *state, char *to) {
  for (int64_t k = 0; k < b->ntake; k++) memcpy(to + b->take[k].to, state + b->take[k].from, (size_t)b->take[k].bytes);
}

static void take_ended(void *data, const RtFrame *f) {
  const Taking *t = data;
  take_states(t->before, f->base[RT_STATE], t->to);
}

// Log, summary and limits are the last trainer's; a checkpoint is of the one that runs.
static int train_before(const RtBefore *b, const RtFrame *f, const RtOptions *o, uint64_t seed) {
  Taking t = { b, f->base[RT_SETTING] };
  uint64_t same;
  RtOptions *mine = calloc(1, sizeof *mine);
  if (!mine) return no_memory(b->program, f->pool), RT_MISTAKE;
  *mine = (RtOptions){ .seed_given = true, .seed = seed, .threads = o->threads, .quiet = o->quiet, .forget = o->forget, .checkpoint = o->checkpoint,
                       .every_given = o->every_given, .checkpoint_every = o->checkpoint_every, .ended = take_ended, .data = &t,
                       .resume = o->resume && rt_checkpoint_of(b->program, o->resume, &same) ? o->resume : NULL };
  int status = run(b->program, mine);
  free(mine);
  return status;
}

int rt_before(const RtProgram *p, const RtFrame *f, const RtOptions *o) {
  uint64_t seed;
  memcpy(&seed, f->base[RT_SETTING] + p->seed, 8);
  for (int64_t k = 0; k < p->nbefore; k++) {
    const char *state = o->before ? o->before(o->data, p, k) : NULL;
    int status = RT_FINE;
    if (state) take_states(&p->before[k], state, f->base[RT_SETTING]);
    else status = train_before(&p->before[k], f, o, seed);
    if (status) return status;
  }
  return RT_FINE;
}
