// Matrix products: loops around register tiles.
//
//   COLUMNS  vectors along the columns of the result: acc[r][v] += a[r, k] * b[k, v]. A is read one number
//            at a time and spread, B in vectors; where B's columns are not contiguous, a panel of
//            it is packed first. The case that all large products take.
//   BLOCKED  the same for A transposed, whose numbers lie far apart: a block of it and of B's panel are copied into order,
//            and sums of a block of k go on where those of the block before ended.
//   INNER    vectors along k, summed across at the end: few columns (a value head, two actions), or one or
//            few rows against a transposed matrix, where packing would cost more than the product.
//   ROWS     vectors along the rows: A transposed (a weight's gradient) and few columns.
//
// Sums begin at zero and run in one order of k for a shape, its strips and a target: bits do not depend on threads.
#include "backend/llvm/tile.h"

#include <string.h>

typedef LLVMValueRef V;

#define STACK_TURN 16384      // most bytes of a narrow B that are turned over on the stack
#define STACK_PANEL 131072    // most bytes of a panel that is copied there
#define FAR_BYTES 524288      // of a B whose rows, read panel by panel, fall out of the second-level cache

// Of BLOCKED: rows and turns of k in a block (of A it is in the second-level cache, of a panel of B in the first); most
// bytes of a block's sums on the stack.
#define BLOCK_ROWS 64
#define BLOCK_TURNS 128
#define BLOCK_SUMS 131072
#define BLOCK_LEAST 131072    // bytes of A: less is in the second-level cache, beside B
#define LINE 64               // bytes that come at once

enum { COLUMNS, BLOCKED, INNER, ROWS };

typedef struct Form {
  int lanes, regs;
  int rows, vecs;            // of a tile of COLUMNS
  bool narrow;               // so few columns that INNER or ROWS may serve; then all row tiles divide `whole`
  int whole;                 // what pieces of rows are multiples of
  double cost;               // of COLUMNS, in cycles, roughly
} Form;

// ---- choosing ------------------------------------------------------------------------------------------

static Form form_of(const Target *t, IrDtype dtype, int64_t m, int64_t n, int64_t k, bool ta) {
  Form f = { .lanes = tile_lanes(t, dtype), .regs = tile_registers(t) };
  f.narrow = n * 2 <= f.lanes;
  f.cost = tile_choose(t, dtype, m, n, k, false, TILE_ROWS, &f.rows, &f.vecs);
  f.whole = !f.narrow ? f.rows : ta ? f.lanes * 8 : TILE_ROWS;
  return f;
}

// Sums of a tile of INNER: rows x cols, at most half of the registers.
static int inner_rows(const Form *f, int64_t m, int cols) {
  int r = 8;
  while (r > 1 && (r * tile_power(cols) > (f->regs == 32 ? 16 : 8) || r / 2 >= m)) r /= 2;
  while (r > f->rows && !f->narrow && m > f->rows) r /= 2;
  return r;
}
static int inner_cols(const Form *f, int64_t n) { return n * 2 <= f->lanes ? (int)n : f->lanes < 4 ? f->lanes : 4; }

static double inner_cost(const Form *f, int64_t m, int64_t n, int64_t k, bool turn_over) {
  int c = inner_cols(f, n), r = inner_rows(f, m, c);
  double tile = (double)tile_ceil(k, f->lanes) * (r * c > r + c ? r * c : r + c) / 2 + 2.0 * r * c + 12;
  return (double)tile_ceil(m, r) * (double)tile_ceil(n, c) * tile + (turn_over ? 1.2 * (double)(k * n) : 0);
}

static int choose(const Form *f, const GenDot *d) {
  if (d->packed || d->n_lo) return COLUMNS;
  int64_t size = d->dtype == IR_F64 ? 8 : 4;
  double packed = f->cost + (d->b_n == 1 ? 0 : 0.7 * (double)(d->k * tile_ceil(d->n, f->lanes) * f->lanes));
  if (d->a_k == 1) {
    bool turn_over = d->b_k != 1;
    if (turn_over && (!f->narrow || d->k * d->n * size > STACK_TURN)) return COLUMNS;
    return inner_cost(f, d->m, d->n, d->k, turn_over) < packed ? INNER : COLUMNS;
  }
  if (f->narrow) return d->a_m == 1 && d->m * 2 > f->lanes ? ROWS : COLUMNS;
  bool large = d->m >= 2 * f->rows && d->m * d->k * size >= BLOCK_LEAST && d->n * f->rows * size <= BLOCK_SUMS / 2;
  return d->a_m == 1 && d->b_n == 1 && large ? BLOCKED : COLUMNS;
}

int gen_dot_row_tile(const Target *t, IrDtype dtype, int64_t m, int64_t n, int64_t k, bool ta) {
  return form_of(t, dtype, m, n, k, ta).whole;
}

int gen_dot_column_tile(const Target *t, IrDtype dtype, int64_t m, int64_t n, int64_t k) {
  Form f = form_of(t, dtype, m, n, k, false);
  return f.vecs * f.lanes;
}

int64_t gen_dot_scratch(const Target *t, IrDtype dtype, int64_t m, int64_t n, int64_t k, bool tb) {
  if (!tb || n == 1) return 0;
  Form f = form_of(t, dtype, m, n, k, false);
  return k * f.vecs * f.lanes * (dtype == IR_F64 ? 8 : 4);
}

// ---- small things ----------------------------------------------------------------------------------------

