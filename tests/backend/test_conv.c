// Convolutions and their adjoints as the backend emits them against plain loops.
#include "ir/number.h"
#include "tests/backend/code.h"
#include "tests/test.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

typedef struct Case {
  IrDtype t;
  int64_t n, h, w, c, kh, kw, o, groups;
  int64_t s[2], lo[2], hi[2], d[2];
} Case;

typedef struct Out { LLVMValueRef at; IrDtype t; int64_t n; } Out;

// Added, not set: a number computed twice shows.
static void put(Gen *g, void *env, LLVMValueRef row, LLVMValueRef col, LLVMValueRef acc, int lanes, int valid) {
  Out *o = env;
  LLVMValueRef p = gen_at(g, o->at, o->t, LLVMBuildAdd(g->b, LLVMBuildMul(g->b, row, gen_i64(g, o->n), ""), col, ""));
  gen_store(g, o->t, LLVMBuildFAdd(g->b, gen_load(g, o->t, p, lanes, valid), acc, ""), p, lanes, valid);
}

typedef struct Arrays { IrType type[3]; char *at[3]; } Arrays;   // x, weights, y

static Arrays arrays_of(const Case *w) {
  Arrays a = { .type = { ir_type(w->t, 4, (int64_t[]){ w->n, w->h, w->w, w->c }),
                         ir_type(w->t, 4, (int64_t[]){ w->kh, w->kw, w->c / w->groups, w->o }) } };
  int64_t dim[4] = { w->n, 0, 0, w->o }, size[2] = { w->h, w->w }, kernel[2] = { w->kh, w->kw };
  for (int k = 0; k < 2; k++) {
    int64_t room = size[k] + w->lo[k] + w->hi[k] - (kernel[k] - 1) * w->d[k] - 1;
    dim[k + 1] = room < 0 ? 0 : room / w->s[k] + 1;
  }
  a.type[2] = ir_type(w->t, 4, dim);
  for (int k = 0; k < 3; k++) {
    int64_t n = ir_count(&a.type[k]);
    a.at[k] = malloc((size_t)(n * ir_dtype_bytes(w->t)) + 1);
    if (!a.at[k]) abort();
    for (int64_t i = 0; i < n; i++) ir_store(w->t, a.at[k] + i * ir_dtype_bytes(w->t), (IrNumber){ .re = (rand() % 201 - 100) / 100.0 });
  }
  return a;
}

// Every triple of x, weight and y adds to the one that is sought.
static double *plain(const Case *w, const Arrays *a, int sought, double **size) {
  const int64_t *xd = a->type[0].dim, *zd = a->type[1].dim, *yd = a->type[2].dim;
  int64_t count = ir_count(&a->type[sought]), bytes = ir_dtype_bytes(w->t), per = w->o / w->groups;
  double *sum = calloc((size_t)count + 1, sizeof *sum);
  *size = calloc((size_t)count + 1, sizeof **size);
  if (!sum || !*size) abort();
  for (int64_t n = 0; n < yd[0]; n++)
    for (int64_t i = 0; i < yd[1]; i++)
      for (int64_t j = 0; j < yd[2]; j++)
        for (int64_t u = 0; u < zd[0]; u++)
          for (int64_t v = 0; v < zd[1]; v++) {
            int64_t row = w->s[0] * i + w->d[0] * u - w->lo[0], col = w->s[1] * j + w->d[1] * v - w->lo[1];
            if (row < 0 || row >= xd[1] || col < 0 || col >= xd[2]) continue;
            for (int64_t c = 0; c < zd[2]; c++)
              for (int64_t o = 0; o < zd[3]; o++) {
                int64_t at[3] = { ((n * xd[1] + row) * xd[2] + col) * xd[3] + o / per * zd[2] + c,
                                  ((u * zd[1] + v) * zd[2] + c) * zd[3] + o, ((n * yd[1] + i) * yd[2] + j) * yd[3] + o };
                double term = 1;
                for (int k = 0; k < 3; k++)
                  if (k != sought) term *= ir_load(w->t, a->at[k] + at[k] * bytes).re;
                sum[at[sought]] += term, (*size)[at[sought]] += fabs(term);
              }
          }
  return sum;
}

