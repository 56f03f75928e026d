// The text of rows: values as formulas over the values that have rows of their own.
#include "backend/dot/picture.h"

#include <string.h>

#include "ir/number.h"

#define MOST_COLUMNS 58      // of a formula: beyond, its longest operand gets a row
#define MOST_LISTED 6        // operands of a concat that are printed

// How tightly a text's outermost operator binds.
typedef enum Bind { BIND_SELECT, BIND_OR, BIND_AND, BIND_COMPARE, BIND_ADD, BIND_MUL, BIND_DOT, BIND_UNARY, BIND_POW, BIND_ATOM } Bind;

typedef struct Text {
  char *s;
  int columns;               // as printed
  Bind bind;
  const IrValue *lift;       // the value it computes, if that could have a row; else NULL
} Text;

typedef struct Maker {
  DotPicture *p;
  DotBox *box;
} Maker;

// ---- constants ---------------------------------------------------------------------------------------
static void put_number(Str *s, IrDtype t, const void *at) {
  IrNumber x = ir_load(t, at);
  if (t == IR_BOOL) str_printf(s, "%s", x.i ? "true" : "false");
  else if (ir_is_float(t)) str_printf(s, "%.6g", x.re);
  else if (ir_is_int(t)) str_printf(s, t == IR_U64 ? "%llu" : "%lld", (long long)x.i);
  else str_printf(s, "%.4g%+.4gi", x.re, x.im);
}

char *dot_constant(Arena *a, const IrOp *op) {
  const IrAttr *d = ir_attr(op, A_DATA);
  IrDtype t = op->out[0]->type.dtype;
  int size = ir_dtype_bytes(t), n = d->n / size;
  Str s = { .arena = a };
  if (n != 1) str_printf(&s, "[");
  for (int k = 0; k < n && k < 3; k++) {
    if (k) str_printf(&s, ", ");
    put_number(&s, t, (const char *)d->data + (size_t)k * size);
  }
  if (n > 3) str_printf(&s, ", …");
  if (n != 1) str_printf(&s, "]");
  return s.s;
}

static bool splat(const IrValue *v, double *x) {
  while (v->op && v->op->code == IR_BROADCAST) v = v->op->in[0];
  if (!v->op || v->op->code != IR_CONST) return false;
  const IrAttr *d = ir_attr(v->op, A_DATA);
  if (d->n != ir_dtype_bytes(v->type.dtype)) return false;
  IrNumber n = ir_load(v->type.dtype, d->data);
  *x = ir_is_diff(v->type.dtype) ? n.re : (double)n.i;
  return true;
}

// ---- what many ops together mean ----------------------------------------------------------------------
static const IrOp *inner(const Maker *m, const IrValue *v, IrCode code) {
  return v->op && v->op->code == code && m->p->owner[v->id] < 0 ? v->op : NULL;
}

static bool is_splat(const IrValue *v, double want) {
  double x;
  return splat(v, &x) && x == want;
}

// Random 32 bits of u64 block b: (b >> 32) ^ b, cast. What draws from is b's key, or b where it is stored.
static const IrValue *drawn_bits(const Maker *m, const IrValue *v) {
  const IrOp *cast = inner(m, v, IR_CAST), *mix = cast ? inner(m, cast->in[0], IR_XOR) : NULL;
  const IrOp *high = mix ? inner(m, mix->in[0], IR_SHR) : NULL;
  if (!high || high->in[0] != mix->in[1] || !is_splat(high->in[1], 32)) return NULL;
  const IrOp *draw = inner(m, mix->in[1], IR_THREEFRY);
  return draw ? draw->in[0] : mix->in[1]->op && mix->in[1]->op->code == IR_THREEFRY ? mix->in[1] : NULL;
}

// Uniform floats in [0, 1): the bits' high 23 as a mantissa of [1, 2), less 1.
static const IrValue *drawn_uniform(const Maker *m, const IrValue *v) {
  const IrOp *sub = inner(m, v, IR_SUB), *bits = sub && is_splat(sub->in[1], 1) ? inner(m, sub->in[0], IR_BITCAST) : NULL;
  const IrOp *one = bits ? inner(m, bits->in[0], IR_OR) : NULL, *high = one ? inner(m, one->in[0], IR_SHR) : NULL;
  return high && is_splat(one->in[1], 0x3f800000) && is_splat(high->in[1], 9) ? drawn_bits(m, high->in[0]) : NULL;
}

