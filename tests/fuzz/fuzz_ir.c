// The IR reader: any bytes end in diagnostics or in a graph that the verifier accepts, that
// prints the same once it was printed and read, and that evaluates (where that is soon done).
#include "ir/ir.h"

#include <stdlib.h>
#include <string.h>

static double product(const IrValue *const *v, int n) {
  double p = 1;
  for (int k = 0; k < n; k++) p *= 1 + (double)ir_count(&v[k]->type);
  return p;
}

// A bound of the scalar steps that a region takes.
static double cost(const IrRegion *r) {
  double all = 0;
  ir_each_op(r, op) {
    bool few = op->nin <= 2 && op->nout <= 1;
    double one = product((const IrValue *const *)op->out, few ? op->nout : 0);
    for (int k = 0; k < op->nin; k++) one += product((const IrValue *const *)&op->in[k], 1);
    for (int k = 0; k < op->nout; k++) one += product((const IrValue *const *)&op->out[k], 1);
    if (ir_info[op->code].lower == LOWER_DOT || ir_info[op->code].lower == LOWER_CONV || ir_info[op->code].lower == LOWER_LIB)
      one *= product((const IrValue *const *)op->in, few ? op->nin : 0);
    double inside = 1;
    for (int k = 0; k < op->nregion; k++) inside += cost(op->sub[k]);
    all += one + inside * (op->code == IR_WHILE ? 10 : op->nregion ? 1 + (double)ir_int(op, A_N) : 1);
  }
  return all;
}

static void evaluate(Arena *a, const IrGraph *g) {
  if (cost(g->top) > 1e5 || product((const IrValue *const *)g->top->arg, g->top->narg) > 1e5) return;
  IrArray *in = arena_array(a, IrArray, g->top->narg + 1), *out = arena_array(a, IrArray, g->top->nyield + 1);
  for (int k = 0; k < g->top->narg; k++) in[k] = ir_array(a, g->top->arg[k]->type);
  for (int typed = 0; typed < 2; typed++) {
    IrEval how = {.typed = typed, .max_turns = 10};
    ir_eval(a, &how, g, in, out);
  }
}

static void check(Arena *a, const IrGraph *g) {
  evaluate(a, g);
  if (ir_verify(g)) abort();
  Diags d = {.arena = a};
  char *text = ir_print(a, g);
  IrGraph *again = ir_read(a, &d, source_text(a, "printed", text));
  if (!again || ir_verify(again) || strcmp(text, ir_print(a, again))) abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  static jmp_buf out_of_memory;
  Arena a = {.oom = &out_of_memory};
  if (setjmp(out_of_memory)) {
    arena_free(&a);
    return 0;
  }
  Diags d = {.arena = &a};
  const char *text = arena_strn(&a, (const char *)data, size);
  if (strlen(text) == size) {
    const IrGraph *g = ir_read(&a, &d, source_text(&a, "fuzz", text));
    if (!g == !d.first) abort();
    for (; g; g = g->next) check(&a, g);
  }
  arena_free(&a);
  return 0;
}
