// Shared by the tests of passes: graphs from text, random inputs, and whether
// two graphs are the same function.
#ifndef RLC_TESTS_PASSES_RUN_H
#define RLC_TESTS_PASSES_RUN_H

#include "passes/passes.h"

extern Arena run_arena;             // of the test at hand
void run_begin(void);               // a fresh arena; call first in each test
void run_seed(uint64_t seed);       // where run_inputs draws from; run_begin sets it too
double run_uniform(double lo, double hi);
void run_end(void);

// The graph of "graph f" + text; a failed check and NULL where it does not read.
IrGraph *run_read(const char *text);
// Inputs from a fixed seed. An input's name tells its range: pos… (0.1, 2), unit… (-0.9, 0.9),
// idx… integers in [-2, 6), spd… symmetric positive definite over its last two axes, low… lower
// triangular with a diagonal away from zero, apart… with a diagonal whose elements are so much greater than the
// others that the spectrum is too, away… at least 0.5 from 0, none… zeros; else (-2, 2), integers in [-4, 5).
IrArray *run_inputs(const IrGraph *g);
bool run_is_held(const char *name);  // held… and none…: inputs whose derivatives are zero by declaration, not by nature
// Outputs on these inputs in typed mode, or NULL and a message.
IrArray *run_eval(const IrGraph *g, const IrArray *in);
// Whether all outputs agree: |x - y| <= tolerance * max(1, |x|), NaN with NaN. Prints the first that does not.
bool run_agree(const IrGraph *g, const IrArray *x, const IrArray *y, double tolerance);
// Runs the passes on g; checks the verifier, and that the function stays.
bool run_keeps(IrGraph *g, const char *passes, double tolerance);
// Random graphs of tests/ir/gen.h, seeds 0 to n-1: run_keeps of each. What fails is shrunk and printed with its seed.
bool run_random(const char *passes, unsigned kinds, int n, double tolerance);
int run_count(const IrGraph *g, IrCode code);  // ops of that code, nested ones too

#endif
