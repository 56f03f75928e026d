#include "frontend/value.h"

#include <math.h>
#include <string.h>

bool attempt(Elab *e, void (*fn)(Elab *, void *), void *env) {
  Context saved = e->c;
  Owner *owner = e->c.owner;
  int held[4] = {0};
  if (owner) memcpy(held, (int[]){owner->nlead, owner->stack_path.n, owner->stack_value.n, owner->buffer.n}, sizeof held);
  jmp_buf *outer = e->recover, here;
  bool ok = true;
  if (!outer) e->stack = __builtin_frame_address(0);
  e->recover = &here;
  if (setjmp(here) == 0) fn(e, env);
  else {
    e->c = saved;
    ok = false;
    if (owner) {
      owner->nlead = held[0];
      owner->stack_path.n = held[1];
      owner->stack_value.n = held[2];
      owner->buffer.n = owner->buffer_path.n = owner->buffer_old.n = held[3];
    }
  }
  e->recover = outer;
  return ok;
}

// ---- arithmetic -------------------------------------------------------------------------

static double floor_mod(double a, double b) { return b == 0 ? 0 : a - b * floor(a / b); }

static int64_t floor_div_int(int64_t a, int64_t b) { return a / b - (a % b != 0 && (a < 0) != (b < 0)); }

// Exact where integers stay integers; a quotient that comes out even is one.
static Value *number(Elab *e, AstOp op, Value *a, Value *b, Loc loc) {
  pin(e, a);
  pin(e, b);
  double x = num_f(a), y = num_f(b);
  int64_t r;
  bool ints = a->is_int && b->is_int;
  switch (op) {
  case AST_ADD: return ints && !__builtin_add_overflow(a->i, b->i, &r) ? value_int(e, r) : value_real(e, x + y);
  case AST_SUB: return ints && !__builtin_sub_overflow(a->i, b->i, &r) ? value_int(e, r) : value_real(e, x - y);
  case AST_MUL: return ints && !__builtin_mul_overflow(a->i, b->i, &r) ? value_int(e, r) : value_real(e, x * y);
  case AST_DIV:
    if (y == 0) fail(e, loc, "the divisor is known while compiling: test it with `if`, or change it", "division by zero");
    if (ints && b->i == -1) return a->i == INT64_MIN ? value_real(e, -x) : value_int(e, -a->i);
    return ints && a->i % b->i == 0 ? value_int(e, a->i / b->i) : value_real(e, x / y);
  case AST_MOD:
    if (y == 0) fail(e, loc, "the divisor is known while compiling: test it with `if`, or change it", "remainder of a division by zero");
    return ints ? value_int(e, b->i == -1 ? 0 : a->i - b->i * floor_div_int(a->i, b->i)) : value_real(e, floor_mod(x, y));
  case AST_POW: return ints && b->i >= 0 ? value_num(e, pow(x, y)) : value_real(e, pow(x, y));
  case AST_EQ: return value_bool(e, x == y);
  case AST_NE: return value_bool(e, x != y);
  case AST_LT: return value_bool(e, x < y);
  case AST_LE: return value_bool(e, x <= y);
  case AST_GT: return value_bool(e, x > y);
  case AST_GE: return value_bool(e, x >= y);
  default: fail(e, loc, "write it with arrays", "`%s` needs arrays, found numbers", ast_op_text(op));
  }
}

static IrCode op_code(AstOp op) {
  switch (op) {
  case AST_ADD: return IR_ADD;
  case AST_SUB: return IR_SUB;
  case AST_MUL: return IR_MUL;
  case AST_DIV: return IR_DIV;
  case AST_MOD: return IR_MOD;
  case AST_EQ: return IR_EQ;
  case AST_NE: return IR_NE;
  case AST_LT: return IR_LT;
  case AST_LE: return IR_LE;
  case AST_GT: return IR_GT;
  case AST_GE: return IR_GE;
  case AST_AND: return IR_AND;
  case AST_OR: return IR_OR;
  default: ICE("operator %d", op);
  }
}

static const char *written(IrCode c) {
  for (AstOp op = AST_ADD; op <= AST_OR; op++)
    if (op != AST_MATMUL && op != AST_POW && op_code(op) == c) return ast_op_text(op);
  return c == IR_POW ? "^" : ir_info[c].name;
}

static IrValue *as_wide(Elab *e, Value *v, IrDtype t, Loc loc) {
  return v->kind == V_BOOL && t == IR_BOOL ? to_array(e, v, loc) : to_dtype(e, v, t, loc);
}

// The floats that a value holds, or no float type.
static IrDtype float_of(const Value *v) { return v->kind == V_ARRAY && ir_is_float(v->ir->type.dtype) ? v->ir->type.dtype : v->kind == V_NUM && !v->is_int ? IR_F32 : IR_I32; }

Value *element2(Elab *e, IrCode c, Value *a, Value *b, Loc loc) {
  const char *what = arena_printf(e->arena, "the operands of `%s`", written(c));
  if (a->kind == V_BOUNDED || b->kind == V_BOUNDED)
    return lens_aligned(e, element2(e, c, storage(e, a), storage(e, b), loc), 2, (Value *[]){a, b}, loc, what);
  a = length_among(e, a, float_of(b));
  b = length_among(e, b, float_of(a));
  IrDtype t = common_dtype(e, loc, what, 2, (Value *[]){a, b});
  bool logic = c == IR_AND || c == IR_OR || c == IR_XOR, compare = c >= IR_EQ && c <= IR_GE;
  if (t == IR_BOOL && !logic && c != IR_EQ && c != IR_NE)
    fail(e, loc, "convert it: f32(…) or i32(…)", "%s are bools, but must be numbers", what);
  if (ir_is_complex(t) && compare && c != IR_EQ && c != IR_NE) fail(e, loc, "compare abs(…) or real(…)", "complex numbers have no order");
  if ((c == IR_POW || c == IR_ATAN2) && !ir_is_float(t)) fail(e, loc, ir_is_complex(t) ? "use abs(…), real(…) or imag(…)" : "convert it: f32(…)", "%s must be floats, not %s", what, elab_dtype_text(t));
  if (logic && !ir_is_int(t) && t != IR_BOOL) fail(e, loc, "compare first: x > 0", "%s must be bools or integers, not %s", what, elab_dtype_text(t));
  IrValue *x = as_wide(e, a, t, loc), *y = as_wide(e, b, t, loc);
  IrType shape;
  broadcast_shapes(e, loc, what, x->type, y->type, &shape);
  e->c.b.loc = loc;
  x = ir_spread(&e->c.b, x, shape.rank, shape.dim);
  y = ir_spread(&e->c.b, y, shape.rank, shape.dim);
  bool plain = c == IR_ADD || c == IR_SUB || c == IR_MUL || c == IR_DIV || c == IR_MAX || c == IR_MIN || compare;
  if (!plain || !ir_is_float(t)) {
    IrType out[1];
    int nout;
    const char *why = ir_infer(e->arena, c, 2, (IrValue *[]){x, y}, NULL, 0, NULL, 0, NULL, out, &nout);
    if (why) {
      const char *wants = strstr(why, "expected ");
      fail(e, loc, ir_is_complex(t) ? "use abs(…), real(…) or imag(…)" : ir_is_float(t) ? "convert it: i32(…)" : "convert it: f32(…)", "%s are %s: %s", what, elab_dtype_text(t), wants ? wants : why);
    }
  }
  return value_array(e, ir_bin(&e->c.b, c, x, y));
}

static Value *map_tree2(Elab *e, AstOp op, Value *a, Value *b, Loc loc) {
  Value *shape = a->kind == V_REC ? a : b;
  if (a->kind == V_REC && b->kind == V_REC && a->n != b->n)
    fail(e, loc, "both sides need the same fields, or one is an array for all of them", "`%s` of records that differ: %s and %s", ast_op_text(op), value_text(e, a), value_text(e, b));
  Value **item = arena_array(e->arena, Value *, shape->n ? shape->n : 1);
  for (int k = 0; k < shape->n; k++) {
    Value *x = a->kind == V_REC ? a->item[k] : a, *y = b;
    if (b->kind == V_REC) {
      y = a->kind == V_REC && a->name && b->name ? value_field(b, a->name[k]) : b->item[k];
      if (!y) fail(e, loc, "both sides need the same fields, or one is an array for all of them", "`%s` of records that differ: the second has no `%s`", ast_op_text(op), a->name[k]);
    }
    item[k] = binary(e, op, x, y, loc);
  }
  return value_like(e, shape, shape->n, item);
}

