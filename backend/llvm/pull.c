// Values at indices: elementwise ops, index maps, loads and stores.
#include "backend/llvm/nest.h"
#include "ir/number.h"

#include <string.h>

// ---- what has been emitted ------------------------------------------------------------------------
// A stack with a hash table over it. Leaving a loop pops what was emitted in it; entries leave in the
// reverse of the order in which they came, so taking one out never breaks another's chain.

static uint64_t key_hash(const NestKey *k) {
  uint64_t h = base_hash(1469598103934665603u, &k->kind, 3 * sizeof(int));
  h = base_hash(h + k->ix.linear, k->ix.at, sizeof(int) * (size_t)k->ix.n);
  return h ^ h >> 29;
}

static bool key_eq(const NestKey *x, const NestKey *y) {
  return x->kind == y->kind && x->id == y->id && x->mask == y->mask && x->ix.n == y->ix.n && x->ix.linear == y->ix.linear &&
         !memcmp(x->ix.at, y->ix.at, sizeof(int) * (size_t)x->ix.n);
}

static int find(const Nest *n, const NestKey *k, uint64_t hash) {
  int m = n->memo_room - 1, at = (int)(hash & (uint64_t)m);
  for (; n->memo_at[at]; at = (at + 1) & m) {
    const NestMemo *e = &n->memo.at[n->memo_at[at] - 1];
    if (e->hash == hash && key_eq(&e->key, k)) break;
  }
  return at;
}

bool nest_recall(Nest *n, NestKey k, NestReg *r) {
  if (!n->memo_room) return false;
  int at = find(n, &k, key_hash(&k));
  if (!n->memo_at[at]) return false;
  *r = n->memo.at[n->memo_at[at] - 1].reg;
  return true;
}

static void insert(Nest *n, int entry) {
  NestMemo *e = &n->memo.at[entry];
  n->memo_at[find(n, &e->key, e->hash)] = entry + 1;
}

void nest_remember(Nest *n, NestKey k, NestReg r) {
  if (2 * (n->memo.n + 1) > n->memo_room) {
    n->memo_room = n->memo_room ? 2 * n->memo_room : 1024;
    n->memo_at = arena_array(n->g->arena, int, n->memo_room);
    for (int i = 0; i < n->memo.n; i++) insert(n, i);
  }
  vec_push(n->g->arena, &n->memo, ((NestMemo){ k, key_hash(&k), r }));
  insert(n, n->memo.n - 1);
}

int nest_mark(Nest *n) { return n->memo.n; }

void nest_pop(Nest *n, int mark) {
  while (n->memo.n > mark) {
    NestMemo *e = &n->memo.at[n->memo.n - 1];
    n->memo_at[find(n, &e->key, e->hash)] = 0;
    n->memo.n--;
  }
}

// ---- registers -----------------------------------------------------------------------------------------

static bool is_vector(LLVMValueRef v) { return LLVMGetTypeKind(LLVMTypeOf(v)) == LLVMVectorTypeKind; }

NestReg nest_widen(Nest *n, NestReg x) {
  if (n->lanes > 1 && !is_vector(x.re)) x.re = gen_lanes(n->g, x.re, n->lanes);
  if (n->lanes > 1 && x.im && !is_vector(x.im)) x.im = gen_lanes(n->g, x.im, n->lanes);
  return x;
}

static NestReg number(Nest *n, IrDtype t, IrNumber x) {
  LLVMTypeRef r = gen_type(n->g, t, 1);
  if (ir_is_complex(t)) return (NestReg){ .re = LLVMConstReal(r, x.re), .im = LLVMConstReal(r, x.im) };
  if (ir_is_float(t)) return (NestReg){ .re = LLVMConstReal(r, x.re) };
  return (NestReg){ .re = LLVMConstInt(r, (unsigned long long)x.i, true) };
}

NestReg nest_number(Nest *n, IrDtype t, double re) {
  return number(n, t, ir_is_float(t) || ir_is_complex(t) ? (IrNumber){ .re = re } : (IrNumber){ .i = (int64_t)re });
}

NestReg nest_binary(Nest *n, IrCode c, IrDtype t, NestReg x, NestReg y) {
  if (is_vector(x.re) || is_vector(y.re)) x = nest_widen(n, x), y = nest_widen(n, y);
  if (ir_is_complex(t)) return nest_complex2(n, c, t, x, y);
  return (NestReg){ .re = gen_binary(n->g, c, t, x.re, y.re) };
}

NestReg nest_element(Nest *n, const IrOp *op, NestReg *x) {
  Gen *g = n->g;
  IrDtype t = op->in[0]->type.dtype, to = op->out[0]->type.dtype;
  bool wide = false;
  for (int k = 0; k < op->nin; k++) wide = wide || is_vector(x[k].re);
  for (int k = 0; wide && k < op->nin; k++) x[k] = nest_widen(n, x[k]);
  if (op->code == IR_COPY) return x[0];
  if (op->code == IR_SELECT) {
    NestReg r = { .re = LLVMBuildSelect(g->b, x[0].re, x[1].re, x[2].re, "") };
    if (x[1].im) r.im = LLVMBuildSelect(g->b, x[0].re, x[1].im, x[2].im, "");
    return r;
  }
  if (ir_is_complex(t) || ir_is_complex(to)) return nest_complex(n, op, x);
  switch (op->code) {
  case IR_CAST: return (NestReg){ .re = gen_cast(g, x[0].re, t, to) };
  case IR_BITCAST: return (NestReg){ .re = gen_bitcast(g, x[0].re, t, to) };
  case IR_POLYGAMMA: return (NestReg){ .re = gen_polygamma(g, ir_int(op, A_N), t, x[0].re) };
  default: break;
  }
  if (op->nin == 1) return (NestReg){ .re = gen_unary(g, op->code, t, x[0].re) };
  return (NestReg){ .re = gen_binary(g, op->code, t, x[0].re, x[1].re) };
}

// ---- masks ------------------------------------------------------------------------------------------------

