// Inside the LLVM backend: what its files share. Vectors are explicit: all code is emitted in
// final form, and no LLVM pass is relied on but instruction selection and cheap clean-up.
#ifndef RLC_GEN_H
#define RLC_GEN_H

#include <llvm-c/Core.h>
#include "backend/backend.h"

typedef struct Gen {
  Arena *arena;
  LLVMContextRef ctx;
  LLVMModuleRef mod;
  LLVMBuilderRef b;            // stands in the function being emitted
  LLVMValueRef fn;             // that function
  const Target *target;
  int width;                   // f32 lanes of the target's vector: 4, 8 or 16
  bool fma;
  // Whether a function that kernels share is defined outside the module; if not, this one defines it for all. NULL: each
  // module has its own.
  bool (*elsewhere)(struct Gen *g, const char *name);
  void *env;
} Gen;

LLVMTypeRef gen_type(Gen *g, IrDtype t, int lanes);       // in registers: bool i1, bf16 as float; lanes 1: scalar
LLVMTypeRef gen_mem_type(Gen *g, IrDtype t, int lanes);   // in memory: bool i8, bf16 i16

// ---- math.c -----------------------------------------------------------------------------
// An elementwise op of the table on registers of one shape (scalars or vectors of any power-of-two
// lanes); complex values are pairs and handled by the caller. `t` is the operands' dtype. Transcendental functions are
// internal functions of the module, one per (op, dtype, lanes), made at first use.
LLVMValueRef gen_unary(Gen *g, IrCode c, IrDtype t, LLVMValueRef x);
void gen_sincos(Gen *g, IrDtype t, LLVMValueRef x, LLVMValueRef *sine, LLVMValueRef *cosine); // t: f32, f64
LLVMValueRef gen_binary(Gen *g, IrCode c, IrDtype t, LLVMValueRef x, LLVMValueRef y);
LLVMValueRef gen_polygamma(Gen *g, int64_t n, IrDtype t, LLVMValueRef x);
LLVMValueRef gen_cast(Gen *g, LLVMValueRef x, IrDtype from, IrDtype to);
LLVMValueRef gen_bitcast(Gen *g, LLVMValueRef x, IrDtype from, IrDtype to);
LLVMValueRef gen_splat(Gen *g, LLVMValueRef scalar, int lanes);
LLVMValueRef gen_fma(Gen *g, LLVMValueRef a, LLVMValueRef b, LLVMValueRef c); // fused only where the target has it
// Functions outside the module that math.c's code may call; the JIT binds them. Ends with a NULL name.
typedef struct GenSymbol { const char *name; void *address; } GenSymbol;
extern const GenSymbol gen_math_symbols[];

// ---- dot.c --------------------------------------------------------------------------------
// Emits loops for c[m, n] = sum_k a[m, k] b[k, n] for one batch entry, rows [m_lo, m_hi) given at
// run time (multiples of the row tile or the end), handing finished vectors to `store`.
typedef struct GenDot {
  IrDtype dtype;                         // f32 or f64 (bf16 arrays widen on load; sums are f32)
  int64_t m, n, k;
  LLVMValueRef a; int64_t a_m, a_k;      // pointer; strides in elements
  LLVMValueRef b; int64_t b_k, b_n;      // one of them is 1
  LLVMValueRef pack;                     // scratch of gen_dot_scratch bytes, or NULL if that is 0
  bool packed;                           // all of b is there, by gen_dot_pack
  LLVMValueRef m_lo, m_hi;               // i64
  int64_t strip;                         // where [m_lo, m_hi) are always so many rows; else 0
  bool pairs;                            // results two vectors at a time where two stand side by side
  LLVMValueRef n_lo, n_hi;               // i64: columns, multiples of gen_dot_column_tile or the end; or NULL: all
  // acc: lanes of row `row` (i64) beginning at column `col` (i64, a multiple of lanes); only the first
  // `valid` of its lanes are real (valid == lanes but in the last columns; known when compiling).
  void (*store)(Gen *g, void *env, LLVMValueRef row, LLVMValueRef col, LLVMValueRef acc, int lanes, int valid);
  void *env;
} GenDot;
void gen_dot(Gen *g, const GenDot *d);
int64_t gen_dot_scratch(const Target *t, IrDtype dtype, int64_t m, int64_t n, int64_t k, bool tb);
// Emits the copying of panel `panel` (i64) of b into pack, k times n rounded up to whole vectors numbers in all. As many
// panels as gen_dot_panels.
void gen_dot_pack(Gen *g, const GenDot *d, LLVMValueRef panel);
int64_t gen_dot_panels(const Target *t, IrDtype dtype, int64_t m, int64_t n, int64_t k);
int gen_dot_row_tile(const Target *t, IrDtype dtype, int64_t m, int64_t n, int64_t k, bool ta);
int gen_dot_column_tile(const Target *t, IrDtype dtype, int64_t m, int64_t n, int64_t k);  // not of ta

