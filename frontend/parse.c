// Recursive descent over the grammar, one word ahead and at three places two.
//
// A newline ends a statement where `lines` is set, that is anywhere but inside
// ( ) and [ ]; braces set it again. Whatever comes after an infix operator, a
// comma, = or -> is simply read on, so those need no rule.
//
// An error jumps to the innermost statement, member or declaration, which skips
// to its end and goes on: one mistake, one message.
#include "frontend/lex.h"

#include <string.h>

typedef struct Recover {
  jmp_buf *outer;          // who takes over when this is done
  Token first;             // of the statement
  int depth, nesting, nkid;
  bool lines;
} Recover;

typedef struct Parser {
  Arena *arena;
  Diags *diags;
  Lexer lexer;
  Token tok, ahead;
  bool has_ahead;
  Loc prev;                // the last word taken
  LexKind last;            // its kind
  int line_col;            // column of the first word of the line that it is on
  bool lines;              // a newline ends a statement here
  bool starts;             // the next word taken begins a statement
  int depth;               // of recursion
  int errors_before;       // those that were in diags already
  bool abandon;            // too deep: give up the whole declaration
  Loc suspect;             // a `{` of this declaration whose `}` is indented less than its line
  int nesting;             // ( and [ open, within the whole file
  jmp_buf *recover;
  VEC(Ast *) kid;          // kids of nodes that are not finished
  VEC(AstToken) token;
} Parser;

static Ast *parse_expr(Parser *p);
static Ast *parse_block(Parser *p);
static Ast *parse_type(Parser *p);
static Ast *parse_pattern(Parser *p);
static Ast *parse_unary(Parser *p);
static Ast *parse_postfix(Parser *p);
static Ast *parse_let(Parser *p);
static Ast *parse_state(Parser *p);

// ---- words -------------------------------------------------------------------

static const Token *ahead(Parser *p) {
  if (!p->has_ahead) p->ahead = lex_next(&p->lexer);
  p->has_ahead = true;
  return &p->ahead;
}

// Past this word without noting it for the formatter.
static Token skip(Parser *p) {
  Token t = p->tok;
  p->prev = t.loc;
  p->last = t.kind;
  if (t.nl) p->line_col = t.loc.col;
  p->tok = *ahead(p);
  p->has_ahead = false;
  return t;
}

static Token take(Parser *p, LexRole role) {
  AstToken w = { .text = p->tok.text, .len = p->tok.loc.width, .line = p->tok.loc.line, .role = (uint8_t)role, .nl = p->tok.nl, .starts = p->starts };
  p->starts = false;
  vec_push(p->arena, &p->token, w);
  return skip(p);
}

static bool is(const Parser *p, LexKind k) { return p->tok.kind == k; }
static bool is_called(const Token *t, const char *name) {
  return t->kind == LEX_NAME && t->text[0] == name[0] && (size_t)t->loc.width == strlen(name) && !memcmp(t->text, name, strlen(name));
}
static bool is_name(const Parser *p, const char *name) { return is_called(&p->tok, name); }
static bool ended(const Parser *p) { return p->lines && p->tok.nl && !p->starts; }

static const char *word(Parser *p, const Token *t) { return arena_strn(p->arena, t->text, (size_t)t->loc.width); }

// ---- complaints ----------------------------------------------------------------

static _Noreturn void give_up(Parser *p) { longjmp(*p->recover, 1); }

static _Noreturn void fail(Parser *p, Loc at, const char *message, const char *help) {
  diag_help(p->diags, diag_error(p->diags, at, "%s", message), "%s", help);
  give_up(p);
}

static const char *found(Parser *p) {
  const Token *t = &p->tok;
  if (t->kind == LEX_EOF) return "the end of the file";
  if (ended(p)) return "the end of the line";
  if (t->kind == LEX_STR) return "a string";
  if (t->kind > LEX_STR && t->kind <= LEX_RETURN) return arena_printf(p->arena, "the reserved word `%s`", lex_text(t->kind));
  return arena_printf(p->arena, "`%.*s`", t->loc.width > 40 ? 40 : t->loc.width, t->text);
}

// Where a word is missing: behind the last one if the line ends there.
static Loc missing_at(const Parser *p) {
  if (!ended(p) && !is(p, LEX_EOF)) return p->tok.loc;
  if (!p->prev.line) return p->tok.loc;
  return (Loc){ p->prev.src, p->prev.line, p->prev.col + p->prev.width, 1 };
}

// Whether the word before this one, in the same line, is that.
static bool follows(const Parser *p, const char *word) {
  size_t n = strlen(word);
  const char *end = p->tok.text;
  if (p->tok.nl || p->prev.width != (int)n) return false;
  while (end > p->tok.loc.src->text && end[-1] == ' ') end--;
  return (size_t)(end - p->tok.loc.src->text) >= n && !memcmp(end - n, word, n);
}

// What a word of another language that stands here is in this one; NULL if it is none.
static const char *foreign(Parser *p) {
  const Token *t = &p->tok;
  if (is(p, LEX_AMP) && ahead(p)->kind == LEX_AMP) return "`and` joins two conditions";
  if (is(p, LEX_BAR) && ahead(p)->kind == LEX_BAR) return "`or` joins two conditions";
  if (is(p, LEX_STAR) && p->last == LEX_STAR) return "a power is written with `^`";
  if (is(p, LEX_PLUS) && p->last == LEX_PLUS) return "`x += 1` adds to a variable";
  if (is(p, LEX_SET) && p->nesting) return "`==` compares; `=` stands in statements, named arguments and declarations only";
  if (is(p, LEX_CASE)) return "`=>` stands in the cases of a `match`; a lambda is `|x| value`";
  if (is(p, LEX_ELSE)) return "`else` stands right behind the block of its `if`";
  if (is(p, LEX_RETURN)) return "a block's last expression is its value; leave `return` out";
  if (is(p, LEX_FN) && p->depth && !t->nl) return "a function inside a function is a lambda: `let f = |x| value`";
  if (is(p, LEX_NOT)) return "`not` binds loosely: put it in parentheses";
  if (is_called(t, "elif") || is_called(t, "elseif")) return "write `else if`";
  if (is_called(t, "def") || is_called(t, "func") || is_called(t, "function")) return "functions begin with `fn`";
  if (is_called(t, "import") || is_called(t, "from")) return "modules are brought in by `use`: `use nn` gives nn.dense";
  if (is_called(t, "class") || is_called(t, "struct")) return "what has fields is a `record name { x, y: f32 }`, what has parameters a `model`";
  if (is(p, LEX_NAME) && follows(p, "lambda")) return "a lambda is `|x| value`";
  if (is(p, LEX_NAME) && (follows(p, "switch") || follows(p, "case"))) return "`match x { 1 => a; _ => b }` chooses by a value";
  if (is(p, LEX_NAME) && follows(p, "const")) return "`let name = value` names a value inside a function";
  if (is(p, LEX_NAME) && (follows(p, "f32") || follows(p, "f64") || follows(p, "i32") || follows(p, "float") || follows(p, "int"))) return "a type stands behind its name: `x: f32`";
  if (is(p, LEX_FOR) && p->nesting) return "`each x in xs { value }` makes an array of the values of a loop, `scan` one after the other";
  return NULL;
}

static _Noreturn void expected_help(Parser *p, const char *what, const char *help) {
  if (is(p, LEX_BAD)) give_up(p);
  const char *other = ended(p) ? NULL : foreign(p);
  if (other) help = other;
  Diag *g = diag_error(p->diags, missing_at(p), "expected %s, found %s", what, found(p));
  if (help) diag_help(p->diags, g, "%s", help);
  give_up(p);
}

static Token expect(Parser *p, LexKind k, LexRole role, const char *what, const char *help) {
  if (!is(p, k) || (ended(p) && k != LEX_RBRACE)) expected_help(p, what, help);
  return take(p, role);
}

// A closer, or a complaint that names the opener.
static void expect_close(Parser *p, LexKind k, const Token *open, const char *what) {
  if (is(p, k)) {
    p->nesting--;
    take(p, ROLE_CLOSE);
    return;
  }
  if (is(p, LEX_BAD)) give_up(p);
  expected_help(p, what, arena_printf(p->arena, "the `%s` of line %d, column %d is still open", lex_text(open->kind), open->loc.line, open->loc.col));
}

static Token open_bracket(Parser *p, LexRole role) {
  p->nesting++;
  return take(p, role);
}