static LLVMValueRef both(Nest *n, LLVMValueRef x, LLVMValueRef y) {
  return !x ? y : !y || x == y ? x : LLVMBuildAnd(n->g->b, x, y, "");
}

static int mask_and(Nest *n, int mask, LLVMValueRef cond) {
  NestMask m = n->mask.at[mask];
  NestKey k = { .kind = KEY_COND, .id = -1, .mask = mask };
  // The condition's identity is its place in the table of masks that are that condition alone.
  int alone = 0;
  for (int i = 1; i < n->mask.n && !alone; i++)
    if ((n->mask.at[i].one == cond && !n->mask.at[i].each) || (n->mask.at[i].each == cond && !n->mask.at[i].one)) alone = i;
  if (!alone) {
    vec_push(n->g->arena, &n->mask, (is_vector(cond) ? (NestMask){ .each = cond } : (NestMask){ .one = cond }));
    alone = n->mask.n - 1;
  }
  if (!mask || mask == alone) return alone;
  NestReg r;
  k.ix = (NestIndex){ .n = 1, .at = { alone } };
  if (nest_recall(n, k, &r)) return r.var;
  if (is_vector(cond)) m.each = both(n, m.each, cond);
  else m.one = both(n, m.one, cond);
  vec_push(n->g->arena, &n->mask, m);
  nest_remember(n, k, (NestReg){ .var = n->mask.n - 1 });
  return n->mask.n - 1;
}

// All that keeps a lane from memory: NULL if nothing does.
static LLVMValueRef lane_mask(Nest *n, int mask) {
  NestMask m = n->mask.at[mask];
  LLVMValueRef v = n->valid < n->lanes ? gen_first_lanes(n->g, n->lanes, n->valid) : NULL;
  if (m.each) v = both(n, v, m.each);
  if (m.one) v = both(n, v, gen_lanes(n->g, m.one, n->lanes));
  return v;
}

// Whether f is in [0, size): 0 never, 1 always, else *cond says it.
static int inside(Nest *n, int f, int64_t size, LLVMValueRef *cond) {
  int64_t lo, hi;
  nest_range(n, f, &lo, &hi);
  if (hi < 0 || lo >= size) return 0;
  if (lo >= 0 && hi < size) return 1;
  NestKey k = { .kind = KEY_COND, .ix = { .n = 2, .at = { f, nest_const(n, size) } } };
  NestReg r;
  if (!nest_recall(n, k, &r)) {
    Gen *g = n->g;
    if (nest_laned(n, f)) {
      IrDtype t = lo > INT32_MIN && hi < INT32_MAX ? IR_I32 : IR_I64;
      LLVMValueRef top = gen_lanes(g, LLVMConstInt(gen_type(g, t, 1), (unsigned long long)size, false), n->lanes);
      r.re = LLVMBuildICmp(g->b, LLVMIntULT, nest_vector(n, f, t), top, "");
    } else r.re = LLVMBuildICmp(g->b, LLVMIntULT, nest_scalar(n, f), gen_i64(g, size), "");
    nest_remember(n, k, r);
  }
  *cond = r.re;
  return 2;
}

static NestReg choose(Nest *n, LLVMValueRef cond, NestReg x, NestReg y) {
  if (is_vector(cond) || is_vector(x.re) || is_vector(y.re)) {
    x = nest_widen(n, x), y = nest_widen(n, y);
    if (!is_vector(cond)) cond = gen_lanes(n->g, cond, n->lanes);
  }
  NestReg r = { .re = LLVMBuildSelect(n->g->b, cond, x.re, y.re, "") };
  if (x.im) r.im = LLVMBuildSelect(n->g->b, cond, x.im, y.im, "");
  return r;
}

// ---- memory --------------------------------------------------------------------------------------------------

static LLVMValueRef slot_base(Nest *n, int slot) {
  NestSlot *s = &n->use->slot.at[slot];
  if (!s->at) s->at = n->address(n->env, s);
  return s->at;
}

LLVMValueRef nest_address(Nest *n, int slot, IrDtype t, int f) {
  f = nest_near(n, f);
  const NestForm *x = n->form.at[f];
  if (!x->n && !x->c) return slot_base(n, slot);
  NestKey k = { .kind = KEY_PTR, .id = slot, .mask = t, .ix = { .n = 1, .at = { f } } };
  NestReg r;
  if (nest_recall(n, k, &r)) return r.re;
  if (x->c) r.re = gen_at(n->g, nest_address(n, slot, t, nest_shift(n, f, -x->c)), t, gen_i64(n->g, x->c));
  else {
    NestTerm last = x->t[x->n - 1];
    int step = nest_scale(n, nest_of(n, last.var), last.k);
    LLVMValueRef p = nest_address(n, slot, t, nest_add(n, f, step, -1));
    r.re = gen_at(n->g, p, t, nest_scalar(n, step));
  }
  nest_remember(n, k, r);
  return r.re;
}

static LLVMValueRef reversed(Nest *n, LLVMValueRef v) {
  LLVMTypeRef i = LLVMInt32TypeInContext(n->g->ctx);
  LLVMValueRef m[64];
  for (int k = 0; k < n->lanes; k++) m[k] = LLVMConstInt(i, (unsigned long long)(n->lanes - 1 - k), false);
  return LLVMBuildShuffleVector(n->g->b, v, LLVMGetPoison(LLVMTypeOf(v)), LLVMConstVector(m, (unsigned)n->lanes), "");
}

// Steps between neighbouring lanes where they are equal; 0 where lanes have unrelated places.
static int64_t lane_step(Nest *n, int f) {
  const NestForm *x = n->form.at[f];
  if (nest_laned(n, f) && nest_base(n, f) != f) return 0;
  for (int k = 0; k < x->n; k++)
    if (x->t[k].var == n->lane_var) return x->t[k].k;
  return 0;
}

static LLVMValueRef pointers(Nest *n, int slot, IrDtype t, int f, int64_t count) {
  LLVMValueRef base = nest_address(n, slot, t, nest_base(n, f));
  LLVMValueRef off = nest_offsets(n, f, count < INT32_MAX ? IR_I32 : IR_I64);
  return LLVMBuildInBoundsGEP2(n->g->b, gen_mem_type(n->g, t, 1), base, &off, 1, "");
}

