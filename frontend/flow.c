#include "frontend/value.h"

#include <string.h>

// ---- keys -----------------------------------------------------------------------------------
//
// The n-th mention of a stream key is fold_in(key, n), and the turns of the loops between its
// making and its mention are folded in too, outermost first.
Value *mention(Elab *e, Value *key) {
  IrValue *k = fold_in(e, key->ir, u64_const(e, (uint64_t)(*key->mentions)++));
  for (int j = key->depth; j < e->c.nloop; j++) k = fold_in(e, k, ir_cast(&e->c.b, e->c.turn[j], IR_U64));
  return value_key(e, k);
}

static void push_turn(Elab *e, IrValue *turn, Loc loc) {
  if (e->c.nloop == 32) fail(e, loc, "put the inner ones into a function of their own, or fewer loops over joined axes", "more than 32 loops inside one another");
  e->c.turn[e->c.nloop++] = turn;
}

// ---- regions and logs --------------------------------------------------------------------------

Region region_open(Elab *e) {
  Region r = {ir_region(e->c.b.graph), e->c.b.at, e->c.b.before, e->c.logs};
  e->c.b.at = r.r;
  e->c.b.before = NULL;
  e->c.logs = NULL;
  return r;
}

LogEntry *region_close(Elab *e, Region *r) {
  LogEntry *inside = e->c.logs;
  e->c.b.at = r->saved_at;
  e->c.b.before = r->saved_before;
  e->c.logs = r->saved_logs;
  return inside;
}

IrOp *control_op(Elab *e, Loc loc, IrCode c, int nin, IrValue *const *in, int nattr, const IrAttr *attr, int nregion, IrRegion *const *sub) {
  int n = ir_most_out(c, nin, nregion, sub);
  for (int k = 0; k < nregion; k++) n += sub[k]->narg + sub[k]->nyield;
  if (n + nin > IR_MAX_OUT) fail(e, loc, "stack what is alike into one array: [a, b, c]", "more than %d arrays go through this loop, branch or derivative", IR_MAX_OUT / 3);
  e->c.b.loc = loc;
  return ir_build(&e->c.b, c, nin, in, NULL, nattr, attr, nregion, sub);
}

void log_add(Elab *e, const char *name, IrValue *sum, IrValue *count) {
  for (LogEntry *l = e->c.logs; l; l = l->next)
    if (strcmp(l->name, name) == 0) {
      LogEntry *n = arena_new(e->arena, LogEntry);     // entries are shared with saved contexts: never changed
      *n = (LogEntry){name, ir_bin(&e->c.b, IR_ADD, l->sum, sum), ir_bin(&e->c.b, IR_ADD, l->count, count), NULL};
      LogEntry *out = n, **tail = &n->next;
      for (LogEntry *k = e->c.logs; k; k = k->next) {
        if (k == l) continue;
        *tail = arena_new(e->arena, LogEntry);
        **tail = (LogEntry){k->name, k->sum, k->count, NULL};
        tail = &(*tail)->next;
      }
      e->c.logs = out;
      return;
    }
  LogEntry *n = arena_new(e->arena, LogEntry);
  *n = (LogEntry){name, sum, count, e->c.logs};
  e->c.logs = n;
}

void eval_log(Elab *e, const Ast *s) {
  for (int k = 0; k < s->nkid; k++) {
    const Ast *a = s->kid[k];
    Value *v = eval(e, a->kid[0]);
    if (v->kind != V_POISON && v->kind != V_LIST && (!value_is_tree(v) || v->kind == V_REC || v->kind == V_KEY))
      fail(e, a->loc, v->kind == V_REC ? "log one of its fields, or what is computed of all: optim.norm(p)" : "a log shows numbers: a loss, a mean, a count", "a logged value must be one number, not %s", value_text(e, v));
    IrValue *x = to_array(e, v, a->loc);
    if (x->type.rank) fail(e, a->loc, "log its mean: mean(…)", "a logged value must be one number, not %s", value_text(e, v));
    if (ir_is_complex(x->type.dtype)) fail(e, a->loc, "log abs(…), real(…) or imag(…)", "a complex number cannot be logged");
    if (ir_is_diff(x->type.dtype)) x = ir_un(&e->c.b, IR_STOP_GRAD, x);
    log_add(e, a->name, ir_cast(&e->c.b, x, IR_F32), ir_fill(&e->c.b, ir_scalar(IR_F32), 1));
  }
}

// Sums and counts that a loop stacked, [n] each, are logged outside as their totals.
static void log_totals(Elab *e, LogEntry *inside, IrValue **out) {
  int64_t axis = 0;
  for (LogEntry *l = inside; l; l = l->next) {
    IrValue *sum = ir_reduce(&e->c.b, IR_SUM, *out++, 1, &axis);
    log_add(e, l->name, sum, ir_reduce(&e->c.b, IR_SUM, *out++, 1, &axis));
  }
}

// ---- what a piece of text assigns ------------------------------------------------------------------

typedef VEC(const char *) Names;

static void add_root(Elab *e, const Ast *p, Names *n) {
  if (p->kind == AST_TUPLE || p->kind == AST_LIST) {
    for (int k = 0; k < p->nkid; k++) add_root(e, p->kid[k]->kind == AST_ARG ? p->kid[k]->kid[0] : p->kid[k], n);
    return;
  }
  p = ast_root(p);
  if (p->kind != AST_NAME) return;
  for (int k = 0; k < n->n; k++)
    if (strcmp(n->at[k], p->name) == 0) return;
  vec_push(e->arena, n, p->name);
}

