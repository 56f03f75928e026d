// A plan as text, one line a node and one line a value that it writes:
//
//   plan step: 12 nodes, arena 4096 B, const 64 B
//     nest [8, 64] linear vector 0: tanh mul sub | 3.1 kflop 8.2 kB
//       %12 h f32[8, 64] -> arena+0
//       reads %3 b, %10
//     scan n 128 | …
//       { … }
//     copy 256 B arena+0 -> state+64
#include "backend/plan.h"

#include <string.h>

typedef struct Printer {
  const Plan *plan;
  Arena *arena;
  Str s;
  int *mark, stamp;            // by value id
  int count[IR_NCODE];         // of the node's inlined ops
  VEC(const IrValue *) read;
  int depth;
} Printer;

#define P(...) str_printf(&p->s, __VA_ARGS__)

static void indent(Printer *p) {
  for (int k = 0; k < p->depth; k++) P("  ");
}

static void put_ref(Printer *p, const PlanRef *r) {
  static const char *const space[RT_NSPACE] = {"state", "setting", "out", "arena", "room", "const"};
  P("%s+%lld", space[r->space], (long long)r->offset);
  for (int k = 0; k < r->nturn; k++) P("+%lld*%s", (long long)r->turn[k].stride, r->turn[k].lanes ? "piece" : r->turn[k].loop->code == IR_MAP ? "lane" : "turn");
}

static void put_value(Printer *p, const IrValue *v) {
  P("%%%d", v->id);
  if (v->hint) P(" %s", v->hint);
}

static void put_home(Printer *p, const IrValue *v) {
  indent(p);
  put_value(p, v);
  P(" %s -> ", ir_type_text(p->arena, &v->type));
  put_ref(p, &p->plan->value[v->id].ref);
  P("\n");
}

static void put_quantity(Printer *p, double x, const char *unit) {
  static const char *const prefix[] = {"", "k", "M", "G", "T"};
  int k = 0;
  while (x >= 1000 && k < 4) x /= 1000, k++;
  P(" %.*f %s%s", k && x < 100 ? 1 : 0, x, prefix[k], unit);
}

// ---- what a node computes ------------------------------------------------------------------
static void walk(Printer *p, const IrValue *v, bool root) {
  if (p->mark[v->id] == p->stamp) return;
  p->mark[v->id] = p->stamp;
  if (!root && p->plan->value[v->id].home == PLAN_STORED) {
    vec_push(p->arena, &p->read, v);
    return;
  }
  if (!v->op) return;
  p->count[v->op->code]++;
  for (int k = 0; k < v->op->nin; k++) walk(p, v->op->in[k], false);
}

static void put_ops(Printer *p, const PlanNode *n) {
  memset(p->count, 0, sizeof p->count);
  p->read.n = 0;
  p->stamp++;
  for (int k = 0; k < n->nroot; k++) p->mark[n->root[k]->id] = 0;
  for (int k = 0; k < n->nroot; k++) walk(p, n->root[k], true);
  P(":");
  for (int c = 0; c < IR_NCODE; c++) {
    if (!p->count[c] || c == IR_CONST) continue;
    P(" %s", ir_info[c].name);
    if (p->count[c] > 1) P("*%d", p->count[c]);
  }
}

static void put_reads(Printer *p) {
  if (!p->read.n) return;
  indent(p);
  P("reads");
  for (int k = 0; k < p->read.n; k++) {
    P("%s ", k ? "," : "");
    put_value(p, p->read.at[k]);
  }
  P("\n");
}

// ---- nodes -------------------------------------------------------------------------------------
static void put_block(Printer *p, const PlanBlock *b);

static void put_domain(Printer *p, const PlanNode *n) {
  P(" [");
  for (int k = 0; k < n->rank; k++) P("%s%lld", k ? ", " : "", (long long)n->dim[k]);
  P("]");
  if (n->linear) P(" linear");
  if (n->kind == PLAN_NEST && n->vector >= n->rank) P(" vector reduced axis %d", n->vector - n->rank);
  else if (n->kind == PLAN_NEST && n->vector >= 0) P(" vector %d", n->vector);
  if (n->pieces > 1) P(" pieces %lld of %lld along %d", (long long)n->pieces, (long long)n->piece_len, n->piece_axis);
  int late = 0;
  for (int k = 0; k < n->nroot && n->late; k++) late += n->late[k];
  if (late) P(" late %d", late);
  if (n->blas) P(" blas");
  if (n->pack) P(n->pack_before ? " packed before the loop" : " packed");
}

static int nbody(const PlanNode *n) {
  if (n->kind < PLAN_SCAN) return 0;
  return n->kind == PLAN_FORK ? 2 : n->kind == PLAN_STRIPS ? 1 : n->op->nregion;
}

