// The text form: what is printed reads back, and what is wrong is refused at its place.
#include "ir/ir.h"
#include "tests/test.h"

#include <dirent.h>
#include <string.h>

static jmp_buf out_of_memory;

static void check_round_trip(Arena *a, const IrGraph *g) {
  Diags d = {.arena = a};
  char *text = ir_print(a, g);
  IrGraph *again = ir_read(a, &d, source_text(a, "printed", text));
  diag_print(&d, stdout);
  CU_ASSERT_FATAL(again != NULL);
  CU_ASSERT(ir_verify(again) == NULL);
  char *text2 = ir_print(a, again);
  if (strcmp(text, text2)) printf("\n%s\nreads back as\n%s\n", text, text2);
  CU_ASSERT_STRING_EQUAL(text, text2);
}

static void check_file(const char *path) {
  Arena a = {.oom = &out_of_memory};
  if (setjmp(out_of_memory)) CU_FAIL_FATAL("out of memory");
  Diags d = {.arena = &a};
  const Source *s = source_read(&a, &d, path);
  for (IrGraph *g = s ? ir_read(&a, &d, s) : NULL; g; g = g->next) check_round_trip(&a, g);
  diag_print(&d, stdout);
  CU_ASSERT(d.count == 0);
  arena_free(&a);
}

static void test_cases(void) {
  char folder[4000], path[4400];
  snprintf(folder, sizeof folder, "%s/tests/ir/cases", test_root());
  DIR *dir = opendir(folder);
  CU_ASSERT_FATAL(dir != NULL);
  for (struct dirent *e; (e = readdir(dir));) {
    size_t n = strlen(e->d_name);
    if (n < 4 || strcmp(e->d_name + n - 3, ".ir")) continue;
    snprintf(path, sizeof path, "%s/%s", folder, e->d_name);
    check_file(path);
  }
  closedir(dir);
}

// Printed exactly so: the form is stable.
static void test_form(void) {
  static const char *text =
    "graph \"a graph\"(%0 p.w: f32[2, 3], %1 \"q[0]\": f32[2, 3], %2.seed: u64) {\n"
    "  %3.sum: f32[2, 3] = add %0, %1 @ \"dir/a b.rl\":3:9+5 in agent.pi\n"
    "  %4: f64[3] = const [0.1, -0, 1e+300] in \"q[\\\"x\\\"]\\x0a\"\n"
    "  %5: bf16[3] = const [0.1, 3.39e+38, nan] @ a.rl:1:1\n"
    "  %6: f32[2] = const [nan:0xffc00000, 1.1754944e-38] {name = \"two \\\\ \\\"words\\\"\"}\n"
    "  %7: bool[3] = const true\n"
    "  %8: i32[2] = const [-2147483648, 2147483647]\n"
    "  %9: i32[0] = const []\n"
    "  %10: f32[3, 3] = dot %3, %0 {ta = 1}\n"
    "  scan {n = 2, ncarry = 0} (%11: i32) {\n"
    "    yield\n"
    "  }\n"
    "  yield %10 -> \"out\", %4, %5 -> \"a \\\"b\\\"\"\n"
    "}\n";
  Arena a = {.oom = &out_of_memory};
  if (setjmp(out_of_memory)) CU_FAIL_FATAL("out of memory");
  Diags d = {.arena = &a};
  IrGraph *g = ir_read(&a, &d, source_text(&a, "t", text));
  diag_print(&d, stdout);
  CU_ASSERT_FATAL(g != NULL);
  CU_ASSERT_STRING_EQUAL(ir_print(&a, g), text);
  CU_ASSERT(ir_verify(g) == NULL);
  const IrOp *add = g->top->first;
  CU_ASSERT_STRING_EQUAL(add->loc.src->path, "dir/a b.rl");
  CU_ASSERT(add->loc.line == 3 && add->loc.col == 9 && add->loc.width == 5);
  CU_ASSERT_STRING_EQUAL(add->scope, "agent.pi");
  CU_ASSERT_STRING_EQUAL(add->out[0]->hint, "sum");
  CU_ASSERT_STRING_EQUAL(g->in_name[1], "q[0]");
  CU_ASSERT(g->in_name[2] == NULL);
  CU_ASSERT_STRING_EQUAL(g->out_name[2], "a \"b\"");
  CU_ASSERT(g->out_name[1] == NULL);
  arena_free(&a);
}