static bool has_inout(const Ast *p) {
  if (p->inout) return true;
  for (int k = 0; k < p->nkid; k++)
    if (has_inout(p->kid[k])) return true;
  return false;
}

static void assigned(Elab *e, const Ast *x, Names *n) {
  if (!x) return;
  if (x->kind == AST_ASSIGN) add_root(e, x->kid[0], n);
  if (x->kind == AST_ARG && x->inout) add_root(e, x->kid[0], n);
  if (x->kind == AST_EACH && has_inout(x->kid[0])) add_root(e, x->kid[1], n);
  for (int k = 0; k < x->nkid; k++) assigned(e, x->kid[k], n);
}

// Where a piece of text assigns a name first.
static const Ast *assigning(const Ast *x, const char *name) {
  if (!x) return NULL;
  const Ast *place = x->kind == AST_ASSIGN || (x->kind == AST_ARG && x->inout) ? x->kid[0] : NULL;
  if (place && (place->kind == AST_TUPLE || place->kind == AST_LIST)) {
    for (int k = 0; k < place->nkid; k++) {
      const Ast *p = ast_root(place->kid[k]->kind == AST_ARG ? place->kid[k]->kid[0] : place->kid[k]);
      if (p->kind == AST_NAME && strcmp(p->name, name) == 0) return p;
    }
  }
  if (place) place = ast_root(place);
  if (place && place->kind == AST_NAME && strcmp(place->name, name) == 0) return place;
  for (int k = 0; k < x->nkid; k++) {
    const Ast *found = assigning(x->kid[k], name);
    if (found) return found;
  }
  return NULL;
}

typedef VEC(Binding *) Bindings;

static Bindings assigned_bindings(Elab *e, int nast, const Ast *const *asts) {
  Names names = {0};
  Bindings out = {0};
  for (int k = 0; k < nast; k++) assigned(e, asts[k], &names);
  for (int k = 0; k < names.n; k++) {
    Binding *b = scope_find(e->c.scope, names.at[k]);
    if (b && b->mut && b->value->kind != V_POISON) vec_push(e->arena, &out, b);
  }
  return out;
}

// ---- branches -----------------------------------------------------------------------------------------

// The type that both values can take.
static Type *common_type(Elab *e, Value *a, Value *b, Loc loc, const char *what) {
  if (a->kind == V_POISON || b->kind == V_POISON) give_up(e);
  if (a->kind == V_REC && b->kind == V_REC && a->n == b->n) {
    Type *t = arena_new(e->arena, Type);
    *t = (Type){.kind = T_REC, .n = a->n, .name = a->name ? a->name : b->name, .decl = a->decl, .statics = a->statics, .nstatic = a->nstatic};
    t->item = arena_array(e->arena, Type *, a->n ? a->n : 1);
    for (int k = 0; k < a->n; k++) {
      Value *y = a->name && b->name ? value_field(b, a->name[k]) : b->item[k];
      if (!y) fail(e, loc, "all branches give one type", "%s: one branch has the field `%s`, the other not", what, a->name[k]);
      t->item[k] = common_type(e, a->item[k], y, loc, what);
    }
    return t;
  }
  if (a->kind == V_KEY && b->kind == V_KEY && ir_type_eq(&a->ir->type, &b->ir->type)) return type_of(e, a);
  if (a->kind == V_BOUNDED && b->kind == V_BOUNDED && type_same(type_of(e, a), type_of(e, b))) return type_of(e, a);
  if (a->kind == V_BOUNDED || b->kind == V_BOUNDED)
    fail(e, loc, "cut both at the same number, or give padded(…) of both", "%s: one branch gives %s, the other %s", what, value_text(e, a), value_text(e, b));
  if (!value_is_tree(a) || !value_is_tree(b) || a->kind == V_REC || b->kind == V_REC || a->kind == V_KEY || b->kind == V_KEY)
    fail(e, loc, "all branches give one type", "%s: one branch gives %s, the other %s", what, value_text(e, a), value_text(e, b));
  IrType x = type_of(e, a)->array, y = type_of(e, b)->array;
  IrType t = a->kind == V_NUM ? y : x;
  if (a->kind == V_NUM && b->kind == V_NUM) t = ir_scalar(a->is_int && b->is_int ? IR_I32 : IR_F32);
  else if (a->kind != V_NUM && b->kind != V_NUM) {
    if (can_widen(x.dtype, y.dtype)) t.dtype = y.dtype;
    else if (!can_widen(y.dtype, x.dtype)) fail(e, loc, mixed_help(e, x.dtype, y.dtype), "%s: one branch gives %s, the other %s", what, value_text(e, a), value_text(e, b));
    IrType u = y;
    u.dtype = t.dtype;
    if (!ir_type_eq(&t, &u)) fail(e, loc, "all branches give one type", "%s: one branch gives %s, the other %s", what, value_text(e, a), value_text(e, b));
  }
  return type_array(e, t);
}

static void yield_value(Elab *e, IrRegion *r, Value *v, Type *t, Loc loc, const char *what) {
  Leaves l = {.bounded = true};
  value_leaves(e, coerce(e, v, t, loc, what), NULL, &l);
  for (int k = 0; k < l.v.n; k++) ir_yield(r, l.v.at[k]);
}

static LogEntry *find_log(LogEntry *l, const char *name) {
  for (; l; l = l->next)
    if (strcmp(l->name, name) == 0) return l;
  return NULL;
}

typedef Value *(*Thunk)(Elab *e, void *env);

