#include "ir/base.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

// ---- arena -----------------------------------------------------------------

struct ArenaBlock {
  ArenaBlock *before;
  size_t size;            // of what follows the header
};

#define ALIGN 16
#define HEADER ((sizeof(ArenaBlock) + ALIGN - 1) / ALIGN * ALIGN)
#define BLOCK_LEAST ((size_t)16 << 10)
#define BLOCK_MOST ((size_t)1 << 20)
#define READY ((size_t)64 << 10)

static long fail_in;      // base_fail_allocation: allocations left until one fails, 0 for never

void base_fail_allocation(long n) { fail_in = n; }

static bool refused(void) { return fail_in > 0 && --fail_in == 0; }

// All pages of these bytes at once: one by one, at their first touch, they take a tenth of the time of `rlc check`.
static void touch(char *from, size_t bytes) {
#ifdef MADV_POPULATE_WRITE
  uintptr_t page = 4096, lo = ((uintptr_t)from + page - 1) / page * page, hi = ((uintptr_t)from + bytes) / page * page;
  if (hi > lo + page) madvise((void *)lo, hi - lo, MADV_POPULATE_WRITE);   // refused: they come one by one
#else
  (void)from, (void)bytes;
#endif
}

// Makes ready the next READY bytes of the last block, or more.
static void make_ready(Arena *a, size_t bytes) {
  size_t left = a->last->size - a->size, size = bytes > READY ? bytes : READY;
  if (size > left) size = left;
  if (size <= BLOCK_MOST) touch((char *)a->last + HEADER + a->size, size);    // a large table may stay empty for the most part
  a->size += size;
}

// Blocks double up to BLOCK_MOST; a larger request gets a block of its own size.
static void arena_grow(Arena *a, size_t bytes) {
  if (a->last && bytes <= a->last->size - a->used) {
    make_ready(a, bytes - (a->size - a->used));
    return;
  }
  size_t size = a->last ? a->last->size * 2 : 0;
  if (size < BLOCK_LEAST) size = BLOCK_LEAST;
  if (size > BLOCK_MOST) size = BLOCK_MOST;
  if (size < bytes) size = bytes;
  // Zeroed here once for all that it will hold: what the system has just handed out is zero already.
  ArenaBlock *b = size > SIZE_MAX - HEADER || refused() ? NULL : calloc(1, HEADER + size);
  if (!b) {
    ICE_IF(!a->oom, "out of memory, and nobody set Arena.oom");
    longjmp(*a->oom, 1);
  }
  b->before = a->last;
  b->size = size;
  a->last = b;
  a->used = a->size = 0;
  a->total += size;
  make_ready(a, bytes);
}

void *arena_alloc(Arena *a, size_t bytes) {
  if (!bytes) bytes = 1;                         // what is empty has an address too
  size_t n = bytes > SIZE_MAX - ALIGN ? SIZE_MAX : (bytes + ALIGN - 1) / ALIGN * ALIGN;
  if (n > a->size - a->used) arena_grow(a, n);
  void *p = (char *)a->last + HEADER + a->used;
  a->used += n;
  return p;
}

void *arena_copy(Arena *a, const void *p, size_t bytes) {
  void *q = arena_alloc(a, bytes);
  if (bytes) memcpy(q, p, bytes);
  return q;
}

char *arena_strn(Arena *a, const char *s, size_t n) {
  char *q = arena_alloc(a, n + 1);
  if (n) memcpy(q, s, n);
  return q;
}

char *arena_str(Arena *a, const char *s) { return arena_strn(a, s, strlen(s)); }

static char *arena_vprintf(Arena *a, const char *fmt, va_list args) {
  ICE_IF(!fmt, "a message without a format");
  char here[256];                                // most are short: formatted once
  va_list again;
  va_copy(again, args);
  int n = vsnprintf(here, sizeof here, fmt, args);
  ICE_IF(n < 0, "vsnprintf refused \"%s\"", fmt);
  char *s = arena_alloc(a, (size_t)n + 1);
  if ((size_t)n < sizeof here) memcpy(s, here, (size_t)n);
  else vsnprintf(s, (size_t)n + 1, fmt, again);
  va_end(again);
  return s;
}

