// Speed of the generated matrix products on one thread beside OpenBLAS in the same run, GFLOP/s, and the
// core's own peak of multiply-adds.
//   dot [tanh] [FLOPS]   with a bias and tanh in the epilogue (OpenBLAS then without); products of at least FLOPS
#include "tests/backend/code.h"

#include <cblas.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

void openblas_set_num_threads(int n);

typedef void Kernel(const void *a, const void *b, void *c, char *pack, const void *bias);
typedef struct Shape { int64_t m, n, k; bool ta, tb; } Shape;
typedef struct Out { LLVMValueRef c, bias; int64_t n; } Out;

static void put(Gen *g, void *env, LLVMValueRef row, LLVMValueRef col, LLVMValueRef acc, int lanes, int valid) {
  Out *o = env;
  if (o->bias) {
    acc = LLVMBuildFAdd(g->b, acc, gen_load(g, IR_F32, gen_at(g, o->bias, IR_F32, col), lanes, valid), "");
    acc = gen_unary(g, IR_TANH, IR_F32, acc);
  }
  LLVMValueRef at = LLVMBuildAdd(g->b, LLVMBuildMul(g->b, row, gen_i64(g, o->n), ""), col, "");
  gen_store(g, IR_F32, acc, gen_at(g, o->c, IR_F32, at), lanes, valid);
}

static Kernel *compile(Code *c, CodeTarget target, const Shape *w, bool tanh) {
  code_begin(c, target, "f", 5);
  Gen *g = &c->g;
  Out out = { code_arg(c, 2), tanh ? code_arg(c, 4) : NULL, w->n };
  GenDot d = { .dtype = IR_F32, .m = w->m, .n = w->n, .k = w->k, .a = code_arg(c, 0), .b = code_arg(c, 1), .store = put, .env = &out };
  d.a_m = w->ta ? 1 : w->k, d.a_k = w->ta ? w->m : 1;
  d.b_k = w->tb ? 1 : w->n, d.b_n = w->tb ? w->k : 1;
  d.pack = gen_dot_scratch(g->target, IR_F32, w->m, w->n, w->k, w->tb) ? code_arg(c, 3) : NULL;
  d.m_lo = gen_i64(g, 0), d.m_hi = gen_i64(g, w->m);
  gen_dot(g, &d);
  Kernel *k;
  *(void **)&k = code_end(c, "f");
  return k;
}

