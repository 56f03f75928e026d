// A trained policy as one object file and one header: an entry point whose states are constants.
#include <ctype.h>
#include <string.h>

#include "driver/driver.h"

typedef struct Export {
  const char *checkpoint, *name, *out;
} Export;

// ---- states become constants ------------------------------------------------------------------------
static const RtArray *saved_find(const RtSaved *s, const char *name) {
  for (int k = 0; k < s->narray; k++)
    if (!strcmp(s->array[k].name, name)) return &s->array[k];
  return NULL;
}

static bool same_type(const RtArray *a, const IrType *t) {
  return a->dtype == (int32_t)t->dtype && a->rank == t->rank && !memcmp(a->dim, t->dim, sizeof *t->dim * (size_t)t->rank);
}

static bool freeze(ElabExport *x, const RtSaved *s, const char *path) {
  if (strcmp(s->trainer, x->trainer)) return complain("%s is of another program: trainer %s, and this is %s", path, s->trainer, x->trainer), false;
  IrGraph *g = x->graph;
  IrRegion *r = g->top;
  for (int k = 0; k < x->nstate; k++) {
    const RtArray *a = saved_find(s, g->in_name[k]);
    if (!a) return complain("%s is of another program: it has no state %s", path, g->in_name[k]), false;
    if (!same_type(a, &r->arg[k]->type)) return complain("%s is of another program: its state %s has another type", path, a->name), false;
    IrBuilder b = { .graph = g, .at = r, .before = r->first };
    ir_replace(g, r->arg[k], ir_const(&b, r->arg[k]->type, s->data + a->offset, (size_t)a->bytes));
  }
  for (int k = x->nstate; k < r->narg; k++) {
    r->arg[k - x->nstate] = r->arg[k];
    g->in_name[k - x->nstate] = g->in_name[k];
    r->arg[k]->index = k - x->nstate;
  }
  r->narg -= x->nstate;
  return true;
}

// ---- the header -----------------------------------------------------------------------------------------
static const char *c_type(IrDtype t) {
  static const char *const name[] = { "uint8_t", "int8_t", "int16_t", "int32_t", "int64_t", "uint8_t", "uint32_t", "uint64_t",
                                      "uint16_t", "float", "double", "float", "double" };
  return name[t];
}

// A path as an identifier; `out` is not told apart from an argument of that name, so the result is `result`.
static const char *c_name(Arena *a, const char *path, bool out, int k) {
  static const char *const word[] = { "auto", "break", "case", "char", "const", "continue", "default", "do", "double", "else", "enum", "extern",
    "float", "for", "goto", "if", "inline", "int", "long", "register", "restrict", "return", "short", "signed", "sizeof", "static", "struct",
    "switch", "typedef", "union", "unsigned", "void", "volatile", "while", "bool", "class", "new", "delete", "this", "template", "scratch" };
  if (!path) path = "x";
  if (out) path = !strncmp(path, "out", 3) ? arena_printf(a, "result%s", path + 3) : arena_printf(a, "result_%s", path);
  char *s = arena_printf(a, "%s", path);
  for (char *p = s; *p; p++)
    if (!isalnum((unsigned char)*p)) *p = '_';
  for (size_t i = 0; i < sizeof word / sizeof *word; i++)
    if (!strcmp(s, word[i])) return arena_printf(a, "%s_%d", s, k);
  return s;
}

static void describe(Str *s, const char *name, const IrType *t) {
  str_printf(s, " *   %s: %s", name, ir_dtype_name(t->dtype));
  for (int k = 0; k < t->rank; k++) str_printf(s, "%s%lld", k ? ", " : "[", (long long)t->dim[k]);
  str_printf(s, "%s%s\n", t->rank ? "]" : "", t->dtype == IR_BOOL ? " (0 or 1)" : t->dtype == IR_BF16 ? " (upper half of a float's bits)"
             : t->dtype >= IR_C64 ? " (pairs: real part, imaginary part)" : "");
}