static V lesser(Gen *g, V x, V y) { return LLVMBuildSelect(g->b, LLVMBuildICmp(g->b, LLVMIntSLT, x, y, ""), x, y, ""); }

typedef struct Dot {
  Gen *g;
  const GenDot *d;
  Form f;
  IrDtype sum;               // dtype of the sums
  V pack;                    // room for a panel of B, of dtype `sum`; NULL: B is read in place
} Dot;

// Calls tile for all rows in [m_lo, m_hi): `rows` at a time, then what m leaves over, or each strip.
static void each_rows(Dot *p, int rows, void (*tile)(Dot *p, V row, int rows, void *env), void *env) {
  Gen *g = p->g;
  const GenDot *d = p->d;
  int64_t part = d->strip ? d->strip : d->m;
  int rest = (int)(part % rows);
  if (part >= rows) {
    V hi = rest ? tile_plus(g, d->m_hi, 1 - rows) : d->m_hi;
    GenLoop l = gen_loop(g, d->m_lo, hi, rows, 0, NULL);
    tile(p, l.i, rows, env);
    gen_loop_end(g, &l, NULL);
  }
  if (!rest) return;
  GenLoop l = gen_loop(g, d->strip ? tile_plus(g, d->m_hi, -rest) : gen_i64(g, d->m - rest), d->m_hi, rest, 0, NULL);
  tile(p, l.i, rest, env);
  gen_loop_end(g, &l, NULL);
}

// ---- COLUMNS -----------------------------------------------------------------------------------------------

typedef struct Panel {
  V col, b;                  // first column; where B (or its packed panel) begins
  IrDtype t;                 // dtype of b's elements
  int64_t b_k;               // from row to row of it
  int vecs, valid;           // vectors; real lanes of the last of them
  int there;                 // lanes of the last that can be loaded: all of a packed panel's
} Panel;

// One turn of k: acc[r][v] += a[r] * b[v].
static void columns_turn(Dot *p, const Panel *n, int rows, V a, V b, V *acc) {
  Gen *g = p->g;
  const GenDot *d = p->d;
  V bv[TILE_VECS];
  int lanes = p->f.lanes;
  for (int v = 0; v < n->vecs; v++)
    bv[v] = gen_load(g, n->t, tile_offset(g, b, n->t, (int64_t)v * lanes), lanes, v == n->vecs - 1 ? n->there : lanes);
  for (int r = 0; r < rows; r++) {
    V av = tile_spread(g, d->dtype, tile_offset(g, a, d->dtype, r * d->a_m), lanes);
    for (int v = 0; v < n->vecs; v++) acc[r * n->vecs + v] = gen_fma(g, av, bv[v], acc[r * n->vecs + v]);
  }
}

static void columns_tile(Dot *p, V row, int rows, void *env) {
  Gen *g = p->g;
  const GenDot *d = p->d;
  const Panel *n = env;
  int sums = rows * n->vecs, side = tile_unroll(sums);
  int64_t turns = d->k / side;
  V acc[TILE_SUMS + 2], *from = acc + sums * side;
  for (int i = 0; i < sums * side; i++) acc[i] = tile_zero(g, p->sum, p->f.lanes);
  V a = gen_at(g, d->a, d->dtype, tile_scaled(g, row, d->a_m)), b = n->b;
  if (turns) {
    from[0] = a, from[1] = b;
    GenLoop l = gen_loop(g, gen_i64(g, 0), gen_i64(g, turns), 1, sums * side + 2, acc);
    V next[TILE_SUMS + 2], *at = l.carry + sums * side;
    memcpy(next, l.carry, sizeof *next * (size_t)(sums * side + 2));
    for (int s = 0; s < side; s++)
      columns_turn(p, n, rows, tile_offset(g, at[0], d->dtype, s * d->a_k), tile_offset(g, at[1], n->t, s * n->b_k), next + s * sums);
    next[sums * side] = tile_offset(g, at[0], d->dtype, side * d->a_k);
    next[sums * side + 1] = tile_offset(g, at[1], n->t, side * n->b_k);
    gen_loop_end(g, &l, next);
    memcpy(acc, l.carry, sizeof *acc * (size_t)(sums * side));
    a = l.carry[sums * side], b = l.carry[sums * side + 1];
  }
  for (int s = 0; s < d->k - turns * side; s++)
    columns_turn(p, n, rows, tile_offset(g, a, d->dtype, s * d->a_k), tile_offset(g, b, n->t, s * n->b_k), acc + s * sums);
  for (int half = side / 2; half; half /= 2)
    for (int i = 0; i < sums * half; i++) acc[i] = LLVMBuildFAdd(g->b, acc[i], acc[i + sums * half], "");
  V at_row[TILE_ROWS];
  for (int r = 0; r < rows; r++) at_row[r] = tile_plus(g, row, r);
  int lanes = p->f.lanes, both[64];
  for (int k = 0; k < 2 * lanes; k++) both[k] = k;
  for (int v = 0; v < n->vecs;) {
    V col = tile_plus(g, n->col, (int64_t)v * lanes);
    bool pair = d->pairs && v + 1 < n->vecs && (v + 1 < n->vecs - 1 || n->valid == lanes);
    for (int r = 0; r < rows; r++) {
      V x = acc[r * n->vecs + v];
      if (pair) x = tile_shuffle(g, x, acc[r * n->vecs + v + 1], 2 * lanes, both);
      d->store(g, d->env, at_row[r], col, x, pair ? 2 * lanes : lanes, v == n->vecs - 1 ? n->valid : pair ? 2 * lanes : lanes);
    }
    v += pair ? 2 : 1;
  }
}

