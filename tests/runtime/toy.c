#include "tests/runtime/toy.h"

#include <dirent.h>
#include <fcntl.h>
#include <math.h>
#include <signal.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define N 64
typedef struct State {
  _Alignas(RT_ALIGN) float x[N];
  _Alignas(RT_ALIGN) uint64_t noise;
  _Alignas(RT_ALIGN) int64_t iter;
  _Alignas(RT_ALIGN) int64_t env_steps;
  _Alignas(RT_ALIGN) float loss;
  _Alignas(RT_ALIGN) float score;
} State;
typedef struct Setting {
  _Alignas(RT_ALIGN) uint64_t seed;
  _Alignas(RT_ALIGN) float rate;
  _Alignas(RT_ALIGN) int64_t budget;
  _Alignas(RT_ALIGN) int64_t bad_at;
  _Alignas(RT_ALIGN) int64_t pause_us;
  _Alignas(RT_ALIGN) float solve;
} Setting;
typedef struct Out {
  _Alignas(RT_ALIGN) float n_loss;
  _Alignas(RT_ALIGN) float n_score;
  _Alignas(RT_ALIGN) char stop;
  _Alignas(RT_ALIGN) char solved;
  _Alignas(RT_ALIGN) char ok;
  _Alignas(RT_ALIGN) float progress;
} Out;

static void init(RtFrame *f) {
  State *s = (void *)f->base[RT_STATE];
  const Setting *set = (void *)f->base[RT_SETTING];
  s->noise = set->seed * 2 + 1;
  for (int i = 0; i < N; i++) s->x[i] = (float)i;
  s->loss = s->score = NAN;
}

static void decay(char **argv, int64_t piece) {
  float *x = (void *)argv[0];
  const float *rate = (void *)argv[1];
  uint64_t noise = *(uint64_t *)(void *)argv[2] + (uint64_t)piece * 0x632be59bd9b4e019u;
  for (int i = 0; i < 8; i++) {
    noise = noise * 6364136223846793005u + 1442695040888963407u;
    float u = (float)(noise >> 40) * 0x1p-24f - 0.5f;
    x[piece * 8 + i] += *rate * (u - x[piece * 8 + i]);
  }
}

static void step(RtFrame *f) {
  State *s = (void *)f->base[RT_STATE];
  const Setting *set = (void *)f->base[RT_SETTING];
  Out *o = (void *)f->base[RT_OUT];
  if (set->pause_us) usleep((useconds_t)set->pause_us);
  char *argv[] = { (char *)s->x, f->base[RT_SETTING] + offsetof(Setting, rate), (char *)&s->noise };
  rt_parallel(f->pool, decay, argv, N / 8);
  s->noise = s->noise * 6364136223846793005u + 1442695040888963407u;
  if (s->iter == set->bad_at) s->x[3] = INFINITY;
  float sum = 0;
  for (int i = 0; i < N; i++) sum += s->x[i] * s->x[i];
  s->loss = sum / N;
  o->n_loss = 1;
  o->n_score = s->iter % 10 == 9;
  if (o->n_score > 0) s->score = -s->loss;
  s->iter++;
  s->env_steps += 8;
  o->progress = (float)s->env_steps / (float)set->budget;
  o->solved = s->loss < set->solve;
  o->stop = o->solved || s->env_steps >= set->budget;
  o->ok = isfinite(s->loss);
}

