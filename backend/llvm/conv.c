// Convolutions and their two adjoints by direct loops: no matrix of patches is ever made, and nothing is
// packed, so they need no scratch room.
//
//   conv     tile: pixels of one row of the result x vectors of output channels. x is read one number at a
//            time and spread; the weights' last axis is contiguous.
//   conv_dx  tile: pixels x input channels, vectors along output channels, where dy and the weights are
//            both contiguous, summed across at the end.
//   conv_dw  tile: (column of the kernel, input channel) x vectors of output channels, over all pixels.
//   depthwise (one channel a group): vectors along channels in all three.
//
// Rows of the kernel that fall outside the image are left out of loops. Where columns can fall outside, a pixel
// outside is read from a block of zeros. Sums have one order for a shape and a target.
#include "backend/llvm/tile.h"

#include <string.h>

typedef LLVMValueRef V;

typedef struct Conv {
  Gen *g;
  const GenConv *c;
  IrDtype t, sum;              // of the arrays; of the sums
  int lanes, regs;
  int64_t n, h, w, ch;         // x [n, h, w, ch]
  int64_t oh, ow, o;           // y [n, oh, ow, o]
  int64_t kh, kw, cg, og, groups;  // weights [kh, kw, cg, o]; og: output channels of a group
  int64_t s[2], d[2], lo[2];   // stride, dilation, padding before, of rows and columns
  bool deep;                   // depthwise: treated as one group whose channels are lanes
  bool padded;                 // columns of the kernel may fall outside the image
  V x, wt, dy;                 // pointers; those that the op has
  V zeros;                     // what lies outside
} Conv;

static V min_of(Gen *g, V a, V b) { return LLVMBuildSelect(g->b, LLVMBuildICmp(g->b, LLVMIntSLT, a, b, ""), a, b, ""); }
static V max_of(Gen *g, V a, V b) { return LLVMBuildSelect(g->b, LLVMBuildICmp(g->b, LLVMIntSGT, a, b, ""), a, b, ""); }
static V add(Gen *g, V a, V b) { return LLVMBuildNSWAdd(g->b, a, b, ""); }
static V sub(Gen *g, V a, V b) { return LLVMBuildNSWSub(g->b, a, b, ""); }
static V over(Gen *g, V a, int64_t by) { return by == 1 ? a : LLVMBuildUDiv(g->b, a, gen_i64(g, by), ""); }   // a >= 0

// All k in [0, limit) with 0 <= by k - f < size, as [*lo, *hi).
static void span(Gen *g, V f, int64_t by, int64_t limit, int64_t size, V *lo, V *hi) {
  V zero = gen_i64(g, 0);
  *lo = over(g, tile_plus(g, max_of(g, f, zero), by - 1), by);
  *hi = min_of(g, over(g, max_of(g, tile_plus(g, f, size - 1 + by), zero), by), gen_i64(g, limit));
}

// A block of zeros, long enough for one pixel's channels.
static V zeros_of(Gen *g, IrDtype t, int64_t count) {
  char name[48];
  int64_t bytes = 64;
  while (bytes < count * ir_dtype_bytes(t)) bytes *= 2;
  snprintf(name, sizeof name, "rlc.zeros.%lld", (long long)bytes);
  V z = LLVMGetNamedGlobal(g->mod, name);
  if (z) return z;
  LLVMTypeRef type = LLVMArrayType2(LLVMInt8TypeInContext(g->ctx), (uint64_t)bytes);
  z = LLVMAddGlobal(g->mod, type, name);
  LLVMSetInitializer(z, LLVMConstNull(type));
  LLVMSetLinkage(z, LLVMInternalLinkage);
  LLVMSetGlobalConstant(z, true);
  LLVMSetAlignment(z, 64);
  return z;
}

// Numbers behind a place that may itself lie outside the array.
static V beyond(Gen *g, V p, IrDtype t, V by) { return LLVMBuildGEP2(g->b, gen_mem_type(g, t, 1), p, &by, 1, ""); }

