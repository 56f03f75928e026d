// Single numbers in the dtypes of the IR: laws L4 and L5 in one place, for the
// evaluator, the text form, and passes that fold constants.
#ifndef RLC_IR_NUMBER_H
#define RLC_IR_NUMBER_H

#include "ir/ir.h"

// re and im for floats and complex, i for bool and integers (u64 as its bits).
typedef struct IrNumber { double re, im; int64_t i; } IrNumber;

double ir_round(IrDtype t, double x);            // nearest value of float type t; of t's parts if complex
int64_t ir_wrap(IrDtype t, int64_t x);           // modulo 2^width; bool: x != 0
int64_t ir_saturate(IrDtype t, double x);        // truncates and saturates, NaN gives 0; bool: x != 0
int64_t ir_least(IrDtype t);                     // of an integer type; u64 as bits
int64_t ir_greatest(IrDtype t);
IrNumber ir_load(IrDtype t, const void *at);     // at need not be aligned
void ir_store(IrDtype t, void *at, IrNumber x);  // floats are rounded, integers wrapped
// x of dtype `from` as dtype `to` (L5). Floats are rounded to `to` only if typed.
IrNumber ir_convert(IrDtype from, IrDtype to, IrNumber x, bool typed);
// Threefry-2x32, 20 rounds; word 0 in the high half of key, counter and result.
uint64_t ir_threefry(uint64_t key, uint64_t counter);

#endif
