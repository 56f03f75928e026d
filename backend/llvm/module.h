// A program as LLVM modules.
#ifndef RLC_MODULE_H
#define RLC_MODULE_H

#include "backend/llvm/nest.h"
#include <llvm-c/TargetMachine.h>

typedef struct ModuleKernel { uint64_t hash; Str key; bool pack; LLVMTypeRef type; const char *name; int unit; } ModuleKernel;

// One LLVM module: its own context, so that several can go through the code generator at once.
typedef struct ModuleUnit {
  Gen gen;
  Nest nest;
  int work;                    // instructions of kernels emitted into it
} ModuleUnit;

typedef struct Module {
  Arena *arena;
  const Program *program;
  const Target *target;
  int nunit;
  ModuleUnit unit[2];          // entry points stand in the first
  VEC(ModuleKernel) kernel;
  int nstrips;                 // functions of strips
} Module;

// Emits all plans into at most nunit modules. Kernels are internal where there is one.
// `table`: the program's table as constant data too, for an object file.
Module *module_build(Arena *a, const Program *p, const Target *t, int nunit, bool table);
void module_free(Module *m);
void module_table(Module *m);                      // table.c

// export.c: makes a module of one exported function small and quick.
void export_finish(Module *m, LLVMTargetMachineRef tm);
const char *export_lacks(Module *m);               // a function it calls and has not, or NULL

// driver.c: the entry function of a plan; the function that runs a kernel's node.
void driver_plan(Module *m, const Plan *p);
// The kernel of the node in m's first module, or the one that packs its operand, emitted where no equal one was.
LLVMValueRef module_kernel(Module *m, const Plan *p, const PlanNode *node, const NestUse *u, bool pack, LLVMTypeRef *type);

// target.c
LLVMTargetMachineRef target_machine(Arena *a, const Target *t, bool pic, char **why);

#endif
