// Register tiles: choosing their size, and the few operations on vectors that products and convolutions share.
#include "backend/llvm/tile.h"

typedef LLVMValueRef V;

int64_t tile_ceil(int64_t x, int64_t y) { return (x + y - 1) / y; }

int tile_power(int64_t x) {
  int p = 1;
  while (p < x) p *= 2;
  return p;
}

int tile_lanes(const Target *t, IrDtype dtype) { return t->plan.vector_bits / (dtype == IR_F64 ? 64 : 32); }
int tile_registers(const Target *t) { return t->plan.vector_bits >= 512 ? 32 : 16; }

// ---- choosing ------------------------------------------------------------------------------------------

// Turns of k done side by side where a tile has too few sums to hide the latency of one.
int tile_unroll(int sums) { return sums >= 6 ? 1 : sums >= 3 ? 2 : 4; }

static double tile_cost(int rows, int vecs, int64_t k) {
  double sums = rows * vecs, loads = rows + vecs, wait = 4.0 / tile_unroll((int)sums);
  double turn = sums > loads ? sums / 2 : loads / 2;
  return (double)k * (turn > wait ? turn : wait) + 8 + 2 * sums;
}

static double columns_cost(int rows, int vecs, int64_t m, int64_t n_vecs, int64_t k) {
  double full = (double)(n_vecs / vecs), cost = full ? (double)(m / rows) * full * tile_cost(rows, vecs, k) : 0;
  int r = (int)(m % rows), v = (int)(n_vecs % vecs), kinds = full && m >= rows;
  if (r) cost += full * tile_cost(r, vecs, k), kinds++;
  if (v) cost += (double)(m / rows) * tile_cost(rows, v, k), kinds++;
  if (r && v) cost += tile_cost(r, v, k), kinds++;
  return cost * (1 + 0.02 * kinds);      // each kind of tile is code to be compiled
}

double tile_choose(const Target *t, IrDtype dtype, int64_t m, int64_t n, int64_t k, bool any, int most, int *rows, int *vecs) {
  int lanes = tile_lanes(t, dtype), spare = t->plan.fma ? 1 : 2;   // a spread number, and the product before it is added
  int64_t n_vecs = tile_ceil(n, lanes);
  double best = -1;
  *rows = *vecs = 1;
  for (int v = 1; v <= TILE_VECS && v <= n_vecs; v++)
    for (int r = 1; r <= TILE_ROWS && r <= most && r <= m; r++) {
      if (r * v + v + spare > tile_registers(t) || (!any && m > r && r & (r - 1))) continue;
      double c = columns_cost(r, v, m, n_vecs, k);
      if (best < 0 || c < best) best = c, *rows = r, *vecs = v;
    }
  return best;
}

// ---- small things ----------------------------------------------------------------------------------------

V tile_scaled(Gen *g, V i, int64_t by) { return by == 1 ? i : LLVMBuildNSWMul(g->b, i, gen_i64(g, by), ""); }
V tile_plus(Gen *g, V i, int64_t by) { return by == 0 ? i : LLVMBuildNSWAdd(g->b, i, gen_i64(g, by), ""); }
V tile_offset(Gen *g, V ptr, IrDtype t, int64_t by) { return by ? gen_at(g, ptr, t, gen_i64(g, by)) : ptr; }
V tile_zero(Gen *g, IrDtype t, int lanes) { return LLVMConstNull(gen_type(g, t, lanes)); }
V tile_spread(Gen *g, IrDtype t, V ptr, int lanes) { return gen_splat(g, gen_load(g, t, ptr, 1, 1), lanes); }

V tile_shuffle(Gen *g, V x, V y, int n, const int *lane) {
  V i[64];
  for (int k = 0; k < n; k++) i[k] = LLVMConstInt(LLVMInt32TypeInContext(g->ctx), (unsigned)lane[k], false);
  if (n == 1) return LLVMBuildExtractElement(g->b, x, i[0], "");
  return LLVMBuildShuffleVector(g->b, x, y, LLVMConstVector(i, (unsigned)n), "");
}

// Room on the stack, taken once where the function begins.
V tile_stack(Gen *g, IrDtype t, int64_t count) {
  LLVMBasicBlockRef here = LLVMGetInsertBlock(g->b), entry = LLVMGetEntryBasicBlock(g->fn);
  V first = LLVMGetFirstInstruction(entry);
  if (first) LLVMPositionBuilderBefore(g->b, first);
  else LLVMPositionBuilderAtEnd(g->b, entry);
  V room = LLVMBuildAlloca(g->b, LLVMArrayType2(gen_type(g, t, 1), (uint64_t)count), "");
  LLVMSetAlignment(room, 64);
  LLVMPositionBuilderAtEnd(g->b, here);
  return room;
}

// Sums across the lanes of n vectors (n a power of two): lane i of the list of results is the sum of x[i].
void tile_sum_across(Gen *g, V *x, int n, int lanes) {
  int lo[64], hi[64];
  for (int block = lanes; block > 1; block /= 2) {
    for (int i = 0; i < lanes; i++) {
      int from = i / (block / 2), half = i % (block / 2);      // the i-th lane of the result: of the block `from`
      lo[i] = from * block + half;                             // blocks of the first vector, then of the second
      hi[i] = lo[i] + block / 2;
    }
    int pairs = n > 1 ? n / 2 : 1;
    for (int i = 0; i < pairs; i++) {
      V a = x[n > 1 ? 2 * i : i], b = x[n > 1 ? 2 * i + 1 : i];
      x[i] = LLVMBuildFAdd(g->b, tile_shuffle(g, a, b, lanes, lo), tile_shuffle(g, a, b, lanes, hi), "");
    }
    n = pairs;
  }
}

void tile_sum_rows(Gen *g, V *sum, int rows, int cols, int lanes, IrDtype t,
                   void (*put)(Gen *g, void *env, int row, V line, int lanes, int valid), void *env) {
  int out = tile_power(cols), room = tile_power(rows) * out;
  V x[64];
  for (int i = 0; i < room; i++)
    x[i] = i / out < rows && i % out < cols ? sum[i / out * cols + i % out] : tile_zero(g, t, lanes);
  tile_sum_across(g, x, room, lanes);
  for (int r = 0; r < rows; r++) {
    int lane[64], first = r * out % lanes;
    for (int i = 0; i < out; i++) lane[i] = first + i;
    put(g, env, r, tile_shuffle(g, x[r * out / lanes], x[r * out / lanes], out, lane), out, cols);
  }
}