static const char *const kind_name[] = {"nest", "dot", "conv", "lib", "update", "copy", "scan", "map", "while", "cond", "fork", "strips"};

static void put_node(Printer *p, const PlanNode *n) {
  indent(p);
  P("%s", kind_name[n->kind]);
  if (n->kind == PLAN_COPY) {
    P(" %lld B ", (long long)n->bytes);
    put_ref(p, &n->from);
    P(" -> ");
    put_ref(p, &n->to);
    P("\n");
    return;
  }
  if (n->kind == PLAN_STRIPS) P(" %lld", (long long)n->pieces);
  else if (n->nroot) put_domain(p, n), put_ops(p, n);
  else if (n->op) P(" %s", ir_info[n->op->code].name);
  if (n->kind == PLAN_SCAN || n->kind == PLAN_MAP) P(" n %lld%s", (long long)ir_int(n->op, A_N), ir_int(n->op, A_REVERSE) ? " reversed" : "");
  if (n->kind == PLAN_MAP && n->pieces > 1) P(" pieces %lld of %lld", (long long)n->pieces, (long long)n->piece_len);
  if (n->strips) P(" in %lld strips", (long long)n->strips);
  P(" |");
  put_quantity(p, plan_flops(p->plan, n), "flop");
  put_quantity(p, (double)plan_bytes(p->plan, n), "B");
  if (n->scratch_bytes) {
    P(", scratch %lld B ", (long long)n->scratch_bytes);
    put_ref(p, &n->scratch);
  }
  if (n->op && n->op->scope) P(" in %s", n->op->scope);
  P("\n");
  p->depth++;
  if (n->nroot) put_reads(p);
  for (int k = 0; k < n->nroot; k++) put_home(p, n->root[k]);
  bool whole = !n->nroot && n->op && n->kind != PLAN_STRIPS;
  for (int k = 0; whole && k < n->op->nin; k++) {
    indent(p);
    P("of ");
    put_value(p, n->op->in[k]);
    P(" ");
    put_ref(p, &p->plan->value[n->op->in[k]->id].ref);
    P("\n");
  }
  for (int k = 0; whole && k < n->op->nout; k++) put_home(p, n->op->out[k]);
  for (int k = 0; k < nbody(n); k++) {
    indent(p);
    P("%s{\n", n->kind == PLAN_COND ? k ? "else " : "then " : n->kind == PLAN_WHILE && !k ? "test " : "");
    p->depth++;
    put_block(p, &n->body[k]);
    p->depth--;
    indent(p);
    P("}\n");
  }
  p->depth--;
}

static void put_block(Printer *p, const PlanBlock *b) {
  for (const PlanNode *n = b->first; n; n = n->next) put_node(p, n);
}

char *plan_print(Arena *a, const Plan *plan) {
  Printer printer = {.plan = plan, .arena = a, .s = {.arena = a}, .depth = 1}, *p = &printer;
  p->mark = arena_array(a, int, plan->graph->nvalue);
  P("plan %s: %d nodes, arena %lld B", plan->name, plan->nnode, (long long)plan->arena_bytes);
  if (plan->room_bytes) P(" + %lld B a thread", (long long)plan->room_bytes);
  P(", const %lld B\n", (long long)plan->const_bytes);
  for (int k = 0; k < plan->nwaste; k++) {
    const PlanWaste *w = &plan->waste[k];
    indent(p);
    P("keeps ");
    put_value(p, w->old);
    P(" by a copy of %lld B", (long long)w->bytes);
    if (w->op && w->op->loc.line) P(" at %s:%d:%d", w->op->loc.src->path, w->op->loc.line, w->op->loc.col);
    P("\n");
  }
  put_block(p, &plan->body);
  return p->s.s;
}

char *plan_node_text(Arena *a, const Plan *plan, const PlanNode *n) {
  Printer printer = {.plan = plan, .arena = a, .s = {.arena = a}}, *p = &printer;
  p->mark = arena_array(a, int, plan->graph->nvalue);
  P("%s", kind_name[n->kind]);
  if (n->kind == PLAN_COPY) P(" %lld B", (long long)n->bytes);
  else if (n->nroot) {
    put_domain(p, n);
    put_ops(p, n);
  } else P(" %s", ir_info[n->op->code].name);
  if (n->op && n->op->scope) P(" in %s", n->op->scope);
  return p->s.s;
}

static void work(Arena *a, const PlanBlock *b, PlanWork *out) {
  for (const PlanNode *n = b->first; n; n = n->next)
    if (n->kind < PLAN_SCAN) vec_push(a, out, n);
    else for (int k = 0; k < nbody(n); k++) work(a, &n->body[k], out);
}

PlanWork plan_work(Arena *a, const Plan *p) {
  PlanWork out = {0};
  work(a, &p->body, &out);
  return out;
}