static Value *power(Elab *e, Value *a, Value *b, Loc loc) {
  if (a->kind == V_BOUNDED || b->kind == V_BOUNDED)
    return lens_aligned(e, power(e, storage(e, a), storage(e, b), loc), 2, (Value *[]){a, b}, loc, "the operands of `^`");
  if (b->kind == V_NUM && a->kind == V_ARRAY && !b->setting) {
    double y = num_f(b);
    IrValue *x = a->ir;
    if (y == 1) return a;
    if (y == 0.5) return element1(e, IR_SQRT, a, loc);
    if (y == -0.5) return element1(e, IR_RSQRT, a, loc);
    if (x->type.dtype == IR_BOOL) fail(e, loc, "convert it: f32(…) or i32(…)", "`^` of bools");
    if (b->is_int && y >= 2 && y <= 8) {
      IrValue *r = NULL;
      for (int n = (int)y; n; n >>= 1) {
        if (n & 1) r = r ? ir_bin(&e->c.b, IR_MUL, r, x) : x;
        if (n > 1) x = ir_bin(&e->c.b, IR_MUL, x, x);
      }
      return value_array(e, r);
    }
  }
  // an integer exponent at run time: b1^t
  if (b->kind == V_ARRAY && ir_is_int(b->ir->type.dtype)) {
    IrDtype t = a->kind == V_ARRAY && ir_is_float(a->ir->type.dtype) ? a->ir->type.dtype : IR_F32;
    b = value_array(e, ir_cast(&e->c.b, b->ir, t));
  }
  if (a->kind == V_NUM && b->kind == V_ARRAY) a = value_array(e, to_dtype(e, value_real(e, num_f(a)), b->ir->type.dtype, loc));
  return element2(e, IR_POW, a, b, loc);
}

static Value *matmul(Elab *e, Value *a, Value *b, Loc loc);

// The rest of the axis that is summed over counts as zero.
static Value *bounded_matmul(Elab *e, Value *a, Value *b, Loc loc) {
  const char *what = "the operands of `@`";
  Value *side[2] = {storage(e, to_runtime(e, a, loc)), storage(e, to_runtime(e, b, loc))};
  int ra = side[0]->ir->type.rank, rb = side[1]->ir->type.rank;
  if (!ra || !rb) return matmul(e, side[0], side[1], loc);       // which refuses it
  int64_t inner[2] = {ra - 1, rb > 1 ? rb - 2 : 0};
  Lens sum = {0}, out = {0};
  for (int pass = 0; pass < 2; pass++)           // an axis with a length first: the message names it
    for (int k = 0; k < 2; k++) {
      Value *v = k ? b : a;
      if ((len_of(v, (int)inner[k]) != NULL) == (pass == 0)) lens_join(e, &sum, 0, v->kind == V_BOUNDED ? v : side[k], (int)inner[k], loc, what);
    }
  if (a->kind == V_BOUNDED) side[0] = value_array(e, masked(e, a, 1, inner, 0));
  if (b->kind == V_BOUNDED) side[1] = value_array(e, masked(e, b, 1, inner + 1, 0));
  Value *r = matmul(e, side[0], side[1], loc);
  int lead = rb > 2 ? (ra > rb ? ra : rb) - 2 : 0;               // axes that both sides' batches share
  for (int k = 0; k < ra - 1; k++) lens_join(e, &out, (rb > 2 ? lead - (ra - 2) : 0) + k, a->kind == V_BOUNDED ? a : side[0], k, loc, what);
  for (int k = 0; k < rb; k++) {
    if (k == inner[1]) continue;
    lens_join(e, &out, k == rb - 1 ? r->ir->type.rank - 1 : lead - (rb - 2) + k, b->kind == V_BOUNDED ? b : side[1], k, loc, what);
  }
  return bounded(e, r->ir, out.at);
}

static Value *matmul(Elab *e, Value *a, Value *b, Loc loc) {
  if (a->kind == V_BOUNDED || b->kind == V_BOUNDED) return bounded_matmul(e, a, b, loc);
  IrDtype t = common_dtype(e, loc, "the operands of `@`", 2, (Value *[]){a, b});
  IrValue *x = to_dtype(e, a, t, loc), *y = to_dtype(e, b, t, loc);
  IrType xt = x->type, yt = y->type;
  IrBuilder *bd = &e->c.b;
  bd->loc = loc;
  if (!ir_is_float(t) && !ir_is_complex(t) && !ir_is_int(t)) fail(e, loc, "convert it: f32(…)", "`@` needs numbers, found %s", elab_dtype_text(t));
  if (!xt.rank || !yt.rank) fail(e, loc, "use * for a scalar", "`@` needs at least one axis on both sides: %s and %s", elab_type_text(e->arena, &xt), elab_type_text(e->arena, &yt));
  bool row = xt.rank == 1, col = yt.rank == 1;
  if (row) x = ir_reshape(bd, x, 2, (int64_t[]){1, xt.dim[0]});
  if (col) y = ir_reshape(bd, y, 2, (int64_t[]){yt.dim[0], 1});
  int64_t k1 = x->type.dim[x->type.rank - 1], k2 = y->type.dim[y->type.rank - 2];
  if (k1 != k2)
    fail(e, loc, "the last axis of the left and the last but one of the right must be equal",
         "`@`: inner sizes differ, %s @ %s (%lld against %lld)", elab_type_text(e->arena, &xt), elab_type_text(e->arena, &yt), (long long)k1, (long long)k2);
  IrValue *r;
  if (y->type.rank == 2) {
    int64_t m = 1;
    for (int k = 0; k < x->type.rank - 1; k++) m *= x->type.dim[k];
    int64_t dim[IR_MAX_RANK];
    memcpy(dim, x->type.dim, sizeof dim);
    int rank = x->type.rank;
    dim[rank - 1] = y->type.dim[1];
    r = ir_dot(bd, ir_reshape(bd, x, 2, (int64_t[]){m, k1}), y, 0, false, false);
    r = ir_reshape(bd, r, rank, dim);
  } else {
    IrType bx = x->type, by = y->type, lead;
    bx.rank -= 2;
    by.rank -= 2;
    broadcast_shapes(e, loc, "the leading axes of `@`", bx, by, &lead);
    int nb = lead.rank;
    int64_t dx[IR_MAX_RANK], dy[IR_MAX_RANK];
    memcpy(dx, lead.dim, sizeof dx);
    memcpy(dy, lead.dim, sizeof dy);
    dx[nb] = x->type.dim[x->type.rank - 2], dx[nb + 1] = k1;
    dy[nb] = k1, dy[nb + 1] = y->type.dim[y->type.rank - 1];
    r = ir_dot(bd, ir_spread(bd, x, nb + 2, dx), ir_spread(bd, y, nb + 2, dy), nb, false, false);
  }
  int64_t dim[IR_MAX_RANK];
  int rank = 0;
  for (int k = 0; k < r->type.rank; k++) {
    if (row && k == r->type.rank - 2) continue;
    if (col && k == r->type.rank - 1) continue;
    dim[rank++] = r->type.dim[k];
  }
  return value_array(e, ir_reshape(bd, r, rank, dim));
}

