// Modules of a program: kernels by their keys, entry functions, constants, the table.
#include "backend/llvm/module.h"

#include <llvm-c/Analysis.h>
#include <string.h>

// Work of the code generator, in instructions of a kernel: of a function that kernels share; of an entry function, and 2 for
// each of its nodes beside the calls of kernels.
#define FUNCTION_WORK 60
#define ENTRY_WORK 40

static bool has_function(Gen *g, const char *name);

static void unit_open(Module *m, ModuleUnit *u, const char *name) {
  Gen *g = &u->gen;
  *g = (Gen){ .arena = m->arena, .target = m->target, .width = m->target->plan.vector_bits / 32, .fma = m->target->plan.fma };
  g->ctx = LLVMContextCreate();
  g->mod = LLVMModuleCreateWithNameInContext(name, g->ctx);
  g->b = LLVMCreateBuilderInContext(g->ctx);
  if (m->cache) g->elsewhere = has_function, g->env = m;
  u->nest.g = g;
}

static int instructions(LLVMValueRef f) {
  int n = 0;
  for (LLVMBasicBlockRef b = LLVMGetFirstBasicBlock(f); b; b = LLVMGetNextBasicBlock(b))
    for (LLVMValueRef i = LLVMGetFirstInstruction(b); i; i = LLVMGetNextInstruction(i)) n++;
  return n;
}

const char *module_symbol(Arena *a, const char *name, int serial) { return serial ? arena_printf(a, "%s.%d", name, serial) : name; }

static void emit_kernel(Module *m, const Plan *p, const PlanNode *node, const NestUse *u, const ModuleKernel *k) {
  int least = m->nunit > 1 && m->unit[1].work < m->unit[0].work;
  ModuleUnit *to = &m->unit[least];
  NestUse use = *u;
  use.slot.at = arena_copy(m->arena, u->slot.at, sizeof *u->slot.at * (size_t)u->slot.n);
  use.slot.cap = u->slot.n;
  // Another unit's emitter has not seen the node yet.
  if (least) nest_use(&to->nest, p, node, &use);
  to->nest.address = NULL;
  nest_open(&to->nest, p, node, &use);
  LLVMValueRef f = nest_kernel(&to->nest, k->name, k->pack);
  if (!m->cache) LLVMSetLinkage(f, LLVMInternalLinkage);
  to->work += instructions(f);
}

LLVMValueRef module_kernel(Module *m, const Plan *p, const PlanNode *node, const NestUse *u, bool pack, LLVMTypeRef *type) {
  Gen *g = &m->unit[0].gen;
  uint64_t h = base_hash(0, u->key.s, u->key.n);
  ModuleKernel *k = NULL;
  LLVMTypeRef i64 = LLVMInt64TypeInContext(g->ctx), ptr = LLVMPointerTypeInContext(g->ctx, 0);
  *type = LLVMFunctionType(LLVMVoidTypeInContext(g->ctx), (LLVMTypeRef[]){ ptr, i64 }, 2, false);
  for (int i = 0; i < m->kernel.n && !k; i++) {
    ModuleKernel *x = &m->kernel.at[i];
    if (x->hash == h && x->pack == pack && x->key.n == u->key.n && !memcmp(x->key.s, u->key.s, u->key.n)) k = x;
  }
  if (!k) {
    ModuleKernel new = { .hash = h, .key = u->key, .pack = pack };
    if (m->cache) new.name = cache_find(m->arena, m->cache, m->batch, pack ? CACHE_PACK : CACHE_KERNEL, u->key.s, u->key.n);
    new.known = new.name != NULL;
    if (!new.known) new.name = module_symbol(m->arena, arena_printf(m->arena, "rlc.k%d", m->kernel.n + 1), m->serial);
    vec_push(m->arena, &m->kernel, new);
    k = &m->kernel.at[m->kernel.n - 1];
    if (!new.known) emit_kernel(m, p, node, u, k);
  }
  m->unit[0].work += 5;                      // a call
  LLVMValueRef f = LLVMGetNamedFunction(g->mod, k->name);
  return f ? f : LLVMAddFunction(g->mod, k->name, *type);
}

// What kernels share is compiled once: here, by the other unit, or by a program before.
static bool has_function(Gen *g, const char *name) {
  Module *m = g->env;
  for (int k = 0; k < m->function.n; k++)
    if (!strcmp(m->function.at[k], name)) return true;
  if (cache_find(m->arena, m->cache, m->batch, CACHE_FUNCTION, name, strlen(name))) return true;
  vec_push(m->arena, &m->function, arena_str(m->arena, name));
  for (int k = 0; k < m->nunit; k++)
    if (&m->unit[k].gen == g) m->unit[k].work += FUNCTION_WORK;
  return false;
}

static void check(Module *m) {
#ifndef NDEBUG
  for (int k = 0; k < m->nunit; k++) {
    char *why = NULL;
    if (LLVMVerifyModule(m->unit[k].gen.mod, LLVMReturnStatusAction, &why)) {
      LLVMDumpModule(m->unit[k].gen.mod);
      ICE("LLVM refuses the module: %s", why);
    }
    LLVMDisposeMessage(why);
  }
#else
  (void)m;
#endif
}

Module *module_build(Arena *a, const Program *p, const Target *t, int nunit, bool table, Cache *cache, CacheBatch *batch) {
  Module *m = arena_new(a, Module);
  *m = (Module){ .arena = a, .program = p, .target = t, .nunit = nunit, .cache = cache, .batch = batch };
  if (cache) m->serial = cache_serial(cache);
  for (int k = 0; k < p->nplan; k++) m->unit[0].work += ENTRY_WORK + 2 * p->plan[k]->nnode;
  for (int k = 0; k < nunit; k++) unit_open(m, &m->unit[k], k ? "more" : "rlc");
  for (int k = 0; k < p->nplan; k++) driver_plan(m, p->plan[k]);
  if (table) module_table(m);
  check(m);
  return m;
}

void module_free(Module *m) {
  for (int k = 0; k < m->nunit; k++) {
    LLVMDisposeBuilder(m->unit[k].gen.b);
    LLVMDisposeModule(m->unit[k].gen.mod);
    LLVMContextDispose(m->unit[k].gen.ctx);
  }
}
