// The text form. One op a line; values are numbered in order of definition, so a
// graph that was printed and read prints the same again. [ir/read.c reads it]
//
//   graph step(%0 p.w: f32[4, 64], %1 x: f32[8, 4]) {
//     %2: f32[8, 64] = dot %1, %0 @ a.rl:3:9+5 in agent.pi
//     %3.h: f32[8, 64] = tanh %2
//     %4: f32[2] = const [0.5, -1]
//     %5: f32[2] = scan %4 {n = 3, ncarry = 1} (%6: i32, %7: f32[2]) {
//       yield %7
//     }
//     yield %3 -> "out", %5
//   }
#include "ir/number.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

typedef struct Printer {
  Str s;
  int *number;     // of each value id
  int next;
} Printer;

#define P(...) str_printf(&p->s, __VA_ARGS__)

static bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; }
static bool is_word(char c) { return is_letter(c) || (c >= '0' && c <= '9') || c == '.'; }

static bool plain(const char *s) {
  if (!is_letter(*s)) return false;
  while (is_word(*s)) s++;
  return !*s;
}

static void put_quoted(Printer *p, const char *s) {
  P("\"");
  for (; *s; s++) {
    unsigned char c = (unsigned char)*s;
    if (c == '"' || c == '\\') P("\\%c", c);
    else if (c < 32 || c == 127) P("\\x%02x", c);
    else str_put(&p->s, s, 1);
  }
  P("\"");
}

static void put_name(Printer *p, const char *s) {
  if (plain(s)) P("%s", s);
  else put_quoted(p, s);
}

static void put_type(Printer *p, const IrType *t) {
  P("%s", ir_dtype_name(t->dtype));
  for (int k = 0; k < t->rank; k++) P("%s%lld", k ? ", " : "[", (long long)t->dim[k]);
  if (t->rank) P("]");
}

static void put_hint(Printer *p, const char *h) {
  P(".");
  for (; *h; h++) {
    char c = is_word(*h) ? *h : '_';
    str_put(&p->s, &c, 1);
  }
}

// ---- numbers -----------------------------------------------------------------------------
// The shortest decimal that reads back to the same bytes; NaNs other than the usual one by
// their bits, which strtod would not give back.
static void put_float(Printer *p, IrDtype t, double x, uint64_t bits) {
  static const int least[IR_NDTYPE] = {[IR_BF16] = 2, [IR_F32] = 6, [IR_F64] = 15};
  uint64_t usual = t == IR_BF16 ? 0x7fc0 : t == IR_F32 ? 0x7fc00000 : 0x7ff8000000000000;
  if (isnan(x) && bits == usual) P("nan");
  else if (isnan(x)) P("nan:0x%llx", (unsigned long long)bits);
  else if (isinf(x)) P(x < 0 ? "-inf" : "inf");
  else {
    char s[40];
    for (int digits = least[t];; digits++) {
      snprintf(s, sizeof s, "%.*g", digits, x);
      if (digits >= 17 || ir_round(t, strtod(s, NULL)) == x) break;
    }
    P("%s", s);
  }
}

static void put_element(Printer *p, IrDtype t, const unsigned char *at) {
  IrNumber x = ir_load(t, at);
  IrDtype real = ir_real_of(t);
  size_t half = (size_t)ir_dtype_bytes(real);
  uint64_t bits[2] = {0, 0};
  if (t == IR_BOOL) P(x.i ? "true" : "false");
  else if (t == IR_U64) P("%llu", (unsigned long long)x.i);
  else if (!ir_is_diff(t)) P("%lld", (long long)x.i);
  else if (!ir_is_complex(t)) {
    memcpy(bits, at, half);
    put_float(p, t, x.re, bits[0]);
  } else {
    memcpy(&bits[0], at, half);
    memcpy(&bits[1], at + half, half);
    P("(");
    put_float(p, real, x.re, bits[0]);
    P(", ");
    put_float(p, real, x.im, bits[1]);
    P(")");
  }
}

static void put_data(Printer *p, const IrOp *op) {
  const IrAttr *d = ir_attr(op, A_DATA);
  const unsigned char *at = d->data;
  IrDtype t = op->out[0]->type.dtype;
  int size = ir_dtype_bytes(t), n = d->n / size;
  bool splat = n > 0;
  for (int k = 1; splat && k < n; k++) splat = !memcmp(at, at + k * size, (size_t)size);
  P(" ");
  if (splat) {
    put_element(p, t, at);
    return;
  }
  P("[");
  for (int k = 0; k < n; k++) {
    if (k) P(", ");
    put_element(p, t, at + k * size);
  }
  P("]");
}

