// The options of a run, as given on the command line.
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/internal.h"

typedef struct Option {
  const char *name, *value, *help;                                  // value: NULL where it takes none
  const char *(*take)(RtOptions *o, char *value);                   // NULL, or what is wrong
} Option;

static bool whole(const char *s, uint64_t most, uint64_t *v) {
  char *end;
  errno = 0;
  *v = strtoull(s, &end, 10);
  return *s >= '0' && *s <= '9' && !*end && !errno && *v <= most;
}

static const char *take_set(RtOptions *o, char *value) {
  char *eq = strchr(value, '=');
  if (!eq || eq == value || !eq[1]) return "--set wants name=value";
  if (o->nset == RT_MAX_SET) return "too many --set";
  *eq = 0;
  o->set[o->nset++] = (RtSet){ value, eq + 1 };
  return NULL;
}

static const char *take_seed(RtOptions *o, char *value) {
  o->seed_given = true;
  return whole(value, UINT64_MAX, &o->seed) ? NULL : "--seed wants a whole number from 0 to 18446744073709551615";
}

static const char *take_threads(RtOptions *o, char *value) {
  uint64_t v;
  if (!whole(value, 256, &v) || v == 0) return "--threads wants a number from 1 to 256";
  o->threads = (int)v;
  return NULL;
}

static const char *take_steps(RtOptions *o, char *value) {
  uint64_t v;
  if (!whole(value, INT64_MAX, &v) || v == 0) return "--steps wants a whole number above 0";
  o->steps = (int64_t)v;
  return NULL;
}

static const char *take_every(RtOptions *o, char *value) {
  char *end;
  o->checkpoint_every = strtod(value, &end);
  o->every_given = true;
  return !*end && end != value && o->checkpoint_every >= 0 && isfinite(o->checkpoint_every)
             ? NULL : "--checkpoint-every wants a number of seconds";
}

static const char *take_summary(RtOptions *o, char *value) {
  o->summary = true;
  return strcmp(value, "json") ? "--summary knows one form: json" : NULL;
}

static const char *take_log(RtOptions *o, char *value) { return o->log = value, NULL; }
static const char *take_checkpoint(RtOptions *o, char *value) { return o->checkpoint = value, NULL; }
static const char *take_resume(RtOptions *o, char *value) { return o->resume = value, NULL; }
static const char *take_quiet(RtOptions *o, char *value) { return (void)value, o->quiet = true, NULL; }
static const char *take_help(RtOptions *o, char *value) { return (void)value, o->help = true, NULL; }

static const Option options[] = {
  { "--seed", "N", "the seed of every random number (default 0)", take_seed },
  { "--set", "NAME=VALUE", "another value for a setting; may be given several times", take_set },
  { "--threads", "N", "threads to work with (default: one a processor, at most 16); no effect on the results", take_threads },
  { "--steps", "N", "stop when the trainer has done N steps", take_steps },
  { "--log", "FILE", "write what each step logs, as JSON lines", take_log },
  { "--checkpoint", "FILE", "save the state at the end, when interrupted, and now and then", take_checkpoint },
  { "--checkpoint-every", "SECONDS", "how often (default 60)", take_every },
  { "--resume", "FILE", "go on from a checkpoint, exact to the bit", take_resume },
  { "--summary", "json", "end standard output with one JSON line", take_summary },
  { "--quiet", NULL, "no progress line", take_quiet },
  { "--help", NULL, "this text", take_help },
};
#define NOPTION (sizeof options / sizeof *options)

// 0: another word; 1: the option without a value attached; else where the attached value begins.
static size_t match(const Option *o, const char *word) {
  size_t n = strlen(o->name);
  if (strncmp(word, o->name, n) != 0) return 0;
  if (!word[n]) return 1;
  return word[n] == '=' && o->value ? n + 1 : 0;
}

int rt_option(RtOptions *o, int argc, char **argv, int *i, const char **why) {
  static char text[120];
  for (size_t k = 0; k < NOPTION; k++) {
    const Option *p = &options[k];
    size_t at = match(p, argv[*i]);
    if (!at) continue;
    char *value = at > 1 ? argv[*i] + at : NULL;
    if (p->value && !value) {
      if (*i + 1 >= argc) {
        snprintf(text, sizeof text, "%s wants a value: %s %s", p->name, p->name, p->value);
        *why = text;
        return -1;
      }
      value = argv[++*i];
    }
    if (p->value && !*value) {
      snprintf(text, sizeof text, "%s wants a value that is not empty", p->name);
      *why = text;
      return -1;
    }
    *why = p->take(o, value);
    return *why ? -1 : 1;
  }
  return 0;
}

void rt_options_help(FILE *to) {
  for (size_t k = 0; k < NOPTION; k++) {
    char left[40];
    snprintf(left, sizeof left, "%s %s", options[k].name, options[k].value ? options[k].value : "");
    fprintf(to, "  %-28s%s\n", left, options[k].help);
  }
}
