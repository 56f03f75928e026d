// The reference evaluator: what every op means, by scalar loops. Nothing here is
// clever on purpose; passes and backends are tested against it.
#include "ir/number.h"
#include "ir/special.h"
#include "runtime/abi.h"

#include <complex.h>
#include <math.h>
#include <string.h>

#define MOST_ELEMENTS ((int64_t)1 << 27)   // of one value: 1 GiB as doubles

// Values of a loop's body live in the arena of its depth, which is emptied after each turn.
// Every way out, also of memory, leads through ir_eval, which frees these arenas.
typedef struct Eval {
  IrEval *how;
  bool typed;
  IrArray *val;            // by value id
  Arena *result;           // the caller's
  Arena base;              // outermost values, tables
  Arena *arena;            // where values are made now
  VEC(Arena *) level;      // one a depth of loops
  int depth;
  const char *why;
  jmp_buf out;
} Eval;
enum { OUT_OF_MEMORY = 1, STOPPED = 2 };

_Noreturn static void stop(Eval *e, const char *why) {
  e->why = why;
  longjmp(e->out, STOPPED);
}

#define IN(k) (&e->val[op->in[k]->id])
#define OUT(k) (&e->val[op->out[k]->id])

// ---- arrays --------------------------------------------------------------------------------
static int parts(IrDtype t) { return ir_is_complex(t) ? 2 : 1; }

IrArray ir_array(Arena *a, IrType t) {
  IrArray x = {.type = t};
  int64_t n = ir_count(&t);
  if (ir_is_diff(t.dtype)) x.f = arena_array(a, double, n * parts(t.dtype));
  else x.i = arena_array(a, int64_t, n);
  return x;
}

static IrNumber get(const IrArray *x, int64_t k) {
  if (x->i) return (IrNumber){0, 0, x->i[k]};
  if (ir_is_complex(x->type.dtype)) return (IrNumber){x->f[2 * k], x->f[2 * k + 1], 0};
  return (IrNumber){x->f[k], 0, 0};
}

static void set(IrArray *x, int64_t k, IrNumber v) {
  if (x->i) x->i[k] = v.i;
  else if (!ir_is_complex(x->type.dtype)) x->f[k] = v.re;
  else x->f[2 * k] = v.re, x->f[2 * k + 1] = v.im;
}

IrArray ir_array_from(Arena *a, IrType t, const void *data) {
  IrArray x = ir_array(a, t);
  int64_t n = ir_count(&t), size = ir_dtype_bytes(t.dtype);
  for (int64_t k = 0; k < n; k++) set(&x, k, ir_load(t.dtype, (const char *)data + k * size));
  return x;
}

void ir_array_to(const IrArray *x, void *data) {
  int64_t n = ir_count(&x->type), size = ir_dtype_bytes(x->type.dtype);
  for (int64_t k = 0; k < n; k++) ir_store(x->type.dtype, (char *)data + k * size, get(x, k));
}

static IrArray make(Eval *e, const IrType *t) {
  if (ir_count(t) > MOST_ELEMENTS)
    stop(e, arena_printf(e->result, "a value of %s is too large for the reference evaluator", ir_type_text(e->result, t)));
  return ir_array(e->arena, *t);
}

static IrArray *result(Eval *e, const IrOp *op, int k) {
  *OUT(k) = make(e, &op->out[k]->type);
  return OUT(k);
}

// The n elements from `from` on, as an array of another type; shares the memory.
static IrArray view(const IrArray *x, IrType t, int64_t from) {
  IrArray y = {.type = t};
  if (x->i) y.i = x->i + from;
  else y.f = x->f + from * parts(x->type.dtype);
  return y;
}

static void copy_to(IrArray *y, int64_t to, const IrArray *x) {
  size_t n = (size_t)ir_count(&x->type);
  if (!n) return;
  if (x->i) memcpy(y->i + to, x->i, sizeof *x->i * n);
  else {
    size_t p = (size_t)parts(x->type.dtype);
    memcpy(y->f + (size_t)to * p, x->f, sizeof *x->f * n * p);
  }
}

static IrArray copied(Eval *e, const IrArray *x) {
  IrArray y = make(e, &x->type);
  copy_to(&y, 0, x);
  return y;
}

static double rounded(const Eval *e, IrDtype t, double x) { return e->typed ? ir_round(t, x) : x; }

static void set_rounded(const Eval *e, IrArray *y, int64_t k, IrNumber v) {
  IrDtype t = y->type.dtype;
  set(y, k, (IrNumber){rounded(e, t, v.re), rounded(e, t, v.im), ir_is_diff(t) ? 0 : ir_wrap(t, v.i)});
}

// ---- numbers ---------------------------------------------------------------------------------
// Integers are held in 64 bits; u64 is the only one whose order and division differ there.
static bool less(IrDtype t, int64_t a, int64_t b) { return t == IR_U64 ? (uint64_t)a < (uint64_t)b : a < b; }

static int64_t int_div(IrDtype t, int64_t a, int64_t b) {
  if (b == 0) return 0;
  if (t == IR_U64) return (int64_t)((uint64_t)a / (uint64_t)b);
  if (b == -1) return (int64_t)(0 - (uint64_t)a);
  return a / b - (a % b != 0 && (a < 0) != (b < 0));
}

static int64_t int_mod(IrDtype t, int64_t a, int64_t b) {
  if (b == 0 || (b == -1 && t != IR_U64)) return 0;
  if (t == IR_U64) return (int64_t)((uint64_t)a % (uint64_t)b);
  int64_t m = a % b;
  return m != 0 && (m < 0) != (b < 0) ? m + b : m;
}

static int64_t int_shift(IrCode c, IrDtype t, int64_t a, int64_t b) {
  bool all = b < 0 || b >= 8 * ir_dtype_bytes(t);
  if (c == IR_SHL) return all ? 0 : (int64_t)((uint64_t)a << b);
  if (t == IR_U64) return all ? 0 : (int64_t)((uint64_t)a >> b);
  return all ? (a < 0 ? -1 : 0) : a >> b;
}