// ---- conv.c -------------------------------------------------------------------------------
// conv, conv_dx, conv_dw by direct loops over channels-last tiles. `store` as above over the result seen
// as a matrix [all leading dims, last dim]; rows [lo, hi) of the result's first axis.
typedef struct GenConv {
  const IrOp *op;
  LLVMValueRef x, y;                     // pointers to the two operands
  const LLVMValueRef *number;            // i64, those that an open form leaves open, in order; NULL: a form that leaves none
  LLVMValueRef lo, hi;
  void (*store)(Gen *g, void *env, LLVMValueRef row, LLVMValueRef col, LLVMValueRef acc, int lanes, int valid);
  void *env;
} GenConv;
void gen_conv(Gen *g, const GenConv *c);
// Sizes of x [N, H, W, CH], weights [KH, KW, CG, O] and y [N, OH, OW, O]; of rows and columns, stride, dilation, padding before.
enum { CONV_N, CONV_H, CONV_W, CONV_CH, CONV_OH, CONV_OW, CONV_O, CONV_KH, CONV_KW, CONV_S0, CONV_S1, CONV_D0, CONV_D1,
       CONV_LO0, CONV_LO1, CONV_CG, CONV_GROUPS, CONV_NUMBERS };
// All that the code depends on: equal forms, equal code.
typedef struct ConvForm {
  int64_t code, dtype;
  int64_t open, is[CONV_NUMBERS];        // bits of the numbers that it is given; what the others are
  int64_t deep;                          // depthwise: treated as one group whose channels are lanes
  int64_t padded, merged;                // columns of the kernel may fall outside the image; columns and channels are one axis, where
                                         // none does and x runs through both
  int64_t rows, rest_rows, cols, rest_cols;  // of a tile, and those left over
  int64_t vecs, panels, rest_channels;   // of a panel; whether there is one; channels behind the last
  int64_t even, narrow;                  // dx: the image is a number of strides wide; less than one
  int64_t fours;                         // dw: images are a multiple of four
  int64_t zeros;                         // bytes of zeros for what lies outside
} ConvForm;
// Fills f, and x with all numbers; false: there is nothing to compute. `open`: leaves numbers open where code for
// them is as fast.
bool gen_conv_form(const Target *t, const IrOp *op, bool open, ConvForm *f, int64_t *x);

// ---- loops, shared --------------------------------------------------------------------------
// for (i = lo; i < hi; i += step) body; with up to `ncarry` values carried. Returns i's phi inside;
// call gen_loop_end with the next values; after it, carry[] holds the final values.
typedef struct GenLoop {
  LLVMBasicBlockRef entry, body, done;
  LLVMValueRef i, hi;
  int64_t step;
  bool once;                             // one turn, known when compiling: no loop
  bool guarded;                          // the bounds may be equal: tested before the first turn
  int ncarry; LLVMValueRef *carry;       // phis inside, finals after
  LLVMValueRef *init;
} GenLoop;
GenLoop gen_loop(Gen *g, LLVMValueRef lo, LLVMValueRef hi, int64_t step, int ncarry, LLVMValueRef *init);
GenLoop gen_turns(Gen *g, LLVMValueRef hi, int64_t step, int ncarry, LLVMValueRef *init);  // from 0; hi > 0 where it is no constant
void gen_loop_end(Gen *g, GenLoop *l, LLVMValueRef *next);
LLVMValueRef gen_i64(Gen *g, int64_t v);
LLVMValueRef gen_function(Gen *g, const char *name, LLVMTypeRef type); // that never unwinds: no tables for it
// Loads and stores of `lanes` consecutive elements from/to memory of dtype t, `valid` of them real (masked otherwise).
LLVMValueRef gen_load(Gen *g, IrDtype t, LLVMValueRef ptr, int lanes, int valid);
void gen_store(Gen *g, IrDtype t, LLVMValueRef v, LLVMValueRef ptr, int lanes, int valid);
LLVMValueRef gen_at(Gen *g, LLVMValueRef ptr, IrDtype t, LLVMValueRef index); // address of element `index`

// The same with a mask of i1 lanes (NULL: all), and through a vector of pointers. Masked-off lanes load 0.
LLVMValueRef gen_first_lanes(Gen *g, int lanes, int valid);
LLVMValueRef gen_load_mask(Gen *g, IrDtype t, LLVMValueRef ptr, int lanes, LLVMValueRef mask);
void gen_store_mask(Gen *g, IrDtype t, LLVMValueRef v, LLVMValueRef ptr, LLVMValueRef mask);
LLVMValueRef gen_gather(Gen *g, IrDtype t, LLVMValueRef ptrs, int lanes, LLVMValueRef mask);
void gen_scatter(Gen *g, IrDtype t, LLVMValueRef v, LLVMValueRef ptrs, LLVMValueRef mask);
LLVMValueRef gen_some_lanes(Gen *g, LLVMValueRef v, int from, int n);  // lanes [from, from + n) of a vector
LLVMValueRef gen_lanes(Gen *g, LLVMValueRef x, int lanes);   // a scalar in every lane; constants stay constant
LLVMValueRef gen_load_raw(Gen *g, IrDtype t, LLVMValueRef ptr, int lanes, LLVMValueRef mask); // as memory holds them
void gen_store_raw(Gen *g, IrDtype t, LLVMValueRef v, LLVMValueRef ptr, LLVMValueRef mask);
LLVMValueRef gen_from_mem(Gen *g, IrDtype t, LLVMValueRef v);
LLVMValueRef gen_to_mem(Gen *g, IrDtype t, LLVMValueRef v);
LLVMValueRef gen_call_intrinsic(Gen *g, const char *name, int ntype, LLVMTypeRef *type, int narg, LLVMValueRef *arg);

#endif
