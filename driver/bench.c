// rlc bench: where the time of a step goes.
#include <stdlib.h>
#include <string.h>

#include "driver/driver.h"

typedef struct Bench {
  Job job;
  int64_t steps;
  int most, threads;
  uint64_t seed;
} Bench;

typedef struct Row { const PlanNode *node; double s; double calls; } Row;

static int by_time(const void *x, const void *y) {
  double a = ((const Row *)x)->s, b = ((const Row *)y)->s;
  return (a < b) - (a > b);
}

static int bad_number(const char *name) { return usage("bench", "%s wants a number greater than 0", name); }

static int read_args(Driver *d, Bench *b, int argc, char **argv) {
  RtOptions *o = arena_new(d->arena, RtOptions);
  b->most = 30;
  for (int i = 1; i < argc; i++) {
    const char *v = NULL, *why = NULL, *word = argv[i];
    if (take_value(argc, argv, &i, "--most", &v)) {
      if (!v || (b->most = atoi(v)) <= 0) return bad_number("--most");
      continue;
    }
    int k = rt_option(o, argc, argv, &i, &why);
    if (k < 0) return usage("bench", "%s", why);
    if (k > 0) continue;
    k = take_job(d, argc, argv, &i, &b->job);
    if (k < 0) return usage("bench", "%s wants a value", word);
    if (k > 0) continue;
    if (is_option(word)) return usage("bench", "there is no option %s", word);
    if (b->job.path) return usage("bench", "one file at a time");
    b->job.path = word;
  }
  if (!b->job.path) return usage("bench", "which file?");
  b->steps = o->steps;
  b->threads = o->threads;
  b->seed = o->seed_given ? o->seed : 0;
  b->job.nset = o->nset;
  b->job.set = o->set;
  return RT_FINE;
}

static void print_rows(Driver *d, const Plan *plan, Row *row, int n, int most, double steps, double total, double clocked, double flops, double copy) {
  printf("%7s %10s %11s %9s %8s %6s  kernel\n", "share", "a step", "us each", "GFLOP/s", "GB/s", "peak");
  double rest = 0;
  for (int k = 0; k < n; k++) {
    const Row *r = &row[k];
    if (k >= most) { rest += r->s; continue; }
    if (!r->calls) continue;
    double each = r->s / r->calls, gf = plan_flops(plan, r->node) / each, gb = (double)plan_bytes(plan, r->node) / each;
    double share = flops > 0 && gf / flops > gb / copy ? gf / flops : gb / copy;
    printf("%6.1f%% %10.1f %11.2f %9.1f %8.1f %5.0f%%  %.110s\n", 100 * r->s / total, r->calls / steps, 1e6 * each, gf / 1e9, gb / 1e9,
           100 * share, plan_node_text(d->arena, plan, r->node));
  }
  if (rest > 0) printf("%6.1f%% %10s in %d more kernels\n", 100 * rest / total, "", n - most);
  printf("%6.1f%% %10s between kernels\n", 100 * (total - clocked) / total, "");
}

static int time_steps(Driver *d, const Bench *b, Compiled *c) {
  const Plan *plan = c->plan[1];
  double flops = peak_flops(), copy = peak_copy();
  Profile p = job_profile(d, c, b->steps, b->threads, b->seed);
  if (p.status) return p.status;
  Row *row = arena_array(d->arena, Row, p.node.n + 1);
  double clocked = 0, work = 0;
  for (int k = 0; k < p.node.n; k++) {
    row[k] = (Row){ p.node.at[k], p.seconds[k], p.calls[k] };
    clocked += p.seconds[k];
    work += p.calls[k] * plan_flops(plan, p.node.at[k]);
  }
  qsort(row, (size_t)p.node.n, sizeof *row, by_time);
  double steps = (double)p.steps;
  printf("%s: %lld steps of %.3f ms, %.1f GFLOP/s in all, %d thread%s, compiled in %.0f ms\n", c->table->name, (long long)p.steps, 1e3 * p.total_s / steps,
         work / p.total_s / 1e9, p.threads, p.threads == 1 ? "" : "s", 1e3 * p.compile_s);
  printf("this machine, one core: %.0f GFLOP/s of multiply-adds, %.1f GB/s of copying\n\n", flops / 1e9, copy / 1e9);
  print_rows(d, plan, row, p.node.n, b->most, steps, p.total_s, clocked, flops * p.threads, copy);
  return RT_FINE;
}

int command_bench(Driver *d, int argc, char **argv) {
  Bench b = { 0 };
  int status = read_args(d, &b, argc, argv);
  if (status) return status;
  Compiled *c = job_compile(d, &b.job);
  if (!c) return d->diags->count ? mistake(d) : RT_MISTAKE;
  return time_steps(d, &b, c);
}
