// Seconds a call of the policy of bench/nets.rl through the C function that `rlc export` makes, as JSON.
// Built by bench/run with act.h and act.o. Each call reads what the one before wrote.
#include <stdio.h>
#include <time.h>

#include "act.h"

enum { CALLS = 200000, BLOCKS = 5 };

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

int main(void) {
  float x[4] = { 0.1f, -0.2f, 0.3f, -0.4f }, y[2];
  printf("{\"samples\": [");
  for (int b = 0; b < BLOCKS; b++) {
    double t = now();
    for (int i = 0; i < CALLS; i++) {
      act(x, y);
      x[0] = 0.1f * y[0];
    }
    printf("%s%.4g", b ? ", " : "", (now() - t) / CALLS);
  }
  printf("]}\n");
  return 0;
}
