#include "frontend/value.h"

#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

static Loc here(Elab *e, const Args *a) { return a->ast ? a->ast->loc : e->c.b.loc; }

static Loc at_arg(Elab *e, const Args *a, int k) { return a->expr && a->expr[k] ? a->expr[k]->loc : here(e, a); }

// An argument by name or position; NULL where it is left out.
static Value *arg(const Args *a, const char *name, int pos) {
  int k = find_arg(a, name, pos);
  return k < 0 ? NULL : a->value[k];
}

static const char *signature_of(const char *name) {
  const Builtin *b = builtin_find(name);
  return b ? b->signature : "`rlc ops --builtins` lists what each function takes";
}

static Value *need(Elab *e, const Args *a, const char *fn, const char *name, int pos) {
  Value *v = arg(a, name, pos);
  if (!v) fail(e, here(e, a), signature_of(fn), "`%s` needs the argument `%s`", fn, name);
  return v;
}

static void most(Elab *e, const Args *a, const char *fn, int n) {
  if (a->n > n) fail(e, here(e, a), signature_of(fn), "`%s` takes at most %d argument%s, found %d", fn, n, n == 1 ? "" : "s", a->n);
}

// A size or count, known while compiling.
static int64_t size_of(Elab *e, Value *v, Loc loc, const char *what) {
  int64_t n = to_int(e, v, loc, what);
  if (n < 0 || n > INT32_MAX) fail(e, loc, "it is a count: 0 or more, below 2^31", "%s is %lld", what, (long long)n);
  return n;
}

// Leaf by leaf over the first argument.
static Value *leafwise(Elab *e, const Args *a, Value *(*fn)(Elab *, const Args *)) {
  Value *t = a->value[0];
  Value **item = arena_array(e->arena, Value *, t->n ? t->n : 1);
  for (int k = 0; k < t->n; k++) {
    Args b = *a;
    b.value = arena_copy(e->arena, a->value, sizeof *b.value * (size_t)a->n);
    b.value[0] = t->item[k];
    item[k] = fn(e, &b);
  }
  return value_like(e, t, t->n, item);
}
#define LEAFWISE(fn) if (a->n && a->value[0]->kind == V_REC) return leafwise(e, a, fn)

// A shape some of whose sizes are lengths: fn makes the storage.
static Value *shaped(Elab *e, const Args *a, const char *name, int pos, Value *(*fn)(Elab *, const Args *)) {
  IrValue *len[IR_MAX_RANK];
  int k = find_arg(a, name, pos);
  Value *most = k < 0 ? NULL : shape_storage(e, a->value[k], len);
  if (!most) return NULL;
  Args b = *a;
  b.value = arena_copy(e->arena, a->value, sizeof *b.value * (size_t)a->n);
  b.value[k] = most;
  return bounded(e, fn(e, &b)->ir, len);
}
#define SHAPED(fn, pos) do { Value *late = shaped(e, a, "shape", pos, fn); if (late) return late; } while (0)

static int axis_of(Elab *e, Value *v, int rank, Loc loc) {
  int64_t k = to_int(e, v, loc, "an axis");
  if (k < -rank || k >= rank) fail(e, loc, "axes count from 0 at the left, or from -1 at the right", "axis %lld of an array of %d ax%s", (long long)k, rank, rank == 1 ? "is" : "es");
  return (int)(k < 0 ? k + rank : k);
}

// Operands that an op does not take: what to do about it.
static const char *operand_help(const char *name, IrCode c, const IrType *x, bool dtype) {
  if (dtype && ir_is_complex(x->dtype)) return "use abs(…), real(…) or imag(…)";
  if (dtype) return x->dtype == IR_BOOL ? "convert it: i32(…) or f32(…)" : "convert it: f32(…)";
  if (c == IR_QR) return "a matrix of two axes, no more columns than rows: qr(x.T) for others";
  if (c == IR_CHOLESKY) return "a square matrix: its last two axes are equally long";
  if (c == IR_TRISOLVE) return "l is [..., N, N], x [..., N, M] of the same type; x[:, _] makes a column of a vector";
  return signature_of(name);
}

// An op whose type rule is asked first: what it says is told as the user's mistake. `name` is what programs call it,
// NULL where that is the op's own name.
static IrOp *checked(Elab *e, const char *name, IrCode c, int n, IrValue **in, int nattr, const IrAttr *at, Loc loc) {
  if (!name) name = ir_info[c].name;
  IrType out[3];
  int nout;
  const char *why = ir_infer(e->arena, c, n, in, NULL, nattr, at, 0, NULL, out, &nout);
  if (why) {
    const char *wants = strstr(why, "expected ");
    Str of = {.arena = e->arena};
    for (int k = 0; k < n; k++) str_printf(&of, "%s%s", k ? " and " : "", elab_type_text(e->arena, &in[k]->type));
    const char *help = operand_help(name, c, &in[0]->type, wants != NULL);
    fail(e, loc, help, wants ? "`%s` of %s: %s" : "`%s` does not take %s", name, wants ? elab_type_text(e->arena, &in[0]->type) : of.s, wants);
  }
  return ir_build(&e->c.b, c, n, in, NULL, nattr, at, 0, NULL);
}

// ---- constants ------------------------------------------------------------------------------

IrValue *u64_const(Elab *e, uint64_t v) { return ir_const(&e->c.b, ir_scalar(IR_U64), &v, sizeof v); }

uint64_t path_hash(const char *path) { return base_hash(0, path, strlen(path)) & 0xffffffffu; }

IrValue *fold_in(Elab *e, IrValue *key, IrValue *data) { return ir_bin(&e->c.b, IR_THREEFRY, key, data); }

// ---- elementwise ------------------------------------------------------------------------------

static Value *number_fn(Elab *e, IrCode c, double x) {
  switch (c) {
  case IR_ABS: return value_num(e, fabs(x));
  case IR_SIGN: return value_int(e, (x > 0) - (x < 0));
  case IR_EXP: return value_real(e, exp(x));
  case IR_LOG: return value_real(e, log(x));
  case IR_EXPM1: return value_real(e, expm1(x));
  case IR_LOG1P: return value_real(e, log1p(x));
  case IR_SIN: return value_real(e, sin(x));
  case IR_COS: return value_real(e, cos(x));
  case IR_TANH: return value_real(e, tanh(x));
  case IR_SQRT: return value_real(e, sqrt(x));
  case IR_RSQRT: return value_real(e, 1 / sqrt(x));
  case IR_FLOOR: return value_num(e, floor(x));
  case IR_CEIL: return value_num(e, ceil(x));
  case IR_ROUND: return value_num(e, nearbyint(x));
  default: return NULL;
  }
}

static Value *fn_unary_code(Elab *e, const Args *a, IrCode c, const char *name) {
  most(e, a, name, 1);
  Value *x = need(e, a, name, "x", 0);
  if (x->kind == V_NUM) {
    pin(e, x);
    Value *v = number_fn(e, c, num_f(x));
    if (v) return v;
  }
  return element1(e, c, x, here(e, a));
}
#define UNARY(name, code) static Value *fn_##name(Elab *e, const Args *a) { return fn_unary_code(e, a, code, #name); }
UNARY(abs, IR_ABS) UNARY(sign, IR_SIGN) UNARY(exp, IR_EXP) UNARY(log, IR_LOG) UNARY(expm1, IR_EXPM1) UNARY(log1p, IR_LOG1P)
UNARY(sin, IR_SIN) UNARY(cos, IR_COS) UNARY(tanh, IR_TANH) UNARY(sigmoid, IR_SIGMOID) UNARY(sqrt, IR_SQRT) UNARY(rsqrt, IR_RSQRT)
UNARY(erf, IR_ERF) UNARY(erfinv, IR_ERFINV) UNARY(lgamma, IR_LGAMMA) UNARY(digamma, IR_DIGAMMA) UNARY(floor, IR_FLOOR) UNARY(ceil, IR_CEIL)
UNARY(round, IR_ROUND) UNARY(isfinite, IR_FINITE) UNARY(real, IR_REAL) UNARY(imag, IR_IMAG) UNARY(conj, IR_CONJ) UNARY(stop_grad, IR_STOP_GRAD)

static Value *fn_polygamma(Elab *e, const Args *a) {
  most(e, a, "polygamma", 2);
  Value *order = need(e, a, "polygamma", "n", 0), *x = need(e, a, "polygamma", "x", 1);
  int64_t n = to_int(e, order, at_arg(e, a, 0), "the order of `polygamma`");
  if (n < 1 || n > IR_MAX_ORDER) fail(e, at_arg(e, a, 0), n == 0 ? "digamma(x) is that of order 0" : signature_of("polygamma"), "the order of `polygamma` is within 1 to %d, not %lld", IR_MAX_ORDER, (long long)n);
  IrAttr at = ir_attr_int(e->arena, A_N, n);
  return element1_with(e, IR_POLYGAMMA, 1, &at, x, here(e, a));
}

Value *value_copied(Elab *e, Value *v, int64_t least, Loc loc) {
  if (v->kind == V_REC) {
    Value **item = arena_array(e->arena, Value *, v->n ? v->n : 1);
    for (int k = 0; k < v->n; k++) item[k] = value_copied(e, v->item[k], least, loc);
    return value_like(e, v, v->n, item);
  }
  if (v->kind == V_NUM || v->kind == V_BOOL || (v->ir && ir_bytes(&v->ir->type) < least)) return v;
  return v->kind == V_KEY ? value_key(e, ir_un(&e->c.b, IR_COPY, v->ir)) : element1(e, IR_COPY, v, loc);
}

static Value *fn_copy(Elab *e, const Args *a) {
  most(e, a, "copy", 1);
  return value_copied(e, need(e, a, "copy", "x", 0), 0, here(e, a));
}

static Value *tree2(Elab *e, IrCode c, Value *a, Value *b, Loc loc) {
  if (a->kind != V_REC && b->kind != V_REC) return element2(e, c, a, b, loc);
  Value *shape = a->kind == V_REC ? a : b;
  if (a->kind == V_REC && b->kind == V_REC && a->n != b->n) fail(e, loc, "both sides need the same fields, or one is an array for all of them", "records that differ: %s and %s", value_text(e, a), value_text(e, b));
  Value **item = arena_array(e->arena, Value *, shape->n ? shape->n : 1);
  for (int k = 0; k < shape->n; k++) item[k] = tree2(e, c, a->kind == V_REC ? a->item[k] : a, b->kind == V_REC ? b->item[k] : b, loc);
  return value_like(e, shape, shape->n, item);
}

static Value *fn_binary_code(Elab *e, const Args *a, IrCode c, const char *name) {
  if (a->n != 2) fail(e, here(e, a), signature_of(name), "`%s` takes two arguments, found %d", name, a->n);
  for (int k = 0; k < 2 && c != IR_ATAN2; k++)
    if (a->value[k]->kind == V_ARRAY && !ir_is_int(a->value[k]->ir->type.dtype) && (a->value[k]->ir->type.dtype != IR_BOOL || c == IR_SHL || c == IR_SHR))
      fail(e, at_arg(e, a, k), "convert it: i32(…)", "`%s` goes by the bits of integers, not of %s", name, value_text(e, a->value[k]));
  return tree2(e, c, a->value[0], a->value[1], here(e, a));
}
#define BINARY(name, code) static Value *fn_##name(Elab *e, const Args *a) { return fn_binary_code(e, a, code, #name); }
BINARY(atan2, IR_ATAN2) BINARY(bit_and, IR_AND) BINARY(bit_or, IR_OR) BINARY(bit_xor, IR_XOR) BINARY(shift_left, IR_SHL) BINARY(shift_right, IR_SHR)

static Value *fn_complex(Elab *e, const Args *a) {
  if (a->n != 2) fail(e, here(e, a), "complex(re, im)", "`complex` takes a real and an imaginary part");
  IrDtype t = common_dtype(e, here(e, a), "the parts of `complex`", 2, a->value);
  if (ir_is_complex(t)) fail(e, here(e, a), "real(…) and imag(…) are a complex number's own parts", "the parts of `complex` are real, but one is %s", elab_dtype_text(t));
  if (!ir_is_float(t)) t = IR_F32;
  IrValue *x = to_dtype(e, a->value[0], t, here(e, a)), *y = to_dtype(e, a->value[1], t, here(e, a));
  IrType s;
  broadcast_shapes(e, here(e, a), "the parts of `complex`", x->type, y->type, &s);
  x = ir_spread(&e->c.b, x, s.rank, s.dim);
  y = ir_spread(&e->c.b, y, s.rank, s.dim);
  IrValue *in[2] = {x, y};
  return value_array(e, checked(e, NULL, IR_COMPLEX, 2, in, 0, NULL, here(e, a))->out[0]);
}

static Value *fn_div(Elab *e, const Args *a) {
  if (a->n != 2) fail(e, here(e, a), "div(a, b)", "`div` takes two integers");
  Value *x = a->value[0], *y = a->value[1];
  if (x->kind == V_NUM && y->kind == V_NUM) {
    int64_t p = to_int(e, x, here(e, a), "`div`'s dividend"), q = to_int(e, y, here(e, a), "`div`'s divisor");
    if (!q) fail(e, here(e, a), "the divisor is known while compiling: test it with `if`, or change it", "division by zero");
    if (q == -1) return value_int(e, p == INT64_MIN ? p : -p);
    return value_int(e, p / q - (p % q != 0 && (p < 0) != (q < 0)));
  }
  Value *v = element2(e, IR_DIV, x, y, here(e, a));
  if (!ir_is_int(v->ir->type.dtype)) fail(e, here(e, a), "use / for real numbers", "`div` takes integers, not %s", value_text(e, v));
  return v;
}

