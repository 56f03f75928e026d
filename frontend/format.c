// The canonical layout. Words and blanks between them are ours, line breaks are
// the author's, with these exceptions: a block of several lines has a line for
// each statement and for its `}`, a block of one line stays one, `else` and `{`
// stand behind what comes before them, and blank lines never follow one another.
//
// Printed from the words that the parser noted, so nothing that parses is lost.
#include "frontend/lex.h"

#define STEP 2             // columns of an indentation

typedef struct Open {
  bool brace, multi;
  int indent;              // of the line that it stands on
} Open;

typedef struct Format {
  Arena *arena;
  const Ast *file;
  Str out;
  VEC(Open) open;
  int comment;             // the next one to print
  int line;                // in the source: of what was printed last
  int indent;              // of the line being printed
  bool opener;             // what was printed last opens a bracket
  bool must_break;         // a comment ends the line being printed
} Format;

static bool opens(const AstToken *t) { return t->role == ROLE_OPEN || t->role == ROLE_CALL || t->role == ROLE_BRACE_OPEN; }
static bool closes(const AstToken *t) { return t->role == ROLE_CLOSE || t->role == ROLE_BRACE_CLOSE; }

static const Open *top(const Format *f) { return f->open.n ? &f->open.at[f->open.n - 1] : NULL; }

// The indentation of a line that begins with t, or (inside) of a comment before it.
static int indent_of(const Format *f, const AstToken *t, bool inside) {
  const Open *o = top(f);
  if (t && closes(t) && !inside) return o->indent;
  int base = o ? o->indent + STEP : 0;
  bool goes_on = t && !t->starts && !t->glued && !closes(t) && (!o || o->brace);
  return goes_on ? base + STEP : base;
}

// A new line for what stands in this line of the source.
static void new_line(Format *f, int line, int indent, bool may_be_blank) {
  bool blank = may_be_blank && !f->opener && line - f->line > 1;
  if (f->out.n) str_put(&f->out, "\n\n", blank ? 2 : 1);
  str_printf(&f->out, "%*s", indent, "");
  f->indent = indent;
}

static void put_comments(Format *f, const AstToken *next) {
  for (; f->comment < f->file->ncomment; f->comment++) {
    const AstComment *c = &f->file->comment[f->comment];
    if (next && c->line >= next->line) return;
    bool behind = !c->own_line && f->out.n && !f->must_break;
    if (behind) str_printf(&f->out, "  ");
    else new_line(f, c->line, indent_of(f, next, true), true);
    str_printf(&f->out, "%s", c->text);
    f->line = c->line;
    f->must_break = true;
    if (!behind) f->opener = false;
  }
}

static bool blank_between(const AstToken *a, const AstToken *b) {
  switch (b->role) {
    case ROLE_COMMA: case ROLE_CLOSE: case ROLE_COLON: case ROLE_TIGHT: case ROLE_CALL: case ROLE_BAR_CLOSE: return false;
    case ROLE_SLICE: return a->role == ROLE_COMMA;
    case ROLE_BRACE_CLOSE: return a->role != ROLE_BRACE_OPEN;
    default: break;
  }
  switch (a->role) {
    case ROLE_PREFIX: case ROLE_TIGHT: case ROLE_OPEN: case ROLE_CALL: case ROLE_SLICE: case ROLE_BAR_OPEN: return false;
    default: return true;
  }
}

static bool breaks_before(const Format *f, const AstToken *before, const AstToken *t) {
  const Open *o = top(f);
  if (f->must_break) return true;
  if (t->starts) return !o || o->multi;
  if (t->role == ROLE_BRACE_CLOSE) return t->multi && before->role != ROLE_BRACE_OPEN;
  return t->nl && !t->glued;
}

static void put_token(Format *f, const AstToken *before, const AstToken *t) {
  put_comments(f, t);
  if (!before && !f->must_break) f->indent = 0;
  else if (breaks_before(f, before, t)) new_line(f, t->line, indent_of(f, t, false), !closes(t));
  else if (t->starts && !f->opener) str_printf(&f->out, "; ");
  else if (blank_between(before, t)) str_printf(&f->out, " ");
  str_put(&f->out, t->text, (size_t)t->len);
  f->line = t->line;
  f->opener = opens(t);
  f->must_break = false;
  if (closes(t)) f->open.n--;
  if (f->opener) {
    Open o = { t->role == ROLE_BRACE_OPEN, t->multi, f->indent };
    vec_push(f->arena, &f->open, o);
  }
}

char *ast_format(Arena *a, const Ast *file) {
  Format f = { .arena = a, .file = file, .out.arena = a };
  const AstToken *before = NULL;
  for (int i = 0; i < file->ntoken; i++) {
    const AstToken *t = &file->token[i];
    if (t->trailing && !file->token[i + 1].nl) continue;
    put_token(&f, before, t);
    before = t;
  }
  put_comments(&f, NULL);
  str_printf(&f.out, "\n");
  return f.out.s;
}
