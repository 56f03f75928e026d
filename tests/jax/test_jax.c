// Values and derivatives beside JAX, where a Python has it; it is no dependency.
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>

#include "tests/test.h"

enum { NO_JAX = 77, NO_PYTHON = 127 };   // exit statuses of compare.py and of the shell

static void compare(void) {
  const char *python = getenv("BENCH_PYTHON"), *rlc = getenv("RLC_BINARY");
#ifdef RLC_BINARY
  if (!rlc) rlc = RLC_BINARY;
#endif
  char command[4096];
  snprintf(command, sizeof command, "'%s' '%s/tests/jax/compare.py' '%s' 2>&1", python ? python : "python3", test_root(), rlc);
  FILE *said = popen(command, "r");
  CU_ASSERT_PTR_NOT_NULL_FATAL(said);
  putchar('\n');
  for (int c; (c = getc(said)) != EOF;) putchar(c);
  int status = pclose(said);
  status = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  if (status == NO_PYTHON) puts("skipped: no Python; BENCH_PYTHON names one");
  CU_ASSERT(status == 0 || status == NO_JAX || status == NO_PYTHON);
}

void suite_jax(void) {
  CU_pSuite s = test_suite("jax");
  test_add(s, "functions written in both", compare);
}
