#include "frontend/data.h"
#include "ir/number.h"

#include <ctype.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

// A table of numbers: rows of comma-separated values; a first line that is no number names the columns.
typedef struct Table {
  int64_t rows, cols;
  VEC(double) cell;
  VEC(const char *) head;
} Table;

// What a declaration holds once read, kept outside of any graph.
typedef struct Field {
  const char *name;            // NULL: the declaration itself is the array
  IrType type;
  const void *bytes;
} Field;

struct Data { int n; Field *field; };

static const char *beside(Elab *e, const Source *src, const char *name) {
  const char *slash = strrchr(src->path, '/');
  if (name[0] == '/' || !slash) return name;
  return arena_printf(e->arena, "%.*s/%s", (int)(slash - src->path), src->path, name);
}

static const char *columns_of(Elab *e, const Table *t) {
  Str s = {.arena = e->arena};
  for (int k = 0; k < t->head.n && k < 16; k++) str_printf(&s, "%s%s", k ? ", " : "its columns are ", t->head.at[k]);
  return t->head.n ? s.s : "its first line holds numbers: it names no columns";
}

static Table read_csv(Elab *e, const char *path, Loc loc) {
  Diags quiet = {.arena = e->arena};
  const Source *s = source_read(e->arena, &quiet, path);
  if (!s) fail(e, loc, "the path counts from the folder of this file", "%s: %s", path, quiet.first ? quiet.first->message : "it cannot be read");
  Table t = {0};
  int line = 1;
  for (const char *p = s->text; *p; line++) {
    const char *end = strchr(p, '\n');
    if (!end) end = p + strlen(p);
    const char *q = p;
    while (q < end && isspace((unsigned char)*q)) q++;
    bool blank = q == end, header = !blank && line == 1 && (isalpha((unsigned char)*q) || *q == '"');
    int64_t n = 0;
    while (!blank && q < end) {
      const char *comma = memchr(q, ',', (size_t)(end - q)), *stop = comma ? comma : end;
      if (header) {
        size_t len = (size_t)(stop - q);
        while (len && isspace((unsigned char)q[len - 1])) len--;
        vec_push(e->arena, &t.head, arena_strn(e->arena, q, len));
      } else {
        char *after;
        double x = strtod(q, &after);
        while (after < stop && isspace((unsigned char)*after)) after++;
        if (after != stop) fail(e, loc, "every line but the first holds numbers with commas between them; the first may name the columns", "%s:%d: `%.*s` is no number", path, line, (int)(stop - q > 20 ? 20 : stop - q), q);
        vec_push(e->arena, &t.cell, x);
      }
      n++;
      q = comma ? comma + 1 : end;
    }
    if (!blank && !header) {
      if (t.rows && n != t.cols) fail(e, loc, "every line has the same number of values", "%s:%d: %lld values, where the lines above have %lld", path, line, (long long)n, (long long)t.cols);
      t.cols = n;
      t.rows++;
    }
    p = *end ? end + 1 : end;
  }
  if (!t.rows) fail(e, loc, "it should hold lines of numbers with commas between them", "%s holds no numbers", path);
  return t;
}

static const void *column_bytes(Elab *e, const Table *t, int64_t col, IrType type, const char *path, Loc loc) {
  int64_t width = ir_count(&type) / t->rows;
  IrDtype dt = type.dtype;
  if (ir_is_complex(dt)) fail(e, loc, "read the parts as real columns: complex(x[:, 0], x[:, 1])", "%s holds real numbers, not %s", path, elab_dtype_text(dt));
  double least = (double)ir_least(dt), greatest = dt == IR_U64 ? 0x1p64 : (double)ir_greatest(dt), end = dt == IR_U64 ? 0x1p64 : 0x1p63;
  IrArray a = ir_array(e->arena, type);
  for (int64_t r = 0; r < t->rows; r++)
    for (int64_t c = 0; c < width; c++) {
      double x = t->cell.at[r * t->cols + col + c];
      if (a.f) a.f[r * width + c] = x;
      else {
        if (!isfinite(x) || x != floor(x)) fail(e, loc, "declare it as f32, or change the file", "%s: %g in row %lld is no integer", path, x, (long long)r + 1);
        if (x < least || x > greatest || x >= end) fail(e, loc, "declare a wider type, or change the file", "%s: %.0f in row %lld does not fit into %s", path, x, (long long)r + 1, elab_dtype_text(dt));
        a.i[r * width + c] = dt == IR_U64 ? (int64_t)(uint64_t)x : (int64_t)x;
      }
    }
  void *bytes = arena_alloc(e->arena, (size_t)ir_bytes(&type));
  ir_array_to(&a, bytes);
  return bytes;
}

// Binds the generic first dimension of a written type to the number of rows.
static void bind_rows(Elab *e, const Ast *type, const Module *m, int64_t rows, Loc loc) {
  if (type->kind == AST_TYPE_TUPLE) {
    for (int k = 0; k < type->nkid; k++) bind_rows(e, type->kid[k]->kid[0], m, rows, loc);
    return;
  }
  if (type->kind != AST_INDEX || type->nkid < 2 || type->kid[1]->kind != AST_IX) fail(e, type->loc, "data x: f32[N, 4] from csv(\"…\")", "data needs an array type whose first dimension is the rows");
  const Ast *d = type->kid[1]->kid[0];
  if (d->kind == AST_NAME && isupper((unsigned char)d->name[0]) && !scope_find(m->scope, d->name)) {
    Scope *outer = e->c.scope;
    e->c.scope = m->scope;
    scope_bind(e, d->name, value_int(e, rows), false, d->loc)->file = true;
    e->c.scope = outer;
  }
}

