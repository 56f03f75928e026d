// Algebraic identities of arithmetic, logic and casts. Each rule gives what stands for the op's only result, or
// NULL. All are exact: equal bits, NaN payloads aside; the law is named where a
// rule leans on one. A rule may build new ops before op; they are looked at next.
#include "passes/simplify.h"

#include "ir/number.h"

#include <math.h>
#include <string.h>

static bool is(const IrValue *v, IrCode c) { return v->op && v->op->code == c; }
static bool is_int_like(const IrValue *v) { return !ir_is_diff(v->type.dtype); }
static IrValue *operand(const IrValue *v) { return v->op->in[0]; }

static IrValue *build1(IrBuilder *b, const IrOp *like, int nin, IrValue *const *in) {
  return ir_build(b, like->code, nin, in, NULL, like->nattr, like->attr, 0, NULL)->out[0];
}

// All bits set: the neutral element of `and`.
static bool is_ones(const IrValue *v) {
  return simp_is_int(v, v->type.dtype == IR_BOOL ? 1 : ir_wrap(v->type.dtype, -1));
}

// No element of v is -0, if none of `given` (or NULL) is. A sum is -0 only where both
// operands are, so what adds up from 0 never is: accumulators of a loop.
static bool no_minus_zero(const IrValue *v, const IrValue *given, int fuel) {
  double c;
  if (v == given) return true;
  if (fuel == 0) return false;
  if (simp_splat_real(v, &c)) return c != 0 || !signbit(c);
  if (!v->op) {
    const IrOp *loop = v->region->owner;
    if (!loop || loop->code != IR_SCAN || v->index == 0 || v->index > ir_int(loop, A_NCARRY)) return false;
    return no_minus_zero(loop->in[v->index - 1], NULL, fuel - 1) &&
           no_minus_zero(loop->sub[0]->yield[v->index - 1], v, fuel - 1);
  }
  IrValue **in = v->op->in;
  switch (v->op->code) {
  case IR_ADD: return no_minus_zero(in[0], given, fuel - 1) || no_minus_zero(in[1], given, fuel - 1);
  case IR_MUL: return in[0] == in[1];
  case IR_EXP: case IR_ABS: return true;
  case IR_DYN_UPDATE: return no_minus_zero(in[0], given, fuel - 1) && no_minus_zero(in[1], given, fuel - 1);
  case IR_SCATTER: return ir_int(v->op, A_MODE) == SCATTER_ADD && no_minus_zero(in[0], given, fuel - 1);
  case IR_RESHAPE: case IR_TRANSPOSE: case IR_BROADCAST: case IR_SLICE: case IR_DYN_SLICE: case IR_GATHER:
    return no_minus_zero(in[0], given, fuel - 1);
  default: return false;
  }
}

// ---- arithmetic ----------------------------------------------------------------------
// x + (zeros with u written at a place): only the place is added to. Exact where x has no -0 (L3).
static IrValue *add_at(IrBuilder *b, IrValue *x, IrValue *y) {
  const IrOp *op = y->op;
  if (!op || (op->code != IR_DYN_UPDATE && op->code != IR_SCATTER)) return NULL;
  if (!simp_is_real(op->in[0], 0.0) || !no_minus_zero(x, NULL, 6)) return NULL;
  if (op->code == IR_SCATTER) {
    int nb = (int)ir_int(op, A_BATCH);
    if (ir_int(op, A_MODE) != SCATTER_ADD || op->in[1]->type.rank != nb) return NULL;   // one index a row: one sum each
    return ir_scatter(b, x, op->in[1], op->in[2], nb, SCATTER_ADD);
  }
  IrValue *in[IR_MAX_RANK + 2] = {x};
  int rank = x->type.rank;
  memcpy(in + 1, op->in + 2, sizeof in[0] * (size_t)rank);
  IrAttr sizes = ir_attr_ints(b->graph->arena, A_SIZES, rank, op->in[1]->type.dim);
  IrValue *piece = ir_build(b, IR_DYN_SLICE, rank + 1, in, NULL, 1, &sizes, 0, NULL)->out[0];
  memcpy(in + 2, op->in + 2, sizeof in[0] * (size_t)rank);
  in[1] = ir_bin(b, IR_ADD, piece, op->in[1]);
  return ir_build(b, IR_DYN_UPDATE, rank + 2, in, NULL, 0, NULL, 0, NULL)->out[0];
}