static Str header(Driver *d, const Job *j, const Export *o, const ElabExport *x, const Plan *p) {
  Arena *a = d->arena;
  const IrRegion *r = x->graph->top;
  Str s = { .arena = a }, args = { .arena = a };
  char *guard = arena_printf(a, "%s_H", x->name);
  for (char *c = guard; *c; c++) *c = (char)toupper((unsigned char)*c);
  bool scratch = plan_alone_bytes(p) > EXPORT_STACK;
  str_printf(&s, "/* Written by rlc export: `%s` of %s in %s, with the state in %s. */\n", x->name, x->trainer, j->path, o->checkpoint);
  str_printf(&s, "#ifndef %s\n#define %s\n\n#include <stdint.h>\n\n#ifdef __cplusplus\nextern \"C\" {\n#endif\n\n", guard, guard);
  if (scratch) str_printf(&s, "#define %.*sSCRATCH %lld /* bytes */\n\n", (int)strlen(guard) - 1, guard, (long long)plan_alone_bytes(p));
  str_printf(&s, "/* Arrays are row-major, apart from one another, aligned as their elements are. Keeps nothing between calls.\n");
  for (int k = 0; k < r->narg; k++) {
    const char *name = c_name(a, x->graph->in_name[k], false, k);
    describe(&s, name, &r->arg[k]->type);
    str_printf(&args, "%sconst %s *%s", k ? ", " : "", c_type(r->arg[k]->type.dtype), name);
  }
  for (int k = 0; k < r->nyield; k++) {
    const char *name = c_name(a, x->graph->out_name[k], true, k);
    describe(&s, name, &r->yield[k]->type);
    str_printf(&args, "%s%s *%s", k || r->narg ? ", " : "", c_type(r->yield[k]->type.dtype), name);
  }
  if (scratch) {
    str_printf(&s, " *   scratch: %.*sSCRATCH bytes at a multiple of %d, one block a thread\n", (int)strlen(guard) - 1, guard, RT_ALIGN);
    str_printf(&args, ", void *scratch");
  }
  str_printf(&s, " */\nvoid %s(%s);\n\n#ifdef __cplusplus\n}\n#endif\n\n#endif\n", x->name, args.s);
  return s;
}

// ---- the command ----------------------------------------------------------------------------------------
static bool emit(Driver *d, const Job *j, Export *o, ElabExport *x) {
  Target t;
  if (!job_passes(d, j, x->graph) || !job_target(d, j, &t)) return false;
  x->graph->name = x->name;
  PlanConsts *consts = arena_new(d->arena, PlanConsts);
  consts->data.arena = d->arena;
  Plan *plan = plan_alone(d, x->graph, &t, consts);
  if (!plan_owned(d->diags, plan, "call", NULL)) return false;
  Program p = { .nplan = 1, .plan = &plan, .const_data = consts->data.s, .const_bytes = (int64_t)consts->data.n, .export = true };
  const char *object = NULL;
  size_t n = 0;
  char *why = "";
  if (!llvm_emit_export(d->arena, &p, &t, &object, &n, &why)) return complain("%s", why), false;
  if (!o->out) o->out = arena_printf(d->arena, "%s.o", x->name);
  Str h = header(d, j, o, x, plan);
  const char *beside = arena_printf(d->arena, "%.*s.h", (int)strlen(o->out) - 2, o->out);
  return put_text(o->out, object, n) && put_text(beside, h.s, h.n);
}

static int export_one(Driver *d, const Job *j, Export *o) {
  const ElabOptions *set = job_overrides(d, j);
  const Source *src = job_source(d, j);
  Elab *e = src ? elab_new(d->arena, d->diags, src, set) : NULL;
  ElabExport *x = e ? elab_export(e, j->trainer, o->name) : NULL;
  if (!x || !job_all_used(d, set, x->trainer)) return mistake(d);
  RtSaved s;
  if (!rt_saved_read(&s, o->checkpoint)) return RT_MISTAKE;
  bool fine = freeze(x, &s, o->checkpoint);
  rt_saved_free(&s);
  if (fine && emit(d, j, o, x)) return RT_FINE;
  return d->diags->count ? mistake(d) : RT_MISTAKE;
}

int command_export(Driver *d, int argc, char **argv) {
  Job j = { 0 };
  Export o = { 0 };
  for (int i = 1; i < argc; i++) {
    const char *word = argv[i], **value = NULL;
    int k = take_job(d, argc, argv, &i, &j);
    if (k == 0 && take_value(argc, argv, &i, "-o", &o.out)) value = &o.out;
    else if (k == 0 && take_value(argc, argv, &i, "--checkpoint", &o.checkpoint)) value = &o.checkpoint;
    else if (k == 0 && take_value(argc, argv, &i, "--name", &o.name)) value = &o.name;
    if (value) k = *value ? 1 : -1;
    if (k < 0) return usage("export", "%s wants a value", word);
    if (k > 0) continue;
    if (is_option(word)) return usage("export", "there is no option %s", word);
    if (j.path) return usage("export", "one file at a time: %s, and then %s", j.path, word);
    j.path = word;
  }
  if (!j.path) return usage("export", "which file?");
  if (!o.checkpoint) return usage("export", "which state? --checkpoint CKPT, as `rlc run --checkpoint CKPT` writes it");
  if (o.out && !has_ending(o.out, ".o")) return usage("export", "an object file's name ends in .o: -o %s.o", o.out);
  return export_one(d, &j, &o);
}
