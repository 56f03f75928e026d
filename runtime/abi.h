// The border between compiled code and the runtime: plain C, no compiler.
// Compiled code calls what is declared here and nothing else; the runtime knows
// a program only by its RtProgram table.
#ifndef RLC_ABI_H
#define RLC_ABI_H

#include <stdint.h>

#define RT_ABI 4

// Memory of a program: one block a space. Addresses in compiled code are
// base[space] + constant offset + loop turn * constant stride.
typedef enum RtSpace {
  RT_STATE,      // what a checkpoint holds; lives as long as the run
  RT_SETTING,    // what init and step are given at the start of a run: numbers, the seed among them, and arrays of other trainers
  RT_OUT,        // what one step says beside its state
  RT_ARENA,      // temporaries of one call; holds nothing between calls
  RT_ROOM,       // temporaries of a piece of work: a block for each thread, one behind another
  RT_CONST,      // data known when compiling; never written
  RT_NSPACE
} RtSpace;
#define RT_ALIGN 64              // of every block and every array in it

typedef struct RtPool RtPool;    // threads; NULL: the caller's thread alone

typedef struct RtFrame {
  char *base[RT_NSPACE];
  RtPool *pool;
} RtFrame;

// Runs kernel(argv, piece) for every piece in [0, pieces). Pieces depend on shapes only and write
// apart from each other, so any thread may take any piece and the bits are the same.
typedef void (*RtKernel)(char **argv, int64_t piece);
void rt_parallel(RtPool *pool, RtKernel kernel, char **argv, int64_t pieces);
// In a kernel that rt_parallel or rt_fork runs: a number below `pieces` that no other thread at work on the same job has
// meanwhile. The thread's own, so that it finds again what it had there; the piece's where threads outnumber pieces.
int64_t rt_seat(int64_t piece, int64_t pieces);
// Pieces 0 and 1, worth microseconds: two threads, or one where the other has lately been waited for.
void rt_fork(RtPool *pool, RtKernel kernel, char **argv);

// Same numbers as IrDtype in ir/ir.h.
typedef enum RtDtype {
  RT_BOOL, RT_I8, RT_I16, RT_I32, RT_I64, RT_U8, RT_U32, RT_U64, RT_BF16, RT_F32, RT_F64, RT_C64, RT_C128
} RtDtype;
#define RT_MAX_RANK 8

typedef struct RtArray {
  const char *name;              // path: "p.pi.mlp.0.dense.w"
  int32_t dtype, rank;
  int64_t dim[RT_MAX_RANK];
  int64_t offset, bytes;         // in RT_STATE
} RtArray;

typedef struct RtSetting {
  const char *name;
  int32_t dtype;                 // RT_I64, RT_F32 or RT_U64 (the seed)
  int64_t offset;                // in RT_SETTING
  double value;                  // default
} RtSetting;

typedef struct RtMetric {
  const char *name;
  int64_t value;                 // f32 in RT_STATE: last logged mean, NaN before the first
  int64_t count;                 // f32 in RT_OUT: how often this step logged it; 0: not
} RtMetric;

// A trainer that runs before another, which takes arrays of its last state.
typedef struct RtTake { int64_t from, to, bytes; } RtTake;  // in its RT_STATE; in the other's RT_SETTING
typedef struct RtBefore {
  const struct RtProgram *program;
  int64_t ntake; const RtTake *take;
} RtBefore;

typedef struct RtProgram {
  uint32_t abi;                  // RT_ABI
  const char *name;              // the trainer's
  const char *source;            // file it came from, as named
  uint64_t hash;                 // of state layout and compiled settings: a checkpoint must bear the same
  int32_t nstate, nsetting, nmetric;
  const RtArray *state;          // in order of declaration, hidden ones last
  const RtSetting *setting;
  const RtMetric *metric;
  int64_t bytes[RT_NSPACE];      // of each block; RT_ROOM: of one thread's
  const void *consts;            // RT_CONST's content, RT_ALIGN-aligned, or NULL
  int64_t seed;                  // u64 in RT_SETTING
  int64_t iter;                  // i64 in RT_STATE: steps done
  int64_t env_steps;             // i64 in RT_STATE, or -1 where no environments are stepped
  int64_t stop, solved;          // bytes in RT_OUT: the stop condition holds; … by more than a spent budget
  int64_t ok;                    // byte in RT_OUT: every logged value is finite
  int64_t progress;              // f32 in RT_OUT: share of the step budget spent, NaN if there is none
  int64_t nbefore; const RtBefore *before; // trained in this order before init, with this one's seed
  void (*init)(RtFrame *f);      // settings -> state
  void (*step)(RtFrame *f);      // state, settings -> state, out
} RtProgram;

