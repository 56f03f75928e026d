// The documentation as it stands: in docs/*.md and README.md every ```rl block is a program that `rlc check` and
// `rlc fmt --check` accept, and every `$ rlc …` line of a ```console block prints what stands below it. A program
// whose first line is `// NAME.rl` can be named by the lines behind it. Links lead somewhere, and the generated lists
// are current.
#include <dirent.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/runtime/toy.h"
#include "tests/test.h"

static char *dir;

// Runs a command in the folder, where `rlc` is the program under test. Both its outputs; the caller frees.
static char *run(const char *command, int *status) {
  char line[4200];
  snprintf(line, sizeof line, "cd '%s' && PATH=\"$PWD:$PATH\" && { %s\n} >.out 2>&1 </dev/null", dir, command);
  int s = system(line);
  *status = WIFEXITED(s) ? WEXITSTATUS(s) : 1000;
  size_t n;
  return toy_read(dir, ".out", &n);
}

static void begin(void) {
  const char *rlc = test_binary();
  dir = toy_dir();
  if (!rlc || symlink(rlc, toy_path(dir, "rlc")) != 0) abort();
}

static void check(const char *path, const char *command, const char *want) {
  int status;
  char *got = run(command, &status);
  if (strcmp(got, want)) printf("\n%s: %s\n  should say\n%s  and says\n%s", path, command, want, got);
  CU_ASSERT_STRING_EQUAL(got, want);
  free(got);
}

// ---- blocks ------------------------------------------------------------------------------------------

static void program(const char *path, const char *text, size_t n) {
  char name[80] = "example", command[200];
  sscanf(text, "// %70[a-z_0-9].rl\n", name);
  strcat(name, ".rl");
  toy_write(dir, name, text, n);
  snprintf(command, sizeof command, "rlc check %s", name);
  check(path, command, "");
  snprintf(command, sizeof command, "rlc fmt --check %s", name);
  check(path, command, "");
}

// What a command is and says: from `$ ` to the next line that begins so.
static void session(const char *path, char *text) {
  while (!strncmp(text, "$ ", 2)) {
    char *command = text + 2, *end = strchr(command, '\n'), *next = strstr(end, "\n$ ");
    *end = 0;
    char *want = end + 1;
    if (next == end) want = "";
    else if (next) next[1] = 0;
    char *copy = strdup(want);
    check(path, command, copy);
    free(copy);
    if (!next) return;
    next[1] = '$';
    text = next + 1;
  }
}

static void blocks(const char *path, char *text) {
  for (char *at = text; (at = strstr(at, "\n```"));) {
    char *kind = at + 4, *body = strchr(kind, '\n'), *end = body ? strstr(body, "\n```") : NULL;
    if (!end) break;
    char *piece = strndup(body + 1, (size_t)(end - body));
    if (!strncmp(kind, "rl\n", 3)) program(path, piece, strlen(piece));
    if (!strncmp(kind, "console\n", 8)) session(path, piece);
    free(piece);
    at = end + 4;
  }
}

// Links to files of the repository lead somewhere.
static void links(const char *folder, const char *path, const char *text) {
  for (const char *at = text; (at = strstr(at, "]("));) {
    at += 2;
    size_t n = strspn(at, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_./-");
    if (!n || (at[n] != ')' && at[n] != '#')) continue;    // another site, or an index in a program
    char file[4200];
    snprintf(file, sizeof file, "%s/%.*s", folder, (int)n, at);
    if (access(file, F_OK)) printf("\n%s: nothing is at %.*s\n", path, (int)n, at);
    CU_ASSERT(access(file, F_OK) == 0);
  }
}

static void page(const char *folder, const char *name) {
  size_t n;
  char *text = toy_read(folder, name, &n);
  CU_ASSERT_PTR_NOT_NULL_FATAL(text);
  links(folder, name, text);
  blocks(name, text);
  free(text);
}

static void every_page(void) {
  char folder[4096];
  snprintf(folder, sizeof folder, "%s/docs", test_root());
  begin();
  page(test_root(), "README.md");
  DIR *d = opendir(folder);
  CU_ASSERT_PTR_NOT_NULL_FATAL(d);
  int pages = 0;
  for (struct dirent *e; (e = readdir(d));) {
    size_t m = strlen(e->d_name);
    if (m < 4 || strcmp(e->d_name + m - 3, ".md")) continue;
    page(folder, e->d_name);
    pages++;
  }
  closedir(d);
  CU_ASSERT(pages >= 5);
  toy_remove(dir);
}

static void generated_lists(void) {
  static const char *const page[][2] = { { "docs/ops.md", "rlc ops --markdown" }, { "docs/builtins.md", "rlc ops --builtins --markdown" },
                                        { "docs/library.md", "rlc ops --library" } };
  begin();
  for (size_t k = 0; k < sizeof page / sizeof *page; k++) {
    size_t n;
    int status;
    char *stands = toy_read(test_root(), page[k][0], &n), *now = run(page[k][1], &status);
    CU_ASSERT_EQUAL(status, 0);
    CU_ASSERT_PTR_NOT_NULL_FATAL(stands);
    if (strcmp(stands, now)) printf("\n%s is not what `%s` prints\n", page[k][0], page[k][1]);
    CU_ASSERT_STRING_EQUAL(stands, now);
    free(stands);
    free(now);
  }
  toy_remove(dir);
}

void suite_docs(void) {
  CU_pSuite s = test_suite("the documentation");
  test_add(s, "programs and what they print", every_page);
  test_add(s, "generated lists", generated_lists);
}
