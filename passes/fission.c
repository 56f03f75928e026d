// Takes out of a scan what does not have to be done turn by turn.
//
//   before  what depends on the turn's number and slices alone (draws from a key of the turn, the
//           input projection of a recurrent layer) is computed for all turns at once
//   sums    a carry that only adds up, products or row sums among others, (cotangents of weights) becomes one
//           product or sum over all turns; L1 leaves the order within it to dot and reduce_sum
//   behind  what only results of the turn need (output heads, log-probabilities of a rollout)
//           is computed for all turns at once
//
// Each becomes a map beside the scan, which pass_vmap then turns into ops over all turns: fewer,
// larger pieces of work. Only ops that compute something are worth the arrays this keeps: index
// maps and sums of two stay where they are, unless it keeps none.
#include <string.h>

#include "passes/passes.h"
#include "passes/simplify.h"

// Where no product is gained, an array of all turns is kept if a turn's own is short for vectors and the whole not too
// large. Of KEEP_ANY it may be whatever it is for: a number that is summed over a batch in each turn, to be logged, would tie
// rows together that otherwise go through the turns each on its own.
enum { KEEP_MOST = 16 << 20, KEEP_ANY = 1 << 17, SHORT_TURN = 512 };   // bytes, bytes, elements
#define SOME_OF 32                   // elements from which the plan computes what a condition asks for where it does [backend/plan/late.c]
// flops: a product of one turn that is as quick as one of all turns; it stays where what were kept instead is larger
#define PRODUCT_ENOUGH 16e6

typedef VEC(IrValue *) Values;

typedef struct Fission {
  PassContext *ctx;
  Arena *a;
  IrGraph *g;
  IrOp *scan;
  IrRegion *body;
  int64_t n;
  int ncarry, nslice;
  int nid;                           // values when the scan was looked at; the tables below have as many
  bool *late;                        // depends on a carry
  bool *back;                        // needed by stacked results alone
  bool *seen;                        // scratch
  Values new_x;                      // arrays to slice, besides the scan's own
  Values new_y;                      // values to stack, besides the scan's own
  Values from, to;                   // what is replaced, and by what
  bool changed;
} Fission;

static bool inside(const Fission *f, const IrValue *v) { return v->op ? v->op->parent == f->body : v->region == f->body; }

static bool straight(const IrOp *op) {
  return op->nregion == 0 && op->code != IR_QR && op->code != IR_CHOLESKY && op->code != IR_TRISOLVE && op->code != IR_CONV_DW &&
         op->code != IR_LU && op->code != IR_EIGH && op->code != IR_SVD && op->code != IR_EIG;
}

// ---- dependence ---------------------------------------------------------------------------------

static bool captures_late(Fission *f, const IrOp *op) {
  for (int s = 0; s < op->nregion; s++) {
    IrValue **outer;
    int n = ir_captures(f->a, op->sub[s], &outer);
    for (int k = 0; k < n; k++)
      if (inside(f, outer[k]) && f->late[outer[k]->id]) return true;
  }
  return false;
}

static void find_late(Fission *f) {
  f->nid = f->g->nvalue;
  f->late = arena_array(f->a, bool, f->nid);
  f->back = arena_array(f->a, bool, f->nid);
  f->seen = arena_array(f->a, bool, f->nid);
  for (int k = 0; k < f->ncarry; k++) f->late[f->body->arg[1 + k]->id] = true;
  ir_each_op(f->body, op) {
    bool late = !straight(op) || captures_late(f, op);
    for (int k = 0; k < op->nin && !late; k++) late = f->late[op->in[k]->id];
    for (int k = 0; k < op->nout; k++) f->late[op->out[k]->id] = late;
  }
}

static bool early(const Fission *f, const IrValue *v) { return v->op && inside(f, v) && !f->late[v->id]; }

static bool has_product(const IrOp *op) { return op->code == IR_DOT || op->code == IR_CONV; }

