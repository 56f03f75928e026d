// The loop around a step: resuming, logs, signals, divergence, broken files, memory.
#include <CUnit/CUnit.h>
#include <math.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "runtime/memory.h"
#include "tests/runtime/toy.h"
#include "tests/test.h"

#define QUIET .quiet = true, .threads = 1

static void check_same_file(const char *dir, const char *a, const char *b) {
  size_t n = 0, m = 0;
  char *x = toy_read(dir, a, &n), *y = toy_read(dir, b, &m);
  CU_ASSERT_PTR_NOT_NULL(x);
  CU_ASSERT_PTR_NOT_NULL(y);
  CU_ASSERT_EQUAL(n, m);
  CU_ASSERT(x && y && n == m && memcmp(x, y, n) == 0);
  free(x);
  free(y);
}

static bool file_exists(const char *dir, const char *name) {
  struct stat st;
  return stat(toy_path(dir, name), &st) == 0;
}

static int files(const char *dir, const char *ending) {
  char command[700];
  snprintf(command, sizeof command, "ls %s | grep -c '%s$'", dir, ending);
  FILE *f = popen(command, "r");
  int n = -1;
  if (!f || fscanf(f, "%d", &n) != 1) n = -1;
  if (f) pclose(f);
  return n;
}

static void resume_is_exact(void) {
  char *dir = toy_dir();
  ToyRun r = toy_run(&toy, &(RtOptions){ QUIET, .seed_given = true, .seed = 7, .checkpoint = "whole", .log = "whole.log" }, dir, 0, 0);
  CU_ASSERT_EQUAL(r.status, 0);
  CU_ASSERT_STRING_EQUAL(r.err, "");
  r = toy_run(&toy, &(RtOptions){ QUIET, .seed_given = true, .seed = 7, .checkpoint = "part", .steps = 123, .log = "part.log" }, dir, 0, 0);
  CU_ASSERT_EQUAL(r.status, 0);
  r = toy_run(&toy, &(RtOptions){ QUIET, .resume = "part", .checkpoint = "rest", .log = "part.log" }, dir, 0, 0);
  CU_ASSERT_EQUAL(r.status, 0);
  CU_ASSERT_STRING_EQUAL(r.err, "");
  check_same_file(dir, "whole", "rest");
  r = toy_run(&toy, &(RtOptions){ QUIET, .checkpoint = "other" }, dir, 0, 0);
  size_t n = 0, m = 0;
  char *a = toy_read(dir, "whole", &n), *b = toy_read(dir, "other", &m);
  CU_ASSERT(n == m && memcmp(a, b, n) != 0);
  free(a);
  free(b);
  toy_remove(dir);
}

static void threads_do_not_matter(void) {
  char *dir = toy_dir();
  toy_run(&toy, &(RtOptions){ .quiet = true, .threads = 1, .checkpoint = "t1" }, dir, 0, 0);
  toy_run(&toy, &(RtOptions){ .quiet = true, .threads = 2, .checkpoint = "t2" }, dir, 0, 0);
  toy_run(&toy, &(RtOptions){ .quiet = true, .threads = 4, .checkpoint = "t4" }, dir, 0, 0);
  check_same_file(dir, "t1", "t2");
  check_same_file(dir, "t1", "t4");
  toy_remove(dir);
}

// ---- log ---------------------------------------------------------------------------------------------
static int lines(const char *s) {
  int n = 0;
  for (; *s; s++) n += *s == '\n';
  return n;
}