static Token expect_name_help(Parser *p, const char *what, const char *help) {
  if (!is(p, LEX_NAME) && lex_is_word(p->tok.kind) && !ended(p)) {
    Diag *g = diag_error(p->diags, p->tok.loc, "expected %s, found the reserved word `%s`", what, lex_text(p->tok.kind));
    diag_help(p->diags, g, "a reserved word cannot be a name; `%s_` can", lex_text(p->tok.kind));
    give_up(p);
  }
  if (!is(p, LEX_NAME) || ended(p)) expected_help(p, what, help);
  return take(p, ROLE_WORD);
}

static Token expect_name(Parser *p, const char *what) {
  return expect_name_help(p, what, "a name begins with a letter or _, and goes on with letters, digits and _");
}

// ---- nodes ---------------------------------------------------------------------

static Ast *node(Parser *p, AstKind k, Loc at) {
  Ast *n = arena_new(p->arena, Ast);
  n->kind = k;
  n->loc = at;
  n->end_line = p->prev.line;
  n->depth = 1;
  return n;
}

static _Noreturn void too_deep(Parser *p, Loc at) {
  Diag *g = diag_error(p->diags, at, "nested deeper than %d levels", AST_DEPTH_MOST);
  diag_help(p->diags, g, "name parts of it with `let`, or build it with `fold` or a loop");
  p->abandon = true;
  give_up(p);
}

static void deepen(Parser *p, Ast *n, const Ast *kid) {
  if (kid && kid->depth >= n->depth) n->depth = kid->depth + 1;
  if (n->depth > AST_DEPTH_MOST) too_deep(p, n->loc);
}

static void push(Parser *p, Ast *kid) { vec_push(p->arena, &p->kid, kid); }

// Gives n the kids pushed since `from`, which was p->kid.n then.
static Ast *finish(Parser *p, Ast *n, int from) {
  n->nkid = p->kid.n - from;
  if (n->nkid) n->kid = arena_copy(p->arena, p->kid.at + from, sizeof *n->kid * (size_t)n->nkid);
  p->kid.n = from;
  for (int i = 0; i < n->nkid; i++) deepen(p, n, n->kid[i]);
  n->end_line = p->prev.line;
  return n;
}

static Ast *node1(Parser *p, AstKind k, Loc at, Ast *a) {
  int from = p->kid.n;
  push(p, a);
  return finish(p, node(p, k, at), from);
}

static Ast *node2(Parser *p, AstKind k, Loc at, Ast *a, Ast *b) {
  int from = p->kid.n;
  push(p, a);
  push(p, b);
  return finish(p, node(p, k, at), from);
}

static Ast *node3(Parser *p, AstKind k, Loc at, Ast *a, Ast *b, Ast *c) {
  int from = p->kid.n;
  push(p, a);
  push(p, b);
  push(p, c);
  return finish(p, node(p, k, at), from);
}

static Ast *named(Ast *n, const char *name) {
  n->name = name;
  return n;
}

static void enter(Parser *p) {
  if (p->depth >= AST_DEPTH_MOST) too_deep(p, p->tok.loc);
  p->depth++;
}
static void leave(Parser *p) { p->depth--; }

static Loc begin_of(const Ast *n) {
  bool inner = n->kind == AST_BIN || n->kind == AST_PIPE || n->kind == AST_CALL || n->kind == AST_INDEX || n->kind == AST_FIELD || n->kind == AST_ITEM;
  return inner ? begin_of(n->kid[0]) : n->loc;
}

// ---- recovery ------------------------------------------------------------------

static bool begins_decl(Parser *p) {
  static const char *const heads[] = { "use", "const", "data", "layer", "model", "loss", "rule", "record", "env", "train", "experiment" };
  if (is(p, LEX_FN)) return true;
  for (size_t i = 0; i < sizeof heads / sizeof *heads; i++)
    if (is_name(p, heads[i])) return lex_is_word(ahead(p)->kind) && !ahead(p)->nl;
  return false;
}

// A declaration's head in the first column ends whatever is open before it.
static bool at_next_decl(Parser *p) { return p->tok.nl && p->tok.loc.col == 1 && begins_decl(p); }

static bool can_begin(LexKind k) {
  switch (k) {
    case LEX_NAME: case LEX_NUM: case LEX_STR: case LEX_MINUS: case LEX_LPAREN: case LEX_LBRACKET: case LEX_LBRACE: case LEX_BAR:
      return true;
    case LEX_AND: case LEX_OR: case LEX_ELSE: case LEX_IN:
      return false;
    default:
      return k >= LEX_LET && k <= LEX_RETURN;
  }
}

static bool begins_statement(LexKind k) { return k == LEX_LET || k == LEX_VAR || k == LEX_PARAM || k == LEX_STATE || k == LEX_EVERY; }

// To the end of the statement that went wrong: its `;`, the `}` of its block,
// or the beginning of the next line, unless brackets are open there and the
// line is indented as if they went on.
static void skip_statement(Parser *p, const Recover *r) {
  int nesting = p->nesting - r->nesting, braces = 0;
  for (bool first = true;; first = false) {
    const Token *t = &p->tok;
    if (t->kind == LEX_EOF || at_next_decl(p)) return;
    bool moved = !first || t->loc.line != r->first.loc.line || t->loc.col != r->first.loc.col;
    bool inside = nesting > 0 && t->loc.col > r->first.loc.col && !begins_statement(t->kind);
    if (!braces && t->nl && moved && can_begin(t->kind) && !inside) return;
    if (!braces && t->kind == LEX_SEMI) return;
    if (t->kind == LEX_RBRACE && !braces--) return;
    if (t->kind == LEX_LBRACE) braces++;
    if (t->kind == LEX_LPAREN || t->kind == LEX_LBRACKET) nesting++;
    if (t->kind == LEX_RPAREN || t->kind == LEX_RBRACKET) nesting--;
    skip(p);
  }
}

static void skip_declaration(Parser *p, const Recover *r) {
  int braces = 0;
  for (;;) {
    const Token *t = &p->tok;
    bool moved = t->loc.line != r->first.loc.line || t->loc.col != r->first.loc.col;
    if (t->kind == LEX_EOF || (moved && at_next_decl(p))) return;
    bool outside = braces <= 0 && t->nl && t->loc.col <= r->first.loc.col;
    if (moved && outside && lex_is_word(t->kind)) return;
    braces += (t->kind == LEX_LBRACE) - (t->kind == LEX_RBRACE);
    skip(p);
  }
}

// Runs parse, which pushes what it read; false when it gave up. Then nothing is
// pushed, and the parser stands where the statement began to go wrong.
static bool guarded(Parser *p, Recover *r, void (*parse)(Parser *)) {
  jmp_buf jump;
  *r = (Recover){ p->recover, p->tok, p->depth, p->nesting, p->kid.n, p->lines };
  p->recover = &jump;
  if (!setjmp(jump)) {
    parse(p);
    p->recover = r->outer;
    return true;
  }
  p->recover = r->outer;
  return false;
}

static void restore(Parser *p, const Recover *r) {
  p->depth = r->depth;
  p->nesting = r->nesting;
  p->kid.n = r->nkid;
  p->lines = r->lines;
}

// `}`, `;` or a new line ends a statement.
static void expect_end(Parser *p, const char *after) {
  if (is(p, LEX_RBRACE) || is(p, LEX_SEMI) || is(p, LEX_EOF) || p->tok.nl) return;
  if (is(p, LEX_BAD)) give_up(p);
  const char *help = foreign(p);
  if (is(p, LEX_RPAREN) || is(p, LEX_RBRACKET)) help = "no bracket is open that it could close";
  if (is(p, LEX_SET)) help = "`==` compares; an assignment has one place on its left";
  if (is(p, LEX_IF)) help = "`if c { a } else { b }` chooses between values";
  if (is(p, LEX_COMMA)) help = "the next one stands on a line of its own, or behind a `;`; several places stand in parentheses: `(a, b) = value`";
  if (is(p, LEX_COLON)) help = ahead(p)->kind == LEX_SET ? "`let x = value` names a value" : "a record is `(a = 1, b = 2)`, a name with a type `let x: f32 = value`";
  Diag *g = diag_error(p->diags, p->tok.loc, "expected the end of the line after %s, found %s", after, found(p));
  diag_help(p->diags, g, "%s", help ? help : "put the next one on a line of its own, or `;` between them");
  give_up(p);
}

