// Words of the language, and the record of them that the formatter prints from.
#ifndef RLC_LEX_H
#define RLC_LEX_H

#include "frontend/ast.h"

// Reserved words, then marks: kind and text.
#define LEX_WORDS(X) \
  X(LET, "let") X(VAR, "var") X(PARAM, "param") X(STATE, "state") X(FOR, "for") X(SCAN, "scan") X(EACH, "each") \
  X(UNROLL, "unroll") X(WHILE, "while") X(IF, "if") X(ELSE, "else") X(MATCH, "match") X(EVERY, "every") X(IN, "in") \
  X(AND, "and") X(OR, "or") X(NOT, "not") X(TRUE, "true") X(FALSE, "false") X(FN, "fn") X(RETURN, "return")

// Longer marks stand before their beginnings: the lexer takes the first that fits.
#define LEX_MARKS(X) \
  X(DOTS, "...") X(UPTO, "..") X(DOT, ".") X(PIPE, "|>") X(BAR, "|") X(ARROW, "->") X(SUB_SET, "-=") X(MINUS, "-") \
  X(ADD_SET, "+=") X(PLUS_COLON, "+:") X(PLUS, "+") X(MUL_SET, "*=") X(STAR, "*") X(DIV_SET, "/=") X(SLASH, "/") \
  X(EQ, "==") X(CASE, "=>") X(SET, "=") X(NE, "!=") X(LE, "<=") X(LT, "<") X(GE, ">=") X(GT, ">") X(PERCENT, "%") \
  X(AT, "@") X(CARET, "^") X(AMP, "&") X(COMMA, ",") X(COLON, ":") X(SEMI, ";") X(LPAREN, "(") X(RPAREN, ")") \
  X(LBRACKET, "[") X(RBRACKET, "]") X(LBRACE, "{") X(RBRACE, "}")

typedef enum LexKind {
  LEX_EOF,
  LEX_BAD,       // already complained about
  LEX_NAME,
  LEX_NUM,       // is_int, i, f
  LEX_STR,       // str: escapes resolved
#define X(k, s) LEX_##k,
  LEX_WORDS(X)
  LEX_MARKS(X)
#undef X
} LexKind;

typedef struct Token {
  LexKind kind;
  bool nl;                 // first on its line
  bool is_int;
  Loc loc;                 // width: bytes of the text
  const char *text;        // in the source
  const char *str;
  int64_t i;
  double f;
} Token;

#define LEX_ERROR_MOST (10 * DIAG_MOST)
typedef struct Lexer {
  Arena *arena;
  Diags *diags;
  const Source *src;
  size_t at, line_start;
  int line;
  int errors;
  bool nl;
  bool after_dot;          // `t.0.1` is two items, not the number 0.1
  VEC(AstComment) comment;
} Lexer;

Lexer lex_start(Arena *a, Diags *d, const Source *src);
// The next word. Comments go to lx->comment. A word that cannot be read is
// complained about once and comes out as LEX_BAD, or as the number or string
// that was probably meant.
Token lex_next(Lexer *lx);
const char *lex_text(LexKind k);        // "let", "->"; NULL for names, numbers, strings
static inline bool lex_is_word(LexKind k) { return k == LEX_NAME || (k >= LEX_LET && k <= LEX_RETURN); }

// ---- what the formatter prints from ------------------------------------------
// The parser notes each word that it takes, with what the word's neighbours
// must know about it. `;` and a trailing comma that may go are not noted.
typedef enum LexRole {
  ROLE_WORD,               // blanks on both sides
  ROLE_PREFIX,             // unary -, &, spread: nothing after
  ROLE_TIGHT,              // ^ .. . and the colon of a slice: nothing on either side
  ROLE_OPEN,               // ( [ of a tuple, list or type
  ROLE_CALL,               // ( [ of a call or index: nothing before it
  ROLE_CLOSE,              // ) ]
  ROLE_COMMA,
  ROLE_COLON,              // name: type
  ROLE_SLICE,              // the colon of a[lo:hi]
  ROLE_BAR_OPEN, ROLE_BAR_CLOSE,
  ROLE_BRACE_OPEN, ROLE_BRACE_CLOSE,
} LexRole;

struct AstToken {
  const char *text;        // in the source
  int len, line;
  uint8_t role;            // LexRole
  bool nl;                 // first on its line
  bool starts;             // begins a declaration, statement, member or case
  bool glued;              // `else`, `backward`, `{`: goes up to the line before
  bool trailing;           // a comma before the closer: left out unless a line ends there
  bool multi;              // braces: they stand on different lines
};

#endif