// if pred { yes } else { no }: variables that either assigns are merged.
static Value *branch(Elab *e, IrValue *pred, Thunk yes, void *yes_env, Thunk no, void *no_env, Bindings vars, Loc loc, const char *noun) {
  Value **old = arena_array(e->arena, Value *, vars.n ? vars.n : 1), **vals[2];
  Region reg[2];
  Value *out[2];
  LogEntry *logs[2];
  for (int k = 0; k < vars.n; k++) old[k] = vars.at[k]->value;
  for (int side = 0; side < 2; side++) {
    vals[side] = arena_array(e->arena, Value *, vars.n ? vars.n : 1);
    reg[side] = region_open(e);
    Thunk f = side ? no : yes;
    out[side] = f ? f(e, side ? no_env : yes_env) : value_none(e);
    logs[side] = region_close(e, &reg[side]);
    for (int k = 0; k < vars.n; k++) {
      vals[side][k] = vars.at[k]->value;
      vars.at[k]->value = old[k];
    }
  }
  if (out[0]->kind == V_POISON || out[1]->kind == V_POISON) give_up(e);
  const char *value = arena_printf(e->arena, "the value of this `%s`", noun);
  bool has_value = out[0]->kind != V_NONE && out[1]->kind != V_NONE;
  if (has_value && (!value_is_tree(out[0]) || !value_is_tree(out[1])))
    fail(e, loc, "decide it while compiling: let the condition be known then", "%s `%s` at run time cannot choose between %s and %s", *noun == 'i' ? "an" : "a", noun, value_text(e, out[0]), value_text(e, out[1]));
  Type *result = has_value ? common_type(e, out[0], out[1], loc, value) : NULL;
  Type **types = arena_array(e->arena, Type *, vars.n ? vars.n : 1);
  for (int k = 0; k < vars.n; k++)
    if (vals[0][k] != old[k] || vals[1][k] != old[k])
      types[k] = vars.at[k]->type ? vars.at[k]->type : common_type(e, vals[0][k], vals[1][k], loc, arena_printf(e->arena, "`%s`", vars.at[k]->name));
  for (int side = 0; side < 2; side++) {
    IrRegion *at = e->c.b.at;
    IrOp *before = e->c.b.before;
    e->c.b.at = reg[side].r;
    e->c.b.before = NULL;
    if (result) yield_value(e, reg[side].r, out[side], result, loc, value);
    for (int k = 0; k < vars.n; k++)
      if (types[k]) yield_value(e, reg[side].r, vals[side][k], types[k], loc, arena_printf(e->arena, "`%s`", vars.at[k]->name));
    for (int other = 0; other < 2; other++)
      for (LogEntry *l = logs[other]; l; l = l->next) {
        if (other && find_log(logs[0], l->name)) continue;
        LogEntry *mine = find_log(logs[side], l->name);
        IrValue *zero = mine ? NULL : ir_fill(&e->c.b, ir_scalar(IR_F32), 0);
        ir_yield(reg[side].r, mine ? mine->sum : zero);
        ir_yield(reg[side].r, mine ? mine->count : zero);
      }
    e->c.b.at = at;
    e->c.b.before = before;
  }
  IrOp *op = control_op(e, loc, IR_COND, 1, &pred, 0, NULL, 2, (IrRegion *[]){reg[0].r, reg[1].r});
  int at = 0;
  Value *v = value_none(e);
  if (result) v = value_rebuild(e, type_zeros(e, result), op->out, &at);
  for (int k = 0; k < vars.n; k++)
    if (types[k]) vars.at[k]->value = value_rebuild(e, type_zeros(e, types[k]), op->out, &at);
  for (int other = 0; other < 2; other++)
    for (LogEntry *l = logs[other]; l; l = l->next) {
      if (other && find_log(logs[0], l->name)) continue;
      log_add(e, l->name, op->out[at], op->out[at + 1]);
      at += 2;
    }
  return v;
}

// remat(f)(a): a region of its own, which ends with what f gives, what it changes, and what it logs.
Value *remat(Elab *e, Value *f, const Args *a) {
  Loc loc = a->ast ? a->ast->loc : e->c.b.loc;
  Bindings vars = {0};
  Names roots = {0};
  for (int k = 0; k < a->n; k++)
    if (a->place[k]) add_root(e, a->place[k], &roots);
  for (int k = 0; k < roots.n; k++) vec_push(e->arena, &vars, scope_find(e->c.scope, roots.at[k]));
  Region reg = region_open(e);
  Value *out = apply(e, f, a);
  if (out->kind == V_POISON) give_up(e);
  if (out->kind != V_NONE && !value_is_tree(out))
    fail(e, loc, "let it give an array, or a record or tuple of them", "`remat` of a function that gives %s", value_text(e, out));
  bool fixed = out->kind == V_NONE || value_is_static(out);
  Leaves l = {.bounded = true};
  if (!fixed) value_leaves(e, out = to_runtime(e, out, loc), NULL, &l);
  for (int k = 0; k < vars.n; k++) value_leaves(e, vars.at[k]->value = to_runtime(e, vars.at[k]->value, loc), NULL, &l);
  for (int k = 0; k < l.v.n; k++) ir_yield(reg.r, l.v.at[k]);
  LogEntry *logs = region_close(e, &reg);
  for (LogEntry *g = logs; g; g = g->next) {
    ir_yield(reg.r, g->sum);
    ir_yield(reg.r, g->count);
  }
  if (!reg.r->nyield) return out;
  IrOp *op = control_op(e, loc, IR_REMAT, 0, NULL, 0, NULL, 1, &reg.r);
  int at = 0;
  if (!fixed) out = value_rebuild(e, out, op->out, &at);
  for (int k = 0; k < vars.n; k++) vars.at[k]->value = value_rebuild(e, vars.at[k]->value, op->out, &at);
  for (LogEntry *g = logs; g; g = g->next, at += 2) log_add(e, g->name, op->out[at], op->out[at + 1]);
  return out;
}