char *arena_printf(Arena *a, const char *fmt, ...) {
  va_list args;
  va_start(args, fmt);
  char *s = arena_vprintf(a, fmt, args);
  va_end(args);
  return s;
}

void arena_free(Arena *a) {
  for (ArenaBlock *b = a->last, *before; b; b = before) {
    before = b->before;
    free(b);
  }
  a->last = NULL;
  a->used = a->size = a->total = 0;
}

void *vec_grow(Arena *a, void *at, size_t size, int *cap) {
  ICE_IF(*cap > INT32_MAX / 2, "an array of more than %d elements", *cap);
  int more = *cap ? *cap * 2 : 8;
  void *q = arena_alloc(a, size * (size_t)more);
  if (*cap) memcpy(q, at, size * (size_t)*cap);
  *cap = more;
  return q;
}

// ---- string builder ----------------------------------------------------------

static void str_room(Str *s, size_t n) {
  if (s->cap - s->n > n) return;
  size_t cap = s->cap ? s->cap : 64;
  while (cap - s->n <= n) cap *= 2;
  char *q = arena_alloc(s->arena, cap);
  if (s->n) memcpy(q, s->s, s->n);
  s->s = q;
  s->cap = cap;
}

void str_put(Str *s, const char *p, size_t n) {
  str_room(s, n);
  if (n) memcpy(s->s + s->n, p, n);
  s->n += n;
  s->s[s->n] = 0;
}

void str_printf(Str *s, const char *fmt, ...) {
  ICE_IF(!fmt, "text without a format");
  va_list args;
  va_start(args, fmt);
  int n = vsnprintf(NULL, 0, fmt, args);
  va_end(args);
  ICE_IF(n < 0, "vsnprintf refused \"%s\"", fmt);
  str_room(s, (size_t)n);
  va_start(args, fmt);
  vsnprintf(s->s + s->n, (size_t)n + 1, fmt, args);
  va_end(args);
  s->n += (size_t)n;
}

uint64_t base_hash(uint64_t seed, const void *p, size_t n) {
  uint64_t h = seed ^ UINT64_C(0xcbf29ce484222325);
  for (size_t i = 0; i < n; i++) h = (h ^ ((const unsigned char *)p)[i]) * UINT64_C(0x100000001b3);
  return h;
}

// ---- diagnostics -----------------------------------------------------------------

Diag *diag_error(Diags *d, Loc loc, const char *fmt, ...) {
  Diag *g = arena_new(d->arena, Diag);
  va_list args;
  va_start(args, fmt);
  g->message = arena_vprintf(d->arena, fmt, args);
  va_end(args);
  g->loc = loc;
  if (d->last) d->last->next = g;
  else d->first = g;
  d->last = g;
  d->count++;
  return g;
}

void diag_note(Diags *d, Diag *g, Loc loc, const char *fmt, ...) {
  va_list args;
  va_start(args, fmt);
  g->note = arena_vprintf(d->arena, fmt, args);
  va_end(args);
  g->note_loc = loc;
}

void diag_help(Diags *d, Diag *g, const char *fmt, ...) {
  va_list args;
  va_start(args, fmt);
  g->help = arena_vprintf(d->arena, fmt, args);
  va_end(args);
}

typedef struct Placed {
  Diag *diag;
  int file;               // files in the order in which they were first complained about
  int number;             // keeps the sort stable
} Placed;

// What has no line comes before its file's lines.
static int by_place(const void *a, const void *b) {
  const Placed *x = a, *y = b;
  if (x->file != y->file) return x->file - y->file;
  if (x->diag->loc.line != y->diag->loc.line) return x->diag->loc.line - y->diag->loc.line;
  if (x->diag->loc.col != y->diag->loc.col) return x->diag->loc.col - y->diag->loc.col;
  return x->number - y->number;
}

static bool diag_same(const Diag *a, const Diag *b) {
  return a->loc.src == b->loc.src && a->loc.line == b->loc.line && a->loc.col == b->loc.col && !strcmp(a->message, b->message);
}