// lanes x lanes numbers turned over: log2(lanes) rounds of interleaving the halves of the list.
static void turn_block(Gen *g, V *x, int lanes) {
  V y[64];
  int lo[64], hi[64];
  for (int i = 0; i < lanes; i++) {
    lo[i] = i / 2 + (i % 2) * lanes;
    hi[i] = lo[i] + lanes / 2;
  }
  for (int round = 1; round < lanes; round *= 2) {
    for (int i = 0; i < lanes / 2; i++) {
      y[2 * i] = tile_shuffle(g, x[i], x[i + lanes / 2], lanes, lo);
      y[2 * i + 1] = tile_shuffle(g, x[i], x[i + lanes / 2], lanes, hi);
    }
    memcpy(x, y, sizeof *x * (size_t)lanes);
  }
}

// void name(from, step, last, to, width): lanes rows of `lanes` numbers, `step` apart, turned over into lanes rows, `width`
// apart; rows behind row `last` repeat it. A function of its own: it is much code, and the same for all products.
static V turning(Dot *p, LLVMTypeRef *type) {
  Gen *g = p->g;
  IrDtype t = p->d->dtype;
  int lanes = p->f.lanes;
  char name[64];
  V x[64], outer = g->fn;
  LLVMTypeRef i64 = LLVMInt64TypeInContext(g->ctx), ptr = LLVMPointerTypeInContext(g->ctx, 0);
  snprintf(name, sizeof name, "rlc.turn.%s.%d", ir_dtype_name(t), lanes);
  *type = LLVMFunctionType(LLVMVoidTypeInContext(g->ctx), (LLVMTypeRef[]){ ptr, i64, i64, ptr, i64 }, 5, false);
  V fn = LLVMGetNamedFunction(g->mod, name);
  if (fn) return fn;
  fn = gen_function(g, name, *type);
  if (!g->elsewhere) LLVMSetLinkage(fn, LLVMInternalLinkage);
  else if (g->elsewhere(g, name)) return fn;
  LLVMBasicBlockRef back = LLVMGetInsertBlock(g->b);
  g->fn = fn;
  LLVMPositionBuilderAtEnd(g->b, LLVMAppendBasicBlockInContext(g->ctx, fn, ""));
  V from = LLVMGetParam(fn, 0), step = LLVMGetParam(fn, 1), last = LLVMGetParam(fn, 2), to = LLVMGetParam(fn, 3), width = LLVMGetParam(fn, 4);
  for (int i = 0; i < lanes; i++) {
    V row = i ? lesser(g, gen_i64(g, i), last) : gen_i64(g, 0);
    x[i] = gen_load(g, t, gen_at(g, from, t, i ? LLVMBuildNSWMul(g->b, row, step, "") : row), lanes, lanes);
  }
  turn_block(g, x, lanes);
  for (int i = 0; i < lanes; i++) {
    if (i) to = gen_at(g, to, p->sum, width);
    gen_store(g, p->sum, x[i], to, lanes, lanes);
  }
  LLVMBuildRetVoid(g->b);
  g->fn = outer;
  LLVMPositionBuilderAtEnd(g->b, back);
  return fn;
}

// Panel of vecs vectors of columns from `col`: [k][vecs * lanes]. The last block of k overlaps the one before. Columns
// beyond the last repeat it: the panel's lanes there are never stored.
static void pack_panel(Dot *p, V col, int vecs) {
  Gen *g = p->g;
  const GenDot *d = p->d;
  int lanes = p->f.lanes, width = vecs * lanes;
  bool few = d->k < lanes;       // number by number
  if (!d->k) return;
  V last = LLVMBuildNSWSub(g->b, gen_i64(g, d->n - 1), col, "");
  GenLoop v = gen_loop(g, gen_i64(g, 0), gen_i64(g, width), few ? 1 : lanes, 0, NULL);
  V to = gen_at(g, p->pack, p->sum, v.i), first = few ? lesser(g, v.i, last) : v.i;
  V from = gen_at(g, d->b, d->dtype, tile_scaled(g, LLVMBuildNSWAdd(g->b, col, first, ""), d->b_n));
  GenLoop l = gen_loop(g, gen_i64(g, 0), gen_i64(g, d->k), few ? 1 : lanes, 0, NULL);
  if (few) {
    V x = gen_load(g, d->dtype, gen_at(g, from, d->dtype, l.i), 1, 1);
    gen_store(g, p->sum, x, gen_at(g, to, p->sum, tile_scaled(g, l.i, width)), 1, 1);
  } else {
    LLVMTypeRef type;
    V turn = turning(p, &type), at = d->k % lanes ? lesser(g, l.i, gen_i64(g, d->k - lanes)) : l.i;
    V arg[5] = { gen_at(g, from, d->dtype, at), gen_i64(g, d->b_n), LLVMBuildNSWSub(g->b, last, v.i, ""),
                 gen_at(g, to, p->sum, tile_scaled(g, at, width)), gen_i64(g, width) };
    LLVMBuildCall2(g->b, type, turn, arg, 5, "");
  }
  gen_loop_end(g, &l, NULL);
  gen_loop_end(g, &v, NULL);
}