static Value *where_tree(Elab *e, Value *c, Value *x, Value *y, Loc loc) {
  if (x->kind == V_REC || y->kind == V_REC) {
    Value *shape = x->kind == V_REC ? x : y;
    Value **item = arena_array(e->arena, Value *, shape->n ? shape->n : 1);
    if (x->kind == V_REC && y->kind == V_REC && x->n != y->n) fail(e, loc, "both sides need the same fields, or one is an array for all of them", "`where` of records that differ: %s and %s", value_text(e, x), value_text(e, y));
    for (int k = 0; k < shape->n; k++) item[k] = where_tree(e, c, x->kind == V_REC ? x->item[k] : x, y->kind == V_REC ? y->item[k] : y, loc);
    return value_like(e, shape, shape->n, item);
  }
  Value *all[3] = {c, x, y};
  if (c->kind == V_BOUNDED || x->kind == V_BOUNDED || y->kind == V_BOUNDED)
    return lens_aligned(e, where_tree(e, storage(e, c), storage(e, x), storage(e, y), loc), 3, all, loc, "the condition of `where` and its sides");
  IrValue *p = to_array(e, c, loc);
  if (p->type.dtype != IR_BOOL) fail(e, loc, "compare: where(x > 0, a, b)", "the condition of `where` must be bool, not %s", value_text(e, c));
  IrDtype t = common_dtype(e, loc, "the two sides of `where`", 2, (Value *[]){x, y});
  IrValue *u = to_dtype(e, x, t, loc), *v = to_dtype(e, y, t, loc);
  IrType s;
  broadcast_shapes(e, loc, "the two sides of `where`", u->type, v->type, &s);
  IrType ps = p->type;
  broadcast_shapes(e, loc, "the condition of `where` and its sides", ps, s, &s);
  p = ir_spread(&e->c.b, p, s.rank, s.dim);
  u = ir_spread(&e->c.b, u, s.rank, s.dim);
  v = ir_spread(&e->c.b, v, s.rank, s.dim);
  return value_array(e, ir_select(&e->c.b, p, u, v));
}

static Value *fn_where(Elab *e, const Args *a) {
  if (a->n != 3) fail(e, here(e, a), "where(condition, a, b)", "`where` takes three arguments, found %d", a->n);
  if (a->value[0]->kind == V_BOOL) return a->value[0]->i ? a->value[1] : a->value[2];
  return where_tree(e, a->value[0], a->value[1], a->value[2], here(e, a));
}

// ---- casts ------------------------------------------------------------------------------------

static Value *cast_tree(Elab *e, Value *v, IrDtype t, Loc loc) {
  if (v->kind == V_REC) {
    Value **item = arena_array(e->arena, Value *, v->n ? v->n : 1);
    for (int k = 0; k < v->n; k++) item[k] = cast_tree(e, v->item[k], t, loc);
    return value_like(e, v, v->n, item);
  }
  if (v->kind == V_NUM && !v->setting && v->is_int && ir_is_int(t))        // its low bits: a cast wraps (L5)
    return value_array(e, ir_const(&e->c.b, ir_scalar(t), &v->i, (size_t)ir_dtype_bytes(t)));
  if (ir_is_diff(t) && all_numbers(v)) return value_array(e, to_dtype(e, v, t, loc));
  if (v->kind == V_BOUNDED) return bounded(e, ir_cast(&e->c.b, v->ir, t), v->len);
  return value_array(e, ir_cast(&e->c.b, to_array(e, v, loc), t));
}
#define CAST(name, t) static Value *fn_##name(Elab *e, const Args *a) { most(e, a, #name, 1); return cast_tree(e, need(e, a, #name, "x", 0), t, here(e, a)); }
CAST(bool, IR_BOOL) CAST(i8, IR_I8) CAST(i16, IR_I16) CAST(i32, IR_I32) CAST(i64, IR_I64) CAST(u8, IR_U8) CAST(u32, IR_U32) CAST(u64, IR_U64)
CAST(bf16, IR_BF16) CAST(f32, IR_F32) CAST(f64, IR_F64) CAST(complex64, IR_C64) CAST(complex128, IR_C128)

// ---- reductions ---------------------------------------------------------------------------------

static int read_axes(Elab *e, Value *axis, int rank, Loc loc, int64_t *out) {
  bool on[IR_MAX_RANK] = {0};
  if (!axis) for (int k = 0; k < rank; k++) on[k] = true;
  else if (axis->kind == V_LIST) for (int k = 0; k < axis->n; k++) on[axis_of(e, axis->item[k], rank, loc)] = true;
  else on[axis_of(e, axis, rank, loc)] = true;
  int n = 0;
  for (int k = 0; k < rank; k++) if (on[k]) out[n++] = k;
  return n;
}

static Value *keep_axes(Elab *e, IrValue *r, IrType t, int n, const int64_t *axes, Value *keep, Loc loc) {
  if (!keep || !to_bool(e, keep, loc, "`keep`")) return value_array(e, r);
  for (int k = 0; k < n; k++) t.dim[axes[k]] = 1;
  return value_array(e, ir_reshape(&e->c.b, r, t.rank, t.dim));
}

// What a reduction begins with, and what does not change it.
static double neutral(IrCode c, IrDtype t) {
  switch (c) {
  case IR_PROD: case IR_ALL: return 1;
  case IR_RMAX: case IR_ARGMAX: return least_of(t);
  case IR_RMIN: case IR_ARGMIN: return greatest_of(t);
  default: return 0;
  }
}

// The lengths of the axes that are left of v's when some go, or are kept with size 1.
static Value *with_left(Elab *e, Value *r, const Value *v, int n, const int64_t *axes) {
  IrValue *len[IR_MAX_RANK] = {NULL};
  bool kept = r->ir->type.rank == v->ir->type.rank;
  int at = 0;
  for (int k = 0, gone = 0; k < v->ir->type.rank; k++) {
    bool goes = gone < n && axes[gone] == k;
    gone += goes;
    if (!goes) len[at] = len_of(v, k);
    at += kept || !goes;
  }
  return bounded(e, r->ir, len);
}

Value *emit_reduce(Elab *e, IrCode c, Value *x, Value *axis, Value *keep, Loc loc) {
  if (x->kind == V_REC) {
    Value **item = arena_array(e->arena, Value *, x->n ? x->n : 1);
    for (int k = 0; k < x->n; k++) item[k] = emit_reduce(e, c, x->item[k], axis, keep, loc);
    return value_like(e, x, x->n, item);
  }
  IrValue *v = to_array(e, storage(e, x), loc);
  bool logic = c == IR_ALL || c == IR_ANY;
  if (logic != (v->type.dtype == IR_BOOL))
    fail(e, loc, logic ? "compare first: all(x > 0)" : c == IR_SUM ? "count with sum(i32(x))" : "any(x) and all(x) take bools; i32(x) makes numbers", "`%s` does not take %s", c == IR_ALL ? "all" : c == IR_ANY ? "any" : ir_info[c].name + strlen("reduce_"), elab_type_text(e->arena, &v->type));
  if ((c == IR_RMAX || c == IR_RMIN) && ir_is_complex(v->type.dtype)) fail(e, loc, "compare abs(…)", "complex numbers have no order");
  int64_t axes[IR_MAX_RANK];
  int n = read_axes(e, axis, v->type.rank, loc, axes);
  IrType t = v->type;
  if (n == 0) return x->kind == V_BOUNDED ? x : value_array(e, v);
  if (x->kind == V_BOUNDED) v = masked(e, x, n, axes, neutral(c, t.dtype));
  Value *r = keep_axes(e, ir_reduce(&e->c.b, c, v, n, axes), t, n, axes, keep, loc);
  return x->kind == V_BOUNDED ? with_left(e, r, x, n, axes) : r;
}

static Value *reduce_fn(Elab *e, const Args *a, IrCode c, const char *name) {
  most(e, a, name, 3);
  Value *x = need(e, a, name, "x", 0);
  return emit_reduce(e, c, x, arg(a, "axis", 1), arg(a, "keep", 2), here(e, a));
}

static Value *fold_numbers(Elab *e, Value *list, AstOp op, bool extreme, bool greatest, Loc loc) {
  Value *r = NULL;
  for (int k = 0; k < list->n; k++) {
    Value *x = list->item[k];
    if (x->kind != V_NUM) return NULL;
    if (!r) r = x;
    else if (extreme) r = (num_f(x) > num_f(r)) == greatest ? x : r;
    else r = binary(e, op, r, x, loc);
  }
  return r;
}

static Value *static_list(Elab *e, const Args *a, AstOp op, bool extreme, bool greatest, double empty) {
  if (a->n != 1 || a->value[0]->kind != V_LIST) return NULL;
  if (a->value[0]->n == 0) return extreme ? NULL : value_num(e, empty);
  return fold_numbers(e, a->value[0], op, extreme, greatest, here(e, a));
}

static Value *fn_sum(Elab *e, const Args *a) {
  Value *v = static_list(e, a, AST_ADD, false, false, 0);
  return v ? v : reduce_fn(e, a, IR_SUM, "sum");
}
static Value *fn_prod(Elab *e, const Args *a) {
  Value *v = static_list(e, a, AST_MUL, false, false, 1);
  return v ? v : reduce_fn(e, a, IR_PROD, "prod");
}
static Value *fn_any(Elab *e, const Args *a) { return reduce_fn(e, a, IR_ANY, "any"); }
static Value *fn_all(Elab *e, const Args *a) { return reduce_fn(e, a, IR_ALL, "all"); }

static Value *extreme(Elab *e, const Args *a, bool greatest) {
  const char *name = greatest ? "max" : "min";
  if (a->n == 2 && !a->name[1]) {
    Value *x = a->value[0], *y = a->value[1];
    if (x->kind == V_NUM && y->kind == V_NUM) return (num_f(x) > num_f(y)) == greatest ? x : y;
    Value *r = tree2(e, greatest ? IR_MAX : IR_MIN, x, y, here(e, a)), *most = x->kind == V_NUM ? x : y;
    if (!greatest && most->kind == V_NUM && most->is_int && most->i > 0 && r->kind == V_ARRAY && !r->ir->type.rank && r->ir->type.dtype == IR_I32) {
      r->most = most->i;                         // so that loops and shapes know a bound
      r->raw = true;
      r->n = most->setting != 0;
      r->item = arena_copy(e->arena, &most, sizeof most);
    }
    return r;
  }
  Value *v = static_list(e, a, AST_NOP, true, greatest, 0);
  return v ? v : reduce_fn(e, a, greatest ? IR_RMAX : IR_RMIN, name);
}
static Value *fn_max(Elab *e, const Args *a) { return extreme(e, a, true); }
static Value *fn_min(Elab *e, const Args *a) { return extreme(e, a, false); }

static Value *fn_mean(Elab *e, const Args *a) {
  most(e, a, "mean", 3);
  LEAFWISE(fn_mean);
  Value *x = need(e, a, "mean", "x", 0);
  IrValue *v = to_array(e, storage(e, x), here(e, a));
  if (!ir_is_diff(v->type.dtype)) fail(e, here(e, a), "convert it: f32(…)", "`mean` takes floats, not %s", elab_type_text(e->arena, &v->type));
  int64_t axes[IR_MAX_RANK];
  int n = read_axes(e, arg(a, "axis", 1), v->type.rank, here(e, a), axes);
  double count = 1;
  Value *filled = NULL;
  for (int k = 0; k < n; k++) {
    IrValue *len = len_of(x, (int)axes[k]);
    if (!len) { count *= (double)v->type.dim[axes[k]]; continue; }
    Value *f = value_array(e, ir_cast(&e->c.b, len, ir_real_of(v->type.dtype)));
    filled = filled ? binary(e, AST_MUL, filled, f, here(e, a)) : f;
  }
  Value *s = emit_reduce(e, IR_SUM, x->kind == V_BOUNDED ? x : value_array(e, v), arg(a, "axis", 1), arg(a, "keep", 2), here(e, a));
  if (filled) s = binary(e, AST_DIV, s, filled, here(e, a));
  return binary(e, AST_DIV, s, value_real(e, count), here(e, a));
}

static Value *argreduce(Elab *e, const Args *a, IrCode c, const char *name) {
  most(e, a, name, 2);
  Value *x = need(e, a, name, "x", 0);
  bool late = c != IR_ARGSORT && x->kind == V_BOUNDED;
  IrValue *v = to_array(e, late ? storage(e, x) : x, here(e, a));
  Value *axis = arg(a, "axis", 1);
  if (!v->type.rank) fail(e, here(e, a), "it goes along an axis: the array needs at least one", "`%s` of a scalar", name);
  int k = axis ? axis_of(e, axis, v->type.rank, here(e, a)) : v->type.rank - 1;
  if (!v->type.dim[k]) fail(e, here(e, a), "an axis of size 0 has no greatest or least element", "`%s` over an empty axis", name);
  IrAttr at = ir_attr_int(e->arena, A_AXIS, k);
  int64_t along = k;
  if (late) v = masked(e, x, 1, &along, neutral(c, v->type.dtype));
  Value *r = value_array(e, checked(e, name, c, 1, &v, 1, &at, here(e, a))->out[0]);
  return late ? with_left(e, r, x, 1, &along) : r;
}
static Value *fn_argmax(Elab *e, const Args *a) { return argreduce(e, a, IR_ARGMAX, "argmax"); }
static Value *fn_argmin(Elab *e, const Args *a) { return argreduce(e, a, IR_ARGMIN, "argmin"); }
static Value *fn_argsort(Elab *e, const Args *a) { return argreduce(e, a, IR_ARGSORT, "argsort"); }

