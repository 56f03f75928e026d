// Every op against hand-known values: tests/ir/cases/*.ir yield pairs of what an op
// gives and what it must give.
#include "ir/number.h"
#include "tests/test.h"

#include <dirent.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static bool seen[IR_NCODE];

static void note(const IrRegion *r) {
  ir_each_op(r, op) {
    seen[op->code] = true;
    for (int k = 0; k < op->nregion; k++) note(op->sub[k]);
  }
}

static double tolerance(IrDtype t, bool typed) {
  switch (ir_real_of(t)) {
    case IR_BF16: return 0.008;
    case IR_F32: return typed ? 2.5e-7 : 5e-7;
    default: return 4e-15;
  }
}

static bool close_to(double a, double b, double tol) {
  if (isnan(a) || isnan(b)) return isnan(a) && isnan(b);
  return a == b || fabs(a - b) <= tol * (1 + fabs(b));
}

static bool same(const IrArray *x, const IrArray *y, bool typed) {
  if (!ir_type_eq(&x->type, &y->type)) return false;
  int64_t n = ir_count(&x->type) * (ir_is_complex(x->type.dtype) ? 2 : 1);
  for (int64_t k = 0; k < n; k++) {
    if (x->i && x->i[k] != y->i[k]) return false;
    if (x->f && !close_to(x->f[k], y->f[k], tolerance(x->type.dtype, typed))) return false;
  }
  return true;
}

static void print_array(const IrArray *x) {
  int64_t n = ir_count(&x->type) * (ir_is_complex(x->type.dtype) ? 2 : 1);
  for (int64_t k = 0; k < n && k < 12; k++) {
    if (x->i) printf(" %lld", (long long)x->i[k]);
    else printf(" %.17g", x->f[k]);
  }
  printf("\n");
}

static void check_graph(Arena *a, const char *file, const IrGraph *g, bool typed) {
  IrEval how = {.typed = typed, .max_turns = 1000};
  IrArray out[128];
  const char *why = ir_eval(a, &how, g, NULL, out);
  if (why) printf("\n%s: %s: %s\n", file, g->name, why);
  CU_ASSERT_FATAL(why == NULL);
  for (int k = 0; k + 1 < g->top->nyield; k += 2) {
    bool ok = same(&out[k], &out[k + 1], typed);
    if (!ok) {
      printf("\n%s: %s: pair %d, %s: %s gave", file, g->name, k / 2 + 1, typed ? "typed" : "exact",
             g->top->yield[k]->op ? ir_info[g->top->yield[k]->op->code].name : "an argument");
      print_array(&out[k]);
      printf("  instead of");
      print_array(&out[k + 1]);
    }
    CU_ASSERT(ok);
  }
}

static void check_file(const char *folder, const char *name) {
  jmp_buf out_of_memory;
  Arena a = {.oom = &out_of_memory};
  if (setjmp(out_of_memory)) CU_FAIL_FATAL("out of memory");
  Diags d = {.arena = &a};
  char path[4096];
  snprintf(path, sizeof path, "%s/%s", folder, name);
  const Source *s = source_read(&a, &d, path);
  IrGraph *g = s ? ir_read(&a, &d, s) : NULL;
  diag_print(&d, stdout);
  CU_ASSERT_FATAL(g != NULL);
  for (; g; g = g->next) {
    char *wrong = ir_verify(g);
    if (wrong) printf("\n%s\n", wrong);
    CU_ASSERT(wrong == NULL);
    note(g->top);
    if (g->top->narg) continue;
    CU_ASSERT(g->top->nyield % 2 == 0);
    if (strcmp(name, "typed.ir")) check_graph(&a, name, g, false);
    check_graph(&a, name, g, true);
  }
  arena_free(&a);
}

static void test_cases(void) {
  char folder[4000];
  snprintf(folder, sizeof folder, "%s/tests/ir/cases", test_root());
  DIR *dir = opendir(folder);
  CU_ASSERT_FATAL(dir != NULL);
  int files = 0;
  for (struct dirent *e; (e = readdir(dir));) {
    size_t n = strlen(e->d_name);
    if (n < 4 || strcmp(e->d_name + n - 3, ".ir")) continue;
    check_file(folder, e->d_name);
    files++;
  }
  closedir(dir);
  CU_ASSERT(files >= 7);
  for (int c = 0; c < IR_NCODE; c++) {
    if (!seen[c]) printf("\nno case has %s\n", ir_info[c].name);
    CU_ASSERT(seen[c]);
  }
}