static int64_t int_binary(IrCode c, IrDtype t, int64_t a, int64_t b) {
  switch (c) {
    case IR_ADD: return (int64_t)((uint64_t)a + (uint64_t)b);
    case IR_SUB: return (int64_t)((uint64_t)a - (uint64_t)b);
    case IR_MUL: return (int64_t)((uint64_t)a * (uint64_t)b);
    case IR_DIV: return int_div(t, a, b);
    case IR_MOD: return int_mod(t, a, b);
    case IR_MAX: return less(t, a, b) ? b : a;
    case IR_MIN: return less(t, b, a) ? b : a;
    case IR_AND: return a & b;
    case IR_OR: return a | b;
    case IR_XOR: return a ^ b;
    case IR_SHL: case IR_SHR: return int_shift(c, t, a, b);
    case IR_THREEFRY: return (int64_t)ir_threefry((uint64_t)a, (uint64_t)b);
    default: ICE("%s of integers", ir_info[c].name);
  }
}

// As the formula of the table says, each step rounded; bf16 computes in f32 as backends do.
static double float_mod(const Eval *e, IrDtype t, double a, double b) {
  IrDtype s = t == IR_BF16 ? IR_F32 : t;
  return rounded(e, s, a - rounded(e, s, b * floor(rounded(e, s, a / b))));
}

static double float_binary(const Eval *e, IrCode c, IrDtype t, double a, double b) {
  switch (c) {
    case IR_ADD: return a + b;
    case IR_SUB: return a - b;
    case IR_MUL: return a * b;
    case IR_DIV: return a / b;
    case IR_MOD: return float_mod(e, t, a, b);
    case IR_POW: return pow(a, b);
    case IR_MAX: return a > b || isnan(a) ? a : b;
    case IR_MIN: return a < b || isnan(a) ? a : b;
    case IR_ATAN2: return atan2(a, b);
    default: ICE("%s of floats", ir_info[c].name);
  }
}

static IrNumber complex_mul(IrNumber a, IrNumber b) {
  return (IrNumber){a.re * b.re - a.im * b.im, a.re * b.im + a.im * b.re, 0};
}

static double complex to_c(IrNumber x) {
  double complex z;
  memcpy(&z, &x, sizeof z);  // x.re + I * x.im would turn infinities into NaN
  return z;
}

static IrNumber from_c(double complex z) { return (IrNumber){creal(z), cimag(z), 0}; }

static IrNumber complex_binary(IrCode c, IrNumber a, IrNumber b) {
  switch (c) {
    case IR_ADD: return (IrNumber){a.re + b.re, a.im + b.im, 0};
    case IR_SUB: return (IrNumber){a.re - b.re, a.im - b.im, 0};
    case IR_MUL: return complex_mul(a, b);
    case IR_DIV: return from_c(to_c(a) / to_c(b));
    default: ICE("%s of complex numbers", ir_info[c].name);
  }
}

static IrNumber binary(const Eval *e, IrCode c, IrDtype t, IrNumber a, IrNumber b) {
  if (c == IR_COMPLEX) return (IrNumber){a.re, b.re, 0};
  if (ir_is_complex(t)) return complex_binary(c, a, b);
  if (ir_is_float(t)) return (IrNumber){float_binary(e, c, t, a.re, b.re), 0, 0};
  return (IrNumber){0, 0, int_binary(c, t, a.i, b.i)};
}

static double float_unary(IrCode c, double x) {
  switch (c) {
    case IR_NEG: return -x;
    case IR_ABS: return fabs(x);
    case IR_SIGN: return isnan(x) ? x : (double)((x > 0) - (x < 0));
    case IR_EXP: return exp(x);
    case IR_LOG: return log(x);
    case IR_EXPM1: return expm1(x);
    case IR_LOG1P: return log1p(x);
    case IR_SIN: return sin(x);
    case IR_COS: return cos(x);
    case IR_TANH: return tanh(x);
    case IR_SIGMOID: return 1 / (1 + exp(-x));
    case IR_SQRT: return sqrt(x);
    case IR_RSQRT: return 1 / sqrt(x);
    case IR_ERF: return erf(x);
    case IR_ERFINV: return special_erfinv(x);
    case IR_LGAMMA: return lgamma(x);
    case IR_DIGAMMA: return special_digamma(x);
    case IR_FLOOR: return floor(x);
    case IR_CEIL: return ceil(x);
    case IR_ROUND: return rint(x);
    default: ICE("%s of floats", ir_info[c].name);
  }
}

static IrNumber complex_unary(IrCode c, IrNumber x) {
  double complex z = to_c(x);
  switch (c) {
    case IR_NEG: return (IrNumber){-x.re, -x.im, 0};
    case IR_CONJ: return (IrNumber){x.re, -x.im, 0};
    case IR_REAL: return (IrNumber){x.re, 0, 0};
    case IR_IMAG: return (IrNumber){x.im, 0, 0};
    case IR_ABS: return (IrNumber){hypot(x.re, x.im), 0, 0};
    case IR_EXP: return from_c(cexp(z));
    case IR_LOG: return from_c(clog(z));
    case IR_SQRT: return from_c(csqrt(z));
    default: ICE("%s of complex numbers", ir_info[c].name);
  }
}

static int64_t int_unary(IrCode c, IrDtype t, int64_t x) {
  int64_t minus = (int64_t)(0 - (uint64_t)x);
  switch (c) {
    case IR_NEG: return minus;
    case IR_ABS: return ir_is_signed(t) && x < 0 ? minus : x;
    case IR_SIGN: return ir_is_signed(t) ? (x > 0) - (x < 0) : x != 0;
    case IR_NOT: return t == IR_BOOL ? !x : ~x;
    default: ICE("%s of integers", ir_info[c].name);
  }
}