// Where `rows` pixels in a row begin, `apart` numbers from one to the next: the first at column `col` of [0, width), the
// others `step` columns on; a block of zeros for those outside, if any can be.
static void pixels(Conv *c, V line, V col, int rows, int64_t step, int64_t width, int64_t apart, bool outside, V *at) {
  Gen *g = c->g;
  for (int r = 0; r < rows; r++) {
    V here = r ? beyond(g, line, c->t, gen_i64(g, r * apart)) : line;
    V inside = outside ? LLVMBuildICmp(g->b, LLVMIntULT, tile_plus(g, col, r * step), gen_i64(g, width), "") : NULL;
    at[r] = outside ? LLVMBuildSelect(g->b, inside, here, c->zeros, "") : here;
  }
}

// A loop over groups, or the number 0 where there is one.
static V group_loop(Conv *c, GenLoop *l) {
  if (c->groups == 1) return gen_i64(c->g, 0);
  *l = gen_loop(c->g, gen_i64(c->g, 0), gen_i64(c->g, c->groups), 1, 0, NULL);
  return l->i;
}
static void group_end(Conv *c, GenLoop *l) {
  if (c->groups > 1) gen_loop_end(c->g, l, NULL);
}

// Channels of a group in panels of `vecs` vectors: panel(col, vecs, valid lanes of the last) for all.
typedef struct Panel { V g, col; int vecs, valid; } Panel;   // group; first channel, counted over all groups

static void each_panel(Conv *c, V group, int64_t per_group, int vecs, void (*body)(Conv *c, const Panel *p, void *env), void *env) {
  Gen *g = c->g;
  V base = tile_scaled(g, group, per_group);
  int64_t n_vecs = tile_ceil(per_group, c->lanes), whole = n_vecs / vecs * vecs;
  int valid = per_group % c->lanes ? (int)(per_group % c->lanes) : c->lanes;
  if (whole == n_vecs && valid < c->lanes) whole -= vecs;
  if (whole) {
    GenLoop l = gen_loop(g, gen_i64(g, 0), gen_i64(g, whole * c->lanes), vecs * c->lanes, 0, NULL);
    body(c, &(Panel){ group, add(g, base, l.i), vecs, c->lanes }, env);
    gen_loop_end(g, &l, NULL);
  }
  if (whole < n_vecs) body(c, &(Panel){ group, tile_plus(g, base, whole * c->lanes), (int)(n_vecs - whole), valid }, env);
}

// i in [0, n) in steps of `rows`, then the rest: both sizes known when compiling.
static void each_tile(Conv *c, int64_t n, int rows, void (*body)(Conv *c, V i, int rows, void *env), void *env) {
  Gen *g = c->g;
  int rest = (int)(n % rows);
  if (n >= rows) {
    GenLoop l = gen_loop(g, gen_i64(g, 0), gen_i64(g, n - rest), rows, 0, NULL);
    body(c, l.i, rows, env);
    gen_loop_end(g, &l, NULL);
  }
  if (rest) body(c, gen_i64(g, n - rest), rest, env);
}

// sum[r][v] += a[r] * b[v], for a at pa[r] (spread, or a vector if depthwise) and b at pb.
static void turn(Conv *c, const Panel *p, int rows, V *pa, V pb, V *sum) {
  Gen *g = c->g;
  V b[TILE_VECS];
  for (int v = 0; v < p->vecs; v++)
    b[v] = gen_load(g, c->t, tile_offset(g, pb, c->t, (int64_t)v * c->lanes), c->lanes, v == p->vecs - 1 ? p->valid : c->lanes);
  for (int r = 0; r < rows; r++) {
    V a = c->deep ? gen_load(g, c->t, pa[r], c->lanes, p->valid) : tile_spread(g, c->t, pa[r], c->lanes);
    for (int v = 0; v < p->vecs; v++) sum[r * p->vecs + v] = gen_fma(g, a, b[v], sum[r * p->vecs + v]);
  }
}

static void store_tile(Conv *c, const Panel *p, V row, int rows, V *sum) {
  Gen *g = c->g;
  V at[TILE_ROWS];
  for (int r = 0; r < rows; r++) at[r] = tile_plus(g, row, r);
  for (int v = 0; v < p->vecs; v++) {
    V col = tile_plus(g, p->col, (int64_t)v * c->lanes);
    for (int r = 0; r < rows; r++)
      c->c->store(g, c->c->env, at[r], col, sum[r * p->vecs + v], c->lanes, v == p->vecs - 1 ? p->valid : c->lanes);
  }
}