static IrOp *op_of(Arena *arena, const Case *w, const Arrays *a, IrCode code) {
  IrGraph *graph = ir_graph(arena, "f");
  IrBuilder b = { .graph = graph, .at = graph->top };
  int first = code == IR_CONV_DX ? 2 : 0, second = code == IR_CONV_DW ? 2 : 1;
  IrValue *in[2] = { ir_input(graph, a->type[first], "a"), ir_input(graph, a->type[second], "b") };
  IrAttr attr[5] = { ir_attr_ints(arena, A_STRIDE, 2, w->s), ir_attr_ints(arena, A_LO, 2, w->lo), ir_attr_ints(arena, A_HI, 2, w->hi),
                     ir_attr_ints(arena, A_DILATE, 2, w->d), ir_attr_int(arena, A_GROUPS, w->groups) };
  const IrType *want = code == IR_CONV_DX ? &a->type[0] : code == IR_CONV_DW ? &a->type[1] : NULL;
  return ir_build(&b, code, 2, in, want, 5, attr, 0, NULL);
}

static void free_arrays(Arrays *a) {
  for (int k = 0; k < 3; k++) free(a->at[k]);
}

// Code made for `by`, which leaves sizes open, given those of w; `by` NULL: made for w alone.
static void check(CodeTarget target, const Case *w, const Case *by, IrCode code) {
  Arrays a = arrays_of(w), made = arrays_of(by ? by : w);
  int sought = code == IR_CONV ? 2 : code == IR_CONV_DX ? 0 : 1;
  const IrType *type = &a.type[sought];
  IrDtype sum = w->t == IR_F64 ? IR_F64 : IR_F32;
  int out = ir_dtype_bytes(sum);
  char *got = calloc((size_t)ir_count(type) + 1, (size_t)out);
  if (!got) abort();
  Code c;
  code_begin(&c, target, "f", 4);
  Gen *g = &c.g;
  Out o = { code_arg(&c, 2), sum, type->dim[3] };
  GenConv conv = { .op = op_of(&c.arena, by ? by : w, &made, code), .x = code_arg(&c, 0), .y = code_arg(&c, 1), .store = put, .env = &o };
  conv.lo = gen_load(g, IR_I64, code_arg(&c, 3), 1, 1);
  conv.hi = gen_load(g, IR_I64, gen_at(g, code_arg(&c, 3), IR_I64, gen_i64(g, 1)), 1, 1);
  int64_t number[CONV_NUMBERS], given[2 + CONV_NUMBERS];
  LLVMValueRef open[CONV_NUMBERS];
  ConvForm form, same;
  if (by && gen_conv_form(g->target, op_of(&c.arena, w, &a, code), true, &form, number)) {
    conv.number = open;
    gen_conv_form(g->target, conv.op, true, &same, given);
    CU_ASSERT_EQUAL(memcmp(&form, &same, sizeof form), 0);
    for (int k = 0, n = 0; k < CONV_NUMBERS; k++)
      if (form.open >> k & 1) {
        given[2 + n] = number[k];
        open[n] = gen_load(g, IR_I64, gen_at(g, code_arg(&c, 3), IR_I64, gen_i64(g, 2 + n)), 1, 1), n++;
      }
  }
  gen_conv(g, &conv);
  void (*f)(const void *, const void *, void *, const int64_t *);
  *(void **)&f = code_end(&c, "f");
  const char *x = code == IR_CONV_DX ? a.at[2] : a.at[0], *y = code == IR_CONV_DW ? a.at[2] : a.at[1];
  int64_t cut = type->dim[0] / 2;
  given[0] = 0, given[1] = cut;
  f(x, y, got, given);
  given[0] = cut, given[1] = type->dim[0];
  f(x, y, got, given);
  double *size, *exact = plain(w, &a, sought, &size), worst = 0;
  for (int64_t i = 0; i < ir_count(type); i++) {
    double e = fabs(ir_load(sum, got + i * out).re - exact[i]) / (size[i] + 1e-9);
    if (!(e <= worst)) worst = e;
  }
  double bound = (sum == IR_F64 ? 0x1p-52 : 0x1p-24) * 200;
  if (!(worst <= bound))
    printf("\n  %s %s %s: n %d, %d x %d x %d, kernel %d x %d to %d, %d groups, stride %d %d, lo %d %d, hi %d %d, dilate %d %d: %g\n", ir_info[code].name,
           ir_dtype_name(w->t), code_target_name[target], (int)w->n, (int)w->h, (int)w->w, (int)w->c, (int)w->kh, (int)w->kw, (int)w->o,
           (int)w->groups, (int)w->s[0], (int)w->s[1], (int)w->lo[0], (int)w->lo[1], (int)w->hi[0], (int)w->hi[1], (int)w->d[0], (int)w->d[1], worst);
  CU_ASSERT(worst <= bound);
  code_free(&c);
  free_arrays(&a), free_arrays(&made);
  free(got), free(exact), free(size);
}

