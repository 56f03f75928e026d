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

void export_finish(Module *m, LLVMTargetMachineRef tm) {
  LLVMPassBuilderOptionsRef o = LLVMCreatePassBuilderOptions();
  LLVMErrorRef e = LLVMRunPasses(m->unit[0].gen.mod, "inline,globaldce,function(sroa,early-cse,instcombine,simplifycfg)", tm, o);
  if (e) LLVMConsumeError(e);
  LLVMDisposePassBuilderOptions(o);
}
