// The rlc program from outside: what it prints, what it leaves, how it exits.
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/runtime/toy.h"
#include "tests/test.h"

typedef struct Said { int status; char *out, *err; } Said;

static char *dir;

// Runs a shell command in a folder of its own, with $RLC and $ROOT set. What was said lives until the next call.
static Said sh(const char *fmt, ...) {
  static Said said;
  static char command[4096];
  va_list ap;
  va_start(ap, fmt);
  int n = snprintf(command, sizeof command, "cd '%s' && { ", dir);
  n += vsnprintf(command + n, sizeof command - (size_t)n, fmt, ap);
  va_end(ap);
  snprintf(command + n, sizeof command - (size_t)n, "; } >.out 2>.err </dev/null");
  int status = system(command);
  said.status = WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status);
  size_t size;
  free(said.out);
  free(said.err);
  said.out = toy_read(dir, ".out", &size);
  said.err = toy_read(dir, ".err", &size);
  return said;
}

static void begin(void) {
  dir = toy_dir();
  if (symlink(test_binary(), toy_path(dir, ".rlc")) != 0) abort();   // its own path may hold blanks
  setenv("RLC", "./.rlc", 1);
  setenv("ROOT", test_root(), 1);
}

static void end(void) {
  toy_remove(dir);
}

#define SAYS(text, part) CU_ASSERT_PTR_NOT_NULL(strstr((text), (part)))

static void put(const char *name, const char *text) {
  toy_write(dir, name, text, strlen(text));
}

static void wrong_command_lines(void) {
  static const char *const wrong[] = {
    "$RLC", "$RLC walk x.rl", "$RLC run", "$RLC run a.rl b.rl", "$RLC run --seed", "$RLC run --seed x a.rl", "$RLC run --nope a.rl",
    "$RLC build a.rl", "$RLC build -o", "$RLC check", "$RLC check --all a.rl", "$RLC fmt", "$RLC emit a.rl", "$RLC emit --ir",
    "$RLC emit --ir --asm a.rl", "$RLC emit --raw --asm a.rl", "$RLC opt", "$RLC opt --passes", "$RLC eval", "$RLC eval x.ir --in y",
    "$RLC export a.rl", "$RLC export a.rl --checkpoint c -o a", "$RLC export --name", "$RLC passes x", "$RLC ops --html", "$RLC build a.rl -o a --target aarch64-linux-gnu", "$RLC run --target x a.rl",
  };
  begin();
  for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
    Said s = sh("%s", wrong[i]);
    CU_ASSERT_EQUAL(s.status, 2);
    if (i) SAYS(s.err, "--help` says how it is used\n");
  }
  end();
}

static void help(void) {
  begin();
  Said s = sh("$RLC --help");
  CU_ASSERT_EQUAL(s.status, 0);
  SAYS(s.out, "commands:");
  CU_ASSERT_STRING_EQUAL(s.err, "");
  static const char *const names[] = { "run", "build", "check", "fmt", "emit", "opt", "eval", "passes", "ops" };
  for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
    s = sh("$RLC %s --help", names[i]);
    CU_ASSERT_EQUAL(s.status, 0);
    CU_ASSERT_EQUAL(strncmp(s.out, "usage: rlc ", 11), 0);
  }
  end();
}

static void lists(void) {
  begin();
  Said s = sh("$RLC ops dot");
  CU_ASSERT_EQUAL(s.status, 0);
  SAYS(s.out, "sum_k");
  s = sh("$RLC ops dots");
  CU_ASSERT_EQUAL(s.status, 1);
  CU_ASSERT_STRING_EQUAL(s.err, "rlc: there is no op `dots`; `rlc ops` lists them\n");
  s = sh("$RLC passes");
  SAYS(s.out, "autodiff");
  s = sh("$RLC ops > /dev/full");
  CU_ASSERT_EQUAL(s.status, 1);
  SAYS(s.err, "No space left on device");
  end();
}

static void formats(void) {
  begin();
  put("a.rl", "// one\nfn f(x:f32)->f32{x+1} // two\n");
  put("bad.rl", "fn f(\n");
  CU_ASSERT_EQUAL(sh("$RLC fmt --check a.rl").status, 1);
  Said s = sh("chmod 640 a.rl && $RLC fmt a.rl && cat a.rl && stat -c %%a a.rl");
  CU_ASSERT_EQUAL(s.status, 0);
  SAYS(s.out, "// one\nfn f(x: f32) -> f32 { x + 1 }");
  SAYS(s.out, "// two\n640\n");
  CU_ASSERT_EQUAL(sh("$RLC fmt --check a.rl").status, 0);
  s = sh("$RLC fmt - < a.rl | cmp - a.rl");
  CU_ASSERT_EQUAL(s.status, 0);
  s = sh("cp bad.rl was; $RLC fmt bad.rl; a=$?; cmp was bad.rl && exit $a");
  CU_ASSERT_EQUAL(s.status, 1);
  SAYS(s.err, "bad.rl:");
  s = sh("$RLC fmt absent.rl");
  CU_ASSERT_EQUAL(s.status, 1);
  SAYS(s.err, "absent.rl");
  end();
}

