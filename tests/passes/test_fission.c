// What leaves a scan and what goes into it, and that the function stays.
#include "tests/ir/gen.h"
#include "tests/passes/run.h"
#include "tests/test.h"

static int inside_scans(const IrRegion *r, IrCode code, bool in_scan) {
  int n = 0;
  ir_each_op(r, op) {
    n += in_scan && op->code == code;
    for (int k = 0; k < op->nregion; k++) n += inside_scans(op->sub[k], code, in_scan || op->code == IR_SCAN);
  }
  return n;
}

static IrGraph *through(const char *text) {
  IrGraph *g = run_read(text);
  if (g && !run_keeps(g, "simplify,fission,simplify", 1e-5)) return NULL;
  return g;
}

// h' = tanh(x wx + h wh): the input's product leaves, the state's stays.
static void input_projection(void) {
  run_begin();
  IrGraph *g = through(
    "(%0: f32[3, 4], %1: f32[5, 3, 2], %2: f32[2, 4], %3: f32[4, 4]) {"
    " %4: f32[3, 4], %5: f32[5, 3, 4] = scan %0, %1 {n = 5, ncarry = 1} (%6: i32, %7: f32[3, 4], %8: f32[3, 2]) {"
    "  %9: f32[3, 4] = dot %8, %2"
    "  %10: f32[3, 4] = dot %7, %3"
    "  %11: f32[3, 4] = add %9, %10"
    "  %12: f32[3, 4] = tanh %11"
    "  yield %12, %12 }"
    " yield %4, %5 }");
  CU_ASSERT_PTR_NOT_NULL_FATAL(g);
  CU_ASSERT_EQUAL(run_count(g, IR_DOT), 2);
  CU_ASSERT_EQUAL(inside_scans(g->top, IR_DOT, false), 1);
  run_end();
}

// dw += x^T d; db += sum(d): one product and one sum over all turns, and no loop is left.
static void weight_sums(void) {
  run_begin();
  IrGraph *g = through(
    "(%0: f32[2, 4], %1: f32[5, 3, 2], %2: f32[5, 3, 4], %3: f32[4]) {"
    " %4: f32[2, 4], %5: f32[4] = scan %0, %3, %1, %2 {n = 5, ncarry = 2}"
    " (%6: i32, %7: f32[2, 4], %8: f32[4], %9: f32[3, 2], %10: f32[3, 4]) {"
    "  %11: f32[2, 4] = dot %9, %10 {ta = 1}"
    "  %12: f32[2, 4] = add %7, %11"
    "  %13: f32[4] = reduce_sum %10 {axes = [0]}"
    "  %14: f32[4] = add %13, %8"
    "  yield %12, %14 }"
    " yield %4, %5 }");
  CU_ASSERT_PTR_NOT_NULL_FATAL(g);
  CU_ASSERT_EQUAL(run_count(g, IR_SCAN), 0);
  CU_ASSERT_EQUAL(run_count(g, IR_DOT), 1);
  run_end();
}

// Beside a row sum the carry gets other terms: they are stacked and summed behind the loop.
static void mixed_sums(void) {
  run_begin();
  IrGraph *g = through(
    "(%0: f32[4], %1: f32[5, 3, 4], %2: f32[5, 3, 4], %3: f32[5, 4]) {"
    " %4: f32[4] = scan %0, %1, %2, %3 {n = 5, ncarry = 1}"
    " (%6: i32, %7: f32[4], %8: f32[3, 4], %9: f32[3, 4], %10: f32[4]) {"
    "  %11: f32[3, 4] = mul %8, %9"
    "  %12: f32[4] = reduce_sum %11 {axes = [0]}"
    "  %13: f32[4] = add %7, %12"
    "  %14: f32[4] = mul %10, %10"
    "  %15: f32[4] = add %14, %13"
    "  yield %15 }"
    " yield %4 }");
  CU_ASSERT_PTR_NOT_NULL_FATAL(g);
  CU_ASSERT_EQUAL(inside_scans(g->top, IR_SUM, false), 0);
  run_end();
}