// ---- conv ------------------------------------------------------------------------------------------------

typedef struct Pixels {
  const Panel *p;
  V n, i;                      // image and row of the result
  V u_lo, u_hi;                // rows of the kernel inside the image
  V row;                       // of the result as a matrix, of pixel (n, i, 0)
} Pixels;

// Over `count` numbers from px[r] (each pixel's own pointer, or offsets `apart` from px[0]), weights `o` apart.
static void conv_channels(Conv *c, const Panel *p, int rows, V *px, int64_t apart, V pw, int64_t count, V *sum) {
  Gen *g = c->g;
  int sums = rows * p->vecs;
  V pa[TILE_ROWS], next[TILE_SUMS + 2];
  if (count == 1) {
    for (int r = 0; r < rows; r++) pa[r] = apart >= 0 ? tile_offset(g, px[0], c->t, r * apart) : px[r];
    turn(c, p, rows, pa, pw, sum);
    return;
  }
  memcpy(next, sum, sizeof *next * (size_t)sums);
  next[sums] = pw, next[sums + 1] = px[0];
  GenLoop l = gen_loop(g, gen_i64(g, 0), gen_i64(g, count), 1, sums + (apart >= 0 ? 2 : 1), next);
  memcpy(next, l.carry, sizeof *next * (size_t)(sums + 1));
  V x0 = apart >= 0 ? l.carry[sums + 1] : NULL;
  for (int r = 0; r < rows; r++) pa[r] = x0 ? tile_offset(g, x0, c->t, r * apart) : gen_at(g, px[r], c->t, l.i);
  turn(c, p, rows, pa, l.carry[sums], next);
  next[sums] = tile_offset(g, l.carry[sums], c->t, c->o);
  if (x0) next[sums + 1] = tile_offset(g, x0, c->t, 1);
  gen_loop_end(g, &l, next);
  memcpy(sum, l.carry, sizeof *sum * (size_t)sums);
}

static void conv_tile(Conv *c, V j, int rows, void *env) {
  Gen *g = c->g;
  const Pixels *at = env;
  const Panel *p = at->p;
  int sums = rows * p->vecs;
  V sum[TILE_SUMS], next[TILE_SUMS], px[TILE_ROWS];
  for (int k = 0; k < sums; k++) sum[k] = tile_zero(g, c->sum, c->lanes);
  V j0 = tile_plus(g, tile_scaled(g, j, c->s[1]), -c->lo[1]);
  GenLoop u = gen_loop(g, at->u_lo, at->u_hi, 1, sums, sum);
  memcpy(next, u.carry, sizeof *next * (size_t)sums);
  V line = add(g, tile_plus(g, tile_scaled(g, at->i, c->s[0]), -c->lo[0]), tile_scaled(g, u.i, c->d[0]));
  line = tile_scaled(g, add(g, tile_scaled(g, at->n, c->h), line), c->w);
  V from = gen_at(g, c->x, c->t, c->deep ? p->col : tile_scaled(g, p->g, c->cg));
  V pw = gen_at(g, gen_at(g, c->wt, c->t, p->col), c->t, tile_scaled(g, u.i, c->kw * c->cg * c->o));
  bool merged = !c->padded && c->d[1] == 1 && c->cg == c->ch;
  if (merged) {
    px[0] = gen_at(g, from, c->t, tile_scaled(g, add(g, line, j0), c->ch));
    conv_channels(c, p, rows, px, c->s[1] * c->ch, pw, c->kw * c->cg, next);
  } else {
    GenLoop v = gen_loop(g, gen_i64(g, 0), gen_i64(g, c->kw), 1, sums, next);
    memcpy(next, v.carry, sizeof *next * (size_t)sums);
    V q = add(g, j0, tile_scaled(g, v.i, c->d[1]));
    pixels(c, beyond(g, from, c->t, tile_scaled(g, add(g, line, q), c->ch)), q, rows, c->s[1], c->w, c->s[1] * c->ch, c->padded, px);
    conv_channels(c, p, rows, px, c->padded ? -1 : c->s[1] * c->ch, gen_at(g, pw, c->t, tile_scaled(g, v.i, c->cg * c->o)), c->cg, next);
    gen_loop_end(g, &v, next);
    memcpy(next, v.carry, sizeof *next * (size_t)sums);
  }
  gen_loop_end(g, &u, next);
  store_tile(c, p, add(g, at->row, j), rows, u.carry);
}

