// main of a program that `rlc build` makes; its trainer is the symbol rlc_program.
#include <stdio.h>
#include <string.h>

#include "runtime/trainer.h"

extern const RtProgram rlc_program;

static void help(const char *me) {
  const RtProgram *p = &rlc_program;
  printf("usage: %s [OPTION]...\n"
         "Runs the trainer %s, compiled from %s. It goes on until its stop condition holds.\n\n"
         "options:\n", me, p->name, p->source);
  rt_options_help(stdout);
  const char *head = "\nsettings:\n";
  for (int i = 0; i < p->nsetting; i++) {
    if (p->setting[i].offset == p->seed) continue;
    printf("%s  --set %s=%.9g\n", head, p->setting[i].name, p->setting[i].value);
    head = "";
  }
  printf("\nexample:\n  %s --seed 7 --log run.jsonl --checkpoint run.ckpt\n", me);
}

int main(int argc, char **argv) {
  RtOptions o = { .started = rt_now() };
  for (int i = 1; i < argc; i++) {
    const char *why = "not an option";
    if (rt_option(&o, argc, argv, &i, &why) == 1) continue;
    fprintf(stderr, "%s: %s: %s; --help lists what there is\n", argv[0], argv[i < argc ? i : argc - 1], why);
    return RT_USAGE;
  }
  if (!o.help) return rt_train(&rlc_program, &o);
  help(argv[0]);
  return fflush(stdout) == 0 ? RT_FINE : RT_MISTAKE;
}
