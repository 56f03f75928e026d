// Prefixes of an associative operation: associative_scan.
//
// Rows come in chunks. Each chunk is first reduced to what it amounts to; those totals are scanned in turn; then
// each chunk runs from what stands before it, all side by side: two calls of f a row, as in a tree, but rows are read twice
// and written once. Few rows, and those that one loop runs over as fast as many do, are one chunk. Only shapes decide.
//
// The derivative is the same the other way round, since the sequence of y[t] = f(y[t-1], x[t]) run backward is a scan of
// linear maps: c[t-1] = dy[t-1] + f_a'(y[t-1], x[t])^T c[t]. What a whole chunk does to a cotangent is known without its
// rows: by associativity its last row is f(what stands before it, its total). So each chunk gives what its own rows bring
// to its beginning; those are run through in turn; and each chunk runs backward from what comes behind it. Differentiating
// the loops as they stand would go through all rows twice as often.
#include "frontend/value.h"

#include <string.h>

enum {
  FEW_ROWS = 16,                   // that one loop goes through
  LIGHT_ROW = 16,                  // bytes of a row that one loop runs over as fast as over many rows at once
  LONG_ROW = 256,                  //   … where a call of f takes long
  WIDE_ROW = 2048,                 // and from which on chunks are for threads to take
  WIDE_CHUNKS = 16,                //   and then there are no more of them
  ALIAS = 4096,                    // bytes apart, rows fall into the same lines of a cache
};

typedef struct Prefix {
  Elab *e;
  Loc loc;
  IrRegion *f;                     // (a.., b..) -> f(a, b), by leaves
  int m, nk;                       // leaves of an element; what f reads from around it and carries derivatives
  IrValue **k;
  bool *one;                       // by leaf: all its rows are the same, x is that row alone
} Prefix;

// Leaves whose prefixes depend on each other (`own`), with all that they are computed from (`all`): each such group is a
// scan of its own, and what nobody reads is not run.
typedef struct Group {
  const Prefix *p;
  int64_t chunks, len;
  bool *own, *all;
} Group;

// What a group reads, outside of its own rule or inside of it: x[i]: [chunks, len, row..], or the one row.
typedef struct Given { const Group *g; IrValue **x, **k; } Given;

typedef struct Values { VEC(IrValue *) v; } Values;

static IrBuilder *at(const Prefix *p) { return &p->e->c.b; }
static void push(const Prefix *p, Values *l, IrValue *v) { vec_push(p->e->arena, &l->v, v); }

// ---- parts of arrays ---------------------------------------------------------------------------------
static IrValue *cut(const Prefix *p, IrValue *x, int axis, int64_t from, int64_t to) {
  int64_t start[IR_MAX_RANK] = {0}, limit[IR_MAX_RANK], stride[IR_MAX_RANK];
  for (int k = 0; k < x->type.rank; k++) limit[k] = x->type.dim[k], stride[k] = 1;
  start[axis] = from, limit[axis] = to;
  return ir_slice(at(p), x, start, limit, stride);
}

// n sizes in place of the first `old` axes.
static IrValue *regroup(const Prefix *p, IrValue *x, int old, int n, const int64_t *size) {
  IrType t = x->type;
  int64_t dim[IR_MAX_RANK];
  if (t.rank - old + n > IR_MAX_RANK) fail(p->e, p->loc, "join some of the axes first: flatten(x, n)", "`associative_scan` of an array of %d axes", t.rank);
  for (int j = 0; j < n; j++) dim[j] = size[j];
  for (int j = old; j < t.rank; j++) dim[j - old + n] = t.dim[j];
  return ir_reshape(at(p), x, t.rank - old + n, dim);
}

static IrValue *row(const Prefix *p, IrValue *x, int64_t k) { return regroup(p, cut(p, x, 0, k, k + 1), 1, 0, NULL); }
static IrValue *as_row(const Prefix *p, IrValue *x) { return regroup(p, x, 0, 1, (int64_t[]){1}); }
static IrValue *join(const Prefix *p, IrValue *x, IrValue *y, int axis) { return ir_concat(at(p), 2, (IrValue *[]){x, y}, axis); }
static IrValue *add(const Prefix *p, IrValue *x, IrValue *y) { return ir_bin(at(p), IR_ADD, x, y); }
static IrValue *sum(const Prefix *p, IrValue *x) { return ir_reduce(at(p), IR_SUM, x, 1, (int64_t[]){0}); }

