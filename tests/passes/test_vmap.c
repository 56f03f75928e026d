// Each op inside a map, run lane by lane by the evaluator, against its batched
// form: for every choice of operands that differ by lane, and for maps in maps.
#include "tests/ir/gen.h"
#include "tests/passes/run.h"
#include "tests/test.h"

#include <stdio.h>
#include <string.h>

enum { LANES = 3, OUTER = 2 };
typedef struct Case {
  const char *text;      // one lane's function
  unsigned loops;        // inputs that, differing by lane, leave a map
} Case;

#define UN(op, in, t) {"(%0 " in ": " t ") { %1: " t " = " op " %0 yield %1 }", 0}
#define BIN(op, in, t) {"(%0 " in ": " t ", %1 " in "2: " t ") { %2: " t " = " op " %0, %1 yield %2 }", 0}
#define CMP(op) {"(%0: f32[3, 2], %1: f32[3, 2]) { %2: bool[3, 2] = " op " %0, %1 yield %2 }", 0}
#define CONV "{stride = [2, 1], lo = [1, 0], hi = [1, 1], dilate = [1, 1], groups = 1}"
#define GROUPS "{stride = [2, 1], lo = [1, 0], hi = [1, 1], dilate = [1, 1], groups = 2}"

static const Case cases[] = {
  UN("neg", "x", "f32[3, 2]"), UN("abs", "x", "f32[3]"), UN("sign", "x", "f32[3]"), UN("exp", "x", "f32[3]"),
  UN("log", "pos", "f32[3]"), UN("expm1", "x", "f32[]"), UN("log1p", "pos", "f32[3]"), UN("sin", "x", "f32[3]"),
  UN("cos", "x", "f32[3]"), UN("tanh", "x", "f32[2, 2, 2]"), UN("sigmoid", "x", "f32[3]"), UN("sqrt", "pos", "f32[3]"),
  UN("rsqrt", "pos", "f32[3]"), UN("erf", "x", "f32[3]"), UN("erfinv", "unit", "f32[3]"), UN("lgamma", "pos", "f32[3]"),
  UN("digamma", "pos", "f32[3]"), UN("trigamma", "pos", "f32[3]"), UN("floor", "x", "f32[3]"), UN("ceil", "x", "f32[3]"),
  UN("round", "x", "f32[3]"), UN("not", "x", "i32[3]"), UN("conj", "x", "c64[3]"), UN("stop_grad", "x", "f32[3]"),
  {"(%0: f32[3]) { %1: bool[3] = isfinite %0 yield %1 }", 0},
  {"(%0: f32[3, 2]) { %1: i32[3, 2] = cast %0 yield %1 }", 0},
  {"(%0: f32[3, 2]) { %1: i32[3, 2] = bitcast %0 yield %1 }", 0},
  {"(%0: c64[3]) { %1: f32[3] = real %0 %2: f32[3] = imag %0 yield %1, %2 }", 0},
  BIN("add", "x", "f32[3, 2]"), BIN("sub", "x", "f32[3]"), BIN("mul", "x", "f32"), BIN("div", "pos", "f32[3]"),
  BIN("mod", "pos", "f32[3]"), BIN("pow", "pos", "f32[3]"), BIN("max", "x", "f32[3]"), BIN("min", "x", "f32[3]"),
  BIN("atan2", "x", "f32[3]"), BIN("and", "x", "i32[3]"), BIN("or", "x", "i32[3]"), BIN("xor", "x", "bool[3]"),
  BIN("shl", "idx", "i32[3]"), BIN("shr", "idx", "i32[3]"), BIN("threefry", "x", "u64[4]"),
  CMP("eq"), CMP("ne"), CMP("lt"), CMP("le"), CMP("gt"), CMP("ge"),
  {"(%0: f32[3], %1: f32[3]) { %2: c64[3] = complex %0, %1 yield %2 }", 0},
  {"(%0: bool[3], %1: f32[3], %2: f32[3]) { %3: f32[3] = select %0, %1, %2 yield %3 }", 0},
  {"(%0: f32[3, 2]) { %1: f32[3, 2] = const [1, 2, 3, 4, 5, 6] %2: f32[3, 2] = iota {axis = 1} %3: f32[3, 2] = mul %1, %2 %4: f32[3, 2] = add %0, %3 yield %4 }", 0},
  {"(%0: f32[3, 2]) { %1: f32[6, 1] = reshape %0 yield %1 }", 0},
  {"(%0: f32[3, 2, 4]) { %1: f32[4, 3, 2] = transpose %0 {axes = [2, 0, 1]} yield %1 }", 0},
  {"(%0: f32[3, 2]) { %1: f32[4, 3, 5, 2] = broadcast %0 {axes = [1, 3]} yield %1 }", 0},
  {"(%0: f32) { %1: f32[2] = broadcast %0 {axes = []} yield %1 }", 0},
  {"(%0: f32[6, 2]) { %1: f32[2, 1] = slice %0 {start = [1, 1], limit = [5, 2], stride = [2, 1]} yield %1 }", 0},
  {"(%0: f32[3, 2]) { %1: f32[7, 1] = pad %0 {lo = [1, 0], hi = [1, -1], inner = [1, 0]} yield %1 }", 0},
  {"(%0: f32[3, 2], %1: f32[3, 1]) { %2: f32[3, 3] = concat %0, %1 {axis = 1} yield %2 }", 0},
  {"(%0: f32[3, 2]) { %1: f32[3, 2] = reverse %0 {axes = [1]} yield %1 }", 0},
  {"(%0: f32[5], %1 idx: i32) { %2: f32[2] = dynamic_slice %0, %1 {sizes = [2]} yield %2 }", 0},
  {"(%0: f32[5, 4, 3], %1 idx: i32, %2 idx2: i32, %3 idx3: i32) { %4: f32[2, 4, 3] = dynamic_slice %0, %1, %2, %3 {sizes = [2, 4, 3]} yield %4 }", 0},
  {"(%0: f32[5, 4, 3], %1 idx: i32, %2 idx2: i32, %3 idx3: i32) { %4: f32[5, 2, 3] = dynamic_slice %0, %1, %2, %3 {sizes = [5, 2, 3]} yield %4 }", 0},
  {"(%0: f32[5, 4], %1 idx: i32, %2 idx2: i32) { %3: f32[1, 3] = dynamic_slice %0, %1, %2 {sizes = [1, 3]} yield %3 }", 0},
  {"(%0: f32[5, 4], %1 idx: i32, %2 idx2: i32) { %3: f32[5, 4] = dynamic_slice %0, %1, %2 {sizes = [5, 4]} yield %3 }", 0},
  {"(%0: f32[5], %1: f32[2], %2 idx: i32) { %3: f32[5] = dynamic_update %0, %1, %2 yield %3 }", 0},
  {"(%0: f32[4, 5], %1: f32[2, 5], %2 idx: i32, %3 idx2: i32) { %4: f32[4, 5] = dynamic_update %0, %1, %2, %3 yield %4 }", 0},
  {"(%0: f32[4, 5], %1: f32[4, 3], %2 idx: i32, %3 idx2: i32) { %4: f32[4, 5] = dynamic_update %0, %1, %2, %3 yield %4 }", 0},
  {"(%0: f32[4, 5], %1: f32[4, 5], %2 idx: i32, %3 idx2: i32) { %4: f32[4, 5] = dynamic_update %0, %1, %2, %3 yield %4 }", 0},
  {"(%0: f32[5, 2], %1 idx: i32[3]) { %2: f32[3, 2] = gather %0, %1 yield %2 }", 0},
  {"(%0: f32[5], %1 idx: i32) { %2: f32 = gather %0, %1 yield %2 }", 0},
  {"(%0: f32[2, 5, 2], %1 idx: i32[2, 3, 2]) { %2: f32[2, 3, 2, 2] = gather %0, %1 {batch = 1} yield %2 }", 0},
  {"(%0: f32[5, 2], %1 idx: i32[3], %2: f32[3, 2]) { %3: f32[5, 2] = scatter %0, %1, %2 {mode = set} yield %3 }", 0},
  {"(%0: f32[2, 5], %1 idx: i32[2, 3], %2: f32[2, 3]) { %3: f32[2, 5] = scatter %0, %1, %2 {mode = add, batch = 1} yield %3 }", 0},
  {"(%0: f32[5, 2], %1 idx: i32[3], %2: f32[3, 2]) { %3: f32[5, 2] = scatter %0, %1, %2 {mode = max} %4: f32[5, 2] = scatter %0, %1, %2 {mode = min} yield %3, %4 }", 0},
  {"(%0: f32[3, 2, 4]) { %1: f32[2] = reduce_sum %0 {axes = [0, 2]} %2: f32[3, 4] = reduce_prod %0 {axes = [1]} %3: f32[3, 2] = reduce_max %0 {axes = [2]} %4: f32 = reduce_min %0 {axes = [0, 1, 2]} yield %1, %2, %3, %4 }", 0},
  {"(%0: bool[3, 2]) { %1: bool[2] = reduce_and %0 {axes = [0]} %2: bool[3] = reduce_or %0 {axes = [1]} yield %1, %2 }", 0},
  {"(%0: f32[3, 4]) { %1: i32[4] = argmax %0 {axis = 0} %2: i32[3] = argmin %0 {axis = 1} %3: i32[3, 4] = argsort %0 {axis = 1} yield %1, %2, %3 }", 0},
  {"(%0: f32[3, 4]) { %1: f32[3, 4] = cumsum %0 {axis = 0} %2: f32[3, 4] = cumprod %0 {axis = 1, reverse = 1} %3: f32[3, 4] = cummax %0 {axis = 1} yield %1, %2, %3 }", 0},
  {"(%0: f32[3, 4], %1: f32[4, 2]) { %2: f32[3, 2] = dot %0, %1 yield %2 }", 0},
  {"(%0: f32[4, 3], %1: f32[4, 2]) { %2: f32[3, 2] = dot %0, %1 {ta = 1} yield %2 }", 0},
  {"(%0: f32[3, 4], %1: f32[2, 4]) { %2: f32[3, 2] = dot %0, %1 {tb = 1} yield %2 }", 0},
  {"(%0: f32[4, 3], %1: f32[2, 4]) { %2: f32[3, 2] = dot %0, %1 {ta = 1, tb = 1} yield %2 }", 0},
  {"(%0: f32[2, 5, 3, 4], %1: f32[2, 5, 4, 2]) { %2: f32[2, 5, 3, 2] = dot %0, %1 {batch = 2} yield %2 }", 0},
  {"(%0: f32[5, 4, 3], %1: f32[5, 2, 4]) { %2: f32[5, 3, 2] = dot %0, %1 {batch = 1, ta = 1, tb = 1} yield %2 }", 0},
  {"(%0: f32[2, 5, 4, 3], %1: f32[3, 2, 3, 2]) { %2: f32[2, 3, 4, 2] = conv %0, %1 " CONV " yield %2 }", 0},
  {"(%0: f32[2, 3, 4, 2], %1: f32[3, 2, 3, 2]) { %2: f32[2, 5, 4, 3] = conv_dx %0, %1 " CONV " yield %2 }", 0},
  {"(%0: f32[2, 5, 4, 3], %1: f32[2, 3, 4, 2]) { %2: f32[3, 2, 3, 2] = conv_dw %0, %1 " CONV " yield %2 }", 0},
  {"(%0: f32[2, 5, 4, 4], %1: f32[3, 2, 2, 6]) { %2: f32[2, 3, 4, 6] = conv %0, %1 " GROUPS " yield %2 }", 0},
  {"(%0: f32[2, 3, 4, 6], %1: f32[3, 2, 2, 6]) { %2: f32[2, 5, 4, 4] = conv_dx %0, %1 " GROUPS " yield %2 }", 0},
  {"(%0: f32[2, 5, 4, 4], %1: f32[2, 3, 4, 6]) { %2: f32[3, 2, 2, 6] = conv_dw %0, %1 " GROUPS " yield %2 }", 0},
  {"(%0: f32[4, 3]) { %1: f32[4, 3], %2: f32[3, 3] = qr %0 yield %1, %2 }", 0},
  {"(%0: f32[3, 3]) { %1: f32[3, 3], %2: i32[3] = lu %0 yield %1, %2 }", 0},
  {"(%0: f32[3, 3]) { %1: f32[3], %2: f32[3, 3] = eigh %0 yield %1, %2 }", 0},
  {"(%0: f32[4, 3]) { %1: f32[4, 3], %2: f32[3], %3: f32[3, 3] = svd %0 yield %1, %2, %3 }", 0},
  {"(%0: f32[3, 3]) { %1: c64[3], %2: c64[3, 3], %3: c64[3, 3] = eig %0 yield %1, %2, %3 }", 0},
  {"(%0: f32[2, 5]) { %1: c64[2, 5] = complex %0, %0 %2: c64[2, 5] = fft %1 yield %2 }", 0},
  {"(%0 spd: f32[3, 3]) { %1: f32[3, 3] = cholesky %0 yield %1 }", 0},
  {"(%0: f32[3, 2], %1 low: f32[3, 3]) { %2: f32[3, 2] = triangular_solve %1, %0 %3: f32[3, 2] = triangular_solve %1, %0 {ta = 1} yield %2, %3 }", 0},
  // what a scan carries differs by lane if its start, its arrays or what it captures does
  {"(%0: f32[2], %1: f32[4, 2], %2: f32[2]) {"
   " %3: f32[2], %4: i32, %5: f32[4, 2], %6: i32[4] = scan %0, %9, %1 {n = 4, ncarry = 2} (%10: i32, %11: f32[2], %12: i32, %13: f32[2]) {"
   "   %14: f32[2] = mul %11, %2 %15: f32[2] = add %14, %13 %16: i32 = add %12, %10 yield %15, %16, %14, %16 } yield %3, %4, %5, %6 }", 0},
  {"(%0: f32, %1: f32[4, 2]) {"
   " %3: f32, %5: f32[4, 2] = scan %0, %1 {n = 4, ncarry = 1, reverse = 1} (%10: i32, %11: f32, %13: f32[2]) {"
   "   %14: f32[2] = tanh %13 %15: f32 = reduce_sum %14 {axes = [0]} %16: f32 = add %11, %15 yield %16, %14 } yield %3, %5 }", 0},
  // two carries that pass what they hold to each other
  {"(%0: f32, %1: f32) {"
   " %2: f32, %3: f32 = scan %0, %1 {n = 3, ncarry = 2} (%10: i32, %11: f32, %12: f32) { %13: f32 = add %11, %12 yield %12, %13 } yield %2, %3 }", 0},
  {"(%0: bool, %1: f32[3], %2: f32[3]) {"
   " %3: f32[3], %4: f32 = cond %0 () { %5: f32[3] = mul %1, %2 %6: f32 = reduce_sum %1 {axes = [0]} yield %5, %6 } () { %7: f32 = reduce_max %2 {axes = [0]} yield %2, %7 } yield %3, %4 }", 0},
  // a while that all lanes leave together, and one that they leave one by one
  {"(%0: f32[2], %1: i32) {"
   " %2: i32 = const 4"
   " %3: f32[2], %4: i32 = while %0, %1 (%10: f32[2], %11: i32) { %12: bool = lt %11, %2 yield %12 } (%13: f32[2], %14: i32) {"
   "   %15: i32 = const 1 %16: i32 = add %14, %15 %17: f32[2] = sin %13 yield %17, %16 } %5: f32[2] = cos %3 yield %5, %4 }", 2},
  {"(%0: bool, %1: i32, %2: f32) {"
   " %3: f32 = cond %0 () { %4: i32, %5: f32 = while %1, %2 (%10: i32, %11: f32) { %12: i32 = const 3 %13: bool = lt %10, %12 yield %13 } (%14: i32, %15: f32) {"
   "   %16: i32 = const 1 %17: i32 = add %14, %16 %18: f32 = add %15, %2 yield %17, %18 } yield %5 } () { yield %2 } yield %3 }", 3},
  // a divergent while inside a scan: only it keeps a map
  {"(%0: f32, %1: f32[3]) {"
   " %2: f32 = scan %0, %1 {n = 3, ncarry = 1} (%10: i32, %11: f32, %12: f32) {"
   "   %13: f32 = while %11 (%14: f32) { %15: f32 = const 2 %16: bool = lt %14, %15 yield %16 } (%17: f32) { %18: f32 = const 1 %19: f32 = add %17, %18 yield %19 }"
   "   %20: f32 = sub %13, %12 %21: f32 = tanh %20 yield %21 } yield %2 }", 3},
  {"(%0: f32[4, 2], %1: f32[2]) { %2: f32[4, 2] = map %0 {n = 4} (%10: i32, %11: f32[2]) { %12: f32[2] = mul %11, %1 %13: f32 = cast %10 %14: f32[2] = broadcast %13 {axes = []} %15: f32[2] = add %12, %14 yield %15 } yield %2 }", 0},
};

