// The reference evaluator at the command line.
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "driver/driver.h"

typedef struct Args {
  const char *first, *file;
  bool exact;
  int nin; const char **name, **numbers;
} Args;

// ---- values in ------------------------------------------------------------------------------------
static bool one_number(const char *s, size_t n, double *v) {
  char text[64], *end;
  if (n == 0 || n >= sizeof text) return false;
  memcpy(text, s, n);
  text[n] = 0;
  *v = strtod(text, &end);
  return !*end;
}

static void set_element(IrArray *x, int64_t i, double v) {
  if (ir_is_complex(x->type.dtype)) x->f[2 * i] = v;
  else if (ir_is_float(x->type.dtype)) x->f[i] = v;
  else x->i[i] = (int64_t)v;
}

// false after a message.
static bool fill(IrArray *x, const char *name, const char *numbers) {
  int64_t n = ir_count(&x->type), i = 0;
  double v = 0;
  for (const char *s = numbers;; i++) {
    size_t len = strcspn(s, ",");
    if (!one_number(s, len, &v)) return complain("--in %s: `%.*s` is not a number", name, (int)len, s), false;
    if (i < n) set_element(x, i, v);
    s += len;
    if (!*s++) break;
  }
  if (i == 0)
    for (int64_t k = 1; k < n; k++) set_element(x, k, v);
  else if (i + 1 != n)
    return complain("--in %s: %lld numbers, and the input has %lld", name, (long long)i + 1, (long long)n), false;
  return true;
}

static bool inputs(Driver *d, const Args *a, const IrGraph *g, IrArray *in) {
  for (int k = 0; k < a->nin; k++) {
    bool known = false;
    for (int i = 0; i < g->top->narg; i++) known |= g->in_name && g->in_name[i] && !strcmp(g->in_name[i], a->name[k]);
    if (!known) return complain("--in %s: the graph has no such input", a->name[k]), false;
  }
  for (int i = 0; i < g->top->narg; i++) {
    const char *name = g->in_name ? g->in_name[i] : NULL, *numbers = NULL;
    for (int k = 0; name && k < a->nin; k++)
      if (!strcmp(a->name[k], name)) numbers = a->numbers[k];
    const IrType *t = &g->top->arg[i]->type;
    if (!numbers)
      return complain("input %s: %s is not given; --in %s=NUMBERS gives it", name ? name : "?", elab_type_text(d->arena, t), name ? name : "NAME"), false;
    in[i] = ir_array(d->arena, *t);
    if (!fill(&in[i], name, numbers)) return false;
  }
  return true;
}

// ---- values out --------------------------------------------------------------------------------------
static void print_element(const IrArray *x, int64_t i, int digits) {
  IrDtype t = x->type.dtype;
  if (t == IR_BOOL) printf("%s", x->i[i] ? "true" : "false");
  else if (ir_is_complex(t)) printf("%.*g%+.*gi", digits, x->f[2 * i], digits, x->f[2 * i + 1]);
  else if (ir_is_float(t)) printf("%.*g", digits, x->f[i]);
  else if (ir_is_signed(t)) printf("%lld", (long long)x->i[i]);
  else printf("%llu", (unsigned long long)x->i[i]);
}

static void print_axis(const IrArray *x, int axis, int64_t *at, int digits) {
  if (axis == x->type.rank) {
    print_element(x, (*at)++, digits);
    return;
  }
  putchar('[');
  for (int64_t k = 0; k < x->type.dim[axis]; k++) {
    if (k) printf(axis + 1 < x->type.rank ? ",\n%*s" : ", ", axis + 1, "");
    print_axis(x, axis + 1, at, digits);
  }
  putchar(']');
}

static void print_value(Driver *d, const char *name, const IrArray *x, bool exact) {
  int64_t at = 0;
  bool wide = exact || x->type.dtype == IR_F64 || x->type.dtype == IR_C128;
  if (name && *name) printf("%s: ", name);
  printf("%s =%c", elab_type_text(d->arena, &x->type), x->type.rank > 1 ? '\n' : ' ');
  print_axis(x, 0, &at, wide ? 15 : 7);
  putchar('\n');
}