static IrNumber unary(IrCode c, IrDtype t, IrNumber x) {
  if (c == IR_STOP_GRAD || c == IR_COPY) return x;
  if (c == IR_FINITE) return (IrNumber){0, 0, isfinite(x.re) && isfinite(x.im)};
  if (ir_is_complex(t)) return complex_unary(c, x);
  if (ir_is_float(t)) return (IrNumber){float_unary(c, x.re), 0, 0};
  return (IrNumber){0, 0, int_unary(c, t, x.i)};
}

static bool compare(IrCode c, IrDtype t, IrNumber a, IrNumber b) {
  bool f = ir_is_diff(t), lt = f ? a.re < b.re : less(t, a.i, b.i), gt = f ? a.re > b.re : less(t, b.i, a.i);
  bool eq = f ? a.re == b.re && a.im == b.im : a.i == b.i;
  switch (c) {
    case IR_EQ: return eq;
    case IR_NE: return !eq;
    case IR_LT: return lt;
    case IR_LE: return lt || eq;
    case IR_GT: return gt;
    case IR_GE: return gt || eq;
    default: ICE("%s compares", ir_info[c].name);
  }
}

// ---- sources and elementwise ops -----------------------------------------------------------------
static void ir_eval_const(Eval *e, const IrOp *op) {
  IrArray *y = result(e, op, 0);
  const IrAttr *d = ir_attr(op, A_DATA);
  IrDtype t = y->type.dtype;
  int64_t n = ir_count(&y->type), size = ir_dtype_bytes(t), step = d->n == size ? 0 : size;
  for (int64_t k = 0; k < n; k++) set(y, k, ir_load(t, (const char *)d->data + k * step));
}

static void ir_eval_unary(Eval *e, const IrOp *op) {
  const IrArray *x = IN(0);
  IrArray *y = result(e, op, 0);
  for (int64_t n = ir_count(&y->type), k = 0; k < n; k++)
    set_rounded(e, y, k, unary(op->code, x->type.dtype, get(x, k)));
}

static void ir_eval_polygamma(Eval *e, const IrOp *op) {
  const IrArray *x = IN(0);
  IrArray *y = result(e, op, 0);
  for (int64_t n = ir_count(&y->type), k = 0; k < n; k++)
    set_rounded(e, y, k, (IrNumber){special_polygamma((int)ir_int(op, A_N), get(x, k).re), 0, 0});
}

static void ir_eval_binary(Eval *e, const IrOp *op) {
  const IrArray *x = IN(0), *z = IN(1);
  IrArray *y = result(e, op, 0);
  for (int64_t n = ir_count(&y->type), k = 0; k < n; k++)
    set_rounded(e, y, k, binary(e, op->code, x->type.dtype, get(x, k), get(z, k)));
}

static void ir_eval_compare(Eval *e, const IrOp *op) {
  const IrArray *x = IN(0), *z = IN(1);
  IrArray *y = result(e, op, 0);
  for (int64_t n = ir_count(&y->type), k = 0; k < n; k++) y->i[k] = compare(op->code, x->type.dtype, get(x, k), get(z, k));
}

static void ir_eval_select(Eval *e, const IrOp *op) {
  const IrArray *c = IN(0), *x = IN(1), *z = IN(2);
  IrArray *y = result(e, op, 0);
  for (int64_t n = ir_count(&y->type), k = 0; k < n; k++) set(y, k, get(c->i[k] ? x : z, k));
}

static void ir_eval_after(Eval *e, const IrOp *op) { copy_to(result(e, op, 0), 0, IN(0)); }

static void ir_eval_cast(Eval *e, const IrOp *op) {
  const IrArray *x = IN(0);
  IrArray *y = result(e, op, 0);
  for (int64_t n = ir_count(&y->type), k = 0; k < n; k++)
    set(y, k, ir_convert(x->type.dtype, y->type.dtype, get(x, k), e->typed));
}

static void ir_eval_bitcast(Eval *e, const IrOp *op) {
  const IrArray *x = IN(0);
  IrArray *y = result(e, op, 0);
  unsigned char at[16];
  for (int64_t n = ir_count(&y->type), k = 0; k < n; k++) {
    ir_store(x->type.dtype, at, get(x, k));
    set(y, k, ir_load(y->type.dtype, at));
  }
}

// ---- index maps: offset = base + sum of index[k] * step[k] --------------------------------------------
typedef struct Map { int64_t base, step[IR_MAX_RANK]; } Map;

static void strides(const IrType *t, int64_t *s) {
  int64_t n = 1;
  for (int k = t->rank - 1; k >= 0; k--) s[k] = n, n *= t->dim[k];
}

// The next index in row-major order.
static void advance(const IrType *t, int64_t *index) {
  for (int k = t->rank - 1; k >= 0; k--) {
    if (++index[k] < t->dim[k]) return;
    index[k] = 0;
  }
}

static int64_t offset(const Map *m, int rank, const int64_t *index) {
  int64_t at = m->base;
  for (int k = 0; k < rank; k++) at += index[k] * m->step[k];
  return at;
}

static void read_through(IrArray *y, const IrArray *x, const Map *m) {
  int64_t index[IR_MAX_RANK] = {0};
  for (int64_t n = ir_count(&y->type), k = 0; k < n; k++, advance(&y->type, index))
    set(y, k, get(x, offset(m, y->type.rank, index)));
}

static void write_through(IrArray *y, const IrArray *x, const Map *m) {
  int64_t index[IR_MAX_RANK] = {0};
  for (int64_t n = ir_count(&x->type), k = 0; k < n; k++, advance(&x->type, index))
    set(y, offset(m, x->type.rank, index), get(x, k));
}

static void ir_eval_iota(Eval *e, const IrOp *op) {
  IrArray *y = result(e, op, 0);
  int64_t index[IR_MAX_RANK] = {0}, axis = ir_int(op, A_AXIS);
  for (int64_t n = ir_count(&y->type), k = 0; k < n; k++, advance(&y->type, index))
    set(y, k, ir_convert(IR_I64, y->type.dtype, (IrNumber){0, 0, index[axis]}, e->typed));
}

