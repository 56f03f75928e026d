// A trainer while it is made: what trainer.c, run.c and elab.c share.
#ifndef RLC_FRONTEND_TRAINER_H
#define RLC_FRONTEND_TRAINER_H

#include "frontend/value.h"

typedef struct SettingIn {
  const char *name;
  Value *value;                  // its number
  bool real;                     // f32 at run time; else an integer, i64 if it gets there
  bool pinned;                   // needed while compiling
  IrValue *input;                // in the graph being built, or NULL
} SettingIn;

// A run of another trainer that this one's init takes arrays from.
typedef struct Before {
  struct Trainer *of;
  Value **setting; int nsetting; // as given: in the order of its declaration, NULL where not given
  IrValue **given;               // inputs of our init: one a state of `of`
} Before;

typedef struct Trainer {
  const Ast *ast;
  Decl *decl;
  const Args *args;              // of .run(…), or NULL: then --set counts
  struct Trainer *outer;         // that runs this one, or NULL
  int nsetting; SettingIn *setting;   // numbers only
  int nother; const char **other_name; Value **other;
  IrGraph *graph;                // being built
  IrValue *seed;
  bool stating;                  // a state's initial value is evaluated: it may run other trainers
  VEC(const char *) state_name;  // of leaves
  VEC(Loc) state_loc;
  VEC(IrType) state_type;
  VEC(const char *) name;        // of states, in order
  VEC(Type *) type;
  VEC(Loc) loc;
  VEC(Binding *) bound;          // in scope of the graph being built
  VEC(Before *) before;
  ElabTrainer *out;              // when made
} Trainer;

// ---- trainer.c
// With the settings of .run(args), or NULL: those of --set. Fails where it has mistakes.
Trainer *trainer_make(Elab *e, Decl *d, const Args *args);
ElabExport *export_make(Elab *e, Decl *d, const Ast *ast);  // NULL where it has mistakes
void trainer_read_settings(Elab *e, Trainer *t);
// One setting (AST_STATIC), from --set if args is NULL. NULL where it has mistakes.
Value *read_setting_of(Elab *e, const Ast *s, int place, const Args *args);
void bind_key(Elab *e, IrValue *ir);                        // the stream `key`
// Values for a tree of that type, by new inputs named `name` and its paths.
Value *input_tree(Elab *e, IrGraph *g, Type *t, const char *name, IrValue ***leaf);
void drop_input(IrGraph *g, IrValue *v);
bool value_used(const IrRegion *r, const IrValue *v);
Value *setting_number(Elab *e, Value *v);                   // the number of a setting, needed while compiling now; else v

// ---- run.c
Value *trainer_outcome(Elab *e, const Trainer *t, IrValue *const *state); // what a run gives: states by name, iter, and what it logged last

// ---- experiment.c
Value *experiment_run(Elab *e, Decl *d, const Args *a);
bool experiment_make(Elab *e, Decl *d, const ElabHost *host, uint64_t seed);
// A lone expression may measure too: open before it is evaluated, close when it is.
void experiment_open(Elab *e, IrGraph *g, const ElabHost *host);
void experiment_close(Elab *e, IrGraph *g);

// ---- elab.c
void elab_fresh(Elab *e, IrGraph *g, Scope *scope, Module *m);
Value *emit_function(Elab *e, Decl *d, IrGraph *g);
bool is_complete(Elab *e, const Ast *fn);                   // every parameter has a type with all its sizes

#endif
