// What the files of the trainer share.
#ifndef RLC_RUNTIME_INTERNAL_H
#define RLC_RUNTIME_INTERNAL_H

#include "runtime/trainer.h"

int64_t rt_dtype_bytes(int32_t dtype);
const char *rt_dtype_name(int32_t dtype);
float rt_metric_value(const RtProgram *p, const RtFrame *f, int i);
const RtMetric *rt_metric(const RtProgram *p, const char *name);   // NULL: not there
void rt_say(const char *fmt, ...) __attribute__((format(printf, 1, 2)));  // "rlc: …" and a newline on standard error

// ---- JSON, written -----------------------------------------------------------------------------
// Text grows in a buffer that doubles; `failed` is set, and nothing more is added, when there is no memory.
typedef struct RtText { char *s; size_t n, cap; bool failed; } RtText;
void rt_text(RtText *t, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void rt_json_string(RtText *t, const char *s);
void rt_json_float(RtText *t, double x, int digits);               // null where not finite
void rt_json_metrics(RtText *t, const RtProgram *p, const RtFrame *f, bool logged_only);
void rt_text_free(RtText *t);

// ---- log ----------------------------------------------------------------------------------------
typedef struct RtLog {
  const char *path;              // NULL: no log
  int fd;
  bool regular;                  // a file that can be cut back to its last whole line
  int64_t size;                  // bytes of whole lines in it
  double flushed;                // when
  RtText text;                   // whole lines not yet written
} RtLog;

// Opens for a run that begins after step `iter`: lines of later steps, and a half line, are cut off
// where the run is resumed, everything where it is not. False after a message.
bool rt_log_open(RtLog *l, const char *path, bool resumed, int64_t iter);
// Adds a line for the step just done, if it logged anything. False after a message.
bool rt_log_step(RtLog *l, const RtProgram *p, const RtFrame *f, double time);
bool rt_log_flush(RtLog *l);     // a file never ends in a half line, whatever fails
bool rt_log_close(RtLog *l);

// ---- checkpoints ------------------------------------------------------------------------------------
// Whether one could be written there, as far as the folder says: asked before training, and told if not.
bool rt_checkpoint_ready(const char *path);
// Writes RT_STATE, RT_SETTING and the flags stop and solved of f. Beside, synced, renamed: `path` is the old file or the new one,
// whole. False after a message.
bool rt_checkpoint_write(const RtProgram *p, const RtFrame *f, const char *path);
// Reads these into f, which is untouched if it fails. False after a message.
bool rt_checkpoint_read(const RtProgram *p, const RtFrame *f, const char *path);
// The trainer whose checkpoint it is, with its seed: p, or one that is trained before it; NULL: neither, or unreadable.
const RtProgram *rt_checkpoint_of(const RtProgram *p, const char *path, uint64_t *seed);

// ---- progress ------------------------------------------------------------------------------------------
typedef struct RtProgress {
  bool on, terminal, shown;
  int64_t steps0;                // counted before this run
  double began, next;
  double last_time; int64_t last_steps; double rate;
} RtProgress;
void rt_progress_start(RtProgress *g, const RtProgram *p, const RtFrame *f, bool on);
void rt_progress(RtProgress *g, const RtProgram *p, const RtFrame *f, double now);
void rt_progress_clear(RtProgress *g);  // takes the line off the terminal

// Into at least 40 bytes, returned: 1234567 -> 1,234,567; and 1,230,000.
const char *rt_grouped(char *to, int64_t v);
const char *rt_rounded(char *to, double v);

int64_t rt_steps(const RtProgram *p, const RtFrame *f);      // of environments, or of the trainer where there are none
double rt_return(const RtProgram *p, const RtFrame *f);      // metric score, else episode_return, else NaN

#endif
