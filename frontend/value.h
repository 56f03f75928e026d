// Inside the elaborator: what a program is made of while it is being compiled.
//
//   values    numbers, lists, functions, … known now; arrays and keys known at run time (IrValue)
//   bindings  names in scopes; `var`, `state` and `&` parameters may be bound anew
//   context   where we stand: scope, place to emit, loops around, owner of parameters
//
// Values are never changed once made, so saving and restoring bindings is copying pointers.
#ifndef RLC_VALUE_H
#define RLC_VALUE_H

#include "frontend/elab.h"

typedef struct Value Value;
typedef struct Scope Scope;
typedef struct Binding Binding;
typedef struct Decl Decl;
typedef struct Module Module;
typedef struct Type Type;
typedef struct Args Args;
typedef VEC(IrType) TypeVec;
typedef VEC(const char *) NameVec;

typedef enum VKind {
  V_POISON,    // stands for what an error left undefined; whatever touches it is poison too
  V_NONE,      // value of a block that ends in a statement
  V_NUM,       // exact number: is_int ? i : f
  V_BOOL,      // i
  V_STR,       // s
  V_LIST,      // n, item
  V_RANGE,     // item[0] .. item[1]
  V_TYPE,      // type
  V_DECL,      // a declaration as a value: fn, layer, model, loss, rule, record, env, train; with `statics` if bracketed
  V_METHOD,    // base.s: M.init, E.step, R.init, T.run, record method
  V_LAMBDA,    // ast, scope
  V_BUILTIN,   // builtin
  V_TRANSFORM, // s = "grad", … of item[0]; options in item[1…]
  V_MODULE,    // module
  V_LAYERS,    // layers(n): i
  V_ARRAY,     // ir; most, with the setting that it is in item[0]
  V_BOUNDED,   // ir: storage; len
  V_KEY,       // ir: u64[..]; stream keys count their mentions
  V_REC,       // record, tuple, parameters: n, item, names (NULL: unnamed)
} VKind;

typedef Value *(*BuiltinFn)(Elab *e, const Args *a);
typedef struct Builtin {
  const char *name;
  BuiltinFn fn;
  const char *signature;           // for messages and the reference: "sum(x, axis = all, keep = false)"
  const char *doc;
  int code;                        // IrCode of plain elementwise builtins
} Builtin;

struct Value {
  VKind kind;
  bool is_int;                     // V_NUM
  int64_t i;
  double f;
  const char *s;
  int n;
  Value **item;
  const char **name;               // V_REC: one each, or NULL
  int64_t inside;                  // V_LIST, V_REC: items, and items of items
  IrValue *ir;
  const Ast *ast;
  Scope *scope;
  const char *path;                // V_LAMBDA: prefix of parameter paths where it was written
  Type *type;
  Decl *decl;                      // V_DECL; V_REC: the record declaration it is of, or the model whose parameters it is
  Value **statics; int nstatic;    // bracket values of decl
  Module *module;
  const Builtin *builtin;
  int64_t most;                    // V_ARRAY: an i32 scalar that is a length, no more than this; 0: no length
  bool raw;                        //   it may be below 0
  IrValue **len;                   // V_BOUNDED: for each axis how much is filled (i32 scalar), or NULL: all of it
  int setting;                     // V_NUM: 1 + index of the setting it is, 0 otherwise
  int *mentions; int depth;        // V_KEY: a stream counts mentions; loops that were open when it was made
};

// A type of run-time things, all dimensions known.
typedef enum TKind { T_ARRAY, T_KEY, T_REC } TKind;
struct Type {
  TKind kind;
  IrType array;                    // T_ARRAY; T_KEY: u64[..]
  IrValue **len;                   // T_ARRAY: lengths of bounded axes, as in Value; or NULL
  int n; Type **item; const char **name;
  Decl *decl; Value **statics; int nstatic;
};

struct Decl {
  const Ast *ast;
  Module *module;
  const char *name;
  Value *value;                    // const: when evaluated
  bool busy;                       // being evaluated: a cycle if met again
  Decl *next;
  struct Params *params;           // models: discovered parameters, one per bracket values
  struct Data *data;               // data: what the file holds, once read
};

struct Module {
  const char *name;
  const Source *src;
  const Ast *ast;
  Scope *scope;                    // its declarations and the modules it uses
  bool busy;                       // what it uses is being read
  Decl *decls;
  Module *next;
};

struct Binding {
  const char *name;
  Value *value;
  bool mut;                        // var, state, & parameter
  bool file;                       // a declaration of the file or prelude
  Type *type;                      // states: what they must stay
  Loc loc;
  Binding *next;
};

