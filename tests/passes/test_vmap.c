// Each op inside a map, run lane by lane by the evaluator, against its batched
// form: for every choice of operands that differ by lane, and for maps in maps.
#include "tests/ir/gen.h"
#include "tests/passes/cases.h"
#include "tests/test.h"

#include <stdio.h>
#include <string.h>

enum { LANES = 3, OUTER = 2 };

static void ops(void) {
  for (int i = 0; i < op_ncase; i++) {
    run_begin();
    IrGraph *f = run_case(&op_cases[i], false);
    if (!f) continue;
    for (unsigned mask = 1; mask < 1u << f->top->narg; mask++) {
      IrGraph *g = run_mapped(f, mask, LANES);
      bool ok = run_keeps(g, "vmap", 1e-6);
      bool loops = mask & op_cases[i].loops;
      if (!ok || (run_count(g, IR_MAP) > 0) != loops) printf("case %s\nlanes differ in %x, maps left: %d\n", op_cases[i].text, mask, run_count(g, IR_MAP));
      CU_ASSERT(ok);
      CU_ASSERT_EQUAL(run_count(g, IR_MAP) > 0, loops);
    }
    run_end();
  }
}

static void no_lanes(void) {
  for (int i = 0; i < op_ncase; i++) {
    run_begin();
    IrGraph *f = run_case(&op_cases[i], false);
    for (unsigned mask = 1; f && mask < 1u << f->top->narg; mask++) CU_ASSERT(run_keeps(run_mapped(f, mask, 0), "vmap,simplify", 0));
    run_end();
  }
}

// Innermost maps go first: the second batching meets what the first one made.
static void maps_in_maps(void) {
  for (int i = 0; i < op_ncase; i++) {
    run_begin();
    IrGraph *f = run_case(&op_cases[i], false);
    if (!f) continue;
    unsigned all = (1u << f->top->narg) - 1;
    for (unsigned inner = 1; inner <= all; inner++) {
      unsigned outer[3] = {all, inner, all & ~inner};
      for (int k = 0; k < 3; k++) {
        if (!outer[k]) continue;
        IrGraph *g = run_mapped(run_mapped(f, inner, LANES), outer[k], OUTER);
        bool ok = run_keeps(g, "vmap,simplify", 1e-5);
        if (!ok) printf("case %s\nlanes differ in %x, then %x\n", op_cases[i].text, inner, outer[k]);
        CU_ASSERT(ok);
        if (!((inner | outer[k]) & op_cases[i].loops)) CU_ASSERT_EQUAL(run_count(g, IR_MAP), 0);
      }
    }
    run_end();
  }
}

static void seen(const IrRegion *r, bool *done) {
  ir_each_op(r, op) {
    done[op->code] = true;
    for (int i = 0; i < op->nregion; i++) seen(op->sub[i], done);
  }
}

// A new row of the table needs a case here.
static void every_op_has_a_case(void) {
  bool done[IR_NCODE] = {false};
  run_begin();
  for (int i = 0; i < op_ncase; i++) {
    IrGraph *f = run_case(&op_cases[i], false);
    if (f) seen(f->top, done);
  }
  for (int c = 0; c < IR_NCODE; c++) {
    bool gone = ir_info[c].lower == LOWER_NEVER;   // before vmap runs
    if (!gone && !done[c]) printf("no case for %s\n", ir_info[c].name);
    CU_ASSERT(gone || done[c]);
  }
  run_end();
}

// Lanes share the weights: one product of all rows, no batch, no broadcast weight.
static void shared_weights_are_one_product(void) {
  run_begin();
  IrGraph *f = run_read("(%0: f32[4], %1: f32[4, 8]) { %2: f32[1, 4] = reshape %0 %3: f32[1, 8] = dot %2, %1 %4: f32[8] = reshape %3 yield %4 }");
  IrGraph *g = run_mapped(f, 1, 5);
  CU_ASSERT(run_keeps(g, "vmap,simplify", 1e-6));
  CU_ASSERT_EQUAL(ir_count_ops(g->top), 1);
  CU_ASSERT_EQUAL(run_count(g, IR_DOT), 1);
  run_end();
}

// Weights of each lane's own and one x: y is not transposed where lanes have columns enough, and no x is copied that is larger than y.
static void own_weights_are_a_batch(void) {
  static const struct { int k, n, transposes, broadcasts; } c[] = { {4, 16, 0, 1}, {4, 8, 2, 0}, {32, 16, 2, 0} };
  for (int i = 0; i < 3; i++) {
    run_begin();
    IrGraph *f = run_read(arena_printf(&run_arena, "(%%0: f32[10, %d], %%1: f32[%d, %d]) { %%2: f32[10, %d] = dot %%0, %%1 yield %%2 }",
                                       c[i].k, c[i].k, c[i].n, c[i].n));
    IrGraph *g = run_mapped(f, 2, 5);
    CU_ASSERT(run_keeps(g, "vmap,simplify", 1e-6));
    CU_ASSERT_EQUAL(run_count(g, IR_DOT), 1);
    CU_ASSERT_EQUAL(run_count(g, IR_TRANSPOSE), c[i].transposes);
    CU_ASSERT_EQUAL(run_count(g, IR_BROADCAST), c[i].broadcasts);
    run_end();
  }
}

