#include "ir/ir.h"

#include <string.h>

#define AT(k) (1u << (k))
const IrInfo ir_info[IR_NCODE] = {
#define OP(code, name, nin, nout, attrs, type, eval, jvp, transpose, batch, lower, doc) \
  [IR_##code] = {name, nin, nout, attrs, LOWER_##lower, doc},
#include "ir/ops.def"
#undef OP
};

static const char *const key_name[A_NKEY] = {
  [A_AXES] = "axes", [A_AXIS] = "axis", [A_START] = "start", [A_LIMIT] = "limit",
  [A_STRIDE] = "stride", [A_LO] = "lo", [A_HI] = "hi", [A_INNER] = "inner",
  [A_SIZES] = "sizes", [A_BATCH] = "batch", [A_MODE] = "mode", [A_TA] = "ta", [A_TB] = "tb",
  [A_DILATE] = "dilate", [A_GROUPS] = "groups", [A_N] = "n", [A_REVERSE] = "reverse",
  [A_NCARRY] = "ncarry", [A_NX] = "nx", [A_NY] = "ny", [A_EXACT] = "exact", [A_DATA] = "data", [A_NAME] = "name",
};

const char *ir_key_name(IrKey k) { return key_name[k]; }

int ir_code_find(const char *name) {
  for (int c = 0; c < IR_NCODE; c++)
    if (!strcmp(ir_info[c].name, name)) return c;
  return -1;
}

bool ir_is_heavy(const IrOp *op) {
  switch (ir_info[op->code].lower) {
  case LOWER_REDUCE: case LOWER_DOT: case LOWER_CONV: case LOWER_LIB: case LOWER_CONTROL: case LOWER_NEVER: return true;
  case LOWER_ELEMENT: break;
  default: return false;
  }
  switch (op->code) {
  case IR_EXP: case IR_LOG: case IR_EXPM1: case IR_LOG1P: case IR_SIN: case IR_COS: case IR_TANH: case IR_SIGMOID:
  case IR_ERF: case IR_ERFINV: case IR_LGAMMA: case IR_DIGAMMA: case IR_POLYGAMMA: case IR_POW: case IR_ATAN2:
  case IR_THREEFRY: case IR_SQRT: case IR_RSQRT: case IR_DIV: case IR_MOD:
    return true;
  default: return false;
  }
}

// ---- dtypes and types ----------------------------------------------------------------
enum { FLOAT = 1, INT = 2, SIGNED = 4, COMPLEX = 8 };
static const struct { const char *name; int bytes, is; } dtype[IR_NDTYPE] = {
  [IR_BOOL] = {"bool", 1, 0},
  [IR_I8] = {"i8", 1, INT | SIGNED}, [IR_I16] = {"i16", 2, INT | SIGNED},
  [IR_I32] = {"i32", 4, INT | SIGNED}, [IR_I64] = {"i64", 8, INT | SIGNED},
  [IR_U8] = {"u8", 1, INT}, [IR_U32] = {"u32", 4, INT}, [IR_U64] = {"u64", 8, INT},
  [IR_BF16] = {"bf16", 2, FLOAT | SIGNED}, [IR_F32] = {"f32", 4, FLOAT | SIGNED},
  [IR_F64] = {"f64", 8, FLOAT | SIGNED},
  [IR_C64] = {"c64", 8, COMPLEX | SIGNED}, [IR_C128] = {"c128", 16, COMPLEX | SIGNED},
};

const char *ir_dtype_name(IrDtype t) { return dtype[t].name; }
int ir_dtype_bytes(IrDtype t) { return dtype[t].bytes; }
bool ir_is_float(IrDtype t) { return dtype[t].is & FLOAT; }
bool ir_is_int(IrDtype t) { return dtype[t].is & INT; }
bool ir_is_signed(IrDtype t) { return dtype[t].is & SIGNED; }
bool ir_is_complex(IrDtype t) { return dtype[t].is & COMPLEX; }
bool ir_is_diff(IrDtype t) { return dtype[t].is & (FLOAT | COMPLEX); }

IrDtype ir_real_of(IrDtype t) { return t == IR_C64 ? IR_F32 : t == IR_C128 ? IR_F64 : t; }

IrType ir_type(IrDtype t, int rank, const int64_t *dim) {
  IrType y = {t, rank, {0}};
  ICE_IF(rank < 0 || rank > IR_MAX_RANK, "rank %d", rank);
  for (int k = 0; k < rank; k++) y.dim[k] = dim[k];
  return y;
}

IrType ir_scalar(IrDtype t) { return ir_type(t, 0, NULL); }

bool ir_type_eq(const IrType *a, const IrType *b) {
  if (a->dtype != b->dtype || a->rank != b->rank) return false;
  for (int k = 0; k < a->rank; k++)
    if (a->dim[k] != b->dim[k]) return false;
  return true;
}

const char *ir_type_bad(const IrType *t) {
  if ((int)t->dtype < 0 || t->dtype >= IR_NDTYPE) return "no such dtype";
  if (t->rank < 0 || t->rank > IR_MAX_RANK) return "more than 8 axes";
  int64_t most = (int64_t)1 << 44;
  for (int k = 0; k < t->rank; k++) {
    if (t->dim[k] < 0) return "a negative size";
    if (t->dim[k] > most) return "more than 2^44 elements";
    if (t->dim[k] > 0) most /= t->dim[k];
  }
  return NULL;
}

int64_t ir_count(const IrType *t) {
  int64_t n = 1;
  for (int k = 0; k < t->rank; k++) n *= t->dim[k];
  return n;
}

int64_t ir_bytes(const IrType *t) { return ir_count(t) * ir_dtype_bytes(t->dtype); }

char *ir_type_text(Arena *a, const IrType *t) {
  Str s = {.arena = a};
  str_printf(&s, "%s", ir_dtype_name(t->dtype));
  for (int k = 0; k < t->rank; k++)
    str_printf(&s, "%s%lld", k ? ", " : "[", (long long)t->dim[k]);
  if (t->rank) str_printf(&s, "]");
  return s.s;
}

// ---- attributes -----------------------------------------------------------------------
const IrAttr *ir_attr(const IrOp *op, IrKey k) {
  for (int i = 0; i < op->nattr; i++)
    if (op->attr[i].key == k) return &op->attr[i];
  return NULL;
}

int64_t ir_int(const IrOp *op, IrKey k) {
  const IrAttr *t = ir_attr(op, k);
  return t && t->n > 0 ? t->i[0] : 0;
}

const int64_t *ir_ints(const IrOp *op, IrKey k, int *n) {
  const IrAttr *t = ir_attr(op, k);
  if (n) *n = t ? t->n : 0;
  return t ? t->i : NULL;
}

const char *ir_text(const IrOp *op) {
  const IrAttr *t = ir_attr(op, A_NAME);
  return t ? t->data : NULL;
}

IrAttr ir_attr_ints(Arena *a, IrKey k, int n, const int64_t *v) {
  IrAttr t = {.key = k, .n = n};
  t.i = arena_copy(a, v, sizeof *v * (size_t)n);
  return t;
}

IrAttr ir_attr_int(Arena *a, IrKey k, int64_t v) { return ir_attr_ints(a, k, 1, &v); }