#define ARRAY(name, dtype, rank, dim) { #name, dtype, rank, { dim }, offsetof(State, name), sizeof ((State *)0)->name }
static const RtArray arrays[] = {
  ARRAY(x, RT_F32, 1, N), ARRAY(noise, RT_U64, 0, 0), ARRAY(iter, RT_I64, 0, 0),
  ARRAY(env_steps, RT_I64, 0, 0), ARRAY(loss, RT_F32, 0, 0), ARRAY(score, RT_F32, 0, 0),
};
static const RtSetting settings[] = {
  { "seed", RT_U64, offsetof(Setting, seed), 0 }, { "rate", RT_F32, offsetof(Setting, rate), 0.1 },
  { "budget", RT_I64, offsetof(Setting, budget), 4000 }, { "bad_at", RT_I64, offsetof(Setting, bad_at), -1 },
  { "pause_us", RT_I64, offsetof(Setting, pause_us), 0 }, { "solve", RT_F32, offsetof(Setting, solve), 0 },
};
static const RtMetric metrics[] = {
  { "loss", offsetof(State, loss), offsetof(Out, n_loss) }, { "score", offsetof(State, score), offsetof(Out, n_score) },
};
const RtProgram toy = {
  .abi = RT_ABI, .name = "toy", .source = "toy.rl", .hash = 12345,
  .nstate = 6, .nsetting = 6, .nmetric = 2, .state = arrays, .setting = settings, .metric = metrics,
  .bytes = { sizeof(State), sizeof(Setting), sizeof(Out), 0, 0 },
  .seed = offsetof(Setting, seed), .iter = offsetof(State, iter), .env_steps = offsetof(State, env_steps),
  .stop = offsetof(Out, stop), .solved = offsetof(Out, solved), .ok = offsetof(Out, ok),
  .progress = offsetof(Out, progress), .init = init, .step = step,
};

// ---- running -------------------------------------------------------------------------------------
static void slurp(const char *dir, const char *name, char *to, size_t room) {
  size_t n = 0;
  char *s = toy_read(dir, name, &n);
  n = n < room ? n : room - 1;
  if (s) memcpy(to, s, n);
  to[n] = 0;
  free(s);
}

static void child(const RtProgram *p, const RtOptions *o, const char *dir) {
  if (chdir(dir) != 0 || !freopen(".out", "w", stdout) || !freopen(".err", "w", stderr)) _exit(99);
  setvbuf(stderr, NULL, _IONBF, 0);
  int status = rt_train(p, o);
  fflush(NULL);
  _exit(status);
}

ToyRun toy_run(const RtProgram *p, const RtOptions *o, const char *dir, int send, int after_ms) {
  ToyRun r = { 0 };
  fflush(NULL);
  pid_t pid = fork();
  if (pid == 0) child(p, o, dir);
  if (send) {
    usleep((useconds_t)after_ms * 1000);
    kill(pid, send);
  }
  int status = 0;
  waitpid(pid, &status, 0);
  r.status = WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status);
  slurp(dir, ".out", r.out, sizeof r.out);
  slurp(dir, ".err", r.err, sizeof r.err);
  return r;
}

char *toy_dir(void) {
  char name[] = "/tmp/rlc-test-XXXXXX";
  if (!mkdtemp(name)) abort();
  return strdup(name);
}

void toy_remove(char *dir) {
  DIR *d = opendir(dir);
  for (struct dirent *e; d && (e = readdir(d));)
    if (strcmp(e->d_name, ".") && strcmp(e->d_name, "..")) unlink(toy_path(dir, e->d_name));
  if (d) closedir(d);
  rmdir(dir);
  free(dir);
}

const char *toy_path(const char *dir, const char *name) {
  static char room[4][600];
  static int at;
  at = (at + 1) % 4;
  snprintf(room[at], sizeof room[at], "%s/%s", dir, name);
  return room[at];
}

char *toy_read(const char *dir, const char *name, size_t *n) {
  FILE *f = fopen(toy_path(dir, name), "rb");
  if (!f) return NULL;
  size_t cap = 1 << 20;
  char *s = malloc(cap);
  if (s) *n = fread(s, 1, cap - 1, f), s[*n] = 0;
  fclose(f);
  return s;
}

void toy_write(const char *dir, const char *name, const char *s, size_t n) {
  FILE *f = fopen(toy_path(dir, name), "wb");
  if (!f || fwrite(s, 1, n, f) != n || fclose(f) != 0) abort();
}
