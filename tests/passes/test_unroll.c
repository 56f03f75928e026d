// Short loops of little nets become straight code, arrays of their layers come apart, and the function stays.
#include "tests/ir/gen.h"
#include "tests/passes/run.h"
#include "tests/test.h"

static IrGraph *through(const char *text) {
  IrGraph *g = run_read(text);
  return g && run_keeps(g, "simplify,unroll", 1e-5) ? g : NULL;
}

static const IrOp *only_scan(const IrRegion *r) {
  const IrOp *found = NULL;
  ir_each_op(r, op)
    if (op->code == IR_SCAN) found = op;
  return found;
}

// Ops of that code on an array of all layers.
static int of_all(const IrRegion *r, IrCode code, int rank) {
  int n = 0;
  ir_each_op(r, op) {
    n += op->code == code && op->out[0]->type.rank == rank;
    for (int k = 0; k < op->nregion; k++) n += of_all(op->sub[k], code, rank);
  }
  return n;
}

#define FORWARD                                                                                                \
  " %10: f32[3, 4], %11: f32[2, 3, 4], %12: f32[2, 3, 4] = scan %0, %1 {n = 2, ncarry = 1}"                    \
  " (%13: i32, %14: f32[3, 4], %15: f32[4, 4]) {"                                                              \
  "  %16: f32[3, 4] = dot %14, %15"                                                                            \
  "  %17: f32[3, 4] = tanh %16"                                                                                \
  "  yield %17, %14, %17 }"

#define BACK                                                                                                   \
  " %20: f32[3, 4], %21: f32[2, 4, 4] = scan %10, %11, %12, %1 {n = 2, ncarry = 1, reverse = 1}"               \
  " (%22: i32, %23: f32[3, 4], %24: f32[3, 4], %25: f32[3, 4], %26: f32[4, 4]) {"                              \
  "  %27: f32[3, 4] = mul %23, %25"                                                                            \
  "  %28: f32[4, 4] = dot %24, %27 {ta = 1}"                                                                   \
  "  %29: f32[3, 4] = dot %27, %26 {tb = 1}"                                                                   \
  "  yield %29, %28 }"

// A net there and back, and an optimizer that divides by the gradient's norm.
static void net_and_optimizer(void) {
  run_begin();
  IrGraph *g = through("(%0: f32[3, 4], %1 w: f32[2, 4, 4], %2 m: f32[2, 4, 4]) {" FORWARD BACK
    " %30: f32[2, 4, 4] = const 0.9"
    " %31: f32[2, 4, 4] = mul %2, %30"
    " %32: f32[2, 4, 4] = mul %21, %21"
    " %33: f32 = reduce_sum %32 {axes = [0, 1, 2]}"
    " %34: f32[2] = reduce_max %32 {axes = [1, 2]}"
    " %35: f32[2, 4, 4] = broadcast %33 {axes = []}"
    " %36: f32[2, 4, 4] = div %21, %35"
    " %37: f32[2, 4, 4] = add %31, %36"
    " %38: f32[2, 4, 4] = sub %1, %37"
    " yield %38, %37, %34 }");
  CU_ASSERT_PTR_NOT_NULL_FATAL(g);
  CU_ASSERT_EQUAL(run_count(g, IR_SCAN), 0);
  CU_ASSERT_EQUAL(run_count(g, IR_DOT), 5);                 // nobody asks for the derivative of %0
  CU_ASSERT_EQUAL(of_all(g->top, IR_MUL, 3) + of_all(g->top, IR_ADD, 3) + of_all(g->top, IR_DIV, 3), 0);
  CU_ASSERT_EQUAL(of_all(g->top, IR_CONCAT, 3), 2);         // for the outputs
  run_end();
}

// A loop of steps around it carries each layer's weights, and so does a branch.
static void loops_around(void) {
  run_begin();
  IrGraph *g = through("(%0: f32[3, 4], %1 w: f32[2, 4, 4], %2 v: f32[2, 4, 4], %3: bool) {"
    " %5: f32[2, 4, 4], %6: f32[2, 4, 4] = scan %1, %2 {n = 5, ncarry = 2} (%7: i32, %8: f32[2, 4, 4], %9: f32[2, 4, 4]) {"
    "  %40: f32[2, 4, 4] = mul %9, %9"
    "  %10: f32[3, 4], %11: f32[2, 3, 4] = scan %0, %8 {n = 2, ncarry = 1} (%13: i32, %14: f32[3, 4], %15: f32[4, 4]) {"
    "   %16: f32[3, 4] = dot %14, %15"
    "   %17: f32[3, 4] = tanh %16"
    "   yield %17, %17 }"
    "  %18: f32[2, 3] = reduce_sum %11 {axes = [2]}"
    "  %19: f32[2, 3, 1] = reshape %18"
    "  %20: f32[2] = reduce_max %19 {axes = [1, 2]}"
    "  %21: f32[2, 4, 4] = broadcast %20 {axes = [0]}"
    "  %22: f32[2, 4, 4] = add %8, %40"
    "  %23: f32[2, 4, 4] = mul %22, %21"
    "  %24: f32[2, 4, 4] = sub %9, %23"
    "  yield %23, %24 }"
    " %50: f32[2, 4, 4] = cond %3 () { yield %5 } () { %51: f32[2, 4, 4] = neg %6 yield %51 }"
    " yield %50, %6 }");
  CU_ASSERT_PTR_NOT_NULL_FATAL(g);
  const IrOp *scan = only_scan(g->top);
  CU_ASSERT_PTR_NOT_NULL_FATAL(scan);
  CU_ASSERT_EQUAL(run_count(g, IR_SCAN), 1);
  CU_ASSERT_EQUAL(ir_int(scan, A_NCARRY), 4);
  CU_ASSERT_EQUAL(of_all(scan->sub[0], IR_CONCAT, 3), 0);
  CU_ASSERT_EQUAL(of_all(g->top, IR_CONCAT, 3), 2);
  CU_ASSERT_EQUAL(of_all(g->top, IR_COND, 3), 0);
  run_end();
}