Value *binary(Elab *e, AstOp op, Value *a, Value *b, Loc loc) {
  if (a->kind == V_POISON || b->kind == V_POISON) give_up(e);
  bool none_a = a->kind == V_REC && a->n == 0, none_b = b->kind == V_REC && b->n == 0;
  if ((none_a || none_b) && (op == AST_EQ || op == AST_NE)) return value_bool(e, (none_a && none_b) == (op == AST_EQ));
  if (a->kind == V_REC || b->kind == V_REC) return map_tree2(e, op, a, b, loc);
  if (a->kind == V_NUM && b->kind == V_NUM) return number(e, op, a, b, loc);
  bool equality = op == AST_EQ || op == AST_NE;
  if ((a->kind == V_STR || b->kind == V_STR || (a->kind == V_LIST && b->kind == V_LIST && value_is_static(a) && value_is_static(b)) ||
       (a->kind == V_BOOL && b->kind == V_BOOL)) && equality)
    return value_bool(e, value_same(a, b) == (op == AST_EQ));
  if (equality && (!value_is_tree(a) || !value_is_tree(b)) && value_is_static(a) && value_is_static(b))      // functions, types
    return value_bool(e, value_same(a, b) == (op == AST_EQ));
  if (op == AST_ADD && a->kind == V_STR && b->kind == V_STR) return value_str(e, arena_printf(e->arena, "%s%s", a->s, b->s));
  if (a->kind == V_KEY || b->kind == V_KEY) fail(e, loc, "draw from it: uniform(key, [n])", "`%s` of a key", ast_op_text(op));
  if (op == AST_AND || op == AST_OR) {
    if (a->kind == V_BOOL && b->kind == V_BOOL) return value_bool(e, op == AST_AND ? a->i && b->i : a->i || b->i);
    for (int k = 0; k < 2; k++) {
      Value *x = k ? b : a;
      if (x->kind != V_BOOL && to_array(e, x, loc)->type.dtype != IR_BOOL) fail(e, loc, "compare first: x > 0; bit_and, bit_or and bit_xor work on the bits of integers", "`%s` of %s, which is no bool", ast_op_text(op), value_text(e, x));
    }
    if (a->kind == V_BOOL || b->kind == V_BOOL) {
      Value *known = a->kind == V_BOOL ? a : b, *other = a->kind == V_BOOL ? b : a;
      return (op == AST_AND) == (known->i != 0) ? other : known;
    }
    return element2(e, op_code(op), a, b, loc);
  }
  if (op == AST_POW) return power(e, a, b, loc);
  if (op == AST_MATMUL) return matmul(e, a, b, loc);
  if (op == AST_DIV) {
    a = length_among(e, a, IR_F32);
    if (a->kind != V_ARRAY || ir_is_float(a->ir->type.dtype)) b = length_among(e, b, a->kind == V_ARRAY ? a->ir->type.dtype : IR_F32);
    IrDtype t = common_dtype(e, loc, "the operands of `/`", 2, (Value *[]){a, b});
    if (ir_is_int(t))
      fail(e, loc, "div(a, b) is the integer quotient; f32(a) / f32(b) the real one", "`/` of integers at run time");
  }
  return element2(e, op_code(op), a, b, loc);
}

Value *element1(Elab *e, IrCode c, Value *x, Loc loc) { return element1_with(e, c, 0, NULL, x, loc); }

Value *element1_with(Elab *e, IrCode c, int nattr, const IrAttr *at, Value *x, Loc loc) {
  if (x->kind == V_POISON) give_up(e);
  if (x->kind == V_REC) {
    Value **item = arena_array(e->arena, Value *, x->n ? x->n : 1);
    for (int k = 0; k < x->n; k++) item[k] = element1_with(e, c, nattr, at, x->item[k], loc);
    return value_like(e, x, x->n, item);
  }
  if (x->kind == V_BOUNDED) return bounded(e, element1_with(e, c, nattr, at, storage(e, x), loc)->ir, x->len);
  bool whole = c == IR_NEG || c == IR_ABS || c == IR_SIGN || c == IR_NOT;
  IrValue *ir = to_array(e, whole ? x : length_among(e, x, IR_F32), loc);
  if (x->kind == V_NUM && ir->type.dtype == IR_I32 && !whole) ir = to_dtype(e, x, IR_F32, loc);
  IrValue *in[1] = {ir};
  IrType out[1];
  int nout;
  const char *why = ir_infer(e->arena, c, 1, in, NULL, nattr, at, 0, NULL, out, &nout);
  if (why) {
    const char *wants = strstr(why, "expected ");
    const char *help = c == IR_NOT ? "compare first: not (x > 0)" : ir_is_complex(ir->type.dtype) ? "use abs(…), real(…) or imag(…)" :
      c == IR_REAL || c == IR_IMAG || c == IR_CONJ ? "what is no complex number is its own real part" : "convert it: f32(…)";
    fail(e, loc, help, "`%s` of %s: %s", c == IR_NEG ? "-" : ir_info[c].name, elab_type_text(e->arena, &ir->type), wants ? wants : why);
  }
  e->c.b.loc = loc;
  return value_array(e, ir_build(&e->c.b, c, 1, in, NULL, nattr, at, 0, NULL)->out[0]);
}

static Value *unary(Elab *e, AstOp op, Value *x, Loc loc) {
  if (op == AST_NOT) {
    if (x->kind == V_BOOL) return value_bool(e, !x->i);
    if (x->kind == V_NUM || (x->kind == V_ARRAY && x->ir->type.dtype != IR_BOOL)) fail(e, loc, "compare first: not (x > 0); bit_xor(x, -1) turns the bits of an integer", "`not` of %s, which is no bool", value_text(e, x));
    return element1(e, IR_NOT, x, loc);
  }
  if (x->kind == V_NUM) {
    pin(e, x);
    return x->is_int && x->i != INT64_MIN ? value_int(e, -x->i) : value_real(e, -x->f);
  }
  return element1(e, IR_NEG, x, loc);
}

// ---- indexing ---------------------------------------------------------------------------

typedef enum IxKind { IX_FULL, IX_SLICE, IX_AT, IX_WINDOW, IX_ARRAY, IX_NEW } IxKind;
typedef struct Ix {
  IxKind kind;
  int64_t lo, n;             // SLICE: from lo, n of them; WINDOW: n; AT: lo if at == NULL
  IrValue *at;               // AT, WINDOW: scalar i32; ARRAY: i32[..]
  IrValue *const *at_len;    // ARRAY: lengths of its axes, or NULL
  IrValue *len;              // FULL, SLICE: how much of it is filled, or NULL
  bool cut;                  //   a length that begins here
  Loc loc;
} Ix;

static IrValue *index_i32(Elab *e, Value *v, Loc loc) {
  IrValue *x = to_array(e, storage(e, v), loc);
  if (!ir_is_int(x->type.dtype)) fail(e, loc, x->type.dtype == IR_BOOL ? "use where(mask, x, 0), or a gather by integers" : "convert it: i32(…)", "an index must be an integer, not %s", elab_type_text(e->arena, &x->type));
  return ir_cast(&e->c.b, x, IR_I32);
}

static int64_t bound_in(Elab *e, const Ast *x, Value *v, int64_t size) {
  int64_t i = to_int(e, v, x->loc, "a bound");
  if (i < 0) i += size;
  if (i < 0 || i > size) fail(e, x->loc, "bounds run from 0 to the size; negative ones count from the back", "the bound %lld is outside of an axis of %lld", (long long)i, (long long)size);
  return i;
}

static int64_t static_bound(Elab *e, const Ast *x, int64_t size, int64_t otherwise) { return x ? bound_in(e, x, eval(e, x), size) : otherwise; }

static IrValue *i32_const(Elab *e, int64_t v) { return ir_fill(&e->c.b, ir_scalar(IR_I32), (double)v); }

// An index into an axis of which `len` are filled: as everywhere, negative ones count from the back if they are known
// while compiling, and what is outside is brought inside.
static IrValue *index_filled(Elab *e, Value *v, IrValue *len, Loc loc) {
  IrValue *i = index_i32(e, v, loc);
  IrBuilder *b = &e->c.b;
  if (v->kind == V_NUM && v->i < 0) i = ir_bin(b, IR_ADD, len, i);
  IrType t = i->type;
  IrValue *last = ir_spread(b, ir_bin(b, IR_SUB, len, i32_const(e, 1)), t.rank, t.dim);
  return ir_bin(b, IR_MAX, ir_bin(b, IR_MIN, i, last), ir_fill(b, t, 0));
}

