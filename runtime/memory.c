#include "runtime/memory.h"

#include <sys/mman.h>

#define HUGE ((size_t)2 << 20)      // of a large page: no smaller block is rounded up to one

static long fail_in;

void rt_fail_allocation(long n) {
  fail_in = n;
}

void *rt_block(size_t bytes) {
  if (fail_in && --fail_in == 0) return NULL;
  void *p = mmap(NULL, bytes ? bytes : 1, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (p == MAP_FAILED) return NULL;
#ifdef MADV_HUGEPAGE
  if (bytes >= HUGE) madvise(p, bytes, MADV_HUGEPAGE);      // refused: it works as well
#endif
  return p;
}

void rt_block_free(void *p, size_t bytes) {
  if (p) munmap(p, bytes ? bytes : 1);
}
