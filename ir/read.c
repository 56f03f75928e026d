// The reader of the text form. Whatever the text, it ends in a graph that obeys every
// rule or in a diagnostic at the place that is wrong.
//
//   file   = graph*
//   graph  = "graph" name region
//   region = "(" [arg ("," arg)*] ")" "{" op* "yield" [use ("," use)*] "}"
//   arg    = value [name] ":" type                     (a name: inputs of a graph only)
//   use    = value ["->" string]                        (a string: outputs of a graph only)
//   op     = [value ":" type ("," value ":" type)* "="] word [value ("," value)*]
//            [data] ["{" key "=" attr ("," key "=" attr)* "}"] region* ["@" place] ["in" name]
//   data   = element | "[" [element ("," element)*] "]"  (of const)
//   attr   = int | "[" [int ("," int)*] "]" | string | word
//   place  = name ":" line ":" col ["+" width]
//   type   = dtype ["[" int ("," int)* "]"]
//   name   = word | string
//   value  = "%" digits ["." hint]
#include "ir/number.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define DEEPEST 64     // regions in regions

typedef enum Kind { T_END, T_WORD, T_VALUE, T_NUMBER, T_STRING, T_ARROW, T_PUNCT } Kind;

typedef struct Token {
  Kind kind;
  const char *s;       // its first byte in the source
  size_t n;
  Loc loc;
  char *text;          // of words, numbers and strings (unescaped)
  int64_t number;      // of values
  char *hint;          // of values, or NULL
} Token;

// Values by number: open addressing, at most half full. A number is given once in a graph;
// behind its region's end its value is closed.
typedef struct Name { IrValue *value; int64_t number; bool closed; } Name;

typedef struct Reader {
  Arena *arena;
  Diags *diags;
  const Source *src;
  const char *at, *line_start;
  int line, depth;
  Token t;
  IrGraph *g;
  Name *name;
  int cap;
  VEC(int64_t) order;  // numbers in order of definition
  VEC(const Source *) sources;
} Reader;

#define FAIL(where, ...) do { diag_error(r->diags, where, __VA_ARGS__); return false; } while (0)
#define TRY(e) do { if (!(e)) return false; } while (0)

// ---- tokens --------------------------------------------------------------------------------
static bool is_digit(char c) { return c >= '0' && c <= '9'; }
static bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; }
static bool is_word(char c) { return is_letter(c) || is_digit(c) || c == '.'; }

static void skip_space(Reader *r) {
  for (;; r->at++) {
    if (r->at[0] == '/' && r->at[1] == '/')
      while (*r->at && *r->at != '\n') r->at++;
    if (*r->at == '\n') r->line++, r->line_start = r->at + 1;
    else if (*r->at != ' ' && *r->at != '\t' && *r->at != '\r') return;
  }
}

static int hex(char c) { return is_digit(c) ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1; }

static bool lex_string(Reader *r, const char *s) {
  Str text = {.arena = r->arena};
  for (s++; *s != '"'; s++) {
    char c = *s;
    if (!c || c == '\n') FAIL(r->t.loc, "the string does not end on its line");
    if (c == '\\' && (s[1] == '"' || s[1] == '\\')) c = *++s;
    else if (c == '\\') {
      if (s[1] != 'x' || hex(s[2]) < 0 || hex(s[3]) < 0 || !(hex(s[2]) | hex(s[3])))
        FAIL(r->t.loc, "an escape is \\\", \\\\ or \\x01 to \\xff");
      c = (char)(hex(s[2]) << 4 | hex(s[3]));
      s += 3;
    }
    str_put(&text, &c, 1);
  }
  r->t.text = text.s ? text.s : "";
  r->t.n = (size_t)(s + 1 - r->t.s);
  return true;
}

