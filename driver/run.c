#include <string.h>

#include "driver/driver.h"

// The elaborator has taken what --set gave. What can be set at run time still is passed on, as numbers: a
// checkpoint that is resumed brings settings of its own.
static void pass_on(Driver *d, const RtProgram *p, const Job *j, RtOptions *o) {
  RtSet *given = arena_array(d->arena, RtSet, j->nset + 1);
  int n = 0;
  for (int i = 0; i < j->nset; i++)
    for (int k = 0; k < p->nsetting; k++)
      if (!strcmp(p->setting[k].name, j->set[i].name))
        given[n++] = (RtSet){ j->set[i].name, arena_printf(d->arena, "%.17g", p->setting[k].value) };
  memcpy(o->set, given, sizeof *given * (size_t)n);
  o->nset = n;
}

static int train(Driver *d, const Job *j, RtOptions *o) {
  Compiled *c = job_compile(d, j);
  if (!c) return d->diags->count ? mistake(d) : RT_MISTAKE;
  char *why = "";
  Jit *jit = llvm_jit(d->arena, &c->program, &c->target, &why);
  ICE_IF(!jit, "%s", why);
  Diagnosis g = { d, c->trainer, c->table };
  o->diagnose = job_diagnose;
  o->diagnose_data = &g;
  o->compiled = true;
  o->compile_s = rt_now() - d->started;
  pass_on(d, c->table, j, o);
  int status = rt_train(c->table, o);
  llvm_jit_free(jit);
  return status;
}

int command_run(Driver *d, int argc, char **argv) {
  Job j = { 0 };
  RtOptions *o = arena_new(d->arena, RtOptions);
  o->started = d->started;
  for (int i = 1; i < argc; i++) {
    const char *why = NULL, *word = argv[i];
    int k = rt_option(o, argc, argv, &i, &why);
    if (k < 0) return usage("run", "%s", why);
    if (k > 0) continue;
    k = take_job(d, argc, argv, &i, &j);
    if (k < 0) return usage("run", "%s wants a value", word);
    if (k > 0) continue;
    if (is_option(word)) return usage("run", "there is no option %s", word);
    if (j.path) return usage("run", "one file at a time: %s, and then %s", j.path, word);
    j.path = word;
  }
  if (!j.path) return usage("run", "which file?");
  if (j.triple) return usage("run", "what runs here is compiled for here: --target is for build and emit");
  j.nset = o->nset;
  j.set = o->set;
  return train(d, &j, o);
}
