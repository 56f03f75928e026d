// From a source file to a program: parse, elaborate, passes, plans, the table that the runtime reads.
#include <string.h>

#include "driver/driver.h"

const Source *job_source(Driver *d, const Job *j) {
  return source_read(d->arena, d->diags, j->path);
}

ElabOptions *job_overrides(Driver *d, const Job *j) {
  ElabOptions *o = arena_new(d->arena, ElabOptions);
  o->noverride = j->nset;
  o->override = arena_array(d->arena, ElabOverride, j->nset + 1);
  for (int i = 0; i < j->nset; i++) {
    const char *from = arena_printf(d->arena, "--set %s", j->set[i].name);
    o->override[i] = (ElabOverride){ .name = j->set[i].name, .value = source_text(d->arena, from, j->set[i].value) };
  }
  return o;
}

static Elab *elab_with(Driver *d, const Job *j, const ElabOptions *o) {
  const Source *src = job_source(d, j);
  return src ? elab_new(d->arena, d->diags, src, o) : NULL;
}

Elab *job_elab(Driver *d, const Job *j) {
  return elab_with(d, j, job_overrides(d, j));
}

// What --set gave and nothing took.
bool job_all_used(Driver *d, const ElabOptions *o, const char *trainer) {
  for (int i = 0; i < o->noverride; i++) {
    const ElabOverride *v = &o->override[i];
    if (v->used) continue;
    bool twice = false;
    for (int k = 0; k < i; k++) twice |= strcmp(o->override[k].name, v->name) == 0;
    if (twice) {
      diag_help(d->diags, diag_error(d->diags, (Loc){ 0 }, "--set %s is given twice", v->name), "leave one of them out");
      continue;
    }
    Diag *g = diag_error(d->diags, (Loc){ 0 }, "--set %s: trainer %s has no setting `%s`", v->name, trainer, v->name);
    diag_help(d->diags, g, "settings are the parameters in the trainer's parentheses");
  }
  return d->diags->count == 0;
}

ElabTrainer *job_trainer(Driver *d, const Job *j) {
  ElabOptions *o = job_overrides(d, j);
  Elab *e = elab_with(d, j, o);
  ElabTrainer *t = e ? elab_trainer(e, j->trainer) : NULL;
  return t && job_all_used(d, o, t->name) ? t : NULL;
}

bool job_passes(Driver *d, const Job *j, IrGraph *g) {
  PassContext c = { d->arena, d->diags };
  return pass_run(&c, g, NULL, j->print_after, stderr);
}

bool job_target(Driver *d, const Job *j, Target *t) {
  const char *why = "";
  *t = (Target){ .triple = j->triple, .cpu = j->cpu };
  if (llvm_target_resolve(d->arena, t, &why)) return true;
  complain("%s", why);
  return false;
}

// ---- memory of a trainer ----------------------------------------------------------------------------
static int64_t place(int64_t *end, int64_t bytes) {
  int64_t at = *end;
  *end += (bytes + RT_ALIGN - 1) / RT_ALIGN * RT_ALIGN;
  return at;
}

typedef struct Layout {
  int64_t end[RT_NSPACE];
  int64_t *state, *setting, *given, *count;   // offsets
  int64_t stop, solved, ok, progress;
} Layout;

static Layout lay_out(Arena *a, const ElabTrainer *t) {
  Layout l = { 0 };
  l.state = arena_array(a, int64_t, t->nstate + 1);
  l.setting = arena_array(a, int64_t, t->nsetting + 1);
  l.given = arena_array(a, int64_t, t->ngiven + 1);
  l.count = arena_array(a, int64_t, t->nmetric + 1);
  for (int i = 0; i < t->nstate; i++) l.state[i] = place(&l.end[RT_STATE], ir_bytes(&t->state[i].type));
  for (int i = 0; i < t->nsetting; i++) l.setting[i] = place(&l.end[RT_SETTING], ir_dtype_bytes(t->setting[i].dtype));
  for (int i = 0; i < t->ngiven; i++) l.given[i] = place(&l.end[RT_SETTING], ir_bytes(&t->given[i]));
  for (int i = 0; i < t->nmetric; i++) l.count[i] = place(&l.end[RT_OUT], 4);
  l.stop = place(&l.end[RT_OUT], 1);
  l.solved = place(&l.end[RT_OUT], 1);
  l.ok = place(&l.end[RT_OUT], 1);
  l.progress = place(&l.end[RT_OUT], 4);
  return l;
}