static void ir_eval_reshape(Eval *e, const IrOp *op) { *OUT(0) = view(IN(0), op->out[0]->type, 0); }

static void ir_eval_transpose(Eval *e, const IrOp *op) {
  const IrArray *x = IN(0);
  const int64_t *axes = ir_ints(op, A_AXES, NULL);
  int64_t s[IR_MAX_RANK];
  Map m = {0};
  strides(&x->type, s);
  for (int k = 0; k < x->type.rank; k++) m.step[k] = s[axes[k]];
  read_through(result(e, op, 0), x, &m);
}

static void ir_eval_broadcast(Eval *e, const IrOp *op) {
  const IrArray *x = IN(0);
  const int64_t *axes = ir_ints(op, A_AXES, NULL);
  int64_t s[IR_MAX_RANK];
  Map m = {0};
  strides(&x->type, s);
  for (int k = 0; k < x->type.rank; k++) m.step[axes[k]] = s[k];
  read_through(result(e, op, 0), x, &m);
}

static void ir_eval_slice(Eval *e, const IrOp *op) {
  const IrArray *x = IN(0);
  const int64_t *start = ir_ints(op, A_START, NULL), *stride = ir_ints(op, A_STRIDE, NULL);
  Map m = {0};
  strides(&x->type, m.step);
  for (int k = 0; k < x->type.rank; k++) m.base += start[k] * m.step[k], m.step[k] *= stride[k];
  read_through(result(e, op, 0), x, &m);
}

static void ir_eval_reverse(Eval *e, const IrOp *op) {
  const IrArray *x = IN(0);
  int n;
  const int64_t *axes = ir_ints(op, A_AXES, &n);
  Map m = {0};
  strides(&x->type, m.step);
  for (int k = 0; k < n; k++) {
    m.base += (x->type.dim[axes[k]] - 1) * m.step[axes[k]];
    m.step[axes[k]] = -m.step[axes[k]];
  }
  read_through(result(e, op, 0), x, &m);
}

static void ir_eval_pad(Eval *e, const IrOp *op) {
  const IrArray *x = IN(0);
  IrArray *y = result(e, op, 0);
  const int64_t *lo = ir_ints(op, A_LO, NULL), *inner = ir_ints(op, A_INNER, NULL);
  int64_t index[IR_MAX_RANK] = {0}, s[IR_MAX_RANK];
  strides(&y->type, s);
  for (int64_t n = ir_count(&x->type), k = 0; k < n; k++, advance(&x->type, index)) {
    int64_t at = 0;
    bool inside = true;
    for (int d = 0; d < x->type.rank; d++) {
      int64_t i = lo[d] + index[d] * (inner[d] + 1);
      inside = inside && i >= 0 && i < y->type.dim[d];
      at += i * s[d];
    }
    if (inside) set(y, at, get(x, k));
  }
}

static void ir_eval_concat(Eval *e, const IrOp *op) {
  IrArray *y = result(e, op, 0);
  int64_t axis = ir_int(op, A_AXIS);
  Map m = {0};
  strides(&y->type, m.step);
  for (int k = 0; k < op->nin; k++) {
    write_through(y, IN(k), &m);
    m.base += IN(k)->type.dim[axis] * m.step[axis];
  }
}

static int64_t clamp(int64_t x, int64_t most) { return x < 0 ? 0 : x > most ? most : x; }

// The block of type t that the starts from operand `first` on place in x (L8).
static Map placed(Eval *e, const IrOp *op, int first, const IrType *x, const IrType *t) {
  Map m = {0};
  strides(x, m.step);
  for (int k = 0; k < x->rank; k++) m.base += clamp(IN(first + k)->i[0], x->dim[k] - t->dim[k]) * m.step[k];
  return m;
}

static void ir_eval_dyn_slice(Eval *e, const IrOp *op) {
  Map m = placed(e, op, 1, &op->in[0]->type, &op->out[0]->type);
  read_through(result(e, op, 0), IN(0), &m);
}

static void ir_eval_dyn_update(Eval *e, const IrOp *op) {
  Map m = placed(e, op, 2, &op->in[0]->type, &op->in[1]->type);
  *OUT(0) = copied(e, IN(0));
  write_through(OUT(0), IN(1), &m);
}

// x as [batch, n, rest], indices as [batch, each].
typedef struct Rows { int64_t batch, n, rest, each; } Rows;

static Rows rows(const IrOp *op) {
  const IrType *x = &op->in[0]->type, *i = &op->in[1]->type;
  int nb = (int)ir_int(op, A_BATCH);
  Rows r = {1, x->dim[nb], 1, 1};
  for (int k = 0; k < nb; k++) r.batch *= x->dim[k];
  for (int k = nb + 1; k < x->rank; k++) r.rest *= x->dim[k];
  for (int k = nb; k < i->rank; k++) r.each *= i->dim[k];
  return r;
}

static void ir_eval_gather(Eval *e, const IrOp *op) {
  const IrArray *x = IN(0), *index = IN(1);
  IrArray *y = result(e, op, 0);
  Rows r = rows(op);
  for (int64_t k = 0; k < r.batch * r.each; k++) {
    int64_t from = (k / r.each * r.n + clamp(index->i[k], r.n - 1)) * r.rest;
    for (int64_t j = 0; j < r.rest; j++) set(y, k * r.rest + j, get(x, from + j));
  }
}

