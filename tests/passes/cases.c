#include "tests/passes/cases.h"

#include <string.h>

#define UN(op, in, t) {"(%0 " in ": " t ") { %1: " t " = " op " %0 yield %1 }", 0}
#define BIN(op, in, t) {"(%0 " in ": " t ", %1 " in "2: " t ") { %2: " t " = " op " %0, %1 yield %2 }", 0}
#define CMP(op) {"(%0: f32[3, 2], %1: f32[3, 2]) { %2: bool[3, 2] = " op " %0, %1 yield %2 }", 0}
#define CONV "{stride = [2, 1], lo = [1, 0], hi = [1, 1], dilate = [1, 1], groups = 1}"
#define GROUPS "{stride = [2, 1], lo = [1, 0], hi = [1, 1], dilate = [1, 1], groups = 2}"

const OpCase op_cases[] = {
  UN("neg", "x", "f32[3, 2]"), UN("abs", "x", "f32[3]"), UN("sign", "x", "f32[3]"), UN("exp", "x", "f32[3]"),
  UN("log", "pos", "f32[3]"), UN("expm1", "x", "f32[]"), UN("log1p", "pos", "f32[3]"), UN("sin", "x", "f32[3]"),
  UN("cos", "x", "f32[3]"), UN("tanh", "x", "f32[2, 2, 2]"), UN("sigmoid", "x", "f32[3]"), UN("sqrt", "pos", "f32[3]"),
  UN("rsqrt", "pos", "f32[3]"), UN("erf", "x", "f32[3]"), UN("erfinv", "unit", "f32[3]"), UN("lgamma", "pos", "f32[3]"),
  UN("digamma", "pos", "f32[3]"), UN("floor", "x", "f32[3]"), UN("ceil", "x", "f32[3]"),
  UN("round", "x", "f32[3]"), UN("not", "x", "i32[3]"), UN("conj", "x", "c64[3]"), UN("stop_grad", "held", "f32[3]"), UN("copy", "x", "f32[3, 2]"),
  {"(%0 pos: f32[3]) { %1: f32[3] = polygamma %0 {n = 1} %2: f32[3] = polygamma %0 {n = 2} yield %1, %2 }", 0},
  {"(%0: f32[3]) { %1: bool[3] = isfinite %0 yield %1 }", 0},
  {"(%0: f32[3, 2]) { %1: i32[3, 2] = cast %0 yield %1 }", 0},
  {"(%0 held: f32[3, 2]) { %1: i32[3, 2] = bitcast %0 yield %1 }", 0},
  {"(%0: c64[3]) { %1: f32[3] = real %0 %2: f32[3] = imag %0 yield %1, %2 }", 0},
  BIN("add", "x", "f32[3, 2]"), BIN("sub", "x", "f32[3]"), BIN("mul", "x", "f32"), BIN("div", "pos", "f32[3]"),
  BIN("mod", "pos", "f32[3]"), BIN("pow", "pos", "f32[3]"), BIN("max", "x", "f32[3]"), BIN("min", "x", "f32[3]"),
  BIN("atan2", "x", "f32[3]"), BIN("and", "x", "i32[3]"), BIN("or", "x", "i32[3]"), BIN("xor", "x", "bool[3]"),
  BIN("shl", "idx", "i32[3]"), BIN("shr", "idx", "i32[3]"), BIN("threefry", "x", "u64[4]"),
  CMP("eq"), CMP("ne"), CMP("lt"), CMP("le"), CMP("gt"), CMP("ge"),
  {"(%0: f32[3], %1: f32[3]) { %2: c64[3] = complex %0, %1 yield %2 }", 0},
  {"(%0: f32[3, 2], %1: f32) { %2: f32[3, 2] = after %0, %1 yield %2 }", 0},
  UN("neg", "x", "c64[3]"), UN("exp", "x", "c64[3]"), UN("log", "pos", "c64[3]"), UN("sqrt", "pos", "c64[3]"),
  BIN("add", "x", "c64[3]"), BIN("sub", "x", "c64[3]"), BIN("mul", "x", "c64[3, 2]"), BIN("div", "pos", "c64[3]"),
  {"(%0: c64[3]) { %1: f32[3] = abs %0 %2: f32[3] = cast %0 %3: c64[3] = cast %1 yield %1, %2, %3 }", 0},
  {"(%0: bool[3], %1: c64[3], %2: c64[3]) { %3: c64[3] = select %0, %1, %2 yield %3 }", 0},
  {"(%0: c64[2, 3], %1: c64[3, 2]) { %2: c64[2, 2] = dot %0, %1 yield %2 }", 0},
  {"(%0: c64[2, 3], %1 idx: i32[2]) { %2: c64[2] = reduce_sum %0 {axes = [1]} %3: c64[3] = reduce_prod %0 {axes = [0]} %4: c64[2, 3] = cumsum %0 {axis = 1} %5: c64[2, 3] = gather %0, %1 yield %2, %3, %4, %5 }", 0},
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
  {"(%0 apart: f32[4, 3]) { %1: f32[4, 3], %2: f32[3, 3] = qr %0 yield %1, %2 }", 0},
  {"(%0 apart: f32[3, 3]) { %1: f32[3, 3], %2: i32[3] = lu %0 yield %1, %2 }", 0},
  {"(%0 apart: f32[3, 3]) { %1: f32[3], %2: f32[3, 3] = eigh %0 yield %1, %2 }", 0},
  {"(%0 apart: f32[4, 3]) { %1: f32[4, 3], %2: f32[3], %3: f32[3, 3] = svd %0 yield %1, %2, %3 }", 0},
  // the values, and what does not depend on the scale of the vectors: e^x
  {"(%0 apart: f32[3, 3]) { %1: c64[3], %2: c64[3, 3], %3: c64[3, 3] = eig %0 %4: c64[3] = exp %1 %5: c64[3, 3] = broadcast %4 {axes = [1]} %6: c64[3, 3] = mul %2, %5 %7: c64[3, 3] = dot %6, %3 yield %1, %7 }", 0},
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

const int op_ncase = sizeof op_cases / sizeof *op_cases;

static char *replaced(const char *text, const char *from, const char *to) {
  char *all = arena_strn(&run_arena, "", 0);
  for (const char *at; (at = strstr(text, from)); text = at + strlen(from))
    all = arena_printf(&run_arena, "%s%.*s%s", all, (int)(at - text), text, to);
  return arena_printf(&run_arena, "%s%s", all, text);
}

// The reader wants every value defined: %9, where a case needs it, is an i32 zero.
IrGraph *run_case(const OpCase *c, bool wide) {
  char *text = arena_str(&run_arena, c->text);
  const char *use = strstr(text, "%9,"), *brace = strchr(text, '{');
  if (use) text = arena_printf(&run_arena, "%.*s{ %%9: i32 = const 0 %s", (int)(brace - text), text, brace + 1);
  if (wide) {
    bool bits = strstr(text, "bitcast");
    text = replaced(replaced(text, "f32", "f64"), "c64", "c128");
    if (bits) text = replaced(text, "i32", "i64");
  }
  return run_read(text);
}

IrGraph *run_mapped(const IrGraph *f, uint64_t mask, int64_t n) {
  IrGraph *g = ir_graph(f->arena, "mapped");
  IrValue **map = arena_array(f->arena, IrValue *, f->nvalue + 1), *xs[64];
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
  IrAttr attr = ir_attr_int(f->arena, A_N, n);
  IrBuilder b = {.graph = g, .at = g->top};
  IrOp *op = ir_build(&b, IR_MAP, nx, xs, NULL, 1, &attr, 1, &r);
  for (int k = 0; k < op->nout; k++) ir_output(g, op->out[k], NULL);
  return g;
}

IrGraph *run_derivative(const IrGraph *f, IrCode code) {
  IrGraph *g = ir_graph(f->arena, ir_info[code].name);
  IrBuilder b = {.graph = g, .at = g->top};
  IrValue **map = arena_array(f->arena, IrValue *, f->nvalue + 1);
  IrRegion *r = ir_region(g);
  IrValue *in[64];
  int nx = 0, ny = 0, extra;
  for (int k = 0; k < f->top->narg; k++) {
    IrValue *x = f->top->arg[k], *outer = ir_input(g, x->type, f->in_name[k]);
    map[x->id] = ir_is_diff(x->type.dtype) ? ir_arg(r, x->type) : outer;
    if (ir_is_diff(x->type.dtype)) in[nx++] = outer;
  }
  ir_clone_into(&(IrBuilder){.graph = g, .at = r}, f->top, map);
  for (int pass = 0; pass < 2; pass++)
    for (int k = 0; k < f->top->nyield; k++) {
      IrValue *y = f->top->yield[k];
      if (ir_is_diff(y->type.dtype) != (pass == 0)) continue;
      ir_yield(r, map[y->id] ? map[y->id] : y);
      ny += pass == 0;
    }
  extra = nx;
  for (int k = 0; k < (code == IR_VJP ? ny : nx); k++)
    in[extra++] = ir_input(g, code == IR_VJP ? r->yield[k]->type : r->arg[k]->type,
                           code == IR_JVP && run_is_held(in[k]->hint) ? "none" : "d");
  IrAttr at[2] = {ir_attr_int(f->arena, A_NX, nx), ir_attr_int(f->arena, A_NY, ny)};
  IrOp *op = ir_build(&b, code, extra, in, NULL, 2, at, 1, &r);
  for (int k = r->nyield; k < op->nout; k++) ir_output(g, op->out[k], "d");
  return g;
}
