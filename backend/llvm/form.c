// Indices as sums of multiples of variables, interned, and their values.
#include "backend/llvm/nest.h"

#include <string.h>

// ---- variables ----------------------------------------------------------------------------

static int new_var(Nest *n, NestVar v) {
  v.level = n->level;
  vec_push(n->g->arena, &n->var, v);
  return n->var.n - 1;
}

int nest_var(Nest *n, int64_t lo, int64_t hi) {
  return new_var(n, (NestVar){ .lo = lo, .hi = hi, .parent = -1 });
}

int nest_value_var(Nest *n, LLVMValueRef at, int64_t lo, int64_t hi) {
  return new_var(n, (NestVar){ .at = at, .lo = lo, .hi = hi, .parent = -1 });
}

int nest_each_var(Nest *n, LLVMValueRef each, int64_t lo, int64_t hi) {
  return new_var(n, (NestVar){ .each = each, .lo = lo, .hi = hi, .parent = -1 });
}

void nest_digits(Nest *n, int var, int naxis, const int64_t *dim, int *form) {
  int64_t div = 1;
  int top = 0;
  while (top < naxis - 1 && dim[top] == 1) top++;
  for (int k = naxis - 1; k >= 0; k--) {
    form[k] = nest_const(n, 0);
    if (dim[k] == 1) continue;
    NestVar d = { .lo = 0, .hi = dim[k] - 1, .parent = var, .div = div, .mod = k == top ? 0 : dim[k] };
    div *= dim[k];
    n->var.at[var].digits++;
    int v = new_var(n, d);
    n->var.at[v].level = n->var.at[var].level;
    form[k] = nest_of(n, v);
  }
}

static bool var_defined(const Nest *n, int v) {
  const NestVar *x = &n->var.at[v];
  return x->parent >= 0 ? var_defined(n, x->parent) : x->at || x->each;
}

static bool var_laned(const Nest *n, int v) {
  const NestVar *x = &n->var.at[v];
  return x->parent >= 0 ? var_laned(n, x->parent) : v == n->lane_var || x->each;
}

// ---- forms: a hash set ------------------------------------------------------------------------

static uint64_t form_hash(const NestForm *f) {
  return base_hash((uint64_t)f->c, f->t, sizeof *f->t * (size_t)f->n);
}

static bool form_eq(const NestForm *x, const NestForm *y) {
  if (x->c != y->c || x->n != y->n) return false;
  for (int k = 0; k < x->n; k++)
    if (x->t[k].var != y->t[k].var || x->t[k].k != y->t[k].k) return false;
  return true;
}

static void grow(Nest *n) {
  int room = n->form_room ? 2 * n->form_room : 256;
  n->form_at = arena_array(n->g->arena, int, room);
  n->form_room = room;
  for (int k = 0; k < n->form.n; k++) {
    uint64_t h = form_hash(n->form.at[k]);
    while (n->form_at[h & (uint64_t)(room - 1)]) h++;
    n->form_at[h & (uint64_t)(room - 1)] = k + 1;
  }
}

static int intern(Nest *n, const NestForm *f) {
  if (2 * n->form.n >= n->form_room) grow(n);
  uint64_t h = form_hash(f), m = (uint64_t)(n->form_room - 1);
  for (; n->form_at[h & m]; h++)
    if (form_eq(n->form.at[n->form_at[h & m] - 1], f)) return n->form_at[h & m] - 1;
  size_t bytes = sizeof *f + sizeof *f->t * (size_t)f->n;
  vec_push(n->g->arena, &n->form, (NestForm *)arena_copy(n->g->arena, f, bytes));
  n->form_at[h & m] = n->form.n;
  return n->form.n - 1;
}

typedef union Wide { NestForm f; struct { int64_t c; int n; NestTerm t[FORM_TERMS]; } room; } Wide;   // f with room for its terms

int nest_const(Nest *n, int64_t c) { return intern(n, &(NestForm){ .c = c }); }

int nest_of(Nest *n, int var) {
  Wide w = { .f = { .n = 1 } };
  w.f.t[0] = (NestTerm){ var, 1 };
  return intern(n, &w.f);
}

static bool before(const Nest *n, int x, int y) {
  int lx = n->var.at[x].level, ly = n->var.at[y].level;
  return lx != ly ? lx < ly : x < y;
}

static void put(Wide *w, NestTerm t) {
  if (!t.k) return;
  ICE_IF(w->f.n == FORM_TERMS, "an index of more than %d terms", FORM_TERMS);
  w->f.t[w->f.n++] = t;
}

int nest_add(Nest *n, int fx, int fy, int64_t k) {
  const NestForm *x = n->form.at[fx], *y = n->form.at[fy];
  if (!k || (!y->n && !y->c)) return fx;
  Wide w = { .f = { .c = x->c + k * y->c } };
  int i = 0, j = 0;
  while (i < x->n || j < y->n) {
    if (i < x->n && j < y->n && x->t[i].var == y->t[j].var) {
      put(&w, (NestTerm){ x->t[i].var, x->t[i].k + k * y->t[j].k });
      i++, j++;
    } else if (j == y->n || (i < x->n && before(n, x->t[i].var, y->t[j].var))) put(&w, x->t[i++]);
    else {
      put(&w, (NestTerm){ y->t[j].var, k * y->t[j].k });
      j++;
    }
  }
  return intern(n, &w.f);
}