static void copy_panel(Dot *p, V col, int vecs, int valid) {
  Gen *g = p->g;
  const GenDot *d = p->d;
  int lanes = p->f.lanes;
  V init[2] = { gen_at(g, d->b, d->dtype, col), p->pack };
  GenLoop l = gen_loop(g, gen_i64(g, 0), gen_i64(g, d->k), 1, 2, init);
  for (int v = 0; v < vecs; v++) {
    V x = gen_load(g, d->dtype, tile_offset(g, l.carry[0], d->dtype, (int64_t)v * lanes), lanes, v == vecs - 1 ? valid : lanes);
    gen_store(g, p->sum, x, tile_offset(g, l.carry[1], p->sum, (int64_t)v * lanes), lanes, lanes);
  }
  gen_loop_end(g, &l, (V[]){ tile_offset(g, l.carry[0], d->dtype, d->b_k), tile_offset(g, l.carry[1], p->sum, (int64_t)vecs * lanes) });
}

static void columns_panel(Dot *p, V col, int vecs, int valid) {
  Gen *g = p->g;
  const GenDot *d = p->d;
  Panel n = { .col = col, .b = d->b, .t = d->dtype, .b_k = d->b_k, .vecs = vecs, .valid = valid, .there = valid };
  if (d->packed) {
    n.b = gen_at(g, d->pack, p->sum, tile_scaled(g, col, d->k));
    n.t = p->sum, n.b_k = vecs * p->f.lanes, n.there = p->f.lanes;
  } else if (p->pack) {
    if (d->b_n == 1) copy_panel(p, col, vecs, valid);
    else pack_panel(p, col, vecs);
    n.b = p->pack, n.t = p->sum, n.b_k = vecs * p->f.lanes, n.there = p->f.lanes;
  } else n.b = gen_at(g, d->b, d->dtype, col);
  each_rows(p, p->f.rows, columns_tile, &n);
}

// Panels of `vecs` vectors each, all whole; behind them one of `rest` vectors, or none.
typedef struct Panels { int64_t whole; int vecs, rest, valid; } Panels;

static Panels panels_of(const Form *f, int64_t n) {
  int64_t n_vecs = tile_ceil(n, f->lanes), whole = n_vecs / f->vecs;
  int valid = n % f->lanes ? (int)(n % f->lanes) : f->lanes;
  if (whole * f->vecs == n_vecs && valid < f->lanes) whole--;     // the masked panel stands alone
  return (Panels){ whole, f->vecs, (int)(n_vecs - whole * f->vecs), valid };
}

static void emit_columns(Dot *p) {
  Gen *g = p->g;
  const GenDot *d = p->d;
  int lanes = p->f.lanes, vecs = p->f.vecs;
  Panels s = panels_of(&p->f, d->n);
  int64_t size = ir_dtype_bytes(p->sum), panel = d->k * vecs * lanes;
  if (d->packed) p->pack = NULL;
  else if (d->b_n != 1) p->pack = d->pack;
  else if (d->m >= 32 && s.whole && d->k * d->b_k * size >= FAR_BYTES && panel * size <= STACK_PANEL) p->pack = tile_stack(g, p->sum, panel);
  ICE_IF(d->b_n != 1 && !d->pack, "a product of a transposed matrix without room for packing");
  V all = gen_i64(g, s.whole * vecs * lanes), from = d->n_lo ? d->n_lo : gen_i64(g, 0);
  if (s.whole) {
    GenLoop l = gen_loop(g, from, d->n_lo ? lesser(g, d->n_hi, all) : all, vecs * lanes, 0, NULL);
    columns_panel(p, l.i, vecs, lanes);
    gen_loop_end(g, &l, NULL);
  }
  if (!s.rest) return;
  if (!d->n_lo) {
    columns_panel(p, all, s.rest, s.valid);
    return;
  }
  GenLoop l = gen_loop(g, all, d->n_hi, s.rest * lanes, 0, NULL);      // one turn, where the end of the columns is here
  columns_panel(p, all, s.rest, s.valid);
  gen_loop_end(g, &l, NULL);
}

int64_t gen_dot_panels(const Target *t, IrDtype dtype, int64_t m, int64_t n, int64_t k) {
  Form f = form_of(t, dtype, m, n, k, false);
  Panels s = panels_of(&f, n);
  return s.whole + (s.rest > 0);
}

static void pack_into(Dot *p, V col, int vecs, int valid) {
  p->pack = gen_at(p->g, p->d->pack, p->sum, tile_scaled(p->g, col, p->d->k));
  if (p->d->b_n == 1) copy_panel(p, col, vecs, valid);
  else pack_panel(p, col, vecs);
}

void gen_dot_pack(Gen *g, const GenDot *d, V panel) {
  Dot p = { .g = g, .d = d, .f = form_of(g->target, d->dtype, d->m, d->n, d->k, false), .sum = d->dtype == IR_F64 ? IR_F64 : IR_F32 };
  Panels s = panels_of(&p.f, d->n);
  V next = tile_plus(g, panel, 1), whole = gen_i64(g, s.whole);
  if (s.whole) {                 // a loop of one turn, or of none
    V hi = LLVMBuildSelect(g->b, LLVMBuildICmp(g->b, LLVMIntSLT, panel, whole, ""), next, panel, "");
    GenLoop l = gen_loop(g, panel, hi, 1, 0, NULL);
    pack_into(&p, tile_scaled(g, l.i, s.vecs * p.f.lanes), s.vecs, p.f.lanes);
    gen_loop_end(g, &l, NULL);
  }
  if (!s.rest) return;
  GenLoop l = gen_loop(g, whole, next, 1, 0, NULL);
  pack_into(&p, gen_i64(g, s.whole * s.vecs * p.f.lanes), s.rest, s.valid);
  gen_loop_end(g, &l, NULL);
}