// ---- neighbours that stand a few elements apart: rows of 2, 4 or 8, of which each vector wants one column ----

static LLVMValueRef shuffled(Nest *n, LLVMValueRef x, LLVMValueRef y, int from, int by, bool zip) {
  LLVMTypeRef i = LLVMInt32TypeInContext(n->g->ctx);
  LLVMValueRef m[64];
  for (int k = 0; k < n->lanes; k++) {
    int at = zip ? from + k / 2 + (k % 2 ? n->lanes : 0) : from + k * by;
    m[k] = LLVMConstInt(i, (unsigned long long)at, false);
  }
  return LLVMBuildShuffleVector(n->g->b, x, y, LLVMConstVector(m, (unsigned)n->lanes), "");
}

// v[0 … s-1] hold rows of s elements one behind another; afterwards v[j] holds column j.
static void columns(Nest *n, LLVMValueRef *v, int s) {
  LLVMValueRef half[2][4];
  if (s == 1) return;
  for (int k = 0; k < s / 2; k++)
    for (int odd = 0; odd < 2; odd++) half[odd][k] = shuffled(n, v[2 * k], v[2 * k + 1], odd, 2, false);
  for (int odd = 0; odd < 2; odd++) columns(n, half[odd], s / 2);
  for (int k = 0; k < s; k++) v[k] = half[k % 2][k / 2];
}

// And back.
static void rows_of(Nest *n, LLVMValueRef *v, int s) {
  LLVMValueRef half[2][4];
  if (s == 1) return;
  for (int k = 0; k < s; k++) half[k % 2][k / 2] = v[k];
  for (int odd = 0; odd < 2; odd++) rows_of(n, half[odd], s / 2);
  for (int k = 0; k < s / 2; k++)
    for (int hi = 0; hi < 2; hi++) v[2 * k + hi] = shuffled(n, half[0][k], half[1][k], hi * n->lanes / 2, 0, true);
}

// Real lanes of the q-th of the vectors that hold n->valid rows of s.
static int valid_of(const Nest *n, int q, int s) {
  int v = n->valid * s - q * n->lanes;
  return v < 0 ? 0 : v > n->lanes ? n->lanes : v;
}

// Whether f is a column of rows of `step` elements, all of them inside the array; *base: where its row begins.
static bool in_rows(Nest *n, int f, int64_t step, int64_t count, int *base) {
  const NestForm *x = n->form.at[f];
  if ((step != 2 && step != 4 && step != 8) || count % step) return false;
  for (int k = 0; k < x->n; k++)
    if (x->t[k].k % step) return false;
  *base = nest_shift(n, f, -((x->c % step + step) % step));     // c may be negative, where the variables make up for it
  return true;
}

// `mask` is one condition for all lanes.
static LLVMValueRef column(Nest *n, int slot, IrDtype t, int f, int base, int s, int mask) {
  int64_t j = n->form.at[f]->c - n->form.at[base]->c;
  NestKey k = { .kind = KEY_ROWS, .id = slot * IR_NDTYPE + (int)t, .mask = mask, .ix = { .n = 3, .at = { base, s, 0 } } };
  NestReg r;
  k.ix.at[2] = (int)j;
  if (nest_recall(n, k, &r)) return r.re;
  LLVMValueRef v[8], one = n->mask.at[mask].one ? gen_lanes(n->g, n->mask.at[mask].one, n->lanes) : NULL;
  for (int q = 0; q < s; q++) {
    int valid = valid_of(n, q, s);
    LLVMValueRef on = both(n, valid < n->lanes ? gen_first_lanes(n->g, n->lanes, valid) : NULL, one);
    v[q] = valid ? gen_load_raw(n->g, t, nest_address(n, slot, t, nest_shift(n, base, q * n->lanes)), n->lanes, on)
                 : LLVMConstNull(gen_mem_type(n->g, t, n->lanes));
  }
  columns(n, v, s);    // of bytes, where those of bits would go through mask registers
  for (int q = 0; q < s; q++) {
    k.ix.at[2] = q;
    v[q] = gen_from_mem(n->g, t, v[q]);
    nest_remember(n, k, (NestReg){ .re = v[q] });
  }
  return v[j];
}

// Columns v[0 … s-1] as rows of s, the first at `base`.
static void put_rows(Nest *n, int slot, IrDtype t, int base, int s, LLVMValueRef *v) {
  for (int k = 0; k < s; k++) v[k] = gen_to_mem(n->g, t, v[k]);
  rows_of(n, v, s);
  for (int q = 0; q < s; q++) {
    int valid = valid_of(n, q, s);
    LLVMValueRef mask = valid < n->lanes ? gen_first_lanes(n->g, n->lanes, valid) : NULL;
    if (valid) gen_store_raw(n->g, t, v[q], nest_address(n, slot, t, nest_shift(n, base, q * n->lanes)), mask);
  }
}

bool nest_store_rows(Nest *n, int slot, const IrType *type, int position, int s, const NestReg *x) {
  int base;
  LLVMValueRef v[8];
  if (n->lanes == 1 || ir_is_complex(type->dtype) || !nest_laned(n, position) || lane_step(n, position) != s ||
      !in_rows(n, position, s, ir_count(type), &base) || base != position) return false;
  for (int k = 0; k < s; k++) v[k] = nest_widen(n, x[k]).re;
  put_rows(n, slot, type->dtype, base, s, v);
  return true;
}