static void ports(PlanPort *to, RtSpace space, int n, const int64_t *at) {
  for (int i = 0; i < n; i++) to[i] = (PlanPort){ space, at[i] };
}

// init: settings, given -> states
static PlanInterface init_ports(Arena *a, const ElabTrainer *t, const Layout *l) {
  PlanPort *in = arena_array(a, PlanPort, t->nsetting + t->ngiven + 1), *out = arena_array(a, PlanPort, t->nstate + 1);
  ports(in, RT_SETTING, t->nsetting, l->setting);
  ports(in + t->nsetting, RT_SETTING, t->ngiven, l->given);
  ports(out, RT_STATE, t->nstate, l->state);
  return (PlanInterface){ in, out };
}

// step: states, settings -> states, counts, stop, solved, ok, progress
static PlanInterface step_ports(Arena *a, const ElabTrainer *t, const Layout *l) {
  PlanPort *in = arena_array(a, PlanPort, t->nstate + t->nsetting + 1);
  PlanPort *out = arena_array(a, PlanPort, t->nstate + t->nmetric + 4);
  ports(in, RT_STATE, t->nstate, l->state);
  ports(in + t->nstate, RT_SETTING, t->nsetting, l->setting);
  ports(out, RT_STATE, t->nstate, l->state);
  ports(out + t->nstate, RT_OUT, t->nmetric, l->count);
  const int64_t last[4] = { l->stop, l->solved, l->ok, l->progress };
  ports(out + t->nstate + t->nmetric, RT_OUT, 4, last);
  return (PlanInterface){ in, out };
}

// ---- the table ------------------------------------------------------------------------------------------
static RtArray *table_states(Arena *a, const ElabTrainer *t, const Layout *l) {
  RtArray *v = arena_array(a, RtArray, t->nstate + 1);
  for (int i = 0; i < t->nstate; i++) {
    const IrType *type = &t->state[i].type;
    v[i] = (RtArray){ .name = t->state[i].name, .dtype = (int32_t)type->dtype, .rank = type->rank,
                      .offset = l->state[i], .bytes = ir_bytes(type) };
    memcpy(v[i].dim, type->dim, sizeof *v[i].dim * (size_t)type->rank);
  }
  return v;
}

static RtSetting *table_settings(Arena *a, const ElabTrainer *t, const Layout *l) {
  RtSetting *v = arena_array(a, RtSetting, t->nsetting + 1);
  for (int i = 0; i < t->nsetting; i++)
    v[i] = (RtSetting){ t->setting[i].name, (int32_t)t->setting[i].dtype, l->setting[i], t->setting[i].value };
  return v;
}

static RtMetric *table_metrics(Arena *a, const ElabTrainer *t, const Layout *l) {
  RtMetric *v = arena_array(a, RtMetric, t->nmetric + 1);
  for (int i = 0; i < t->nmetric; i++)
    v[i] = (RtMetric){ t->metric[i].name, l->state[t->metric[i].state], l->count[i] };
  return v;
}

static RtProgram table_of(Arena *a, const char *path, const ElabTrainer *t, const Layout *l) {
  return (RtProgram){
    .abi = RT_ABI, .name = t->name, .source = path, .hash = t->hash,
    .nstate = t->nstate, .nsetting = t->nsetting, .nmetric = t->nmetric,
    .state = table_states(a, t, l), .setting = table_settings(a, t, l), .metric = table_metrics(a, t, l),
    .bytes = { [RT_STATE] = l->end[RT_STATE], [RT_SETTING] = l->end[RT_SETTING], [RT_OUT] = l->end[RT_OUT] },
    .seed = l->setting[0], .iter = l->state[t->iter], .env_steps = t->env_steps < 0 ? -1 : l->state[t->env_steps],
    .stop = l->stop, .solved = l->solved, .ok = l->ok, .progress = l->progress,
  };
}