// ---- the operation ---------------------------------------------------------------------------------
static bool any(const bool *set, int n, IrValue *const *v) {
  for (int k = 0; k < n; k++)
    if (set[v[k]->id]) return true;
  return false;
}

// Marks what the wanted yields are computed from, by value id.
static bool *needed(const Prefix *p, const bool *want) {
  bool *need = arena_array(p->e->arena, bool, p->f->graph->nvalue);
  for (int i = 0; i < p->m; i++)
    if (want[i]) need[p->f->yield[i]->id] = true;
  for (const IrOp *op = p->f->last; op; op = op->prev) {
    if (!any(need, op->nout, op->out)) continue;
    for (int k = 0; k < op->nin; k++) need[op->in[k]->id] = true;
    for (int i = 0; i < op->nregion; i++) {
      IrValue **outer;
      int n = ir_captures(p->e->arena, op->sub[i], &outer);
      for (int k = 0; k < n; k++) need[outer[k]->id] = true;
    }
  }
  return need;
}

// The wanted leaves of f(a, b).
static void combine(const Prefix *p, IrValue *const *a, IrValue *const *b, IrValue *const *k, const bool *want, IrValue **y) {
  bool *need = needed(p, want);
  IrValue **map = arena_array(p->e->arena, IrValue *, p->f->graph->nvalue);
  for (int i = 0; i < p->m; i++) map[p->f->arg[i]->id] = a[i], map[p->f->arg[p->m + i]->id] = b[i];
  for (int i = 0; i < p->nk; i++) map[p->k[i]->id] = k[i];
  ir_each_op(p->f, op)
    if (any(need, op->nout, op->out)) ir_clone_op(at(p), op, map);
  for (int i = 0; i < p->m; i++) {
    IrValue *v = p->f->yield[i];
    if (want[i]) y[i] = map[v->id] ? map[v->id] : v;
  }
}

// c, a cotangent of the group's own leaves of f(a, b), as those of a, of b and of what f reads from around it.
static void pull(const Given *v, IrValue *const *a, IrValue *const *b, IrValue *const *c, IrValue **da, IrValue **db, IrValue **dk) {
  const Group *g = v->g;
  const Prefix *p = g->p;
  int m = p->m, nx = 0, ny = 0;
  Values in = {0};
  IrValue **la = arena_array(p->e->arena, IrValue *, m), **lb = arena_array(p->e->arena, IrValue *, m);
  IrValue **lk = arena_array(p->e->arena, IrValue *, p->nk), **y = arena_array(p->e->arena, IrValue *, m);
  Region reg = region_open(p->e);
  for (int i = 0; i < m; i++)
    if (g->own[i]) push(p, &in, a[i]), la[i] = ir_arg(reg.r, a[i]->type);
  for (int i = 0; i < m; i++)
    if (g->all[i]) push(p, &in, b[i]), lb[i] = ir_arg(reg.r, b[i]->type);
  for (int i = 0; i < p->nk; i++) push(p, &in, v->k[i]), lk[i] = ir_arg(reg.r, v->k[i]->type);
  nx = in.v.n;
  combine(p, la, lb, lk, g->own, y);
  for (int i = 0; i < m; i++)
    if (g->own[i]) ir_yield(reg.r, y[i]), push(p, &in, c[i]), ny++;
  region_close(p->e, &reg);
  IrAttr attr[2] = {ir_attr_int(p->e->arena, A_NX, nx), ir_attr_int(p->e->arena, A_NY, ny)};
  IrValue **out = control_op(p->e, p->loc, IR_VJP, in.v.n, in.v.at, 2, attr, 1, &reg.r)->out + ny;
  for (int i = 0; i < m; i++)
    if (g->own[i]) da[i] = *out++;
  for (int i = 0; i < m; i++)
    if (g->all[i]) db[i] = *out++;
  for (int i = 0; i < p->nk; i++) dk[i] = *out++;
}