typedef struct Walk { V n; int rows; } Walk;

static void conv_panel(Conv *c, const Panel *p, void *env) {
  Gen *g = c->g;
  const Walk *k = env;
  GenLoop i = gen_loop(g, gen_i64(g, 0), gen_i64(g, c->oh), 1, 0, NULL);
  Pixels at = { .p = p, .n = k->n, .i = i.i };
  span(g, sub(g, gen_i64(g, c->lo[0]), tile_scaled(g, i.i, c->s[0])), c->d[0], c->kh, c->h, &at.u_lo, &at.u_hi);
  at.row = tile_scaled(g, add(g, tile_scaled(g, k->n, c->oh), i.i), c->ow);
  each_tile(c, c->ow, k->rows, conv_tile, &at);
  gen_loop_end(g, &i, NULL);
}

static void emit_conv(Conv *c) {
  Gen *g = c->g;
  Walk k;
  int vecs;
  tile_choose(g->target, c->t, c->ow, c->og, c->kh * c->kw * c->cg, true, c->padded ? 8 : TILE_ROWS, &k.rows, &vecs);
  if (c->deep) vecs = 1;
  GenLoop n = gen_loop(g, c->c->lo, c->c->hi, 1, 0, NULL), l;
  k.n = n.i;
  V group = group_loop(c, &l);
  each_panel(c, group, c->og, vecs, conv_panel, &k);
  group_end(c, &l);
  gen_loop_end(g, &n, NULL);
}

// ---- conv_dx ---------------------------------------------------------------------------------------------

// A pixel q of x meets the kernel's place k where (q + lo - d k) / s is a whole number: for a class of q modulo s,
// k = first, first + step, … The first of each class stands in a table; -1: none.
typedef struct Phase { int64_t step; V first; } Phase;

static int64_t gcd(int64_t a, int64_t b) { return b ? gcd(b, a % b) : a; }

static Phase phase_of(Conv *c, int axis, V class) {
  Gen *g = c->g;
  int64_t s = c->s[axis], d = c->d[axis], size = axis ? c->kw : c->kh;
  Phase p = { s / gcd(s, d), gen_i64(g, 0) };
  if (s == 1) return p;
  V *entry = arena_array(g->arena, V, s);
  for (int64_t q = 0; q < s; q++) {
    int64_t k = 0;
    while (k < p.step && (((q + c->lo[axis] - d * k) % s) + s) % s) k++;
    entry[q] = gen_i64(g, k < p.step ? k : size);
  }
  LLVMTypeRef i64 = LLVMInt64TypeInContext(g->ctx);
  V table = LLVMAddGlobal(g->mod, LLVMArrayType2(i64, (uint64_t)s), "rlc.phase");
  LLVMSetInitializer(table, LLVMConstArray2(i64, entry, (uint64_t)s));
  LLVMSetLinkage(table, LLVMInternalLinkage);
  LLVMSetGlobalConstant(table, true);
  p.first = gen_load(g, IR_I64, gen_at(g, table, IR_I64, class), 1, 1);
  return p;
}

typedef struct Grid {
  V n, g;                      // image, group
  V h, w;                      // row of x; class of columns modulo the stride
  V col;                       // first channel of x, counted over all groups; and inside its group
  V in_group;
  int cols;                    // channels of a tile
  const Panel *p;              // depthwise instead
  V u_first, u_hi;
  int64_t u_step;
  Phase v;
} Grid;

// (a - d k) / s, which is whole.
static V back(Conv *c, int axis, V a, V k) {
  Gen *g = c->g;
  V t = sub(g, tile_plus(g, a, c->lo[axis]), tile_scaled(g, k, c->d[axis]));
  return c->s[axis] == 1 ? t : LLVMBuildExactSDiv(g->b, t, gen_i64(g, c->s[axis]), "");
}