static void log_has_a_line_a_step(void) {
  char *dir = toy_dir();
  toy_run(&toy, &(RtOptions){ QUIET, .log = "log", .steps = 20 }, dir, 0, 0);
  size_t n = 0;
  char *s = toy_read(dir, "log", &n);
  CU_ASSERT_EQUAL(lines(s), 20);
  CU_ASSERT_EQUAL(strncmp(s, "{\"iter\": 1, \"env_steps\": 8, \"time\": ", 36), 0);
  CU_ASSERT_PTR_NOT_NULL(strstr(s, "\"metrics\": {\"loss\": 10"));
  CU_ASSERT_PTR_NOT_NULL(strstr(s, "{\"iter\": 10, \"env_steps\": 80, "));
  CU_ASSERT_PTR_NOT_NULL(strstr(s, ", \"score\": -"));
  free(s);
  // A run that is taken up before the log's end cuts off what it will write again, and a half line.
  toy_run(&toy, &(RtOptions){ QUIET, .checkpoint = "c", .steps = 12 }, dir, 0, 0);
  FILE *f = fopen(toy_path(dir, "log"), "a");
  fputs("{\"iter\": 21, \"env", f);
  fclose(f);
  toy_run(&toy, &(RtOptions){ QUIET, .log = "log", .resume = "c", .steps = 15 }, dir, 0, 0);
  s = toy_read(dir, "log", &n);
  CU_ASSERT_EQUAL(lines(s), 15);
  CU_ASSERT_PTR_NULL(strstr(s, "\"iter\": 16"));
  CU_ASSERT_EQUAL(s[n - 1], '\n');
  free(s);
  toy_remove(dir);
}

static void full_disk(void) {
  char *dir = toy_dir();
  ToyRun r = toy_run(&toy, &(RtOptions){ QUIET, .log = "/dev/full", .checkpoint = "saved" }, dir, 0, 0);
  CU_ASSERT_EQUAL(r.status, 1);
  CU_ASSERT_STRING_EQUAL(r.err, "rlc: cannot write the log /dev/full: No space left on device\n");
  CU_ASSERT(file_exists(dir, "saved"));
  r = toy_run(&toy, &(RtOptions){ QUIET, .checkpoint = "/dev/full" }, dir, 0, 0);
  CU_ASSERT_EQUAL(r.status, 1);
  CU_ASSERT_STRING_EQUAL(r.err, "rlc: cannot write the checkpoint /dev/full: No space left on device\n");
  r = toy_run(&toy, &(RtOptions){ QUIET, .checkpoint = "no/such/folder/c", .log = "early" }, dir, 0, 0);
  CU_ASSERT_EQUAL(r.status, 1);
  CU_ASSERT_FALSE(file_exists(dir, "early"));      // told before the first step
  CU_ASSERT_STRING_EQUAL(r.err, "rlc: cannot write the checkpoint no/such/folder/c: No such file or directory\n");
  r = toy_run(&toy, &(RtOptions){ QUIET, .log = "no/such/folder/l" }, dir, 0, 0);
  CU_ASSERT_EQUAL(r.status, 1);
  CU_ASSERT_STRING_EQUAL(r.err, "rlc: cannot open the log no/such/folder/l: No such file or directory\n");
  r = toy_run(&toy, &(RtOptions){ QUIET, .checkpoint = "." }, dir, 0, 0);
  CU_ASSERT_STRING_EQUAL(r.err, "rlc: cannot write the checkpoint .: Is a directory\n");
  struct stat st;
  CU_ASSERT(stat("/dev/full", &st) == 0 && S_ISCHR(st.st_mode));
  toy_remove(dir);
}

// ---- signals -------------------------------------------------------------------------------------------
static const RtSet slow[] = { { "pause_us", "2000" }, { "budget", "1000000" } };

