// The table, dtypes, type rules, the builder, and changes of graphs.
#include "ir/number.h"
#include "tests/test.h"

#include <math.h>
#include <string.h>

static jmp_buf out_of_memory;

// Runs a test with an arena of its own.
static void with_arena(void (*test)(Arena *a)) {
  Arena a = {.oom = &out_of_memory};
  if (setjmp(out_of_memory)) CU_FAIL_FATAL("out of memory");
  test(&a);
  arena_free(&a);
}

#define TEST(name) \
  static void name##_in(Arena *a); \
  static void name(void) { with_arena(name##_in); } \
  static void name##_in(Arena *a)

static IrGraph *parse(Arena *a, const char *text) {
  Diags d = {.arena = a};
  IrGraph *g = ir_read(a, &d, source_text(a, "test", text));
  diag_print(&d, stdout);
  CU_ASSERT_FATAL(g != NULL);
  return g;
}

static void prints(Arena *a, const IrGraph *g, const char *text) {
  CU_ASSERT(ir_verify(g) == NULL);
  char *have = ir_print(a, g);
  if (strcmp(have, text)) printf("\n%s\nis not\n%s\n", have, text);
  CU_ASSERT_STRING_EQUAL(have, text);
}

static void test_table(void) {
  for (int c = 0; c < IR_NCODE; c++) {
    CU_ASSERT(ir_code_find(ir_info[c].name) == c);
    CU_ASSERT(strlen(ir_info[c].doc) > 3);
    CU_ASSERT((ir_nregion((IrCode)c) > 0) == (ir_info[c].lower == LOWER_CONTROL || ir_info[c].lower == LOWER_NEVER));
    for (int k = 0; k < c; k++) CU_ASSERT(strcmp(ir_info[k].name, ir_info[c].name));
  }
  for (int k = 0; k < A_NKEY; k++) CU_ASSERT(ir_key_name((IrKey)k) != NULL);
  CU_ASSERT(ir_code_find("frobnicate") == -1);
}

TEST(test_types) {
  IrType t = ir_type(IR_F32, 2, (int64_t[]){8, 4}), s = ir_scalar(IR_C64), u = t;
  CU_ASSERT_STRING_EQUAL(ir_type_text(a, &t), "f32[8, 4]");
  CU_ASSERT_STRING_EQUAL(ir_type_text(a, &s), "c64");
  CU_ASSERT(ir_count(&t) == 32 && ir_bytes(&t) == 128 && ir_bytes(&s) == 8);
  u.dim[7] = 99;
  CU_ASSERT(ir_type_eq(&t, &u));
  u.dim[1] = 5;
  CU_ASSERT(!ir_type_eq(&t, &u) && ir_type_bad(&u) == NULL);
  u.dim[0] = (int64_t)1 << 40;
  u.dim[1] = (int64_t)1 << 40;
  CU_ASSERT(ir_type_bad(&u) != NULL);
  u.dim[1] = 0;
  CU_ASSERT(ir_type_bad(&u) == NULL);
  u.dim[1] = -1;
  CU_ASSERT(ir_type_bad(&u) != NULL);
  CU_ASSERT(ir_is_float(IR_BF16) && !ir_is_float(IR_C64) && ir_is_int(IR_U64) && !ir_is_int(IR_BOOL));
  CU_ASSERT(ir_is_diff(IR_C128) && !ir_is_diff(IR_I32) && ir_real_of(IR_C128) == IR_F64 && ir_real_of(IR_I8) == IR_I8);
  CU_ASSERT(!ir_is_signed(IR_U8) && ir_is_signed(IR_I8) && !ir_is_signed(IR_BOOL));
}

static void test_numbers(void) {
  // 257 lies between 256 and 258 and ties to the even mantissa; a hair above does not.
  CU_ASSERT(ir_round(IR_BF16, 257) == 256 && ir_round(IR_BF16, 259) == 260);
  CU_ASSERT(ir_round(IR_BF16, nextafter(257, 300)) == 258);
  CU_ASSERT(ir_round(IR_BF16, -257) == -256 && ir_round(IR_BF16, 1e39) == INFINITY);
  CU_ASSERT(ir_round(IR_BF16, 3.3895313892515355e38) == 3.3895313892515355e38);
  CU_ASSERT(ir_round(IR_BF16, 3.4e38) == INFINITY && isnan(ir_round(IR_BF16, NAN)));
  CU_ASSERT(ir_round(IR_BF16, 1e-42) == 0 && ir_round(IR_BF16, 9.183549615799121e-41) == 9.183549615799121e-41);
  CU_ASSERT(ir_round(IR_F32, 16777217) == 16777216 && ir_round(IR_F64, 0.1) == 0.1);
  CU_ASSERT(ir_saturate(IR_I8, 127.9) == 127 && ir_saturate(IR_I8, -1e30) == -128 && ir_saturate(IR_I8, NAN) == 0);
  CU_ASSERT(ir_saturate(IR_I64, 0x1p63) == INT64_MAX && ir_saturate(IR_I64, -0x1p63) == INT64_MIN);
  CU_ASSERT((uint64_t)ir_saturate(IR_U64, 0x1p63) == (uint64_t)1 << 63 && ir_saturate(IR_U64, 0x1p64) == -1);
  CU_ASSERT(ir_saturate(IR_U32, -0.5) == 0 && ir_saturate(IR_BOOL, NAN) == 1 && ir_saturate(IR_BOOL, 0) == 0);
  CU_ASSERT(ir_wrap(IR_I8, 200) == -56 && ir_wrap(IR_U8, -1) == 255 && ir_wrap(IR_U32, -1) == 4294967295 && ir_wrap(IR_U64, -1) == -1);
  CU_ASSERT(ir_threefry(0, 0) == 0x6b20015999ba4efe);
  CU_ASSERT(ir_threefry(UINT64_MAX, UINT64_MAX) == 0x1cb996fcbb002be7);
  CU_ASSERT(ir_threefry(0x13198a2e03707344, 0x243f6a8885a308d3) == 0xc4923a9c483df7a0);
}

// ---- type rules: each says what is wrong -----------------------------------------------------
#define X2 "graph g(%0: f32[2, 3], %1: i32[3], %2: bool[2, 3], %3: f32[3], %4: c64[2], %5: i32, %6: u64[2]) {"
static const struct { const char *op, *reason; } broken[] = {
  {"%9: bool[2, 3] = neg %2", "neg: operand 1 is bool[2, 3]; expected numbers"},
  {"%9: c64[2] = sign %4", "expected integers or floats"},
  {"%9: i32[3] = exp %1", "floats or complex"},
  {"%9: i32[3] = tanh %1", "expected floats"},
  {"%9: f32[3] = not %3", "bool or integers"},
  {"%9: i32[3] = isfinite %1", "floats or complex"},
  {"%9: f32[3] = real %3", "complex numbers"},
  {"%9: f32[3] = conj %3", "complex numbers"},
  {"%9: f32[2, 3] = add %0, %3", "differ: f32[2, 3] and f32[3]"},
  {"%9: f32[3] = add %3, %1", "differ"},
  {"%9: c64[2] = max %4, %4", "integers or floats"},
  {"%9: i32[3] = pow %1, %1", "expected floats"},
  {"%9: f32[3] = xor %3, %3", "bool or integers"},
  {"%9: f32[3] = shl %3, %3", "expected integers"},
  {"%9: bool[2] = lt %4, %4", "integers or floats"},
  {"%9: c64[3] = complex %1, %1", "f32 or f64"},
  {"%9: i32[3] = threefry %1, %1", "expected u64"},
  {"%9: f32[3] = select %3, %3, %3", "operand 1 is f32[3]; expected bool"},
  {"%9: f32[3] = select %2, %3, %3", "shapes differ"},
  {"%9: bool[3] = iota {axis = 0}", "the result is bool"},
  {"%9: i32[3] = iota {axis = 1}", "axis 1 is not one of i32[3]"},
  {"%9: i32[2] = cast %3", "shapes differ"},
  {"%9: u64[3] = bitcast %3", "differ in size"},
  {"%9: f32[7] = reshape %0", "has not the elements"},
  {"%9: f32[3, 2] = transpose %0 {axes = [0, 0]}", "not a permutation"},
  {"%9: f32[3, 2] = transpose %0 {axes = [0]}", "axes has 1 entries, not 2"},
  {"%9: f32[2, 4] = broadcast %3 {axes = [1]}", "does not fit"},
  {"%9: f32[3, 2, 3] = broadcast %0 {axes = [2, 1]}", "must ascend"},
  {"%9: f32[1] = slice %3 {start = [2], limit = [4], stride = [1]}", "slice 2 to 4 by 1"},
  {"%9: f32[1] = slice %3 {start = [0], limit = [1], stride = [0]}", "by 0"},
  {"%9: f32[1] = pad %3 {lo = [-2], hi = [-2], inner = [0]}", "pad -2, -2"},
  {"%9: f32[1] = pad %3 {lo = [0], hi = [0], inner = [9000000000000000000]}", "pad 0, 0"},
  {"%9: f32[1] = pad %3 {lo = [9000000000000000000], hi = [0], inner = [0]}", "pad"},
  {"%9: f32[1] = concat {axis = 0}", "concat of nothing"},
  {"%9: f32[4, 3] = concat %0, %3 {axis = 0}", "operand 2 is f32[3]"},
  {"%9: f32[2, 6] = concat %0, %2 {axis = 1}", "differ beyond axis 1"},
  {"%9: f32[3] = reverse %3 {axes = [1]}", "axes"},
  {"%9: f32[1] = dynamic_slice %3 {sizes = [1]}", "0 starts for 1 axes"},
  {"%9: f32[1] = dynamic_slice %3, %1 {sizes = [1]}", "not an i32"},
  {"%9: f32[4] = dynamic_slice %3, %5 {sizes = [4]}", "size 4 in axis 0"},
  {"%9: f32[3] = dynamic_update %3, %1, %5", "does not fit"},
  {"%9: f32[3] = gather %3, %3", "indices are f32[3]"},
  {"%9: f32[3] = gather %3, %1 {batch = 1}", "1 leading axes"},
  {"%9: f32[3] = gather %0, %1 {batch = 1}", "differ"},
  {"%9: f32[2, 3] = scatter %0, %1, %3 {mode = set}", "the update is f32[3], not f32[3, 3]"},
  {"%9: bool[2, 3] = reduce_sum %2 {axes = []}", "expected numbers"},
  {"%9: f32 = reduce_sum %0 {axes = [1, 0]}", "must ascend"},
  {"%9: f32 = reduce_or %0 {axes = [0]}", "expected bool"},
  {"%9: i32 = argmax %5 {axis = 0}", "axis 0 is not one"},
  {"%9: f32[3] = cumsum %3 {axis = 0, reverse = 2}", "reverse is 0 or 1"},
  {"%9: f32[2, 2] = dot %0, %0", "inner sizes"},
  {"%9: f32[2, 2] = dot %0, %3", "batch + 2 axes"},
  {"%9: f32[2, 2] = dot %0, %0 {batch = 7}", "batch + 2 axes"},
  {"%9: f32[2, 3] = conv %0, %0 {stride = [1, 1], lo = [0, 0], hi = [0, 0], dilate = [1, 1], groups = 1}", "conv takes"},
  {"%9: f32[2, 3], %8: f32[3, 3] = qr %0", "at least as many rows"},
  {"%9: f32[2, 3] = cholesky %0", "not square"},
  {"%9: i32[3] = cholesky %1", "f32 or f64"},
  {"%9: i32[3] = map %1 {n = 3} (%7: i32) { yield %7 }", "region 1 has 1 arguments, not 2"},
  {"%9: i32[3] = map %1 {n = 2} (%7: i32, %8: i32) { yield %7 }", "not 2 slices"},
  {"%9: i32[3] = map %1 {n = 3} (%7: i32, %8: f32) { yield %7 }", "region argument 2 is f32, not i32"},
  {"%9: i32[3] = map %1 {n = -3} (%7: i32, %8: f32) { yield %7 }", "-3 turns"},
  {"%9: i32 = while %5 (%7: i32) { yield %7 } (%8: i32) { yield %8 }", "yielded condition 1 is i32, not bool"},
  {"%9: i32 = while %5 (%7: i32) { yield %7 }", "while: takes 2 regions, not 1"},
  {"%9: i32 = cond %5 () { yield %5 } () { yield %5 }", "not a bool"},
  {"%9: i32 = jvp %5, %5 {nx = 1, ny = 1} (%7: i32) { yield %7 }", "floats or complex numbers to differentiate"},
  {"%9: f32[3] = vjp %3 {nx = 1, ny = 1} (%7: f32[3]) { yield %7 }", "not nx + ny"},
  {"%9: f32[3] = vjp %3, %1 {nx = 1, ny = 1} (%7: f32[3]) { yield %7 }", "yielded value 1 is f32[3], not i32[3]"},
  {"%9: f32[3] = custom_vjp %3 {nx = 1, ny = 1} (%7: f32[3]) { yield %7 } (%8: f32[3]) { yield %8 }", "region 2 has 1 arguments, not 2"},
  {"%9: f32[3] = custom_vjp %3 {nx = 1, ny = 1, exact = 1} (%7: f32[3]) { yield %7 } (%8: f32[3], %10: f32[3]) { yield %8 }", "region 2 has 2 arguments, not 3"},
  {"%9: f32[3] = custom_vjp %3 {nx = 1, ny = 1, exact = 2} (%7: f32[3]) { yield %7 } (%8: f32[3], %10: f32[3]) { yield %8 }", "exact is 0 or 1"},
};

static void check_broken(const char *op, const char *reason) {
  Arena a = {.oom = &out_of_memory};
  if (setjmp(out_of_memory)) CU_FAIL_FATAL("out of memory");
  Diags d = {.arena = &a};
  const char *text = arena_printf(&a, "%s %s yield }", X2, op);
  CU_ASSERT(ir_read(&a, &d, source_text(&a, "t", text)) == NULL);
  bool ok = d.first && strstr(d.first->message, reason);
  if (!ok) printf("\n%s\n  %s\n  not %s\n", op, d.first ? d.first->message : "fine", reason);
  CU_ASSERT(ok);
  arena_free(&a);
}

static void test_rules(void) {
  for (size_t k = 0; k < sizeof broken / sizeof *broken; k++) check_broken(broken[k].op, broken[k].reason);
}

// ---- building ------------------------------------------------------------------------------------
TEST(test_shorthands) {
  IrGraph *g = ir_graph(a, "g");
  IrBuilder b = {.graph = g, .at = g->top};
  IrValue *x = ir_input(g, ir_type(IR_F32, 2, (int64_t[]){3, 1}), "x");
  IrValue *y = ir_spread(&b, x, 3, (int64_t[]){2, 3, 4});
  CU_ASSERT(ir_spread(&b, x, 2, (int64_t[]){3, 1}) == x);
  CU_ASSERT(ir_cast(&b, x, IR_F32) == x && ir_reshape(&b, x, 2, (int64_t[]){3, 1}) == x);
  IrValue *z = ir_reduce(&b, IR_SUM, y, 2, (int64_t[]){0, 2});
  ir_output(g, ir_bin(&b, IR_MUL, z, ir_fill(&b, z->type, 0.5)), "y");
  ir_output(g, ir_fill(&b, ir_scalar(IR_U8), 1000), NULL);
  ir_output(g, ir_fill(&b, ir_scalar(IR_C64), -1), NULL);
  ir_output(g, ir_cast(&b, x, IR_BF16), NULL);
  prints(a, g,
    "graph g(%0 x: f32[3, 1]) {\n"
    "  %1: f32[3] = reshape %0\n"
    "  %2: f32[2, 3, 4] = broadcast %1 {axes = [1]}\n"
    "  %3: f32[3] = reduce_sum %2 {axes = [0, 2]}\n"
    "  %4: f32[3] = const 0.5\n"
    "  %5: f32[3] = mul %3, %4\n"
    "  %6: u8 = const 255\n"
    "  %7: c64 = const (-1, 0)\n"
    "  %8: bf16[3, 1] = cast %0\n"
    "  yield %5 -> \"y\", %6, %7, %8\n"
    "}\n");
}

// Attributes may lie on the caller's stack; lists may have been replaced by a pass.
TEST(test_ownership) {
  IrGraph *g = ir_graph(a, "g");
  IrBuilder b = {.graph = g, .at = g->top};
  int64_t axes[2] = {1, 0};
  float data[2] = {1, 2};
  for (int k = 0; k < 9; k++) ir_input(g, ir_type(IR_F32, 2, (int64_t[]){2, 3}), k % 2 ? "odd" : NULL);
  IrValue *t = ir_transpose(&b, g->top->arg[0], axes), *c = ir_const(&b, ir_type(IR_F32, 1, (int64_t[]){2}), data, sizeof data);
  axes[0] = axes[1] = 7;
  data[0] = data[1] = 7;
  ir_output(g, t, "t");
  ir_output(g, c, NULL);
  IrValue **own = arena_array(a, IrValue *, 2);
  own[0] = c, own[1] = t;
  g->top->yield = own;
  for (int k = 0; k < 9; k++) ir_output(g, g->top->arg[k], k % 2 ? "odd" : NULL);
  CU_ASSERT(g->top->nyield == 11 && g->top->yield[0] == c && g->top->yield[10] == g->top->arg[8]);
  CU_ASSERT_STRING_EQUAL(g->out_name[10 - 1], "odd");
  CU_ASSERT_STRING_EQUAL(g->in_name[7], "odd");
  CU_ASSERT(ir_ints(t->op, A_AXES, NULL)[0] == 1);
  CU_ASSERT(((const float *)ir_attr(c->op, A_DATA)->data)[1] == 2);
  CU_ASSERT(ir_verify(g) == NULL);
}

TEST(test_places) {
  IrGraph *g = ir_graph(a, "g");
  IrBuilder b = {.graph = g, .at = g->top, .scope = "net.dense"};
  IrValue *x = ir_input(g, ir_scalar(IR_F32), "x"), *y = ir_un(&b, IR_SIN, x), *z = ir_un(&b, IR_COS, y);
  b.before = y->op;
  IrValue *w = ir_un(&b, IR_TANH, x);
  CU_ASSERT(g->top->first == w->op && w->op->next == y->op && g->top->last == z->op);
  ir_move_before(w->op, g->top, NULL);
  CU_ASSERT(g->top->first == y->op && g->top->last == w->op && z->op->next == w->op);
  ir_move_before(w->op, g->top, y->op);
  ir_move_before(w->op, g->top, w->op);
  ir_remove(z->op);
  ir_output(g, w, NULL);
  prints(a, g,
    "graph g(%0 x: f32) {\n"
    "  %1: f32 = tanh %0 in net.dense\n"
    "  %2: f32 = sin %0 in net.dense\n"
    "  yield %1\n"
    "}\n");
  CU_ASSERT(ir_count_ops(g->top) == 2);
}

#define NEST \
  "graph g(%0 x: f32, %1 y: f32) {\n" \
  "  %2: f32 = sin %0\n" \
  "  %3: f32 = scan %1 {n = 3, ncarry = 1} (%4: i32, %5: f32) {\n" \
  "    %6: f32 = mul %5, %2\n" \
  "    %7: f32[2] = map {n = 2} (%8: i32) {\n" \
  "      %9: f32 = add %6, %0\n" \
  "      yield %9\n" \
  "    }\n" \
  "    %10: f32 = reduce_sum %7 {axes = [0]}\n" \
  "    yield %10\n" \
  "  }\n"

TEST(test_replace) {
  IrGraph *g = parse(a, NEST "  yield %3, %2\n}\n");
  IrValue *x = g->top->arg[0], *y = g->top->arg[1], *s = g->top->first->out[0];
  ir_replace(g, s, y);
  IrValue **map = arena_array(a, IrValue *, g->nvalue);
  map[x->id] = y;
  map[y->id] = x;
  ir_replace_all(g, map);
  prints(a, g,
    "graph g(%0 x: f32, %1 y: f32) {\n"
    "  %2: f32 = sin %1\n"
    "  %3: f32 = scan %0 {n = 3, ncarry = 1} (%4: i32, %5: f32) {\n"
    "    %6: f32 = mul %5, %0\n"
    "    %7: f32[2] = map {n = 2} (%8: i32) {\n"
    "      %9: f32 = add %6, %1\n"
    "      yield %9\n"
    "    }\n"
    "    %10: f32 = reduce_sum %7 {axes = [0]}\n"
    "    yield %10\n"
    "  }\n"
    "  yield %3, %0\n"
    "}\n");
}

TEST(test_captures) {
  IrGraph *g = parse(a, NEST "  yield %3\n}\n");
  IrRegion *scan = g->top->last->sub[0], *map = scan->first->next->sub[0];
  IrValue **v;
  CU_ASSERT(ir_captures(a, g->top, &v) == 0);
  CU_ASSERT(ir_captures(a, scan, &v) == 2 && v[0] == g->top->arg[0] && v[1] == g->top->first->out[0]);
  CU_ASSERT(ir_captures(a, map, &v) == 2 && v[0] == g->top->arg[0] && v[1] == scan->first->out[0]);
  CU_ASSERT(ir_defined_in(scan->first->out[0], scan) && ir_defined_in(map->arg[0], scan) && ir_defined_in(map->arg[0], g->top));
  CU_ASSERT(!ir_defined_in(scan->first->out[0], map) && !ir_defined_in(g->top->arg[0], scan));
  CU_ASSERT(ir_count_ops(g->top) == 6 && ir_count_ops(scan) == 4);
}

// A scan's body copied behind the scan, in the same graph; and a whole graph into another arena.
TEST(test_clone) {
  IrGraph *g = parse(a, NEST "  yield %3\n}\n");
  IrBuilder b = {.graph = g, .at = g->top};
  IrRegion *scan = g->top->last->sub[0];
  IrValue **map = arena_array(a, IrValue *, g->nvalue);
  map[scan->arg[1]->id] = g->top->last->out[0];
  ir_clone_into(&b, scan, map);
  ir_output(g, map[scan->yield[0]->id], NULL);
  const char *twice = NEST
    "  %11: f32 = mul %3, %2\n"
    "  %12: f32[2] = map {n = 2} (%13: i32) {\n"
    "    %14: f32 = add %11, %0\n"
    "    yield %14\n"
    "  }\n"
    "  %15: f32 = reduce_sum %12 {axes = [0]}\n"
    "  yield %3, %15\n"
    "}\n";
  prints(a, g, twice);

  Arena other = {.oom = a->oom};
  IrGraph *c = ir_graph(&other, "g");
  map = arena_array(a, IrValue *, g->nvalue);
  for (int k = 0; k < 2; k++) map[g->top->arg[k]->id] = ir_input(c, g->top->arg[k]->type, g->in_name[k]);
  ir_clone_into(&(IrBuilder){.graph = c, .at = c->top}, g->top, map);
  for (int k = 0; k < 2; k++) ir_output(c, map[g->top->yield[k]->id], NULL);
  arena_free(a);
  prints(&other, c, twice);
  arena_free(&other);
}

TEST(test_clone_region) {
  IrGraph *g = parse(a, NEST "  yield %3\n}\n");
  IrOp *scan = g->top->last;
  IrValue **map = arena_array(a, IrValue *, g->nvalue);
  IrRegion *r = ir_clone_region(g, scan->sub[0], map);
  IrBuilder b = {.graph = g, .at = g->top};
  IrOp *again = ir_build(&b, IR_SCAN, 1, scan->out, NULL, scan->nattr, scan->attr, 1, &r);
  ir_output(g, again->out[0], NULL);
  CU_ASSERT(ir_verify(g) == NULL && ir_count_ops(g->top) == 11 && r->owner == again);
}

void suite_ir_build(void) {
  CU_pSuite s = test_suite("ir_build");
  test_add(s, "table", test_table);
  test_add(s, "types", test_types);
  test_add(s, "numbers", test_numbers);
  test_add(s, "rules", test_rules);
  test_add(s, "shorthands", test_shorthands);
  test_add(s, "ownership", test_ownership);
  test_add(s, "places", test_places);
  test_add(s, "replace", test_replace);
  test_add(s, "captures", test_captures);
  test_add(s, "clone", test_clone);
  test_add(s, "clone region", test_clone_region);
}
