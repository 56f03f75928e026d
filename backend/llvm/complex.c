// Complex arithmetic on pairs of registers. What can overflow or cancel on the way is done in f64 for c64.
#include "backend/llvm/nest.h"

typedef LLVMValueRef V;

static int lanes_of(V x) { return LLVMGetTypeKind(LLVMTypeOf(x)) == LLVMVectorTypeKind ? (int)LLVMGetVectorSize(LLVMTypeOf(x)) : 1; }
static V real(Gen *g, V like, double x) {
  LLVMTypeRef t = LLVMTypeOf(like);
  int lanes = lanes_of(like);
  return gen_lanes(g, LLVMConstReal(lanes > 1 ? LLVMGetElementType(t) : t, x), lanes);
}
static V add(Gen *g, V x, V y) { return LLVMBuildFAdd(g->b, x, y, ""); }
static V sub(Gen *g, V x, V y) { return LLVMBuildFSub(g->b, x, y, ""); }
static V mul(Gen *g, V x, V y) { return LLVMBuildFMul(g->b, x, y, ""); }
static V quot(Gen *g, V x, V y) { return LLVMBuildFDiv(g->b, x, y, ""); }
static V pick(Gen *g, V c, V x, V y) { return LLVMBuildSelect(g->b, c, x, y, ""); }
static V magnitude(Gen *g, IrDtype t, V x) { return gen_unary(g, IR_ABS, t, x); }

// |z|, scaled by the greater part: no overflow, no underflow.
static V modulus(Gen *g, IrDtype t, NestReg z) {
  V a = magnitude(g, t, z.re), b = magnitude(g, t, z.im);
  V c = LLVMBuildFCmp(g->b, LLVMRealOLT, a, b, "");
  V big = pick(g, c, b, a), small = pick(g, c, a, b), r = quot(g, small, big);
  V m = mul(g, big, gen_unary(g, IR_SQRT, t, add(g, real(g, r, 1), mul(g, r, r))));
  // Nothing to scale by, or an infinite part: the sum says it (0, infinity or NaN).
  V plain = LLVMBuildOr(g->b, LLVMBuildFCmp(g->b, LLVMRealUEQ, big, real(g, big, 0), ""),
                        LLVMBuildFCmp(g->b, LLVMRealUEQ, big, real(g, big, __builtin_inf()), ""), "");
  V infinite = LLVMBuildOr(g->b, LLVMBuildFCmp(g->b, LLVMRealOEQ, a, real(g, a, __builtin_inf()), ""),
                           LLVMBuildFCmp(g->b, LLVMRealOEQ, b, real(g, b, __builtin_inf()), ""), "");
  m = pick(g, plain, add(g, a, b), m);
  return pick(g, infinite, real(g, m, __builtin_inf()), m);
}

// Smith's quotient: divides by the greater part of the divisor first.
static NestReg divided(Gen *g, IrDtype t, NestReg x, NestReg y) {
  V c = LLVMBuildFCmp(g->b, LLVMRealOLT, magnitude(g, t, y.re), magnitude(g, t, y.im), "");
  V big = pick(g, c, y.im, y.re), small = pick(g, c, y.re, y.im), r = quot(g, small, big);
  V den = add(g, big, mul(g, small, r));
  V re0 = add(g, x.re, mul(g, x.im, r)), im0 = sub(g, x.im, mul(g, x.re, r));
  V re1 = add(g, mul(g, x.re, r), x.im), im1 = sub(g, mul(g, x.im, r), x.re);
  return (NestReg){ .re = quot(g, pick(g, c, re1, re0), den), .im = quot(g, pick(g, c, im1, im0), den) };
}

static NestReg root(Gen *g, IrDtype t, NestReg z) {
  V half = real(g, z.re, 0.5), zero = real(g, z.re, 0), m = modulus(g, t, z), a = magnitude(g, t, z.re);
  V s = gen_unary(g, IR_SQRT, t, mul(g, add(g, m, a), half));
  V other = quot(g, mul(g, magnitude(g, t, z.im), half), s);
  V none = LLVMBuildFCmp(g->b, LLVMRealOEQ, s, zero, "");
  other = pick(g, none, zero, other);
  V right = LLVMBuildFCmp(g->b, LLVMRealOGE, z.re, zero, "");
  LLVMTypeRef type = LLVMTypeOf(s);
  V arg[2] = { pick(g, right, other, s), z.im };
  return (NestReg){ .re = pick(g, right, s, other), .im = gen_call_intrinsic(g, "llvm.copysign", 1, &type, 2, arg) };
}

static NestReg product(Gen *g, NestReg x, NestReg y) {
  return (NestReg){ .re = sub(g, mul(g, x.re, y.re), mul(g, x.im, y.im)), .im = add(g, mul(g, x.re, y.im), mul(g, x.im, y.re)) };
}

static NestReg wide(Gen *g, IrDtype t, NestReg x) {
  if (t == IR_F64) return x;
  return (NestReg){ .re = gen_cast(g, x.re, t, IR_F64), .im = gen_cast(g, x.im, t, IR_F64) };
}

static NestReg narrow(Gen *g, IrDtype t, NestReg x) {
  if (t == IR_F64) return x;
  return (NestReg){ .re = gen_cast(g, x.re, IR_F64, t), .im = x.im ? gen_cast(g, x.im, IR_F64, t) : NULL };
}

