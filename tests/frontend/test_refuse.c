// Programs that must be refused. A file of tests/refuse begins with a line
//   // expect LINE:COL: a part of the message
// for each error that it must give, in any order; it must give no other, and
// each must come with a way out, which a line
//   // help LINE:COL: a part of it
// may demand as well. Files named lex_ and parse_ have errors of
// syntax, which the parser finds alone; all others go through the elaborator.
#include "frontend/elab.h"
#include "tests/frontend/tree.h"
#include "tests/test.h"

#include <stdlib.h>
#include <string.h>

#define EXPECT "// expect "
#define HELP "// help "

static bool is_syntax(const char *path) {
  const char *name = strrchr(path, '/') + 1;
  return !strncmp(name, "lex_", 4) || !strncmp(name, "parse_", 6);
}

// Whether d holds the error, or its way out, that the line [s, end) expects.
static bool holds(const Diags *d, const char *s, const char *end, bool help) {
  char *rest;
  long line = strtol(s, &rest, 10);
  long col = *rest == ':' ? strtol(rest + 1, &rest, 10) : 0;
  if (rest[0] != ':' || rest[1] != ' ') return false;
  rest += 2;
  for (const Diag *g = d->first; g; g = g->next) {
    const char *said = help ? g->help : g->message;
    if (g->loc.line == line && g->loc.col == col && said && memmem(said, strlen(said), rest, (size_t)(end - rest))) return true;
  }
  return false;
}

static void check(Arena *a, Diags *d, const Source *src, const char *path) {
  if (is_syntax(path)) {
    ast_parse(a, d, src);
    return;
  }
  Elab *e = elab_new(a, d, src, &(ElabOptions){0});
  if (e) elab_check(e);
}

static int wrong;

static void refuse_one(const char *path) {
  jmp_buf oom;
  Arena a = { .oom = &oom };
  if (setjmp(oom)) abort();
  Diags d = { .arena = &a };
  const Source *src = source_read(&a, &d, path);
  CU_ASSERT_PTR_NOT_NULL_FATAL(src);
  check(&a, &d, src, path);
  int expected = 0, before = wrong;
  for (const char *s = src->text;;) {
    bool help = !strncmp(s, HELP, strlen(HELP));
    if (!help && strncmp(s, EXPECT, strlen(EXPECT)) != 0) break;
    expected += !help;
    const char *end = strchr(s, '\n');
    if (!holds(&d, s + strlen(help ? HELP : EXPECT), end, help)) {
      printf("\n  %s: missing: %.*s", path, (int)(end - s), s);
      wrong++;
    }
    s = end + 1;
  }
  for (const Diag *g = d.first; g; g = g->next) {
    if (!g->help) printf("\n  %s:%d: no way out: %s", path, g->loc.line, g->message), wrong++;
  }
  if (expected == 0 || expected != d.count) wrong++;
  if (wrong > before) printf("\n  %s: %d errors expected, %d given:\n%s", path, expected, d.count, tree_diags(&a, &d));
  arena_free(&a);
}

static void refused(void) {
  wrong = 0;
  CU_ASSERT(tree_files(test_root(), "tests/refuse", refuse_one) >= 250);
  CU_ASSERT_EQUAL(wrong, 0);
}

void suite_refuse(void) {
  CU_pSuite s = test_suite("refuse");
  test_add(s, "programs that are refused", refused);
}