// A dimension that could not be checked before later parameters were known: `f32[2 * O], O: dim`.
typedef struct Late { const Ast *dim; int64_t size; Loc loc; const char *what; struct Late *next; } Late;

struct Scope {
  Scope *up;
  Binding *first;
  Late *late;
  bool barrier;                    // a function's own scope: what is outside is the module's
};

// Logged values of the region being emitted: sum and count so far (f32 scalars).
typedef struct LogEntry { const char *name; IrValue *sum, *count; struct LogEntry *next; } LogEntry;

// A parameter of a model, as discovery found it.
typedef struct Param {
  const char *path;
  Type *type;                      // with the leading axis of layers(n)
  int nlead; int64_t lead[4];
  Value *init;
  Loc loc;
} Param;
typedef struct Params {
  Value **statics; int nstatic;
  VEC(Param) list;
  Type *tree;
  struct Params *next;
} Params;

// Who owns the parameters that layer calls ask for.
typedef struct Owner {
  Params *discover;                // not NULL: collecting
  Value *tree;                     // else: the parameters given
  VEC(const char *) taken;         // component names given out: path
  VEC(const void *) taken_by;      //   and the call that has each
  VEC(const char *) stack_path;    // layers(n): path whose subtree is …
  VEC(Value *) stack_value;        //   this slice of it
  int nlead; int64_t lead[4];      // discovery: layers(n) around
  IrRegion *at;                    // where the model is called
  bool keeps;                      // called with &p: what layers assign to their `state` stays
  VEC(Binding *) buffer;           // `state` of the layers being called
  VEC(const char *) buffer_path;
  VEC(Value *) buffer_old;
} Owner;

// capture(f, path), patch(f, path, fn): a `let` of a model that is read or replaced from outside.
typedef struct Probe {
  const char *path;
  Value *patch;                    // the function that replaces it, or NULL: it is captured
  Value *seen;                     // what was captured
  IrRegion *at;                    // where the call stands: what is captured must be visible there
  NameVec paths;                   // met on the way, for the message if none fits
  int hits;
  struct Probe *up;
} Probe;

typedef struct Inside { const Decl *record; const struct Inside *up; } Inside;

typedef struct Context {           // everything that an error must restore
  IrBuilder b;
  Scope *scope;
  Module *module;
  int nloop; IrValue *turn[32];    // loops around, outermost first
  LogEntry *logs;                  // of the current region
  Owner *owner;
  const char *path;                // prefix of parameter paths; "" at a model's root
  int depth;                       // calls
  Probe *probe;                    // innermost first
  const AstFn *fn;                 // the function whose body this is
  bool in_each;
  const Inside *inside;            // the records whose types are being made
} Context;

struct Elab {
  Arena *arena;
  Diags *diags;
  ElabOptions options;
  Module *modules, *main, *prelude;
  Context c;
  jmp_buf *recover;
  struct Trainer *trainer;         // being elaborated
  struct Experiment *experiment;   // being run
  unsigned work;                   // expressions evaluated
  int failed;                      // how often something was given up: a mistake told before is not told again
  size_t memory;                   // of the arena when everything was read; more than ELAB_MEMORY_MOST on top is refused
  bool exhausted;
  const char *stack;               // where the machine's stack stood at the outermost `attempt`
  NameVec unknown;                 // names that were told to be unknown
  bool naming, named;              // names_check runs; has run
  const Diag *names_first, *names_last; // what it told
  const char *calls[64];           // names of functions being called, for recursion messages
  const Ast *call_ast[64];
  Loc call_loc[64];                // where each was called
};

struct Args {                      // of a call, evaluated
  const Ast *ast;
  int n;
  Value **value;
  const char **name;               // NULL: positional
  const Ast **place;               // &x: the place, else NULL
  const Ast **expr;
};

#define ELAB_CALLS_MOST 60
#define ELAB_ITEMS_MOST (1 << 20)       // in a list or record: (x, x) of (x, x) of … doubles without taking memory
#define ELAB_STACK_MOST (4 << 20)       // bytes: expressions in expressions in functions in functions
#define ELAB_MEMORY_MOST ((size_t)384 << 20)

