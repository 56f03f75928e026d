// Types, loops, loads and stores that all emitters share.
#include "backend/llvm/gen.h"

#include <string.h>

static LLVMTypeRef lanes_of(LLVMTypeRef t, int lanes) {
  return lanes == 1 ? t : LLVMVectorType(t, (unsigned)lanes);
}

LLVMTypeRef gen_type(Gen *g, IrDtype t, int lanes) {
  LLVMTypeRef e;
  switch (t) {
  case IR_BOOL: e = LLVMInt1TypeInContext(g->ctx); break;
  case IR_BF16: case IR_F32: case IR_C64: e = LLVMFloatTypeInContext(g->ctx); break;
  case IR_F64: case IR_C128: e = LLVMDoubleTypeInContext(g->ctx); break;
  default: e = LLVMIntTypeInContext(g->ctx, 8u * (unsigned)ir_dtype_bytes(t)); break;
  }
  return lanes_of(e, lanes);
}

LLVMTypeRef gen_mem_type(Gen *g, IrDtype t, int lanes) {
  if (t == IR_BOOL) return lanes_of(LLVMInt8TypeInContext(g->ctx), lanes);
  if (t == IR_BF16) return lanes_of(LLVMInt16TypeInContext(g->ctx), lanes);
  return gen_type(g, t, lanes);
}

LLVMValueRef gen_i64(Gen *g, int64_t v) {
  return LLVMConstInt(LLVMInt64TypeInContext(g->ctx), (unsigned long long)v, true);
}

LLVMValueRef gen_at(Gen *g, LLVMValueRef ptr, IrDtype t, LLVMValueRef index) {
  if (LLVMIsAConstantInt(index) && LLVMIsNull(index)) return ptr;
  return LLVMBuildInBoundsGEP2(g->b, gen_mem_type(g, t, 1), ptr, &index, 1, "");
}

LLVMValueRef gen_function(Gen *g, const char *name, LLVMTypeRef type) {
  LLVMValueRef f = LLVMAddFunction(g->mod, name, type);
  unsigned kind = LLVMGetEnumAttributeKindForName("nounwind", 8);
  LLVMAddAttributeAtIndex(f, LLVMAttributeFunctionIndex, LLVMCreateEnumAttribute(g->ctx, kind, 0));
  return f;
}

// ---- loops: the test stands at the end, so a turn costs one branch ---------------------------

static GenLoop open_loop(Gen *g, LLVMValueRef lo, LLVMValueRef hi, int64_t step, int ncarry, LLVMValueRef *init, bool some) {
  GenLoop l = { .hi = hi, .step = step, .ncarry = ncarry, .entry = LLVMGetInsertBlock(g->b) };
  l.carry = arena_array(g->arena, LLVMValueRef, ncarry + 1);
  if (LLVMIsAConstantInt(lo) && LLVMIsAConstantInt(hi)) {
    int64_t size = LLVMConstIntGetSExtValue(hi) - LLVMConstIntGetSExtValue(lo);
    l.once = 0 < size && size <= step;
    l.guarded = size <= 0;
  } else l.guarded = !some;
  if (l.once) {
    l.i = lo;
    for (int k = 0; k < ncarry; k++) l.carry[k] = init[k];
    return l;
  }
  l.body = LLVMAppendBasicBlockInContext(g->ctx, g->fn, "loop");
  l.done = LLVMAppendBasicBlockInContext(g->ctx, g->fn, "done");
  if (l.guarded) LLVMBuildCondBr(g->b, LLVMBuildICmp(g->b, LLVMIntSLT, lo, hi, ""), l.body, l.done);
  else LLVMBuildBr(g->b, l.body);
  LLVMPositionBuilderAtEnd(g->b, l.body);
  l.i = LLVMBuildPhi(g->b, LLVMTypeOf(lo), "i");
  LLVMAddIncoming(l.i, &lo, &l.entry, 1);
  l.init = arena_array(g->arena, LLVMValueRef, ncarry + 1);
  for (int k = 0; k < ncarry; k++) {
    l.init[k] = init[k];
    l.carry[k] = LLVMBuildPhi(g->b, LLVMTypeOf(init[k]), "");
    LLVMAddIncoming(l.carry[k], &init[k], &l.entry, 1);
  }
  return l;
}