// ---- loops over leaves -----------------------------------------------------------------------------------
// Operands of a map or a scan: `carry` of them first. What one of them is inside is found by the same walk.
typedef struct Loop {
  const Prefix *p;
  Region reg;
  Values in;
  int ncarry, next;                // the next argument to be handed out
  bool scan, reverse;
  int64_t n;
} Loop;

static void loop_in(Loop *l, IrValue *v, bool carry) {
  push(l->p, &l->in, v);
  l->ncarry += carry;
}

static void loop_open(Loop *l) {
  l->reg = region_open(l->p->e);
  ir_arg(l->reg.r, ir_scalar(IR_I32));
  for (int k = 0; k < l->in.v.n; k++) {
    IrType t = l->in.v.at[k]->type;
    ir_arg(l->reg.r, k < l->ncarry ? t : ir_type(t.dtype, t.rank - 1, t.dim + 1));
  }
  l->next = 1;
}

static IrValue *loop_arg(Loop *l) { return l->reg.r->arg[l->next++]; }
static void loop_out(Loop *l, IrValue *v) { ir_yield(l->reg.r, v); }

static IrValue **loop_close(Loop *l) {
  Elab *e = l->p->e;
  region_close(e, &l->reg);
  IrAttr attr[3] = {ir_attr_int(e->arena, A_N, l->n), ir_attr_int(e->arena, A_REVERSE, l->reverse), ir_attr_int(e->arena, A_NCARRY, l->ncarry)};
  return control_op(e, l->p->loc, l->scan ? IR_SCAN : IR_MAP, l->in.v.n, l->in.v.at, l->scan ? 3 : 1, attr, 1, &l->reg.r)->out;
}

static IrValue **leaves(const Prefix *p) { return arena_array(p->e->arena, IrValue *, p->m + p->nk); }

#define EACH(i, set) for (int i = 0; i < p->m; i++) if (set[i])

// Arguments for the leaves of a set; of those that are one row, that row.
static IrValue **rows_in(Loop *l, const Given *v) {
  const Prefix *p = l->p;
  IrValue **x = leaves(p);
  EACH(i, v->g->all) x[i] = p->one[i] ? v->x[i] : loop_arg(l);
  return x;
}

static IrValue **own_in(Loop *l, const Group *g) {
  const Prefix *p = l->p;
  IrValue **x = leaves(p);
  EACH(i, g->own) x[i] = loop_arg(l);
  return x;
}

// ---- forward ---------------------------------------------------------------------------------------------
// From `first` through the rows that `x` holds from its second on (x: of one chunk). The loop stacks what it
// has before each turn, just what the derivative reads: so the last row comes alone.
static void run(const Given *v, const bool *set, int64_t len, IrValue **first, IrValue *const *x, IrValue **before, IrValue **last) {
  const Prefix *p = v->g->p;
  Loop l = {.p = p, .scan = true, .n = len - 1};
  IrValue **y = leaves(p);
  EACH(i, set) loop_in(&l, first[i], true);
  EACH(i, v->g->all) if (!p->one[i]) loop_in(&l, cut(p, x[i], 0, 1, len), false);
  loop_open(&l);
  IrValue **a = leaves(p);
  EACH(i, set) a[i] = loop_arg(&l);
  combine(p, a, rows_in(&l, v), v->k, set, y);
  EACH(i, set) loop_out(&l, y[i]);
  EACH(i, set) if (before) loop_out(&l, a[i]);
  IrValue **out = loop_close(&l);
  EACH(i, set) last[i] = *out++;
  EACH(i, set) if (before) before[i] = *out++;
}

// What each chunk amounts to: [chunks, row..]. Nobody asks for the last one's, but all are read where they stand.
static IrValue **totals(const Given *v) {
  const Group *g = v->g;
  const Prefix *p = g->p;
  Loop l = {.p = p, .n = g->chunks};
  EACH(i, g->all) if (!p->one[i]) loop_in(&l, v->x[i], false);
  loop_open(&l);
  IrValue **x = rows_in(&l, v), **first = leaves(p), **total = leaves(p);
  EACH(i, g->all) first[i] = p->one[i] ? x[i] : row(p, x[i], 0);
  run(v, g->all, g->len, first, x, NULL, total);
  EACH(i, g->all) loop_out(&l, total[i]);
  IrValue **out = loop_close(&l);
  EACH(i, g->all) total[i] = *out++;
  return total;
}