static bool lex_value(Reader *r, const char *s) {
  int64_t v = 0;
  if (!is_digit(*++s)) FAIL(r->t.loc, "a value is %% and a number");
  for (; is_digit(*s); s++)
    if ((v = 10 * v + (*s - '0')) > INT32_MAX) FAIL(r->t.loc, "the number of a value is below 2^31");
  r->t.number = v;
  const char *hint = *s == '.' ? s + 1 : s;
  if (*s == '.')
    do s++;
    while (is_word(*s));
  r->t.hint = s > hint ? arena_strn(r->arena, hint, (size_t)(s - hint)) : NULL;
  r->t.n = (size_t)(s - r->t.s);
  return true;
}

static void lex_run(Reader *r, Kind kind, const char *s) {
  r->t.kind = kind;
  while (is_word(*s) || (kind == T_NUMBER && (*s == '+' || *s == '-') && strchr("eEpP", s[-1]))) s++;
  r->t.n = (size_t)(s - r->t.s);
  r->t.text = arena_strn(r->arena, r->t.s, r->t.n);
}

// The next token into r->t.
static bool next(Reader *r) {
  skip_space(r);
  const char *s = r->at;
  r->t = (Token){.kind = T_PUNCT, .s = s, .n = 1};
  r->t.loc = (Loc){r->src, r->line, (int)(s - r->line_start) + 1, 1};
  if (s == r->src->text + r->src->size || !*s) r->t.kind = T_END, r->t.n = 0;
  else if (*s == '"') {
    r->t.kind = T_STRING;
    TRY(lex_string(r, s));
  } else if (*s == '%') {
    r->t.kind = T_VALUE;
    TRY(lex_value(r, s));
  } else if (s[0] == '-' && s[1] == '>') r->t.kind = T_ARROW, r->t.n = 2;
  else if (is_letter(*s)) lex_run(r, T_WORD, s);
  else if (is_digit(*s) || *s == '-') lex_run(r, T_NUMBER, s + 1);
  r->at = s + r->t.n;
  r->t.loc.width = r->t.n > 0 ? (int)r->t.n : 1;
  return true;
}

static bool is(const Reader *r, char c) { return r->t.kind == T_PUNCT && *r->t.s == c; }
static bool is_text(const Reader *r, const char *w) { return r->t.kind == T_WORD && !strcmp(r->t.text, w); }

static bool refuse(Reader *r, const char *what) {
  int n = r->t.n > 40 ? 40 : (int)r->t.n;
  if (r->t.kind == T_END) FAIL(r->t.loc, "expected %s, found the end of the text", what);
  FAIL(r->t.loc, "expected %s, found '%.*s'", what, n, r->t.s);
}

static bool expect(Reader *r, char c) {
  char what[] = {'\'', c, '\'', 0};
  return is(r, c) ? next(r) : refuse(r, what);
}

static bool expect_word(Reader *r, const char *w) {
  return is_text(r, w) ? next(r) : refuse(r, arena_printf(r->arena, "'%s'", w));
}

static bool read_name(Reader *r, const char **name) {
  *name = r->t.text;
  return r->t.kind == T_WORD || r->t.kind == T_STRING ? next(r) : refuse(r, "a name");
}

static bool read_int(Reader *r, int64_t *v) {
  char *end;
  if (r->t.kind != T_NUMBER) return refuse(r, "an integer");
  errno = 0;
  *v = strtoll(r->t.text, &end, 10);
  if (*end || end == r->t.text || errno) return refuse(r, "an integer of 64 bits");
  return next(r);
}

// "[" ints "]"
static bool read_ints(Reader *r, int *n, const int64_t **out) {
  VEC(int64_t) v = {0};
  int64_t x;
  TRY(expect(r, '['));
  while (!is(r, ']')) {
    if (v.n) TRY(expect(r, ','));
    TRY(read_int(r, &x));
    vec_push(r->arena, &v, x);
  }
  *n = v.n;
  *out = v.at;
  return next(r);
}