static IrValue *add(IrBuilder *b, IrValue *x, IrValue *y) {
  // L4: integers wrap, so sums of constants meet. L3: x + -0 is x, x + 0 only where x is not -0.
  if (simp_is_int(y, 0) || simp_is_real(y, -0.0)) return x;
  if (simp_is_real(y, 0.0) && no_minus_zero(x, NULL, 6)) return x;
  IrValue *at = add_at(b, x, y);
  if (!at) at = add_at(b, y, x);
  if (at) return at;
  if (is(y, IR_NEG)) return ir_bin(b, IR_SUB, x, operand(y));
  if (is(x, IR_NEG)) return ir_bin(b, IR_SUB, y, operand(x));
  if (is_int_like(x) && simp_is_splat(y) && is(x, IR_ADD) && simp_is_splat(x->op->in[1]))
    return ir_bin(b, IR_ADD, operand(x), ir_bin(b, IR_ADD, x->op->in[1], y));
  return NULL;
}

static IrValue *sub(IrBuilder *b, IrValue *x, IrValue *y) {
  if (simp_is_int(y, 0) || simp_is_real(y, 0.0)) return x;              // L3
  if (is_int_like(x) && x == y) return simp_int(b, x->type, 0);
  if (is_int_like(x) && simp_is_int(x, 0)) return ir_un(b, IR_NEG, y);
  if (is(y, IR_NEG)) return ir_bin(b, IR_ADD, x, operand(y));
  if (is_int_like(x) && simp_is_splat(y)) return ir_bin(b, IR_ADD, x, ir_un(b, IR_NEG, y));
  if (simp_is_real(x, -0.0)) return ir_un(b, IR_NEG, y);
  return NULL;
}

static IrValue *mul(IrBuilder *b, IrValue *x, IrValue *y) {
  if (simp_is_int(y, 1) || simp_is_real(y, 1.0)) return x;
  if (is_int_like(x) && simp_is_int(y, 0)) return y;                    // L3: not for floats
  if (simp_is_real(y, -1.0) || (is_int_like(x) && simp_is_int(y, ir_wrap(y->type.dtype, -1))))
    return ir_un(b, IR_NEG, x);
  if (is(x, IR_NEG) && is(y, IR_NEG)) return ir_bin(b, IR_MUL, operand(x), operand(y));
  if (is(x, IR_NEG) && simp_is_splat(y)) return ir_bin(b, IR_MUL, operand(x), ir_un(b, IR_NEG, y));
  if (is_int_like(x) && simp_is_splat(y) && is(x, IR_MUL) && simp_is_splat(x->op->in[1]))
    return ir_bin(b, IR_MUL, operand(x), ir_bin(b, IR_MUL, x->op->in[1], y));
  return NULL;
}

// 1/c where c is a power of two whose reciprocal is no subnormal of t: then
// x / c and x * (1/c) round alike.
static bool exact_reciprocal(IrDtype t, double c, double *r) {
  int e;
  if (!isfinite(c) || c == 0 || fabs(frexp(c, &e)) != 0.5) return false;
  *r = 1 / c;
  double tiny = t == IR_F64 ? 0x1p-1022 : 0x1p-126, huge = t == IR_F64 ? 0x1p1022 : 0x1p126;
  return fabs(*r) >= tiny && fabs(*r) <= huge;
}

static IrValue *divide(IrBuilder *b, IrValue *x, IrValue *y) {
  double c, r;
  if (simp_is_int(y, 1) || simp_is_real(y, 1.0)) return x;
  if (simp_splat_real(y, &c) && exact_reciprocal(y->type.dtype, c, &r))
    return ir_bin(b, IR_MUL, x, ir_fill(b, y->type, r));
  if (is(x, IR_NEG) && is(y, IR_NEG) && ir_is_float(x->type.dtype)) return ir_bin(b, IR_DIV, operand(x), operand(y));
  return NULL;
}