static Value *cumulate(Elab *e, const Args *a, IrCode c, const char *name) {
  most(e, a, name, 3);
  Value *x = need(e, a, name, "x", 0);
  IrValue *v = to_array(e, storage(e, x), here(e, a));
  Value *axis = arg(a, "axis", 1), *back = arg(a, "reversed", 2);
  if (!v->type.rank) fail(e, here(e, a), "it goes along an axis: the array needs at least one", "`%s` of a scalar", name);
  IrAttr at[2] = {ir_attr_int(e->arena, A_AXIS, axis ? axis_of(e, axis, v->type.rank, here(e, a)) : v->type.rank - 1),
                  ir_attr_int(e->arena, A_REVERSE, back ? to_bool(e, back, here(e, a), "`reversed`") : 0)};
  if (x->kind == V_BOUNDED) v = masked(e, x, 1, at[0].i, neutral(c == IR_CUMSUM ? IR_SUM : c == IR_CUMPROD ? IR_PROD : IR_RMAX, v->type.dtype));
  Value *r = value_array(e, checked(e, name, c, 1, &v, 2, at, here(e, a))->out[0]);
  return x->kind == V_BOUNDED ? bounded(e, r->ir, x->len) : r;
}
static Value *fn_cumsum(Elab *e, const Args *a) { return cumulate(e, a, IR_CUMSUM, "cumsum"); }
static Value *fn_cumprod(Elab *e, const Args *a) { return cumulate(e, a, IR_CUMPROD, "cumprod"); }
static Value *fn_cummax(Elab *e, const Args *a) { return cumulate(e, a, IR_CUMMAX, "cummax"); }

// ---- making arrays --------------------------------------------------------------------------------

static Value *filled(Elab *e, const Args *a, double what, const char *name) {
  Value *x = need(e, a, name, "shape", 0);
  IrDtype t = IR_F32;
  Value *dt = arg(a, "type", 1);
  if (dt) {
    if (dt->kind != V_BUILTIN || dt->builtin->code != -2) fail(e, here(e, a), "write zeros([4], i32)", "expected an element type, found %s", value_text(e, dt));
    for (int k = 0; k < IR_NDTYPE; k++)
      if (strcmp(elab_dtype_text((IrDtype)k), dt->builtin->name) == 0) t = (IrDtype)k;
  }
  Type *type = NULL;
  if (x->kind == V_TYPE) type = x->type;
  else if (x->kind == V_DECL && x->decl->ast->kind == AST_RECORD) type = record_type(e, x, here(e, a));
  else if (x->kind == V_REC || x->kind == V_ARRAY || x->kind == V_KEY) type = type_of(e, x);
  if (type) {
    if (what == 0) return type_zeros(e, type);
    Value *z = type_zeros(e, type);
    return binary(e, AST_ADD, z, value_int(e, 1), here(e, a));
  }
  IrType shape = {.dtype = t};
  shape.rank = to_dims(e, x, at_arg(e, a, 0), shape.dim);
  return value_array(e, ir_fill(&e->c.b, shape, what));
}
static Value *fn_zeros(Elab *e, const Args *a) { SHAPED(fn_zeros, 0); most(e, a, "zeros", 2); return filled(e, a, 0, "zeros"); }
static Value *fn_ones(Elab *e, const Args *a) { SHAPED(fn_ones, 0); most(e, a, "ones", 2); return filled(e, a, 1, "ones"); }

static Value *fn_full(Elab *e, const Args *a) {
  SHAPED(fn_full, 0);
  most(e, a, "full", 2);
  int64_t dim[IR_MAX_RANK];
  int rank = to_dims(e, need(e, a, "full", "shape", 0), here(e, a), dim);
  IrValue *v = to_array(e, need(e, a, "full", "value", 1), here(e, a));
  IrType want = {.dtype = v->type.dtype, .rank = rank}, both;
  memcpy(want.dim, dim, sizeof dim);
  broadcast_shapes(e, here(e, a), "the shape and the value of `full`", want, v->type, &both);
  if (!ir_type_eq(&want, &both)) fail(e, here(e, a), "the value may be smaller than the shape, and is repeated", "`full`: %s does not fit into %s", elab_type_text(e->arena, &v->type), elab_type_text(e->arena, &want));
  return value_array(e, ir_spread(&e->c.b, v, rank, dim));
}

static Value *fn_iota(Elab *e, const Args *a) {
  most(e, a, "iota", 1);
  Value *size = need(e, a, "iota", "n", 0);
  int64_t n = length_most(e, size);
  IrValue *len = n ? len_within(e, size, n, here(e, a)) : NULL;
  if (!len) n = size_of(e, size, here(e, a), "`iota`'s size");
  return bounded(e, ir_iota(&e->c.b, ir_type(IR_I32, 1, &n), 0), &len);
}

// ---- shape ------------------------------------------------------------------------------------------

static IrValue *any_array(Elab *e, Value *v, Loc loc) { return v->kind == V_KEY ? v->ir : to_array(e, v, loc); }

static Value *same_kind(Elab *e, Value *v, IrValue *x) { return v->kind == V_KEY ? value_key(e, x) : value_array(e, x); }

// An axis with a length stays itself in a reshape: as many elements stand before it, and it is as long.
static Value *reshaped_lens(Elab *e, Value *x, IrValue *r, IrValue **len, Loc loc) {
  const IrType *from = &x->ir->type, *to = &r->type;
  int64_t before = 1;
  int at = 0, found = 0, wanted = 0;
  for (int k = 0; k < to->rank; k++) wanted += len[k] != NULL;
  for (int k = 0; k < from->rank; before *= from->dim[k++]) {
    IrValue *own = len_of(x, k);
    if (!own) continue;
    int64_t here = 1;
    for (at = 0; at < to->rank && (here != before || to->dim[at] != from->dim[k] || (len[at] && !len_same(len[at], own))); at++) here *= to->dim[at];
    if (at == to->rank) fail(e, loc, "it stays an axis of its own, and its length a size of the list: reshape(x, [B, T, H, D])", "`reshape` of %s joins or divides an axis whose length is known at run time only", value_text(e, x));
    found += len[at] != NULL;
    len[at] = own;
  }
  if (found != wanted) fail(e, loc, "cut it first: x[:n]", "`reshape` of %s to a size that is known at run time only", value_text(e, x));
  return bounded(e, r, len);
}

static Value *fn_reshape(Elab *e, const Args *a) {
  most(e, a, "reshape", 2);
  LEAFWISE(fn_reshape);
  Value *given = need(e, a, "reshape", "x", 0), *shape = need(e, a, "reshape", "shape", 1), *sizes;
  IrValue *x = any_array(e, storage(e, given), here(e, a)), *len[IR_MAX_RANK] = {NULL};
  sizes = shape_storage(e, shape, len);
  if (sizes) shape = sizes;
  int64_t dim[IR_MAX_RANK], known = 1;
  int open = -1, rank;
  if (shape->kind != V_LIST) fail(e, here(e, a), "reshape(x, [8, 4])", "`reshape` takes a list of sizes, not %s", value_text(e, shape));
  rank = shape->n;
  if (rank > IR_MAX_RANK) fail(e, here(e, a), "an array has at most 8 axes: join some of them", "a shape of %d axes", rank);
  for (int k = 0; k < rank; k++) {
    dim[k] = to_int(e, shape->item[k], here(e, a), "a size");
    if (dim[k] == -1 && open < 0) open = k;
    else if (dim[k] < 0) fail(e, here(e, a), "sizes are not negative; one of them may be -1: what is left over", "a size of %lld", (long long)dim[k]);
    else if (__builtin_mul_overflow(known, dim[k], &known)) fail(e, here(e, a), "both have the same number of elements; one size may be -1: what is left over", "`reshape` of %s to a shape of more than 2^63 elements", elab_type_text(e->arena, &x->type));
  }
  int64_t n = ir_count(&x->type);
  if (open >= 0) dim[open] = known ? n / known : 0;
  if (open >= 0 ? known * dim[open] != n : known != n)
    fail(e, here(e, a), "both have the same number of elements; one size may be -1: what is left over", "`reshape` of %s (%lld element%s) to a shape of %lld elements", elab_type_text(e->arena, &x->type), (long long)n, n == 1 ? "" : "s", (long long)known);
  if (sizes || given->kind == V_BOUNDED) return reshaped_lens(e, given, ir_reshape(&e->c.b, x, rank, dim), len, here(e, a));
  return same_kind(e, a->value[0], ir_reshape(&e->c.b, x, rank, dim));
}

static Value *fn_flatten(Elab *e, const Args *a) {
  most(e, a, "flatten", 2);
  LEAFWISE(fn_flatten);
  IrValue *x = any_array(e, need(e, a, "flatten", "x", 0), here(e, a));
  Value *nv = arg(a, "n", 1);
  int64_t n = nv ? to_int(e, nv, here(e, a), "`flatten`'s number of axes") : x->type.rank, dim[IR_MAX_RANK];
  if (n < 1 || n > x->type.rank) fail(e, here(e, a), "flatten(x, n) joins the first n axes, 1 at least and no more than there are", "`flatten` of %lld axes of %s", (long long)n, elab_type_text(e->arena, &x->type));
  dim[0] = 1;
  int rank = 1;
  for (int k = 0; k < x->type.rank; k++) {
    if (k < n) dim[0] *= x->type.dim[k];
    else dim[rank++] = x->type.dim[k];
  }
  return same_kind(e, a->value[0], ir_reshape(&e->c.b, x, rank, dim));
}

static Value *fn_transpose(Elab *e, const Args *a) {
  most(e, a, "transpose", 2);
  LEAFWISE(fn_transpose);
  IrValue *x = any_array(e, storage(e, need(e, a, "transpose", "x", 0)), here(e, a)), *len[IR_MAX_RANK] = {NULL};
  Value *p = need(e, a, "transpose", "axes", 1);
  int64_t perm[IR_MAX_RANK];
  bool seen[IR_MAX_RANK] = {0};
  if (p->kind != V_LIST || p->n != x->type.rank) fail(e, here(e, a), "name every axis once: transpose(x, [1, 0])", "`transpose` of %s needs a list of %d axes", elab_type_text(e->arena, &x->type), x->type.rank);
  for (int k = 0; k < p->n; k++) {
    perm[k] = axis_of(e, p->item[k], p->n, here(e, a));
    if (seen[perm[k]]) fail(e, here(e, a), "name every axis once: transpose(x, [1, 0])", "`transpose` names axis %lld twice", (long long)perm[k]);
    seen[perm[k]] = true;
    len[k] = len_of(a->value[0], (int)perm[k]);
  }
  if (a->value[0]->kind == V_BOUNDED) return bounded(e, ir_transpose(&e->c.b, x, perm), len);
  return same_kind(e, a->value[0], ir_transpose(&e->c.b, x, perm));
}

static Value *fn_broadcast(Elab *e, const Args *a) {
  most(e, a, "broadcast", 2);
  LEAFWISE(fn_broadcast);
  Value *given = need(e, a, "broadcast", "x", 0), *shape = need(e, a, "broadcast", "shape", 1), *sizes;
  IrValue *x = any_array(e, storage(e, given), here(e, a)), *len[IR_MAX_RANK] = {NULL};
  sizes = shape_storage(e, shape, len);
  IrType t = {.dtype = x->type.dtype}, both;
  t.rank = to_dims(e, sizes ? sizes : shape, here(e, a), t.dim);
  broadcast_shapes(e, here(e, a), "the array and the shape of `broadcast`", x->type, t, &both);
  if (!ir_type_eq(&both, &t)) fail(e, here(e, a), "axes are aligned at the right; sizes of 1 repeat, others stay: x[:, _] adds an axis of 1", "%s does not spread to %s", elab_type_text(e->arena, &x->type), elab_type_text(e->arena, &t));
  IrValue *r = ir_spread(&e->c.b, x, t.rank, t.dim);
  if (sizes || given->kind == V_BOUNDED)
    return lens_aligned(e, value_array(e, r), 2, (Value *[]){given->kind == V_BOUNDED ? given : value_array(e, x), bounded(e, r, len)}, here(e, a), "the array and the shape of `broadcast`");
  return same_kind(e, a->value[0], r);
}

static Value *fn_padded(Elab *e, const Args *a) {
  most(e, a, "padded", 2);
  LEAFWISE(fn_padded);
  Value *x = need(e, a, "padded", "x", 0), *rest = arg(a, "rest", 1);
  if (x->kind != V_BOUNDED) return same_kind(e, x, any_array(e, x, here(e, a)));
  int64_t axes[IR_MAX_RANK];
  for (int k = 0; k < x->ir->type.rank; k++) axes[k] = k;
  return value_array(e, masked(e, x, x->ir->type.rank, axes, rest ? to_real(e, rest, here(e, a), "`rest`") : 0));
}

static Value *fn_flip(Elab *e, const Args *a) {
  most(e, a, "flip", 2);
  LEAFWISE(fn_flip);
  IrValue *x = any_array(e, need(e, a, "flip", "x", 0), here(e, a));
  Value *axis = arg(a, "axis", 1);
  if (!x->type.rank) fail(e, here(e, a), "it goes along an axis: the array needs at least one", "`flip` of a scalar");
  IrAttr at = ir_attr_int(e->arena, A_AXES, axis ? axis_of(e, axis, x->type.rank, here(e, a)) : 0);
  return same_kind(e, a->value[0], ir_build(&e->c.b, IR_REVERSE, 1, &x, NULL, 1, &at, 0, NULL)->out[0]);
}