static bool read_type(Reader *r, IrType *t) {
  Loc loc = r->t.loc;
  int n = 0;
  const int64_t *dim = NULL;
  IrDtype d = 0;
  if (r->t.kind != T_WORD) return refuse(r, "a type");
  while (d < IR_NDTYPE && strcmp(ir_dtype_name(d), r->t.text)) d++;
  if (d == IR_NDTYPE) return refuse(r, "a dtype");
  TRY(next(r));
  if (is(r, '[')) TRY(read_ints(r, &n, &dim));
  if (n > IR_MAX_RANK) FAIL(loc, "a type with more than %d axes", IR_MAX_RANK);
  *t = ir_type(d, n, dim);
  const char *bad = ir_type_bad(t);
  if (bad) FAIL(loc, "a type with %s", bad);
  return true;
}

// ---- values by number ------------------------------------------------------------------------
static Name *slot(Name *table, int cap, int64_t number) {
  uint32_t h = (uint32_t)number * 2654435761u;
  Name *n = &table[h & (uint32_t)(cap - 1)];
  while (n->value && n->number != number) n = n + 1 < table + cap ? n + 1 : table;
  return n;
}

static void grow_names(Reader *r) {
  int cap = r->cap ? 2 * r->cap : 64;
  Name *table = arena_array(r->arena, Name, cap);
  for (int k = 0; k < r->cap; k++)
    if (r->name[k].value) *slot(table, cap, r->name[k].number) = r->name[k];
  r->name = table;
  r->cap = cap;
}

static bool is_free(Reader *r, const Token *t) {
  if (2 * r->order.n >= r->cap) grow_names(r);
  if (slot(r->name, r->cap, t->number)->value) FAIL(t->loc, "%%%lld is defined twice", (long long)t->number);
  return true;
}

static bool define(Reader *r, const Token *t, IrValue *v) {
  TRY(is_free(r, t));
  *slot(r->name, r->cap, t->number) = (Name){v, t->number, false};
  vec_push(r->arena, &r->order, t->number);
  if (t->hint) v->hint = t->hint;
  return true;
}

static bool read_use(Reader *r, IrValue **v) {
  if (r->t.kind != T_VALUE) return refuse(r, "a value");
  long long number = (long long)r->t.number;
  const Name *n = r->cap ? slot(r->name, r->cap, r->t.number) : NULL;
  if (!n || !n->value) FAIL(r->t.loc, "%%%lld is not defined before this", number);
  if (n->closed) FAIL(r->t.loc, "%%%lld is defined in a region that does not reach to here", number);
  *v = n->value;
  return next(r);
}

// ---- constants ----------------------------------------------------------------------------------
static bool read_float(Reader *r, IrDtype t, unsigned char *at) {
  char *end;
  size_t size = (size_t)ir_dtype_bytes(t);
  if (r->t.kind != T_NUMBER && r->t.kind != T_WORD) return refuse(r, "a number");
  bool bits = is_text(r, "nan") && *r->at == ':';
  if (bits) {
    TRY(next(r));
    TRY(next(r));
    if (r->t.kind != T_NUMBER) return refuse(r, "the bits of a NaN");
    errno = 0;
    uint64_t b = strtoull(r->t.text, &end, 16);
    if (*end || errno || (size < 8 && b >> 8 * size)) return refuse(r, "the bits of a NaN");
    memcpy(at, &b, size);
    if (!isnan(ir_load(t, at).re)) return refuse(r, "the bits of a NaN");
    return next(r);
  }
  double x = strtod(r->t.text, &end);
  if (*end || end == r->t.text) return refuse(r, "a number");
  ir_store(t, at, (IrNumber){x, 0, 0});
  return next(r);
}