// ---- attributes and places -----------------------------------------------------------------
static const char *const mode_name[] = {"set", "add", "max", "min"};

const char *ir_scatter_name(IrScatter m) { return mode_name[m]; }

// Left out where it is zero; the reader puts the zero back.
bool ir_key_may_lack(IrKey k) { return k == A_BATCH || k == A_TA || k == A_TB || k == A_REVERSE || k == A_EXACT; }

static void put_attr(Printer *p, const IrAttr *t) {
  P("%s = ", ir_key_name(t->key));
  if (t->key == A_NAME) put_quoted(p, t->data);
  else if (t->key == A_MODE) P("%s", mode_name[t->i[0]]);
  else if (!ir_key_is_list(t->key)) P("%lld", (long long)t->i[0]);
  else {
    P("[");
    for (int k = 0; k < t->n; k++) P("%s%lld", k ? ", " : "", (long long)t->i[k]);
    P("]");
  }
}

static void put_attrs(Printer *p, const IrOp *op) {
  int n = 0;
  for (IrKey k = 0; k < A_NKEY; k++) {
    const IrAttr *t = ir_attr(op, k);
    if (!t || k == A_DATA || (ir_key_may_lack(k) && t->i[0] == 0)) continue;
    P(n++ ? ", " : " {");
    put_attr(p, t);
  }
  if (n) P("}");
}

static void put_place(Printer *p, const IrOp *op) {
  if (op->loc.src && op->loc.line > 0) {
    P(" @ ");
    put_name(p, op->loc.src->path);
    P(":%d:%d", op->loc.line, op->loc.col);
    if (op->loc.width > 1) P("+%d", op->loc.width);
  }
  if (op->scope) {
    P(" in ");
    put_name(p, op->scope);
  }
}

// ---- regions and ops ----------------------------------------------------------------------------
static void put_region(Printer *p, const IrRegion *r, int depth);

static void define(Printer *p, const IrValue *v) {
  p->number[v->id] = p->next++;
  P("%%%d", p->number[v->id]);
}

static void put_use(Printer *p, const IrValue *v) { P("%%%d", p->number[v->id]); }

static void put_op(Printer *p, const IrOp *op, int depth) {
  P("%*s", 2 * depth, "");
  for (int k = 0; k < op->nout; k++) {
    if (k) P(", ");
    define(p, op->out[k]);
    if (op->out[k]->hint && *op->out[k]->hint) put_hint(p, op->out[k]->hint);
    P(": ");
    put_type(p, &op->out[k]->type);
  }
  P("%s%s", op->nout ? " = " : "", ir_info[op->code].name);
  for (int k = 0; k < op->nin; k++) {
    P(k ? ", " : " ");
    put_use(p, op->in[k]);
  }
  if (op->code == IR_CONST) put_data(p, op);
  put_attrs(p, op);
  for (int k = 0; k < op->nregion; k++) {
    P(" ");
    put_region(p, op->sub[k], depth);
  }
  put_place(p, op);
  P("\n");
}

static void put_region(Printer *p, const IrRegion *r, int depth) {
  const IrGraph *g = r->owner ? NULL : r->graph;
  P("(");
  for (int k = 0; k < r->narg; k++) {
    if (k) P(", ");
    define(p, r->arg[k]);
    if (g && g->in_name[k]) {
      P(" ");
      put_name(p, g->in_name[k]);
    } else if (r->arg[k]->hint && *r->arg[k]->hint) put_hint(p, r->arg[k]->hint);
    P(": ");
    put_type(p, &r->arg[k]->type);
  }
  P(") {\n");
  ir_each_op(r, op) put_op(p, op, depth + 1);
  P("%*syield", 2 * depth + 2, "");
  for (int k = 0; k < r->nyield; k++) {
    P(k ? ", " : " ");
    put_use(p, r->yield[k]);
    if (!g || !g->out_name[k]) continue;
    P(" -> ");
    put_quoted(p, g->out_name[k]);
  }
  P("\n%*s}", 2 * depth, "");
}

char *ir_print(Arena *a, const IrGraph *g) {
  Printer p_ = {.s = {.arena = a}, .number = arena_array(a, int, g->nvalue + 1)}, *p = &p_;
  P("graph ");
  put_name(p, g->name);
  put_region(p, g->top, 0);
  P("\n");
  return p->s.s;
}