static const IrValue *averaged(const Maker *m, const IrOp *op, const IrOp **sum) {
  double factor;
  if (op->code != IR_MUL || !splat(op->in[1], &factor) || !(*sum = inner(m, op->in[0], IR_SUM))) return NULL;
  double n = (double)ir_count(&(*sum)->in[0]->type) / (double)ir_count(&(*sum)->out[0]->type);
  return n > 0 && factor * n > 1 - 1e-6 && factor * n < 1 + 1e-6 ? (*sum)->in[0] : NULL;
}

// ---- leaves and rows -----------------------------------------------------------------------------------
static Text atom(char *s, int columns) { return (Text){ s, columns, BIND_ATOM, NULL }; }

static Text leaf(Maker *m, const IrValue *v) {
  const IrValue *from = dot_follow(m->p, v);
  Arena *a = m->p->arena;
  if (from->op && from->op->code == IR_CONST) {
    char *s = dot_constant(a, from->op);
    return atom(s, (int)strlen(s));
  }
  int columns = m->p->name[from->id] ? (int)strlen(m->p->name[from->id]) : 3;
  return atom(arena_printf(a, "%c%d%c", DOT_LEAF, v->id, DOT_END), columns < 12 ? columns : 12);
}

static bool has_row(const Maker *m, const IrValue *v) {
  for (int k = 0; k < m->box->row.n; k++)
    if (m->box->row.at[k].v == v) return true;
  return false;
}

// Markers in a text hold ids of values as used; in a row they hold indices of its leaves.
static void add_row(Maker *m, const IrValue *v, const char *text) {
  DotRow r = { .v = v, .like = -1 };
  VEC(DotLeaf) leaves = { 0 };
  Str s = { .arena = m->p->arena };
  for (const char *c = text; *c; c++) {
    if (*c != DOT_LEAF && *c != DOT_HIDDEN) {
      str_put(&s, c, 1);
      continue;
    }
    int id = 0, k = 0;
    char kind = *c;
    for (c++; *c != DOT_END; c++) id = id * 10 + (*c - '0');
    const IrValue *used = m->p->value[id], *from = dot_follow(m->p, used);
    while (k < leaves.n && leaves.at[k].v != from) k++;
    if (k == leaves.n) vec_push(m->p->arena, &leaves, ((DotLeaf){ from, used->type }));
    str_printf(&s, "%c%d%c", kind, k, DOT_END);
  }
  r.text = s.s;
  r.leaf = leaves.at;
  r.nleaf = leaves.n;
  vec_push(m->p->arena, &m->box->row, r);
}

static Text lift(Maker *m, Text t) {
  if (!has_row(m, t.lift)) add_row(m, t.lift, t.s);
  return leaf(m, t.lift);
}

static Text expression(Maker *m, const IrValue *v, bool root);

// Operands as text, short enough for one line together.
static void operands(Maker *m, int n, const IrValue *const *v, Text *t) {
  int columns = 0;
  for (int k = 0; k < n; k++) {
    t[k] = expression(m, v[k], false);
    columns += t[k].columns;
  }
  while (columns > MOST_COLUMNS) {
    int longest = -1;
    for (int k = 0; k < n; k++)
      if (t[k].lift && (longest < 0 || t[k].columns > t[longest].columns)) longest = k;
    if (longest < 0) return;
    columns -= t[longest].columns;
    t[longest] = lift(m, t[longest]);
    columns += t[longest].columns;
  }
}

// ---- operators --------------------------------------------------------------------------------------------
typedef struct Infix { IrCode code; const char *sign; Bind bind; } Infix;
static const Infix infixes[] = {
  { IR_ADD, " + ", BIND_ADD }, { IR_SUB, " - ", BIND_ADD }, { IR_MUL, " * ", BIND_MUL }, { IR_DIV, " / ", BIND_MUL },
  { IR_MOD, " mod ", BIND_MUL }, { IR_POW, "^", BIND_POW }, { IR_AND, " and ", BIND_AND }, { IR_OR, " or ", BIND_OR },
  { IR_XOR, " xor ", BIND_OR }, { IR_SHL, " << ", BIND_COMPARE }, { IR_SHR, " >> ", BIND_COMPARE },
  { IR_EQ, " == ", BIND_COMPARE }, { IR_NE, " != ", BIND_COMPARE }, { IR_LT, " < ", BIND_COMPARE },
  { IR_LE, " <= ", BIND_COMPARE }, { IR_GT, " > ", BIND_COMPARE }, { IR_GE, " >= ", BIND_COMPARE }, { IR_DOT, " @ ", BIND_DOT },
};

