// Any bytes through the parser; what parses must come out of the formatter as
// the same program, and unchanged the second time.
#include "tests/frontend/tree.c"   // a fuzz target is one file

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

static Ast *parse(Arena *a, Diags *d, const char *text, size_t size) {
  Source *s = arena_new(a, Source);
  *s = (Source){ "fuzz", arena_strn(a, text, size), size };
  return ast_parse(a, d, s);
}

static void need(bool held, const char *what, const char *text) {
  if (held) return;
  fprintf(stderr, "%s:\n%s", what, text);
  abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size) {
  if (memchr(bytes, 0, size)) return 0;       // source_read refuses such a file
  jmp_buf oom;
  Arena a = { .oom = &oom };
  if (setjmp(oom)) abort();
  Diags d = { .arena = &a };
  Ast *file = parse(&a, &d, (const char *)bytes, size);
  if (d.count) {
    for (const Diag *g = d.first; g; g = g->next) need(g->help != NULL, "no way out", g->message);
    tree_diags(&a, &d);
  } else {
    char *once = ast_format(&a, file);
    Ast *again = parse(&a, &d, once, strlen(once));
    need(!d.count, "does not parse again", once);
    need(file->ncomment == again->ncomment, "lost a comment", once);
    need(!strcmp(tree_text(&a, file), tree_text(&a, again)), "another program", once);
    need(!strcmp(once, ast_format(&a, again)), "formatted twice differs", once);
  }
  ast_parse_expr(&a, &d, file->src);
  arena_free(&a);
  return 0;
}