// sum[r][k] += dy[r, o] * w[k, o], lanes along o.
static void dx_outputs(Conv *c, const Grid *at, int rows, V *py, V pw, V *sum) {
  Gen *g = c->g;
  int sums = rows * at->cols, rest = (int)(c->og % c->lanes);
  for (int part = 0; part < 2; part++) {
    int64_t count = part ? rest : c->og - rest;
    if (!count) continue;
    int lanes = c->lanes, valid = part ? rest : lanes;
    bool loop = !part && count > lanes;
    GenLoop l = { .i = gen_i64(g, part ? c->og - rest : 0) };
    if (loop) {
      l = gen_loop(g, gen_i64(g, 0), gen_i64(g, count), lanes, sums, sum);
      memcpy(sum, l.carry, sizeof *sum * (size_t)sums);
    }
    V b[TILE_VECS];
    for (int k = 0; k < at->cols; k++) b[k] = gen_load(g, c->t, gen_at(g, tile_offset(g, pw, c->t, k * c->o), c->t, l.i), lanes, valid);
    for (int r = 0; r < rows; r++) {
      V a = gen_load(g, c->t, gen_at(g, py[r], c->t, l.i), lanes, valid);
      for (int k = 0; k < at->cols; k++) sum[r * at->cols + k] = gen_fma(g, a, b[k], sum[r * at->cols + k]);
    }
    if (!loop) continue;
    gen_loop_end(g, &l, sum);
    memcpy(sum, l.carry, sizeof *sum * (size_t)sums);
  }
}

typedef struct DxOut { Conv *c; const Grid *at; V row; } DxOut;

static void dx_put(Gen *g, void *env, int r, V line, int lanes, int valid) {
  const DxOut *o = env;
  o->c->c->store(g, o->c->c->env, tile_plus(g, o->row, r * o->c->s[1]), o->at->col, line, lanes, valid);
}

// Pixels w, w + s, … of one row: `rows` of them.
static void dx_tile(Conv *c, V q, int rows, void *env) {
  Gen *g = c->g;
  const Grid *at = env;
  int sums = rows * at->cols;
  V sum[TILE_SUMS], next[TILE_SUMS], py[TILE_ROWS], w = add(g, at->w, tile_scaled(g, q, c->s[1]));
  for (int k = 0; k < sums; k++) sum[k] = tile_zero(g, c->sum, c->lanes);
  GenLoop u = gen_loop(g, at->u_first, at->u_hi, at->u_step, sums, sum);
  V line = tile_scaled(g, add(g, tile_scaled(g, at->n, c->oh), back(c, 0, at->h, u.i)), c->ow);
  GenLoop v = gen_loop(g, at->v.first, gen_i64(g, c->kw), at->v.step, sums, u.carry);
  memcpy(next, v.carry, sizeof *next * (size_t)sums);
  V j = back(c, 1, w, v.i), from = gen_at(g, c->dy, c->t, at->p ? at->p->col : tile_scaled(g, at->g, c->og));
  pixels(c, beyond(g, from, c->t, tile_scaled(g, add(g, line, j), c->o)), j, rows, 1, c->ow, c->o, true, py);
  V tap = tile_scaled(g, add(g, tile_scaled(g, u.i, c->kw), v.i), c->cg);
  if (at->p) turn(c, at->p, rows, py, gen_at(g, gen_at(g, c->wt, c->t, at->p->col), c->t, tile_scaled(g, tap, c->o)), next);
  else {
    V pw = gen_at(g, c->wt, c->t, add(g, tile_scaled(g, add(g, tap, at->in_group), c->o), tile_scaled(g, at->g, c->og)));
    dx_outputs(c, at, rows, py, pw, next);
  }
  gen_loop_end(g, &v, next);
  gen_loop_end(g, &u, v.carry);
  V row = add(g, tile_scaled(g, add(g, tile_scaled(g, at->n, c->h), at->h), c->w), w);
  if (at->p) {
    for (int r = 0; r < rows; r++)
      c->c->store(g, c->c->env, tile_plus(g, row, r * c->s[1]), at->p->col, u.carry[r], c->lanes, at->p->valid);
    return;
  }
  DxOut out = { c, at, row };
  tile_sum_rows(g, u.carry, rows, at->cols, c->lanes, c->sum, dx_put, &out);
}