static const char graph[] =
  "graph f(%0 x: f32[2, 2]) {\n"
  "  %1: f32[2, 2] = const 0\n"
  "  %2: f32[2, 2] = tanh %0\n"
  "  yield %2 -> \"y\"\n"
  "}\n";

static void graphs(void) {
  begin();
  put("g.ir", graph);
  Said s = sh("$RLC opt --passes=simplify g.ir > o.ir && ! grep -q const o.ir && $RLC opt --passes=simplify o.ir | cmp - o.ir");
  CU_ASSERT_EQUAL(s.status, 0);
  s = sh("$RLC opt --passes=nope g.ir");
  CU_ASSERT_EQUAL(s.status, 1);
  SAYS(s.err, "there is no pass `nope`");
  s = sh("$RLC eval g.ir --in x=0,1,2,3");
  CU_ASSERT_EQUAL(s.status, 0);
  CU_ASSERT_STRING_EQUAL(s.out, "y: f32[2, 2] =\n[[0, 0.7615942],\n [0.9640276, 0.9950548]]\n");
  s = sh("$RLC eval g.ir --in x=0.5");
  SAYS(s.out, "[[0.4621172, 0.4621172],");
  s = sh("$RLC eval g.ir");
  CU_ASSERT_EQUAL(s.status, 1);
  CU_ASSERT_STRING_EQUAL(s.err, "rlc: input x: f32[2, 2] is not given; --in x=NUMBERS gives it\n");
  CU_ASSERT_EQUAL(sh("$RLC eval g.ir --in x=1,2,3").status, 1);
  CU_ASSERT_EQUAL(sh("$RLC eval g.ir --in x=1,two,3,4").status, 1);
  CU_ASSERT_EQUAL(sh("$RLC eval g.ir --in z=1").status, 1);
  put("bad.ir", "graph f(%0 x: f32[2, 2]) {\n  %1: f32 = tanh %0\n  yield %1\n}\n");
  s = sh("$RLC opt bad.ir");
  CU_ASSERT_EQUAL(s.status, 1);
  SAYS(s.err, "bad.ir:2:");
  end();
}

// ---- trainers -----------------------------------------------------------------------------------------
static const char fit[] =
  "train fit(rate = 0.1, n = 16, max_steps = 300) {\n"
  "  state x: f32[n] = 5.0\n"
  "  state steps: i64 = 0\n"
  "  step {\n"
  "    let noise = uniform(key, [n])\n"
  "    x -= rate * (x - noise)\n"
  "    log loss = mean(x * x)\n"
  "    steps += 1\n"
  "  }\n"
  "  stop when steps >= max_steps\n"
  "}\n";

static const char grows[] =
  "train grows(factor = 1.5) {\n"
  "  state x: f32[16] = 5.0\n"
  "  step {\n"
  "    x = x * factor\n"
  "    log loss = mean(exp(x))\n"
  "  }\n"
  "  stop when false\n"
  "}\n";

static void checks(void) {
  begin();
  put("fit.rl", fit);
  Said s = sh("$RLC check fit.rl");
  CU_ASSERT_EQUAL(s.status, 0);
  CU_ASSERT_STRING_EQUAL(s.out, "");
  CU_ASSERT_STRING_EQUAL(s.err, "");
  put("one.rl", "fn f(x: f32) -> f32 { x + nothing_of_this_name }\n");
  put("two.rl", "fn g( {\n");
  s = sh("$RLC check one.rl fit.rl two.rl");
  CU_ASSERT_EQUAL(s.status, 1);
  SAYS(s.err, "one.rl:1:27: error: ");
  SAYS(s.err, "nothing_of_this_name }\n                          ^~~~~~~");
  SAYS(s.err, "two.rl:1:");
  CU_ASSERT_EQUAL(sh("$RLC check absent.rl").status, 1);
  end();
}

