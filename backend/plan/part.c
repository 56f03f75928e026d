// States that are read and written part by part, as the weights of layers that straight code goes through (passes/unroll.c),
// are planned as so many states: each new part lies over the old one, whatever is still read of the others.
#include "backend/plan/state.h"

typedef struct Parting {
  Arena *a;
  const IrGraph *g;
  const PlanInterface *io;
  bool *sliced, *other;              // by input: used by slices of one index of the first axis; used in another way
  int *written;                      // by input: the output that is its new value, plus one
  int *state;                        // by output: the input whose new value it is, if that comes apart, plus one
} Parting;

static int64_t part_bytes(const IrType *t) { return ir_bytes(t) / t->dim[0]; }

static bool is_input(const Parting *p, const IrValue *v) { return v->region == p->g->top; }

// Of an input, one index of the first axis and all of the others?
static bool is_part(const Parting *p, const IrOp *op) {
  if (op->code != IR_SLICE || op->parent != p->g->top || !is_input(p, op->in[0]) || op->out[0]->type.dim[0] != 1) return false;
  for (int k = 1; k < op->out[0]->type.rank; k++)
    if (op->out[0]->type.dim[k] != op->in[0]->type.dim[k]) return false;
  return true;
}

static bool is_state(const Parting *p, int in, int out) { return same_port(&p->io->in[in], &p->io->out[out]); }

// One part behind another?
static bool is_of_parts(const IrValue *v) {
  if (!v->op || v->op->code != IR_CONCAT || ir_int(v->op, A_AXIS)) return false;
  for (int k = 0; k < v->op->nin; k++)
    if (v->op->in[k]->type.dim[0] != 1) return false;
  return true;
}

static void find_uses(Parting *p, const IrRegion *r) {
  ir_each_op(r, op) {
    bool part = is_part(p, op);
    for (int k = 0; k < op->nin; k++)
      if (is_input(p, op->in[k])) (part ? p->sliced : p->other)[op->in[k]->index] = true;
    for (int k = 0; k < op->nregion; k++) find_uses(p, op->sub[k]);
  }
  for (int k = 0; k < r->nyield; k++) {
    const IrValue *v = r->yield[k];
    if (is_input(p, v) && (r->owner || !is_state(p, v->index, k))) p->other[v->index] = true;
  }
}

static bool comes_apart(const Parting *p, int k) {
  if (!p->sliced[k] || p->other[k]) return false;
  const IrValue *y = p->written[k] ? p->g->top->yield[p->written[k] - 1] : NULL;
  return !y || y == p->g->top->arg[k] || is_of_parts(y);
}

static PlanPort port_at(PlanPort p, int64_t bytes) { return (PlanPort){p.space, p.offset + bytes}; }

static const char *name_at(Arena *a, const char *name, int64_t i) { return name ? arena_printf(a, "%s[%lld]", name, (long long)i) : NULL; }

static IrValue *input_part(Parting *p, IrGraph *g, int k, int64_t i) {
  IrType t = p->g->top->arg[k]->type;
  t.dim[0] = 1;
  IrValue *v = ir_input(g, t, name_at(p->a, p->g->in_name[k], i));
  v->hint = name_at(p->a, p->g->top->arg[k]->hint, i);
  return v;
}

typedef struct Ports { VEC(PlanPort) v; } Ports;

// Part 0 of what comes apart has the place of the whole among inputs and outputs, the others follow behind all.
static IrGraph *in_parts(Parting *p, const bool *apart, PlanInterface *io) {
  const IrRegion *r = p->g->top;
  IrGraph *g = ir_graph(p->a, p->g->name);
  Ports in = {0}, out = {0};
  IrValue **map = arena_array(p->a, IrValue *, p->g->nvalue), ***part = arena_array(p->a, IrValue **, r->narg + 1);
  for (int k = 0; k < r->narg; k++) {
    const IrValue *x = r->arg[k];
    if (apart[k]) {
      part[k] = arena_array(p->a, IrValue *, x->type.dim[0]);
      part[k][0] = input_part(p, g, k, 0);
    } else {
      map[x->id] = ir_input(g, x->type, p->g->in_name[k]);
      map[x->id]->hint = x->hint;
    }
    vec_push(p->a, &in.v, p->io->in[k]);
  }
  for (int k = 0; k < r->narg; k++)
    for (int64_t i = 1; apart[k] && i < r->arg[k]->type.dim[0]; i++) {
      part[k][i] = input_part(p, g, k, i);
      vec_push(p->a, &in.v, port_at(p->io->in[k], i * part_bytes(&r->arg[k]->type)));
    }
  IrBuilder b = {.graph = g, .at = g->top};
  ir_each_op(r, op) {
    bool taken = is_part(p, op) && apart[op->in[0]->index];
    if (taken) map[op->out[0]->id] = part[op->in[0]->index][ir_ints(op, A_START, NULL)[0]];
    else ir_clone_op(&b, op, map);
  }
  for (int64_t i = 0, more = 1; more; i++) {
    more = 0;
    for (int k = 0; k < r->nyield; k++) {
      const IrValue *y = r->yield[k];
      int state = p->state[k] - 1;
      int64_t n = state < 0 ? 1 : r->arg[state]->type.dim[0];
      if (i >= n) continue;
      more |= i + 1 < n;
      IrValue *v = state < 0 ? map[y->id] : y == r->arg[state] ? part[state][i] : map[y->op->in[i]->id];
      ir_output(g, v, state < 0 ? p->g->out_name[k] : name_at(p->a, p->g->out_name[k], i));
      vec_push(p->a, &out.v, state < 0 ? p->io->out[k] : port_at(p->io->out[k], i * part_bytes(&y->type)));
    }
  }
  *io = (PlanInterface){in.v.at, out.v.at};
  return g;
}

const IrGraph *plan_part_states(Arena *a, const IrGraph *g, PlanInterface *io) {
  const IrRegion *r = g->top;
  Parting p = {.a = a, .g = g, .io = io};
  p.sliced = arena_array(a, bool, r->narg + 1);
  p.other = arena_array(a, bool, r->narg + 1);
  p.written = arena_array(a, int, r->narg + 1);
  p.state = arena_array(a, int, r->nyield + 1);
  find_uses(&p, r);
  bool *apart = arena_array(a, bool, r->narg + 1), any = false;
  for (int k = 0; k < r->narg; k++) {
    for (int i = 0; i < r->nyield; i++)
      if (is_state(&p, k, i)) p.written[k] = i + 1;
    any |= apart[k] = comes_apart(&p, k);
    if (apart[k] && p.written[k]) p.state[p.written[k] - 1] = k + 1;
  }
  return any ? in_parts(&p, apart, io) : g;
}