// x[lo:hi] of an axis of which `len` are filled (NULL: all). hi may be known at run time only, lo may not.
static void read_range(Elab *e, const Ast *x, int64_t size, IrValue *len, Ix *o) {
  Value *hi = x->kid[1] ? eval(e, x->kid[1]) : NULL;
  bool late = hi && hi->kind == V_ARRAY;
  int64_t behind = 0, end = size;
  if (hi && !late && len) {
    behind = -to_int(e, hi, x->loc, "a bound");
    if (behind < 0) fail(e, x->loc, "x[:-1] leaves out the last, x[1:] the first; x[:n] is what is before a length n", "%lld elements of an axis whose length is known at run time only", (long long)-behind);
    end = behind < size ? size - behind : 0;
  } else if (hi && !late) end = bound_in(e, x->kid[1], hi, size);
  int64_t most = late ? length_most(e, hi) : 0;
  if (most && most < size) end = most;
  o->lo = static_bound(e, x->kid[0], size, 0);
  if (end < o->lo) fail(e, x->loc, "write x[lo:hi] with lo before hi; flip(x) turns it around", "the slice %lld:%lld ends before it begins", (long long)o->lo, (long long)end);
  o->n = end - o->lo;
  o->kind = o->n == size ? IX_FULL : IX_SLICE;
  o->len = len;
  o->cut = late;
  if (late) {
    if (hi->ir->type.rank || !ir_is_int(hi->ir->type.dtype)) fail(e, x->kid[1]->loc, "convert it: i32(…)", "the end of a slice must be one integer, not %s", value_text(e, hi));
    Value *n = hi->ir->type.dtype == IR_I32 ? hi : value_array(e, ir_cast(&e->c.b, hi->ir, IR_I32));
    IrValue *cut = len_within(e, n, size, x->kid[1]->loc);
    o->len = len && !len_same(len, cut) ? ir_bin(&e->c.b, IR_MIN, len, cut) : cut;
  }
  if (o->len) o->len = len_less(e, o->len, o->lo + behind);
}

// Reads index expressions against a shape, and the lengths of its axes (NULL: all known). Returns how many entries
// `out` has.
static int read_index(Elab *e, const IrType *t, IrValue *const *lens, int n, const Ast *const *ix, Ix *out, Loc loc) {
  int axes = 0, m = 0, axis = 0;
  bool dots = false;
  for (int k = 0; k < n; k++) {
    if (ix[k]->kind == AST_IX_DOTS) {
      if (dots) fail(e, ix[k]->loc, "one stands for all axes that are not written", "more than one `...` in an index");
      dots = true;
    } else if (ix[k]->kind != AST_IX_NEW) axes++;
  }
  if (axes > t->rank) fail(e, loc, "write no more than one for each axis; `_` adds an axis", "%d ind%s into %s", axes, axes == 1 ? "ex" : "ices", elab_type_text(e->arena, t));
  for (int k = 0; k < n; k++) {
    const Ast *x = ix[k];
    if (m >= 2 * IR_MAX_RANK - 1) fail(e, x->loc, "an array has at most 8 axes", "too many axes in an index");
    if (x->kind == AST_IX_DOTS) {
      for (int j = 0; j < t->rank - axes; j++, axis++) out[m++] = (Ix){.kind = IX_FULL, .n = t->dim[axis], .len = lens ? lens[axis] : NULL, .loc = x->loc};
      continue;
    }
    if (x->kind == AST_IX_NEW) { out[m++] = (Ix){.kind = IX_NEW, .loc = x->loc}; continue; }
    IrValue *len = lens ? lens[axis] : NULL;
    int64_t size = t->dim[axis++];
    Ix *o = &out[m++];
    *o = (Ix){.loc = x->loc};
    if (x->kind == AST_IX_RANGE) {
      read_range(e, x, size, len, o);
    } else if (x->kind == AST_IX_DYN) {
      if (len) fail(e, x->loc, "x[:n] is what is before a length n; padded(x) is the whole", "a window of an axis whose length is known at run time only");
      o->n = to_int(e, eval(e, x->kid[1]), x->loc, "the length of a window");
      if (o->n < 0 || o->n > size) fail(e, x->loc, "x[start +: length] takes a length that the axis holds", "a window of %lld in an axis of %lld", (long long)o->n, (long long)size);
      Value *start = eval(e, x->kid[0]);
      if (start->kind == V_NUM) {
        o->lo = to_int(e, start, x->loc, "the start of a window");
        if (o->lo < 0 || o->lo + o->n > size) fail(e, x->loc, "x[start +: length] must end within the axis", "the window %lld +: %lld leaves an axis of %lld", (long long)o->lo, (long long)o->n, (long long)size);
        o->kind = IX_SLICE;
      } else {
        o->kind = IX_WINDOW;
        o->at = index_i32(e, start, x->loc);
        if (o->at->type.rank) fail(e, x->loc, "windows at several places: each i in starts { x[i +: n] }", "the start of a window must be one integer, not %s", value_text(e, start));
      }
    } else {
      Value *v = eval(e, x->kid[0]);
      if (len) {
        o->at = index_filled(e, v, len, x->loc);
        o->kind = o->at->type.rank ? IX_ARRAY : IX_AT;
        o->at_len = v->len;
      } else if (v->kind == V_NUM) {
        o->kind = IX_AT;
        int64_t at = o->lo = to_int(e, v, x->loc, "an index");
        if (o->lo < 0) o->lo += size;
        if (o->lo < 0 || o->lo >= size) fail(e, x->loc, "indices count from 0; negative ones from the back, -1 is the last", "the index %lld is outside of an axis of %lld", (long long)at, (long long)size);
      } else {
        o->at = index_i32(e, v, x->loc);
        if (!size) fail(e, x->loc, "test its size while compiling: if len(x) > 0 { … }", "an axis of size 0 has no elements");
        o->kind = o->at->type.rank ? IX_ARRAY : IX_AT;
        o->at_len = v->len;
      }
    }
  }
  for (; axis < t->rank; axis++) out[m++] = (Ix){.kind = IX_FULL, .n = t->dim[axis], .len = lens ? lens[axis] : NULL, .loc = loc};
  return m;
}

// Index arrays on adjacent axes [first, first + count): one array of positions in the joined axis.
static IrValue *joined_index(Elab *e, const IrType *t, const Ix *ix, int first, int count, Loc loc) {
  IrType shape = ix[0].at->type;
  for (int k = 1; k < count; k++) broadcast_shapes(e, loc, "index arrays", shape, ix[k].at->type, &shape);
  IrValue *sum = NULL;
  for (int k = 0; k < count; k++) {
    IrValue *x = ir_spread(&e->c.b, ix[k].at, shape.rank, shape.dim);
    IrType st = shape;
    st.dtype = IR_I32;
    sum = sum ? ir_bin(&e->c.b, IR_ADD, ir_bin(&e->c.b, IR_MUL, sum, ir_fill(&e->c.b, st, (double)t->dim[first + k])), x) : x;
  }
  return sum;
}