// What the turn stacks already is enough to gather a product behind the loop: it is not stacked too.
static void gathered_behind(void) {
  run_begin();
  IrGraph *g = through(
    "(%0: f32[4], %1: f32[3, 4], %2: f32[5, 3, 4], %3: f32[4]) {"
    " %4: f32[4], %5: f32[3, 4], %6: f32[5, 3, 4] = scan %0, %1, %2 {n = 5, ncarry = 2}"
    " (%7: i32, %8: f32[4], %9: f32[3, 4], %10: f32[3, 4]) {"
    "  %11: f32[3, 4] = broadcast %3 {axes = [1]}"
    "  %12: f32[3, 4] = mul %9, %11"
    "  %13: f32[3, 4] = add %12, %10"
    "  %14: f32[3, 4] = mul %9, %10"
    "  %15: f32[4] = reduce_sum %14 {axes = [0]}"
    "  %16: f32[4] = add %8, %15"
    "  yield %16, %13, %9 }"
    " yield %4, %6 }");
  CU_ASSERT_PTR_NOT_NULL_FATAL(g);
  CU_ASSERT_EQUAL(inside_scans(g->top, IR_MUL, false), 1);
  CU_ASSERT_EQUAL(inside_scans(g->top, IR_SUM, false), 0);
  run_end();
}

// A sum that the turn reads stays in the turn.
static void read_sums_stay(void) {
  run_begin();
  IrGraph *g = through(
    "(%0: f32[2, 4], %1: f32[5, 3, 2], %2: f32[5, 3, 4]) {"
    " %4: f32[2, 4], %5: f32[5, 2, 4] = scan %0, %1, %2 {n = 5, ncarry = 1}"
    " (%6: i32, %7: f32[2, 4], %9: f32[3, 2], %10: f32[3, 4]) {"
    "  %11: f32[2, 4] = dot %9, %10 {ta = 1}"
    "  %12: f32[2, 4] = add %7, %11"
    "  yield %12, %12 }"
    " yield %4, %5 }");
  CU_ASSERT_PTR_NOT_NULL_FATAL(g);
  CU_ASSERT_EQUAL(run_count(g, IR_SCAN), 1);
  run_end();
}

// y = h w of each turn's state: one product behind the loop.
static void output_head(void) {
  run_begin();
  IrGraph *g = through(
    "(%0: f32[3, 4], %1: f32[4, 4], %2: f32[4, 6]) {"
    " %4: f32[3, 4], %5: f32[5, 3, 6] = scan %0 {n = 5, ncarry = 1} (%6: i32, %7: f32[3, 4]) {"
    "  %8: f32[3, 4] = dot %7, %1"
    "  %9: f32[3, 4] = tanh %8"
    "  %10: f32[3, 6] = dot %9, %2"
    "  yield %9, %10 }"
    " yield %4, %5 }");
  CU_ASSERT_PTR_NOT_NULL_FATAL(g);
  CU_ASSERT_EQUAL(inside_scans(g->top, IR_DOT, false), 1);
  CU_ASSERT_EQUAL(run_count(g, IR_DOT), 2);
  run_end();
}

// A head whose product of one turn is large stays: nothing is kept for it.
static void large_head(void) {
  run_begin();
  IrGraph *g = through(
    "(%0: f32[128, 256], %1: f32[256, 256], %2: f32[256, 256]) {"
    " %4: f32[128, 256], %5: f32[2, 128, 256] = scan %0 {n = 2, ncarry = 1} (%6: i32, %7: f32[128, 256]) {"
    "  %9: f32[128, 256] = tanh %7"
    "  %10: f32[128, 256] = dot %9, %2"
    "  yield %9, %10 }"
    " yield %4, %5 }");
  CU_ASSERT_PTR_NOT_NULL_FATAL(g);
  CU_ASSERT_EQUAL(inside_scans(g->top, IR_DOT, false), 1);
  run_end();
}