static void runs(void) {
  begin();
  put("fit.rl", fit);
  Said s = sh("$RLC run fit.rl --seed 3 --summary json --log l --checkpoint whole");
  CU_ASSERT_EQUAL(s.status, 0);
  CU_ASSERT_EQUAL(strncmp(s.out, "{\"solved\": false, \"env_steps\": null, \"compile_s\": 0.", 50), 0);
  SAYS(s.err, "fit: finished after 300 updates");
  CU_ASSERT_EQUAL(sh("test $(wc -l < l) = 300").status, 0);
  // Another number of threads, stopped and taken up, in a program of its own: the same bits.
  CU_ASSERT_EQUAL(sh("$RLC run fit.rl --seed 3 --quiet --threads 4 --checkpoint c && cmp c whole").status, 0);
  CU_ASSERT_EQUAL(sh("$RLC run fit.rl --seed 3 --quiet --steps 120 --checkpoint half").status, 0);
  CU_ASSERT_EQUAL(sh("$RLC run fit.rl --quiet --resume half --checkpoint c && cmp c whole").status, 0);
  CU_ASSERT_EQUAL(sh("$RLC build fit.rl -o fit && test $(stat -c %%s fit) -lt 2000000 && ! ldd fit | grep -q LLVM").status, 0);
  CU_ASSERT_EQUAL(sh("./fit --seed 3 --quiet --checkpoint c && cmp c whole").status, 0);
  CU_ASSERT_EQUAL(sh("./fit --quiet --resume half --checkpoint c && cmp c whole").status, 0);
  s = sh("./fit --help");
  SAYS(s.out, "  --set rate=0.1\n  --set max_steps=300\n");
  CU_ASSERT_EQUAL(sh("./fit --rate 3").status, 2);
  CU_ASSERT_EQUAL(sh("./fit --set n=3").status, 1);
  // Settings that shape the code, and those that do not.
  CU_ASSERT_EQUAL(sh("$RLC run fit.rl --seed 3 --set rate=0.25 --quiet --checkpoint c && ! cmp -s c whole").status, 0);
  CU_ASSERT_EQUAL(sh("./fit --seed 3 --set rate=0.25 --quiet --checkpoint d && cmp c d").status, 0);
  s = sh("$RLC run fit.rl --set n=8 --quiet --resume half");
  CU_ASSERT_EQUAL(s.status, 1);
  CU_ASSERT_STRING_EQUAL(s.err, "rlc: half is of another program: its state x is f32[16], this trainer's is f32[8]\n");
  s = sh("$RLC run fit.rl --set m=8 --quiet");
  CU_ASSERT_EQUAL(s.status, 1);
  SAYS(s.err, "trainer fit has no setting `m`");
  s = sh("$RLC run fit.rl --set n=8 --set n=16 --quiet");
  CU_ASSERT_EQUAL(s.status, 1);
  SAYS(s.err, "--set n is given twice");
  CU_ASSERT_EQUAL(sh("$RLC run fit.rl --target-cpu pdp11").status, 1);
  s = sh("$RLC build fit.rl -o no/such/folder/fit");
  CU_ASSERT_EQUAL(s.status, 1);
  CU_ASSERT_STRING_EQUAL(s.err, "rlc: cannot write no/such/folder/fit: No such file or directory\n");
  CU_ASSERT_EQUAL(sh("$RLC build fit.rl -o fit.o --target aarch64-linux-gnu && head -c 20 fit.o | od -An -tx1 -j18 | grep -q 'b7 00'").status, 0);
  CU_ASSERT_EQUAL(sh("$RLC run fit.rl --summary json --quiet > /dev/full").status, 1);
  end();
}

// Lanes that threads share: of a loop over wide rows with its derivative, and of episodes that end on their own.
static void lanes(void) {
  begin();
  for (int k = 0; k < 2; k++) {
    const char *what = k ? "evolve_cartpole.rl\" --steps 3" : "s5_recall.rl\" --set T=256 --steps 2";
    CU_ASSERT_EQUAL(sh("$RLC emit --plan \"$ROOT/examples/%s | grep -q 'map n .* pieces'", k ? "evolve_cartpole.rl\"" : "s5_recall.rl\" --set T=256").status, 0);
    CU_ASSERT_EQUAL(sh("$RLC run \"$ROOT/examples/%s --quiet --threads 1 --checkpoint one", what).status, 0);
    CU_ASSERT_EQUAL(sh("$RLC run \"$ROOT/examples/%s --quiet --threads 2 --checkpoint c && cmp c one", what).status, 0);
    CU_ASSERT_EQUAL(sh("$RLC run \"$ROOT/examples/%s --quiet --threads 5 --checkpoint c && cmp c one", what).status, 0);
  }
  end();
}

// The first example, as people meet it: it learns, and its bits are the same whoever runs it.
static void cartpole(void) {
  begin();
  Said s = sh("$RLC run \"$ROOT/examples/cartpole_ppo.rl\" --quiet --summary json --set max_steps=200_000");
  CU_ASSERT_EQUAL(s.status, 0);
  CU_ASSERT_EQUAL(strncmp(s.out, "{\"solved\": true, \"env_steps\": ", 30), 0);
  CU_ASSERT_EQUAL(sh("$RLC run \"$ROOT/examples/cartpole_ppo.rl\" --quiet --threads 1 --steps 4 --checkpoint one").status, 0);
  CU_ASSERT_EQUAL(sh("$RLC run \"$ROOT/examples/cartpole_ppo.rl\" --quiet --threads 2 --steps 4 --checkpoint c && cmp c one").status, 0);
  CU_ASSERT_EQUAL(sh("$RLC run \"$ROOT/examples/cartpole_ppo.rl\" --quiet --threads 4 --steps 2 --checkpoint part").status, 0);
  CU_ASSERT_EQUAL(sh("$RLC run \"$ROOT/examples/cartpole_ppo.rl\" --quiet --steps 4 --resume part --checkpoint c && cmp c one").status, 0);
  CU_ASSERT_EQUAL(sh("$RLC build \"$ROOT/examples/cartpole_ppo.rl\" -o ppo && test $(stat -c %%s ppo) -lt 2000000").status, 0);
  CU_ASSERT_EQUAL(sh("./ppo --quiet --steps 4 --checkpoint c && cmp c one").status, 0);
  CU_ASSERT_EQUAL(sh("./ppo --quiet --threads 2 --steps 4 --resume part --checkpoint c && cmp c one").status, 0);
  // A run that had finished does not go on.
  CU_ASSERT_EQUAL(sh("$RLC run \"$ROOT/examples/cartpole_ppo.rl\" --quiet --checkpoint one").status, 0);
  CU_ASSERT_EQUAL(sh("$RLC run \"$ROOT/examples/cartpole_ppo.rl\" --quiet --resume one --checkpoint c && cmp c one").status, 0);
  end();
}

