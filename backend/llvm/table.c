// RtProgram as constant data of the module, laid out as the C ABI lays out the structures of runtime/abi.h.
#include "backend/llvm/module.h"

#include <string.h>

static LLVMValueRef bytes(Gen *g, const void *p, size_t n, unsigned align, const char *name) {
  LLVMValueRef v = LLVMConstStringInContext(g->ctx, p, (unsigned)n, true);
  LLVMValueRef at = LLVMAddGlobal(g->mod, LLVMTypeOf(v), name);
  LLVMSetInitializer(at, v);
  LLVMSetGlobalConstant(at, true);
  LLVMSetLinkage(at, LLVMPrivateLinkage);
  LLVMSetAlignment(at, align);
  return at;
}

static LLVMValueRef text(Gen *g, const char *s) {
  return s ? bytes(g, s, strlen(s) + 1, 1, "text") : LLVMConstNull(LLVMPointerTypeInContext(g->ctx, 0));
}

static LLVMValueRef i32(Gen *g, int64_t v) { return LLVMConstInt(LLVMInt32TypeInContext(g->ctx), (unsigned long long)v, true); }

static LLVMValueRef record(Gen *g, LLVMValueRef *field, int n) { return LLVMConstStructInContext(g->ctx, field, (unsigned)n, false); }

static LLVMValueRef list(Gen *g, LLVMValueRef *e, int n, const char *name) {
  if (!n) return LLVMConstNull(LLVMPointerTypeInContext(g->ctx, 0));
  LLVMValueRef v = LLVMConstArray2(LLVMTypeOf(e[0]), e, (uint64_t)n), at = LLVMAddGlobal(g->mod, LLVMTypeOf(v), name);
  LLVMSetInitializer(at, v);
  LLVMSetGlobalConstant(at, true);
  LLVMSetLinkage(at, LLVMPrivateLinkage);
  return at;
}

static LLVMValueRef numbers(Gen *g, const int64_t *v, int n) {
  LLVMValueRef e[RT_MAX_RANK + RT_NSPACE];
  for (int k = 0; k < n; k++) e[k] = gen_i64(g, v[k]);
  return LLVMConstArray2(LLVMInt64TypeInContext(g->ctx), e, (uint64_t)n);
}

static LLVMValueRef arrays(Gen *g, const RtProgram *t) {
  LLVMValueRef *e = arena_array(g->arena, LLVMValueRef, t->nstate + 1);
  for (int k = 0; k < t->nstate; k++) {
    const RtArray *x = &t->state[k];
    e[k] = record(g, (LLVMValueRef[]){ text(g, x->name), i32(g, x->dtype), i32(g, x->rank), numbers(g, x->dim, RT_MAX_RANK),
                                       gen_i64(g, x->offset), gen_i64(g, x->bytes) }, 6);
  }
  return list(g, e, t->nstate, "state");
}

static LLVMValueRef settings(Gen *g, const RtProgram *t) {
  LLVMValueRef *e = arena_array(g->arena, LLVMValueRef, t->nsetting + 1);
  for (int k = 0; k < t->nsetting; k++) {
    const RtSetting *x = &t->setting[k];
    e[k] = record(g, (LLVMValueRef[]){ text(g, x->name), i32(g, x->dtype), gen_i64(g, x->offset),
                                       LLVMConstReal(LLVMDoubleTypeInContext(g->ctx), x->value) }, 4);
  }
  return list(g, e, t->nsetting, "setting");
}

static LLVMValueRef metrics(Gen *g, const RtProgram *t) {
  LLVMValueRef *e = arena_array(g->arena, LLVMValueRef, t->nmetric + 1);
  for (int k = 0; k < t->nmetric; k++)
    e[k] = record(g, (LLVMValueRef[]){ text(g, t->metric[k].name), gen_i64(g, t->metric[k].value), gen_i64(g, t->metric[k].count) }, 3);
  return list(g, e, t->nmetric, "metric");
}

static LLVMValueRef takes(Gen *g, const RtBefore *b) {
  LLVMValueRef *e = arena_array(g->arena, LLVMValueRef, b->ntake + 1);
  for (int64_t k = 0; k < b->ntake; k++)
    e[k] = record(g, (LLVMValueRef[]){ gen_i64(g, b->take[k].from), gen_i64(g, b->take[k].to), gen_i64(g, b->take[k].bytes) }, 3);
  return list(g, e, (int)b->ntake, "take");
}

static LLVMValueRef befores(Gen *g, const Program *p, const RtProgram *t, LLVMValueRef *table) {
  LLVMValueRef *e = arena_array(g->arena, LLVMValueRef, t->nbefore + 1);
  for (int64_t k = 0; k < t->nbefore; k++) {
    LLVMValueRef of = NULL;
    for (int j = 0; j < p->ntable; j++)
      if (p->table[j] == t->before[k].program) of = table[j];
    ICE_IF(!of, "%s is run before %s, but stands behind it", t->before[k].program->name, t->name);
    e[k] = record(g, (LLVMValueRef[]){ of, gen_i64(g, t->before[k].ntake), takes(g, &t->before[k]) }, 3);
  }
  return list(g, e, (int)t->nbefore, "before");
}

void module_table(Module *m) {
  Gen *g = &m->unit[0].gen;
  const Program *p = m->program;
  LLVMValueRef null = LLVMConstNull(LLVMPointerTypeInContext(g->ctx, 0));
  LLVMValueRef consts = p->const_bytes ? bytes(g, p->const_data, (size_t)p->const_bytes, RT_ALIGN, "consts") : null;
  if (!p->ntable) {
    // Without a table, whoever fills the frame takes the constants from here.
    if (!p->const_bytes) return;
    LLVMSetLinkage(consts, LLVMExternalLinkage);
    LLVMSetValueName2(consts, "rlc_consts", 10);
    return;
  }
  LLVMValueRef *table = arena_array(g->arena, LLVMValueRef, p->ntable);
  for (int k = 0; k < p->ntable; k++) {
    const RtProgram *t = p->table[k];
    LLVMValueRef field[] = {
      i32(g, t->abi), text(g, t->name), text(g, t->source), gen_i64(g, (int64_t)t->hash),
      i32(g, t->nstate), i32(g, t->nsetting), i32(g, t->nmetric), arrays(g, t), settings(g, t), metrics(g, t),
      numbers(g, t->bytes, RT_NSPACE), consts, gen_i64(g, t->seed), gen_i64(g, t->iter), gen_i64(g, t->env_steps),
      gen_i64(g, t->stop), gen_i64(g, t->solved), gen_i64(g, t->ok), gen_i64(g, t->progress), gen_i64(g, t->nbefore), befores(g, p, t, table),
      LLVMGetNamedFunction(g->mod, p->plan[2 * k]->name), LLVMGetNamedFunction(g->mod, p->plan[2 * k + 1]->name),
    };
    bool last = k == p->ntable - 1;
    LLVMValueRef v = record(g, field, sizeof field / sizeof *field);
    table[k] = LLVMAddGlobal(g->mod, LLVMTypeOf(v), last ? "rlc_program" : "program");
    LLVMSetInitializer(table[k], v);
    LLVMSetGlobalConstant(table[k], true);
    if (!last) LLVMSetLinkage(table[k], LLVMPrivateLinkage);
  }
}