// Nobody reads more, and a file of garbage would fill the memory with messages.
static bool too_many(const Parser *p) { return p->diags->count - p->errors_before >= LEX_ERROR_MOST; }

// { x END x END }, where each x is read by `parse`; pushes what it reads. With
// `functions`, an `fn` in the first column belongs here.
static void parse_braces(Parser *p, const char *what, const char *help, bool functions, void (*parse)(Parser *)) {
  if (!is(p, LEX_LBRACE) && is(p, LEX_SET)) help = "`==` compares; `=` stands in statements, named arguments and declarations only";
  if (!is(p, LEX_LBRACE)) expected_help(p, what, help);
  if (ended(p)) {
    Diag *g = diag_error(p->diags, missing_at(p), "expected %s, found the end of the line", what);
    diag_help(p->diags, g, "the `{` of the next line goes here");
  }
  bool outer = p->lines;
  int open = p->token.n, indent = p->tok.nl ? p->tok.loc.col : p->line_col;
  Token brace = take(p, ROLE_BRACE_OPEN);
  p->token.at[open].glued = true;
  p->lines = true;
  for (;;) {
    while (is(p, LEX_SEMI)) skip(p);
    if (is(p, LEX_RBRACE)) break;
    if (is(p, LEX_EOF) || (at_next_decl(p) && !(functions && is(p, LEX_FN)))) {
      Diag *g = diag_error(p->diags, p->suspect.line ? p->suspect : brace.loc, "this `{` is not closed");
      diag_help(p->diags, g, "a `}` is missing before line %d", p->tok.loc.line + (is(p, LEX_EOF) && !p->tok.nl));
      give_up(p);
    }
    Recover r;
    p->starts = true;
    if (guarded(p, &r, parse)) continue;
    if (p->abandon || too_many(p)) give_up(p);
    skip_statement(p, &r);
    restore(p, &r);
    if (is(p, LEX_EOF) || at_next_decl(p)) give_up(p);
  }
  int close = p->token.n;
  if (p->tok.nl && p->tok.loc.col < indent && !p->suspect.line) p->suspect = brace.loc;
  take(p, ROLE_BRACE_CLOSE);
  p->token.at[open].multi = p->token.at[close].multi = p->token.at[open].line != p->token.at[close].line;
  p->lines = outer;
}

// Items with commas between, a comma behind the last one allowed, up to `close`.
// Returns true when such a comma stood there.
static bool parse_list(Parser *p, LexKind close, const Token *open, const char *what, void (*parse)(Parser *)) {
  bool comma = false;
  while (!is(p, close)) {
    parse(p);
    comma = is(p, LEX_COMMA);
    if (!comma) break;
    take(p, ROLE_COMMA);
  }
  if (comma) p->token.at[p->token.n - 1].trailing = true;
  expect_close(p, close, open, what);
  return comma;
}

// ---- patterns and types ----------------------------------------------------------

static void push_pattern(Parser *p) { push(p, parse_pattern(p)); }

static Ast *parse_pattern(Parser *p) {
  Loc at = p->tok.loc;
  bool tuple = is(p, LEX_LPAREN);
  if (!tuple && !is(p, LEX_LBRACKET)) {
    bool inout = is(p, LEX_AMP);
    if (inout) take(p, ROLE_PREFIX);
    Token t = expect_name(p, "a name");
    Ast *n = named(node(p, AST_PAT, t.loc), word(p, &t));
    n->inout = inout;
    return n;
  }
  enter(p);
  int from = p->kid.n;
  bool outer = p->lines;
  p->lines = false;
  Token open = open_bracket(p, ROLE_OPEN);
  if (is(p, LEX_RPAREN) || is(p, LEX_RBRACKET)) expected_help(p, "a name", "a pattern names what it takes apart: `(a, b)`");
  bool comma = parse_list(p, tuple ? LEX_RPAREN : LEX_RBRACKET, &open, tuple ? "`,` or `)`" : "`,` or `]`", push_pattern);
  p->lines = outer;
  leave(p);
  if (tuple && p->kid.n == from + 1 && !comma) return p->kid.at[--p->kid.n];
  if (p->kid.n == from + 1) p->token.at[p->token.n - 2].trailing = false;
  return finish(p, node(p, tuple ? AST_PAT_TUPLE : AST_PAT_LIST, at), from);
}

static void push_part(Parser *p) {
  Loc at = p->tok.loc;
  const char *name = NULL;
  if (lex_is_word(p->tok.kind) && ahead(p)->kind == LEX_COLON) {
    Token t = take(p, ROLE_WORD);
    name = word(p, &t);
    take(p, ROLE_COLON);
  }
  push(p, named(node1(p, AST_PART, at, parse_type(p)), name));
}

static Ast *type_tuple(Parser *p) {
  Loc at = p->tok.loc;
  int from = p->kid.n;
  bool outer = p->lines;
  p->lines = false;
  Token open = open_bracket(p, ROLE_OPEN);
  bool comma = parse_list(p, LEX_RPAREN, &open, "`,` or `)`", push_part);
  p->lines = outer;
  if (p->kid.n == from + 1) {
    Ast *only = p->kid.at[from];
    if (!only->name && !comma) {
      p->kid.n = from;
      return only->kid[0];
    }
    if (comma && !only->name) p->token.at[p->token.n - 2].trailing = false;
  }
  return finish(p, node(p, AST_TYPE_TUPLE, at), from);
}

static void push_dim(Parser *p) {
  Loc at = p->tok.loc;
  if (is(p, LEX_DOTS)) {
    take(p, ROLE_WORD);
    push(p, node(p, AST_IX_DOTS, at));
  } else {
    Ast *e = parse_expr(p);
    push(p, node1(p, AST_IX, begin_of(e), e));
  }
}

static Ast *parse_field(Parser *p, Ast *base) {
  take(p, ROLE_TIGHT);
  Loc at = p->tok.loc;
  bool item = is(p, LEX_NUM) && p->tok.is_int;
  if (base->kind == AST_NUM) fail(p, base->loc, "a number has no fields", "a digit stands on both sides of a decimal point: 0.5, 1.0");
  if (ended(p) || (!item && !lex_is_word(p->tok.kind))) expected_help(p, "a field's name or number after `.`", "fields are read like `r.x`, parts of a tuple like `r.0`");
  Token t = take(p, ROLE_WORD);
  Ast *n = node1(p, item ? AST_ITEM : AST_FIELD, at, base);
  n->i = t.i;
  if (!item) n->name = word(p, &t);
  return n;
}

static Ast *parse_type(Parser *p) {
  enter(p);
  Ast *t;
  if (is(p, LEX_LPAREN) && !ended(p)) {
    t = type_tuple(p);
  } else {
    Token name = expect_name_help(p, "a type", "types are written like `f32`, `f32[B, 4]`, `agent.params` or `(x: f32, y: i32)`");
    t = named(node(p, AST_NAME, name.loc), word(p, &name));
  }
  for (;;) {
    if (is(p, LEX_DOT)) {
      t = parse_field(p, t);
    } else if (is(p, LEX_LBRACKET) && !ended(p)) {
      Loc at = p->tok.loc;
      int from = p->kid.n;
      bool outer = p->lines;
      push(p, t);
      p->lines = false;
      Token open = open_bracket(p, ROLE_CALL);
      if (is(p, LEX_RBRACKET)) expected_help(p, "a dimension", "`f32[3]` is a vector, plain `f32` a number");
      parse_list(p, LEX_RBRACKET, &open, "`,` or `]`", push_dim);
      p->lines = outer;
      t = finish(p, node(p, AST_INDEX, at), from);
    } else {
      leave(p);
      return t;
    }
  }
}

// ---- places ------------------------------------------------------------------------

static bool is_place(const Ast *n, bool several) {
  switch (n->kind) {
    case AST_NAME: return true;
    case AST_FIELD: case AST_ITEM: case AST_INDEX: return is_place(n->kid[0], false);
    case AST_TUPLE:
      for (int i = 0; i < n->nkid; i++)
        if (n->kid[i]->name || n->kid[i]->spread || !is_place(n->kid[i]->kid[0], several)) return false;
      return several && n->nkid > 0;
    case AST_LIST:
      for (int i = 0; i < n->nkid; i++)
        if (!is_place(n->kid[i], several)) return false;
      return several && n->nkid > 0;
    default: return false;
  }
}