// One that is larger than what it is made of goes: less is kept. Not where more than the product would go with it.
static void large_product(void) {
  for (int k = 0; k < 2; k++) {
    run_begin();
    IrGraph *g = through(arena_printf(&run_arena,
      "(%%0: f32[64, 384], %%1: f32[384, 384], %%2: f32[2, 64, 384]) {"
      " %%4: f32[64, 384], %%5: f32[2, 384, 384] = scan %%0, %%2 {n = 2, ncarry = 1, reverse = 1} (%%6: i32, %%7: f32[64, 384], %%8: f32[64, 384]) {"
      "  %%9: f32[64, 384] = dot %%7, %%1"
      "  %%10: f32[64, 384] = tanh %%8"
      "  %%11: f32[384, 384] = dot %%%d, %%9 {ta = 1}"
      "  %%12: f32[64, 384] = mul %%9, %%10"
      "  yield %%12, %%11 }"
      " yield %%4, %%5 }", k ? 10 : 8));
    CU_ASSERT_PTR_NOT_NULL_FATAL(g);
    CU_ASSERT_EQUAL(inside_scans(g->top, IR_DOT, false), k + 1);
    run_end();
  }
}

// ---- sink: what is done with all that a scan stacks ---------------------------------------------

// A way back through three layers, its gradients stacked; what comes of them, to yield.
static IrGraph *sink(const char *rest) {
  IrGraph *g = run_read(arena_printf(&run_arena,
    "(%%0 s: f32[32, 64], %%1 w: f32[3, 64, 128], %%2: f32[3, 32, 128], %%3 rate: f32, %%4 m: f32[3, 64, 128]) {"
    " %%5: f32[32, 64], %%6: f32[3, 64, 128] = scan %%0, %%1, %%2 {n = 3, ncarry = 1, reverse = 1}"
    " (%%10: i32, %%11: f32[32, 64], %%12: f32[64, 128], %%13: f32[32, 128]) {"
    "  %%14: f32[64, 128] = dot %%11, %%13 {ta = 1}"
    "  %%15: f32[32, 64] = dot %%13, %%12 {tb = 1}"
    "  %%16: f32[32, 64] = tanh %%15"
    "  yield %%16, %%14 }%s", rest));
  return g && run_keeps(g, "sink,simplify", 0) ? g : NULL;
}

static void optimizer_in_turns(void) {
  run_begin();
  IrGraph *g = sink(
    " %20: f32 = mul %3, %3"                                // known before, written behind
    " %21: f32[3, 64, 128] = broadcast %20 {axes = []}"
    " %22: f32[3, 64, 128] = mul %4, %21"                   // of the gradient's users alone
    " %23: f32[3, 64, 128] = add %22, %6"
    " %24: f32[3, 64, 128] = mul %21, %23"
    " %25: f32[3, 64, 128] = sub %1, %24"
    " yield %5, %25, %23 }");
  CU_ASSERT_PTR_NOT_NULL_FATAL(g);
  CU_ASSERT_EQUAL(run_count(g, IR_SCAN), 1);
  CU_ASSERT_EQUAL(inside_scans(g->top, IR_SUB, false), 1);
  CU_ASSERT_EQUAL(inside_scans(g->top, IR_MUL, false), 2);
  CU_ASSERT_EQUAL(g->top->yield[1]->op->nout, 3);           // the gradients are not stacked
  run_end();
}

// Its length scales the gradient; one is shown; one is summed over layers; a scale comes of the loop.
static void needed_whole(void) {
  const char *rest[] = {
    " %20: f32[3, 64, 128] = mul %6, %6 %21: f32 = reduce_sum %20 {axes = [0, 1, 2]}"
    " %22: f32[3, 64, 128] = broadcast %21 {axes = []} %23: f32[3, 64, 128] = mul %6, %22 yield %5, %23 }",
    " %20: f32[3, 64, 128] = sub %1, %6 yield %5, %20, %6 }",
    " %20: f32[3, 64, 128] = sub %1, %6 %21: f32[64, 128] = reduce_sum %20 {axes = [0]} yield %5, %20, %21 }",
    " %20: f32 = reduce_sum %5 {axes = [0, 1]} %21: f32[3, 64, 128] = broadcast %20 {axes = []}"
    " %22: f32[3, 64, 128] = mul %6, %21 yield %5, %22 }",
  };
  for (int k = 0; k < 4; k++) {
    run_begin();
    IrGraph *g = sink(rest[k]);
    CU_ASSERT_PTR_NOT_NULL_FATAL(g);
    CU_ASSERT_EQUAL(inside_scans(g->top, IR_SUB, false) + inside_scans(g->top, IR_MUL, false), 0);
    run_end();
  }
}