static void interrupted(void) {
  char *dir = toy_dir();
  RtOptions o = { QUIET, .nset = 2, .set = { slow[0], slow[1] }, .checkpoint = "c", .log = "log" };
  ToyRun r = toy_run(&toy, &o, dir, SIGINT, 150);
  CU_ASSERT_EQUAL(r.status, 130);
  CU_ASSERT_STRING_EQUAL(r.err, "rlc: the state is in c; --resume c goes on from it\n");
  size_t n = 0;
  char *s = toy_read(dir, "log", &n);
  long long last = 0;
  for (char *at = s; at && (at = strstr(at, "{\"iter\": ")); at++) sscanf(at, "{\"iter\": %lld", &last);
  CU_ASSERT(last > 3 && s[n - 1] == '\n');
  free(s);
  // The rest of it, without pausing, is what one run makes of so many steps.
  RtOptions rest = { QUIET, .resume = "c", .nset = 1, .set = { { "pause_us", "0" } }, .steps = last + 50, .checkpoint = "rest" };
  CU_ASSERT_EQUAL(toy_run(&toy, &rest, dir, 0, 0).status, 0);
  RtOptions once = { QUIET, .nset = 1, .set = { slow[1] }, .steps = last + 50, .checkpoint = "once" };
  CU_ASSERT_EQUAL(toy_run(&toy, &once, dir, 0, 0).status, 0);
  check_same_file(dir, "rest", "once");

  o.checkpoint = NULL;
  r = toy_run(&toy, &o, dir, SIGTERM, 100);
  CU_ASSERT_EQUAL(r.status, 143);
  CU_ASSERT(file_exists(dir, "toy.interrupted.ckpt"));
  CU_ASSERT_PTR_NOT_NULL(strstr(r.err, "--resume toy.interrupted.ckpt"));
  toy_remove(dir);
}

static void periodic(void) {
  char *dir = toy_dir();
  RtOptions o = { QUIET, .nset = 2, .set = { slow[0], slow[1] }, .checkpoint = "c", .every_given = true, .checkpoint_every = 0.05 };
  ToyRun r = toy_run(&toy, &o, dir, SIGKILL, 400);
  CU_ASSERT_EQUAL(r.status, 1000 + SIGKILL);
  CU_ASSERT(file_exists(dir, "c"));
  CU_ASSERT_EQUAL(toy_run(&toy, &(RtOptions){ QUIET, .resume = "c", .steps = 1 }, dir, 0, 0).status, 0);
  toy_remove(dir);
}

// ---- divergence --------------------------------------------------------------------------------------------
static bool tell(void *data, const RtFrame *before, int64_t step) {
  const float *x = (const void *)(before->base[RT_STATE]);
  fprintf(stderr, "%s: step %lld, x[3] %s\n", (const char *)data, (long long)step, isfinite(x[3]) ? "finite" : "bad");
  return true;
}

static void bad_state(void) {
  char *dir = toy_dir();
  RtOptions o = { QUIET, .checkpoint = "c", .nset = 1, .set = { { "bad_at", "100" } } };
  ToyRun r = toy_run(&toy, &o, dir, 0, 0);
  CU_ASSERT_EQUAL(r.status, 3);
  CU_ASSERT_PTR_NOT_NULL(strstr(r.err, "toy diverged in step 101: loss is inf"));
  CU_ASSERT_PTR_NOT_NULL(strstr(r.err, "state x holds values that are not finite"));
  CU_ASSERT_PTR_NOT_NULL(strstr(r.err, "c holds the last good state kept"));
  r = toy_run(&toy, &(RtOptions){ QUIET, .resume = "c", .nset = 1, .set = { { "bad_at", "-1" } }, .checkpoint = "healed" }, dir, 0, 0);
  CU_ASSERT_EQUAL(r.status, 0);
  toy_run(&toy, &(RtOptions){ QUIET, .checkpoint = "never" }, dir, 0, 0);
  check_same_file(dir, "healed", "never");
  o.diagnose = tell;
  o.diagnose_data = "told";
  o.summary = true;
  r = toy_run(&toy, &o, dir, 0, 0);
  CU_ASSERT_EQUAL(r.status, 3);
  CU_ASSERT_PTR_NOT_NULL(strstr(r.err, "told: step 100, x[3] finite\n"));
  CU_ASSERT_PTR_NOT_NULL(strstr(r.out, "\"loss\": "));
  toy_remove(dir);
}

// ---- broken checkpoints ---------------------------------------------------------------------------------------
static RtFrame frame_new(const RtProgram *p) {
  RtFrame f = { 0 };
  for (int i = 0; i < RT_CONST; i++) f.base[i] = rt_block((size_t)p->bytes[i]);
  return f;
}

static void frame_free(const RtProgram *p, RtFrame *f) {
  for (int i = 0; i < RT_CONST; i++) rt_block_free(f->base[i], (size_t)p->bytes[i]);
}