int nest_shift(Nest *n, int f, int64_t c) { return c ? nest_add(n, f, nest_const(n, c), 1) : f; }
int nest_scale(Nest *n, int f, int64_t k) { return k == 1 ? f : nest_add(n, nest_const(n, 0), f, k); }

int nest_near(Nest *n, int f) {
  const NestForm *x = n->form.at[f];
  for (int k = 0; k < x->n; k++) {
    const NestVar *v = &n->var.at[x->t[k].var];
    if (!v->plus) continue;
    int64_t by = x->t[k].k, c = by * v->plus;
    int rest = nest_add(n, f, nest_of(n, x->t[k].var), -by);
    return nest_near(n, nest_shift(n, nest_add(n, rest, nest_of(n, v->near), by), c));
  }
  return f;
}

// ---- questions -----------------------------------------------------------------------------------

bool nest_defined(const Nest *n, int f) {
  const NestForm *x = n->form.at[f];
  for (int k = 0; k < x->n; k++)
    if (!var_defined(n, x->t[k].var)) return false;
  return true;
}

bool nest_laned(const Nest *n, int f) {
  const NestForm *x = n->form.at[f];
  for (int k = 0; k < x->n; k++)
    if (var_laned(n, x->t[k].var)) return true;
  return false;
}

bool nest_digited(const Nest *n, int f) {
  const NestForm *x = n->form.at[f];
  for (int k = 0; k < x->n; k++)
    if (n->var.at[x->t[k].var].parent >= 0) return true;
  return false;
}

bool nest_fixed(const Nest *n, int f, int64_t *c) {
  *c = n->form.at[f]->c;
  return !n->form.at[f]->n;
}

void nest_range(const Nest *n, int f, int64_t *lo, int64_t *hi) {
  const NestForm *x = n->form.at[f];
  *lo = *hi = x->c;
  for (int k = 0; k < x->n; k++) {
    const NestVar *v = &n->var.at[x->t[k].var];
    int64_t c = x->t[k].k;
    *lo += c > 0 ? c * v->lo : c * v->hi;
    *hi += c > 0 ? c * v->hi : c * v->lo;
  }
}

int64_t nest_coef(const Nest *n, int f, int var) {
  const NestForm *x = n->form.at[f];
  for (int k = 0; k < x->n; k++)
    if (x->t[k].var == var) return x->t[k].k;
  return 0;
}

// Where all digits of a variable stand in f, each times c * its place's weight, they are c * the variable.
static int undigit(Nest *n, int f) {
  const NestForm *x = n->form.at[f];
  for (int i = 0; i < x->n; i++) {
    int p = n->var.at[x->t[i].var].parent;
    if (p < 0) continue;
    int64_t c = x->t[i].k / n->var.at[x->t[i].var].div;
    int found = 0;
    for (int j = 0; j < x->n; j++) {
      const NestVar *d = &n->var.at[x->t[j].var];
      found += d->parent == p && x->t[j].k == c * d->div;
    }
    if (found != n->var.at[p].digits) continue;
    Wide w = { .f = { .c = x->c } };
    for (int j = 0; j < x->n; j++)
      if (n->var.at[x->t[j].var].parent != p) put(&w, x->t[j]);
    return undigit(n, nest_add(n, intern(n, &w.f), nest_of(n, p), c));
  }
  return f;
}

int nest_linear(Nest *n, const IrType *t, const NestIndex *ix) {
  if (ix->linear) return ix->at[0];
  int f = nest_const(n, 0);
  int64_t stride = 1;
  for (int k = t->rank - 1; k >= 0; k--) {
    f = nest_add(n, f, ix->at[k], stride);
    stride *= t->dim[k];
  }
  return undigit(n, f);
}

NestIndex nest_index(Nest *n, const IrType *t, int rank, const int *form) {
  NestIndex ix = { .n = rank };
  for (int k = 0; k < rank; k++) ix.at[k] = t->dim[k] == 1 ? nest_const(n, 0) : form[k];
  return ix;
}

// ---- values ------------------------------------------------------------------------------------------

static NestKey key(int kind, int id, int at) {
  return (NestKey){ .kind = kind, .id = id, .ix = { .n = 1, .at = { at } } };
}

static LLVMValueRef var_scalar(Nest *n, int v) {
  NestVar x = n->var.at[v];
  if (x.parent < 0) {
    ICE_IF(!x.at, "an index is used outside of its loop");
    return x.at;
  }
  NestKey k = key(KEY_DIGIT, v, 0);
  NestReg r;
  if (nest_recall(n, k, &r)) return r.re;
  LLVMBuilderRef b = n->g->b;
  LLVMValueRef p = var_scalar(n, x.parent);
  if (x.div != 1) p = LLVMBuildUDiv(b, p, gen_i64(n->g, x.div), "");
  if (x.mod) p = LLVMBuildURem(b, p, gen_i64(n->g, x.mod), "");
  nest_remember(n, k, (NestReg){ .re = p });
  return p;
}