// Large products of all turns become a loop with what is done with them; small ones are quicker at once.
static void product_in_turns(void) {
  for (int rows = 64; rows <= 256; rows *= 4) {
    run_begin();
    IrGraph *g = run_read(arena_printf(&run_arena,
      "(%%0: f32[2, %d, 96], %%1: f32[2, %d, 96], %%2 w: f32[2, 96, 96]) {"
      " %%4: f32[2, 96, 96] = dot %%0, %%1 {batch = 1, ta = 1}"
      " %%5: f32[2, 96, 96] = tanh %%4"
      " %%6: f32[2, 96, 96] = sub %%2, %%5 yield %%6 }", rows, rows));
    CU_ASSERT_PTR_NOT_NULL_FATAL(g);
    CU_ASSERT(run_keeps(g, "sink,simplify", 0));
    CU_ASSERT_EQUAL(run_count(g, IR_SCAN), rows == 256);
    CU_ASSERT_EQUAL(inside_scans(g->top, IR_SUB, false), rows == 256);
    run_end();
  }
}

// ---- remat: what is read by another scan ------------------------------------------------------

static IrGraph *remat(const char *reader, int stacks) {
  IrGraph *g = run_read(arena_printf(&run_arena,
    "(%%0: f32[128, 128], %%1: f32[128, 128], %%2: f32[3, 128, 128]) {"
    " %%4: f32[128, 128], %%5: f32[3, 128, 128], %%6: f32[3, 128, 128] = scan %%0, %%2 {n = 3, ncarry = 1}"
    " (%%10: i32, %%11: f32[128, 128], %%12: f32[128, 128]) {"
    "  %%13: f32[128, 128] = dot %%11, %%1"
    "  %%14: f32[128, 128] = add %%13, %%12"
    "  %%15: f32[128, 128] = tanh %%14"
    "  %%16: f32[128, 128] = mul %%15, %%15"
    "  yield %%15, %%13, %%16 }%s", reader));
  if (!g || !run_keeps(g, "remat,simplify", 0)) return NULL;
  const IrOp *scan = g->top->first;
  CU_ASSERT_EQUAL(scan->nout, 1 + stacks);
  return g;
}

// tanh(h w + x)^2 of each turn follows from h w and x, also where the reader goes backwards and slices only one of them.
static void computed_again(void) {
  run_begin();
  IrGraph *g = remat(
    " %7: f32[128, 128] = scan %0, %5, %6 {n = 3, ncarry = 1, reverse = 1} (%20: i32, %21: f32[128, 128], %22: f32[128, 128], %23: f32[128, 128]) {"
    "  %24: f32[128, 128] = mul %21, %22"
    "  %25: f32[128, 128] = add %24, %23"
    "  yield %25 }"
    " yield %4, %7 }", 1);
  CU_ASSERT_PTR_NOT_NULL_FATAL(g);
  CU_ASSERT_EQUAL(run_count(g, IR_TANH), 2);
  run_end();
}

// Two values that follow from one are not stacked: that one is.
static void stacked_instead(void) {
  run_begin();
  IrGraph *g = run_read(
    "(%0: f32[128, 128], %1: f32[128, 128]) {"
    " %4: f32[128, 128], %5: f32[3, 128, 128], %6: f32[3, 128, 128] = scan %0 {n = 3, ncarry = 1} (%10: i32, %11: f32[128, 128]) {"
    "  %13: f32[128, 128] = dot %11, %1"
    "  %14: f32[128, 128] = mul %13, %13"
    "  %15: f32[128, 128] = tanh %13"
    "  yield %15, %14, %15 }"
    " %7: f32[128, 128] = scan %0, %5, %6 {n = 3, ncarry = 1, reverse = 1} (%20: i32, %21: f32[128, 128], %22: f32[128, 128], %23: f32[128, 128]) {"
    "  %24: f32[128, 128] = mul %21, %22"
    "  %25: f32[128, 128] = add %24, %23"
    "  yield %25 }"
    " yield %4, %7 }");
  CU_ASSERT_PTR_NOT_NULL_FATAL(g);
  CU_ASSERT_EQUAL(g->top->first->nout, 3);
  CU_ASSERT(run_keeps(g, "remat,simplify", 0));
  CU_ASSERT_EQUAL(g->top->first->nout, 2);
  CU_ASSERT_EQUAL(g->top->first->sub[0]->yield[1]->op->code, IR_DOT);
  run_end();
}