static bool read_integer(Reader *r, IrDtype t, unsigned char *at) {
  char *end;
  if (r->t.kind != T_NUMBER) return refuse(r, "an integer");
  bool minus = *r->t.text == '-';
  errno = 0;
  uint64_t m = strtoull(r->t.text + minus, &end, 10);
  uint64_t most = minus ? (uint64_t)0 - (uint64_t)ir_least(t) : (uint64_t)ir_greatest(t);
  if (*end || !is_digit(r->t.text[minus]) || errno || m > most) FAIL(r->t.loc, "not a number of %s", ir_dtype_name(t));
  ir_store(t, at, (IrNumber){0, 0, (int64_t)(minus ? 0 - m : m)});
  return next(r);
}

static bool read_element(Reader *r, IrDtype t, unsigned char *at) {
  if (t == IR_BOOL) {
    *at = is_text(r, "true");
    return *at || is_text(r, "false") ? next(r) : refuse(r, "true or false");
  }
  if (!ir_is_diff(t)) return read_integer(r, t, at);
  if (!ir_is_complex(t)) return read_float(r, t, at);
  IrDtype real = ir_real_of(t);
  TRY(expect(r, '('));
  TRY(read_float(r, real, at));
  TRY(expect(r, ','));
  TRY(read_float(r, real, at + ir_dtype_bytes(real)));
  return expect(r, ')');
}

static bool read_data(Reader *r, const IrType *t, IrAttr *out) {
  Str data = {.arena = r->arena};
  unsigned char at[16];
  size_t size = (size_t)ir_dtype_bytes(t->dtype);
  Loc loc = r->t.loc;
  bool list = is(r, '[');
  if (list) TRY(next(r));
  while (!list || !is(r, ']')) {
    if (list && data.n) TRY(expect(r, ','));
    TRY(read_element(r, t->dtype, at));
    str_put(&data, (char *)at, size);
    if (!list) break;
  }
  if (list) TRY(next(r));
  if (data.n != size && (int64_t)data.n != ir_bytes(t))
    FAIL(loc, "%zu elements for %s", data.n / size, ir_type_text(r->arena, t));
  if (data.n > INT32_MAX) FAIL(loc, "a constant of more than 2^31 bytes");
  *out = (IrAttr){.key = A_DATA, .n = (int)data.n};
  out->data = data.s;
  return true;
}

// ---- attributes and places ------------------------------------------------------------------------
static bool read_mode(Reader *r, int64_t *v) {
  for (int m = SCATTER_SET; m <= SCATTER_MIN; m++)
    if (is_text(r, ir_scatter_name((IrScatter)m))) {
      *v = m;
      return next(r);
    }
  return refuse(r, "set, add, max or min");
}

static bool read_attr(Reader *r, IrAttr *t) {
  int k = 0;
  int64_t v = 0;
  if (r->t.kind != T_WORD) return refuse(r, "an attribute");
  while (k < A_NKEY && strcmp(ir_key_name((IrKey)k), r->t.text)) k++;
  if (k == A_NKEY || k == A_DATA) return refuse(r, "an attribute");
  *t = (IrAttr){.key = (IrKey)k};
  TRY(next(r));
  TRY(expect(r, '='));
  if (ir_key_is_list(t->key)) return read_ints(r, &t->n, &t->i);
  if (k == A_NAME) {
    if (r->t.kind != T_STRING) return refuse(r, "a string");
    t->data = r->t.text;
    t->n = (int)strlen(r->t.text);
    return next(r);
  }
  TRY(k == A_MODE ? read_mode(r, &v) : read_int(r, &v));
  *t = ir_attr_int(r->arena, t->key, v);
  return true;
}

static const Source *source(Reader *r, const char *path) {
  for (int k = 0; k < r->sources.n; k++)
    if (!strcmp(r->sources.at[k]->path, path)) return r->sources.at[k];
  Source *s = arena_new(r->arena, Source);
  *s = (Source){path, "", 0};
  vec_push(r->arena, &r->sources, s);
  return s;
}

static bool read_count(Reader *r, int *out) {
  int64_t v;
  Loc loc = r->t.loc;
  TRY(read_int(r, &v));
  if (v < 1 || v > INT32_MAX) FAIL(loc, "lines and columns count from 1");
  *out = (int)v;
  return true;
}

