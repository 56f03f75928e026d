// The test runner: all suites, or those named by --suite. The last thing that
// it prints is CUnit's summary; its exit status is 1 when a check failed.
#include "tests/test.h"

#include <CUnit/Basic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SUITE(n) void suite_##n(void);
#include "tests/suites.def"
#undef SUITE

typedef struct Suite { const char *name; void (*make)(void); } Suite;

static const Suite suites[] = {
#define SUITE(n) { #n, suite_##n },
#include "tests/suites.def"
#undef SUITE
};
#define NSUITE (int)(sizeof suites / sizeof *suites)

CU_pSuite test_suite(const char *name) {
  CU_pSuite s = CU_add_suite(name, NULL, NULL);
  if (!s) {
    fprintf(stderr, "suite %s: %s\n", name, CU_get_error_msg());
    exit(2);
  }
  return s;
}

void test_add(CU_pSuite suite, const char *name, CU_TestFunc run) {
  if (!CU_add_test(suite, name, run)) {
    fprintf(stderr, "test %s: %s\n", name, CU_get_error_msg());
    exit(2);
  }
}

const char *test_root(void) {
  const char *root = getenv("RLC_ROOT");
#ifdef RLC_ROOT
  if (!root) root = RLC_ROOT;
#endif
  return root ? root : ".";
}

const char *test_binary(void) {
  const char *rlc = getenv("RLC_BINARY");
#ifdef RLC_BINARY
  if (!rlc) rlc = RLC_BINARY;
#endif
  return rlc;
}

static const Suite *find(const char *name) {
  for (int i = 0; i < NSUITE; i++)
    if (!strcmp(suites[i].name, name)) return &suites[i];
  return NULL;
}

static int usage(const char *program, FILE *to) {
  fprintf(to, "usage: %s [--list] [--suite NAME]...\n", program);
  return to == stderr ? 2 : 0;
}

int main(int argc, char **argv) {
  setvbuf(stdout, NULL, _IOLBF, 0);
  if (CU_initialize_registry() != CUE_SUCCESS) return 2;
  bool chosen = false;
  for (int i = 1; i < argc; i++) {
    if (!strcmp(argv[i], "--help")) return usage(argv[0], stdout);
    if (!strcmp(argv[i], "--list")) {
      for (int k = 0; k < NSUITE; k++) puts(suites[k].name);
      return 0;
    }
    if (strcmp(argv[i], "--suite") || i + 1 == argc) return usage(argv[0], stderr);
    const Suite *s = find(argv[++i]);
    if (!s) {
      fprintf(stderr, "no suite is called %s; --list names them\n", argv[i]);
      return 2;
    }
    s->make();
    chosen = true;
  }
  for (int i = 0; !chosen && i < NSUITE; i++) suites[i].make();

  CU_basic_set_mode(CU_BRM_VERBOSE);
  CU_basic_run_tests();
  bool failed = CU_get_number_of_failures() > 0 || CU_get_number_of_tests_run() == 0 || CU_get_number_of_suites_failed() > 0;
  CU_cleanup_registry();
  return failed;
}
