// The syntax tree, and the parser that makes it. The tree holds everything the
// formatter needs, so `rlc fmt` prints from it. Shapes of nodes are given as
//   KIND  kid[0] kid[1] …   name, op, flags
// A kid in ? is NULL where the source leaves it out.
#ifndef RLC_AST_H
#define RLC_AST_H

#include "ir/base.h"

typedef enum AstKind {
  // ---- expressions
  AST_NAME,      // name
  AST_NUM,       // number: is_int, i, f; name = its text as written
  AST_STR,       // name = the text between the quotes, escapes resolved (\n \t \" \\)
  AST_BOOL,      // i = 0 or 1
  AST_PAREN,     // (e): one unnamed element without a comma
  AST_TUPLE,     // AST_ARG…; () is the empty tuple
  AST_LIST,      // expr…
  AST_LAMBDA,    // pattern… body (last kid)
  AST_PIPE,      // value, function (a name, field or AST_CALL)
  AST_BIN,       // left, right; op
  AST_UN,        // operand; op
  AST_FIELD,     // base; name
  AST_ITEM,      // base; i      (base.0)
  AST_CALL,      // callee, AST_ARG…
  AST_INDEX,     // base, AST_IX_…
  AST_BLOCK,     // statement…
  AST_IF,        // condition, block, else? (AST_IF or AST_BLOCK)
  AST_MATCH,     // value, AST_CASE…
  AST_WHILE,     // condition, block
  AST_FOR,       // pattern, over, block      in order, no value
  AST_SCAN,      // pattern, over, block      flag = reversed
  AST_EACH,      // pattern, over, block
  AST_UNROLL,    // pattern, over, block
  // ---- parts of expressions
  AST_ARG,       // expr; name or NULL, spread (...e), inout (&place)
  AST_CASE,      // primary, expr
  AST_IX,        // expr                     a[i]
  AST_IX_RANGE,  // lo?, hi?                 a[lo:hi]
  AST_IX_DYN,    // start, length            a[start +: length]
  AST_IX_NEW,    //                          a[_]
  AST_IX_DOTS,   //                          a[...]
  // ---- patterns
  AST_PAT,       // name; inout (&x)
  AST_PAT_TUPLE, // pattern…
  AST_PAT_LIST,  // pattern…
  // ---- types: AST_NAME, AST_FIELD (agent.params), AST_INDEX (f32[B, 4]; its kids are
  //      AST_IX holding a dimension, or AST_IX_DOTS), and
  AST_TYPE_TUPLE,// AST_PART…
  AST_PART,      // type; name or NULL
  // ---- statements (an expression is one too)
  AST_LET,       // pattern, type?, expr; flag = var
  AST_ASSIGN,    // place, expr; op = 0 for =, else AST_ADD, AST_SUB, AST_MUL, AST_DIV
  AST_STATE,     // AST_PAT…, type?, init?: the last two kids are type and init (NULL if left out)
  AST_PARAM,     // type, init; name
  AST_EVERY,     // count, block
  AST_LOG,       // AST_ARG… (each named)
  // ---- declarations
  AST_USE,       // name = dotted path; one node a path
  AST_CONST,     // expr; name               one node a name
  AST_DATA,      // type, from; name
  AST_FN,        // see AstFn
  AST_RECORD,    // AST_STATIC… then AST_MEMBER… and AST_FN…; name, nstatic
  AST_MEMBER,    // type, default?; name     one node a name
  AST_ENV,       // AST_STATIC… (params), then AST_STATE, AST_OBS, AST_ACTION, AST_FN…; name, nstatic; from below
  AST_OBS,       // type?, expr?
  AST_ACTION,    // expr
  AST_TRAIN,     // AST_STATIC… (settings), then AST_LET, AST_STATE, AST_STEP, AST_STOP, AST_EXPORT; name, nstatic
  AST_STEP,      // block
  AST_STOP,      // expr
  AST_EXPORT,    // an AST_FN; name
  AST_EXPERIMENT,// AST_STATIC…, then AST_LET and AST_CLAIM; name, nstatic
  AST_CLAIM,     // expr
  AST_STATIC,    // type?, default?; name, inout     a parameter, a bracket value or a setting
  AST_FILE,      // declaration…
} AstKind;

typedef enum AstOp {
  AST_NOP, AST_ADD, AST_SUB, AST_MUL, AST_DIV, AST_MOD, AST_MATMUL, AST_POW,
  AST_EQ, AST_NE, AST_LT, AST_LE, AST_GT, AST_GE, AST_AND, AST_OR, AST_NOT, AST_NEG,
  AST_UPTO,      // a..b
} AstOp;

typedef enum AstFlavour { FLAVOUR_FN, FLAVOUR_LAYER, FLAVOUR_MODEL, FLAVOUR_LOSS, FLAVOUR_RULE } AstFlavour;

typedef struct Ast Ast;

// AST_FN only: fn, layer, model, loss, rule.
typedef struct AstFn {
  AstFlavour flavour;
  int nstatic; Ast **statics;    // AST_STATIC, from [ ]
  int nparam;  Ast **params;     // AST_STATIC, from ( )
  Ast *result;                   // type or NULL
  Ast *body;                     // expression or AST_BLOCK; NULL with `from`
  bool equals;                   // written `= body`
  Ast *from;                     // expression or NULL
  int nback;   const char **back;// names of `backward(dy)`
  Ast *backward;                 // block or NULL
} AstFn;

typedef struct AstComment {      // kept for the formatter
  int line;
  const char *text;              // from the slashes to the end of the line
  bool own_line;                 // nothing but blanks before it
} AstComment;

typedef struct AstToken AstToken; // a word as the parser took it, see lex.h

struct Ast {
  AstKind kind;
  AstOp op;
  bool flag, spread, inout, is_int;
  Loc loc;                       // where it begins (for AST_BIN, AST_CALL, AST_INDEX, AST_FIELD: the operator, paren, bracket, name;
                                 // for what has a name of its own: that name)
  int end_line;                  // last line it stands on
  const char *name;
  int64_t i;
  double f;
  int nkid; Ast **kid;
  int nstatic;                   // how many first kids are AST_STATIC
  AstFn *fn;
  Ast *from;                     // AST_ENV
  const char *doc;               // declarations: the // lines right above, joined by newlines, or NULL
  const Source *src;             // AST_FILE
  int ncomment; AstComment *comment; // AST_FILE
  int ntoken; AstToken *token;       // AST_FILE, for the formatter
  int depth;                     // levels of the tree from here down, at most AST_DEPTH_MOST
};

// Parses a whole file. Syntax errors go to `d` (several: it goes on at the next
// statement or declaration); the tree holds what could be read, never NULL.
// Nesting deeper than AST_DEPTH_MOST is an error, not a stack overflow.
Ast *ast_parse(Arena *a, Diags *d, const Source *src);
#define AST_DEPTH_MOST 400

// Parses a single expression (for --set name=value and tests).
Ast *ast_parse_expr(Arena *a, Diags *d, const Source *src);

// The canonical layout of a file that parsed without errors: comments kept, idempotent.
char *ast_format(Arena *a, const Ast *file);

const Ast *ast_root(const Ast *place);  // x of x, x.a, x.0, x[i].b and (x); of others the node where such a chain begins

const char *ast_op_text(AstOp op);   // "+", "and", …

#endif