static bool read_place(Reader *r, Loc *loc, const char **scope) {
  const char *path;
  if (is(r, '@')) {
    TRY(next(r));
    TRY(read_name(r, &path));
    *loc = (Loc){source(r, path), 0, 0, 1};
    TRY(expect(r, ':'));
    TRY(read_count(r, &loc->line));
    TRY(expect(r, ':'));
    TRY(read_count(r, &loc->col));
    if (is(r, '+')) {
      TRY(next(r));
      TRY(read_count(r, &loc->width));
    }
  }
  if (!is_text(r, "in")) return true;
  TRY(next(r));
  return read_name(r, scope);
}

// ---- ops and regions ----------------------------------------------------------------------------------
typedef struct Result { Token t; IrType type; } Result;

typedef struct OpText {
  VEC(Result) out;
  VEC(IrValue *) in;
  VEC(IrAttr) attr;
  VEC(IrRegion *) sub;
  IrCode code;
  Loc loc, place;        // of the op's name in the text; of what it came from
  const char *scope;
} OpText;

static bool read_region(Reader *r, IrRegion *region);

static bool read_results(Reader *r, OpText *o) {
  while (r->t.kind == T_VALUE) {
    Result x = {.t = r->t};
    TRY(next(r));
    TRY(expect(r, ':'));
    TRY(read_type(r, &x.type));
    vec_push(r->arena, &o->out, x);
    if (is(r, '=')) return next(r);
    TRY(expect(r, ','));
  }
  return o->out.n ? refuse(r, "a value") : true;
}

static bool read_operands(Reader *r, OpText *o) {
  IrValue *v;
  while (r->t.kind == T_VALUE || o->in.n) {
    TRY(read_use(r, &v));
    vec_push(r->arena, &o->in, v);
    if (!is(r, ',')) return true;
    TRY(next(r));
  }
  return true;
}

static bool read_attrs(Reader *r, OpText *o) {
  IrAttr t;
  if (o->code == IR_CONST) {
    if (!o->out.n) FAIL(o->loc, "const has one result");
    TRY(read_data(r, &o->out.at[0].type, &t));
    vec_push(r->arena, &o->attr, t);
  }
  uint32_t seen = 0;
  if (is(r, '{')) {
    do {
      TRY(next(r));
      TRY(read_attr(r, &t));
      vec_push(r->arena, &o->attr, t);
      seen |= 1u << t.key;
    } while (is(r, ','));
    TRY(expect(r, '}'));
  }
  for (int k = 0; k < A_NKEY; k++)
    if (ir_key_may_lack((IrKey)k) && ir_info[o->code].attrs & ~seen & 1u << k)
      vec_push(r->arena, &o->attr, ir_attr_int(r->arena, (IrKey)k, 0));
  return true;
}

static bool read_subs(Reader *r, OpText *o) {
  while (is(r, '(')) {
    IrRegion *s = ir_region(r->g);
    if (++r->depth > DEEPEST) FAIL(r->t.loc, "more than %d regions in each other", DEEPEST);
    TRY(read_region(r, s));
    r->depth--;
    vec_push(r->arena, &o->sub, s);
  }
  return true;
}

static bool check(Reader *r, const OpText *o) {
  const char *name = ir_info[o->code].name;
  IrType *out = arena_array(r->arena, IrType, ir_most_out(o->code, o->in.n, o->sub.n, o->sub.at));
  int nout = 0;
  const char *why = ir_infer(r->arena, o->code, o->in.n, o->in.at, o->out.n ? &o->out.at[0].type : NULL, o->attr.n,
                             o->attr.at, o->sub.n, o->sub.at, out, &nout);
  if (why) FAIL(o->loc, "%s: %s", name, why);
  if (nout != o->out.n) FAIL(o->loc, "%s: gives %d results, not %d", name, nout, o->out.n);
  for (int k = 0; k < nout; k++)
    if (!ir_type_eq(&out[k], &o->out.at[k].type))
      FAIL(o->out.at[k].t.loc, "%%%lld is %s by the rule of %s, not %s", (long long)o->out.at[k].t.number,
           ir_type_text(r->arena, &out[k]), name, ir_type_text(r->arena, &o->out.at[k].type));
  return true;
}

