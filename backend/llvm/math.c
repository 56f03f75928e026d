// Elementwise ops of the table on registers: one vector or scalar at a time. Laws in ir/ir.h.
#include "backend/llvm/math.h"

#include <math.h>

typedef LLVMValueRef V;

V gen_splat(Gen *g, V x, int lanes) { return gen_lanes(g, x, lanes); }

V gen_fma(Gen *g, V a, V b, V c) {
  if (!g->fma) return LLVMBuildFAdd(g->b, LLVMBuildFMul(g->b, a, b, ""), c, "");
  LLVMTypeRef t = LLVMTypeOf(a);
  V arg[3] = { a, b, c };
  return gen_call_intrinsic(g, "llvm.fma", 1, &t, 3, arg);
}

static V real(Gen *g, V like, double x) {
  LLVMTypeRef t = LLVMTypeOf(like);
  int lanes = math_lanes(like);
  return gen_splat(g, LLVMConstReal(lanes > 1 ? LLVMGetElementType(t) : t, x), lanes);
}

static V integer(Gen *g, V like, int64_t x) {
  LLVMTypeRef t = LLVMTypeOf(like);
  int lanes = math_lanes(like);
  return gen_splat(g, LLVMConstInt(lanes > 1 ? LLVMGetElementType(t) : t, (unsigned long long)x, true), lanes);
}

static V one_arg(Gen *g, const char *name, V x) {
  LLVMTypeRef t = LLVMTypeOf(x);
  return gen_call_intrinsic(g, name, 1, &t, 1, &x);
}

static V two_arg(Gen *g, const char *name, V x, V y) {
  LLVMTypeRef t = LLVMTypeOf(x);
  V arg[2] = { x, y };
  return gen_call_intrinsic(g, name, 1, &t, 2, arg);
}

static V pick(Gen *g, V c, V x, V y) { return LLVMBuildSelect(g->b, c, x, y, ""); }
static V cmp(Gen *g, LLVMRealPredicate p, V x, V y) { return LLVMBuildFCmp(g->b, p, x, y, ""); }
static V icmp(Gen *g, LLVMIntPredicate p, V x, V y) { return LLVMBuildICmp(g->b, p, x, y, ""); }

// A float register holds a bf16 value only if its low half is zero: every result is rounded.
static V round_bf16(Gen *g, V x) {
  V h = gen_to_mem(g, IR_BF16, x);
  return gen_from_mem(g, IR_BF16, h);
}

// ---- rounding to whole numbers ------------------------------------------------------------------

// SSE2 has no rounding instruction, and the intrinsics would become calls of the C library, lane by lane.
// There: add and take away 2^23 (2^52), which rounds to even; larger numbers are whole already.
static V whole_sse2(Gen *g, IrCode c, IrDtype t, V x) {
  V edge = real(g, x, t == IR_F64 ? 0x1p52 : 0x1p23), a = one_arg(g, "llvm.fabs", x);
  V r = LLVMBuildFSub(g->b, LLVMBuildFAdd(g->b, a, edge, ""), edge, "");
  r = two_arg(g, "llvm.copysign", r, x);
  V zero = real(g, x, 0), one = real(g, x, 1);
  if (c == IR_FLOOR) r = LLVMBuildFSub(g->b, r, pick(g, cmp(g, LLVMRealOGT, r, x), one, zero), "");
  if (c == IR_CEIL) r = LLVMBuildFAdd(g->b, r, pick(g, cmp(g, LLVMRealOLT, r, x), one, zero), "");
  if (c != IR_ROUND) r = two_arg(g, "llvm.copysign", r, x);
  return pick(g, cmp(g, LLVMRealOLT, a, edge), r, x);
}

static V whole(Gen *g, IrCode c, IrDtype t, V x) {
  if (g->width == 4 && !g->fma) return whole_sse2(g, c, t, x);
  return one_arg(g, c == IR_FLOOR ? "llvm.floor" : c == IR_CEIL ? "llvm.ceil" : "llvm.roundeven", x);
}

// ---- one operand ---------------------------------------------------------------------------------

static V float_unary(Gen *g, IrCode c, IrDtype t, V x) {
  V zero = real(g, x, 0), one = real(g, x, 1);
  switch (c) {
  case IR_NEG: return LLVMBuildFNeg(g->b, x, "");
  case IR_ABS: return one_arg(g, "llvm.fabs", x);
  case IR_SIGN:
    return pick(g, cmp(g, LLVMRealOGT, x, zero), one, pick(g, cmp(g, LLVMRealOLT, x, zero), real(g, x, -1), x));
  case IR_SQRT: return one_arg(g, "llvm.sqrt", x);
  case IR_RSQRT: return LLVMBuildFDiv(g->b, one, one_arg(g, "llvm.sqrt", x), "");
  case IR_FLOOR: case IR_CEIL: case IR_ROUND: return whole(g, c, t, x);
  case IR_FINITE: return cmp(g, LLVMRealOLT, one_arg(g, "llvm.fabs", x), real(g, x, INFINITY));
  default: return math_function(g, c, t, 1, &x);
  }
}