// Every length and every flipped bit is refused, and the state stays as it was. Messages are counted, not read.
static void broken_checkpoints(void) {
  char *dir = toy_dir();
  toy_run(&toy, &(RtOptions){ QUIET, .checkpoint = "c", .steps = 3 }, dir, 0, 0);
  size_t n = 0;
  char *s = toy_read(dir, "c", &n);
  RtFrame f = frame_new(&toy);
  fflush(stderr);
  int err = dup(2);
  CU_ASSERT_PTR_NOT_NULL_FATAL(freopen(toy_path(dir, "messages"), "w", stderr));
  int accepted = 0, touched = 0, refused = 0;
  char path[600];
  snprintf(path, sizeof path, "%s/broken", dir);
  for (size_t i = 0; i < n + 8 * n; i++) {
    if (i < n) {
      toy_write(dir, "broken", s, i);
    } else {
      s[(i - n) / 8] ^= (char)(1 << (i - n) % 8);
      toy_write(dir, "broken", s, n);
      s[(i - n) / 8] ^= (char)(1 << (i - n) % 8);
    }
    accepted += rt_checkpoint_read(&toy, &f, path);
    refused++;
    for (int64_t k = 0; k < toy.bytes[RT_STATE]; k++) touched += f.base[RT_STATE][k] != 0;
  }
  fflush(stderr);
  dup2(err, 2);
  close(err);
  stderr = fdopen(2, "w");
  setvbuf(stderr, NULL, _IONBF, 0);
  CU_ASSERT_EQUAL(accepted, 0);
  CU_ASSERT_EQUAL(touched, 0);
  size_t m = 0;
  char *text = toy_read(dir, "messages", &m);
  CU_ASSERT(m >= (1 << 20) - 1 || lines(text) == refused);
  free(text);
  snprintf(path, sizeof path, "%s/c", dir);
  CU_ASSERT(rt_checkpoint_read(&toy, &f, path));
  frame_free(&toy, &f);
  free(s);
  toy_remove(dir);
}

static void of_another_program(void) {
  char *dir = toy_dir();
  toy_run(&toy, &(RtOptions){ QUIET, .checkpoint = "c", .steps = 3 }, dir, 0, 0);
  RtOptions o = { QUIET, .resume = "c" };
  RtProgram p = toy;
  p.name = "ppo";
  ToyRun r = toy_run(&p, &o, dir, 0, 0);
  CU_ASSERT_EQUAL(r.status, 1);
  CU_ASSERT_STRING_EQUAL(r.err, "rlc: c is of another program: trainer toy, and this is ppo\n");
  RtArray a[6];
  memcpy(a, toy.state, sizeof a);
  p = toy;
  p.state = a;
  a[0].dim[0] = 32;
  a[0].bytes = 128;
  r = toy_run(&p, &o, dir, 0, 0);
  CU_ASSERT_STRING_EQUAL(r.err, "rlc: c is of another program: its state x is f32[64], this trainer's is f32[32]\n");
  a[0] = toy.state[0];
  a[1].name = "key";
  r = toy_run(&p, &o, dir, 0, 0);
  CU_ASSERT_STRING_EQUAL(r.err, "rlc: c is of another program: it has state noise where this trainer has key\n");
  p = toy;
  p.nstate = 5;
  r = toy_run(&p, &o, dir, 0, 0);
  CU_ASSERT_STRING_EQUAL(r.err, "rlc: c is of another program: its state score is not in this trainer\n");
  p = toy;
  p.hash++;
  r = toy_run(&p, &o, dir, 0, 0);
  CU_ASSERT_EQUAL(r.status, 1);
  CU_ASSERT_PTR_NOT_NULL(strstr(r.err, "other settings were compiled in"));
  r = toy_run(&toy, &(RtOptions){ QUIET, .resume = "absent" }, dir, 0, 0);
  CU_ASSERT_STRING_EQUAL(r.err, "rlc: cannot read the checkpoint absent: No such file or directory\n");
  toy_write(dir, "text", "hello, world\n", 13);
  r = toy_run(&toy, &(RtOptions){ QUIET, .resume = "text" }, dir, 0, 0);
  CU_ASSERT_STRING_EQUAL(r.err, "rlc: text is not a checkpoint of rlc\n");
  toy_write(dir, "empty", "", 0);
  r = toy_run(&toy, &(RtOptions){ QUIET, .resume = "empty" }, dir, 0, 0);
  CU_ASSERT_STRING_EQUAL(r.err, "rlc: empty is empty\n");
  r = toy_run(&toy, &(RtOptions){ QUIET, .resume = "." }, dir, 0, 0);
  CU_ASSERT_STRING_EQUAL(r.err, "rlc: cannot read the checkpoint .: Is a directory\n");
  toy_remove(dir);
}