static int evaluate(Driver *d, const Args *a, const IrGraph *g) {
  const IrRegion *r = g->top;
  IrArray *in = arena_array(d->arena, IrArray, r->narg + 1), *out = arena_array(d->arena, IrArray, r->nyield + 1);
  if (!inputs(d, a, g, in)) return RT_MISTAKE;
  IrEval how = { .typed = !a->exact };
  const char *why = ir_eval(d->arena, &how, g, in, out);
  if (why) return complain("%s", why);
  for (int i = 0; i < r->nyield; i++) print_value(d, g->out_name ? g->out_name[i] : NULL, &out[i], a->exact);
  return RT_FINE;
}

// The evaluator takes no derivatives: passes do. The others fold constants in their own types, which --exact is not
// about.
static IrGraph *prepared(Driver *d, IrGraph *g, bool exact) {
  PassContext c = { d->arena, d->diags };
  return g && pass_run(&c, g, exact ? "autodiff" : NULL, NULL, stderr) ? g : NULL;
}

bool host_exact(void *driver, IrGraph *g, const IrArray *in, IrArray *out) {
  Driver *d = driver;
  IrEval how = { 0 };
  if (!prepared(d, g, true)) return false;
  const char *why = ir_eval(d->arena, &how, g, in, out);
  return why ? complain("%s", why), false : true;
}

bool host_evaluate(void *driver, IrGraph *g, const char *const *in, char *const *out) {
  Driver *d = driver;
  const IrRegion *r = g->top;
  if (!prepared(d, g, false)) return false;
  IrArray *x = arena_array(d->arena, IrArray, r->narg + 1), *y = arena_array(d->arena, IrArray, r->nyield + 1);
  for (int k = 0; k < r->narg; k++) x[k] = ir_array_from(d->arena, r->arg[k]->type, in[k]);
  IrEval how = { .typed = true };
  const char *why = ir_eval(d->arena, &how, g, x, y);
  if (why) return complain("%s", why), false;
  for (int k = 0; k < r->nyield; k++) ir_array_to(&y[k], out[k]);
  return true;
}

static IrGraph *expression(Driver *d, const Args *a) {
  ElabHost host = { .data = d, .compute = host_evaluate, .exact = host_exact };
  const Source *file = a->file ? source_read(d->arena, d->diags, a->file) : NULL;
  Elab *e = file || !a->file ? elab_new(d->arena, d->diags, file, &(ElabOptions){ 0 }) : NULL;
  return e ? elab_expr(e, source_text(d->arena, "(expression)", a->first), &host) : NULL;
}

int command_eval(Driver *d, int argc, char **argv) {
  Args a = { 0 };
  a.name = arena_array(d->arena, const char *, argc);
  a.numbers = arena_array(d->arena, const char *, argc);
  for (int i = 1; i < argc; i++) {
    const char *in = NULL;
    if (!strcmp(argv[i], "--exact")) {
      a.exact = true;
    } else if (take_value(argc, argv, &i, "--in", &in)) {
      const char *eq = in ? strchr(in, '=') : NULL;
      if (!eq) return usage("eval", "--in wants NAME=NUMBERS");
      a.name[a.nin] = arena_strn(d->arena, in, (size_t)(eq - in));
      a.numbers[a.nin++] = eq + 1;
    } else if (!strncmp(argv[i], "--", 2)) {
      return usage("eval", "there is no option %s", argv[i]);
    } else if (!a.first) {
      a.first = argv[i];
    } else if (!a.file) {
      a.file = argv[i];
    } else {
      return usage("eval", "too much: %s", argv[i]);
    }
  }
  if (!a.first) return usage("eval", "which expression, or which file?");
  bool text = has_ending(a.first, ".ir");
  if (text && a.file) return usage("eval", "too much: %s", a.file);
  if (!text && a.nin) return usage("eval", "--in is for IR text");
  IrGraph *g = prepared(d, text ? graph_read(d, a.first) : expression(d, &a), a.exact);
  return g && !d->diags->count ? evaluate(d, &a, g) : mistake(d);
}