static Value *concat_arrays(Elab *e, int n, Value **v, Value *axis, Loc loc) {
  if (v[0]->kind == V_REC) {
    Value **item = arena_array(e->arena, Value *, v[0]->n ? v[0]->n : 1), **col = arena_array(e->arena, Value *, n);
    for (int k = 0; k < v[0]->n; k++) {
      for (int j = 0; j < n; j++) {
        if (v[j]->kind != V_REC || v[j]->n != v[0]->n) fail(e, loc, "all parts need the same fields", "`concat` of records that differ");
        col[j] = v[j]->item[k];
      }
      item[k] = concat_arrays(e, n, col, axis, loc);
    }
    return value_like(e, v[0], v[0]->n, item);
  }
  IrDtype t = common_dtype(e, loc, "the parts of `concat`", n, v);
  IrValue **x = arena_array(e->arena, IrValue *, n);
  for (int k = 0; k < n; k++) x[k] = to_dtype(e, v[k], t, loc);
  int rank = x[0]->type.rank;
  if (!rank) fail(e, loc, "write [a, b] to stack scalars", "`concat` of scalars");
  int k0 = axis ? axis_of(e, axis, rank, loc) : 0;
  for (int k = 1; k < n; k++) {
    bool ok = x[k]->type.rank == rank;
    for (int j = 0; ok && j < rank; j++) ok = j == k0 || x[k]->type.dim[j] == x[0]->type.dim[j];
    if (!ok)
      fail(e, loc, "all sizes but those of the joined axis must be equal", "`concat` along axis %d: %s and %s do not fit", k0, elab_type_text(e->arena, &x[0]->type), elab_type_text(e->arena, &x[k]->type));
  }
  return value_array(e, n == 1 ? x[0] : ir_concat(&e->c.b, n, x, k0));
}

static Value *fn_concat(Elab *e, const Args *a) {
  most(e, a, "concat", 2);
  Value *l = need(e, a, "concat", "parts", 0);
  if ((l->kind != V_LIST && !(l->kind == V_REC && !l->name)) || !l->n) fail(e, here(e, a), "concat([a, b], axis = -1)", "`concat` takes a list of arrays");
  return concat_arrays(e, l->n, l->item, arg(a, "axis", 1), here(e, a));
}

static Value *fn_tile(Elab *e, const Args *a) {
  most(e, a, "tile", 2);
  Value *x = need(e, a, "tile", "x", 0);
  int64_t n = to_int(e, need(e, a, "tile", "n", 1), here(e, a), "`tile`'s count");
  if (n < 1) fail(e, here(e, a), "the count is 1 at least", "`tile` %lld times", (long long)n);
  LEAFWISE(fn_tile);
  IrValue *v = any_array(e, x, here(e, a));
  int64_t apart[IR_MAX_RANK], dim[IR_MAX_RANK];
  int r = v->type.rank;
  if (!r || r == IR_MAX_RANK) fail(e, here(e, a), "full(shape, x) repeats a number; an array of eight axes has no room for one more", "`tile` of %s", elab_type_text(e->arena, &v->type));
  memcpy(apart + 1, v->type.dim, sizeof *dim * (size_t)r);
  memcpy(dim, v->type.dim, sizeof *dim * (size_t)r);
  apart[0] = n;
  if (__builtin_mul_overflow(dim[0], n, &dim[0]) || dim[0] > INT32_MAX) fail(e, here(e, a), "an axis is shorter than 2^31", "`tile` %lld times of %s", (long long)n, elab_type_text(e->arena, &v->type));
  return same_kind(e, x, ir_reshape(&e->c.b, ir_spread(&e->c.b, v, r + 1, apart), r, dim));
}

// Elements of the last axis, the k-th n[k] times.
static Value *fn_repeat(Elab *e, const Args *a) {
  most(e, a, "repeat", 2);
  IrValue *x = to_array(e, need(e, a, "repeat", "x", 0), here(e, a));
  Value *n = need(e, a, "repeat", "n", 1);
  if (!x->type.rank) fail(e, here(e, a), "use broadcast", "`repeat` of a scalar");
  int64_t size = x->type.dim[x->type.rank - 1], total = 0;
  VEC(int32_t) idx = {0};
  for (int64_t k = 0; k < size; k++) {
    int64_t c = n->kind == V_LIST ? (k < n->n ? size_of(e, n->item[k], here(e, a), "a count") : 0) : size_of(e, n, here(e, a), "a count");
    if (total + c > 10000000) fail(e, here(e, a), "use broadcast and reshape, or a gather", "`repeat` to more than 10 million elements");
    for (int64_t j = 0; j < c; j++, total++) vec_push(e->arena, &idx, (int32_t)k);
  }
  if (n->kind == V_LIST && n->n != size) fail(e, here(e, a), "give one number for all, or a count for each element of the last axis", "`repeat` of %lld elements by %d counts", (long long)size, n->n);
  IrValue *at = ir_const(&e->c.b, ir_type(IR_I32, 1, &total), idx.at, sizeof *idx.at * (size_t)total);
  int64_t perm[IR_MAX_RANK], back[IR_MAX_RANK];
  int r = x->type.rank;
  for (int k = 0; k < r; k++) { perm[k] = (k + r - 1) % r; back[k] = (k + 1) % r; }
  if (r == 1) return value_array(e, ir_gather(&e->c.b, x, at, 0));
  return value_array(e, ir_transpose(&e->c.b, ir_gather(&e->c.b, ir_transpose(&e->c.b, x, perm), at, 0), back));
}

static Value *fn_parts(Elab *e, const Args *a) {
  most(e, a, "parts", 2);
  IrValue *x = to_array(e, need(e, a, "parts", "x", 0), here(e, a));
  Value *n = need(e, a, "parts", "n", 1);
  int r = x->type.rank;
  if (!r) fail(e, here(e, a), "it divides the last axis: the array needs at least one", "`parts` of a scalar");
  int64_t size = x->type.dim[r - 1], count = n->kind == V_LIST ? n->n : to_int(e, n, here(e, a), "the number of parts"), at = 0;
  if (count < 1 || count > 4096 || (n->kind != V_LIST && size % count)) fail(e, here(e, a), "the number of parts must divide the axis; parts(x, [n, m]) makes parts of different sizes", "%lld equal parts of an axis of %lld", (long long)count, (long long)size);
  Value **item = arena_array(e->arena, Value *, count);
  for (int64_t k = 0; k < count; k++) {
    int64_t len = n->kind == V_LIST ? to_int(e, n->item[k], here(e, a), "the size of a part") : size / count;
    int64_t start[IR_MAX_RANK] = {0}, limit[IR_MAX_RANK], stride[IR_MAX_RANK];
    for (int j = 0; j < r; j++) { limit[j] = x->type.dim[j]; stride[j] = 1; }
    start[r - 1] = at;
    if (len >= 0 && len <= size) limit[r - 1] = at += len;
    if (len < 0 || len > size || at > size) fail(e, here(e, a), "their sizes add up to the axis", "the parts are longer than the axis of %lld", (long long)size);
    item[k] = value_array(e, ir_slice(&e->c.b, x, start, limit, stride));
  }
  if (at != size) fail(e, here(e, a), "their sizes add up to the axis", "the parts make %lld of an axis of %lld", (long long)at, (long long)size);
  return value_rec(e, (int)count, item, NULL);
}

static Value *fn_pad(Elab *e, const Args *a) {
  most(e, a, "pad", 3);
  LEAFWISE(fn_pad);
  IrValue *x = to_array(e, need(e, a, "pad", "x", 0), here(e, a));
  int64_t lo[IR_MAX_RANK] = {0}, hi[IR_MAX_RANK] = {0}, inner[IR_MAX_RANK] = {0};
  Value *l = need(e, a, "pad", "lo", 1), *h = arg(a, "hi", 2);
  if (to_dims(e, l, here(e, a), lo) != x->type.rank || (h && to_dims(e, h, here(e, a), hi) != x->type.rank))
    fail(e, here(e, a), "pad(x, [0, 1], [0, 1])", "`pad` of %s needs %d counts before and behind", elab_type_text(e->arena, &x->type), x->type.rank);
  if (!h) memcpy(hi, lo, sizeof hi);
  return value_array(e, ir_pad(&e->c.b, x, lo, hi, inner));
}

// x[..., n] at idx[...]: one element of the last axis for each index.
static Value *fn_take(Elab *e, const Args *a) {
  most(e, a, "take", 2);
  IrValue *x = to_array(e, need(e, a, "take", "x", 0), here(e, a));
  IrValue *i = to_array(e, need(e, a, "take", "index", 1), here(e, a));
  if (!ir_is_int(i->type.dtype)) fail(e, here(e, a), "convert it: i32(…)", "`take` by %s: an index is an integer", elab_type_text(e->arena, &i->type));
  int nb = i->type.rank;
  bool ok = x->type.rank == nb + 1;
  for (int k = 0; ok && k < nb; k++) ok = x->type.dim[k] == i->type.dim[k];
  if (!ok)
    fail(e, here(e, a), "the index has the axes of the array but its last", "`take` of %s by %s", elab_type_text(e->arena, &x->type), elab_type_text(e->arena, &i->type));
  return value_array(e, ir_gather(&e->c.b, x, ir_cast(&e->c.b, i, IR_I32), nb));
}

static IrValue *scatter(Elab *e, const char *name, IrValue *x, IrValue *i, IrValue *u, IrScatter mode, Loc loc) {
  IrAttr at[2] = {ir_attr_int(e->arena, A_BATCH, 0), ir_attr_int(e->arena, A_MODE, mode)};
  IrValue *in[3] = {x, i, u};
  return checked(e, name, IR_SCATTER, 3, in, 2, at, loc)->out[0];
}

static Value *scattered(Elab *e, const Args *a, IrScatter mode, const char *name) {
  most(e, a, name, 3);
  Loc loc = here(e, a);
  IrValue *x = to_array(e, need(e, a, name, "x", 0), loc);
  IrValue *i = to_array(e, need(e, a, name, "index", 1), loc);
  IrValue *u = to_dtype(e, need(e, a, name, "rows", 2), x->type.dtype, loc);
  if (!ir_is_int(i->type.dtype)) fail(e, loc, "convert it: i32(…)", "`%s` by %s: an index is an integer", name, elab_type_text(e->arena, &i->type));
  if (!x->type.rank) fail(e, loc, "it changes rows along the first axis: the array needs at least one", "`%s` into a scalar", name);
  IrType want = {.dtype = x->type.dtype, .rank = i->type.rank + x->type.rank - 1}, both;
  if (want.rank > IR_MAX_RANK) fail(e, loc, "join some of the axes first: flatten(x, n)", "`%s` of more than %d axes", name, IR_MAX_RANK);
  memcpy(want.dim, i->type.dim, sizeof *want.dim * (size_t)i->type.rank);
  memcpy(want.dim + i->type.rank, x->type.dim + 1, sizeof *want.dim * (size_t)(x->type.rank - 1));
  broadcast_shapes(e, loc, "the rows and their place", u->type, want, &both);
  if (!ir_type_eq(&both, &want)) fail(e, loc, "one row of the array for each index; rows may be smaller, and are repeated", "`%s`: %s does not fit into a place of %s", name, elab_type_text(e->arena, &u->type), elab_type_text(e->arena, &want));
  return value_array(e, scatter(e, name, x, ir_cast(&e->c.b, i, IR_I32), ir_spread(&e->c.b, u, want.rank, want.dim), mode, loc));
}
static Value *fn_scatter_add(Elab *e, const Args *a) { return scattered(e, a, SCATTER_ADD, "scatter_add"); }
static Value *fn_scatter_max(Elab *e, const Args *a) { return scattered(e, a, SCATTER_MAX, "scatter_max"); }

static Value *segment(Elab *e, const Args *a, IrScatter mode, const char *name) {
  most(e, a, name, 3);
  IrValue *x = to_array(e, need(e, a, name, "x", 0), here(e, a));
  IrValue *i = to_array(e, need(e, a, name, "segment", 1), here(e, a));
  if (!ir_is_int(i->type.dtype)) fail(e, here(e, a), "convert it: i32(…)", "`%s` by %s: a segment is an integer", name, elab_type_text(e->arena, &i->type));
  i = ir_cast(&e->c.b, i, IR_I32);
  int64_t n = size_of(e, need(e, a, name, "n", 2), here(e, a), "the number of segments");
  if (i->type.rank != 1 || !x->type.rank || x->type.dim[0] != i->type.dim[0])
    fail(e, here(e, a), "the segments are i32[n], where the first axis of the array is n", "`%s` of %s by %s: one segment number for each row", name, elab_type_text(e->arena, &x->type), elab_type_text(e->arena, &i->type));
  IrType t = x->type;
  t.dim[0] = n;
  IrValue *zero = ir_fill(&e->c.b, t, mode == SCATTER_MAX ? -INFINITY : 0);
  return value_array(e, scatter(e, name, zero, i, x, mode, here(e, a)));
}
static Value *fn_segment_sum(Elab *e, const Args *a) { return segment(e, a, SCATTER_ADD, "segment_sum"); }
static Value *fn_segment_max(Elab *e, const Args *a) { return segment(e, a, SCATTER_MAX, "segment_max"); }

// ---- products -----------------------------------------------------------------------------------------

typedef struct Term { char label[IR_MAX_RANK]; int n; } Term;

static Term read_term(Elab *e, const char **s, Loc loc) {
  Term t = {.n = 0};
  for (; **s && **s != ',' && **s != '-'; (*s)++) {
    if (**s == ' ') continue;
    if (!isalpha((unsigned char)**s) || t.n == IR_MAX_RANK) fail(e, loc, "write einsum(\"b t h, b s h -> b t s\", x, y)", "`einsum` cannot read its formula at `%s`", *s);
    for (int k = 0; k < t.n; k++) if (t.label[k] == **s) fail(e, loc, "give each axis a letter of its own; a diagonal is x[iota(n), iota(n)]", "`einsum`: the letter `%c` twice in one term", **s);
    t.label[t.n++] = **s;
  }
  return t;
}

static int label_at(const Term *t, char c) {
  for (int k = 0; k < t->n; k++) if (t->label[k] == c) return k;
  return -1;
}