// Values may be numbered in any way and lines broken anywhere; comments are skipped.
static void test_free_form(void) {
  Arena a = {.oom = &out_of_memory};
  if (setjmp(out_of_memory)) CU_FAIL_FATAL("out of memory");
  Diags d = {.arena = &a};
  IrGraph *g = ir_read(&a, &d, source_text(&a, "t",
    "// two graphs\ngraph g(%7 x: f32) { %900000000: f32 =\n neg // minus\n %7 yield %900000000 }\n"
    "graph h() { yield } // end"));
  diag_print(&d, stdout);
  CU_ASSERT_FATAL(g != NULL && g->next != NULL && g->next->next == NULL);
  CU_ASSERT_STRING_EQUAL(ir_print(&a, g), "graph g(%0 x: f32) {\n  %1: f32 = neg %0\n  yield %1\n}\n");
  CU_ASSERT_STRING_EQUAL(ir_print(&a, g->next), "graph h() {\n  yield\n}\n");
  arena_free(&a);
}

#define G "graph g(%0 x: f32[2]) {\n"
static const struct { const char *text, *message; int line, col; } refused[] = {
  {"", "expected 'graph', found the end", 1, 1},
  {"graph", "expected a name", 1, 6},
  {"graph g", "expected '('", 1, 8},
  {"graph g(%0: f32 {", "expected ','", 1, 17},
  {"graph g(%0: f99) {", "expected a dtype", 1, 13},
  {"graph g(%0: f32[-1]) {", "a negative size", 1, 13},
  {"graph g(%0: f32[1, 1, 1, 1, 1, 1, 1, 1, 1]) {", "more than 8 axes", 1, 13},
  {"graph g(%0: f32[4000000000, 4000000000]) {", "2^44", 1, 13},
  {"graph g(%0: f32[99999999999999999999]) {", "64 bits", 1, 17},
  {"graph g(%0: f32, %0: f32) {", "%0 is defined twice", 1, 18},
  {"graph g(%99999999999: f32) {", "below 2^31", 1, 9},
  {"graph g(%: f32) {", "a value is % and a number", 1, 9},
  {"graph \"g", "does not end", 1, 7},
  {"graph \"\\q\"", "an escape is", 1, 7},
  {G "%1: f32[2] = frob %0", "no op is called 'frob'", 2, 14},
  {G "%1: f32[2] = neg %7 yield }", "%7 is not defined", 2, 18},
  {G "%1: f32[2] = add %0 yield }", "add: takes 2 operands, not 1", 2, 14},
  {G "%1: f32[3] = neg %0 yield }", "%1 is f32[2] by the rule of neg, not f32[3]", 2, 1},
  {G "%1: f32[2], %2: f32 = neg %0 yield }", "neg: gives 1 results", 2, 23},
  {G "%1: f32[2] = neg %0, yield }", "expected a value", 2, 22},
  {G "%1 f32[2] = neg %0 yield }", "expected ':'", 2, 4},
  {G "%1: f32[2] = transpose %0 yield }", "transpose: attribute axes is missing", 2, 14},
  {G "%1: f32[2] = transpose %0 {axes = [1]} yield }", "not a permutation", 2, 14},
  {G "%1: f32[2] = transpose %0 {axes = [0], axes = [0]} yield }", "given twice", 2, 14},
  {G "%1: f32[2] = transpose %0 {axes = 0} yield }", "expected '['", 2, 35},
  {G "%1: f32[2] = polygamma %0 yield }", "polygamma: attribute n is missing", 2, 14},
  {G "%1: f32[2] = polygamma %0 {n = 0} yield }", "order 0 is not within 1 to 170", 2, 14},
  {G "%1: f32[2] = polygamma %0 {n = 171} yield }", "order 171 is not within 1 to 170", 2, 14},
  {G "%1: f32[2] = neg %0 {axis = 0} yield }", "there is no attribute axis", 2, 14},
  {G "%1: f32[2] = neg %0 {colour = 0} yield }", "expected an attribute", 2, 22},
  {G "%1: f32[2] = neg %0 {data = 0} yield }", "expected an attribute", 2, 22},
  {G "%1: f32[2] = neg %0 @ a.rl:0:1 yield }", "count from 1", 2, 28},
  {G "%1: f32[2] = const [1, 2, 3] yield }", "3 elements for f32[2]", 2, 20},
  {G "%1: f32[2] = const [1, x] yield }", "expected a number", 2, 24},
  {G "%1: f32[2] = const nan:0x00 yield }", "bits of a NaN", 2, 24},
  {G "%1: i8 = const 128 yield }", "not a number of i8", 2, 16},
  {G "%1: u8 = const -1 yield }", "not a number of u8", 2, 16},
  {G "%1: u64 = const 18446744073709551616 yield }", "not a number of u64", 2, 17},
  {G "%1: bool = const 1 yield }", "expected true or false", 2, 18},
  {G "%1: c64 = const 1 yield }", "expected '('", 2, 17},
  {G "const 1 yield }", "const has one result", 2, 1},
  {G "%1: bool = gt %0, %0 yield }", "bool[2] by the rule", 2, 1},
  {G "%1: f32[2] = cond %0 () { yield %0 } () { yield %0 } yield }", "the condition is f32[2]", 2, 14},
  {G "%1: f32[2] = scan %0 {n = 1, ncarry = 1} (%2: i32) { yield } yield }", "1 carries", 2, 14},
  {G "%1: f32[2] = scan %0 {n = 1, ncarry = 1} (%2: i32, %3: f32[2]) { yield %3 } yield %3 }", "does not reach", 2, 83},
  {G "%1: i32[2] = map {n = 2} (%2: i32) { yield %2 -> \"x\" } yield }", "expected ','", 2, 47},
  {G "yield %0 -> out }", "output's name in quotes", 2, 13},
  {G "yield %0 } graph", "expected a name", 2, 17},
  {G "yield %0 } junk", "expected 'graph'", 2, 12},
};

