// The IR reader: any bytes end in diagnostics or in a graph that the verifier accepts and
// that prints the same once it was printed and read.
#include "ir/ir.h"

#include <stdlib.h>
#include <string.h>

static void check(Arena *a, const IrGraph *g) {
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