static double seconds(void) {
  struct timespec t;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
  return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static void *room(int64_t floats) {
  float *p = aligned_alloc(64, (size_t)(floats + 64) * 4 / 64 * 64 + 64);
  if (!p) abort();
  for (int64_t i = 0; i < floats; i++) p[i] = (float)(rand() % 200 - 100) / 800;
  return p;
}

// Independent multiply-adds in registers only.
static double peak(CodeTarget target) {
  Code c;
  code_begin(&c, target, "f", 1);
  Gen *g = &c.g;
  LLVMValueRef acc[12], x = gen_load(g, IR_F32, code_arg(&c, 0), g->width, g->width);
  for (int i = 0; i < 12; i++) acc[i] = gen_load(g, IR_F32, gen_at(g, code_arg(&c, 0), IR_F32, gen_i64(g, 16 * i)), g->width, g->width);
  GenLoop l = gen_loop(g, gen_i64(g, 0), gen_i64(g, 1000000), 1, 12, acc);
  for (int i = 0; i < 12; i++) acc[i] = gen_fma(g, l.carry[i], x, x);
  gen_loop_end(g, &l, acc);
  for (int i = 0; i < 12; i++) gen_store(g, IR_F32, l.carry[i], gen_at(g, code_arg(&c, 0), IR_F32, gen_i64(g, 16 * i)), g->width, g->width);
  void (*f)(float *);
  *(void **)&f = code_end(&c, "f");
  float *x0 = room(256);
  double best = 1;
  for (int i = 0; i < 20; i++) {
    double t = seconds();
    f(x0);
    t = seconds() - t;
    if (t < best) best = t;
  }
  double flops = 2.0 * 12 * g->width * 1e6 / best / 1e9;
  code_free(&c);
  free(x0);
  return flops;
}

static double best_of(Kernel *f, const Shape *w, float *a, float *b, float *c, char *pack, float *bias) {
  double flops = 2.0 * (double)(w->m * w->n * w->k), best = 1;
  int turns = (int)(2e7 / flops) + 1;
  for (int trial = 0; trial < 15; trial++) {
    double t = seconds();
    for (int i = 0; i < turns; i++) {
      if (f) f(a, b, c, pack, bias);
      else
        cblas_sgemm(CblasRowMajor, w->ta ? CblasTrans : CblasNoTrans, w->tb ? CblasTrans : CblasNoTrans, (int)w->m, (int)w->n, (int)w->k, 1, a,
                    (int)(w->ta ? w->m : w->k), b, (int)(w->tb ? w->k : w->n), 0, c, (int)w->n);
    }
    t = (seconds() - t) / turns;
    if (t < best) best = t;
  }
  return flops / best / 1e9;
}

int main(int argc, char **argv) {
  static const Shape shape[] = { { 64, 64, 64, 0, 0 }, { 256, 64, 4, 0, 0 }, { 256, 64, 64, 0, 0 }, { 256, 2, 64, 0, 0 }, { 256, 1, 64, 0, 0 },
    { 64, 64, 256, 1, 0 }, { 64, 2, 256, 1, 0 }, { 64, 1, 256, 1, 0 }, { 4, 64, 256, 1, 0 }, { 256, 64, 64, 0, 1 }, { 256, 64, 2, 0, 1 },
    { 8, 64, 64, 0, 0 }, { 4, 64, 64, 0, 0 }, { 1, 64, 64, 0, 0 }, { 1, 64, 4, 0, 0 }, { 1, 2, 64, 0, 0 }, { 8, 64, 64, 0, 1 },
    { 256, 256, 17, 0, 0 }, { 256, 256, 256, 0, 0 }, { 256, 256, 256, 1, 0 }, { 256, 256, 256, 0, 1 }, { 256, 6, 256, 0, 0 },
    { 128, 512, 784, 0, 0 }, { 128, 10, 512, 0, 0 }, { 784, 512, 128, 1, 0 }, { 128, 512, 512, 0, 1 }, { 32, 384, 128, 0, 0 },
    { 128, 384, 2048, 1, 0 }, { 1024, 512, 128, 0, 0 }, { 384, 384, 384, 0, 0 }, { 512, 512, 512, 0, 0 },
    { 512, 512, 512, 1, 0 }, { 384, 384, 384, 1, 0 }, { 512, 2048, 512, 0, 0 }, { 1024, 1024, 1024, 0, 0 }, { 1024, 1024, 1024, 1, 0 }, { 1024, 1024, 1024, 0, 1 }, { 64, 64, 16384, 1, 0 } };
  bool tanh = argc > 1 && !strcmp(argv[1], "tanh");
  double least = argc > 1 ? strtod(argv[argc - 1], NULL) : 0;
  openblas_set_num_threads(1);
  for (CodeTarget t = 0; t < CODE_NTARGET; t++)
    if (code_target_runs(t)) printf("peak %s %.0f\n", code_target_name[t], peak(t));
  printf("%-22s %8s", "m x n x k", "OpenBLAS");
  for (CodeTarget t = 0; t < CODE_NTARGET; t++) printf(" %8s", code_target_name[t]);
  printf("\n");
  for (size_t i = 0; i < sizeof shape / sizeof *shape; i++) {
    const Shape *w = &shape[i];
    if (2.0 * (double)(w->m * w->n * w->k) < least) continue;
    float *a = room(w->m * w->k), *b = room(w->k * w->n), *c = room(w->m * w->n), *bias = room(w->n);
    char name[64];
    snprintf(name, sizeof name, "%dx%dx%d%s%s", (int)w->m, (int)w->n, (int)w->k, w->ta ? " ta" : "", w->tb ? " tb" : "");
    printf("%-22s %8.1f", name, best_of(NULL, w, a, b, c, NULL, NULL));
    for (CodeTarget t = 0; t < CODE_NTARGET; t++) {
      if (!code_target_runs(t)) continue;
      Code code;
      Kernel *f = compile(&code, t, w, tanh);
      Target target = code_target(t);
      char *pack = room(gen_dot_scratch(&target, IR_F32, w->m, w->n, w->k, w->tb) / 4);
      printf(" %8.1f", best_of(f, w, a, b, c, pack, bias));
      fflush(stdout);
      free(pack);
      code_free(&code);
    }
    printf("\n");
    free(a), free(b), free(c), free(bias);
  }
  return 0;
}
