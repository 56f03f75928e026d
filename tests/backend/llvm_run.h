// A graph through plan and JIT, as a function of arrays: for tests that hold it against the evaluator.
#ifndef RLC_TESTS_LLVM_RUN_H
#define RLC_TESTS_LLVM_RUN_H

#include "backend/backend.h"

// Plans g with an array each for inputs and outputs.
Program llvm_program(Arena *a, const IrGraph *g, const PlanTarget *t);
// NULL, or what went wrong. pool may be NULL. target NULL: the host.
const char *llvm_run(Arena *a, const IrGraph *g, const Target *target, RtPool *pool, const IrArray *in, IrArray *out);
// The first element that differs by more than rel * |want| + abs (bits, for integers), as text; NULL if none does.
char *llvm_differs(Arena *a, const IrArray *got, const IrArray *want, double rel, double abs);

#endif
