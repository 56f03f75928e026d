// The command line. driver/main.c holds the table of commands; each has a file of its own.
#ifndef RLC_DRIVER_H
#define RLC_DRIVER_H

#include "backend/backend.h"
#include "frontend/elab.h"
#include "passes/passes.h"
#include "runtime/trainer.h"

typedef struct Driver {
  Arena *arena;
  Diags *diags;
  double started;                  // rt_now() at the start of the process
} Driver;

typedef struct Command {
  const char *name, *brief;
  const char *help;                // usage and options, printed as it stands
  int (*run)(Driver *d, int argc, char **argv);  // argv[0] is the command's name; returns the exit status
} Command;
extern const Command commands[];   // ended by name == NULL

int command_run(Driver *d, int argc, char **argv);
int command_build(Driver *d, int argc, char **argv);
int command_check(Driver *d, int argc, char **argv);
int command_fmt(Driver *d, int argc, char **argv);
int command_emit(Driver *d, int argc, char **argv);
int command_opt(Driver *d, int argc, char **argv);
int command_eval(Driver *d, int argc, char **argv);
int command_passes(Driver *d, int argc, char **argv);
int command_ops(Driver *d, int argc, char **argv);
int command_export(Driver *d, int argc, char **argv);
int command_bench(Driver *d, int argc, char **argv);
int command_verify(Driver *d, int argc, char **argv);

// ---- arguments -----------------------------------------------------------------------------------
// A wrong command line: says so, and where help is. Returns RT_USAGE.
int usage(const char *command, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
// Takes argv[*i] if it is `name` (--name VALUE or --name=VALUE) and sets *value. A value that is missing sets
// it to NULL.
bool take_value(int argc, char **argv, int *i, const char *name, const char **value);
// Takes --set, --trainer, --target-cpu, --target and --print-after. 1: taken; 0: none of these; -1: without a value.
struct Job;
int take_job(Driver *d, int argc, char **argv, int *i, struct Job *j);
// Whether argv[i] looks like an option; `-` alone does not.
bool is_option(const char *word);
bool has_ending(const char *path, const char *ending);

// ---- output -----------------------------------------------------------------------------------------
int mistake(Driver *d);            // prints the diagnostics; RT_MISTAKE
int complain(const char *fmt, ...) __attribute__((format(printf, 1, 2)));   // "rlc: …"; RT_MISTAKE
// Puts text into `path` (beside, synced, renamed; a file there keeps its mode), or on standard output if path is NULL or "-".
bool put_text(const char *path, const char *text, size_t n);
bool put_program(const char *path, const char *bytes, size_t n);    // likewise, executable
// A new folder for pieces of a build; NULL after a message. folder_remove deletes it with what is in it.
char *folder_make(Driver *d);
void folder_remove(const char *folder);

// ---- from source to program ----------------------------------------------------------------------------
typedef struct Job {
  const char *path;                // of the .rl file
  const char *trainer;             // NULL: the file's only or last one
  int nset; const RtSet *set;
  const char *print_after;         // a pass, "all" or NULL: its graphs go to standard error
  const char *cpu, *triple;        // NULL: this machine's
} Job;

typedef struct Compiled {
  const ElabTrainer *trainer;
  Target target;
  Program program;                 // with the trainers that it runs before
  RtProgram *table;                // the trainer's own
  Plan *plan[2];                   // its init and step
} Compiled;

// False after diagnostics for every --set that nothing took.
bool job_all_used(Driver *d, const ElabOptions *o, const char *trainer);
ElabOptions *job_overrides(Driver *d, const Job *j);
// All return NULL, with diagnostics in d, on a user's mistake.
const Source *job_source(Driver *d, const Job *j);
Elab *job_elab(Driver *d, const Job *j);
ElabTrainer *job_trainer(Driver *d, const Job *j);             // graphs as elaborated
bool job_passes(Driver *d, const Job *j, IrGraph *g);           // runs the whole pipeline
bool job_target(Driver *d, const Job *j, Target *t);            // false after a message
Compiled *job_compile(Driver *d, const Job *j);                 // to plans and table
// `known` (or NULL) gives the table of a trainer run before that need not be compiled again, or NULL.
typedef const RtProgram *(*KnownProgram)(void *data, const ElabTrainer *t);
Compiled *trainer_compile(Driver *d, const Job *j, const ElabTrainer *t, KnownProgram known, void *data);
// False, with diagnostics, where a step of the trainer would copy a large state for an update of a part of it. Its graph is
// planned for that only where it might; the graph is not fit for compiling any more.
bool trainer_owned(Driver *d, const ElabTrainer *t);
// The reference evaluator and compiled code as hosts of what an expression or experiment computes (ElabHost).
bool host_exact(void *driver, IrGraph *g, const IrArray *in, IrArray *out);
bool host_evaluate(void *driver, IrGraph *g, const char *const *in, char *const *out);
// Plans one graph that is no trainer: inputs in RT_STATE, outputs in RT_OUT.
Plan *plan_alone(Driver *d, const IrGraph *g, const Target *t, PlanConsts *consts);
// RtOptions.diagnose: steps through the reference evaluator and names the first bad value. data: Diagnosis.
typedef struct Diagnosis { Driver *driver; const ElabTrainer *trainer; const RtProgram *table; } Diagnosis;
bool job_diagnose(void *data, const RtFrame *before, int64_t step);

// Runs `steps` steps (0: two seconds of them) of a compiled trainer with a clock around every kernel.
typedef struct Profile {
  PlanWork node;                   // the step's kernels
  double *seconds, *calls;         // of each, over all steps
  int64_t steps;
  double total_s, compile_s;
  int threads;
  int status;                      // RT_FINE, or that of a trainer it begins from
} Profile;
Profile job_profile(Driver *d, Compiled *c, int64_t steps, int threads, uint64_t seed);

// What one core of this machine can do, measured now: multiply-adds of f32 vectors (flops a second), and bytes
// a second copied between large arrays, read and written bytes counted.
double peak_flops(void);
double peak_copy(void);

// An IR text file; NULL with diagnostics.
IrGraph *graph_read(Driver *d, const char *path);

#endif