// A policy taken away as C: its numbers are the reference evaluator's, and it balances the pole in C's own CartPole.
static const char tiny_rl[] =
  "record point { x, y: f32 }\n\n"
  "train tiny(scale = 2.0, width = 3) {\n"
  "  let twice = 2 * scale\n"
  "  state w = f32(iota(width))\n"
  "  state unused = zeros([1000])\n"
  "  step { w += 1 }\n"
  "  stop when iter >= 4\n"
  "  export f(p: point, on: bool, v: f32[2, 3]) -> (y: f32[2], big: bool[2], p: point) {\n"
  "    let y = tanh(v @ w / 10) * twice + p.x\n"
  "    (y = if on { y } else { -y }, big = y > 1, p = point(p.y, f32(iter)))\n"
  "  }\n"
  "  export large(v: f32[20_000]) -> f32[20_000] {\n"
  "    let c = (v - mean(v)) |> reshape([100, 200])\n"
  "    (c @ (c.T @ c) * 0 + c |> reshape([20_000])) + w[0]\n"
  "  }\n"
  "  export sorted(v: f32[3]) -> f32[3] = sort(v * w)\n"
  "  export kept(v: f32[2]) -> f32 {\n"
  "    var (b, s) = (zeros([300_000]), 0.0)\n"
  "    for t in 0..4 {\n"
  "      let old = b\n"
  "      b[t] = v[0] + s\n"
  "      s += sum(b * old)\n"
  "    }\n"
  "    s\n"
  "  }\n"
  "}\n";

static const char tiny_c[] =
  "#include <stdio.h>\n#include <stdlib.h>\n#include \"f.h\"\n#include \"large.h\"\n"
  "int main(void) {\n"
  "  float px = 0.5f, py = 7, v[6] = { 0.1f, 0.2f, -0.3f, -1, 0.5f, 2 }, y[2], qx, qy;\n"
  "  uint8_t on = 0, big[2];\n"
  "  f(&px, &py, &on, v, y, big, &qx, &qy);\n"
  "  printf(\"%.5f %.5f %d %d %g %g\\n\", y[0], y[1], big[0], big[1], qx, qy);\n"
  "  static float a[20000], b[20000];\n"
  "  a[7] = 20000;\n"
  "  void *scratch = aligned_alloc(64, (LARGE_SCRATCH + 63) / 64 * 64);\n"
  "  large(a, b, scratch);\n"
  "  printf(\"%g %g\\n\", b[0], b[7]);\n"
  "}\n";

static const char pole_c[] =
  "#include <math.h>\n#include \"act.h\"\n"
  "int main(void) {\n"
  "  float s[4] = { 0.02f, -0.03f, 0.01f, 0.04f };\n"
  "  for (int t = 0; t < 400; t++) {\n"
  "    int32_t a;\n"
  "    act(s, &a);\n"
  "    float push = a == 1 ? 10 : -10, lean = (push + 0.05f * s[3] * s[3] * sinf(s[2])) / 1.1f;\n"
  "    float dd = (9.8f * sinf(s[2]) - cosf(s[2]) * lean) / (0.5f * (4.0f / 3 - 0.1f * cosf(s[2]) * cosf(s[2]) / 1.1f));\n"
  "    float dx = lean - 0.05f * dd * cosf(s[2]) / 1.1f;\n"
  "    s[0] += 0.02f * s[1], s[1] += 0.02f * dx, s[2] += 0.02f * s[3], s[3] += 0.02f * dd;\n"
  "    if (fabsf(s[0]) > 2.4f || fabsf(s[2]) > 0.2095f) return 1;\n"
  "  }\n"
  "  return 0;\n"
  "}\n";

