// The passes: graph in, graph out. One file each; passes/pipeline.c lists them in order.
#ifndef RLC_PASSES_H
#define RLC_PASSES_H

#include "ir/ir.h"

typedef struct PassContext {
  Arena *arena;
  Diags *diags;          // user-visible mistakes (what cannot be differentiated) go here
} PassContext;

typedef struct Pass {
  const char *name;
  void (*run)(PassContext *c, IrGraph *g);
  const char *needs;     // what must hold before
  const char *gives;     // what holds after
  const char *why;       // why here, and not left to LLVM
} Pass;
extern const Pass pass_pipeline[];     // in order; ended by name == NULL
const Pass *pass_find(const char *name);

// Runs the passes named in `list` ("simplify,vmap"; NULL: the whole pipeline). Debug builds
// verify after each and name the culprit. `print_after` (or NULL) dumps the graph to `to` after
// the pass of that name ("all": after each). False if a pass reported an error.
bool pass_run(PassContext *c, IrGraph *g, const char *list, const char *print_after, FILE *to);

// vjp, jvp, remat and custom_vjp ops are replaced by ordinary graph, innermost first. [passes/autodiff.c]
void pass_autodiff(PassContext *c, IrGraph *g);
// map regions of straight code become ops with one more axis; divergent ones stay. [passes/vmap.c]
void pass_vmap(PassContext *c, IrGraph *g);
void pass_vmap_derived(IrRegion *r);   // the maps in r, which is to be differentiated
// Scans of few turns over little become straight code; arrays with a place for each turn come apart. [passes/unroll.c]
void pass_unroll(PassContext *c, IrGraph *g);
// What a scan need not do turn by turn is done for all turns at once. [passes/fission.c]
void pass_fission(PassContext *c, IrGraph *g);
// What a scan stacks for another that could compute it from the rest is computed there. [passes/remat.c]
void pass_remat(PassContext *c, IrGraph *g);
// What is done element by element with all that a scan stacks is done in its turns. [passes/sink.c]
void pass_sink(PassContext *c, IrGraph *g);
bool pass_sinks(Arena *a, IrGraph *g, IrOp *scan, int result);   // would it, with all that comes of this result?
#define PASS_TURN_FLOPS 4e6   // of a turn's part of a product that only an optimizer reads: less is quicker for all turns at once
// Scans over an inner axis, or a part of one, read their slices where they stand. [passes/slices.c]
void pass_slices(PassContext *c, IrGraph *g);
// Sums of many rows to one in two stages; products of a few numbers as sums. [passes/stages.c]
void pass_stages(PassContext *c, IrGraph *g);
// Constant folding, algebraic identities, common subexpressions, dead code, loop-invariant
// hoisting, dead carries; to a fixed point. [passes/simplify.c]
void pass_simplify(PassContext *c, IrGraph *g);

#endif