static Placed *diag_sorted(const Diags *d) {
  Placed *v = arena_array(d->arena, Placed, d->count);
  VEC(const Source *) files = {0};
  int n = 0;
  for (Diag *g = d->first; g; g = g->next, n++) {
    int file = 0;
    while (file < files.n && files.at[file] != g->loc.src) file++;
    if (file == files.n) vec_push(d->arena, &files, g->loc.src);
    v[n] = (Placed){ g, file, n };
  }
  qsort(v, (size_t)n, sizeof *v, by_place);
  return v;
}

#define SHOWN 160         // most bytes of a source line in a message

static bool utf8_inside(char c) { return ((unsigned char)c & 0xC0) == 0x80; }

// The line, cut to SHOWN bytes around the place, and the caret below. Tabs are
// copied, so that the caret stands right at any tab width.
static void print_line(const Loc *at, FILE *to) {
  const char *s = at->src->text, *end = s + at->src->size;
  for (int line = 1; line < at->line; line++) {
    s = memchr(s, '\n', (size_t)(end - s));
    if (!s) return;
    s++;
  }
  const char *stop = memchr(s, '\n', (size_t)(end - s));
  if (!stop) stop = end;
  if (stop > s && stop[-1] == '\r') stop--;
  const char *place = (stop - s) < at->col - 1 ? stop : s + at->col - 1;
  const char *from = s, *upto = stop;
  if (stop - s > SHOWN) {
    if (place - s > SHOWN / 2) from = place - SHOWN / 2;
    if (stop - from > SHOWN) upto = from + SHOWN;
    while (from < place && utf8_inside(*from)) from++;
    while (upto > place && upto < stop && utf8_inside(*upto)) upto--;
  }
  fprintf(to, "%s%.*s%s\n", from > s ? "…" : "", (int)(upto - from), from, upto < stop ? "…" : "");
  if (from > s) fputc(' ', to);
  for (const char *c = from; c < place; c++)
    if (!utf8_inside(*c)) fputc(*c == '\t' ? '\t' : ' ', to);
  fputc('^', to);
  const char *under = place + 1;
  for (int i = 1; i < at->width && under < upto; i++, under++)
    if (!utf8_inside(*under)) fputc('~', to);
  fputc('\n', to);
}

static void print_at(const Loc *at, const char *what, const char *message, FILE *to) {
  if (at->src && at->line) fprintf(to, "%s:%d:%d: ", at->src->path, at->line, at->col);
  else if (at->src) fprintf(to, "%s: ", at->src->path);
  fprintf(to, "%s: %s\n", what, message);
  if (at->src && at->src->text && at->line) print_line(at, to);
}

static void print_one(const Diag *g, FILE *to) {
  print_at(&g->loc, "error", g->message, to);
  if (g->note) print_at(&g->note_loc, "note", g->note, to);
  if (g->help) fprintf(to, "help: %s\n", g->help);
}

void diag_print(const Diags *d, FILE *to) {
  if (!d->count) return;
  Placed *v = diag_sorted(d);
  int shown = 0, left = 0;
  for (int i = 0; i < d->count; i++) {
    if (i && diag_same(v[i - 1].diag, v[i].diag)) continue;
    if (shown == DIAG_MOST) left++;
    else print_one(v[i].diag, to), shown++;
  }
  if (left) fprintf(to, "and %d more error%s\n", left, left == 1 ? "" : "s");
}

// ---- source files ------------------------------------------------------------

#define FILE_MOST ((size_t)64 << 20)
#define LINE_MOST ((size_t)1 << 20)

static Loc no_line(Arena *a, const char *path) {
  Source *s = arena_new(a, Source);
  s->path = arena_str(a, path);
  return (Loc){ .src = s };
}