// Scores of all pairs follow from queries, keys and the largest of each row. A product that is a smaller part of its factors is
// stacked.
static void scores(void) {
  for (int inner = 16; inner <= 128; inner *= inner == 16 ? 4 : 2) {
    run_begin();
    IrGraph *g = run_read(arena_printf(&run_arena,
      "(%%0: f32[128, %d]) {"
      " %%4: f32[128, %d], %%5: f32[3, 128, %d], %%6: f32[3, %d, 128], %%7: f32[3, 128, 128] = scan %%0 {n = 3, ncarry = 1} (%%10: i32, %%11: f32[128, %d]) {"
      "  %%12: f32[128, %d] = tanh %%11"
      "  %%13: f32[%d, 128] = transpose %%11 {axes = [1, 0]}"
      "  %%14: f32[128, 128] = dot %%12, %%13"
      "  %%15: f32[128] = reduce_max %%14 {axes = [1]}"
      "  %%16: f32[128, 128] = broadcast %%15 {axes = [0]}"
      "  %%17: f32[128, 128] = sub %%14, %%16"
      "  %%18: f32[128, 128] = exp %%17"
      "  %%19: f32[128, %d] = dot %%18, %%12"
      "  yield %%19, %%12, %%13, %%18 }"
      " %%8: f32[128, %d] = scan %%0, %%5, %%6, %%7 {n = 3, ncarry = 1, reverse = 1}"
      " (%%20: i32, %%21: f32[128, %d], %%22: f32[128, %d], %%23: f32[%d, 128], %%24: f32[128, 128]) {"
      "  %%25: f32[128, 128] = dot %%21, %%23"
      "  %%26: f32[128, 128] = mul %%25, %%24"
      "  %%27: f32[128, %d] = dot %%26, %%22"
      "  yield %%27 }"
      " yield %%4, %%8 }", inner, inner, inner, inner, inner, inner, inner, inner, inner, inner, inner, inner, inner));
    CU_ASSERT_PTR_NOT_NULL_FATAL(g);
    CU_ASSERT(run_keeps(g, "remat,simplify", 0));
    int wide = 0;
    for (int k = 1; k < g->top->first->nout; k++) wide += g->top->first->out[k]->type.rank == 3 && ir_count(&g->top->first->out[k]->type) == 3 * 128 * 128;
    CU_ASSERT_EQUAL(wide, inner < 128 ? 0 : 3);
    CU_ASSERT_EQUAL(run_count(g, IR_EXP), inner < 128 ? 2 : 1);
    run_end();
  }
}

// What something else reads too, or a scan of other turns, is stacked.
static void kept(void) {
  run_begin();
  CU_ASSERT_PTR_NOT_NULL(remat(
    " %7: f32[128, 128] = scan %0, %5, %6 {n = 3, ncarry = 1} (%20: i32, %21: f32[128, 128], %22: f32[128, 128], %23: f32[128, 128]) {"
    "  %24: f32[128, 128] = mul %22, %23"
    "  yield %24 }"
    " yield %4, %7, %6 }", 2));
  CU_ASSERT_PTR_NOT_NULL(remat(" yield %4, %5, %6 }", 2));
  run_end();
}