GenLoop gen_loop(Gen *g, LLVMValueRef lo, LLVMValueRef hi, int64_t step, int ncarry, LLVMValueRef *init) {
  return open_loop(g, lo, hi, step, ncarry, init, false);
}

GenLoop gen_turns(Gen *g, LLVMValueRef hi, int64_t step, int ncarry, LLVMValueRef *init) {
  return open_loop(g, gen_i64(g, 0), hi, step, ncarry, init, true);
}

void gen_loop_end(Gen *g, GenLoop *l, LLVMValueRef *next) {
  if (l->once) {
    for (int k = 0; k < l->ncarry; k++) l->carry[k] = next[k];
    return;
  }
  LLVMBasicBlockRef latch = LLVMGetInsertBlock(g->b);
  LLVMValueRef i = LLVMBuildNSWAdd(g->b, l->i, LLVMConstInt(LLVMTypeOf(l->i), (unsigned long long)l->step, true), "");
  LLVMBuildCondBr(g->b, LLVMBuildICmp(g->b, LLVMIntSLT, i, l->hi, ""), l->body, l->done);
  LLVMAddIncoming(l->i, &i, &latch, 1);
  for (int k = 0; k < l->ncarry; k++) LLVMAddIncoming(l->carry[k], &next[k], &latch, 1);
  LLVMMoveBasicBlockAfter(l->done, latch);
  LLVMPositionBuilderAtEnd(g->b, l->done);
  for (int k = 0; k < l->ncarry; k++) {
    if (!l->guarded) {
      l->carry[k] = next[k];
      continue;
    }
    l->carry[k] = LLVMBuildPhi(g->b, LLVMTypeOf(next[k]), "");
    LLVMAddIncoming(l->carry[k], &l->init[k], &l->entry, 1);
    LLVMAddIncoming(l->carry[k], &next[k], &latch, 1);
  }
}

// ---- memory -------------------------------------------------------------------------------------

LLVMValueRef gen_call_intrinsic(Gen *g, const char *name, int ntype, LLVMTypeRef *type, int narg, LLVMValueRef *arg) {
  unsigned id = LLVMLookupIntrinsicID(name, strlen(name));
  ICE_IF(!id, "no intrinsic %s", name);
  LLVMValueRef f = LLVMGetIntrinsicDeclaration(g->mod, id, type, (size_t)ntype);
  return LLVMBuildCall2(g->b, LLVMGlobalGetValueType(f), f, arg, (unsigned)narg, "");
}

LLVMValueRef gen_first_lanes(Gen *g, int lanes, int valid) {
  LLVMTypeRef i1 = LLVMInt1TypeInContext(g->ctx);
  LLVMValueRef m[64];
  for (int k = 0; k < lanes; k++) m[k] = LLVMConstInt(i1, k < valid, false);
  return LLVMConstVector(m, (unsigned)lanes);
}

static LLVMValueRef i32(Gen *g, int64_t v) {
  return LLVMConstInt(LLVMInt32TypeInContext(g->ctx), (unsigned long long)v, true);
}

static unsigned bytes_of(IrDtype t) {
  return (unsigned)(ir_is_complex(t) ? ir_dtype_bytes(t) / 2 : ir_dtype_bytes(t));
}

// Registers from what memory holds, and back.
LLVMValueRef gen_from_mem(Gen *g, IrDtype t, LLVMValueRef v) {
  LLVMTypeRef m = LLVMTypeOf(v);
  int lanes = LLVMGetTypeKind(m) == LLVMVectorTypeKind ? (int)LLVMGetVectorSize(m) : 1;
  if (t == IR_BOOL) return LLVMBuildICmp(g->b, LLVMIntNE, v, LLVMConstNull(m), "");
  if (t != IR_BF16) return v;
  LLVMTypeRef w = gen_type(g, IR_I32, lanes);
  v = LLVMBuildShl(g->b, LLVMBuildZExt(g->b, v, w, ""), gen_lanes(g, i32(g, 16), lanes), "");
  return LLVMBuildBitCast(g->b, v, gen_type(g, IR_F32, lanes), "");
}