static IrValue *power(IrBuilder *b, IrValue *x, IrValue *y) {
  double c;
  if (!simp_splat_real(y, &c)) return NULL;
  if (c == 1) return x;
  if (c == 0) return ir_fill(b, x->type, 1);                            // C: even of NaN
  if (c == 2) return ir_bin(b, IR_MUL, x, x);                           // one rounding, as a correctly rounded pow has
  if (c == -1) return ir_bin(b, IR_DIV, ir_fill(b, x->type, 1), x);
  return NULL;
}

static IrValue *neg(IrBuilder *b, IrValue *x) {
  if (is(x, IR_NEG)) return operand(x);
  // -(x - y) is y - x but for equal operands, where one is -0 and the other 0.
  if (is_int_like(x) && is(x, IR_SUB)) return ir_bin(b, IR_SUB, x->op->in[1], operand(x));
  return NULL;
}

static IrValue *bits(IrBuilder *b, IrCode code, IrValue *x, IrValue *y) {
  if (x == y) return code == IR_XOR ? simp_int(b, x->type, 0) : x;
  bool zero = simp_is_int(y, 0), ones = is_ones(y);
  if (code == IR_AND && (zero || ones)) return zero ? y : x;
  if (code == IR_OR && (zero || ones)) return zero ? x : y;
  if (code == IR_XOR && (zero || ones)) return zero ? x : ir_un(b, IR_NOT, x);
  if ((is(x, IR_NOT) && operand(x) == y) || (is(y, IR_NOT) && operand(y) == x)) {
    int64_t all = x->type.dtype == IR_BOOL ? 1 : -1;
    return simp_int(b, x->type, code == IR_AND ? 0 : all);
  }
  return NULL;
}

static IrValue *compare(IrBuilder *b, IrOp *op, IrValue *x, IrValue *y) {
  IrType t = op->out[0]->type;
  IrCode c = op->code;
  if (x == y) {
    if (c == IR_LT || c == IR_GT) return simp_int(b, t, 0);             // L2: of NaN too
    if (is_int_like(x)) return simp_int(b, t, c != IR_NE);
  }
  if (x->type.dtype == IR_BOOL && (c == IR_EQ || c == IR_NE)) {
    if (simp_is_int(y, c == IR_EQ)) return x;
    if (simp_is_int(y, c == IR_NE)) return ir_un(b, IR_NOT, x);
  }
  return NULL;
}

static IrValue *invert(IrBuilder *b, IrValue *x) {
  if (is(x, IR_NOT)) return operand(x);
  if (x->type.dtype != IR_BOOL || !x->op || x->op->nin != 2) return NULL;
  IrCode c = x->op->code;
  if (c == IR_EQ || c == IR_NE)                                         // exact opposites, of NaN too (L2)
    return ir_bin(b, c == IR_EQ ? IR_NE : IR_EQ, x->op->in[0], x->op->in[1]);
  if (!is_int_like(x->op->in[0])) return NULL;
  static const IrCode opposite[IR_NCODE] = {[IR_LT] = IR_GE, [IR_LE] = IR_GT, [IR_GT] = IR_LE, [IR_GE] = IR_LT};
  return opposite[c] ? ir_bin(b, opposite[c], x->op->in[0], x->op->in[1]) : NULL;
}

static IrValue *select3(IrBuilder *b, IrValue *c, IrValue *x, IrValue *y) {
  if (simp_same(x, y)) return x;
  if (simp_is_splat(c)) return simp_is_int(c, 0) ? y : x;
  if (is(c, IR_NOT)) return ir_select(b, operand(c), y, x);
  if (x->type.dtype == IR_BOOL) {
    if (simp_is_int(x, 1) && simp_is_int(y, 0)) return c;
    if (simp_is_int(x, 0) && simp_is_int(y, 1)) return ir_un(b, IR_NOT, c);
    if (simp_is_int(y, 0)) return ir_bin(b, IR_AND, c, x);
    if (simp_is_int(x, 1)) return ir_bin(b, IR_OR, c, y);
  }
  if (is(x, IR_SELECT) && operand(x) == c) return ir_select(b, c, x->op->in[1], y);
  if (is(y, IR_SELECT) && operand(y) == c) return ir_select(b, c, x, y->op->in[2]);
  return NULL;
}

// ---- casts (L5) -----------------------------------------------------------------------
static int width(IrDtype t) { return t == IR_BOOL ? 1 : 8 * ir_dtype_bytes(t); }
static int digits(IrDtype t) { return t == IR_BF16 ? 8 : t == IR_F32 ? 24 : t == IR_F64 ? 53 : 0; }

