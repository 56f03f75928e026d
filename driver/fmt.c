#include <stdlib.h>
#include <string.h>

#include "driver/driver.h"

static const Source *standard_input(Driver *d) {
  Str s = { .arena = d->arena };
  char part[4096];
  size_t n;
  while ((n = fread(part, 1, sizeof part, stdin)) > 0) str_put(&s, part, n);
  str_put(&s, "", 1);
  return source_text(d->arena, "-", s.s);
}

// 0: as it should be; 1: it is not, or cannot be read.
static int format(Driver *d, const char *path, bool check_only) {
  bool standard = !strcmp(path, "-");
  const Source *src = standard ? standard_input(d) : source_read(d->arena, d->diags, path);
  int errors = d->diags->count;
  Ast *file = src ? ast_parse(d->arena, d->diags, src) : NULL;
  if (!file || d->diags->count > errors) return RT_MISTAKE;
  const char *text = ast_format(d->arena, file);
  size_t n = strlen(text);
  bool same = n == src->size && !memcmp(text, src->text, n);
  if (check_only) return same ? RT_FINE : complain("%s is not in the canonical layout; `rlc fmt %s` changes it", path, path);
  if (same && !standard) return RT_FINE;
  return put_text(path, text, n) ? RT_FINE : RT_MISTAKE;
}

int command_fmt(Driver *d, int argc, char **argv) {
  bool check_only = false;
  int files = 0, status = RT_FINE;
  for (int i = 1; i < argc; i++) {
    if (!strcmp(argv[i], "--check")) check_only = true;
    else if (is_option(argv[i])) return usage("fmt", "there is no option %s", argv[i]);
    else files++;
  }
  if (!files) return usage("fmt", "which file?");
  for (int i = 1; i < argc; i++)
    if (!is_option(argv[i]) && format(d, argv[i], check_only)) status = RT_MISTAKE;
  if (d->diags->count) mistake(d);
  return status;
}
