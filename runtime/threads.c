// Threads take the pieces of one job after another. No allocation and no lock in a job.
//
// `word` holds the job's epoch (high half) and its next piece (low half). An even epoch is open:
// a thread takes piece i by compare-and-swap from (epoch, i) to (epoch, i + 1). An odd epoch is
// closed: the caller writes the job's fields only then. So a thread whose swap succeeds has read
// the fields of that very job, and one that comes late, even by many jobs, fails and looks again.
//
// Who finds nothing to do spins for about as long as waking a sleeper costs, then sleeps.
#include "runtime/threads.h"

#include <linux/futex.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "runtime/memory.h"

#define SPIN_NS 50000
#define LATE_NS 150000         // waiting for the other side this long, and much longer than for the own one, is no imbalance
#define ALONE 8                // that many times the wait lost, both sides stay with the caller
#define MISSED 4               // forks in a row whose second side nobody took
#define MAX_THREADS 256

typedef struct Seat { RtPool *pool; int number, of; } Seat;

struct RtPool {
  _Alignas(RT_ALIGN) _Atomic uint64_t word;
  _Alignas(RT_ALIGN) _Atomic int64_t done;          // pieces of this job that are finished
  _Alignas(RT_ALIGN) _Atomic(RtKernel) kernel;
  _Atomic(char **) argv;
  _Atomic uint32_t pieces;
  _Alignas(RT_ALIGN) _Atomic uint32_t wake;         // futex of the sleepers
  _Atomic int sleepers;
  _Atomic bool quit;
  long spins;                                       // turns of relax() in SPIN_NS
  int64_t alone_until;                              // rt_fork, on now_ns(): the caller works alone
  int missed;                                       // rt_fork: the last ones for which nobody came
  int nthread, seats;                               // threads beside the caller; seats, some of them empty if the system grants fewer
  pthread_t thread[MAX_THREADS];
  Seat seat[MAX_THREADS];
};

static _Thread_local Seat here = {NULL, 0, 1};      // of the job that this thread is at

int64_t rt_seat(int64_t piece, int64_t pieces) { return here.of <= pieces ? here.number : piece; }

static void relax(void) {
#if defined(__x86_64__) || defined(__i386__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  __asm__ volatile("yield");
#endif
}

static long futex(_Atomic uint32_t *at, int op, uint32_t value) {
  return syscall(SYS_futex, at, op | FUTEX_PRIVATE_FLAG, value, NULL, NULL, 0);
}

static bool open_job(const RtPool *p, uint64_t word) {
  return !(word >> 32 & 1) && (uint32_t)word < atomic_load_explicit(&p->pieces, memory_order_relaxed);
}

// Works on whatever is open, until nothing is. Returns how many pieces it took.
static int64_t work(RtPool *p) {
  for (int64_t taken = 0;; ) {
    uint64_t w = atomic_load(&p->word);
    if (!open_job(p, w)) return taken;
    RtKernel kernel = atomic_load_explicit(&p->kernel, memory_order_relaxed);
    char **argv = atomic_load_explicit(&p->argv, memory_order_relaxed);
    if (!atomic_compare_exchange_weak(&p->word, &w, w + 1)) continue;
    kernel(argv, (int64_t)(uint32_t)w);
    taken++;
    atomic_fetch_add_explicit(&p->done, 1, memory_order_release);
  }
}

// The sleeper counts itself before it looks a last time, the caller opens a job before it counts
// sleepers: one of them sees the other.
static void sleep_until_job(RtPool *p) {
  uint32_t seen = atomic_load(&p->wake);
  atomic_fetch_add(&p->sleepers, 1);
  if (!open_job(p, atomic_load(&p->word)) && !atomic_load(&p->quit)) futex(&p->wake, FUTEX_WAIT, seen);
  atomic_fetch_sub(&p->sleepers, 1);
}

static void *worker(void *arg) {
  here = *(const Seat *)arg;
  RtPool *p = here.pool;
  while (!atomic_load(&p->quit)) {
    work(p);
    long spin = 0;
    while (spin < p->spins && !open_job(p, atomic_load_explicit(&p->word, memory_order_relaxed))) {
      relax();
      spin++;
    }
    if (spin == p->spins) sleep_until_job(p);
  }
  return NULL;
}

static void wake_sleepers(RtPool *p, int most) {
  if (!atomic_load(&p->sleepers)) return;
  atomic_fetch_add(&p->wake, 1);
  futex(&p->wake, FUTEX_WAKE, (uint32_t)most);
}