static Value *block_thunk(Elab *e, void *ast) { return eval_block(e, ast); }

Value *eval_if(Elab *e, const Ast *x) {
  Value *c = eval(e, x->kid[0]);
  if (c->kind == V_POISON) give_up(e);
  const Ast *other = x->nkid > 2 ? x->kid[2] : NULL;
  if (c->kind == V_BOOL) return c->i ? eval_block(e, x->kid[1]) : other ? eval_block(e, other) : value_none(e);
  if (c->kind != V_ARRAY || c->ir->type.dtype != IR_BOOL)
    fail(e, x->kid[0]->loc, "compare: x > 0", "the condition of an `if` must be true or false, not %s", value_text(e, c));
  if (c->ir->type.rank)
    fail(e, x->kid[0]->loc, "where(c, a, b) chooses for each element; any(c) and all(c) make one", "the condition of an `if` must be one bool, not %s", value_text(e, c));
  Bindings vars = assigned_bindings(e, 2, (const Ast *const[]){x->kid[1], other});
  return branch(e, c->ir, block_thunk, x->kid[1], other ? block_thunk : NULL, (void *)other, vars, x->loc, "if");
}

typedef struct Cases { const Ast *ast; Value *v; int k; Bindings vars; } Cases;

static Value *case_value(Elab *e, void *env) {
  Cases *c = env;
  return eval_block(e, c->ast->kid[c->k]->kid[1]);
}

static Value *eval_cases(Elab *e, void *env) {
  Cases *c = env;
  if (c->k >= c->ast->nkid) fail(e, c->ast->loc, "end it with `_ => …`", "no case of this `match` is left for other values");
  const Ast *test = c->ast->kid[c->k]->kid[0];
  if (test->kind == AST_NAME && strcmp(test->name, "_") == 0) return case_value(e, c);
  Value *with = eval(e, test);
  if (c->v->kind == V_ARRAY && with->kind != V_POISON && !value_is_tree(with)) fail(e, test->loc, "compare it with numbers", "%s is no value of %s", value_text(e, with), value_text(e, c->v));
  Value *hit = binary(e, AST_EQ, c->v, with, test->loc);
  if (hit->kind == V_BOOL) {
    if (hit->i) return case_value(e, c);
    Cases next = *c;
    next.k++;
    return eval_cases(e, &next);
  }
  Cases next = *c;
  next.k++;
  return branch(e, to_scalar(e, hit, IR_BOOL, test->loc, "a case"), case_value, c, eval_cases, &next, c->vars, c->ast->loc, "match");
}

Value *eval_match(Elab *e, const Ast *x) {
  Cases c = {.ast = x, .v = eval(e, x->kid[0]), .k = 1};
  c.vars = assigned_bindings(e, x->nkid - 1, (const Ast *const *)x->kid + 1);
  return eval_cases(e, &c);
}

void eval_every(Elab *e, const Ast *s) {
  Binding *iter = scope_find(e->c.scope, "iter");
  if (!iter || iter->value->kind != V_ARRAY || !e->trainer) fail(e, s->loc, "in a function, test a count that it is given: if i % n == 0 { … }", "`every` belongs in a trainer's step");
  Value *n = eval(e, s->kid[0]);
  bool whole = n->kind == V_NUM ? n->is_int : n->kind == V_ARRAY && ir_is_int(n->ir->type.dtype);
  if (n->kind != V_POISON && !whole) fail(e, s->kid[0]->loc, "every n { … } runs at each n-th step", "`every` counts steps by an integer, not by %s", value_text(e, n));
  if (n->kind == V_NUM && num_f(n) < 1) fail(e, s->kid[0]->loc, "every n { … } runs at each n-th step", "`every` needs a count of at least 1");
  Value *done = binary(e, AST_MOD, binary(e, AST_ADD, iter->value, value_int(e, 1), s->loc), n, s->loc);
  Value *hit = binary(e, AST_EQ, done, value_int(e, 0), s->loc);
  Bindings vars = assigned_bindings(e, 1, (const Ast *const[]){s->kid[1]});
  branch(e, to_scalar(e, hit, IR_BOOL, s->loc, "the condition"), block_thunk, s->kid[1], NULL, NULL, vars, s->loc, "every");
}

// ---- loops ------------------------------------------------------------------------------------------------

static int64_t range_length(Elab *e, const Value *v, Loc loc) {
  int64_t to = to_int(e, v->item[1], loc, "the end of a range"), from = to_int(e, v->item[0], loc, "the start of a range"), n;
  if (__builtin_sub_overflow(to, from, &n)) fail(e, loc, "put one loop into another", "a loop of more than 2^31 turns");
  return n < 0 ? 0 : n;
}

