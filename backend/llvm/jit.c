// Code into this process: object code of one or two modules, made on as many threads, linked by ORC to what the process has.
#include "backend/llvm/module.h"

#include <llvm-c/Error.h>
#include <llvm-c/Orc.h>
#include <math.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

struct Jit {
  Cache *cache;
  CacheBatch *batch;
  int serial;
  void *consts;                // RT_ALIGN-aligned copy of the program's constants
};

// All that compiled code may call, but for math.c's functions.
static const GenSymbol symbols[] = {
  { "rt_parallel", (void *)rt_parallel }, { "rt_fork", (void *)rt_fork }, { "rt_seat", (void *)rt_seat },
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

static LLVMErrorRef define_all(LLVMOrcLLJITRef orc, const GenSymbol *s) {
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

static LLVMErrorRef define(LLVMOrcLLJITRef orc) {
  LLVMErrorRef e = define_all(orc, symbols);
  return e ? e : define_all(orc, gen_math_symbols);
}

static void *symbol(Jit *j, const char *name) {
  char full[256];
  LLVMOrcExecutorAddress at = 0;
  snprintf(full, sizeof full, "%s.%d", name, j->serial);
  LLVMErrorRef e = LLVMOrcLLJITLookup(cache_orc(j->cache), &at, full);
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

// What the program had compiled is there for others.
static void give(Arena *a, Jit *j, const Module *m) {
  for (int k = 0; k < m->kernel.n; k++) {
    const ModuleKernel *x = &m->kernel.at[k];
    if (!x->known) cache_put(a, j->cache, j->batch, x->pack ? CACHE_PACK : CACHE_KERNEL, x->key.s, x->key.n, x->name);
  }
  for (int k = 0; k < m->function.n; k++) {
    const char *name = m->function.at[k];
    cache_put(a, j->cache, j->batch, CACHE_FUNCTION, name, strlen(name), name);
  }
}

static void prepare(Job *j, LLVMTargetMachineRef tm, LLVMModuleRef mod) {
  LLVMTargetDataRef layout = LLVMCreateTargetDataLayout(tm);
  char *triple = LLVMGetTargetMachineTriple(tm);
  *j = (Job){ .tm = tm, .mod = mod };
  LLVMSetModuleDataLayout(mod, layout);
  LLVMSetTarget(mod, triple);
  LLVMDisposeTargetData(layout);
  LLVMDisposeMessage(triple);
}

Jit *llvm_jit(Arena *a, const Program *p, const Target *t, char **why) {
  Job job[2];
  int nodes = 0, n = 0;
  Cache *cache = cache_of(a, t, define, why);
  if (!cache) return NULL;
  Jit *j = calloc(1, sizeof *j);
  if (!j) longjmp(*a->oom, 1);
  j->cache = cache;
  j->batch = cache_open(a, cache);
  for (int k = 0; k < p->nplan; k++) nodes += p->plan[k]->nnode;
  Module *m = module_build(a, p, t, nodes > TWO_MODULES ? 2 : 1, false, cache, j->batch);
  j->serial = m->serial;
  for (int k = 0; k < m->nunit; k++)
    if (!k || m->unit[k].work) prepare(&job[n], cache_machine(cache, n), m->unit[k].gen.mod), n++;
  bool fine = generate_all(n, job);
  for (int k = 0; k < n; k++) {
    LLVMErrorRef e = fine ? cache_add_object(cache, j->batch, job[k].out) : NULL;
    if (e) *why = failure(a, e), fine = false;
    else if (!job[k].out) *why = arena_str(a, job[k].message), LLVMDisposeMessage(job[k].message);
    else if (!fine) LLVMDisposeMemoryBuffer(job[k].out);
  }
  module_free(m);
  if (fine && fill_table(a, j, p, why)) {
    give(a, j, m);
    return j;
  }
  llvm_jit_free(j);
  return NULL;
}

void (*llvm_jit_entry(Jit *j, const char *name))(RtFrame *) {
  void (*f)(RtFrame *);
  void *p = symbol(j, name);
  memcpy(&f, &p, sizeof f);
  return f;
}

size_t jit_bytes(const Jit *j) { return cache_bytes(j->batch); }

void llvm_jit_free(Jit *j) {
  if (!j) return;
  cache_close(j->cache, j->batch);
  free(j->consts);
  free(j);
}