// Length of the UTF-8 sequence at s, of which n bytes are there; 0 if malformed:
// overlong forms, surrogates and what lies above U+10FFFF are.
static int utf8_length(const unsigned char *s, size_t n) {
  if (s[0] < 0x80) return 1;
  int len = s[0] >= 0xF0 ? 4 : s[0] >= 0xE0 ? 3 : 2;
  if (s[0] < 0xC2 || s[0] > 0xF4 || n < (size_t)len) return 0;
  for (int i = 1; i < len; i++)
    if ((s[i] & 0xC0) != 0x80) return 0;
  if ((s[0] == 0xE0 && s[1] < 0xA0) || (s[0] == 0xED && s[1] > 0x9F)) return 0;
  if ((s[0] == 0xF0 && s[1] < 0x90) || (s[0] == 0xF4 && s[1] > 0x8F)) return 0;
  return len;
}

// Says what keeps the bytes from being a source text.
static bool text_sound(Diags *d, Loc at, const unsigned char *s, size_t n) {
  size_t line_start = 0;
  long line = 1;
  for (size_t i = 0; i < n;) {
    int len = utf8_length(s + i, n - i);
    if (!s[i] || !len) {
      Diag *g = s[i] ? diag_error(d, at, "not UTF-8: byte %zu, in line %ld, is 0x%02x", i, line, s[i])
                     : diag_error(d, at, "a binary file, not a program: byte %zu, in line %ld, is NUL", i, line);
      diag_help(d, g, "a program is UTF-8 text; is this the file that was meant?");
      return false;
    }
    if (s[i] == '\n') line++, line_start = i + 1;
    if (i + (size_t)len - line_start > LINE_MOST) {
      Diag *g = diag_error(d, at, "line %ld is longer than %zu bytes", line, LINE_MOST);
      diag_help(d, g, "break the line; numbers in bulk belong in a file that `data` reads");
      return false;
    }
    i += (size_t)len;
  }
  return true;
}

static bool regular(Diags *d, Loc at, struct stat *st) {
  Diag *g;
  if (stat(at.src->path, st)) {
    bool absent = errno == ENOENT;
    g = absent ? diag_error(d, at, "there is no such file") : diag_error(d, at, "cannot be read: %s", strerror(errno));
    diag_help(d, g, absent ? "check the path, which counts from the current directory" : "check the path and its permissions (ls -l)");
  } else if (S_ISDIR(st->st_mode)) {
    diag_help(d, diag_error(d, at, "a directory, not a file"), "name one .rl file in it");
  } else if (!S_ISREG(st->st_mode)) {
    diag_help(d, diag_error(d, at, "not a regular file"), "write the program to a file first");
  } else if ((uintmax_t)st->st_size > FILE_MOST) {
    g = diag_error(d, at, "larger than %zu MiB", FILE_MOST >> 20);
    diag_help(d, g, "numbers in bulk belong in a file that `data` reads");
  } else {
    return true;
  }
  return false;
}

const Source *source_read(Arena *a, Diags *d, const char *path) {
  Loc at = no_line(a, path);
  struct stat st;
  if (!regular(d, at, &st)) return NULL;
  // Memory first, then the file: an allocation that fails jumps away.
  Source *s = arena_new(a, Source);
  char *bytes = arena_alloc(a, (size_t)st.st_size + 1);
  FILE *f = fopen(path, "rb");
  size_t n = f ? fread(bytes, 1, (size_t)st.st_size, f) : 0;
  if (!f || ferror(f)) {
    Diag *g = diag_error(d, at, "cannot be read: %s", strerror(errno));
    diag_help(d, g, "check its permissions (ls -l)");
  }
  bool read = f && !ferror(f);
  if (f) fclose(f);
  if (!read || !text_sound(d, at, (const unsigned char *)bytes, n)) return NULL;
  *s = (Source){ at.src->path, bytes, n };
  return s;
}

const Source *source_text(Arena *a, const char *name, const char *text) {
  Source *s = arena_new(a, Source);
  *s = (Source){ arena_str(a, name), arena_str(a, text), strlen(text) };
  return s;
}

// ---- our own mistakes -----------------------------------------------------------

_Noreturn void base_ice(const char *file, int line, const char *fmt, ...) {
  fflush(stdout);
  fprintf(stderr, "rlc: internal error at %s:%d: ", file, line);
  va_list args;
  va_start(args, fmt);
  vfprintf(stderr, fmt, args);
  va_end(args);
  fputs("\nrlc: this is a defect of rlc, not of the program it was given\n", stderr);
  abort();
}