static int64_t most_kept(const IrValue *v) { return ir_count(&v->type) < SHORT_TURN ? KEEP_MOST : KEEP_ANY; }

static void clear(const Fission *f, bool *table) { memset(table, 0, sizeof *table * (size_t)f->nid); }

static void replace(Fission *f, IrValue *from, IrValue *to) {
  vec_push(f->a, &f->from, from);
  vec_push(f->a, &f->to, to);
}

// What is behind v, as far as `member` reaches: does it compute, and does it hold a product?
typedef struct Worth { bool heavy, product; double flops; } Worth;   // flops: of the largest product

static void weigh(Fission *f, const IrValue *v, bool (*member)(const Fission *, const IrValue *), bool *seen, Worth *w) {
  if (seen[v->id] || !member(f, v)) return;
  seen[v->id] = true;
  w->heavy |= ir_is_heavy(v->op);
  w->product |= has_product(v->op);
  if (v->op->code == IR_DOT) {
    const IrType *x = &v->op->in[0]->type;
    double flops = 2 * (double)ir_count(&v->type) * (double)x->dim[x->rank - (ir_int(v->op, A_TA) ? 2 : 1)];
    if (flops > w->flops) w->flops = flops;
  }
  for (int k = 0; k < v->op->nin; k++) weigh(f, v->op->in[k], member, seen, w);
}

static Worth worth(Fission *f, const IrValue *v, bool (*member)(const Fission *, const IrValue *)) {
  Worth w = {0};
  clear(f, f->seen);
  weigh(f, v, member, f->seen, &w);
  return w;
}

// ---- copies of a piece of the body into a map -----------------------------------------------------

// Copies the ops behind the roots, in order, and gives the map that computes the roots for all turns.
// `given` are further values of a turn, to be sliced from the arrays `from`.
static IrOp *map_of(Fission *f, Values roots, bool (*member)(const Fission *, const IrValue *), Values given, Values from) {
  bool *want = arena_array(f->a, bool, f->nid);
  Worth unused = {0};
  for (int k = 0; k < roots.n; k++) weigh(f, roots.at[k], member, want, &unused);
  IrValue **map = arena_array(f->a, IrValue *, f->g->nvalue);
  IrRegion *r = ir_region(f->g);
  IrBuilder b = {.graph = f->g, .at = r, .loc = f->scan->loc, .scope = f->scan->scope};
  map[f->body->arg[0]->id] = ir_arg(r, ir_scalar(IR_I32));
  Values xs = {0};
  for (int k = 0; k < f->nslice; k++) {
    IrValue *slice = f->body->arg[1 + f->ncarry + k];
    map[slice->id] = ir_arg(r, slice->type);
    vec_push(f->a, &xs, f->scan->in[f->ncarry + k]);
  }
  for (int k = 0; k < given.n; k++) {
    map[given.at[k]->id] = ir_arg(r, given.at[k]->type);
    vec_push(f->a, &xs, from.at[k]);
  }
  ir_each_op(f->body, op)
    if (op->nout && op->out[0]->id < f->nid && want[op->out[0]->id] && !map[op->out[0]->id]) ir_clone_op(&b, op, map);
  for (int k = 0; k < roots.n; k++) ir_yield(r, map[roots.at[k]->id]);
  IrAttr n = ir_attr_int(f->g->arena, A_N, f->n);
  IrBuilder out = {.graph = f->g, .at = f->scan->parent, .before = f->scan, .loc = f->scan->loc, .scope = f->scan->scope};
  return ir_build(&out, IR_MAP, xs.n, xs.at, NULL, 1, &n, 1, &r);
}

static bool has(const Values *v, const IrValue *x) {
  for (int k = 0; k < v->n; k++)
    if (v->at[k] == x) return true;
  return false;
}

// ---- before ------------------------------------------------------------------------------------------

