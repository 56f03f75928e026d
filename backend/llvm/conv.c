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
//
// What code is made for is a ConvForm: the shape of tiles and what is left over of them. Sizes beyond that may be numbers that it
// is given, so that convolutions of many sizes are one kernel. The shape itself is read where the form is made, nowhere else.
#include "backend/llvm/tile.h"

#include <string.h>

typedef LLVMValueRef V;

typedef struct Conv {
  Gen *g;
  const GenConv *c;
  ConvForm f;
  IrDtype t, sum;              // of the arrays; of the sums
  int lanes;
  V n, h, w, ch;               // x [n, h, w, ch]
  V oh, ow, o;                 // y [n, oh, ow, o]
  V kh, kw, cg, og;            // weights [kh, kw, cg, o]; og: output channels of a group
  V s[2], lo[2];               // stride, padding before, of rows and columns
  V x_row, x_image, y_row, y_image, tap, taps;   // numbers in a row and an image of x and y, at a place and in a row of the kernel
  V apart, below;              // numbers in x from one column of y to the next, from one row to the next
  int64_t d[2], groups;        // dilation
  V x, wt, dy;                 // pointers; those that the op has
  V zeros;                     // what lies outside
} Conv;

static bool is(V x, int64_t k) { return LLVMIsAConstantInt(x) && LLVMConstIntGetSExtValue(x) == k; }
static int64_t known(V x) {
  ICE_IF(!LLVMIsAConstantInt(x), "a number of a convolution that its form leaves open");
  return LLVMConstIntGetSExtValue(x);
}

static V min_of(Gen *g, V a, V b) { return LLVMBuildSelect(g->b, LLVMBuildICmp(g->b, LLVMIntSLT, a, b, ""), a, b, ""); }
static V max_of(Gen *g, V a, V b) { return LLVMBuildSelect(g->b, LLVMBuildICmp(g->b, LLVMIntSGT, a, b, ""), a, b, ""); }
static V add(Gen *g, V a, V b) { return is(a, 0) ? b : is(b, 0) ? a : LLVMBuildNSWAdd(g->b, a, b, ""); }
static V sub(Gen *g, V a, V b) { return is(b, 0) ? a : LLVMBuildNSWSub(g->b, a, b, ""); }
static V times(Gen *g, V a, V b) { return is(a, 1) || is(b, 0) ? b : is(b, 1) || is(a, 0) ? a : LLVMBuildNSWMul(g->b, a, b, ""); }
static V over(Gen *g, V a, V by) { return is(by, 1) ? a : LLVMBuildUDiv(g->b, a, by, ""); }   // a >= 0

// All k in [0, limit) with 0 <= by k - f < size, as [*lo, *hi).
static void span(Gen *g, V f, V by, V limit, V size, V *lo, V *hi) {
  V zero = gen_i64(g, 0), less = tile_plus(g, by, -1);
  *lo = over(g, add(g, max_of(g, f, zero), less), by);
  *hi = min_of(g, over(g, max_of(g, add(g, f, add(g, size, less)), zero), by), limit);
}