// The first row of each chunk but the first one's, as operands of a map over them.
static void heads_in(Loop *l, const Given *v) {
  const Prefix *p = l->p;
  int64_t n = v->g->chunks;
  EACH(i, v->g->all)
    if (!p->one[i]) loop_in(l, regroup(p, cut(p, cut(p, v->x[i], 0, 1, n), 1, 0, 1), 2, 1, &l->n), false);
}

// before: [chunks, len - 1, row..], last: [chunks, row..].
static void forward(const Given *v, IrValue **before, IrValue **last) {
  const Group *g = v->g;
  const Prefix *p = g->p;
  int64_t n = g->chunks;
  IrValue **total = totals(v), **y = leaves(p), **first = leaves(p), **ahead = leaves(p);
  Loop l = {.p = p, .scan = true, .n = n - 2};
  EACH(i, g->own) loop_in(&l, row(p, total[i], 0), true);
  EACH(i, g->all) loop_in(&l, cut(p, total[i], 0, 1, n - 1), false);
  loop_open(&l);
  IrValue **a = own_in(&l, g), **b = leaves(p);
  EACH(i, g->all) b[i] = loop_arg(&l);
  combine(p, a, b, v->k, g->own, y);
  EACH(i, g->own) loop_out(&l, y[i]);
  EACH(i, g->own) loop_out(&l, y[i]);
  IrValue **out = loop_close(&l);
  EACH(i, g->own) out++;
  EACH(i, g->own) ahead[i] = join(p, cut(p, total[i], 0, 0, 1), *out++, 0);

  l = (Loop){.p = p, .n = n - 1};
  EACH(i, g->own) loop_in(&l, ahead[i], false);
  heads_in(&l, v);
  loop_open(&l);
  a = own_in(&l, g);
  combine(p, a, rows_in(&l, v), v->k, g->own, y);
  EACH(i, g->own) loop_out(&l, y[i]);
  out = loop_close(&l);
  EACH(i, g->own) first[i] = join(p, as_row(p, p->one[i] ? v->x[i] : row(p, row(p, v->x[i], 0), 0)), *out++, 0);

  l = (Loop){.p = p, .n = n};
  EACH(i, g->own) loop_in(&l, first[i], false);
  EACH(i, g->all) if (!p->one[i]) loop_in(&l, v->x[i], false);
  loop_open(&l);
  a = own_in(&l, g);
  run(v, g->own, g->len, a, rows_in(&l, v), before, last);
  EACH(i, g->own) loop_out(&l, before[i]);
  EACH(i, g->own) loop_out(&l, last[i]);
  out = loop_close(&l);
  EACH(i, g->own) before[i] = *out++;
  EACH(i, g->own) last[i] = *out++;
}

// ---- backward --------------------------------------------------------------------------------------------
typedef struct Results { IrValue **before, **last, **dbefore, **dlast; } Results;

