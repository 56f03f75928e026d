#include "frontend/lex.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static const struct { const char *text; LexKind kind; } words[] = {
#define X(k, s) { s, LEX_##k },
  LEX_WORDS(X)
}, marks[] = {
  LEX_MARKS(X)
#undef X
};
#define NWORD (sizeof words / sizeof *words)
#define NMARK (sizeof marks / sizeof *marks)

const char *lex_text(LexKind k) {
  static const char *const text[] = {
    NULL, NULL, NULL, NULL, NULL,
#define X(k, s) s,
    LEX_WORDS(X) LEX_MARKS(X)
#undef X
  };
  return text[k];
}

Lexer lex_start(Arena *a, Diags *d, const Source *src) {
  Lexer lx = { .arena = a, .diags = d, .src = src, .line = 1, .nl = true };
  if (src->size >= 3 && !memcmp(src->text, "\xEF\xBB\xBF", 3)) lx.at = lx.line_start = 3;   // byte order mark
  return lx;
}

static bool is_digit(char c) { return c >= '0' && c <= '9'; }
static bool is_name(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || is_digit(c); }

// 0 behind the end; a NUL byte inside the text is a stray character.
static char look(const Lexer *lx, size_t k) { return lx->at + k < lx->src->size ? lx->src->text[lx->at + k] : 0; }
static bool at_end(const Lexer *lx) { return lx->at >= lx->src->size; }

static void take_comment(Lexer *lx) {
  const char *s = lx->src->text + lx->at;
  const char *end = memchr(s, '\n', lx->src->size - lx->at);
  size_t n = end ? (size_t)(end - s) : lx->src->size - lx->at;
  lx->at += n;
  while (n && (s[n - 1] == '\r' || s[n - 1] == ' ' || s[n - 1] == '\t')) n--;
  AstComment c = { .line = lx->line, .text = arena_strn(lx->arena, s, n), .own_line = lx->nl };
  vec_push(lx->arena, &lx->comment, c);
}

static void skip_blanks(Lexer *lx) {
  for (; !at_end(lx); lx->at++) {
    char c = look(lx, 0);
    if (c == '\n') {
      lx->line++;
      lx->line_start = lx->at + 1;
      lx->nl = true;
    } else if (c == '/' && look(lx, 1) == '/') {
      take_comment(lx);
      lx->at--;
    } else if (c != ' ' && c != '\t' && c != '\r') {
      return;
    }
  }
}

// Says no more after LEX_ERROR_MOST: by then the file is no program.
static void lex_error(Lexer *lx, Loc at, const char *message, const char *help) {
  if (lx->errors++ < LEX_ERROR_MOST) diag_help(lx->diags, diag_error(lx->diags, at, "%s", message), "%s", help);
}

// ---- numbers -----------------------------------------------------------------

static size_t digits(const Lexer *lx, size_t k) {
  while (is_digit(look(lx, k)) || look(lx, k) == '_') k++;
  return k;
}

// What is wrong with the number's text, or NULL.
static const char *number_fault(const char *s, size_t n) {
  if (n > 1 && s[0] == '0' && (s[1] == 'x' || s[1] == 'X' || s[1] == 'b' || s[1] == 'o')) return "numbers are written in decimal";
  int exponents = 0;
  for (size_t i = 0; i < n; i++) {
    if (s[i] == '_' && (i + 1 == n || !is_digit(s[i + 1]) || !is_digit(s[i - 1]))) return "`_` in a number stands between two digits";
    bool exponent = s[i] == 'e' || s[i] == 'E';
    if (exponent && i + 1 < n && (s[i + 1] == '+' || s[i + 1] == '-')) i++;
    if (exponent && (i + 1 == n || !is_digit(s[i + 1]))) return "an exponent needs digits";
    if (!exponent && !is_digit(s[i]) && s[i] != '_' && s[i] != '.') return "a name cannot begin with a digit";
    if (exponent && exponents++) return "a number has one exponent";
  }
  return NULL;
}

static void number_value(Lexer *lx, Token *t, size_t n) {
  char *plain = arena_alloc(lx->arena, n + 1);
  size_t m = 0;
  for (size_t i = 0; i < n; i++)
    if (t->text[i] != '_') plain[m++] = t->text[i];
  t->f = strtod(plain, NULL);
  bool fits = isfinite(t->f);
  for (size_t i = 0; t->is_int && fits && i < m; i++) {
    int d = plain[i] - '0';
    fits = t->i <= (INT64_MAX - d) / 10;
    if (fits) t->i = t->i * 10 + d;
  }
  if (fits) return;
  lex_error(lx, t->loc, t->is_int ? "this integer does not fit in 64 bits" : "this number does not fit in 64-bit floating point",
            t->is_int ? "the largest is 9_223_372_036_854_775_807; with a decimal point it is a float" : "the largest is about 1.8e308; `inf` is infinity");
  t->i = 0;
  t->f = 0;
}

