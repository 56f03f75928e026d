// Code into this process: object code of one or two modules, made on as many threads, linked by ORC.
#include "backend/llvm/module.h"

#include <llvm-c/Error.h>
#include <llvm-c/LLJIT.h>
#include <llvm-c/Orc.h>
#include <math.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

struct Jit {
  LLVMOrcLLJITRef orc;
  void *consts;                // RT_ALIGN-aligned copy of the program's constants
};

// All that compiled code may call, but for math.c's functions.
static const GenSymbol symbols[] = {
  { "rt_parallel", (void *)rt_parallel }, { "rt_fork", (void *)rt_fork },
  { "rt_gemm_f32", (void *)rt_gemm_f32 }, { "rt_gemm_f64", (void *)rt_gemm_f64 },
  { "rt_qr_f32", (void *)rt_qr_f32 }, { "rt_qr_f64", (void *)rt_qr_f64 },
  { "rt_cholesky_f32", (void *)rt_cholesky_f32 }, { "rt_cholesky_f64", (void *)rt_cholesky_f64 },
  { "rt_trisolve_f32", (void *)rt_trisolve_f32 }, { "rt_trisolve_f64", (void *)rt_trisolve_f64 },
  { "rt_lu", (void *)rt_lu }, { "rt_eigh", (void *)rt_eigh }, { "rt_svd", (void *)rt_svd }, { "rt_eig", (void *)rt_eig },
  { "rt_fft", (void *)rt_fft },
  { "rt_argsort", (void *)rt_argsort }, { "rt_cumulate", (void *)rt_cumulate },
  // What LLVM itself may make calls of.
  { "memcpy", (void *)memcpy }, { "memset", (void *)memset }, { "memmove", (void *)memmove },
  { "fmodf", (void *)fmodf }, { "fmod", (void *)fmod }, { "fmaf", (void *)fmaf }, { "fma", (void *)fma },
  { "floorf", (void *)floorf }, { "floor", (void *)floor }, { "ceilf", (void *)ceilf }, { "ceil", (void *)ceil },
  { "truncf", (void *)truncf }, { "trunc", (void *)trunc }, { "rintf", (void *)rintf }, { "rint", (void *)rint },
  { "roundevenf", (void *)rintf }, { "roundeven", (void *)rint },
  { "nearbyintf", (void *)nearbyintf }, { "nearbyint", (void *)nearbyint },
  { NULL, NULL }
};

static char *failure(Arena *a, LLVMErrorRef e) {
  char *m = LLVMGetErrorMessage(e), *s = arena_str(a, m);
  LLVMDisposeErrorMessage(m);
  return s;
}

// A second module and thread cost 1 ms; a kernel takes the code generator 1.5 ms.
#define TWO_MODULES 8

// ---- code generation on threads ---------------------------------------------------------------------------

typedef struct Job {
  LLVMTargetMachineRef tm;
  LLVMModuleRef mod;
  LLVMMemoryBufferRef out;
  char *message;
} Job;

static void *generate(void *arg) {
  Job *j = arg;
  if (LLVMTargetMachineEmitToMemoryBuffer(j->tm, j->mod, LLVMObjectFile, &j->message, &j->out)) j->out = NULL;
  return NULL;
}

static bool generate_all(int n, Job *job) {
  pthread_t thread[2];
  bool started[2] = { false };
  for (int k = 1; k < n; k++) started[k] = !pthread_create(&thread[k], NULL, generate, &job[k]);
  for (int k = 0; k < n; k++)
    if (!started[k]) generate(&job[k]);
  bool fine = true;
  for (int k = 0; k < n; k++) {
    if (started[k]) pthread_join(thread[k], NULL);
    fine = fine && job[k].out;
  }
  return fine;
}

// ---- linking ------------------------------------------------------------------------------------------------------

static LLVMErrorRef define(LLVMOrcLLJITRef orc, const GenSymbol *s) {
  LLVMOrcCSymbolMapPair pair[64];
  size_t n = 0;
  for (; s->name; s++) {
    pair[n].Name = LLVMOrcLLJITMangleAndIntern(orc, s->name);
    pair[n].Sym.Address = (LLVMOrcExecutorAddress)(uintptr_t)s->address;
    pair[n].Sym.Flags = (LLVMJITSymbolFlags){ LLVMJITSymbolGenericFlagsExported, 0 };
    n++;
  }
  return LLVMOrcJITDylibDefine(LLVMOrcLLJITGetMainJITDylib(orc), LLVMOrcAbsoluteSymbols(pair, n));
}