// A chunk's rows backward, from c behind its last one: what comes before its first. With `dx`, also the cotangents of its
// rows but the first ([len - 1, row..]), of what is one row for all and of what f reads from around it.
static void run_back(const Given *v, IrValue *const *c, IrValue *const *before, IrValue *const *dbefore, IrValue *const *x, IrValue **dx,
                     IrValue **dk, IrValue **first) {
  const Group *g = v->g;
  const Prefix *p = g->p;
  Loop l = {.p = p, .scan = true, .reverse = true, .n = g->len - 1};
  IrValue **sum_x = leaves(p), **sum_k = leaves(p), **da = leaves(p), **db = leaves(p), **d = leaves(p);
  EACH(i, g->own) loop_in(&l, c[i], true);
  if (dx) {
    EACH(i, g->all) if (p->one[i]) loop_in(&l, ir_fill(at(p), v->x[i]->type, 0), true);
    for (int i = 0; i < p->nk; i++) loop_in(&l, ir_fill(at(p), v->k[i]->type, 0), true);
  }
  EACH(i, g->own) loop_in(&l, before[i], false);
  EACH(i, g->own) loop_in(&l, dbefore[i], false);
  EACH(i, g->all) if (!p->one[i]) loop_in(&l, cut(p, x[i], 0, 1, g->len), false);
  loop_open(&l);
  IrValue **cot = own_in(&l, g);
  if (dx) {
    EACH(i, g->all) if (p->one[i]) sum_x[i] = loop_arg(&l);
    for (int i = 0; i < p->nk; i++) sum_k[i] = loop_arg(&l);
  }
  IrValue **y = own_in(&l, g), **dy = own_in(&l, g), **b = rows_in(&l, v);
  pull(v, y, b, cot, da, db, d);
  EACH(i, g->own) loop_out(&l, add(p, dy[i], da[i]));
  if (dx) {
    EACH(i, g->all) if (p->one[i]) loop_out(&l, add(p, sum_x[i], db[i]));
    for (int i = 0; i < p->nk; i++) loop_out(&l, add(p, sum_k[i], d[i]));
    EACH(i, g->all) if (!p->one[i]) loop_out(&l, db[i]);
  }
  IrValue **out = loop_close(&l);
  EACH(i, g->own) first[i] = *out++;
  if (!dx) return;
  EACH(i, g->all) if (p->one[i]) dx[i] = *out++;
  for (int i = 0; i < p->nk; i++) dk[i] = *out++;
  EACH(i, g->all) if (!p->one[i]) dx[i] = *out++;
}

// All chunks backward, side by side.
static void all_back(const Given *v, const Results *r, IrValue *const *behind, IrValue **dx, IrValue **dk, IrValue **first) {
  const Group *g = v->g;
  const Prefix *p = g->p;
  Loop l = {.p = p, .n = g->chunks};
  EACH(i, g->own) loop_in(&l, behind[i], false);
  EACH(i, g->own) loop_in(&l, r->before[i], false);
  EACH(i, g->own) loop_in(&l, r->dbefore[i], false);
  EACH(i, g->all) if (!p->one[i]) loop_in(&l, v->x[i], false);
  loop_open(&l);
  IrValue **c = own_in(&l, g), **before = own_in(&l, g), **dbefore = own_in(&l, g);
  run_back(v, c, before, dbefore, rows_in(&l, v), dx, dk, first);
  EACH(i, g->own) loop_out(&l, first[i]);
  if (dx) {
    EACH(i, g->all) loop_out(&l, dx[i]);
    for (int i = 0; i < p->nk; i++) loop_out(&l, dk[i]);
  }
  IrValue **out = loop_close(&l);
  EACH(i, g->own) first[i] = *out++;
  if (!dx) return;
  EACH(i, g->all) dx[i] = *out++;
  for (int i = 0; i < p->nk; i++) dk[i] = *out++;
}

// The first rows of all chunks but the first, backward through f; `first`: the cotangent of each chunk's own first result.
static void heads_back(const Given *v, const Results *r, IrValue *const *first, IrValue **da, IrValue **db, IrValue **dk) {
  const Group *g = v->g;
  const Prefix *p = g->p;
  Loop l = {.p = p, .n = g->chunks - 1};
  EACH(i, g->own) loop_in(&l, cut(p, r->last[i], 0, 0, l.n), false);
  EACH(i, g->own) loop_in(&l, cut(p, first[i], 0, 1, g->chunks), false);
  heads_in(&l, v);
  loop_open(&l);
  IrValue **y = own_in(&l, g), **c = own_in(&l, g);
  pull(v, y, rows_in(&l, v), c, da, db, dk);
  EACH(i, g->own) loop_out(&l, da[i]);
  EACH(i, g->all) loop_out(&l, db[i]);
  for (int i = 0; i < p->nk; i++) loop_out(&l, dk[i]);
  IrValue **out = loop_close(&l);
  EACH(i, g->own) da[i] = *out++;
  EACH(i, g->all) db[i] = *out++;
  for (int i = 0; i < p->nk; i++) dk[i] = *out++;
}

