// Text and JSON, written only.
#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/internal.h"
#include "runtime/memory.h"

static bool room(RtText *t, size_t more) {
  if (t->failed) return false;
  if (t->n + more <= t->cap) return true;
  size_t cap = t->cap ? t->cap : 4096;
  while (cap < t->n + more) cap *= 2;
  char *s = rt_block(cap);
  if (!s) {
    t->failed = true;
    return false;
  }
  if (t->n) memcpy(s, t->s, t->n);
  rt_block_free(t->s, t->cap);
  t->s = s;
  t->cap = cap;
  return true;
}

void rt_text(RtText *t, const char *fmt, ...) {
  va_list ap, again;
  va_start(ap, fmt);
  va_copy(again, ap);
  int n = vsnprintf(NULL, 0, fmt, ap);
  va_end(ap);
  if (n >= 0 && room(t, (size_t)n + 1)) {
    vsnprintf(t->s + t->n, (size_t)n + 1, fmt, again);
    t->n += (size_t)n;
  }
  va_end(again);
}

void rt_text_free(RtText *t) {
  rt_block_free(t->s, t->cap);
  *t = (RtText){ 0 };
}

void rt_json_string(RtText *t, const char *s) {
  rt_text(t, "\"");
  for (; *s; s++) {
    unsigned char c = (unsigned char)*s;
    if (c == '"' || c == '\\') rt_text(t, "\\%c", c);
    else if (c < 0x20) rt_text(t, "\\u%04x", c);
    else rt_text(t, "%c", c);
  }
  rt_text(t, "\"");
}

void rt_json_float(RtText *t, double x, int digits) {
  if (isfinite(x)) rt_text(t, "%.*g", digits, x);
  else rt_text(t, "null");
}

void rt_json_metrics(RtText *t, const RtProgram *p, const RtFrame *f, bool logged_only) {
  const char *comma = "";
  rt_text(t, "{");
  for (int i = 0; i < p->nmetric; i++) {
    float count = *(const float *)(const void *)(f->base[RT_OUT] + p->metric[i].count);
    if (logged_only && !(count > 0)) continue;
    rt_text(t, "%s", comma);
    comma = ", ";
    rt_json_string(t, p->metric[i].name);
    rt_text(t, ": ");
    rt_json_float(t, rt_metric_value(p, f, i), 9);
  }
  rt_text(t, "}");
}
