// The journey of a graph, in order. Help, dumps and timings read this array.
#include "passes/passes.h"

#include <string.h>

static const char simplify_why[] =
  "shapes and regions are gone when LLVM sees the code: it can neither drop a dead carry of a loop nor an array never read";

const Pass pass_pipeline[] = {
  {"simplify", pass_simplify, "a verified graph", "the same function, fewer ops", simplify_why},
  {"autodiff", pass_autodiff, "a verified graph", "no vjp, jvp, custom_vjp, remat or stop_grad",
   "derivatives are graph to graph: what the way back reads and keeps is decided before fusion and memory"},
  {"simplify", pass_simplify, "no derivative left to take", "no zero cotangents, no dead tangents", simplify_why},
  {"vmap", pass_vmap, "no derivative left to take", "map regions only where lanes diverge",
   "before fusion: a batched product is one product, and lanes of straight code are one loop nest"},
  {"simplify", pass_simplify, "a verified graph", "broadcasts and transposes of batching folded away", simplify_why},
  {"unroll", pass_unroll, "a verified graph, simplified", "short loops of little nets as straight code, their arrays in parts",
   "after autodiff, whose forward and reversed scans go together; before fission, which takes products of all turns out of scans"},
  {"fission", pass_fission, "no map left but divergent ones", "scans that hold only what depends on the turn before",
   "after vmap, which shows what a turn really reads; LLVM would have to prove the same through memory"},
  {"slices", pass_slices, "no derivative left to take", "no transposed or cut copies in front of scans",
   "last: the derivative of a slice at the turn's number would be an update of the whole array"},
  {"stages", pass_stages, "no derivative left to take", "no large sum that one thread must do, no product that is all call",
   "the plan cuts a nest along what it yields: a sum to one row has nothing to cut"},
  {"simplify", pass_simplify, "a verified graph", "the turn's dead rests gone, the new maps' ops folded", simplify_why},
  {"remat", pass_remat, "stacks that something reads", "large stacks only of what is dear to compute",
   "after fission, which moves readers of stacks out of scans; later a stack is memory that someone else wrote"},
  {"sink", pass_sink, "scans that fission is done with", "optimizers of layers that step each layer in its turn of the way back",
   "after fission, which takes out of a scan what no turn needs; memory then puts new states over the old ones' slices"},
  {"simplify", pass_simplify, "a verified graph", "stacks nobody reads gone, what was computed twice in a turn once", simplify_why},
  {NULL, NULL, NULL, NULL, NULL},
};

const Pass *pass_find(const char *name) {
  for (const Pass *p = pass_pipeline; p->name; p++)
    if (!strcmp(p->name, name)) return p;
  return NULL;
}

static bool run_one(PassContext *c, IrGraph *g, const Pass *p, const char *print_after, FILE *to) {
  int errors = c->diags->count;
  p->run(c, g);
  if (c->diags->count > errors) return false;
#ifndef NDEBUG
  char *wrong = ir_verify(g);
  ICE_IF(wrong, "after pass %s: %s", p->name, wrong);
#endif
  if (print_after && (!strcmp(print_after, "all") || !strcmp(print_after, p->name))) {
    char *text = ir_print(c->arena, g);
    fputs(text, to);
  }
  return true;
}

static bool run_list(PassContext *c, IrGraph *g, const char *list, const char *print_after, FILE *to) {
  while (*list) {
    size_t n = strcspn(list, ",");
    char *name = arena_strn(c->arena, list, n);
    list += n + (list[n] == ',');
    const Pass *p = pass_find(name);
    if (!p) {
      Diag *d = diag_error(c->diags, (Loc){0}, "there is no pass `%s`", name);
      diag_help(c->diags, d, "`rlc passes` lists them");
      return false;
    }
    if (!run_one(c, g, p, print_after, to)) return false;
  }
  return true;
}

bool pass_run(PassContext *c, IrGraph *g, const char *list, const char *print_after, FILE *to) {
  if (list) return run_list(c, g, list, print_after, to);
  for (const Pass *p = pass_pipeline; p->name; p++)
    if (!run_one(c, g, p, print_after, to)) return false;
  return true;
}
