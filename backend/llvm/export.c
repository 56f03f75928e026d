// A function that is taken away. Its kernels are inlined, so that addresses of weights and temporaries are
// constants and no argument vector is written: half the time of a small policy is calls otherwise.
#include "backend/llvm/module.h"

#include <llvm-c/Error.h>
#include <llvm-c/Transforms/PassBuilder.h>
#include <string.h>

// What stands in every freestanding C program.
static bool everywhere(const char *name) {
  return !strncmp(name, "llvm.", 5) || !strcmp(name, "memcpy") || !strcmp(name, "memset") || !strcmp(name, "memmove");
}

const char *export_lacks(Module *m) {
  for (LLVMValueRef f = LLVMGetFirstFunction(m->unit[0].gen.mod); f; f = LLVMGetNextFunction(f)) {
    size_t n;
    const char *name = LLVMGetValueName2(f, &n);
    if (LLVMIsDeclaration(f) && LLVMGetFirstUse(f) && !everywhere(name)) return arena_strn(m->arena, name, n);
  }
  return NULL;
}

// Calls in the entry function: beyond so many, kernels stay functions, and the object stays small.
#define EXPORT_INLINE 64

static int count_calls(LLVMValueRef f) {
  int n = 0;
  for (LLVMBasicBlockRef b = LLVMGetFirstBasicBlock(f); b; b = LLVMGetNextBasicBlock(b))
    for (LLVMValueRef i = LLVMGetFirstInstruction(b); i; i = LLVMGetNextInstruction(i)) n += LLVMGetInstructionOpcode(i) == LLVMCall;
  return n;
}

static void inline_all(Module *m, LLVMValueRef entry) {
  Gen *g = &m->unit[0].gen;
  unsigned kind = LLVMGetEnumAttributeKindForName("alwaysinline", 12);
  for (LLVMValueRef f = LLVMGetFirstFunction(g->mod); f; f = LLVMGetNextFunction(f))
    if (f != entry && !LLVMIsDeclaration(f))
      LLVMAddAttributeAtIndex(f, LLVMAttributeFunctionIndex, LLVMCreateEnumAttribute(g->ctx, kind, 0));
}

void export_finish(Module *m, LLVMTargetMachineRef tm) {
  LLVMModuleRef mod = m->unit[0].gen.mod;
  LLVMValueRef entry = LLVMGetNamedFunction(mod, m->program->plan[0]->name);
  if (count_calls(entry) <= EXPORT_INLINE) inline_all(m, entry);
  LLVMPassBuilderOptionsRef o = LLVMCreatePassBuilderOptions();
  const char *passes = "always-inline,globaldce,function(sroa,early-cse,instcombine<no-verify-fixpoint>,simplifycfg,loop-mssa(licm),loop-unroll<O2>,instcombine<no-verify-fixpoint>,simplifycfg)";
  LLVMErrorRef e = LLVMRunPasses(mod, passes, tm, o);
  if (e) {
    char *why = LLVMGetErrorMessage(e);
    ICE("LLVM does not run its passes: %s", why);
  }
  LLVMDisposePassBuilderOptions(o);
}
