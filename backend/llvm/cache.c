// Machine code that programs of this process share: kernels and the functions that they share, by their keys. The next child of
// an architecture search has most of its kernels in common with those before: they are linked and not compiled again.
//
// A batch is the code that one program added. It lives while that program does, or one that calls into it; afterwards it
// stays for programs to come, until such batches have more than cache_idle_bytes together: then the oldest go. Programs are
// compiled and freed by one thread at a time.
#include "backend/llvm/module.h"

#include <llvm-c/Error.h>
#include <stdlib.h>
#include <string.h>

size_t cache_idle_bytes = 64 << 20;

#define BUCKETS 4096

typedef struct Entry {
  struct Entry *next;
  uint64_t hash;
  CacheBatch *batch;
  CacheKind kind;
  const char *name;                // of the symbol; behind the key
  size_t n;
  char key[];
} Entry;

struct CacheBatch {
  CacheBatch *next;                // younger
  LLVMOrcResourceTrackerRef code;
  size_t bytes;
  int users;                       // its program, and batches that need it
  int nneed, room;
  CacheBatch **need;
};

struct Cache {
  Cache *next;
  Target target;
  LLVMOrcLLJITRef orc;
  LLVMTargetMachineRef machine[2]; // one for each thread that generates code
  int serial;                      // of the last program
  CacheBatch *first, **last;
  size_t idle;                     // bytes of batches without users
  Entry *bucket[BUCKETS];
};

static void *need(Arena *a, void *p) {
  if (!p) longjmp(*a->oom, 1);
  return p;
}

// ---- the cache of a target ------------------------------------------------------------------------------------

static bool same_name(const char *x, const char *y) { return x == y || (x && y && !strcmp(x, y)); }

static bool same_target(const Target *x, const Target *y) {
  return x->plan.vector_bits == y->plan.vector_bits && x->plan.fma == y->plan.fma && same_name(x->cpu, y->cpu) && same_name(x->triple, y->triple);
}

static void discard(Cache *c) {
  for (int k = 0; k < 2; k++)
    if (c->machine[k]) LLVMDisposeTargetMachine(c->machine[k]);
  LLVMErrorRef e = c->orc ? LLVMOrcDisposeLLJIT(c->orc) : NULL;
  if (e) LLVMConsumeError(e);
  free((char *)c->target.cpu), free((char *)c->target.triple);
  free(c);
}

Cache *cache_of(Arena *a, const Target *t, LLVMErrorRef (*define)(LLVMOrcLLJITRef orc), char **why) {
  static Cache *all;
  for (Cache *c = all; c; c = c->next)
    if (same_target(&c->target, t)) return c;
  Cache *c = need(a, calloc(1, sizeof *c));
  c->target = *t;
  c->target.cpu = t->cpu ? need(a, strdup(t->cpu)) : NULL;
  c->target.triple = t->triple ? need(a, strdup(t->triple)) : NULL;
  c->last = &c->first;
  *why = NULL;
  for (int k = 0; k < 2 && !*why; k++) c->machine[k] = target_machine(a, t, true, why);
  LLVMErrorRef e = *why ? NULL : LLVMOrcCreateLLJIT(&c->orc, NULL);
  if (!*why && !e) e = define(c->orc);
  if (e) {
    char *m = LLVMGetErrorMessage(e);
    *why = arena_str(a, m);
    LLVMDisposeErrorMessage(m);
  }
  if (*why) {
    discard(c);
    return NULL;
  }
  c->next = all;
  return all = c;
}

LLVMOrcLLJITRef cache_orc(Cache *c) { return c->orc; }
LLVMTargetMachineRef cache_machine(Cache *c, int thread) { return c->machine[thread]; }
int cache_serial(Cache *c) { return ++c->serial; }

// ---- batches --------------------------------------------------------------------------------------------------

CacheBatch *cache_open(Arena *a, Cache *c) {
  CacheBatch *b = need(a, calloc(1, sizeof *b));
  b->users = 1;
  b->code = LLVMOrcJITDylibCreateResourceTracker(LLVMOrcLLJITGetMainJITDylib(c->orc));
  *c->last = b;
  c->last = &b->next;
  return b;
}

LLVMErrorRef cache_add_object(Cache *c, CacheBatch *b, LLVMMemoryBufferRef object) {
  b->bytes += LLVMGetBufferSize(object);
  return LLVMOrcLLJITAddObjectFileWithRT(c->orc, b->code, object);
}

size_t cache_bytes(const CacheBatch *b) { return b->bytes; }

static void drop(Cache *c, CacheBatch **at) {
  CacheBatch *b = *at;
  for (int k = 0; k < BUCKETS; k++)
    for (Entry **e = &c->bucket[k]; *e;) {
      Entry *x = *e;
      if (x->batch != b) e = &x->next;
      else *e = x->next, free(x);
    }
  for (int k = 0; k < b->nneed; k++)
    if (!--b->need[k]->users) c->idle += b->need[k]->bytes;
  LLVMErrorRef e = LLVMOrcResourceTrackerRemove(b->code);
  if (e) LLVMConsumeError(e);
  LLVMOrcReleaseResourceTracker(b->code);
  c->idle -= b->bytes;
  *at = b->next;
  if (!b->next) c->last = at;
  free(b->need);
  free(b);
}

void cache_close(Cache *c, CacheBatch *b) {
  if (--b->users) return;
  c->idle += b->bytes;
  for (CacheBatch **at = &c->first; *at && c->idle > cache_idle_bytes;) {
    if ((*at)->users) at = &(*at)->next;
    else drop(c, at), at = &c->first;        // what it needed may be without users now
  }
}

// ---- keys -----------------------------------------------------------------------------------------------------

static uint64_t hash_of(CacheKind kind, const char *key, size_t n) { return base_hash((uint64_t)kind, key, n); }

static void use(Arena *a, Cache *c, CacheBatch *b, CacheBatch *of) {
  if (b == of) return;
  for (int k = 0; k < b->nneed; k++)
    if (b->need[k] == of) return;
  if (b->nneed == b->room) {
    b->room = 2 * b->room + 4;
    b->need = need(a, realloc(b->need, sizeof *b->need * (size_t)b->room));
  }
  if (!of->users++) c->idle -= of->bytes;
  b->need[b->nneed++] = of;
}

const char *cache_find(Arena *a, Cache *c, CacheBatch *b, CacheKind kind, const char *key, size_t n) {
  uint64_t h = hash_of(kind, key, n);
  for (Entry *e = c->bucket[h % BUCKETS]; e; e = e->next)
    if (e->hash == h && e->kind == kind && e->n == n && !memcmp(e->key, key, n)) {
      use(a, c, b, e->batch);
      return e->name;
    }
  return NULL;
}

void cache_put(Arena *a, Cache *c, CacheBatch *b, CacheKind kind, const char *key, size_t n, const char *name) {
  uint64_t h = hash_of(kind, key, n);
  size_t length = strlen(name) + 1;
  Entry *e = need(a, malloc(sizeof *e + n + length));
  *e = (Entry){ .next = c->bucket[h % BUCKETS], .hash = h, .batch = b, .kind = kind, .name = e->key + n, .n = n };
  memcpy(e->key, key, n);
  memcpy(e->key + n, name, length);
  c->bucket[h % BUCKETS] = e;
}