static void check_place(Parser *p, const Ast *n, const char *message, bool several) {
  if (is_place(n, several)) return;
  Diag *g = diag_error(p->diags, begin_of(n), "%s", message);
  diag_help(p->diags, g, several ? "a place is a name, a field `x.f`, an element `x[i]`, or a tuple of such" : "a place is a name, a field `x.f` or an element `x[i]`");
}

// ---- expressions ---------------------------------------------------------------------

// An argument of a call, or an element of a tuple.
static Ast *parse_item(Parser *p, bool call) {
  Loc at = p->tok.loc;
  const char *name = NULL;
  bool spread = is(p, LEX_DOTS);
  if (spread) {
    take(p, ROLE_PREFIX);
  } else if (lex_is_word(p->tok.kind) && ahead(p)->kind == LEX_SET) {
    Token t = take(p, ROLE_WORD);
    name = word(p, &t);
    take(p, ROLE_WORD);
  }
  bool inout = call && !spread && is(p, LEX_AMP) && ahead(p)->kind != LEX_AMP;
  if (inout) take(p, ROLE_PREFIX);
  Ast *e = inout ? parse_postfix(p) : parse_expr(p);
  if (inout) check_place(p, e, "`&` needs a place, whose value it lends", false);
  Ast *n = named(node1(p, AST_ARG, name || spread ? at : begin_of(e), e), name);
  n->spread = spread;
  n->inout = inout;
  return n;
}

static void push_arg(Parser *p) { push(p, parse_item(p, true)); }
static void push_elem(Parser *p) { push(p, parse_item(p, false)); }
static void push_expr(Parser *p) { push(p, parse_expr(p)); }

static Ast *parse_call(Parser *p, Ast *callee) {
  Loc at = p->tok.loc;
  int from = p->kid.n;
  bool outer = p->lines;
  push(p, callee);
  p->lines = false;
  Token open = open_bracket(p, ROLE_CALL);
  parse_list(p, LEX_RPAREN, &open, "`,` or `)`", push_arg);
  p->lines = outer;
  bool by_name = false;
  for (int i = from + 1; i < p->kid.n; i++) {
    const Ast *a = p->kid.at[i];
    by_name |= a->name != NULL;
    if (!by_name || a->name || a->spread) continue;
    Diag *g = diag_error(p->diags, a->loc, "a positional argument behind a named one");
    diag_help(p->diags, g, "positional arguments come first; name this one too, `name = value`, or move it");
  }
  return finish(p, node(p, AST_CALL, at), from);
}

static bool index_ends(const Parser *p) { return is(p, LEX_COMMA) || is(p, LEX_RBRACKET); }

static void push_index(Parser *p) {
  Loc at = p->tok.loc;
  if (is(p, LEX_DOTS)) {
    take(p, ROLE_WORD);
    push(p, node(p, AST_IX_DOTS, at));
    return;
  }
  if (is_name(p, "_") && (ahead(p)->kind == LEX_COMMA || ahead(p)->kind == LEX_RBRACKET)) {
    take(p, ROLE_WORD);
    push(p, node(p, AST_IX_NEW, at));
    return;
  }
  Ast *lo = is(p, LEX_COLON) ? NULL : parse_expr(p);
  if (lo) at = begin_of(lo);
  if (is(p, LEX_COLON)) {
    take(p, ROLE_SLICE);
    Ast *hi = index_ends(p) ? NULL : parse_expr(p);
    if (is(p, LEX_COLON)) fail(p, p->tok.loc, "a slice has two bounds", "`a[lo:hi]` takes every element between; `a[lo +: n]` takes n from a start known when running");
    push(p, node2(p, AST_IX_RANGE, at, lo, hi));
  } else if (is(p, LEX_PLUS_COLON)) {
    take(p, ROLE_WORD);
    Ast *length = parse_expr(p);
    push(p, node2(p, AST_IX_DYN, at, lo, length));
  } else {
    push(p, node1(p, AST_IX, at, lo));
  }
}

static Ast *parse_index(Parser *p, Ast *base) {
  Loc at = p->tok.loc;
  int from = p->kid.n;
  bool outer = p->lines;
  push(p, base);
  p->lines = false;
  Token open = open_bracket(p, ROLE_CALL);
  if (is(p, LEX_RBRACKET)) expected_help(p, "an index", "`a[i]` takes an element, `a[:]` a whole axis");
  parse_list(p, LEX_RBRACKET, &open, "`,`, `:` or `]`", push_index);
  p->lines = outer;
  return finish(p, node(p, AST_INDEX, at), from);
}

static Ast *parse_paren(Parser *p) {
  Loc at = p->tok.loc;
  int from = p->kid.n;
  bool outer = p->lines;
  p->lines = false;
  Token open = open_bracket(p, ROLE_OPEN);
  bool comma = parse_list(p, LEX_RPAREN, &open, "`,` or `)`", push_elem);
  p->lines = outer;
  if (p->kid.n == from + 1) {
    Ast *only = p->kid.at[from];
    bool plain = !only->name && !only->spread;
    if (plain && !comma) {
      p->kid.n = from;
      return node1(p, AST_PAREN, at, only->kid[0]);
    }
    if (plain) p->token.at[p->token.n - 2].trailing = false;   // (e,) needs its comma
  }
  return finish(p, node(p, AST_TUPLE, at), from);
}

static Ast *parse_brackets(Parser *p) {
  Loc at = p->tok.loc;
  int from = p->kid.n;
  bool outer = p->lines;
  p->lines = false;
  Token open = open_bracket(p, ROLE_OPEN);
  parse_list(p, LEX_RBRACKET, &open, "`,` or `]`", push_expr);
  p->lines = outer;
  return finish(p, node(p, AST_LIST, at), from);
}

// The value that a word like `if` or `claim` asks for, on the word's own line.
static Ast *parse_value(Parser *p) {
  if (ended(p)) expected_help(p, "a value", "it stands on the same line as the word that asks for it");
  return parse_expr(p);
}

static Ast *parse_if(Parser *p) {
  Loc at = p->tok.loc;
  enter(p);
  take(p, ROLE_WORD);
  Ast *condition = parse_value(p), *then = parse_block(p), *other = NULL;
  if (is(p, LEX_ELSE)) {
    take(p, ROLE_WORD);
    p->token.at[p->token.n - 1].glued = true;
    bool chain = is(p, LEX_IF);
    int next = p->token.n;
    other = chain ? parse_if(p) : parse_block(p);
    if (chain) p->token.at[next].glued = true;
  }
  leave(p);
  return node3(p, AST_IF, at, condition, then, other);
}

static void push_case(Parser *p);

static Ast *parse_match(Parser *p) {
  Loc at = p->tok.loc;
  int from = p->kid.n;
  take(p, ROLE_WORD);
  push(p, parse_value(p));
  parse_braces(p, "`{` and the cases", "`match n { 0 => a; _ => b }`", false, push_case);
  return finish(p, node(p, AST_MATCH, at), from);
}

static Ast *parse_while(Parser *p) {
  Loc at = p->tok.loc;
  take(p, ROLE_WORD);
  Ast *condition = parse_value(p), *block = parse_block(p);
  return node2(p, AST_WHILE, at, condition, block);
}

static Ast *parse_loop(Parser *p, AstKind kind) {
  Loc at = p->tok.loc;
  Token head = take(p, ROLE_WORD);
  Ast *pattern = parse_pattern(p);
  expect(p, LEX_IN, ROLE_WORD, "`in`", "loops are written `for x in xs { … }`");
  Ast *over = parse_value(p);
  bool reversed = is_name(p, "reversed");
  if (reversed) {
    if (kind != AST_SCAN) {
      Diag *g = diag_error(p->diags, p->tok.loc, "`reversed` belongs to `scan`, not to `%s`", lex_text(head.kind));
      diag_help(p->diags, g, "walk over `flip(xs, axis = 0)`");
    }
    take(p, ROLE_WORD);
  }
  Ast *block = parse_block(p);
  Ast *n = node3(p, kind, at, pattern, over, block);
  n->flag = reversed && kind == AST_SCAN;
  return n;
}

static Ast *parse_literal(Parser *p) {
  Token t = take(p, ROLE_WORD);
  Ast *n = node(p, t.kind == LEX_NUM ? AST_NUM : t.kind == LEX_STR ? AST_STR : t.kind == LEX_NAME ? AST_NAME : AST_BOOL, t.loc);
  n->name = t.kind == LEX_STR ? t.str : word(p, &t);
  n->is_int = t.kind == LEX_NUM && t.is_int;
  n->i = t.kind == LEX_TRUE ? 1 : t.i;
  n->f = t.f;
  return n;
}