static void ir_eval_scatter(Eval *e, const IrOp *op) {
  static const IrCode code[] = {[SCATTER_ADD] = IR_ADD, [SCATTER_MAX] = IR_MAX, [SCATTER_MIN] = IR_MIN};
  const IrArray *index = IN(1), *u = IN(2);
  IrDtype t = u->type.dtype;
  int64_t mode = ir_int(op, A_MODE);
  IrArray y = copied(e, IN(0));
  Rows r = rows(op);
  for (int64_t k = 0; k < r.batch * r.each; k++) {
    int64_t i = index->i[k], to = (k / r.each * r.n + i) * r.rest;
    if (i < 0 || i >= r.n) continue;
    for (int64_t j = 0; j < r.rest; j++) {
      IrNumber v = get(u, k * r.rest + j);
      if (mode == SCATTER_SET) set(&y, to + j, v);
      else set_rounded(e, &y, to + j, binary(e, code[mode], t, get(&y, to + j), v));
    }
  }
  *OUT(0) = y;
}

// ---- reductions -----------------------------------------------------------------------------------------
static IrCode step_of(IrCode c) {
  switch (c) {
    case IR_SUM: case IR_CUMSUM: return IR_ADD;
    case IR_PROD: case IR_CUMPROD: return IR_MUL;
    case IR_RMAX: case IR_CUMMAX: return IR_MAX;
    case IR_RMIN: return IR_MIN;
    case IR_ALL: return IR_AND;
    case IR_ANY: return IR_OR;
    default: ICE("%s reduces", ir_info[c].name);
  }
}

static IrNumber empty_of(IrCode c, IrDtype t) {
  switch (c) {
    case IR_PROD: return (IrNumber){1, 0, 1};
    case IR_ALL: return (IrNumber){0, 0, 1};
    case IR_RMAX: return (IrNumber){-INFINITY, 0, ir_least(t)};
    case IR_RMIN: return (IrNumber){INFINITY, 0, ir_greatest(t)};
    default: return (IrNumber){0, 0, 0};
  }
}

// Row-major over the operand. Only a sum is rounded once, at its end: its order is free (L1).
static void ir_eval_reduce(Eval *e, const IrOp *op) {
  const IrArray *x = IN(0);
  IrArray *y = result(e, op, 0);
  IrDtype t = x->type.dtype;
  IrCode step = step_of(op->code);
  int64_t index[IR_MAX_RANK] = {0}, s[IR_MAX_RANK];
  int n;
  const int64_t *axes = ir_ints(op, A_AXES, &n);
  Map m = {0};
  strides(&y->type, s);
  for (int k = 0, j = 0; k < x->type.rank; k++) {
    if (j < n && axes[j] == k) j++;
    else m.step[k] = s[k - j];
  }
  int64_t ny = ir_count(&y->type);
  for (int64_t k = 0; k < ny; k++) set(y, k, empty_of(op->code, t));
  for (int64_t nx = ir_count(&x->type), k = 0; k < nx; k++, advance(&x->type, index)) {
    int64_t at = offset(&m, x->type.rank, index);
    IrNumber v = binary(e, step, t, get(y, at), get(x, k));
    if (op->code == IR_SUM) set(y, at, v);
    else set_rounded(e, y, at, v);
  }
  for (int64_t k = 0; k < ny; k++) set_rounded(e, y, k, get(y, k));
}

// An array as [outer, n, inner] about one axis.
typedef struct Line { int64_t outer, n, inner; } Line;

static Line line(const IrOp *op) {
  const IrType *t = &op->in[0]->type;
  int64_t axis = ir_int(op, A_AXIS);
  Line l = {1, t->dim[axis], 1};
  for (int k = 0; k < axis; k++) l.outer *= t->dim[k];
  for (int k = (int)axis + 1; k < t->rank; k++) l.inner *= t->dim[k];
  return l;
}

// The first of the line's elements number o * inner + i.
static int64_t line_start(const Line *l, int64_t k) { return k / l->inner * l->n * l->inner + k % l->inner; }

static bool better(IrCode c, IrDtype t, IrNumber a, IrNumber b) {
  if (isnan(b.re)) return false;
  return isnan(a.re) || compare(c == IR_ARGMAX ? IR_GT : IR_LT, t, a, b);
}

static void ir_eval_argreduce(Eval *e, const IrOp *op) {
  const IrArray *x = IN(0);
  IrArray *y = result(e, op, 0);
  Line l = line(op);
  for (int64_t k = 0; k < l.outer * l.inner; k++) {
    int64_t at = line_start(&l, k), best = 0;
    for (int64_t j = 1; j < l.n; j++)
      if (better(op->code, x->type.dtype, get(x, at + j * l.inner), get(x, at + best * l.inner))) best = j;
    y->i[k] = best;
  }
}

static void ir_eval_cum(Eval *e, const IrOp *op) {
  const IrArray *x = IN(0);
  IrArray *y = result(e, op, 0);
  Line l = line(op);
  bool reverse = ir_int(op, A_REVERSE);
  for (int64_t k = 0; k < l.outer * l.inner; k++)
    for (int64_t turn = 0; turn < l.n; turn++) {
      int64_t at = line_start(&l, k) + (reverse ? l.n - 1 - turn : turn) * l.inner;
      IrNumber v = get(x, at);
      if (turn > 0) v = binary(e, step_of(op->code), x->type.dtype, get(y, at + (reverse ? l.inner : -l.inner)), v);
      set_rounded(e, y, at, v);
    }
}

static bool sorts_before(const IrArray *x, int64_t a, int64_t b) {
  IrNumber p = get(x, a), q = get(x, b);
  if (isnan(q.re)) return !isnan(p.re);
  return compare(IR_LT, x->type.dtype, p, q);
}

// Merges y[from..mid) and y[mid..to), which are sorted, by way of w: stable.
static void merge(const IrArray *x, int64_t at, int64_t inner, int64_t *y, int64_t *w, int64_t from, int64_t mid, int64_t to) {
  int64_t a = from, b = mid;
  for (int64_t k = from; k < to; k++) {
    bool second = a == mid || (b < to && sorts_before(x, at + y[b] * inner, at + y[a] * inner));
    w[k] = second ? y[b++] : y[a++];
  }
  memcpy(y + from, w + from, sizeof *y * (size_t)(to - from));
}