static void check_refused(const char *text, const char *message, int line, int col) {
  Arena a = {.oom = &out_of_memory};
  if (setjmp(out_of_memory)) CU_FAIL_FATAL("out of memory");
  Diags d = {.arena = &a};
  CU_ASSERT(ir_read(&a, &d, source_text(&a, "t", text)) == NULL);
  CU_ASSERT_FATAL(d.first != NULL);
  Loc at = d.first->loc;
  bool ok = strstr(d.first->message, message) && at.line == line && at.col == col;
  if (!ok) printf("\n%s\n  %d:%d: %s\n  not %d:%d: %s\n", text, at.line, at.col, d.first->message, line, col, message);
  CU_ASSERT(ok);
  arena_free(&a);
}

static void test_refused(void) {
  for (size_t k = 0; k < sizeof refused / sizeof *refused; k++)
    check_refused(refused[k].text, refused[k].message, refused[k].line, refused[k].col);
}

static void test_deep(void) {
  Arena a = {.oom = &out_of_memory};
  if (setjmp(out_of_memory)) CU_FAIL_FATAL("out of memory");
  Diags d = {.arena = &a};
  Str s = {.arena = &a};
  str_printf(&s, "graph g() {");
  for (int k = 0; k < 100000; k++) str_printf(&s, "map {n = 1} (%%%d: i32) {", k);
  CU_ASSERT(ir_read(&a, &d, source_text(&a, "t", s.s)) == NULL);
  CU_ASSERT(d.first && strstr(d.first->message, "regions in each other"));
  arena_free(&a);
}

void suite_ir_text(void) {
  CU_pSuite s = test_suite("ir_text");
  test_add(s, "cases read back", test_cases);
  test_add(s, "form", test_form);
  test_add(s, "free form", test_free_form);
  test_add(s, "refused", test_refused);
  test_add(s, "deep", test_deep);
}