static void exports(void) {
  begin();
  put("t.rl", tiny_rl);
  put("t.c", tiny_c);
  put("pole.c", pole_c);
  CU_ASSERT_EQUAL(sh("$RLC run t.rl --quiet --checkpoint t.ckpt").status, 0);
  CU_ASSERT_EQUAL(sh("$RLC export t.rl --checkpoint t.ckpt --name f && $RLC export t.rl --checkpoint t.ckpt --name large").status, 0);
  CU_ASSERT_EQUAL(sh("cc t.c f.o large.o -o t && ./t > said").status, 0);
  double want[2], got[2];
  Said s = sh("$RLC eval '-(tanh([[0.1, 0.2, -0.3], [-1.0, 0.5, 2.0]] @ [4.0, 5.0, 6.0] / 10) * 4 + 0.5)'");
  CU_ASSERT_EQUAL(sscanf(s.out, "f32[2] = [%lf, %lf]", &want[0], &want[1]), 2);
  s = sh("cat said");
  int big[2];
  double qx, qy, low, high;
  CU_ASSERT_EQUAL(sscanf(s.out, "%lf %lf %d %d %lf %lf %lf %lf", &got[0], &got[1], &big[0], &big[1], &qx, &qy, &low, &high), 8);
  CU_ASSERT_DOUBLE_EQUAL(got[0], want[0], 2e-5);
  CU_ASSERT_DOUBLE_EQUAL(got[1], want[1], 2e-5);
  CU_ASSERT(big[0] == (-want[0] > 1) && big[1] == (-want[1] > 1) && qx == 7 && qy == 4);
  CU_ASSERT(low == 3 && high == 20003);
  s = sh("$RLC export t.rl --checkpoint t.ckpt --name sorted");
  CU_ASSERT_EQUAL(s.status, 1);
  SAYS(s.err, "sorted needs rt_argsort of rlc's runtime");
  s = sh("$RLC export t.rl --checkpoint t.ckpt --name kept");
  CU_ASSERT_EQUAL(s.status, 1);
  SAYS(s.err, "t.rl:22:8: error: this update copies 1.2 MB, in each turn of a loop");
  SAYS(s.err, "t.rl:23:18: note: the old value is read here");
  s = sh("$RLC export t.rl --checkpoint t.ckpt --name g");
  CU_ASSERT_EQUAL(s.status, 1);
  SAYS(s.err, "the trainer `tiny` exports no `g`");
  s = sh("sed 's/v @ w/v @ v/' t.rl > bad.rl; $RLC check bad.rl");
  CU_ASSERT_EQUAL(s.status, 1);
  SAYS(s.err, "inner sizes differ");
  s = sh("$RLC export t.rl --checkpoint t.rl --name f");
  SAYS(s.err, "is not a checkpoint of rlc");
  // The first example's policy: nothing undefined, small, in another machine's code too.
  const char *ppo = "\"$ROOT/examples/cartpole_ppo.rl\" --checkpoint p.ckpt";
  CU_ASSERT_EQUAL(sh("$RLC run %s --quiet", ppo).status, 0);
  CU_ASSERT_EQUAL(sh("$RLC export %s && test -z \"$(nm -u act.o)\" && test $(stat -c %%s act.o) -lt 32000", ppo).status, 0);
  CU_ASSERT_EQUAL(sh("cc pole.c act.o -lm -o pole && ./pole").status, 0);
  CU_ASSERT_EQUAL(sh("$RLC export %s --target aarch64-linux-gnu -o arm.o && test -s arm.o && cmp act.h arm.h", ppo).status, 0);
  s = sh("$RLC export t.rl --checkpoint p.ckpt");
  SAYS(s.err, "is of another program: trainer ppo, and this is tiny");
  end();
}

// Ctrl-C once training is under way: when its log has lines.
static Said interrupted(const char *options) {
  return sh("rm -f log; (n=0; until test -s log || test $n = 600; do sleep 0.05; n=$((n+1)); done; kill -INT $(cat pid)) & "
            "sh -c 'echo $$ > pid; exec $RLC run fit.rl --quiet --log log %s'; s=$?; wait; exit $s", options);
}

static void interrupts(void) {
  begin();
  put("fit.rl", fit);
  Said s = interrupted("--set max_steps=1000000000000 --checkpoint c");
  CU_ASSERT_EQUAL(s.status, 130);
  CU_ASSERT_STRING_EQUAL(s.err, "rlc: the state is in c; --resume c goes on from it\n");
  s = interrupted("--resume c");
  CU_ASSERT_EQUAL(s.status, 130);
  SAYS(s.err, "--resume fit.interrupted.ckpt goes on from it");
  end();
}

// A trainer that begins where another ended.
static const char two[] =
  "train base(rate = 0.5, slow = 0, max_steps = 50) {\n"
  "  state x: f32[4] = 1.0\n"
  "  step {\n"
  "    for _ in 0..slow { x = sin(x) + cos(x) }\n"
  "    x = mix(x, uniform(key, [4]), rate)\n"
  "    log loss = mean(x)\n"
  "  }\n"
  "  stop when iter >= max_steps\n"
  "}\n"
  "train tune(rate = 0.25, slow = 0) {\n"
  "  state from = base.run(rate = rate, slow = slow)\n"
  "  state x = from.x\n"
  "  state again = base.run(rate = 0.25, slow = slow).x\n"
  "  step {\n"
  "    x += 1 + 0 * uniform(key, [4])\n"
  "    log gained = mean(x - from.x), same = mean(abs(from.x - again)), loss = from.loss\n"
  "  }\n"
  "  stop when iter >= 10\n"
  "}\n"
  "experiment both(seeds = 2) {\n"
  "  let a = tune.run()\n"
  "  let b = base.run(rate = 0.25)\n"
  "  let x = [1.0, 2.0]\n"
  "  claim max(abs(a.from.x - b.x)) == 0 and max(a.gained) == 10   // exactly\n"
  "  claim check_grad(|x| sum(tanh(x)^2), x) < 1e-6\n"
  "  claim bench(|x| x + 1, x) < 1\n"
  "  claim a.step_bytes[0] > 0 and b.wall_s[-1] >= 0\n"
  "}\n"
  "experiment wrong() {\n"
  "  claim mean(base.run().loss) > 1\n"
  "  claim 2 > 1\n"
  "}\n";