// ---- value.c: making and taking apart
Value *value_new(Elab *e, VKind k);
Value *value_int(Elab *e, int64_t i);
Value *value_real(Elab *e, double f);
Value *value_num(Elab *e, double f);               // int if it is one
Value *value_bool(Elab *e, bool b);
Value *value_str(Elab *e, const char *s);
Value *value_array(Elab *e, IrValue *v);
Value *value_key(Elab *e, IrValue *v);
Value *value_list(Elab *e, int n, Value **item);
Value *value_rec(Elab *e, int n, Value **item, const char **name);
Value *value_poison(Elab *e);
Value *value_none(Elab *e);
Value *value_type(Elab *e, Type *t);
bool value_is_static(const Value *v);              // known while compiling
bool value_is_tree(const Value *v);                // array, key, number, bool, or a record of such
bool value_same(const Value *a, const Value *b);   // static values: equal
const char *value_text(Elab *e, const Value *v);   // for messages: "f32[8, 4]", "3", "a function"
Value *value_field(const Value *rec, const char *name);  // NULL: none
Value *value_with(Elab *e, const Value *rec, const char *name, Value *v);
Value *value_like(Elab *e, const Value *shape_of, int n, Value **item); // same record, other items
// Leaves of a tree in order. Numbers and bools become arrays of their default type. With `bounded`, arrays
// with bounded axes are their storage; else they are refused.
typedef struct Leaves { VEC(IrValue *) v; VEC(const char *) path; bool bounded; } Leaves;
void value_leaves(Elab *e, Value *v, const char *path, Leaves *out);
Value *value_rebuild(Elab *e, Value *shape, IrValue *const *leaf, int *at); // the same tree with other leaves
double num_f(const Value *v);

Type *type_array(Elab *e, IrType t);
Type *type_of(Elab *e, Value *v);                  // of a tree
Type *type_lead(Elab *e, Type *t, int n, const int64_t *dim); // n more leading axes on every leaf
bool type_same(const Type *a, const Type *b);
const char *type_text(Elab *e, const Type *t);
Value *type_zeros(Elab *e, Type *t);
void type_leaves(Elab *e, Type *t, const char *path, TypeVec *types, NameVec *paths);

// ---- bounded.c: axes that are filled up to a length known at run time
typedef struct Lens { IrValue *at[IR_MAX_RANK]; bool fixed[IR_MAX_RANK]; } Lens; // of a result's axes; fixed: known while compiling
Value *bounded(Elab *e, IrValue *x, IrValue *const *len);    // V_ARRAY if no axis has a length
bool is_bounded(const Value *v);                             // it, or a part of it
Value *storage(Elab *e, Value *v);                           // of V_BOUNDED the whole storage, as V_ARRAY
IrValue *len_of(const Value *v, int axis);                   // NULL: the axis is filled
bool len_same(const IrValue *a, const IrValue *b);
Value *length(Elab *e, IrValue *len, int64_t most);          // as a number: T in f32[T <= 64]
int64_t length_most(Elab *e, const Value *v);                // the greatest it can be; 0: v is no length
Value *length_among(Elab *e, Value *v, IrDtype t);            // a length as a float of type t; what is none, as it is
IrValue *len_within(Elab *e, Value *n, int64_t size, Loc loc);
IrValue *len_less(Elab *e, IrValue *len, int64_t n);
IrValue *masked(Elab *e, Value *v, int n, const int64_t *axes, double rest);
IrValue *cut_off(Elab *e, IrValue *x, int axis, IrValue *len);
Value *stacked_len(Elab *e, Value *r, IrValue *len);
void lens_join(Elab *e, Lens *l, int axis, const Value *v, int from, Loc loc, const char *what); // fails where lengths differ
Value *lens_aligned(Elab *e, Value *r, int n, Value *const *v, Loc loc, const char *what);
double least_of(IrDtype t);
double greatest_of(IrDtype t);
Value *shape_storage(Elab *e, Value *shape, IrValue **len);

// ---- errors: each records a diagnostic and leaves the statement
_Noreturn void fail(Elab *e, Loc loc, const char *help, const char *fmt, ...) __attribute__((format(printf, 4, 5)));
_Noreturn void give_up(Elab *e);                   // poison: an error was told already
void tell(Elab *e, Loc loc, const char *help, const char *fmt, ...) __attribute__((format(printf, 4, 5))); // and go on
// Runs fn; if it fails, the context is as before and false comes back.
bool attempt(Elab *e, void (*fn)(Elab *, void *), void *env);

// ---- scopes
Scope *scope_push(Elab *e, bool barrier);
Binding *scope_bind(Elab *e, const char *name, Value *v, bool mut, Loc loc);
Binding *scope_find(Scope *s, const char *name);
const char *scope_nearest(Elab *e, const char *name);  // a name spelled nearly so, or NULL
void name_nearer(const char *name, const char *other, const char **best, int *least); // one step of that search

