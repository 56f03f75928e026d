// The JSON-lines log: one line for each step that logged something.
//   {"iter": 12, "env_steps": 1024, "time": 0.123, "metrics": {"loss": 0.5}}
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "runtime/internal.h"

#define FLUSH_S 0.2
#define FLUSH_BYTES 65536

static bool complain(const RtLog *l, const char *what) {
  rt_say("cannot %s the log %s: %s", what, l->path, strerror(errno));
  return false;
}

// Where the lines of steps up to `iter` end.
static int64_t keep_until(RtLog *l, int64_t iter) {
  int fd = dup(l->fd);
  FILE *f = fd < 0 ? NULL : fdopen(fd, "r");
  if (!f) {
    if (fd >= 0) close(fd);
    return -1;
  }
  char *line = NULL;
  size_t cap = 0;
  ssize_t n;
  int64_t at = 0;
  while ((n = getline(&line, &cap, f)) > 0 && line[n - 1] == '\n') {
    long long step;
    if (sscanf(line, "{\"iter\": %lld", &step) == 1 && step > iter) break;
    at += n;
  }
  free(line);
  fclose(f);
  return at;
}

bool rt_log_open(RtLog *l, const char *path, bool resumed, int64_t iter) {
  *l = (RtLog){ .path = path, .fd = -1, .flushed = rt_now() };
  if (!path) return true;
  l->fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
  if (l->fd < 0) l->fd = open(path, O_WRONLY | O_CLOEXEC);   // a pipe or a device
  struct stat st;
  if (l->fd < 0 || fstat(l->fd, &st) != 0) return complain(l, "open");
  l->regular = S_ISREG(st.st_mode);
  if (!l->regular) return true;
  if (resumed && (l->size = keep_until(l, iter)) < 0) return complain(l, "read");
  if (ftruncate(l->fd, l->size) != 0 || lseek(l->fd, l->size, SEEK_SET) < 0) return complain(l, "write");
  return true;
}

bool rt_log_flush(RtLog *l) {
  if (l->fd < 0) return true;
  if (l->text.failed) {
    rt_say("no memory for the log %s", l->path);
    return false;
  }
  size_t at = 0;
  while (at < l->text.n) {
    ssize_t n = write(l->fd, l->text.s + at, l->text.n - at);
    if (n > 0) at += (size_t)n;
    else if (n < 0 && errno != EINTR) break;
  }
  int why = errno;
  size_t whole = at;
  while (whole > 0 && l->text.s[whole - 1] != '\n') whole--;
  l->size += (int64_t)whole;
  bool fine = at == l->text.n;
  l->text.n = 0;
  l->flushed = rt_now();
  if (fine) return true;
  if (l->regular && ftruncate(l->fd, l->size) == 0) lseek(l->fd, l->size, SEEK_SET);
  errno = why;
  return complain(l, "write");
}

static bool logged_something(const RtProgram *p, const RtFrame *f) {
  for (int i = 0; i < p->nmetric; i++)
    if (*(const float *)(const void *)(f->base[RT_OUT] + p->metric[i].count) > 0) return true;
  return false;
}

bool rt_log_step(RtLog *l, const RtProgram *p, const RtFrame *f, double time) {
  if (l->fd < 0 || !logged_something(p, f)) return true;
  rt_text(&l->text, "{\"iter\": %lld, ", *(const long long *)(const void *)(f->base[RT_STATE] + p->iter));
  if (p->env_steps >= 0)
    rt_text(&l->text, "\"env_steps\": %lld, ", *(const long long *)(const void *)(f->base[RT_STATE] + p->env_steps));
  rt_text(&l->text, "\"time\": %.3f, \"metrics\": ", time);
  rt_json_metrics(&l->text, p, f, true);
  rt_text(&l->text, "}\n");
  return l->text.n < FLUSH_BYTES && rt_now() - l->flushed < FLUSH_S ? true : rt_log_flush(l);
}

bool rt_log_close(RtLog *l) {
  bool fine = rt_log_flush(l);
  if (l->fd >= 0 && close(l->fd) != 0 && fine) fine = complain(l, "write");
  l->fd = -1;
  rt_text_free(&l->text);
  return fine;
}