// map over n lanes of f: inputs in mask are stacked.
static IrGraph *mapped(const IrGraph *f, unsigned mask, int64_t n) {
  IrGraph *g = ir_graph(&run_arena, "mapped");
  IrValue **map = arena_array(&run_arena, IrValue *, f->nvalue + 1), *xs[8];
  IrRegion *r = ir_region(g);
  int nx = 0;
  ir_arg(r, ir_scalar(IR_I32));
  for (int k = 0; k < f->top->narg; k++) {
    const IrValue *x = f->top->arg[k];
    IrType t = x->type;
    if (mask >> k & 1) {
      t.rank++;
      t.dim[0] = n;
      for (int j = 0; j < x->type.rank; j++) t.dim[j + 1] = x->type.dim[j];
    }
    IrValue *in = ir_input(g, t, f->in_name[k]);
    map[x->id] = in;
    if (!(mask >> k & 1)) continue;
    xs[nx++] = in;
    map[x->id] = ir_arg(r, x->type);
  }
  ir_clone_into(&(IrBuilder){.graph = g, .at = r}, f->top, map);
  for (int k = 0; k < f->top->nyield; k++) ir_yield(r, map[f->top->yield[k]->id]);
  IrAttr attr = ir_attr_int(&run_arena, A_N, n);
  IrBuilder b = {.graph = g, .at = g->top};
  IrOp *op = ir_build(&b, IR_MAP, nx, xs, NULL, 1, &attr, 1, &r);
  for (int k = 0; k < op->nout; k++) ir_output(g, op->out[k], NULL);
  return g;
}