static LLVMValueRef fetch(Nest *n, int slot, IrDtype t, int f, int mask, int64_t count) {
  Gen *g = n->g;
  if (!nest_laned(n, f)) {
    LLVMValueRef p = nest_address(n, slot, t, f), one = n->mask.at[mask].one;
    if (one) p = LLVMBuildSelect(g->b, one, p, slot_base(n, slot), "");
    return gen_load(g, t, p, 1, 1);
  }
  int64_t step = lane_step(n, f);
  LLVMValueRef m = lane_mask(n, mask);
  if (step == 1) return gen_load_mask(g, t, nest_address(n, slot, t, f), n->lanes, m);
  if (step == -1) {
    LLVMValueRef p = nest_address(n, slot, t, nest_shift(n, f, -(n->lanes - 1)));
    return reversed(n, gen_load_mask(g, t, p, n->lanes, m ? reversed(n, m) : NULL));
  }
  int base;
  if (!n->mask.at[mask].each && in_rows(n, f, step, count, &base)) return column(n, slot, t, f, base, (int)step, mask);
  return gen_gather(g, t, pointers(n, slot, t, f, count), n->lanes, m);
}

static IrDtype part_of(IrDtype t) { return ir_is_complex(t) ? ir_real_of(t) : t; }

static NestReg fetch_value(Nest *n, int slot, const IrType *type, int f, int mask) {
  IrDtype t = part_of(type->dtype);
  if (t == type->dtype) return (NestReg){ .re = fetch(n, slot, t, f, mask, ir_count(type)) };
  int f2 = nest_scale(n, f, 2);
  return (NestReg){ .re = fetch(n, slot, t, f2, mask, 2 * ir_count(type)),
                    .im = fetch(n, slot, t, nest_shift(n, f2, 1), mask, 2 * ir_count(type)) };
}

NestReg nest_peek(Nest *n, int slot, const IrType *t, int f) { return fetch_value(n, slot, t, f, 0); }

static NestReg load(Nest *n, int slot, const IrType *type, NestIndex ix, int mask) {
  int f = nest_linear(n, type, &ix);
  NestKey k = { .kind = KEY_LOAD, .id = slot * IR_NDTYPE + (int)type->dtype, .mask = mask, .ix = { .n = 1, .at = { f } } };
  NestReg r;
  if (nest_recall(n, k, &r)) return r;
  r = fetch_value(n, slot, type, f, mask);
  nest_remember(n, k, r);
  return r;
}

static void put(Nest *n, int slot, IrDtype t, int f, LLVMValueRef v, int64_t count) {
  Gen *g = n->g;
  if (!nest_laned(n, f)) {
    gen_store(g, t, v, nest_address(n, slot, t, f), 1, 1);
    return;
  }
  LLVMValueRef m = lane_mask(n, 0);
  if (lane_step(n, f) == 1) gen_store_mask(g, t, v, nest_address(n, slot, t, f), m);
  else gen_scatter(g, t, v, pointers(n, slot, t, f, count), m);
}

void nest_store(Nest *n, int slot, const IrType *type, int f, NestReg x) {
  IrDtype t = part_of(type->dtype);
  if (nest_laned(n, f)) x = nest_widen(n, x);
  if (t == type->dtype) {
    put(n, slot, t, f, x.re, ir_count(type));
    return;
  }
  int f2 = nest_scale(n, f, 2);
  if (nest_laned(n, f) && lane_step(n, f) == 1) {
    put_rows(n, slot, t, f2, 2, (LLVMValueRef[]){ x.re, x.im });
    return;
  }
  put(n, slot, t, f2, x.re, 2 * ir_count(type));
  put(n, slot, t, nest_shift(n, f2, 1), x.im, 2 * ir_count(type));
}

// ---- index maps ---------------------------------------------------------------------------------------------------

static NestIndex zeros(Nest *n, const IrType *t) {
  NestIndex ix = { .n = t->rank };
  for (int k = 0; k < t->rank; k++) ix.at[k] = nest_const(n, 0);
  return ix;
}

// One form an index, however it was asked for: a linear index of one element is all zeros.
static NestIndex normal(Nest *n, const IrType *t, NestIndex ix) {
  if (ix.linear) return ir_count(t) == 1 ? zeros(n, t) : ix;
  return nest_index(n, t, t->rank, ix.at);
}

// The axes at linear position f. Takes a variable apart by division unless one axis holds it all.
static NestIndex apart(Nest *n, const IrType *t, int f) {
  NestIndex ix = zeros(n, t);
  int many = 0, last = 0;
  for (int k = 0; k < t->rank; k++)
    if (t->dim[k] != 1) many++, last = k;
  if (many <= 1) {
    if (many) ix.at[last] = f;
    return ix;
  }
  int64_t c, lo, hi;
  nest_range(n, f, &lo, &hi);
  if (nest_fixed(n, f, &c)) {
    for (int k = t->rank - 1; k >= 0; c /= t->dim[k--]) ix.at[k] = nest_const(n, c % t->dim[k]);
    return ix;
  }
  int p = nest_laned(n, f) ? nest_each_var(n, nest_vector(n, f, hi < INT32_MAX ? IR_I32 : IR_I64), lo, hi)
                           : nest_value_var(n, nest_scalar(n, f), lo, hi);
  nest_digits(n, p, t->rank, t->dim, ix.at);
  return ix;
}

// Same sizes but for axes of one element?
static bool same_but_ones(const IrType *x, const IrType *y) {
  int i = 0, j = 0;
  for (;; i++, j++) {
    while (i < x->rank && x->dim[i] == 1) i++;
    while (j < y->rank && y->dim[j] == 1) j++;
    if (i == x->rank || j == y->rank) return i == x->rank && j == y->rank;
    if (x->dim[i] != y->dim[j]) return false;
  }
}