static void *symbol(Jit *j, const char *name) {
  LLVMOrcExecutorAddress at = 0;
  LLVMErrorRef e = LLVMOrcLLJITLookup(j->orc, &at, name);
  if (e) {
    LLVMConsumeError(e);
    return NULL;
  }
  return (void *)(uintptr_t)at;
}

static bool fill_table(Arena *a, Jit *j, const Program *p, char **why) {
  if (p->const_bytes) {
    size_t bytes = ((size_t)p->const_bytes + RT_ALIGN - 1) / RT_ALIGN * RT_ALIGN;
    j->consts = aligned_alloc(RT_ALIGN, bytes);
    if (!j->consts) longjmp(*a->oom, 1);
    memcpy(j->consts, p->const_data, (size_t)p->const_bytes);
  }
  for (int k = 0; k < p->nplan; k++)
    if (!symbol(j, p->plan[k]->name)) {
      *why = arena_printf(a, "%s could not be linked", p->plan[k]->name);
      return false;
    }
  for (int k = 0; k < p->ntable; k++) {
    RtProgram *t = p->table[k];
    t->consts = j->consts;
    t->init = llvm_jit_entry(j, p->plan[2 * k]->name);
    t->step = llvm_jit_entry(j, p->plan[2 * k + 1]->name);
  }
  return true;
}

Jit *llvm_jit(Arena *a, const Program *p, const Target *t, char **why) {
  Job job[2] = { 0 };
  Jit *j = NULL;
  int nodes = 0;
  for (int k = 0; k < p->nplan; k++) nodes += p->plan[k]->nnode;
  Module *m = module_build(a, p, t, nodes > TWO_MODULES ? 2 : 1, false);
  int n = m->nunit;
  bool ready = true;
  *why = NULL;
  for (int k = 0; k < n && ready; k++) {
    job[k].mod = m->unit[k].gen.mod;
    job[k].tm = target_machine(a, t, true, why);
    ready = job[k].tm;
    if (!ready) break;
    LLVMTargetDataRef layout = LLVMCreateTargetDataLayout(job[k].tm);
    char *triple = LLVMGetTargetMachineTriple(job[k].tm);
    LLVMSetModuleDataLayout(job[k].mod, layout);
    LLVMSetTarget(job[k].mod, triple);
    LLVMDisposeTargetData(layout);
    LLVMDisposeMessage(triple);
  }
  if (ready && !generate_all(n, job)) {
    ready = false;
    for (int k = 0; k < n; k++)
      if (job[k].message) *why = arena_str(a, job[k].message), LLVMDisposeMessage(job[k].message);
  }
  if (ready) {
    j = calloc(1, sizeof *j);
    if (!j) longjmp(*a->oom, 1);
    LLVMErrorRef e = LLVMOrcCreateLLJIT(&j->orc, NULL);
    if (!e) e = define(j->orc, symbols);
    if (!e) e = define(j->orc, gen_math_symbols);
    for (int k = 0; k < n && !e; k++) {
      e = LLVMOrcLLJITAddObjectFile(j->orc, LLVMOrcLLJITGetMainJITDylib(j->orc), job[k].out);
      job[k].out = NULL;
    }
    if (e) *why = failure(a, e);
    if (e || !fill_table(a, j, p, why)) {
      llvm_jit_free(j);
      j = NULL;
    }
  }
  for (int k = 0; k < n; k++) {
    if (job[k].out) LLVMDisposeMemoryBuffer(job[k].out);
    if (job[k].tm) LLVMDisposeTargetMachine(job[k].tm);
  }
  module_free(m);
  return j;
}

void (*llvm_jit_entry(Jit *j, const char *name))(RtFrame *) {
  void (*f)(RtFrame *);
  void *p = symbol(j, name);
  memcpy(&f, &p, sizeof f);
  return f;
}

void llvm_jit_free(Jit *j) {
  if (!j) return;
  LLVMErrorRef e = j->orc ? LLVMOrcDisposeLLJIT(j->orc) : NULL;
  if (e) LLVMConsumeError(e);
  free(j->consts);
  free(j);
}