// ---- trainers, each behind those it begins from -----------------------------------------------------------
typedef struct Compiling {
  Driver *d;
  const Job *job;
  const Target *target;
  PlanConsts *consts;
  KnownProgram known;
  void *data;
  int inside;                      // of how many trainers that begin from this one
  VEC(Plan *) plan;
  VEC(RtProgram *) table;
} Compiling;

static RtProgram *compile_one(Compiling *c, const ElabTrainer *t);

static RtBefore *compile_before(Compiling *c, const ElabTrainer *t, const Layout *l) {
  Arena *a = c->d->arena;
  RtBefore *v = arena_array(a, RtBefore, t->nbefore + 1);
  c->inside++;
  for (int k = 0; k < t->nbefore; k++) {
    const ElabBefore *b = &t->before[k];
    const RtProgram *p = c->known ? c->known(c->data, b->trainer) : NULL;
    if (!p) p = compile_one(c, b->trainer);
    if (!p) return NULL;
    RtTake *take = arena_array(a, RtTake, b->ntake + 1);
    for (int j = 0; j < b->ntake; j++)
      take[j] = (RtTake){ p->state[b->take[j].state].offset, l->given[b->take[j].given], p->state[b->take[j].state].bytes };
    v[k] = (RtBefore){ p, b->ntake, take };
  }
  c->inside--;
  return v;
}

static const char *entry(Compiling *c, const ElabTrainer *t, const char *what) {
  return c->inside ? arena_printf(c->d->arena, "%s.%d.%s", t->name, c->table.n, what) : what;
}

// Where each input of the step, as it is planned, is declared.
static const Loc *declared(Arena *a, const ElabTrainer *t, const IrGraph *step) {
  Loc *at = arena_array(a, Loc, step->top->narg + 1);
  for (int i = 0; i < t->nstate; i++) at[i] = t->state[i].loc;
  return at;
}

// Whether the step's plan copies no state for an update; false after diagnostics, for a mistake that a pass found too.
// The machine does not matter for that, and none is asked for.
bool trainer_owned(Driver *d, const ElabTrainer *t) {
  if (!plan_may_copy(d->arena, t->step)) return true;
  if (!job_passes(d, &(Job){ 0 }, t->step)) return false;
  Layout l = lay_out(d->arena, t);
  PlanInterface step = step_ports(d->arena, t, &l);
  PlanTarget any = { .vector_bits = 256, .fma = true };
  PlanConsts consts = { .data = { .arena = d->arena } };
  return plan_owned(d->diags, plan_build(d->arena, t->step, &step, &any, &consts, "step"), "step", declared(d->arena, t, t->step));
}

static RtProgram *compile_one(Compiling *c, const ElabTrainer *t) {
  Arena *a = c->d->arena;
  Layout l = lay_out(a, t);
  const RtBefore *before = compile_before(c, t, &l);
  if (!before || !job_passes(c->d, c->job, t->init) || !job_passes(c->d, c->job, t->step)) return NULL;
  PlanInterface init = init_ports(a, t, &l), step = step_ports(a, t, &l);
  const IrGraph *parted = plan_part_states(a, t->step, &step);
  Plan *p[2] = {
    plan_build(a, t->init, &init, &c->target->plan, c->consts, entry(c, t, "init")),
    plan_build(a, parted, &step, &c->target->plan, c->consts, entry(c, t, "step")),
  };
  if (!plan_owned(c->d->diags, p[1], "step", declared(a, t, parted))) return NULL;
  RtProgram *table = arena_new(a, RtProgram);
  *table = table_of(a, c->job->path, t, &l);
  table->nbefore = t->nbefore;
  table->before = before;
  table->bytes[RT_ARENA] = p[0]->arena_bytes > p[1]->arena_bytes ? p[0]->arena_bytes : p[1]->arena_bytes;
  table->bytes[RT_ROOM] = p[0]->room_bytes > p[1]->room_bytes ? p[0]->room_bytes : p[1]->room_bytes;
  for (int k = 0; k < 2; k++) vec_push(a, &c->plan, p[k]);
  vec_push(a, &c->table, table);
  return table;
}