bool nest_map(Nest *n, const IrOp *op, int k, NestIndex ix, NestIndex *to) {
  const IrType *x = &op->in[k]->type, *y = &op->out[0]->type;
  int at[IR_MAX_RANK], m;
  const int64_t *a, *s, *st;
  if (ix.linear) {
    if (op->code == IR_RESHAPE || ir_info[op->code].lower == LOWER_ELEMENT || op->code == IR_STOP_GRAD ||
        (op->code == IR_BROADCAST && (ir_count(x) == 1 || ir_count(x) == ir_count(y)))) {
      *to = normal(n, x, ix);
      return true;
    }
    ix = apart(n, y, ix.at[0]);
  }
  switch (op->code) {
  case IR_STOP_GRAD: *to = normal(n, x, ix); return true;
  case IR_BROADCAST:
    a = ir_ints(op, A_AXES, &m);
    for (int i = 0; i < x->rank; i++) at[i] = ix.at[a[i]];
    break;
  case IR_TRANSPOSE:
    a = ir_ints(op, A_AXES, &m);
    for (int i = 0; i < x->rank; i++) at[a[i]] = ix.at[i];
    break;
  case IR_SLICE:
    s = ir_ints(op, A_START, &m), st = ir_ints(op, A_STRIDE, &m);
    for (int i = 0; i < x->rank; i++) at[i] = nest_shift(n, nest_scale(n, ix.at[i], st[i]), s[i]);
    break;
  case IR_REVERSE:
    a = ir_ints(op, A_AXES, &m);
    memcpy(at, ix.at, sizeof at);
    for (int i = 0; i < m; i++) at[a[i]] = nest_add(n, nest_const(n, x->dim[a[i]] - 1), ix.at[a[i]], -1);
    break;
  case IR_RESHAPE:
    if (!same_but_ones(x, y)) return false;
    for (int i = 0, j = 0; i < x->rank; i++) {
      at[i] = nest_const(n, 0);
      if (x->dim[i] == 1) continue;
      while (y->dim[j] == 1) j++;
      at[i] = ix.at[j++];
    }
    break;
  default:
    if (ir_info[op->code].lower != LOWER_ELEMENT) return false;
    *to = normal(n, x, ix);
    return true;
  }
  *to = nest_index(n, x, x->rank, at);
  return true;
}

static NestReg integer_of(Nest *n, int f, IrDtype t) {
  int64_t lo, hi, c;
  nest_range(n, f, &lo, &hi);
  IrDtype i = hi < INT32_MAX ? IR_I32 : IR_I64;
  if (nest_fixed(n, f, &c)) return nest_number(n, t, (double)c);
  LLVMValueRef v = nest_laned(n, f) ? nest_vector(n, f, i) : nest_scalar(n, f);
  if (!nest_laned(n, f) && i == IR_I32) v = LLVMBuildTrunc(n->g->b, v, gen_type(n->g, IR_I32, 1), "");
  NestReg r = { .re = i == t ? v : gen_cast(n->g, v, i, part_of(t)) };
  if (ir_is_complex(t)) r.im = LLVMConstNull(LLVMTypeOf(r.re));
  return r;
}

static NestReg constant(Nest *n, const IrValue *v, NestIndex ix, int mask) {
  const IrAttr *a = ir_attr(v->op, A_DATA);
  int64_t c, size = ir_dtype_bytes(v->type.dtype);
  int given = nest_constant(n->use, v);
  if (given >= 0) {
    LLVMValueRef bits = n->use->slot.at[given].at;
    if (size == 4) bits = LLVMBuildTrunc(n->g->b, bits, LLVMInt32TypeInContext(n->g->ctx), "");
    return (NestReg){ .re = LLVMBuildBitCast(n->g->b, bits, gen_type(n->g, v->type.dtype, 1), "") };
  }
  if (a->n == size) return number(n, v->type.dtype, ir_load(v->type.dtype, a->data));
  if (nest_fixed(n, nest_linear(n, &v->type, &ix), &c))
    return number(n, v->type.dtype, ir_load(v->type.dtype, (const char *)a->data + c * size));
  NestKey k = { .kind = KEY_PTR, .id = -1 - v->id };
  NestReg r;
  if (!nest_recall(n, k, &r)) {
    LLVMValueRef data = LLVMConstStringInContext(n->g->ctx, a->data, (unsigned)a->n, true);
    LLVMValueRef at = LLVMAddGlobal(n->g->mod, LLVMTypeOf(data), "data");
    LLVMSetInitializer(at, data);
    LLVMSetLinkage(at, LLVMPrivateLinkage);
    LLVMSetGlobalConstant(at, true);
    LLVMSetAlignment(at, RT_ALIGN);
    vec_push(n->g->arena, &n->use->slot, ((NestSlot){ .kind = SLOT_DATA, .at = at }));
    r = (NestReg){ .var = n->use->slot.n - 1 };
    nest_remember(n, k, r);
  }
  return load(n, r.var, &v->type, ix, mask);
}

// f / by, where that is a form.
static bool divided(Nest *n, int f, int64_t by, int *q) {
  const NestForm *x = n->form.at[f];
  bool exact = x->c % by == 0;
  for (int i = 0; i < x->n; i++) exact = exact && x->t[i].k % by == 0;
  if (!exact) return false;
  *q = nest_const(n, x->c / by);
  for (int i = 0; i < x->n; i++) *q = nest_add(n, *q, nest_of(n, x->t[i].var), x->t[i].k / by);
  return true;
}

int nest_quotient(Nest *n, int f, int64_t by, LLVMValueRef *exact) {
  int64_t lo, hi;
  int q;
  Gen *g = n->g;
  *exact = NULL;
  if (by == 1) return f;
  if (divided(n, f, by, &q)) return q;
  nest_range(n, f, &lo, &hi);
  bool laned = nest_laned(n, f);
  IrDtype t = laned && lo > INT32_MIN && hi < INT32_MAX ? IR_I32 : IR_I64;
  LLVMValueRef d = laned ? nest_vector(n, f, t) : nest_scalar(n, f);
  LLVMValueRef s = gen_lanes(g, LLVMConstInt(gen_type(g, t, 1), (unsigned long long)by, false), laned ? n->lanes : 1);
  LLVMValueRef v = LLVMBuildSDiv(g->b, d, s, "");
  *exact = LLVMBuildICmp(g->b, LLVMIntEQ, LLVMBuildMul(g->b, v, s, ""), d, "");
  return nest_of(n, laned ? nest_each_var(n, v, lo / by - 1, hi / by) : nest_value_var(n, v, lo / by - 1, hi / by));
}