// Sums axes that no other term has, then orders the rest as `order` says.
static IrValue *arrange(Elab *e, IrValue *x, Term *t, const char *order, int n) {
  int64_t axes[IR_MAX_RANK], perm[IR_MAX_RANK];
  int drop = 0, kept = 0;
  Term left = {.n = 0};
  for (int k = 0; k < t->n; k++) {
    if (memchr(order, t->label[k], (size_t)n)) left.label[left.n++] = t->label[k];
    else axes[drop++] = k;
  }
  if (drop) x = ir_reduce(&e->c.b, IR_SUM, x, drop, axes);
  bool same = true;
  for (int k = 0; k < n; k++) {
    int at = label_at(&left, order[k]);
    if (at < 0) continue;
    same &= at == kept;
    perm[kept++] = at;
  }
  *t = (Term){.n = 0};
  for (int k = 0; k < n; k++) if (label_at(&left, order[k]) >= 0) t->label[t->n++] = order[k];
  return same ? x : ir_transpose(&e->c.b, x, perm);
}

// Two arrays with the axes a and b -> one with the axes `out`.
static IrValue *contract(Elab *e, Loc loc, IrValue *x, Term *a, IrValue *y, Term *b, const Term *out, const int64_t *size) {
  // batch letters in both and the result, contracted ones in both, free ones in one
  char bat[IR_MAX_RANK], con[IR_MAX_RANK], fx[IR_MAX_RANK], fy[IR_MAX_RANK];
  int nb = 0, nc = 0, nfx = 0, nfy = 0;
  for (int k = 0; k < a->n; k++) {
    char c = a->label[k];
    bool in_y = label_at(b, c) >= 0, in_out = label_at(out, c) >= 0;
    if (in_y && in_out) bat[nb++] = c;
    else if (in_y) con[nc++] = c;
    else if (in_out) fx[nfx++] = c;
  }
  for (int k = 0; k < b->n; k++) {
    char c = b->label[k];
    if (label_at(a, c) < 0 && label_at(out, c) >= 0) fy[nfy++] = c;
  }
  char ox[2 * IR_MAX_RANK], oy[2 * IR_MAX_RANK];
  memcpy(ox, bat, (size_t)nb);
  memcpy(ox + nb, fx, (size_t)nfx);
  memcpy(ox + nb + nfx, con, (size_t)nc);
  memcpy(oy, bat, (size_t)nb);
  memcpy(oy + nb, con, (size_t)nc);
  memcpy(oy + nb + nc, fy, (size_t)nfy);
  x = arrange(e, x, a, ox, nb + nfx + nc);
  y = arrange(e, y, b, oy, nb + nc + nfy);
  int64_t dx[IR_MAX_RANK], dy[IR_MAX_RANK], dout[IR_MAX_RANK], m = 1, n = 1, kk = 1;
  for (int k = 0; k < nb; k++) dx[k] = dy[k] = size[(int)bat[k]];
  for (int k = 0; k < nfx; k++) m *= size[(int)fx[k]];
  for (int k = 0; k < nfy; k++) n *= size[(int)fy[k]];
  for (int k = 0; k < nc; k++) kk *= size[(int)con[k]];
  if (nb + 2 > IR_MAX_RANK) fail(e, loc, "join some of the axes first: flatten(x, n)", "`einsum` with more than %d batch letters", IR_MAX_RANK - 2);
  dx[nb] = m, dx[nb + 1] = kk, dy[nb] = kk, dy[nb + 1] = n;
  IrValue *r = ir_dot(&e->c.b, ir_reshape(&e->c.b, x, nb + 2, dx), ir_reshape(&e->c.b, y, nb + 2, dy), nb, false, false);
  Term got = {.n = 0};
  for (int k = 0; k < nb; k++) got.label[got.n++] = bat[k];
  for (int k = 0; k < nfx; k++) got.label[got.n++] = fx[k];
  for (int k = 0; k < nfy; k++) got.label[got.n++] = fy[k];
  for (int k = 0; k < got.n; k++) dout[k] = size[(int)got.label[k]];
  r = ir_reshape(&e->c.b, r, got.n, dout);
  return arrange(e, r, &got, out->label, out->n);
}

// The axes of a and of one more term that the result or a later term needs.
static Term needed(Elab *e, Loc loc, const Term *a, const Term *b, int nlater, const Term *later, const Term *out) {
  Term t = {.n = 0};
  for (int k = 0; k < a->n + b->n; k++) {
    char c = k < a->n ? a->label[k] : b->label[k - a->n];
    bool used = label_at(out, c) >= 0;
    for (int j = 0; j < nlater; j++) used |= label_at(&later[j], c) >= 0;
    if (!used || label_at(&t, c) >= 0) continue;
    if (t.n == IR_MAX_RANK) fail(e, loc, "write it as several, with fewer letters at a time", "`einsum`: more than %d axes at once", IR_MAX_RANK);
    t.label[t.n++] = c;
  }
  return t;
}

#define MOST_TERMS 8

// From left to right: each array is contracted with what those before it made.
static Value *fn_einsum(Elab *e, const Args *a) {
  Loc loc = here(e, a);
  if (a->n < 2 || a->n > 1 + MOST_TERMS || a->value[0]->kind != V_STR) fail(e, loc, "einsum(\"b t h, b s h -> b t s\", x, y)", "`einsum` takes a formula and one to %d arrays", MOST_TERMS);
  const char *s = a->value[0]->s;
  int nx = a->n - 1;
  Term in[MOST_TERMS], out;
  IrValue *x[MOST_TERMS];
  IrDtype dt = common_dtype(e, loc, "the arrays of `einsum`", nx, a->value + 1);
  if (dt == IR_BOOL) fail(e, loc, "convert it: f32(…) or i32(…)", "`einsum` multiplies and adds numbers, not bools");
  int64_t size[128];
  for (int k = 0; k < 128; k++) size[k] = -1;
  Lens lens[128] = {0};                          // of each letter's one axis
  char letters[MOST_TERMS * IR_MAX_RANK + 1] = {0};
  for (int k = 0; k < nx; k++) {
    in[k] = read_term(e, &s, loc);
    if (*s == ',') s++;
    x[k] = to_dtype(e, storage(e, a->value[k + 1]), dt, loc);
    if (x[k]->type.rank != in[k].n) fail(e, loc, "write one letter for each axis", "`einsum`: term %d has %d letters, but its array is %s", k + 1, in[k].n, elab_type_text(e->arena, &x[k]->type));
    for (int j = 0; j < in[k].n; j++) {
      int64_t *d = &size[(int)in[k].label[j]];
      if (*d >= 0 && *d != x[k]->type.dim[j]) fail(e, loc, "a letter stands for one size wherever it is written", "`einsum`: `%c` is %lld and %lld", in[k].label[j], (long long)*d, (long long)x[k]->type.dim[j]);
      *d = x[k]->type.dim[j];
      letters[strlen(letters)] = in[k].label[j];
    }
  }
  if (!strncmp(s, "->", 2) ? strchr(a->value[0]->s, ',') == s : s > a->value[0]->s && s[-1] == ',') fail(e, loc, "give an array for each term", "`einsum`: the formula has more terms than the %d array%s given", nx, nx == 1 ? "" : "s");
  if (strncmp(s, "->", 2) != 0) fail(e, loc, "write einsum(\"b t h, b s h -> b t s\", x, y)", "`einsum`: expected `->` and the result's letters");
  s += 2;
  out = read_term(e, &s, loc);
  for (int k = 0; k < out.n; k++)
    if (!strchr(letters, out.label[k])) fail(e, loc, "letters of the result come from the terms; broadcast(x, shape) repeats an array", "`einsum`: the result's `%c` stands in no term", out.label[k]);
  for (int k = 0; k < nx; k++) {
    Value *v = a->value[k + 1]->kind == V_BOUNDED ? bounded(e, x[k], a->value[k + 1]->len) : value_array(e, x[k]);
    int64_t summed[IR_MAX_RANK];
    int n = 0;
    for (int j = 0; j < in[k].n; j++) {
      if (len_of(v, j) || size[(int)in[k].label[j]] > 1) lens_join(e, &lens[(int)in[k].label[j]], 0, v, j, loc, "the arrays of `einsum`");
      if (label_at(&out, in[k].label[j]) < 0) summed[n++] = j;
    }
    if (v->kind == V_BOUNDED) x[k] = masked(e, v, n, summed, 0);
  }
  for (int k = 1; k < nx; k++) {
    Term to = k + 1 < nx ? needed(e, loc, &in[0], &in[k], nx - k - 1, in + k + 1, &out) : out;
    x[0] = contract(e, loc, x[0], &in[0], x[k], &in[k], &to, size);
    in[0] = to;
  }
  if (nx == 1) x[0] = arrange(e, x[0], &in[0], out.label, out.n);
  IrValue *len[IR_MAX_RANK] = {NULL};
  for (int k = 0; k < out.n; k++) len[k] = lens[(int)out.label[k]].at[0];
  return bounded(e, x[0], len);
}

// A number for each of nd axes, one for all or a list; one axis is two, the first of size 1.
static void window_numbers(Elab *e, Value *v, int nd, int64_t otherwise, int64_t idle, int64_t least, Loc loc, const char *what, int64_t *out) {
  bool list = v && v->kind == V_LIST;
  if (list && (nd == 1 || v->n != 2)) fail(e, loc, nd == 1 ? "there is one axis: write a number" : "one number serves both axes: 2, or [2, 1]", "%s of %s", what, value_text(e, v));
  for (int k = 0; k < 2; k++) {
    out[k] = v ? to_int(e, list ? v->item[k] : v, loc, what) : otherwise;
    if (out[k] < least || out[k] > INT32_MAX) fail(e, loc, least ? "it is 1 or more, below 2^31" : "it is 0 or more, below 2^31; a slice cuts rows off", "%s of %lld", what, (long long)out[k]);
  }
  if (nd == 1) out[0] = idle;
}

typedef struct Window { int64_t stride[2], dilate[2], lo[2], hi[2], groups; bool same; } Window;

static Window read_window(Elab *e, const Args *a, int nd, Loc loc) {
  Window w = {.groups = 1};
  window_numbers(e, arg(a, "stride", 2), nd, 1, 1, 1, loc, "a stride", w.stride);
  window_numbers(e, arg(a, "dilation", 4), nd, 1, 1, 1, loc, "a dilation", w.dilate);
  if (arg(a, "groups", 5)) w.groups = to_int(e, arg(a, "groups", 5), loc, "`groups`");
  Value *pad = arg(a, "pad", 3);
  w.same = pad && pad->kind == V_STR;
  if (w.same && strcmp(pad->s, "same") != 0) fail(e, loc, "pad = \"same\", or a number", "unknown padding \"%s\"", pad->s);
  if (!w.same) window_numbers(e, pad, nd, 0, 0, 0, loc, "a padding", w.lo);
  memcpy(w.hi, w.lo, sizeof w.hi);
  return w;
}

// What makes ceil(size / stride) windows fit.
static void same_padding(Window *w, const int64_t *size, const int64_t *kernel) {
  for (int k = 0; k < 2 && w->same; k++) {
    int64_t reach = w->dilate[k] * (kernel[k] - 1) + 1;
    int64_t out = (size[k] + w->stride[k] - 1) / w->stride[k], total = (out - 1) * w->stride[k] + reach - size[k];
    if (total < 0) total = 0;
    w->lo[k] = total / 2;
    w->hi[k] = total - w->lo[k];
  }
}

// The image that the convolution's adjoint gives: x [n, h, w, o] -> [n, H, W, c].
static IrType unconvolved(const IrValue *x, const IrValue *w, Window *win) {
  IrType t = x->type;
  t.dim[3] = w->type.dim[2] * win->groups;
  for (int k = 0; k < 2; k++) {
    int64_t reach = win->dilate[k] * (w->type.dim[k] - 1) + 1;
    if (win->same) t.dim[1 + k] = x->type.dim[1 + k] * win->stride[k];
    else t.dim[1 + k] = (x->type.dim[1 + k] - 1) * win->stride[k] + reach - win->lo[k] - win->hi[k];
    if (t.dim[1 + k] < 0) t.dim[1 + k] = 0;
  }
  same_padding(win, t.dim + 1, w->type.dim);
  return t;
}

static void fit_channels(Elab *e, const char *name, const IrValue *x, const IrValue *w, int64_t groups, bool adjoint, const char *help, Loc loc) {
  int64_t have = x->type.dim[3], in = w->type.dim[2], out = w->type.dim[3];
  if (groups < 1 || out % groups) fail(e, loc, "`groups` divides the channels and the outputs", "`%s` of %lld outputs in %lld groups", name, (long long)out, (long long)groups);
  if (adjoint && have != out) fail(e, loc, help, "`%s`: x has %lld channels, and w has %lld outputs", name, (long long)have, (long long)out);
  if (!adjoint && have != in * groups)
    fail(e, loc, help, "`%s`: x has %lld channels, and w takes %lld in %lld group%s", name, (long long)have, (long long)in, (long long)groups, groups == 1 ? "" : "s");
}

static const char *const conv_shapes[2][2] = {
  {"x is [batch, length, channels], w is [k, channels / groups, outputs]; strides are 1 or more",
   "x is [batch, length, outputs], w is [k, channels / groups, outputs]: the shapes of conv1d's result and kernel"},
  {"x is [batch, height, width, channels], w is [kh, kw, channels / groups, outputs]; strides are 1 or more",
   "x is [batch, height, width, outputs], w is [kh, kw, channels / groups, outputs]: the shapes of conv2d's result and kernel"}};