static V int_unary(Gen *g, IrCode c, IrDtype t, V x) {
  V zero = integer(g, x, 0);
  switch (c) {
  case IR_NEG: return LLVMBuildNeg(g->b, x, "");
  case IR_NOT: return LLVMBuildNot(g->b, x, "");
  case IR_FINITE: return LLVMConstAllOnes(gen_type(g, IR_BOOL, math_lanes(x)));
  case IR_ABS: return ir_is_signed(t) ? pick(g, icmp(g, LLVMIntSLT, x, zero), LLVMBuildNeg(g->b, x, ""), x) : x;
  case IR_SIGN: {
    V up = pick(g, icmp(g, LLVMIntNE, x, zero), integer(g, x, 1), zero);
    return ir_is_signed(t) ? pick(g, icmp(g, LLVMIntSLT, x, zero), integer(g, x, -1), up) : up;
  }
  default: ICE("%s of integers", ir_info[c].name);
  }
}

V gen_unary(Gen *g, IrCode c, IrDtype t, V x) {
  if (t == IR_BF16) {
    V y = float_unary(g, c, IR_F32, x);
    return c == IR_FINITE || c == IR_NEG || c == IR_ABS ? y : round_bf16(g, y);
  }
  return ir_is_float(t) ? float_unary(g, c, t, x) : int_unary(g, c, t, x);
}

V gen_polygamma(Gen *g, int64_t n, IrDtype t, V x) {
  V arg[2] = { real(g, x, (double)n), x };
  V y = math_function(g, IR_POLYGAMMA, t == IR_BF16 ? IR_F32 : t, 2, arg);
  return t == IR_BF16 ? round_bf16(g, y) : y;
}

// ---- two operands ----------------------------------------------------------------------------------

// A constant, equal in all lanes, that is not NaN.
static bool plain_constant(V x) {
  if (!LLVMIsConstant(x)) return false;
  for (int k = 0; k < math_lanes(x); k++) {
    V e = math_lanes(x) > 1 ? LLVMGetAggregateElement(x, (unsigned)k) : x;
    LLVMBool lost;
    if (!e || !LLVMIsAConstantFP(e) || isnan(LLVMConstRealGetDouble(e, &lost))) return false;
  }
  return true;
}

// maxps(x, y) is x > y ? x : y: a NaN on the left is lost, one on the right stays. With a constant on the
// left it is one instruction; else a NaN of x is put back.
static V float_extreme(Gen *g, LLVMRealPredicate p, V x, V y) {
  if (plain_constant(y)) {
    V t = x;
    x = y, y = t;
  }
  V r = pick(g, cmp(g, p, x, y), x, y);
  return plain_constant(x) ? r : pick(g, cmp(g, LLVMRealUNO, x, x), x, r);
}

static V float_binary(Gen *g, IrCode c, IrDtype t, V x, V y) {
  V arg[2] = { x, y };
  switch (c) {
  case IR_ADD: return LLVMBuildFAdd(g->b, x, y, "");
  case IR_SUB: return LLVMBuildFSub(g->b, x, y, "");
  case IR_MUL: return LLVMBuildFMul(g->b, x, y, "");
  case IR_DIV: return LLVMBuildFDiv(g->b, x, y, "");
  case IR_MOD: return LLVMBuildFSub(g->b, x, LLVMBuildFMul(g->b, y, whole(g, IR_FLOOR, t, LLVMBuildFDiv(g->b, x, y, "")), ""), "");
  case IR_MAX: return float_extreme(g, LLVMRealOGT, x, y);
  case IR_MIN: return float_extreme(g, LLVMRealOLT, x, y);
  case IR_POW: case IR_ATAN2: return math_function(g, c, t, 2, arg);
  default: ICE("%s of floats", ir_info[c].name);
  }
}