// Classes of columns that differ in length, by one: tiles, then one pixel at a time.
static void dx_columns(Conv *c, Grid *at, int rows) {
  Gen *g = c->g;
  V count = over(g, sub(g, gen_i64(g, c->w - 1 + c->s[1]), at->w), c->s[1]), whole = tile_scaled(g, over(g, count, rows), rows);
  GenLoop q = gen_loop(g, gen_i64(g, 0), whole, rows, 0, NULL);
  dx_tile(c, q.i, rows, at);
  gen_loop_end(g, &q, NULL);
  if (rows == 1) return;
  q = gen_loop(g, whole, count, 1, 0, NULL);
  dx_tile(c, q.i, 1, at);
  gen_loop_end(g, &q, NULL);
}

// All pixels of image n for one set of channels.
static void dx_pixels(Conv *c, Grid *at, int rows) {
  Gen *g = c->g;
  GenLoop h = gen_loop(g, gen_i64(g, 0), gen_i64(g, c->h), 1, 0, NULL), w = { 0 };
  at->h = h.i;
  Phase u = phase_of(c, 0, c->s[0] == 1 ? h.i : LLVMBuildURem(g->b, h.i, gen_i64(g, c->s[0]), ""));
  // 0 <= h + lo - d u < s oh.
  V t = tile_plus(g, h.i, c->lo[0]), zero = gen_i64(g, 0);
  V least = over(g, tile_plus(g, max_of(g, tile_plus(g, t, 1 - c->s[0] * c->oh), zero), c->d[0] - 1), c->d[0]);
  V skip = over(g, tile_plus(g, max_of(g, sub(g, least, u.first), zero), u.step - 1), u.step);
  at->u_first = add(g, u.first, tile_scaled(g, skip, u.step)), at->u_step = u.step;
  at->u_hi = min_of(g, over(g, max_of(g, tile_plus(g, t, c->d[0]), zero), c->d[0]), gen_i64(g, c->kh));
  at->w = zero;
  if (c->s[1] == 1) {
    at->v = phase_of(c, 1, zero);
    each_tile(c, c->w, rows, dx_tile, at);
  } else {
    w = gen_loop(g, zero, gen_i64(g, c->s[1] < c->w ? c->s[1] : c->w), 1, 0, NULL);
    at->w = w.i, at->v = phase_of(c, 1, w.i);
    if (c->w % c->s[1] == 0) each_tile(c, c->w / c->s[1], rows, dx_tile, at);
    else dx_columns(c, at, rows);
    gen_loop_end(g, &w, NULL);
  }
  gen_loop_end(g, &h, NULL);
}

static void dx_panel(Conv *c, const Panel *p, void *env) {
  Grid at = { .n = ((const Walk *)env)->n, .g = p->g, .p = p, .cols = 1 };
  dx_pixels(c, &at, ((const Walk *)env)->rows);
}

static void emit_dx(Conv *c) {
  Gen *g = c->g;
  int cols = c->lanes < 4 ? c->lanes : 4, rows = c->regs == 32 || c->deep ? 4 : 2;
  int64_t wide = tile_ceil(c->w, c->s[1]);
  if (cols > c->cg) cols = (int)c->cg;
  while (rows * 2 * tile_power(cols) <= (c->regs == 32 ? 16 : 8) && rows < 8) rows *= 2;
  if (rows > wide) rows = (int)wide;
  GenLoop n = gen_loop(g, c->c->lo, c->c->hi, 1, 0, NULL), l;
  Walk k = { n.i, rows };
  V group = group_loop(c, &l);
  if (c->deep) each_panel(c, group, c->og, 1, dx_panel, &k);
  else {
    int rest = (int)(c->cg % cols);
    Grid at = { .n = n.i, .g = group };
    V base = tile_scaled(g, group, c->cg);
    GenLoop m = gen_loop(g, gen_i64(g, 0), gen_i64(g, c->cg - rest), cols, 0, NULL);
    at.in_group = m.i, at.col = add(g, base, m.i), at.cols = cols;
    dx_pixels(c, &at, rows);
    gen_loop_end(g, &m, NULL);
    if (rest) {
      at.in_group = gen_i64(g, c->cg - rest), at.col = tile_plus(g, base, c->cg - rest), at.cols = rest;
      dx_pixels(c, &at, rows);
    }
  }
  group_end(c, &l);
  gen_loop_end(g, &n, NULL);
}

