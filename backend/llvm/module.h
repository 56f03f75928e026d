// A program as LLVM modules.
#ifndef RLC_MODULE_H
#define RLC_MODULE_H

#include "backend/llvm/nest.h"
#include <llvm-c/LLJIT.h>
#include <llvm-c/TargetMachine.h>

// ---- cache.c: code that this process has -------------------------------------------------------------------------
typedef struct Cache Cache;              // of one target
typedef struct CacheBatch CacheBatch;    // what one program added
typedef enum CacheKind { CACHE_KERNEL, CACHE_PACK, CACHE_FUNCTION } CacheKind;

// `define` gives a new one the symbols of the process. NULL and why on failure.
Cache *cache_of(Arena *a, const Target *t, LLVMErrorRef (*define)(LLVMOrcLLJITRef orc), char **why);
LLVMOrcLLJITRef cache_orc(Cache *c);
LLVMTargetMachineRef cache_machine(Cache *c, int thread);
int cache_serial(Cache *c);                                    // makes names of a program unlike all others'
CacheBatch *cache_open(Arena *a, Cache *c);                    // lives until cache_close, and while others need it
LLVMErrorRef cache_add_object(Cache *c, CacheBatch *b, LLVMMemoryBufferRef object);
size_t cache_bytes(const CacheBatch *b);                       // of object code that it added
void cache_close(Cache *c, CacheBatch *b);
extern size_t cache_idle_bytes;                                // most that stays without users
// The symbol of code with this key, which b needs from now on; or NULL.
const char *cache_find(Arena *a, Cache *c, CacheBatch *b, CacheKind kind, const char *key, size_t n);
void cache_put(Arena *a, Cache *c, CacheBatch *b, CacheKind kind, const char *key, size_t n, const char *name);

// ---- modules -----------------------------------------------------------------------------------------------------
typedef struct ModuleKernel {
  uint64_t hash;
  Str key;
  bool pack, known;            // known: the cache has it
  const char *name;
} ModuleKernel;

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
  VEC(const char *) function;  // that kernels share: those defined here
  Cache *cache;                // NULL: code for elsewhere
  CacheBatch *batch;
  int serial;
  int nstrips;                 // functions of strips
} Module;

// Emits all plans into at most nunit modules. With a cache, what it has is not emitted again, and kernels and what they share
// may be called from outside; else they are internal. `table`: the program's table as constant data too, for
// an object file.
Module *module_build(Arena *a, const Program *p, const Target *t, int nunit, bool table, Cache *cache, CacheBatch *batch);
// The symbol of a plan's entry function, or of what else a program has for itself.
const char *module_symbol(Arena *a, const char *name, int serial);
void module_free(Module *m);
void module_table(Module *m);                      // table.c

// export.c: makes a module of one exported function small and quick.
void export_finish(Module *m, LLVMTargetMachineRef tm);
const char *export_lacks(Module *m);               // a function it calls and has not, or NULL

// driver.c: the entry function of a plan; the function that runs a kernel's node.
void driver_plan(Module *m, const Plan *p);
// The kernel of the node in m's first module, or the one that packs its operand, emitted where no equal one was.
LLVMValueRef module_kernel(Module *m, const Plan *p, const PlanNode *node, const NestUse *u, bool pack, LLVMTypeRef *type);

// jit.c
size_t jit_bytes(const Jit *j);                    // of object code that was compiled for it

// target.c
LLVMTargetMachineRef target_machine(Arena *a, const Target *t, bool pic, char **why);

#endif