// Truncated quotient of x by y, y not 0 and no overflow. Vectors of at most 32 bits go through f64, whose
// quotient, truncated, is exact for them; a constant divisor becomes a multiplication in the code generator.
static V quotient(Gen *g, IrDtype t, V x, V y) {
  bool sign = ir_is_signed(t);
  int lanes = math_lanes(x);
  if (lanes == 1 || LLVMIsConstant(y) || ir_dtype_bytes(t) == 8)
    return sign ? LLVMBuildSDiv(g->b, x, y, "") : LLVMBuildUDiv(g->b, x, y, "");
  LLVMTypeRef d = gen_type(g, IR_F64, lanes), i = LLVMTypeOf(x);
  V fx = sign ? LLVMBuildSIToFP(g->b, x, d, "") : LLVMBuildUIToFP(g->b, x, d, "");
  V fy = sign ? LLVMBuildSIToFP(g->b, y, d, "") : LLVMBuildUIToFP(g->b, y, d, "");
  V q = LLVMBuildFDiv(g->b, fx, fy, "");
  return sign ? LLVMBuildFPToSI(g->b, q, i, "") : LLVMBuildFPToUI(g->b, q, i, "");
}

// Law L4: floor, x div 0 = 0, x mod 0 = 0. The divisor is made 1 where the instruction would trap; that
// also gives the wrapped quotient of the least integer by -1.
static V int_divide(Gen *g, IrCode c, IrDtype t, V x, V y) {
  bool sign = ir_is_signed(t);
  V zero = integer(g, x, 0), one = integer(g, x, 1), by_zero = icmp(g, LLVMIntEQ, y, zero), trap = by_zero;
  if (sign) {
    int64_t least = (int64_t)((uint64_t)1 << (8 * ir_dtype_bytes(t) - 1));
    V over = LLVMBuildAnd(g->b, icmp(g, LLVMIntEQ, x, integer(g, x, least)), icmp(g, LLVMIntEQ, y, integer(g, x, -1)), "");
    trap = LLVMBuildOr(g->b, by_zero, over, "");
  }
  V d = pick(g, trap, one, y), q = quotient(g, t, x, d), r = LLVMBuildSub(g->b, x, LLVMBuildMul(g->b, q, d, ""), "");
  if (sign) {
    V apart = icmp(g, LLVMIntSLT, LLVMBuildXor(g->b, r, d, ""), zero);
    apart = LLVMBuildAnd(g->b, apart, icmp(g, LLVMIntNE, r, zero), "");
    q = LLVMBuildSub(g->b, q, pick(g, apart, one, zero), "");
    r = LLVMBuildAdd(g->b, r, pick(g, apart, d, zero), "");
  }
  return pick(g, by_zero, zero, c == IR_DIV ? q : r);
}

static V int_shift(Gen *g, IrCode c, IrDtype t, V x, V y) {
  V zero = integer(g, x, 0), width = integer(g, x, 8 * ir_dtype_bytes(t)), inside = icmp(g, LLVMIntULT, y, width);
  if (c == IR_SHR && ir_is_signed(t)) {
    V most = integer(g, x, 8 * ir_dtype_bytes(t) - 1);
    return LLVMBuildAShr(g->b, x, pick(g, inside, y, most), "");
  }
  y = pick(g, inside, y, zero);
  return pick(g, inside, c == IR_SHL ? LLVMBuildShl(g->b, x, y, "") : LLVMBuildLShr(g->b, x, y, ""), zero);
}

static V int_binary(Gen *g, IrCode c, IrDtype t, V x, V y) {
  bool sign = ir_is_signed(t);
  switch (c) {
  case IR_ADD: return LLVMBuildAdd(g->b, x, y, "");
  case IR_SUB: return LLVMBuildSub(g->b, x, y, "");
  case IR_MUL: return LLVMBuildMul(g->b, x, y, "");
  case IR_DIV: case IR_MOD: return int_divide(g, c, t, x, y);
  case IR_MAX: return pick(g, icmp(g, sign ? LLVMIntSGT : LLVMIntUGT, x, y), x, y);
  case IR_MIN: return pick(g, icmp(g, sign ? LLVMIntSLT : LLVMIntULT, x, y), x, y);
  case IR_AND: return LLVMBuildAnd(g->b, x, y, "");
  case IR_OR: return LLVMBuildOr(g->b, x, y, "");
  case IR_XOR: return LLVMBuildXor(g->b, x, y, "");
  case IR_SHL: case IR_SHR: return int_shift(g, c, t, x, y);
  case IR_THREEFRY: return math_threefry(g, x, y);
  default: ICE("%s of integers", ir_info[c].name);
  }
}

