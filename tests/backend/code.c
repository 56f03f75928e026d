#include "tests/backend/code.h"

#include <llvm-c/Analysis.h>
#include <llvm-c/Target.h>
#include <stdlib.h>
#include <string.h>

const char *const code_target_name[CODE_NTARGET] = { "sse2", "avx2", "avx512" };
static const char *const cpu[CODE_NTARGET] = { "x86-64", "x86-64-v3", "x86-64-v4" };

bool code_target_runs(CodeTarget t) {
  __builtin_cpu_init();
  if (t == CODE_AVX2) return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
  if (t == CODE_AVX512) return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq");
  return true;
}

Target code_target(CodeTarget t) {
  return (Target){ .triple = "x86_64-pc-linux-gnu", .cpu = cpu[t], .plan = { .vector_bits = 128 << t, .fma = t != CODE_SSE2 } };
}

static void must(LLVMErrorRef e) {
  if (!e) return;
  char *m = LLVMGetErrorMessage(e);
  ICE("%s", m);
}

static LLVMTargetMachineRef machine_of(const Target *t) {
  LLVMTargetRef found;
  char *why = NULL;
  LLVMInitializeX86TargetInfo();
  LLVMInitializeX86Target();
  LLVMInitializeX86TargetMC();
  LLVMInitializeX86AsmPrinter();
  ICE_IF(LLVMGetTargetFromTriple(t->triple, &found, &why), "%s", why);
  return LLVMCreateTargetMachine(found, t->triple, t->cpu, "", LLVMCodeGenLevelLess, LLVMRelocPIC, LLVMCodeModelDefault);
}

void code_begin(Code *c, CodeTarget t, const char *name, int narg) {
  memset(c, 0, sizeof *c);
  c->arena.oom = &c->oom;
  if (setjmp(c->oom)) abort();
  c->target = code_target(t);
  c->machine = machine_of(&c->target);
  c->context = LLVMOrcCreateNewThreadSafeContext();
  Gen *g = &c->g;
  g->arena = &c->arena;
  g->ctx = LLVMOrcThreadSafeContextGetContext(c->context);
  g->mod = LLVMModuleCreateWithNameInContext("code", g->ctx);
  LLVMSetTarget(g->mod, c->target.triple);
  LLVMTargetDataRef layout = LLVMCreateTargetDataLayout(c->machine);
  LLVMSetModuleDataLayout(g->mod, layout);
  LLVMDisposeTargetData(layout);
  g->b = LLVMCreateBuilderInContext(g->ctx);
  g->target = &c->target;
  g->width = c->target.plan.vector_bits / 32;
  g->fma = c->target.plan.fma;
  LLVMTypeRef par[8];
  for (int k = 0; k < narg; k++) par[k] = LLVMPointerTypeInContext(g->ctx, 0);
  g->fn = LLVMAddFunction(g->mod, name, LLVMFunctionType(LLVMVoidTypeInContext(g->ctx), par, (unsigned)narg, false));
  LLVMPositionBuilderAtEnd(g->b, LLVMAppendBasicBlockInContext(g->ctx, g->fn, "entry"));
}

LLVMValueRef code_arg(Code *c, int k) { return LLVMGetParam(c->g.fn, (unsigned)k); }

static void finish(Code *c) {
  if (LLVMGetBasicBlockTerminator(LLVMGetInsertBlock(c->g.b))) return;
  LLVMBuildRetVoid(c->g.b);
  char *why = NULL;
  ICE_IF(LLVMVerifyModule(c->g.mod, LLVMReturnStatusAction, &why), "%s", why);
  LLVMDisposeMessage(why);
}

char *code_assembly(Code *c) {
  finish(c);
  char *why = NULL;
  LLVMMemoryBufferRef text;
  ICE_IF(LLVMTargetMachineEmitToMemoryBuffer(c->machine, c->g.mod, LLVMAssemblyFile, &why, &text), "%s", why);
  char *s = LLVMCreateMessage(LLVMGetBufferStart(text));
  LLVMDisposeMemoryBuffer(text);
  return s;
}

static void bind_symbols(Code *c, LLVMOrcJITDylibRef lib) {
  LLVMOrcDefinitionGeneratorRef process;
  LLVMOrcCSymbolMapPair pair[64];
  size_t n = 0;
  for (const GenSymbol *s = gen_math_symbols; s->name; s++, n++) {
    pair[n].Name = LLVMOrcLLJITMangleAndIntern(c->jit, s->name);
    pair[n].Sym.Address = (LLVMOrcExecutorAddress)(uintptr_t)s->address;
    pair[n].Sym.Flags = (LLVMJITSymbolFlags){ LLVMJITSymbolGenericFlagsExported | LLVMJITSymbolGenericFlagsCallable, 0 };
  }
  must(LLVMOrcJITDylibDefine(lib, LLVMOrcAbsoluteSymbols(pair, n)));
  must(LLVMOrcCreateDynamicLibrarySearchGeneratorForProcess(&process, LLVMOrcLLJITGetGlobalPrefix(c->jit), NULL, NULL));
  LLVMOrcJITDylibAddGenerator(lib, process);
}

void *code_end(Code *c, const char *name) {
  finish(c);
  LLVMDisposeBuilder(c->g.b);
  LLVMOrcLLJITBuilderRef builder = LLVMOrcCreateLLJITBuilder();
  LLVMOrcLLJITBuilderSetJITTargetMachineBuilder(builder, LLVMOrcJITTargetMachineBuilderCreateFromTargetMachine(c->machine));
  c->machine = NULL;
  must(LLVMOrcCreateLLJIT(&c->jit, builder));
  LLVMOrcJITDylibRef lib = LLVMOrcLLJITGetMainJITDylib(c->jit);
  bind_symbols(c, lib);
  must(LLVMOrcLLJITAddLLVMIRModule(c->jit, lib, LLVMOrcCreateNewThreadSafeModule(c->g.mod, c->context)));
  LLVMOrcExecutorAddress at;
  must(LLVMOrcLLJITLookup(c->jit, &at, name));
  return (void *)(uintptr_t)at;
}

void code_free(Code *c) {
  if (c->jit) must(LLVMOrcDisposeLLJIT(c->jit));
  if (c->machine) {
    LLVMDisposeTargetMachine(c->machine);
    LLVMDisposeModule(c->g.mod);
    LLVMDisposeBuilder(c->g.b);
  }
  LLVMOrcDisposeThreadSafeContext(c->context);
  arena_free(&c->arena);
}