// The bytes of a file: u8[N].
static void load_text(Elab *e, Decl *d) {
  const Ast *ast = d->ast, *from = ast->kid[1];
  if (from->nkid != 2) fail(e, from->loc, "from text(\"file.txt\")", "text takes one file");
  Value *file = eval(e, from->kid[1]->kid[0]);
  if (file->kind != V_STR) fail(e, from->loc, "from text(\"file.txt\")", "a file name is a text");
  const char *path = beside(e, d->module->src, file->s);
  Diags quiet = {.arena = e->arena};
  const Source *s = source_read(e->arena, &quiet, path);
  if (!s) fail(e, from->loc, "the path counts from the folder of this file", "%s: %s", path, quiet.first ? quiet.first->message : "it cannot be read");
  int64_t n = (int64_t)strlen(s->text);
  if (!n) fail(e, from->loc, "it should hold text", "%s is empty", path);
  bind_rows(e, ast->kid[0], d->module, n, from->loc);
  Type *type = eval_type(e, ast->kid[0]);
  if (type->kind != T_ARRAY || type->array.rank != 1 || type->array.dtype != IR_U8) fail(e, ast->loc, "data x: u8[N] from text(\"…\")", "a text is an array of bytes");
  if (type->array.dim[0] != n) fail(e, ast->loc, "a capitalised name takes the number of bytes: u8[N]", "%s has %lld bytes, but the type says %lld", path, (long long)n, (long long)type->array.dim[0]);
  struct Data *data = arena_new(e->arena, struct Data);
  data->n = 1;
  data->field = arena_array(e->arena, Field, 1);
  data->field[0] = (Field){NULL, type->array, s->text};
  d->data = data;
}

static void load(Elab *e, Decl *d) {
  if (d->data) return;
  const Ast *ast = d->ast, *from = ast->kid[1];
  Context saved = e->c;
  e->c.scope = d->module->scope;
  e->c.module = d->module;
  if (from->kind == AST_CALL && from->kid[0]->kind == AST_NAME && strcmp(from->kid[0]->name, "text") == 0) {
    load_text(e, d);
    e->c = saved;
    return;
  }
  if (from->kind != AST_CALL || from->kid[0]->kind != AST_NAME || strcmp(from->kid[0]->name, "csv") != 0 || from->nkid < 2)
    fail(e, from->loc, "from csv(\"file.csv\"), optionally with column = \"name\", or from text(\"file.txt\")", "unknown source of data");
  Value *file = eval(e, from->kid[1]->kid[0]);
  if (file->kind != V_STR) fail(e, from->loc, "from csv(\"file.csv\")", "a file name is a text");
  const char *path = beside(e, d->module->src, file->s);
  Table t = read_csv(e, path, from->loc);
  int64_t col = 0;
  bool one_column = false;
  for (int k = 2; k < from->nkid; k++) {
    if (!from->kid[k]->name || strcmp(from->kid[k]->name, "column") != 0) fail(e, from->kid[k]->loc, "csv takes a file and column = \"name\"", "unknown option");
    Value *name = eval(e, from->kid[k]->kid[0]);
    for (col = 0; col < t.head.n && (name->kind != V_STR || strcmp(t.head.at[col], name->s) != 0); col++) {}
    if (col == t.head.n) fail(e, from->kid[k]->loc, columns_of(e, &t), "%s has no column %s", path, value_text(e, name));
    one_column = true;
  }
  bind_rows(e, ast->kid[0], d->module, t.rows, from->loc);
  struct Data *data = arena_new(e->arena, struct Data);
  Type *type = eval_type(e, ast->kid[0]);
  data->n = type->kind == T_REC ? type->n : 1;
  data->field = arena_array(e->arena, Field, data->n);
  for (int k = 0; k < data->n; k++) {
    Type *ft = type->kind == T_REC ? type->item[k] : type;
    if (ft->kind != T_ARRAY || !ft->array.rank) fail(e, ast->loc, "data x: f32[N, 4] from csv(\"…\"), or (a: f32[N, 2], b: i32[N])", "data must be arrays");
    if (ft->array.dim[0] != t.rows) fail(e, ast->loc, "a capitalised name takes the number of rows: f32[N, 2]", "%s has %lld rows, but the type says %lld", path, (long long)t.rows, (long long)ft->array.dim[0]);
    int64_t width = ir_count(&ft->array) / t.rows;
    if (col + width > t.cols) fail(e, ast->loc, "the last sizes of the type are the columns: f32[N, 2] takes two", "%s has %lld columns, but the type asks for %lld", path, (long long)t.cols, (long long)(col + width));
    data->field[k] = (Field){type->kind == T_REC ? type->name[k] : NULL, ft->array, column_bytes(e, &t, col, ft->array, path, ast->loc)};
    col += width;
  }
  if (!one_column && col != t.cols) fail(e, ast->loc, "name a column: csv(\"…\", column = \"…\"), or give the type all of them", "%s has %lld columns, but the type takes %lld", path, (long long)t.cols, (long long)col);
  e->c = saved;
  d->data = data;
}

void data_sizes(Elab *e, Decl *d) { load(e, d); }

Value *data_value(Elab *e, Decl *d) {
  load(e, d);
  struct Data *data = d->data;
  Value **item = arena_array(e->arena, Value *, data->n);
  const char **name = arena_array(e->arena, const char *, data->n);
  for (int k = 0; k < data->n; k++) {
    Field *f = &data->field[k];
    item[k] = value_array(e, ir_const(&e->c.b, f->type, f->bytes, (size_t)ir_bytes(&f->type)));
    name[k] = f->name;
  }
  return data->n == 1 && !data->field[0].name ? item[0] : value_rec(e, data->n, item, name);
}