static Value *convolve(Elab *e, const Args *a, const char *name, int nd, bool adjoint) {
  most(e, a, name, 6);
  Loc loc = here(e, a);
  const char *help = conv_shapes[nd - 1][adjoint];
  Value *xv = need(e, a, name, "x", 0), *wv = need(e, a, name, "w", 1);
  char what[64];
  snprintf(what, sizeof what, "the operands of `%s`", name);
  IrDtype dt = common_dtype(e, loc, what, 2, (Value *[]){xv, wv});
  IrValue *x = to_dtype(e, xv, dt, loc), *w = to_dtype(e, wv, dt, loc);
  const char *xt = elab_type_text(e->arena, &x->type), *wt = elab_type_text(e->arena, &w->type);
  if (dt == IR_BOOL) fail(e, loc, "convert it: f32(…) or i32(…)", "`%s` multiplies and adds numbers, not bools", name);
  if (x->type.rank != nd + 2 || w->type.rank != nd + 2) fail(e, loc, help, "`%s` of %s by %s", name, xt, wt);
  if (nd == 1) {
    x = ir_reshape(&e->c.b, x, 4, (int64_t[]){x->type.dim[0], 1, x->type.dim[1], x->type.dim[2]});
    w = ir_reshape(&e->c.b, w, 4, (int64_t[]){1, w->type.dim[0], w->type.dim[1], w->type.dim[2]});
  }
  if (!w->type.dim[0] || !w->type.dim[1]) fail(e, loc, help, "`%s` by an empty kernel, %s", name, wt);
  Window win = read_window(e, a, nd, loc);
  fit_channels(e, name, x, w, win.groups, adjoint, help, loc);
  IrType image = x->type;
  if (adjoint) image = unconvolved(x, w, &win);
  else same_padding(&win, image.dim + 1, w->type.dim);
  IrAttr at[5] = {ir_attr_ints(e->arena, A_STRIDE, 2, win.stride), ir_attr_ints(e->arena, A_LO, 2, win.lo), ir_attr_ints(e->arena, A_HI, 2, win.hi),
                  ir_attr_ints(e->arena, A_DILATE, 2, win.dilate), ir_attr_int(e->arena, A_GROUPS, win.groups)};
  IrValue *in[2] = {x, w};
  IrType out[1];
  int nout;
  IrCode c = adjoint ? IR_CONV_DX : IR_CONV;
  const IrType *want = adjoint ? &image : NULL;
  const char *why = ir_infer(e->arena, c, 2, in, want, 5, at, 0, NULL, out, &nout);
  if (why) fail(e, loc, help, "`%s` of %s by %s: %s", name, xt, wt, why);
  IrValue *y = ir_build(&e->c.b, c, 2, in, want, 5, at, 0, NULL)->out[0];
  if (nd == 1) y = ir_reshape(&e->c.b, y, 3, (int64_t[]){y->type.dim[0], y->type.dim[2], y->type.dim[3]});
  return value_array(e, y);
}
static Value *fn_conv1d(Elab *e, const Args *a) { return convolve(e, a, "conv1d", 1, false); }
static Value *fn_conv2d(Elab *e, const Args *a) { return convolve(e, a, "conv2d", 2, false); }
static Value *fn_conv1d_transpose(Elab *e, const Args *a) { return convolve(e, a, "conv1d_transpose", 1, true); }
static Value *fn_conv2d_transpose(Elab *e, const Args *a) { return convolve(e, a, "conv2d_transpose", 2, true); }

// ---- linear algebra -------------------------------------------------------------------------------------

static Value *fn_qr(Elab *e, const Args *a) {
  most(e, a, "qr", 1);
  IrValue *x = to_array(e, need(e, a, "qr", "x", 0), here(e, a));
  IrOp *op = checked(e, NULL, IR_QR, 1, &x, 0, NULL, here(e, a));
  return value_rec(e, 2, (Value *[]){value_array(e, op->out[0]), value_array(e, op->out[1])}, (const char *[]){"q", "r"});
}

static Value *fn_cholesky(Elab *e, const Args *a) {
  most(e, a, "cholesky", 1);
  IrValue *x = to_array(e, need(e, a, "cholesky", "x", 0), here(e, a));
  return value_array(e, checked(e, NULL, IR_CHOLESKY, 1, &x, 0, NULL, here(e, a))->out[0]);
}

static Value *fn_triangular_solve(Elab *e, const Args *a) {
  most(e, a, "triangular_solve", 3);
  IrValue *in[2] = {to_array(e, need(e, a, "triangular_solve", "l", 0), here(e, a)), to_array(e, need(e, a, "triangular_solve", "x", 1), here(e, a))};
  Value *t = arg(a, "transpose", 2);
  IrAttr at = ir_attr_int(e->arena, A_TA, t ? to_bool(e, t, here(e, a), "`transpose`") : 0);
  return value_array(e, checked(e, NULL, IR_TRISOLVE, 2, in, 1, &at, here(e, a))->out[0]);
}

// The argument x: matrices of floats, square or not.
static IrValue *matrix(Elab *e, const Args *a, const char *fn, bool square, bool may_be_complex) {
  most(e, a, fn, 1);
  IrValue *x = to_array(e, need(e, a, fn, "x", 0), here(e, a));
  IrType t = x->type;
  const char *text = elab_type_text(e->arena, &t);
  if (ir_is_int(t.dtype) || t.dtype == IR_BOOL || t.dtype == IR_BF16) fail(e, here(e, a), "convert it: f32(…)", "`%s` takes f32 or f64, not %s", fn, text);
  if (ir_is_complex(t.dtype) && !may_be_complex) fail(e, here(e, a), "eigh and eigvals take complex matrices", "`%s` takes f32 or f64, not %s", fn, text);
  if (t.rank < 2) fail(e, here(e, a), "a matrix has two axes: rows and columns", "`%s` of %s", fn, text);
  if (square && t.dim[t.rank - 2] != t.dim[t.rank - 1]) fail(e, here(e, a), "the last two axes are equally long; svd and qr take others", "`%s` takes square matrices, not %s", fn, text);
  return x;
}

static Value *decompose(Elab *e, const Args *a, IrCode c, int nout, const char *const *name) {
  IrValue *x = matrix(e, a, ir_info[c].name, true, c == IR_EIGH);
  IrOp *op = checked(e, NULL, c, 1, &x, 0, NULL, here(e, a));
  Value *item[3];
  for (int k = 0; k < nout; k++) item[k] = value_array(e, op->out[k]);
  return value_rec(e, nout, item, (const char **)name);
}
static Value *fn_lu(Elab *e, const Args *a) { return decompose(e, a, IR_LU, 2, (const char *[]){"lu", "perm"}); }
static Value *fn_eigh(Elab *e, const Args *a) { return decompose(e, a, IR_EIGH, 2, (const char *[]){"w", "v"}); }

// A wide matrix by its transpose: x^T = v diag(s) u^T.
static Value *fn_svd(Elab *e, const Args *a) {
  IrValue *x = matrix(e, a, "svd", false, false);
  int r = x->type.rank;
  bool wide = r >= 2 && x->type.dim[r - 2] < x->type.dim[r - 1];
  if (wide) {
    int64_t perm[IR_MAX_RANK];
    for (int k = 0; k < r; k++) perm[k] = k;
    perm[r - 2] = r - 1, perm[r - 1] = r - 2;
    x = ir_transpose(&e->c.b, x, perm);
  }
  IrOp *op = checked(e, NULL, IR_SVD, 1, &x, 0, NULL, here(e, a));
  Value *item[3] = {value_array(e, op->out[wide ? 2 : 0]), value_array(e, op->out[1]), value_array(e, op->out[wide ? 0 : 2])};
  return value_rec(e, 3, item, (const char *[]){"u", "s", "v"});
}

static Value *fn_eigvals(Elab *e, const Args *a) {
  IrValue *x = matrix(e, a, "eigvals", true, true);
  return value_array(e, checked(e, NULL, IR_EIG, 1, &x, 0, NULL, here(e, a))->out[0]);
}

static Value *fn_fft(Elab *e, const Args *a) {
  most(e, a, "fft", 2);
  IrValue *x = to_array(e, need(e, a, "fft", "x", 0), here(e, a));
  Value *back = arg(a, "reversed", 1);
  if (x->type.dtype == IR_F32 || x->type.dtype == IR_F64) x = ir_cast(&e->c.b, x, x->type.dtype == IR_F32 ? IR_C64 : IR_C128);
  if (!ir_is_complex(x->type.dtype)) fail(e, here(e, a), "convert it: f32(…)", "`fft` takes floats or complex numbers, not %s", elab_type_text(e->arena, &x->type));
  if (!x->type.rank) fail(e, here(e, a), "it goes along the last axis: the array needs at least one", "`fft` of a scalar");
  IrAttr at = ir_attr_int(e->arena, A_REVERSE, back ? to_bool(e, back, here(e, a), "`reversed`") : 0);
  return value_array(e, checked(e, NULL, IR_FFT, 1, &x, 1, &at, here(e, a))->out[0]);
}

// ---- random numbers ---------------------------------------------------------------------------------------
//
// Keys and bits are laid out as in JAX's partitionable Threefry: element i of a draw is
// threefry(key, i), its 32 bits the exclusive or of both words.

static IrValue *key_arg(Elab *e, const Args *a, const char *fn) {
  Value *k = need(e, a, fn, "key", 0);
  if (k->kind != V_KEY) fail(e, at_arg(e, a, 0), "pass `key` first", "`%s` takes a key first, found %s", fn, value_text(e, k));
  if (k->ir->type.rank) fail(e, at_arg(e, a, 0), "each k in keys { … }", "`%s` takes one key, found %s", fn, value_text(e, k));
  return k->ir;
}

static IrValue *spread_key(Elab *e, IrValue *key, IrType t) {
  t.dtype = IR_U64;
  return ir_spread(&e->c.b, key, t.rank, t.dim);
}

static IrValue *counters(Elab *e, IrType t) {
  int64_t n = ir_count(&t);
  IrValue *c = ir_iota(&e->c.b, ir_type(IR_U64, 1, &n), 0);
  return ir_reshape(&e->c.b, c, t.rank, t.dim);
}

static IrValue *random_bits(Elab *e, IrValue *key, IrType t) {
  IrBuilder *b = &e->c.b;
  IrType u = t;
  u.dtype = IR_U64;
  IrValue *r = ir_bin(b, IR_THREEFRY, spread_key(e, key, t), counters(e, t));
  IrValue *hi = ir_bin(b, IR_SHR, r, ir_fill(b, u, 32));
  return ir_cast(b, ir_bin(b, IR_XOR, hi, r), IR_U32);
}

// f32 in [0, 1): 23 random bits behind a 1, minus 1.
static IrValue *unit(Elab *e, IrValue *key, IrType t) {
  IrBuilder *b = &e->c.b;
  IrType u = t, f = t;
  u.dtype = IR_U32;
  f.dtype = IR_F32;
  IrValue *m = ir_bin(b, IR_OR, ir_bin(b, IR_SHR, random_bits(e, key, t), ir_fill(b, u, 9)), ir_fill(b, u, (double)0x3f800000));
  IrValue *x = ir_build(b, IR_BITCAST, 1, &m, &f, 0, NULL, 0, NULL)->out[0];
  return ir_bin(b, IR_SUB, x, ir_fill(b, f, 1));
}

static IrType draw_shape(Elab *e, Value *shape, Loc loc) {
  IrType t = {.dtype = IR_F32};
  if (shape) t.rank = to_dims(e, shape, loc, t.dim);
  return t;
}

static Value *scaled(Elab *e, IrValue *x, Value *lo, Value *hi, Loc loc) {
  Value *v = value_array(e, x);
  if (!lo && !hi) return v;
  if (!lo) lo = value_real(e, 0);
  if (!hi) hi = value_real(e, 1);
  Value *span = binary(e, AST_SUB, hi, lo, loc);
  v = binary(e, AST_ADD, binary(e, AST_MUL, v, span, loc), lo, loc);
  return element2(e, IR_MAX, v, lo, loc);
}

static Value *fn_uniform(Elab *e, const Args *a) {
  SHAPED(fn_uniform, 1);
  most(e, a, "uniform", 4);
  IrValue *key = key_arg(e, a, "uniform");
  return scaled(e, unit(e, key, draw_shape(e, arg(a, "shape", 1), here(e, a))), arg(a, "low", 2), arg(a, "high", 3), here(e, a));
}

static IrValue *normal_draw(Elab *e, IrValue *key, IrType t, Loc loc) {
  float lo = nextafterf(-1.0f, 0.0f);
  Value *u = scaled(e, unit(e, key, t), value_real(e, lo), value_real(e, 1), loc);
  IrValue *x = ir_un(&e->c.b, IR_ERFINV, u->ir);
  t.dtype = IR_F32;
  return ir_bin(&e->c.b, IR_MUL, x, ir_fill(&e->c.b, t, 1.4142135623730951));
}

static Value *fn_normal(Elab *e, const Args *a) {
  SHAPED(fn_normal, 1);
  most(e, a, "normal", 2);
  IrValue *key = key_arg(e, a, "normal");
  Value *shape = arg(a, "shape", 1);
  if (shape && shape->kind == V_TYPE) shape = type_zeros(e, shape->type);
  if (shape && (shape->kind == V_REC || shape->kind == V_ARRAY)) {         // a tree of draws shaped like this one
    Leaves l = {0};
    value_leaves(e, shape, "", &l);
    for (int k = 0; k < l.v.n; k++) {
      if (!ir_is_float(l.v.at[k]->type.dtype)) continue;
      IrValue *own = fold_in(e, key, u64_const(e, path_hash(l.path.at[k])));
      l.v.at[k] = ir_cast(&e->c.b, normal_draw(e, own, l.v.at[k]->type, here(e, a)), l.v.at[k]->type.dtype);
    }
    int at = 0;
    return value_rebuild(e, shape, l.v.at, &at);
  }
  return value_array(e, normal_draw(e, key, draw_shape(e, shape, here(e, a)), here(e, a)));
}

