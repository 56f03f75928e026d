// Speed of the generated convolutions and their adjoints on one thread, GFLOP/s.
#include "tests/backend/code.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

typedef struct Net { const char *name; int64_t n, h, w, c, k, o, s, pad; } Net;
typedef struct Out { LLVMValueRef at; int64_t n; } Out;

static void put(Gen *g, void *env, LLVMValueRef row, LLVMValueRef col, LLVMValueRef acc, int lanes, int valid) {
  Out *o = env;
  LLVMValueRef at = LLVMBuildAdd(g->b, LLVMBuildMul(g->b, row, gen_i64(g, o->n), ""), col, "");
  gen_store(g, IR_F32, acc, gen_at(g, o->at, IR_F32, at), lanes, valid);
}

static double seconds(void) {
  struct timespec t;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
  return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static double measure(CodeTarget target, const Net *w, IrCode code) {
  int64_t out = (w->h + 2 * w->pad - w->k) / w->s + 1;
  IrType type[3] = { ir_type(IR_F32, 4, (int64_t[]){ w->n, w->h, w->w, w->c }), ir_type(IR_F32, 4, (int64_t[]){ w->k, w->k, w->c, w->o }),
                     ir_type(IR_F32, 4, (int64_t[]){ w->n, out, out, w->o }) };
  float *at[3];
  for (int k = 0; k < 3; k++) {
    at[k] = calloc((size_t)ir_count(&type[k]) + 64, 4);
    if (!at[k]) abort();
  }
  int sought = code == IR_CONV ? 2 : code == IR_CONV_DX ? 0 : 1, x = code == IR_CONV_DX ? 2 : 0, y = code == IR_CONV_DW ? 2 : 1;
  Code c;
  code_begin(&c, target, "f", 3);
  IrGraph *graph = ir_graph(&c.arena, "f");
  IrBuilder b = { .graph = graph, .at = graph->top };
  IrValue *in[2] = { ir_input(graph, type[x], "a"), ir_input(graph, type[y], "b") };
  IrAttr attr[5] = { ir_attr_ints(&c.arena, A_STRIDE, 2, (int64_t[]){ w->s, w->s }), ir_attr_ints(&c.arena, A_LO, 2, (int64_t[]){ w->pad, w->pad }),
                     ir_attr_ints(&c.arena, A_HI, 2, (int64_t[]){ w->pad, w->pad }), ir_attr_ints(&c.arena, A_DILATE, 2, (int64_t[]){ 1, 1 }),
                     ir_attr_int(&c.arena, A_GROUPS, 1) };
  Out o = { code_arg(&c, 2), type[sought].dim[3] };
  GenConv conv = { .op = ir_build(&b, code, 2, in, code == IR_CONV ? NULL : &type[sought], 5, attr, 0, NULL), .x = code_arg(&c, 0),
                   .y = code_arg(&c, 1), .lo = gen_i64(&c.g, 0), .hi = gen_i64(&c.g, type[sought].dim[0]), .store = put, .env = &o };
  gen_conv(&c.g, &conv);
  void (*f)(const void *, const void *, void *);
  *(void **)&f = code_end(&c, "f");
  double flops = 2.0 * (double)(ir_count(&type[2]) * w->k * w->k * w->c), best = 1;
  int turns = (int)(2e7 / flops) + 1;
  for (int trial = 0; trial < 8; trial++) {
    double t = seconds();
    for (int i = 0; i < turns; i++) f(at[x], at[y], at[sought]);
    t = (seconds() - t) / turns;
    if (t < best) best = t;
  }
  code_free(&c);
  for (int k = 0; k < 3; k++) free(at[k]);
  return flops / best / 1e9;
}

int main(void) {
  static const Net net[] = {
    { "minatar 1", 64, 10, 10, 4, 3, 16, 1, 0 },  { "minatar 2", 64, 8, 8, 16, 3, 32, 1, 0 }, { "digits 1", 64, 8, 8, 1, 3, 16, 1, 1 },
    { "digits 2", 64, 8, 8, 16, 3, 32, 1, 1 },    { "atari 1", 8, 84, 84, 4, 8, 32, 4, 0 },   { "atari 2", 8, 20, 20, 32, 4, 64, 2, 0 },
    { "atari 3", 8, 9, 9, 64, 3, 64, 1, 0 },      { "resnet", 8, 32, 32, 16, 3, 16, 1, 1 },
  };
  static const IrCode code[] = { IR_CONV, IR_CONV_DX, IR_CONV_DW };
  for (size_t i = 0; i < sizeof net / sizeof *net; i++)
    for (CodeTarget t = 0; t < CODE_NTARGET; t++) {
      if (!code_target_runs(t)) continue;
      printf("%-10s %-7s", net[i].name, code_target_name[t]);
      for (int k = 0; k < 3; k++) printf("  %s %6.1f", ir_info[code[k]].name, measure(t, &net[i], code[k]));
      printf("\n");
      fflush(stdout);
    }
  return 0;
}
