// Random well-typed graphs over the op table, for tests that say: this pass or this
// backend changes nothing. The same seed gives the same graph.
#ifndef RLC_TESTS_IR_GEN_H
#define RLC_TESTS_IR_GEN_H

#include "ir/ir.h"

typedef enum GenKinds {
  GEN_CONTROL = 1,   // scan, map, while, cond, custom_vjp
  GEN_INTS = 2,      // integers and bits, threefry
  GEN_JUMPS = 4,     // where an ulp of a float may change a result: floor, compare, sort, argmax, cast to integer
  GEN_LINALG = 8,    // qr, cholesky, triangular_solve
  GEN_CONV = 16,
  GEN_COMPLEX = 32,
  GEN_MIXED = 64,    // bf16, f32 and f64 in one graph
  GEN_ALL = 127
} GenKinds;

typedef struct GenOptions {
  int nop;           // ops at the top, about; regions have a third of it, regions in them a sixth, …
  int depth;         // regions in each other
  unsigned kinds;    // GenKinds
  IrDtype real;      // dtype of floats; IR_BOOL (0) means IR_F32
} GenOptions;

// Floats stay moderate: no value exceeds about 1e6 and none is NaN or infinite on the inputs
// of gen_inputs. 1 to 4 inputs; 1 to 8 outputs.
IrGraph *gen_graph(Arena *a, uint64_t seed, const GenOptions *o);
// Inputs of g in (-2, 2), or small integers; in[] has room for all. Each depends on seed and
// its position alone, so that a shrunk graph sees the same ones.
void gen_inputs(Arena *a, const IrGraph *g, uint64_t seed, IrArray *in);
// The smallest graph found that still fails, by dropping outputs and ops. Inputs stay.
typedef bool GenFails(const IrGraph *g, void *data);
IrGraph *gen_shrink(Arena *a, const IrGraph *g, GenFails *fails, void *data);
// A copy with its own values and regions.
IrGraph *gen_copy(Arena *a, const IrGraph *g);

uint64_t gen_next(uint64_t *state);              // SplitMix64
int64_t gen_below(uint64_t *state, int64_t n);   // 0 … n-1

#endif