// ---- conv_dw ---------------------------------------------------------------------------------------------

typedef struct Weights {
  const Panel *p;
  V u, v;                      // row of the kernel; its column, or that of the first row of the tile
  V i_lo, i_hi, j_lo, j_hi;    // pixels whose place under (u, v) is inside the image
  int rows;
  int64_t apart;               // numbers between rows of the tile in x
} Weights;

// Adds images [lo, hi) of the batch, `side` at a time into sums of their own: few sums would wait for each other.
static void dw_images(Conv *c, V first, int rows, const Weights *at, int64_t lo, int64_t hi, int side, V *sum) {
  Gen *g = c->g;
  const Panel *p = at->p;
  int each = rows * p->vecs, sums = each * side;
  V next[TILE_SUMS + 2], pa[TILE_ROWS];
  GenLoop n = gen_loop(g, gen_i64(g, lo), gen_i64(g, hi), side, sums, sum);
  GenLoop i = gen_loop(g, at->i_lo, at->i_hi, 1, sums, n.carry);
  V line = add(g, tile_plus(g, tile_scaled(g, i.i, c->s[0]), -c->lo[0]), tile_scaled(g, at->u, c->d[0]));
  V col = add(g, tile_plus(g, tile_scaled(g, at->j_lo, c->s[1]), -c->lo[1]), tile_scaled(g, at->v, c->d[1]));
  V x = add(g, tile_scaled(g, add(g, tile_scaled(g, n.i, c->h), line), c->w), col);
  x = add(g, tile_scaled(g, x, c->ch), c->deep ? p->col : add(g, tile_scaled(g, p->g, c->cg), first));
  if (c->deep) x = add(g, x, tile_scaled(g, first, at->apart));
  V y = add(g, tile_scaled(g, add(g, tile_scaled(g, n.i, c->oh), i.i), c->ow), at->j_lo);
  memcpy(next, i.carry, sizeof *next * (size_t)sums);
  next[sums] = gen_at(g, c->x, c->t, x);
  next[sums + 1] = gen_at(g, c->dy, c->t, add(g, tile_scaled(g, y, c->o), p->col));
  GenLoop j = gen_loop(g, at->j_lo, at->j_hi, 1, sums + 2, next);
  memcpy(next, j.carry, sizeof *next * (size_t)(sums + 2));
  for (int s = 0; s < side; s++) {
    for (int r = 0; r < rows; r++) pa[r] = tile_offset(g, next[sums], c->t, s * c->h * c->w * c->ch + r * at->apart);
    turn(c, p, rows, pa, tile_offset(g, next[sums + 1], c->t, s * c->oh * c->ow * c->o), next + s * each);
  }
  next[sums] = tile_offset(g, next[sums], c->t, c->s[1] * c->ch);
  next[sums + 1] = tile_offset(g, next[sums + 1], c->t, c->o);
  gen_loop_end(g, &j, next);
  gen_loop_end(g, &i, j.carry);
  gen_loop_end(g, &n, i.carry);
  memcpy(sum, n.carry, sizeof *sum * (size_t)sums);
}

static void dw_tile(Conv *c, V first, int rows, void *env) {
  Gen *g = c->g;
  const Weights *at = env;
  int sums = rows * at->p->vecs, side = tile_unroll(sums);
  int64_t even = c->n / side * side;
  V sum[TILE_SUMS];
  for (int k = 0; k < sums * side; k++) sum[k] = tile_zero(g, c->sum, c->lanes);
  if (even) dw_images(c, first, rows, at, 0, even, side, sum);
  if (even < c->n) dw_images(c, first, rows, at, even, c->n, 1, sum);
  for (int half = side / 2; half; half /= 2)
    for (int k = 0; k < sums * half; k++) sum[k] = LLVMBuildFAdd(g->b, sum[k], sum[k + sums * half], "");
  V row = add(g, tile_scaled(g, add(g, tile_scaled(g, at->u, c->kw), at->v), c->cg), first);
  store_tile(c, at->p, row, rows, sum);
}