// The cotangent behind each chunk's last row: [chunks, row..].
static IrValue **behind_chunks(const Given *v, const Results *r) {
  const Group *g = v->g;
  const Prefix *p = g->p;
  int64_t n = g->chunks;
  IrValue **da = leaves(p), **db = leaves(p), **dk = leaves(p), **first = leaves(p), **brought = leaves(p), **behind = leaves(p);
  all_back(v, r, r->dlast, NULL, NULL, first);
  heads_back(v, r, first, brought, db, dk);
  IrValue **total = totals(v), **b = leaves(p);
  Loop l = {.p = p, .scan = true, .reverse = true, .n = n - 2};
  EACH(i, g->own) loop_in(&l, row(p, brought[i], n - 2), true);
  EACH(i, g->own) loop_in(&l, cut(p, brought[i], 0, 0, n - 2), false);
  EACH(i, g->own) loop_in(&l, cut(p, r->last[i], 0, 0, n - 2), false);
  EACH(i, g->all) loop_in(&l, cut(p, total[i], 0, 1, n - 1), false);
  loop_open(&l);
  IrValue **c = own_in(&l, g), **own = own_in(&l, g), **y = own_in(&l, g);
  EACH(i, g->all) b[i] = loop_arg(&l);
  pull(v, y, b, c, da, db, dk);
  EACH(i, g->own) loop_out(&l, add(p, own[i], da[i]));
  EACH(i, g->own) loop_out(&l, c[i]);
  IrValue **out = loop_close(&l);
  EACH(i, g->own) behind[i] = as_row(p, *out++);
  EACH(i, g->own) {
    int64_t none[IR_MAX_RANK] = {0}, one[IR_MAX_RANK] = {1};
    behind[i] = add(p, r->dlast[i], ir_pad(at(p), join(p, behind[i], *out++, 0), none, one, none));
  }
  return behind;
}

static void backward(const Given *v, const Results *r, IrValue **dx, IrValue **dk) {
  const Group *g = v->g;
  const Prefix *p = g->p;
  int64_t n = g->chunks;
  IrValue **behind = behind_chunks(v, r), **first = leaves(p), **da = leaves(p), **db = leaves(p), **d = leaves(p);
  all_back(v, r, behind, dx, dk, first);

  // The first row of the first chunk is what comes before; those of the others went through f.
  heads_back(v, r, first, da, db, d);
  EACH(i, g->all) {
    IrValue *head = db[i], *start = g->own[i] ? cut(p, first[i], 0, 0, 1) : NULL;
    if (p->one[i]) {
      dx[i] = add(p, sum(p, dx[i]), sum(p, head));
      if (start) dx[i] = add(p, dx[i], regroup(p, start, 1, 0, NULL));
      continue;
    }
    head = join(p, start ? start : ir_fill(at(p), cut(p, head, 0, 0, 1)->type, 0), head, 0);
    dx[i] = join(p, regroup(p, head, 1, 2, (int64_t[]){n, 1}), dx[i], 1);
  }
  for (int i = 0; i < p->nk; i++) dk[i] = add(p, sum(p, dk[i]), sum(p, d[i]));
}

// ---- groups ------------------------------------------------------------------------------------------------
// One op whose derivative is known: what it reads comes in as operands.
static void with_rule(const Given *v, IrValue **before, IrValue **last) {
  const Group *g = v->g;
  const Prefix *p = g->p;
  Arena *a = p->e->arena;
  Values x = {0};
  EACH(i, g->all) push(p, &x, v->x[i]);
  for (int i = 0; i < p->nk; i++) push(p, &x, v->k[i]);
  IrRegion *sub[2];
  IrType *t = arena_array(a, IrType, 2 * p->m);
  int ny = 0;
  for (int s = 0; s < 2; s++) {
    Region reg = region_open(p->e);
    sub[s] = reg.r;
    Given own = {g, leaves(p), leaves(p)};
    EACH(i, g->all) own.x[i] = ir_arg(reg.r, v->x[i]->type);
    for (int i = 0; i < p->nk; i++) own.k[i] = ir_arg(reg.r, v->k[i]->type);
    if (s == 0) {
      IrValue **b = leaves(p), **l = leaves(p);
      forward(&own, b, l);
      EACH(i, g->own) ir_yield(reg.r, b[i]), t[ny++] = b[i]->type;
      EACH(i, g->own) ir_yield(reg.r, l[i]), t[ny++] = l[i]->type;
    } else {
      Results r = {leaves(p), leaves(p), leaves(p), leaves(p)};
      IrValue **list[4] = {r.before, r.last, r.dbefore, r.dlast}, **dx = leaves(p), **dk = leaves(p);
      for (int j = 0, k = 0; j < 4; j++)
        EACH(i, g->own) list[j][i] = ir_arg(reg.r, t[k++ % ny]);
      backward(&own, &r, dx, dk);
      EACH(i, g->all) ir_yield(reg.r, dx[i]);
      for (int i = 0; i < p->nk; i++) ir_yield(reg.r, dk[i]);
    }
    region_close(p->e, &reg);
  }
  IrAttr attr[3] = {ir_attr_int(a, A_NX, x.v.n), ir_attr_int(a, A_NY, ny), ir_attr_int(a, A_EXACT, 1)};
  IrValue **out = control_op(p->e, p->loc, IR_CUSTOM, x.v.n, x.v.at, 3, attr, 2, sub)->out;
  EACH(i, g->own) before[i] = *out++;
  EACH(i, g->own) last[i] = *out++;
}