static void take_number(Lexer *lx, Token *t) {
  size_t n = digits(lx, 0);
  t->is_int = true;
  if (!lx->after_dot) {
    if (look(lx, n) == '.' && is_digit(look(lx, n + 1))) {
      n = digits(lx, n + 1);
      t->is_int = false;
    }
    if (look(lx, n) == 'e' || look(lx, n) == 'E') {
      t->is_int = false;
      n++;
      if (look(lx, n) == '+' || look(lx, n) == '-') n++;
    }
  }
  while (is_name(look(lx, n))) n++;
  t->kind = LEX_NUM;
  t->loc.width = (int)n;
  const char *fault = number_fault(t->text, n);
  if (fault) {
    const char *message = arena_printf(lx->arena, "`%.*s` is not a number: %s", (int)(n > 40 ? 40 : n), t->text, fault);
    lex_error(lx, t->loc, message, "numbers are written like 42, 10_000, 0.5 or 2.5e-4");
  } else {
    number_value(lx, t, n);
  }
  lx->at += n;
}

// ---- strings -----------------------------------------------------------------

static char escape(char c) {
  switch (c) {
    case 'n': return '\n';
    case 't': return '\t';
    case '"': case '\\': return c;
    default: return 0;
  }
}

static void take_string(Lexer *lx, Token *t) {
  Str s = { .arena = lx->arena };
  str_put(&s, "", 0);
  size_t n = 1;
  t->kind = LEX_STR;
  for (;; n++) {
    char c = look(lx, n);
    if (lx->at + n >= lx->src->size || c == '\n' || c == '\r') {
      t->loc.width = (int)n;
      lex_error(lx, t->loc, "this string is not closed", "it ends with `\"` on the same line; a line break in it is written \\n");
      t->kind = LEX_BAD;       // it may have swallowed what closes the brackets before it
      break;
    }
    if (c == '"') {
      n++;
      break;
    }
    if (c == '\\' && lx->at + n + 1 < lx->src->size && look(lx, n + 1) != '\n') {
      char e = escape(look(lx, ++n));
      Loc at = { t->loc.src, t->loc.line, t->loc.col + (int)n - 1, 2 };
      if (!e) lex_error(lx, at, "unknown escape in a string", "the escapes are \\n \\t \\\" \\\\");
      c = e ? e : '?';
    } else if ((unsigned char)c < 0x20 && c != '\t') {
      Loc at = { t->loc.src, t->loc.line, t->loc.col + (int)n, 1 };
      lex_error(lx, at, "a control character in a string", "remove it, or write \\n or \\t");
    }
    str_put(&s, &c, 1);
  }
  t->loc.width = (int)n;
  t->str = s.s;
  lx->at += n;
}

// ---- stray characters ----------------------------------------------------------

static const char *stray_help(char c) {
  switch (c) {
    case '!': return "`not` negates, `!=` compares";
    case '\'': return "strings stand in double quotes";
    case '#': return "comments begin with //";
    case '?': return "`if c { a } else { b }` chooses between values";
    case '\\': return "a line goes on after an operator, a comma, or inside ( ) and [ ]; nothing marks it";
    case '~': return "`not` negates";
    default: return (unsigned char)c < 0x80 ? "remove it" : "names are made of A-Z, a-z, 0-9 and _; other letters go in strings and comments";
  }
}

static void take_stray(Lexer *lx, Token *t) {
  size_t n = 1;
  char c = look(lx, 0);
  if ((unsigned char)c >= 0x80) {
    while ((unsigned char)look(lx, n) >= 0x80) n++;
  } else if (c == '\'') {
    while (look(lx, n) && look(lx, n) != '\n' && look(lx, n) != '\'') n++;
    if (look(lx, n) == '\'') n++;
  }
  t->kind = LEX_BAD;
  t->loc.width = (int)n;
  int shown = (int)(n > 40 ? 40 : n);
  while (shown > 1 && ((unsigned char)t->text[shown] & 0xC0) == 0x80) shown--;   // not in the middle of a character
  bool control = (unsigned char)c < 0x20 || c == 0x7F;
  const char *message = control ? arena_printf(lx->arena, "stray control character 0x%02x", (unsigned char)c)
                                : arena_printf(lx->arena, "stray character `%.*s`", shown, t->text);
  lex_error(lx, t->loc, message, stray_help(c));
  lx->at += n;
}

static void take_name(Lexer *lx, Token *t) {
  size_t n = 1;
  while (is_name(look(lx, n))) n++;
  t->kind = LEX_NAME;
  t->loc.width = (int)n;
  for (size_t i = 0; i < NWORD; i++)
    if (words[i].text[0] == t->text[0] && !strncmp(words[i].text, t->text, n) && !words[i].text[n]) t->kind = words[i].kind;
  lx->at += n;
}

static bool take_mark(Lexer *lx, Token *t) {
  for (size_t i = 0; i < NMARK; i++) {
    if (marks[i].text[0] != t->text[0]) continue;
    size_t n = strlen(marks[i].text);
    if (lx->src->size - lx->at < n || memcmp(t->text, marks[i].text, n)) continue;
    t->kind = marks[i].kind;
    t->loc.width = (int)n;
    lx->at += n;
    return true;
  }
  return false;
}

Token lex_next(Lexer *lx) {
  skip_blanks(lx);
  Token t = { .nl = lx->nl, .text = lx->src->text + lx->at };
  t.loc = (Loc){ lx->src, lx->line, (int)(lx->at - lx->line_start) + 1, 1 };
  lx->nl = false;
  char c = look(lx, 0);
  if (at_end(lx)) t.nl = true;
  else if (is_digit(c)) take_number(lx, &t);
  else if (is_name(c)) take_name(lx, &t);
  else if (c == '"') take_string(lx, &t);
  else if (!take_mark(lx, &t)) take_stray(lx, &t);
  lx->after_dot = t.kind == LEX_DOT;
  return t;
}