Compiled *trainer_compile(Driver *d, const Job *j, const ElabTrainer *t, KnownProgram known, void *data) {
  Arena *a = d->arena;
  Compiled *out = arena_new(a, Compiled);
  if (!job_target(d, j, &out->target)) return NULL;
  PlanConsts *consts = arena_new(a, PlanConsts);
  consts->data.arena = a;
  Compiling c = { .d = d, .job = j, .target = &out->target, .consts = consts, .known = known, .data = data };
  out->trainer = t;
  out->table = compile_one(&c, t);
  if (!out->table) return NULL;
  for (int k = 0; k < c.table.n; k++) c.table.at[k]->bytes[RT_CONST] = (int64_t)consts->data.n;
  for (int k = 0; k < 2; k++) out->plan[k] = c.plan.at[c.plan.n - 2 + k];
  out->program = (Program){ .nplan = c.plan.n, .plan = c.plan.at, .const_data = consts->data.s, .const_bytes = (int64_t)consts->data.n,
                            .ntable = c.table.n, .table = c.table.at };
  return out;
}

Compiled *job_compile(Driver *d, const Job *j) {
  const ElabTrainer *t = job_trainer(d, j);
  return t ? trainer_compile(d, j, t, NULL, NULL) : NULL;
}

Plan *plan_alone(Driver *d, const IrGraph *g, const Target *t, PlanConsts *consts) {
  const IrRegion *r = g->top;
  PlanPort *in = arena_array(d->arena, PlanPort, r->narg + 1), *out = arena_array(d->arena, PlanPort, r->nyield + 1);
  int64_t in_end = 0, out_end = 0;
  for (int i = 0; i < r->narg; i++) in[i] = (PlanPort){ RT_STATE, place(&in_end, ir_bytes(&r->arg[i]->type)) };
  for (int i = 0; i < r->nyield; i++) out[i] = (PlanPort){ RT_OUT, place(&out_end, ir_bytes(&r->yield[i]->type)) };
  PlanInterface io = { in, out };
  return plan_build(d->arena, g, &io, &t->plan, consts, g->name ? g->name : "main");
}

IrGraph *graph_read(Driver *d, const char *path) {
  const Source *src = source_read(d->arena, d->diags, path);
  return src ? ir_read(d->arena, d->diags, src) : NULL;
}

// ---- where a run went bad -----------------------------------------------------------------------------------
bool job_diagnose(void *data, const RtFrame *before, int64_t step) {
  const Diagnosis *g = data;
  const ElabTrainer *t = g->trainer;
  const RtProgram *p = g->table;
  Arena *a = g->driver->arena;
  IrArray *in = arena_array(a, IrArray, t->nstate + t->nsetting + 1);
  IrArray *out = arena_array(a, IrArray, t->step->top->nyield + 1);
  for (int i = 0; i < t->nstate; i++)
    in[i] = ir_array_from(a, t->state[i].type, before->base[RT_STATE] + p->state[i].offset);
  for (int i = 0; i < t->nsetting; i++)
    in[t->nstate + i] = ir_array_from(a, ir_scalar(t->setting[i].dtype), before->base[RT_SETTING] + p->setting[i].offset);
  IrEval how = { .typed = true, .find_bad = true };
  ir_eval(a, &how, t->step, in, out);
  if (!how.bad) return false;
  const IrOp *op = how.bad;
  const char *hint = op->nout ? op->out[0]->hint : NULL;
  Diag *e = diag_error(g->driver->diags, op->loc, "%s diverged in step %lld: %s%s%s%sis the first value that is not finite",
                       t->name, (long long)step + 1, hint ? "`" : "", hint ? hint : ir_info[op->code].name, hint ? "` " : " ",
                       op->scope ? arena_printf(a, "in %s ", op->scope) : "");
  diag_help(g->driver->diags, e, "a lower learning rate or clipped gradients often keep it in bounds; "
            "--resume with --set goes on from the last good checkpoint");
  diag_print(g->driver->diags, stderr);
  return true;
}
