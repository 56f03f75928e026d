// Matrix products as the backend emits them against plain loops, over shapes around the tiles' edges.
#include "ir/number.h"
#include "tests/backend/code.h"
#include "tests/test.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

typedef void Kernel(const void *a, const void *b, void *c, char *pack, const int64_t *rows);

typedef struct Case {
  IrDtype t;
  int64_t m, n, k;
  bool ta, tb;
  int64_t piece;            // rows of a piece, a multiple of the row tile; 0: all
  bool packed;              // all of B beforehand
} Case;

typedef struct Out { LLVMValueRef c; IrDtype t; int64_t n; } Out;

static void put(Gen *g, void *env, LLVMValueRef row, LLVMValueRef col, LLVMValueRef acc, int lanes, int valid) {
  Out *o = env;
  LLVMValueRef at = LLVMBuildAdd(g->b, LLVMBuildMul(g->b, row, gen_i64(g, o->n), ""), col, "");
  // Added, not set: a row computed twice shows.
  LLVMValueRef p = gen_at(g, o->c, o->t, at), old = gen_load(g, o->t, p, lanes, valid);
  gen_store(g, o->t, LLVMBuildFAdd(g->b, old, acc, ""), p, lanes, valid);
}

static Kernel *compile(Code *c, CodeTarget target, const Case *w) {
  code_begin(c, target, "f", 5);
  Gen *g = &c->g;
  Out out = { code_arg(c, 2), w->t == IR_F64 ? IR_F64 : IR_F32, w->n };
  LLVMValueRef rows = code_arg(c, 4);
  GenDot d = { .dtype = w->t, .m = w->m, .n = w->n, .k = w->k, .a = code_arg(c, 0), .b = code_arg(c, 1), .store = put, .env = &out };
  d.a_m = w->ta ? 1 : w->k, d.a_k = w->ta ? w->m : 1;
  d.b_k = w->tb ? 1 : w->n, d.b_n = w->tb ? w->k : 1;
  d.pack = w->packed || gen_dot_scratch(g->target, w->t, w->m, w->n, w->k, w->tb) ? code_arg(c, 3) : NULL;
  d.packed = w->packed;
  d.m_lo = gen_load(g, IR_I64, rows, 1, 1);
  d.m_hi = gen_load(g, IR_I64, gen_at(g, rows, IR_I64, gen_i64(g, 1)), 1, 1);
  if (w->packed) {                        // by whoever does the first rows
    LLVMValueRef none = gen_i64(g, 0), panels = gen_i64(g, gen_dot_panels(g->target, w->t, w->m, w->n, w->k));
    LLVMValueRef first = LLVMBuildICmp(g->b, LLVMIntEQ, d.m_lo, none, "");
    GenLoop l = gen_loop(g, none, LLVMBuildSelect(g->b, first, panels, none, ""), 1, 0, NULL);
    gen_dot_pack(g, &d, l.i);
    gen_loop_end(g, &l, NULL);
  }
  gen_dot(g, &d);
  Kernel *k;
  *(void **)&k = code_end(c, "f");
  return k;
}

static double at(IrDtype t, const char *x, int64_t i) { return ir_load(t, x + i * ir_dtype_bytes(t)).re; }

static void *fresh(int64_t bytes) {
  void *p = calloc(1, (size_t)bytes + 64);
  if (!p) abort();
  return p;
}

static void check(CodeTarget target, Case w) {
  IrDtype sum = w.t == IR_F64 ? IR_F64 : IR_F32;
  int size = ir_dtype_bytes(w.t), out = ir_dtype_bytes(sum);
  // Exactly as long as they are, so that valgrind and the sanitizers see a load beyond.
  char *a = fresh(w.m * w.k * size - 64), *b = fresh(w.k * w.n * size - 64), *c = fresh(w.m * w.n * out - 64);
  Target t = code_target(target);
  char *pack = fresh(w.packed ? w.k * ((w.n + 15) / 16 * 16) * out : gen_dot_scratch(&t, w.t, w.m, w.n, w.k, w.tb));
  for (int64_t i = 0; i < w.m * w.k; i++) ir_store(w.t, a + i * size, (IrNumber){ .re = (rand() % 2001 - 1000) / 1000.0 });
  for (int64_t i = 0; i < w.k * w.n; i++) ir_store(w.t, b + i * size, (IrNumber){ .re = (rand() % 2001 - 1000) / 1000.0 });
  Code code;
  Kernel *f = compile(&code, target, &w);
  int64_t step = w.piece ? gen_dot_row_tile(&t, w.t, w.m, w.n, w.k, w.ta) * w.piece : w.m;
  for (int64_t lo = 0; lo < w.m; lo += step) f(a, b, c, pack, (int64_t[]){ lo, lo + step < w.m ? lo + step : w.m });
  double worst = 0;
  for (int64_t i = 0; i < w.m; i++)
    for (int64_t j = 0; j < w.n; j++) {
      double exact = 0, size_of = 0;
      for (int64_t k = 0; k < w.k; k++) {
        double term = at(w.t, a, w.ta ? k * w.m + i : i * w.k + k) * at(w.t, b, w.tb ? j * w.k + k : k * w.n + j);
        exact += term, size_of += fabs(term);
      }
      double e = fabs(at(sum, c, i * w.n + j) - exact) / (size_of + 1e-30);
      if (!(e <= worst)) worst = e;
    }
  double bound = (sum == IR_F64 ? 0x1p-52 : 0x1p-24) * (double)(w.k + 2);
  if (!(worst <= bound))
    printf("\n  %s %s m %d n %d k %d ta %d tb %d piece %d: %g\n", ir_dtype_name(w.t), code_target_name[target], (int)w.m, (int)w.n, (int)w.k,
           w.ta, w.tb, (int)w.piece, worst);
  CU_ASSERT(worst <= bound);
  code_free(&code);
  free(a), free(b), free(c), free(pack);
}