NestReg nest_bordered(Nest *n, const IrValue *v, const int *f, const int64_t *by, int mask) {
  const IrType *x = &v->type;
  int at[IR_MAX_RANK], conds = 0;
  LLVMValueRef cond[2 * IR_MAX_RANK];
  NestReg zero = nest_number(n, x->dtype, 0);
  for (int k = 0; k < x->rank; k++) {
    LLVMValueRef c;
    at[k] = nest_quotient(n, f[k], by[k], &c);
    if (c) cond[conds++] = c;
    int in = inside(n, at[k], x->dim[k], &c);
    if (!in) return zero;
    if (in == 2) cond[conds++] = c;
  }
  NestIndex to = nest_index(n, x, x->rank, at);
  for (int k = 0; k < conds; k++) mask = mask_and(n, mask, cond[k]);
  NestReg r = nest_value(n, v, to, mask);
  for (int k = 0; k < conds; k++) r = choose(n, cond[k], r, zero);
  return r;
}

static NestReg padded(Nest *n, const IrOp *op, NestIndex ix, int mask) {
  int m, f[IR_MAX_RANK];
  int64_t by[IR_MAX_RANK];
  const int64_t *lo = ir_ints(op, A_LO, &m), *inner = ir_ints(op, A_INNER, &m);
  for (int k = 0; k < ix.n; k++) f[k] = nest_shift(n, ix.at[k], -lo[k]), by[k] = inner[k] + 1;
  return nest_bordered(n, op->in[0], f, by, mask);
}

static NestReg concat(Nest *n, const IrOp *op, NestIndex ix, int mask) {
  int axis = (int)ir_int(op, A_AXIS);
  int64_t end = op->out[0]->type.dim[axis];
  NestReg r = { 0 };
  // From the last piece to the first; each is taken where the index lies before its end.
  for (int k = op->nin - 1; k >= 0; k--) {
    int64_t size = op->in[k]->type.dim[axis], start = end - size;
    end = start;
    int f = nest_shift(n, ix.at[axis], -start);
    LLVMValueRef cond = NULL;
    int in = size ? inside(n, f, size, &cond) : 0;
    if (!in) continue;
    NestIndex to = ix;
    to.at[axis] = f;
    to = normal(n, &op->in[k]->type, to);
    NestReg x = nest_value(n, op->in[k], to, in == 2 ? mask_and(n, mask, cond) : mask);
    r = r.re ? choose(n, cond, x, r) : x;
  }
  return r.re ? r : nest_number(n, op->out[0]->type.dtype, 0);
}

// x clamped to [0, top], as a variable.
int nest_clamped(Nest *n, LLVMValueRef x, int64_t top) {
  Gen *g = n->g;
  LLVMTypeRef t = LLVMTypeOf(x);
  LLVMTypeRef e = is_vector(x) ? LLVMGetElementType(t) : t;
  LLVMValueRef limit = LLVMConstInt(e, (unsigned long long)(top > INT32_MAX ? INT32_MAX : top), false);
  if (is_vector(x)) limit = gen_lanes(g, limit, n->lanes);
  LLVMValueRef arg[2] = { x, LLVMConstNull(t) };
  arg[0] = gen_call_intrinsic(g, "llvm.smax", 1, &t, 2, arg);
  arg[1] = limit;
  x = gen_call_intrinsic(g, "llvm.smin", 1, &t, 2, arg);
  if (is_vector(x)) return nest_each_var(n, x, 0, top);
  x = LLVMBuildZExt(g->b, x, gen_type(g, IR_I64, 1), "");
  return nest_value_var(n, x, 0, top);
}

static NestIndex dynamic(Nest *n, const IrOp *op, NestIndex ix) {
  const IrType *x = &op->in[0]->type;
  int at[IR_MAX_RANK];
  for (int k = 0; k < x->rank; k++) {
    int64_t top = x->dim[k] - op->out[0]->type.dim[k];
    at[k] = ix.at[k];
    if (!top) continue;
    NestKey key = { .kind = KEY_GATHER, .id = op->out[0]->id, .mask = k };
    NestReg r;
    if (!nest_recall(n, key, &r)) {
      NestReg start = nest_value(n, op->in[1 + k], (NestIndex){ 0 }, 0);
      r.var = nest_clamped(n, start.re, top);
      nest_remember(n, key, r);
    }
    at[k] = nest_add(n, at[k], nest_of(n, r.var), 1);
  }
  return nest_index(n, x, x->rank, at);
}

static NestIndex rows(Nest *n, const IrOp *op, NestIndex ix, int mask) {
  const IrType *x = &op->in[0]->type, *i = &op->in[1]->type;
  int nb = (int)ir_int(op, A_BATCH), at[IR_MAX_RANK];
  for (int k = 0; k < nb; k++) at[k] = ix.at[k];
  for (int k = nb + 1; k < x->rank; k++) at[k] = ix.at[i->rank + k - nb - 1];
  at[nb] = nest_const(n, 0);
  if (x->dim[nb] > 1) {
    NestKey key = { .kind = KEY_GATHER, .id = op->out[0]->id, .mask = mask, .ix = nest_index(n, i, i->rank, ix.at) };
    NestReg r;
    if (!nest_recall(n, key, &r)) {
      r.var = nest_clamped(n, nest_value(n, op->in[1], key.ix, mask).re, x->dim[nb] - 1);
      nest_remember(n, key, r);
    }
    at[nb] = nest_of(n, r.var);
  }
  return nest_index(n, x, x->rank, at);
}

// ---- values ---------------------------------------------------------------------------------------------------------

static bool in_bounds(const Nest *n, const IrType *t, const NestIndex *ix) {
  for (int k = 0; k < ix->n && !ix->linear; k++) {
    int64_t lo, hi;
    nest_range(n, ix->at[k], &lo, &hi);
    if (lo < 0 || hi >= t->dim[k]) return false;
  }
  return true;
}

// Sine and cosine of one value take little more than one of them: the other is remembered.
static NestReg circle(Nest *n, const IrValue *v, NestIndex ix, int mask, NestReg x) {
  const struct NestLocal *l = &n->local[v->op->in[0]->id];
  NestReg sine = { 0 }, cosine = { 0 };
  gen_sincos(n->g, v->type.dtype, x.re, &sine.re, &cosine.re);
  bool is_sine = v == l->sine;
  nest_remember(n, (NestKey){ .kind = KEY_VALUE, .id = (is_sine ? l->cosine : l->sine)->id, .mask = mask, .ix = ix }, is_sine ? cosine : sine);
  return is_sine ? sine : cosine;
}