static void each(const Case *w, int n) {
  static const IrCode code[] = { IR_CONV, IR_CONV_DX, IR_CONV_DW };
  srand(3);
  for (int i = 0; i < n; i++)
    for (int k = 0; k < 3; k++)
      for (CodeTarget t = 0; t < CODE_NTARGET; t++)
        for (int open = 0; open < 2 && code_target_runs(t); open++) check(t, &w[i], open ? &w[i] : NULL, code[k]);
}

// What a search over architectures differs in: channels, the kernel, the stride, the image.
static void open_sizes(void) {
  static const struct { IrCode code; Case by, w; } pair[] = {
    { IR_CONV, { IR_F32, 2, 8, 8, 16, 3, 3, 32, 1, { 1, 1 }, { 1, 1 }, { 1, 1 }, { 1, 1 } },
               { IR_F32, 3, 6, 8, 7, 5, 5, 32, 1, { 1, 1 }, { 2, 2 }, { 2, 2 }, { 1, 1 } } },
    { IR_CONV, { IR_F32, 2, 8, 4, 16, 3, 3, 16, 1, { 1, 1 }, { 1, 1 }, { 1, 1 }, { 1, 1 } },
               { IR_F32, 1, 7, 8, 12, 3, 3, 16, 1, { 2, 2 }, { 0, 0 }, { 1, 1 }, { 1, 1 } } },
    { IR_CONV, { IR_F32, 2, 8, 8, 1, 3, 3, 16, 1, { 1, 1 }, { 1, 1 }, { 1, 1 }, { 1, 1 } },
               { IR_F32, 2, 8, 8, 1, 5, 5, 16, 1, { 1, 1 }, { 2, 2 }, { 2, 2 }, { 1, 1 } } },
    { IR_CONV_DX, { IR_F32, 2, 8, 8, 16, 3, 3, 32, 1, { 1, 1 }, { 1, 1 }, { 1, 1 }, { 1, 1 } },
                  { IR_F32, 3, 8, 8, 24, 5, 5, 48, 1, { 1, 1 }, { 2, 2 }, { 2, 2 }, { 1, 1 } } },
    { IR_CONV_DX, { IR_F32, 2, 8, 8, 12, 3, 3, 32, 1, { 2, 2 }, { 0, 0 }, { 1, 1 }, { 1, 1 } },
                  { IR_F32, 1, 8, 8, 20, 3, 3, 64, 1, { 2, 2 }, { 0, 0 }, { 1, 1 }, { 1, 1 } } },
    { IR_CONV_DW, { IR_F32, 4, 8, 8, 16, 3, 3, 32, 1, { 1, 1 }, { 1, 1 }, { 1, 1 }, { 1, 1 } },
                  { IR_F32, 8, 9, 7, 16, 5, 5, 32, 1, { 2, 2 }, { 2, 2 }, { 2, 2 }, { 1, 1 } } },
  };
  srand(3);
  for (size_t k = 0; k < sizeof pair / sizeof *pair; k++)
    if (code_target_runs(CODE_AVX2)) check(CODE_AVX2, &pair[k].w, &pair[k].by, pair[k].code);
}

#define PLAIN 1, { 1, 1 }, { 0, 0 }, { 0, 0 }, { 1, 1 }
static void shapes(void) {
  static const Case w[] = {
    { IR_F32, 2, 10, 10, 4, 3, 3, 16, PLAIN },
    { IR_F32, 3, 8, 8, 16, 3, 3, 32, PLAIN },
    { IR_F32, 1, 5, 7, 1, 2, 3, 5, PLAIN },
    { IR_F32, 2, 1, 9, 3, 1, 4, 33, PLAIN },
    { IR_F32, 2, 6, 6, 6, 1, 1, 20, PLAIN },
    { IR_F64, 2, 6, 5, 3, 3, 2, 9, PLAIN },
    { IR_BF16, 2, 6, 5, 3, 3, 2, 18, PLAIN },
  };
  each(w, (int)(sizeof w / sizeof *w));
}

