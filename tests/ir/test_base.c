// Arena, arrays, strings, and what diagnostics look like.
#include "ir/base.h"
#include "tests/test.h"

#include <stdlib.h>
#include <string.h>

static jmp_buf oom;

static void arenas(void) {
  Arena a = { .oom = &oom };
  if (setjmp(oom)) abort();
  char *before = NULL;
  for (size_t n = 0; n < 300; n++) {
    char *p = arena_alloc(&a, n * 97);
    CU_ASSERT_EQUAL((uintptr_t)p % 16, 0);
    size_t zeros = 0;
    while (zeros < n * 97 && !p[zeros]) zeros++;
    CU_ASSERT_EQUAL(zeros, n * 97);
    memset(p, 1, n * 97);
    CU_ASSERT(p != before || n < 2);
    before = p;
  }
  CU_ASSERT(a.total >= 300 * 299 / 2 * 97);
  CU_ASSERT_STRING_EQUAL(arena_printf(&a, "%d %s", 3, "x"), "3 x");
  CU_ASSERT_STRING_EQUAL(arena_strn(&a, "abcdef", 3), "abc");
  arena_free(&a);
  CU_ASSERT_EQUAL(a.total, 0);
  arena_free(&a);
}

static void refused(void) {
  Arena a = { .oom = &oom };
  volatile int jumps = 0;
  if (setjmp(oom)) jumps++;
  base_fail_allocation(jumps == 0 ? 1 : 0);
  arena_alloc(&a, 10);
  CU_ASSERT_EQUAL(jumps, 1);
  if (setjmp(oom)) jumps++;
  if (jumps < 2) arena_alloc(&a, SIZE_MAX - 5);
  CU_ASSERT_EQUAL(jumps, 2);
  arena_free(&a);
}

static void arrays(void) {
  Arena a = { .oom = &oom };
  if (setjmp(oom)) abort();
  VEC(int) v = {0};
  for (int i = 0; i < 1000; i++) vec_push(&a, &v, i * i);
  CU_ASSERT_EQUAL(v.n, 1000);
  for (int i = 0; i < 1000; i++) CU_ASSERT_EQUAL(v.at[i], i * i);
  Str s = { .arena = &a };
  for (int i = 0; i < 100; i++) str_printf(&s, "%d,", i);
  str_put(&s, "end", 3);
  CU_ASSERT_EQUAL(s.n, strlen(s.s));
  CU_ASSERT_EQUAL(s.n, 10 * 2 + 90 * 3 + 3);
  CU_ASSERT_EQUAL(base_hash(0, "a", 1), UINT64_C(0xaf63dc4c8601ec8c));   // FNV-1a's own test vector
  CU_ASSERT_NOT_EQUAL(base_hash(1, "a", 1), base_hash(0, "a", 1));
  arena_free(&a);
}

static char *shown(const Diags *d) {
  char *text = NULL;
  size_t size = 0;
  FILE *f = open_memstream(&text, &size);
  diag_print(d, f);
  fclose(f);
  return text;
}

static void check_shown(const Diags *d, const char *want) {
  char *got = shown(d);
  if (strcmp(got, want)) printf("\n--- gave\n%s--- not\n%s", got, want);
  CU_ASSERT_STRING_EQUAL(got, want);
  free(got);
}

static void diagnostics(void) {
  Arena a = { .oom = &oom };
  if (setjmp(oom)) abort();
  Diags d = { .arena = &a };
  const Source *s = source_text(&a, "p.rl", "first\n\tsecönd = 3\r\nlast");
  Diag *noted = diag_error(&d, (Loc){ s, 3, 5, 1 }, "behind the end");
  diag_note(&d, noted, (Loc){ s, 1, 2, 3 }, "of %s", "this");
  diag_help(&d, noted, "go back");
  diag_help(&d, diag_error(&d, (Loc){ s, 2, 2, 7 }, "%s", "a name"), "use %d", 2);
  diag_error(&d, (Loc){ s, 2, 10, 40 }, "wide");
  diag_error(&d, (Loc){ s, 2, 10, 40 }, "wide");
  diag_error(&d, (Loc){ s, 0, 0, 0 }, "no place");
  diag_error(&d, (Loc){ 0 }, "no file");
  check_shown(&d,
    "p.rl: error: no place\n"
    "p.rl:2:2: error: a name\n\tsecönd = 3\n\t^~~~~~\nhelp: use 2\n"
    "p.rl:2:10: error: wide\n\tsecönd = 3\n\t       ^~~\n"
    "p.rl:3:5: error: behind the end\nlast\n    ^\np.rl:1:2: note: of this\nfirst\n ^~~\nhelp: go back\n"
    "error: no file\n");
  arena_free(&a);
}

static void many(void) {
  Arena a = { .oom = &oom };
  if (setjmp(oom)) abort();
  Diags d = { .arena = &a };
  char line[1001] = {0};
  memset(line, 'x', 1000);
  const Source *s = source_text(&a, "p.rl", line);
  for (int i = 0; i < 30; i++) diag_error(&d, (Loc){ s, 1, 500 + i, 1 }, "n");
  char *got = shown(&d);
  CU_ASSERT_PTR_NOT_NULL(strstr(got, "and 10 more errors\n"));
  CU_ASSERT_PTR_NULL(strstr(got, "1:520"));
  CU_ASSERT(strlen(got) < DIAG_MOST * 400);     // long lines are cut
  free(got);
  arena_free(&a);
}

void suite_base(void) {
  CU_pSuite s = test_suite("base");
  test_add(s, "arenas", arenas);
  test_add(s, "allocations refused", refused);
  test_add(s, "arrays and strings", arrays);
  test_add(s, "diagnostics", diagnostics);
  test_add(s, "many diagnostics", many);
}