LLVMValueRef gen_to_mem(Gen *g, IrDtype t, LLVMValueRef v) {
  LLVMTypeRef r = LLVMTypeOf(v);
  int lanes = LLVMGetTypeKind(r) == LLVMVectorTypeKind ? (int)LLVMGetVectorSize(r) : 1;
  if (t == IR_BOOL) return LLVMBuildZExt(g->b, v, gen_mem_type(g, t, lanes), "");
  if (t != IR_BF16) return v;
  // Nearest even: add half of the last kept bit, less one, plus that bit. NaN keeps its high bits and stays quiet.
  LLVMTypeRef w = gen_type(g, IR_I32, lanes);
  LLVMValueRef bits = LLVMBuildBitCast(g->b, v, w, ""), sixteen = gen_lanes(g, i32(g, 16), lanes);
  LLVMValueRef last = LLVMBuildAnd(g->b, LLVMBuildLShr(g->b, bits, sixteen, ""), gen_lanes(g, i32(g, 1), lanes), "");
  LLVMValueRef near = LLVMBuildAdd(g->b, LLVMBuildAdd(g->b, bits, gen_lanes(g, i32(g, 0x7fff), lanes), ""), last, "");
  LLVMValueRef quiet = LLVMBuildOr(g->b, bits, gen_lanes(g, i32(g, 0x400000), lanes), "");
  LLVMValueRef nan = LLVMBuildFCmp(g->b, LLVMRealUNO, v, v, "");
  bits = LLVMBuildLShr(g->b, LLVMBuildSelect(g->b, nan, quiet, near, ""), sixteen, "");
  return LLVMBuildTrunc(g->b, bits, gen_mem_type(g, t, lanes), "");
}

LLVMValueRef gen_lanes(Gen *g, LLVMValueRef x, int lanes) {
  if (lanes == 1) return x;
  if (LLVMIsConstant(x)) {
    LLVMValueRef e[64];
    for (int k = 0; k < lanes; k++) e[k] = x;
    return LLVMConstVector(e, (unsigned)lanes);
  }
  LLVMTypeRef v = LLVMVectorType(LLVMTypeOf(x), (unsigned)lanes), i = LLVMInt32TypeInContext(g->ctx);
  x = LLVMBuildInsertElement(g->b, LLVMGetPoison(v), x, LLVMConstInt(i, 0, false), "");
  return LLVMBuildShuffleVector(g->b, x, LLVMGetPoison(v), LLVMConstNull(LLVMVectorType(i, (unsigned)lanes)), "");
}

LLVMValueRef gen_load_raw(Gen *g, IrDtype t, LLVMValueRef ptr, int lanes, LLVMValueRef mask) {
  LLVMTypeRef m = gen_mem_type(g, t, lanes);
  if (!mask) {
    LLVMValueRef v = LLVMBuildLoad2(g->b, m, ptr, "");
    LLVMSetAlignment(v, bytes_of(t));
    return v;
  }
  LLVMTypeRef type[2] = { m, LLVMTypeOf(ptr) };
  LLVMValueRef arg[4] = { ptr, i32(g, bytes_of(t)), mask, LLVMConstNull(m) };
  return gen_call_intrinsic(g, "llvm.masked.load", 2, type, 4, arg);
}

LLVMValueRef gen_load_mask(Gen *g, IrDtype t, LLVMValueRef ptr, int lanes, LLVMValueRef mask) {
  return gen_from_mem(g, t, gen_load_raw(g, t, ptr, lanes, mask));
}

void gen_store_raw(Gen *g, IrDtype t, LLVMValueRef v, LLVMValueRef ptr, LLVMValueRef mask) {
  if (!mask) {
    LLVMSetAlignment(LLVMBuildStore(g->b, v, ptr), bytes_of(t));
    return;
  }
  LLVMTypeRef type[2] = { LLVMTypeOf(v), LLVMTypeOf(ptr) };
  LLVMValueRef arg[4] = { v, ptr, i32(g, bytes_of(t)), mask };
  gen_call_intrinsic(g, "llvm.masked.store", 2, type, 4, arg);
}

void gen_store_mask(Gen *g, IrDtype t, LLVMValueRef v, LLVMValueRef ptr, LLVMValueRef mask) {
  gen_store_raw(g, t, gen_to_mem(g, t, v), ptr, mask);
}

LLVMValueRef gen_load(Gen *g, IrDtype t, LLVMValueRef ptr, int lanes, int valid) {
  return gen_load_mask(g, t, ptr, lanes, valid < lanes ? gen_first_lanes(g, lanes, valid) : NULL);
}

