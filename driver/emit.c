// Any stage between source and machine code, as text or picture.
#include <string.h>

#include "driver/driver.h"

typedef enum Stage { STAGE_NONE, STAGE_IR, STAGE_PLAN, STAGE_LLVM, STAGE_ASM, STAGE_DOT, STAGE_SVG } Stage;
static const char *const stages[] = { NULL, "--ir", "--plan", "--llvm", "--asm", "--dot", "--svg" };
#define NSTAGE (int)(sizeof stages / sizeof *stages)

typedef struct Args {
  Job job;
  Stage stage;
  const char *out, *fn;
  bool init, raw, profile;
} Args;

typedef struct Emitted {           // what the stages need; NULL where the stage comes before
  int ngraph; IrGraph *graph[2];
  Program program;
  Target target;
} Emitted;

static bool emit_graphs(Driver *d, const Args *a, Emitted *e) {
  const Job *j = &a->job;
  if (has_ending(j->path, ".ir")) {
    e->graph[e->ngraph++] = graph_read(d, j->path);
    return e->graph[0];
  }
  if (a->fn) {
    Elab *elab = job_elab(d, j);
    e->graph[e->ngraph++] = elab ? elab_function(elab, a->fn) : NULL;
    return e->graph[0];
  }
  ElabTrainer *t = job_trainer(d, j);
  if (!t) return false;
  e->graph[e->ngraph++] = t->init;
  e->graph[e->ngraph++] = t->step;
  return true;
}

static bool colour_by_time(Driver *d, Compiled *c) {
  Profile p = job_profile(d, c, 0, 0, 0);
  if (p.status) return false;
  for (int k = 0; k < p.node.n; k++) ((PlanNode *)(uintptr_t)p.node.at[k])->share = p.seconds[k] / p.total_s;
  return true;
}

// Plans: a trainer's with the layout that a run has, any other graph's alone.
static bool emit_plans(Driver *d, const Args *a, Emitted *e) {
  if (!a->fn && !has_ending(a->job.path, ".ir")) {
    Compiled *c = job_compile(d, &a->job);
    if (!c) return false;
    if (a->profile && !colour_by_time(d, c)) return false;
    e->program = c->program;
    e->target = c->target;
    e->ngraph = 2;
    e->graph[0] = c->trainer->init;
    e->graph[1] = c->trainer->step;
    return true;
  }
  if (!emit_graphs(d, a, e) || !job_passes(d, &a->job, e->graph[0]) || !job_target(d, &a->job, &e->target)) return false;
  PlanConsts *consts = arena_new(d->arena, PlanConsts);
  consts->data.arena = d->arena;
  Plan **plan = arena_array(d->arena, Plan *, 1);
  plan[0] = plan_alone(d, e->graph[0], &e->target, consts);
  e->program = (Program){ .nplan = 1, .plan = plan, .const_data = consts->data.s, .const_bytes = (int64_t)consts->data.n };
  return true;
}

static char *picture(Driver *d, const Args *a, const Emitted *e, size_t *n, char **why) {
  int k = e->ngraph > 1 && !a->init;
  const Plan *plan = a->raw ? NULL : e->program.plan[e->program.nplan - e->ngraph + k];
  char *dot = dot_emit(d->arena, plan ? plan->graph : e->graph[k], plan);
  if (a->stage == STAGE_SVG) return dot_render(d->arena, dot, "svg", n, why);
  *n = strlen(dot);
  return dot;
}

static char *text_of(Driver *d, const Args *a, const Emitted *e, char **why) {
  Str s = { .arena = d->arena };
  switch (a->stage) {
  case STAGE_IR:
    for (int i = 0; i < e->ngraph; i++) str_printf(&s, "%s", ir_print(d->arena, e->graph[i]));
    return s.s;
  case STAGE_PLAN:
    for (int i = 0; i < e->program.nplan; i++) str_printf(&s, "%s", plan_print(d->arena, e->program.plan[i]));
    return s.s;
  case STAGE_LLVM: return llvm_emit_ir(d->arena, &e->program, &e->target, why);
  default: return llvm_emit_asm(d->arena, &e->program, &e->target, why);
  }
}

static int emit(Driver *d, const Args *a) {
  Emitted e = { 0 };
  bool graph_only = a->stage == STAGE_IR || a->raw, fine = graph_only ? emit_graphs(d, a, &e) : emit_plans(d, a, &e);
  for (int i = 0; fine && graph_only && !a->raw && i < e.ngraph; i++) fine = job_passes(d, &a->job, e.graph[i]);
  if (!fine) return d->diags->count ? mistake(d) : RT_MISTAKE;
  char *why = "", *text;
  size_t n = 0;
  if (a->stage == STAGE_DOT || a->stage == STAGE_SVG) {
    text = picture(d, a, &e, &n, &why);
  } else {
    text = text_of(d, a, &e, &why);
    n = text ? strlen(text) : 0;
  }
  if (!text) return complain("%s", why);
  return put_text(a->out, text, n) ? RT_FINE : RT_MISTAKE;
}

int command_emit(Driver *d, int argc, char **argv) {
  Args a = { 0 };
  for (int i = 1; i < argc; i++) {
    const char *word = argv[i];
    Stage stage = STAGE_NONE;
    for (int k = 1; k < NSTAGE; k++)
      if (!strcmp(word, stages[k])) stage = (Stage)k;
    if (stage && a.stage && stage != a.stage) return usage("emit", "one stage at a time: %s, and then %s", stages[a.stage], word);
    if (stage) {
      a.stage = stage;
      continue;
    }
    int k = take_job(d, argc, argv, &i, &a.job);
    const char **value = NULL;
    if (k == 0 && take_value(argc, argv, &i, "-o", &a.out)) value = &a.out;
    else if (k == 0 && take_value(argc, argv, &i, "--fn", &a.fn)) value = &a.fn;
    if (k < 0 || (value && !*value)) return usage("emit", "%s wants a value", word);
    if (k > 0 || value) continue;
    if (!strcmp(word, "--init")) a.init = true;
    else if (!strcmp(word, "--raw")) a.raw = true;
    else if (!strcmp(word, "--profile")) a.profile = true;
    else if (is_option(word)) return usage("emit", "there is no option %s", word);
    else if (a.job.path) return usage("emit", "one file at a time: %s, and then %s", a.job.path, word);
    else a.job.path = word;
  }
  if (!a.job.path) return usage("emit", "which file?");
  if (!a.stage) return usage("emit", "which stage? --ir, --plan, --llvm, --asm, --dot or --svg");
  if (a.raw && (a.stage == STAGE_PLAN || a.stage == STAGE_LLVM || a.stage == STAGE_ASM))
    return usage("emit", "--raw is a graph before the passes: it has no %s", stages[a.stage] + 2);
  if (a.profile && (a.raw || a.init || a.fn || has_ending(a.job.path, ".ir") || (a.stage != STAGE_DOT && a.stage != STAGE_SVG)))
    return usage("emit", "--profile colours the picture of a trainer's step: --svg or --dot");
  return emit(d, &a);
}
