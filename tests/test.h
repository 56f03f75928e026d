// What every test file includes. A file tests/ROOM/test_NAME.c defines
// `void suite_NAME(void)`, which makes a suite and adds its tests; the line
// SUITE(NAME) in tests/suites.def makes the runner call it.
#ifndef RLC_TEST_H
#define RLC_TEST_H

#include <CUnit/CUnit.h>

// Makes a suite; exits with a message when CUnit cannot.
CU_pSuite test_suite(const char *name);
void test_add(CU_pSuite suite, const char *name, CU_TestFunc run);

// The folder that holds the repository (RLC_ROOT of the environment, the build's
// setting, or "."), without a slash at its end.
const char *test_root(void);
// The rlc under test: RLC_BINARY of the environment, or the build's setting; or NULL.
const char *test_binary(void);

#endif