void gen_store(Gen *g, IrDtype t, LLVMValueRef v, LLVMValueRef ptr, int lanes, int valid) {
  gen_store_mask(g, t, v, ptr, valid < lanes ? gen_first_lanes(g, lanes, valid) : NULL);
}

LLVMValueRef gen_some_lanes(Gen *g, LLVMValueRef v, int from, int n) {
  LLVMValueRef at[64];
  if ((int)LLVMGetVectorSize(LLVMTypeOf(v)) == n) return v;
  for (int k = 0; k < n; k++) at[k] = i32(g, from + k);
  return LLVMBuildShuffleVector(g->b, v, LLVMGetPoison(LLVMTypeOf(v)), LLVMConstVector(at, (unsigned)n), "");
}

// Eight lanes of 32 bits by AVX2's own instruction: a vector of pointers costs the code generator half a millisecond.
static LLVMValueRef gather_avx2(Gen *g, LLVMTypeRef m, LLVMValueRef base, LLVMValueRef index, int lanes, LLVMValueRef mask) {
  bool real = LLVMGetTypeKind(LLVMGetElementType(m)) == LLVMFloatTypeKind;
  LLVMTypeRef bits = gen_type(g, IR_I32, 8), part = gen_type(g, real ? IR_F32 : IR_I32, 8);
  LLVMValueRef half[2], at[16];
  for (int k = 0; k < lanes / 8; k++) {
    LLVMValueRef on = mask ? LLVMBuildSExt(g->b, gen_some_lanes(g, mask, 8 * k, 8), bits, "") : LLVMConstAllOnes(bits);
    LLVMValueRef arg[5] = { LLVMConstNull(part), base, gen_some_lanes(g, index, 8 * k, 8), LLVMBuildBitCast(g->b, on, part, ""),
                            LLVMConstInt(LLVMInt8TypeInContext(g->ctx), 4, false) };
    half[k] = gen_call_intrinsic(g, real ? "llvm.x86.avx2.gather.d.ps.256" : "llvm.x86.avx2.gather.d.d.256", 0, NULL, 5, arg);
  }
  if (lanes == 8) return half[0];
  for (int k = 0; k < 16; k++) at[k] = i32(g, k);
  return LLVMBuildShuffleVector(g->b, half[0], half[1], LLVMConstVector(at, 16), "");
}

LLVMValueRef gen_gather(Gen *g, IrDtype t, LLVMValueRef ptrs, int lanes, LLVMValueRef mask) {
  LLVMTypeRef m = gen_mem_type(g, t, lanes);
  if (g->width == 8 && (lanes == 8 || lanes == 16) && bytes_of(t) == 4 && LLVMIsAGetElementPtrInst(ptrs) && LLVMGetNumOperands(ptrs) == 2) {
    LLVMValueRef base = LLVMGetOperand(ptrs, 0), index = LLVMGetOperand(ptrs, 1);
    if (LLVMGetTypeKind(LLVMTypeOf(base)) == LLVMPointerTypeKind && LLVMTypeOf(index) == gen_type(g, IR_I32, lanes) &&
        LLVMGetGEPSourceElementType(ptrs) == LLVMGetElementType(m))
      return gen_from_mem(g, t, gather_avx2(g, m, base, index, lanes, mask));
  }
  LLVMTypeRef type[2] = { m, LLVMTypeOf(ptrs) };
  LLVMValueRef arg[4] = { ptrs, i32(g, bytes_of(t)), mask ? mask : gen_first_lanes(g, lanes, lanes), LLVMConstNull(m) };
  return gen_from_mem(g, t, gen_call_intrinsic(g, "llvm.masked.gather", 2, type, 4, arg));
}

void gen_scatter(Gen *g, IrDtype t, LLVMValueRef v, LLVMValueRef ptrs, LLVMValueRef mask) {
  v = gen_to_mem(g, t, v);
  int lanes = (int)LLVMGetVectorSize(LLVMTypeOf(v));
  LLVMTypeRef type[2] = { LLVMTypeOf(v), LLVMTypeOf(ptrs) };
  LLVMValueRef arg[4] = { v, ptrs, i32(g, bytes_of(t)), mask ? mask : gen_first_lanes(g, lanes, lanes) };
  gen_call_intrinsic(g, "llvm.masked.scatter", 2, type, 4, arg);
}