// A block of zeros, long enough for one pixel's channels.
static V zeros_of(Gen *g, int64_t bytes) {
  char name[48];
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
// others `step` columns on; a block of zeros for those outside.
static void pixels(Conv *c, V line, V col, int rows, V step, V width, V apart, V *at) {
  Gen *g = c->g;
  V here = line, place = col;
  for (int r = 0; r < rows; r++) {
    if (r) here = LLVMIsConstant(apart) ? beyond(g, line, c->t, gen_i64(g, r * known(apart))) : beyond(g, here, c->t, apart);
    if (r) place = LLVMIsConstant(step) ? tile_plus(g, col, r * known(step)) : add(g, place, step);
    at[r] = LLVMBuildSelect(g->b, LLVMBuildICmp(g->b, LLVMIntULT, place, width, ""), here, c->zeros, "");
  }
}

// A loop over groups, or the number 0 where there is one.
static V group_loop(Conv *c, GenLoop *l) {
  if (c->groups == 1) return gen_i64(c->g, 0);
  *l = gen_turns(c->g, gen_i64(c->g, c->groups), 1, 0, NULL);
  return l->i;
}
static void group_end(Conv *c, GenLoop *l) {
  if (c->groups > 1) gen_loop_end(c->g, l, NULL);
}

// Output channels of a group in panels: panel(col, vecs, valid lanes of the last) for all.
typedef struct Panel { V g, col; int vecs, valid; } Panel;   // group; first channel, counted over all groups

static void each_panel(Conv *c, V group, void (*body)(Conv *c, const Panel *p, void *env), void *env) {
  Gen *g = c->g;
  const ConvForm *f = &c->f;
  V base = times(g, group, c->og), rest = tile_plus(g, c->og, -f->rest_channels);
  if (f->panels) {
    GenLoop l = gen_turns(g, rest, f->vecs * c->lanes, 0, NULL);
    body(c, &(Panel){ group, add(g, base, l.i), (int)f->vecs, c->lanes }, env);
    gen_loop_end(g, &l, NULL);
  }
  int vecs = (int)tile_ceil(f->rest_channels, c->lanes);
  if (vecs) body(c, &(Panel){ group, add(g, base, rest), vecs, (int)f->rest_channels - (vecs - 1) * c->lanes }, env);
}

// i in [0, n) in steps of a tile's rows, then the rest.
static void each_tile(Conv *c, V n, void (*body)(Conv *c, V i, int rows, void *env), void *env) {
  Gen *g = c->g;
  V rest = tile_plus(g, n, -c->f.rest_rows);
  GenLoop l = gen_turns(g, rest, c->f.rows, 0, NULL);
  body(c, l.i, (int)c->f.rows, env);
  gen_loop_end(g, &l, NULL);
  if (c->f.rest_rows) body(c, rest, (int)c->f.rest_rows, env);
}

// sum[r][v] += a[r] * b[v], for a at pa[r] (spread, or a vector if depthwise) and b at pb.
static void turn(Conv *c, const Panel *p, int rows, V *pa, V pb, V *sum) {
  Gen *g = c->g;
  V b[TILE_VECS];
  for (int v = 0; v < p->vecs; v++)
    b[v] = gen_load(g, c->t, tile_offset(g, pb, c->t, (int64_t)v * c->lanes), c->lanes, v == p->vecs - 1 ? p->valid : c->lanes);
  for (int r = 0; r < rows; r++) {
    V a = c->f.deep ? gen_load(g, c->t, pa[r], c->lanes, p->valid) : tile_spread(g, c->t, pa[r], c->lanes);
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
  V u_lo, u_hi;                // rows of the kernel inside the image
  V row;                       // of the result as a matrix, of pixel (n, i, 0)
  V from;                      // numbers in x before what it begins with
} Pixels;

// Over `count` numbers from px[r] (each pixel's own pointer, or `apart` from px[0]; 0: its own), weights `o` apart.
static void conv_channels(Conv *c, const Panel *p, int rows, V *px, int64_t apart, V pw, V count, V *sum) {
  Gen *g = c->g;
  int sums = rows * p->vecs;
  V pa[TILE_ROWS], next[TILE_SUMS + 2];
  if (is(count, 1)) {
    for (int r = 0; r < rows; r++) pa[r] = apart ? tile_offset(g, px[0], c->t, r * apart) : px[r];
    turn(c, p, rows, pa, pw, sum);
    return;
  }
  memcpy(next, sum, sizeof *next * (size_t)sums);
  next[sums] = pw, next[sums + 1] = px[0];
  GenLoop l = gen_turns(g, count, 1, sums + (apart ? 2 : 1), next);
  memcpy(next, l.carry, sizeof *next * (size_t)(sums + 1));
  V x0 = apart ? l.carry[sums + 1] : NULL;
  for (int r = 0; r < rows; r++) pa[r] = x0 ? tile_offset(g, x0, c->t, r * apart) : gen_at(g, px[r], c->t, l.i);
  turn(c, p, rows, pa, l.carry[sums], next);
  next[sums] = gen_at(g, l.carry[sums], c->t, c->o);
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
  V j0 = sub(g, times(g, j, c->s[1]), c->lo[1]), from = beyond(g, c->x, c->t, add(g, at->from, times(g, j0, c->ch)));
  GenLoop u = gen_loop(g, at->u_lo, at->u_hi, 1, sums, sum);
  memcpy(next, u.carry, sizeof *next * (size_t)sums);
  from = beyond(g, from, c->t, times(g, tile_scaled(g, u.i, c->d[0]), c->x_row));
  V pw = gen_at(g, gen_at(g, c->wt, c->t, p->col), c->t, times(g, u.i, c->taps));
  if (c->f.merged) {
    px[0] = from;
    conv_channels(c, p, rows, px, known(c->apart), pw, times(g, c->kw, c->cg), next);
  } else {
    GenLoop v = gen_turns(g, c->kw, 1, sums, next);
    memcpy(next, v.carry, sizeof *next * (size_t)sums);
    V by = tile_scaled(g, v.i, c->d[1]);
    px[0] = beyond(g, from, c->t, times(g, by, c->ch));
    if (c->f.padded) pixels(c, px[0], add(g, j0, by), rows, c->s[1], c->w, c->apart, px);
    conv_channels(c, p, rows, px, c->f.padded ? 0 : known(c->apart), gen_at(g, pw, c->t, times(g, v.i, c->tap)), c->cg, next);
    gen_loop_end(g, &v, next);
    memcpy(next, v.carry, sizeof *next * (size_t)sums);
  }
  gen_loop_end(g, &u, next);
  store_tile(c, p, add(g, at->row, j), rows, u.carry);
}

static void conv_panel(Conv *c, const Panel *p, void *env) {
  Gen *g = c->g;
  V n = *(V *)env;
  GenLoop i = gen_turns(g, c->oh, 1, 0, NULL);
  Pixels at = { .p = p };
  span(g, sub(g, c->lo[0], times(g, i.i, c->s[0])), gen_i64(g, c->d[0]), c->kh, c->h, &at.u_lo, &at.u_hi);
  at.row = times(g, add(g, times(g, n, c->oh), i.i), c->ow);
  at.from = add(g, times(g, n, c->x_image), sub(g, times(g, i.i, c->below), times(g, c->lo[0], c->x_row)));
  at.from = add(g, at.from, c->f.deep ? p->col : times(g, p->g, c->cg));
  each_tile(c, c->ow, conv_tile, &at);
  gen_loop_end(g, &i, NULL);
}

static void emit_conv(Conv *c) {
  Gen *g = c->g;
  GenLoop n = gen_loop(g, c->c->lo, c->c->hi, 1, 0, NULL), l;
  V group = group_loop(c, &l);
  each_panel(c, group, conv_panel, &n.i);
  group_end(c, &l);
  gen_loop_end(g, &n, NULL);
}

// ---- conv_dx ---------------------------------------------------------------------------------------------

// A pixel q of x meets the kernel's place k where (q + lo - d k) / s is a whole number: for a class of q modulo s,
// k = first, first + step, … The first of each class stands in a table; NOWHERE: none.
typedef struct Phase { int64_t step; V first; } Phase;
#define NOWHERE INT32_MAX

static int64_t gcd(int64_t a, int64_t b) { return b ? gcd(b, a % b) : a; }

static Phase phase_of(Conv *c, int axis, V class) {
  Gen *g = c->g;
  int64_t s = known(c->s[axis]), d = c->d[axis];
  Phase p = { s / gcd(s, d), gen_i64(g, 0) };
  if (s == 1) return p;
  int64_t lo = known(c->lo[axis]);
  V *entry = arena_array(g->arena, V, s);
  for (int64_t q = 0; q < s; q++) {
    int64_t k = 0;
    while (k < p.step && (((q + lo - d * k) % s) + s) % s) k++;
    entry[q] = gen_i64(g, k < p.step ? k : NOWHERE);
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
  V y;                         // the image of dy
  V h, w;                      // row of x; class of columns modulo the stride
  V row;                       // of the result as a matrix, of pixel (n, h, 0)
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
  V t = sub(g, add(g, a, c->lo[axis]), tile_scaled(g, k, c->d[axis]));
  return is(c->s[axis], 1) ? t : LLVMBuildExactSDiv(g->b, t, c->s[axis], "");
}

// sum[r][k] += dy[r, o] * w[k, o], lanes along o.
static void dx_outputs(Conv *c, const Grid *at, int rows, V *py, V pw, V *sum) {
  Gen *g = c->g;
  int sums = rows * at->cols, rest = (int)c->f.rest_channels;
  V b[TILE_VECS], count = tile_plus(g, c->og, -rest), row[TILE_VECS];
  for (int k = 0; k < at->cols; k++) row[k] = k ? gen_at(g, row[k - 1], c->t, c->o) : pw;
  for (int part = 0; part < 2; part++) {
    if (part ? !rest : !c->f.panels) continue;
    int lanes = c->lanes, valid = part ? rest : lanes;
    GenLoop l = { .i = count };
    if (!part) {
      l = gen_turns(g, count, lanes, sums, sum);
      memcpy(sum, l.carry, sizeof *sum * (size_t)sums);
    }
    for (int k = 0; k < at->cols; k++) b[k] = gen_load(g, c->t, gen_at(g, row[k], c->t, l.i), lanes, valid);
    for (int r = 0; r < rows; r++) {
      V a = gen_load(g, c->t, gen_at(g, py[r], c->t, l.i), lanes, valid);
      for (int k = 0; k < at->cols; k++) sum[r * at->cols + k] = gen_fma(g, a, b[k], sum[r * at->cols + k]);
    }
    if (part) continue;
    gen_loop_end(g, &l, sum);
    memcpy(sum, l.carry, sizeof *sum * (size_t)sums);
  }
}

typedef struct DxOut { Conv *c; const Grid *at; V row; } DxOut;

static void dx_put(Gen *g, void *env, int r, V line, int lanes, int valid) {
  const DxOut *o = env;
  o->c->c->store(g, o->c->c->env, add(g, o->row, times(g, gen_i64(g, r), o->c->s[1])), o->at->col, line, lanes, valid);
}

// Pixels w, w + s, … of one row: `rows` of them.
static void dx_tile(Conv *c, V q, int rows, void *env) {
  Gen *g = c->g;
  const Grid *at = env;
  int sums = rows * at->cols;
  V sum[TILE_SUMS], next[TILE_SUMS], py[TILE_ROWS], w = add(g, at->w, times(g, q, c->s[1]));
  for (int k = 0; k < sums; k++) sum[k] = tile_zero(g, c->sum, c->lanes);
  V pw = gen_at(g, c->wt, c->t, at->p ? at->p->col : add(g, times(g, at->in_group, c->o), times(g, at->g, c->og)));
  GenLoop u = gen_loop(g, at->u_first, at->u_hi, at->u_step, sums, sum);
  V from = gen_at(g, at->y, c->t, times(g, back(c, 0, at->h, u.i), c->y_row));
  pw = gen_at(g, pw, c->t, times(g, u.i, c->taps));
  GenLoop v = gen_loop(g, at->v.first, c->kw, at->v.step, sums, u.carry);
  memcpy(next, v.carry, sizeof *next * (size_t)sums);
  V j = back(c, 1, w, v.i);
  pixels(c, beyond(g, from, c->t, times(g, j, c->o)), j, rows, gen_i64(g, 1), c->ow, c->o, py);
  pw = gen_at(g, pw, c->t, times(g, v.i, c->tap));
  if (at->p) turn(c, at->p, rows, py, pw, next);
  else dx_outputs(c, at, rows, py, pw, next);
  gen_loop_end(g, &v, next);
  gen_loop_end(g, &u, v.carry);
  V row = add(g, at->row, w);
  if (at->p) {
    for (int r = 0; r < rows; r++)
      c->c->store(g, c->c->env, add(g, row, times(g, gen_i64(g, r), c->s[1])), at->p->col, u.carry[r], c->lanes, at->p->valid);
    return;
  }
  DxOut out = { c, at, row };
  tile_sum_rows(g, u.carry, rows, at->cols, c->lanes, c->sum, dx_put, &out);
}

// Classes of columns that differ in length, by one: tiles, then one pixel at a time.
static void dx_columns(Conv *c, Grid *at) {
  Gen *g = c->g;
  int rows = (int)c->f.rows;
  V count = over(g, sub(g, add(g, c->w, tile_plus(g, c->s[1], -1)), at->w), c->s[1]);
  V whole = tile_scaled(g, over(g, count, gen_i64(g, rows)), rows);
  GenLoop q = gen_loop(g, gen_i64(g, 0), whole, rows, 0, NULL);
  dx_tile(c, q.i, rows, at);
  gen_loop_end(g, &q, NULL);
  if (rows == 1) return;
  q = gen_loop(g, whole, count, 1, 0, NULL);
  dx_tile(c, q.i, 1, at);
  gen_loop_end(g, &q, NULL);
}

// All pixels of image n for one set of channels.
static void dx_pixels(Conv *c, Grid *at) {
  Gen *g = c->g;
  V image = add(g, times(g, at->n, c->y_image), at->p ? at->p->col : times(g, at->g, c->og));
  at->y = gen_at(g, c->dy, c->t, image);
  GenLoop h = gen_turns(g, c->h, 1, 0, NULL), w = { 0 };
  at->h = h.i, at->row = times(g, add(g, times(g, at->n, c->h), h.i), c->w);
  Phase u = phase_of(c, 0, is(c->s[0], 1) ? h.i : LLVMBuildURem(g->b, h.i, c->s[0], ""));
  // 0 <= h + lo - d u < s oh.
  V t = add(g, h.i, c->lo[0]), zero = gen_i64(g, 0), d = gen_i64(g, c->d[0]);
  V least = over(g, tile_plus(g, max_of(g, sub(g, tile_plus(g, t, 1), times(g, c->s[0], c->oh)), zero), c->d[0] - 1), d);
  V skip = over(g, tile_plus(g, max_of(g, sub(g, least, u.first), zero), u.step - 1), gen_i64(g, u.step));
  at->u_first = add(g, u.first, tile_scaled(g, skip, u.step)), at->u_step = u.step;
  at->u_hi = min_of(g, over(g, max_of(g, tile_plus(g, t, c->d[0]), zero), d), c->kh);
  at->w = zero;
  if (is(c->s[1], 1)) {
    at->v = phase_of(c, 1, zero);
    each_tile(c, c->w, dx_tile, at);
  } else {
    w = gen_turns(g, c->f.narrow ? c->w : c->s[1], 1, 0, NULL);
    at->w = w.i, at->v = phase_of(c, 1, w.i);
    if (c->f.even) each_tile(c, over(g, c->w, c->s[1]), dx_tile, at);
    else dx_columns(c, at);
    gen_loop_end(g, &w, NULL);
  }
  gen_loop_end(g, &h, NULL);
}

static void dx_panel(Conv *c, const Panel *p, void *env) {
  Grid at = { .n = *(V *)env, .g = p->g, .p = p, .cols = 1 };
  dx_pixels(c, &at);
}

static void emit_dx(Conv *c) {
  Gen *g = c->g;
  const ConvForm *f = &c->f;
  GenLoop n = gen_loop(g, c->c->lo, c->c->hi, 1, 0, NULL), l;
  V group = group_loop(c, &l);
  if (f->deep) each_panel(c, group, dx_panel, &n.i);
  else {
    Grid at = { .n = n.i, .g = group };
    V base = times(g, group, c->cg), rest = tile_plus(g, c->cg, -f->rest_cols);
    GenLoop m = gen_turns(g, rest, f->cols, 0, NULL);
    at.in_group = m.i, at.col = add(g, base, m.i), at.cols = (int)f->cols;
    dx_pixels(c, &at);
    gen_loop_end(g, &m, NULL);
    if (f->rest_cols) {
      at.in_group = rest, at.col = add(g, base, rest), at.cols = (int)f->rest_cols;
      dx_pixels(c, &at);
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
  int64_t apart;               // numbers between rows of the tile in x
} Weights;

// Adds images [lo, hi) of the batch, `side` at a time into sums of their own: few sums would wait for each other.
static void dw_images(Conv *c, V first, int rows, const Weights *at, V lo, V hi, int side, V *sum) {
  Gen *g = c->g;
  const Panel *p = at->p;
  int each = rows * p->vecs, sums = each * side;
  V next[TILE_SUMS + 2], pa[TILE_ROWS];
  V row = sub(g, tile_scaled(g, at->u, c->d[0]), c->lo[0]);
  V col = add(g, sub(g, times(g, at->j_lo, c->s[1]), c->lo[1]), tile_scaled(g, at->v, c->d[1]));
  V x = add(g, times(g, row, c->x_row), times(g, col, c->ch));
  x = add(g, x, c->f.deep ? add(g, p->col, tile_scaled(g, first, at->apart)) : add(g, times(g, p->g, c->cg), first));
  x = beyond(g, c->x, c->t, x);
  V y = gen_at(g, c->dy, c->t, add(g, times(g, at->j_lo, c->o), p->col));
  GenLoop n = gen_loop(g, lo, hi, side, sums, sum);
  x = beyond(g, x, c->t, times(g, n.i, c->x_image)), y = gen_at(g, y, c->t, times(g, n.i, c->y_image));
  GenLoop i = gen_loop(g, at->i_lo, at->i_hi, 1, sums, n.carry);
  memcpy(next, i.carry, sizeof *next * (size_t)sums);
  next[sums] = beyond(g, x, c->t, times(g, i.i, c->below));
  next[sums + 1] = gen_at(g, y, c->t, times(g, i.i, c->y_row));
  GenLoop j = gen_loop(g, at->j_lo, at->j_hi, 1, sums + 2, next);
  memcpy(next, j.carry, sizeof *next * (size_t)(sums + 2));
  V px = next[sums], py = next[sums + 1];
  for (int s = 0; s < side; s++) {
    if (s) px = gen_at(g, px, c->t, c->x_image), py = gen_at(g, py, c->t, c->y_image);
    for (int r = 0; r < rows; r++) pa[r] = tile_offset(g, px, c->t, r * at->apart);
    turn(c, p, rows, pa, py, next + s * each);
  }
  next[sums] = gen_at(g, next[sums], c->t, c->apart);
  next[sums + 1] = gen_at(g, next[sums + 1], c->t, c->o);
  gen_loop_end(g, &j, next);
  gen_loop_end(g, &i, j.carry);
  gen_loop_end(g, &n, i.carry);
  memcpy(sum, n.carry, sizeof *sum * (size_t)sums);
}

static void dw_tile(Conv *c, V first, int rows, void *env) {
  Gen *g = c->g;
  const Weights *at = env;
  int sums = rows * at->p->vecs, side = tile_unroll(sums);
  int64_t rest = c->f.fours ? 0 : known(c->n) % side;
  V sum[TILE_SUMS], zero = gen_i64(g, 0), even = tile_plus(g, c->n, -rest);
  for (int k = 0; k < sums * side; k++) sum[k] = tile_zero(g, c->sum, c->lanes);
  if (!is(even, 0)) dw_images(c, first, rows, at, zero, even, side, sum);
  if (rest) dw_images(c, first, rows, at, even, c->n, 1, sum);
  for (int half = side / 2; half; half /= 2)
    for (int k = 0; k < sums * half; k++) sum[k] = LLVMBuildFAdd(g->b, sum[k], sum[k + sums * half], "");
  V row = add(g, times(g, add(g, times(g, at->u, c->kw), at->v), c->cg), first);
  store_tile(c, at->p, row, rows, sum);
}

static void dw_panel(Conv *c, const Panel *p, void *env) {
  Gen *g = c->g;
  V zero = gen_i64(g, 0);
  Weights at = { .p = p, .u = *(V *)env, .v = zero, .j_lo = zero, .j_hi = c->ow };
  span(g, sub(g, c->lo[0], tile_scaled(g, at.u, c->d[0])), c->s[0], c->oh, c->h, &at.i_lo, &at.i_hi);
  at.apart = c->f.deep ? c->d[1] * known(c->ch) : 1;
  if (c->f.merged) {
    each_tile(c, times(g, c->kw, c->cg), dw_tile, &at);
    return;
  }
  GenLoop v = gen_turns(g, c->kw, 1, 0, NULL);
  at.v = v.i;
  span(g, sub(g, c->lo[1], tile_scaled(g, v.i, c->d[1])), c->s[1], c->ow, c->w, &at.j_lo, &at.j_hi);
  each_tile(c, c->cg, dw_tile, &at);
  gen_loop_end(g, &v, NULL);
}

static void emit_dw(Conv *c) {
  Gen *g = c->g;
  GenLoop u = gen_loop(g, c->c->lo, c->c->hi, 1, 0, NULL), l;
  V group = group_loop(c, &l);
  each_panel(c, group, dw_panel, &u.i);
  group_end(c, &l);
  gen_loop_end(g, &u, NULL);
}

// ---- the form ----------------------------------------------------------------------------------------------

static const IrType *image_of(const IrOp *op) { return op->code == IR_CONV_DX ? &op->out[0]->type : &op->in[0]->type; }

// Rows of a tile, and what is left over of `m`.
static void tile_rows(ConvForm *f, int64_t m, int rows) { f->rows = rows, f->rest_rows = m % rows; }

// Channels in panels of `vecs` vectors; the last, partial one for itself.
static void panels(ConvForm *f, int64_t channels, int lanes, int vecs) {
  int64_t all = tile_ceil(channels, lanes), whole = all / vecs * vecs;
  if (whole == all && channels % lanes) whole -= vecs;
  f->vecs = vecs, f->panels = whole > 0, f->rest_channels = channels - whole * lanes;
}

static int64_t bit(int k) { return (int64_t)1 << k; }

// Which numbers the code may be given instead of having them in it. Not those of groups, which few programs have, nor what
// divides inside of loops over pixels, makes tables or counts no turns; nor, where pixels of a tile lie at multiples of it, a distance
// that instructions can hold; nor the image's, where a tile is so soon done that arithmetic with them shows.
static int64_t open_numbers(const IrOp *op, const ConvForm *f, const int64_t *x, int lanes) {
  bool dx = op->code == IR_CONV_DX, dw = op->code == IR_CONV_DW;
  int64_t open = bit(CONV_H) | bit(CONV_W) | bit(CONV_CH) | bit(CONV_OH) | bit(CONV_OW) | bit(CONV_O) | bit(CONV_KH) | bit(CONV_KW) |
                 bit(CONV_S0) | bit(CONV_S1) | bit(CONV_LO0) | bit(CONV_LO1);
  int64_t image = bit(CONV_H) | bit(CONV_W) | bit(CONV_OH) | bit(CONV_OW);
  if (x[CONV_GROUPS] > 1 || f->deep) return 0;
  for (int k = CONV_H; k <= CONV_KW; k++)
    if (!x[k] && !(dw && k == CONV_KH)) return 0;
  if (dw) {
    open &= ~bit(CONV_KH);
    if (f->fours) open |= bit(CONV_N);
    if (x[CONV_CH] == 1) open &= ~bit(CONV_CH);
  } else if (dx) {
    open &= ~(bit(CONV_S0) | bit(CONV_S1) | image);
    if (x[CONV_S0] > 1) open &= ~bit(CONV_LO0);
    if (x[CONV_S1] > 1) open &= ~bit(CONV_LO1);
    if (x[CONV_O] - f->rest_channels == lanes) open &= ~bit(CONV_O);
  } else {
    if (!f->padded || x[CONV_CH] == 1) open &= ~(bit(CONV_CH) | bit(CONV_S1));
    if (x[CONV_CH] == 1) open &= ~(bit(CONV_S0) | image);
  }
  return open;
}

bool gen_conv_form(const Target *target, const IrOp *op, bool open, ConvForm *f, int64_t *x) {
  bool dx = op->code == IR_CONV_DX, dw = op->code == IR_CONV_DW;
  const IrType *image = image_of(op), *z = dw ? &op->out[0]->type : &op->in[1]->type;
  const IrType *y = dx ? &op->in[0]->type : dw ? &op->in[1]->type : &op->out[0]->type;
  const int64_t *s = ir_ints(op, A_STRIDE, NULL), *d = ir_ints(op, A_DILATE, NULL), *lo = ir_ints(op, A_LO, NULL);
  int lanes = tile_lanes(target, image->dtype), rows, vecs = 1;
  memset(f, 0, sizeof *f);
  if (!ir_count(&op->out[0]->type)) return false;
  for (int k = 0; k < 4; k++) x[CONV_N + k] = image->dim[k];
  for (int k = 0; k < 3; k++) x[CONV_OH + k] = y->dim[1 + k];
  for (int k = 0; k < 2; k++) x[CONV_KH + k] = z->dim[k], x[CONV_S0 + k] = s[k], x[CONV_D0 + k] = d[k], x[CONV_LO0 + k] = lo[k];
  int64_t groups = ir_int(op, A_GROUPS), cg = z->dim[2], og = x[CONV_O] / groups, w = x[CONV_W];
  f->deep = groups > 1 && cg == 1 && og == 1;
  if (f->deep) og = x[CONV_O], groups = 1;
  x[CONV_GROUPS] = groups, x[CONV_CG] = groups > 1 || f->deep ? cg : 0;     // else CH
  x[dw ? CONV_KH : CONV_N] = 0;                                             // whoever calls it cuts this axis
  f->code = op->code, f->dtype = image->dtype;
  f->padded = lo[1] > 0 || s[1] * (x[CONV_OW] - 1) + d[1] * (x[CONV_KW] - 1) - lo[1] >= w;
  f->merged = !f->padded && ((f->deep && dw) || (d[1] == 1 && cg == x[CONV_CH]));
  if (dx || f->padded) {
    // Long enough for most: its size is part of what code is made for.
    int64_t channels = f->deep ? lanes : cg > og ? cg : og;
    for (f->zeros = 1024; f->zeros < channels * ir_dtype_bytes(image->dtype);) f->zeros *= 2;
  }
  if (dx) {
    int cols = lanes < 4 ? lanes : 4, regs = tile_registers(target);
    int64_t wide = tile_ceil(w, s[1]);
    rows = regs == 32 || f->deep ? 4 : 2;
    if (cols > cg) cols = (int)cg;
    while (rows * 2 * tile_power(cols) <= (regs == 32 ? 16 : 8) && rows < 8) rows *= 2;
    if (rows > wide) rows = (int)wide;
    f->cols = cols, f->rest_cols = cg % cols;
    f->even = w % s[1] == 0, f->narrow = w < s[1];
    tile_rows(f, f->even ? w / s[1] : 0, rows);
  } else {
    int64_t m = !dw ? x[CONV_OW] : f->merged ? x[CONV_KW] * cg : cg;
    tile_choose(target, image->dtype, m, og, dw ? x[CONV_N] * x[CONV_OH] * x[CONV_OW] : x[CONV_KH] * x[CONV_KW] * cg, true,
                !dw && f->padded ? 8 : TILE_ROWS, &rows, &vecs);
    if (f->deep) vecs = 1;
    f->fours = dw && image->dim[0] % 4 == 0;
    tile_rows(f, m, rows);
  }
  panels(f, og, lanes, vecs);
  f->open = open ? open_numbers(op, f, x, lanes) : 0;
  for (int k = 0; k < CONV_NUMBERS; k++)
    if (!(f->open & bit(k))) f->is[k] = x[k];
  return true;
}

// ---- all -------------------------------------------------------------------------------------------------

void gen_conv(Gen *g, const GenConv *conv) {
  Conv c = { .g = g, .c = conv };
  int64_t x[CONV_NUMBERS];
  V at[CONV_NUMBERS];
  if (!gen_conv_form(g->target, conv->op, conv->number != NULL, &c.f, x)) return;
  for (int k = 0, given = 0; k < CONV_NUMBERS; k++) at[k] = c.f.open & bit(k) ? conv->number[given++] : gen_i64(g, c.f.is[k]);
  bool dx = c.f.code == IR_CONV_DX, dw = c.f.code == IR_CONV_DW;
  c.t = (IrDtype)c.f.dtype, c.sum = c.t == IR_F64 ? IR_F64 : IR_F32, c.lanes = tile_lanes(g->target, c.t);
  c.n = at[CONV_N], c.h = at[CONV_H], c.w = at[CONV_W], c.ch = at[CONV_CH], c.oh = at[CONV_OH], c.ow = at[CONV_OW], c.o = at[CONV_O];
  c.kh = at[CONV_KH], c.kw = at[CONV_KW], c.groups = c.f.is[CONV_GROUPS];
  c.cg = c.groups > 1 || c.f.deep ? at[CONV_CG] : c.ch, c.og = c.groups > 1 ? gen_i64(g, c.f.is[CONV_O] / c.groups) : c.o;
  for (int k = 0; k < 2; k++) c.s[k] = at[CONV_S0 + k], c.lo[k] = at[CONV_LO0 + k], c.d[k] = c.f.is[CONV_D0 + k];
  c.x_row = times(g, c.w, c.ch), c.x_image = times(g, c.h, c.x_row), c.y_row = times(g, c.ow, c.o), c.y_image = times(g, c.oh, c.y_row);
  c.tap = times(g, c.cg, c.o), c.taps = times(g, c.kw, c.tap), c.apart = times(g, c.s[1], c.ch), c.below = times(g, c.s[0], c.x_row);
  if (dx) c.dy = conv->x, c.wt = conv->y;
  else if (dw) c.x = conv->x, c.dy = conv->y;
  else c.x = conv->x, c.wt = conv->y;
  if (c.f.zeros) c.zeros = zeros_of(g, c.f.zeros);
  if (dx) emit_dx(&c);
  else if (dw) emit_dw(&c);
  else emit_conv(&c);
}
