// Constants: reading them, and evaluating ops of which all operands are known.
#include "passes/simplify.h"

#include "ir/number.h"

#include <math.h>
#include <string.h>

// A table is worth its memory only while it is small; arithmetic on an iota is
// cheaper than most tables, so only a handful of its elements are written down.
enum { FOLD_OPERAND = 65536, FOLD_RESULT = 4096, FOLD_IOTA = 64 };

static const IrAttr *data_of(const IrValue *v) { return ir_attr(v->op, A_DATA); }

bool simp_is_const(const IrValue *v) { return v->op && v->op->code == IR_CONST; }

bool simp_is_splat(const IrValue *v) {
  return simp_is_const(v) && data_of(v)->n == ir_dtype_bytes(v->type.dtype);
}

bool simp_is_int(const IrValue *v, int64_t x) {
  IrDtype t = v->type.dtype;
  return simp_is_splat(v) && !ir_is_diff(t) && ir_load(t, data_of(v)->data).i == x;
}

bool simp_splat_real(const IrValue *v, double *x) {
  IrDtype t = v->type.dtype;
  if (!simp_is_splat(v) || !ir_is_float(t)) return false;
  *x = ir_load(t, data_of(v)->data).re;
  return true;
}

bool simp_is_real(const IrValue *v, double x) {
  double y;
  return simp_splat_real(v, &y) && y == x && signbit(y) == signbit(x);
}

IrValue *simp_int(IrBuilder *b, IrType t, int64_t x) {
  unsigned char data[16];
  ir_store(t.dtype, data, (IrNumber){.i = x});
  return ir_const(b, t, data, (size_t)ir_dtype_bytes(t.dtype));
}

IrValue *simp_resplat(IrBuilder *b, const IrValue *v, IrType t) {
  return ir_const(b, t, data_of(v)->data, (size_t)ir_dtype_bytes(t.dtype));
}

bool simp_same(const IrValue *a, const IrValue *b) {
  if (a == b) return true;
  if (!simp_is_const(a) || !simp_is_const(b) || !ir_type_eq(&a->type, &b->type)) return false;
  const IrAttr *x = data_of(a), *y = data_of(b);
  return x->n == y->n && !memcmp(x->data, y->data, (size_t)x->n);
}

// The result is x's one element, wherever it is read from.
static bool only_moves(const IrOp *op) {
  switch (op->code) {
  case IR_RESHAPE: case IR_TRANSPOSE: case IR_BROADCAST: case IR_SLICE: case IR_REVERSE:
  case IR_DYN_SLICE: case IR_GATHER:
    return true;
  case IR_PAD:      // the filling is +0
    return simp_is_int(op->in[0], 0) || simp_is_real(op->in[0], 0.0);
  case IR_CONCAT:
    for (int i = 1; i < op->nin; i++)
      if (!simp_is_splat(op->in[i]) || memcmp(data_of(op->in[i])->data, data_of(op->in[0])->data, (size_t)data_of(op->in[0])->n))
        return false;
    return true;
  case IR_DYN_UPDATE: case IR_SCATTER: {
    int u = op->code == IR_SCATTER ? 2 : 1;
    return (op->code == IR_DYN_UPDATE || ir_int(op, A_MODE) != SCATTER_ADD) && simp_is_splat(op->in[u]) &&
           !memcmp(data_of(op->in[u])->data, data_of(op->in[0])->data, (size_t)data_of(op->in[0])->n);
  }
  case IR_RMAX: case IR_RMIN: case IR_ALL: case IR_ANY:
    return ir_count(&op->in[0]->type) > 0;
  case IR_SUM:      // L1: zeros in any order
    return simp_is_int(op->in[0], 0) || simp_is_real(op->in[0], 0.0);
  default: return false;
  }
}

static bool wants_type(IrCode c) {
  return c == IR_CAST || c == IR_BITCAST || c == IR_RESHAPE || c == IR_BROADCAST || c == IR_CONV_DX || c == IR_CONV_DW;
}

// Runs op alone on constants of the given operand types; bytes of its result.
static void *evaluate(Simp *s, const IrOp *op, bool scalar, const IrType *want) {
  IrGraph *g = ir_graph(s->tmp, "fold");
  IrBuilder b = {.graph = g, .at = g->top};
  IrValue **in = arena_array(s->tmp, IrValue *, op->nin + 1);
  for (int i = 0; i < op->nin; i++) {
    const IrValue *v = op->in[i];
    if (v->op->code == IR_IOTA)
      in[i] = ir_iota(&b, v->type, (int)ir_int(v->op, A_AXIS));
    else
      in[i] = ir_const(&b, scalar ? ir_scalar(v->type.dtype) : v->type, data_of(v)->data, (size_t)data_of(v)->n);
  }
  IrOp *twin = ir_build(&b, op->code, op->nin, in, wants_type(op->code) ? want : NULL, op->nattr, op->attr, 0, NULL);
  ir_output(g, twin->out[0], NULL);
  IrEval how = {.typed = true};
  IrArray out;
  if (ir_eval(s->tmp, &how, g, NULL, &out)) return NULL;
  void *bytes = arena_alloc(s->tmp, (size_t)ir_bytes(want) + 16);
  ir_array_to(&out, bytes);
  return bytes;
}

static bool all_equal(const char *p, int64_t n, size_t size) {
  for (int64_t i = 1; i < n; i++)
    if (memcmp(p, p + (size_t)i * size, size)) return false;
  return true;
}

IrValue *simp_fold(Simp *s, IrOp *op) {
  if (op->nout != 1 || op->nregion || op->nin == 0 || op->code == IR_STOP_GRAD) return NULL;
  IrType t = op->out[0]->type;
  IrBuilder b = simp_at(s, op);
  if (simp_is_splat(op->in[0]) && only_moves(op)) return simp_resplat(&b, op->in[0], t);

  bool splats = true, iota = false;
  int64_t most = ir_count(&t);
  for (int i = 0; i < op->nin; i++) {
    const IrValue *v = op->in[i];
    bool is_iota = v->op && v->op->code == IR_IOTA;
    if (!simp_is_const(v) && !is_iota) return NULL;
    iota |= is_iota;
    splats &= simp_is_splat(v);
    int64_t n = ir_count(&v->type);
    if (n > most) most = n;
  }
  bool scalar = splats && ir_info[op->code].lower == LOWER_ELEMENT;
  IrType want = scalar ? ir_scalar(t.dtype) : t;
  if (!scalar && (most > FOLD_OPERAND || ir_count(&t) > (iota ? FOLD_IOTA : FOLD_RESULT))) return NULL;
  if (!scalar && iota && most > FOLD_RESULT) return NULL;
  char *bytes = evaluate(s, op, scalar, &want);
  if (!bytes) return NULL;
  int64_t n = ir_count(&want);
  size_t size = (size_t)ir_dtype_bytes(t.dtype);
  return ir_const(&b, t, bytes, n == 0 || all_equal(bytes, n, size) ? size : size * (size_t)n);
}
