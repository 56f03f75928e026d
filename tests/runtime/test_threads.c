// The pool: every piece once, whatever the number of threads and however often.
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "runtime/threads.h"
#include "tests/test.h"

#define MOST 1000

typedef struct Count { _Atomic int taken[MOST]; } Count;

static void count(char **argv, int64_t piece) {
  Count *c = (Count *)(void *)argv[0];
  atomic_fetch_add_explicit(&c->taken[piece], 1, memory_order_relaxed);
}

static void once_each(void) {
  static Count c;
  for (int threads = 1; threads <= 8; threads++) {
    RtPool *p = rt_pool_new(threads);
    CU_ASSERT_EQUAL(p == NULL, threads == 1);
    int jobs = 0;
    for (int round = 0; round < 300; round++) {
      int64_t pieces = (round * 37) % MOST;
      memset(&c, 0, sizeof c);
      char *argv[] = { (char *)&c };
      rt_parallel(p, count, argv, pieces);
      bool fine = true;
      for (int i = 0; i < MOST; i++) fine &= c.taken[i] == (i < pieces);
      jobs += fine;
      if (round % 100 == 50) usleep(2000);      // long enough for the threads to go to sleep
    }
    CU_ASSERT_EQUAL(jobs, 300);
    rt_pool_free(p);
  }
}

static void sum_piece(char **argv, int64_t piece) {
  const float *x = (const float *)(void *)argv[0];
  float s = 0;
  for (int i = 0; i < 100; i++) s += x[piece * 100 + i];
  ((float *)(void *)argv[1])[piece] = s;
}

static void same_bits(void) {
  static float x[MOST * 100];
  float first[MOST], out[MOST];
  for (int i = 0; i < MOST * 100; i++) x[i] = (float)(i * 2654435761u % 1000) * 0.001f;
  char *argv[] = { (char *)x, (char *)first };
  rt_parallel(NULL, sum_piece, argv, MOST);
  argv[1] = (char *)out;
  for (int threads = 2; threads <= 4; threads++) {
    RtPool *p = rt_pool_new(threads);
    memset(out, 0, sizeof out);
    rt_parallel(p, sum_piece, argv, MOST);
    CU_ASSERT_EQUAL(memcmp(first, out, sizeof out), 0);
    rt_pool_free(p);
  }
}

typedef struct Sides { pthread_t by[2]; _Atomic int started; int late; } Sides;

// Each side waits until the other has begun; the one that is not the caller's then takes its time.
static void two_sides(char **argv, int64_t side) {
  Sides *s = (Sides *)(void *)argv[0];
  s->by[side] = pthread_self();
  atomic_fetch_add(&s->started, 1);
  for (int k = 0; s->late && atomic_load(&s->started) < 2 && k < 4000; k++) usleep(50);
  if (s->late && !pthread_equal(pthread_self(), *(pthread_t *)(void *)argv[1])) usleep((useconds_t)s->late);
}

static bool same_thread(RtPool *p, int late) {
  Sides s = {.late = late};
  pthread_t self = pthread_self();
  char *argv[] = { (char *)&s, (char *)&self };
  rt_fork(p, two_sides, argv);
  CU_ASSERT_EQUAL(s.started, 2);
  return pthread_equal(s.by[0], s.by[1]);
}

// A side that comes late is not waited for again soon, but later.
static void late_sides(void) {
  CU_ASSERT(same_thread(NULL, 0));
  RtPool *p = rt_pool_new(2);
  if (p) {
    CU_ASSERT_FALSE(same_thread(p, 40000));
    CU_ASSERT(same_thread(p, 0));
    int tries = 0;                               // how long it was waited for, the machine decides
    while (tries < 100 && same_thread(p, 1000)) usleep(100000), tries++;
    CU_ASSERT(tries < 100);
  }
  rt_pool_free(p);
}

typedef struct Seats { _Atomic int at[16], met; int64_t pieces; bool fine[16]; } Seats;

// Sits down for a while: nobody else is at the same seat.
static void take_seat(char **argv, int64_t piece) {
  Seats *s = (Seats *)(void *)argv[0];
  int64_t seat = rt_seat(piece, s->pieces);
  s->fine[piece] = seat >= 0 && seat < s->pieces;
  if (!s->fine[piece]) return;
  if (atomic_fetch_add(&s->at[seat], 1)) atomic_fetch_add(&s->met, 1);
  usleep(200);
  atomic_fetch_sub(&s->at[seat], 1);
}

static void seats(void) {
  for (int threads = 1; threads <= 8; threads++) {
    RtPool *p = rt_pool_new(threads);
    for (int pieces = 2; pieces <= 16; pieces += 7) {      // 2, 9, 16: fewer than threads, and more
      Seats s = {.pieces = pieces};
      char *argv[] = { (char *)&s };
      rt_parallel(p, take_seat, argv, pieces);
      CU_ASSERT_EQUAL(s.met, 0);
      for (int k = 0; k < pieces; k++) CU_ASSERT(s.fine[k]);
    }
    rt_pool_free(p);
  }
}

void suite_threads(void) {
  CU_pSuite s = test_suite("threads");
  test_add(s, "every piece once", once_each);
  test_add(s, "the same bits", same_bits);
  test_add(s, "a seat for each", seats);
  test_add(s, "sides that come late", late_sides);
}
