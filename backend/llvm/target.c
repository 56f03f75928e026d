// Which machine: names, features, vector width; LLVM's target machine for it.
#include "backend/llvm/module.h"

#include <llvm-c/Support.h>
#include <llvm-c/Target.h>
#include <string.h>

// What planning must know of the x86 processors that can be named.
static const struct { const char *name; int bits; bool fma; } cpus[] = {
  { "x86-64", 128, false }, { "x86-64-v2", 128, false }, { "x86-64-v3", 256, true }, { "x86-64-v4", 512, true },
  { "core2", 128, false }, { "nehalem", 128, false }, { "westmere", 128, false }, { "silvermont", 128, false },
  { "goldmont", 128, false }, { "goldmont-plus", 128, false }, { "tremont", 128, false },
  { "haswell", 256, true }, { "broadwell", 256, true }, { "skylake", 256, true }, { "alderlake", 256, true },
  { "raptorlake", 256, true }, { "meteorlake", 256, true }, { "gracemont", 256, true },
  { "znver1", 256, true }, { "znver2", 256, true }, { "znver3", 256, true },
  { "skylake-avx512", 512, true }, { "cascadelake", 512, true }, { "cooperlake", 512, true }, { "cannonlake", 512, true },
  { "icelake-client", 512, true }, { "icelake-server", 512, true }, { "tigerlake", 512, true }, { "rocketlake", 512, true },
  { "sapphirerapids", 512, true }, { "emeraldrapids", 512, true }, { "graniterapids", 512, true },
  { "znver4", 512, true }, { "znver5", 512, true },
};

static bool is_host(const Target *t) { return !t->triple && !t->cpu; }

static bool is_x86(const char *triple) { return !strncmp(triple, "x86_64", 6) || !strncmp(triple, "amd64", 5); }

static const char *host_triple(Arena *a) {
  char *s = LLVMGetDefaultTargetTriple();
  const char *r = arena_str(a, s);
  LLVMDisposeMessage(s);
  return r;
}

static bool has(const char *features, const char *name) {
  size_t n = strlen(name);
  for (const char *p = strstr(features, name); p; p = strstr(p + 1, name))
    if (p > features && p[-1] == '+' && (p[n] == ',' || !p[n])) return true;
  return false;
}

bool llvm_target_resolve(Arena *a, Target *t, const char **why) {
  const char *triple = t->triple ? t->triple : host_triple(a);
  if (!is_x86(triple)) {
    t->plan = (PlanTarget){ .vector_bits = 128, .fma = true, .fork_ns = PLAN_FORK_NS };
    return true;
  }
  if (is_host(t)) {
    char *f = LLVMGetHostCPUFeatures();
    bool wide = has(f, "avx512f") && has(f, "avx512vl") && has(f, "avx512dq") && has(f, "avx512bw");
    t->plan = (PlanTarget){ .vector_bits = wide ? 512 : has(f, "avx2") ? 256 : 128, .fma = has(f, "fma"),
                            .fork_ns = PLAN_FORK_NS };
    LLVMDisposeMessage(f);
    return true;
  }
  const char *cpu = t->cpu ? t->cpu : "x86-64";
  for (size_t k = 0; k < sizeof cpus / sizeof *cpus; k++)
    if (!strcmp(cpus[k].name, cpu)) {
      t->plan = (PlanTarget){ .vector_bits = cpus[k].bits, .fma = cpus[k].fma, .fork_ns = PLAN_FORK_NS };
      return true;
    }
  Str s = { .arena = a };
  str_printf(&s, "no processor is called %s; known are", cpu);
  for (size_t k = 0; k < sizeof cpus / sizeof *cpus; k++) str_printf(&s, "%s %s", k ? "," : "", cpus[k].name);
  *why = s.s;
  return false;
}

// Options of the code generator, which are the process's: passes that cost compile time and gain nothing on
// code in final form. On the kernels of a training step: a quarter less time, code no slower.
static void quick_codegen(void) {
  static bool done;
  if (done) return;
  done = true;
  const char *argv[] = { "rlc", "-disable-lsr", "-disable-post-ra", "-enable-misched=false", "-disable-cgp",
                         "-disable-constant-hoisting", "-disable-early-taildup", "-disable-partial-libcall-inlining", "-enable-shrink-wrap=false",
                         "-disable-x86-domain-reassignment", "-disable-x86-lea-opt", "-x86-cmov-converter=false", "-x86-machine-combiner=false", "-disable-machine-cse",
                         "-disable-machine-sink" };
  LLVMParseCommandLineOptions(sizeof argv / sizeof *argv, argv, NULL);
}

LLVMTargetMachineRef target_machine(Arena *a, const Target *t, bool pic, char **why) {
  char *triple = LLVMNormalizeTargetTriple(t->triple ? t->triple : host_triple(a)), *message = NULL;
  LLVMTargetRef target;
  quick_codegen();
  if (is_x86(triple) && !t->triple) {
    LLVMInitializeNativeTarget();
    LLVMInitializeNativeAsmPrinter();
  } else {
    // The machines that cmake/llvm.cmake links.
#define MACHINE(m) \
    LLVMInitialize##m##TargetInfo(), LLVMInitialize##m##Target(), LLVMInitialize##m##TargetMC(), LLVMInitialize##m##AsmPrinter()
    MACHINE(X86);
    MACHINE(AArch64);
    MACHINE(RISCV);
#undef MACHINE
  }
  if (LLVMGetTargetFromTriple(triple, &target, &message)) {
    *why = arena_printf(a, "%s", message);
    LLVMDisposeMessage(message);
    LLVMDisposeMessage(triple);
    return NULL;
  }
  char *cpu = is_host(t) ? LLVMGetHostCPUName() : NULL, *features = is_host(t) ? LLVMGetHostCPUFeatures() : NULL;
  const char *named = t->cpu ? t->cpu : is_x86(triple) ? "x86-64" : "generic";
  // Where 512-bit vectors were chosen, they are to be used, whatever the processor's tuning prefers.
  const char *wide = t->plan.vector_bits == 512 ? "-prefer-256-bit" : "";
  const char *all = features ? arena_printf(a, "%s,%s", features, *wide ? wide : "-prefer-128-bit") : wide;
  if (!strncmp(triple, "riscv64", 7) && !t->cpu) all = "+m,+a,+f,+d,+c";  // what Linux on it takes for granted
  LLVMTargetMachineRef tm = LLVMCreateTargetMachine(target, triple, cpu ? cpu : named, all, LLVMCodeGenLevelLess,
                                                    pic ? LLVMRelocPIC : LLVMRelocDefault, LLVMCodeModelDefault);
  if (!tm) *why = arena_printf(a, "no code for %s on %s", named, triple);
  if (cpu) LLVMDisposeMessage(cpu);
  if (features) LLVMDisposeMessage(features);
  LLVMDisposeMessage(triple);
  return tm;
}