// ---- BLOCKED -----------------------------------------------------------------------------------------------

typedef struct Block {
  int64_t rows, stride;      // of the room for sums
  V row, k, turns;           // where the block begins; how many turns of k it has
  V a, b, sum;               // the copies: [row tile][k][row], [k][column]; [row][stride]
  V col; int vecs, valid;    // the panel at hand
  bool more;                 // panels behind it
} Block;

static V room_at(Gen *g, V room, IrDtype t, V i, int64_t by) { return gen_at(g, room, t, tile_scaled(g, i, by)); }

// As many row tiles side by side as there are in a cache line, which is fetched once.
static void copy_tiles(Dot *p, V row, int rows, void *env) {
  Gen *g = p->g;
  const GenDot *d = p->d;
  const Block *s = env;
  V from = gen_at(g, gen_at(g, d->a, d->dtype, tile_scaled(g, s->k, d->a_k)), d->dtype, row);
  V to = room_at(g, s->a, p->sum, LLVMBuildNSWSub(g->b, row, s->row, ""), BLOCK_TURNS);
  GenLoop l = gen_loop(g, gen_i64(g, 0), s->turns, 1, 1, &from);
  for (int t = 0; t < rows; t += p->f.rows) {
    int n = rows - t < p->f.rows ? rows - t : p->f.rows, lanes = tile_power(n);
    V x = gen_load(g, d->dtype, tile_offset(g, l.carry[0], d->dtype, t), lanes, n);
    gen_store(g, p->sum, x, gen_at(g, tile_offset(g, to, p->sum, t * BLOCK_TURNS), p->sum, tile_scaled(g, l.i, n)), lanes, n);
  }
  gen_loop_end(g, &l, (V[]){ tile_offset(g, l.carry[0], d->dtype, d->a_k) });
}

static void copy_rows(Dot *p, Block *s) {
  Gen *g = p->g;
  const GenDot *d = p->d;
  int rows = p->f.rows, group = LINE / ir_dtype_bytes(p->sum) / rows * rows;
  GenDot left = *d;
  if (group > rows) {
    V size = LLVMBuildNSWSub(g->b, d->m_hi, d->m_lo, ""), odd = LLVMBuildURem(g->b, size, gen_i64(g, group), "");
    left.m_lo = LLVMBuildNSWSub(g->b, d->m_hi, odd, "");
    GenLoop l = gen_loop(g, d->m_lo, left.m_lo, group, 0, NULL);
    copy_tiles(p, l.i, group, s);
    gen_loop_end(g, &l, NULL);
  }
  p->d = &left;
  each_rows(p, rows, copy_tiles, s);
  p->d = d;
}

static void copy_columns(Dot *p, const Block *s) {
  Gen *g = p->g;
  const GenDot *d = p->d;
  int lanes = p->f.lanes;
  V init[2] = { gen_at(g, gen_at(g, d->b, d->dtype, tile_scaled(g, s->k, d->b_k)), d->dtype, s->col), s->b };
  GenLoop l = gen_loop(g, gen_i64(g, 0), s->turns, 1, 2, init);
  for (int v = 0; v < s->vecs; v++) {
    V x = gen_load(g, d->dtype, tile_offset(g, l.carry[0], d->dtype, (int64_t)v * lanes), lanes, v == s->vecs - 1 ? s->valid : lanes);
    gen_store(g, p->sum, x, tile_offset(g, l.carry[1], p->sum, (int64_t)v * lanes), lanes, lanes);
  }
  gen_loop_end(g, &l, (V[]){ tile_offset(g, l.carry[0], d->dtype, d->b_k), tile_offset(g, l.carry[1], p->sum, (int64_t)s->vecs * lanes) });
}

static void ask_for(Gen *g, V at, int locality) {
  LLVMTypeRef ptr = LLVMPointerTypeInContext(g->ctx, 0), i32 = gen_type(g, IR_I32, 1);
  V arg[4] = { at, LLVMConstInt(i32, 0, false), LLVMConstInt(i32, (unsigned)locality, false), LLVMConstInt(i32, 1, false) };
  gen_call_intrinsic(g, "llvm.prefetch", 1, &ptr, 4, arg);
}

// The tile's share of the next panel of B, from which no row tells the processor where the next one is.
static void fetch_ahead(Dot *p, const Block *s, V inside, int rows) {
  Gen *g = p->g;
  const GenDot *d = p->d;
  V col = tile_plus(g, s->col, (int64_t)s->vecs * p->f.lanes);
  V at = gen_at(g, gen_at(g, d->b, d->dtype, tile_scaled(g, s->k, d->b_k)), d->dtype, col);
  at = gen_at(g, at, d->dtype, tile_scaled(g, inside, d->b_k * (BLOCK_TURNS / s->rows)));
  for (int k = 0; k < rows * BLOCK_TURNS / s->rows; k++) ask_for(g, tile_offset(g, at, d->dtype, k * d->b_k), 3);
}