// ---- messages that several files give
extern const char *const recursion_help, *const no_key_text, *const no_key_help;
const char *unknown_name_module(Elab *e, const char *name);  // NULL: no module bears it
const char *unknown_name_help(Elab *e, const char *name);
const char *module_help(Elab *e, const Module *m);
const char *members_help(Elab *e, const Ast *decl);
const char *foreign_help(const char *name);                  // NULL, or how a word of other languages is written here
const char *no_value_help(Elab *e, const Ast *x);            // x gave no value: how it could
const char *record_help(Elab *e, const Ast *record);         // its fields
const char *rank_help(int want, const IrType *got);          // an array does not have the shape wanted

// ---- convert.c: between values and arrays
IrValue *to_array(Elab *e, Value *v, Loc loc);               // lists stack; numbers take i32 or f32
IrValue *to_dtype(Elab *e, Value *v, IrDtype t, Loc loc);    // numbers take t; arrays must be t or widen to it
Value *to_runtime(Elab *e, Value *v, Loc loc);               // numbers, bools and lists in a tree become arrays
IrValue *to_scalar(Elab *e, Value *v, IrDtype t, Loc loc, const char *what);
int64_t to_int(Elab *e, Value *v, Loc loc, const char *what);// while compiling
double to_real(Elab *e, Value *v, Loc loc, const char *what);
bool to_bool(Elab *e, Value *v, Loc loc, const char *what);
int to_dims(Elab *e, Value *v, Loc loc, int64_t *dim);       // a list of sizes; returns the rank
bool can_widen(IrDtype from, IrDtype to);
bool all_numbers(const Value *v);                            // a number that is no setting, or a list of such
const char *mixed_help(Elab *e, IrDtype a, IrDtype b);        // ways out of two types that do not meet
const char *cast_help(Elab *e, IrDtype from, IrDtype to);
IrDtype common_dtype(Elab *e, Loc loc, const char *what, int n, Value **v); // of arrays and numbers together
void pin(Elab *e, Value *v);                                 // a setting used while compiling
Value *coerce(Elab *e, Value *v, Type *t, Loc loc, const char *what); // to exactly this type, or fail

// ---- types.c
int dtype_find(const char *name);                            // an element type by its name in programs, or -1
Type *eval_type(Elab *e, const Ast *t);                      // every name known
Type *try_type(Elab *e, const Ast *t);                       // NULL where some name is not known
// Matches a value with a written type, binding generic names in the current scope. `what` names the
// argument in messages. Returns the value as the type wants it (names put on tuples, numbers made arrays).
Type *action_type(Elab *e, Value *v);                        // of an action space; NULL: v is none
Value *match_type(Elab *e, const Ast *t, Value *v, Loc loc, const char *what);
void match_late(Elab *e);                                    // dimensions that waited for later parameters
bool is_generic(Elab *e, const char *name);
Type *dummy_type(Elab *e, const Ast *t);                     // generics bound to 1

// ---- expr.c
Value *eval(Elab *e, const Ast *x);
Value *eval_block(Elab *e, const Ast *block);                // in a scope of its own
Value *eval_name(Elab *e, const char *name, Loc loc);
Value *binary(Elab *e, AstOp op, Value *a, Value *b, Loc loc);
Value *element1(Elab *e, IrCode c, Value *x, Loc loc);       // leaf by leaf
Value *element1_with(Elab *e, IrCode c, int nattr, const IrAttr *at, Value *x, Loc loc);   // of an op with attributes
Value *value_copied(Elab *e, Value *v, int64_t least, Loc loc);     // leaves of `least` bytes and more, each by a copy
Value *element2(Elab *e, IrCode c, Value *a, Value *b, Loc loc);
Value *index_value(Elab *e, Value *v, int n, const Ast *const *ix, Loc loc);
Value *index_at(Elab *e, Value *v, IrValue *i);              // leaf by leaf, along the first axis, i scalar
void assign(Elab *e, const Ast *place, Value *v);
void bind_pattern(Elab *e, const Ast *pat, Value *v, bool mut);
void broadcast_shapes(Elab *e, Loc loc, const char *what, IrType a, IrType b, IrType *out);

// ---- call.c
Value *call(Elab *e, const Ast *ast);
Value *apply(Elab *e, Value *f, const Args *a);
Value *apply_values(Elab *e, Value *f, int n, Value **v, Loc loc); // positional
Value *member(Elab *e, Value *base, const char *name, Loc loc);
const char *fields_of(Elab *e, const Value *v);              // for messages: "it has `x`, `y`"
Args args_new(Elab *e, const Ast *ast, int n);
Args rest_of(const Args *a);                                 // without the first
int find_arg(const Args *a, const char *name, int pos);      // index or -1
void check_args(Elab *e, const char *what, int n, Ast *const *params, const Args *a); // fails where a names none of these, or gives too many

