// A trainer written by hand: 64 numbers that decay towards noise, and what a run of it says.
#ifndef RLC_TOY_H
#define RLC_TOY_H

#include "runtime/internal.h"

// Settings: rate (f32, 0.1), budget (i64, environment steps, 8 a step; default 4000), bad_at (i64: the
// step at which the state becomes infinite, -1), pause_us (i64: sleep in every step, 0).
// Metrics: loss each step; score every 10. Solved when loss falls below `solve` (f32, 0: never).
extern const RtProgram toy;

typedef struct ToyRun {
  int status;                    // exit status; 1000 + signal if it was killed
  char out[8192], err[8192];     // what it wrote
} ToyRun;

// Runs p in a process of its own, in folder `dir`. With `send` it gets that signal after `after_ms`.
ToyRun toy_run(const RtProgram *p, const RtOptions *o, const char *dir, int send, int after_ms);
char *toy_dir(void);             // a new empty folder; the caller frees the name
void toy_remove(char *dir);      // with what is in it
char *toy_read(const char *dir, const char *name, size_t *n);  // NULL: no such file; the caller frees
void toy_write(const char *dir, const char *name, const char *s, size_t n);
const char *toy_path(const char *dir, const char *name);       // in a static buffer, four at a time

#endif