// `lens` are those of x's axes, or NULL; those of the result's go to `out_len`.
static IrValue *index_array(Elab *e, IrValue *x, IrValue *const *lens, int n, const Ast *const *asts, Loc loc, IrValue **out_len) {
  Ix ix[2 * IR_MAX_RANK];
  IrBuilder *b = &e->c.b;
  int m = read_index(e, &x->type, lens, n, asts, ix, loc);
  b->loc = loc;
  int64_t start[IR_MAX_RANK], limit[IR_MAX_RANK], stride[IR_MAX_RANK], sizes[IR_MAX_RANK];
  bool cut = false, dyn = false;
  int axis = 0, first = -1, count = 0;
  for (int k = 0; k < m; k++) {
    if (ix[k].kind == IX_NEW) continue;
    int64_t size = x->type.dim[axis];
    start[axis] = 0, limit[axis] = size, stride[axis] = 1;
    if (ix[k].kind == IX_SLICE || (ix[k].kind == IX_AT && !ix[k].at)) {
      start[axis] = ix[k].lo;
      limit[axis] = ix[k].lo + (ix[k].kind == IX_AT ? 1 : ix[k].n);
      cut |= limit[axis] - start[axis] != size;
    }
    if (ix[k].kind == IX_WINDOW || (ix[k].kind == IX_AT && ix[k].at)) dyn = true;
    if (ix[k].kind == IX_ARRAY) {
      if (first < 0) first = axis;
      else if (axis != first + count) fail(e, ix[k].loc, "transpose first", "index arrays must stand on neighbouring axes");
      count++;
    }
    axis++;
  }
  if (cut) x = ir_slice(b, x, start, limit, stride);
  axis = 0;
  for (int k = 0; k < m; k++) {
    if (ix[k].cut) x = cut_off(e, x, axis, ix[k].len);
    axis += ix[k].kind != IX_NEW;
  }
  if (dyn) {
    IrValue *in[1 + IR_MAX_RANK] = {x};
    axis = 0;
    for (int k = 0; k < m; k++) {
      if (ix[k].kind == IX_NEW) continue;
      bool moved = ix[k].kind == IX_WINDOW || (ix[k].kind == IX_AT && ix[k].at);
      sizes[axis] = ix[k].kind == IX_WINDOW ? ix[k].n : moved ? 1 : x->type.dim[axis];
      in[1 + axis] = moved ? ix[k].at : i32_const(e, 0);
      axis++;
    }
    IrAttr a = ir_attr_ints(e->arena, A_SIZES, axis, sizes);
    x = ir_build(b, IR_DYN_SLICE, 1 + axis, in, NULL, 1, &a, 0, NULL)->out[0];
  }
  IrType idx = {.rank = 0};
  if (count) {
    // the indexed axes go to the front, are joined, and the gathered axes come back to their place
    const Ix *arrays = ix;
    while (arrays->kind != IX_ARRAY) arrays++;
    IrType t = x->type;
    IrValue *at = joined_index(e, &t, arrays, first, count, loc);
    idx = at->type;
    int64_t perm[IR_MAX_RANK], dim[IR_MAX_RANK];
    int rank = 0, r = 1;
    for (int k = 0; k < count; k++) perm[rank++] = first + k;
    for (int k = 0; k < t.rank; k++) if (k < first || k >= first + count) perm[rank++] = k;
    if (first) x = ir_transpose(b, x, perm);
    dim[0] = 1;
    for (int k = 0; k < count; k++) dim[0] *= x->type.dim[k];
    for (int k = count; k < t.rank; k++) dim[r++] = x->type.dim[k];
    x = ir_gather(b, ir_reshape(b, x, r, dim), at, 0);
    if (first) {
      int64_t back[IR_MAX_RANK];
      int out = 0;
      for (int k = 0; k < first; k++) back[out++] = idx.rank + k;
      for (int k = 0; k < idx.rank; k++) back[out++] = k;
      for (int k = idx.rank + first; k < x->type.rank; k++) back[out++] = k;
      x = ir_transpose(b, x, back);
    }
  }
  int64_t dim[IR_MAX_RANK];
  int rank = 0;
  axis = 0;
  bool arrays_done = false;
  for (int k = 0; k < m; k++) {
    if (rank >= IR_MAX_RANK) fail(e, loc, "join some of the axes first: flatten(x, n)", "an array of more than %d axes", IR_MAX_RANK);
    out_len[rank] = NULL;
    if (ix[k].kind == IX_NEW) dim[rank++] = 1;
    else if (ix[k].kind == IX_ARRAY) {
      if (ix[k].at_len && count > 1) fail(e, ix[k].loc, "padded(x) is the whole of it, 0 where it is not filled", "one of several index arrays has a length that is known at run time only");
      if (arrays_done) continue;
      arrays_done = true;
      for (int j = 0; j < idx.rank; j++) {
        out_len[rank] = ix[k].at_len ? ix[k].at_len[j] : NULL;
        dim[rank++] = x->type.dim[axis++];
      }
    } else if (ix[k].kind == IX_AT) axis++;
    else {
      out_len[rank] = ix[k].len;
      dim[rank++] = x->type.dim[axis++];
    }
  }
  return ir_reshape(b, x, rank, dim);
}

static Value *index_list(Elab *e, Value *v, int n, const Ast *const *ix, Loc loc) {
  if (n != 1) return NULL;
  if (ix[0]->kind == AST_IX) {
    Value *i = eval(e, ix[0]->kid[0]);
    if (i->kind != V_NUM && !value_is_tree(v)) fail(e, ix[0]->loc, "use a constant or a setting; at run time `match` chooses between values", "what a list of functions, types or texts is indexed by must be known when compiling, not %s", value_text(e, i));
    if (i->kind != V_NUM) return NULL;
    int64_t at = to_int(e, i, ix[0]->loc, "an index");
    if (at < 0) at += v->n;
    if (at < 0 || at >= v->n) fail(e, ix[0]->loc, "indices count from 0; negative ones from the back, -1 is the last", "the index %lld is outside of a list of %d", (long long)i->i, v->n);
    return v->item[at];
  }
  if (ix[0]->kind == AST_IX_RANGE) {
    Value *end = ix[0]->kid[1] ? eval(e, ix[0]->kid[1]) : NULL;
    if (end && end->kind == V_ARRAY && value_is_tree(v)) return NULL;
    int64_t lo = static_bound(e, ix[0]->kid[0], v->n, 0), hi = end ? bound_in(e, ix[0]->kid[1], end, v->n) : v->n;
    if (hi < lo) fail(e, loc, "write x[lo:hi] with lo before hi", "the slice ends before it begins");
    return value_list(e, (int)(hi - lo), v->item + lo);
  }
  if (ix[0]->kind == AST_IX_DYN) {
    Value *start = eval(e, ix[0]->kid[0]);
    if (start->kind != V_NUM) return NULL;
    int64_t lo = to_int(e, start, loc, "the start of a window"), c = to_int(e, eval(e, ix[0]->kid[1]), loc, "the length of a window");
    if (lo < 0 || c < 0 || lo + c > v->n) fail(e, loc, "x[start +: length] must end within the list", "the window %lld +: %lld leaves a list of %d", (long long)lo, (long long)c, v->n);
    return value_list(e, (int)c, v->item + lo);
  }
  return NULL;
}

// One index serves all leaves of a tree: what it computes or draws, it computes or draws once. Each index
// expression becomes a name (that no program can write) for its value, in a scope of its own.
static const Ast *const *index_once(Elab *e, int n, const Ast *const *ix) {
  const Ast **once = arena_array(e->arena, const Ast *, n);
  scope_push(e, false);
  for (int k = 0; k < n; k++) {
    once[k] = ix[k];
    if (ix[k]->kind != AST_IX && ix[k]->kind != AST_IX_DYN) continue;
    Ast *name = arena_new(e->arena, Ast), *x = arena_new(e->arena, Ast);
    *name = (Ast){.kind = AST_NAME, .loc = ix[k]->kid[0]->loc, .name = arena_printf(e->arena, "index %d", k)};
    scope_bind(e, name->name, eval(e, ix[k]->kid[0]), false, name->loc);
    *x = *ix[k];
    x->kid = arena_copy(e->arena, ix[k]->kid, sizeof *x->kid * (size_t)x->nkid);
    x->kid[0] = name;
    once[k] = x;
  }
  return once;
}

Value *index_value(Elab *e, Value *v, int n, const Ast *const *ix, Loc loc) {
  IrValue *x, *len[IR_MAX_RANK];
  switch (v->kind) {
  case V_POISON: give_up(e);
  case V_LIST: {
    Value *r = index_list(e, v, n, ix, loc);
    if (r) return r;
    x = index_array(e, to_array(e, v, loc), NULL, n, ix, loc, len);
    return bounded(e, x, len);
  }
  case V_REC: {
    Value **item = arena_array(e->arena, Value *, v->n ? v->n : 1);
    Scope *outer = e->c.scope;
    ix = index_once(e, n, ix);
    for (int k = 0; k < v->n; k++) item[k] = index_value(e, v->item[k], n, ix, loc);
    e->c.scope = outer;
    return value_like(e, v, v->n, item);
  }
  case V_KEY:
    x = index_array(e, v->ir, NULL, n, ix, loc, len);
    if (bounded(e, x, len)->kind == V_BOUNDED) fail(e, loc, "split(key, n) gives n keys: let n be the greatest number", "a number of keys must be known when compiling");
    return value_key(e, x);
  case V_ARRAY: case V_BOUNDED:
    x = index_array(e, v->ir, v->len, n, ix, loc, len);
    return bounded(e, x, len);
  default: fail(e, loc, "arrays, lists, records of arrays and keys have elements", "%s cannot be indexed", value_text(e, v));
  }
}

Value *index_at(Elab *e, Value *v, IrValue *i) {
  Leaves l = {0};
  value_leaves(e, v, NULL, &l);
  IrValue **out = arena_array(e->arena, IrValue *, l.v.n ? l.v.n : 1);
  for (int k = 0; k < l.v.n; k++) out[k] = ir_gather(&e->c.b, l.v.at[k], i, 0);
  int at = 0;
  return value_rebuild(e, v, out, &at);
}