static bool on_circle(const Nest *n, const IrOp *op) {
  if ((op->code != IR_SIN && op->code != IR_COS) || (op->out[0]->type.dtype != IR_F32 && op->out[0]->type.dtype != IR_F64)) return false;
  const struct NestLocal *l = &n->local[op->in[0]->id];
  return l->stamp == n->stamp && l->sine && l->cosine && (op->out[0] == l->sine || op->out[0] == l->cosine);
}

static NestReg compute(Nest *n, const IrValue *v, NestIndex ix, int mask) {
  const IrOp *op = v->op;
  if (!op) {
    for (int k = 0; k < n->use->slot.n; k++)
      if (n->use->slot.at[k].kind == SLOT_TURN && n->use->slot.at[k].turn == v->region->owner) return (NestReg){ .re = slot_base(n, k) };
    ICE("a turn of no loop around");
  }
  NestIndex to;
  if (op == n->node->op && n->product >= 0) return load(n, n->product, &v->type, ix, mask);
  if (op->code == IR_CONST) return constant(n, v, ix, mask);
  if (ir_info[op->code].lower == LOWER_REDUCE || nest_product(op)) return nest_reduce(n, op, ix, mask);
  if (op->nin == 1 && ir_info[op->code].lower != LOWER_ELEMENT && nest_map(n, op, 0, ix, &to))
    return nest_value(n, op->in[0], to, mask);
  if (ir_info[op->code].lower == LOWER_ELEMENT) {
    NestReg x[3];
    for (int k = 0; k < op->nin; k++) {
      nest_map(n, op, k, ix, &to);
      x[k] = nest_value(n, op->in[k], to, mask);
    }
    return on_circle(n, op) ? circle(n, v, ix, mask, x[0]) : nest_element(n, op, x);
  }
  if (op->code == IR_RESHAPE)
    return nest_value(n, op->in[0], apart(n, &op->in[0]->type, nest_linear(n, &v->type, &ix)), mask);
  if (ix.linear) ix = apart(n, &v->type, ix.at[0]);
  switch (op->code) {
  case IR_IOTA: return integer_of(n, ix.at[ir_int(op, A_AXIS)], v->type.dtype);
  case IR_PAD: return padded(n, op, ix, mask);
  case IR_CONCAT: return concat(n, op, ix, mask);
  case IR_DYN_SLICE: return nest_value(n, op->in[0], dynamic(n, op, ix), mask);
  case IR_GATHER: return nest_value(n, op->in[0], rows(n, op, ix, mask), mask);
  default: ICE("%s cannot be computed inside a nest", ir_info[op->code].name);
  }
}

NestReg nest_value(Nest *n, const IrValue *v, NestIndex ix, int mask) {
  ix = normal(n, &v->type, ix);
  if (mask && in_bounds(n, &v->type, &ix)) mask = 0;
  NestKey k = { .kind = KEY_VALUE, .id = v->id, .mask = mask, .ix = ix };
  NestReg r;
  if (nest_recall(n, k, &r)) return r;
  if (!nest_computes(n, v)) return load(n, nest_slot(n->use, &n->plan->value[v->id].ref), &v->type, ix, mask);
  r = compute(n, v, ix, mask);
  nest_remember(n, k, r);
  return r;
}

// ---- before a loop ------------------------------------------------------------------------------------------------------

static bool all_defined(const Nest *n, const NestIndex *ix) {
  for (int k = 0; k < (ix->linear ? 1 : ix->n); k++)
    if (!nest_defined(n, ix->at[k])) return false;
  return true;
}

bool nest_seen(Nest *n, const IrValue *v, const NestIndex *ix) {
  NestKey k = { .kind = KEY_VALUE, .id = v->id, .ix = *ix };
  uint64_t h = key_hash(&k) | 1;
  int m = n->seen.cap - 1;
  if (2 * (n->seen.n + 1) > n->seen.cap) {
    int cap = n->seen.cap ? 2 * n->seen.cap : 1024;
    uint64_t *old = n->seen.at;
    n->seen.at = arena_array(n->g->arena, uint64_t, cap);
    for (int i = 0; i < n->seen.cap; i++) {
      int at = (int)(old[i] >> 1 & (uint64_t)(cap - 1));
      if (!old[i]) continue;
      while (n->seen.at[at]) at = (at + 1) & (cap - 1);
      n->seen.at[at] = old[i];
    }
    n->seen.cap = cap;
    m = cap - 1;
  }
  int at = (int)(h >> 1 & (uint64_t)m);
  for (; n->seen.at[at]; at = (at + 1) & m)
    if (n->seen.at[at] == h) return true;
  n->seen.at[at] = h;
  n->seen.n++;
  return false;
}

void nest_forget(Nest *n) {
  if (n->seen.n) memset(n->seen.at, 0, sizeof *n->seen.at * (size_t)n->seen.cap);
  n->seen.n = 0;
}

