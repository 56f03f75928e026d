// Command lines.
#include <stdarg.h>
#include <string.h>

#include "driver/driver.h"

int usage(const char *command, const char *fmt, ...) {
  va_list ap;
  va_start(ap, fmt);
  fputs("rlc: ", stderr);
  vfprintf(stderr, fmt, ap);
  va_end(ap);
  fprintf(stderr, "\n`rlc %s%s--help` says how it is used\n", command, *command ? " " : "");
  return RT_USAGE;
}

bool take_value(int argc, char **argv, int *i, const char *name, const char **value) {
  size_t n = strlen(name);
  if (strncmp(argv[*i], name, n)) return false;
  if (argv[*i][n] == '=' && name[1] == '-') {
    *value = argv[*i][n + 1] ? argv[*i] + n + 1 : NULL;
    return true;
  }
  if (argv[*i][n]) return false;
  *value = *i + 1 < argc ? argv[++*i] : NULL;
  return true;
}

bool is_option(const char *word) {
  return word[0] == '-' && word[1];
}

bool has_ending(const char *path, const char *ending) {
  size_t n = strlen(path), m = strlen(ending);
  return n > m && !strcmp(path + n - m, ending);
}

static bool take_set(Driver *d, Job *j, char *text) {
  char *eq = text ? strchr(text, '=') : NULL;
  if (!eq || eq == text || !eq[1]) return false;
  RtSet *set = arena_array(d->arena, RtSet, j->nset + 1);
  if (j->nset) memcpy(set, j->set, sizeof *set * (size_t)j->nset);
  set[j->nset++] = (RtSet){ arena_strn(d->arena, text, (size_t)(eq - text)), eq + 1 };
  j->set = set;
  return true;
}

int take_job(Driver *d, int argc, char **argv, int *i, Job *j) {
  const char *set = NULL, **value = NULL;
  if (take_value(argc, argv, i, "--set", &set)) return take_set(d, j, (char *)set) ? 1 : -1;
  if (take_value(argc, argv, i, "--trainer", &j->trainer)) value = &j->trainer;
  else if (take_value(argc, argv, i, "--target-cpu", &j->cpu)) value = &j->cpu;
  else if (take_value(argc, argv, i, "--target", &j->triple)) value = &j->triple;
  else if (take_value(argc, argv, i, "--print-after", &j->print_after)) value = &j->print_after;
  return !value ? 0 : *value ? 1 : -1;
}
