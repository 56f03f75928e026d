// The generator of random graphs keeps its promises, and every one of its graphs passes
// the verifier, the text form and the evaluator.
#include "tests/ir/gen.h"
#include "tests/test.h"

#include <math.h>
#include <string.h>

#define SEEDS 300

static jmp_buf out_of_memory;
static bool seen[IR_NCODE];

static void note(const IrRegion *r) {
  ir_each_op(r, op) {
    seen[op->code] = true;
    for (int k = 0; k < op->nregion; k++) note(op->sub[k]);
  }
}

static bool tame(const IrArray *x) {
  int64_t n = x->f ? ir_count(&x->type) * (ir_is_complex(x->type.dtype) ? 2 : 1) : 0;
  for (int64_t k = 0; k < n; k++)
    if (!(fabs(x->f[k]) <= 1e6)) return false;
  return true;
}

static bool equal(const IrArray *x, const IrArray *y) {
  int64_t n = ir_count(&x->type) * (ir_is_complex(x->type.dtype) ? 2 : 1);
  return ir_type_eq(&x->type, &y->type) && (x->i ? !memcmp(x->i, y->i, sizeof *x->i * (size_t)n) : !memcmp(x->f, y->f, sizeof *x->f * (size_t)n));
}

static bool eval(Arena *a, const IrGraph *g, uint64_t seed, IrArray *out) {
  IrArray in[8];
  IrEval how = {.typed = seed % 2, .max_turns = 100};
  gen_inputs(a, g, seed, in);
  const char *why = ir_eval(a, &how, g, in, out);
  if (why) printf("\nseed %llu: %s\n", (unsigned long long)seed, why);
  return !why;
}

static const char *check(Arena *a, uint64_t seed) {
  GenOptions o = {.nop = 4 + (int)(seed % 40), .depth = 3, .kinds = seed % 4 ? GEN_ALL : GEN_CONTROL, .real = seed % 3 ? IR_F32 : IR_F64};
  IrGraph *g = gen_graph(a, seed, &o);
  note(g->top);
  char *wrong = ir_verify(g);
  if (wrong) return wrong;
  char *text = ir_print(a, g);
  Diags d = {.arena = a};
  IrGraph *again = ir_read(a, &d, source_text(a, "printed", text));
  diag_print(&d, stdout);
  if (!again) return "the text does not read back";
  if (strcmp(text, ir_print(a, again))) return "the text changes";
  if (ir_hash(a, 1, g) != ir_hash(a, 1, again)) return "equal graphs have different hashes";
  IrBuilder b = {.graph = again, .at = again->top};
  ir_yield(again->top, ir_fill(&b, ir_scalar(IR_I32), 1));
  uint64_t more = ir_hash(a, 1, again);
  again->top->nyield--;
  ir_yield(again->top, ir_fill(&b, ir_scalar(IR_I32), 2));
  if (more == ir_hash(a, 1, again) || more == ir_hash(a, 1, g)) return "different graphs have one hash";
  again->top->nyield--;
  IrArray out[8], out2[8];
  if (!eval(a, g, seed, out) || !eval(a, again, seed, out2)) return "no value";
  for (int k = 0; k < g->top->nyield; k++) {
    if (!tame(&out[k])) return "an output is not moderate";
    if (!equal(&out[k], &out2[k])) return "the text's outputs differ";
  }
  return NULL;
}

static void check_seed(uint64_t seed) {
  Arena a = {.oom = &out_of_memory};
  if (setjmp(out_of_memory)) CU_FAIL_FATAL("out of memory");
  const char *why = check(&a, seed);
  if (why) printf("\nseed %llu: %s\n", (unsigned long long)seed, why);
  CU_ASSERT(why == NULL);
  arena_free(&a);
}

static void test_random(void) {
  for (uint64_t seed = 0; seed < SEEDS; seed++) check_seed(seed);
  for (int c = 0; c < IR_NCODE; c++) {
    if (c == IR_VJP || c == IR_JVP) continue;
    if (!seen[c]) printf("\n%s is never generated\n", ir_info[c].name);
    CU_ASSERT(seen[c]);
  }
}

static bool has_sin_of_exp(const IrRegion *r) {
  ir_each_op(r, op) {
    if (op->code == IR_SIN && op->in[0]->op && op->in[0]->op->code == IR_EXP) return true;
    for (int k = 0; k < op->nregion; k++)
      if (has_sin_of_exp(op->sub[k])) return true;
  }
  return false;
}

static bool fails(const IrGraph *g, void *data) {
  (void)data;
  return ir_verify(g) == NULL && has_sin_of_exp(g->top);
}

// A fault that takes sin of exp to show, somewhere in a graph of many ops, comes out small.
static void test_shrink(void) {
  Arena a = {.oom = &out_of_memory};
  if (setjmp(out_of_memory)) CU_FAIL_FATAL("out of memory");
  GenOptions o = {.nop = 25, .depth = 2, .kinds = GEN_ALL};
  IrGraph *g = gen_graph(&a, 7, &o);
  IrBuilder b = {.graph = g, .at = g->top};
  IrValue *x = g->top->arg[0];
  IrValue *y = ir_un(&b, IR_SIN, ir_un(&b, IR_EXP, ir_un(&b, IR_NEG, x)));
  ir_output(g, ir_un(&b, IR_TANH, y), "y");
  IrGraph *s = gen_shrink(&a, g, fails, NULL);
  CU_ASSERT(fails(s, NULL));
  if (ir_count_ops(s->top) > 4) printf("\n%s", ir_print(&a, s));
  CU_ASSERT(ir_count_ops(s->top) <= 4);
  CU_ASSERT(s->top->nyield == 1);
  arena_free(&a);
}

void suite_ir_gen(void) {
  CU_pSuite s = test_suite("ir_gen");
  test_add(s, "random graphs", test_random);
  test_add(s, "shrinking", test_shrink);
}
