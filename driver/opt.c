#include <string.h>

#include "driver/driver.h"

int command_opt(Driver *d, int argc, char **argv) {
  const char *path = NULL, *passes = NULL, *after = NULL;
  for (int i = 1; i < argc; i++) {
    const char *word = argv[i], **value = NULL;
    if (take_value(argc, argv, &i, "--passes", &passes)) value = &passes;
    else if (take_value(argc, argv, &i, "--print-after", &after)) value = &after;
    if (value && !*value) return usage("opt", "%s wants a value", word);
    if (value) continue;
    if (is_option(word)) return usage("opt", "there is no option %s", word);
    if (path) return usage("opt", "one file at a time: %s, and then %s", path, word);
    path = word;
  }
  if (!path) return usage("opt", "which file?");
  IrGraph *g = graph_read(d, strcmp(path, "-") ? path : "/dev/stdin");
  PassContext c = { d->arena, d->diags };
  for (; g && !d->diags->count; g = g->next) {
    if (!pass_run(&c, g, passes, after, stderr)) break;
    fputs(ir_print(d->arena, g), stdout);
  }
  return d->diags->count ? mistake(d) : RT_FINE;
}