static V compare(Gen *g, IrCode c, IrDtype t, V x, V y) {
  static const LLVMRealPredicate real_p[] = { LLVMRealOEQ, LLVMRealUNE, LLVMRealOLT, LLVMRealOLE, LLVMRealOGT, LLVMRealOGE };
  static const LLVMIntPredicate sign_p[] = { LLVMIntEQ, LLVMIntNE, LLVMIntSLT, LLVMIntSLE, LLVMIntSGT, LLVMIntSGE };
  static const LLVMIntPredicate plain_p[] = { LLVMIntEQ, LLVMIntNE, LLVMIntULT, LLVMIntULE, LLVMIntUGT, LLVMIntUGE };
  int k = c == IR_EQ ? 0 : c == IR_NE ? 1 : c == IR_LT ? 2 : c == IR_LE ? 3 : c == IR_GT ? 4 : 5;
  if (ir_is_float(t)) return cmp(g, real_p[k], x, y);
  return icmp(g, ir_is_signed(t) ? sign_p[k] : plain_p[k], x, y);
}

V gen_binary(Gen *g, IrCode c, IrDtype t, V x, V y) {
  switch (c) {
  case IR_EQ: case IR_NE: case IR_LT: case IR_LE: case IR_GT: case IR_GE: return compare(g, c, t, x, y);
  default: break;
  }
  if (t == IR_BF16) {
    V r = float_binary(g, c, IR_F32, x, y);
    return c == IR_MAX || c == IR_MIN ? r : round_bf16(g, r);
  }
  return ir_is_float(t) ? float_binary(g, c, t, x, y) : int_binary(g, c, t, x, y);
}

// ---- casts -------------------------------------------------------------------------------------------

// Law L5. The saturating intrinsics give 0 for NaN; narrow integers saturate as i32 first, which vectors have.
static V float_to_int(Gen *g, V x, IrDtype to) {
  int lanes = math_lanes(x);
  bool sign = ir_is_signed(to), small = ir_dtype_bytes(to) < 4;
  LLVMTypeRef type[2] = { gen_type(g, small ? IR_I32 : to, lanes), LLVMTypeOf(x) };
  V y = gen_call_intrinsic(g, sign || small ? "llvm.fptosi.sat" : "llvm.fptoui.sat", 2, type, 1, &x);
  if (!small) return y;
  int width = 8 * ir_dtype_bytes(to);
  V most = integer(g, y, (1 << (sign ? width - 1 : width)) - 1), least = integer(g, y, sign ? -(1 << (width - 1)) : 0);
  y = pick(g, icmp(g, LLVMIntSGT, y, most), most, y);
  y = pick(g, icmp(g, LLVMIntSLT, y, least), least, y);
  return LLVMBuildTrunc(g->b, y, gen_type(g, to, lanes), "");
}

static V to_float(Gen *g, V x, IrDtype from, IrDtype to) {
  LLVMTypeRef type = gen_type(g, to, math_lanes(x));
  if (from == IR_BF16) from = IR_F32;
  IrDtype half = to == IR_BF16 ? IR_F32 : to;
  V y = x;
  if (from == IR_F32 && half == IR_F64) y = LLVMBuildFPExt(g->b, x, type, "");
  else if (from == IR_F64 && half == IR_F32) y = LLVMBuildFPTrunc(g->b, x, type, "");
  else if (!ir_is_float(from)) y = ir_is_signed(from) ? LLVMBuildSIToFP(g->b, x, type, "") : LLVMBuildUIToFP(g->b, x, type, "");
  return to == IR_BF16 ? round_bf16(g, y) : y;
}

V gen_cast(Gen *g, V x, IrDtype from, IrDtype to) {
  if (from == to) return x;
  if (to == IR_BOOL)
    return ir_is_float(from) ? cmp(g, LLVMRealUNE, x, real(g, x, 0)) : icmp(g, LLVMIntNE, x, integer(g, x, 0));
  if (ir_is_float(to)) return to_float(g, x, from, to);
  if (ir_is_float(from)) return float_to_int(g, x, to);
  LLVMTypeRef type = gen_type(g, to, math_lanes(x));
  int a = from == IR_BOOL ? 0 : ir_dtype_bytes(from), b = ir_dtype_bytes(to);
  if (a > b) return LLVMBuildTrunc(g->b, x, type, "");
  if (a == b) return x;
  return ir_is_signed(from) ? LLVMBuildSExt(g->b, x, type, "") : LLVMBuildZExt(g->b, x, type, "");
}

V gen_bitcast(Gen *g, V x, IrDtype from, IrDtype to) {
  int lanes = math_lanes(x);
  V m = gen_to_mem(g, from, x);
  return gen_from_mem(g, to, LLVMBuildBitCast(g->b, m, gen_mem_type(g, to, lanes), ""));
}