static void ir_eval_argsort(Eval *e, const IrOp *op) {
  const IrArray *x = IN(0);
  IrArray *y = result(e, op, 0);
  Line l = line(op);
  int64_t *o = arena_array(e->arena, int64_t, l.n), *w = arena_array(e->arena, int64_t, l.n);
  for (int64_t k = 0; k < l.outer * l.inner; k++) {
    int64_t at = line_start(&l, k);
    for (int64_t j = 0; j < l.n; j++) o[j] = j;
    for (int64_t run = 1; run < l.n; run *= 2)
      for (int64_t from = 0; from + run < l.n; from += 2 * run)
        merge(x, at, l.inner, o, w, from, from + run, from + 2 * run < l.n ? from + 2 * run : l.n);
    for (int64_t j = 0; j < l.n; j++) y->i[at + j * l.inner] = o[j];
  }
}

// ---- products -----------------------------------------------------------------------------------------------
static void add_product(IrArray *y, int64_t at, IrNumber a, IrNumber b) {
  if (y->i) y->i[at] = (int64_t)((uint64_t)y->i[at] + (uint64_t)a.i * (uint64_t)b.i);
  else if (!ir_is_complex(y->type.dtype)) y->f[at] += a.re * b.re;
  else {
    IrNumber p = complex_mul(a, b);
    y->f[2 * at] += p.re;
    y->f[2 * at + 1] += p.im;
  }
}

static void round_all(const Eval *e, IrArray *y) {
  for (int64_t n = ir_count(&y->type), k = 0; k < n; k++) set_rounded(e, y, k, get(y, k));
}

static void ir_eval_dot(Eval *e, const IrOp *op) {
  const IrArray *x = IN(0), *z = IN(1);
  IrArray *y = result(e, op, 0);
  int64_t nb = ir_int(op, A_BATCH), ta = ir_int(op, A_TA), tb = ir_int(op, A_TB), batch = 1;
  int64_t m = y->type.dim[nb], n = y->type.dim[nb + 1], inner = x->type.dim[nb + !ta];
  for (int k = 0; k < nb; k++) batch *= y->type.dim[k];
  for (int64_t b = 0; b < batch; b++)
    for (int64_t i = 0; i < m; i++)
      for (int64_t j = 0; j < n; j++)
        for (int64_t k = 0; k < inner; k++)
          add_product(y, (b * m + i) * n + j, get(x, b * m * inner + (ta ? k * m + i : i * inner + k)),
                      get(z, b * n * inner + (tb ? j * inner + k : k * n + j)));
  round_all(e, y);
}

// Every triple (element of x, element of z, element of y) of y = conv(x, z) adds to the one
// of the three that is the result.
static void convolve(Eval *e, const IrOp *op, IrArray *x, IrArray *z, IrArray *y) {
  const int64_t *stride = ir_ints(op, A_STRIDE, NULL), *lo = ir_ints(op, A_LO, NULL);
  const int64_t *dilate = ir_ints(op, A_DILATE, NULL), *xd = x->type.dim, *zd = z->type.dim, *yd = y->type.dim;
  int64_t per = zd[3] / ir_int(op, A_GROUPS);
  IrType turns = ir_type(IR_I32, 7, (int64_t[]){yd[0], yd[1], yd[2], zd[0], zd[1], zd[2], zd[3]});
  int64_t i[IR_MAX_RANK] = {0};
  for (int64_t n = ir_count(&turns), k = 0; k < n; k++, advance(&turns, i)) {
    int64_t row = stride[0] * i[1] + dilate[0] * i[3] - lo[0], col = stride[1] * i[2] + dilate[1] * i[4] - lo[1];
    if (row < 0 || row >= xd[1] || col < 0 || col >= xd[2]) continue;
    int64_t ax = ((i[0] * xd[1] + row) * xd[2] + col) * xd[3] + i[6] / per * zd[2] + i[5];
    int64_t az = ((i[3] * zd[1] + i[4]) * zd[2] + i[5]) * zd[3] + i[6];
    int64_t ay = ((i[0] * yd[1] + i[1]) * yd[2] + i[2]) * yd[3] + i[6];
    if (op->code == IR_CONV) add_product(y, ay, get(x, ax), get(z, az));
    else if (op->code == IR_CONV_DX) add_product(x, ax, get(y, ay), get(z, az));
    else add_product(z, az, get(x, ax), get(y, ay));
  }
  round_all(e, OUT(0));
}

static void ir_eval_conv(Eval *e, const IrOp *op) { convolve(e, op, IN(0), IN(1), result(e, op, 0)); }
static void ir_eval_conv_dx(Eval *e, const IrOp *op) { convolve(e, op, result(e, op, 0), IN(1), IN(0)); }
static void ir_eval_conv_dw(Eval *e, const IrOp *op) { convolve(e, op, IN(0), result(e, op, 0), IN(1)); }

// ---- linear algebra ---------------------------------------------------------------------------------------------
static int64_t matrices(const IrType *t) {
  int64_t n = 1;
  for (int k = 0; k < t->rank - 2; k++) n *= t->dim[k];
  return n;
}

static void ir_eval_qr(Eval *e, const IrOp *op) {
  const IrArray *x = IN(0);
  IrArray *q = result(e, op, 0), *r = result(e, op, 1);
  int64_t m = x->type.dim[x->type.rank - 2], n = x->type.dim[x->type.rank - 1];
  double *w = arena_array(e->arena, double, m * n + m);
  for (int64_t b = 0; b < matrices(&x->type); b++)
    linalg_qr(m, n, x->f + b * m * n, q->f + b * m * n, r->f + b * n * n, w);
  round_all(e, q);
  round_all(e, r);
}

static void ir_eval_cholesky(Eval *e, const IrOp *op) {
  const IrArray *x = IN(0);
  IrArray *y = result(e, op, 0);
  int64_t n = x->type.dim[x->type.rank - 1];
  for (int64_t b = 0; b < matrices(&x->type); b++) linalg_cholesky(n, x->f + b * n * n, y->f + b * n * n);
  round_all(e, y);
}