static void dw_panel(Conv *c, const Panel *p, void *env) {
  Gen *g = c->g;
  Weights at = *(Weights *)env;
  at.p = p;
  V zero = gen_i64(g, 0);
  span(g, sub(g, gen_i64(g, c->lo[0]), tile_scaled(g, at.u, c->d[0])), c->s[0], c->oh, c->h, &at.i_lo, &at.i_hi);
  at.v = zero, at.j_lo = zero, at.j_hi = gen_i64(g, c->ow);
  // Columns of the kernel and channels are one axis where no column falls outside and x runs through both.
  at.apart = c->deep ? c->d[1] * c->ch : 1;
  bool merged = !c->padded && (c->deep || (c->d[1] == 1 && c->cg == c->ch));
  if (merged) {
    each_tile(c, c->kw * c->cg, at.rows, dw_tile, &at);
    return;
  }
  GenLoop v = gen_loop(g, zero, gen_i64(g, c->kw), 1, 0, NULL);
  at.v = v.i;
  span(g, sub(g, gen_i64(g, c->lo[1]), tile_scaled(g, v.i, c->d[1])), c->s[1], c->ow, c->w, &at.j_lo, &at.j_hi);
  each_tile(c, c->cg, at.rows, dw_tile, &at);
  gen_loop_end(g, &v, NULL);
}

static void emit_dw(Conv *c) {
  Gen *g = c->g;
  int vecs;
  Weights at = { 0 };
  int64_t m = c->padded || c->d[1] != 1 || c->cg != c->ch ? c->cg : c->kw * c->cg;
  if (c->deep && !c->padded) m = c->kw;
  tile_choose(g->target, c->t, m, c->og, c->n * c->oh * c->ow, true, TILE_ROWS, &at.rows, &vecs);
  if (c->deep) vecs = 1;
  GenLoop u = gen_loop(g, c->c->lo, c->c->hi, 1, 0, NULL), l;
  at.u = u.i;
  V group = group_loop(c, &l);
  each_panel(c, group, c->og, vecs, dw_panel, &at);
  group_end(c, &l);
  gen_loop_end(g, &u, NULL);
}

// ---- all -------------------------------------------------------------------------------------------------

void gen_conv(Gen *g, const GenConv *conv) {
  const IrOp *op = conv->op;
  bool dx = op->code == IR_CONV_DX, dw = op->code == IR_CONV_DW;
  const IrType *x = dx ? &op->out[0]->type : &op->in[0]->type, *z = dw ? &op->out[0]->type : &op->in[1]->type;
  const IrType *y = dx ? &op->in[0]->type : dw ? &op->in[1]->type : &op->out[0]->type;
  if (!ir_count(&op->out[0]->type)) return;
  Conv c = { .g = g, .c = conv, .t = x->dtype, .sum = x->dtype == IR_F64 ? IR_F64 : IR_F32, .lanes = tile_lanes(g->target, x->dtype),
             .regs = tile_registers(g->target), .n = x->dim[0], .h = x->dim[1], .w = x->dim[2], .ch = x->dim[3],
             .oh = y->dim[1], .ow = y->dim[2], .o = y->dim[3], .kh = z->dim[0], .kw = z->dim[1], .cg = z->dim[2] };
  c.groups = ir_int(op, A_GROUPS), c.og = c.o / c.groups;
  const int64_t *s = ir_ints(op, A_STRIDE, NULL), *d = ir_ints(op, A_DILATE, NULL), *lo = ir_ints(op, A_LO, NULL);
  for (int k = 0; k < 2; k++) c.s[k] = s[k], c.d[k] = d[k], c.lo[k] = lo[k];
  c.deep = c.groups > 1 && c.cg == 1 && c.og == 1;
  if (c.deep) c.og = c.o, c.groups = 1;
  c.padded = lo[1] > 0 || s[1] * (c.ow - 1) + d[1] * (c.kw - 1) - lo[1] >= c.w;
  if (dx) c.dy = conv->x, c.wt = conv->y;
  else if (dw) c.x = conv->x, c.dy = conv->y;
  else c.x = conv->x, c.wt = conv->y;
  if (dx || c.padded) c.zeros = zeros_of(g, c.t, c.deep ? c.lanes : c.cg > c.og ? c.cg : c.og);
  if (dx) emit_dx(&c);
  else if (dw) emit_dw(&c);
  else emit_conv(&c);
}
