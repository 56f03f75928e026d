// Running a trainer: what `rlc run` and compiled programs share.
#ifndef RLC_TRAINER_H
#define RLC_TRAINER_H

#include <stdbool.h>
#include <stdio.h>

#include "runtime/abi.h"

// Exit statuses of a run.
enum { RT_FINE = 0, RT_MISTAKE = 1, RT_USAGE = 2, RT_DIVERGED = 3, RT_INTERRUPTED = 130, RT_TERMINATED = 143 };

typedef struct RtSet { const char *name, *value; } RtSet;   // --set name=value
#define RT_MAX_SET 256

// All zero is a run with the defaults.
typedef struct RtOptions {
  bool seed_given; uint64_t seed;
  int threads;                  // 0: as many as processors, at most RT_MOST_THREADS
  int nset; RtSet set[RT_MAX_SET];
  const char *log;              // JSON lines go here, or NULL
  const char *checkpoint;       // written at the end, on interruption and every checkpoint_every seconds, or NULL
  bool every_given; double checkpoint_every;
  const char *resume;           // go on from this checkpoint, or NULL
  int64_t steps;                // stop when the trainer has done so many steps, counted over resumed runs too; 0: no limit
  bool quiet;                   // no progress and no closing line
  bool summary;                 // end standard output with one JSON line
  bool help;
  bool forget;                  // when interrupted, write no checkpoint where none was asked for
  bool compiled; double compile_s; // for the summary; else null
  double started;               // rt_now() when the process began; 0: when rt_train was called
  // Called when a step logged a value that is not finite. `before` is the frame as that step found it,
  // `step` its number from 0. Prints the first value that went bad to standard error and returns true, or
  // returns false to have the runtime name what it sees.
  bool (*diagnose)(void *data, const RtFrame *before, int64_t step);
  void *diagnose_data;
  // Called with the frame when the run has ended by itself; or NULL.
  void (*ended)(void *data, const RtFrame *f);
  // The last RT_STATE of p->before[k], where somebody has it already; or NULL to have it trained.
  const char *(*before)(void *data, const RtProgram *p, int64_t k);
  void *data;                   // of both
} RtOptions;
#define RT_MOST_THREADS 16
#define RT_CHECKPOINT_EVERY 60.0

// Runs p until it stops; returns the exit status. Messages go to standard error, each one once.
// SIGINT and SIGTERM are caught meanwhile: the running step is finished and a checkpoint written.
// Trainers that p begins from are trained first; interrupted there, the checkpoint is of that trainer, and
// resuming p from it goes on with that one.
int rt_train(const RtProgram *p, const RtOptions *o);

// Puts what p's init takes of other trainers into f's RT_SETTING, where the seed stands already: trains them. RT_FINE,
// or the status with which one of them ended.
int rt_before(const RtProgram *p, const RtFrame *f, const RtOptions *o);

// Takes argv[*i], and its value where it has one, if it is one of the options above.
// 1: taken, *i is at the last word used; 0: not an option of a run; -1: wrong, *why (static or argv) says how.
int rt_option(RtOptions *o, int argc, char **argv, int *i, const char **why);
void rt_options_help(FILE *to);  // a line for each

// The arrays of a checkpoint, whoever wrote it.
typedef struct RtSaved {
  char *trainer;                // its name
  int narray; RtArray *array;   // offset: in data
  char *data; int64_t bytes;
  char *names;                  // what array[].name points into
} RtSaved;
// False after a message; then there is nothing to free.
bool rt_saved_read(RtSaved *s, const char *path);
void rt_saved_free(RtSaved *s);

double rt_now(void);             // seconds on a clock that only goes forward

#endif