// depends[i * 2m + j]: leaf i of f(a, b) on leaf j of a, or of b from m on.
static bool *dependence(const Prefix *p) {
  bool *d = arena_array(p->e->arena, bool, 2 * p->m * p->m);
  for (int i = 0; i < p->m; i++) {
    bool *want = arena_array(p->e->arena, bool, p->m);
    want[i] = true;
    const bool *need = needed(p, want);
    for (int j = 0; j < 2 * p->m; j++) d[i * 2 * p->m + j] = need[p->f->arg[j]->id];
  }
  return d;
}

// The group of a leaf, grown to a fixed point.
static void group_of(Group *g, const bool *depends, int leaf) {
  int m = g->p->m;
  g->own = arena_array(g->p->e->arena, bool, m);
  g->all = arena_array(g->p->e->arena, bool, m);
  g->own[leaf] = true;
  for (bool again = true; again;) {
    again = false;
    for (int i = 0; i < m; i++)
      for (int j = 0; j < m; j++) {
        bool of_a = depends[2 * i * m + j], of_b = depends[(2 * i + 1) * m + j];
        if (of_a && g->own[i] != g->own[j]) g->own[i] = g->own[j] = again = true;
        if (!g->all[j] && (g->own[j] || (g->own[i] && of_b) || (g->all[i] && (of_a || of_b)))) g->all[j] = again = true;
      }
  }
}

static bool has_rule(const Group *g) {
  const Prefix *p = g->p;
  EACH(i, g->all) if (!ir_is_diff(p->f->arg[i]->type.dtype)) return false;
  return differentiable(p->e, p->f);
}

static bool is_heavy(const IrRegion *f) {
  ir_each_op(f, op)
    if (ir_is_heavy(op)) return true;
  return false;
}

// Of what differs from row to row.
static int64_t row_bytes(const Prefix *p) {
  int64_t bytes = 0;
  for (int i = 0; i < p->m; i++) bytes += p->one[i] ? 0 : ir_bytes(&p->f->arg[i]->type);
  return bytes;
}

static void in_turn(const Prefix *p, IrValue *const *x, int64_t n, IrValue **y) {
  bool *all = arena_array(p->e->arena, bool, p->m);
  Group g = {p, 1, n, all, all};
  Given v = {&g, leaves(p), p->k};
  IrValue **first = leaves(p), **before = leaves(p), **last = leaves(p);
  for (int i = 0; i < p->m; i++) {
    all[i] = true;
    first[i] = row(p, x[i], 0);
    v.x[i] = p->one[i] ? first[i] : x[i];
  }
  run(&v, all, n, first, v.x, before, last);
  for (int i = 0; i < p->m; i++) y[i] = join(p, before[i], as_row(p, last[i]), 0);
}