// The panel's share of the next block of A.
static void fetch_block(Dot *p, const Block *s, int64_t panels) {
  Gen *g = p->g;
  const GenDot *d = p->d;
  int64_t share = tile_ceil(BLOCK_TURNS, panels), line = LINE / ir_dtype_bytes(d->dtype);
  V panel = LLVMBuildUDiv(g->b, s->col, gen_i64(g, (int64_t)p->f.vecs * p->f.lanes), "");
  V from = LLVMBuildNSWAdd(g->b, tile_plus(g, s->k, BLOCK_TURNS), tile_scaled(g, panel, share), "");
  GenLoop l = gen_loop(g, from, lesser(g, tile_plus(g, from, share), gen_i64(g, d->k)), 1, 0, NULL);
  V at = gen_at(g, gen_at(g, d->a, d->dtype, tile_scaled(g, l.i, d->a_k)), d->dtype, s->row);
  for (int64_t c = 0; c < s->rows; c += line) ask_for(g, tile_offset(g, at, d->dtype, c), 2);
  gen_loop_end(g, &l, NULL);
}

static void blocked_tile(Dot *p, V row, int rows, void *env) {
  Gen *g = p->g;
  const Block *s = env;
  int lanes = p->f.lanes, sums = rows * s->vecs;
  V acc[TILE_SUMS + 2], at[TILE_SUMS], inside = LLVMBuildNSWSub(g->b, row, s->row, "");
  V first = gen_at(g, room_at(g, s->sum, p->sum, inside, s->stride), p->sum, s->col);
  for (int i = 0; i < sums; i++) {
    at[i] = tile_offset(g, first, p->sum, i / s->vecs * s->stride + i % s->vecs * lanes);
    acc[i] = gen_load(g, p->sum, at[i], lanes, lanes);
  }
  acc[sums] = room_at(g, s->a, p->sum, inside, BLOCK_TURNS), acc[sums + 1] = s->b;
  if (s->more) fetch_ahead(p, s, inside, rows);
  GenLoop l = gen_loop(g, gen_i64(g, 0), s->turns, 1, sums + 2, acc);
  V next[TILE_SUMS + 2], bv[TILE_VECS];
  for (int v = 0; v < s->vecs; v++) bv[v] = gen_load(g, p->sum, tile_offset(g, l.carry[sums + 1], p->sum, (int64_t)v * lanes), lanes, lanes);
  for (int r = 0; r < rows; r++) {
    V av = tile_spread(g, p->sum, tile_offset(g, l.carry[sums], p->sum, r), lanes);
    for (int v = 0; v < s->vecs; v++) next[r * s->vecs + v] = gen_fma(g, av, bv[v], l.carry[r * s->vecs + v]);
  }
  next[sums] = tile_offset(g, l.carry[sums], p->sum, rows);
  next[sums + 1] = tile_offset(g, l.carry[sums + 1], p->sum, (int64_t)s->vecs * lanes);
  gen_loop_end(g, &l, next);
  for (int i = 0; i < sums; i++) gen_store(g, p->sum, l.carry[i], at[i], lanes, lanes);
}

static void blocked_panel(Dot *p, Block *s, V col, int vecs, int valid) {
  s->col = col, s->vecs = vecs, s->valid = valid;
  copy_columns(p, s);
  if (p->d->k > BLOCK_TURNS) fetch_block(p, s, tile_ceil(p->d->n, (int64_t)p->f.vecs * p->f.lanes));
  each_rows(p, p->f.rows, blocked_tile, s);
}

// The block's sums, all of k in them: handed over.
static void blocked_store(Dot *p, const Block *s, V row, V col, int valid) {
  Gen *g = p->g;
  V at = gen_at(g, room_at(g, s->sum, p->sum, LLVMBuildNSWSub(g->b, row, s->row, ""), s->stride), p->sum, col);
  p->d->store(g, p->d->env, row, col, gen_load(g, p->sum, at, p->f.lanes, p->f.lanes), p->f.lanes, valid);
}

static void emit_blocked(Dot *p) {
  Gen *g = p->g;
  const GenDot *whole = p->d;
  int lanes = p->f.lanes, rows = p->f.rows, rest = (int)(whole->n % lanes);
  Panels n = panels_of(&p->f, whole->n);
  int64_t size = ir_dtype_bytes(p->sum), panel = (int64_t)n.vecs * lanes;
  Block s = { .stride = tile_ceil(whole->n, lanes) * lanes };
  s.rows = BLOCK_SUMS / (s.stride * size) / rows * rows;
  if (s.rows > BLOCK_ROWS) s.rows = tile_ceil(BLOCK_ROWS, rows) * rows;
  s.a = tile_stack(g, p->sum, s.rows * BLOCK_TURNS), s.b = tile_stack(g, p->sum, BLOCK_TURNS * panel);
  s.sum = tile_stack(g, p->sum, s.rows * s.stride);
  GenLoop i = gen_loop(g, whole->m_lo, whole->m_hi, s.rows, 0, NULL);
  GenDot part = *whole;
  part.m_lo = s.row = i.i, part.m_hi = lesser(g, tile_plus(g, i.i, s.rows), whole->m_hi);
  p->d = &part;
  GenLoop zero = gen_loop(g, gen_i64(g, 0), tile_scaled(g, LLVMBuildNSWSub(g->b, part.m_hi, i.i, ""), s.stride), lanes, 0, NULL);
  gen_store(g, p->sum, tile_zero(g, p->sum, lanes), gen_at(g, s.sum, p->sum, zero.i), lanes, lanes);
  gen_loop_end(g, &zero, NULL);
  GenLoop k = gen_loop(g, gen_i64(g, 0), gen_i64(g, whole->k), BLOCK_TURNS, 0, NULL);
  s.k = k.i, s.turns = lesser(g, gen_i64(g, BLOCK_TURNS), LLVMBuildNSWSub(g->b, gen_i64(g, whole->k), k.i, ""));
  copy_rows(p, &s);
  if (n.whole) {
    GenLoop j = gen_loop(g, gen_i64(g, 0), gen_i64(g, n.whole * panel), panel, 0, NULL);
    s.more = true;
    blocked_panel(p, &s, j.i, n.vecs, lanes);
    s.more = false;
    gen_loop_end(g, &j, NULL);
  }
  if (n.rest) blocked_panel(p, &s, gen_i64(g, n.whole * panel), n.rest, n.valid);
  gen_loop_end(g, &k, NULL);
  GenLoop r = gen_loop(g, part.m_lo, part.m_hi, 1, 0, NULL);
  if (whole->n >= lanes) {
    GenLoop j = gen_loop(g, gen_i64(g, 0), gen_i64(g, whole->n - rest), lanes, 0, NULL);
    blocked_store(p, &s, r.i, j.i, lanes);
    gen_loop_end(g, &j, NULL);
  }
  if (rest) blocked_store(p, &s, r.i, gen_i64(g, whole->n - rest), rest);
  gen_loop_end(g, &r, NULL);
  gen_loop_end(g, &i, NULL);
  p->d = whole;
}

