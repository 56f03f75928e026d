// The elaborator: runs a program while compiling. Functions, lambdas, layers, environments and
// sizes are values here and gone afterwards; what remains is IR graphs. Names, types, shapes and
// arity are checked on the way, for each use of a function with what it is given.
#ifndef RLC_ELAB_H
#define RLC_ELAB_H

#include "frontend/ast.h"
#include "ir/ir.h"

// Where modules named by `use` are looked up: text of stdlib/NAME.rl, or NULL.
// A file NAME.rl beside the program comes first.
typedef const Source *(*ElabModules)(Arena *a, Diags *d, const char *name, const Source *user);
// The library the compiler carries.
const Source *elab_stdlib(Arena *a, Diags *d, const char *name, const Source *user);

typedef struct ElabOverride {      // --set name=value
  const char *name;
  const Source *value;             // parsed as an expression
  bool used;                       // set by the elaborator
} ElabOverride;

typedef struct ElabOptions {
  ElabModules modules;             // NULL: elab_stdlib
  int noverride; ElabOverride *override;
} ElabOptions;

typedef struct ElabState {
  const char *name;                // path
  IrType type;
  Loc loc;
} ElabState;

typedef struct ElabSetting {
  const char *name;
  IrDtype dtype;                   // IR_F32, IR_I64, IR_U64 (seed)
  double value;
} ElabSetting;

typedef struct ElabMetric {
  const char *name;
  int state;                       // index of the state that keeps its last mean
} ElabMetric;

// What a trainer's init takes from another one that is run before it (`state p = base.run(lr = 1e-3).p`):
// state `state` of that trainer, when it has ended, is our init's `given` number `given`.
typedef struct ElabTake { int state, given; } ElabTake;
typedef struct ElabBefore {
  const struct ElabTrainer *trainer;
  int ntake; ElabTake *take;
} ElabBefore;

// A trainer, as two graphs:
//   init: settings, given   -> states
//   step: states, settings  -> states, count of each metric (f32), stop (bool), solved (bool),
//                              ok (bool), progress (f32)
typedef struct ElabTrainer {
  const char *name;
  IrGraph *init, *step;
  int nstate; ElabState *state;
  int nsetting; ElabSetting *setting;  // settings that remain numbers at run time; the seed is number 0
  int nmetric; ElabMetric *metric;
  int iter;                        // state index of the step counter (i64)
  int env_steps;                   // state index (i64), or -1
  int ngiven; IrType *given;
  int nbefore; ElabBefore *before; // run in this order, each with the settings it has and our seed
  uint64_t hash;                   // of state names and types, and of settings compiled in
} ElabTrainer;

// An entry point of a trainer (`export name(args) -> T = body`): a graph
//   the trainer's states that the body reads, in order of declaration; the arguments' leaves -> the result's leaves
// Inputs and outputs are named by path; settings are constants.
typedef struct ElabExport {
  const char *name, *trainer;
  IrGraph *graph;
  int nstate;                      // the first inputs
} ElabExport;

// ---- experiments: programs at the host's level, which run trainers and claim what comes of it
typedef struct ElabRun {           // a trainer that has ended
  const char *const *state;        // its last states, row-major
  double wall_s, compile_s;
  int64_t step_bytes;              // memory that a step works in: states, settings and temporaries
} ElabRun;

typedef struct ElabClaim {
  Loc loc;
  const char *text, *values;       // as written; "0.31 < 0.42", or ""
  bool holds;
} ElabClaim;

// Who compiles and computes for an experiment. Each returns NULL or false after a message, and that ends it.
typedef struct ElabHost {
  void *data;
  const ElabRun *(*train)(void *data, const ElabTrainer *t, uint64_t seed);
  bool (*compute)(void *data, IrGraph *g, const char *const *in, char *const *out);   // row-major bytes
  bool (*time)(void *data, IrGraph *g, const char *const *in, double *seconds);       // of one execution, the median
  bool (*exact)(void *data, IrGraph *g, const IrArray *in, IrArray *out);             // in double precision
  void (*claim)(void *data, const ElabClaim *c);                                      // as soon as it is decided
} ElabHost;

typedef struct Elab Elab;          // one program

// Types as programs write them: f32, complex64[8, 4].
const char *elab_dtype_text(IrDtype t);
const char *elab_type_text(Arena *a, const IrType *t);

// Parses and elaborates declarations of src (NULL: a program without any, for lone expressions).
// NULL if there were errors (in d).
Elab *elab_new(Arena *a, Diags *d, const Source *src, const ElabOptions *o);
// Checks everything that can be checked without being asked for more: every trainer with its
// defaults, every function whose parameter types are complete, names everywhere. False on errors.
// Each trainer is handed to `more`, if that is not NULL, as soon as it is made.
bool elab_check(Elab *e, void (*more)(void *data, ElabTrainer *t), void *data);
// The trainer named (NULL: the file's only or last one). NULL on errors.
ElabTrainer *elab_trainer(Elab *e, const char *name);
// The trainer's entry point `name` (NULL: the last one). NULL on errors.
ElabExport *elab_export(Elab *e, const char *trainer, const char *name);
// Runs experiment `name` (NULL: the file's only or last one) with seeds `seed`, `seed` + 1, …; host NULL: checks it.
// False on errors.
bool elab_experiment(Elab *e, const char *name, const ElabHost *host, uint64_t seed);
// An expression evaluated in the file's scope (for `rlc eval`): a graph without inputs whose
// outputs are the leaves of its value, named by path. A key is at hand as `key` (seed 0). NULL on errors.
// `host` computes what check_grad asks for.
IrGraph *elab_expr(Elab *e, const Source *expr, const ElabHost *host);
// A function of the file with complete parameter types, as a graph (for `rlc emit --fn`).
IrGraph *elab_function(Elab *e, const char *name);
// Names of the file's trainers and functions.
int elab_names(Elab *e, AstKind kind, const char ***names);

// What every program can call without `use`, besides the prelude: how the k-th is called, and one line on it.
// False behind the last.
bool elab_builtin(int k, const char **signature, const char **doc);

#endif