// What a loop goes over: leaves to slice, and ranges. `turns` is how many it takes where that shows at run time only.
static void loop_leaves(Elab *e, Value *v, Loc loc, Leaves *xs, int64_t *n, IrValue **turns) {
  int64_t len;
  IrValue *late = NULL;
  switch (v->kind) {
  case V_POISON: give_up(e);
  case V_RANGE:
    if (v->item[0]->kind == V_ARRAY) fail(e, loc, "begin at 0, and add it inside", "the start of a range must be known when compiling");
    if (v->item[1]->kind == V_ARRAY) {
      int64_t most = length_most(e, v->item[1]), lo = to_int(e, v->item[0], loc, "the start of a range");
      if (!most) fail(e, loc, "say what it can be at most: 0..min(n, 100); or use `while`", "the end of a range must be known when compiling, or have a bound");
      if (lo < 0) fail(e, loc, "begin at 0, and add it inside", "a range with an end that is known at run time begins at 0 or behind it");
      len = most > lo ? most - lo : 0;
      late = len_less(e, len_within(e, v->item[1], most, loc), lo);
      break;
    }
    len = range_length(e, v, loc);
    break;
  case V_LAYERS: len = v->i; break;
  case V_REC:
    if (v->n == 0) fail(e, loc, "loop over a range 0..n, an array or a record of arrays", "a loop over nothing");
    for (int k = 0; k < v->n; k++) loop_leaves(e, v->item[k], loc, xs, n, turns);
    return;
  case V_LIST: case V_ARRAY: case V_BOUNDED: case V_KEY: {
    IrValue *x = v->kind == V_KEY || v->kind == V_BOUNDED ? v->ir : to_array(e, v, loc);
    if (!x->type.rank) fail(e, loc, "loop over 0..n", "%s has no axis to loop over", value_text(e, v));
    len = x->type.dim[0];
    late = len_of(v, 0);
    vec_push(e->arena, &xs->v, x);
    break;
  }
  default: fail(e, loc, "loop over a range 0..n, an array or a record of arrays", "%s cannot be looped over", value_text(e, v));
  }
  if (*n >= 0 && *n != len) fail(e, loc, "all that a loop goes over in step is equally long: slice the longer one, xs[:n]", "a loop in step over %lld and %lld items", (long long)*n, (long long)len);
  if (*n >= 0 && late != *turns && !len_same(late, *turns)) fail(e, loc, "cut all at the same number, xs[:n]", "a loop in step over arrays with different lengths");
  *n = len;
  *turns = late;
}

// The item of a turn: slices from `arg`, ranges from the turn's number.
static Value *loop_item(Elab *e, Value *v, IrValue *turn, IrRegion *r, int *at) {
  switch (v->kind) {
  case V_RANGE: {
    int64_t lo = v->item[0]->i;
    if (!lo) return value_array(e, turn);
    return value_array(e, ir_bin(&e->c.b, IR_ADD, turn, ir_fill(&e->c.b, ir_scalar(IR_I32), (double)lo)));
  }
  case V_LAYERS: return value_array(e, turn);
  case V_REC: {
    Value **item = arena_array(e->arena, Value *, v->n);
    for (int k = 0; k < v->n; k++) item[k] = loop_item(e, v->item[k], turn, r, at);
    return value_like(e, v, v->n, item);
  }
  case V_KEY: return value_key(e, r->arg[(*at)++]);
  case V_BOUNDED: return value_rebuild(e, v, r->arg, at);
  default: return value_array(e, r->arg[(*at)++]);
  }
}

static IrType slice_type(IrType t) {
  memmove(t.dim, t.dim + 1, sizeof *t.dim * (size_t)(t.rank - 1));
  t.rank--;
  return t;
}

// Values before a loop become arrays, since turns change them.
static void carry_in(Elab *e, Bindings vars, Loc loc, Leaves *init) {
  for (int k = 0; k < vars.n; k++) {
    Binding *b = vars.at[k];
    if (!value_is_tree(b->value)) fail(e, loc, "use `unroll` for what is known while compiling", "`%s` is %s: a loop cannot carry it", b->name, value_text(e, b->value));
    b->value = to_runtime(e, b->value, loc);
    value_leaves(e, b->value, NULL, init);
  }
}

static void carry_out(Elab *e, Bindings vars, Value **before, IrRegion *r, Loc loc) {
  for (int k = 0; k < vars.n; k++) {
    Type *t = type_of(e, before[k]);
    Value *v = vars.at[k]->value;
    if (v->kind == V_POISON) give_up(e);
    Type *now = value_is_tree(v) ? type_of(e, v) : NULL;
    if (now && v->kind == V_ARRAY && t->kind == T_ARRAY && now->array.dtype != t->array.dtype && !can_widen(now->array.dtype, t->array.dtype))
      fail(e, loc, t->array.dtype == IR_I32 && ir_is_float(now->array.dtype) ? "let it begin as a real number: 0.0" : arena_printf(e->arena, "let it begin as what a turn makes of it, or give it back as it was: %s(…)", elab_dtype_text(t->array.dtype)),
           "`%s` is %s before the loop and %s after a turn", vars.at[k]->name, type_text(e, t), type_text(e, now));
    yield_value(e, r, v, t, loc, arena_printf(e->arena, "`%s` after a turn", vars.at[k]->name));
  }
}

