// Trainers that are run by what is around them: `state p = base.run(lr = 1e-3).p`.
#include "frontend/trainer.h"

#include <string.h>

// Arguments in the order of the settings; NULL where none is given.
static Value **settings_given(Elab *e, const Ast *train, const Args *a) {
  Value **v = arena_array(e->arena, Value *, train->nstatic + 1);
  for (int k = 0; k < train->nstatic; k++) {
    int at = find_arg(a, train->kid[k]->name, k);
    if (at >= 0) v[k] = setting_number(e, a->value[at]);
  }
  return v;
}

static bool same_run(const Before *b, const Decl *d, int n, Value *const *setting) {
  if (b->of->decl != d) return false;
  for (int k = 0; k < n; k++)
    if (!b->setting[k] != !setting[k] || (setting[k] && !value_same(b->setting[k], setting[k]))) return false;
  return true;
}

static Before *before_of(Elab *e, Trainer *t, Decl *d, const Args *a) {
  int n = d->ast->nstatic;
  Value **setting = settings_given(e, d->ast, a);
  for (int k = 0; k < t->before.n; k++)
    if (same_run(t->before.at[k], d, n, setting)) return t->before.at[k];
  Before *b = arena_new(e->arena, Before);
  *b = (Before){.of = trainer_make(e, d, a), .setting = setting, .nsetting = n};
  const ElabTrainer *of = b->of->out;
  b->given = arena_array(e->arena, IrValue *, of->nstate + 1);
  for (int k = 0; k < of->nstate; k++) b->given[k] = ir_input(t->graph, of->state[k].type, NULL);
  vec_push(e->arena, &t->before, b);
  return b;
}

Value *trainer_outcome(Elab *e, const Trainer *t, IrValue *const *state) {
  VEC(Value *) item = {0};
  NameVec name = {0};
  int at = 0;
  for (int k = 0; k < t->name.n; k++) {
    vec_push(e->arena, &item, value_rebuild(e, type_zeros(e, t->type.at[k]), state, &at));
    vec_push(e->arena, &name, t->name.at[k]);
  }
  for (int k = -1; k < t->out->nmetric; k++) {
    const char *of = k < 0 ? "iter" : t->out->metric[k].name;
    bool hidden = false;
    for (int j = 0; j < t->name.n; j++) hidden |= strcmp(t->name.at[j], of) == 0;
    if (hidden) continue;
    vec_push(e->arena, &item, value_array(e, state[k < 0 ? t->out->iter : t->out->metric[k].state]));
    vec_push(e->arena, &name, of);
  }
  return value_rec(e, item.n, item.at, name.at);
}

Value *trainer_run(Elab *e, Value *f, const Args *a) {
  Trainer *t = e->trainer;
  Decl *d = f->decl;
  Loc loc = a->ast ? a->ast->loc : e->c.b.loc;
  check_args(e, arena_printf(e->arena, "`%s.run`", d->name), d->ast->nstatic, d->ast->kid, a);
  for (int k = 0; k < a->n; k++)
    if (a->place[k]) fail(e, loc, "leave out the `&`: what it gives are the fields of its result", "`%s.run` updates nothing that it is given", d->name);
  if (e->experiment && !t) return experiment_run(e, d, a);
  if (!t || !t->stating || e->c.b.graph != t->graph || e->c.b.at != t->graph->top)
    fail(e, loc, arena_printf(e->arena, "a trainer is run where another one begins, `state p = %s.run().p`, or in an `experiment`", d->name), "`%s.run` stands where no trainer can be run", d->name);
  Before *b = before_of(e, t, d, a);
  return trainer_outcome(e, b->of, b->given);
}