// Draws from a key of the turn are made for all turns at once.
static void draws(void) {
  run_begin();
  IrGraph *g = through(
    "(%0: u64, %1: u64[3]) {"
    " %4: u64[3], %5: u64[5, 3] = scan %1 {n = 5, ncarry = 1} (%6: i32, %7: u64[3]) {"
    "  %8: u64 = cast %6"
    "  %9: u64 = threefry %0, %8"
    "  %10: u64[3] = broadcast %9 {axes = []}"
    "  %11: u64[3] = iota {axis = 0}"
    "  %12: u64[3] = threefry %10, %11"
    "  %13: u64[3] = add %12, %7"
    "  yield %13, %13 }"
    " yield %4, %5 }");
  CU_ASSERT_PTR_NOT_NULL_FATAL(g);
  CU_ASSERT_EQUAL(inside_scans(g->top, IR_THREEFRY, false), 0);
  run_end();
}

// Those that few of many elements take, where the state says, stay: they are made for these. Not so those that all
// take, those of few, and those beside a product.
static void draws_for_some(void) {
  static const struct { int n; const char *taken; int stay; } want[] = {
    {40, "select %14, %13, %7", 2}, {40, "add %13, %7", 0}, {8, "select %14, %13, %7", 0}, {40, "select %14, %13, %19", 0},
  };
  for (int k = 0; k < 4; k++) {
    int n = want[k].n;
    run_begin();
    IrGraph *g = through(arena_printf(&run_arena,
      "(%%0: u64, %%1: f32[%d], %%2: f32[%d, %d]) {"
      " %%4: f32[%d] = scan %%1 {n = 5, ncarry = 1} (%%6: i32, %%7: f32[%d]) {"
      "  %%8: u64 = cast %%6"
      "  %%9: u64 = threefry %%0, %%8"
      "  %%10: u64[%d] = broadcast %%9 {axes = []}"
      "  %%11: u64[%d] = iota {axis = 0}"
      "  %%12: u64[%d] = threefry %%10, %%11"
      "  %%13: f32[%d] = cast %%12"
      "  %%14: bool[%d] = gt %%7, %%1"
      "  %%17: f32[1, %d] = reshape %%7"
      "  %%18: f32[1, %d] = dot %%17, %%2"
      "  %%19: f32[%d] = reshape %%18"
      "  %%15: f32[%d] = %s"
      "  yield %%15 }"
      " yield %%4 }", n, n, n, n, n, n, n, n, n, n, n, n, n, n, want[k].taken));
    CU_ASSERT_PTR_NOT_NULL_FATAL(g);
    CU_ASSERT_EQUAL(inside_scans(g->top, IR_THREEFRY, false), want[k].stay);
    run_end();
  }
}

// A scan over the second axis, from the second element on: no transposed copy is left, and the function stays.
static void slices_in_place(void) {
  run_begin();
  IrGraph *g = run_read(
    "(%0: f32[3, 16], %1: f32[3, 6, 16]) {"
    " %2: f32[6, 3, 16] = transpose %1 {axes = [1, 0, 2]}"
    " %3: f32[5, 3, 16] = slice %2 {start = [1, 0, 0], limit = [6, 3, 16], stride = [1, 1, 1]}"
    " %4: f32[3, 16], %5: f32[5, 3, 16] = scan %0, %3 {n = 5, ncarry = 1, reverse = 1} (%6: i32, %7: f32[3, 16], %8: f32[3, 16]) {"
    "  %9: f32[3, 16] = mul %7, %8"
    "  %10: f32[3, 16] = add %9, %8"
    "  yield %10, %9 }"
    " yield %4, %5 }");
  CU_ASSERT_PTR_NOT_NULL_FATAL(g);
  CU_ASSERT(run_keeps(g, "slices,simplify", 0));
  CU_ASSERT_EQUAL(run_count(g, IR_TRANSPOSE), 0);
  CU_ASSERT_EQUAL(run_count(g, IR_DYN_SLICE), 1);
  run_end();
}