static Value *unroll(Elab *e, const Ast *x, Value *over) {
  Value *one[1] = {over};
  Value **list = over->kind == V_REC ? over->item : one;
  int nlist = over->kind == V_REC ? over->n : 1;
  int64_t n = -1;
  for (int k = 0; k < nlist; k++) {
    Value *v = list[k];
    int64_t len = v->kind == V_LIST ? v->n : v->kind == V_RANGE ? range_length(e, v, x->loc) : -1;
    if (len < 0) fail(e, x->loc, "use `for` or `scan` for arrays", "`unroll` goes over lists and ranges known while compiling, not %s", value_text(e, v));
    if (n >= 0 && n != len) fail(e, x->loc, "all that a loop goes over in step is equally long: slice the longer one, xs[:n]", "a loop in step over %lld and %lld items", (long long)n, (long long)len);
    n = len;
  }
  if (n > 10000) fail(e, x->loc, "use `for`", "`unroll` of %lld turns", (long long)n);
  const char *path = e->c.path;
  Scope *outer = e->c.scope;
  Value *last = value_none(e);
  for (int64_t t = 0; t < n; t++) {
    Value **item = arena_array(e->arena, Value *, nlist);
    for (int k = 0; k < nlist; k++) item[k] = list[k]->kind == V_LIST ? list[k]->item[t] : value_int(e, list[k]->item[0]->i + t);
    scope_push(e, false);
    bind_pattern(e, x->kid[0], over->kind == V_REC ? value_rec(e, nlist, item, NULL) : item[0], false);
    if (e->c.owner) e->c.path = arena_printf(e->arena, "%s%s%lld", path, *path ? "." : "", (long long)t);
    last = eval_block(e, x->kid[2]);
    e->c.path = path;
    e->c.scope = outer;
    if (last->kind == V_POISON) give_up(e);
  }
  return value_none(e);
}

// The body of a loop that ends early: turns behind the last change nothing, and stack zeros.
typedef struct Turn { const Ast *ast; Value *out; } Turn;

static Value *turn_taken(Elab *e, void *env) {
  Turn *t = env;
  t->out = eval_block(e, t->ast->kid[2]);
  if (t->ast->kind != AST_SCAN || t->out->kind == V_NONE || !value_is_tree(t->out)) return value_none(e);
  return t->out = to_runtime(e, t->out, t->ast->loc);
}

static Value *turn_skipped(Elab *e, void *env) {
  Turn *t = env;
  return t->ast->kind != AST_SCAN || t->out->kind == V_NONE || !value_is_tree(t->out) ? value_none(e) : type_zeros(e, type_of(e, t->out));
}

static Value *loop_body(Elab *e, const Ast *x, IrValue *turn, IrValue *turns, Bindings vars) {
  if (!turns) return eval_block(e, x->kid[2]);
  Turn t = {.ast = x};
  Value *out = branch(e, ir_bin(&e->c.b, IR_LT, turn, turns), turn_taken, &t, turn_skipped, &t, vars, x->loc, "loop");
  return t.out->kind == V_POISON || out->kind == V_NONE ? t.out : out;
}

static Value *for_or_scan(Elab *e, const Ast *x, Value *over) {
  Loc loc = x->loc;
  int64_t n = -1;
  IrValue *turns = NULL;
  Leaves init = {.bounded = true}, xs = {.bounded = true};
  loop_leaves(e, over, x->kid[1]->loc, &xs, &n, &turns);
  if (n > INT32_MAX) fail(e, x->kid[1]->loc, "put one loop into another", "a loop of more than 2^31 turns");
  Owner *owner = e->c.owner;
  const char *path = e->c.path;
  Value *stacked = NULL;
  if (over->kind == V_LAYERS) {
    if (!owner) fail(e, loc, "use `for i in 0..n`", "`layers` outside of a model");
    if (x->kind == AST_SCAN) fail(e, loc, "write for l in layers(n) { h = … }", "`layers` belongs in a `for`");
    e->c.path = owner_component(e, "layers", x);
    if (owner->discover && owner->nlead == 4) fail(e, loc, "put the inner loops into one", "more than four loops over `layers` inside one another");
    if (owner->discover) owner->lead[owner->nlead++] = n;
    else {
      stacked = owner_value(owner, e->c.path);
      if (stacked) value_leaves(e, stacked, NULL, &xs);
    }
  }
  Bindings vars = assigned_bindings(e, 1, (const Ast *const[]){x->kid[2]});
  carry_in(e, vars, loc, &init);
  int ncarry = init.v.n;
  Value **before = arena_array(e->arena, Value *, vars.n ? vars.n : 1);
  for (int k = 0; k < vars.n; k++) before[k] = vars.at[k]->value;
  Region reg = region_open(e);
  IrValue *turn = ir_arg(reg.r, ir_scalar(IR_I32));
  for (int k = 0; k < ncarry; k++) ir_arg(reg.r, init.v.at[k]->type);
  for (int k = 0; k < xs.v.n; k++) ir_arg(reg.r, slice_type(xs.v.at[k]->type));
  int at = 1;
  for (int k = 0; k < vars.n; k++) vars.at[k]->value = value_rebuild(e, before[k], reg.r->arg, &at);
  Scope *outer = e->c.scope;
  scope_push(e, false);
  push_turn(e, turn, loc);
  bind_pattern(e, x->kid[0], loop_item(e, over, turn, reg.r, &at), false);
  if (stacked) {
    vec_push(e->arena, &owner->stack_path, e->c.path);
    vec_push(e->arena, &owner->stack_value, value_rebuild(e, stacked, reg.r->arg, &at));
  }
  Value *out = loop_body(e, x, turn, turns, vars);
  if (out->kind == V_POISON) {
    for (int k = 0; k < vars.n; k++) vars.at[k]->value = before[k];
    give_up(e);
  }
  if (stacked) { owner->stack_path.n--; owner->stack_value.n--; }
  if (over->kind == V_LAYERS && owner->discover) owner->nlead--;
  e->c.path = path;
  e->c.nloop--;
  e->c.scope = outer;
  carry_out(e, vars, before, reg.r, loc);
  Leaves ys = {.bounded = true};
  if (x->kind == AST_SCAN) {
    if (out->kind == V_NONE) fail(e, loc, "use `for` where no values are stacked", "the body of a `scan` must end in a value");
    if (!value_is_tree(out)) fail(e, loc, "let its body end in an array, a number or a record of them", "a `scan` cannot stack %s", value_text(e, out));
    out = to_runtime(e, out, loc);
    value_leaves(e, out, NULL, &ys);
    for (int k = 0; k < ys.v.n; k++) ir_yield(reg.r, ys.v.at[k]);
  }
  LogEntry *logs = region_close(e, &reg);
  for (LogEntry *l = logs; l; l = l->next) {
    ir_yield(reg.r, l->sum);
    ir_yield(reg.r, l->count);
  }
  for (int k = 0; k < xs.v.n; k++) vec_push(e->arena, &init.v, xs.v.at[k]);
  IrAttr attr[3] = {ir_attr_int(e->arena, A_N, n), ir_attr_int(e->arena, A_REVERSE, x->flag), ir_attr_int(e->arena, A_NCARRY, ncarry)};
  IrOp *op = control_op(e, loc, IR_SCAN, init.v.n, init.v.at, 3, attr, 1, &reg.r);
  at = 0;
  for (int k = 0; k < vars.n; k++) vars.at[k]->value = value_rebuild(e, before[k], op->out, &at);
  Value *r = value_none(e);
  if (x->kind == AST_SCAN) r = value_rebuild(e, out, op->out, &at);
  if (turns && r->kind != V_NONE) r = stacked_len(e, r, turns);
  log_totals(e, logs, op->out + at);
  return r;
}