static void ir_eval_trisolve(Eval *e, const IrOp *op) {
  const IrArray *l = IN(0), *x = IN(1);
  IrArray *y = result(e, op, 0);
  int64_t n = x->type.dim[x->type.rank - 2], m = x->type.dim[x->type.rank - 1];
  for (int64_t b = 0; b < matrices(&x->type); b++)
    linalg_trisolve(n, m, ir_int(op, A_TA), l->f + b * n * n, x->f + b * n * m, y->f + b * n * m);
  round_all(e, y);
}

// The routines of the runtime serve here too: a decomposition proves itself, tests multiply it back.
static int64_t dtype_of(const IrArray *x) { return ir_is_complex(x->type.dtype) ? RT_C128 : RT_F64; }

static void ir_eval_lu(Eval *e, const IrOp *op) {
  const IrArray *x = IN(0);
  IrArray *lu = result(e, op, 0), *perm = result(e, op, 1);
  int64_t n = x->type.dim[x->type.rank - 1], batch = matrices(&x->type);
  int32_t *p = arena_array(e->arena, int32_t, batch * n);
  rt_lu(RT_F64, batch, n, x->f, lu->f, p, arena_alloc(e->arena, (size_t)rt_lu_scratch(n)));
  for (int64_t k = 0; k < batch * n; k++) perm->i[k] = p[k];
  round_all(e, lu);
}

static void ir_eval_eigh(Eval *e, const IrOp *op) {
  const IrArray *x = IN(0);
  IrArray *w = result(e, op, 0), *v = result(e, op, 1);
  int64_t n = x->type.dim[x->type.rank - 1];
  rt_eigh(dtype_of(x), matrices(&x->type), n, x->f, w->f, v->f, arena_alloc(e->arena, (size_t)rt_eigh_scratch(n)));
  round_all(e, w);
  round_all(e, v);
}

static void ir_eval_svd(Eval *e, const IrOp *op) {
  const IrArray *x = IN(0);
  IrArray *u = result(e, op, 0), *s = result(e, op, 1), *v = result(e, op, 2);
  int64_t m = x->type.dim[x->type.rank - 2], n = x->type.dim[x->type.rank - 1];
  rt_svd(RT_F64, matrices(&x->type), m, n, x->f, u->f, s->f, v->f, arena_alloc(e->arena, (size_t)rt_svd_scratch(m, n)));
  for (int k = 0; k < 3; k++) round_all(e, OUT(k));
}

static void ir_eval_eig(Eval *e, const IrOp *op) {
  const IrArray *x = IN(0);
  IrArray *w = result(e, op, 0), *v = result(e, op, 1), *u = result(e, op, 2);
  int64_t n = x->type.dim[x->type.rank - 1];
  rt_eig(dtype_of(x), matrices(&x->type), n, x->f, w->f, v->f, u->f, arena_alloc(e->arena, (size_t)rt_eig_scratch(n)));
  for (int k = 0; k < 3; k++) round_all(e, OUT(k));
}

// By the sum itself.
static void ir_eval_fft(Eval *e, const IrOp *op) {
  const IrArray *x = IN(0);
  IrArray *y = result(e, op, 0);
  int64_t n = x->type.dim[x->type.rank - 1], all = ir_count(&x->type);
  double sign = ir_int(op, A_REVERSE) ? 2 : -2;
  for (int64_t k = 0; k < all; k++)
    for (int64_t j = 0; j < n; j++) {
      double t = sign * acos(-1) * (double)(j * (k % n) % n) / (double)n;
      add_product(y, k, get(x, k / n * n + j), (IrNumber){cos(t), sin(t), 0});
    }
  round_all(e, y);
}

// ---- control --------------------------------------------------------------------------------------------------
static void run_region(Eval *e, const IrRegion *r);

static void push_level(Eval *e) {
  if (e->depth == e->level.n) {
    Arena *a = arena_new(&e->base, Arena);
    a->oom = &e->out;
    vec_push(&e->base, &e->level, a);
  }
  e->arena = e->level.at[e->depth++];
}

static void pop_level(Eval *e) {
  arena_free(e->level.at[--e->depth]);
  e->arena = e->depth ? e->level.at[e->depth - 1] : &e->base;
}

// Two copies of each carried value: a turn reads one and writes the other, so that a body
// that swaps its carries finds the old ones whole.
typedef struct Carry { int n; IrArray *now, *next; } Carry;

static Carry carry(Eval *e, const IrOp *op, int n) {
  Carry c = {n, arena_array(e->arena, IrArray, n), arena_array(e->arena, IrArray, n)};
  for (int k = 0; k < n; k++) {
    c.now[k] = copied(e, IN(k));
    c.next[k] = make(e, &IN(k)->type);
  }
  return c;
}

static void carry_in(Eval *e, const Carry *c, IrValue *const *arg) {
  for (int k = 0; k < c->n; k++) e->val[arg[k]->id] = c->now[k];
}

static void carry_out(Eval *e, Carry *c, const IrRegion *r) {
  for (int k = 0; k < c->n; k++) copy_to(&c->next[k], 0, &e->val[r->yield[k]->id]);
  IrArray *t = c->now;
  c->now = c->next;
  c->next = t;
}

static void loop(Eval *e, const IrOp *op, int ncarry) {
  const IrRegion *r = op->sub[0];
  int64_t n = ir_int(op, A_N), turn = 0;
  bool reverse = op->code == IR_SCAN && ir_int(op, A_REVERSE);
  Carry c = carry(e, op, ncarry);
  for (int k = ncarry; k < r->nyield; k++) result(e, op, k);
  for (int64_t done = 0; done < n; done++) {
    turn = reverse ? n - 1 - done : done;
    push_level(e);
    IrArray index = ir_array(e->arena, ir_scalar(IR_I32));
    index.i[0] = turn;
    e->val[r->arg[0]->id] = index;
    carry_in(e, &c, r->arg + 1);
    for (int k = ncarry; k < op->nin; k++) {
      const IrType *t = &r->arg[1 + k]->type;
      e->val[r->arg[1 + k]->id] = view(IN(k), *t, turn * ir_count(t));
    }
    run_region(e, r);
    carry_out(e, &c, r);
    for (int k = ncarry; k < r->nyield; k++) copy_to(OUT(k), turn * ir_count(&r->yield[k]->type), &e->val[r->yield[k]->id]);
    pop_level(e);
  }
  for (int k = 0; k < ncarry; k++) *OUT(k) = c.now[k];
}