static bool read_op(Reader *r, IrRegion *at) {
  OpText o = {0};
  TRY(read_results(r, &o));
  if (r->t.kind != T_WORD) return refuse(r, "an op");
  int code = ir_code_find(r->t.text);
  if (code < 0) FAIL(r->t.loc, "no op is called '%.40s'", r->t.text);
  o.code = (IrCode)code;
  o.loc = r->t.loc;
  TRY(next(r));
  TRY(read_operands(r, &o));
  TRY(read_attrs(r, &o));
  TRY(read_subs(r, &o));
  TRY(read_place(r, &o.place, &o.scope));
  TRY(check(r, &o));
  IrBuilder b = {.graph = r->g, .at = at, .loc = o.place, .scope = o.scope};
  IrOp *op = ir_build(&b, o.code, o.in.n, o.in.at, o.out.n ? &o.out.at[0].type : NULL, o.attr.n, o.attr.at, o.sub.n, o.sub.at);
  for (int k = 0; k < o.out.n; k++) TRY(define(r, &o.out.at[k].t, op->out[k]));
  return true;
}

static bool read_args(Reader *r, IrRegion *region) {
  IrType type;
  TRY(expect(r, '('));
  while (!is(r, ')')) {
    const char *name = NULL;
    if (region->narg) TRY(expect(r, ','));
    if (r->t.kind != T_VALUE) return refuse(r, "a value");
    Token t = r->t;
    TRY(next(r));
    if (region == r->g->top && !is(r, ':')) TRY(read_name(r, &name));
    TRY(expect(r, ':'));
    TRY(read_type(r, &type));
    TRY(define(r, &t, name ? ir_input(r->g, type, name) : ir_arg(region, type)));
  }
  return next(r);
}

static bool read_yields(Reader *r, IrRegion *region) {
  IrValue *v;
  TRY(expect_word(r, "yield"));
  while (!is(r, '}')) {
    if (region->nyield) TRY(expect(r, ','));
    TRY(read_use(r, &v));
    ir_yield(region, v);
    if (region != r->g->top || r->t.kind != T_ARROW) continue;
    TRY(next(r));
    if (r->t.kind != T_STRING) return refuse(r, "an output's name in quotes");
    r->g->out_name[region->nyield - 1] = r->t.text;
    TRY(next(r));
  }
  return next(r);
}

static bool read_region(Reader *r, IrRegion *region) {
  int first = r->order.n;
  TRY(read_args(r, region));
  TRY(expect(r, '{'));
  while (!is_text(r, "yield")) TRY(read_op(r, region));
  TRY(read_yields(r, region));
  for (int k = first; k < r->order.n; k++) slot(r->name, r->cap, r->order.at[k])->closed = true;
  return true;
}

static bool read_graph(Reader *r) {
  const char *name;
  TRY(expect_word(r, "graph"));
  TRY(read_name(r, &name));
  r->g = ir_graph(r->arena, name);
  r->name = NULL;
  r->cap = r->depth = r->order.n = 0;
  return read_region(r, r->g->top);
}

IrGraph *ir_read(Arena *a, Diags *d, const Source *src) {
  Reader r = {.arena = a, .diags = d, .src = src, .at = src->text, .line_start = src->text, .line = 1};
  IrGraph *first = NULL, *last = NULL;
  if (!next(&r)) return NULL;
  do {
    if (!read_graph(&r)) return NULL;
    if (last) last->next = r.g;
    else first = r.g;
    last = r.g;
  } while (r.t.kind != T_END);
  return first;
}