static Value *fn_gumbel(Elab *e, const Args *a) {
  SHAPED(fn_gumbel, 1);
  most(e, a, "gumbel", 2);
  IrValue *key = key_arg(e, a, "gumbel");
  Value *u = scaled(e, unit(e, key, draw_shape(e, arg(a, "shape", 1), here(e, a))), value_real(e, 1.17549435e-38), value_real(e, 1), here(e, a));
  IrBuilder *b = &e->c.b;
  IrValue *x = ir_un(b, IR_NEG, ir_un(b, IR_LOG, u->ir));
  return value_array(e, ir_un(b, IR_NEG, ir_un(b, IR_LOG, x)));
}

static Value *fn_randint(Elab *e, const Args *a) {
  SHAPED(fn_randint, 1);
  most(e, a, "randint", 4);
  Loc loc = here(e, a);
  IrValue *key = key_arg(e, a, "randint");
  IrBuilder *b = &e->c.b;
  IrType t = draw_shape(e, arg(a, "shape", 1), loc), u = t;
  u.dtype = IR_U64;
  IrValue *lo = to_dtype(e, need(e, a, "randint", "low", 2), IR_I32, loc), *hi = to_dtype(e, need(e, a, "randint", "high", 3), IR_I32, loc);
  // the high half of 32 random bits times the span; bias below span / 2^32
  IrType s;
  broadcast_shapes(e, loc, "the bounds of `randint`", lo->type, hi->type, &s);
  broadcast_shapes(e, loc, "the shape and the bounds of `randint`", t, s, &s);
  if (s.rank != t.rank || ir_count(&s) != ir_count(&t)) fail(e, loc, "randint(key, shape, low, high): the bounds are numbers, or arrays of the shape", "the bounds of `randint` have more elements than its shape");
  lo = ir_spread(b, lo, t.rank, t.dim);
  hi = ir_spread(b, hi, t.rank, t.dim);
  IrValue *span = ir_cast(b, ir_bin(b, IR_SUB, hi, lo), IR_U64);
  IrValue *r = ir_bin(b, IR_MUL, ir_cast(b, random_bits(e, key, t), IR_U64), span);
  return value_array(e, ir_bin(b, IR_ADD, lo, ir_cast(b, ir_bin(b, IR_SHR, r, ir_fill(b, u, 32)), IR_I32)));
}

static Value *fn_bernoulli(Elab *e, const Args *a) {
  SHAPED(fn_bernoulli, 1);
  most(e, a, "bernoulli", 3);
  IrValue *key = key_arg(e, a, "bernoulli");
  Value *u = value_array(e, unit(e, key, draw_shape(e, arg(a, "shape", 1), here(e, a))));
  Value *p = arg(a, "p", 2);
  return binary(e, AST_LT, u, p ? p : value_real(e, 0.5), here(e, a));
}

static Value *fn_permutation(Elab *e, const Args *a) {
  most(e, a, "permutation", 2);
  IrValue *key = key_arg(e, a, "permutation");
  Value *x = need(e, a, "permutation", "n", 1);
  int64_t n;
  if (x->kind == V_NUM) n = size_of(e, x, here(e, a), "the size of a permutation");
  else {
    Leaves l = {0};
    value_leaves(e, x, NULL, &l);
    if (!l.v.n || !l.v.at[0]->type.rank) fail(e, here(e, a), "permutation(key, n) orders 0 … n - 1, permutation(key, x) the rows of x", "`permutation` of %s", value_text(e, x));
    n = l.v.at[0]->type.dim[0];
  }
  IrValue *bits = random_bits(e, key, ir_type(IR_U32, 1, &n));
  IrAttr at = ir_attr_int(e->arena, A_AXIS, 0);
  IrValue *order = ir_build(&e->c.b, IR_ARGSORT, 1, &bits, NULL, 1, &at, 0, NULL)->out[0];
  return x->kind == V_NUM ? value_array(e, order) : index_at(e, x, order);
}

static Value *fn_random_bits(Elab *e, const Args *a) {
  most(e, a, "random_bits", 2);
  return value_array(e, random_bits(e, key_arg(e, a, "random_bits"), draw_shape(e, arg(a, "shape", 1), here(e, a))));
}

static Value *fn_split(Elab *e, const Args *a) {
  most(e, a, "split", 2);
  IrValue *key = key_arg(e, a, "split");
  int64_t n = size_of(e, need(e, a, "split", "n", 1), here(e, a), "the number of keys");
  IrType t = ir_type(IR_U64, 1, &n);
  return value_key(e, ir_bin(&e->c.b, IR_THREEFRY, spread_key(e, key, t), ir_iota(&e->c.b, t, 0)));
}

static Value *fn_fold_in(Elab *e, const Args *a) {
  most(e, a, "fold_in", 2);
  IrValue *key = key_arg(e, a, "fold_in");
  IrValue *d = to_array(e, need(e, a, "fold_in", "data", 1), here(e, a));
  if (d->type.rank || !ir_is_int(d->type.dtype)) fail(e, here(e, a), "fold_in(key, i), with i a number or an i32", "`fold_in` takes one integer, not %s", elab_type_text(e->arena, &d->type));
  return value_key(e, fold_in(e, key, ir_cast(&e->c.b, d, IR_U64)));
}

// seed -> key, as jax.random.key
static Value *fn_seed(Elab *e, const Args *a) {
  most(e, a, "seed_key", 1);
  IrValue *s = to_dtype(e, need(e, a, "seed_key", "seed", 0), IR_I64, here(e, a));
  return value_key(e, ir_cast(&e->c.b, s, IR_U64));
}

// ---- trees ------------------------------------------------------------------------------------------------

static Value *map_tree(Elab *e, Value *t, const char *path, Value *f, int nparam, Loc loc) {
  if (t->kind == V_REC) {
    Value **item = arena_array(e->arena, Value *, t->n ? t->n : 1);
    for (int k = 0; k < t->n; k++) {
      const char *name = t->name ? t->name[k] : arena_printf(e->arena, "%d", k);
      item[k] = map_tree(e, t->item[k], *path ? arena_printf(e->arena, "%s.%s", path, name) : name, f, nparam, loc);
    }
    return value_like(e, t, t->n, item);
  }
  Value *args[2] = {t, value_str(e, path)};
  Value *r = apply_values(e, f, nparam, args, loc);
  if (!value_is_tree(r)) fail(e, loc, "map(tree, |x| …) or map(tree, |x, path| …)", "`map` needs a function that gives an array, not %s", value_text(e, r));
  return r;
}

static int lambda_params(const Value *f) {
  if (f->kind == V_LAMBDA) return f->ast->nkid - 1;
  if (f->kind == V_DECL && f->decl->ast->kind == AST_FN) return f->decl->ast->fn->nparam;
  return 1;
}

static Value *fn_map(Elab *e, const Args *a) {
  most(e, a, "map", 2);
  Value *f = need(e, a, "map", "f", 1);
  return map_tree(e, need(e, a, "map", "tree", 0), "", f, lambda_params(f) >= 2 ? 2 : 1, here(e, a));
}

static Value *fn_fold(Elab *e, const Args *a) {
  most(e, a, "fold", 3);
  Value *t = need(e, a, "fold", "tree", 0), *s = need(e, a, "fold", "start", 1), *f = need(e, a, "fold", "f", 2);
  if (t->kind == V_LIST) {
    for (int k = 0; k < t->n; k++) s = apply_values(e, f, 2, (Value *[]){s, t->item[k]}, here(e, a));
    return s;
  }
  Leaves l = {0};
  value_leaves(e, t, "", &l);
  int n = lambda_params(f);
  for (int k = 0; k < l.v.n; k++) {
    Value *args[3] = {s, value_array(e, l.v.at[k]), value_str(e, l.path.at[k])};
    s = apply_values(e, f, n >= 3 ? 3 : 2, args, here(e, a));
  }
  return s;
}

// ---- while compiling -----------------------------------------------------------------------------------------

static Value *fn_len(Elab *e, const Args *a) {
  most(e, a, "len", 1);
  Value *x = need(e, a, "len", "x", 0);
  if (x->kind == V_LIST) return value_int(e, x->n);
  if (len_of(x, 0)) return length(e, len_of(x, 0), x->ir->type.dim[0]);
  if (x->kind != V_REC) any_array(e, storage(e, x), here(e, a));
  Leaves l = {.bounded = x->kind == V_BOUNDED};
  value_leaves(e, x, NULL, &l);
  if (!l.v.n) fail(e, here(e, a), "give it an array or a list", "`len` of nothing");
  for (int k = 0; k < l.v.n; k++) {
    if (!l.v.at[k]->type.rank) fail(e, here(e, a), "it is the size of the first axis: the array needs at least one", "`len` of a scalar");
    if (l.v.at[k]->type.dim[0] != l.v.at[0]->type.dim[0]) fail(e, here(e, a), "name one: len(x.field)", "the first axes of %s differ in size", value_text(e, x));
  }
  return value_int(e, l.v.at[0]->type.dim[0]);
}

static Value *text_test(Elab *e, const Args *a, const char *name, int how) {
  if (a->n != 2 || a->value[0]->kind != V_STR || a->value[1]->kind != V_STR) fail(e, here(e, a), signature_of(name), "`%s` takes two texts", name);
  const char *s = a->value[0]->s, *t = a->value[1]->s;
  size_t n = strlen(s), m = strlen(t);
  bool yes = how == 0 ? n >= m && strcmp(s + n - m, t) == 0 : how == 1 ? strncmp(s, t, m) == 0 : strstr(s, t) != NULL;
  return value_bool(e, yes);
}
static Value *fn_ends_with(Elab *e, const Args *a) { return text_test(e, a, "ends_with", 0); }
static Value *fn_starts_with(Elab *e, const Args *a) { return text_test(e, a, "starts_with", 1); }
static Value *fn_contains(Elab *e, const Args *a) { return text_test(e, a, "contains", 2); }

static Value *fn_discrete(Elab *e, const Args *a) {
  most(e, a, "discrete", 1);
  Value *n = need(e, a, "discrete", "n", 0);
  if (to_int(e, n, here(e, a), "the number of actions") < 1) fail(e, here(e, a), "actions are 0 … n - 1: discrete(2), or n numbers: box(1, -2.0, 2.0)", "an environment needs at least one action");
  return value_rec(e, 2, (Value *[]){value_str(e, "discrete"), n}, (const char *[]){"kind", "n"});
}

static Value *fn_box(Elab *e, const Args *a) {
  most(e, a, "box", 3);
  Value *n = need(e, a, "box", "n", 0), *lo = need(e, a, "box", "low", 1), *hi = need(e, a, "box", "high", 2);
  if (to_int(e, n, here(e, a), "the number of actions") < 1) fail(e, here(e, a), "actions are 0 … n - 1: discrete(2), or n numbers: box(1, -2.0, 2.0)", "an environment needs at least one action");
  return value_rec(e, 4, (Value *[]){value_str(e, "box"), n, lo, hi}, (const char *[]){"kind", "n", "low", "high"});
}

static Value *fn_layers(Elab *e, const Args *a) {
  most(e, a, "layers", 1);
  Value *v = value_new(e, V_LAYERS);
  v->i = size_of(e, need(e, a, "layers", "n", 0), here(e, a), "the number of layers");
  return v;
}

// Adds to what a step logs under a name: a sum, and of how many.
static Value *fn_log_mean(Elab *e, const Args *a) {
  if (a->n != 3 || a->value[0]->kind != V_STR) fail(e, here(e, a), "log_mean(\"name\", sum, count)", "`log_mean` takes a name, a sum and a count");
  IrValue *x[2];
  for (int k = 0; k < 2; k++) {
    x[k] = to_scalar(e, a->value[k + 1], IR_F32, here(e, a), "what is logged");
    x[k] = ir_un(&e->c.b, IR_STOP_GRAD, x[k]);
  }
  log_add(e, a->value[0]->s, x[0], x[1]);
  return value_none(e);
}

static Value *fn_error(Elab *e, const Args *a) {
  if (a->n != 1 || a->value[0]->kind != V_STR) fail(e, here(e, a), "error(\"what is wrong\")", "`error` takes a text");
  fail(e, here(e, a), "this check was written in the program", "%s", a->value[0]->s);
}

static Value *fn_grad(Elab *e, const Args *a) { return make_transform(e, "grad", a); }
static Value *fn_value_and_grad(Elab *e, const Args *a) { return make_transform(e, "value_and_grad", a); }
static Value *fn_jvp(Elab *e, const Args *a) { return make_transform(e, "jvp", a); }
static Value *fn_vjp(Elab *e, const Args *a) { return make_transform(e, "vjp", a); }
static Value *fn_vmap(Elab *e, const Args *a) { return make_transform(e, "vmap", a); }
static Value *fn_remat(Elab *e, const Args *a) { return make_transform(e, "remat", a); }

static Value *fn_capture(Elab *e, const Args *a) { return make_transform(e, "capture", a); }
static Value *fn_patch(Elab *e, const Args *a) { return make_transform(e, "patch", a); }

static bool is_function(const Value *f) {
  return f->kind == V_DECL || f->kind == V_LAMBDA || f->kind == V_BUILTIN || f->kind == V_TRANSFORM || f->kind == V_METHOD;
}

static Value *fn_associative_scan(Elab *e, const Args *a) {
  most(e, a, "associative_scan", 3);
  Loc loc = here(e, a);
  Value *f = need(e, a, "associative_scan", "f", 0), *x = need(e, a, "associative_scan", "x", 1), *back = arg(a, "reversed", 2);
  if (!is_function(f)) fail(e, loc, signature_of("associative_scan"), "`associative_scan` takes a function of two elements first, found %s", value_text(e, f));
  x = to_runtime(e, x, loc);
  Leaves l = {0};
  value_leaves(e, x, NULL, &l);
  int64_t n = -1;
  for (int k = 0; k < l.v.n; k++) {
    IrType t = l.v.at[k]->type;
    if (!t.rank || (n >= 0 && t.dim[0] != n)) fail(e, loc, "all arrays have the axis that is scanned first, equally long", "`associative_scan` over %s", value_text(e, x));
    n = t.dim[0];
  }
  if (n < 0) fail(e, loc, signature_of("associative_scan"), "`associative_scan` over nothing");
  bool reversed = back && to_bool(e, back, loc, "`reversed`");
  Args flip = args_new(e, a->ast, 1);
  flip.value[0] = x;
  if (reversed) x = fn_flip(e, &flip);
  Value *r = associative_scan(e, f, x, n, loc);
  flip.value[0] = r;
  return reversed ? fn_flip(e, &flip) : r;
}