static char *within(Maker *m, Text t, Bind least) {
  return t.bind < least ? arena_printf(m->p->arena, "(%s)", t.s) : t.s;
}

static Text infix(Maker *m, const IrOp *op, const Infix *how) {
  Text t[2];
  operands(m, 2, (const IrValue *const *)op->in, t);
  Arena *a = m->p->arena;
  int columns = t[0].columns + t[1].columns + (int)strlen(how->sign);
  if (op->code == IR_MUL && !strcmp(t[0].s, t[1].s))
    return (Text){ arena_printf(a, "%s^2", within(m, t[0], BIND_ATOM)), t[0].columns + 2, BIND_POW, NULL };
  if (op->code == IR_ADD && t[1].bind == BIND_ATOM && t[1].s[0] == '-')
    return (Text){ arena_printf(a, "%s - %s", within(m, t[0], BIND_ADD), t[1].s + 1), columns - 1, BIND_ADD, NULL };
  const char *turned = op->code == IR_DOT ? "ᵀ" : "";
  bool ta = op->code == IR_DOT && ir_int(op, A_TA), tb = op->code == IR_DOT && ir_int(op, A_TB);
  char *x = within(m, t[0], ta ? BIND_ATOM : how->bind), *y = within(m, t[1], tb ? BIND_ATOM : (Bind)(how->bind + 1));
  return (Text){ arena_printf(a, "%s%s%s%s%s", x, ta ? turned : "", how->sign, y, tb ? turned : ""), columns, how->bind, NULL };
}

static Text call(Maker *m, const char *name, int n, const IrValue *const *v, const char *end) {
  Text *t = arena_array(m->p->arena, Text, n + 1);
  operands(m, n, v, t);
  Str s = { .arena = m->p->arena };
  int columns = (int)strlen(name) + (int)strlen(end) + 1;
  str_printf(&s, "%s(", name);
  for (int k = 0; k < n; k++) {
    str_printf(&s, "%s%s", k ? ", " : "", t[k].s);
    columns += t[k].columns + 2;
  }
  str_printf(&s, "%s)", end);
  return atom(s.s, columns);
}

static Text reduction(Maker *m, const IrOp *op, const char *name, const IrValue *x, const IrOp *axes_of) {
  int n = 0;
  const int64_t *axes = ir_ints(axes_of, op->code == IR_ARGMAX || op->code == IR_ARGMIN ? A_AXIS : A_AXES, &n);
  Str end = { .arena = m->p->arena };
  str_printf(&end, "%s", "");
  if (n < x->type.rank)
    for (int k = 0; k < n; k++) str_printf(&end, "%s%lld", k ? " " : n > 1 ? ", axes " : ", axis ", (long long)axes[k]);
  return call(m, name, 1, &x, end.s);
}

static Text listed(Maker *m, const IrOp *op) {
  Arena *a = m->p->arena;
  int shown = op->nin > MOST_LISTED ? MOST_LISTED / 2 : op->nin;
  Text *t = arena_array(a, Text, op->nin + 1);
  operands(m, shown, (const IrValue *const *)op->in, t);
  Str s = { .arena = a };
  int columns = 2;
  str_printf(&s, "[");
  for (int k = 0; k < shown; k++) {
    str_printf(&s, "%s%s", k ? ", " : "", t[k].s);
    columns += t[k].columns + 2;
  }
  if (shown < op->nin) str_printf(&s, ", …");
  for (int k = shown; k < op->nin; k++) {
    Text rest = expression(m, op->in[k], false);
    if (rest.lift) rest = lift(m, rest);
    for (char *c = rest.s; *c; c++)
      if (*c == DOT_LEAF) *c = DOT_HIDDEN;
    if (*rest.s == DOT_HIDDEN) str_printf(&s, "%s", rest.s);
  }
  str_printf(&s, "]");
  return atom(s.s, columns);
}