// The array `x` with `v` at the index.
static IrValue *update_array(Elab *e, IrValue *x, int n, const Ast *const *asts, Value *v, Loc loc) {
  Ix ix[2 * IR_MAX_RANK];
  IrBuilder *b = &e->c.b;
  int m = read_index(e, &x->type, NULL, n, asts, ix, loc);
  for (int k = 0; k < m; k++)
    if (ix[k].len || ix[k].at_len) fail(e, ix[k].loc, "where(iota(8) < n, new, x) writes the first n of 8", "a place of a length that is known at run time only cannot be assigned");
  IrValue *u = v->kind == V_BOOL && x->type.dtype == IR_BOOL ? to_array(e, v, loc) : v->kind == V_KEY ? v->ir : to_dtype(e, v, x->type.dtype, loc);
  b->loc = loc;
  int axis = 0, count = 0, first = -1;
  int64_t window[IR_MAX_RANK], shown[IR_MAX_RANK];
  int nshown = 0;
  IrValue *in[2 + IR_MAX_RANK];
  for (int k = 0; k < m; k++) {
    Ix *i = &ix[k];
    if (i->kind == IX_NEW) fail(e, i->loc, "name the place by its own axes: y[i] = …, y[:, j] = …", "a new axis cannot be assigned");
    window[axis] = i->kind == IX_AT ? 1 : i->kind == IX_FULL ? x->type.dim[axis] : i->n;
    if (i->kind == IX_ARRAY) { if (first < 0) first = axis; count++; }
    else if (i->kind != IX_AT) shown[nshown++] = window[axis];
    if (i->kind != IX_ARRAY) in[2 + axis] = i->at && i->kind != IX_FULL ? i->at : i32_const(e, i->kind == IX_FULL ? 0 : i->lo);
    axis++;
  }
  if (!count) {
    IrType want = {.dtype = x->type.dtype, .rank = nshown}, both;
    memcpy(want.dim, shown, sizeof shown);
    broadcast_shapes(e, loc, "the place and what is assigned to it", want, u->type, &both);
    if (!ir_type_eq(&want, &both)) fail(e, loc, "axes are aligned at the right; what is assigned may be smaller, and is repeated, but not larger", "%s does not fit into a place of %s", elab_type_text(e->arena, &u->type), elab_type_text(e->arena, &want));
    u = ir_reshape(b, ir_spread(b, u, nshown, shown), x->type.rank, window);
    in[0] = x;
    in[1] = u;
    return ir_build(b, IR_DYN_UPDATE, 2 + x->type.rank, in, NULL, 0, NULL, 0, NULL)->out[0];
  }
  if (first != 0) fail(e, loc, "transpose first", "an index array in an assignment must stand on the first axis");
  for (int k = 0; k < m; k++)
    if (ix[k].kind != (k < count ? IX_ARRAY : IX_FULL)) fail(e, ix[k].loc, "write y[i] = rows, or loop: for k in 0..n { y[i[k], 0] = … }", "an assignment by index arrays takes whole rows behind them");
  IrValue *at = joined_index(e, &x->type, ix, 0, count, loc);
  IrType t = x->type;
  int64_t flat[IR_MAX_RANK], ud[IR_MAX_RANK];
  int r = 1, ur = at->type.rank;
  flat[0] = 1;
  for (int k = 0; k < count; k++) flat[0] *= t.dim[k];
  memcpy(ud, at->type.dim, sizeof ud);
  for (int k = count; k < t.rank; k++) { flat[r++] = t.dim[k]; ud[ur++] = t.dim[k]; }
  IrType want = {.dtype = t.dtype, .rank = ur}, both;
  memcpy(want.dim, ud, sizeof ud);
  broadcast_shapes(e, loc, "the place and what is assigned to it", want, u->type, &both);
  if (!ir_type_eq(&want, &both)) fail(e, loc, "axes are aligned at the right; what is assigned may be smaller, and is repeated, but not larger", "%s does not fit into a place of %s", elab_type_text(e->arena, &u->type), elab_type_text(e->arena, &want));
  IrValue *s = ir_scatter(b, ir_reshape(b, x, r, flat), at, ir_spread(b, u, ur, ud), 0, SCATTER_SET);
  return ir_reshape(b, s, t.rank, t.dim);
}

static Value *update_value(Elab *e, Value *x, int n, const Ast *const *ix, Value *v, Loc loc) {
  if (x->kind == V_REC) {
    if (v->kind != V_REC || v->n != x->n) fail(e, loc, "what is assigned needs the same fields", "expected %s, found %s", value_text(e, x), value_text(e, v));
    Value **item = arena_array(e->arena, Value *, x->n ? x->n : 1);
    Scope *outer = e->c.scope;
    ix = index_once(e, n, ix);
    for (int k = 0; k < x->n; k++) {
      Value *u = x->name && v->name ? value_field(v, x->name[k]) : v->item[k];
      if (!u) fail(e, loc, "what is assigned needs the same fields", "what is assigned lacks the field `%s`", x->name[k]);
      item[k] = update_value(e, x->item[k], n, ix, u, loc);
    }
    e->c.scope = outer;
    return value_like(e, x, x->n, item);
  }
  IrValue *r = update_array(e, x->kind == V_KEY ? x->ir : to_array(e, x, loc), n, ix, v, loc);
  return x->kind == V_KEY ? value_key(e, r) : value_array(e, r);
}

// ---- places -----------------------------------------------------------------------------

static Value *part(Elab *e, Value *v, int k, int n, Loc loc) {
  if (v->kind == V_REC || v->kind == V_LIST) {
    if (v->n != n) fail(e, loc, "write one name for each, `_` for what is not wanted", "%d names for %d values: %s", n, v->n, value_text(e, v));
    return v->item[k];
  }
  if (v->kind == V_ARRAY || v->kind == V_KEY) {
    IrType t = v->ir->type;
    if (!t.rank || t.dim[0] != n) fail(e, loc, "a tuple, or an array whose first axis is as long as the pattern, is taken apart", "%d names for %s", n, value_text(e, v));
    int64_t start[IR_MAX_RANK] = {k}, limit[IR_MAX_RANK], stride[IR_MAX_RANK];
    for (int j = 0; j < t.rank; j++) { limit[j] = j ? t.dim[j] : k + 1; stride[j] = 1; }
    IrValue *x = ir_reshape(&e->c.b, ir_slice(&e->c.b, v->ir, start, limit, stride), t.rank - 1, t.dim + 1);
    return v->kind == V_KEY ? value_key(e, x) : value_array(e, x);
  }
  fail(e, loc, "a tuple, or an array whose first axis is as long as the pattern, is taken apart", "%d names for %s", n, value_text(e, v));
}

void bind_pattern(Elab *e, const Ast *pat, Value *v, bool mut) {
  if (pat->kind == AST_PAT) {
    if (strcmp(pat->name, "_") == 0) return;
    if (v->kind == V_ARRAY && !v->ir->hint) v->ir->hint = pat->name;
    scope_bind(e, pat->name, v, mut, pat->loc);
    return;
  }
  for (int k = 0; k < pat->nkid; k++) bind_pattern(e, pat->kid[k], v->kind == V_POISON ? v : part(e, v, k, pat->nkid, pat->loc), mut);
}

static void poison_pattern(Elab *e, const Ast *pat) {
  if (pat->kind == AST_PAT) { scope_bind(e, pat->name, value_poison(e), true, pat->loc); return; }
  for (int k = 0; k < pat->nkid; k++) poison_pattern(e, pat->kid[k]);
}

// A variable that began as a real number stays one: 1.0, then 2.
static Value *keep_real(Elab *e, Value *old, Value *v) {
  return old->kind == V_NUM && !old->is_int && v->kind == V_NUM && v->is_int && !v->setting ? value_real(e, num_f(v)) : v;
}

static Value *keep_type(Elab *e, Value *old, Value *v, Loc loc, const char *what) {
  v = keep_real(e, old, v);
  if (old->kind == V_ARRAY || old->kind == V_KEY || old->kind == V_REC) return coerce(e, v, type_of(e, old), loc, what);
  return v;
}

static void put_place(Str *s, const Ast *p) {
  if (p->kind == AST_NAME) { str_printf(s, "%s", p->name); return; }
  put_place(s, p->kid[0]);
  if (p->kind == AST_FIELD) str_printf(s, ".%s", p->name);
  if (p->kind == AST_ITEM) str_printf(s, ".%lld", (long long)p->i);
  if (p->kind == AST_INDEX) str_printf(s, "[…]");
}