LLVMValueRef nest_scalar(Nest *n, int f) {
  const NestForm *x = n->form.at[f];
  if (!x->n) return gen_i64(n->g, x->c);
  NestKey k = key(KEY_FORM, 0, f);
  NestReg r;
  if (nest_recall(n, k, &r)) return r.re;
  LLVMBuilderRef b = n->g->b;
  LLVMValueRef v;
  if (x->c) v = LLVMBuildNSWAdd(b, nest_scalar(n, nest_shift(n, f, -x->c)), gen_i64(n->g, x->c), "");
  else {
    NestTerm last = x->t[x->n - 1];
    int rest = nest_add(n, f, nest_of(n, last.var), -last.k);
    LLVMValueRef base = n->form.at[rest]->n ? nest_scalar(n, rest) : NULL;
    v = var_scalar(n, last.var);
    int64_t unit = n->var.at[last.var].unit;
    ICE_IF(unit && last.k % unit, "an index that depends on a size which its kernel leaves open");
    if (unit) last.k /= unit;
    if (last.k != 1) v = LLVMBuildNSWMul(b, v, gen_i64(n->g, last.k), "");
    if (base) v = LLVMBuildNSWAdd(b, base, v, "");
  }
  nest_remember(n, k, (NestReg){ .re = v });
  return v;
}

static LLVMValueRef iota(Nest *n, LLVMTypeRef t) {
  LLVMValueRef e[64];
  for (int k = 0; k < n->lanes; k++) e[k] = LLVMConstInt(t, (unsigned long long)k, false);
  return LLVMConstVector(e, (unsigned)n->lanes);
}

static LLVMValueRef times(Nest *n, LLVMTypeRef t, LLVMValueRef v, int64_t k) {
  if (k == 1) return v;
  return LLVMBuildMul(n->g->b, v, gen_lanes(n->g, LLVMConstInt(t, (unsigned long long)k, true), n->lanes), "");
}

static LLVMValueRef var_vector(Nest *n, int v, IrDtype t) {
  NestVar x = n->var.at[v];
  LLVMBuilderRef b = n->g->b;
  LLVMTypeRef e = gen_type(n->g, t, 1), w = gen_type(n->g, t, n->lanes);
  if (x.parent >= 0) {
    LLVMValueRef p = var_vector(n, x.parent, t);
    if (x.div != 1) p = LLVMBuildUDiv(b, p, gen_lanes(n->g, LLVMConstInt(e, (unsigned long long)x.div, false), n->lanes), "");
    if (x.mod) p = LLVMBuildURem(b, p, gen_lanes(n->g, LLVMConstInt(e, (unsigned long long)x.mod, false), n->lanes), "");
    return p;
  }
  if (x.each) {
    if (LLVMTypeOf(x.each) == w) return x.each;
    return t == IR_I64 ? LLVMBuildSExt(b, x.each, w, "") : LLVMBuildTrunc(b, x.each, w, "");
  }
  LLVMValueRef at = LLVMBuildTrunc(b, x.at, e, "");
  return LLVMBuildAdd(b, gen_lanes(n->g, at, n->lanes), iota(n, e), "");
}

int nest_base(Nest *n, int f) {
  const NestForm *x = n->form.at[f];
  Wide w = { .f = { .c = x->c } };
  for (int i = 0; i < x->n; i++)
    if (!var_laned(n, x->t[i].var) || x->t[i].var == n->lane_var) put(&w, x->t[i]);
  return intern(n, &w.f);
}

LLVMValueRef nest_offsets(Nest *n, int f, IrDtype t) {
  const NestForm *x = n->form.at[f];
  LLVMTypeRef e = gen_type(n->g, t, 1);
  LLVMValueRef v = NULL;
  for (int i = 0; i < x->n; i++) {
    int a = x->t[i].var;
    if (!var_laned(n, a)) continue;
    LLVMValueRef part = times(n, e, a == n->lane_var ? iota(n, e) : var_vector(n, a, t), x->t[i].k);
    v = v ? LLVMBuildAdd(n->g->b, v, part, "") : part;
  }
  return v ? v : LLVMConstNull(gen_type(n->g, t, n->lanes));
}

LLVMValueRef nest_vector(Nest *n, int f, IrDtype t) {
  NestKey k = key(KEY_VECTOR, t, f);
  NestReg r;
  if (nest_recall(n, k, &r)) return r.re;
  LLVMBuilderRef b = n->g->b;
  int fb = nest_base(n, f);
  LLVMValueRef v = nest_offsets(n, f, t);
  if (n->form.at[fb]->n || n->form.at[fb]->c) {
    LLVMValueRef base = nest_scalar(n, fb);
    if (t != IR_I64) base = LLVMBuildTrunc(b, base, gen_type(n->g, t, 1), "");
    v = LLVMBuildAdd(b, gen_lanes(n->g, base, n->lanes), v, "");
  }
  nest_remember(n, k, (NestReg){ .re = v });
  return v;
}