// ---- routines that compiled code calls (LOWER_LIB ops, large products) ---------------------
// All row-major; `batch` matrices one behind another; return nothing: what cannot be computed is NaN.
// The scratch each takes is what rt_*_scratch says, in bytes.
void rt_qr_f32(int64_t batch, int64_t m, int64_t n, const float *x, float *q, float *r, char *scratch);
void rt_qr_f64(int64_t batch, int64_t m, int64_t n, const double *x, double *q, double *r, char *scratch);
int64_t rt_qr_scratch(int64_t m, int64_t n);      // both
void rt_cholesky_f32(int64_t batch, int64_t n, const float *x, float *l);
void rt_cholesky_f64(int64_t batch, int64_t n, const double *x, double *l);
// y = l^-1 x, or l^-T x if ta; l [n, n] lower, x and y [n, m].
void rt_trisolve_f32(int64_t batch, int64_t n, int64_t m, int64_t ta, const float *l, const float *x, float *y);
void rt_trisolve_f64(int64_t batch, int64_t n, int64_t m, int64_t ta, const double *l, const double *x, double *y);
// Decompositions of f32 or f64 (eigh, eig also c64, c128), dtype: RtDtype. What is unique but for a sign or
// phase: the first component of a vector that has at least half the modulus of its greatest is positive.
// lu, x [n, n]: l below the diagonal, u; row perm[i] of x is row i of l u.
void rt_lu(int64_t dtype, int64_t batch, int64_t n, const void *x, void *lu, int32_t *perm, char *scratch);
int64_t rt_lu_scratch(int64_t n);
// Of x's lower half: real w [n] ascending, v [n, n] in x's dtype, vectors in columns.
void rt_eigh(int64_t dtype, int64_t batch, int64_t n, const void *x, void *w, void *v, char *scratch);
int64_t rt_eigh_scratch(int64_t n);
// x [m, n], m >= n: u [m, n], s [n] descending, v [n, n], x = u diag(s) v^T; the sign is v's.
void rt_svd(int64_t dtype, int64_t batch, int64_t m, int64_t n, const void *x, void *u, void *s, void *v, char *scratch);
int64_t rt_svd_scratch(int64_t m, int64_t n);
// Complex w [n] by real, then imaginary part, v [n, n] with columns of length 1, u = v^-1; NaN where it does not converge.
void rt_eig(int64_t dtype, int64_t batch, int64_t n, const void *x, void *w, void *v, void *u, char *scratch);
int64_t rt_eig_scratch(int64_t n);
// The discrete Fourier transform of `batch` rows of n: c64 or c128. reverse: e^(+..), not divided by n. y may be x.
void rt_fft(int64_t dtype, int64_t batch, int64_t n, int64_t reverse, const void *x, void *y, char *scratch);
int64_t rt_fft_scratch(int64_t n);
// Stable ascending order along the middle axis of [outer, n, inner]; NaN last. dtype: RtDtype. scratch: 16 n bytes.
void rt_argsort(int64_t dtype, int64_t outer, int64_t n, int64_t inner, const void *x, int32_t *order, char *scratch);
// Running sum (what 0), product (1) or greatest (2) along the middle axis; from the back if reverse.
void rt_cumulate(int64_t dtype, int64_t what, int64_t outer, int64_t n, int64_t inner, int64_t reverse, const void *x, void *y);
// c[m, n] = op(a) op(b) through OpenBLAS; op(a) is a [m, k], or a^T for a [k, m] if ta; likewise b [k, n] and tb.
// ld*: elements from row to row, as stored. Rows of c may be computed by separate calls on separate threads.
void rt_gemm_f32(int64_t m, int64_t n, int64_t k, int64_t ta, int64_t tb, const float *a, int64_t lda, const float *b, int64_t ldb, float *c, int64_t ldc);
void rt_gemm_f64(int64_t m, int64_t n, int64_t k, int64_t ta, int64_t tb, const double *a, int64_t lda, const double *b, int64_t ldb, double *c, int64_t ldc);
// lgamma, digamma, polygamma and other rare functions, elementwise: see backend/llvm/math.h for which.
double rt_lgamma(double x);
double rt_digamma(double x);
double rt_polygamma(double n, double x);   // n: 1 to 170
double rt_erfinv(double x);

#endif