static const char *place_text(Elab *e, const Ast *p) {
  Str s = {.arena = e->arena};
  str_printf(&s, "`");
  put_place(&s, p);
  str_printf(&s, "`");
  return s.s;
}

void assign(Elab *e, const Ast *place, Value *v) {
  switch (place->kind) {
  case AST_PAREN: assign(e, place->kid[0], v); return;
  case AST_NAME: {
    if (strcmp(place->name, "_") == 0) return;
    Binding *b = scope_find(e->c.scope, place->name);
    if (!b) {
      const char *near = scope_nearest(e, place->name);
      fail(e, place->loc, near ? arena_printf(e->arena, "did you mean `%s`?", near) : "`var name = value` makes a variable", "`%s` is not known here", place->name);
    }
    if (!b->mut) fail(e, place->loc, "declare it with `var`, or give the new value another name", "`%s` cannot be assigned: it is no `var`, `state` or `&` parameter", place->name);
    b->value = b->type ? coerce(e, v, b->type, place->loc, arena_printf(e->arena, "`%s`", place->name)) : keep_real(e, b->value, v);
    return;
  }
  case AST_FIELD: {
    Value *base = eval(e, place->kid[0]);
    if (base->kind == V_POISON) give_up(e);
    Value *old = base->kind == V_REC ? value_field(base, place->name) : NULL;
    if (!old) fail(e, place->loc, base->kind == V_REC && base->name ? fields_of(e, base) : "records have fields; an element of an array is x[i]", "%s has no field `%s`", value_text(e, base), place->name);
    assign(e, place->kid[0], value_with(e, base, place->name, keep_type(e, old, v, place->loc, place_text(e, place))));
    return;
  }
  case AST_ITEM: {
    Value *base = eval(e, place->kid[0]);
    if (base->kind != V_REC || place->i >= base->n) fail(e, place->loc, "items count from 0; a record's fields have names: r.x", "%s has no item %lld", value_text(e, base), (long long)place->i);
    Value **item = arena_copy(e->arena, base->item, sizeof *item * (size_t)base->n);
    item[place->i] = keep_type(e, item[place->i], v, place->loc, place_text(e, place));
    assign(e, place->kid[0], value_like(e, base, base->n, item));
    return;
  }
  case AST_INDEX: {
    Value *base = eval(e, place->kid[0]);
    if (base->kind == V_LIST) base = to_runtime(e, base, place->loc);
    if (base->kind != V_ARRAY && base->kind != V_REC && base->kind != V_KEY) fail(e, place->loc, "arrays and records of arrays have elements", "%s cannot be assigned by index", value_text(e, base));
    assign(e, place->kid[0], update_value(e, base, place->nkid - 1, (const Ast *const *)place->kid + 1, v, place->loc));
    return;
  }
  case AST_TUPLE: case AST_LIST:
    for (int k = 0; k < place->nkid; k++) {
      const Ast *p = place->kid[k]->kind == AST_ARG ? place->kid[k]->kid[0] : place->kid[k];
      assign(e, p, part(e, v, k, place->nkid, place->loc));
    }
    return;
  default: fail(e, place->loc, "a place is a variable, or a field or element of one: x, x.f, x[i]", "this cannot be assigned");
  }
}

// ---- statements and expressions ------------------------------------------------------------

static Binding *root_binding(Elab *e, const Ast *x) {
  while (x->kind == AST_FIELD || x->kind == AST_ITEM || x->kind == AST_PAREN) x = x->kid[0];
  return x->kind == AST_NAME ? scope_find(e->c.scope, x->name) : NULL;
}

#define COPIED (1 << 16)      // bytes of a leaf from which on it is said in the graph

// `target = p` of two states: the program asks for a copy, and then a part of p may be updated, and target read.
static Value *copied_between(Elab *e, const Ast *place, const Ast *from, Value *v) {
  const Binding *to = root_binding(e, place), *b = root_binding(e, from);
  return to && b && to != b && to->type && b->type ? value_copied(e, v, COPIED, from->loc) : v;
}

static Value *probed(Elab *e, const char *path, Value *v, Loc loc) {
  for (Probe *p = e->c.probe; p; p = p->up) {
    vec_push(e->arena, &p->paths, path);
    if (strcmp(p->path, path) != 0) continue;
    p->hits++;
    if (p->patch) {
      Value *r = apply_values(e, p->patch, 1, &v, loc);
      v = value_is_tree(v) ? coerce(e, r, type_of(e, v), loc, arena_printf(e->arena, "what replaces `%s`", path)) : r;
      continue;
    }
    if (e->c.b.at != p->at) fail(e, loc, "stack it there and capture the stack: let all = scan … { …; h }", "`%s` is computed inside of a loop or branch: there is no single value to capture", path);
    if (p->hits > 1) fail(e, loc, "capture inside of a single call of the model", "`%s` is computed more than once", path);
    p->seen = v;
  }
  return v;
}

static void eval_let(Elab *e, const Ast *s) {
  const Ast *pat = s->kid[0];
  const char *outer = e->c.path;
  if (e->c.owner && pat->kind == AST_PAT)
    e->c.path = *outer ? arena_printf(e->arena, "%s.%s", outer, pat->name) : pat->name;
  const char *path = e->c.path;
  Value *v = eval(e, s->kid[2]);
  e->c.path = outer;
  if (e->c.probe && e->c.owner && pat->kind == AST_PAT && v->kind != V_NONE && v->kind != V_POISON) v = probed(e, path, v, pat->loc);
  if (v->kind == V_NONE) fail(e, s->kid[2]->loc, no_value_help(e, s->kid[2]), "this has no value");
  if (s->kid[1]) v = match_type(e, s->kid[1], v, s->kid[2]->loc, pat->name ? arena_printf(e->arena, "`%s`", pat->name) : "this");
  if (s->flag && v->kind == V_KEY) v = value_key(e, v->ir);
  bind_pattern(e, pat, v, s->flag);
}

static Value *eval_stmt(Elab *e, const Ast *s) {
  switch (s->kind) {
  case AST_LET: eval_let(e, s); return value_none(e);
  case AST_ASSIGN: {
    Value *v = eval(e, s->kid[1]);
    if (v->kind == V_NONE) fail(e, s->kid[1]->loc, no_value_help(e, s->kid[1]), "this has no value to assign");
    v = s->op ? binary(e, s->op, eval(e, s->kid[0]), v, s->loc) : copied_between(e, s->kid[0], s->kid[1], v);
    assign(e, s->kid[0], v);
    return value_none(e);
  }
  case AST_PARAM: scope_bind(e, s->name, eval_param(e, s), false, s->loc); return value_none(e);
  case AST_STATE:                             // a rule's is bound by whoever runs it
    if (e->c.fn && (e->c.fn->flavour == FLAVOUR_LAYER || e->c.fn->flavour == FLAVOUR_MODEL)) eval_buffer(e, s);
    return value_none(e);
  case AST_EVERY: eval_every(e, s); return value_none(e);
  case AST_LOG: eval_log(e, s); return value_none(e);
  default: return eval(e, s);
  }
}

typedef struct Stmt { const Ast *ast; Value *out; } Stmt;

static void run_stmt(Elab *e, void *env) {
  Stmt *s = env;
  s->out = eval_stmt(e, s->ast);
}

Value *eval_block(Elab *e, const Ast *block) {
  if (block->kind != AST_BLOCK) return eval(e, block);
  Scope *outer = e->c.scope;
  scope_push(e, false);
  Value *last = value_none(e);
  for (int k = 0; k < block->nkid; k++) {
    Stmt s = {block->kid[k], NULL};
    if (attempt(e, run_stmt, &s)) { last = s.out; continue; }
    last = value_poison(e);
    if (s.ast->kind == AST_LET) poison_pattern(e, s.ast->kid[0]);
    if (s.ast->kind == AST_PARAM) scope_bind(e, s.ast->name, value_poison(e), false, s.ast->loc);
  }
  e->c.scope = outer;
  return last;
}