// ---- parts of arrays ------------------------------------------------------------------------------------------
static Text part(Maker *m, const IrOp *op) {
  const IrValue *x = op->in[0];
  Text t = expression(m, x, false);
  const int64_t *from = ir_ints(op, A_START, NULL), *to = ir_ints(op, A_LIMIT, NULL), *step = ir_ints(op, A_STRIDE, NULL);
  Str s = { .arena = m->p->arena };
  str_printf(&s, "%s[", within(m, t, BIND_ATOM));
  for (int k = 0; k < x->type.rank; k++) {
    if (k) str_printf(&s, ", ");
    if (to[k] - from[k] == 1 && x->type.dim[k] > 1) str_printf(&s, "%lld", (long long)from[k]);
    else if (from[k] == 0 && to[k] == x->type.dim[k]) str_printf(&s, ":");
    else str_printf(&s, "%lld:%lld", (long long)from[k], (long long)to[k]);
    if (step[k] != 1) str_printf(&s, ":%lld", (long long)step[k]);
  }
  str_printf(&s, "]");
  return atom(s.s, t.columns + 2 + 3 * x->type.rank);
}

// x[starts] where axes are taken whole unless a start is given for a part of them.
static char *starts(Maker *m, const IrType *x, const IrType *taken, const Text *start) {
  Str s = { .arena = m->p->arena };
  str_printf(&s, "[");
  for (int k = 0; k < x->rank; k++) {
    if (k) str_printf(&s, ", ");
    if (taken->dim[k] == x->dim[k]) str_printf(&s, ":");
    else if (taken->dim[k] == 1) str_printf(&s, "%s", start[k].s);
    else str_printf(&s, "%s : +%lld", start[k].s, (long long)taken->dim[k]);
  }
  str_printf(&s, "]");
  return s.s;
}

static Text dynamic(Maker *m, const IrOp *op) {
  Text t[IR_MAX_RANK + 2];
  operands(m, op->nin, (const IrValue *const *)op->in, t);
  const IrType *x = &op->in[0]->type;
  int columns = 4;
  for (int k = 0; k < op->nin; k++) columns += t[k].columns + 2;
  if (op->code == IR_DYN_SLICE)
    return atom(arena_printf(m->p->arena, "%s%s", within(m, t[0], BIND_ATOM), starts(m, x, &op->out[0]->type, t + 1)), columns);
  char *where = starts(m, x, &op->in[1]->type, t + 2);
  return (Text){ arena_printf(m->p->arena, "%s with %s = %s", t[0].s, where, t[1].s), columns + 8, BIND_SELECT, NULL };
}

static Text indexed(Maker *m, const IrOp *op) {
  static const char *const how[] = { "=", "+=", "max=", "min=" };
  Text t[3];
  operands(m, op->nin, (const IrValue *const *)op->in, t);
  Str where = { .arena = m->p->arena };
  str_printf(&where, "[");
  for (int64_t k = ir_int(op, A_BATCH); k > 0; k--) str_printf(&where, ":, ");
  str_printf(&where, "%s]", t[1].s);
  int columns = t[0].columns + t[1].columns + 4;
  if (op->code == IR_GATHER) return atom(arena_printf(m->p->arena, "%s%s", within(m, t[0], BIND_ATOM), where.s), columns);
  char *s = arena_printf(m->p->arena, "%s with %s %s %s", t[0].s, where.s, how[ir_int(op, A_MODE)], t[2].s);
  return (Text){ s, columns + t[2].columns + 9, BIND_SELECT, NULL };
}

// ---- one op ------------------------------------------------------------------------------------------------------
static Text other(Maker *m, const IrOp *op) {
  static const struct { IrCode code; const char *name; } names[] = {
    { IR_SUM, "sum" }, { IR_PROD, "prod" }, { IR_RMAX, "max" }, { IR_RMIN, "min" }, { IR_ALL, "all" }, { IR_ANY, "any" },
    { IR_THREEFRY, "fold" }, { IR_BITCAST, "bits" }, { IR_TRISOLVE, "solve" },
  };
  const char *name = ir_info[op->code].name;
  for (int k = 0; k < (int)(sizeof names / sizeof *names); k++)
    if (names[k].code == op->code) name = names[k].name;
  if (op->code == IR_CAST) name = ir_dtype_name(op->out[0]->type.dtype);
  if (op->code == IR_POLYGAMMA) name = arena_printf(m->p->arena, "%s_%lld", name, (long long)ir_int(op, A_N));
  if (ir_info[op->code].lower == LOWER_REDUCE) return reduction(m, op, name, op->in[0], op);
  return call(m, name, op->nin, (const IrValue *const *)op->in, "");
}