// What is equal in all lanes is computed once.
static void shared_work_is_done_once(void) {
  run_begin();
  IrGraph *f = run_read("(%0: f32[4], %1: f32[4]) { %2: f32[4] = exp %1 %3: f32[4] = mul %0, %2 yield %3 }");
  IrGraph *g = run_mapped(f, 1, 5);
  CU_ASSERT(run_keeps(g, "vmap", 1e-6));
  ir_each_op(g->top, op)
    if (op->code == IR_EXP) CU_ASSERT_EQUAL(op->out[0]->type.rank, 1);
  run_end();
}

// A lane's number reaches the body.
static void lane_number(void) {
  run_begin();
  IrGraph *g = run_read("(%0: f32[3]) { %1: f32[3], %2: i32[3] = map %0 {n = 3} (%3: i32, %4: f32) { %5: f32 = cast %3 %6: f32 = add %4, %5 yield %6, %3 } yield %1, %2 }");
  CU_ASSERT(run_keeps(g, "vmap", 0));
  CU_ASSERT_EQUAL(run_count(g, IR_MAP), 0);
  run_end();
}

// Running the pass again changes nothing.
static void stays(void) {
  run_begin();
  for (int i = 0; i < op_ncase; i++) {
    IrGraph *f = run_case(&op_cases[i], false);
    if (!f) continue;
    IrGraph *g = run_mapped(f, (1u << f->top->narg) - 1, LANES);
    CU_ASSERT(run_keeps(g, "vmap,simplify", 1e-5));
    int n = ir_count_ops(g->top);
    CU_ASSERT(run_keeps(g, "vmap,simplify", 1e-5));
    CU_ASSERT_EQUAL(ir_count_ops(g->top), n);
  }
  run_end();
}

// A loop of elementwise code over 512 numbers stays in a map; over 256 it is one loop over all lanes.
static void wide_scans_stay(void) {
  for (int wide = 0; wide < 2; wide++) {
    run_begin();
    int n = wide ? 512 : 256;
    char *text = arena_printf(&run_arena,
      "(%%0: f32[3, %d], %%1: f32[3, 4, %d]) {"
      " %%2: f32[3, %d], %%3: f32[3, 4, %d] = map %%0, %%1 {n = 3} (%%4: i32, %%5: f32[%d], %%6: f32[4, %d]) {"
      "  %%7: f32[%d], %%8: f32[4, %d] = scan %%5, %%6 {n = 4, ncarry = 1} (%%9: i32, %%10: f32[%d], %%11: f32[%d]) {"
      "   %%12: f32[%d] = mul %%10, %%11"
      "   yield %%12, %%10 }"
      "  %%13: f32[%d] = exp %%7"
      "  yield %%13, %%8 }"
      " yield %%2, %%3 }", n, n, n, n, n, n, n, n, n, n, n, n);
    IrGraph *g = run_read(text);
    CU_ASSERT_PTR_NOT_NULL_FATAL(g);
    CU_ASSERT(run_keeps(g, "vmap,simplify", 0));
    CU_ASSERT_EQUAL(run_count(g, IR_MAP), wide);
    run_end();
  }
}

static void random_graphs(void) {
  CU_ASSERT(run_random("vmap", GEN_ALL, 400, 0));
  CU_ASSERT(run_random("simplify,autodiff,simplify,vmap,simplify", GEN_ALL, 200, 0));
}

void suite_vmap(void) {
  CU_pSuite s = test_suite("vmap");
  test_add(s, "every op, every choice of lanes", ops);
  test_add(s, "every op, no lanes", no_lanes);
  test_add(s, "maps in maps", maps_in_maps);
  test_add(s, "every op has a case", every_op_has_a_case);
  test_add(s, "shared weights are one product", shared_weights_are_one_product);
  test_add(s, "own weights are a batch", own_weights_are_a_batch);
  test_add(s, "shared work is done once", shared_work_is_done_once);
  test_add(s, "the lane's number", lane_number);
  test_add(s, "scans over wide rows stay lanes", wide_scans_stay);
  test_add(s, "run again, it changes nothing", stays);
  test_add(s, "random graphs", random_graphs);
}