static void begins_from(void) {
  begin();
  put("two.rl", two);
  Said s = sh("$RLC run two.rl --seed 3 --summary json --checkpoint whole --trainer tune");
  CU_ASSERT_EQUAL(s.status, 0);
  SAYS(s.err, "base: finished after 50 updates");
  SAYS(s.err, "tune: finished after 10 updates");
  SAYS(s.out, "\"gained\": 10, \"same\": 0,");
  CU_ASSERT_PTR_EQUAL(strstr(strstr(s.err, "base: finished") + 1, "base: finished"), NULL);  // the same run twice is one
  // In a program of its own, with other settings known at run time, and gone on with: the same bits.
  CU_ASSERT_EQUAL(sh("$RLC build two.rl --trainer tune -o two && ./two --seed 3 --quiet --checkpoint c && cmp c whole").status, 0);
  CU_ASSERT_EQUAL(sh("$RLC run two.rl --trainer tune --seed 3 --quiet --steps 4 --checkpoint c && $RLC run two.rl --trainer tune --quiet --resume c --checkpoint c && cmp c whole").status, 0);
  CU_ASSERT_EQUAL(sh("$RLC run two.rl --trainer base --set rate=0.25 --seed 3 --quiet --checkpoint c && ! cmp -s c whole && $RLC run two.rl --trainer tune --quiet --resume c --checkpoint d && cmp d whole").status, 0);
  // Interrupted while it trains the first: the checkpoint is of that one, and the same command goes on.
  s = sh("(sleep 0.5; until kill -INT $(cat pid); do sleep 0.1; done) & "
         "sh -c 'echo $$ > pid; exec $RLC run two.rl --trainer tune --set slow=2000000 --seed 3 --checkpoint half'; s=$?; wait; exit $s");
  CU_ASSERT_EQUAL(s.status, 130);
  SAYS(s.err, "the state is in half; --resume half goes on from it");
  s = sh("$RLC run two.rl --trainer tune --resume half");
  CU_ASSERT_EQUAL(s.status, 1);                    // other settings were compiled in
  SAYS(s.err, "give the same --set");
  s = sh("$RLC run two.rl --trainer tune --quiet --resume absent");
  CU_ASSERT_EQUAL(s.status, 1);
  CU_ASSERT_EQUAL(sh("$RLC emit --svg --profile two.rl --trainer tune > p.svg && $RLC bench two.rl --trainer tune --steps 3 > /dev/null").status, 0);
  end();
}

static void verifies(void) {
  begin();
  put("two.rl", two);
  Said s = sh("$RLC verify two.rl --experiment both --summary json");
  CU_ASSERT_EQUAL(s.status, 0);
  SAYS(s.out, "holds  two.rl:24  max(abs(a.from.x - b.x)) == 0 and max(a.gained) == 10  (0 == 0, 10 == 10)\n");
  SAYS(s.out, "\"hold\": 4, \"fail\": 0, \"wall_s\": ");
  s = sh("$RLC verify two.rl");
  CU_ASSERT_EQUAL(s.status, 1);
  SAYS(s.out, "FAILS  two.rl:30  mean(base.run().loss) > 1  (");
  SAYS(s.out, "holds  two.rl:31  2 > 1  (2 > 1)\n");
  s = sh("$RLC verify two.rl --experiment both --quiet --set seeds=1 --seed 5 --runs kept && ls kept | grep -c 'ckpt$' && $RLC verify two.rl --experiment both --set seeds=1 --seed 5 --runs kept");
  CU_ASSERT_EQUAL(s.status, 0);
  SAYS(s.out, "\n2\n");
  SAYS(s.err, "base: seed 5\n");
  CU_ASSERT_EQUAL(sh("$RLC verify two.rl --experiment none").status, 1);
  CU_ASSERT_EQUAL(sh("$RLC verify two.rl --log x").status, 2);
  CU_ASSERT_EQUAL(sh("$RLC verify").status, 2);
  put("grows.rl", grows);
  s = sh("echo 'experiment e() { claim mean(grows.run().loss) > 0 }' >> grows.rl; $RLC verify grows.rl --quiet");
  CU_ASSERT_EQUAL(s.status, 3);
  end();
}

static void diverges(void) {
  begin();
  put("grows.rl", grows);
  Said s = sh("$RLC run grows.rl --quiet --checkpoint c --summary json");
  CU_ASSERT_EQUAL(s.status, 3);
  SAYS(s.err, "grows.rl:5:");
  SAYS(s.err, "error: grows diverged in step 8: exp is the first value that is not finite\n    log loss = mean(exp(x))\n");
  SAYS(s.err, "c holds the last good state kept");
  SAYS(s.out, "{\"solved\": false");
  CU_ASSERT_EQUAL(sh("$RLC run grows.rl --quiet --resume c --set factor=0.5 --steps 50").status, 0);
  end();
}

// One state takes the value of another, which is updated in the same step.
static const char pair_rl[] =
  "train pair(n = 100_000) {\n"
  "  state x = zeros([n])\n"
  "  state before = zeros([n])\n"
  "  step {\n"
  "    before = x\n"
  "    x[3] = 1.0 + x[4]\n"
  "    log change = sum(x - before)\n"
  "  }\n"
  "  stop when iter >= 1\n"
  "}\n";