static int64_t now_ns(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec * 1000000000ll + t.tv_nsec;
}

// What a job was like for the caller: pieces it took, how long it worked and then waited for others.
typedef struct Course { int64_t taken, worked, waited; } Course;

static void job(RtPool *p, RtKernel kernel, char **argv, uint32_t pieces, Course *c) {
  int64_t began = c ? now_ns() : 0;
  uint64_t epoch = atomic_load_explicit(&p->word, memory_order_relaxed) >> 32;
  atomic_store(&p->word, (epoch + 1) << 32);
  atomic_store_explicit(&p->kernel, kernel, memory_order_relaxed);
  atomic_store_explicit(&p->argv, argv, memory_order_relaxed);
  atomic_store_explicit(&p->pieces, pieces, memory_order_relaxed);
  atomic_store_explicit(&p->done, 0, memory_order_relaxed);
  atomic_store(&p->word, (epoch + 2) << 32);
  wake_sleepers(p, (int)(pieces - 1 < (uint32_t)p->nthread ? pieces - 1 : (uint32_t)p->nthread));
  Seat before = here;
  here = (Seat){p, 0, p->seats};
  int64_t taken = work(p), own = c ? now_ns() : 0;
  for (long spin = 0; atomic_load_explicit(&p->done, memory_order_acquire) != pieces; spin++) {
    if (spin < p->spins) relax();
    else sched_yield();                             // whoever holds the last piece may want this core
  }
  here = before;
  if (c) *c = (Course){taken, own - began, now_ns() - own};
}

void rt_parallel(RtPool *p, RtKernel kernel, char **argv, int64_t pieces) {
  if (!p || pieces <= 1 || pieces > UINT32_MAX) {
    for (int64_t i = 0; i < pieces; i++) kernel(argv, i);
    return;
  }
  job(p, kernel, argv, (uint32_t)pieces, NULL);
}

// On a machine that others use, a thread may be stopped in the middle of its side, for milliseconds where the side takes
// microseconds, or not come at all. What such a wait costs is spread: for ALONE times as long no one is waited for; nor
// after MISSED forks for which no one came, for longer each time.
void rt_fork(RtPool *p, RtKernel kernel, char **argv) {
  if (!p || (p->alone_until && now_ns() < p->alone_until)) {
    for (int64_t i = 0; i < 2; i++) kernel(argv, i);
    return;
  }
  Course c;
  job(p, kernel, argv, 2, &c);
  p->missed = c.taken == 2 ? p->missed + 1 : 0;
  int64_t alone = c.waited > LATE_NS && c.waited > 4 * c.worked ? ALONE * c.waited : 0;
  if (p->missed >= MISSED) alone = LATE_NS << (p->missed - MISSED < 6 ? p->missed - MISSED : 6);
  p->alone_until = alone ? now_ns() + alone : 0;
}

// relax() takes 5 to 150 cycles, depending on the processor.
static long measure_spins(void) {
  int64_t best = INT64_MAX;
  for (int k = 0; k < 3; k++) {
    int64_t t = now_ns();
    for (int i = 0; i < 200; i++) relax();
    t = now_ns() - t;
    if (t < best) best = t;
  }
  return 200 * SPIN_NS / (best > 0 ? best : 1);
}

int rt_cpus(void) {
  cpu_set_t set;
  if (sched_getaffinity(0, sizeof set, &set) != 0) return 1;
  int n = CPU_COUNT(&set);
  return n < 1 ? 1 : n;
}

int rt_seats(const RtPool *p) { return p ? p->seats : 1; }

RtPool *rt_pool_new(int threads) {
  if (threads > MAX_THREADS) threads = MAX_THREADS;
  RtPool *p = threads > 1 ? rt_block(sizeof *p) : NULL;
  if (!p) return NULL;
  p->spins = measure_spins();
  p->seats = threads;
  for (int i = 1; i < threads; i++) {
    p->seat[i] = (Seat){p, i, threads};
    if (pthread_create(&p->thread[p->nthread], NULL, worker, &p->seat[i]) == 0) p->nthread++;
  }
  return p;
}

void rt_pool_free(RtPool *p) {
  if (!p) return;
  atomic_store(&p->quit, true);
  atomic_fetch_add(&p->wake, 1);
  futex(&p->wake, FUTEX_WAKE, INT32_MAX);
  for (int i = 0; i < p->nthread; i++) pthread_join(p->thread[i], NULL);
  rt_block_free(p, sizeof *p);
}