// Every value of `from` is a value of `to`.
static bool lossless(IrDtype from, IrDtype to) {
  if (from == to) return true;
  if (ir_is_complex(from) || ir_is_complex(to) || to == IR_BOOL) return false;
  if (from == IR_BOOL) return true;
  if (ir_is_float(from)) return ir_is_float(to) && digits(from) <= digits(to);
  int bits = width(from) - ir_is_signed(from);
  if (ir_is_float(to)) return bits <= digits(to);
  if (ir_is_signed(from) && !ir_is_signed(to)) return false;
  return bits <= width(to) - ir_is_signed(to);
}

static IrValue *cast(IrBuilder *b, IrValue *x, IrType t) {
  if (x->type.dtype == t.dtype) return x;
  if (!is(x, IR_CAST)) return NULL;
  IrValue *y = operand(x);
  IrDtype from = y->type.dtype, via = x->type.dtype;
  if (ir_is_complex(t.dtype) || !lossless(from, via)) return NULL;
  // From a float an integer saturates, from an integer it wraps.
  bool int_in = !ir_is_float(from), int_out = !ir_is_float(t.dtype) && t.dtype != IR_BOOL;
  if (int_in && int_out && ir_is_float(via) && !lossless(from, t.dtype)) return NULL;
  return ir_cast(b, y, t.dtype);
}

static bool commutes(IrCode c) {
  return c == IR_ADD || c == IR_MUL || c == IR_AND || c == IR_OR || c == IR_XOR || c == IR_EQ || c == IR_NE;
}

static IrValue *by_code(Simp *s, IrBuilder *b, IrOp *op) {
  IrValue *x = op->nin > 0 ? op->in[0] : NULL, *y = op->nin > 1 ? op->in[1] : NULL;
  switch (op->code) {
  case IR_NEG: return neg(b, x);
  case IR_ABS: return is(x, IR_NEG) && ir_is_float(x->type.dtype) ? build1(b, op, 1, &x->op->in[0]) : is(x, IR_ABS) ? x : NULL;
  case IR_NOT: return invert(b, x);
  case IR_STOP_GRAD: return s->diff ? NULL : x;   // nobody differentiates any more
  case IR_CONJ: return is(x, IR_CONJ) ? operand(x) : NULL;
  case IR_REAL: return is(x, IR_COMPLEX) ? operand(x) : NULL;
  case IR_IMAG: return is(x, IR_COMPLEX) ? x->op->in[1] : NULL;
  case IR_ADD: return add(b, x, y);
  case IR_SUB: return sub(b, x, y);
  case IR_MUL: return mul(b, x, y);
  case IR_DIV: return divide(b, x, y);
  case IR_MOD: return is_int_like(x) && simp_is_int(y, 1) ? simp_int(b, x->type, 0) : NULL;
  case IR_POW: return power(b, x, y);
  case IR_MAX: case IR_MIN: return x == y ? x : NULL;
  case IR_AND: case IR_OR: case IR_XOR: return bits(b, op->code, x, y);
  case IR_SHL: case IR_SHR: return simp_is_int(y, 0) ? x : NULL;
  case IR_EQ: case IR_NE: case IR_LT: case IR_LE: case IR_GT: case IR_GE: return compare(b, op, x, y);
  case IR_SELECT: {
    IrValue *v = select3(b, x, y, op->in[2]);
    return v ? v : simp_masked(s, b, op);
  }
  case IR_CAST: return cast(b, x, op->out[0]->type);
  case IR_BITCAST: return x->type.dtype == op->out[0]->type.dtype ? x : NULL;
  default: return NULL;
  }
}

IrValue *simp_identity(Simp *s, IrOp *op) {
  if (op->nout != 1 || op->nregion) return NULL;
  // Constants stand on the right, so that the rules look there only.
  if (commutes(op->code) && simp_is_const(op->in[0]) && !simp_is_const(op->in[1])) {
    IrValue *c = op->in[0];
    op->in[0] = op->in[1];
    op->in[1] = c;
  }
  IrBuilder b = simp_at(s, op);
  IrValue *v = by_code(s, &b, op);
  return v ? v : simp_shape(s, &b, op);
}