// The values to keep so that v need not be computed in the turn: v, or what v only rearranges.
static void early_root(Fission *f, IrValue *v, Values *roots) {
  if (!early(f, v) || has(roots, v)) return;
  Worth w = worth(f, v, early);
  if (!w.heavy) return;
  IrLower lower = ir_info[v->op->code].lower;
  bool moves = lower == LOWER_INDEX || lower == LOWER_VIEW || v->op->code == IR_CAST;
  int64_t in = 0;
  for (int k = 0; k < v->op->nin; k++) in += ir_bytes(&v->op->in[k]->type);
  if (moves && ir_bytes(&v->type) >= in) {
    for (int k = 0; k < v->op->nin; k++) early_root(f, v->op->in[k], roots);
    return;
  }
  if (!w.product && ir_bytes(&v->type) * f->n > most_kept(v)) return;
  vec_push(f->a, roots, v);
}

// What a carry is set to where a condition holds that only the turn knows: the plan computes it there alone, in a turn
// that is one nest.
static bool now_and_then(Fission *f, const IrOp *op) {
  const IrValue *v = op->out[0];
  if (op->code != IR_SELECT || v->type.rank != 1 || v->type.dim[0] < SOME_OF || !f->late[op->in[0]->id]) return false;
  ir_each_op(f->body, x)
    if (x->nregion || has_product(x)) return false;
  if (ir_count_uses(f->body, v) != 1) return false;
  for (int k = 0; k < f->ncarry; k++)
    if (f->body->yield[k] == v) return true;
  return false;
}

static void early_uses(Fission *f, const IrOp *op, Values *roots) {
  bool rare = now_and_then(f, op);
  for (int k = 0; k < op->nin; k++)
    if (k != 1 || !rare) early_root(f, op->in[k], roots);
  for (int s = 0; s < op->nregion; s++) {
    IrValue **outer;
    int n = ir_captures(f->a, op->sub[s], &outer);
    for (int k = 0; k < n; k++) early_root(f, outer[k], roots);
  }
}

static void take_before(Fission *f) {
  Values roots = {0}, none = {0};
  ir_each_op(f->body, op)
    if (op->nout && f->late[op->out[0]->id]) early_uses(f, op, &roots);
  for (int k = 0; k < f->body->nyield; k++) early_root(f, f->body->yield[k], &roots);
  if (!roots.n) return;
  IrOp *map = map_of(f, roots, early, none, none);
  for (int k = 0; k < roots.n; k++) {
    vec_push(f->a, &f->new_x, map->out[k]);
    replace(f, roots.at[k], ir_arg(f->body, roots.at[k]->type));
  }
  f->changed = true;
}

// ---- sums -----------------------------------------------------------------------------------------------

static bool is_weight_product(const IrValue *v) {
  return v->op && v->op->code == IR_DOT && ir_int(v->op, A_BATCH) == 0 && ir_int(v->op, A_TA) && !ir_int(v->op, A_TB);
}

static bool is_row_sum(const IrValue *v) {
  int n = 0;
  return v->op && v->op->code == IR_SUM && ir_ints(v->op, A_AXES, &n)[0] == 0 && v->op->in[0]->type.rank < IR_MAX_RANK;
}

static bool gathers_rows(const IrValue *t) { return is_weight_product(t) || is_row_sum(t); }

// The terms of c + t1 + t2 + …, c read nowhere else.
static bool sum_terms(Fission *f, const IrValue *sum, const IrValue *carry, Values *terms) {
  if (sum == carry) return true;
  if (!sum->op || sum->op->code != IR_ADD || !inside(f, sum) || ir_count_uses(f->body, sum) != 1) return false;
  for (int side = 0; side < 2; side++) {
    IrValue *t = sum->op->in[1 - side];
    if (!inside(f, t) || !t->op || ir_count_uses(f->body, t) != 1) continue;
    if (sum_terms(f, sum->op->in[side], carry, terms)) {
      vec_push(f->a, terms, t);
      return true;
    }
  }
  return false;
}

// It pays where a term is a product or a sum over rows; the others are kept as they are.
static bool gathers(const Values *terms) {
  for (int k = 0; k < terms->n; k++)
    if (gathers_rows(terms->at[k])) return true;
  return false;
}