// `rest` rows are left over when all chunks are equally long: they go in turn.
static void in_chunks(const Group *g, IrValue *const *x, int64_t rest, IrValue **y) {
  const Prefix *p = g->p;
  int64_t n = g->chunks * g->len;
  Given v = {g, leaves(p), p->k};
  IrValue **before = leaves(p), **last = leaves(p), **tail = leaves(p);
  EACH(i, g->all) v.x[i] = p->one[i] ? row(p, x[i], 0) : regroup(p, cut(p, x[i], 0, 0, n), 1, 2, (int64_t[]){g->chunks, g->len});
  if (has_rule(g)) with_rule(&v, before, last);
  else forward(&v, before, last);
  EACH(i, g->own) {
    y[i] = regroup(p, join(p, before[i], regroup(p, last[i], 1, 2, (int64_t[]){g->chunks, 1}), 1), 2, 1, &n);
    last[i] = row(p, last[i], g->chunks - 1);
  }
  if (!rest) return;
  EACH(i, g->all) tail[i] = p->one[i] ? v.x[i] : cut(p, x[i], 0, n - 1, n + rest);
  run(&v, g->own, rest + 1, last, tail, before, last);
  EACH(i, g->own) {
    if (rest > 1) y[i] = join(p, y[i], cut(p, before[i], 0, 1, rest), 0);
    y[i] = join(p, y[i], as_row(p, last[i]), 0);
  }
}

static bool one_row(const IrValue *v) {
  if (!v->op || v->op->code != IR_BROADCAST) return false;
  int n;
  const int64_t *axes = ir_ints(v->op, A_AXES, &n);
  return !n || axes[0] > 0;
}

// The operation as a region over an element's leaves, and what it reads from around.
static void operation(Prefix *p, Value *f, Value *x, const Leaves *l) {
  Elab *e = p->e;
  Region reg = region_open(e);
  for (int s = 0; s < 2; s++)
    for (int i = 0; i < p->m; i++) {
      IrType t = l->v.at[i]->type;
      ir_arg(reg.r, ir_type(t.dtype, t.rank - 1, t.dim + 1));
    }
  int at = 0;
  Value *a = value_rebuild(e, x, reg.r->arg, &at), *b = value_rebuild(e, x, reg.r->arg, &at);
  Value *both = apply_values(e, f, 2, (Value *[]){a, b}, p->loc);
  Leaves y = {0};
  value_leaves(e, coerce(e, both, type_of(e, b), e->c.b.loc, "what `associative_scan` combines"), NULL, &y);
  for (int i = 0; i < p->m; i++) ir_yield(reg.r, y.v.at[i]);
  if (region_close(e, &reg)) fail(e, p->loc, "log outside of it", "`log` inside what `associative_scan` combines by");
  p->f = reg.r;
  IrValue **outer;
  int n = ir_captures(e->arena, p->f, &outer);
  p->k = arena_array(e->arena, IrValue *, n);
  for (int k = 0; k < n; k++)
    if (ir_is_diff(outer[k]->type.dtype) && !(outer[k]->op && outer[k]->op->code == IR_CONST)) p->k[p->nk++] = outer[k];
}

Value *associative_scan(Elab *e, Value *f, Value *x, int64_t n, Loc loc) {
  if (n < 2) return x;
  Leaves l = {0};
  value_leaves(e, x, NULL, &l);
  Prefix prefix = {.e = e, .loc = loc, .m = l.v.n, .one = arena_array(e->arena, bool, l.v.n)}, *p = &prefix;
  operation(p, f, x, &l);
  for (int i = 0; i < p->m; i++) p->one[i] = one_row(l.v.at[i]);
  IrValue **y = leaves(p);
  int64_t width = row_bytes(p), chunks = 1, most = width < WIDE_ROW ? n : WIDE_CHUNKS;
  while (chunks * chunks * 4 <= n && chunks < most) chunks *= 2;
  bool narrow = width < (is_heavy(p->f) ? LONG_ROW : LIGHT_ROW);
  if (n <= FEW_ROWS || chunks < 4 || (!narrow && width < WIDE_ROW)) in_turn(p, l.v.at, n, y);
  else {
    Group g = {.p = p, .chunks = chunks, .len = n / chunks};
    if (narrow && g.len > FEW_ROWS && g.len * width % ALIAS == 0) g.len--;
    const bool *depends = dependence(p);
    for (int i = 0; i < p->m; i++) {
      if (y[i]) continue;
      group_of(&g, depends, i);
      in_chunks(&g, l.v.at, n - g.chunks * g.len, y);
    }
  }
  int at = 0;
  return value_rebuild(e, x, y, &at);
}
