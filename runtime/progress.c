// The progress line on standard error: rewritten in place on a terminal, a line now and then elsewhere.
//   ppo  98,304 steps  412,000/s  return 187.2  loss 0.0123  19 %  0:02 left
#include <math.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "runtime/internal.h"

#define TERMINAL_S 0.1           // between two updates
#define LINE_S 5.0               // between two lines

int64_t rt_steps(const RtProgram *p, const RtFrame *f) {
  int64_t at = p->env_steps >= 0 ? p->env_steps : p->iter;
  return *(const int64_t *)(const void *)(f->base[RT_STATE] + at);
}

double rt_return(const RtProgram *p, const RtFrame *f) {
  const RtMetric *m = rt_metric(p, "score");
  double v = m ? rt_metric_value(p, f, (int)(m - p->metric)) : NAN;
  if (!isnan(v)) return v;
  m = rt_metric(p, "episode_return");
  return m ? rt_metric_value(p, f, (int)(m - p->metric)) : NAN;
}

void rt_progress_start(RtProgress *g, const RtProgram *p, const RtFrame *f, bool on) {
  double now = rt_now();
  *g = (RtProgress){ .on = on, .terminal = isatty(STDERR_FILENO), .began = now, .last_time = now };
  g->steps0 = g->last_steps = rt_steps(p, f);
  g->next = now + (g->terminal ? TERMINAL_S : LINE_S);
}

void rt_progress_clear(RtProgress *g) {
  if (g->shown) fputs("\r\033[K", stderr);
  g->shown = false;
}

const char *rt_grouped(char *to, int64_t v) {
  char digits[24];
  int n = snprintf(digits, sizeof digits, "%lld", (long long)v), k = 0;
  for (int i = 0; i < n; i++) {
    if (i > 0 && (n - i) % 3 == 0 && digits[i - 1] != '-') to[k++] = ',';
    to[k++] = digits[i];
  }
  to[k] = 0;
  return to;
}

const char *rt_rounded(char *to, double v) {
  double unit = v >= 1e4 ? pow(10, floor(log10(v)) - 2) : 1;
  return rt_grouped(to, (int64_t)(round(v / unit) * unit));
}

static void line(RtProgress *g, const RtProgram *p, const RtFrame *f, double now, char *to, size_t room) {
  char a[40], b[40];
  size_t n = 0;
#define ADD(...) (n += (size_t)snprintf(to + n, n < room ? room - n : 0, __VA_ARGS__), n = n < room ? n : room)
  ADD("%s  %s %s  %s/s", p->name, rt_grouped(a, rt_steps(p, f)), p->env_steps >= 0 ? "steps" : "updates", rt_rounded(b, g->rate));
  double ret = rt_return(p, f);
  if (!isnan(ret)) ADD("  return %.4g", ret);
  const RtMetric *loss = rt_metric(p, "loss");
  double l = loss ? rt_metric_value(p, f, (int)(loss - p->metric)) : NAN;
  if (!isnan(l)) ADD("  loss %.4g", l);
  double share = *(const float *)(const void *)(f->base[RT_OUT] + p->progress);
  int64_t spent = rt_steps(p, f) - g->steps0;
  if (share > 0 && share <= 1) {
    ADD("  %.0f %%", 100 * share);
    // Time for the whole budget at this run's pace; the steps of a resumed run's past took none of it.
    double total = (double)rt_steps(p, f) / share, pace = (now - g->began) / (spent > 0 ? (double)spent : 1);
    int64_t left = (int64_t)((total - (double)rt_steps(p, f)) * pace + 0.5);
    if (left >= 3600) ADD("  %lld:%02lld:%02lld left", (long long)(left / 3600), (long long)(left / 60 % 60), (long long)(left % 60));
    else ADD("  %lld:%02lld left", (long long)(left / 60), (long long)(left % 60));
  }
#undef ADD
}

void rt_progress(RtProgress *g, const RtProgram *p, const RtFrame *f, double now) {
  if (!g->on || now < g->next) return;
  int64_t steps = rt_steps(p, f);
  g->rate = (double)(steps - g->last_steps) / (now - g->last_time);
  g->last_steps = steps;
  g->last_time = now;
  g->next = now + (g->terminal ? TERMINAL_S : LINE_S);
  char text[256];
  line(g, p, f, now, text, sizeof text);
  if (!g->terminal) {
    fprintf(stderr, "%s\n", text);
    return;
  }
  struct winsize w;
  int columns = ioctl(STDERR_FILENO, TIOCGWINSZ, &w) == 0 && w.ws_col > 0 ? w.ws_col : 80;
  fprintf(stderr, "\r%.*s\033[K", columns - 1, text);
  fflush(stderr);
  g->shown = true;
}
