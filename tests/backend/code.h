// One function, emitted by the backend's emitters and compiled at once: for tests and measurements of
// the emitters alone, without plans.
#ifndef RLC_TEST_CODE_H
#define RLC_TEST_CODE_H

#include "backend/llvm/gen.h"

#include <llvm-c/LLJIT.h>
#include <llvm-c/TargetMachine.h>

typedef enum CodeTarget { CODE_SSE2, CODE_AVX2, CODE_AVX512, CODE_NTARGET } CodeTarget;
extern const char *const code_target_name[CODE_NTARGET];
bool code_target_runs(CodeTarget t);       // this machine has it
Target code_target(CodeTarget t);

typedef struct Code {
  Gen g;
  Arena arena;
  jmp_buf oom;
  Target target;
  LLVMTargetMachineRef machine;
  LLVMOrcThreadSafeContextRef context;
  LLVMOrcLLJITRef jit;
} Code;

// A module with one function void name(ptr, …): g stands in its entry block.
void code_begin(Code *c, CodeTarget t, const char *name, int narg);
LLVMValueRef code_arg(Code *c, int k);
// Puts the return, verifies, and compiles. After it the builder is gone.
void *code_end(Code *c, const char *name);
char *code_assembly(Code *c);              // before code_end, after the last instruction; LLVMDisposeMessage
void code_free(Code *c);

#endif
