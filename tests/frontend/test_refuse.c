// Programs that must be refused. A file of tests/refuse begins with a line
//   // expect LINE:COL: a part of the message
// for each error that it must give, in any order; it must give no other, and
// each must come with a way out, which a line
//   // help LINE:COL: a part of it
// may demand as well, and a line
//   // note LINE:COL: a part of it
// a note at that other place. Files named lex_ and parse_ have errors of
// syntax, which the parser finds alone; files named copy_ have trainers whose
// plan copies a state, and go to the program as users run it, command by
// command; all others go through the elaborator.
#include "frontend/elab.h"
#include "tests/frontend/tree.h"
#include "tests/test.h"

#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

typedef enum Part { MESSAGE, HELP, NOTE, NPART } Part;
static const char *const demand[NPART] = {"// expect ", "// help ", "// note "};

static bool begins(const char *path, const char *with) { return !strncmp(strrchr(path, '/') + 1, with, strlen(with)); }
static bool is_syntax(const char *path) { return begins(path, "lex_") || begins(path, "parse_"); }

// Whether d holds the part of an error that the line [s, end) expects.
static bool holds(const Diags *d, const char *s, const char *end, Part part) {
  char *rest;
  long line = strtol(s, &rest, 10);
  long col = *rest == ':' ? strtol(rest + 1, &rest, 10) : 0;
  if (rest[0] != ':' || rest[1] != ' ') return false;
  rest += 2;
  for (const Diag *g = d->first; g; g = g->next) {
    const char *said = part == HELP ? g->help : part == NOTE ? g->note : g->message;
    const Loc *at = part == NOTE ? &g->note_loc : &g->loc;
    if (at->line == line && at->col == col && said && memmem(said, strlen(said), rest, (size_t)(end - rest))) return true;
  }
  return false;
}

static void check(Arena *a, Diags *d, const Source *src, const char *path) {
  if (is_syntax(path)) {
    ast_parse(a, d, src);
    return;
  }
  Elab *e = elab_new(a, d, src, &(ElabOptions){0});
  if (e) elab_check(e, NULL, NULL);
}

// What the program printed about path, as diagnostics again; its exit status.
static int say(Arena *a, Diags *d, const char *command, const char *path) {
  FILE *from = popen(arena_printf(a, command, test_binary(), path), "r");
  if (!from) abort();
  static char line[4096];
  size_t n = strlen(path);
  while (fgets(line, sizeof line, from)) {
    line[strcspn(line, "\n")] = 0;
    if (!strncmp(line, "help: ", 6) && d->last) diag_help(d, d->last, "%s", line + 6);
    int row, col, end = 0;
    char kind[6];
    if (strncmp(line, path, n) != 0 || sscanf(line + n, ":%d:%d: %5[a-z]: %n", &row, &col, kind, &end) < 3 || !end) continue;
    Loc at = { .line = row, .col = col, .width = 1 };
    if (!strcmp(kind, "error")) diag_error(d, at, "%s", line + n + end);
    else if (d->last) diag_note(d, d->last, at, "%s", line + n + end);
  }
  int status = pclose(from);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 1000;
}

static int wrong;

// Holds the errors against what the file expects.
static void compare(Arena *a, Diags d, const Source *src, const char *path) {
  int expected = 0, before = wrong;
  for (const char *s = src->text;;) {
    Part part = 0;
    while (part < NPART && strncmp(s, demand[part], strlen(demand[part])) != 0) part++;
    if (part == NPART) break;
    expected += part == MESSAGE;
    const char *end = strchr(s, '\n');
    if (!holds(&d, s + strlen(demand[part]), end, part)) {
      printf("\n  %s: missing: %.*s", path, (int)(end - s), s);
      wrong++;
    }
    s = end + 1;
  }
  for (const Diag *g = d.first; g; g = g->next) {
    if (!g->help) printf("\n  %s:%d: no way out: %s", path, g->loc.line, g->message), wrong++;
  }
  if (expected == 0 || expected != d.count) wrong++;
  if (wrong > before) printf("\n  %s: %d errors expected, %d given:\n%s", path, expected, d.count, tree_diags(a, &d));
}

static void refuse_one(const char *path) {
  static const char *const command[] = {
    "'%s' check '%s' 2>&1", "'%s' run '%s' --steps 1 2>&1", "'%s' bench '%s' --steps 1 2>&1", "'%s' emit --plan '%s' 2>&1",
    "'%s' build '%s' -o /dev/null 2>&1",
  };
  jmp_buf oom;
  Arena a = { .oom = &oom };
  if (setjmp(oom)) abort();
  Diags d = { .arena = &a };
  const Source *src = source_read(&a, &d, path);
  CU_ASSERT_PTR_NOT_NULL_FATAL(src);
  check(&a, &d, src, path);
  if (begins(path, "copy_")) {
    CU_ASSERT_EQUAL(d.count, 0);
    for (size_t k = 0; k < sizeof command / sizeof *command; k++) {
      Diags said = { .arena = &a };
      CU_ASSERT_EQUAL(say(&a, &said, command[k], path), 1);
      compare(&a, said, src, path);
    }
  } else compare(&a, d, src, path);
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