static Ast *parse_primary(Parser *p) {
  switch (p->tok.kind) {
    case LEX_NAME: case LEX_NUM: case LEX_STR: case LEX_TRUE: case LEX_FALSE: return parse_literal(p);
    case LEX_LBRACE: return parse_block(p);
    case LEX_LPAREN: return parse_paren(p);
    case LEX_LBRACKET: return parse_brackets(p);
    case LEX_IF: return parse_if(p);
    case LEX_MATCH: return parse_match(p);
    case LEX_WHILE: return parse_while(p);
    case LEX_FOR: return parse_loop(p, AST_FOR);
    case LEX_SCAN: return parse_loop(p, AST_SCAN);
    case LEX_EACH: return parse_loop(p, AST_EACH);
    case LEX_UNROLL: return parse_loop(p, AST_UNROLL);
    case LEX_BAR: expected_help(p, "a value", "a lambda goes as far as it can: put it in parentheses, `(|x| value)`");
    case LEX_AMP: expected_help(p, "a value", "`&x` stands in the arguments of a call and in patterns only");
    default: break;
  }
  const char *asks = p->last == LEX_EOF ? NULL : lex_text(p->last);
  expected_help(p, "a value", asks ? arena_printf(p->arena, "`%s` asks for one: a name, a number, a call, ( ), [ ], an `if` or a loop", asks)
                                   : "a value is a name, a number, a call, ( ), [ ], { }, an `if` or a loop");
}

static Ast *parse_postfix(Parser *p) {
  enter(p);
  Ast *n = parse_primary(p);
  for (;;) {
    if (is(p, LEX_DOT)) n = parse_field(p, n);
    else if (is(p, LEX_LPAREN) && !ended(p)) n = parse_call(p, n);
    else if (is(p, LEX_LBRACKET) && !ended(p)) n = parse_index(p, n);
    else break;
  }
  leave(p);
  return n;
}

static Ast *unary_node(Parser *p, AstOp op, Loc at, Ast *operand) {
  Ast *n = node1(p, AST_UN, at, operand);
  n->op = op;
  return n;
}

static Ast *binary_node(Parser *p, AstOp op, Loc at, Ast *left, Ast *right) {
  Ast *n = node2(p, AST_BIN, at, left, right);
  n->op = op;
  return n;
}

static Ast *parse_unary(Parser *p) {
  Ast *base = is(p, LEX_MINUS) ? NULL : parse_postfix(p);
  if (base && !is(p, LEX_CARET)) return base;
  Loc at = p->tok.loc;
  enter(p);
  take(p, base ? ROLE_TIGHT : ROLE_PREFIX);
  Ast *operand = parse_unary(p);
  leave(p);
  return base ? binary_node(p, AST_POW, at, base, operand) : unary_node(p, AST_NEG, at, operand);
}

// Levels of infix operators, from loose to tight.
enum { LEVEL_RANGE = 1, LEVEL_OR, LEVEL_AND, LEVEL_NOT, LEVEL_COMPARE, LEVEL_SUM, LEVEL_TERM };

static int infix(LexKind k, AstOp *op) {
  switch (k) {
    case LEX_UPTO: return *op = AST_UPTO, LEVEL_RANGE;
    case LEX_OR: return *op = AST_OR, LEVEL_OR;
    case LEX_AND: return *op = AST_AND, LEVEL_AND;
    case LEX_EQ: return *op = AST_EQ, LEVEL_COMPARE;
    case LEX_NE: return *op = AST_NE, LEVEL_COMPARE;
    case LEX_LT: return *op = AST_LT, LEVEL_COMPARE;
    case LEX_LE: return *op = AST_LE, LEVEL_COMPARE;
    case LEX_GT: return *op = AST_GT, LEVEL_COMPARE;
    case LEX_GE: return *op = AST_GE, LEVEL_COMPARE;
    case LEX_PLUS: return *op = AST_ADD, LEVEL_SUM;
    case LEX_MINUS: return *op = AST_SUB, LEVEL_SUM;
    case LEX_STAR: return *op = AST_MUL, LEVEL_TERM;
    case LEX_SLASH: return *op = AST_DIV, LEVEL_TERM;
    case LEX_PERCENT: return *op = AST_MOD, LEVEL_TERM;
    case LEX_AT: return *op = AST_MATMUL, LEVEL_TERM;
    default: return 0;
  }
}

static void complain_chain(Parser *p, int level) {
  if (level == LEVEL_COMPARE) {
    Diag *g = diag_error(p->diags, p->tok.loc, "comparisons do not chain");
    diag_help(p->diags, g, "write `a < b and b < c`");
  } else {
    Diag *g = diag_error(p->diags, p->tok.loc, "a range has two ends");
    diag_help(p->diags, g, "write `a..b`");
  }
}

// An operand and the operators behind it of at least this level.
static Ast *parse_binary(Parser *p, int least) {
  Loc at = p->tok.loc;
  Ast *left;
  if (is(p, LEX_NOT) && least <= LEVEL_NOT) {
    enter(p);
    take(p, ROLE_WORD);
    left = unary_node(p, AST_NOT, at, parse_binary(p, LEVEL_NOT));
    leave(p);
  } else {
    left = parse_unary(p);
  }
  for (int last = 0;;) {
    AstOp op;
    int level = infix(p->tok.kind, &op);
    if (!level || level < least || (is(p, LEX_MINUS) && ended(p))) return left;
    if (level == last && (level == LEVEL_COMPARE || level == LEVEL_RANGE)) complain_chain(p, level);
    last = level;
    at = p->tok.loc;
    take(p, level == LEVEL_RANGE ? ROLE_TIGHT : ROLE_WORD);
    left = binary_node(p, op, at, left, parse_binary(p, level + 1));
  }
}

static Ast *parse_lambda(Parser *p) {
  Loc at = p->tok.loc;
  int from = p->kid.n;
  enter(p);
  take(p, ROLE_BAR_OPEN);
  while (!is(p, LEX_BAR)) {
    push_pattern(p);
    if (!is(p, LEX_COMMA)) break;
    take(p, ROLE_COMMA);
  }
  if (p->token.at[p->token.n - 1].role == ROLE_COMMA) p->token.at[p->token.n - 1].trailing = true;
  expect(p, LEX_BAR, ROLE_BAR_CLOSE, "`,` or `|`", "a lambda is written `|x, y| value`");
  push_expr(p);
  leave(p);
  return finish(p, node(p, AST_LAMBDA, at), from);
}

static Ast *parse_expr(Parser *p) {
  Ast *n = is(p, LEX_BAR) ? parse_lambda(p) : parse_binary(p, LEVEL_RANGE);
  while (is(p, LEX_PIPE)) {
    Loc at = p->tok.loc;
    take(p, ROLE_WORD);
    Ast *f = parse_postfix(p);
    bool callable = f->kind == AST_NAME || f->kind == AST_FIELD || f->kind == AST_ITEM || f->kind == AST_CALL || f->kind == AST_INDEX || f->kind == AST_PAREN;
    if (!callable) {
      Diag *g = diag_error(p->diags, begin_of(f), "the right side of `|>` must be a function, or a call that lacks its first argument");
      diag_help(p->diags, g, "`x |> f` is `f(x)`, `x |> f(a)` is `f(x, a)`");
    }
    n = node2(p, AST_PIPE, at, n, f);
  }
  return n;
}

static void push_case(Parser *p) {
  Loc at = p->tok.loc;
  if (is(p, LEX_MINUS)) expected_help(p, "a case's label", "a negative label stands in parentheses: `(-1) => value`");
  Ast *label = parse_primary(p);
  expect(p, LEX_CASE, ROLE_WORD, "`=>`", "a case is written `label => value`");
  Ast *value = parse_expr(p);
  push(p, node2(p, AST_CASE, at, label, value));
  expect_end(p, "a case");
}

// ---- statements ----------------------------------------------------------------------

static Ast *optional_type(Parser *p) {
  if (!is(p, LEX_COLON) || ended(p)) return NULL;
  take(p, ROLE_COLON);
  return parse_type(p);
}

static bool lends(const Ast *pattern) {
  bool any = pattern->inout;
  for (int i = 0; i < pattern->nkid; i++) any |= lends(pattern->kid[i]);
  return any;
}

