// Ground under every room of the compiler: memory that is freed at once,
// growable arrays and strings, hashing, and diagnostics. The runtime does not
// use it (runtime/ links without the compiler).
#ifndef RLC_BASE_H
#define RLC_BASE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

// ---- arena -----------------------------------------------------------------
// One arena a compilation. Nothing in it is freed alone. When the system
// refuses memory, arena_alloc jumps to `oom`, which whoever made the arena has
// set with setjmp; no caller in between checks for NULL.
typedef struct ArenaBlock ArenaBlock;
typedef struct Arena {
  ArenaBlock *last;
  size_t used, size;      // bytes used and ready in the last block
  size_t total;           // bytes held in all blocks
  jmp_buf *oom;           // never NULL while allocating
} Arena;

void *arena_alloc(Arena *a, size_t bytes);            // zeroed, 16-byte aligned
void *arena_copy(Arena *a, const void *p, size_t bytes);
char *arena_str(Arena *a, const char *s);
char *arena_strn(Arena *a, const char *s, size_t n);
char *arena_printf(Arena *a, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void arena_free(Arena *a);                            // all of it
#define arena_new(a, T) ((T *)arena_alloc((a), sizeof(T)))
#define arena_array(a, T, n) ((T *)arena_alloc((a), sizeof(T) * (size_t)(n)))

// Tests make the n-th system allocation from now on fail (0: none does).
void base_fail_allocation(long n);

// ---- growable array in an arena ---------------------------------------------
// VEC(T) v = {0}; vec_push(arena, &v, x); v.at[i]; v.n
#define VEC(T) struct { T *at; int n, cap; }
#define vec_push(a, v, x) \
  ((v)->n == (v)->cap ? (void)((v)->at = vec_grow((a), (v)->at, sizeof *(v)->at, &(v)->cap)) : (void)0, \
   (v)->at[(v)->n++] = (x))
void *vec_grow(Arena *a, void *at, size_t size, int *cap);

// ---- string builder ----------------------------------------------------------
typedef struct Str { char *s; size_t n, cap; Arena *arena; } Str;
void str_printf(Str *s, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void str_put(Str *s, const char *p, size_t n);

uint64_t base_hash(uint64_t seed, const void *p, size_t n);  // FNV-1a, 64 bits

// ---- places in source text, and diagnostics ------------------------------------
typedef struct Source {     // one file, whole, with a NUL behind it
  const char *path;         // as the user named it
  const char *text;
  size_t size;
} Source;

typedef struct Loc {        // line and col count from 1; line 0: no place in a source
  const Source *src;
  int line, col;
  int width;                // bytes to underline, at least 1
} Loc;

// Diagnostics are collected, then printed sorted by place, each as
//   file:line:col: error: message
//   the source line
//        ^~~~
//   file:line:col: note: what stands there   (where another place belongs to it)
//   its line and caret
//   help: the way out                  (where there is one)
typedef struct Diag {
  Loc loc;
  char *message;
  Loc note_loc;
  char *note;               // or NULL
  char *help;               // or NULL
  struct Diag *next;
} Diag;

typedef struct Diags {
  Arena *arena;
  Diag *first, *last;
  int count;                // errors so far; printing stops after DIAG_MOST
} Diags;
#define DIAG_MOST 20

Diag *diag_error(Diags *d, Loc loc, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
void diag_note(Diags *d, Diag *g, Loc loc, const char *fmt, ...) __attribute__((format(printf, 4, 5)));
void diag_help(Diags *d, Diag *g, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
void diag_print(const Diags *d, FILE *to);

// Reads a file whole: regular, at most 64 MiB, UTF-8 without NUL bytes.
// NULL and a diagnostic (with line 0) otherwise.
const Source *source_read(Arena *a, Diags *d, const char *path);
const Source *source_text(Arena *a, const char *name, const char *text);

// A defect of ours: says file, line and what, then aborts.
#define ICE(...) base_ice(__FILE__, __LINE__, __VA_ARGS__)
#define ICE_IF(c, ...) ((c) ? base_ice(__FILE__, __LINE__, __VA_ARGS__) : (void)0)
_Noreturn void base_ice(const char *file, int line, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

#endif
