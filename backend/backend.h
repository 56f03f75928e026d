// A backend prints plans for its target. One filled struct each; backend/backends.c lists them.
#ifndef RLC_BACKEND_H
#define RLC_BACKEND_H

#include "backend/plan.h"

typedef struct Target {
  const char *triple;      // NULL: the host's
  const char *cpu;         // NULL: the host's; "x86-64", "x86-64-v3", "x86-64-v4", "znver4", …
  PlanTarget plan;         // filled by target_resolve
} Target;

// Fills plan from triple and cpu. False (and a message in *why) if unknown.
bool llvm_target_resolve(Arena *a, Target *t, const char **why);

// What a program is made of: entry points with one constant block, and the tables the runtime reads.
// init, step and consts of a table are left NULL by the caller; the backend fills them (JIT) or
// refers to the emitted symbols (object file; the last table is the symbol `rlc_program`).
typedef struct Program {
  int nplan; Plan **plan;          // of trainers: init and step of each; any functions otherwise
  const char *const_data; int64_t const_bytes;
  int ntable; RtProgram **table;   // one a trainer, each behind those it runs before; none: entry points alone
  bool export;                     // the one plan is a C function: see llvm_emit_export
  int64_t *profile;                // NULL, or where the last plan adds up, for each of its plan_work, clock
                                   // ticks and executions (two numbers a node). In this process only.
} Program;

typedef struct Jit Jit;            // owns code and the symbols in it
Jit *llvm_jit(Arena *a, const Program *p, const Target *t, char **why);   // NULL and why (arena) on failure
void (*llvm_jit_entry(Jit *j, const char *name))(RtFrame *);
void llvm_jit_free(Jit *j);
// Text of the module as LLVM IR or as the target's assembly. NULL and why on failure.
char *llvm_emit_ir(Arena *a, const Program *p, const Target *t, char **why);
char *llvm_emit_asm(Arena *a, const Program *p, const Target *t, char **why);
// Object file bytes with the table as `const RtProgram rlc_program`.
bool llvm_emit_object(Arena *a, const Program *p, const Target *t, const char **bytes, size_t *n, char **why);
// Object file with one plain C function, named as the plan, and nothing it needs beside memcpy and memset.
// Parameters: a pointer for each input, then for each output; inputs are planned in RT_STATE, outputs in RT_OUT,
// at ascending offsets. Temporaries stand on the stack up to EXPORT_STACK bytes; beyond, a last parameter points to
// plan_alone_bytes of scratch. Fails, naming it, where the plan needs a routine of the runtime.
#define EXPORT_STACK 65536
bool llvm_emit_export(Arena *a, const Program *p, const Target *t, const char **bytes, size_t *n, char **why);

// Pictures. dot_emit: Graphviz text; dot_render: SVG (format "svg") or another format of Graphviz's library.
char *dot_emit(Arena *a, const IrGraph *g, const Plan *p);   // p may be NULL
char *dot_render(Arena *a, const char *dot, const char *format, size_t *n, char **why);

#endif