static int stacked(Fission *f, IrValue *v) {
  for (int k = 0; k < f->new_y.n; k++)
    if (f->new_y.at[k] == v) return k;
  vec_push(f->a, &f->new_y, v);
  return f->new_y.n - 1;
}

typedef struct Sum { int carry; Values terms; } Sum;
typedef VEC(Sum) Sums;

static Sums find_sums(Fission *f) {
  Sums sums = {0};
  for (int k = 0; k < f->ncarry; k++) {
    IrValue *carry = f->body->arg[1 + k];
    if (ir_count_uses(f->body, carry) != 1) continue;
    Sum s = {.carry = k};
    if (!sum_terms(f, f->body->yield[k], carry, &s.terms) || !gathers(&s.terms)) continue;
    for (int j = 0; j < s.terms.n; j++) {
      IrValue *t = s.terms.at[j];
      if (!gathers_rows(t)) stacked(f, t);
      for (int i = 0; gathers_rows(t) && i < t->op->nin; i++)
        if (inside(f, t->op->in[i])) stacked(f, t->op->in[i]);
    }
    f->body->yield[k] = carry;                 // dead from here on
    vec_push(f->a, &sums, s);
    f->changed = true;
  }
  return sums;
}

// All turns of v: [n, k, ..].
static IrValue *all_turns(Fission *f, IrBuilder *b, const IrOp *scan, int base, IrValue *v) {
  if (inside(f, v)) return scan->out[base + stacked(f, v)];
  IrType wide = {.dtype = v->type.dtype, .rank = v->type.rank + 1};
  int64_t axes[IR_MAX_RANK];
  wide.dim[0] = f->n;
  for (int k = 0; k < v->type.rank; k++) { wide.dim[k + 1] = v->type.dim[k]; axes[k] = k + 1; }
  return ir_broadcast(b, v, wide, axes);
}

// Joined with its first axis: [n k, ..].
static IrValue *all_rows(Fission *f, IrBuilder *b, const IrOp *scan, int base, IrValue *v) {
  IrType t = v->type;
  t.dim[0] *= f->n;
  return ir_reshape(b, all_turns(f, b, scan, base, v), t.rank, t.dim);
}

// What the term amounts to over all turns.
static IrValue *total_of(Fission *f, IrBuilder *b, const IrOp *scan, int base, IrValue *term) {
  const IrOp *t = term->op;
  if (is_weight_product(term)) return ir_dot(b, all_rows(f, b, scan, base, t->in[0]), all_rows(f, b, scan, base, t->in[1]), 0, true, false);
  int n = 0;
  int64_t axes[IR_MAX_RANK] = {0};
  bool rows = is_row_sum(term);
  const int64_t *own = rows ? ir_ints(t, A_AXES, &n) : NULL;
  for (int k = 0; k < n; k++) axes[1 + k] = own[k] + 1;
  return ir_reduce(b, IR_SUM, all_turns(f, b, scan, base, rows ? t->in[0] : term), n + 1, axes);
}

static void finish_sums(Fission *f, const IrOp *old, const IrOp *scan, int base, Sums sums) {
  for (int k = 0; k < sums.n; k++) {
    const Sum *s = &sums.at[k];
    IrBuilder b = {.graph = f->g, .at = old->parent, .before = (IrOp *)old, .loc = old->loc, .scope = old->scope};
    IrValue *total = scan->in[s->carry];
    for (int j = 0; j < s->terms.n; j++) {
      const IrOp *t = s->terms.at[j]->op;
      b.loc = t->loc;
      b.scope = t->scope;
      total = ir_bin(&b, IR_ADD, total, total_of(f, &b, scan, base, s->terms.at[j]));
    }
    replace(f, old->out[s->carry], total);
  }
}

// ---- behind -------------------------------------------------------------------------------------------------

static bool behind(const Fission *f, const IrValue *v) { return v->op && inside(f, v) && f->late[v->id] && f->back[v->id]; }

