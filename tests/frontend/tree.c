#include "tests/frontend/tree.h"

#include <dirent.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static const char *const heads[] = {
  [AST_PAREN] = "paren", [AST_TUPLE] = "tuple", [AST_LIST] = "list", [AST_LAMBDA] = "lambda", [AST_PIPE] = "|>", [AST_CALL] = "call",
  [AST_INDEX] = "index", [AST_BLOCK] = "block", [AST_IF] = "if", [AST_MATCH] = "match", [AST_WHILE] = "while", [AST_FOR] = "for",
  [AST_SCAN] = "scan", [AST_EACH] = "each", [AST_UNROLL] = "unroll", [AST_CASE] = "case", [AST_IX_RANGE] = ":", [AST_IX_DYN] = "+:",
  [AST_PAT_TUPLE] = "tuple", [AST_PAT_LIST] = "list", [AST_TYPE_TUPLE] = "type", [AST_PART] = "part", [AST_LET] = "let",
  [AST_ASSIGN] = "set", [AST_STATE] = "state", [AST_PARAM] = "param", [AST_EVERY] = "every", [AST_LOG] = "log", [AST_USE] = "use",
  [AST_CONST] = "const", [AST_DATA] = "data", [AST_RECORD] = "record", [AST_MEMBER] = "member", [AST_ENV] = "env", [AST_OBS] = "obs",
  [AST_ACTION] = "action", [AST_TRAIN] = "train", [AST_STEP] = "step", [AST_STOP] = "stop", [AST_EXPORT] = "export",
  [AST_EXPERIMENT] = "experiment", [AST_CLAIM] = "claim", [AST_STATIC] = "static", [AST_FILE] = "file",
};

static void put(Str *s, const Ast *n);

static void put_kids(Str *s, const Ast *n) {
  for (int i = 0; i < n->nkid; i++) {
    str_printf(s, " ");
    put(s, n->kid[i]);
  }
}

static void put_list(Str *s, const char *open, Ast **v, int n, const char *close) {
  str_printf(s, "%s", open);
  for (int i = 0; i < n; i++) {
    if (i) str_printf(s, " ");
    put(s, v[i]);
  }
  str_printf(s, "%s", close);
}

static void put_fn(Str *s, const Ast *n) {
  static const char *const flavours[] = { "fn", "layer", "model", "loss", "rule" };
  const AstFn *f = n->fn;
  str_printf(s, "(%s %s", flavours[f->flavour], n->name);
  if (f->nstatic) put_list(s, " [", f->statics, f->nstatic, "]");
  put_list(s, " (", f->params, f->nparam, ")");
  if (f->result) str_printf(s, " -> "), put(s, f->result);
  if (f->body) str_printf(s, f->equals ? " = " : " "), put(s, f->body);
  if (f->from) str_printf(s, " from "), put(s, f->from);
  for (int i = 0; i < f->nback; i++) str_printf(s, "%s%s", i ? " " : " backward ", f->back[i]);
  if (f->backward) str_printf(s, " "), put(s, f->backward);
  str_printf(s, ")");
}

static void put(Str *s, const Ast *n) {
  if (!n) {
    str_printf(s, "nil");
    return;
  }
  if (n->doc) str_printf(s, "<%s>", n->doc);
  switch (n->kind) {
    case AST_NAME: case AST_NUM: str_printf(s, "%s", n->name); return;
    case AST_STR: str_printf(s, "\"%s\"", n->name); return;
    case AST_BOOL: str_printf(s, "%s", n->i ? "true" : "false"); return;
    case AST_PAT: str_printf(s, "%s%s", n->inout ? "&" : "", n->name); return;
    case AST_ARG:
      str_printf(s, "%s%s%s%s", n->name ? n->name : "", n->name ? "=" : "", n->spread ? "..." : "", n->inout ? "&" : "");
      put(s, n->kid[0]);
      return;
    case AST_IX: put(s, n->kid[0]); return;
    case AST_IX_NEW: str_printf(s, "(new)"); return;
    case AST_IX_DOTS: str_printf(s, "..."); return;
    case AST_FN: put_fn(s, n); return;
    case AST_FIELD: str_printf(s, "(."), put_kids(s, n), str_printf(s, " %s)", n->name); return;
    case AST_ITEM: str_printf(s, "(."), put_kids(s, n), str_printf(s, " %d)", (int)n->i); return;
    case AST_BIN: case AST_UN: str_printf(s, "(%s", ast_op_text(n->op)); break;
    case AST_ASSIGN: str_printf(s, "(set%s", n->op ? ast_op_text(n->op) : ""); break;
    case AST_LET: str_printf(s, n->flag ? "(var" : "(let"); break;
    case AST_SCAN: str_printf(s, n->flag ? "(scan reversed" : "(scan"); break;
    case AST_STATIC: str_printf(s, n->inout ? "(static &" : "(static "); break;
    default: str_printf(s, "(%s", heads[n->kind]); break;
  }
  if (n->name) str_printf(s, "%s%s", n->kind == AST_STATIC ? "" : " ", n->name);
  if (n->from) str_printf(s, " from "), put(s, n->from);
  put_kids(s, n);
  str_printf(s, ")");
}

char *tree_text(Arena *a, const Ast *n) {
  Str s = { .arena = a };
  put(&s, n);
  return s.s;
}

static int by_name(const void *a, const void *b) { return strcmp(*(char *const *)a, *(char *const *)b); }

static int walk(const char *path, void (*each)(const char *path)) {
  DIR *dir = opendir(path);
  if (!dir) return 0;
  char *names[512];
  int n = 0, found = 0;
  for (struct dirent *e; (e = readdir(dir)) && n < 512;)
    if (e->d_name[0] != '.') names[n++] = strdup(e->d_name);
  closedir(dir);
  qsort(names, (size_t)n, sizeof *names, by_name);
  for (int i = 0; i < n; i++) {
    char full[4096];
    snprintf(full, sizeof full, "%s/%s", path, names[i]);
    size_t len = strlen(names[i]);
    struct stat st;
    if (!stat(full, &st) && S_ISDIR(st.st_mode)) found += walk(full, each);
    else if (len > 3 && !strcmp(names[i] + len - 3, ".rl")) each(full), found++;
    free(names[i]);
  }
  return found;
}

int tree_files(const char *root, const char *folder, void (*each)(const char *path)) {
  char path[4096];
  snprintf(path, sizeof path, "%s/%s", root, folder);
  return walk(path, each);
}

char *tree_diags(Arena *a, const Diags *d) {
  char *text = NULL;
  size_t size = 0;
  FILE *f = open_memstream(&text, &size);
  if (!f) return arena_str(a, "open_memstream failed");
  diag_print(d, f);
  fclose(f);
  char *copy = arena_str(a, text);
  free(text);
  return copy;
}
