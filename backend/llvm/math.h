// Between math.c (elementwise ops) and elementary.c (the functions of analysis).
#ifndef RLC_MATH_H
#define RLC_MATH_H

#include "backend/llvm/gen.h"

// Value of a function of analysis: exp … digamma, sin, cos, pow, atan2, polygamma (of order, x). One internal function of
// the module per (op, dtype, lanes), made at first use; t is f32 or f64.
LLVMValueRef math_function(Gen *g, IrCode c, IrDtype t, int narg, LLVMValueRef *arg);
LLVMValueRef math_threefry(Gen *g, LLVMValueRef key, LLVMValueRef counter);

int math_lanes(LLVMValueRef x);

#endif
