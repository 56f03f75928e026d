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

void module_table(Module *m) {
  Gen *g = &m->unit[0].gen;
  const Program *p = m->program;
  const RtProgram *t = p->table;
  LLVMValueRef null = LLVMConstNull(LLVMPointerTypeInContext(g->ctx, 0));
  LLVMValueRef consts = p->const_bytes ? bytes(g, p->const_data, (size_t)p->const_bytes, RT_ALIGN, "consts") : null;
  if (!t) {
    // Without a table, whoever fills the frame takes the constants from here.
    if (!p->const_bytes) return;
    LLVMSetLinkage(consts, LLVMExternalLinkage);
    LLVMSetValueName2(consts, "rlc_consts", 10);
    return;
  }
  LLVMValueRef field[] = {
    i32(g, t->abi), text(g, t->name), text(g, t->source), gen_i64(g, (int64_t)t->hash),
    i32(g, t->nstate), i32(g, t->nsetting), i32(g, t->nmetric), arrays(g, t), settings(g, t), metrics(g, t),
    numbers(g, t->bytes, RT_NSPACE), consts, gen_i64(g, t->seed), gen_i64(g, t->iter), gen_i64(g, t->env_steps),
    gen_i64(g, t->stop), gen_i64(g, t->solved), gen_i64(g, t->ok), gen_i64(g, t->progress),
    LLVMGetNamedFunction(g->mod, p->plan[0]->name), LLVMGetNamedFunction(g->mod, p->plan[1]->name),
  };
  LLVMValueRef v = record(g, field, sizeof field / sizeof *field);
  LLVMValueRef at = LLVMAddGlobal(g->mod, LLVMTypeOf(v), "rlc_program");
  LLVMSetInitializer(at, v);
  LLVMSetGlobalConstant(at, true);
}