// The reader wants every value defined: %9, where a case needs it, is an i32 zero.
static IrGraph *read_case(const Case *c) {
  const char *text = c->text, *use = strstr(text, "%9,"), *brace = strchr(text, '{');
  if (use) text = arena_printf(&run_arena, "%.*s{ %%9: i32 = const 0 %s", (int)(brace - text), text, brace + 1);
  return run_read(text);
}

static void ops(void) {
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    run_begin();
    IrGraph *f = read_case(&cases[i]);
    if (!f) continue;
    for (unsigned mask = 1; mask < 1u << f->top->narg; mask++) {
      IrGraph *g = mapped(f, mask, LANES);
      bool ok = run_keeps(g, "vmap", 1e-6);
      bool loops = mask & cases[i].loops;
      if (!ok || (run_count(g, IR_MAP) > 0) != loops) printf("case %s\nlanes differ in %x, maps left: %d\n", cases[i].text, mask, run_count(g, IR_MAP));
      CU_ASSERT(ok);
      CU_ASSERT_EQUAL(run_count(g, IR_MAP) > 0, loops);
    }
    run_end();
  }
}

// Innermost maps go first: the second batching meets what the first one made.
static void maps_in_maps(void) {
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    run_begin();
    IrGraph *f = read_case(&cases[i]);
    if (!f) continue;
    unsigned all = (1u << f->top->narg) - 1;
    for (unsigned inner = 1; inner <= all; inner++) {
      unsigned outer[3] = {all, inner, all & ~inner};
      for (int k = 0; k < 3; k++) {
        if (!outer[k]) continue;
        IrGraph *g = mapped(mapped(f, inner, LANES), outer[k], OUTER);
        bool ok = run_keeps(g, "vmap,simplify", 1e-5);
        if (!ok) printf("case %s\nlanes differ in %x, then %x\n", cases[i].text, inner, outer[k]);
        CU_ASSERT(ok);
        if (!((inner | outer[k]) & cases[i].loops)) CU_ASSERT_EQUAL(run_count(g, IR_MAP), 0);
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
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    IrGraph *f = read_case(&cases[i]);
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
  IrGraph *g = mapped(f, 1, 5);
  CU_ASSERT(run_keeps(g, "vmap,simplify", 1e-6));
  CU_ASSERT_EQUAL(ir_count_ops(g->top), 1);
  CU_ASSERT_EQUAL(run_count(g, IR_DOT), 1);
  run_end();
}

// What is equal in all lanes is computed once.
static void shared_work_is_done_once(void) {
  run_begin();
  IrGraph *f = run_read("(%0: f32[4], %1: f32[4]) { %2: f32[4] = exp %1 %3: f32[4] = mul %0, %2 yield %3 }");
  IrGraph *g = mapped(f, 1, 5);
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
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    IrGraph *f = read_case(&cases[i]);
    if (!f) continue;
    IrGraph *g = mapped(f, (1u << f->top->narg) - 1, LANES);
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
  test_add(s, "maps in maps", maps_in_maps);
  test_add(s, "every op has a case", every_op_has_a_case);
  test_add(s, "shared weights are one product", shared_weights_are_one_product);
  test_add(s, "shared work is done once", shared_work_is_done_once);
  test_add(s, "the lane's number", lane_number);
  test_add(s, "scans over wide rows stay lanes", wide_scans_stay);
  test_add(s, "run again, it changes nothing", stays);
  test_add(s, "random graphs", random_graphs);
}