static Text prefix(Maker *m, const IrOp *op, const char *sign) {
  Text t = expression(m, op->in[0], false);
  return (Text){ arena_printf(m->p->arena, "%s%s", sign, within(m, t, BIND_UNARY)), t.columns + (int)strlen(sign), BIND_UNARY, NULL };
}

static Text select_text(Maker *m, const IrOp *op) {
  Text t[3];
  operands(m, 3, (const IrValue *const *)op->in, t);
  char *s = arena_printf(m->p->arena, "%s ? %s : %s", within(m, t[0], BIND_OR), within(m, t[1], BIND_OR), within(m, t[2], BIND_OR));
  return (Text){ s, t[0].columns + t[1].columns + t[2].columns + 6, BIND_SELECT, NULL };
}

static Text transposed(Maker *m, const IrOp *op) {
  int n;
  const int64_t *perm = ir_ints(op, A_AXES, &n);
  for (int k = 0; k < n; k++)
    if (perm[k] != (k < n - 2 ? k : 2 * n - 3 - k)) return call(m, "transpose", 1, (const IrValue *const *)op->in, "");
  Text t = expression(m, op->in[0], false);
  return atom(arena_printf(m->p->arena, "%sᵀ", within(m, t, BIND_ATOM)), t.columns + 1);
}

static Text formula(Maker *m, const IrOp *op, bool root) {
  const IrValue *key, *v = op->out[0];
  const IrOp *sum;
  if (op->nout == 1) {
    if ((key = drawn_uniform(m, v))) return call(m, "uniform", 1, &key, "");
    if ((key = drawn_bits(m, v))) return call(m, "random bits", 1, &key, "");
    if ((key = averaged(m, op, &sum))) return reduction(m, sum, "mean", key, sum);
  }
  for (int k = 0; k < (int)(sizeof infixes / sizeof *infixes); k++)
    if (infixes[k].code == op->code) return infix(m, op, &infixes[k]);
  switch (op->code) {
  case IR_CONST: return leaf(m, v);
  case IR_NEG: return prefix(m, op, "-");
  case IR_NOT: return prefix(m, op, "not ");
  case IR_SELECT: return select_text(m, op);
  case IR_STOP_GRAD: case IR_AFTER: case IR_RESHAPE: case IR_BROADCAST:
    return root ? call(m, ir_info[op->code].name, 1, (const IrValue *const *)op->in, "") : expression(m, op->in[0], false);
  case IR_TRANSPOSE: return transposed(m, op);
  case IR_SLICE: return part(m, op);
  case IR_IOTA: return atom(arena_str(m->p->arena, "iota"), 4);
  case IR_CONCAT: return listed(m, op);
  case IR_DYN_SLICE: case IR_DYN_UPDATE: return dynamic(m, op);
  case IR_GATHER: case IR_SCATTER: return indexed(m, op);
  default: return other(m, op);
  }
}

static bool is_used_here(const Maker *m, const IrValue *v, int times) {
  return m->p->mark[v->id] == m->p->stamp && m->p->times[v->id] >= times;
}

// A name that the user of v takes over, as an accumulator's, gives no row to v.
static bool is_named(const Maker *m, const IrValue *v) {
  const IrOp *user = m->p->nuse[v->id] == 1 ? m->p->user[v->id] : NULL;
  return v->hint && !(user && user->nout == 1 && user->out[0]->hint && !strcmp(user->out[0]->hint, v->hint));
}

static Text expression(Maker *m, const IrValue *v, bool root) {
  if (!root && (m->p->owner[v->id] >= 0 || !v->op || dot_is_control(v->op) || has_row(m, v))) return leaf(m, v);
  Text t = formula(m, v->op, root);
  if (root || dot_is_folded(v->op)) return t;
  t.lift = v;
  return is_named(m, v) || is_used_here(m, v, 2) ? lift(m, t) : t;
}