// A large sum to one row is a sum of sums; a product of four numbers with a matrix is one only inside of a loop.
static void stages(void) {
  run_begin();
  IrGraph *g = run_read(
    "(%0: f32[16, 256, 40], %1: f32[1, 4], %2: f32[4, 4], %3: f32[1, 4]) {"
    " %4: f32[40] = reduce_sum %0 {axes = [0, 1]}"
    " %5: f32[1, 4] = scan %1 {n = 3, ncarry = 1} (%6: i32, %7: f32[1, 4]) {"
    "  %8: f32[1, 4] = dot %7, %2"
    "  %9: f32[1, 4] = tanh %8"
    "  yield %9 }"
    " %10: f32[1, 4] = dot %3, %2"
    " yield %4, %5, %10 }");
  CU_ASSERT_PTR_NOT_NULL_FATAL(g);
  CU_ASSERT(run_keeps(g, "stages,simplify", 1e-4));
  CU_ASSERT_EQUAL(run_count(g, IR_SUM), 3);
  CU_ASSERT_EQUAL(run_count(g, IR_DOT), 1);
  run_end();
}

// A sum of rows: parts of many rows where there is one axis, or where a row is summed of few; rows that nothing divides stay.
static void sums_by_parts(void) {
  run_begin();
  IrGraph *g = run_read(
    "(%0: f32[8192, 20], %1: f32[1024, 16, 32], %2: f32[8191, 20]) {"
    " %3: f32[20] = reduce_sum %0 {axes = [0]}"
    " %4: f32[32] = reduce_sum %1 {axes = [0, 1]}"
    " %5: f32[20] = reduce_sum %2 {axes = [0]}"
    " yield %3, %4, %5 }");
  CU_ASSERT_PTR_NOT_NULL_FATAL(g);
  CU_ASSERT(run_keeps(g, "stages,simplify", 1e-4));
  CU_ASSERT_EQUAL(run_count(g, IR_SUM), 5);
  run_end();
}

// A weight's gradient over many rows is a sum of products; over few it stays.
static void products_by_parts(void) {
  run_begin();
  IrGraph *g = run_read(
    "(%0: f32[16384, 32], %1: f32[16384, 32], %2: f32[60, 32]) {"
    " %3: f32[32, 32] = dot %0, %1 {ta = 1}"
    " %4: f32[32, 32] = dot %2, %2 {ta = 1}"
    " yield %3, %4 }");
  CU_ASSERT_PTR_NOT_NULL_FATAL(g);
  CU_ASSERT(run_keeps(g, "stages,simplify", 1e-3));
  CU_ASSERT_EQUAL(run_count(g, IR_DOT), 2);
  CU_ASSERT_EQUAL(run_count(g, IR_SUM), 1);
  run_end();
}

static void random_graphs(void) {
  // Sums over turns are added up in another order: equal within rounding.
  CU_ASSERT(run_random("vmap,fission", GEN_ALL & ~GEN_JUMPS & ~GEN_LINALG & ~GEN_MIXED, 300, 2e-4));
  CU_ASSERT(run_random("simplify,autodiff,simplify,vmap,simplify,fission,simplify", GEN_CONTROL | GEN_INTS, 200, 2e-4));
}

void suite_fission(void) {
  CU_pSuite s = test_suite("fission");
  test_add(s, "input projections leave", input_projection);
  test_add(s, "sums of products become one", weight_sums);
  test_add(s, "sums of several kinds of terms", mixed_sums);
  test_add(s, "what sums gather goes behind", gathered_behind);
  test_add(s, "sums that are read stay", read_sums_stay);
  test_add(s, "slices of transposed arrays", slices_in_place);
  test_add(s, "sums in stages, products as sums", stages);
  test_add(s, "large sums of rows by parts", sums_by_parts);
  test_add(s, "weight gradients by parts", products_by_parts);
  test_add(s, "output heads go behind", output_head);
  test_add(s, "large heads stay", large_head);
  test_add(s, "a product larger than its factors", large_product);
  test_add(s, "an optimizer goes into the turns", optimizer_in_turns);
  test_add(s, "what is needed whole stays behind", needed_whole);
  test_add(s, "a large product with its optimizer", product_in_turns);
  test_add(s, "draws go before", draws);
  test_add(s, "draws that some take stay", draws_for_some);
  test_add(s, "what follows from other stacks is computed again", computed_again);
  test_add(s, "stacked instead", stacked_instead);
  test_add(s, "scores", scores);
  test_add(s, "what others read is stacked", kept);
  test_add(s, "random graphs", random_graphs);
}