// A write that fails leaves the old checkpoint and nothing beside it.
static void old_checkpoint_stays(void) {
  char *dir = toy_dir();
  toy_run(&toy, &(RtOptions){ QUIET, .checkpoint = "c", .steps = 3 }, dir, 0, 0);
  toy_run(&toy, &(RtOptions){ QUIET, .checkpoint = "copy", .steps = 3 }, dir, 0, 0);
  CU_ASSERT_EQUAL(symlink("c", toy_path(dir, "link")), 0);
  toy_run(&toy, &(RtOptions){ QUIET, .checkpoint = "link", .steps = 5 }, dir, 0, 0);
  struct stat st;
  CU_ASSERT(lstat(toy_path(dir, "link"), &st) == 0 && S_ISLNK(st.st_mode));
  toy_run(&toy, &(RtOptions){ QUIET, .checkpoint = "five", .steps = 5 }, dir, 0, 0);
  check_same_file(dir, "c", "five");
  CU_ASSERT_EQUAL(files(dir, "tmp"), 0);
  toy_remove(dir);
}

// ---- options, summary, memory -------------------------------------------------------------------------------------
static void settings_and_summary(void) {
  char *dir = toy_dir();
  RtOptions o = { QUIET, .nset = 2, .set = { { "solve", "0.2" }, { "budget", "1_000_000" } }, .summary = true, .compiled = true, .compile_s = 0.25 };
  ToyRun r = toy_run(&toy, &o, dir, 0, 0);
  CU_ASSERT_EQUAL(r.status, 0);
  CU_ASSERT_EQUAL(strncmp(r.out, "{\"solved\": true, \"env_steps\": ", 30), 0);
  CU_ASSERT_PTR_NOT_NULL(strstr(r.out, ", \"compile_s\": 0.25, \"train_s\": "));
  CU_ASSERT_PTR_NOT_NULL(strstr(r.out, ", \"eval_return\": -"));
  CU_ASSERT_PTR_NOT_NULL(strstr(r.out, ", \"metrics\": {\"loss\": "));
  CU_ASSERT_PTR_NOT_NULL(strstr(r.out, ", \"peak_rss_mb\": "));
  CU_ASSERT_EQUAL(lines(r.out), 1);
  o.nset = 1;
  o.set[0] = (RtSet){ "rat", "1" };
  r = toy_run(&toy, &o, dir, 0, 0);
  CU_ASSERT_EQUAL(r.status, 1);
  CU_ASSERT_STRING_EQUAL(r.err, "rlc: --set rat: toy has no such setting that can still be chosen; it has rate, budget, bad_at, pause_us, solve\n");
  o.set[0] = (RtSet){ "rate", "fast" };
  CU_ASSERT_STRING_EQUAL(toy_run(&toy, &o, dir, 0, 0).err, "rlc: --set rate=fast: it wants a number\n");
  o.set[0] = (RtSet){ "budget", "1.5" };
  CU_ASSERT_STRING_EQUAL(toy_run(&toy, &o, dir, 0, 0).err, "rlc: --set budget=1.5: it wants a whole number\n");
  // Not quiet, not on a terminal: the last words alone, when it is short.
  r = toy_run(&toy, &(RtOptions){ .threads = 1 }, dir, 0, 0);
  CU_ASSERT_EQUAL(strncmp(r.err, "toy: finished after 4,000 environment steps", 12), 0);
  CU_ASSERT_EQUAL(lines(r.err), 1);
  toy_remove(dir);
}