// ---- the table --------------------------------------------------------------------------------------------------

#define U(name, doc) {#name, fn_##name, #name "(x)", doc, 0}
#define C(name) {#name, fn_##name, #name "(x)", "x as " #name, -2}
static const Builtin builtins[] = {
  U(abs, "|x|"), U(sign, "-1, 0 or 1"), U(exp, "e^x"), U(log, "natural logarithm"), U(expm1, "e^x - 1, accurate near 0"), U(log1p, "log(1 + x), accurate near 0"),
  U(sin, "sine, radians"), U(cos, "cosine, radians"), U(tanh, "hyperbolic tangent"), U(sigmoid, "1 / (1 + e^-x)"), U(sqrt, "square root"), U(rsqrt, "1 / sqrt(x)"),
  U(erf, "error function"), U(erfinv, "inverse error function"), U(lgamma, "log |gamma(x)|"), U(digamma, "derivative of lgamma"),
  {"polygamma", fn_polygamma, "polygamma(n, x)", "n-th derivative of digamma; n is known while compiling, 1 to 170", 0}, U(floor, "greatest integer below"),
  U(ceil, "least integer above"), U(round, "nearest integer, halves to even"), U(isfinite, "neither infinite nor NaN"), U(real, "real part"), U(imag, "imaginary part"),
  U(conj, "complex conjugate"), U(stop_grad, "x, without derivative; trees leaf by leaf"),
  U(copy, "x, in memory of its own: an update of one leaves the other; trees leaf by leaf"),
  {"atan2", fn_atan2, "atan2(y, x)", "angle of (x, y)", 0}, {"complex", fn_complex, "complex(re, im)", "re + i im", 0}, {"div", fn_div, "div(a, b)", "floor(a / b) of integers", 0},
  {"bit_and", fn_bit_and, "bit_and(a, b)", "bitwise and", 0}, {"bit_or", fn_bit_or, "bit_or(a, b)", "bitwise or", 0}, {"bit_xor", fn_bit_xor, "bit_xor(a, b)", "bitwise exclusive or", 0},
  {"shift_left", fn_shift_left, "shift_left(a, n)", "a * 2^n", 0}, {"shift_right", fn_shift_right, "shift_right(a, n)", "floor(a / 2^n)", 0},
  {"where", fn_where, "where(c, a, b)", "a where c, else b; trees leaf by leaf", 0},
  C(bool), C(i8), C(i16), C(i32), C(i64), C(u8), C(u32), C(u64), C(bf16), C(f32), C(f64), C(complex64), C(complex128),
  {"sum", fn_sum, "sum(x, axis = all, keep = false)", "sum over axes", 0}, {"prod", fn_prod, "prod(x, axis = all, keep = false)", "product over axes", 0},
  {"mean", fn_mean, "mean(x, axis = all, keep = false)", "mean over axes", 0}, {"max", fn_max, "max(x, axis = all, keep = false), max(a, b)", "greatest over axes, or of two", 0},
  {"min", fn_min, "min(x, axis = all, keep = false), min(a, b)", "least over axes, or of two", 0}, {"any", fn_any, "any(x, axis = all, keep = false)", "whether any is true", 0},
  {"all", fn_all, "all(x, axis = all, keep = false)", "whether all are true", 0}, {"argmax", fn_argmax, "argmax(x, axis = -1)", "index of the first greatest, i32", 0},
  {"argmin", fn_argmin, "argmin(x, axis = -1)", "index of the first least, i32", 0}, {"argsort", fn_argsort, "argsort(x, axis = -1)", "the order that sorts ascending, i32", 0},
  {"cumsum", fn_cumsum, "cumsum(x, axis = -1, reversed = false)", "running sum", 0}, {"cumprod", fn_cumprod, "cumprod(x, axis = -1, reversed = false)", "running product", 0},
  {"cummax", fn_cummax, "cummax(x, axis = -1, reversed = false)", "running greatest", 0},
  {"zeros", fn_zeros, "zeros(shape or tree or type, type = f32)", "zeros", 0}, {"ones", fn_ones, "ones(shape or tree or type, type = f32)", "ones", 0},
  {"full", fn_full, "full(shape, value)", "one value everywhere", 0}, {"iota", fn_iota, "iota(n)", "0, 1, … n - 1 as i32", 0},
  {"reshape", fn_reshape, "reshape(x, shape)", "the same elements in another shape; one size may be -1", 0}, {"flatten", fn_flatten, "flatten(x, n = all)", "joins the first n axes", 0},
  {"transpose", fn_transpose, "transpose(x, axes)", "axis k of the result is axis axes[k] of x", 0}, {"broadcast", fn_broadcast, "broadcast(x, shape)", "repeats along new and unit axes", 0},
  {"padded", fn_padded, "padded(x, rest = 0)", "an array some of whose axes have a length known at run time, x[:n], as large as its bounds say; `rest` where it is not filled", 0},
  {"flip", fn_flip, "flip(x, axis = 0)", "from back to front", 0}, {"concat", fn_concat, "concat(parts, axis = 0)", "one behind another", 0}, {"tile", fn_tile, "tile(x, n)", "n copies along the first axis", 0},
  {"repeat", fn_repeat, "repeat(x, n)", "elements of the last axis n times, or n[k] times", 0}, {"parts", fn_parts, "parts(x, n)", "n equal parts of the last axis, or parts of sizes n[k]", 0},
  {"pad", fn_pad, "pad(x, lo, hi = lo)", "zeros around", 0}, {"take", fn_take, "take(x, index)", "x[…, n] at index[…]: one element of the last axis each", 0},
  {"segment_sum", fn_segment_sum, "segment_sum(x, segment, n)", "sum of the rows of each segment", 0}, {"segment_max", fn_segment_max, "segment_max(x, segment, n)", "greatest of the rows of each segment", 0},
  {"scatter_add", fn_scatter_add, "scatter_add(x, index, rows)", "x with rows[k] added to row index[k], all of them where indices repeat", 0},
  {"scatter_max", fn_scatter_max, "scatter_max(x, index, rows)", "x, each row the greatest of itself and the rows of its index", 0},
  {"einsum", fn_einsum, "einsum(\"b t h, b s h -> b t s\", x, y)", "sum of products over the letters that the result lacks, of up to 8 arrays, from left to right", 0},
  {"conv2d", fn_conv2d, "conv2d(x, w, stride = 1, pad = 0, dilation = 1, groups = 1)", "x [n, h, w, c] with w [kh, kw, c / groups, o]; pad may be \"same\"", 0},
  {"conv1d", fn_conv1d, "conv1d(x, w, stride = 1, pad = 0, dilation = 1, groups = 1)", "x [n, t, c] with w [k, c / groups, o]; pad may be \"same\"", 0},
  {"conv2d_transpose", fn_conv2d_transpose, "conv2d_transpose(x, w, stride = 1, pad = 0, dilation = 1, groups = 1)", "the adjoint of conv2d: x [n, h, w, o] with w [kh, kw, c / groups, o] -> [n, H, W, c]; \"same\": H = stride h", 0},
  {"conv1d_transpose", fn_conv1d_transpose, "conv1d_transpose(x, w, stride = 1, pad = 0, dilation = 1, groups = 1)", "the adjoint of conv1d: x [n, t, o] with w [k, c / groups, o] -> [n, T, c]", 0},
  {"lu", fn_lu, "lu(x)", "(lu, perm): l below the diagonal and u in one; row perm[i] of x is row i of l u", 0},
  {"eigh", fn_eigh, "eigh(x)", "(w, v) of the lower half, symmetric or Hermitian: values ascending, vectors in columns", 0},
  {"svd", fn_svd, "svd(x)", "(u, s, v) with x = u diag(s) v^T, s descending", 0}, {"eigvals", fn_eigvals, "eigvals(x)", "complex eigenvalues, by real, then imaginary part", 0},
  {"fft", fn_fft, "fft(x, reversed = false)", "Fourier transform of the last axis, complex; reversed: e^(+..), not divided by n", 0},
  {"qr", fn_qr, "qr(x)", "(q, r) with q^T q = 1, r upper triangular", 0}, {"cholesky", fn_cholesky, "cholesky(x)", "lower l with l l^T = x", 0},
  {"triangular_solve", fn_triangular_solve, "triangular_solve(l, x, transpose = false)", "l^-1 x, or l^-T x", 0},
  {"uniform", fn_uniform, "uniform(key, shape = [], low = 0, high = 1)", "f32 in [low, high)", 0}, {"normal", fn_normal, "normal(key, shape or tree = [])", "standard normal f32", 0},
  {"gumbel", fn_gumbel, "gumbel(key, shape = [])", "standard Gumbel f32", 0}, {"randint", fn_randint, "randint(key, shape, low, high)", "i32 in [low, high)", 0},
  {"bernoulli", fn_bernoulli, "bernoulli(key, shape = [], p = 0.5)", "true with probability p", 0}, {"permutation", fn_permutation, "permutation(key, n or x)", "a random order of 0 … n - 1, or of x's rows", 0},
  {"random_bits", fn_random_bits, "random_bits(key, shape)", "u32", 0}, {"split", fn_split, "split(key, n)", "n keys", 0}, {"fold_in", fn_fold_in, "fold_in(key, i)", "another key", 0},
  {"seed_key", fn_seed, "seed_key(seed)", "the key of a seed", 0},
  {"map", fn_map, "map(tree, |x| …) or map(tree, |x, path| …)", "leaf by leaf", 0}, {"fold", fn_fold, "fold(tree, start, |s, x| …)", "over the leaves in order", 0},
  {"len", fn_len, "len(x)", "items of a list, size of the first axis (of a tree: the one all leaves have)", 0}, {"ends_with", fn_ends_with, "ends_with(text, end)", "while compiling", 0},
  {"starts_with", fn_starts_with, "starts_with(text, start)", "while compiling", 0}, {"contains", fn_contains, "contains(text, part)", "while compiling", 0},
  {"log_mean", fn_log_mean, "log_mean(\"name\", sum, count)", "logs sum / count, over all that a step adds", 0},
  {"error", fn_error, "error(text)", "stops compiling with this message", 0}, {"discrete", fn_discrete, "discrete(n)", "actions 0 … n - 1", 0}, {"box", fn_box, "box(n, low, high)", "n real actions", 0},
  {"layers", fn_layers, "layers(n)", "for l in layers(n) { … }: parameters of its own for each turn", 0},
  {"grad", fn_grad, "grad(f, wrt = first)(…)", "the gradient of f's value", 0}, {"value_and_grad", fn_value_and_grad, "value_and_grad(f, wrt = first)(…)", "(value, gradient)", 0},
  {"jvp", fn_jvp, "jvp(f, tangent)(x, …)", "(value, derivative along the tangent of x)", 0}, {"vjp", fn_vjp, "vjp(f, cotangent)(x, …)", "(value, cotangent of x)", 0},
  {"associative_scan", fn_associative_scan, "associative_scan(f, x, reversed = false)", "x[0], f(x[0], x[1]), f(f(x[0], x[1]), x[2]), … for an associative f, chunks side by side", 0},
  {"remat", fn_remat, "remat(f)", "f, whose inner values are computed again on the way back", 0},
  {"capture", fn_capture, "capture(f, path)(…)", "the value of the `let` at that path, inside of the model that f is or calls", 0},
  {"patch", fn_patch, "patch(f, path, g)(…)", "f, with g(value) in place of the value of the `let` at that path", 0},
  {"bench", fn_bench, "bench(f, x, …)", "in an experiment: seconds that f(x, …) takes, the median of many calls", 0},
  {"check_grad", fn_check_grad, "check_grad(f, x, …)", "in an experiment or `rlc eval`: by how much, at most, the gradient of f by x errs along some directions, against differences in double precision; relative to the sum of the terms' sizes", 0},
  {"vmap", fn_vmap, "vmap(f, axes = 0 of each)(…)", "f over an axis of its arguments", 0},
};

const Builtin *builtin_find(const char *name) {
  for (size_t k = 0; k < sizeof builtins / sizeof *builtins; k++)
    if (builtins[k].name[0] == name[0] && strcmp(builtins[k].name, name) == 0) return &builtins[k];
  return NULL;
}

const Builtin *builtin_at(int k) { return k < (int)(sizeof builtins / sizeof *builtins) ? &builtins[k] : NULL; }

// A parameter is a whole word before a comma, an equals sign, a bracket or another of its names ("shape or tree").
bool builtin_takes(const Builtin *b, const char *param) {
  size_t n = strlen(param);
  for (const char *s = strchr(b->signature, '('); s && (s = strstr(s, param)); s += n) {
    bool start = s[-1] == '(' || s[-1] == ' ';
    bool end = s[n] == ',' || s[n] == ')' || strncmp(s + n, " =", 2) == 0 || strncmp(s + n, " or ", 4) == 0;
    bool is_default = s - b->signature > 2 && strncmp(s - 2, "= ", 2) == 0;
    if (start && end && !is_default) return true;
  }
  return false;
}

bool elab_builtin(int k, const char **signature, const char **doc) {
  if (k < 0 || k >= (int)(sizeof builtins / sizeof *builtins)) return false;
  *signature = builtins[k].signature;
  *doc = builtins[k].doc;
  return true;
}