// A stack stays with the loop that reads it, and that is not little.
static void together(void) {
  run_begin();
  IrGraph *g = through("(%0: f32[3, 4], %1 w: f32[2, 4, 4]) {" FORWARD
    " %20: f32[3, 4] = scan %10, %11, %12 {n = 2, ncarry = 1, reverse = 1} (%22: i32, %23: f32[3, 4], %24: f32[3, 4], %25: f32[3, 4]) {"
    "  %26: f32[3, 4] = add %24, %25"
    "  %27: f32[3, 4] = mul %23, %26"
    "  yield %27 }"
    " yield %20 }");
  CU_ASSERT_PTR_NOT_NULL_FATAL(g);
  CU_ASSERT_EQUAL(run_count(g, IR_SCAN), 2);
  run_end();
}

// A loop whose operand another, longer one has carried is none the less straight code.
static void behind_a_loop(void) {
  run_begin();
  IrGraph *g = through("(%0: f32[3, 4], %1 w: f32[2, 4, 4]) {"
    " %5: f32[2, 4, 4] = scan %1 {n = 20, ncarry = 1} (%6: i32, %7: f32[2, 4, 4]) {"
    "  %8: f32[2, 4, 4] = sin %7"
    "  yield %8 }"
    " %10: f32[3, 4] = scan %0, %5 {n = 2, ncarry = 1} (%13: i32, %14: f32[3, 4], %15: f32[4, 4]) {"
    "  %16: f32[3, 4] = dot %14, %15"
    "  %17: f32[3, 4] = tanh %16"
    "  yield %17 }"
    " yield %10 }");
  CU_ASSERT_PTR_NOT_NULL_FATAL(g);
  CU_ASSERT_EQUAL(run_count(g, IR_SCAN), 1);
  run_end();
}

static int scans_left(int n, int rows) {
  run_begin();
  IrGraph *g = through(arena_printf(&run_arena,
    "(%%0: f32[%d, 64], %%1 w: f32[%d, 64, 64]) {"
    " %%10: f32[%d, 64] = scan %%0, %%1 {n = %d, ncarry = 1} (%%13: i32, %%14: f32[%d, 64], %%15: f32[64, 64]) {"
    "  %%16: f32[%d, 64] = dot %%14, %%15"
    "  %%17: f32[%d, 64] = tanh %%16"
    "  yield %%17 }"
    " yield %%10 }", rows, n, rows, n, rows, rows, rows));
  int left = g ? run_count(g, IR_SCAN) : -1;
  run_end();
  return left;
}

// How many turns may be straight code depends on how much each computes.
static void sizes(void) {
  CU_ASSERT_EQUAL(scans_left(2, 256), 0);
  CU_ASSERT_EQUAL(scans_left(3, 256), 0);
  CU_ASSERT_EQUAL(scans_left(4, 256), 1);
  CU_ASSERT_EQUAL(scans_left(4, 128), 0);
  CU_ASSERT_EQUAL(scans_left(12, 128), 0);
  CU_ASSERT_EQUAL(scans_left(13, 128), 1);
}

static void random_graphs(void) {
  CU_ASSERT(run_random("vmap,unroll", GEN_ALL & ~GEN_JUMPS & ~GEN_LINALG & ~GEN_MIXED, 400, 2e-4));
  CU_ASSERT(run_random("simplify,autodiff,simplify,vmap,simplify,unroll", GEN_CONTROL | GEN_INTS, 200, 2e-4));
}

void suite_unroll(void) {
  CU_pSuite s = test_suite("unroll");
  test_add(s, "a net and its optimizer", net_and_optimizer);
  test_add(s, "loops and branches around", loops_around);
  test_add(s, "stacks and their readers together", together);
  test_add(s, "behind a loop that carries", behind_a_loop);
  test_add(s, "sizes", sizes);
  test_add(s, "random graphs", random_graphs);
}