static Ast *parse_let(Parser *p) {
  Loc at = p->tok.loc;
  Token head = take(p, ROLE_WORD);
  Ast *pattern = parse_pattern(p);
  if (lends(pattern)) {
    Diag *g = diag_error(p->diags, pattern->loc, "`&` in a pattern marks an element that a loop writes back; `%s` has none", lex_text(head.kind));
    diag_help(p->diags, g, "leave the `&` out");
  }
  Ast *type = optional_type(p);
  const char *help = head.kind == LEX_LET ? "`let` gives a value a name: `let x = value`" : "`var` begins with a value: `var x = value`";
  if (is(p, LEX_COMMA)) help = "several names stand in parentheses: `let (a, b) = value`";
  expect(p, LEX_SET, ROLE_WORD, "`=` and a value", help);
  Ast *n = node3(p, AST_LET, at, pattern, type, parse_expr(p));
  n->flag = head.kind == LEX_VAR;
  return n;
}

static Ast *parse_state(Parser *p) {
  Loc at = p->tok.loc;
  int from = p->kid.n;
  take(p, ROLE_WORD);
  for (;;) {
    Token t = expect_name(p, "the state's name");
    push(p, named(node(p, AST_PAT, t.loc), word(p, &t)));
    if (!is(p, LEX_COMMA)) break;
    take(p, ROLE_COMMA);
  }
  push(p, optional_type(p));
  bool starts = is(p, LEX_SET) && !ended(p);
  if (starts) take(p, ROLE_WORD);
  push(p, starts ? parse_expr(p) : NULL);
  return finish(p, node(p, AST_STATE, at), from);
}

static Ast *parse_param(Parser *p) {
  static const char help[] = "a parameter is written `param name: type = initialiser`, as in `param b: f32[O] = zeros`";
  take(p, ROLE_WORD);
  Token name = expect_name(p, "the parameter's name");
  expect(p, LEX_COLON, ROLE_COLON, "`:` and a type", help);
  Ast *type = parse_type(p);
  expect(p, LEX_SET, ROLE_WORD, "`=` and an initialiser", help);
  return named(node2(p, AST_PARAM, name.loc, type, parse_expr(p)), word(p, &name));
}

static Ast *parse_every(Parser *p) {
  Loc at = p->tok.loc;
  take(p, ROLE_WORD);
  Ast *count = parse_value(p), *block = parse_block(p);
  return node2(p, AST_EVERY, at, count, block);
}

static Ast *parse_log(Parser *p) {
  Loc at = p->tok.loc;
  int from = p->kid.n;
  take(p, ROLE_WORD);
  for (;;) {
    if (!lex_is_word(p->tok.kind)) expected_help(p, "the name of a logged value", "`log loss = l, entropy = h`");
    Token t = take(p, ROLE_WORD);
    expect(p, LEX_SET, ROLE_WORD, "`=` and the value to log", "`log loss = l, entropy = h`");
    push(p, named(node1(p, AST_ARG, t.loc, parse_expr(p)), word(p, &t)));
    if (!is(p, LEX_COMMA)) break;
    take(p, ROLE_COMMA);
  }
  return finish(p, node(p, AST_LOG, at), from);
}

static bool assigns(LexKind k, AstOp *op) {
  switch (k) {
    case LEX_SET: return *op = AST_NOP, true;
    case LEX_ADD_SET: return *op = AST_ADD, true;
    case LEX_SUB_SET: return *op = AST_SUB, true;
    case LEX_MUL_SET: return *op = AST_MUL, true;
    case LEX_DIV_SET: return *op = AST_DIV, true;
    default: return false;
  }
}

static Ast *parse_assign(Parser *p) {
  Ast *e = parse_expr(p);
  AstOp op;
  if (!assigns(p->tok.kind, &op)) return e;
  check_place(p, e, "this cannot be assigned to", true);
  Loc at = begin_of(e);
  take(p, ROLE_WORD);
  Ast *n = node2(p, AST_ASSIGN, at, e, parse_expr(p));
  n->op = op;
  if (assigns(p->tok.kind, &op)) fail(p, p->tok.loc, "an assignment has no value, so assignments do not chain", "give each its own line; `==` compares");
  return n;
}

static Ast *parse_statement(Parser *p) {
  switch (p->tok.kind) {
    case LEX_LET: case LEX_VAR: return parse_let(p);
    case LEX_STATE: return parse_state(p);
    case LEX_PARAM: return parse_param(p);
    case LEX_EVERY: return parse_every(p);
    case LEX_RETURN: fail(p, p->tok.loc, "there is no `return`", "a block's last expression is its value; leave `return` out");
    case LEX_ELSE: fail(p, p->tok.loc, "`else` without an `if` before it", "it stands right behind the block of its `if`");
    case LEX_FN: fail(p, p->tok.loc, "a function cannot be declared inside a block", "move it to the top of the file, or name a lambda: `let f = |x| value`");
    default: break;
  }
  if (is_name(p, "log") && lex_is_word(ahead(p)->kind) && !ahead(p)->nl) return parse_log(p);
  return parse_assign(p);
}

static void push_statement(Parser *p) {
  push(p, parse_statement(p));
  expect_end(p, "a statement");
}

static Ast *parse_block(Parser *p) {
  Loc at = p->tok.loc;
  int from = p->kid.n;
  enter(p);
  parse_braces(p, "a block, `{ … }`", "a block is written in braces: `{ … }`", false, push_statement);
  leave(p);
  return finish(p, node(p, AST_BLOCK, at), from);
}

// ---- declarations ----------------------------------------------------------------------

// [&] name [: type] [= value]
static void push_static(Parser *p) {
  bool inout = is(p, LEX_AMP);
  if (inout) take(p, ROLE_PREFIX);
  Token t = expect_name(p, "a parameter's name");
  Ast *type = optional_type(p), *value = NULL;
  if (is(p, LEX_SET)) {
    take(p, ROLE_WORD);
    value = parse_expr(p);
  }
  Ast *n = named(node2(p, AST_STATIC, t.loc, type, value), word(p, &t));
  n->inout = inout;
  push(p, n);
}

static void parse_params(Parser *p, const char *help) {
  if (!is(p, LEX_LPAREN) || ended(p)) expected_help(p, "`(` and the parameters", help);
  bool outer = p->lines;
  p->lines = false;
  Token open = open_bracket(p, ROLE_CALL);
  parse_list(p, LEX_RPAREN, &open, "`,` or `)`", push_static);
  p->lines = outer;
}

static void parse_statics(Parser *p) {
  if (!is(p, LEX_LBRACKET) || ended(p)) return;
  bool outer = p->lines;
  int from = p->kid.n;
  p->lines = false;
  Token open = open_bracket(p, ROLE_CALL);
  parse_list(p, LEX_RBRACKET, &open, "`,` or `]`", push_static);
  p->lines = outer;
  for (int i = from; i < p->kid.n; i++)
    if (p->kid.at[i]->inout) diag_help(p->diags, diag_error(p->diags, p->kid.at[i]->loc, "a value in brackets is known when compiling, and cannot be `&`"), "leave the `&` out");
}

static Ast **take_kids(Parser *p, int from, int *n) {
  *n = p->kid.n - from;
  p->kid.n = from;
  return *n ? arena_copy(p->arena, p->kid.at + from, sizeof(Ast *) * (size_t)*n) : NULL;
}

static Ast *parse_from(Parser *p) {
  take(p, ROLE_WORD);
  return parse_value(p);
}

static void parse_backward(Parser *p, AstFn *f) {
  VEC(const char *) names = {0};
  take(p, ROLE_WORD);
  p->token.at[p->token.n - 1].glued = true;
  Token open = open_bracket(p, ROLE_CALL);
  bool outer = p->lines;
  p->lines = false;
  for (;;) {
    Token t = expect_name(p, "a name for the derivative of the result");
    vec_push(p->arena, &names, word(p, &t));
    if (!is(p, LEX_COMMA)) break;
    take(p, ROLE_COMMA);
  }
  expect_close(p, LEX_RPAREN, &open, "`,` or `)`");
  p->lines = outer;
  f->nback = names.n;
  f->back = names.at;
  f->backward = parse_block(p);
}