// Marks what only stacked results need: every use is by such an op or by a yield behind the carries.
static void find_behind(Fission *f) {
  bool *kept = f->seen;
  clear(f, kept);
  for (int k = 0; k < f->ncarry; k++) kept[f->body->yield[k]->id] = true;
  for (int k = 0; k < f->new_y.n; k++) kept[f->new_y.at[k]->id] = true;
  for (IrOp *op = f->body->last; op; op = op->prev) {
    bool stays = !straight(op);
    for (int k = 0; k < op->nout; k++) stays |= kept[op->out[k]->id];
    for (int k = 0; k < op->nout; k++) f->back[op->out[k]->id] = !stays;
    if (!stays) continue;
    for (int k = 0; k < op->nin; k++) kept[op->in[k]->id] = true;
    for (int s = 0; s < op->nregion; s++) {
      IrValue **outer;
      int n = ir_captures(f->a, op->sub[s], &outer);
      for (int k = 0; k < n; k++) kept[outer[k]->id] = true;
    }
  }
}

static bool is_slice_or_turn(const Fission *f, const IrValue *v) {
  return !v->op && v->region == f->body && (v->index == 0 || v->index > f->ncarry);
}

// What the ops behind the roots read of the turn, besides slices: it must be stacked.
static void boundary(Fission *f, IrValue *v, bool *seen, Values *out) {
  if (!inside(f, v) || seen[v->id] || is_slice_or_turn(f, v)) return;
  seen[v->id] = true;
  bool member = (v->op && !f->late[v->id]) || behind(f, v);
  if (!member) {
    vec_push(f->a, out, v);
    return;
  }
  for (int k = 0; k < v->op->nin; k++) boundary(f, v->op->in[k], seen, out);
}

static bool behind_or_early(const Fission *f, const IrValue *v) { return early(f, v) || behind(f, v); }

// Then v need not be stacked, and nothing else takes its place.
static bool all_stacked(const Fission *f, const Values *edge) {
  for (int j = 0; j < edge->n; j++) {
    int k = f->ncarry;
    while (k < f->body->nyield && f->body->yield[k] != edge->at[j]) k++;
    if (k == f->body->nyield) return false;
  }
  return true;
}

// Rows enough to go through the turns apart. A handful is summed as well where it stands, with less code.
static bool gains_rows(const Values *edge) {
  for (int j = 0; j < edge->n; j++)
    if (ir_count(&edge->at[j]->type) >= SOME_OF || ir_count(&edge->at[j]->type) <= 4) return true;
  return false;
}

// A product of what is stacked: nothing else would be computed for all turns.
static bool plain_product(const Fission *f, const IrValue *v) {
  while (v->op->code == IR_RESHAPE && behind(f, v->op->in[0])) v = v->op->in[0];
  if (v->op->code != IR_DOT) return false;
  for (int k = 0; k < 2; k++) {
    const IrValue *x = v->op->in[k];
    while (x->op && x->op->code == IR_RESHAPE) x = x->op->in[0];
    if (behind(f, x) || early(f, x)) return false;
  }
  return true;
}

typedef struct Behind { Values roots, given; VEC(int) result; } Behind;

static Behind find_roots(Fission *f) {
  Behind b = {0};
  find_behind(f);
  for (int k = f->ncarry; k < f->body->nyield; k++) {
    IrValue *v = f->body->yield[k];
    if (!behind(f, v)) continue;
    Worth w = worth(f, v, behind);
    clear(f, f->seen);
    Values edge = {0};
    boundary(f, v, f->seen, &edge);
    if (!w.heavy && !all_stacked(f, &edge)) continue;
    int64_t bytes = 0, own = ir_bytes(&v->type);
    for (int j = 0; j < edge.n; j++)
      if (!has(&f->new_y, edge.at[j]) && !has(&b.given, edge.at[j])) bytes += ir_bytes(&edge.at[j]->type);
    if (w.flops >= PASS_TURN_FLOPS && pass_sinks(f->a, f->g, f->scan, k)) continue;
    if (w.flops >= PRODUCT_ENOUGH && (bytes >= own || !plain_product(f, v))) continue;
    bool few = (bytes * f->n < KEEP_ANY && gains_rows(&edge)) || (bytes <= 4 * own + 256 && bytes * f->n <= most_kept(v));
    if (w.product ? bytes > 16 * own + 4096 : !few) continue;
    vec_push(f->a, &b.roots, v);
    vec_push(f->a, &b.result, k);
    for (int j = 0; j < edge.n; j++)
      if (!has(&b.given, edge.at[j])) vec_push(f->a, &b.given, edge.at[j]);
  }
  for (int k = 0; k < b.given.n; k++) stacked(f, b.given.at[k]);
  f->changed |= b.roots.n > 0;
  return b;
}