static void padding(void) {
  static const Case w[] = {
    { IR_F32, 2, 8, 8, 1, 3, 3, 16, 1, { 1, 1 }, { 1, 1 }, { 1, 1 }, { 1, 1 } },
    { IR_F32, 2, 7, 9, 17, 3, 3, 12, 1, { 1, 1 }, { 1, 1 }, { 1, 1 }, { 1, 1 } },
    { IR_F32, 2, 5, 5, 2, 4, 4, 3, 1, { 1, 1 }, { 0, 2 }, { 3, 0 }, { 1, 1 } },
    { IR_F32, 2, 9, 8, 3, 3, 3, 16, 1, { 1, 1 }, { -1, -2 }, { -1, 0 }, { 1, 1 } },
    { IR_F32, 2, 3, 3, 4, 5, 5, 8, 1, { 1, 1 }, { 4, 4 }, { 4, 4 }, { 1, 1 } },
  };
  each(w, (int)(sizeof w / sizeof *w));
}

static void strides(void) {
  static const Case w[] = {
    { IR_F32, 2, 12, 12, 4, 4, 4, 16, 1, { 2, 2 }, { 0, 0 }, { 0, 0 }, { 1, 1 } },
    { IR_F32, 2, 11, 13, 5, 3, 3, 8, 1, { 2, 3 }, { 1, 1 }, { 0, 1 }, { 1, 1 } },
    { IR_F32, 1, 16, 16, 3, 8, 8, 16, 1, { 4, 4 }, { 0, 0 }, { 0, 0 }, { 1, 1 } },
    { IR_F32, 2, 9, 10, 4, 3, 3, 6, 1, { 1, 1 }, { 2, 0 }, { 2, 1 }, { 2, 3 } },
    { IR_F32, 2, 12, 12, 3, 3, 2, 7, 1, { 2, 4 }, { 1, 3 }, { 1, 0 }, { 2, 2 } },
    { IR_F32, 2, 9, 2, 3, 1, 1, 4, 1, { 3, 3 }, { 0, 1 }, { 0, 2 }, { 1, 1 } },
    { IR_F64, 1, 9, 9, 2, 3, 3, 5, 1, { 2, 2 }, { 1, 1 }, { 1, 1 }, { 1, 1 } },
  };
  each(w, (int)(sizeof w / sizeof *w));
}

static void groups(void) {
  static const Case w[] = {
    { IR_F32, 2, 6, 6, 8, 3, 3, 12, 2, { 1, 1 }, { 1, 1 }, { 1, 1 }, { 1, 1 } },
    { IR_F32, 2, 6, 7, 9, 2, 2, 36, 3, { 1, 2 }, { 0, 0 }, { 0, 0 }, { 1, 1 } },
    { IR_F32, 2, 7, 7, 20, 3, 3, 20, 20, { 1, 1 }, { 1, 1 }, { 1, 1 }, { 1, 1 } },
    { IR_F32, 2, 7, 7, 33, 3, 2, 33, 33, { 2, 1 }, { 0, 0 }, { 0, 0 }, { 1, 2 } },
    { IR_F32, 2, 5, 5, 4, 3, 3, 8, 4, { 1, 1 }, { 0, 0 }, { 0, 0 }, { 1, 1 } },
    { IR_F64, 2, 5, 6, 5, 3, 3, 5, 5, { 1, 2 }, { 1, 1 }, { 1, 0 }, { 1, 1 } },
  };
  each(w, (int)(sizeof w / sizeof *w));
}

void suite_conv(void) {
  CU_pSuite s = test_suite("conv");
  test_add(s, "shapes around the tiles", shapes);
  test_add(s, "padding, cropping", padding);
  test_add(s, "strides and dilation", strides);
  test_add(s, "groups, depthwise", groups);
  test_add(s, "sizes left open", open_sizes);
}
