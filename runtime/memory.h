// Where the runtime's memory comes from. Nothing is allocated while steps run.
#ifndef RLC_MEMORY_H
#define RLC_MEMORY_H

#include <stddef.h>

// Zeroed, page-aligned; physical pages come with the first write. NULL without memory; also for the
// n-th call from rt_fail_allocation(n) on, once. 0 bytes give a block that may not be touched.
void *rt_block(size_t bytes);
void rt_block_free(void *p, size_t bytes);   // with the same size; NULL is fine
void rt_fail_allocation(long n);             // 0: none fails

#endif