static void emits(void) {
  begin();
  put("fit.rl", fit);
  put("pair.rl", pair_rl);
  CU_ASSERT_EQUAL(sh("$RLC emit --plan pair.rl | sed -n '/plan step/,$p' > plan && grep -q 'linear.*: copy' plan && ! grep 'copy 400000 B' plan").status, 0);
  CU_ASSERT_EQUAL(sh("$RLC run pair.rl --quiet --log log && grep '\"change\": 1[,}]' log").status, 0);
  CU_ASSERT_EQUAL(sh("$RLC emit --ir fit.rl -o fit.ir && $RLC opt --passes=simplify fit.ir | cmp - fit.ir").status, 0);
  Said s = sh("$RLC emit --plan fit.rl");
  SAYS(s.out, "plan step");
  s = sh("$RLC emit --llvm fit.rl");
  SAYS(s.out, "define ");
  s = sh("$RLC emit --asm fit.rl --target-cpu x86-64-v3 | grep -c ymm");
  CU_ASSERT(atoi(s.out) > 0);
  s = sh("$RLC emit --asm fit.rl --target-cpu x86-64 | grep -c ymm");
  CU_ASSERT_EQUAL(atoi(s.out), 0);
  s = sh("$RLC eval 'grad(|x| x * x * x)(2.0)'");
  CU_ASSERT_EQUAL(s.status, 0);
  CU_ASSERT_STRING_EQUAL(s.out, "f32 = 12\n");
  end();
}

// Every kernel of the step is listed with its time; counts are per step.
static void benches(void) {
  begin();
  Said s = sh("\"$RLC\" bench \"$ROOT/examples/cartpole_ppo.rl\" --steps 2 --threads 1 --most 500");
  CU_ASSERT_EQUAL(s.status, 0);
  SAYS(s.out, "ppo: 2 steps of ");
  SAYS(s.out, "GFLOP/s of multiply-adds");
  SAYS(s.out, "dot [");
  SAYS(s.out, "lib argsort");
  SAYS(s.out, "between kernels");
  s = sh("\"$RLC\" bench");
  CU_ASSERT_EQUAL(s.status, 2);
  put("slow.rl", "train slow(n = 64) {\n  state x = eye(n)\n  step { x = tanh(x @ x) }\n  stop when iter >= 3\n}\n");
  s = sh("$RLC emit --dot --profile slow.rl");
  CU_ASSERT_EQUAL(s.status, 0);
  SAYS(s.out, "%</B>");
  CU_ASSERT_EQUAL(sh("$RLC emit --ir --profile slow.rl").status, 2);
  end();
}

// ---- programs that no one writes: what is nested, chained or called without end is told, not crashed upon

#define DEPTH 10000

static char *repeated(char *to, const char *part) {
  size_t n = strlen(part);
  for (int k = 0; k < DEPTH; k++, to += n) memcpy(to, part, n);
  return to;
}

// Refused in time with that message, and with a way out.
static void refused(const char *command, const char *says, const char *what) {
  Said s = sh("timeout 60 %s", command);
  bool told = s.status == 1 && strstr(s.err, says) && strstr(s.err, "help: ");
  if (!told) printf("\n  %s: status %d, not `%s`: %.200s", what, s.status, says, s.err);
  CU_ASSERT(told);
}

static void deep_programs(void) {
  static const char too_deep[] = "nested deeper than 400 levels";
  static const struct { const char *before, *open, *middle, *close, *after, *says; } cases[] = {
    {"fn f(x) = ", "(", "x", ")", "", too_deep},
    {"fn f(x) = ", "-", "x", "", "", too_deep},
    {"fn f(x) = ", "not ", "x", "", "", too_deep},
    {"fn f(x) = ", "{ ", "x", " }", "", too_deep},
    {"fn f(x) = ", "|y| ", "x", "", "", too_deep},
    {"fn f(x) = x", " + x", "", "", "", too_deep},
    {"fn f(x) = x", "^x", "", "", "", too_deep},
    {"fn f(x) = x", " and x", "", "", "", too_deep},
    {"fn f(x) = x", " |> abs", "", "", "", too_deep},
    {"fn f(x) = x", ".T", "", "", "", too_deep},
    {"fn f(x) = x", "[0]", "", "", "", too_deep},
    {"fn f(x) = f", "(x)", "", "", "", too_deep},
    {"fn f(x) = x\nfn g() = ", "f(", "1", ")", "", too_deep},
    {"fn f(x: ", "(", "f32", ",)", ") = x", too_deep},
    {"fn f(x: ", "(a: ", "f32", ")", ") = x", too_deep},
    {"fn f(x: f32", "[2]", "", "", ") = x", too_deep},
    {"fn f(x: f32[", "(", "3", ")", "]) = x", too_deep},
    {"fn f(x) = ", "(a = ", "x", ")", "", too_deep},
    {"fn f(x) = ", "(1, ", "x", ")", "", too_deep},
    {"fn f(x) = ", "[", "x", "]", "", too_deep},
    {"fn f(x) = ", "if x { ", "1", " } else { 2 }", "", too_deep},
    {"fn f(x) = ", "if x == 3 { 1 } else ", "{ 2 }", "", "", too_deep},
    {"fn f(x) = ", "match x { 1 => ", "1", "; _ => 2 }", "", too_deep},
    {"fn f(x) { ", "for i in 0..1 { ", "x", " }", " }", too_deep},
    {"fn f(x) = ", "scan i in 0..1 { ", "x", " }", "", too_deep},
    {"fn f(x) { ", "while x { ", "x", " }", " }", too_deep},
    {"fn f(x) { let ", "(", "y", ", z)", " = x }", too_deep},
    {"fn f(x) { for ", "(", "y", ", z)", " in x { y } }", too_deep},
    {"fn f(x) = x^2\nfn g(x: f32) = ", "grad(", "f", ")", "(x)", too_deep},
    {"fn f(x) = ", "(", "", "", "", too_deep},
    {"fn f(x) ", "{", "", "", "", too_deep},
    {"fn f(x) = x\nfn g() = f(1", ", 1", "", "", ")", "`f` takes 1 argument, found 10001"},
    {"fn f(x) = x", "..x", "", "", "", "a range has two ends"},
    {"fn f(x: i32) = match x { 1 => 1", "; 2 => 2", "", "", "; _ => 3 }", "too deep"},
  };
  begin();
  char *text = malloc(DEPTH * 64);
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    char *at = stpcpy(text, cases[i].before);
    at = repeated(at, cases[i].open);
    at = stpcpy(at, cases[i].middle);
    at = repeated(at, cases[i].close);
    strcpy(stpcpy(at, cases[i].after), "\n");
    put("deep.rl", text);
    refused("$RLC check deep.rl", cases[i].says, cases[i].open);
  }
  free(text);
  end();
}

