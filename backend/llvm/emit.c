// Programs as text or object files.
#include "backend/llvm/module.h"

#include <string.h>

static void prepare(Module *m, LLVMTargetMachineRef tm) {
  char *triple = LLVMGetTargetMachineTriple(tm);
  LLVMTargetDataRef layout = LLVMCreateTargetDataLayout(tm);
  LLVMSetTarget(m->unit[0].gen.mod, triple);
  LLVMSetModuleDataLayout(m->unit[0].gen.mod, layout);
  LLVMDisposeTargetData(layout);
  if (!strncmp(triple, "riscv64", 7))
    LLVMAddModuleFlag(m->unit[0].gen.mod, LLVMModuleFlagBehaviorError, "target-abi", 10,
                      LLVMMDStringInContext2(m->unit[0].gen.ctx, "lp64d", 5));
  LLVMDisposeMessage(triple);
}

char *llvm_emit_ir(Arena *a, const Program *p, const Target *t, char **why) {
  LLVMTargetMachineRef tm = target_machine(a, t, true, why);
  if (!tm) return NULL;
  Module *m = module_build(a, p, t, 1, true, NULL, NULL);
  prepare(m, tm);
  char *text = LLVMPrintModuleToString(m->unit[0].gen.mod), *r = arena_str(a, text);
  LLVMDisposeMessage(text);
  module_free(m);
  LLVMDisposeTargetMachine(tm);
  return r;
}

static bool emit(Arena *a, const Program *p, const Target *t, LLVMCodeGenFileType kind, const char **bytes, size_t *n, char **why) {
  LLVMTargetMachineRef tm = target_machine(a, t, true, why);
  if (!tm) return false;
  Module *m = module_build(a, p, t, 1, !p->export, NULL, NULL);
  prepare(m, tm);
  const char *lacks = p->export ? export_lacks(m) : NULL;
  if (lacks) {
    *why = arena_printf(a, "%s needs %s of rlc's runtime, which an exported function does not carry", p->plan[0]->name, lacks);
    module_free(m);
    LLVMDisposeTargetMachine(tm);
    return false;
  }
  if (p->export) export_finish(m, tm);
  LLVMMemoryBufferRef out;
  char *message = NULL;
  bool failed = LLVMTargetMachineEmitToMemoryBuffer(tm, m->unit[0].gen.mod, kind, &message, &out);
  if (failed) {
    *why = arena_printf(a, "%s", message);
    LLVMDisposeMessage(message);
  } else {
    *n = LLVMGetBufferSize(out);
    *bytes = arena_strn(a, LLVMGetBufferStart(out), *n);
    LLVMDisposeMemoryBuffer(out);
  }
  module_free(m);
  LLVMDisposeTargetMachine(tm);
  return !failed;
}

char *llvm_emit_asm(Arena *a, const Program *p, const Target *t, char **why) {
  const char *s;
  size_t n;
  return emit(a, p, t, LLVMAssemblyFile, &s, &n, why) ? (char *)s : NULL;
}

bool llvm_emit_object(Arena *a, const Program *p, const Target *t, const char **bytes, size_t *n, char **why) {
  return emit(a, p, t, LLVMObjectFile, bytes, n, why);
}

bool llvm_emit_export(Arena *a, const Program *p, const Target *t, const char **bytes, size_t *n, char **why) {
  return emit(a, p, t, LLVMObjectFile, bytes, n, why);
}