// ---- each -----------------------------------------------------------------------------------------------

typedef struct Lane {
  const Ast *ast;
  Value *over;
  VEC(const char *) back;      // names of elements marked &
  VEC(const Ast *) place;      //   and the places they came from
} Lane;

static void find_back(Elab *e, const Ast *pat, const Ast *over, Lane *l) {
  if (pat->kind == AST_PAT) {
    if (!pat->inout) return;
    vec_push(e->arena, &l->back, pat->name);
    vec_push(e->arena, &l->place, over);
    return;
  }
  for (int k = 0; k < pat->nkid; k++) {
    if (!has_inout(pat->kid[k])) continue;
    if (over->kind != AST_TUPLE || over->nkid != pat->nkid) fail(e, pat->kid[k]->loc, "write (&a, b) in (xs, ys)", "`&` needs the place that the element comes from");
    find_back(e, pat->kid[k], over->kid[k]->kid[0], l);
  }
}

static Value *each(Elab *e, const Ast *x, Value *over) {
  Loc loc = x->loc;
  int64_t n = -1;
  IrValue *lanes = NULL;
  Leaves xs = {.bounded = true};
  loop_leaves(e, over, x->kid[1]->loc, &xs, &n, &lanes);
  if (n > INT32_MAX) fail(e, loc, "put one `each` into a `for`", "more than 2^31 lanes");
  if (over->kind == V_LAYERS) fail(e, loc, "write for l in layers(n) { h = … }", "`layers` belongs in a `for`");
  Lane lane = {.ast = x, .over = over};
  find_back(e, x->kid[0], x->kid[1], &lane);
  Bindings vars = assigned_bindings(e, 1, (const Ast *const[]){x->kid[2]});
  for (int k = 0; k < vars.n; k++) {
    bool own = false;
    for (int j = 0; j < lane.back.n; j++) own |= strcmp(lane.back.at[j], vars.at[k]->name) == 0;
    const Ast *where = own ? NULL : assigning(x->kid[2], vars.at[k]->name);
    if (!own)
      fail(e, where ? where->loc : loc, "lanes are independent: let the body give a value, or mark the element: each &s in xs", "`each` cannot change `%s`, which is outside of it", vars.at[k]->name);
  }
  Region reg = region_open(e);
  IrValue *turn = ir_arg(reg.r, ir_scalar(IR_I32));
  for (int k = 0; k < xs.v.n; k++) ir_arg(reg.r, slice_type(xs.v.at[k]->type));
  Scope *outer = e->c.scope;
  scope_push(e, false);
  push_turn(e, turn, loc);
  int at = 1;
  bind_pattern(e, x->kid[0], loop_item(e, over, turn, reg.r, &at), false);
  Binding **back = arena_array(e->arena, Binding *, lane.back.n ? lane.back.n : 1);
  for (int k = 0; k < lane.back.n; k++) {
    back[k] = scope_find(e->c.scope, lane.back.at[k]);
    back[k]->mut = true;
    back[k]->type = type_of(e, back[k]->value);
  }
  Value *out = eval_block(e, x->kid[2]);
  if (out->kind == V_POISON) give_up(e);
  e->c.nloop--;
  e->c.scope = outer;
  if (out->kind != V_NONE && !value_is_tree(out)) fail(e, loc, "let its body end in an array, a number or a record of them", "`each` cannot stack %s", value_text(e, out));
  if (lanes && lane.back.n) fail(e, loc, "let the body give the new elements: let ys = each x in xs { … }", "`each &` over an array whose length is known at run time only");
  Leaves ys = {.bounded = true};
  if (out->kind != V_NONE) {
    out = to_runtime(e, out, loc);
    value_leaves(e, out, NULL, &ys);
  }
  for (int k = 0; k < lane.back.n; k++) value_leaves(e, back[k]->value, NULL, &ys);
  for (int k = 0; k < ys.v.n; k++) ir_yield(reg.r, ys.v.at[k]);
  LogEntry *logs = region_close(e, &reg);
  for (LogEntry *l = logs; l; l = l->next) {
    ir_yield(reg.r, l->sum);
    ir_yield(reg.r, l->count);
  }
  IrAttr attr = ir_attr_int(e->arena, A_N, n);
  IrOp *op = control_op(e, loc, IR_MAP, xs.v.n, xs.v.at, 1, &attr, 1, &reg.r);
  at = 0;
  Value *r = out->kind == V_NONE ? out : value_rebuild(e, out, op->out, &at);
  if (lanes && r->kind != V_NONE) r = stacked_len(e, r, lanes);
  for (int k = 0; k < lane.back.n; k++) {
    Value *v = value_rebuild(e, back[k]->value, op->out, &at);
    assign(e, lane.place.at[k], v);
  }
  log_totals(e, logs, op->out + at);
  return r;
}