static void long_chains(void) {
  static const struct { const char *line, *last, *says; } cases[] = {
    {"fn f%d(x) = f%d(x)\n", "fn f%d(x) = x\nfn g() = f0(1)\n", "calls inside of calls, 60 deep"},
    {"layer f%d(x) = f%d(x)\n", "layer f%d(x) = x\nmodel m(x: f32[B]) = f0(x)\n", "calls inside of calls, 60 deep"},
    {"const c%d = c%d\n", "const c%d = 1\nfn g() = c0\n", "too deep"},
    {"record r%d { a: r%d }\n", "record r%d { a: f32 }\nfn g() = zeros(r0)\n", "too deep"},
  };
  static const struct { const char *text, *says; } ends[] = {
    {"fn f(n) = f(n - 1)\nfn g() = f(3)\n", "`f` calls itself without an end"},
    {"fn f(n) = if n == 0 { 1 } else { h(n) }\nfn h(n) = f(n - 1)\nfn g() = f(100)\n", "calls itself, directly or through others: recursion is not possible"},
    {"fn f[N](x: f32) = if N > 100_000 { x } else { f[N + 1](x) }\nfn g(x: f32) = f[0](x)\n", "recursion is not possible"},
    {"fn f(xs: list, n) = if n == 0 { xs } else { f([xs, xs], n - 1) }\nfn g() = f([1], 40)\n", "recursion is not possible"},
    {"fn g(x: f32) = (|f| f(f))(|f| f(f))\n", "recursion is not possible"},
    {"record r {\n  a: f32\n  fn m() = m()\n}\nfn g(x: r) = x.m()\n", "recursion is not possible"},
    {"layer l(x: f32[B]) = k(x)\nlayer k(x: f32[B]) = l(x)\nmodel m(x: f32[B]) = l(x)\n", "`l` and `k` call each other without an end"},
    {"env e {\n  state x: f32\n  action = discrete(2)\n  obs = [x]\n  fn reset(key) {\n    var s = zeros(e.state)\n    e.reset(&s, key)\n  }\n"
     "  fn step(a) { (reward = 0.0, terminated = false) }\n}\n", "recursion is not possible"},
    {"train t() {\n  state p = t.run().p\n  step { p += 1 }\n}\n", "runs itself"},
  };
  begin();
  char *text = malloc(DEPTH * 64);
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    char *at = text;
    for (int k = 0; k < DEPTH; k++) at += sprintf(at, cases[i].line, k, k + 1);
    sprintf(at, cases[i].last, DEPTH);
    put("long.rl", text);
    refused("$RLC check long.rl", cases[i].says, cases[i].line);
  }
  for (size_t i = 0; i < sizeof ends / sizeof *ends; i++) {
    put("end.rl", ends[i].text);
    refused("$RLC check end.rl", ends[i].says, ends[i].text);
  }
  refused("$RLC eval \"$(printf '(%.0s' $(seq 10000))\"", "nested deeper than 400 levels", "eval");
  free(text);
  end();
}

void suite_cli(void) {
  CU_pSuite s = test_suite("cli");
  test_add(s, "wrong command lines", wrong_command_lines);
  test_add(s, "help", help);
  test_add(s, "lists", lists);
  test_add(s, "fmt", formats);
  test_add(s, "opt and eval on IR text", graphs);
  test_add(s, "check", checks);
  test_add(s, "run and build", runs);
  test_add(s, "lanes, with the same bits on any number of threads", lanes);
  test_add(s, "CartPole learns, with the same bits everywhere", cartpole);
  test_add(s, "export", exports);
  test_add(s, "begins from another", begins_from);
  test_add(s, "verify", verifies);
  test_add(s, "interrupted", interrupts);
  test_add(s, "diverging", diverges);
  test_add(s, "emit", emits);
  test_add(s, "bench", benches);
  test_add(s, "deep programs", deep_programs);
  test_add(s, "long chains", long_chains);
}