static void finish_behind(Fission *f, const IrOp *scan, int base, Behind b) {
  if (!b.roots.n) return;
  Values from = {0};
  for (int k = 0; k < b.given.n; k++) vec_push(f->a, &from, scan->out[base + stacked(f, b.given.at[k])]);
  IrOp *map = map_of(f, b.roots, behind_or_early, b.given, from);
  for (int k = 0; k < b.roots.n; k++) replace(f, f->scan->out[b.result.at[k]], map->out[k]);
}

// ---- one scan ----------------------------------------------------------------------------------------

static IrOp *with_more(Fission *f) {
  for (int k = 0; k < f->new_y.n; k++) ir_yield(f->body, f->new_y.at[k]);
  Values in = {0};
  for (int k = 0; k < f->scan->nin; k++) vec_push(f->a, &in, f->scan->in[k]);
  for (int k = 0; k < f->new_x.n; k++) vec_push(f->a, &in, f->new_x.at[k]);
  IrBuilder b = {.graph = f->g, .at = f->scan->parent, .before = f->scan, .loc = f->scan->loc, .scope = f->scan->scope};
  f->body->owner = NULL;                       // the old scan gives its region away
  f->scan->nregion = 0;
  return ir_build(&b, IR_SCAN, in.n, in.at, NULL, f->scan->nattr, f->scan->attr, 1, &f->body);
}

static bool fission_scan(PassContext *c, IrGraph *g, IrOp *scan) {
  Fission f = {.ctx = c, .a = c->arena, .g = g, .scan = scan, .body = scan->sub[0], .n = ir_int(scan, A_N)};
  f.ncarry = (int)ir_int(scan, A_NCARRY);
  f.nslice = scan->nin - f.ncarry;
  if (f.n < 2) return false;
  find_late(&f);
  Sums sums = find_sums(&f);
  Behind back = find_roots(&f);
  take_before(&f);
  if (!f.changed) return false;
  int base = scan->nout;                       // the new stacked values come behind the old results
  IrOp *more = with_more(&f);
  for (int k = 0; k < scan->nout; k++) replace(&f, scan->out[k], more->out[k]);
  finish_sums(&f, scan, more, base, sums);     // what is replaced later wins
  finish_behind(&f, more, base, back);
  IrValue **map = arena_array(f.a, IrValue *, g->nvalue);
  for (int k = 0; k < f.from.n; k++) map[f.from.at[k]->id] = f.to.at[k];
  ir_replace_all(g, map);
  ir_remove(scan);
  return true;
}

static bool fission_region(PassContext *c, IrGraph *g, IrRegion *r) {
  bool changed = false;
  for (IrOp *op = r->first, *next; op; op = next) {
    next = op->next;
    for (int k = 0; k < op->nregion; k++) changed |= fission_region(c, g, op->sub[k]);
    if (op->code == IR_SCAN) changed |= fission_scan(c, g, op);
  }
  return changed;
}

void pass_fission(PassContext *c, IrGraph *g) {
  // What a sum gathers of a turn may itself be had from what the turn stacks: seen the second time.
  for (int round = 0; round < 2 && fission_region(c, g, g->top); round++) pass_vmap(c, g);
}