// NAME [statics] (params) [-> type] body
static Ast *parse_func(Parser *p, AstFlavour flavour) {
  static const char *const a_name[] = { "the function's name", "the layer's name", "the model's name", "the loss's name", "the rule's name" };
  AstFn *f = arena_new(p->arena, AstFn);
  f->flavour = flavour;
  Token t = expect_name(p, a_name[flavour]);
  Ast *n = named(node(p, AST_FN, t.loc), word(p, &t));
  n->fn = f;
  int from = p->kid.n;
  parse_statics(p);
  f->statics = take_kids(p, from, &f->nstatic);
  parse_params(p, "a function is written `fn name(x, y) -> type { … }` or `fn name(x) = value`");
  f->params = take_kids(p, from, &f->nparam);
  if (is(p, LEX_ARROW)) {
    take(p, ROLE_WORD);
    f->result = parse_type(p);
  }
  if (is(p, LEX_SET) && !ended(p)) {
    take(p, ROLE_WORD);
    f->equals = true;
    f->body = parse_expr(p);
  } else if (is_name(p, "from") && !ended(p)) {
    f->from = parse_from(p);
  } else {
    if (!is(p, LEX_LBRACE)) expected_help(p, "a body", "a body is `= value`, a block `{ … }` on the same line, or `from c(\"file.h\")`");
    f->body = parse_block(p);
    if (is_name(p, "backward") && ahead(p)->kind == LEX_LPAREN) parse_backward(p, f);
  }
  for (int i = 0; i < f->nstatic; i++) deepen(p, n, f->statics[i]);
  for (int i = 0; i < f->nparam; i++) deepen(p, n, f->params[i]);
  deepen(p, n, f->result);
  deepen(p, n, f->body);
  deepen(p, n, f->from);
  deepen(p, n, f->backward);
  n->end_line = p->prev.line;
  return n;
}

// The comment lines right above a line, without their slashes; NULL if there are none.
static const char *doc_above(Parser *p, int line) {
  int i = p->lexer.comment.n - 1, last;
  const AstComment *c = p->lexer.comment.at;
  while (i >= 0 && c[i].line >= line) i--;
  for (last = i; i >= 0 && c[i].own_line && c[i].line == line - 1 - (last - i); i--) {}
  if (i == last) return NULL;
  Str s = { .arena = p->arena };
  for (int k = i + 1; k <= last; k++) {
    const char *text = c[k].text + 2;
    str_printf(&s, "%s%s", k > i + 1 ? "\n" : "", *text == ' ' ? text + 1 : text);
  }
  return s.s;
}

static void push_use(Parser *p) {
  for (;;) {
    Token t = expect_name_help(p, "a module's name", "modules are named like `use nn, rl`");
    Ast *n = node(p, AST_USE, t.loc);
    Str path = { .arena = p->arena };
    str_put(&path, t.text, (size_t)t.loc.width);
    while (is(p, LEX_DOT)) {
      take(p, ROLE_TIGHT);
      t = expect_name_help(p, "a module's name", "modules are named like `use nn, rl`");
      str_printf(&path, ".%.*s", t.loc.width, t.text);
    }
    n->name = path.s;
    push(p, n);
    if (!is(p, LEX_COMMA)) return;
    take(p, ROLE_COMMA);
  }
}

static void push_const(Parser *p) {
  for (;;) {
    Token t = expect_name(p, "the constant's name");
    expect(p, LEX_SET, ROLE_WORD, "`=` and a value", "a constant is written `const N = 5`; several `const N = 5, M = 6`");
    push(p, named(node1(p, AST_CONST, t.loc, parse_expr(p)), word(p, &t)));
    if (!is(p, LEX_COMMA)) return;
    take(p, ROLE_COMMA);
  }
}

static void push_data(Parser *p) {
  static const char help[] = "data is declared like `data x: f32[N, 4] from csv(\"x.csv\")`";
  Token t = expect_name(p, "the name of the data");
  expect(p, LEX_COLON, ROLE_COLON, "`:` and a type", help);
  Ast *type = parse_type(p);
  if (!is_name(p, "from") || ended(p)) expected_help(p, "`from` and where the data is", help);
  push(p, named(node2(p, AST_DATA, t.loc, type, parse_from(p)), word(p, &t)));
}

static void push_function(Parser *p) {
  const char *doc = doc_above(p, p->tok.loc.line);
  take(p, ROLE_WORD);
  Ast *n = parse_func(p, FLAVOUR_FN);
  n->doc = doc;
  push(p, n);
  expect_end(p, "a function");
}

// name, name: type [= value]; each name gets a node, all the same type and value.
static void push_members(Parser *p) {
  if (is(p, LEX_FN)) {
    push_function(p);
    return;
  }
  const char *doc = doc_above(p, p->tok.loc.line);
  int from = p->kid.n;
  for (;;) {
    Token t = expect_name(p, "a field's name");
    Ast *n = named(node(p, AST_MEMBER, t.loc), word(p, &t));
    n->doc = doc;
    push(p, n);
    if (!is(p, LEX_COMMA)) break;
    take(p, ROLE_COMMA);
  }
  int upto = p->kid.n;
  expect(p, LEX_COLON, ROLE_COLON, "`:` and a type", "a record's fields are written `x, y: f32[N]`, one line for each type");
  Ast *type = parse_type(p), *value = NULL;
  if (is(p, LEX_SET) && !ended(p)) {
    take(p, ROLE_WORD);
    value = parse_expr(p);
  }
  for (int i = from; i < upto; i++) {
    Ast *n = p->kid.at[i];
    n->nkid = 2;
    n->kid = arena_array(p->arena, Ast *, 2);
    n->kid[0] = type;
    n->kid[1] = value;
    n->end_line = p->prev.line;
    deepen(p, n, type);
    deepen(p, n, value);
  }
  expect_end(p, "a field");
}

static Ast *with_statics(Parser *p, AstKind kind, const Token *name, int from) {
  Ast *n = named(node(p, kind, name->loc), word(p, name));
  n->nstatic = p->kid.n - from;
  return n;
}

static void push_record(Parser *p) {
  Token t = expect_name(p, "the record's name");
  int from = p->kid.n;
  parse_statics(p);
  Ast *n = with_statics(p, AST_RECORD, &t, from);
  parse_braces(p, "`{` and the fields", "a record is written `record name { x, y: f32 }`", true, push_members);
  push(p, finish(p, n, from));
}

static void push_env_member(Parser *p) {
  Loc at = p->tok.loc;
  if (is(p, LEX_FN)) {
    push_function(p);
    return;
  }
  if (is(p, LEX_STATE)) {
    push(p, parse_state(p));
  } else if (is_name(p, "obs")) {
    take(p, ROLE_WORD);
    Ast *type = optional_type(p), *value = NULL;
    if (is(p, LEX_SET) && !ended(p)) {
      take(p, ROLE_WORD);
      value = parse_expr(p);
    }
    if (!type && !value) expected_help(p, "`=` and what is observed", "`obs = [x, y]`, or `obs: f32[4]` for an environment from outside");
    push(p, node2(p, AST_OBS, at, type, value));
  } else if (is_name(p, "action")) {
    take(p, ROLE_WORD);
    expect(p, LEX_SET, ROLE_WORD, "`=` and the kind of action", "`action = discrete(2)` or `action = box(1, -2, 2)`");
    push(p, node1(p, AST_ACTION, at, parse_expr(p)));
  } else {
    expected_help(p, "a member of the environment", "its members are `state`, `obs`, `action` and `fn`");
  }
  expect_end(p, "a member");
}

static void push_env(Parser *p) {
  Token t = expect_name(p, "the environment's name");
  int from = p->kid.n;
  if (is(p, LEX_LPAREN) && !ended(p)) parse_params(p, NULL);
  Ast *n = with_statics(p, AST_ENV, &t, from);
  if (is_name(p, "from") && !ended(p)) n->from = parse_from(p);
  deepen(p, n, n->from);
  parse_braces(p, "`{` and the members", "an environment is written `env name(settings) { state …; obs = …; action = …; fn reset(key) { … }; fn step(a) { … } }`", true, push_env_member);
  push(p, finish(p, n, from));
}

static void push_export(Parser *p) {
  take(p, ROLE_WORD);
  int line = p->prev.line;
  Ast *f = parse_func(p, FLAVOUR_FN);
  f->doc = doc_above(p, line);
  if (f->fn->nstatic) diag_help(p->diags, diag_error(p->diags, f->fn->statics[0]->loc, "an exported function has no values in brackets"), "leave them out; the trainer's settings are at hand");
  if (!f->fn->result) diag_help(p->diags, diag_error(p->diags, f->loc, "an exported function states its result type"), "`export act(obs: E.obs) -> E.action = …`");
  push(p, named(node1(p, AST_EXPORT, f->loc, f), f->name));
}

