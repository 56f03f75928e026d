// Register tiles: what dot.c and conv.c share.
#ifndef RLC_TILE_H
#define RLC_TILE_H

#include "backend/llvm/gen.h"

#define TILE_ROWS 16
#define TILE_VECS 6
#define TILE_SUMS 32

// Rows x vectors of a tile for a result of m rows and n columns, k products to an element, that keeps sums and one
// row of operands in registers; the cheapest by a rough count of cycles, which is returned. `any`: rows need not be a
// power of two where m is larger (pieces of rows are not cut); `most` bounds them.
double tile_choose(const Target *t, IrDtype dtype, int64_t m, int64_t n, int64_t k, bool any, int most, int *rows, int *vecs);
int tile_lanes(const Target *t, IrDtype dtype);          // of the sums: f64, else f32
int tile_registers(const Target *t);
int tile_unroll(int sums);       // turns of k done side by side where a tile has too few sums to hide the latency of one

int64_t tile_ceil(int64_t x, int64_t y);                 // x / y upwards
int tile_power(int64_t x);                               // the least power of two >= x
LLVMValueRef tile_scaled(Gen *g, LLVMValueRef i, int64_t by);
LLVMValueRef tile_plus(Gen *g, LLVMValueRef i, int64_t by);
LLVMValueRef tile_offset(Gen *g, LLVMValueRef ptr, IrDtype t, int64_t by);
LLVMValueRef tile_zero(Gen *g, IrDtype t, int lanes);
LLVMValueRef tile_spread(Gen *g, IrDtype t, LLVMValueRef ptr, int lanes);   // one number in every lane
LLVMValueRef tile_shuffle(Gen *g, LLVMValueRef x, LLVMValueRef y, int n, const int *lane);
LLVMValueRef tile_stack(Gen *g, IrDtype t, int64_t count); // room on the stack, taken once where the function begins

// Sums across the lanes of n vectors, n a power of two: afterwards lane i of the list x is the sum of what x[i] was.
void tile_sum_across(Gen *g, LLVMValueRef *x, int n, int lanes);
// Sums of rows x cols (row-major) across their lanes, handed over row by row: lanes of a row in a vector of
// tile_power(cols) lanes, through put.
void tile_sum_rows(Gen *g, LLVMValueRef *sum, int rows, int cols, int lanes, IrDtype t,
                   void (*put)(Gen *g, void *env, int row, LLVMValueRef line, int lanes, int valid), void *env);

#endif