static void hoist(Nest *n, const IrValue *v, NestIndex ix) {
  ix = normal(n, &v->type, ix);
  if (nest_seen(n, v, &ix)) return;
  NestReg r;
  if (nest_recall(n, (NestKey){ .kind = KEY_VALUE, .id = v->id, .ix = ix }, &r)) return;
  const IrOp *op = v->op;
  if (op && op->code == IR_CONST && nest_computes(n, v)) return;
  if (!in_bounds(n, &v->type, &ix)) return;
  if (all_defined(n, &ix)) {
    nest_value(n, v, ix, 0);
    return;
  }
  if (!nest_computes(n, v)) {
    int position = nest_linear(n, &v->type, &ix);
    const NestForm *f = n->form.at[position];
    int known = nest_const(n, 0);
    for (int k = 0; k < f->n; k++) {
      int term = nest_of(n, f->t[k].var);
      if (nest_defined(n, term) && !nest_laned(n, term)) known = nest_add(n, known, term, f->t[k].k);
    }
    IrDtype t = part_of(v->type.dtype);
    if (t != v->type.dtype) known = nest_scale(n, known, 2);
    nest_address(n, nest_slot(n->use, &n->plan->value[v->id].ref), t, known);
    return;
  }
  if (!op || op->nin == 0) return;
  NestIndex to;
  switch (op->code) {
  case IR_DYN_SLICE:
    if (!ix.linear) hoist(n, op->in[0], dynamic(n, op, ix));
    return;
  case IR_GATHER:
    if (ix.linear) return;
    to = nest_index(n, &op->in[1]->type, op->in[1]->type.rank, ix.at);
    if (all_defined(n, &to)) hoist(n, op->in[0], rows(n, op, ix, 0));
    else hoist(n, op->in[1], to);
    return;
  case IR_CONCAT: {
    if (ix.linear) return;
    int axis = (int)ir_int(op, A_AXIS);
    int64_t start = 0;
    for (int k = 0; k < op->nin; start += op->in[k++]->type.dim[axis]) {
      to = ix;
      to.at[axis] = nest_shift(n, ix.at[axis], -start);
      int64_t lo, hi;
      nest_range(n, to.at[axis], &lo, &hi);
      if (lo >= 0 && hi < op->in[k]->type.dim[axis]) hoist(n, op->in[k], to);
    }
    return;
  }
  default: break;
  }
  enum IrLower l = ir_info[op->code].lower;
  if (l != LOWER_ELEMENT && l != LOWER_INDEX && l != LOWER_VIEW) return;
  if (ix.linear && l == LOWER_INDEX && op->code != IR_BROADCAST) return;
  for (int k = 0; k < op->nin; k++)
    if (nest_map(n, op, k, ix, &to)) hoist(n, op->in[k], to);
}

void nest_hoist(Nest *n, int nvalue, IrValue *const *v, NestIndex ix) {
  for (int k = 0; k < nvalue; k++) hoist(n, v[k], ix);
  nest_forget(n);
}

// ---- where pieces meet ----------------------------------------------------------------------------------

static void cut(NestCuts *c, int64_t at) {
  int k = 0;
  while (k < c->n && c->at[k] < at) k++;
  if (at <= 0 || at >= c->size || (k < c->n && c->at[k] == at)) return;
  if (c->n == NEST_CUTS) {
    c->many = true;
    return;
  }
  memmove(c->at + k + 1, c->at + k, sizeof *c->at * (size_t)(c->n - k));
  c->at[k] = at;
  c->n++;
}

// Where form f, of the variable alone, reaches `end`.
static void cut_form(Nest *n, NestCuts *c, int f, int64_t end) {
  const NestForm *x = n->form.at[f];
  if (x->n == 1 && x->t[0].var == c->var && x->t[0].k == 1) cut(c, end - x->c);
}

static void cuts(Nest *n, const IrValue *v, NestIndex ix, NestCuts *c) {
  ix = normal(n, &v->type, ix);
  const IrOp *op = v->op;
  if (ix.linear || !op || !nest_computes(n, v) || nest_seen(n, v, &ix)) return;
  int m;
  if (op->code == IR_CONCAT) {
    int axis = (int)ir_int(op, A_AXIS);
    int64_t start = 0;
    for (int k = 0; k < op->nin; k++) {
      NestIndex to = ix;
      to.at[axis] = nest_shift(n, ix.at[axis], -start);
      start += op->in[k]->type.dim[axis];
      cut_form(n, c, ix.at[axis], start);
      cuts(n, op->in[k], to, c);
    }
  } else if (op->code == IR_PAD) {
    const int64_t *lo = ir_ints(op, A_LO, &m), *inner = ir_ints(op, A_INNER, &m);
    NestIndex to = ix;
    for (int k = 0; k < ix.n; k++) {
      if (inner[k]) return;
      to.at[k] = nest_shift(n, ix.at[k], -lo[k]);
      cut_form(n, c, to.at[k], 0);
      cut_form(n, c, to.at[k], op->in[0]->type.dim[k]);
    }
    cuts(n, op->in[0], to, c);
  } else {
    IrLower l = ir_info[op->code].lower;
    NestIndex to;
    if (l != LOWER_ELEMENT && l != LOWER_INDEX && l != LOWER_VIEW) return;
    for (int k = 0; k < op->nin; k++)
      if (nest_map(n, op, k, ix, &to)) cuts(n, op->in[k], to, c);
  }
}

void nest_cuts(Nest *n, int nvalue, IrValue *const *v, NestIndex ix, NestCuts *c) {
  for (int k = 0; k < nvalue; k++) cuts(n, v[k], ix, c);
  nest_forget(n);
}

// ---- merging axes -------------------------------------------------------------------------------------------------------

static bool digit_free(const Nest *n, const NestIndex *ix) {
  for (int k = 0; k < (ix->linear ? 1 : ix->n); k++)
    if (nest_digited(n, ix->at[k])) return false;
  return true;
}

static bool whole(Nest *n, const IrValue *v, NestIndex ix) {
  ix = normal(n, &v->type, ix);
  if (digit_free(n, &ix) || nest_seen(n, v, &ix)) return true;
  if (!nest_computes(n, v)) return !nest_digited(n, nest_linear(n, &v->type, &ix));
  const IrOp *op = v->op;
  if (op->code == IR_CONST) return ir_attr(op, A_DATA)->n == ir_dtype_bytes(v->type.dtype);
  enum IrLower l = ir_info[op->code].lower;
  if (op->nin == 0 || (l != LOWER_ELEMENT && l != LOWER_INDEX && l != LOWER_VIEW)) return false;
  for (int k = 0; k < op->nin; k++) {
    NestIndex to;
    if (!nest_map(n, op, k, ix, &to) || !whole(n, op->in[k], to)) return false;
  }
  return true;
}

bool nest_whole(Nest *n, const IrValue *v, NestIndex ix) {
  bool w = whole(n, v, ix);
  nest_forget(n);
  return w;
}