Value *emit_map(Elab *e, int64_t n, int nx, Value **x, Value *(*fn)(Elab *, Value **, void *), void *env, Loc loc) {
  Leaves xs = {0};
  for (int k = 0; k < nx; k++) value_leaves(e, x[k], NULL, &xs);
  Region reg = region_open(e);
  IrValue *turn = ir_arg(reg.r, ir_scalar(IR_I32));
  for (int k = 0; k < xs.v.n; k++) ir_arg(reg.r, slice_type(xs.v.at[k]->type));
  Value **arg = arena_array(e->arena, Value *, nx + 1);
  arg[0] = value_array(e, turn);
  int at = 1;
  for (int k = 0; k < nx; k++) arg[k + 1] = value_rebuild(e, x[k], reg.r->arg, &at);
  push_turn(e, turn, loc);
  Value *out = to_runtime(e, fn(e, arg, env), loc);
  e->c.nloop--;
  Leaves ys = {0};
  value_leaves(e, out, NULL, &ys);
  for (int k = 0; k < ys.v.n; k++) ir_yield(reg.r, ys.v.at[k]);
  LogEntry *logs = region_close(e, &reg);
  for (LogEntry *l = logs; l; l = l->next) {
    ir_yield(reg.r, l->sum);
    ir_yield(reg.r, l->count);
  }
  IrAttr attr = ir_attr_int(e->arena, A_N, n);
  IrOp *op = control_op(e, loc, IR_MAP, xs.v.n, xs.v.at, 1, &attr, 1, &reg.r);
  at = 0;
  Value *r = value_rebuild(e, out, op->out, &at);
  log_totals(e, logs, op->out + at);
  return r;
}

Value *eval_loop(Elab *e, const Ast *x) {
  Value *over = eval(e, x->kid[1]);
  if (x->kind == AST_UNROLL) return unroll(e, x, over);
  if (x->kind == AST_EACH) return each(e, x, over);
  if (has_inout(x->kid[0])) fail(e, x->kid[0]->loc, "use `each &x in xs`", "only `each` writes its elements back");
  return for_or_scan(e, x, over);
}

// The turn's number is carried too: keys fold it in.
Value *eval_while(Elab *e, const Ast *x) {
  Loc loc = x->loc;
  Leaves init = {0};
  Bindings vars = assigned_bindings(e, 2, (const Ast *const[]){x->kid[0], x->kid[1]});
  carry_in(e, vars, loc, &init);
  Value **before = arena_array(e->arena, Value *, vars.n ? vars.n : 1);
  for (int k = 0; k < vars.n; k++) before[k] = vars.at[k]->value;
  vec_push(e->arena, &init.v, ir_fill(&e->c.b, ir_scalar(IR_I32), 0));
  int nc = init.v.n;
  IrRegion *sub[2];
  for (int side = 0; side < 2; side++) {
    Region reg = region_open(e);
    sub[side] = reg.r;
    for (int k = 0; k < nc; k++) ir_arg(reg.r, init.v.at[k]->type);
    int at = 0;
    for (int k = 0; k < vars.n; k++) vars.at[k]->value = value_rebuild(e, before[k], reg.r->arg, &at);
    IrValue *turn = reg.r->arg[nc - 1];
    push_turn(e, turn, loc);
    if (side == 0) {
      Value *c = eval(e, x->kid[0]);
      if (c->kind != V_BOOL && (c->kind != V_ARRAY || c->ir->type.dtype != IR_BOOL || c->ir->type.rank))
        fail(e, x->kid[0]->loc, c->kind == V_ARRAY && c->ir->type.dtype == IR_BOOL ? "any(c) and all(c) make one bool of many" : "compare: x > 0", "the condition of a `while` must be one bool, not %s", value_text(e, c));
      ir_yield(reg.r, to_array(e, c, loc));
    } else {
      Value *v = eval_block(e, x->kid[1]);
      if (v->kind == V_POISON) {
        for (int k = 0; k < vars.n; k++) vars.at[k]->value = before[k];
        give_up(e);
      }
      carry_out(e, vars, before, reg.r, loc);
      ir_yield(reg.r, ir_bin(&e->c.b, IR_ADD, turn, ir_fill(&e->c.b, ir_scalar(IR_I32), 1)));
    }
    e->c.nloop--;
    if (region_close(e, &reg)) fail(e, loc, "log behind the loop", "`log` inside a `while`");
  }
  IrOp *op = control_op(e, loc, IR_WHILE, nc, init.v.at, 0, NULL, 2, sub);
  int at = 0;
  for (int k = 0; k < vars.n; k++) vars.at[k]->value = value_rebuild(e, before[k], op->out, &at);
  return value_none(e);
}
