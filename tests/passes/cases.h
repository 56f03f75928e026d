// A function for each op of the table, as text, and what makes another function of one: for tests that
// want to see every op in every surrounding.
#ifndef RLC_TESTS_PASSES_CASES_H
#define RLC_TESTS_PASSES_CASES_H

#include "tests/passes/run.h"

typedef struct OpCase {
  const char *text;      // of run_read
  unsigned loops;        // inputs that, differing by lane, leave a map
} OpCase;

extern const OpCase op_cases[];
extern const int op_ncase;

IrGraph *run_case(const OpCase *c, bool wide);  // wide: f64 for f32, c128 for c64
// map over n lanes of f: inputs in mask are stacked.
IrGraph *run_mapped(const IrGraph *f, uint64_t mask, int64_t n);
// f in a vjp or jvp op: inputs are f's, then cotangents of its differentiable outputs, or tangents of its
// differentiable inputs. Outputs are the derivatives alone.
IrGraph *run_derivative(const IrGraph *f, IrCode code);

#endif