// ---- model.c: layers, models, rules, records, environments
Value *call_layer(Elab *e, Value *f, const Args *a, const Ast *site);
Value *call_model(Elab *e, Value *f, const Args *a);
Value *model_init(Elab *e, Value *f, const Args *a);
Params *model_params(Elab *e, Value *f, Loc loc);
Value *eval_param(Elab *e, const Ast *p);
void eval_buffer(Elab *e, const Ast *s);                     // `state` in a layer: running statistics
Value *owner_value(const Owner *o, const char *path);        // what it holds there, or NULL
const char *owner_component(Elab *e, const char *name, const void *site);
Value *call_rule(Elab *e, Value *f, const Args *a);
Value *rule_init(Elab *e, Value *f, const Args *a);
Type *env_state_type(Elab *e, Value *env, Loc loc);
Type *env_obs_type(Elab *e, Value *env, Loc loc);
Value *env_action(Elab *e, Value *env, Loc loc);
Value *env_reset(Elab *e, Value *env, const Args *a);
Value *env_step(Elab *e, Value *env, const Args *a);
Value *env_obs(Elab *e, Value *env, const Args *a);
Value *record_make(Elab *e, Value *f, const Args *a);
Type *record_type(Elab *e, Value *f, Loc loc);
// Calls fn's body with parameters bound; the shared middle of all calls.
Value *call_body(Elab *e, Value *f, const Ast *fn, const Args *a, const char *what);

// ---- flow.c
Value *eval_if(Elab *e, const Ast *x);
Value *eval_loop(Elab *e, const Ast *x);
Value *eval_while(Elab *e, const Ast *x);
Value *eval_match(Elab *e, const Ast *x);
Value *mention(Elab *e, Value *key);                         // a stream key used once
void eval_every(Elab *e, const Ast *s);
void eval_log(Elab *e, const Ast *s);
void log_add(Elab *e, const char *name, IrValue *sum, IrValue *count);
typedef struct Region { IrRegion *r; IrRegion *saved_at; IrOp *saved_before; LogEntry *saved_logs; } Region;
// An op with regions; fails where it would carry more values than an op can.
IrOp *control_op(Elab *e, Loc loc, IrCode c, int nin, IrValue *const *in, int nattr, const IrAttr *attr, int nregion, IrRegion *const *sub);
Region region_open(Elab *e);                                 // emits into a new region from here …
LogEntry *region_close(Elab *e, Region *r);                  // … to here; what was logged inside
// fn(lane) for each lane: emits a map over trees
Value *emit_map(Elab *e, int64_t n, int nx, Value **x, Value *(*fn)(Elab *, Value **, void *), void *env, Loc loc);

// ---- transform.c
Value *remat(Elab *e, Value *f, const Args *a);                      // f(a), whose inside is computed again on the way back
Value *make_transform(Elab *e, const char *what, const Args *a);
Value *call_transform(Elab *e, Value *t, const Args *a);

// ---- prefix.c
Value *associative_scan(Elab *e, Value *f, Value *x, int64_t n, Loc loc); // prefixes of x's n rows

// ---- builtin.c
const Builtin *builtin_find(const char *name);
const Builtin *builtin_at(int k);                            // NULL behind the last
bool builtin_takes(const Builtin *b, const char *param);     // whether its signature names it
Value *emit_reduce(Elab *e, IrCode c, Value *x, Value *axis, Value *keep, Loc loc);
Value *key_fold(Elab *e, IrValue *key, IrValue *data);
IrValue *fold_in(Elab *e, IrValue *key, IrValue *data_u64);
IrValue *u64_const(Elab *e, uint64_t v);
uint64_t path_hash(const char *path);

// ---- differ.c
// Fails where the first ny yields of a region have no derivative by its arguments.
void check_differentiable(Elab *e, const IrRegion *r, int ny, bool reverse);
bool differentiable(Elab *e, const IrRegion *r);             // whether all yields have one, in reverse

// ---- names.c
bool names_check(Elab *e, Module *m);                        // false if it told of anything

// ---- run.c
Value *trainer_run(Elab *e, Value *f, const Args *a);        // T.run(setting = …)

// ---- experiment.c
Value *fn_bench(Elab *e, const Args *a);
Value *fn_check_grad(Elab *e, const Args *a);

// ---- elab.c
Module *module_load(Elab *e, const char *name, Loc loc);
Value *decl_value(Elab *e, Decl *d);
Value *trainer_setting(Elab *e, Value *num, IrDtype want);   // a setting as a run-time input

#endif