static void ir_eval_scan(Eval *e, const IrOp *op) { loop(e, op, (int)ir_int(op, A_NCARRY)); }
static void ir_eval_map(Eval *e, const IrOp *op) { loop(e, op, 0); }

static void ir_eval_while(Eval *e, const IrOp *op) {
  Carry c = carry(e, op, op->nin);
  for (int64_t turn = 0;; turn++) {
    push_level(e);
    carry_in(e, &c, op->sub[0]->arg);
    run_region(e, op->sub[0]);
    if (!e->val[op->sub[0]->yield[0]->id].i[0]) break;
    if (e->how->max_turns > 0 && turn == e->how->max_turns)
      stop(e, arena_printf(e->result, "a while took more than %lld turns", (long long)turn));
    carry_in(e, &c, op->sub[1]->arg);
    run_region(e, op->sub[1]);
    carry_out(e, &c, op->sub[1]);
    pop_level(e);
  }
  pop_level(e);
  for (int k = 0; k < op->nin; k++) *OUT(k) = c.now[k];
}

static void ir_eval_cond(Eval *e, const IrOp *op) {
  const IrRegion *r = op->sub[IN(0)->i[0] ? 0 : 1];
  run_region(e, r);
  for (int k = 0; k < r->nyield; k++) *OUT(k) = e->val[r->yield[k]->id];
}

static void ir_eval_remat(Eval *e, const IrOp *op) {
  const IrRegion *r = op->sub[0];
  run_region(e, r);
  for (int k = 0; k < r->nyield; k++) *OUT(k) = e->val[r->yield[k]->id];
}

static void ir_eval_custom(Eval *e, const IrOp *op) {
  const IrRegion *r = op->sub[0];
  for (int k = 0; k < op->nin; k++) e->val[r->arg[k]->id] = *IN(k);
  run_region(e, r);
  for (int k = 0; k < r->nyield; k++) *OUT(k) = e->val[r->yield[k]->id];
}

_Noreturn static void unexpanded(Eval *e, const IrOp *op) {
  stop(e, arena_printf(e->result, "%s is not evaluated: the pass autodiff expands it", ir_info[op->code].name));
}

static void ir_eval_vjp(Eval *e, const IrOp *op) { unexpanded(e, op); }
static void ir_eval_jvp(Eval *e, const IrOp *op) { unexpanded(e, op); }

// ---- all ops ------------------------------------------------------------------------------------------------------
static void (*const rule[IR_NCODE])(Eval *, const IrOp *) = {
#define OP(code, name, nin, nout, attrs, type, eval, jvp, transpose, batch, lower, doc) ir_eval_##eval,
#include "ir/ops.def"
#undef OP
};

static bool all_finite(const IrArray *x) {
  if (!x->f) return true;
  for (int64_t n = ir_count(&x->type) * parts(x->type.dtype), k = 0; k < n; k++)
    if (!isfinite(x->f[k])) return false;
  return true;
}

// A value goes bad where operands were finite and the result is not; what flows from it is
// no news, and constants may be infinite (masks).
static void find_bad(Eval *e, const IrOp *op) {
  if (op->code == IR_CONST || ir_info[op->code].lower == LOWER_CONTROL) return;
  for (int k = 0; k < op->nin; k++)
    if (!all_finite(IN(k))) return;
  for (int k = 0; k < op->nout; k++) {
    if (all_finite(OUT(k))) continue;
    e->how->bad = op;
    stop(e, arena_printf(e->result, "%s gave a value that is not finite", ir_info[op->code].name));
  }
}

static void run_region(Eval *e, const IrRegion *r) {
  ir_each_op(r, op) {
    rule[op->code](e, op);
    if (e->how->find_bad) find_bad(e, op);
  }
}

static void run_graph(Eval *e, const IrGraph *g, const IrArray *in, IrArray *out) {
  e->val = arena_array(&e->base, IrArray, g->nvalue + 1);
  for (int k = 0; k < g->top->narg; k++) {
    const IrType *t = &g->top->arg[k]->type;
    if (!ir_type_eq(&in[k].type, t))
      stop(e, arena_printf(e->result, "input %d is %s, not %s", k + 1, ir_type_text(e->result, &in[k].type), ir_type_text(e->result, t)));
    e->val[g->top->arg[k]->id] = in[k];
  }
  run_region(e, g->top);
  e->arena = e->result;
  for (int k = 0; k < g->top->nyield; k++) out[k] = copied(e, &e->val[g->top->yield[k]->id]);
}

const char *ir_eval(Arena *a, IrEval *how, const IrGraph *g, const IrArray *in, IrArray *out) {
  jmp_buf *outer = a->oom;
  Eval *e = arena_new(a, Eval);
  e->how = how;
  e->typed = how->typed;
  e->result = a;
  e->base.oom = &e->out;
  e->arena = &e->base;
  how->bad = NULL;
  int left = setjmp(e->out);
  if (!left) {
    a->oom = &e->out;
    run_graph(e, g, in, out);
  }
  a->oom = outer;
  for (int k = 0; k < e->level.n; k++) arena_free(e->level.at[k]);
  arena_free(&e->base);
  if (left == OUT_OF_MEMORY) {
    ICE_IF(!outer, "out of memory, and nobody set Arena.oom");
    longjmp(*outer, 1);
  }
  return e->why;
}