// ---- INNER ------------------------------------------------------------------------------------------------------

typedef struct Inner {
  V col, b;                   // first column; where its numbers begin, contiguous along k
  IrDtype t;
  int64_t b_n;
  int cols;
} Inner;

static void inner_turn(Dot *p, const Inner *n, int rows, V k, int valid, V a, V *acc) {
  Gen *g = p->g;
  const GenDot *d = p->d;
  V bv[64];
  for (int c = 0; c < n->cols; c++)
    bv[c] = gen_load(g, n->t, gen_at(g, tile_offset(g, n->b, n->t, c * n->b_n), n->t, k), p->f.lanes, valid);
  for (int r = 0; r < rows; r++) {
    V av = gen_load(g, d->dtype, gen_at(g, tile_offset(g, a, d->dtype, r * d->a_m), d->dtype, k), p->f.lanes, valid);
    for (int c = 0; c < n->cols; c++) acc[r * n->cols + c] = gen_fma(g, av, bv[c], acc[r * n->cols + c]);
  }
}

typedef struct InnerOut { const GenDot *d; V col, row; } InnerOut;

static void inner_put(Gen *g, void *env, int row, V line, int lanes, int valid) {
  const InnerOut *o = env;
  o->d->store(g, o->d->env, tile_plus(g, o->row, row), o->col, line, lanes, valid);
}

static void inner_tile(Dot *p, V row, int rows, void *env) {
  Gen *g = p->g;
  const GenDot *d = p->d;
  const Inner *n = env;
  int lanes = p->f.lanes, sums = rows * n->cols, rest = (int)(d->k % lanes);
  V acc[TILE_SUMS], a = gen_at(g, d->a, d->dtype, tile_scaled(g, row, d->a_m));
  for (int i = 0; i < sums; i++) acc[i] = tile_zero(g, p->sum, lanes);
  if (d->k >= lanes) {
    GenLoop l = gen_loop(g, gen_i64(g, 0), gen_i64(g, d->k - rest), lanes, sums, acc);
    memcpy(acc, l.carry, sizeof *acc * (size_t)sums);
    inner_turn(p, n, rows, l.i, lanes, a, acc);
    gen_loop_end(g, &l, acc);
    memcpy(acc, l.carry, sizeof *acc * (size_t)sums);
  }
  if (rest) inner_turn(p, n, rows, gen_i64(g, d->k - rest), rest, a, acc);
  InnerOut to = { d, n->col, row };
  tile_sum_rows(g, acc, rows, n->cols, lanes, p->sum, inner_put, &to);
}

// B [k, n] with few columns as [n, k] on the stack.
static V turn_over(Dot *p) {
  Gen *g = p->g;
  const GenDot *d = p->d;
  V room = tile_stack(g, p->sum, d->k * d->n);
  GenLoop l = gen_loop(g, gen_i64(g, 0), gen_i64(g, d->k), 1, 0, NULL);
  for (int c = 0; c < d->n; c++) {
    V from = gen_at(g, tile_offset(g, d->b, d->dtype, c * d->b_n), d->dtype, tile_scaled(g, l.i, d->b_k));
    gen_store(g, p->sum, gen_load(g, d->dtype, from, 1, 1), gen_at(g, room, p->sum, tile_plus(g, l.i, c * d->k)), 1, 1);
  }
  gen_loop_end(g, &l, NULL);
  return room;
}

static void emit_inner(Dot *p) {
  Gen *g = p->g;
  const GenDot *d = p->d;
  int cols = inner_cols(&p->f, d->n), rows = inner_rows(&p->f, d->m, cols), rest = (int)(d->n % cols);
  Inner n = { .t = d->dtype, .b_n = d->b_n, .cols = cols };
  V b = d->b;
  if (d->b_k != 1) b = turn_over(p), n.t = p->sum, n.b_n = d->k;
  if (d->n == cols) {
    n.col = gen_i64(g, 0), n.b = b;
    each_rows(p, rows, inner_tile, &n);
    return;
  }
  GenLoop l = gen_loop(g, gen_i64(g, 0), gen_i64(g, d->n - rest), cols, 0, NULL);
  n.col = l.i, n.b = gen_at(g, b, n.t, tile_scaled(g, l.i, n.b_n));
  each_rows(p, rows, inner_tile, &n);
  gen_loop_end(g, &l, NULL);
  if (!rest) return;
  n.col = gen_i64(g, d->n - rest), n.b = tile_offset(g, b, n.t, (d->n - rest) * n.b_n), n.cols = rest;
  each_rows(p, rows, inner_tile, &n);
}