static void push_train_item(Parser *p) {
  Loc at = p->tok.loc;
  if (is(p, LEX_LET)) {
    push(p, parse_let(p));
  } else if (is(p, LEX_STATE)) {
    push(p, parse_state(p));
  } else if (is_name(p, "step")) {
    take(p, ROLE_WORD);
    push(p, node1(p, AST_STEP, at, parse_block(p)));
  } else if (is_name(p, "stop")) {
    take(p, ROLE_WORD);
    if (!is_name(p, "when") || ended(p)) expected_help(p, "`when`", "`stop when iter >= 100`");
    take(p, ROLE_WORD);
    push(p, node1(p, AST_STOP, at, parse_value(p)));
  } else if (is_name(p, "export")) {
    push_export(p);
  } else {
    expected_help(p, "a part of the trainer", "its parts are `let`, `state`, one `step { … }`, `stop when …` and `export`; all else goes into `step`");
  }
  expect_end(p, "a part of the trainer");
}

static void push_experiment_item(Parser *p) {
  Loc at = p->tok.loc;
  if (is(p, LEX_LET)) {
    push(p, parse_let(p));
  } else if (is_name(p, "claim")) {
    take(p, ROLE_WORD);
    push(p, node1(p, AST_CLAIM, at, parse_value(p)));
  } else {
    expected_help(p, "`let` or `claim`", "an experiment runs trainers, `let a = T.run()`, and claims, `claim mean(a.score) > 0`");
  }
  expect_end(p, "a line of the experiment");
}

static void push_with_settings(Parser *p, AstKind kind, const char *a_name, const char *parts, const char *help, void (*item)(Parser *)) {
  Token t = expect_name(p, a_name);
  int from = p->kid.n;
  parse_params(p, help);
  Ast *n = with_statics(p, kind, &t, from);
  parse_braces(p, parts, help, false, item);
  push(p, finish(p, n, from));
}

static void push_train(Parser *p) {
  push_with_settings(p, AST_TRAIN, "the trainer's name", "`{` and the trainer's parts", "a trainer is written `train name(setting = 1) { state …; step { … }; stop when … }`", push_train_item);
}

static void push_experiment(Parser *p) {
  push_with_settings(p, AST_EXPERIMENT, "the experiment's name", "`{` and the experiment's lines", "an experiment is written `experiment name(seeds = 3) { let …; claim … }`", push_experiment_item);
}

static void push_layer(Parser *p) { push(p, parse_func(p, FLAVOUR_LAYER)); }
static void push_model(Parser *p) { push(p, parse_func(p, FLAVOUR_MODEL)); }
static void push_loss(Parser *p) { push(p, parse_func(p, FLAVOUR_LOSS)); }
static void push_rule(Parser *p) { push(p, parse_func(p, FLAVOUR_RULE)); }

static const struct { const char *word; void (*parse)(Parser *); } declarations[] = {
  { "use", push_use }, { "const", push_const }, { "data", push_data }, { "layer", push_layer }, { "model", push_model },
  { "loss", push_loss }, { "rule", push_rule }, { "record", push_record }, { "env", push_env }, { "train", push_train },
  { "experiment", push_experiment },
};
#define NDECLARATION (int)(sizeof declarations / sizeof *declarations)

// Edits from the first n bytes of a to b, counting no further than 3.
static int edits(const char *a, int n, const char *b) {
  int m = (int)strlen(b), row[16];
  if (n > 15 || m > 15) return 3;
  for (int j = 0; j <= m; j++) row[j] = j;
  for (int i = 1; i <= n; i++) {
    int corner = row[0]++;
    for (int j = 1; j <= m; j++) {
      int best = corner + (a[i - 1] != b[j - 1]);
      if (row[j] + 1 < best) best = row[j] + 1;
      if (row[j - 1] + 1 < best) best = row[j - 1] + 1;
      corner = row[j];
      row[j] = best;
    }
  }
  return row[m];
}

static _Noreturn void unknown_declaration(Parser *p) {
  const char *help = "a file is made of use, const, data, fn, layer, model, loss, rule, record, env, train and experiment";
  if (is(p, LEX_RBRACE)) fail(p, p->tok.loc, "`}` without a `{` before it", "remove it, or look above for a block that was closed too early");
  if (is(p, LEX_LET) || is(p, LEX_VAR)) help = "a value for the whole file is named by `const name = value`";
  if (is(p, LEX_NAME)) {
    for (int i = 0; i < NDECLARATION; i++)
      if (edits(p->tok.text, p->tok.loc.width, declarations[i].word) <= 2) help = arena_printf(p->arena, "did you mean `%s`?", declarations[i].word);
    if (ahead(p)->kind == LEX_SET) help = arena_printf(p->arena, "a value for the whole file is named by `const %.*s = value`", p->tok.loc.width, p->tok.text);
  }
  expected_help(p, "a declaration", help);
}

static void push_declaration(Parser *p) {
  if (is(p, LEX_FN)) {
    push_function(p);
    return;
  }
  int i = 0, from = p->kid.n;
  while (i < NDECLARATION && !is_name(p, declarations[i].word)) i++;
  if (i == NDECLARATION) unknown_declaration(p);
  const char *doc = doc_above(p, p->tok.loc.line);
  take(p, ROLE_WORD);
  declarations[i].parse(p);
  for (int k = from; k < p->kid.n; k++) p->kid.at[k]->doc = doc;
  if (is(p, LEX_RBRACE)) unknown_declaration(p);
  expect_end(p, "a declaration");
}

// ---- files -----------------------------------------------------------------------------

static Parser parser_start(Arena *a, Diags *d, const Source *src) {
  Parser p = { .arena = a, .diags = d, .lexer = lex_start(a, d, src), .lines = true, .errors_before = d->count };
  p.tok = lex_next(&p.lexer);
  return p;
}

Ast *ast_parse(Arena *a, Diags *d, const Source *src) {
  Parser p = parser_start(a, d, src);
  for (;;) {
    while (is(&p, LEX_SEMI)) skip(&p);
    if (is(&p, LEX_EOF)) break;
    Recover r;
    p.starts = true;
    p.suspect = (Loc){0};
    if (guarded(&p, &r, push_declaration)) continue;
    if (too_many(&p)) break;
    p.abandon = false;
    skip_declaration(&p, &r);
    restore(&p, &r);
  }
  Ast *file = node(&p, AST_FILE, (Loc){ src, 1, 1, 1 });
  file->kid = take_kids(&p, 0, &file->nkid);
  if (!file->nkid && d->count == p.errors_before)
    diag_help(d, diag_error(d, file->loc, "there is no declaration in this file"), "a program is made of declarations: use, const, fn, model, train, …");
  file->src = src;
  file->comment = p.lexer.comment.at;
  file->ncomment = p.lexer.comment.n;
  file->token = p.token.at;
  file->ntoken = p.token.n;
  return file;
}

static void push_only_expr(Parser *p) {
  push_expr(p);
  if (!is(p, LEX_EOF)) expected_help(p, "the end of the expression", "one value only");
}

Ast *ast_parse_expr(Arena *a, Diags *d, const Source *src) {
  Parser p = parser_start(a, d, src);
  Recover r;
  p.lines = false;
  if (guarded(&p, &r, push_only_expr)) return p.kid.at[0];
  return named(node(&p, AST_NAME, p.tok.loc), "_");
}

const Ast *ast_root(const Ast *p) {
  while (p->kind == AST_FIELD || p->kind == AST_INDEX || p->kind == AST_ITEM || p->kind == AST_PAREN) p = p->kid[0];
  return p;
}

const char *ast_op_text(AstOp op) {
  static const char *const text[] = {
    [AST_NOP] = "=", [AST_ADD] = "+", [AST_SUB] = "-", [AST_MUL] = "*", [AST_DIV] = "/", [AST_MOD] = "%", [AST_MATMUL] = "@",
    [AST_POW] = "^", [AST_EQ] = "==", [AST_NE] = "!=", [AST_LT] = "<", [AST_LE] = "<=", [AST_GT] = ">", [AST_GE] = ">=",
    [AST_AND] = "and", [AST_OR] = "or", [AST_NOT] = "not", [AST_NEG] = "-", [AST_UPTO] = "..",
  };
  return text[op];
}