NestReg nest_complex2(Nest *n, IrCode c, IrDtype dtype, NestReg x, NestReg y) {
  Gen *g = n->g;
  IrDtype t = ir_real_of(dtype);
  V re, im;
  switch (c) {
  case IR_ADD: return (NestReg){ .re = add(g, x.re, y.re), .im = add(g, x.im, y.im) };
  case IR_SUB: return (NestReg){ .re = sub(g, x.re, y.re), .im = sub(g, x.im, y.im) };
  case IR_MUL: return product(g, x, y);
  case IR_DIV: return narrow(g, t, divided(g, IR_F64, wide(g, t, x), wide(g, t, y)));
  case IR_EQ: case IR_NE:
    re = gen_binary(g, c, t, x.re, y.re), im = gen_binary(g, c, t, x.im, y.im);
    return (NestReg){ .re = c == IR_EQ ? LLVMBuildAnd(g->b, re, im, "") : LLVMBuildOr(g->b, re, im, "") };
  default: ICE("%s of complex numbers", ir_info[c].name);
  }
}

static NestReg cast(Gen *g, NestReg x, IrDtype from, IrDtype to) {
  if (!ir_is_complex(from)) {
    V re = gen_cast(g, x.re, from, ir_real_of(to));
    return (NestReg){ .re = re, .im = LLVMConstNull(LLVMTypeOf(re)) };
  }
  IrDtype t = ir_real_of(from);
  if (ir_is_complex(to)) {
    if (from == to) return x;
    return (NestReg){ .re = gen_cast(g, x.re, t, ir_real_of(to)), .im = gen_cast(g, x.im, t, ir_real_of(to)) };
  }
  V re = gen_cast(g, x.re, t, to);
  if (to == IR_BOOL) re = LLVMBuildOr(g->b, re, gen_cast(g, x.im, t, to), "");
  return (NestReg){ .re = re };
}

// c64 is the only complex type of the size of another: the real part in the low half.
static NestReg bits(Gen *g, NestReg x, IrDtype from, IrDtype to) {
  if (from == to) return x;
  int lanes = lanes_of(x.re);
  LLVMTypeRef i32 = gen_type(g, IR_U32, lanes), i64 = gen_type(g, IR_U64, lanes), f32 = gen_type(g, IR_F32, lanes);
  V by = gen_lanes(g, gen_i64(g, 32), lanes);
  if (ir_is_complex(to)) {
    V all = LLVMBuildBitCast(g->b, x.re, i64, ""), high = LLVMBuildLShr(g->b, all, by, "");
    return (NestReg){ .re = LLVMBuildBitCast(g->b, LLVMBuildTrunc(g->b, all, i32, ""), f32, ""),
                      .im = LLVMBuildBitCast(g->b, LLVMBuildTrunc(g->b, high, i32, ""), f32, "") };
  }
  V lo = LLVMBuildZExt(g->b, LLVMBuildBitCast(g->b, x.re, i32, ""), i64, "");
  V hi = LLVMBuildZExt(g->b, LLVMBuildBitCast(g->b, x.im, i32, ""), i64, "");
  V all = LLVMBuildOr(g->b, lo, LLVMBuildShl(g->b, hi, by, ""), "");
  return (NestReg){ .re = LLVMBuildBitCast(g->b, all, gen_type(g, to, lanes), "") };
}

NestReg nest_complex(Nest *n, const IrOp *op, NestReg *x) {
  Gen *g = n->g;
  IrDtype from = op->in[0]->type.dtype, to = op->out[0]->type.dtype, t = ir_real_of(from);
  NestReg z = x[0];
  switch (op->code) {
  case IR_COMPLEX: return (NestReg){ .re = x[0].re, .im = x[1].re };
  case IR_REAL: return (NestReg){ .re = z.re };
  case IR_IMAG: return (NestReg){ .re = z.im };
  case IR_CONJ: return (NestReg){ .re = z.re, .im = LLVMBuildFNeg(g->b, z.im, "") };
  case IR_NEG: return (NestReg){ .re = LLVMBuildFNeg(g->b, z.re, ""), .im = LLVMBuildFNeg(g->b, z.im, "") };
  case IR_FINITE:
    return (NestReg){ .re = LLVMBuildAnd(g->b, gen_unary(g, IR_FINITE, t, z.re), gen_unary(g, IR_FINITE, t, z.im), "") };
  case IR_CAST: return cast(g, z, from, to);
  case IR_BITCAST: return bits(g, z, from, to);
  case IR_ABS: return narrow(g, t, (NestReg){ .re = modulus(g, IR_F64, wide(g, t, z)) });
  case IR_SQRT: return narrow(g, t, root(g, IR_F64, wide(g, t, z)));
  case IR_EXP: {
    V e = gen_unary(g, IR_EXP, t, z.re), sine, cosine;
    gen_sincos(g, t, z.im, &sine, &cosine);
    return (NestReg){ .re = mul(g, e, cosine), .im = mul(g, e, sine) };
  }
  case IR_LOG: {
    NestReg w = wide(g, t, z);
    return narrow(g, t, (NestReg){ .re = gen_unary(g, IR_LOG, IR_F64, modulus(g, IR_F64, w)),
                                   .im = gen_binary(g, IR_ATAN2, IR_F64, w.im, w.re) });
  }
  default: return nest_complex2(n, op->code, from, x[0], x[1]);
  }
}