// ---- what a box computes --------------------------------------------------------------------------------------------
static const char *common_scope(Arena *a, const char *x, const char *y) {
  if (!x || !y || !strcmp(x, y)) return x && y ? x : NULL;
  int n = 0;
  for (int k = 0;; k++) {
    bool end = !x[k] || x[k] == '.', also = !y[k] || y[k] == '.';
    if (end && also) n = k;
    if (x[k] != y[k] || !x[k]) break;
  }
  return n ? arena_strn(a, x, (size_t)n) : NULL;
}

typedef struct Place { const char *scope; bool any, product; } Place;

// Counts ops and uses of what the root needs and no other box has.
static void visit(Maker *m, const IrValue *v, bool root, Place *where) {
  DotPicture *p = m->p;
  if (!root && (p->owner[v->id] >= 0 || !v->op || dot_is_control(v->op))) return;
  bool again = p->mark[v->id] == p->stamp;
  p->times[v->id] = again ? p->times[v->id] + 1 : 1;
  p->mark[v->id] = p->stamp;
  bool through = dot_is_folded(v->op);
  if (again && !through) return;
  IrLower how = ir_info[v->op->code].lower;
  bool product = how == LOWER_DOT || how == LOWER_CONV;
  if (!again) m->box->count[v->op->code]++;
  if (product > where->product || !where->any) {
    if (product || !through) *where = (Place){ v->op->scope, true, product };
  } else if (product == where->product && !through) {
    where->scope = common_scope(p->arena, where->scope, v->op->scope);
  }
  const IrValue *key;
  if (v->op->nout == 1 && ((key = drawn_uniform(m, v)) || (key = drawn_bits(m, v)))) {
    m->box->count[IR_THREEFRY]++;
    visit(m, key, false, where);
    return;
  }
  for (int k = 0; k < v->op->nin; k++) visit(m, v->op->in[k], false, where);
}

static char *hidden(Maker *m, const IrValue *v) {
  const IrValue *from = dot_follow(m->p, v);
  if (from->op && from->op->code == IR_CONST) return arena_str(m->p->arena, "");
  return arena_printf(m->p->arena, "%c%d%c", DOT_HIDDEN, v->id, DOT_END);
}

static void control_row(Maker *m, const IrOp *op) {
  Arena *a = m->p->arena;
  bool closed = dot_is_closed(m->p, op);
  if (!closed && op->code == IR_COND) {
    add_row(m, op->in[0], arena_printf(a, "if %s", leaf(m, op->in[0]).s));
    return;
  }
  if (!closed && op->code == IR_WHILE) {
    add_row(m, op->sub[0]->yield[0], arena_printf(a, "while %s", leaf(m, op->sub[0]->yield[0]).s));
    return;
  }
  Str s = { .arena = a };
  int n = 0;
  for (int k = 0; k < op->nregion; k++) n += ir_count_ops(op->sub[k]);
  str_printf(&s, "%s", ir_info[op->code].name);
  if (op->code == IR_SCAN || op->code == IR_MAP) str_printf(&s, " × %lld", (long long)ir_int(op, A_N));
  str_printf(&s, " of %d ops", n);
  for (int k = 0; k < op->nin; k++) str_printf(&s, "%s", hidden(m, op->in[k]));
  for (int k = 0; !closed && k < op->sub[0]->nyield; k++) str_printf(&s, "%s", hidden(m, op->sub[0]->yield[k]));
  for (int r = 0; closed && r < op->nregion; r++) {
    IrValue **v;
    int taken = ir_captures(a, op->sub[r], &v);
    for (int k = 0; k < taken; k++) str_printf(&s, "%s", hidden(m, v[k]));
  }
  add_row(m, op->nout ? op->out[closed ? 0 : op->nout - 1] : op->in[0], s.s);
  m->box->count[op->code]++;
}

void dot_formulas(DotPicture *p, DotBox *b, int nroot, const IrValue *const *root) {
  Maker m = { p, b };
  Place where = { 0 };
  if (b->control) {
    control_row(&m, b->control);
    return;
  }
  p->stamp++;
  for (int k = 0; k < nroot; k++)
    if (root[k]->index == 0) visit(&m, root[k], true, &where);
  b->scope = where.scope;
  for (int k = 0; k < nroot; k++)
    if (root[k]->index == 0) add_row(&m, root[k], expression(&m, root[k], true).s);
}