Value *eval_name(Elab *e, const char *name, Loc loc) {
  Binding *b = scope_find(e->c.scope, name);
  if (b) {
    if (b->value->kind == V_POISON) give_up(e);
    if (b->value->kind == V_DECL && b->value->decl->ast->kind == AST_CONST) return decl_value(e, b->value->decl);
    if (b->value->kind == V_DECL && b->value->decl->ast->kind == AST_DATA) return decl_value(e, b->value->decl);
    if (b->value->kind == V_KEY && b->value->mentions) return mention(e, b->value);
    return b->value;
  }
  const Builtin *f = builtin_find(name);
  if (f) {
    Value *v = value_new(e, V_BUILTIN);
    v->builtin = f;
    return v;
  }
  if (strcmp(name, "inf") == 0) return value_real(e, INFINITY);
  if (strcmp(name, "nan") == 0) return value_real(e, NAN);
  if (strcmp(name, "key") == 0) fail(e, loc, no_key_help, "%s", no_key_text);
  for (int k = 0; k < e->unknown.n; k++)
    if (strcmp(e->unknown.at[k], name) == 0) give_up(e);
  fail(e, loc, unknown_name_help(e, name), "`%s` is not known here", name);
}

static Value *eval_tuple(Elab *e, const Ast *x) {
  bool named = false;
  for (int k = 0; k < x->nkid; k++) named |= x->kid[k]->name || x->kid[k]->spread;
  VEC(Value *) item = {0};
  VEC(const char *) name = {0};
  VEC(bool) outright = {0};
  for (int k = 0; k < x->nkid; k++) {
    const Ast *a = x->kid[k];
    if (a->spread) {
      Value *r = eval(e, a->kid[0]);
      if (r->kind == V_POISON) give_up(e);
      if (r->kind != V_REC || !r->name) fail(e, a->loc, "...r gives a record's fields to the new one", "`...` needs a record with named fields, found %s", value_text(e, r));
      for (int j = 0; j < r->n; j++) {
        vec_push(e->arena, &item, r->item[j]);
        vec_push(e->arena, &name, r->name[j]);
        vec_push(e->arena, &outright, false);
      }
      continue;
    }
    const char *n = a->name;
    if (named && !n) {
      if (a->kid[0]->kind != AST_NAME) fail(e, a->kid[0]->loc, "write `name = …`", "in a record every item has a name");
      n = a->kid[0]->name;
    }
    Value *v = eval(e, a->kid[0]);
    if (v->kind == V_NONE) fail(e, a->kid[0]->loc, no_value_help(e, a->kid[0]), "this has no value");
    vec_push(e->arena, &item, v);
    vec_push(e->arena, &name, n);
    vec_push(e->arena, &outright, true);
  }
  if (!named) return value_rec(e, item.n, item.at, NULL);
  // what is named outright wins over what is spread, and among what is spread the first
  int n = 0;
  for (int k = 0; k < item.n; k++) {
    int twin = 0;
    while (twin < n && strcmp(name.at[twin], name.at[k]) != 0) twin++;
    if (twin < n && outright.at[k] && outright.at[twin]) fail(e, x->loc, "give it another name", "the record names `%s` twice", name.at[k]);
    if (twin < n && !outright.at[k]) continue;
    item.at[twin] = item.at[k];
    name.at[twin] = name.at[k];
    outright.at[twin] = outright.at[k];
    if (twin == n) n++;
  }
  return value_rec(e, n, item.at, name.at);
}

static Value *bracket(Elab *e, Value *f, const Ast *x) {
  const Ast *d = f->decl->ast;
  Ast *const *statics = d->fn ? d->fn->statics : d->kid;
  int most = d->fn ? d->fn->nstatic : d->nstatic;
  if (d->kind == AST_RECORD) return value_type(e, eval_type(e, x));
  if (x->nkid - 1 > most) fail(e, x->loc, "they stand in its declaration, in brackets behind the name", "`%s` takes %d value%s in brackets, found %d", f->decl->name, most, most == 1 ? "" : "s", x->nkid - 1);
  Value *v = value_new(e, V_DECL);
  *v = *f;
  v->nstatic = most;
  v->statics = arena_array(e->arena, Value *, most);
  for (int k = 0; k < most; k++) {
    const Ast *ix = k + 1 < x->nkid ? x->kid[k + 1] : NULL;
    if (ix && ix->kind != AST_IX) fail(e, ix->loc, "brackets hold sizes, types, functions and other things known while compiling", "expected a value for `%s`", statics[k]->name);
    v->statics[k] = ix ? eval(e, ix->kid[0]) : NULL;
  }
  return v;
}

static Value *eval_index(Elab *e, const Ast *x) {
  Value *base = eval(e, x->kid[0]);
  if (base->kind == V_TYPE || (base->kind == V_BUILTIN && base->builtin->code == -2)) return value_type(e, eval_type(e, x));
  if (base->kind == V_DECL) return bracket(e, base, x);
  return index_value(e, base, x->nkid - 1, (const Ast *const *)x->kid + 1, x->loc);
}

// A loop that is unrolled, or a function that is called with ever larger arguments, may ask for more
// than any machine has. What was spent stays spent: all that follows gives up at once.
static void check_budget(Elab *e, Loc loc) {
  if (!e->exhausted && e->arena->total - e->memory < ELAB_MEMORY_MOST) return;
  if (!e->exhausted) {
    e->exhausted = true;
    tell(e, loc, "`unroll` and calls are written out while compiling: use `for`, `scan` or `each` for many turns", "this program takes more than %d MB to compile", (int)(ELAB_MEMORY_MOST >> 20));
  }
  give_up(e);
}

Value *eval(Elab *e, const Ast *x) {
  if ((++e->work & 1023) == 0 || e->exhausted) check_budget(e, x->loc);
  if (e->stack - (const char *)__builtin_frame_address(0) > ELAB_STACK_MOST)
    fail(e, x->loc, "name parts of it with `let`, and let functions call fewer others", "expressions inside of one another across %d call%s: too deep", e->c.depth, e->c.depth == 1 ? "" : "s");
  e->c.b.loc = x->loc;
  switch (x->kind) {
  case AST_NAME: return eval_name(e, x->name, x->loc);
  case AST_NUM: return x->is_int ? value_int(e, x->i) : value_real(e, x->f);
  case AST_STR: return value_str(e, x->name);
  case AST_BOOL: return value_bool(e, x->i);
  case AST_PAREN: return eval(e, x->kid[0]);
  case AST_TUPLE: return eval_tuple(e, x);
  case AST_TYPE_TUPLE: return value_type(e, eval_type(e, x));
  case AST_LIST: {
    Value **item = arena_array(e->arena, Value *, x->nkid ? x->nkid : 1);
    for (int k = 0; k < x->nkid; k++) item[k] = eval(e, x->kid[k]);
    return value_list(e, x->nkid, item);
  }
  case AST_LAMBDA: {
    Value *v = value_new(e, V_LAMBDA);
    v->ast = x;
    v->scope = e->c.scope;
    v->path = e->c.path;
    v->module = e->c.module;
    return v;
  }
  case AST_BIN: {
    if (x->op == AST_UPTO) {
      Value *v = value_new(e, V_RANGE);
      v->n = 2;
      v->item = arena_array(e->arena, Value *, 2);
      v->item[0] = eval(e, x->kid[0]);
      v->item[1] = eval(e, x->kid[1]);
      return v;
    }
    Value *a = eval(e, x->kid[0]);
    if ((x->op == AST_AND || x->op == AST_OR) && a->kind == V_BOOL && (x->op == AST_AND) != (a->i != 0)) return a;
    Value *b = eval(e, x->kid[1]);
    return binary(e, x->op, a, b, x->loc);
  }
  case AST_UN: return unary(e, x->op, eval(e, x->kid[0]), x->loc);
  case AST_FIELD: return member(e, eval(e, x->kid[0]), x->name, x->loc);
  case AST_ITEM: {
    Value *v = eval(e, x->kid[0]);
    if (v->kind == V_POISON) give_up(e);
    if (v->kind != V_REC || x->i >= v->n) fail(e, x->loc, "items count from 0; a record's fields have names: r.x", "%s has no item %lld", value_text(e, v), (long long)x->i);
    return v->item[x->i];
  }
  case AST_CALL: case AST_PIPE: return call(e, x);
  case AST_INDEX: return eval_index(e, x);
  case AST_BLOCK: return eval_block(e, x);
  case AST_IF: return eval_if(e, x);
  case AST_MATCH: return eval_match(e, x);
  case AST_WHILE: return eval_while(e, x);
  case AST_FOR: case AST_SCAN: case AST_EACH: case AST_UNROLL: return eval_loop(e, x);
  default: fail(e, x->loc, "a value was expected here", "this is no expression");
  }
}