// ---- ROWS ----------------------------------------------------------------------------------------------------------

static void rows_turn(Dot *p, int vecs, int valid, V a, V b, V *acc) {
  Gen *g = p->g;
  const GenDot *d = p->d;
  V bv[64];
  for (int c = 0; c < d->n; c++) bv[c] = tile_spread(g, d->dtype, tile_offset(g, b, d->dtype, c * d->b_n), p->f.lanes);
  for (int v = 0; v < vecs; v++) {
    V av = gen_load(g, d->dtype, tile_offset(g, a, d->dtype, (int64_t)v * p->f.lanes), p->f.lanes, v == vecs - 1 ? valid : p->f.lanes);
    for (int c = 0; c < d->n; c++) acc[v * d->n + c] = gen_fma(g, av, bv[c], acc[v * d->n + c]);
  }
}

// Through the stack to rows: there [row][cols rounded up], read back row by row in a loop, so that the epilogue
// stands in the code once.
static void rows_tile(Dot *p, V row, int rows, void *env) {
  Gen *g = p->g;
  const GenDot *d = p->d;
  V room = env;
  int lanes = p->f.lanes, vecs = (int)tile_ceil(rows, lanes), sums = vecs * (int)d->n, out = tile_power(d->n);
  int valid = rows % lanes ? rows % lanes : lanes;
  V acc[TILE_SUMS + 2];
  for (int i = 0; i < sums; i++) acc[i] = tile_zero(g, p->sum, lanes);
  acc[sums] = gen_at(g, d->a, d->dtype, row), acc[sums + 1] = d->b;
  GenLoop l = gen_loop(g, gen_i64(g, 0), gen_i64(g, d->k), 1, sums + 2, acc);
  memcpy(acc, l.carry, sizeof *acc * (size_t)(sums + 2));
  rows_turn(p, vecs, valid, acc[sums], acc[sums + 1], acc);
  acc[sums] = tile_offset(g, acc[sums], d->dtype, d->a_k), acc[sums + 1] = tile_offset(g, acc[sums + 1], d->dtype, d->b_k);
  gen_loop_end(g, &l, acc);
  for (int v = 0; v < vecs; v++) {
    // x: `out` vectors of one number of each of `lanes` rows, interleaved to rows of `out` numbers.
    V x[64], y[64];
    int lo[64], hi[64];
    for (int c = 0; c < out; c++) x[c] = c < d->n ? l.carry[v * d->n + c] : tile_zero(g, p->sum, lanes);
    for (int i = 0; i < lanes; i++) {
      lo[i] = i / 2 + (i % 2) * lanes;
      hi[i] = lo[i] + lanes / 2;
    }
    for (int round = 1; round < out; round *= 2) {
      for (int i = 0; i < out / 2; i++) {
        y[2 * i] = tile_shuffle(g, x[i], x[i + out / 2], lanes, lo);
        y[2 * i + 1] = tile_shuffle(g, x[i], x[i + out / 2], lanes, hi);
      }
      memcpy(x, y, sizeof *x * (size_t)out);
    }
    for (int c = 0; c < out; c++) gen_store(g, p->sum, x[c], tile_offset(g, room, p->sum, ((int64_t)v * out + c) * lanes), lanes, lanes);
  }
  GenLoop each = gen_loop(g, gen_i64(g, 0), gen_i64(g, rows), 1, 0, NULL);
  V line = gen_load(g, p->sum, gen_at(g, room, p->sum, tile_scaled(g, each.i, out)), out, out);
  d->store(g, d->env, LLVMBuildNSWAdd(g->b, row, each.i, ""), gen_i64(g, 0), line, out, (int)d->n);
  gen_loop_end(g, &each, NULL);
}

static void emit_rows(Dot *p) {
  const GenDot *d = p->d;
  int vecs = 8;
  while (vecs > 1 && (vecs * d->n > p->f.regs / 2 || vecs / 2 * p->f.lanes >= d->m)) vecs /= 2;
  each_rows(p, vecs * p->f.lanes, rows_tile, tile_stack(p->g, p->sum, (int64_t)vecs * p->f.lanes * tile_power(d->n)));
}

void gen_dot(Gen *g, const GenDot *dot) {
  GenDot plain = *dot, *d = &plain;
  if (!d->m || !d->n) return;
  if (d->n == 1 || !d->k) d->b_n = 1;    // one column is contiguous whatever its stride
  Dot p = { .g = g, .d = d, .f = form_of(g->target, d->dtype, d->m, d->n, d->k, d->a_k != 1), .sum = d->dtype == IR_F64 ? IR_F64 : IR_F32 };
  switch (choose(&p.f, d)) {
  case BLOCKED: emit_blocked(&p); break;
  case INNER: emit_inner(&p); break;
  case ROWS: emit_rows(&p); break;
  default: emit_columns(&p); break;
  }
}