// ---- what cannot be said in a case -----------------------------------------------------------
static jmp_buf out_of_memory;

static IrGraph *parse(Arena *a, const char *text) {
  Diags d = {.arena = a};
  IrGraph *g = ir_read(a, &d, source_text(a, "test", text));
  diag_print(&d, stdout);
  CU_ASSERT_FATAL(g != NULL);
  return g;
}

static void refused(const char *text, IrEval how, const char *reason, const char *bad) {
  Arena a = {.oom = &out_of_memory};
  if (setjmp(out_of_memory)) CU_FAIL_FATAL("out of memory");
  IrArray out[8];
  const char *why = ir_eval(&a, &how, parse(&a, text), NULL, out);
  CU_ASSERT_FATAL(why != NULL);
  if (!strstr(why, reason)) printf("\n%s\n", why);
  CU_ASSERT(strstr(why, reason) != NULL);
  CU_ASSERT(bad ? how.bad && !strcmp(ir_info[how.bad->code].name, bad) : !how.bad);
  arena_free(&a);
}

static void test_stops(void) {
  refused("graph g() { %0: i32 = const 0 %1: i32 = while %0 (%2: i32) { %3: bool = eq %2, %2 yield %3 }"
          " (%4: i32) { yield %4 } yield %1 }",
          (IrEval){.max_turns = 5}, "more than 5 turns", NULL);
  refused("graph g() { %0: f32[100000, 100000] = const 1 yield %0 }", (IrEval){0}, "too large", NULL);
  refused("graph g() { %0: f32 = const 1 %1: f32, %2: f32 = vjp %0, %0 {nx = 1, ny = 1} (%3: f32) { yield %3 } yield %1 }",
          (IrEval){0}, "autodiff", NULL);
  refused("graph g() { %0: f32[2] = const [0, -inf] %1: f32[2] = neg %0 %2: f32[2] = const 0"
          " %3: f32[2] = map %2 {n = 2} (%4: i32, %5: f32) { %6: f32 = log %5 yield %6 } yield %3, %1 }",
          (IrEval){.find_bad = true}, "not finite", "log");
}

static void test_input_types(void) {
  Arena a = {.oom = &out_of_memory};
  if (setjmp(out_of_memory)) CU_FAIL_FATAL("out of memory");
  IrGraph *g = parse(&a, "graph g(%0 x: f32[2]) { yield %0 }");
  IrArray in = ir_array(&a, ir_scalar(IR_F32)), out;
  IrEval how = {0};
  const char *why = ir_eval(&a, &how, g, &in, &out);
  CU_ASSERT(why && strstr(why, "input 1 is f32, not f32[2]"));
  in = ir_array_from(&a, ir_type(IR_F32, 1, (int64_t[]){2}), (float[]){1.5f, -2.0f});
  CU_ASSERT(ir_eval(&a, &how, g, &in, &out) == NULL);
  float back[2];
  ir_array_to(&out, back);
  CU_ASSERT(back[0] == 1.5f && back[1] == -2.0f);
  arena_free(&a);
}

// The evaluator gives back all memory however often an allocation fails.
static void test_allocation_fails(void) {
  static const char *text =
    "graph g() { %0: f32[300] = const 1 %1: f32[300] = scan %0 {n = 3, ncarry = 1} (%2: i32, %3: f32[300]) {"
    " %4: f32[300] = exp %3 %5: f32[300] = tanh %4 yield %5 } yield %1 }";
  for (volatile long n = 1; n < 40; n++) {
    Arena a = {.oom = &out_of_memory};
    if (setjmp(out_of_memory) == 0) {
      IrGraph *g = parse(&a, text);
      IrArray out;
      IrEval how = {0};
      base_fail_allocation(n);
      CU_ASSERT(ir_eval(&a, &how, g, NULL, &out) == NULL);
    }
    base_fail_allocation(0);
    arena_free(&a);
  }
}

void suite_ir_eval(void) {
  CU_pSuite s = test_suite("ir_eval");
  test_add(s, "cases", test_cases);
  test_add(s, "stops", test_stops);
  test_add(s, "input types", test_input_types);
  test_add(s, "allocation fails", test_allocation_fails);
}
