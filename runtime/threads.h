// The pool behind rt_parallel.
#ifndef RLC_THREADS_H
#define RLC_THREADS_H

#include "runtime/abi.h"

// A pool in which `threads` threads work, the caller of rt_parallel among them. Where the system
// grants fewer the pool has fewer: results do not depend on it. NULL if threads <= 1 or without memory.
RtPool *rt_pool_new(int threads);
void rt_pool_free(RtPool *p);       // NULL is fine
int rt_seats(const RtPool *p);      // threads that it was made for, each with a place in RT_ROOM; 1 for NULL
int rt_cpus(void);                  // processors that this process may run on

#endif