static int parse(RtOptions *o, const char *line, const char **why) {
  static char words[8][64];
  char *argv[8] = { "toy" };
  int argc = 1;
  for (const char *s = line; *s && argc < 8; argc++) {
    size_t n = strcspn(s, " ");
    snprintf(words[argc], sizeof words[argc], "%.*s", (int)n, s);
    argv[argc] = words[argc];
    s += n + (s[n] == ' ');
  }
  *o = (RtOptions){ 0 };
  for (int i = 1; i < argc; i++) {
    int k = rt_option(o, argc, argv, &i, why);
    if (k != 1) return k;
  }
  return 1;
}

static void options(void) {
  RtOptions o;
  const char *why = NULL;
  CU_ASSERT_EQUAL(parse(&o, "--seed 18446744073709551615 --set lr=1e-3 --threads=4 --log a", &why), 1);
  CU_ASSERT(o.seed_given && o.seed == UINT64_MAX && o.threads == 4 && o.nset == 1);
  CU_ASSERT_STRING_EQUAL(o.set[0].name, "lr");
  CU_ASSERT_STRING_EQUAL(o.set[0].value, "1e-3");
  CU_ASSERT_STRING_EQUAL(o.log, "a");
  CU_ASSERT_EQUAL(parse(&o, "--summary json --quiet --checkpoint-every 2.5", &why), 1);
  CU_ASSERT(o.summary && o.quiet && o.checkpoint_every == 2.5);
  CU_ASSERT_EQUAL(parse(&o, "--what", &why), 0);
  CU_ASSERT_EQUAL(parse(&o, "file.rl", &why), 0);
  CU_ASSERT_EQUAL(parse(&o, "--seedling 3", &why), 0);
  static const char *const wrong[] = { "--seed", "--seed x", "--seed -1", "--seed 18446744073709551616", "--seed=", "--threads 0",
    "--threads 1000", "--set lr", "--set =3", "--set lr=", "--summary xml", "--steps 0", "--checkpoint-every -1", "--checkpoint-every nan" };
  for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
    why = NULL;
    CU_ASSERT_EQUAL(parse(&o, wrong[i], &why), -1);
    CU_ASSERT_PTR_NOT_NULL(why);
  }
}

static void without_memory(void) {
  char *dir = toy_dir();
  int failed = 0;
  for (long n = 1; n < 12; n++) {
    rt_fail_allocation(n);                       // the child inherits it
    ToyRun r = toy_run(&toy, &(RtOptions){ .quiet = true, .threads = 2, .log = "l", .summary = true, .steps = 3 }, dir, 0, 0);
    CU_ASSERT(r.status == 0 || r.status == 1);
    if (r.status == 1) CU_ASSERT_PTR_NOT_NULL(strstr(r.err, "no memory"));
    failed += r.status == 1;
  }
  rt_fail_allocation(0);
  CU_ASSERT(failed >= 7);
  toy_remove(dir);
}

void suite_trainer(void) {
  CU_pSuite s = test_suite("trainer");
  test_add(s, "resuming is exact to the bit", resume_is_exact);
  test_add(s, "the number of threads does not matter", threads_do_not_matter);
  test_add(s, "the log has a line a step", log_has_a_line_a_step);
  test_add(s, "a full disk", full_disk);
  test_add(s, "interrupted and terminated", interrupted);
  test_add(s, "checkpoints now and then", periodic);
  test_add(s, "a state that goes bad", bad_state);
  test_add(s, "every cut and every flipped bit is refused", broken_checkpoints);
  test_add(s, "checkpoints of other programs", of_another_program);
  test_add(s, "the old checkpoint stays, links are followed", old_checkpoint_stays);
  test_add(s, "settings and summary", settings_and_summary);
  test_add(s, "options", options);
  test_add(s, "allocations that fail", without_memory);
}