static void each_target(Case w) {
  for (CodeTarget t = 0; t < CODE_NTARGET; t++)
    if (code_target_runs(t)) check(t, w);
}

static void shapes(void) {
  static const int64_t shape[][3] = { { 1, 1, 1 }, { 1, 64, 64 }, { 3, 5, 7 }, { 8, 16, 4 }, { 17, 33, 9 }, { 64, 64, 64 }, { 31, 48, 5 },
    { 13, 96, 20 }, { 256, 2, 64 }, { 65, 1, 64 }, { 5, 1, 3 }, { 70, 3, 33 }, { 40, 6, 19 }, { 64, 4, 100 }, { 9, 8, 17 }, { 4, 10, 40 },
    { 2, 200, 3 }, { 7, 17, 0 }, { 200, 8, 1 }, { 24, 80, 16 } };
  srand(2);
  for (size_t i = 0; i < sizeof shape / sizeof *shape; i++)
    for (int form = 0; form < 4; form++)
      each_target((Case){ IR_F32, shape[i][0], shape[i][1], shape[i][2], form & 1, form >> 1, 0, false });
}

// B so large that its panels are copied together first.
static void far_panels(void) {
  each_target((Case){ IR_F32, 33, 330, 420, false, false, 0, false });
  each_target((Case){ IR_BF16, 32, 300, 440, true, false, 1, false });
}

// A transposed and large, so that blocks of it are copied: one block of k and several, rest tiles, masked columns.
static void blocked(void) {
  static const int64_t shape[][3] = { { 1400, 48, 100 }, { 450, 70, 300 }, { 101, 33, 1400 }, { 514, 1000, 260 } };
  for (int i = 0; i < 4; i++)
    for (int piece = 0; piece < 3; piece++) each_target((Case){ IR_F32, shape[i][0], shape[i][1], shape[i][2], true, false, piece, false });
  each_target((Case){ IR_F64, 500, 40, 150, true, false, 1, false });
  each_target((Case){ IR_BF16, 1000, 40, 300, true, false, 1, false });
}

static void packed(void) {
  static const int64_t shape[][3] = { { 64, 32, 40 }, { 33, 70, 9 }, { 40, 128, 17 }, { 70, 95, 33 }, { 5, 200, 3 } };
  for (int i = 0; i < 5; i++)
    for (int form = 0; form < 4; form++) {
      each_target((Case){ IR_F32, shape[i][0], shape[i][1], shape[i][2], form & 1, form >> 1, 1, true });
      each_target((Case){ i % 2 ? IR_F64 : IR_BF16, shape[i][0], shape[i][1], shape[i][2], form & 1, form >> 1, 0, true });
    }
}

static void pieces(void) {
  for (int form = 0; form < 4; form++) {
    each_target((Case){ IR_F32, 101, 37, 11, form & 1, form >> 1, 1, false });
    each_target((Case){ IR_F32, 300, 2, 40, form & 1, form >> 1, 1, false });
    each_target((Case){ IR_F64, 77, 64, 13, form & 1, form >> 1, 2, false });
  }
}

static void dtypes(void) {
  static const int64_t shape[][3] = { { 19, 21, 18 }, { 40, 2, 33 }, { 1, 30, 9 } };
  for (int i = 0; i < 3; i++)
    for (int form = 0; form < 4; form++) {
      each_target((Case){ IR_F64, shape[i][0], shape[i][1], shape[i][2], form & 1, form >> 1, 0, false });
      each_target((Case){ IR_BF16, shape[i][0], shape[i][1], shape[i][2], form & 1, form >> 1, 0, false });
    }
}

// The bits of a row do not depend on which piece it was in.
static void same_bits(void) {
  enum { M = 96, N = 40, K = 50 };
  static float a[M * K], b[K * N], c[2][M * N];
  static char pack[K * 64 * 4];
  for (int i = 0; i < M * K; i++) a[i] = (float)rand() / (float)RAND_MAX;
  for (int i = 0; i < K * N; i++) b[i] = (float)rand() / (float)RAND_MAX;
  memset(c, 0, sizeof c);
  Code code;
  Case w = { IR_F32, M, N, K, false, false, 0, false };
  Kernel *f = compile(&code, CODE_SSE2, &w);
  Target t = code_target(CODE_SSE2);
  int64_t tile = gen_dot_row_tile(&t, IR_F32, M, N, K, false);
  f(a, b, c[0], pack, (int64_t[]){ 0, M });
  for (int64_t lo = 0; lo < M; lo += tile) f(a, b, c[1], pack, (int64_t[]){ lo, lo + tile < M ? lo + tile : M });
  CU_ASSERT(!memcmp(c[0], c[1], sizeof c[0]));
  code_free(&code);
}

void suite_dot(void) {
  CU_pSuite s = test_suite("dot");
  test_add(s, "shapes around the tiles, all transpositions", shapes);
  test_add(s, "panels of a large matrix", far_panels);
  test_add(s, "blocks of a transposed matrix", blocked);
  test_add(s, "all panels packed beforehand", packed);
  test_add(s, "pieces of rows", pieces);
  test_add(s, "f64 and bf16", dtypes);
  test_add(s, "the same bits in any pieces", same_bits);
}
